/* tmtp_client.c - the client object: its states, and the link underneath */
#include "tmtp/tmtp_client.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/stream.h"
#include "base/tls.h"
#include "base/xmalloc.h"
#include "tmtp/tmtp_client_internal.h"
#include "tmtp/tmtp_frame.h"

enum {
    RETRY_FIRST_MS = 1000,
    RETRY_LONGEST_MS = 5 * 60 * 1000,
    PULSE_MS = 60 * 1000,
    STEADY_MS = 60 * 1000, /* online for so long: the next failure is a first one */
    BUSY_FIRST_MS = 2000,
    BUSY_LONGEST_MS = 10 * 1000, /* the silo gives up a dead connection after 120 s at most */
    LOGIN_PATIENCE_MS = 30 * 1000,
    SYNC_PATIENCE_MS = 90 * 1000, /* a silo may wait 30 s before it repeats what a former link didn't acknowledge */
    ANSWER_PATIENCE_MS = 120 * 1000,
    ANSWER_LONGEST_MS = 10 * 60 * 1000, /* of one request, while others are answered */
    SILENCE_MS = 120 * 1000,            /* of an idle silo; then we ask for something */
    CONTENT_PROGRESS = 1024,            /* octets: a large message may come slowly, but not in drops */
    COMPLAINTS_MS = 60 * 1000,
    COMPLAINTS_MAX = 20, /* in that time */
    ERROR_MAX = 1000,
};

static const int64_t MESSAGE_MAX = 64 * 1024 * 1024;

#define STATE(name) (1u << TMTP_CLIENT_##name)

static const struct {
    const char *name;
    unsigned next; /* bit set of states */
} states[] = {
    [TMTP_CLIENT_OFFLINE] = { "offline", STATE(CONNECTING) | STATE(STOPPED) },
    [TMTP_CLIENT_CONNECTING] = { "connecting", STATE(GREETING) | STATE(OFFLINE) | STATE(STOPPED) },
    [TMTP_CLIENT_GREETING] = { "greeting", STATE(REGISTERING) | STATE(LOGGING_IN) | STATE(OFFLINE) | STATE(STOPPED) },
    [TMTP_CLIENT_REGISTERING] = { "registering", STATE(SAVING) | STATE(OFFLINE) | STATE(STOPPED) },
    [TMTP_CLIENT_SAVING] = { "saving", STATE(LOGGING_IN) | STATE(OFFLINE) },
    [TMTP_CLIENT_LOGGING_IN] = { "logging-in", STATE(SYNCING) | STATE(OFFLINE) | STATE(STOPPED) },
    [TMTP_CLIENT_SYNCING] = { "syncing", STATE(ONLINE) | STATE(OFFLINE) },
    [TMTP_CLIENT_ONLINE] = { "online", STATE(OFFLINE) },
    [TMTP_CLIENT_STOPPED] = { "stopped", STATE(CONNECTING) },
};

const char *tmtp_client_state_name(enum tmtp_client_state state)
{
    return states[state].name;
}

enum tmtp_client_state tmtp_client_get_state(const struct tmtp_client *client)
{
    return client->state;
}

const char *tmtp_client_last_error(const struct tmtp_client *client)
{
    return client->last_error;
}

int64_t tmtp_client_last_error_ms(const struct tmtp_client *client)
{
    return client->last_error_ms;
}

const char *tmtp_client_uid(const struct tmtp_client *client)
{
    return client->uid;
}

int64_t tmtp_client_next_attempt_ms(const struct tmtp_client *client)
{
    return client->next_attempt_ms;
}

int64_t tmtp_client_state_since_ms(const struct tmtp_client *client)
{
    return client->state_since_ms;
}

const char *tmtp_client_pin(const struct tmtp_client *client)
{
    return client->pin;
}

const char *tmtp_client_refused_pin(const struct tmtp_client *client)
{
    return tmtp_client_stop_cause(client) == TMTP_CLIENT_STOP_PIN ? client->refused_pin : NULL;
}

void tmtp_client_get_statistics(const struct tmtp_client *client, struct tmtp_client_statistics *out)
{
    *out = client->statistics;
}

static bool is_stop(enum client_after after)
{
    return after >= CLIENT_AFTER_STOP_PIN;
}

enum tmtp_client_stop tmtp_client_stop_cause(const struct tmtp_client *client)
{
    static const enum tmtp_client_stop causes[] = {
        [CLIENT_AFTER_STOP_PIN] = TMTP_CLIENT_STOP_PIN,
        [CLIENT_AFTER_STOP_TOKEN] = TMTP_CLIENT_STOP_TOKEN,
        [CLIENT_AFTER_STOP_ACCOUNT] = TMTP_CLIENT_STOP_ACCOUNT,
        [CLIENT_AFTER_STOP_SETUP] = TMTP_CLIENT_STOP_SETUP,
    };
    bool stopped = client->state == TMTP_CLIENT_STOPPED && is_stop(client->after);
    return stopped ? causes[client->after] : TMTP_CLIENT_STOP_NONE;
}

int64_t client_now_ms(const struct tmtp_client *client)
{
    return clock_monotonic_ms(loop_clock(client->loop));
}

void client_wake(struct tmtp_client *client)
{
    timer_start(client->wake_timer, 0);
}

/* How long the silo may be silent now; 0: as long as it likes. */
static int64_t patience_ms(const struct tmtp_client *client)
{
    if (!client->stream || client->state == TMTP_CLIENT_SAVING)
        return 0;
    if (client->state < TMTP_CLIENT_SYNCING)
        return LOGIN_PATIENCE_MS;
    if (client->state == TMTP_CLIENT_SYNCING) {
        /* The silo waits for the owner's acknowledgement, not we for the silo. */
        return client->inbox.unanswered ? 0 : SYNC_PATIENCE_MS;
    }
    bool in_frame = client->inbox.receiving && !client->inbox.paused;
    return client->outbox.unanswered.count > 0 || in_frame ? ANSWER_PATIENCE_MS : 0;
}

/* Nothing is under way that would show whether the silo is still there: TCP may end at something in between, and a process
 * that hangs has a kernel that answers. */
static bool is_idle(const struct tmtp_client *client)
{
    return client->state == TMTP_CLIENT_ONLINE && patience_ms(client) == 0;
}

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void plan_tick(struct tmtp_client *client)
{
    if (!client->stream)
        return;
    int64_t due = client->output_ms + client->pulse_ms;
    int64_t patience = patience_ms(client);
    int64_t waits_since = client_outbox_waits_since_ms(client);
    if (patience > 0)
        due = sooner(due, client->progress_ms + patience);
    if (waits_since > 0)
        due = sooner(due, waits_since + ANSWER_LONGEST_MS);
    if (is_idle(client))
        due = sooner(due, client->heard_ms + SILENCE_MS);
    timer_start(client->tick_timer, due - client_now_ms(client));
}

void client_note_progress(struct tmtp_client *client)
{
    client->progress_ms = client_now_ms(client);
    client->content_heard = 0;
    plan_tick(client);
}

void client_note_frame(struct tmtp_client *client)
{
    if (is_idle(client))
        client_note_progress(client);
}

void client_note_content(struct tmtp_client *client, size_t len)
{
    client->content_heard += len;
    if (client->content_heard >= CONTENT_PROGRESS)
        client_note_progress(client);
}

bool client_may_complain(struct tmtp_client *client)
{
    struct client_complaints *complaints = &client->complaints;
    int64_t now = client_now_ms(client);

    if (now - complaints->since_ms >= COMPLAINTS_MS) {
        if (complaints->withheld > 0)
            log_warning("tmtp.withheld", "silo=%s lines=%u", client->address, complaints->withheld);
        *complaints = (struct client_complaints){ .since_ms = now };
    }
    bool may = complaints->made < COMPLAINTS_MAX;
    complaints->made += may;
    complaints->withheld += !may;
    return may;
}

static bool is_logged_in(const struct tmtp_client *client)
{
    return client->state == TMTP_CLIENT_SAVING || client->state == TMTP_CLIENT_SYNCING ||
           client->state == TMTP_CLIENT_ONLINE;
}

static void on_tick(void *arg)
{
    struct tmtp_client *client = arg;

    if (!client->stream)
        return;
    int64_t now = client_now_ms(client);
    int64_t patience = patience_ms(client);
    if (patience > 0 && now - client->progress_ms >= patience) {
        client_break_link(client, CLIENT_AFTER_RETRY, "no answer from the silo for %lld s while %s",
                          (long long)(patience / 1000), states[client->state].name);
        return;
    }
    int64_t waits_since = client_outbox_waits_since_ms(client);
    if (waits_since > 0 && now - waits_since >= ANSWER_LONGEST_MS) {
        client_break_link(client, CLIENT_AFTER_RETRY,
                          "the silo has not answered a request for %lld s, whatever else it said",
                          (long long)(ANSWER_LONGEST_MS / 1000));
        return;
    }
    if (is_idle(client) && now - client->heard_ms >= SILENCE_MS)
        client_outbox_post_barrier(client); /* its answer is a sign of life */
    if (client->stream && now - client->output_ms >= client->pulse_ms) {
        /* Between frames only; but while a long post is under way its data says that we live. */
        if (is_logged_in(client) && !client->outbox.sending)
            client_outbox_control(client, &(struct tmtp_request){ .op = TMTP_OP_PULSE });
        client->output_ms = now;
    }
    plan_tick(client);
}

void client_set_state(struct tmtp_client *client, enum tmtp_client_state state)
{
    bool ended = state == TMTP_CLIENT_OFFLINE || state == TMTP_CLIENT_STOPPED;
    const char *detail = ended ? client->last_error : "";

    assert(states[client->state].next & (1u << state));
    log_debug("tmtp.state", "silo=%s uid=%s from=%s to=%s detail=%s", client->address, client->uid,
              states[client->state].name, states[state].name, detail);
    client->state = state;
    client->state_since_ms = client_now_ms(client);
    client_note_progress(client);
    if (client->callbacks->on_state)
        client->callbacks->on_state(client, state, detail, client->ctx);
}

void client_break_link(struct tmtp_client *client, enum client_after after, const char *fmt, ...)
{
    if (client->dead || client->link_over)
        return; /* the first cause is the one that counts */

    struct strbuf reason;
    strbuf_init(&reason, ERROR_MAX);
    va_list args;
    va_start(args, fmt);
    strbuf_add_vfmt(&reason, fmt, args);
    va_end(args);

    free(client->last_error);
    client->last_error = strbuf_detach(&reason);
    client->last_error_ms = client_now_ms(client);
    if (is_stop(after))
        log_error("tmtp.stopped", "silo=%s uid=%s reason=%s next=%s", client->address, client->uid, client->last_error,
                  "no further attempt until a person has mended this");
    else if (after != CLIENT_AFTER_QUIT)
        log_warning("tmtp.link", "silo=%s uid=%s error=%s", client->address, client->uid, client->last_error);

    /* In order, even in the middle of a frame: a connection that ends without TLS's goodbye while it reads a post
     * brings the reference server down. */
    stream_close_after_output(&client->stream);
    timer_stop(client->retry_timer);
    timer_stop(client->tick_timer);
    client->link_over = true;
    client->after = after;
    client_wake(client);
}

/* Doubles from first to longest with each failure in a row; random over the upper half, so that clients
 * cut off together don't come back together. */
static int64_t backoff_ms(int64_t first, int64_t longest, unsigned failures)
{
    int64_t whole = first;
    while (failures-- > 0 && whole < longest)
        whole *= 2;
    if (whole > longest)
        whole = longest;
    uint32_t random;
    random_bytes(&random, sizeof random);
    return whole - whole / 2 + random % (whole / 2 + 1);
}

static void plan_attempt(struct tmtp_client *client)
{
    int64_t delay;
    if (client->after == CLIENT_AFTER_BUSY)
        delay = backoff_ms(BUSY_FIRST_MS, BUSY_LONGEST_MS, client->busy_failures++);
    else
        delay = backoff_ms(client->retry_first_ms, client->retry_longest_ms, client->failures++);
    client->next_attempt_ms = client_now_ms(client) + delay;
    timer_start(client->retry_timer, delay);
}

/* The link has ended and no callback is under way: draw the consequences. */
static void settle_link(struct tmtp_client *client)
{
    bool was_steady =
        client->state == TMTP_CLIENT_ONLINE && client_now_ms(client) - client->online_since_ms >= STEADY_MS;
    if (was_steady)
        client->failures = 0;

    client->link_over = false;
    client->next_attempt_ms = 0;
    tmtp_frame_decoder_free(&client->decoder);
    client_inbox_end_link(client);
    if (client->after == CLIENT_AFTER_RETRY || client->after == CLIENT_AFTER_BUSY)
        plan_attempt(client);

    bool stop = is_stop(client->after);
    if (stop || client->state != TMTP_CLIENT_OFFLINE)
        client_set_state(client, stop ? TMTP_CLIENT_STOPPED : TMTP_CLIENT_OFFLINE);
    if (!client->dead)
        client_outbox_end_link(client);
}

static void on_connected(struct stream *stream, void *ctx)
{
    struct tmtp_client *client = ctx;

    if (client->address[0] == '=' && !client->pin && stream_peer_pin(stream)) {
        client->pin = xstrdup(stream_peer_pin(stream));
        log_info("tmtp.pinned", "silo=%s pin=%s", client->address, client->pin);
        if (client->callbacks->on_pin)
            client->callbacks->on_pin(client, client->pin, client->ctx);
        if (client->dead || !client->stream)
            return;
    }
    client_login_start(client);
}

static void on_input(struct stream *stream, void *ctx)
{
    (void)stream;
    struct tmtp_client *client = ctx;

    client->heard_ms = client_now_ms(client);
    client_inbox_read(client);
}

static void on_drained(struct stream *stream, void *ctx)
{
    struct tmtp_client *client = ctx;

    (void)stream;
    if (client->outbox.sending)
        client_note_progress(client); /* a long post moves. (That the kernel took a pulse says nothing.) */
    client_outbox_pump(client);
}

static void on_end(struct stream *stream, enum stream_end why, const char *detail, void *ctx)
{
    struct tmtp_client *client = ctx;
    const char *pin = stream_peer_pin(stream);

    if (why == STREAM_END_TLS && client->address[0] == '=' && client->pin && pin && strcmp(pin, client->pin) != 0) {
        free(client->refused_pin);
        client->refused_pin = xstrdup(pin);
        client_break_link(
            client, CLIENT_AFTER_STOP_PIN,
            "the silo's certificate is not the one we know: expected %s, got %s; somebody may be in between",
            client->pin, pin);
    } else if (why == STREAM_END_EOF)
        client_break_link(client, CLIENT_AFTER_RETRY, "the silo closed the connection");
    else
        client_break_link(client, CLIENT_AFTER_RETRY, "%.500s", detail ? detail : "the connection was lost");
}

static const struct stream_callbacks stream_callbacks = {
    .on_connected = on_connected,
    .on_input = on_input,
    .on_drained = on_drained,
    .on_end = on_end,
};

static void connect_by_network(struct tmtp_client *client, const struct stream_settings *settings)
{
    const struct stream_target target = {
        .address = client->address + 1,
        .tls = client->tls,
        .pin = client->address[0] == '=' ? client->pin : NULL,
        .connect_timeout_ms = LOGIN_PATIENCE_MS,
    };
    client->stream = stream_new_connecting(client->loop, settings, &target);
}

/* A wrong address or CA file is told like any other reason to stop, on the loop. */
static void prepare_tls(struct tmtp_client *client)
{
    enum tls_verify verify = client->address[0] == '+' ? TLS_VERIFY_CA : TLS_VERIFY_PIN;
    char *error = NULL;

    if (client->address[0] != '+' && client->address[0] != '=') {
        client_break_link(client, CLIENT_AFTER_STOP_SETUP,
                          "the silo's address \"%.200s\" must begin with + or =", client->address);
        return;
    }
    if (client->connect || client->tls)
        return;
    client->tls = tls_context_new_client(verify, client->ca_file, &error);
    if (!client->tls)
        client_break_link(client, CLIENT_AFTER_STOP_SETUP, "TLS can't be set up: %.500s",
                          error ? error : "no reason given");
    free(error);
}

static void on_retry(void *arg)
{
    struct tmtp_client *client = arg;

    client->next_attempt_ms = 0;
    if (client->account_unsaved)
        return; /* tmtp_client_account_saved() goes on from here */
    if (client->state == TMTP_CLIENT_STOPPED)
        prepare_tls(client); /* what was wrong with it may be mended */

    client->link++;
    client->decoder = tmtp_frame_decoder_new(TMTP_FRAME_HEADER_MAX);
    client->output_ms = client->heard_ms = client_now_ms(client);
    client_set_state(client, TMTP_CLIENT_CONNECTING);
    if (client->dead || client->link_over)
        return;
    const struct stream_settings settings = { .callbacks = &stream_callbacks, .ctx = client };
    if (!client->connect) {
        connect_by_network(client, &settings);
        client_note_progress(client);
        return;
    }
    client->stream = client->connect(&settings, client->connect_ctx);
    if (client->stream)
        client_login_start(client);
    else
        client_break_link(client, CLIENT_AFTER_RETRY, "connection refused");
}

static void on_wake(void *arg)
{
    struct tmtp_client *client = arg;

    if (client->link_over)
        settle_link(client);
    if (!client->dead)
        client_outbox_report_refused(client);
    if (client->dead || client->account_unsaved)
        return;
    if (client->state == TMTP_CLIENT_SAVING && client->stream) {
        /* The login that goes with the registration has been answered by now, or will be soon: read on. */
        client_set_state(client, TMTP_CLIENT_LOGGING_IN);
        if (!client->dead && client->stream)
            stream_pause_input(client->stream, false);
    }
}

void tmtp_client_account_saved(struct tmtp_client *client)
{
    if (!client->account_unsaved)
        return;
    client->account_unsaved = false;
    client_wake(client);
    bool attempt_was_put_off = client->state == TMTP_CLIENT_OFFLINE && !client->link_over &&
                               client->after != CLIENT_AFTER_QUIT && !timer_is_running(client->retry_timer);
    if (attempt_was_put_off)
        timer_start(client->retry_timer, 0);
}

static char *copy_or_null(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

struct tmtp_client *tmtp_client_new(const struct tmtp_client_settings *settings)
{
    struct tmtp_client *client = xcalloc(1, sizeof *client);

    client->loop = settings->loop;
    client->callbacks = settings->callbacks;
    client->ctx = settings->ctx;
    client->connect = settings->connect;
    client->connect_ctx = settings->connect_ctx;
    client->address = xstrdup(settings->address);
    client->ca_file = copy_or_null(settings->ca_file);
    client->pin = copy_or_null(settings->pin);
    client->uid = copy_or_null(settings->uid);
    client->node = copy_or_null(settings->node);
    client->alias = copy_or_null(settings->alias);
    client->spool_dir = xstrdup(settings->spool_dir ? settings->spool_dir : "/tmp");
    client->message_max = settings->message_max > 0 ? settings->message_max : MESSAGE_MAX;
    client->retry_first_ms = settings->retry_first_ms > 0 ? settings->retry_first_ms : RETRY_FIRST_MS;
    client->retry_longest_ms = settings->retry_longest_ms > 0 ? settings->retry_longest_ms : RETRY_LONGEST_MS;
    client->pulse_ms = settings->pulse_ms > 0 ? settings->pulse_ms : PULSE_MS;
    client->last_error = xstrdup("");
    client->retry_timer = timer_new(client->loop, on_retry, client);
    client->wake_timer = timer_new(client->loop, on_wake, client);
    client->tick_timer = timer_new(client->loop, on_tick, client);
    client_outbox_init(client);

    timer_start(client->retry_timer, 0);
    prepare_tls(client);
    return client;
}

static void destroy(void *arg)
{
    struct tmtp_client *client = arg;

    client_inbox_free(client);
    client_outbox_free(client);
    tmtp_frame_decoder_free(&client->decoder);
    tls_context_free(&client->tls);
    free(client->address);
    free(client->ca_file);
    free(client->pin);
    free(client->refused_pin);
    free(client->uid);
    free(client->node);
    free(client->alias);
    free(client->spool_dir);
    free(client->last_error);
    free(client);
}

void tmtp_client_free(struct tmtp_client **client_ref)
{
    struct tmtp_client *client = *client_ref;

    *client_ref = NULL;
    if (!client)
        return;
    client->dead = true;
    stream_close_after_output(&client->stream);
    timer_free(&client->retry_timer);
    timer_free(&client->wake_timer);
    timer_free(&client->tick_timer);
    loop_defer(client->loop, destroy, client);
}

void tmtp_client_set_pin(struct tmtp_client *client, const char *pin)
{
    const char *met = client->stream ? stream_peer_pin(client->stream) : NULL;

    char *copy = copy_or_null(pin);
    free(client->pin);
    client->pin = copy;
    if (client->address[0] == '=' && met && pin && strcmp(met, pin) != 0)
        client_break_link(client, CLIENT_AFTER_RETRY, "another certificate is expected from now on");
}

void tmtp_client_connect(struct tmtp_client *client)
{
    bool idle = client->state == TMTP_CLIENT_OFFLINE || client->state == TMTP_CLIENT_STOPPED;
    if (!idle || client->link_over || client->account_unsaved || client->after == CLIENT_AFTER_QUIT)
        return;
    client->failures = 0;
    client->next_attempt_ms = client_now_ms(client);
    timer_start(client->retry_timer, 0);
}

void tmtp_client_quit(struct tmtp_client *client)
{
    timer_stop(client->retry_timer);
    if (client->state == TMTP_CLIENT_STOPPED) {
        client->after = CLIENT_AFTER_QUIT;
        return;
    }
    if (client->stream && client->state > TMTP_CLIENT_CONNECTING)
        client_outbox_quit(client);
    if (client->link_over)
        client->after = CLIENT_AFTER_QUIT;
    else
        client_break_link(client, CLIENT_AFTER_QUIT, "%s", "");
}
