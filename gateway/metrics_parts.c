/* metrics_parts.c - figures of listeners, relays, the silo, the database and the workers; see metrics_collect.c */
#include "gateway/metrics_internal.h"

#include <string.h>

#include "base/resolver.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/metrics_text.h"
#include "gateway/parts.h"
#include "gateway/relay.h"
#include "gateway/relay_health.h"
#include "gateway/silo_link.h"
#include "gateway/verify.h"
#include "mapping/store.h"
#include "smtp/smtp_server.h"

static const char listener_label[] = "listener", relay_label[] = "relay", state_label[] = "state";

/* Listeners: families are about all of them, so they are gone through for each. */

static void each_listener(struct metrics_text *text, const struct gateway *gateway,
                          void (*add)(struct metrics_text *text, const struct metrics_labels *labels,
                                      const struct smtp_listener_statistics *counted, unsigned sessions))
{
    for (unsigned i = 0; i < gateway_listener_count(gateway); i++) {
        const char *name, *address;
        unsigned sessions;
        struct smtp_listener_statistics counted;
        gateway_get_listener(gateway, i, &name, &address, &sessions);
        gateway_get_listener_statistics(gateway, i, &counted);
        add(text, &(struct metrics_labels){ listener_label, name, NULL, NULL }, &counted, sessions);
    }
}

static void add_sessions_now(struct metrics_text *text, const struct metrics_labels *labels,
                             const struct smtp_listener_statistics *counted, unsigned sessions)
{
    (void)counted;
    metrics_sample(text, labels, sessions);
}

static void add_sessions(struct metrics_text *text, const struct metrics_labels *labels,
                         const struct smtp_listener_statistics *counted, unsigned sessions)
{
    (void)sessions;
    metrics_sample(text, labels, (int64_t)counted->sessions);
}

static void add_turned_away(struct metrics_text *text, const struct metrics_labels *labels,
                            const struct smtp_listener_statistics *counted, unsigned sessions)
{
    (void)sessions;
    metrics_sample(text, labels, (int64_t)counted->turned_away);
}

static void add_tls(struct metrics_text *text, const struct metrics_labels *labels,
                    const struct smtp_listener_statistics *counted, unsigned sessions)
{
    (void)sessions;
    metrics_sample(text, labels, (int64_t)counted->tls);
}

static void add_commands(struct metrics_text *text, const struct metrics_labels *labels,
                         const struct smtp_listener_statistics *counted, unsigned sessions)
{
    (void)sessions;
    metrics_sample(text, labels, (int64_t)counted->commands);
}

static void add_replies(struct metrics_text *text, const struct metrics_labels *labels,
                        const struct smtp_listener_statistics *counted, unsigned sessions)
{
    static const char *const classes[SMTP_REPLY_CLASSES] = { NULL, NULL, "2xx", "3xx", "4xx", "5xx" };
    (void)sessions;
    for (int i = 2; i < SMTP_REPLY_CLASSES; i++)
        metrics_sample(text, &(struct metrics_labels){ labels->name, labels->value, "class", classes[i] },
                       (int64_t)counted->replies[i]);
}

static void add_lasted(struct metrics_text *text, const struct metrics_labels *labels,
                       const struct smtp_listener_statistics *counted, unsigned sessions)
{
    (void)sessions;
    metrics_sample_histogram(text, labels, &counted->lasted_ms, 1000);
}

/* Of listeners that show one. */
static void add_certificates(struct metrics_text *text, const struct gateway *gateway)
{
    metrics_family(text, METRICS_GAUGE, "postern_smtp_certificate_expiry_timestamp_seconds",
                   "When the certificate that the listener shows is no longer valid, since 1970.");
    for (unsigned i = 0; i < gateway_listener_count(gateway); i++) {
        const char *name, *address;
        unsigned sessions;
        int64_t ends = gateway_listener_certificate_ends(gateway, i);
        gateway_get_listener(gateway, i, &name, &address, &sessions);
        if (ends > 0)
            metrics_sample(text, &(struct metrics_labels){ listener_label, name, NULL, NULL }, ends);
    }
}

void metrics_collect_smtp(struct metrics_text *text, const struct gateway *gateway, const struct gateway_status *status)
{
    metrics_family(text, METRICS_GAUGE, "postern_smtp_sessions", "Sessions now.");
    each_listener(text, gateway, add_sessions_now);
    metrics_family(text, METRICS_COUNTER, "postern_smtp_sessions_total", "Connections that were let in.");
    each_listener(text, gateway, add_sessions);
    metrics_family(text, METRICS_COUNTER, "postern_smtp_turned_away_total",
                   "Connections that were not let in, for who the client is or for a limit.");
    each_listener(text, gateway, add_turned_away);
    metrics_family(text, METRICS_COUNTER, "postern_smtp_tls_sessions_total", "Sessions that have set TLS up.");
    each_listener(text, gateway, add_tls);
    metrics_family(text, METRICS_COUNTER, "postern_smtp_commands_total", "Commands, unknown ones among them.");
    each_listener(text, gateway, add_commands);
    metrics_family(text, METRICS_COUNTER, "postern_smtp_replies_total", "Replies by the first digit of their codes.");
    each_listener(text, gateway, add_replies);
    metrics_family(text, METRICS_HISTOGRAM, "postern_smtp_session_duration_seconds", "Sessions that have ended.");
    each_listener(text, gateway, add_lasted);
    add_certificates(text, gateway);
    metrics_gauge(text, "postern_smtp_session_memory_bytes", "Memory of all sessions together.",
                  status->session_memory);
    metrics_gauge(text, "postern_smtp_session_memory_limit_bytes", "How much that may be.", status->session_memory_max);
    metrics_counter(text, "postern_smtp_guesses_total", "Recipients and senders that look like guesses.",
                    status->guessing.guesses);
    metrics_gauge(text, "postern_smtp_networks_slowed", "Networks of clients that guess: their replies wait.",
                  status->guessing.slowed);
    metrics_gauge(text, "postern_smtp_networks_paused", "Networks of clients that are not let in for a while.",
                  status->guessing.paused);
}

/* Relays. */

static void add_relay_states(struct metrics_text *text, const struct relay *relay)
{
    for (size_t i = 0; i < relay_count(relay); i++) {
        struct relay_status status;
        relay_get_status(relay, i, &status);
        for (enum relay_health_state state = RELAY_HEALTH_UP; state <= RELAY_HEALTH_PROBING; state++) {
            const char *name = relay_health_state_name(state);
            metrics_sample(text, &(struct metrics_labels){ relay_label, status.url, state_label, name },
                           strcmp(name, status.state) == 0);
        }
    }
}

static void add_relay_numbers(struct metrics_text *text, const struct relay *relay,
                              int64_t (*number)(const struct relay_status *status))
{
    for (size_t i = 0; i < relay_count(relay); i++) {
        struct relay_status status;
        relay_get_status(relay, i, &status);
        metrics_sample(text, &(struct metrics_labels){ relay_label, status.url, NULL, NULL }, number(&status));
    }
}

static int64_t delivered_of(const struct relay_status *status)
{
    return (int64_t)status->delivered;
}

static int64_t connections_of(const struct relay_status *status)
{
    return status->connections;
}

static int64_t limit_of(const struct relay_status *status)
{
    return status->limit;
}

void metrics_collect_relays(struct metrics_text *text, const struct gateway *gateway)
{
    const struct relay *relay = gateway_relay(gateway);
    metrics_family(text, METRICS_GAUGE, "postern_relay_state", "1 for the state that the relay is in.");
    add_relay_states(text, relay);
    metrics_family(text, METRICS_COUNTER, "postern_relay_delivered_total", "Recipients that the relay has taken.");
    add_relay_numbers(text, relay, delivered_of);
    metrics_family(text, METRICS_GAUGE, "postern_relay_connections", "Connections to the relay.");
    add_relay_numbers(text, relay, connections_of);
    metrics_family(text, METRICS_GAUGE, "postern_relay_connection_limit", "How many of them there may be now.");
    add_relay_numbers(text, relay, limit_of);
    metrics_gauge(text, "postern_domains_set_aside",
                  "Domains outside that don't answer, and are left in peace for a while.",
                  (int64_t)relay_set_aside(relay));
}

/* The silo. */

void metrics_collect_silo(struct metrics_text *text, const struct gateway *gateway)
{
    static const char starting[] = "starting";
    struct silo_link_status status;
    silo_link_get_status(gateway_silo(gateway), &status);
    const struct tmtp_client_statistics *counted = &status.counted;
    metrics_family(text, METRICS_GAUGE, "postern_silo_state", "1 for the state that the link to the silo is in.");
    metrics_sample(text, &(struct metrics_labels){ state_label, starting, NULL, NULL },
                   strcmp(status.state, starting) == 0);
    for (enum tmtp_client_state state = TMTP_CLIENT_OFFLINE; state <= TMTP_CLIENT_STOPPED; state++) {
        const char *name = tmtp_client_state_name(state);
        metrics_sample(text, &(struct metrics_labels){ state_label, name, NULL, NULL },
                       strcmp(name, status.state) == 0);
    }
    metrics_counter(text, "postern_silo_logins_total", "Connections to the silo that were logged in.", counted->logins);
    metrics_counter(text, "postern_silo_posts_total", "Posts that were sent, forwarded threads among them.",
                    counted->posts);
    metrics_counter(text, "postern_silo_echoes_total", "Posts that the silo has brought back, as asked.",
                    counted->echoes);
    metrics_counter(text, "postern_silo_deliveries_total", "Thread messages that the silo has brought.",
                    counted->deliveries);
    metrics_counter(text, "postern_silo_redeliveries_total", "What the silo has brought once more.",
                    counted->redeliveries);
    metrics_counter(text, "postern_silo_bad_sums_total", "Headers whose checksum was wrong; each ended its connection.",
                    counted->bad_sums);
    metrics_gauge(text, "postern_silo_alias_refused", "1: the silo does not let the gateway have its alias.",
                  status.own_alias_error != NULL);
}

/* The database. */

void metrics_collect_store(struct metrics_text *text, const struct gateway *gateway)
{
    const struct store *store = gateway_parts(gateway)->store;
    struct store_statistics counted;
    int64_t database, log;
    store_get_statistics(store, &counted);
    store_get_size(store, &database, &log);
    metrics_counter(text, "postern_store_operations_total", "Operations that were run by the committer.",
                    counted.operations);
    metrics_counter(text, "postern_store_failed_commits_total", "Transactions of which nothing could be kept.",
                    counted.failed_commits);
    metrics_family(text, METRICS_HISTOGRAM, "postern_store_batch_operations",
                   "Operations in one transaction, which share its wait for the disk.");
    metrics_sample_histogram(text, NULL, &counted.batch, 1);
    metrics_family(text, METRICS_HISTOGRAM, "postern_store_commit_seconds", "Waits for the disk, one a transaction.");
    metrics_sample_histogram(text, NULL, &counted.commit_us, 1000000);
    metrics_family(text, METRICS_GAUGE, "postern_store_stalled_seconds",
                   "Since when something waits to be written and nothing was; 0: nothing waits.");
    metrics_sample_scaled(text, NULL, store_stalled_ms(store), 1000);
    if (database >= 0)
        metrics_gauge(text, "postern_store_database_bytes", "Size of postern.db, without the files of content/.",
                      database);
    metrics_gauge(text, "postern_store_log_bytes", "Size of its write-ahead log.", log > 0 ? log : 0);
}

/* The workers, and DNS. */

static void add_checks(struct metrics_text *text, const struct verify_counts *counts)
{
    metrics_family(text, METRICS_COUNTER, "postern_verify_checks_total",
                   "Checks of who wrote a mail, by what was found of the author's domain; unable: nobody could check.");
    for (enum auth_result result = AUTH_RESULT_NONE; result <= AUTH_RESULT_OTHER; result++)
        metrics_sample(text, &(struct metrics_labels){ "result", auth_result_name(result), NULL, NULL },
                       (int64_t)counts->dmarc[result]);
    metrics_sample(text, &(struct metrics_labels){ "result", "unable", NULL, NULL }, (int64_t)counts->failed);
    metrics_gauge(text, "postern_verify_under_way", "Checks that are under way or wait.", counts->under_way);
}

static void add_dns(struct metrics_text *text, const struct resolver *resolver)
{
    struct resolver_counts counts = resolver_counts(resolver);
    const struct {
        const char *reason;
        uint64_t count;
    } failures[] = { { "timed_out", counts.timed_out },
                     { "left_out", counts.refused },
                     { "temporary", counts.temporary },
                     { "bogus", counts.bogus } };
    metrics_counter(text, "postern_dns_questions_total", "Questions to the DNS, to prove who wrote a mail.",
                    counts.asked);
    metrics_family(text, METRICS_COUNTER, "postern_dns_failures_total",
                   "Questions without an answer that can be used.");
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++)
        metrics_sample(text, &(struct metrics_labels){ "reason", failures[i].reason, NULL, NULL },
                       (int64_t)failures[i].count);
    metrics_counter(text, "postern_dns_restarts_total", "Times that the resolver's process was lost and started again.",
                    counts.losses);
}

void metrics_collect_workers(struct metrics_text *text, const struct gateway *gateway,
                             const struct gateway_status *status)
{
    const struct parts *parts = gateway_parts(gateway);
    struct verify_counts checks = { .checked = 0 };
    if (parts->verify)
        checks = verify_counts(parts->verify);
    metrics_family(text, METRICS_COUNTER, "postern_worker_crashes_total",
                   "Jobs that ended with their worker: it crashed, took too long or too much memory.");
    metrics_sample(text, &(struct metrics_labels){ "pool", "convert", NULL, NULL }, (int64_t)status->worker_crashes);
    metrics_sample(text, &(struct metrics_labels){ "pool", "verify", NULL, NULL }, (int64_t)checks.crashes);
    metrics_gauge(text, "postern_convert_waiting", "Contents that wait for a worker that reads or writes them.",
                  status->convert_waiting);
    add_checks(text, &checks);
    add_dns(text, parts->resolver);
}
