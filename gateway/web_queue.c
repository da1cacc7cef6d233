/* web_queue.c - both queues: what waits, what is held, what has ended; trying again, holding, dropping */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "gateway/web.h"
#include "gateway/web_json.h"
#include "gateway/web_list.h"
#include "gateway/web_page.h"
#include "gateway/web_words.h"

enum { CHOSEN_MAX = WEB_ORDERS_MAX, LABEL_MAX = 60 };
#define PAGE "100"

static const struct web_choice directions[] = {
    { "", "Both" }, { "in", "Towards the silo" }, { "out", "Towards email" }, { NULL, NULL }
};
static const struct web_choice states[] = {
    { "", "Not ended" },
    { "due", "Due" },
    { "deferred", "Deferred" },
    { "held", "Held" },
    { "pending", "Awaits approval" },
    { "waiting", "Waiting, not begun" },
    { "routed", "Waiting, begun" },
    { "settled", "Settled" },
    { "dropped", "Dropped" },
    { NULL, NULL },
};

static const struct web_filter filters[] = {
    { "--direction", { .id = "filter-direction", .name = "direction", .label = "Direction", .choices = directions } },
    { "--state", { .id = "filter-state", .name = "state", .label = "State", .choices = states } },
    { "--from",
      { .id = "filter-from",
        .name = "from",
        .label = "From",
        .type = "search",
        .placeholder = "part of a name",
        .longest = 320 } },
    { "--to",
      { .id = "filter-to",
        .name = "to",
        .label = "To",
        .type = "search",
        .placeholder = "part of a name",
        .longest = 320 } },
    { "--older",
      { .id = "filter-older", .name = "older", .label = "Older than", .placeholder = "4h, 2d", .longest = 20 } },
};
static const struct web_list list = { "/queue", filters, sizeof filters / sizeof filters[0] };

/* ---- the list ---- */

enum { CHOOSE, ENTRY, WHO, STATE, CAME, ERROR, COLUMN_COUNT };
static const struct web_column columns[COLUMN_COUNT] = {
    [CHOOSE] = { "Choose", WEB_COLUMN_TIGHT }, [ENTRY] = { "Entry", WEB_COLUMN_TIGHT },
    [WHO] = { "From", WEB_COLUMN_HEAD },       [STATE] = { "State", WEB_COLUMN_TIGHT },
    [CAME] = { "Came", WEB_COLUMN_TIGHT },     [ERROR] = { "Last error", WEB_COLUMN_LONG },
};

static void add_choose(struct web_html *html, const struct json_t *row)
{
    const char *id = web_json_text(row, "id");
    char label[LABEL_MAX];
    snprintf(label, sizeof label, "Choose %s", id ? id : "");
    web_page_cell(html, &columns[CHOOSE]);
    if (web_json_has(row, "doing") && !web_json_says(row, "state", "pending"))
        web_page_choose(html, "id", id, label);
    web_page_cell_end(html, &columns[CHOOSE]);
}

/* With when it is tried next, if that is to come. */
static void add_state(struct web_html *html, const struct json_t *row, int64_t now)
{
    const char *doing = web_json_text(row, "doing");
    int64_t attempts = web_json_number(row, "attempts");
    web_page_cell(html, &columns[STATE]);
    web_page_state(html, doing ? doing : web_json_text(row, "state"));
    if (doing && strcmp(doing, "deferred") == 0)
        web_html_add(html, "<small>again %s</small>", WEB_AGO(web_json_text(row, "next_attempt"), now));
    if (attempts > 0)
        web_html_add(html, "<small>%s %s</small>", WEB_COUNT(attempts), attempts == 1 ? "attempt" : "attempts");
    web_page_cell_end(html, &columns[STATE]);
}

static void add_row(struct web_html *html, const struct json_t *row, void *ctx)
{
    const struct web_visit *visit = ctx;
    int64_t now = web_now(visit);
    add_choose(html, row);
    web_page_cell(html, &columns[ENTRY]);
    web_words_entry(html, web_json_text(row, "id"));
    web_html_add(html, "<small>%s, %s</small>", web_json_text(row, "kind"), WEB_BYTES(web_json_number(row, "size")));
    web_page_cell_end(html, &columns[ENTRY]);
    web_page_cell(html, &columns[WHO]);
    web_html_add(html, "%s<small>to %s</small>", web_json_text(row, "from"), web_json_text(row, "to"));
    web_page_cell_end(html, &columns[WHO]);
    add_state(html, row, now);
    web_page_cell_ago(html, &columns[CAME], web_json_text(row, "received"), now);
    web_page_text(html, &columns[ERROR], web_json_text(row, "last_error"));
}

static void add_entries(struct web_html *html, struct web_visit *visit, const struct json_t *answer)
{
    static const struct web_rows rows = { .id = "queue",
                                          .caption = "Entries, the oldest first; of what has ended, the newest first",
                                          .columns = columns,
                                          .column_count = COLUMN_COUNT,
                                          .empty = "Nothing of this kind is in the queues.",
                                          .add = add_row };
    web_page_live(html, "queue-live");
    web_list_rows(html, &rows, answer, "queue", visit);
    if (web_json_has(answer, "total"))
        web_html_add(html, "<p class=\"soft\">%s in all.</p>\n", WEB_COUNT(web_json_number(answer, "total")));
    if (web_json_is(answer, "more"))
        web_list_more(html, visit, &list, "after", web_json_text(answer, "more_after"), "More");
    web_page_live_end(html);
}

static void add_acts(struct web_html *html)
{
    web_list_bar(html, "reason", "Reason, which authors in the silo read (needed to drop)");
    web_page_button(html, WEB_BUTTON_PLAIN, "act", "retry", "Try chosen again", NULL);
    web_page_button(html, WEB_BUTTON_PLAIN, "act", "hold", "Hold chosen", NULL);
    web_page_button(html, WEB_BUTTON_DANGER, "act", "drop", "Drop chosen", NULL);
    web_list_bar_end(html, "queue-form");
}

static void add_retry_all(struct web_html *html, const struct web_visit *visit)
{
    web_page_section(html, "all", "All that waits");
    web_page_form(html, "retry-all", web_csrf(visit), "/queue",
                  "Try all that waits again now, in both queues? What is held stays so.");
    web_html_add(html,
                 "<div class=\"buttons\"><span class=\"soft\">After trouble is over nothing needs to wait for its "
                 "time. What is held stays so.</span>\n");
    web_page_button(html, WEB_BUTTON_PLAIN, "act", "retry-all", "Try all again now", NULL);
    web_html_add(html, "</div>\n");
    web_page_form_end(html);
    web_page_section_end(html);
}

/* Without an answer something in the filters is wrong, which can be mended there. */
static void listed(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    (void)count;
    (void)ctx;
    struct web_html *html = web_page_begin(visit, "Queue");
    web_html_add(html, "<section aria-label=\"Queue\">\n");
    web_list_form(html, visit, &list, "filters", "Show");
    if (results[0].exit != ADMIN_OK) {
        web_page_note(html, WEB_WARNING, results[0].error);
        web_html_add(html, "</section>\n");
        web_page_end_status(visit, &html, results[0].exit == ADMIN_USAGE ? 400 : 409);
        return;
    }
    char *back = web_list_address(visit, &list);
    web_page_form(html, "queue-form", web_csrf(visit), "/queue", NULL);
    web_words_no_default(html);
    web_page_hidden(html, "back", back);
    if (web_json_count(results[0].json, "queue") > 0)
        add_acts(html);
    add_entries(html, visit, results[0].json);
    web_page_form_end(html);
    web_html_add(html, "</section>\n");
    add_retry_all(html, visit);
    free(back);
    web_page_end(visit, &html);
}

void web_queue(struct web_visit *visit)
{
    struct web_words words = web_words_of("queue", "list");
    web_list_options(visit, &list, &words);
    web_words_option(&words, "--limit", PAGE);
    web_words_option(&words, "--after", web_query(visit, "after"));
    web_words_run(visit, &words, listed, NULL);
}

/* ---- acts ---- */

static const struct act {
    const char *name, *sub, *done;
    bool takes_reason, needs_reason;
} acts[] = {
    { "retry", "retry", "to be tried again now", false, false },
    { "hold", "hold", "held", true, false },
    { "drop", "drop", "dropped", true, true },
};

static const struct act *find_act(const struct web_visit *visit)
{
    const char *name = web_words_given(visit, "act");
    for (size_t i = 0; name && i < sizeof acts / sizeof acts[0]; i++)
        if (strcmp(acts[i].name, name) == 0)
            return &acts[i];
    return NULL;
}

/* Where the form was: this page with its filters, or that of a message. */
static const char *back_of(const struct web_visit *visit)
{
    static const char *const pages[] = { "/queue", "/message" };
    const char *back = web_words_given(visit, "back");
    for (size_t i = 0; back && i < sizeof pages / sizeof pages[0]; i++) {
        size_t len = strlen(pages[i]);
        if (strncmp(back, pages[i], len) == 0 && (back[len] == '\0' || back[len] == '?'))
            return back;
    }
    return pages[0];
}

static void done(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    (void)ctx;
    web_words_tell(visit, back_of(visit), find_act(visit)->done, results, count);
}

static void all_retried(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    struct strbuf text;
    (void)count;
    (void)ctx;
    strbuf_init(&text, WEB_FLASH_MAX);
    if (results[0].exit == ADMIN_OK)
        strbuf_add_fmt(&text, "%s that waited for later are tried again now; %s are held, and stay so.",
                       WEB_COUNT(web_json_number(results[0].json, "entries")),
                       WEB_COUNT(web_json_number(results[0].json, "still_held")));
    else
        strbuf_add_fmt(&text, "Not done: %.1000s", results[0].error);
    web_redirect(visit, "/queue", results[0].exit == ADMIN_OK, text.data);
    strbuf_free(&text);
}

static void retry_all(struct web_visit *visit)
{
    struct web_words words = web_words_of("queue", "retry");
    web_words_add(&words, "all");
    web_words_run(visit, &words, all_retried, NULL);
}

static void act_on(struct web_visit *visit, const struct act *act, const char *const *ids, size_t count)
{
    struct web_words words = web_words_of("queue", act->sub);
    if (act->takes_reason)
        web_words_option(&words, "--reason", web_form(visit, "reason"));
    web_words_run_each(visit, &words, ids, count, done, NULL);
}

/* One of them is "all" for the verb: that has a button of its own. */
static bool is_any_all(const char *const *ids, size_t count)
{
    bool is = false;
    for (size_t i = 0; i < count; i++)
        is = is || strcmp(ids[i], "all") == 0;
    return is;
}

void web_queue_post(struct web_visit *visit)
{
    const char *ids[CHOSEN_MAX], *name = web_words_given(visit, "act");
    const struct act *act = find_act(visit);
    size_t count = web_form_all(visit, "id", ids, CHOSEN_MAX);
    if (name && strcmp(name, "retry-all") == 0)
        retry_all(visit);
    else if (!act || is_any_all(ids, count))
        web_redirect(visit, back_of(visit), false, web_words_unknown_act(visit));
    else if (count == 0)
        web_redirect(visit, back_of(visit), false, "Nothing was chosen.");
    else if (act->needs_reason && !web_words_given(visit, "reason"))
        web_redirect(visit, back_of(visit), false, "Dropping mail needs a reason.");
    else
        act_on(visit, act, ids, count);
}
