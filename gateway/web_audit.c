/* web_audit.c - the audit log: who did what, the newest first; and whether anybody has changed it */
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/web.h"
#include "gateway/web_json.h"
#include "gateway/web_list.h"
#include "gateway/web_page.h"
#include "gateway/web_words.h"
#include "mapping/convert_utf8.h"

enum { FOLDED_FROM = 300, FOLDED_SHOWN = 120 };
#define PAGE "100"

static const struct web_filter filters[] = {
    { "--since",
      { .id = "filter-since", .name = "since", .label = "Since", .placeholder = "7d, 2027-01-31", .longest = 40 } },
    { "--object",
      { .id = "filter-object",
        .name = "object",
        .label = "About exactly",
        .type = "search",
        .placeholder = "mapping 17, member Alice, in42",
        .longest = 1000 } },
    { "--actor",
      { .id = "filter-actor", .name = "actor", .label = "By (part of a name)", .type = "search", .longest = 320 } },
};
static const struct web_list list = { "/audit", filters, sizeof filters / sizeof filters[0] };

/* ---- the rows ---- */

enum { WHEN, WHO, ACT, ABOUT, CHANGE, COLUMN_COUNT };
static const struct web_column columns[COLUMN_COUNT] = {
    [WHEN] = { "When", WEB_COLUMN_TIGHT },
    [WHO] = { "Who", WEB_COLUMN_LONG },
    [ACT] = { "Act", WEB_COLUMN_TIGHT },
    [ABOUT] = { "About", WEB_COLUMN_HEAD },
    [CHANGE] = { "What changed", WEB_COLUMN_LONG },
};

/* What is long is folded. id: of the fold, so that it stays open. */
static void add_value(struct web_html *html, const char *row, const char *value)
{
    if (strlen(value) <= FOLDED_FROM) {
        web_html_add(html, "%s", value);
        return;
    }
    char *start = xstrndup(value, convert_utf8_cut(value, strlen(value), FOLDED_SHOWN));
    web_html_add(html, "<details id=\"whole-%s\"><summary>%s...</summary>%s</details>", row, start, value);
    free(start);
}

static void add_change(struct web_html *html, const struct json_t *row)
{
    const char *before = web_json_text(row, "before"), *after = web_json_text(row, "after");
    const char *reason = web_json_text(row, "reason");
    web_page_cell(html, &columns[CHANGE]);
    if (after)
        add_value(html, WEB_INT(web_json_number(row, "id")), after);
    else if (!before && !reason)
        web_html_add(html, "<span class=\"none\">\xE2\x80\x93</span>");
    if (before)
        web_html_add(html, "<small>before: %s</small>", before);
    if (reason)
        web_html_add(html, "<small>reason: %s</small>", reason);
    web_page_cell_end(html, &columns[CHANGE]);
}

static void add_row(struct web_html *html, const struct json_t *row, void *ctx)
{
    const char *object = web_json_text(row, "object");
    (void)ctx;
    web_page_cell(html, &columns[WHEN]);
    web_page_when(html, web_json_text(row, "at"));
    web_html_add(html, "<small>row %s</small>", WEB_INT(web_json_number(row, "id")));
    web_page_cell_end(html, &columns[WHEN]);
    web_page_cell(html, &columns[WHO]);
    web_html_add(html, "%s<small>%s</small>", web_json_text(row, "actor"), web_json_text(row, "channel"));
    web_page_cell_end(html, &columns[WHO]);
    web_page_text(html, &columns[ACT], web_json_text(row, "action"));
    web_page_cell(html, &columns[ABOUT]);
    web_words_object(html, object ? object : "");
    web_page_cell_end(html, &columns[ABOUT]);
    add_change(html, row);
}

static void add_list(struct web_html *html, const struct web_visit *visit, const struct json_t *answer)
{
    static const struct web_rows rows = { .id = "audit",
                                          .caption = "Who did what, the newest first",
                                          .columns = columns,
                                          .column_count = COLUMN_COUNT,
                                          .empty = "No rows of this kind.",
                                          .add = add_row };
    web_page_live(html, "audit-live");
    web_list_rows(html, &rows, answer, "audit", NULL);
    if (web_json_has(answer, "more_before"))
        web_list_more(html, visit, &list, "before", WEB_INT(web_json_number(answer, "more_before")), "Older rows");
    web_page_live_end(html);
}

static void add_verify(struct web_html *html, const struct web_visit *visit)
{
    web_page_section(html, "verify", "Has anybody changed it?");
    web_html_add(html, "<p class=\"soft\">Each row has a hash of what it says and of the row before. All of them are "
                       "computed anew. That the newest rows are missing shows only against a head that was kept "
                       "elsewhere.</p>\n");
    web_page_form(html, "verify-form", web_csrf(visit), "/audit", NULL);
    web_html_add(html, "<div class=\"choosing\">\n");
    web_page_field(html, &(const struct web_field){ .id = "verify-head",
                                                    .name = "head",
                                                    .label = "A head that was kept (optional)",
                                                    .placeholder = "4711:3f0a...",
                                                    .longest = 100 });
    web_page_button(html, WEB_BUTTON_PLAIN, "act", "verify", "Verify", NULL);
    web_html_add(html, "</div>\n");
    web_page_form_end(html);
    web_page_section_end(html);
}

static void listed(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    (void)count;
    (void)ctx;
    bool is_good = results[0].exit == ADMIN_OK;
    struct web_html *html = web_page_begin(visit, "Audit");
    add_verify(html, visit);
    web_html_add(html, "<section aria-label=\"Audit log\">\n");
    web_list_form(html, visit, &list, "filters", "Show");
    if (is_good)
        add_list(html, visit, results[0].json);
    else
        web_page_note(html, WEB_WARNING, results[0].error);
    web_html_add(html, "</section>\n");
    web_page_end_status(visit, &html, is_good ? 200 : results[0].exit == ADMIN_USAGE ? 400 : 409);
}

void web_audit(struct web_visit *visit)
{
    struct web_words words = web_words_of("audit", "list");
    web_list_options(visit, &list, &words);
    web_words_option(&words, "--order", "newest");
    web_words_option(&words, "--before", web_query(visit, "before"));
    web_words_option(&words, "--limit", PAGE);
    web_words_run(visit, &words, listed, NULL);
}

/* ---- verify ---- */

/* Of: audit verify, audit head. */
static void verified(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    struct strbuf text;
    const char *head = web_json_text(results[1].json, "head");
    (void)count;
    (void)ctx;
    bool is_intact = results[0].exit == ADMIN_OK;
    strbuf_init(&text, WEB_FLASH_MAX);
    if (is_intact)
        strbuf_add_fmt(&text, "All %s rows are as they were written.\nThe head is %s: keep it elsewhere.",
                       WEB_COUNT(web_json_number(results[0].json, "rows")), head ? head : "not there yet");
    else
        strbuf_add_fmt(&text, "%.1500s", results[0].error);
    web_redirect(visit, "/audit", is_intact, text.data);
    strbuf_free(&text);
}

void web_audit_post(struct web_visit *visit)
{
    const char *act = web_words_given(visit, "act");
    if (!act || strcmp(act, "verify") != 0) {
        web_redirect(visit, "/audit", false, "This button is not known here.");
        return;
    }
    struct web_words verify = web_words_of("audit", "verify"), head = web_words_of("audit", "head");
    web_words_option(&verify, "--head", web_form(visit, "head"));
    const struct web_order orders[] = { web_words_order(&verify), web_words_order(&head) };
    web_run(visit, orders, 2, verified, NULL);
}
