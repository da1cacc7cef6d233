/* relay_pool.c - which relay gets a message, and over which connection
 *
 * Relays are asked in the order of the configuration; what comes next in it is asked in the same attempt when the one
 * before could not be reached, serves nobody, or lacks what the message needs. A relay that refuses one connection more while it
 * serves others is not down: it gets fewer at a time for a while.
 */
#include "gateway/relay_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/destinations.h"
#include "gateway/parts.h"
#include "gateway/queue.h"
#include "gateway/relay_health.h"
#include "gateway/relay_password.h"
#include "mapping/store.h"
#include "smtp/maildir.h"

enum {
    LIMIT_PAUSE_MS = 60 * 1000,
    CROWDED_MS = 10 * 1000, /* who has too many connections says so soon */
    SILENT_MS = 60 * 1000,  /* who needs that long to answer the first word about a message is as good as down */
};

static const struct config_relay *config_of(const struct relay *relay, const struct relay_hop *hop)
{
    return &relay->parts->config->relays[hop->index];
}

static uint32_t bit_of(const struct relay_hop *hop)
{
    return UINT32_C(1) << hop->index;
}

/* Connections. */

static struct smtp_client *new_client(const struct relay *relay, const struct relay_hop *hop, char **error_out)
{
    const struct config_relay *config = config_of(relay, hop);
    struct smtp_client_settings settings = {
        .loop = relay->parts->loop,
        .address = config->target,
        .lmtp = config->kind == CONFIG_RELAY_LMTP,
        .implicit_tls = config->kind == CONFIG_RELAY_SMTPS,
        .tls = config->tls,
        .ca_file = config->ca_file,
        .pin = config->fingerprint,
        .user = config->user,
        .helo = config->helo ? config->helo : relay->parts->config->hostname,
        .background = relay->parts->background,
    };
    return smtp_client_new(&settings, error_out);
}

static void free_idle_clients(struct relay_hop *hop)
{
    while (hop->idle_count > 0)
        smtp_client_free(&hop->idle[--hop->idle_count]);
}

/* The file is read for each message, and the password kept until that has gone: a connection that was made with another one is not used
 * again. -1: it can't be used, with the reason. */
static int read_password(const struct relay *relay, struct relay_hop *hop, char **password_out, char **error_out)
{
    const struct config_relay *config = config_of(relay, hop);
    uint8_t digest[DIGEST_SIZE];
    *password_out = NULL;
    if (!config->password_file)
        return 1;
    if (relay_password_read(config->password_file, password_out, error_out) < 0)
        return -1;
    digest_hmac(hop->name, strlen(hop->name), *password_out, strlen(*password_out), digest);
    if (memcmp(digest, hop->password_digest, sizeof digest) == 0)
        return 1;
    free_idle_clients(hop);
    memcpy(hop->password_digest, digest, sizeof digest);
    hop->generation++;
    return 1;
}

static struct smtp_client *take_client(const struct relay *relay, struct relay_hop *hop, char **error_out)
{
    char *password;
    if (read_password(relay, hop, &password, error_out) < 0)
        return NULL;
    struct smtp_client *client = hop->idle_count > 0 ? hop->idle[--hop->idle_count] : new_client(relay, hop, error_out);
    if (client)
        smtp_client_set_password(client, password);
    free(password);
    return client;
}

static void give_back_client(const struct relay *relay, struct relay_job *job)
{
    struct relay_hop *hop = job->hop;
    if (!job->client)
        return;
    smtp_client_set_password(job->client, NULL);
    if (job->client_generation == hop->generation && hop->idle_count < config_of(relay, hop)->max_connections)
        hop->idle[hop->idle_count++] = job->client;
    else
        smtp_client_free(&job->client);
    job->client = NULL;
}

/* Lines before a relay. */

static void end_unnoted(struct relay_job *job)
{
    relay_set_state(job, RELAY_JOB_ENDING);
    relay_job_end(job);
}

/* While the daemon stops nobody is served any more. */
static void join_line(struct relay_job *job, bool in_front)
{
    if (!job->relay->is_open) {
        end_unnoted(job);
        return;
    }
    struct relay_job **link = &job->hop->line;
    while (!in_front && *link)
        link = &(*link)->next_in_line;
    job->next_in_line = *link;
    *link = job;
}

static struct relay_job *leave_line(struct relay_hop *hop)
{
    struct relay_job *job = hop->line;
    if (job) {
        hop->line = job->next_in_line;
        job->next_in_line = NULL;
        job->hop = NULL;
    }
    return job;
}

void relay_pool_leave_lines(struct relay *relay)
{
    for (size_t i = 0; i < relay->hop_count; i++) {
        struct relay_job *job;
        while ((job = leave_line(&relay->hops[i])))
            end_unnoted(job);
    }
}

/* Choosing. */

static bool may_ask(const struct relay_job *job, const struct relay_hop *hop)
{
    return !(job->tried & bit_of(hop)) && relay_health_is_usable(hop->health);
}

static struct relay_hop *choose(const struct relay_job *job)
{
    struct relay *relay = job->relay;
    for (size_t i = 0; i < relay->hop_count; i++)
        if (may_ask(job, &relay->hops[i]))
            return &relay->hops[i];
    return NULL;
}

/* Is there another one that could be asked, or that could not be asked because it is, or was, down? */
static void look_for_others(const struct relay_job *job, bool *left_out, bool *down_out)
{
    *left_out = false;
    *down_out = (job->unreached & ~bit_of(job->hop)) != 0;
    for (size_t i = 0; i < job->relay->hop_count; i++) {
        const struct relay_hop *hop = &job->relay->hops[i];
        bool is_other = hop != job->hop && !(job->tried & bit_of(hop));
        *left_out = *left_out || (is_other && may_ask(job, hop));
        *down_out = *down_out || (is_other && !may_ask(job, hop));
    }
}

static void serve(struct relay *relay, struct relay_hop *hop);
static void hand_over(struct relay_job *job);

static void note_or_forget(struct relay_job *job)
{
    if (job->is_early && relay_is_unreached(job)) { /* it is not due yet, and has found nobody */
        relay_probe_schedule(job->relay);
        end_unnoted(job);
        return;
    }
    relay_note_results(job);
}

/* Every relay is down: the answer is known without the network. */
static void answer_from_memory(struct relay_job *job)
{
    struct relay *relay = job->relay;
    const struct relay_hop *hop = NULL;
    assert(relay->hops);
    for (size_t i = 0; i < relay->hop_count && !hop; i++)
        if (relay_health_state(relay->hops[i].health) != RELAY_HEALTH_UP)
            hop = &relay->hops[i];
    struct smtp_recipient_result result = { .outcome = SMTP_OUTCOME_TEMPORARY, .stage = SMTP_STAGE_CONNECT };
    char since[CLOCK_RFC3339_SIZE] = "";
    if (hop)
        clock_format_rfc3339(relay_health_since(hop->health), since);
    since[sizeof "2026-11-23T06:28" - 1] = 0; /* minutes are enough */
    result.reply = smtp_reply_make(451, "4.4.1", "relay %s can't be used since %s UTC: %s", hop ? hop->name : "", since,
                                   hop ? relay_health_words(hop->health) : "");
    relay_set_results(job, &result, 1, false, true);
    note_or_forget(job);
}

static void route(struct relay_job *job)
{
    struct relay *relay = job->relay;
    struct relay_hop *hop = job->hop = choose(job);
    if (!hop) {
        answer_from_memory(job);
    } else {
        join_line(job, false);
        serve(relay, hop);
    }
}

/* The relay has gone down: whoever waits for it goes elsewhere. */
static void disperse(struct relay_hop *hop)
{
    struct relay_job *line = hop->line, *job;
    hop->line = NULL;
    while ((job = line)) {
        line = job->next_in_line;
        job->next_in_line = NULL;
        job->hop = NULL;
        route(job);
    }
}

static void serve(struct relay *relay, struct relay_hop *hop)
{
    if (!relay->is_open)
        return;
    while (hop->line && hop->in_use < hop->limit && relay_health_is_usable(hop->health)) {
        struct relay_job *job = leave_line(hop);
        job->hop = hop;
        hand_over(job);
    }
    if (hop->line && !relay_health_is_usable(hop->health))
        disperse(hop);
}

void relay_pool_send(struct relay_job *job)
{
    relay_set_state(job, RELAY_JOB_LINING_UP);
    route(job);
}

/* What it answered. */

static void note_destinations(struct relay_job *job, const struct smtp_recipient_result *results, size_t count)
{
    int64_t took_ms = clock_monotonic_ms(job->relay->parts->clock) - job->sent_at;
    for (size_t i = 0, given = 0; i < job->waiting_count; i++) {
        if (job->results[i].decided)
            continue;
        const struct smtp_recipient_result *result = &results[given];
        bool is_open = result->outcome == SMTP_OUTCOME_TEMPORARY || result->outcome == SMTP_OUTCOME_UNKNOWN;
        if (result->stage >= SMTP_STAGE_RCPT)
            destinations_note(job->relay->destinations, relay_domain_of(job, i), took_ms,
                              is_open ? result->reply.text : NULL);
        given += given + 1 < count;
    }
}

static bool is_crowded(const struct relay_job *job)
{
    return relay_health_state(job->hop->health) == RELAY_HEALTH_UP && job->hop->in_use > 0 &&
           clock_monotonic_ms(job->relay->parts->clock) - job->sent_at < CROWDED_MS;
}

/* It serves others: it does not want this many. The message keeps its place. */
static void lower_limit(struct relay_job *job)
{
    struct relay_hop *hop = job->hop;
    hop->limit = hop->in_use;
    hop->raise_at = clock_monotonic_ms(job->relay->parts->clock) + LIMIT_PAUSE_MS;
    log_info("relay.crowded", "relay=%s connections=%u", hop->name, hop->limit);
    relay_set_state(job, RELAY_JOB_LINING_UP);
    join_line(job, true);
}

static void went_down(struct relay *relay, struct relay_hop *hop, const char *words)
{
    uint32_t random;
    random_bytes(&random, sizeof random);
    bool was_up = relay_health_state(hop->health) == RELAY_HEALTH_UP;
    relay_health_failed(hop->health, words, random);
    if (was_up)
        log_warning("relay.down", "relay=%s error=%s", hop->name, words);
    relay_probe_schedule(relay);
}

static void has_worked(struct relay *relay, struct relay_hop *hop)
{
    unsigned most = config_of(relay, hop)->max_connections;
    int64_t now = clock_monotonic_ms(relay->parts->clock);
    bool is_back = relay_health_worked(hop->health);
    if (is_back) {
        log_info("relay.up", "relay=%s", hop->name);
        hop->limit = most;
    } else if (hop->limit < most && now >= hop->raise_at) {
        hop->limit++;
        hop->raise_at = now + LIMIT_PAUSE_MS / 6;
    }
    if (is_back || !relay->has_worked)
        relay_probe_up(relay);
    relay->has_worked = true;
}

static void remember_error(struct relay *relay, const struct relay_job *job)
{
    relay->last_error[0] = 0;
    for (size_t i = 0; i < job->waiting_count; i++)
        if (job->results[i].outcome.action != OUTCOME_DELIVERED)
            memcpy(relay->last_error, job->results[i].reply, sizeof relay->last_error);
}

/* In one attempt either everybody goes on to the next relay, or what was decided is noted first: nothing that was
 * delivered may wait for another relay. Who is left then is tried again at once. */
static bool goes_on(struct relay_job *job)
{
    size_t left = 0, next = 0;
    for (size_t i = 0; i < job->waiting_count; i++) {
        left += !job->results[i].decided;
        next += !job->results[i].decided && job->results[i].outcome.action == OUTCOME_NEXT_RELAY;
    }
    if (next == left)
        return true;
    for (size_t i = 0; i < job->waiting_count; i++)
        if (!job->results[i].decided && job->results[i].outcome.action == OUTCOME_NEXT_RELAY)
            job->results[i].outcome = (struct outcome){ .action = OUTCOME_RETRY, .next_attempt_at = job->now };
    return false;
}

static void judge(struct relay_job *job, const struct smtp_recipient_result *results, size_t count)
{
    struct relay *relay = job->relay;
    struct relay_hop *hop = job->hop;
    relay->has_heard = true;
    bool unreached = results[0].outcome != SMTP_OUTCOME_DELIVERED && results[0].stage <= SMTP_STAGE_AUTH;
    if (unreached && is_crowded(job)) {
        lower_limit(job);
        return;
    }
    if (unreached)
        went_down(relay, hop, results[0].reply.text);
    else
        has_worked(relay, hop);
    job->unreached |= unreached ? bit_of(hop) : 0;
    note_destinations(job, results, count);
    bool relay_left, relay_down;
    look_for_others(job, &relay_left, &relay_down);
    relay_set_results(job, results, count, relay_left, relay_down);
    remember_error(relay, job);
    job->tried |= bit_of(hop);
    job->hop = NULL;
    if (goes_on(job)) {
        relay_set_state(job, RELAY_JOB_LINING_UP);
        route(job);
    } else {
        note_or_forget(job);
    }
}

static void on_relayed(const struct smtp_recipient_result *results, size_t count, void *ctx)
{
    struct relay_job *job = ctx;
    struct relay *relay = job->relay;
    struct relay_hop *hop = job->hop;
    hop->in_use--;
    give_back_client(relay, job);
    for (size_t i = 0; i < count; i++)
        hop->delivered += results[i].outcome == SMTP_OUTCOME_DELIVERED;
    judge(job, results, count);
    serve(relay, hop);
}

/* What says nothing about the message counts as a relay that can't be reached. */
static void on_unreached(const struct smtp_recipient_result *results, size_t count, void *ctx)
{
    struct smtp_recipient_result *judged = xmemdup(results, count * sizeof *judged);
    for (size_t i = 0; i < count; i++)
        if (judged[i].outcome != SMTP_OUTCOME_DELIVERED)
            judged[i].stage = SMTP_STAGE_CONNECT;
    on_relayed(judged, count, ctx);
    free(judged);
}

/* It lets everybody in and then serves nobody: no answer to the first word about a message, or 421. */
static bool is_useless(const struct relay_job *job, const struct smtp_recipient_result *result)
{
    enum { CLOSING = 421 };
    int64_t took_ms = clock_monotonic_ms(job->relay->parts->clock) - job->sent_at;
    return result->stage == SMTP_STAGE_MAIL && result->outcome == SMTP_OUTCOME_TEMPORARY &&
           (result->reply.code == CLOSING || took_ms >= SILENT_MS);
}

static void on_sent(const struct smtp_recipient_result *results, size_t count, void *ctx)
{
    if (is_useless(ctx, &results[0]))
        on_unreached(results, count, ctx);
    else
        on_relayed(results, count, ctx);
}

/* Sending. */

/* Members read this too: where our files are is none of their business. */
static void cannot_connect(struct relay_job *job, const char *error)
{
    struct smtp_recipient_result result = { .outcome = SMTP_OUTCOME_TEMPORARY, .stage = SMTP_STAGE_AUTH };
    const char *file = config_of(job->relay, job->hop)->password_file;
    size_t path = file && strncmp(error, file, strlen(file)) == 0 ? strlen(file) : 0;
    result.reply =
        smtp_reply_make(451, "4.3.5", "relay %s: %s%s", job->hop->name, path ? "password_file" : "", error + path);
    judge(job, &result, 1);
}

static void send_to(struct relay_job *job, const struct smtp_client_message *message)
{
    struct relay *relay = job->relay;
    const struct config_relay *config = config_of(relay, job->hop);
    char unique[24], *error = NULL;
    relay_set_state(job, RELAY_JOB_RELAYING);
    job->sent_at = clock_monotonic_ms(relay->parts->clock);
    relay_health_begin(job->hop->health);
    if (config->kind == CONFIG_RELAY_MAILDIR) {
        job->hop->in_use++;
        queue_id_format(STORE_QUEUE_OUT, job->row.id, unique);
        maildir_deliver(relay->parts->background, config->target, unique, message, on_unreached, job);
    } else if ((job->client = take_client(relay, job->hop, &error))) {
        job->hop->in_use++;
        job->client_generation = job->hop->generation;
        smtp_client_send(job->client, message, on_sent, job);
    } else {
        cannot_connect(job, error);
    }
    free(error);
}

/* An administrator may have held or dropped it while it waited in line. */
static bool is_stopped(const struct relay_job *job)
{
    return store_outbound_is_scheduled(store_reader(job->relay->parts->store), job->row.id) == 0;
}

static void hand_over(struct relay_job *job)
{
    struct relay_envelope envelope;
    struct smtp_client_message message;
    if (is_stopped(job)) {
        end_unnoted(job);
        return;
    }
    bool is_for_nobody = !job->is_aside_known && relay_decide_aside(job) == 0;
    job->is_aside_known = true;
    if (is_for_nobody) {
        job->hop = NULL;
        note_or_forget(job);
        return;
    }
    int result = relay_envelope_fill(job, &envelope, &message);
    if (result == 1)
        send_to(job, &message);
    relay_envelope_clear(&envelope);
    if (result != 1)
        relay_fail_all(job, SMTP_OUTCOME_TEMPORARY, RELAY_FAULT_ENTRY, "its envelope can't be read from the database");
}

/* As much again as the connections: one mail is written while another one is sent. */
unsigned relay_pool_concurrency(const struct parts *parts)
{
    unsigned most = 1;
    for (size_t i = 0; i < parts->config->relay_count; i++)
        if (parts->config->relays[i].max_connections > most)
            most = parts->config->relays[i].max_connections;
    return 2 * most;
}

int relay_pool_open(struct relay *relay, char **error_out)
{
    const struct config *config = relay->parts->config;
    relay->hops = xcalloc(config->relay_count, sizeof *relay->hops);
    relay->hop_count = config->relay_count;
    for (size_t i = 0; i < relay->hop_count; i++)
        relay->hops[i] = (struct relay_hop){
            .index = i,
            .name = xstrdup(config->relays[i].target),
            .health = relay_health_new(relay->parts->clock),
            .idle = xcalloc(config->relays[i].max_connections, sizeof(struct smtp_client *)),
            .limit = config->relays[i].max_connections,
        };
    for (size_t i = 0; i < relay->hop_count; i++) { /* settings that can't work are told at the start */
        char *password;
        if (config->relays[i].kind == CONFIG_RELAY_MAILDIR)
            continue;
        if (read_password(relay, &relay->hops[i], &password, error_out) < 0)
            return -1;
        free(password);
        struct smtp_client *client = new_client(relay, &relay->hops[i], error_out);
        if (!client)
            return -1;
        relay->hops[i].idle[relay->hops[i].idle_count++] = client;
    }
    return 1;
}

void relay_pool_close(struct relay *relay)
{
    for (const struct relay_job *job = relay->jobs; job; job = job->next) {
        struct smtp_client *client = job->client;
        smtp_client_free(&client);
    }
    for (size_t i = 0; i < relay->hop_count; i++) {
        struct relay_hop *hop = &relay->hops[i];
        free_idle_clients(hop);
        free(hop->idle);
        free(hop->name);
        relay_health_free(&hop->health);
    }
    free(relay->hops);
}
