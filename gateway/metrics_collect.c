/* metrics_collect.c - what is counted in the parts, as families of samples; see metrics.h
 *
 * docs/METRICS.md has a row for each family. Labels are few and bounded: names of listeners and relays are those of the
 * configuration, everything else is a word of ours. Nobody's address is in any of them.
 */
#include "gateway/metrics.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "gateway/gateway.h"
#include "gateway/measures.h"
#include "gateway/metrics_internal.h"
#include "gateway/metrics_text.h"
#include "gateway/parts.h"
#include "mapping/store.h"
#include "mapping/store_mapping.h"
#include "mapping/store_queue_list.h"

enum { ROOM_OLDEST_MS = 5000, WORDS_MAX = 8 * 1024 };

struct labelled {
    const char *value;
    uint64_t count;
};

static void add_samples(struct metrics_text *text, const char *label, const struct labelled *samples, size_t count)
{
    for (size_t i = 0; i < count; i++)
        metrics_sample(text, &(struct metrics_labels){ label, samples[i].value, NULL, NULL },
                       (int64_t)samples[i].count);
}

static void collect_build(struct metrics_text *text)
{
    char schema[16];
    struct strbuf number;
    strbuf_init(&number, sizeof schema);
    strbuf_add_fmt(&number, "%d", STORE_SCHEMA_VERSION);
    metrics_family(text, METRICS_GAUGE, "postern_build_info", "Always 1; the labels say what is running.");
    metrics_sample(text, &(struct metrics_labels){ "version", POSTERN_VERSION, "schema", number.data }, 1);
    strbuf_free(&number);
}

static void collect_mail(struct metrics_text *text, const struct gateway_status *status,
                         const struct measures *measures)
{
    const struct inbound_statistics *in = &status->inbound;
    const struct labelled mail[] = { { "accepted", in->accepted },
                                     { "held", in->held },
                                     { "repeated", in->repeated },
                                     { "rejected", in->rejected - in->recipients_rejected },
                                     { "deferred", in->deferred - in->recipients_deferred } };
    const struct labelled recipients[] = { { "rejected", in->recipients_rejected },
                                           { "deferred", in->recipients_deferred } };
    const struct labelled posted[] = { { "mail", measures->posted_ms.count },
                                       { "notice", status->posted - measures->posted_ms.count } };
    metrics_family(text, METRICS_COUNTER, "postern_mail_total", "Mail whose content had come, by what became of it.");
    add_samples(text, "result", mail, sizeof mail / sizeof mail[0]);
    metrics_family(text, METRICS_COUNTER, "postern_recipients_refused_total",
                   "Recipients of mail that were refused before its content, for good or for now.");
    add_samples(text, "result", recipients, sizeof recipients / sizeof recipients[0]);
    metrics_counter(text, "postern_refusals_unnoted_total", "Refusals that why does not know: too many came at once.",
                    status->refusals_left_out);
    metrics_family(text, METRICS_COUNTER, "postern_posts_total", "Posts that the silo has, of mail and of notices.");
    add_samples(text, "kind", posted, sizeof posted / sizeof posted[0]);
    metrics_counter(text, "postern_posts_refused_total",
                    "Attempts to post that the silo refused, or that were impossible.", measures->posts_refused);
    metrics_family(text, METRICS_HISTOGRAM, "postern_post_latency_seconds",
                   "From the acceptance of a mail, or the approval it waited for, to its being in the silo.");
    metrics_sample_histogram(text, NULL, &measures->posted_ms, 1000);
}

static void collect_messages(struct metrics_text *text, const struct gateway_status *status,
                             const struct measures *measures)
{
    const struct labelled messages[] = { { "accepted", status->outbound.accepted },
                                         { "ignored", status->outbound.ignored } };
    const struct labelled outcomes[] = { { "delivered", measures->outcomes[MEASURES_DELIVERED] },
                                         { "retried", measures->outcomes[MEASURES_RETRIED] },
                                         { "failed", measures->outcomes[MEASURES_FAILED] },
                                         { "parked", measures->outcomes[MEASURES_PARKED] } };
    metrics_family(text, METRICS_COUNTER, "postern_messages_total",
                   "Thread messages that came from the silo: for somebody outside, or not.");
    add_samples(text, "result", messages, sizeof messages / sizeof messages[0]);
    metrics_family(text, METRICS_COUNTER, "postern_deliveries_total",
                   "Attempts to deliver to a recipient outside, by how they ended.");
    add_samples(text, "outcome", outcomes, sizeof outcomes / sizeof outcomes[0]);
    metrics_family(text, METRICS_HISTOGRAM, "postern_delivery_latency_seconds",
                   "From a member's message to each recipient's relay having it.");
    metrics_sample_histogram(text, NULL, &measures->delivered_ms, 1000);
}

static const char *const queue_names[] = { [STORE_QUEUE_IN] = "in", [STORE_QUEUE_OUT] = "out" };

static void collect_entries(struct metrics_text *text, const struct gateway_room *room)
{
    static const enum store_queue_state states[] = { STORE_QUEUE_WAITING, STORE_QUEUE_ROUTED, STORE_QUEUE_HELD,
                                                     STORE_QUEUE_PENDING };
    metrics_family(text, METRICS_GAUGE, "postern_queue_entries",
                   "Entries of the queues that have not ended, by state; pending is mail that awaits an approval.");
    for (enum store_queue queue = STORE_QUEUE_IN; queue <= STORE_QUEUE_OUT; queue++)
        for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
            if (room->counts[queue][states[i]] >= 0 && !(queue == STORE_QUEUE_OUT && states[i] == STORE_QUEUE_PENDING))
                metrics_sample(
                    text,
                    &(struct metrics_labels){ "queue", queue_names[queue], "state", store_queue_state_name(states[i]) },
                    room->counts[queue][states[i]]);
}

static void collect_age(struct metrics_text *text, const struct parts *parts)
{
    int64_t now = clock_wall_ms(parts->clock);
    metrics_family(text, METRICS_GAUGE, "postern_queue_oldest_seconds",
                   "Since when the oldest entry is there that waits to be posted or delivered; 0: none waits.");
    for (enum store_queue queue = STORE_QUEUE_IN; queue <= STORE_QUEUE_OUT; queue++) {
        int64_t oldest;
        if (store_queue_oldest(store_reader(parts->store), queue, &oldest) < 0)
            continue;
        metrics_sample_scaled(text, &(struct metrics_labels){ "queue", queue_names[queue], NULL, NULL },
                              oldest > 0 && oldest < now ? now - oldest : 0, 1000);
    }
}

static void collect_queues(struct metrics_text *text, struct gateway *gateway, const struct gateway_status *status)
{
    const struct gateway_room *room = gateway_look_at_room(gateway, ROOM_OLDEST_MS);
    const struct labelled under_way[] = { { "in", status->in_under_way }, { "out", status->out_under_way } };
    collect_entries(text, room);
    metrics_family(text, METRICS_GAUGE, "postern_queue_under_way", "Entries that are being posted or delivered now.");
    add_samples(text, "queue", under_way, sizeof under_way / sizeof under_way[0]);
    collect_age(text, gateway_parts(gateway));
    metrics_gauge(text, "postern_queue_limit_entries", "Entries in a queue from which on no more mail is taken.",
                  GATEWAY_QUEUE_LIMIT);
    metrics_gauge(text, "postern_paused", "1: no mail is taken, for want of room.", status->busy);
    if (room->disk_free >= 0)
        metrics_gauge(text, "postern_disk_free_bytes", "Free in the file system of state_dir.", room->disk_free);
    metrics_gauge(text, "postern_disk_reserve_bytes", "With less than that free no mail is taken.",
                  GATEWAY_DISK_RESERVE);
}

static void collect_health(struct metrics_text *text, struct gateway *gateway)
{
    const struct parts *parts = gateway_parts(gateway);
    int64_t requests;
    struct health_facts facts;
    struct strbuf words;
    strbuf_init(&words, WORDS_MAX);
    health_find_facts(gateway, &facts);
    metrics_gauge(text, "postern_ready", "1: /readyz says that mail is taken.",
                  health_judge_readiness(&facts, &words) != HEALTH_BAD);
    strbuf_free(&words);
    if (store_mapping_count_requested(store_reader(parts->store), &requests) == 1)
        metrics_gauge(text, "postern_requests_waiting", "Mappings that somebody has to approve or deny.", requests);
    metrics_gauge(text, "postern_hold_broken",
                  "1: mail can't be held, or what is held can't be opened: the key is lost or another one.",
                  facts.hold_problem != NULL);
    free(facts.hold_problem);
}

static void collect_sign_ins(struct metrics_text *text, const struct measures *measures)
{
    const struct labelled sign_ins[] = { { "signed_in", measures->sign_ins[MEASURES_SIGNED_IN] },
                                         { "wrong", measures->sign_ins[MEASURES_NOT_SIGNED_IN] },
                                         { "limited", measures->sign_ins[MEASURES_SIGN_IN_LIMITED] } };
    metrics_family(text, METRICS_COUNTER, "postern_web_sign_ins_total",
                   "Attempts to sign in to the web page; limited: not looked at, after too many wrong ones.");
    add_samples(text, "result", sign_ins, sizeof sign_ins / sizeof sign_ins[0]);
}

static void collect_log(struct metrics_text *text)
{
    metrics_family(text, METRICS_COUNTER, "postern_log_lines_total", "Lines of the log, by level.");
    for (enum log_level level = LOG_LEVEL_DEBUG; level <= LOG_LEVEL_ERROR; level++)
        metrics_sample(text, &(struct metrics_labels){ "level", log_level_name(level), NULL, NULL },
                       (int64_t)log_lines(level));
    metrics_counter(text, "postern_log_lines_dropped_total", "Of these, lines that nobody took in time.",
                    log_dropped());
}

static void collect_postfix(struct metrics_text *text, const struct postfix_statistics *postfix)
{
    const struct labelled lookups[] = { { "found", postfix->found },
                                        { "not_found", postfix->lookups - postfix->found } };
    const struct labelled asked[] = { { "refused", postfix->refused },
                                      { "deferred", postfix->deferred },
                                      { "let_pass", postfix->asked - postfix->refused - postfix->deferred } };
    metrics_family(text, METRICS_COUNTER, "postern_postfix_lookups_total", "Questions to the socketmap.");
    add_samples(text, "result", lookups, sizeof lookups / sizeof lookups[0]);
    metrics_family(text, METRICS_COUNTER, "postern_postfix_policy_total", "Questions to the policy service.");
    add_samples(text, "result", asked, sizeof asked / sizeof asked[0]);
    metrics_gauge(text, "postern_postfix_recipients_failed", "1: the file of recipients could not be written.",
                  postfix->error != NULL);
}

void metrics_collect(struct gateway *gateway, struct strbuf *out)
{
    struct metrics_text text = { .out = out };
    const struct parts *parts = gateway_parts(gateway);
    struct gateway_status status;
    gateway_get_status(gateway, &status);
    store_begin_reading(store_reader(parts->store));
    collect_build(&text);
    metrics_collect_smtp(&text, gateway, &status);
    collect_mail(&text, &status, parts->measures);
    collect_messages(&text, &status, parts->measures);
    collect_queues(&text, gateway, &status);
    collect_health(&text, gateway);
    metrics_collect_silo(&text, gateway);
    metrics_collect_relays(&text, gateway);
    metrics_collect_store(&text, gateway);
    metrics_collect_workers(&text, gateway, &status);
    collect_postfix(&text, &status.postfix);
    collect_sign_ins(&text, parts->measures);
    collect_log(&text);
    metrics_collect_process(&text, gateway);
    store_end_reading(store_reader(parts->store));
}
