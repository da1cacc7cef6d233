/* web_queue.c - both queues: what waits, what is held, what has ended; trying again, holding, dropping */
#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "gateway/web.h"
#include "gateway/web_json.h"
#include "gateway/web_page.h"
#include "gateway/web_words.h"

enum { CHOSEN_MAX = WEB_ORDERS_MAX, ADDRESS_MAX = 4000, LABEL_MAX = 60 };
#define PAGE "100"

/* The filters; each is an option of `queue list`, too. */
static const struct filter {
    const char *name, *option;
} filters[] = {
    { "direction", "--direction" }, { "state", "--state" }, { "to", "--to" },
    { "from", "--from" },           { "older", "--older" },
};
enum { FILTER_COUNT = sizeof filters / sizeof filters[0] };

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

static void add_filters(struct web_html *html, const struct web_visit *visit)
{
    web_page_search(html, "filters", "/queue");
    web_page_field(html, &(const struct web_field){ .id = "filter-direction",
                                                    .name = "direction",
                                                    .label = "Direction",
                                                    .value = web_query(visit, "direction"),
                                                    .choices = directions });
    web_page_field(html, &(const struct web_field){ .id = "filter-state",
                                                    .name = "state",
                                                    .label = "State",
                                                    .value = web_query(visit, "state"),
                                                    .choices = states });
    web_page_field(html, &(const struct web_field){ .id = "filter-from",
                                                    .name = "from",
                                                    .label = "From",
                                                    .value = web_query(visit, "from"),
                                                    .type = "search",
                                                    .placeholder = "part of a name",
                                                    .longest = 320 });
    web_page_field(html, &(const struct web_field){ .id = "filter-to",
                                                    .name = "to",
                                                    .label = "To",
                                                    .value = web_query(visit, "to"),
                                                    .type = "search",
                                                    .placeholder = "part of a name",
                                                    .longest = 320 });
    web_page_field(html, &(const struct web_field){ .id = "filter-older",
                                                    .name = "older",
                                                    .label = "Older than",
                                                    .value = web_query(visit, "older"),
                                                    .placeholder = "4h, 2d",
                                                    .longest = 20 });
    web_page_button(html, WEB_BUTTON_PLAIN, NULL, NULL, "Show", NULL);
    web_page_form_end(html);
}

/* The page with its filters. */
static void add_address(struct strbuf *address, const struct web_visit *visit)
{
    strbuf_add_str(address, "/queue");
    for (size_t i = 0; i < FILTER_COUNT; i++)
        web_words_query(address, filters[i].name, web_query(visit, filters[i].name));
}

/* ---- the list ---- */

enum { CHOOSE, ENTRY, WHO, STATE, CAME, ERROR, COLUMN_COUNT };
static const struct web_column columns[COLUMN_COUNT] = {
    [CHOOSE] = { "Choose", WEB_COLUMN_TIGHT }, [ENTRY] = { "Entry", WEB_COLUMN_TIGHT },
    [WHO] = { "From", WEB_COLUMN_HEAD },       [STATE] = { "State", WEB_COLUMN_TIGHT },
    [CAME] = { "Came", WEB_COLUMN_TIGHT },     [ERROR] = { "Last error", WEB_COLUMN_LONG },
};

static bool is_text(const struct json_t *row, const char *key, const char *text)
{
    const char *value = web_json_text(row, key);
    return value && strcmp(value, text) == 0;
}

static void add_choose(struct web_html *html, const struct json_t *row)
{
    const char *id = web_json_text(row, "id");
    char label[LABEL_MAX];
    snprintf(label, sizeof label, "Choose %s", id ? id : "");
    web_page_cell(html, &columns[CHOOSE]);
    if (web_json_has(row, "doing") && !is_text(row, "state", "pending"))
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

static void add_row(struct web_html *html, const struct json_t *row, int64_t now)
{
    web_page_row(html);
    add_choose(html, row);
    web_page_cell(html, &columns[ENTRY]);
    web_words_entry(html, web_json_text(row, "id"));
    web_html_add(html, "<small>%s, %s</small>", web_json_text(row, "kind"), WEB_BYTES(web_json_number(row, "size")));
    web_page_cell_end(html, &columns[ENTRY]);
    web_page_cell(html, &columns[WHO]);
    web_html_add(html, "%s<small>to %s</small>", web_json_text(row, "from"), web_json_text(row, "to"));
    web_page_cell_end(html, &columns[WHO]);
    add_state(html, row, now);
    web_page_cell(html, &columns[CAME]);
    web_page_ago(html, web_json_text(row, "received"), now);
    web_page_cell_end(html, &columns[CAME]);
    web_page_text(html, &columns[ERROR], web_json_text(row, "last_error"));
    web_page_row_end(html);
}

static void add_count(struct web_html *html, const struct json_t *list)
{
    if (web_json_has(list, "total"))
        web_html_add(html, "<p class=\"soft\">%s in all.</p>\n", WEB_COUNT(web_json_number(list, "total")));
}

static void add_list(struct web_html *html, const struct web_visit *visit, const struct json_t *list)
{
    size_t count = web_json_count(list, "queue");
    struct strbuf address;
    web_page_live(html, "queue-live");
    if (count == 0)
        web_page_empty(html, "Nothing of this kind is in the queues.");
    else
        web_page_table(html, "queue", "Entries, the oldest first; of what has ended, the newest first", columns,
                       COLUMN_COUNT);
    for (size_t i = 0; i < count; i++)
        add_row(html, web_json_row(list, "queue", i), web_now(visit));
    if (count > 0)
        web_page_table_end(html);
    add_count(html, list);
    if (web_json_is(list, "more") && web_json_has(list, "more_after")) {
        strbuf_init(&address, ADDRESS_MAX);
        add_address(&address, visit);
        web_words_query(&address, "after", web_json_text(list, "more_after"));
        web_page_more(html, address.data, "More");
        strbuf_free(&address);
    }
    web_page_live_end(html);
}

static void add_acts(struct web_html *html)
{
    web_html_add(html, "<div class=\"choosing\">\n");
    web_page_field(html, &(const struct web_field){ .id = "reason",
                                                    .name = "reason",
                                                    .label = "Reason, which authors in the silo read (needed to drop)",
                                                    .longest = 1000 });
    web_html_add(html, "<div class=\"buttons\">\n");
    web_page_button(html, WEB_BUTTON_PLAIN, "act", "retry", "Try chosen again", NULL);
    web_page_button(html, WEB_BUTTON_PLAIN, "act", "hold", "Hold chosen", NULL);
    web_page_button(html, WEB_BUTTON_DANGER, "act", "drop", "Drop chosen", NULL);
    web_html_add(html, "<span class=\"soft\" data-chosen=\"queue-form\"></span></div></div>\n");
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

/* Without a list something in the filters is wrong, which can be mended there. */
static void listed(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    struct strbuf back;
    (void)count;
    (void)ctx;
    struct web_html *html = web_page_begin(visit, "Queue");
    web_html_add(html, "<section aria-label=\"Queue\">\n");
    add_filters(html, visit);
    if (results[0].exit != ADMIN_OK) {
        web_page_note(html, WEB_WARNING, results[0].error);
        web_html_add(html, "</section>\n");
        web_page_end_status(visit, &html, results[0].exit == ADMIN_USAGE ? 400 : 409);
        return;
    }
    strbuf_init(&back, ADDRESS_MAX);
    add_address(&back, visit);
    web_page_form(html, "queue-form", web_csrf(visit), "/queue", NULL);
    web_words_no_default(html);
    web_page_hidden(html, "back", back.data);
    if (web_json_count(results[0].json, "queue") > 0)
        add_acts(html);
    add_list(html, visit, results[0].json);
    web_page_form_end(html);
    web_html_add(html, "</section>\n");
    add_retry_all(html, visit);
    strbuf_free(&back);
    web_page_end(visit, &html);
}

void web_queue(struct web_visit *visit)
{
    struct web_words words = web_words_of("queue", "list");
    for (size_t i = 0; i < FILTER_COUNT; i++)
        web_words_option(&words, filters[i].option, web_query(visit, filters[i].name));
    web_words_option(&words, "--limit", PAGE);
    web_words_option(&words, "--after", web_query(visit, "after"));
    const struct web_order order = web_words_order(&words);
    web_run(visit, &order, 1, listed, NULL);
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
    const struct web_order order = web_words_order(&words);
    web_run(visit, &order, 1, all_retried, NULL);
}

static void act_on(struct web_visit *visit, const struct act *act, const char *const *ids, size_t count)
{
    struct web_words words[CHOSEN_MAX];
    struct web_order orders[CHOSEN_MAX];
    for (size_t i = 0; i < count; i++) {
        words[i] = web_words_of("queue", act->sub);
        if (act->takes_reason)
            web_words_option(&words[i], "--reason", web_form(visit, "reason"));
        web_words_add(&words[i], ids[i]);
        orders[i] = web_words_order(&words[i]);
    }
    web_run(visit, orders, count, done, NULL);
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
