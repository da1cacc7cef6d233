/* web_mappings.c - the list at the door: look for mappings, try whether an address would get through, add and block */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/strbuf.h"
#include "gateway/web.h"
#include "gateway/web_json.h"
#include "gateway/web_mapping.h"
#include "gateway/web_mapping_limits.h"
#include "gateway/web_page.h"

enum { WORDS_MAX = WEB_MAPPING_LIMITS_WORDS_MAX + 12, URL_MAX = 8192 };
#define SHOWN_TEXT "100"

/* ---- looking ---- */

enum column { ID, OUTSIDE, INSIDE, DIRECTION, STATE, UNTIL, LIMITS, COLUMN_COUNT };
static const struct web_column columns[COLUMN_COUNT] = {
    [ID] = { "No.", WEB_COLUMN_TIGHT },       [OUTSIDE] = { "Outside", WEB_COLUMN_ADDRESS },
    [INSIDE] = { "Inside", WEB_COLUMN_LONG }, [DIRECTION] = { "Direction", WEB_COLUMN_TIGHT },
    [STATE] = { "State", WEB_COLUMN_TIGHT },  [UNTIL] = { "Until", WEB_COLUMN_TIGHT },
    [LIMITS] = { "Limits", WEB_COLUMN_LONG },
};

static const struct web_choice states[] = {
    { "", "any" },          { "requested", "requested" }, { "approved", "approved" }, { "suspended", "suspended" },
    { "denied", "denied" }, { "revoked", "revoked" },     { "expired", "expired" },   { NULL, NULL }
};

static void add_filters(struct web_html *html, const struct web_visit *visit)
{
    web_page_search(html, "mapping-filters", "/mappings");
    web_page_field(html, &(struct web_field){ .id = "filter-search",
                                              .name = "search",
                                              .label = "Part of an address or a name",
                                              .value = web_query(visit, "search"),
                                              .type = "search",
                                              .longest = 320 });
    web_page_field(html, &(struct web_field){ .id = "filter-state",
                                              .name = "state",
                                              .label = "State",
                                              .value = web_query(visit, "state"),
                                              .choices = states });
    web_page_field(html, &(struct web_field){ .id = "filter-member",
                                              .name = "member",
                                              .label = "Member, group or all",
                                              .value = web_query(visit, "member"),
                                              .longest = 320 });
    web_page_field(html, &(struct web_field){ .id = "filter-address",
                                              .name = "address",
                                              .label = "Whole address or pattern",
                                              .value = web_query(visit, "address"),
                                              .longest = 320 });
    web_page_button(html, WEB_BUTTON_PLAIN, NULL, NULL, "Show", NULL);
    web_page_form_end(html);
}

static void add_limits(struct web_html *html, const struct json_t *row)
{
    const char *attachments = web_json_text(row, "attachments"), *proof = web_json_text(row, "proof");
    const char *note = web_json_text(row, "note");
    int64_t daily = web_json_number(row, "daily"), size = web_json_number(row, "max_size");
    bool has_files_rule = attachments && strcmp(attachments, "yes") != 0;
    bool has_proof = proof && strcmp(proof, "default") != 0;
    web_page_cell(html, &columns[LIMITS]);
    if (daily > 0)
        web_html_add(html, "<span class=\"item\">%s a day</span> ", WEB_INT(daily));
    if (size > 0)
        web_html_add(html, "<span class=\"item\">up to %s</span> ", WEB_BYTES(size));
    if (has_files_rule)
        web_html_add(html, "<span class=\"item\">files: %s</span> ", attachments);
    if (has_proof)
        web_html_add(html, "<span class=\"item\">proof: %s</span> ", proof);
    if (web_json_is(row, "subaddresses"))
        web_html_add(html, "<span class=\"item\">with subaddresses</span> ");
    if (note)
        web_html_add(html, "<small>%s</small>", note);
    if (daily <= 0 && size <= 0 && !has_files_rule && !has_proof && !web_json_is(row, "subaddresses") && !note)
        web_html_add(html, "<span class=\"none\">\xE2\x80\x93</span>");
    web_page_cell_end(html, &columns[LIMITS]);
}

static void add_row(struct web_html *html, const struct json_t *row)
{
    const char *id = WEB_INT(web_json_number(row, "id")), *spelled = web_json_text(row, "spelled");
    web_page_row(html);
    web_page_cell(html, &columns[ID]);
    web_html_add(html, "<a href=\"/mappings/%u\">%s</a>", id, id);
    web_page_cell_end(html, &columns[ID]);
    web_page_cell(html, &columns[OUTSIDE]);
    web_html_add(html, "<a href=\"/mappings/%u\">%s</a>", id, web_json_text(row, "address"));
    if (spelled)
        web_html_add(html, "<small>%s</small>", spelled);
    web_page_cell_end(html, &columns[OUTSIDE]);
    web_page_text(html, &columns[INSIDE], web_json_text(row, "member"));
    web_page_text(html, &columns[DIRECTION], web_json_text(row, "direction"));
    web_page_cell(html, &columns[STATE]);
    web_page_state(html, web_json_text(row, "state"));
    if (web_json_is(row, "superseded"))
        web_html_add(html, "<small>a later one counts</small>");
    web_page_cell_end(html, &columns[STATE]);
    web_page_time(html, &columns[UNTIL], web_json_text(row, "expires"));
    add_limits(html, row);
    web_page_row_end(html);
}

static const char *const filters[] = { "search", "state", "member", "address" };
enum { FILTER_COUNT = sizeof filters / sizeof filters[0] };

/* The same list, behind this id. */
static void add_next(struct web_html *html, const struct web_visit *visit, int64_t after)
{
    struct strbuf url;
    strbuf_init(&url, URL_MAX);
    strbuf_add_fmt(&url, "/mappings?after=%s", WEB_INT(after));
    for (size_t i = 0; i < FILTER_COUNT; i++) {
        const char *value = web_query(visit, filters[i]);
        if (!value || !value[0])
            continue;
        strbuf_add_fmt(&url, "&%s=", filters[i]);
        web_url_add(&url, value);
    }
    if (strbuf_ok(&url))
        web_page_more(html, url.data, "Next page");
    strbuf_free(&url);
}

static bool is_filtered(const struct web_visit *visit)
{
    for (size_t i = 0; i < FILTER_COUNT; i++) {
        const char *value = web_query(visit, filters[i]);
        if (value && value[0])
            return true;
    }
    return false;
}

static void add_list(struct web_html *html, const struct web_visit *visit, const struct web_result *result)
{
    size_t count = web_json_count(result->json, "mappings");
    if (!result->json)
        web_page_note(html, WEB_BAD, result->error);
    else if (count == 0)
        web_page_empty(html, is_filtered(visit) || web_query(visit, "after") ? "No mapping is like that."
                                                                             : "There is no mapping yet.");
    else
        web_page_table(html, "mappings", "Mappings, by number", columns, COLUMN_COUNT);
    for (size_t i = 0; i < count; i++)
        add_row(html, web_json_row(result->json, "mappings", i));
    if (count > 0)
        web_page_table_end(html);
    if (web_json_number(result->json, "more_after") > 0)
        add_next(html, visit, web_json_number(result->json, "more_after"));
}

/* ---- would it get through? ---- */

static void add_test_form(struct web_html *html, const struct web_visit *visit)
{
    static const struct web_choice directions[] = { { "in", "from outside" }, { "out", "to outside" }, { NULL, NULL } };
    web_page_search(html, "mapping-test", "/mappings");
    web_page_field(html, &(struct web_field){ .id = "test-address",
                                              .name = "test",
                                              .label = "Address outside",
                                              .value = web_query(visit, "test"),
                                              .type = "email",
                                              .is_required = true,
                                              .longest = 320 });
    web_page_field(html, &(struct web_field){ .id = "test-to",
                                              .name = "to",
                                              .label = "Member, group or address of ours",
                                              .value = web_query(visit, "to"),
                                              .is_required = true,
                                              .longest = 320 });
    web_page_field(html, &(struct web_field){ .id = "test-direction",
                                              .name = "direction",
                                              .label = "Way",
                                              .value = web_query(visit, "direction"),
                                              .choices = directions });
    web_page_field(html, &(struct web_field){ .id = "test-size",
                                              .name = "size",
                                              .label = "Size, such as 10M (optional)",
                                              .value = web_query(visit, "size"),
                                              .longest = 12 });
    web_page_button(html, WEB_BUTTON_PLAIN, NULL, NULL, "Try", NULL);
    web_page_form_end(html);
}

static void add_verdict(struct web_html *html, const struct json_t *answer)
{
    static const struct web_column looked[] = { { "No.", WEB_COLUMN_TIGHT },   { "Outside", WEB_COLUMN_ADDRESS },
                                                { "Inside", WEB_COLUMN_LONG }, { "Direction", WEB_COLUMN_TIGHT },
                                                { "State", WEB_COLUMN_TIGHT }, { "Decides", WEB_COLUMN_TIGHT } };
    size_t count = web_json_count(answer, "looked_at");
    web_html_add(html, "<div id=\"test-verdict\">");
    web_page_facts(html);
    web_page_fact(html, "It would be");
    web_page_state(html, web_json_text(answer, "verdict"));
    web_page_fact_end(html);
    web_page_fact_text(html, "Because", web_json_text(answer, "why"));
    web_page_fact_text(html, "If proven by", web_json_text(answer, "proof"));
    web_page_fact_text(html, "The sender would be told", web_json_text(answer, "reply"));
    web_page_facts_end(html);
    if (count > 0)
        web_page_table(html, "looked-at", "Mappings that were looked at", looked, sizeof looked / sizeof looked[0]);
    for (size_t i = 0; i < count; i++) {
        const struct json_t *row = web_json_row(answer, "looked_at", i);
        const char *id = WEB_INT(web_json_number(row, "id"));
        web_page_row(html);
        web_page_cell(html, &looked[0]);
        web_html_add(html, "<a href=\"/mappings/%u\">%s</a>", id, id);
        web_page_cell_end(html, &looked[0]);
        web_page_text(html, &looked[1], web_json_text(row, "address"));
        web_page_text(html, &looked[2], web_json_text(row, "member"));
        web_page_text(html, &looked[3], web_json_text(row, "direction"));
        web_page_cell(html, &looked[4]);
        web_page_state(html, web_json_text(row, "state"));
        web_page_cell_end(html, &looked[4]);
        web_page_text(html, &looked[5], web_json_is(row, "decides") ? "yes" : "no");
        web_page_row_end(html);
    }
    if (count > 0)
        web_page_table_end(html);
    web_html_add(html, "</div>\n");
}

static void add_test(struct web_html *html, const struct web_visit *visit, const struct web_result *answer)
{
    web_page_section(html, "test", "Would this address get through?");
    add_test_form(html, visit);
    if (answer && answer->json)
        add_verdict(html, answer->json);
    else if (answer)
        web_page_note(html, WEB_BAD, answer->error);
    web_page_section_end(html);
}

/* ---- adding ---- */

/* refused: why the form, as it was sent, was not done; NULL: it is a new one. */
static void add_form(struct web_html *html, const struct web_visit *visit, const char *refused)
{
    const char *subject = refused ? web_form(visit, "subject") : web_query(visit, "subject");
    const char *target = refused ? web_form(visit, "target") : web_query(visit, "target");
    web_page_form(html, "mapping-add", web_csrf(visit), "/mappings", NULL);
    if (refused)
        web_page_note(html, WEB_BAD, refused);
    web_html_add(html, "<div class=\"fields\">");
    web_page_field(html, &(struct web_field){ .id = "add-subject",
                                              .name = "subject",
                                              .label = "Who is outside",
                                              .value = subject,
                                              .hint = "bob@example.com, *@partner.example, or *@*.partner.example",
                                              .is_required = true,
                                              .longest = 320 });
    web_page_field(html, &(struct web_field){ .id = "add-target",
                                              .name = "target",
                                              .label = "Whom they reach",
                                              .value = target,
                                              .hint = "A member's alias, a group's id, or all (members)",
                                              .is_required = true,
                                              .longest = 320 });
    web_page_field(html, &(struct web_field){ .id = "add-reason",
                                              .name = "reason",
                                              .label = "Reason, for the audit log (optional)",
                                              .value = refused ? web_form(visit, "reason") : NULL,
                                              .longest = 1000 });
    web_html_add(html, "</div>\n");
    web_page_fold(html, "add-limits", "Limits", refused != NULL);
    web_mapping_limits_add(html, WEB_MAPPING_LIMITS_NEW, "add", NULL, refused ? visit : NULL);
    web_page_fold_end(html);
    web_html_add(html, "<div class=\"buttons\">");
    web_page_button(html, WEB_BUTTON_MAIN, "act", "add", "Add, open at once", NULL);
    web_page_button(html, WEB_BUTTON_DANGER, "act", "block", "Block instead", NULL);
    web_html_add(html, "</div>\n");
    web_page_form_end(html);
}

static void show(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    struct web_html *html = web_page_begin(visit, "Mappings");
    const char *subject = web_query(visit, "subject");
    (void)ctx;
    web_html_add(
        html, "<p class=\"lead\">Each mapping opens or shuts the door between somebody outside and a member, a group, "
              "or all members. The most specific one counts.</p>\n");
    web_html_add(html, "<section aria-label=\"Mappings\">\n");
    add_filters(html, visit);
    add_list(html, visit, &results[0]);
    web_html_add(html, "</section>\n");
    web_html_add(html, "<section aria-label=\"Add a mapping\">\n");
    web_page_fold(html, "add", "Add a mapping", subject != NULL);
    add_form(html, visit, NULL);
    web_page_fold_end(html);
    web_html_add(html, "</section>\n");
    add_test(html, visit, count > 1 ? &results[1] : NULL);
    web_page_end(visit, &html);
}

static const char *given(const struct web_visit *visit, const char *name)
{
    const char *value = web_query(visit, name);
    return value && value[0] ? value : NULL;
}

void web_mappings(struct web_visit *visit)
{
    static const struct {
        const char *name, *option;
    } options[] = { { "search", "--search" },
                    { "state", "--state" },
                    { "member", "--member" },
                    { "address", "--address" },
                    { "after", "--after" } };
    const char *list[WORDS_MAX] = { "mapping", "list", "--limit", SHOWN_TEXT },
               *test[WORDS_MAX] = { "mapping", "test" };
    size_t count = 4, test_count = 2;
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (!given(visit, options[i].name))
            continue;
        list[count++] = options[i].option;
        list[count++] = given(visit, options[i].name);
    }
    if (given(visit, "direction")) {
        test[test_count++] = "--direction";
        test[test_count++] = given(visit, "direction");
    }
    if (given(visit, "size")) {
        test[test_count++] = "--size";
        test[test_count++] = given(visit, "size");
    }
    test[test_count++] = "--";
    test[test_count++] = given(visit, "test");
    test[test_count] = given(visit, "to");
    const struct web_order orders[] = { { .words = list }, { .words = test } };
    web_run(visit, orders, given(visit, "test") && given(visit, "to") ? 2 : 1, show, NULL);
}

static void added(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    const struct json_t *mapping = results[0].json;
    (void)count, (void)ctx;
    if (mapping) {
        web_mapping_redirect(visit, mapping);
        return;
    }
    struct web_html *html = web_page_begin(visit, "Add a mapping");
    web_html_add(html, "<section aria-label=\"Add a mapping\">\n");
    add_form(html, visit, results[0].error);
    web_html_add(html, "</section>\n");
    web_page_end_status(visit, &html, results[0].exit == ADMIN_USAGE ? 400 : 409);
}

void web_mappings_post(struct web_visit *visit)
{
    const char *act = web_form(visit, "act"), *reason = web_form(visit, "reason");
    const char *subject = web_form(visit, "subject"), *target = web_form(visit, "target");
    const char *words[WORDS_MAX] = { "mapping" };
    bool is_block = act && strcmp(act, "block") == 0;
    size_t count = 1;
    if (!act || (!is_block && strcmp(act, "add") != 0) || !subject || !target) {
        web_answer_error(visit, 400, "This form was not sent as the page has it.");
        return;
    }
    words[count++] = act;
    if (is_block) {
        const char *note = web_form(visit, "note");
        words[count++] = "--note";
        words[count++] = note ? note : "";
    } else {
        count += web_mapping_limits_take(visit, words + count);
    }
    if (reason && reason[0]) {
        words[count++] = "--reason";
        words[count++] = reason;
    }
    words[count++] = "--";
    words[count++] = subject;
    words[count] = target;
    const struct web_order order = { .words = words };
    web_run(visit, &order, 1, added, NULL);
}
