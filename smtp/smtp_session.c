#include "smtp/smtp_session.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/stream.h"
#include "base/xmalloc.h"
#include "smtp/smtp_access.h"
#include "smtp/smtp_cmd.h"
#include "smtp/smtp_listener_internal.h"
#include "smtp/smtp_proxy.h"

enum {
    OUT_MAX = 64 * 1024, /* replies collected; written long before: */
    OUT_FLUSH = 16 * 1024,
    UNREAD_REPLIES_MAX = 64 * 1024, /* written, but not taken by a client that only talks; then we stop listening */
};

/* --- state --- */

#define BIT(state) (1U << (state))

static const struct state_info {
    const char *name;
    unsigned next; /* states that may follow */
} states[] = {
    [SMTP_SESSION_PROXY] = { "proxy", BIT(SMTP_SESSION_HANDSHAKE) | BIT(SMTP_SESSION_WAITING) |
                                          BIT(SMTP_SESSION_START) | BIT(SMTP_SESSION_GONE) },
    [SMTP_SESSION_HANDSHAKE] = { "handshake", BIT(SMTP_SESSION_START) | BIT(SMTP_SESSION_GONE) },
    [SMTP_SESSION_WAITING] = { "waiting", BIT(SMTP_SESSION_START) | BIT(SMTP_SESSION_GONE) },
    [SMTP_SESSION_START] = { "start", BIT(SMTP_SESSION_READY) | BIT(SMTP_SESSION_CHUNK) | BIT(SMTP_SESSION_GONE) },
    [SMTP_SESSION_READY] = { "ready", BIT(SMTP_SESSION_START) | BIT(SMTP_SESSION_HANDSHAKE) |
                                          BIT(SMTP_SESSION_ENVELOPE) | BIT(SMTP_SESSION_ASKING) |
                                          BIT(SMTP_SESSION_CHUNK) | BIT(SMTP_SESSION_GONE) },
    [SMTP_SESSION_ENVELOPE] = { "envelope", BIT(SMTP_SESSION_READY) | BIT(SMTP_SESSION_ASKING) |
                                                BIT(SMTP_SESSION_DATA) | BIT(SMTP_SESSION_CHUNK) |
                                                BIT(SMTP_SESSION_GONE) },
    [SMTP_SESSION_ASKING] = { "asking", BIT(SMTP_SESSION_READY) | BIT(SMTP_SESSION_ENVELOPE) | BIT(SMTP_SESSION_GONE) },
    [SMTP_SESSION_DATA] = { "data", BIT(SMTP_SESSION_READY) | BIT(SMTP_SESSION_ASKING) | BIT(SMTP_SESSION_GONE) },
    [SMTP_SESSION_CHUNK] = { "chunk", BIT(SMTP_SESSION_START) | BIT(SMTP_SESSION_READY) | BIT(SMTP_SESSION_CHUNKED) |
                                          BIT(SMTP_SESSION_ASKING) | BIT(SMTP_SESSION_GONE) },
    [SMTP_SESSION_CHUNKED] = { "chunked", BIT(SMTP_SESSION_READY) | BIT(SMTP_SESSION_CHUNK) | BIT(SMTP_SESSION_GONE) },
    [SMTP_SESSION_GONE] = { "gone", 0 },
};

void smtp_session_set_state(struct smtp_session *session, enum smtp_session_state state)
{
    if (state == session->state)
        return;
    assert(states[session->state].next & BIT(state));
    log_debug("smtp.state", "session=%s from=%s to=%s", session->id, states[session->state].name, states[state].name);
    bool is_content = state == SMTP_SESSION_DATA || state == SMTP_SESSION_CHUNK;
    if (is_content && session->state != SMTP_SESSION_CHUNKED)
        smtp_limits_content_begins(session);
    session->state = state;
}

bool smtp_session_is_tls(const struct smtp_session *session)
{
    return session->facts.tls_version != NULL;
}

void smtp_session_set_client(struct smtp_session *session, const char *client)
{
    char *copy = xstrdup(client); /* it may be the old one */
    free(session->client);
    free(session->client_address);
    session->client = copy;
    session->client_address = smtp_access_address_of_peer(copy);
    session->facts.client = session->client;
    session->facts.client_address = session->client_address;
}

void smtp_session_set_tls_peer(struct smtp_session *session, const char *peer)
{
    free(session->tls_peer);
    session->tls_peer = peer ? xstrdup(peer) : NULL;
    session->facts.tls_peer = session->tls_peer;
}

void smtp_session_set_helo(struct smtp_session *session, char *helo)
{
    free(session->helo);
    session->helo = helo;
    session->facts.helo = helo;
}

void smtp_session_forget_origin(struct smtp_session *session)
{
    free(session->xforward);
    session->xforward = NULL;
    session->facts.origin = NULL;
}

/* --- replies --- */

void smtp_session_flush(struct smtp_session *session)
{
    if (session->out.len > 0 && session->stream)
        stream_write(session->stream, session->out.data, session->out.len);
    strbuf_free(&session->out); /* an idle session keeps no buffer */
}

void smtp_session_write(struct smtp_session *session, const struct smtp_reply *reply)
{
    if (session->state == SMTP_SESSION_GONE)
        return;
    if (session->transaction && session->transaction->params.is_smtputf8)
        smtp_reply_compose_utf8(reply, &session->out);
    else
        smtp_reply_compose(reply, &session->out);
    smtp_listener_count_reply(session->listener, reply->code);
    if (session->out.len > OUT_FLUSH)
        smtp_session_flush(session);
}

static void tell_owner(struct smtp_session *session, const struct smtp_reply *reply, const struct smtp_address *sender,
                       const struct smtp_address *recipient)
{
    static const enum smtp_refused_place places[] = {
        [SMTP_SESSION_PROXY] = SMTP_REFUSED_CONNECTION,   [SMTP_SESSION_HANDSHAKE] = SMTP_REFUSED_CONNECTION,
        [SMTP_SESSION_WAITING] = SMTP_REFUSED_CONNECTION, [SMTP_SESSION_START] = SMTP_REFUSED_COMMAND,
        [SMTP_SESSION_READY] = SMTP_REFUSED_COMMAND,      [SMTP_SESSION_ENVELOPE] = SMTP_REFUSED_COMMAND,
        [SMTP_SESSION_ASKING] = SMTP_REFUSED_COMMAND,     [SMTP_SESSION_DATA] = SMTP_REFUSED_CONTENT,
        [SMTP_SESSION_CHUNK] = SMTP_REFUSED_CONTENT,      [SMTP_SESSION_CHUNKED] = SMTP_REFUSED_COMMAND,
        [SMTP_SESSION_GONE] = SMTP_REFUSED_COMMAND,
    };
    if (!session->callbacks->on_refused || reply->code < 400 || session->state == SMTP_SESSION_GONE)
        return;
    const struct smtp_refusal refusal = { .place = places[session->state],
                                          .session = &session->facts,
                                          .transaction = session->transaction,
                                          .command = session->verb,
                                          .sender = sender,
                                          .recipient = recipient,
                                          .reply = reply };
    session->callbacks->on_refused(&refusal, session->ctx);
}

void smtp_session_note_refusal(struct smtp_session *session, const struct smtp_reply *reply)
{
    tell_owner(session, reply, NULL, NULL);
}

void smtp_session_refuse(struct smtp_session *session, const struct smtp_reply *reply,
                         const struct smtp_address *sender, const struct smtp_address *recipient)
{
    tell_owner(session, reply, sender, recipient);
    smtp_session_write(session, reply);
}

void smtp_session_answer(struct smtp_session *session, const struct smtp_reply *reply)
{
    smtp_session_refuse(session, reply, NULL, NULL);
}

void smtp_session_reply_lines(struct smtp_session *session, int code, const char *enhanced, const char *const *lines,
                              size_t count)
{
    smtp_reply_compose_lines(code, enhanced, lines, count, &session->out);
    smtp_listener_count_reply(session->listener, code);
    if (session->out.len > OUT_FLUSH)
        smtp_session_flush(session);
}

void smtp_session_reply(struct smtp_session *session, int code, const char *enhanced, const char *fmt, ...)
{
    char text[SMTP_REPLY_TEXT_MAX + 1];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    struct smtp_reply reply = smtp_reply_make(code, enhanced, "%s", text);
    smtp_session_answer(session, &reply);
}

bool smtp_session_reply_bad(struct smtp_session *session, int code, const char *enhanced, const char *text)
{
    if (++session->errors >= session->listener->settings.errors_max) {
        log_info("smtp.errors", "session=%s peer=%s client=%s count=%u", session->id, session->peer, session->client,
                 session->errors);
        smtp_session_reply(session, 421, "4.7.0", "Too many errors");
        return false;
    }
    smtp_session_reply(session, code, enhanced, "%s", text);
    return true;
}

/* --- end of life --- */

static void session_destroy(void *arg)
{
    struct smtp_session *session = arg;
    struct smtp_listener *listener = session->listener;
    free(session->peer);
    free(session->peer_address);
    free(session->tls_peer);
    free(session->client);
    free(session->client_address);
    free(session->xclient);
    free(session->xforward);
    free(session->teller);
    smtp_proxy_parser_free(&session->proxy);
    free(session->helo);
    free(session->listener_name);
    free(session->chunk.refusal);
    smtp_limits_release(session);
    if (listener)
        smtp_listener_remove(listener, session);
    free(session);
}

/* A session that is gone dies when nobody has business with it any more: no open question, no run under way or due. */
static void session_reap(struct smtp_session *session)
{
    if (session->is_running || session->run_queued)
        return;
    if (session->transaction && smtp_transaction_is_asking(session->transaction))
        return;
    smtp_transaction_abandon(session);
    loop_defer(session->loop, session_destroy, session);
}

static void session_end(struct smtp_session *session)
{
    smtp_session_set_state(session, SMTP_SESSION_GONE);
    log_debug("smtp.closed", "session=%s peer=%s client=%s", session->id, session->peer, session->client);
    smtp_limits_delay_ended(session);
    stream_free(&session->stream);
    timer_free(&session->timeout);
    strbuf_free(&session->out);
    session_reap(session);
    smtp_limits_account(session);
}

/* The last reply is composed: sees it out. */
static void session_close(struct smtp_session *session)
{
    smtp_session_flush(session);
    stream_close_after_output(&session->stream);
    session_end(session);
}

void smtp_session_orphan(struct smtp_session *session)
{
    smtp_limits_release(session);
    session->listener = NULL;
}

void smtp_session_cut(struct smtp_session *session)
{
    if (session->state != SMTP_SESSION_GONE)
        session_end(session);
}

/* --- steps --- */

enum step {
    STEP_DONE,  /* something was done; there may be more */
    STEP_WAIT,  /* nothing can be done before more input, an answer, room for output */
    STEP_CLOSE, /* the last reply is composed */
};

/* Back in step after a line that was too long to be one. */
static enum step skip_line(struct smtp_session *session)
{
    const uint8_t *data;
    size_t len;
    while ((len = stream_peek(session->stream, &data)) > 0) {
        const uint8_t *line_feed = memchr(data, '\n', len);
        stream_consume(session->stream, line_feed ? (size_t)(line_feed - data) + 1 : len);
        if (line_feed) {
            session->skips_line = false;
            return smtp_session_reply_bad(session, 500, "5.5.2", "Line too long") ? STEP_DONE : STEP_CLOSE;
        }
    }
    return STEP_WAIT;
}

static enum step step_command(struct smtp_session *session)
{
    const char *line;
    size_t len;
    bool had_crlf;
    struct smtp_command command;
    if (session->listener->state != SMTP_LISTENER_OPEN && !session->transaction) {
        smtp_session_reply(session, 421, "4.3.2", "Shutting down, try again later");
        return STEP_CLOSE;
    }
    if (session->facts.is_unwelcome && !session->transaction) {
        smtp_session_reply(session, 421, "4.7.0", "You may not come in any more");
        return STEP_CLOSE;
    }
    if (session->skips_line)
        return skip_line(session);
    int got = stream_read_line(session->stream, SMTP_LINE_MAX - 2, true, &line, &len, &had_crlf);
    if (got == 0)
        return STEP_WAIT;
    if (got < 0) {
        session->skips_line = true;
        return STEP_DONE;
    }
    bool goes_on;
    struct smtp_reply refusal = smtp_limits_on_command(session);
    if (refusal.code != 0) {
        smtp_session_answer(session, &refusal);
        return STEP_CLOSE;
    }
    if (!had_crlf)
        goes_on = smtp_session_reply_bad(session, 500, "5.5.2", "Lines must end with CR LF");
    else if (smtp_parse_command(line, len, &command) != 1)
        goes_on = smtp_session_reply_bad(session, 500, "5.5.2", "Not a command");
    else
        goes_on = smtp_cmd_run(session, &command);
    session->verb = NULL;
    return goes_on ? STEP_DONE : STEP_CLOSE;
}

static enum step step_data(struct smtp_session *session)
{
    struct smtp_transaction *transaction = session->transaction;
    const uint8_t *data;
    size_t len = stream_peek(session->stream, &data);
    if (len == 0)
        return STEP_WAIT;
    size_t left = len;
    const uint8_t *chunk;
    size_t chunk_len;
    enum smtp_data_event event;
    while ((event = smtp_data_feed(&transaction->decoder, &data, &left, &chunk, &chunk_len)) == SMTP_DATA_CHUNK)
        smtp_transaction_add_content(transaction, chunk, chunk_len);
    stream_consume(session->stream, len - left);
    session->use.content_octets += (int64_t)(len - left);
    if (event == SMTP_DATA_END)
        smtp_transaction_close_content(transaction);
    return STEP_DONE;
}

static enum step step_chunk(struct smtp_session *session)
{
    struct smtp_chunk *chunk = &session->chunk;
    if (chunk->left == 0)
        return smtp_cmd_finish_bdat(session) ? STEP_DONE : STEP_CLOSE;
    const uint8_t *data;
    size_t len = stream_peek(session->stream, &data);
    if (len == 0)
        return STEP_WAIT;
    if ((int64_t)len > chunk->left)
        len = (size_t)chunk->left;
    if (!chunk->refusal)
        smtp_transaction_add_content(session->transaction, data, len);
    stream_consume(session->stream, len);
    chunk->left -= (int64_t)len;
    session->use.content_octets += (int64_t)len;
    return STEP_DONE;
}

static enum step step_answer(struct smtp_session *session)
{
    if (smtp_transaction_is_asking(session->transaction) || session->transaction->late)
        return STEP_WAIT;
    return smtp_transaction_apply_answer(session->transaction) ? STEP_DONE : STEP_CLOSE;
}

static void greet(struct smtp_session *session)
{
    smtp_session_reply(session, 220, "", "%s %s Postern", session->listener->settings.hostname,
                       session->is_lmtp ? "LMTP" : "ESMTP");
    smtp_session_flush(session);
}

void smtp_session_restart(struct smtp_session *session)
{
    smtp_session_set_tls_peer(session, NULL); /* it was shown by whoever speaks for the client now */
    smtp_session_forget_origin(session);
    smtp_session_set_helo(session, NULL);
    smtp_session_set_state(session, SMTP_SESSION_START);
    greet(session);
}

/* With a delay the greeting waits, for whoever does not. */
static void begin_in_plain(struct smtp_session *session)
{
    bool waits = smtp_limits_greet_delay(session) > 0;
    smtp_session_set_state(session, waits ? SMTP_SESSION_WAITING : SMTP_SESSION_START);
    if (!waits)
        greet(session);
}

/* Only now the connection begins, as if the client had made it. */
static enum step step_proxy(struct smtp_session *session)
{
    int got = smtp_session_read_proxy(session);
    if (got <= 0)
        return got == 0 ? STEP_WAIT : STEP_CLOSE;
    if (session->needs_tls) {
        if (stream_start_tls_server(session->stream, session->listener->settings.tls) < 0)
            return STEP_CLOSE; /* the client has gone */
        smtp_session_set_state(session, SMTP_SESSION_HANDSHAKE);
    } else {
        begin_in_plain(session);
    }
    return STEP_DONE;
}

/* Nothing is expected from a client that waits for its greeting. */
static enum step step_waiting(struct smtp_session *session)
{
    if (session->listener->state != SMTP_LISTENER_OPEN) {
        smtp_session_reply(session, 421, "4.3.2", "Shutting down, try again later");
        return STEP_CLOSE;
    }
    if (stream_input_size(session->stream) == 0)
        return STEP_WAIT;
    log_info("smtp.early", "session=%s peer=%s client=%s", session->id, session->peer, session->client);
    smtp_session_reply(session, 554, "5.5.1", "You spoke before the greeting");
    return STEP_CLOSE;
}

static enum step step_none(struct smtp_session *session)
{
    (void)session;
    return STEP_WAIT;
}

static bool has_unread_replies(const struct smtp_session *session)
{
    return session->stream && stream_pending_output(session->stream) > UNREAD_REPLIES_MAX;
}

static enum step take_step(struct smtp_session *session)
{
    static enum step (*const steps[])(struct smtp_session * session) = {
        [SMTP_SESSION_PROXY] = step_proxy,     [SMTP_SESSION_HANDSHAKE] = step_none,
        [SMTP_SESSION_WAITING] = step_waiting, [SMTP_SESSION_START] = step_command,
        [SMTP_SESSION_READY] = step_command,   [SMTP_SESSION_ENVELOPE] = step_command,
        [SMTP_SESSION_ASKING] = step_answer,   [SMTP_SESSION_DATA] = step_data,
        [SMTP_SESSION_CHUNK] = step_chunk,     [SMTP_SESSION_CHUNKED] = step_command,
        [SMTP_SESSION_GONE] = step_none,
    };
    /* An answer that has come takes effect in any case: while it is awaited, there is no timeout. */
    if (session->state != SMTP_SESSION_ASKING && has_unread_replies(session))
        return STEP_WAIT;
    return steps[session->state](session);
}

/* A command or a block of content must come within its time, and the whole content within one that grows as it comes;
 * the owner may take as long as it likes. */
static void restart_timeout(struct smtp_session *session)
{
    const struct smtp_listener_settings *settings = &session->listener->settings;
    bool is_block = session->state == SMTP_SESSION_DATA || session->state == SMTP_SESSION_CHUNK;
    bool is_content = is_block || session->state == SMTP_SESSION_CHUNKED;
    int64_t ms = is_block ? settings->data_timeout_ms : settings->command_timeout_ms;
    bool is_late = session->state == SMTP_SESSION_ASKING && session->transaction->late; /* its timer runs */
    if (is_late)
        return;
    session->waits_since = clock_monotonic_ms(loop_clock(session->loop));
    if (session->state == SMTP_SESSION_ASKING)
        timer_stop(session->timeout);
    else if (session->state == SMTP_SESSION_PROXY)
        timer_start(session->timeout, settings->proxy_timeout_ms);
    else if (session->state == SMTP_SESSION_WAITING)
        timer_start(session->timeout, settings->greet_delay_ms);
    else
        timer_start(session->timeout, is_content ? smtp_limits_content_ms(session, ms) : ms);
}

static void session_run(struct smtp_session *session)
{
    if (session->is_running)
        return;
    session->is_running = true;
    bool has_moved = false;
    enum step step;
    while ((step = take_step(session)) == STEP_DONE)
        has_moved = true;
    session->is_running = false;

    if (session->state == SMTP_SESSION_GONE) {
        session_reap(session);
    } else if (step == STEP_CLOSE) {
        session_close(session);
    } else {
        smtp_session_flush(session);
        /* While paused, the end of the connection is not reported either: what was sent before it is still served. */
        stream_pause_input(session->stream, session->state == SMTP_SESSION_ASKING || has_unread_replies(session));
        if (has_moved)
            restart_timeout(session);
        smtp_limits_account(session);
    }
}

static void run_queued(void *arg)
{
    struct smtp_session *session = arg;
    session->run_queued = false;
    session_run(session);
}

void smtp_session_run_later(struct smtp_session *session)
{
    bool is_dying = session->state == SMTP_SESSION_GONE && !session->transaction;
    if (session->run_queued || is_dying)
        return;
    session->run_queued = true;
    loop_defer(session->loop, run_queued, session);
}

/* --- what starts a run --- */

static void on_timeout(void *arg)
{
    struct smtp_session *session = arg;
    if (session->state == SMTP_SESSION_ASKING) {
        smtp_limits_delay_ended(session);
        smtp_transaction_answer_late(session->transaction);
        return;
    }
    if (session->state == SMTP_SESSION_WAITING) {
        smtp_session_set_state(session, SMTP_SESSION_START);
        greet(session);
        restart_timeout(session);
        session_run(session);
        return;
    }
    log_info("smtp.timeout", "session=%s peer=%s client=%s state=%s", session->id, session->peer, session->client,
             states[session->state].name);
    if (session->state == SMTP_SESSION_HANDSHAKE || session->state == SMTP_SESSION_PROXY) {
        session_end(session);
        return;
    }
    smtp_session_reply(session, 421, "4.4.2", "Timeout, closing");
    session_close(session);
}

bool smtp_session_may_give_up(const struct smtp_session *session)
{
    /* In WAITING we keep the client from talking, not it us. */
    return !session->use.visit.is_exempt && !session->is_running && session->state != SMTP_SESSION_ASKING &&
           session->state != SMTP_SESSION_WAITING && session->state != SMTP_SESSION_GONE;
}

void smtp_session_give_up(struct smtp_session *session)
{
    log_info("smtp.given_up", "session=%s peer=%s client=%s state=%s", session->id, session->peer, session->client,
             states[session->state].name);
    smtp_admission_leave(session->listener->admission, &session->use.visit);
    if (session->state == SMTP_SESSION_HANDSHAKE || session->state == SMTP_SESSION_PROXY) {
        session_end(session);
        return;
    }
    smtp_session_reply(session, 421, "4.3.2", "Others are waiting, come again later");
    session_close(session);
}

/* Known or not, that is the one line about a certificate: with it an operator knows what to write into the configuration. */
static void learn_peer(struct smtp_session *session, const struct stream *stream)
{
    const char *pin = stream_peer_pin(stream);
    char subject[STREAM_SUBJECT_SIZE];
    smtp_session_set_tls_peer(session, stream_tls_peer(stream));
    if (!pin)
        return;
    stream_peer_subject(stream, subject);
    log_info("smtp.certificate", "session=%s peer=%s client=%s known_as=%s certificate=%s subject=%s", session->id,
             session->peer, session->client, session->tls_peer ? session->tls_peer : "-", pin, subject);
}

/* After STARTTLS all that was learned in plain is forgotten (RFC 3207 section 4.2), and there is no second greeting. */
static void on_tls(struct stream *stream, void *ctx)
{
    struct smtp_session *session = ctx;
    bool is_restart = session->helo != NULL;
    snprintf(session->tls_version, sizeof session->tls_version, "%s", stream_tls_version(stream));
    session->facts.tls_version = session->tls_version;
    session->listener->statistics.tls++;
    learn_peer(session, stream);
    smtp_session_forget_origin(session);
    smtp_session_set_helo(session, NULL);
    smtp_session_set_state(session, SMTP_SESSION_START);
    if (!is_restart && session->listener->state == SMTP_LISTENER_OPEN)
        greet(session);
    restart_timeout(session);
    session_run(session);
}

static void on_input(struct stream *stream, void *ctx)
{
    (void)stream;
    session_run(ctx);
}

static void on_drained(struct stream *stream, void *ctx)
{
    (void)stream;
    session_run(ctx);
}

static void on_end(struct stream *stream, enum stream_end why, const char *detail, void *ctx)
{
    (void)stream;
    struct smtp_session *session = ctx;
    bool is_lost = why != STREAM_END_EOF || session->state == SMTP_SESSION_DATA;
    log_event(is_lost ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, "smtp.lost",
              "session=%s peer=%s client=%s state=%s detail=%s", session->id, session->peer, session->client,
              states[session->state].name, detail);
    if (why == STREAM_END_EOF)
        session_close(session); /* a client that has closed one direction may still read our replies */
    else
        session_end(session);
}

const struct stream_callbacks *smtp_session_stream_callbacks(void)
{
    static const struct stream_callbacks callbacks = {
        .on_tls = on_tls,
        .on_input = on_input,
        .on_drained = on_drained,
        .on_end = on_end,
    };
    return &callbacks;
}

struct smtp_session *smtp_session_new(struct smtp_listener *listener, const char *peer, char *peer_address,
                                      const struct smtp_visit *visit)
{
    const struct smtp_listener_settings *settings = &listener->settings;
    struct smtp_session *session = xcalloc(1, sizeof *session);
    snprintf(session->id, sizeof session->id, "%s-%lu", listener->id_prefix, ++listener->session_number);
    session->listener = listener;
    session->loop = settings->loop;
    session->callbacks = settings->callbacks;
    session->ctx = settings->ctx;
    session->peer = xstrdup(peer);
    session->peer_address = peer_address;
    session->use.visit = *visit;
    smtp_limits_message_ended(session, true); /* its time begins */
    session->listener_name = xstrdup(settings->name);
    session->is_lmtp = settings->lmtp;
    session->facts = (struct smtp_session_facts){
        .listener = session->listener_name,
        .session_id = session->id,
        .peer = session->peer,
        .peer_address = session->peer_address,
        .protocol = settings->lmtp ? "LMTP" : "SMTP",
    };
    smtp_session_set_client(session, peer);
    strbuf_init(&session->out, OUT_MAX);
    return session;
}

void smtp_session_begin(struct smtp_session *session, struct stream *stream, bool is_tls)
{
    session->stream = stream;
    session->timeout = timer_new(session->loop, on_timeout, session);
    session->state = is_tls                                 ? SMTP_SESSION_HANDSHAKE
                     : smtp_limits_greet_delay(session) > 0 ? SMTP_SESSION_WAITING
                                                            : SMTP_SESSION_START;
    smtp_listener_add(session->listener, session);
    log_debug("smtp.connect", "session=%s listener=%s peer=%s", session->id, session->listener_name, session->peer);
    if (session->state == SMTP_SESSION_START)
        greet(session);
    restart_timeout(session);
    smtp_limits_account(session);
}

void smtp_session_begin_proxied(struct smtp_session *session, struct stream *stream)
{
    session->stream = stream;
    session->timeout = timer_new(session->loop, on_timeout, session);
    session->state = SMTP_SESSION_PROXY;
    smtp_session_prepare_proxy(session);
    smtp_listener_add(session->listener, session);
    log_debug("smtp.connect", "session=%s listener=%s peer=%s", session->id, session->listener_name, session->peer);
    restart_timeout(session);
    smtp_limits_account(session);
}
