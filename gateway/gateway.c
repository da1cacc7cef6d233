/* gateway.c - see gateway.h */
#include "gateway/gateway_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/background.h"
#include "base/clock.h"
#include "base/fair_turns.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/systemd.h"
#include "base/xmalloc.h"
#include "gateway/acts.h"
#include "gateway/admin_socket.h"
#include "gateway/config.h"
#include "gateway/history.h"
#include "gateway/hold.h"
#include "gateway/limits.h"
#include "gateway/mapping_expiry.h"
#include "gateway/metrics.h"
#include "gateway/passwords.h"
#include "gateway/poster.h"
#include "gateway/postfix.h"
#include "gateway/refusals.h"
#include "gateway/relay.h"
#include "gateway/report.h"
#include "gateway/returns.h"
#include "gateway/signed_id.h"
#include "gateway/signer.h"
#include "gateway/silo_link.h"
#include "gateway/tidy.h"
#include "gateway/verify.h"
#include "gateway/watchdog.h"
#include "gateway/web.h"
#include "mapping/convert.h"
#include "mapping/store_mapping.h"
#include "mapping/store_secret.h"
#include "smtp/smtp_budget.h"
#include "smtp/smtp_guessing.h"

enum {
    DRAIN_MS = 10 * 1000,
    STOP_LOOK_MS = 20,
    RELAY_PATIENCE_MS = 60 * 1000, /* for a relay that thinks after the final dot; below a service manager's patience */
    HOUSEKEEPING_MS = 10 * 1000,
    LOG_AGAIN_MS = 20,
    HEAD_MS = 24 * 3600 * 1000,
};

/* Upward calls of the parts. */

static void inbound_accepted(void *ctx)
{
    struct gateway *gateway = ctx;
    poster_poke(gateway->poster);
    hold_poke(gateway->parts.hold); /* a notice may answer a decision */
}

static void mail_accepted(void *ctx)
{
    struct gateway *gateway = ctx;
    poster_poke(gateway->poster);
    returns_poke(gateway->returns);
    hold_poke(gateway->parts.hold);
}

static void correspondent_met(void *ctx)
{
    struct gateway *gateway = ctx;
    if (gateway->link)
        silo_link_poke(gateway->link);
}

static const struct hold_callbacks hold_callbacks = { .on_opened = inbound_accepted, .on_chores = correspondent_met };

static void outbound_accepted(void *ctx)
{
    struct gateway *gateway = ctx;
    relay_poke(gateway->relay);
}

static void unknown_member_wrote(const char *alias, void *ctx)
{
    struct gateway *gateway = ctx;
    silo_link_ask_again(gateway->link, alias);
}

static void mappings_changed(void *ctx)
{
    struct gateway *gateway = ctx;
    gateway_poke_silo(gateway);
    gateway_poke_queues(gateway);
}

static const struct outbound_callbacks outbound_callbacks = { .on_accepted = outbound_accepted,
                                                              .on_notice = inbound_accepted,
                                                              .on_mappings_changed = mappings_changed,
                                                              .on_unknown_member = unknown_member_wrote };

static void link_client(struct tmtp_client *client, void *ctx)
{
    struct gateway *gateway = ctx;
    poster_set_client(gateway->poster, client);
    outbound_set_client(gateway->outbound, client);
}

static void link_online(bool online, void *ctx)
{
    struct gateway *gateway = ctx;
    poster_set_online(gateway->poster, online && !gateway->stopping);
    hold_set_online(gateway->parts.hold, online && !gateway->stopping);
}

static void link_result(const struct tmtp_client_result *result, void *ctx)
{
    struct gateway *gateway = ctx;
    poster_on_result(gateway->poster, result);
}

static void link_echo(const char *queue_key, const char *msgid, const char *posted, const char *threadid, void *ctx)
{
    struct gateway *gateway = ctx;
    poster_on_echo(gateway->poster, queue_key, msgid, posted, threadid);
}

static void link_message(struct tmtp_client_delivery *delivery, void *ctx)
{
    struct gateway *gateway = ctx;
    outbound_on_message(gateway->outbound, delivery);
}

static void link_notify(const struct tmtp_push *push, const char *data, size_t len, void *ctx)
{
    struct gateway *gateway = ctx;
    outbound_on_notify(gateway->outbound, push, data, len);
}

static const struct silo_link_callbacks link_callbacks = {
    .on_client = link_client,
    .on_online = link_online,
    .on_post_result = link_result,
    .on_echo = link_echo,
    .on_message = link_message,
    .on_notify = link_notify,
    .on_notice = inbound_accepted,
    .on_mappings_changed = mappings_changed,
};

char *gateway_state_file(const struct config *config, const char *name)
{
    struct strbuf path;
    strbuf_init(&path, 4000);
    strbuf_add_fmt(&path, "%s/%s", config->state_dir, name);
    return strbuf_detach(&path);
}

/* The setting was another one when these were made. */
static void warn_of_case(const struct gateway *gateway)
{
    if (gateway->parts.config->policy.local_parts == SMTP_CASE_FOLDED &&
        store_mapping_any_in_capitals(store_reader(gateway->parts.store)) == 1)
        log_warning("policy.case", "hint=%s",
                    "some mappings are of addresses with capital letters, from when policy.local_parts was sensitive; "
                    "they are about the address in any case now, and where two differ the one that refuses counts");
}

static const struct store_actor by_signal = { .channel = "gateway", .name = "a signal" };

static void on_hup(int signo, void *arg)
{
    struct strbuf message;
    (void)signo;
    strbuf_init(&message, 64 * 1024);
    if (gateway_reload(arg, &by_signal, &message) == 1)
        log_info("config.reloaded", "result=%s", message.data);
    else
        log_error("config.refused", "error=%s", message.data);
    strbuf_free(&message);
}

static void on_stop_signal(int signo, void *arg)
{
    log_info("daemon.signal", "signal=%d", signo);
    gateway_stop(arg, &by_signal);
}

struct gateway *gateway_new(struct config *config, bool debug, char **error_out)
{
    struct gateway *gateway = xcalloc(1, sizeof *gateway);
    *error_out = NULL;
    gateway->parts.config = config;
    gateway->debug = debug;
    gateway_use_log_level(gateway);
    gateway->parts.clock = clock_new_system();
    measures_init(&gateway->measures);
    gateway->parts.measures = &gateway->measures;
    gateway->parts.loop = loop_new(gateway->parts.clock);
    /* From here on a signal waits for the loop: nobody who was greeted by a listener is cut off by a stop. */
    gateway->on_hup = loop_signal_new(gateway->parts.loop, SIGHUP, on_hup, gateway);
    gateway->on_term = loop_signal_new(gateway->parts.loop, SIGTERM, on_stop_signal, gateway);
    gateway->on_int = loop_signal_new(gateway->parts.loop, SIGINT, on_stop_signal, gateway);
    gateway->started_at = clock_monotonic_ms(gateway->parts.clock);
    gateway->started_wall = clock_wall_ms(gateway->parts.clock);
    gateway->open_files = limits_raise_open_files();
    limits_warn(config, gateway->open_files);
    gateway->parts.signer = signer_new(config, error_out);
    if (!gateway->parts.signer) {
        gateway_free(&gateway);
        return NULL;
    }
    gateway->parts.hold = hold_new(&gateway->parts, &hold_callbacks, gateway);
    gateway->parts.refusals = refusals_new(&gateway->parts);
    gateway->inbound = inbound_new(&gateway->parts, mail_accepted, correspondent_met, gateway);
    gateway->budget = smtp_budget_new(config->session_memory);
    gateway->guessing = smtp_guessing_new(gateway->parts.loop, config->limits.guesses);
    if (gateway_open_listeners(gateway, error_out) < 0) {
        gateway_free(&gateway);
        return NULL;
    }
    gateway->postfix = postfix_new(&gateway->parts, error_out);
    gateway->metrics = gateway->postfix ? metrics_new(gateway, config, error_out) : NULL;
    if (!gateway->metrics)
        gateway_free(&gateway);
    return gateway;
}

/* Starting and stopping. */

/* What its reader did not take. A socket takes few lines at a time, so once it takes some there is more to come soon. */
static void flush_log(void *arg)
{
    struct gateway *gateway = arg;
    if (!log_flush())
        timer_start(gateway->log_timer, LOG_AGAIN_MS);
}

static void housekeeping(void *arg)
{
    struct gateway *gateway = arg;
    if (!timer_is_running(gateway->log_timer))
        flush_log(gateway);
    gateway_check_room(gateway);
    history_look(gateway->history);
    tidy_begin(&gateway->parts);
    if (clock_monotonic_ms(gateway->parts.clock) >= gateway->head_due) {
        acts_log_head(&gateway->parts);
        gateway->head_due = clock_monotonic_ms(gateway->parts.clock) + HEAD_MS;
    }
    gateway_poke_queues(gateway);
    xmalloc_give_back(&gateway->memory_floor);
    timer_start(gateway->housekeeping, HOUSEKEEPING_MS);
}

/* Mail that a relay has half taken is finished: cut there, it would be sent twice. */
static void look_whether_done(void *arg)
{
    struct gateway *gateway = arg;
    bool done = gateway->draining == 0 && relay_under_way(gateway->relay) == 0 && !web_is_busy(gateway->web);
    if (done || clock_monotonic_ms(gateway->parts.clock) >= gateway->stop_deadline)
        loop_stop(gateway->parts.loop);
    else
        timer_start(gateway->stop_timer, STOP_LOOK_MS);
}

char *gateway_errno_text(const char *what, const char *path)
{
    struct strbuf text;
    strbuf_init(&text, 4000);
    strbuf_add_fmt(&text, "%s %s: %s", what, path, strerror(errno));
    return strbuf_detach(&text);
}

static int make_ids(struct gateway *gateway, char **error_out)
{
    const struct config *config = gateway->parts.config;
    uint8_t secret[STORE_SECRET_SIZE];
    if (store_secret_get(store_reader(gateway->parts.store), secret) != 1) {
        *error_out = xstrdup("the secret can't be read from the database");
        return -1;
    }
    gateway->parts.ids = signed_id_new(secret, config->domain, config->hostname);
    explicit_bzero(secret, sizeof secret);
    return 1;
}

/* As gateway_start(). */
static int open_state(struct gateway *gateway, char **error_out)
{
    const struct config *config = gateway->parts.config;
    if (mkdir(config->state_dir, 0700) < 0 && errno != EEXIST) {
        *error_out = gateway_errno_text("can't create state_dir", config->state_dir);
        return -1;
    }
    char *content = gateway_state_file(config, "content"); /* the store's, which makes it */
    struct convert_settings convert = { .loop = gateway->parts.loop,
                                        .directory = content,
                                        .program = "/proc/self/exe" };
    gateway->parts.convert = convert_new(&convert); /* forks: before any thread */
    free(content);
    if (!gateway->parts.convert) {
        *error_out = gateway_errno_text("can't start", "the convert workers");
        return -1;
    }
    struct resolver_settings resolver = gateway_resolver_settings(config);
    gateway->parts.resolver = resolver_new(gateway->parts.loop, &resolver);
    if (gateway_start_verify(gateway, error_out) < 0) /* likewise */
        return -1;
    char *path = gateway_state_file(config, "postern.db");
    int judged = store_judge(path, error_out);
    if (judged == 1)
        gateway->parts.store = store_open(gateway->parts.loop, path, error_out);
    free(path);
    if (judged == 0)
        return 0;
    if (!gateway->parts.store || make_ids(gateway, error_out) < 0)
        return -1;
    gateway->parts.background = background_new(gateway->parts.loop);
    gateway->parts.digester = background_new(gateway->parts.loop);
    gateway->parts.passwords = passwords_new(gateway->parts.loop);
    return 1;
}

int gateway_start(struct gateway *gateway, char **error_out)
{
    const struct parts *parts = &gateway->parts;
    int opened = open_state(gateway, error_out);
    if (opened != 1)
        return opened;
    gateway->parts.reporter = reporter_new(parts->config, parts->ids, outbound_accepted, gateway);
    reporter_sign_with(gateway->parts.reporter, parts->signer);
    gateway->outbound = outbound_new(parts, &outbound_callbacks, gateway);
    gateway->poster = poster_new(parts);
    gateway->returns = returns_new(parts, inbound_accepted, gateway);
    gateway->relay = relay_new(parts, inbound_accepted, gateway, error_out);
    if (!gateway->relay)
        return -1;
    gateway->parts.turns = fair_turns_new(parts->loop);
    gateway->admin = admin_socket_new(gateway, parts->config->admin.socket, error_out);
    if (!gateway->admin)
        return -1;
    *error_out = NULL;
    gateway->web = web_new(gateway, error_out);
    if (!gateway->web && *error_out)
        return -1;
    gateway->link = silo_link_new(parts, &link_callbacks, gateway);
    gateway->expiry = mapping_expiry_new(parts, mappings_changed, gateway);
    silo_link_start(gateway->link);
    postfix_start(gateway->postfix);
    hold_start(gateway->parts.hold);
    relay_open(gateway->relay, true);
    returns_open(gateway->returns, true);

    gateway->history = history_new(parts, gateway_read_history, gateway);
    gateway->stop_timer = timer_new(parts->loop, look_whether_done, gateway);
    gateway->log_timer = timer_new(parts->loop, flush_log, gateway);
    gateway->housekeeping = timer_new(parts->loop, housekeeping, gateway);
    timer_start(gateway->housekeeping, 0);
    gateway_warn_of_trust(parts->config);
    warn_of_case(gateway);
    acts_add_start(&gateway->parts);
    signer_warn(parts->signer);
    return 1;
}

void gateway_run(struct gateway *gateway)
{
    log_info("daemon.ready", "version=%s domain=%s state_dir=%s", POSTERN_VERSION, gateway->parts.config->domain,
             gateway->parts.config->state_dir);
    systemd_notify("READY=1");
    gateway->watchdog = watchdog_new(&gateway->parts);
    loop_run(gateway->parts.loop);
    log_info("daemon.stopped", "uptime_ms=%" PRId64, clock_monotonic_ms(gateway->parts.clock) - gateway->started_at);
}

static void listener_drained(void *arg)
{
    struct gateway *gateway = arg;
    gateway->draining--;
    timer_start(gateway->stop_timer, 0);
}

void gateway_stop(struct gateway *gateway, const struct store_actor *by)
{
    if (gateway->stopping)
        return;
    gateway->stopping = true;
    systemd_notify("STOPPING=1");
    acts_add(&gateway->parts, by, "gateway.stop", "gateway", "running", "stopping");
    poster_set_online(gateway->poster, false);
    hold_set_online(gateway->parts.hold, false);
    relay_open(gateway->relay, false);
    returns_open(gateway->returns, false);
    gateway->stop_deadline = clock_monotonic_ms(gateway->parts.clock) + RELAY_PATIENCE_MS;
    gateway->draining = gateway->listener_count;
    for (unsigned i = 0; i < gateway->listener_count; i++)
        smtp_listener_drain(gateway->listeners[i], DRAIN_MS, listener_drained, gateway);
    web_drain(gateway->web);
    timer_start(gateway->stop_timer, STOP_LOOK_MS);
}

/* What was submitted to the store is finished while everybody that it calls back is still there; then the parts go, the
 * ones that call first. */
void gateway_free(struct gateway **gateway_in)
{
    struct gateway *gateway = *gateway_in;
    if (!gateway)
        return;
    for (unsigned i = 0; i < gateway->listener_count; i++)
        smtp_listener_free(&gateway->listeners[i]);
    free(gateway->listeners);
    smtp_budget_free(&gateway->budget);
    smtp_guessing_free(&gateway->guessing);
    admin_socket_free(&gateway->admin);
    web_free(&gateway->web);
    struct fair_turns *turns = gateway->parts.turns;
    gateway->parts.turns = NULL;
    fair_turns_free(&turns); /* what was to be changed is still begun */
    passwords_free(&gateway->parts.passwords);
    metrics_free(&gateway->metrics);
    postfix_free(&gateway->postfix);
    if (gateway->link)
        silo_link_quit(gateway->link);
    refusals_flush(gateway->parts.refusals);
    if (gateway->parts.store) {
        acts_log_head(&gateway->parts);
        history_flush(gateway->history);
        store_close(&gateway->parts.store);
    }
    convert_free(&gateway->parts.convert);
    verify_free(&gateway->parts.verify);
    resolver_free(&gateway->parts.resolver);
    background_free(&gateway->parts.background);
    background_free(&gateway->parts.digester);
    silo_link_free(&gateway->link);
    poster_free(&gateway->poster);
    relay_free(&gateway->relay);
    returns_free(&gateway->returns);
    mapping_expiry_free(&gateway->expiry);
    outbound_free(&gateway->outbound);
    inbound_free(&gateway->inbound);
    hold_free(&gateway->parts.hold);
    reporter_free(&gateway->parts.reporter);
    refusals_free(&gateway->parts.refusals);
    signed_id_free(&gateway->parts.ids);
    signer_free(&gateway->parts.signer);
    history_free(&gateway->history);
    watchdog_free(&gateway->watchdog);
    loop_signal_free(&gateway->on_hup);
    loop_signal_free(&gateway->on_term);
    loop_signal_free(&gateway->on_int);
    timer_free(&gateway->log_timer);
    timer_free(&gateway->housekeeping);
    timer_free(&gateway->stop_timer);
    loop_free(&gateway->parts.loop);
    clock_free(&gateway->parts.clock);
    config_free(&gateway->parts.config);
    free(gateway->busy_reason);
    free(gateway);
    *gateway_in = NULL;
}
