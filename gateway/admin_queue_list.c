/* admin_queue_list.c - queue list
 *
 * With 100,000 entries a look at all of them takes a second. So it is done in pages, each an operation of the committer's, with
 * mail in between; and only so many are kept as are to be shown.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "gateway/admin_output.h"
#include "gateway/admin_queue.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/parts.h"
#include "mapping/store_queue_list.h"

enum {
    LIMIT = 1000,     /* shown, unless --limit says otherwise, */
    LIMIT_MAX = 5000, /* and at most */
    PAGE = 1000,      /* entries looked at in one operation */
    PART_MAX = 320,   /* octets of --to and --from */
    PLACE_SIZE = 64,
    STEPS_MAX = 2 * (STORE_QUEUE_PENDING + 1),
};

/* What --state takes: one state, or some of the entries of two. */
static const struct state_word {
    const char *text;
    enum store_queue_state states[4];
    size_t count;
    bool is_due, is_deferred; /* only those */
} state_words[] = {
    { "waiting", { STORE_QUEUE_WAITING }, 1, false, false },
    { "routed", { STORE_QUEUE_ROUTED }, 1, false, false },
    { "held", { STORE_QUEUE_HELD }, 1, false, false },
    { "settled", { STORE_QUEUE_SETTLED }, 1, false, false },
    { "dropped", { STORE_QUEUE_DROPPED }, 1, false, false },
    { "pending", { STORE_QUEUE_PENDING }, 1, false, false },
    { "due", { STORE_QUEUE_WAITING, STORE_QUEUE_ROUTED }, 2, true, false },
    { "deferred", { STORE_QUEUE_WAITING, STORE_QUEUE_ROUTED }, 2, false, true },
};
static const struct state_word live = {
    "", { STORE_QUEUE_WAITING, STORE_QUEUE_ROUTED, STORE_QUEUE_HELD, STORE_QUEUE_PENDING }, 4, false, false
};

/* One request; the committer's while an operation runs. */
struct listing {
    struct admin_request *request;
    struct store_queue_search steps[STEPS_MAX];
    size_t step_count, step;
    int64_t cursor;
    char to[PART_MAX + 1], from[PART_MAX + 1];
    bool is_filtered; /* else the total needs no look at each entry */
    struct store_queue_summary *shown;
    size_t shown_count, limit;
    size_t last_step; /* of the last one that is shown */
    bool is_continued;
    int64_t found; /* so far */
    bool cut;      /* not all of SETTLED or DROPPED ones were looked at: nobody knows how many there are */
    bool is_failed;
    bool page_full; /* of the last operation */
    struct store_db *db;
};

static void listing_free(struct listing *listing)
{
    for (size_t i = 0; i < listing->shown_count; i++)
        store_queue_summary_free(&listing->shown[i]);
    free(listing->shown);
    free(listing);
}

static void take_found(int64_t id, void *ctx)
{
    struct listing *listing = ctx;
    struct store_queue_summary summary;
    listing->found++;
    if (listing->shown_count >= listing->limit || listing->is_failed)
        return;
    int result = store_queue_summarise(listing->db, listing->steps[listing->step].queue, id, &summary);
    if (result == 1) {
        listing->shown = xreallocarray(listing->shown, listing->shown_count + 1, sizeof *listing->shown);
        listing->shown[listing->shown_count++] = summary;
        listing->last_step = listing->step;
    }
    listing->is_failed = result < 0;
}

static int look_at_page(struct store_db *db, void *arg)
{
    struct listing *listing = arg;
    listing->db = db;
    int result = store_queue_search(db, &listing->steps[listing->step], PAGE, &listing->cursor, take_found, listing);
    listing->page_full = result == 1;
    return result < 0 || listing->is_failed ? -1 : 1;
}

/* How many there are, if none was asked for in particular. */
static int count_all(struct listing *listing, int64_t *total_out)
{
    *total_out = 0;
    for (size_t i = 0; i < listing->step_count; i++) {
        int64_t count;
        const struct store_queue_search *step = &listing->steps[i];
        if (store_queue_count(admin_reader(listing->request), step->queue, step->state, &count) < 0)
            return -1;
        *total_out += count;
    }
    return 1;
}

/* For --after: an entry's state may be another by then, so its place is said as it was. */
static void add_place(struct listing *listing)
{
    const struct store_queue_search *step = &listing->steps[listing->last_step];
    char place[PLACE_SIZE];
    if (listing->shown_count == 0)
        return;
    snprintf(place, sizeof place, "%s-%s-%" PRId64, step->queue == STORE_QUEUE_IN ? "in" : "out",
             store_queue_state_name(step->state), listing->shown[listing->shown_count - 1].id);
    admin_output_string(listing->request->output, "more_after", place);
}

static void answer(struct listing *listing)
{
    struct admin_request *request = listing->request;
    struct admin_output *out = request->output;
    int64_t total = listing->found, shown = (int64_t)listing->shown_count;
    bool is_known = listing->is_continued ? false : !listing->is_filtered || !listing->cut;
    if (is_known && !listing->is_filtered && count_all(listing, &total) < 0) {
        admin_database_error(request);
        return;
    }
    if (is_known)
        admin_output_int(out, "total", total);
    else
        admin_output_string(out, "total", NULL);
    admin_output_int(out, "shown", shown);
    bool more = is_known ? total > shown : listing->cut || listing->found > shown;
    admin_output_bool(out, "more", more);
    if (more)
        add_place(listing);
    admin_output_list(out, "queue");
    for (size_t i = 0; i < listing->shown_count; i++) {
        admin_output_row(out);
        admin_queue_add_summary(request, &listing->shown[i], false);
        admin_output_end(out);
    }
    admin_output_end(out);
    admin_finish(request);
}

/* Is there no need to look any further in this state? */
static bool is_enough(struct listing *listing)
{
    enum store_queue_state state = listing->steps[listing->step].state;
    bool is_ended = state == STORE_QUEUE_SETTLED || state == STORE_QUEUE_DROPPED;
    if (listing->shown_count < listing->limit || (listing->is_filtered && !is_ended))
        return false;
    listing->cut = true;
    return true;
}

static void page_done(int result, void *arg)
{
    struct listing *listing = arg;
    if (result != 1) {
        admin_database_error(listing->request);
        listing_free(listing);
        return;
    }
    if (!listing->page_full || is_enough(listing)) {
        listing->step++;
        listing->cursor = 0;
    }
    if (listing->step < listing->step_count) {
        store_submit(gateway_parts(listing->request->gateway)->store, look_at_page, page_done, listing);
    } else {
        answer(listing);
        listing_free(listing);
    }
}

/* What to look for, from the options. NULL, or what is wrong with them. */

static const struct state_word *find_state(const char *text)
{
    if (!text)
        return &live;
    for (size_t i = 0; i < sizeof state_words / sizeof state_words[0]; i++)
        if (strcmp(text, state_words[i].text) == 0)
            return &state_words[i];
    return NULL;
}

/* As store_queue_search wants it. */
static bool copy_lower(const char *text, char out[static PART_MAX + 1])
{
    size_t len = text ? strlen(text) : 0;
    if (len > PART_MAX || (text && len == 0))
        return false;
    for (size_t i = 0; i < len; i++)
        out[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] + ('a' - 'A')) : text[i];
    out[len] = 0;
    return true;
}

static const char *read_limit(const struct admin_request *request, struct listing *listing)
{
    const char *text = admin_option(request, "--limit");
    listing->limit = LIMIT;
    if (!text)
        return NULL;
    size_t len = strlen(text);
    listing->limit = len > 0 && len < 7 && strspn(text, "0123456789") == len ? strtoul(text, NULL, 10) : 0;
    return listing->limit == 0 || listing->limit > LIMIT_MAX ? "--limit takes a number from 1 to 5000" : NULL;
}

static const char *read_options(const struct admin_request *request, struct listing *listing,
                                struct store_queue_search *search)
{
    const char *to = admin_option(request, "--to"), *from = admin_option(request, "--from"),
               *older = admin_option(request, "--older");
    int64_t age = 0;
    *search = (struct store_queue_search){ .due_from = INT64_MIN, .due_until = INT64_MAX, .received_until = INT64_MAX };
    if (!copy_lower(to, listing->to) || !copy_lower(from, listing->from))
        return "--to and --from take a part of an address or alias";
    if (older && config_parse_duration(older, &age) < 0)
        return "--older takes a duration such as 10m, 4h or 2d";
    if (older)
        search->received_until = admin_now(request) - age;
    search->to = to ? listing->to : NULL;
    search->from = from ? listing->from : NULL;
    listing->is_filtered = to || from || older;
    return read_limit(request, listing);
}

/* Begins where another listing has ended: "in-waiting-17". */
static const char *read_place(const struct admin_request *request, struct listing *listing)
{
    const char *after = admin_option(request, "--after");
    char start[PLACE_SIZE];
    if (!after)
        return NULL;
    listing->is_continued = true;
    for (; listing->step < listing->step_count; listing->step++) {
        const struct store_queue_search *step = &listing->steps[listing->step];
        snprintf(start, sizeof start, "%s-%s-", step->queue == STORE_QUEUE_IN ? "in" : "out",
                 store_queue_state_name(step->state));
        size_t len = strlen(start), digits = strncmp(after, start, len) == 0 ? strlen(after + len) : 0;
        if (digits > 0 && digits < 19 && strspn(after + len, "0123456789") == digits) {
            listing->cursor = strtoll(after + len, NULL, 10);
            return NULL;
        }
    }
    return "--after takes what \"more_after\" has said, with the same --direction and --state";
}

static const char *read_request(const struct admin_request *request, struct listing *listing)
{
    const char *direction = admin_option(request, "--direction");
    const struct state_word *word = find_state(admin_option(request, "--state"));
    struct store_queue_search search;
    if (direction && strcmp(direction, "in") != 0 && strcmp(direction, "out") != 0)
        return "--direction takes in or out";
    if (!word)
        return "--state takes waiting, routed, held, settled, dropped, due or deferred";
    const char *wrong = read_options(request, listing, &search);
    if (wrong)
        return wrong;
    int64_t now = admin_now(request);
    if (word->is_due)
        search.due_until = now;
    if (word->is_deferred)
        search.due_from = now + 1;
    listing->is_filtered = listing->is_filtered || word->is_due || word->is_deferred;
    for (int which = STORE_QUEUE_IN; which <= STORE_QUEUE_OUT; which++) {
        if (direction && strcmp(direction, which == STORE_QUEUE_IN ? "in" : "out") != 0)
            continue;
        for (size_t i = 0; i < word->count; i++) {
            search.queue = (enum store_queue)which;
            search.state = word->states[i];
            listing->steps[listing->step_count++] = search;
        }
    }
    return read_place(request, listing);
}

void admin_queue_list(struct admin_request *request)
{
    struct listing *listing = xcalloc(1, sizeof *listing);
    listing->request = request;
    const char *wrong = read_request(request, listing);
    if (wrong) {
        listing_free(listing);
        admin_misused(request, "%s", wrong);
        return;
    }
    store_submit(gateway_parts(request->gateway)->store, look_at_page, page_done, listing);
}
