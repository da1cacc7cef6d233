/* web_mappings.c - the list at the door: look for mappings, try whether an address would get through, add and block */
#include <string.h>

#include "gateway/web.h"
#include "gateway/web_json.h"
#include "gateway/web_list.h"
#include "gateway/web_mapping.h"
#include "gateway/web_mapping_limits.h"
#include "gateway/web_page.h"

#define PAGE "100"

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

static const struct web_filter filters[] = {
    { "--search",
      { .id = "filter-search",
        .name = "search",
        .label = "Part of an address or a name",
        .type = "search",
        .longest = 320 } },
    { "--state", { .id = "filter-state", .name = "state", .label = "State", .choices = states } },
    { "--member", { .id = "filter-member", .name = "member", .label = "Member, group or all", .longest = 320 } },
    { "--address", { .id = "filter-address", .name = "address", .label = "Whole address or pattern", .longest = 320 } },
};
static const struct web_list list = { "/mappings", filters, sizeof filters / sizeof filters[0] };

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

static void add_row(struct web_html *html, const struct json_t *row, void *ctx)
{
    int64_t id = web_json_number(row, "id");
    const char *spelled = web_json_text(row, "spelled");
    (void)ctx;
    web_page_cell(html, &columns[ID]);
    web_words_mapping(html, id);
    web_page_cell_end(html, &columns[ID]);
    web_page_cell(html, &columns[OUTSIDE]);
    web_html_add(html, "<a href=\"/mappings/%u\">%s</a>", WEB_INT(id), web_json_text(row, "address"));
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
}

static void add_list(struct web_html *html, const struct web_visit *visit, const struct web_result *result)
{
    bool is_part = web_list_is_filtered(visit, &list) || web_query(visit, "after");
    const struct web_rows rows = { .id = "mappings",
                                   .caption = "Mappings, by number",
                                   .columns = columns,
                                   .column_count = COLUMN_COUNT,
                                   .empty = is_part ? "No mapping is like that." : "There is no mapping yet.",
                                   .add = add_row };
    int64_t more = web_json_number(result->json, "more_after");
    if (result->json)
        web_list_rows(html, &rows, result->json, "mappings", NULL);
    else
        web_page_note(html, WEB_BAD, result->error);
    web_list_more(html, visit, &list, "after", more > 0 ? WEB_INT(more) : NULL, "Next page");
}

/* ---- would it get through? ---- */

static const struct web_choice ways[] = { { "in", "from outside" }, { "out", "to outside" }, { NULL, NULL } };
static const struct web_filter questions[] = {
    { NULL,
      { .id = "test-address",
        .name = "test",
        .label = "Address outside",
        .type = "email",
        .is_required = true,
        .longest = 320 } },
    { NULL,
      { .id = "test-to",
        .name = "to",
        .label = "Member, group or address of ours",
        .is_required = true,
        .longest = 320 } },
    { "--direction", { .id = "test-direction", .name = "direction", .label = "Way", .choices = ways } },
    { "--size", { .id = "test-size", .name = "size", .label = "Size, such as 10M (optional)", .longest = 12 } },
};
static const struct web_list test = { "/mappings", questions, sizeof questions / sizeof questions[0] };

static const struct web_column looked[] = { { "No.", WEB_COLUMN_TIGHT },   { "Outside", WEB_COLUMN_ADDRESS },
                                            { "Inside", WEB_COLUMN_LONG }, { "Direction", WEB_COLUMN_TIGHT },
                                            { "State", WEB_COLUMN_TIGHT }, { "Decides", WEB_COLUMN_TIGHT } };

static void add_looked_at(struct web_html *html, const struct json_t *row, void *ctx)
{
    (void)ctx;
    web_page_cell(html, &looked[0]);
    web_words_mapping(html, web_json_number(row, "id"));
    web_page_cell_end(html, &looked[0]);
    web_page_text(html, &looked[1], web_json_text(row, "address"));
    web_page_text(html, &looked[2], web_json_text(row, "member"));
    web_page_text(html, &looked[3], web_json_text(row, "direction"));
    web_page_cell_state(html, &looked[4], web_json_text(row, "state"));
    web_page_text(html, &looked[5], web_json_is(row, "decides") ? "yes" : "no");
}

static void add_verdict(struct web_html *html, const struct json_t *answer)
{
    static const struct web_rows rows = { .id = "looked-at",
                                          .caption = "Mappings that were looked at",
                                          .columns = looked,
                                          .column_count = sizeof looked / sizeof looked[0],
                                          .add = add_looked_at };
    web_html_add(html, "<div id=\"test-verdict\">");
    web_page_facts(html);
    web_page_fact_state(html, "It would be", web_json_text(answer, "verdict"));
    web_page_fact_text(html, "Because", web_json_text(answer, "why"));
    web_page_fact_text(html, "If proven by", web_json_text(answer, "proof"));
    web_page_fact_text(html, "The sender would be told", web_json_text(answer, "reply"));
    web_page_facts_end(html);
    if (web_json_count(answer, "looked_at") > 0)
        web_list_rows(html, &rows, answer, "looked_at", NULL);
    web_html_add(html, "</div>\n");
}

static void add_test(struct web_html *html, const struct web_visit *visit, const struct web_result *answer)
{
    web_page_section(html, "test", "Would this address get through?");
    web_list_form(html, visit, &test, "mapping-test", "Try");
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
    web_list_form(html, visit, &list, "mapping-filters", "Show");
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
    struct web_words words = web_words_of("mapping", "list"), question = web_words_of("mapping", "test");
    const char *address = given(visit, "test"), *to = given(visit, "to");
    web_words_option(&words, "--limit", PAGE);
    web_list_options(visit, &list, &words);
    web_words_option(&words, "--after", web_query(visit, "after"));
    if (address && to) {
        web_list_options(visit, &test, &question);
        web_words_add(&question, address);
        web_words_add(&question, to);
    }
    const struct web_order orders[] = { web_words_order(&words), web_words_order(&question) };
    web_run(visit, orders, address && to ? 2 : 1, show, NULL);
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
    const char *act = web_form(visit, "act");
    const char *subject = web_form(visit, "subject"), *target = web_form(visit, "target");
    bool is_block = act && strcmp(act, "block") == 0;
    if (!act || (!is_block && strcmp(act, "add") != 0) || !subject || !target) {
        web_answer_error(visit, 400, "This form was not sent as the page has it.");
        return;
    }
    struct web_words words = web_words_of("mapping", act);
    if (is_block) {
        const char *note = web_form(visit, "note");
        web_words_set(&words, "--note", note ? note : "");
    } else {
        (void)web_mapping_limits_take(visit, &words);
    }
    web_words_option(&words, "--reason", web_form(visit, "reason"));
    web_words_add(&words, subject);
    web_words_add(&words, target);
    web_words_run(visit, &words, added, NULL);
}
