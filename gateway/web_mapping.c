/* web_mapping.c - the page of one mapping: what it is, what became of it, and what can be done with it */
#include "gateway/web_mapping.h"

#include <string.h>

#include "base/strbuf.h"
#include "gateway/web.h"
#include "gateway/web_json.h"
#include "gateway/web_list.h"
#include "gateway/web_mapping_limits.h"
#include "gateway/web_page.h"

enum { URL_MAX = 4096, TITLE_MAX = 200, FLASH_MAX = 2000 };

void web_mapping_redirect(struct web_visit *visit, const struct json_t *mapping)
{
    struct strbuf path, told;
    strbuf_init(&path, TITLE_MAX);
    strbuf_init(&told, FLASH_MAX);
    strbuf_add_fmt(&path, "/mappings/%s", WEB_INT(web_json_number(mapping, "id")));
    strbuf_add_fmt(&told, "%s for %s is now %s.", web_json_text(mapping, "address"), web_json_text(mapping, "member"),
                   web_json_text(mapping, "state"));
    web_redirect(visit, path.data, true, told.data);
    strbuf_free(&path);
    strbuf_free(&told);
}

/* ---- what it is ---- */

static void add_limit_facts(struct web_html *html, const struct json_t *mapping)
{
    int64_t daily = web_json_number(mapping, "daily"), size = web_json_number(mapping, "max_size");
    const char *expires = web_json_text(mapping, "expires");
    web_page_fact_text(html, "Direction", web_json_text(mapping, "direction"));
    web_page_fact_text(html, "Until", expires ? WEB_TIME(expires) : "for ever");
    web_page_fact_text(html, "Messages a day", daily > 0 ? WEB_COUNT(daily) : "no limit");
    web_page_fact_text(html, "Largest message", size > 0 ? WEB_BYTES(size) : "the gateway's limit");
    web_page_fact_text(html, "Files", web_json_text(mapping, "attachments"));
    web_page_fact_text(html, "Proof of the sender", web_json_text(mapping, "proof"));
    web_page_fact_text(html, "Subaddresses", web_json_is(mapping, "subaddresses") ? "yes" : "no");
    web_page_fact_text(html, "Note", web_json_text(mapping, "note"));
}

static void add_facts(struct web_html *html, const struct json_t *mapping)
{
    const char *invitation = web_json_text(mapping, "invitation");
    web_page_facts(html);
    web_page_fact(html, "State");
    web_page_state(html, web_json_text(mapping, "state"));
    if (web_json_is(mapping, "superseded"))
        web_html_add(html, " <span class=\"soft\">a later one for the same two counts</span>");
    web_page_fact_end(html);
    web_page_fact_text(html, "Outside", web_json_text(mapping, "address"));
    if (web_json_has(mapping, "spelled"))
        web_page_fact_text(html, "Spelled", web_json_text(mapping, "spelled"));
    web_page_fact_text(html, "Inside", web_json_text(mapping, "member"));
    add_limit_facts(html, mapping);
    web_page_fact(html, "Asked");
    web_page_when(html, web_json_text(mapping, "created"));
    web_html_add(html, " by <bdi>%s</bdi> (%s)", web_json_text(mapping, "created_by"),
                 web_json_text(mapping, "created_via"));
    web_page_fact_end(html);
    if (web_json_has(mapping, "decided")) {
        web_page_fact(html, "Decided");
        web_page_when(html, web_json_text(mapping, "decided"));
        web_html_add(html, " by <bdi>%s</bdi>", web_json_text(mapping, "decided_by"));
        web_page_fact_end(html);
        web_page_fact_text(html, "Reason", web_json_text(mapping, "reason"));
    }
    web_page_fact_text(html, "Member told", web_json_is(mapping, "member_told") ? "yes" : "not yet");
    if (invitation) {
        web_page_fact(html, "Invitation by email");
        web_html_add(html, "<a href=\"/message?id=%u\">%s</a>", invitation, invitation);
        web_page_fact_end(html);
    }
    web_page_facts_end(html);
}

static const struct web_column history_columns[] = { { "When", WEB_COLUMN_TIGHT },
                                                     { "Who", WEB_COLUMN_LONG },
                                                     { "What", WEB_COLUMN_TIGHT },
                                                     { "It became", WEB_COLUMN_LONG },
                                                     { "Reason", WEB_COLUMN_LONG } };

static void add_change_row(struct web_html *html, const struct json_t *row, void *ctx)
{
    (void)ctx;
    web_page_time(html, &history_columns[0], web_json_text(row, "time"));
    web_page_cell(html, &history_columns[1]);
    web_html_add(html, "%s<small>%s</small>", web_json_text(row, "actor"), web_json_text(row, "channel"));
    web_page_cell_end(html, &history_columns[1]);
    web_page_text(html, &history_columns[2], web_json_text(row, "action"));
    web_page_text(html, &history_columns[3], web_json_text(row, "became"));
    web_page_text(html, &history_columns[4], web_json_text(row, "reason"));
}

static void add_history(struct web_html *html, const struct json_t *mapping)
{
    static const struct web_rows rows = { .id = "history-rows",
                                          .caption = "From the audit log, the oldest first",
                                          .columns = history_columns,
                                          .column_count = sizeof history_columns / sizeof history_columns[0],
                                          .add = add_change_row };
    web_page_section(html, "history", "History");
    web_list_rows(html, &rows, mapping, "history", NULL);
    web_html_add(html, "<p><a href=\"/audit?object=mapping%%20%u\">The same in the audit log</a></p>\n",
                 WEB_INT(web_json_number(mapping, "id")));
    web_page_section_end(html);
}

/* ---- what can be done ---- */

static const struct act {
    const char *state, *verb, *label, *confirm;
    enum web_button kind;
} acts[] = {
    { "requested", "approve", "Approve", NULL, WEB_BUTTON_MAIN },
    { "requested", "deny", "Deny", NULL, WEB_BUTTON_DANGER },
    { "approved", "suspend", "Suspend", NULL, WEB_BUTTON_PLAIN },
    { "approved", "revoke", "Revoke", "Revoke this mapping? That can't be undone; a new one can be added.",
      WEB_BUTTON_DANGER },
    { "suspended", "resume", "Resume", NULL, WEB_BUTTON_MAIN },
    { "suspended", "revoke", "Revoke", "Revoke this mapping? That can't be undone; a new one can be added.",
      WEB_BUTTON_DANGER },
};
enum { ACT_COUNT = sizeof acts / sizeof acts[0] };

static bool is_live(const char *state)
{
    for (size_t i = 0; state && i < ACT_COUNT; i++)
        if (strcmp(acts[i].state, state) == 0)
            return true;
    return false;
}

/* What can't be undone is asked about with JavaScript, and needs a mark without. */
static void add_acts(struct web_html *html, const struct web_visit *visit, const struct json_t *mapping)
{
    web_page_section(html, "acts", "Decide");
    web_page_form(html, "act-form", web_csrf(visit), web_path(visit), NULL);
    web_page_reason(html, "act-reason", "Reason, for the audit log (optional)");
    if (web_json_says(mapping, "state", "requested")) {
        web_page_fold(html, "approve-limits", "Limits, if it is approved", false);
        web_mapping_limits_add(html, WEB_MAPPING_LIMITS_APPROVAL, "approve", NULL, NULL);
        web_page_fold_end(html);
    } else {
        web_page_check(html, "sure", "sure", "yes", "Yes, revoke: it can't be undone", false);
    }
    web_html_add(html, "<div class=\"buttons\">");
    for (size_t i = 0; i < ACT_COUNT; i++)
        if (web_json_says(mapping, "state", acts[i].state))
            web_page_button(html, acts[i].kind, "act", acts[i].verb, acts[i].label, NULL);
    web_html_add(html, "</div>\n");
    web_page_form_end(html);
    web_page_section_end(html);
}

static void add_change(struct web_html *html, const struct web_visit *visit, const struct json_t *mapping)
{
    web_html_add(html, "<section aria-label=\"Change limits\">\n");
    web_page_fold(html, "change", "Change limits", false);
    web_page_form(html, "change-form", web_csrf(visit), web_path(visit), NULL);
    web_mapping_limits_add(html, WEB_MAPPING_LIMITS_CHANGE, "change", mapping, NULL);
    web_page_reason(html, "change-reason", "Reason, for the audit log (optional)");
    web_html_add(html, "<div class=\"buttons\">");
    web_page_button(html, WEB_BUTTON_MAIN, "act", "change", "Change", NULL);
    web_html_add(html, "</div>\n");
    web_page_form_end(html);
    web_page_fold_end(html);
    web_html_add(html, "</section>\n");
}

/* Of one that has ended: the form of a new one, filled in with its two sides. */
static void add_again(struct web_html *html, const struct json_t *mapping)
{
    web_html_add(html, "<p><a href=\"/mappings?subject=%u&amp;target=%u#add\">Add a new one for the same two</a></p>\n",
                 web_json_text(mapping, "address"), web_json_text(mapping, "member"));
}

static void show(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    const struct json_t *mapping = results[0].json;
    struct strbuf title;
    (void)count, (void)ctx;
    if (!mapping) {
        web_page_fail(visit, &results[0]);
        return;
    }
    strbuf_init(&title, TITLE_MAX);
    strbuf_add_fmt(&title, "Mapping %s", WEB_INT(web_json_number(mapping, "id")));
    struct web_html *html = web_page_begin(visit, title.data);
    web_html_add(html, "<p class=\"crumbs\"><a href=\"/mappings\">Mappings</a></p>\n");
    web_html_add(html, "<section aria-label=\"Facts\">\n");
    add_facts(html, mapping);
    if (!is_live(web_json_text(mapping, "state")))
        add_again(html, mapping);
    web_html_add(html, "</section>\n");
    if (is_live(web_json_text(mapping, "state"))) {
        add_acts(html, visit, mapping);
        add_change(html, visit, mapping);
    }
    add_history(html, mapping);
    web_page_end(visit, &html);
    strbuf_free(&title);
}

void web_mapping(struct web_visit *visit)
{
    struct web_words words = web_words_of("mapping", "show");
    web_words_add(&words, web_part(visit, 0));
    web_words_run(visit, &words, show, NULL);
}

static void changed(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    struct strbuf told;
    (void)count, (void)ctx;
    if (results[0].json) {
        web_mapping_redirect(visit, results[0].json);
        return;
    }
    strbuf_init(&told, FLASH_MAX);
    strbuf_add_fmt(&told, "Not done: %s.", results[0].error);
    web_redirect(visit, web_path(visit), false, told.data);
    strbuf_free(&told);
}

static const struct act *find_act(const char *verb)
{
    for (size_t i = 0; verb && i < ACT_COUNT; i++)
        if (strcmp(acts[i].verb, verb) == 0)
            return &acts[i];
    return NULL;
}

void web_mapping_post(struct web_visit *visit)
{
    const char *verb = web_form(visit, "act");
    struct web_words words = web_words_of("mapping", verb);
    const struct act *act = find_act(verb);
    bool is_change = verb && strcmp(verb, "change") == 0;
    size_t limits = 0;
    if (!act && !is_change) {
        web_answer_error(visit, 400, "This form was not sent as the page has it.");
        return;
    }
    if (act && act->confirm && !web_form(visit, "sure")) {
        web_redirect(visit, web_path(visit), false, "Not revoked: tick \"Yes, revoke\" too, since it can't be undone.");
        return;
    }
    if (is_change || strcmp(act->verb, "approve") == 0)
        limits = web_mapping_limits_take(visit, &words);
    if (is_change && limits == 0) {
        web_redirect(visit, web_path(visit), false, "Nothing was changed: all limits are as they were.");
        return;
    }
    web_words_option(&words, "--reason", web_form(visit, "reason"));
    web_words_add(&words, web_part(visit, 0));
    web_words_run(visit, &words, changed, NULL);
}
