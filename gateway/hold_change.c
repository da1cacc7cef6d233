/* hold_change.c - see hold.h: decisions about held mail, on the committer; and whom to tell of it */
#include <inttypes.h>
#include <stdlib.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/hold_contact.h"
#include "gateway/hold_internal.h"
#include "gateway/parts.h"
#include "gateway/report.h"
#include "mapping/store_mapping.h"
#include "mapping/store_trace.h"
#include "mapping/subject.h"

enum { PAGE = 200, CONTACTS = 100, STORY_MAX = 1500 };

const struct hold_end hold_end_expired = {
    .event = "expired",
    .status = "5.7.1",
    .explanation = "nobody here has decided in time whether you may write to this address"
};
const struct hold_end hold_end_dropped = { .event = "dropped",
                                           .status = "5.7.1",
                                           .explanation = "an administrator has decided not to deliver it" };

/* The message ids that a report names are sealed; without the key there is a report without them. */
static int report(struct store_db *db, const struct hold *hold, const struct store_held *held,
                  const struct store_inbound *row, const struct hold_end *end, int64_t now, bool *reported_out)
{
    struct hold_facts facts;
    bool known = hold_read_facts(hold, held, &facts) == 1;
    int result = report_add_of_held(db, hold->parts->reporter, row, known ? facts.message_id : NULL, end->status,
                                    end->explanation, now, reported_out);
    if (known)
        hold_facts_free(&facts);
    return result;
}

int hold_drop(struct store_db *db, const struct hold *hold, int64_t inbound_id, const struct hold_end *end, int64_t now,
              bool *reported_out)
{
    struct store_held held;
    struct store_inbound row = { 0 };
    *reported_out = false;
    int result = store_held_find(db, inbound_id, &held);
    if (result == 1)
        result = store_inbound_find(db, inbound_id, &row) == 1 ? 1 : -1;
    if (result == 1)
        result = store_trace_add(db, STORE_QUEUE_IN, inbound_id, now, end->event, "%s", end->story);
    if (result == 1)
        result = report(db, hold, &held, &row, end, now, reported_out);
    if (result == 1)
        result = store_held_drop(db, inbound_id) == 1 ? 1 : -1;
    store_held_free(&held);
    store_inbound_free(&row);
    return result;
}

/* Its author gets an alias, as whoever is let in. */
static int release(struct store_db *db, const struct store_held *held, bool is_once, int64_t now)
{
    int64_t correspondent_id;
    int result = store_held_release(db, held->inbound_id, is_once, now);
    if (result != 1)
        return result;
    if (store_correspondent_ensure(db, held->author, now, &correspondent_id) != 1 ||
        store_correspondent_set_wants_alias(db, correspondent_id) < 0)
        return -1;
    return 1;
}

int hold_release(struct store_db *db, int64_t inbound_id, const char *who, int64_t now)
{
    struct store_held held;
    int result = store_held_find(db, inbound_id, &held);
    if (result == 1)
        result = release(db, &held, true, now);
    if (result == 1)
        result = store_trace_add(db, STORE_QUEUE_IN, inbound_id, now, "released", "by %s: this message alone", who);
    store_held_free(&held);
    return result;
}

/* ---- what the rules say now ---- */

static int let_go(struct store_db *db, const struct store_held *held, const struct policy_verdict *verdict, int64_t now,
                  struct hold_outcome *out)
{
    int result = release(db, held, false, now);
    if (result == 1)
        result = store_trace_add(db, STORE_QUEUE_IN, held->inbound_id, now, "released", "%s", verdict->reason);
    out->released += result == 1;
    return result;
}

static int turn_down(struct store_db *db, const struct hold *hold, const struct store_held *held,
                     const struct policy_verdict *verdict, int64_t now, struct hold_outcome *out)
{
    bool reported;
    const struct hold_end end = { .event = "refused",
                                  .story = verdict->reason,
                                  .status = verdict->reply.enhanced,
                                  .explanation = verdict->reply.text };
    int result = hold_drop(db, hold, held->inbound_id, &end, now, &reported);
    out->dropped += result == 1;
    out->reported = out->reported || (result == 1 && reported);
    return result;
}

/* Judged as mail that comes in now; what nobody has decided about stays, as does what may still be let in. */
static int decide(struct store_db *db, const struct hold *hold, const struct store_held *held, int64_t now,
                  struct hold_outcome *out)
{
    struct store_inbound row;
    struct hold_judgement judgement;
    const struct hold_rules rules = hold_rules(hold);
    int result = store_inbound_find(db, held->inbound_id, &row);
    if (result != 1)
        return -1;
    result = hold_judge(db, held, &row, &rules, now, &judgement);
    enum policy_decision decision = judgement.verdict.decision;
    if (result == 1 && decision == POLICY_ACCEPT && !judgement.is_suspended)
        result = let_go(db, held, &judgement.verdict, now, out);
    else if (result == 1 && decision == POLICY_REJECT && !judgement.is_suspended)
        result = turn_down(db, hold, held, &judgement.verdict, now, out);
    hold_judgement_free(&judgement);
    store_inbound_free(&row);
    return result < 0 ? -1 : 1;
}

static bool is_about(const struct store_mapping *mapping, const struct store_held *held)
{
    bool is_for_all = !mapping->target.member_id && !mapping->target.group_id;
    bool targets = is_for_all ? held->target.member_id != 0 : store_target_equal(mapping->target, held->target);
    return targets && subject_match(mapping->subject, true, held->author, SMTP_CASE_FOLDED, false) > 0;
}

/* mapping NULL: whatever it is that has changed. */
static int look_at(struct store_db *db, const struct hold *hold, const struct store_mapping *mapping, int64_t id,
                   int64_t now, struct hold_outcome *out)
{
    struct store_held held;
    int result = store_held_find(db, id, &held);
    if (result == 1 && (!mapping || is_about(mapping, &held)))
        result = decide(db, hold, &held, now, out);
    store_held_free(&held);
    return result < 0 ? -1 : 1;
}

int hold_look_again(struct store_db *db, const struct hold *hold, int64_t inbound_id, int64_t now,
                    struct hold_outcome *out)
{
    *out = (struct hold_outcome){ 0 };
    return look_at(db, hold, NULL, inbound_id, now, out);
}

/* Nobody who reads a list may change it: ids are collected first. */
struct page {
    int64_t ids[PAGE];
    unsigned count;
};

static void collect(int64_t inbound_id, void *ctx)
{
    struct page *page = ctx;
    page->ids[page->count++] = inbound_id;
}

int hold_on_mapping(struct store_db *db, const struct hold *hold, const struct store_mapping *mapping, int64_t now,
                    struct hold_outcome *out)
{
    struct page page;
    int64_t cursor = 0;
    *out = (struct hold_outcome){ 0 };
    if (mapping->state == STORE_MAPPING_REQUESTED || mapping->state == STORE_MAPPING_SUSPENDED)
        return 1;
    do {
        page.count = 0;
        if (store_held_list_waiting(db, cursor, PAGE, collect, &page) != 1)
            return -1;
        for (unsigned i = 0; i < page.count; i++)
            if (look_at(db, hold, mapping, cursor = page.ids[i], now, out) < 0)
                return -1;
    } while (page.count == PAGE);
    return 1;
}

/* ---- first contacts ---- */

struct contacts {
    bool (*skip)(int64_t inbound_id, void *ctx);
    void *ctx;
    struct hold_contact *out;
    char *author;
};

static void take_contact(const struct store_contact *contact, void *ctx)
{
    struct contacts *contacts = ctx;
    if (contacts->out->inbound_id || contacts->skip(contact->inbound_id, contacts->ctx))
        return;
    contacts->out->inbound_id = contact->inbound_id;
    contacts->out->alias = xstrdup(contact->member_alias);
    contacts->author = xstrdup(contact->author);
}

int hold_find_contact(const struct hold *hold, struct store_db *db, bool (*skip)(int64_t inbound_id, void *ctx),
                      void *ctx, struct hold_contact *out)
{
    struct contacts contacts = { .skip = skip, .ctx = ctx, .out = out };
    struct store_held held;
    struct hold_facts facts;
    struct strbuf text;
    *out = (struct hold_contact){ 0 };
    int result = store_contact_list_due(db, CONTACTS, take_contact, &contacts);
    if (result != 1 || !out->inbound_id)
        return result < 0 ? -1 : 0;
    bool known = store_held_find(db, out->inbound_id, &held) == 1 && hold_read_facts(hold, &held, &facts) == 1;
    strbuf_init(&text, STORY_MAX);
    hold_contact_write(contacts.author, known ? facts.subject : "", &text);
    out->text = strbuf_detach(&text);
    if (known)
        hold_facts_free(&facts);
    store_held_free(&held);
    free(contacts.author);
    return 1;
}
