/* policy_mapping.c - which mapping decides about two people, and what it says; see policy.h */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "gateway/policy_internal.h"
#include "mapping/subject.h"

enum { NAME_MAX_SHOWN = 256, TEXT_MAX = 4000 };

/* ---- which one ---- */

/* Higher is more specific. A mapping to all members never is about a group. 0: it is about somebody else. */
enum target_rank { TARGET_OTHER, TARGET_ALL, TARGET_ONE };

static enum target_rank rank_target(const struct store_mapping *row, struct store_target target)
{
    if (!target.member_id && !target.group_id)
        return TARGET_OTHER;
    if (!row->target.member_id && !row->target.group_id)
        return target.member_id ? TARGET_ALL : TARGET_OTHER;
    return store_target_equal(row->target, target) ? TARGET_ONE : TARGET_OTHER;
}

static bool is_anybody(const struct policy_pair *pair)
{
    return pair->address && pair->address[0];
}

static bool is_live(const struct store_mapping *row)
{
    return row->state == STORE_MAPPING_APPROVED || row->state == STORE_MAPPING_SUSPENDED;
}

static bool has_expired(const struct policy_pair *pair, const struct store_mapping *mapping)
{
    if (mapping->expires_at && mapping->expires_at <= pair->now)
        return true;
    return mapping->state == STORE_MAPPING_EXPIRED &&
           !(pair->is_queued && mapping->expires_at && !mapping->was_suspended);
}

/* May mail pass by it in this direction? */
static bool is_open(const struct policy_pair *pair, const struct store_mapping *mapping, enum store_direction direction)
{
    return mapping && (mapping->state == STORE_MAPPING_APPROVED || mapping->state == STORE_MAPPING_EXPIRED) &&
           !has_expired(pair, mapping) && (mapping->direction & direction);
}

/* Of the same subject and target: does a count rather than b? Two live ones can't be; if they were, the one that refuses. */
static bool is_before(const struct store_mapping *a, const struct store_mapping *b)
{
    if (is_live(a) != is_live(b))
        return is_live(a);
    if (is_live(a) && a->state != b->state)
        return a->state == STORE_MAPPING_SUSPENDED;
    return a->id > b->id;
}

static bool is_current(const struct policy_pair *pair, const struct store_mapping *row)
{
    if (row->state == STORE_MAPPING_REQUESTED || row->is_superseded)
        return false;
    for (size_t i = 0; i < pair->count; i++) {
        const struct store_mapping *other = &pair->rows[i];
        if (other != row && other->state != STORE_MAPPING_REQUESTED && store_target_equal(other->target, row->target) &&
            strcmp(other->subject, row->subject) == 0 && is_before(other, row))
            return false;
    }
    return true;
}

/* What refuses somebody refuses them with any detail, too: who is shut out could add one. */
static int rank_subject(const struct policy_pair *pair, const struct store_mapping *row, bool lets_in)
{
    return subject_match(row->subject, row->subaddresses || !lets_in, pair->address, pair->local_case, lets_in);
}

const struct store_mapping *policy_choose_mapping(const struct policy_pair *pair, enum store_direction direction)
{
    const struct store_mapping *best = NULL;
    int best_subject = 0, best_target = 0;
    for (size_t i = 0; i < pair->count && is_anybody(pair); i++) {
        const struct store_mapping *row = &pair->rows[i];
        bool lets_in = is_open(pair, row, direction);
        int subject = rank_subject(pair, row, lets_in), target = rank_target(row, pair->target);
        bool is_equal = subject == best_subject && target == best_target;
        bool is_better = subject > best_subject || (subject == best_subject && target > best_target) ||
                         (is_equal && best && is_open(pair, best, direction) && !lets_in);
        if (!subject || target == TARGET_OTHER || !is_better || !is_current(pair, row))
            continue;
        best = row;
        best_subject = subject;
        best_target = target;
    }
    return best;
}

/* ---- what it says ---- */

/* The length of what fits into `max` octets, in whole characters. */
static int cut(const char *text, size_t max)
{
    size_t len = strnlen(text, max + 1);
    if (len > max)
        for (len = max; len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80;)
            len--;
    return (int)len;
}

/* "mapping 7 (*@example.com to all), approved by root at 2026-11-23T06:28:25.123Z (for the year-end report)" */
static void describe(const struct store_mapping *mapping, struct strbuf *out)
{
    char when[CLOCK_RFC3339_SIZE];
    bool is_decided_later = mapping->decided_at != 0;
    clock_format_rfc3339(is_decided_later ? mapping->decided_at : mapping->created_at, when);
    strbuf_add_fmt(out, "mapping %lld (%.*s to %.*s), %s by %.*s at %s", (long long)mapping->id,
                   cut(mapping->subject, NAME_MAX_SHOWN), mapping->subject, cut(mapping->target_name, NAME_MAX_SHOWN),
                   mapping->target_name, store_mapping_state_name(mapping->state),
                   cut(is_decided_later ? mapping->decided_by : mapping->created_by, NAME_MAX_SHOWN),
                   is_decided_later ? mapping->decided_by : mapping->created_by, when);
    if (mapping->reason[0])
        strbuf_add_fmt(out, " (%.*s)", cut(mapping->reason, NAME_MAX_SHOWN), mapping->reason);
}

/* The verdict, and behind its words for the sender what only the trace says. */
static struct policy_verdict because_of(struct policy_verdict verdict, const struct store_mapping *mapping,
                                        const char *rest)
{
    struct strbuf text;
    strbuf_init(&text, TEXT_MAX);
    if (verdict.decision != POLICY_ACCEPT)
        strbuf_add_fmt(&text, "%s; ", verdict.reason);
    if (mapping)
        describe(mapping, &text);
    else
        strbuf_add_str(&text, "nobody has decided about them");
    strbuf_add_str(&text, rest);
    snprintf(verdict.reason, sizeof verdict.reason, "%.*s", cut(text.data, sizeof verdict.reason - 1), text.data);
    strbuf_free(&text);
    verdict.mapping_id = mapping ? mapping->id : 0;
    return verdict;
}

/* No mapping is named to whoever is refused, and only one that has run out is hinted at. */
static struct policy_verdict not_authorised(const struct policy_pair *pair, const struct store_mapping *mapping)
{
    const char *hint = "", *rest = "";
    bool was_approved = mapping && (is_live(mapping) || mapping->state == STORE_MAPPING_EXPIRED);
    if (was_approved && has_expired(pair, mapping)) {
        hint = " (any more)";
        rest = mapping->state == STORE_MAPPING_EXPIRED ? "" : "; its time is over";
    } else if (was_approved && !(mapping->direction & STORE_DIRECTION_IN)) {
        rest = "; it is for outgoing mail only";
    }
    return because_of(
        policy_verdict_make(POLICY_REJECT, smtp_reply_make(550, "5.7.1", "<%s> is not authorised to write to <%s>%s",
                                                           pair->outside, pair->inside, hint)),
        mapping, rest);
}

static struct policy_verdict too_large(const struct policy_pair *pair)
{
    return policy_verdict_make(
        POLICY_REJECT,
        smtp_reply_make(552, "5.3.4", "the message is larger than <%s> may send to <%s>", pair->outside, pair->inside));
}

struct policy_verdict policy_judge_pair(const struct policy_pair *pair, int64_t size, bool holds_unknown)
{
    const struct store_mapping *mapping = policy_choose_mapping(pair, STORE_DIRECTION_IN);
    if (pair->database_failed)
        return policy_database_trouble();
    if (!mapping && holds_unknown && is_anybody(pair))
        return policy_accept_because("mail of unknown authors is kept");
    if (!is_open(pair, mapping, STORE_DIRECTION_IN))
        return not_authorised(pair, mapping);
    if (mapping->max_size && size > mapping->max_size)
        return because_of(too_large(pair), mapping, "");
    return because_of(policy_accept_because("open"), mapping, "");
}

/* ---- inward, at the end of data ---- */

static enum config_proof find_required(const struct policy_delivery_facts *facts, const struct store_mapping *mapping)
{
    static const enum config_proof by_mapping[] = { [STORE_PROOF_DMARC] = CONFIG_PROOF_DMARC,
                                                    [STORE_PROOF_DKIM] = CONFIG_PROOF_DKIM,
                                                    [STORE_PROOF_NONE] = CONFIG_PROOF_NONE };
    if (!is_open(&facts->pair, mapping, STORE_DIRECTION_IN) || mapping->proof == STORE_PROOF_DEFAULT)
        return facts->proof_required;
    if (mapping->proof == STORE_PROOF_NONE && subject_kind_of(mapping->subject) != SUBJECT_ADDRESS)
        return facts->proof_required; /* the door would be open to whoever calls themselves somebody of the domain */
    return by_mapping[mapping->proof];
}

static const struct proof nothing = { .dmarc = AUTH_RESULT_NONE };

/* Two programs that answer each other keep one message going round. Put off, it would be sent again, and go on at the pace
 * of this limit for ever, with a growing queue behind it at the other side; refused for good, it ends there, and somebody
 * hears of it. */
static bool is_looping(const struct policy_delivery_facts *facts)
{
    return facts->is_generated && facts->automatic_per_hour && facts->automatic_this_hour >= facts->automatic_per_hour;
}

/* Of an open mapping. */
static struct policy_verdict judge_limits(const struct policy_delivery_facts *facts,
                                          const struct store_mapping *mapping, const char *proof)
{
    const struct policy_pair *pair = &facts->pair;
    char used[POLICY_REASON_MAX + sizeof "; "];
    if (mapping->max_size && facts->size > mapping->max_size) {
        snprintf(used, sizeof used, "; %lld octets, it lets in %lld", (long long)facts->size,
                 (long long)mapping->max_size);
        return because_of(too_large(pair), mapping, used);
    }
    if (mapping->daily && facts->accepted_today >= mapping->daily) {
        snprintf(used, sizeof used, "; %lld messages in 24 hours, it lets in %lld", (long long)facts->accepted_today,
                 (long long)mapping->daily);
        return because_of(
            policy_verdict_make(POLICY_DEFER,
                                smtp_reply_make(452, "4.2.1", "<%s> has reached the daily limit of messages to <%s>",
                                                pair->outside, pair->inside)),
            mapping, used);
    }
    if (is_looping(facts)) {
        snprintf(used, sizeof used, "; %lld automatic messages within the hour, at most %u are let in",
                 (long long)facts->automatic_this_hour, facts->automatic_per_hour);
        return because_of(policy_verdict_make(
                              POLICY_REJECT,
                              smtp_reply_make(554, "5.4.6", "too many automatic messages from <%s> to <%s> (mail loop)",
                                              pair->outside, pair->inside)),
                          mapping, used);
    }
    snprintf(used, sizeof used, "; %s", proof);
    return because_of(policy_accept_because("open"), mapping, used);
}

/* Who nothing is required of may be anybody: what is kept for a decision must be by whom it says. */
static bool is_really_proven(const struct proof *proof)
{
    return proof->is_assumed || proof->is_peer ||
           (!proof->is_unusable && (proof->dmarc == AUTH_RESULT_PASS || proof->dkim == AUTH_RESULT_PASS));
}

/* Nobody has decided about the author. */
static struct policy_verdict judge_unknown(const struct policy_delivery_facts *facts)
{
    const struct policy_pair *pair = &facts->pair;
    const struct proof *proof = facts->proof ? facts->proof : &nothing;
    if (facts->hold == POLICY_HOLD_OFF || !is_anybody(pair) || !pair->target.member_id)
        return not_authorised(pair, NULL);
    if (!is_really_proven(proof) && proof->is_temporary && !proof->is_unusable)
        return policy_judge_proof(proof, CONFIG_PROOF_DMARC, facts->from_domain);
    if (!is_really_proven(proof))
        return not_authorised(pair, NULL);
    if (facts->hold == POLICY_HOLD_SENDER_FULL)
        return policy_verdict_make(
            POLICY_DEFER,
            smtp_reply_make(452, "4.2.1", "enough mail of <%s> waits for approval already", pair->outside));
    if (facts->hold != POLICY_HOLD_ROOM)
        return policy_verdict_make(POLICY_DEFER, smtp_reply_make(452, "4.3.1", "too much mail waits for approval"));
    return because_of(policy_verdict_make(POLICY_HOLD, smtp_reply_make(250, "2.6.0", "held for approval")), NULL, "");
}

struct policy_verdict policy_judge_delivery(const struct policy_delivery_facts *facts)
{
    const struct policy_pair *pair = &facts->pair;
    if (pair->database_failed)
        return policy_database_trouble();
    const struct store_mapping *mapping = policy_choose_mapping(pair, STORE_DIRECTION_IN);
    struct policy_verdict proof =
        policy_judge_proof(facts->proof ? facts->proof : &nothing, find_required(facts, mapping), facts->from_domain);
    if (proof.decision != POLICY_ACCEPT)
        return proof;
    if (!mapping)
        return judge_unknown(facts);
    if (!is_open(pair, mapping, STORE_DIRECTION_IN))
        return not_authorised(pair, mapping);
    return judge_limits(facts, mapping, proof.reason);
}

struct policy_verdict policy_judge_changed(const char *inside)
{
    return policy_verdict_make(
        POLICY_DEFER,
        smtp_reply_make(451, "4.3.0", "who may write to <%s> has just changed, please try again", inside));
}

/* ---- without a message, and of one that was taken ---- */

/* NULL: it is open. */
static const char *why_not(const struct policy_pair *pair, const struct store_mapping *mapping,
                           enum store_direction direction)
{
    static const char *const by_state[] = {
        [STORE_MAPPING_REQUESTED] = "nobody has approved the mapping",
        [STORE_MAPPING_APPROVED] = NULL,
        [STORE_MAPPING_DENIED] = "it was denied",
        [STORE_MAPPING_SUSPENDED] = "the mapping is suspended",
        [STORE_MAPPING_REVOKED] = "the mapping was revoked",
        [STORE_MAPPING_EXPIRED] = NULL,
    };
    if (!mapping)
        return "there is no mapping";
    if (by_state[mapping->state])
        return by_state[mapping->state];
    if (has_expired(pair, mapping))
        return "the mapping has expired";
    if (mapping->direction & direction)
        return NULL;
    return direction == STORE_DIRECTION_OUT ? "the mapping is for incoming mail only"
                                            : "the mapping is for outgoing mail only";
}

bool policy_allows(const struct policy_pair *pair, enum store_direction direction, struct policy_answer *out)
{
    const struct store_mapping *mapping = pair->database_failed ? NULL : policy_choose_mapping(pair, direction);
    *out = (struct policy_answer){ .mapping_id = mapping ? mapping->id : 0 };
    out->reason = pair->database_failed ? "the database can't be read now" : why_not(pair, mapping, direction);
    out->is_allowed = !out->reason;
    out->may_change = pair->database_failed || (mapping && mapping->state == STORE_MAPPING_SUSPENDED);
    return out->is_allowed;
}
