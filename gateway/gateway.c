/* gateway.c - see gateway.h */
#include "gateway/gateway.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/background.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/resolver.h"
#include "base/strbuf.h"
#include "base/tls.h"
#include "base/xmalloc.h"
#include "gateway/acts.h"
#include "gateway/admin_socket.h"
#include "gateway/config.h"
#include "gateway/config_changes.h"
#include "gateway/hold.h"
#include "gateway/limits.h"
#include "gateway/mapping_expiry.h"
#include "gateway/parts.h"
#include "gateway/peers.h"
#include "gateway/poster.h"
#include "gateway/postfix.h"
#include "gateway/refusals.h"
#include "gateway/relay.h"
#include "gateway/report.h"
#include "gateway/returns.h"
#include "gateway/service.h"
#include "gateway/signed_id.h"
#include "gateway/signer.h"
#include "gateway/silo_link.h"
#include "gateway/tidy.h"
#include "gateway/verify.h"
#include "mapping/convert.h"
#include "mapping/store_mapping.h"
#include "mapping/store_queue.h"
#include "mapping/store_secret.h"
#include "smtp/smtp_budget.h"
#include "smtp/smtp_guessing.h"

enum {
    DRAIN_MS = 10 * 1000,
    STOP_LOOK_MS = 20,
    RELAY_PATIENCE_MS = 60 * 1000, /* for a relay that thinks after the final dot; below a service manager's patience */
    HOUSEKEEPING_MS = 10 * 1000,
    HEAD_MS = 24 * 3600 * 1000,
    QUEUE_LIMIT = 100000, /* entries waiting in either queue before new mail gets 452 */
};
static const int64_t disk_reserve = INT64_C(256) << 20; /* free bytes below which new mail gets 452 */

struct gateway {
    struct parts parts;
    struct inbound *inbound;
    struct outbound *outbound;
    struct silo_link *link;
    struct poster *poster;
    struct relay *relay;
    struct returns *returns;
    struct mapping_expiry *expiry;
    struct admin_socket *admin;
    struct postfix *postfix;
    struct smtp_listener **listeners; /* one per listen section, in its order */
    struct smtp_budget *budget;       /* the memory of their sessions */
    struct smtp_guessing *guessing;   /* likewise of all */
    unsigned listener_count, draining;
    struct loop_signal *on_hup, *on_term, *on_int;
    struct timer *housekeeping;
    int64_t head_due; /* monotonic: the head of the audit log goes into the log again */
    int64_t started_at;
    int64_t open_files; /* how many descriptors we may have */
    bool debug, stopping;
    struct timer *stop_timer;
    int64_t stop_deadline; /* monotonic */
    char *busy_reason;     /* NULL: not busy */
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

static char *state_file(const struct config *config, const char *name)
{
    struct strbuf path;
    strbuf_init(&path, 4000);
    strbuf_add_fmt(&path, "%s/%s", config->state_dir, name);
    return strbuf_detach(&path);
}

/* Listeners. */

/* All but its place in the world: tls and spool_dir. */
static struct smtp_listener_settings listener_settings(const struct gateway *gateway, const struct config *config,
                                                       const struct config_listener *listener)
{
    return (struct smtp_listener_settings){
        .loop = gateway->parts.loop,
        .name = listener->name,
        .address = listener->address,
        .lmtp = listener->lmtp,
        .hostname = config->hostname,
        .tls_policy = listener->tls,
        .clients = (const char *const *)listener->clients,
        .exempt = (const char *const *)listener->exempt,
        .proxies = (const char *const *)listener->proxy_protocol,
        .xclients = (const char *const *)listener->xclient,
        .xforwards = (const char *const *)listener->xforward,
        .max_sessions = limits_fit_sessions(config, listener->max_sessions, gateway->open_files),
        .max_sessions_per_client = listener->max_sessions_per_client,
        .connections_per_minute = listener->connections_per_minute,
        .messages_per_minute = listener->messages_per_minute,
        .recipients_per_minute = listener->recipients_per_minute,
        .messages_max = listener->max_messages,
        .junk_commands_max = listener->max_junk_commands,
        .recipients_max = listener->max_recipients,
        .errors_max = listener->max_errors,
        .command_timeout_ms = listener->command_timeout_ms,
        .data_timeout_ms = listener->data_timeout_ms,
        .greet_delay_ms = listener->greet_delay_ms,
        .message_max = config->policy.max_message,
        .spool_max = limits_spool_max(config),
        .budget = gateway->budget,
        .guessing = gateway->guessing,
        .is_upstream = listener->lmtp || listener->trust_authserv_id || listener->assume_authenticated,
        .callbacks = &inbound_callbacks,
        .ctx = gateway->inbound,
    };
}

static struct smtp_listener *new_listener(struct gateway *gateway, const struct config_listener *listener,
                                          char **error_out)
{
    const struct config *config = gateway->parts.config;
    struct tls_context *tls = NULL;
    if (listener->tls != SMTP_TLS_NONE && !(tls = peers_tls_context(listener, error_out)))
        return NULL;
    char *spool_dir = state_file(config, "content"); /* the store's, which is opened later */
    struct smtp_listener_settings settings = listener_settings(gateway, config, listener);
    settings.tls = tls;
    settings.spool_dir = spool_dir;
    struct smtp_listener *made = smtp_listener_new(&settings, error_out);
    tls_context_free(&tls);
    free(spool_dir);
    if (made)
        log_info("listener.open", "name=%s address=%s protocol=%s", listener->name, smtp_listener_address(made),
                 listener->lmtp ? "lmtp" : "smtp");
    return made;
}

static void use_log_level(const struct gateway *gateway)
{
    log_set_level(gateway->debug ? LOG_LEVEL_DEBUG : gateway->parts.config->log.level);
}

/* What an operator should hear about at every start and reload. */
static void warn_of_trust(const struct config *config)
{
    for (size_t i = 0; i < config->listener_count; i++)
        if (config->listeners[i].assume_authenticated)
            log_warning("listener.trusting", "name=%s hint=%s", config->listeners[i].name,
                        "assume_authenticated: whoever can connect here may claim to be any sender");
    if (config->policy.proof == CONFIG_PROOF_NONE)
        log_warning("policy.trusting", "hint=%s", "policy.proof = none: senders are believed without proof");
    if (config->postfix.recipients_db && config->policy.unknown_senders == CONFIG_UNKNOWN_HOLD)
        log_warning(
            "postfix.lacks", "hint=%s",
            "postfix.recipients_db has only those to whom a mapping is open: Postfix refuses mail to others, which "
            "policy.unknown_senders = hold would keep; postfix.socketmap knows them");
    if (config->policy.local_parts == SMTP_CASE_KEPT)
        log_info("policy.case", "hint=%s",
                 "policy.local_parts = sensitive: mappings let in only who writes their address with the same letters, "
                 "capital or small; what keeps somebody out does so in any case");
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
        log_info("config.reloaded", "message=%s", message.data);
    else
        log_error("config.refused", "message=%s", message.data);
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
    use_log_level(gateway);
    gateway->parts.clock = clock_new_system();
    gateway->parts.loop = loop_new(gateway->parts.clock);
    /* From here on a signal waits for the loop: nobody who was greeted by a listener is cut off by a stop. */
    gateway->on_hup = loop_signal_new(gateway->parts.loop, SIGHUP, on_hup, gateway);
    gateway->on_term = loop_signal_new(gateway->parts.loop, SIGTERM, on_stop_signal, gateway);
    gateway->on_int = loop_signal_new(gateway->parts.loop, SIGINT, on_stop_signal, gateway);
    gateway->started_at = clock_monotonic_ms(gateway->parts.clock);
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
    gateway->listeners = xcalloc(config->listener_count, sizeof(struct smtp_listener *));
    while (gateway->listener_count < config->listener_count) {
        struct smtp_listener *made = new_listener(gateway, &config->listeners[gateway->listener_count], error_out);
        if (!made) {
            gateway_free(&gateway);
            return NULL;
        }
        gateway->listeners[gateway->listener_count++] = made;
    }
    gateway->postfix = postfix_new(&gateway->parts, error_out);
    if (!gateway->postfix)
        gateway_free(&gateway);
    return gateway;
}

/* Starting and stopping. */

static void set_busy(struct gateway *gateway, const char *reason)
{
    if (!reason && !gateway->busy_reason)
        return;
    if (reason && !gateway->busy_reason)
        log_error("mail.paused", "reason=%s", reason);
    else if (!reason)
        log_info("mail.resumed", "was=%s", gateway->busy_reason);
    free(gateway->busy_reason);
    gateway->busy_reason = reason ? xstrdup(reason) : NULL;
    for (unsigned i = 0; i < gateway->listener_count; i++)
        smtp_listener_set_busy(gateway->listeners[i], reason != NULL);
    outbound_set_busy(gateway->outbound, reason != NULL);
}

/* How much waits in a queue; -1: the database can't be read. */
static int64_t count_waiting(const struct gateway *gateway, enum store_queue queue)
{
    static const enum store_queue_state states[] = { STORE_QUEUE_WAITING, STORE_QUEUE_ROUTED, STORE_QUEUE_HELD };
    int64_t sum = 0, count;
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        if (store_queue_count(store_reader(gateway->parts.store), queue, states[i], &count) < 0)
            return -1;
        sum += count;
    }
    return sum;
}

/* Room for what may come: disk and queues. */
static void check_room(struct gateway *gateway)
{
    struct statvfs disk;
    int64_t in = count_waiting(gateway, STORE_QUEUE_IN), out = count_waiting(gateway, STORE_QUEUE_OUT);
    if (statvfs(gateway->parts.config->state_dir, &disk) < 0)
        set_busy(gateway, "the state directory can't be read");
    else if ((int64_t)disk.f_bavail * (int64_t)disk.f_frsize < disk_reserve)
        set_busy(gateway, "less than 256 MiB are free in the state directory");
    else if (in < 0 || out < 0)
        set_busy(gateway, "the database can't be read");
    else if (in >= QUEUE_LIMIT || out >= QUEUE_LIMIT)
        set_busy(gateway, "100,000 messages are waiting");
    else
        set_busy(gateway, NULL);
}

static void housekeeping(void *arg)
{
    struct gateway *gateway = arg;
    check_room(gateway);
    tidy_begin(&gateway->parts);
    if (clock_monotonic_ms(gateway->parts.clock) >= gateway->head_due) {
        acts_log_head(&gateway->parts);
        gateway->head_due = clock_monotonic_ms(gateway->parts.clock) + HEAD_MS;
    }
    gateway_poke_queues(gateway);
    timer_start(gateway->housekeeping, HOUSEKEEPING_MS);
}

/* Mail that a relay has half taken is finished: cut there, it would be sent twice. */
static void look_whether_done(void *arg)
{
    struct gateway *gateway = arg;
    bool done = gateway->draining == 0 && relay_under_way(gateway->relay) == 0;
    if (done || clock_monotonic_ms(gateway->parts.clock) >= gateway->stop_deadline)
        loop_stop(gateway->parts.loop);
    else
        timer_start(gateway->stop_timer, STOP_LOOK_MS);
}

static char *errno_text(const char *what, const char *path)
{
    struct strbuf text;
    strbuf_init(&text, 4000);
    strbuf_add_fmt(&text, "%s %s: %s", what, path, strerror(errno));
    return strbuf_detach(&text);
}

/* Once they are there they stay, whatever a reload brings. */
static int start_verify(struct gateway *gateway, char **error_out)
{
    const struct config *config = gateway->parts.config;
    if (gateway->parts.verify || !verify_is_needed(config))
        return 1;
    gateway->parts.verify = verify_new(gateway->parts.loop, gateway->parts.resolver, "/proc/self/exe");
    if (gateway->parts.verify)
        return 1;
    *error_out = errno_text("can't start", "the verify workers");
    return -1;
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

static struct resolver_settings resolver_settings(const struct config *config)
{
    return (struct resolver_settings){ .program = "/proc/self/exe",
                                       .servers = (const char *const *)config->verify.servers,
                                       .trust_anchor = config->verify.trust_anchor,
                                       .timeout_ms = config->verify.dns_timeout_ms };
}

static int open_state(struct gateway *gateway, char **error_out)
{
    const struct config *config = gateway->parts.config;
    if (mkdir(config->state_dir, 0700) < 0 && errno != EEXIST) {
        *error_out = errno_text("can't create state_dir", config->state_dir);
        return -1;
    }
    char *content = state_file(config, "content"); /* the store's, which makes it */
    struct convert_settings convert = { .loop = gateway->parts.loop,
                                        .directory = content,
                                        .program = "/proc/self/exe" };
    gateway->parts.convert = convert_new(&convert); /* forks: before any thread */
    free(content);
    if (!gateway->parts.convert) {
        *error_out = errno_text("can't start", "the convert workers");
        return -1;
    }
    struct resolver_settings resolver = resolver_settings(config);
    gateway->parts.resolver = resolver_new(gateway->parts.loop, &resolver);
    if (start_verify(gateway, error_out) < 0) /* likewise */
        return -1;
    char *path = state_file(config, "postern.db");
    gateway->parts.store = store_open(gateway->parts.loop, path, error_out);
    free(path);
    if (!gateway->parts.store || make_ids(gateway, error_out) < 0)
        return -1;
    gateway->parts.background = background_new(gateway->parts.loop);
    gateway->parts.digester = background_new(gateway->parts.loop);
    return 1;
}

int gateway_start(struct gateway *gateway, char **error_out)
{
    const struct parts *parts = &gateway->parts;
    if (open_state(gateway, error_out) < 0)
        return -1;
    gateway->parts.reporter = reporter_new(parts->config, parts->ids, outbound_accepted, gateway);
    reporter_sign_with(gateway->parts.reporter, parts->signer);
    gateway->outbound = outbound_new(parts, &outbound_callbacks, gateway);
    gateway->poster = poster_new(parts);
    gateway->returns = returns_new(parts, inbound_accepted, gateway);
    gateway->relay = relay_new(parts, inbound_accepted, gateway, error_out);
    if (!gateway->relay)
        return -1;
    gateway->admin = admin_socket_new(gateway, parts->config->admin.socket, error_out);
    if (!gateway->admin)
        return -1;
    gateway->link = silo_link_new(parts, &link_callbacks, gateway);
    gateway->expiry = mapping_expiry_new(parts, mappings_changed, gateway);
    silo_link_start(gateway->link);
    postfix_start(gateway->postfix);
    hold_start(gateway->parts.hold);
    relay_open(gateway->relay, true);
    returns_open(gateway->returns, true);

    gateway->stop_timer = timer_new(parts->loop, look_whether_done, gateway);
    gateway->housekeeping = timer_new(parts->loop, housekeeping, gateway);
    timer_start(gateway->housekeeping, 0);
    warn_of_trust(parts->config);
    warn_of_case(gateway);
    acts_add_start(&gateway->parts);
    signer_warn(parts->signer);
    return 1;
}

void gateway_run(struct gateway *gateway)
{
    log_info("daemon.ready", "version=%s domain=%s state_dir=%s", POSTERN_VERSION, gateway->parts.config->domain,
             gateway->parts.config->state_dir);
    service_notify("READY=1");
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
    service_notify("STOPPING=1");
    acts_add(&gateway->parts, by, "gateway.stop", "gateway", "running", "stopping");
    poster_set_online(gateway->poster, false);
    hold_set_online(gateway->parts.hold, false);
    relay_open(gateway->relay, false);
    returns_open(gateway->returns, false);
    gateway->stop_deadline = clock_monotonic_ms(gateway->parts.clock) + RELAY_PATIENCE_MS;
    gateway->draining = gateway->listener_count;
    for (unsigned i = 0; i < gateway->listener_count; i++)
        smtp_listener_drain(gateway->listeners[i], DRAIN_MS, listener_drained, gateway);
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
    postfix_free(&gateway->postfix);
    if (gateway->link)
        silo_link_quit(gateway->link);
    refusals_flush(gateway->parts.refusals);
    if (gateway->parts.store) {
        acts_log_head(&gateway->parts);
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
    loop_signal_free(&gateway->on_hup);
    loop_signal_free(&gateway->on_term);
    loop_signal_free(&gateway->on_int);
    timer_free(&gateway->housekeeping);
    timer_free(&gateway->stop_timer);
    loop_free(&gateway->parts.loop);
    clock_free(&gateway->parts.clock);
    config_free(&gateway->parts.config);
    free(gateway->busy_reason);
    free(gateway);
    *gateway_in = NULL;
}

/* Reloading. */

static int reconfigure_listener(struct gateway *gateway, const struct config *config, unsigned index,
                                struct tls_context *tls, struct strbuf *message)
{
    char *error = NULL;
    struct smtp_listener_settings settings = listener_settings(gateway, config, &config->listeners[index]);
    settings.tls = tls;
    int result = smtp_listener_reconfigure(gateway->listeners[index], &settings, &error);
    if (result < 0)
        strbuf_add_str(message, error);
    free(error);
    return result;
}

/* All certificates are loaded before the first one is used; what else could be wrong was found when the file was read. */
static int reconfigure_listeners(struct gateway *gateway, const struct config *config, struct strbuf *message)
{
    struct tls_context **contexts = xcalloc(gateway->listener_count, sizeof(struct tls_context *));
    int result = 1;
    for (unsigned i = 0; i < gateway->listener_count && result == 1; i++) {
        char *error = NULL;
        if (config->listeners[i].tls == SMTP_TLS_NONE)
            continue;
        contexts[i] = peers_tls_context(&config->listeners[i], &error);
        if (!contexts[i]) {
            strbuf_add_str(message, error);
            result = -1;
        }
        free(error);
    }
    for (unsigned i = 0; i < gateway->listener_count && result == 1; i++)
        result = reconfigure_listener(gateway, config, i, contexts[i], message);
    for (unsigned i = 0; i < gateway->listener_count; i++)
        tls_context_free(&contexts[i]);
    free(contexts);
    return result;
}

/* They could be read a moment ago, with the configuration. */
static void use_signing_keys(struct gateway *gateway, struct strbuf *message)
{
    char *error = NULL;
    if (signer_reconfigure(gateway->parts.signer, gateway->parts.config, &error) < 0)
        strbuf_add_fmt(message, "dkim: the keys stay as they were: %s; otherwise ", error);
    free(error);
}

int gateway_reload(struct gateway *gateway, const struct store_actor *by, struct strbuf *message)
{
    struct config *was = gateway->parts.config;
    struct config *is = config_load(was->file, message);
    char *error = NULL;
    if (!is)
        return -1;
    config_find_restart_changes(was, is, message);
    if (message->len > 0) /* half a new configuration would be neither */
        strbuf_add_str(message, "; nothing was changed");
    if (message->len > 0 || reconfigure_listeners(gateway, is, message) < 0) {
        config_free(&is);
        return -1;
    }
    gateway->parts.config = is;
    acts_add_reload(&gateway->parts, by, was);
    config_free(&was);
    use_signing_keys(gateway, message);
    reporter_reconfigure(gateway->parts.reporter, is);
    struct resolver_settings resolver = resolver_settings(is);
    resolver_reconfigure(gateway->parts.resolver, &resolver);
    smtp_budget_set_max(gateway->budget, is->session_memory);
    smtp_guessing_set_free(gateway->guessing, is->limits.guesses);
    limits_warn(is, gateway->open_files);
    use_log_level(gateway);
    warn_of_trust(is);
    signer_warn(gateway->parts.signer);
    silo_link_reconfigured(gateway->link);
    if (start_verify(gateway, &error) < 0) /* mail that needs them is put off */
        log_error("verify.not_started", "error=%s", error);
    free(error);
    timer_start(gateway->housekeeping, 0); /* what is not to be kept any more goes now */
    strbuf_add_str(message, "certificates, the keys that sign mail and the names in it, the silo's pin and token, "
                            "policy, verify, content, retry times, "
                            "the listeners' limits, clients and trust, and the log level are as in the file now");
    return 1;
}

/* For the administrator's commands. */

void gateway_get_status(const struct gateway *gateway, struct gateway_status *out)
{
    const struct parts *parts = &gateway->parts;
    struct store_statistics store;
    struct silo_link_status silo;
    silo_link_get_status(gateway->link, &silo);
    store_get_statistics(parts->store, &store);
    *out = (struct gateway_status){
        .uptime_ms = clock_monotonic_ms(parts->clock) - gateway->started_at,
        .silo_state = silo.state,
        .silo_address = parts->config->silo.address,
        .silo_error = strcmp(silo.state, "online") == 0 ? "" : silo.error, /* what is over alarms nobody */
        .silo_uid = silo.uid,
        .silo_hint = silo.hint,
        .silo_alias_error = silo.own_alias_error,
        .silo_next_attempt_ms = silo.next_attempt_ms,
        .relay_url = parts->config->relays[0].url,
        .relay_error = relay_last_error(gateway->relay),
        .posted = poster_posted(gateway->poster),
        .delivered = relay_delivered(gateway->relay),
        .worker_crashes = convert_crashes(parts->convert),
        .operations = store.operations,
        .commits = store.commits,
        .largest_batch = store.largest_batch,
        .longest_commit_us = store.longest_commit_us,
        .convert_waiting = convert_waiting(parts->convert),
        .in_under_way = poster_under_way(gateway->poster),
        .out_under_way = relay_under_way(gateway->relay),
        .session_memory = smtp_budget_held(gateway->budget),
        .session_memory_max = smtp_budget_max(gateway->budget),
        .refusals_left_out = refusals_left_out(gateway->parts.refusals),
        .busy = gateway->busy_reason != NULL,
        .busy_reason = gateway->busy_reason ? gateway->busy_reason : "",
    };
    smtp_guessing_get_statistics(gateway->guessing, &out->guessing);
    inbound_get_statistics(gateway->inbound, &out->inbound);
    outbound_get_statistics(gateway->outbound, &out->outbound);
    postfix_get_statistics(gateway->postfix, &out->postfix);
}

unsigned gateway_listener_count(const struct gateway *gateway)
{
    return gateway->listener_count;
}

void gateway_get_listener(const struct gateway *gateway, unsigned index, const char **name_out,
                          const char **address_out, unsigned *sessions_out)
{
    *name_out = smtp_listener_name(gateway->listeners[index]);
    *address_out = smtp_listener_address(gateway->listeners[index]);
    *sessions_out = smtp_listener_sessions(gateway->listeners[index]);
}

struct silo_link *gateway_silo(const struct gateway *gateway)
{
    return gateway->link;
}

const struct parts *gateway_parts(const struct gateway *gateway)
{
    return &gateway->parts;
}

struct relay *gateway_relay(const struct gateway *gateway)
{
    return gateway->relay;
}

void gateway_poke_silo(struct gateway *gateway)
{
    silo_link_poke(gateway->link);
    mapping_expiry_poke(gateway->expiry);
    hold_poke(gateway->parts.hold);
}

bool gateway_is_under_way(const struct gateway *gateway, enum store_queue which, int64_t id)
{
    if (which == STORE_QUEUE_OUT)
        return relay_has_under_way(gateway->relay, id);
    return poster_has_under_way(gateway->poster, id) || returns_has_under_way(gateway->returns, id);
}

void gateway_poke_queues(struct gateway *gateway)
{
    poster_poke(gateway->poster);
    relay_poke(gateway->relay);
    returns_poke(gateway->returns);
    hold_poke(gateway->parts.hold);
}
