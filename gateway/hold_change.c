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

const struct hold_end hold_end_denied = { .event = "denied",
                                          .status = "5.7.1",
                                          .explanation = "it was decided here that you may not write to this address" };
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

/* ---- when a mapping has changed ---- */

struct sweep {
    struct store_db *db;
    const struct hold *hold;
    const struct store_mapping *mapping;
    const char *who;
    int64_t now;
    struct hold_outcome *outcome;
};

static bool is_about(const struct store_mapping *mapping, const struct store_held *held)
{
    bool is_for_all = !mapping->target.member_id && !mapping->target.group_id;
    bool targets = is_for_all ? held->target.member_id != 0 : store_target_equal(mapping->target, held->target);
    bool lets_in = mapping->state == STORE_MAPPING_APPROVED;
    return targets &&
           subject_match(mapping->subject, mapping->subaddresses, held->author, SMTP_CASE_FOLDED, lets_in) > 0;
}

static int let_go(const struct sweep *sweep, const struct store_held *held)
{
    int result = release(sweep->db, held, false, sweep->now);
    if (result == 1)
        result = store_trace_add(sweep->db, STORE_QUEUE_IN, held->inbound_id, sweep->now, "released",
                                 "mapping %" PRId64 " was approved by %s", sweep->mapping->id, sweep->who);
    if (result == 1)
        sweep->outcome->released++;
    return result;
}

static int turn_down(const struct sweep *sweep, const struct store_held *held)
{
    struct strbuf story;
    struct hold_end end = hold_end_denied;
    bool reported = false;
    strbuf_init(&story, STORY_MAX);
    strbuf_add_fmt(&story, "mapping %" PRId64 " was %s by %s", sweep->mapping->id,
                   store_mapping_state_name(sweep->mapping->state), sweep->who);
    end.story = story.data;
    int result = hold_drop(sweep->db, sweep->hold, held->inbound_id, &end, sweep->now, &reported);
    strbuf_free(&story);
    if (result == 1)
        sweep->outcome->dropped++;
    sweep->outcome->reported = sweep->outcome->reported || reported;
    return result;
}

static int decide(const struct sweep *sweep, int64_t inbound_id)
{
    struct store_held held;
    int result = store_held_find(sweep->db, inbound_id, &held);
    if (result == 1 && is_about(sweep->mapping, &held))
        result = sweep->mapping->state == STORE_MAPPING_APPROVED ? let_go(sweep, &held) : turn_down(sweep, &held);
    store_held_free(&held);
    return result;
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

int hold_on_mapping(struct store_db *db, const struct hold *hold, const struct store_mapping *mapping, const char *who,
                    int64_t now, struct hold_outcome *out)
{
    struct sweep sweep = { .db = db, .hold = hold, .mapping = mapping, .who = who, .now = now, .outcome = out };
    struct page page;
    *out = (struct hold_outcome){ 0 };
    bool lets_in = mapping->state == STORE_MAPPING_APPROVED && (mapping->direction & STORE_DIRECTION_IN);
    bool is_no = mapping->state == STORE_MAPPING_DENIED || mapping->state == STORE_MAPPING_REVOKED;
    if (!lets_in && !is_no)
        return 1;
    int64_t cursor = 0;
    do {
        page.count = 0;
        if (store_held_list_waiting(db, cursor, PAGE, collect, &page) != 1)
            return -1;
        for (unsigned i = 0; i < page.count; i++)
            if (decide(&sweep, cursor = page.ids[i]) < 0)
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
