/* web_requests.c - the page of what waits for a decision: who wants to reach whom, and approve or deny, one or several */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/web.h"
#include "gateway/web_json.h"
#include "gateway/web_list.h"
#include "gateway/web_mapping_limits.h"
#include "gateway/web_page.h"

enum {
    SHOWN = 50,     /* requests on a page */
    MAIL_SHOWN = 3, /* held mail of each */
    DECIDED_MAX = 100,
    NAMED_MAX = 5, /* decisions that the flash names */
    ID_SIZE = 24,
};
#define SHOWN_TEXT      "50"
#define MAIL_SHOWN_TEXT "3"

/* ---- the list ---- */

enum column { CHOOSE, ID, FROM, FOR, ASKED, MAIL, ACTS, COLUMN_COUNT };
static const struct web_column columns[COLUMN_COUNT] = {
    [CHOOSE] = { "Choose", WEB_COLUMN_TIGHT },  [ID] = { "No.", WEB_COLUMN_TIGHT },
    [FROM] = { "Outside", WEB_COLUMN_ADDRESS }, [FOR] = { "Inside", WEB_COLUMN_LONG },
    [ASKED] = { "Asked", WEB_COLUMN_LONG },     [MAIL] = { "Mail that waits", WEB_COLUMN_LONG },
    [ACTS] = { "Decide", WEB_COLUMN_ACTS },
};

static const char *how_asked(const char *channel)
{
    static const struct {
        const char *channel, *words;
    } ways[] = {
        { "mail", "by an email of their own" },
        { "silo", "in the silo" },
        { "cli", "at the command line" },
        { "web", "on this page" },
        { "gateway", "by a rule" },
    };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        if (channel && strcmp(channel, ways[i].channel) == 0)
            return ways[i].words;
    return "";
}

static void add_choice(struct web_html *html, const char *id, const char *address, const char *member)
{
    struct strbuf label;
    strbuf_init(&label, 2000);
    strbuf_add_fmt(&label, "Choose request %s: %s for %s", id, address, member);
    web_page_cell(html, &columns[CHOOSE]);
    web_page_choose(html, "id", id, label.data);
    web_page_cell_end(html, &columns[CHOOSE]);
    strbuf_free(&label);
}

static void add_decisions(struct web_html *html, const char *id, const char *address, const char *member)
{
    struct strbuf what;
    strbuf_init(&what, 2000);
    web_page_cell(html, &columns[ACTS]);
    strbuf_add_fmt(&what, "Approve request %s: %s for %s", id, address, member);
    web_page_button(html, WEB_BUTTON_MAIN, "approve", id, "Approve", what.data);
    strbuf_clear(&what);
    strbuf_add_fmt(&what, "Deny request %s: %s for %s", id, address, member);
    web_page_button(html, WEB_BUTTON_DANGER, "deny", id, "Deny", what.data);
    web_page_cell_end(html, &columns[ACTS]);
    strbuf_free(&what);
}

static void add_asked(struct web_html *html, const struct json_t *row, int64_t now)
{
    const char *note = web_json_text(row, "note"), *expires = web_json_text(row, "expires");
    const char *direction = web_json_text(row, "direction");
    web_page_cell(html, &columns[ASKED]);
    web_page_ago(html, web_json_text(row, "created"), now);
    web_html_add(html, " by <bdi>%s</bdi><small>%s</small>", web_json_text(row, "created_by"),
                 how_asked(web_json_text(row, "created_via")));
    if (direction && strcmp(direction, "both") != 0)
        web_html_add(html, "<small>direction: %s</small>", direction);
    if (expires)
        web_html_add(html, "<small>until %s</small>", WEB_TIME(expires));
    if (note)
        web_html_add(html, "<small>note: %s</small>", note);
    web_page_cell_end(html, &columns[ASKED]);
}

/* What is held for it, as far as it can be read without the approval. */
static void add_mail(struct web_html *html, const struct web_result *held)
{
    size_t count = held && held->json ? web_json_count(held->json, "held") : 0;
    web_page_cell(html, &columns[MAIL]);
    if (count == 0)
        web_html_add(html, "<span class=\"none\">none</span>");
    for (size_t i = 0; i < count && i < MAIL_SHOWN; i++) {
        const struct json_t *mail = web_json_row(held->json, "held", i);
        const char *subject = web_json_text(mail, "subject");
        if (i > 0)
            web_html_add(html, "<br>");
        web_html_add(html, "<a href=\"/held/%u\">%s</a> <span class=\"soft\">%s</span>", web_json_text(mail, "id"),
                     !web_json_is(mail, "readable") ? "(its key is lost)"
                     : subject && subject[0]        ? subject
                                                    : "(no subject)",
                     WEB_BYTES(web_json_number(mail, "size")));
    }
    if (count > MAIL_SHOWN)
        web_html_add(html, "<small><a href=\"/held\">and more</a></small>");
    web_page_cell_end(html, &columns[MAIL]);
}

/* What each row needs; they are added in the order of the mail that was asked for. */
struct showing {
    const struct web_result *held; /* of the next row; NULL: nothing was asked */
    int64_t now;
};

static void add_row(struct web_html *html, const struct json_t *row, void *ctx)
{
    struct showing *showing = ctx;
    const char *address = web_json_text(row, "address"), *member = web_json_text(row, "member");
    const char *spelled = web_json_text(row, "spelled"), *id = WEB_INT(web_json_number(row, "id"));
    add_choice(html, id, address, member);
    web_page_cell(html, &columns[ID]);
    web_words_mapping(html, web_json_number(row, "id"));
    web_page_cell_end(html, &columns[ID]);
    web_page_cell(html, &columns[FROM]);
    web_html_add(html, "%s", address);
    if (spelled)
        web_html_add(html, "<small>%s</small>", spelled);
    web_page_cell_end(html, &columns[FROM]);
    web_page_text(html, &columns[FOR], member);
    add_asked(html, row, showing->now);
    add_mail(html, showing->held);
    add_decisions(html, id, address, member);
    if (showing->held)
        showing->held++;
}

/* Reason, limits, and what is done with all that are chosen. It stands first: whoever presses Enter in a field presses the first
 * button, and that one does nothing unless something is chosen. */
static void add_bar(struct web_html *html)
{
    web_list_bar(html, "reason", "Reason, for the audit log and whoever has asked (optional)");
    web_page_button(html, WEB_BUTTON_PLAIN, "act", "approve", "Approve chosen", NULL);
    web_page_button(html, WEB_BUTTON_PLAIN, "act", "deny", "Deny chosen", NULL);
    web_list_bar_end(html, "requests-form");
    web_page_fold(html, "limits", "Limits for what is approved", false);
    web_mapping_limits_add(html, WEB_MAPPING_LIMITS_APPROVAL, "limit", NULL, NULL);
    web_page_fold_end(html);
}

static void show(struct web_visit *visit, const struct json_t *waiting, const struct web_result *held)
{
    static const struct web_list list = { .path = "/requests" };
    const struct web_rows rows = { .id = "requests",
                                   .caption = "Requests that wait, the oldest first",
                                   .columns = columns,
                                   .column_count = COLUMN_COUNT,
                                   .empty = web_query(visit, "after") ? "No more requests wait."
                                                                      : "No request waits for a decision.",
                                   .add = add_row };
    struct showing showing = { .held = held, .now = web_now(visit) };
    int64_t more = web_json_number(waiting, "more_after");
    struct web_html *html = web_page_begin(visit, "Requests");
    web_html_add(html,
                 "<p class=\"lead\">Whoever is approved can write to the member named beside them, and be written to. "
                 "A reason and limits count for all that is decided with one click.</p>\n");
    web_html_add(html, "<section aria-label=\"Requests that wait\">\n");
    web_page_form(html, "requests-form", web_csrf(visit), "/requests", NULL);
    add_bar(html);
    web_page_live(html, "requests-live");
    web_list_rows(html, &rows, waiting, "mappings", &showing);
    web_list_more(html, visit, &list, "after", more > 0 ? WEB_INT(more) : NULL, "Later requests");
    web_page_live_end(html);
    web_page_form_end(html);
    web_html_add(html, "</section>\n");
    web_page_end(visit, &html);
}

static void show_with_mail(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    json_t *list = ctx;
    (void)count;
    show(visit, list, results);
    json_decref(list);
}

/* The mail of each is asked for one by one: an index finds it, however much is held. */
static void find_mail(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    (void)count, (void)ctx;
    if (!results[0].json) {
        web_page_fail(visit, &results[0]);
        return;
    }
    size_t rows = web_json_count(results[0].json, "mappings");
    if (rows == 0) {
        show(visit, results[0].json, NULL);
        return;
    }
    struct asking {
        char id[ID_SIZE];
        const char *words[7];
    } *asking = xcalloc(rows, sizeof *asking);
    struct web_order *orders = xcalloc(rows, sizeof *orders);
    for (size_t i = 0; i < rows; i++) {
        const struct json_t *row = web_json_row(results[0].json, "mappings", i);
        snprintf(asking[i].id, sizeof asking[i].id, "%" PRId64, web_json_number(row, "id"));
        const char *const words[] = { "held", "list", "--request", asking[i].id, "--limit", "4", NULL };
        memcpy(asking[i].words, words, sizeof words);
        orders[i].words = asking[i].words;
    }
    _Static_assert(MAIL_SHOWN == 3, "one more is asked for than is shown");
    web_run(visit, orders, rows, show_with_mail, json_incref(results[0].json));
    free(orders);
    free(asking);
}

void web_requests(struct web_visit *visit)
{
    struct web_words words = web_words_of("mapping", "list");
    web_words_option(&words, "--state", "requested");
    web_words_option(&words, "--limit", SHOWN_TEXT);
    web_words_option(&words, "--after", web_query(visit, "after"));
    web_words_run(visit, &words, find_mail, NULL);
}

/* ---- decisions ---- */

/* "bob@example.com for Alice Member" */
static void add_pair(struct strbuf *out, const struct json_t *mapping)
{
    strbuf_add_fmt(out, "%s for %s", web_json_text(mapping, "address"), web_json_text(mapping, "member"));
}

static void add_done(struct strbuf *out, bool is_approval, const struct web_result *results, size_t count)
{
    size_t done = 0, named = 0;
    for (size_t i = 0; i < count; i++)
        done += results[i].json != NULL;
    if (done == 0)
        return;
    strbuf_add_str(out, is_approval ? "Approved: " : "Denied: ");
    for (size_t i = 0; i < count && named < NAMED_MAX; i++) {
        if (!results[i].json)
            continue;
        strbuf_add_str(out, named++ > 0 ? "; " : "");
        add_pair(out, results[i].json);
    }
    if (done > named)
        strbuf_add_fmt(out, "; and %zu more", done - named);
    strbuf_add_str(out, ".");
}

static void add_refused(struct strbuf *out, const struct web_result *results, size_t count)
{
    size_t named = 0, refused = 0;
    for (size_t i = 0; i < count; i++) {
        if (results[i].json)
            continue;
        if (refused++ < NAMED_MAX) {
            strbuf_add_fmt(out, "%sNot done: %s.", out->len ? "\n" : "", results[i].error);
            named++;
        }
    }
    if (refused > named)
        strbuf_add_fmt(out, "\nNot done: %zu more.", refused - named);
}

static void decided(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    const bool *is_approval = ctx;
    struct strbuf told;
    bool is_all_done = true;
    for (size_t i = 0; i < count; i++)
        is_all_done = is_all_done && results[i].json;
    strbuf_init(&told, 64 * 1024);
    add_done(&told, *is_approval, results, count);
    add_refused(&told, results, count);
    web_redirect(visit, "/requests", is_all_done, told.data);
    strbuf_free(&told);
}

/* One by the button of its row, or all that are chosen. How many; what is to be done in *is_approval_out. 0: nothing is asked for. */
static size_t take_chosen(const struct web_visit *visit, const char *ids[static DECIDED_MAX], bool *is_approval_out)
{
    const char *approve = web_form(visit, "approve"), *deny = web_form(visit, "deny"), *act = web_form(visit, "act");
    *is_approval_out = approve || (!deny && act && strcmp(act, "approve") == 0);
    if (approve || deny) {
        ids[0] = approve ? approve : deny;
        return 1;
    }
    if (!act || (!*is_approval_out && strcmp(act, "deny") != 0))
        return 0;
    return web_form_all(visit, "id", ids, DECIDED_MAX);
}

void web_requests_post(struct web_visit *visit)
{
    static const bool yes = true, no = false;
    const char *ids[DECIDED_MAX];
    bool is_approval;
    size_t count = take_chosen(visit, ids, &is_approval);
    if (count == 0) {
        web_redirect(visit, "/requests", false, "Nothing was done: no request was chosen.");
        return;
    }
    struct web_words words = web_words_of("mapping", is_approval ? "approve" : "deny");
    if (is_approval)
        (void)web_mapping_limits_take(visit, &words);
    web_words_option(&words, "--reason", web_form(visit, "reason"));
    web_words_run_each(visit, &words, ids, count, decided, (void *)(uintptr_t)(is_approval ? &yes : &no));
}
