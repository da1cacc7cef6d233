/* admin_audit.c - audit list, verify and head: who did what, and whether anybody has changed what it says */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/admin_command.h"
#include "gateway/admin_output.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/parts.h"
#include "mapping/store_audit.h"

enum { LIMIT = 100, LIMIT_MAX = 5000, PAGE = 1000, HEAD_MAX = 100 };

/* ---- what administrators do ---- */

int admin_audit_add(struct store_db *db, const struct admin_request *request, struct store_audit_new act)
{
    const struct store_actor actor = admin_actor(request);
    act.actor = &actor;
    return store_audit_add(db, &act);
}

/* ---- list ---- */

struct listing {
    struct admin_request *request;
    const char *object, *actor; /* NULL: any */
    int64_t since, limit, from_id;
    bool newest_first;
    int64_t before_id, last_id; /* newest first: where to go on, and what was shown last */
    int64_t seen;               /* of this page */
    int64_t seen_since;         /* of these, that are not too old */
    int64_t shown;
    bool more;
};

static void add_row(const struct store_audit *audit, void *ctx)
{
    struct listing *listing = ctx;
    struct admin_output *out = listing->request->output;
    listing->seen++;
    listing->from_id = audit->id + 1; /* a page may have left out any number of older rows */
    listing->before_id = audit->id;
    if (audit->at < listing->since)
        return;
    listing->seen_since++;
    if (listing->actor && !strstr(audit->actor, listing->actor))
        return;
    if (listing->shown == listing->limit) {
        listing->more = true;
        return;
    }
    listing->shown++;
    listing->last_id = audit->id;
    admin_output_row(out);
    admin_output_int(out, "id", audit->id);
    admin_output_time(out, "at", audit->at);
    admin_output_string(out, "actor", audit->actor);
    admin_output_string(out, "channel", audit->channel);
    admin_output_string(out, "action", audit->action);
    admin_output_string(out, "object", audit->object);
    admin_output_string(out, "before", audit->before[0] ? audit->before : NULL);
    admin_output_string(out, "after", audit->after[0] ? audit->after : NULL);
    admin_output_string(out, "reason", audit->reason[0] ? audit->reason : NULL);
    if (listing->request->json)
        admin_output_string(out, "hash", audit->hash);
    admin_output_end(out);
}

/* "7d" is until now, "2027-01-31" from the beginning of that day (UTC), or a full RFC 3339 time. */
static int read_since(const char *text, int64_t now, int64_t *since_out)
{
    struct strbuf full;
    if (config_parse_duration(text, since_out) == 1) {
        *since_out = now - *since_out;
        return 1;
    }
    strbuf_init(&full, 40);
    strbuf_add_fmt(&full, strlen(text) == 10 ? "%sT00:00:00Z" : "%s", text);
    int result = strbuf_ok(&full) ? clock_parse_rfc3339(full.data, since_out) : -1;
    strbuf_free(&full);
    return result;
}

/* NULL, or what is wrong with them. */
static const char *read_order(struct listing *listing)
{
    const char *order = admin_option(listing->request, "--order"), *before = admin_option(listing->request, "--before");
    size_t len = before ? strlen(before) : 0;
    listing->newest_first = before || (order && strcmp(order, "newest") == 0);
    if (order && strcmp(order, "newest") != 0 && (before || strcmp(order, "oldest") != 0))
        return before ? "--before goes with --order newest" : "--order takes newest or oldest";
    listing->before_id = INT64_MAX;
    if (before)
        listing->before_id = len > 0 && len < 19 && strspn(before, "0123456789") == len ? strtoll(before, NULL, 10) : 0;
    return listing->before_id < 1 ? "--before takes the number of a row" : NULL;
}

/* NULL, or what is wrong with the options. */
static const char *read_options(struct listing *listing)
{
    const struct admin_request *request = listing->request;
    const char *since = admin_option(request, "--since"), *limit = admin_option(request, "--limit");
    listing->object = admin_option(request, "--object");
    listing->actor = admin_option(request, "--actor");
    listing->limit = LIMIT;
    if (since && read_since(since, admin_now(request), &listing->since) < 0)
        return "--since takes a duration such as 7d, or a date such as 2027-01-31";
    const char *wrong = read_order(listing);
    if (wrong || !limit)
        return wrong;
    size_t len = strlen(limit);
    listing->limit = len > 0 && len < 7 && strspn(limit, "0123456789") == len ? strtoll(limit, NULL, 10) : 0;
    return listing->limit < 1 || listing->limit > LIMIT_MAX ? "--limit takes a number from 1 to 5000" : NULL;
}

/* One page; on the committer, like all that may be long. */
static int look_at_page(struct store_db *db, void *arg)
{
    struct listing *listing = arg;
    listing->seen = listing->seen_since = 0;
    if (listing->newest_first)
        return store_audit_list_back(db, listing->object, listing->before_id, PAGE, add_row, listing);
    return listing->object ? store_audit_list_about(db, listing->object, add_row, listing)
                           : store_audit_list(db, listing->since, listing->from_id, PAGE, add_row, listing);
}

/* Rows come in the order of time, unless the clock was set back: a whole page of rows that are too old is enough of them. */
static bool goes_on(const struct listing *listing)
{
    if (listing->more || listing->seen < PAGE)
        return false;
    return listing->newest_first ? listing->seen_since > 0 : !listing->object;
}

static void page_done(int result, void *arg)
{
    struct listing *listing = arg;
    struct admin_request *request = listing->request;
    if (result == 1 && goes_on(listing)) {
        store_submit(gateway_parts(request->gateway)->store, look_at_page, page_done, listing);
        return;
    }
    if (result == 1) {
        admin_output_end(request->output);
        admin_output_bool(request->output, "more", listing->more);
        if (listing->newest_first && listing->more)
            admin_output_int(request->output, "more_before", listing->last_id);
        admin_finish(request);
    } else {
        admin_database_error(request);
    }
    free(listing);
}

/* Without --since and --actor the newest are shown. */
static int find_first(struct listing *listing)
{
    char hash[DIGEST_HEX_SIZE];
    int64_t newest;
    listing->from_id = 1;
    if (listing->newest_first || listing->since || listing->actor || listing->object)
        return 1;
    if (store_audit_head(admin_reader(listing->request), &newest, hash) < 0)
        return -1;
    if (newest > listing->limit)
        listing->from_id = newest - listing->limit + 1;
    return 1;
}

void admin_audit_list(struct admin_request *request)
{
    struct listing *listing = xcalloc(1, sizeof *listing);
    listing->request = request;
    const char *wrong = read_options(listing);
    if (wrong) {
        admin_misused(request, "%s", wrong);
        free(listing);
    } else if (find_first(listing) < 0) {
        admin_database_error(request);
        free(listing);
    } else {
        admin_output_list(request->output, "audit");
        store_submit(gateway_parts(request->gateway)->store, look_at_page, page_done, listing);
    }
}

/* ---- verify ---- */

struct verification {
    struct admin_request *request;
    struct store_audit_check check;
    int64_t kept_id; /* of a head that was kept elsewhere; 0: none is given */
    char kept_hash[DIGEST_HEX_SIZE];
    bool was_met;
};

/* "ID:HASH", as audit head prints it. */
static bool read_head(const char *text, struct verification *verification)
{
    const char *colon = strchr(text, ':');
    size_t digits = colon ? (size_t)(colon - text) : 0;
    if (digits == 0 || digits > 18 || strspn(text, "0123456789") != digits ||
        strlen(colon + 1) != DIGEST_HEX_SIZE - 1 || strspn(colon + 1, "0123456789abcdef") != DIGEST_HEX_SIZE - 1)
        return false;
    verification->kept_id = strtoll(text, NULL, 10);
    memcpy(verification->kept_hash, colon + 1, DIGEST_HEX_SIZE);
    return verification->kept_id > 0;
}

/* Not beyond the row of the kept head: its hash must be seen. */
static int check_page(struct store_db *db, void *arg)
{
    struct verification *verification = arg;
    struct store_audit_check *check = &verification->check;
    int64_t left = verification->kept_id - check->id;
    int more = store_audit_check_more(db, left > 0 && left < PAGE ? left : PAGE, check);
    if (more >= 0 && check->id == verification->kept_id)
        verification->was_met = strcmp(check->hash, verification->kept_hash) == 0;
    return more < 0 ? -1 : 1;
}

static void answer(struct verification *verification)
{
    struct admin_request *request = verification->request;
    const struct store_audit_check *check = &verification->check;
    if (check->wrong_id) {
        log_error("audit.broken", "row=%" PRId64, check->wrong_id);
        admin_refuse(request,
                     "row %" PRId64 " of the audit log is not as it was written, or is missing; the %" PRId64
                     " rows before it are right",
                     check->wrong_id, check->id);
    } else if (verification->kept_id && !verification->was_met) {
        log_error("audit.broken", "row=%" PRId64, verification->kept_id);
        admin_refuse(request,
                     verification->kept_id > check->id
                         ? "the audit log ends with row %2$" PRId64 "; row %1$" PRId64 ", whose hash was kept, is gone"
                         : "row %1$" PRId64 " has another hash than the one that was kept: the log was written anew",
                     verification->kept_id, check->id);
    } else {
        admin_output_int(request->output, "rows", check->id);
        admin_output_string(request->output, "head", check->id ? check->hash : NULL);
        admin_output_bool(request->output, "intact", true);
        admin_finish(request);
    }
    free(verification);
}

static void page_checked(int result, void *arg)
{
    struct verification *verification = arg;
    struct admin_request *request = verification->request;
    char hash[DIGEST_HEX_SIZE];
    int64_t newest;
    if (result == 1 && store_audit_head(admin_reader(request), &newest, hash) < 0)
        result = -1;
    if (result != 1) {
        admin_database_error(request);
        free(verification);
    } else if (!verification->check.wrong_id && verification->check.id < newest) {
        store_submit(gateway_parts(request->gateway)->store, check_page, page_checked, verification);
    } else {
        answer(verification);
    }
}

void admin_audit_verify(struct admin_request *request)
{
    struct verification *verification = xcalloc(1, sizeof *verification);
    const char *head = admin_option(request, "--head");
    verification->request = request;
    if (head && !read_head(head, verification)) {
        admin_misused(request, "--head takes what \"audit head\" has printed: a number, a colon and 64 digits");
        free(verification);
        return;
    }
    store_submit(gateway_parts(request->gateway)->store, check_page, page_checked, verification);
}

/* ---- head ---- */

void admin_audit_head(struct admin_request *request)
{
    char hash[DIGEST_HEX_SIZE], head[HEAD_MAX];
    int64_t id;
    if (store_audit_head(admin_reader(request), &id, hash) < 0) {
        admin_database_error(request);
        return;
    }
    snprintf(head, sizeof head, "%" PRId64 ":%s", id, hash);
    admin_output_string(request->output, "head", id ? head : NULL);
    admin_output_time(request->output, "at", admin_now(request));
    admin_finish(request);
}
