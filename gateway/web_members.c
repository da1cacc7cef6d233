/* web_members.c - members: all of them, one, and what can be done; the list of groups is here too, one group in web_group.c */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/web.h"
#include "gateway/web_group.h"
#include "gateway/web_json.h"
#include "gateway/web_list.h"
#include "gateway/web_page.h"
#include "gateway/web_words.h"

enum { QUESTION_MAX = 1000 };
#define PAGE "100"
static const char folder[] = "/members/";

/* What the states of a member mean: they answer, and that is their consent. */
static const struct consent {
    const char *state, *shown, *meaning;
    enum web_tone tone;
} consents[] = {
    { "ready", "has consented", "They have answered the gateway: mail reaches them.", WEB_GOOD },
    { "asked", "was asked", "The gateway has pinged them; mail waits until they answer.", WEB_WARNING },
    { "new", "to be asked", "The gateway will ping them as soon as the silo is there.", WEB_NEUTRAL },
};

static const struct consent *consent_of(const struct json_t *member)
{
    const char *state = web_json_text(member, "state");
    for (size_t i = 0; state && i < sizeof consents / sizeof consents[0]; i++)
        if (strcmp(consents[i].state, state) == 0)
            return &consents[i];
    return &consents[2];
}

/* ---- all ---- */

static const struct web_column columns[] = {
    { "Member", WEB_COLUMN_HEAD },   { "Address", WEB_COLUMN_LONG }, { "Consent", WEB_COLUMN_TIGHT },
    { "Reports", WEB_COLUMN_TIGHT }, { "Since", WEB_COLUMN_TIGHT },
};
enum { ALIAS, ADDRESS, CONSENT, REPORTS, SINCE, COLUMN_COUNT };

static void add_row(struct web_html *html, const struct json_t *member, void *ctx)
{
    (void)ctx;
    const struct consent *consent = consent_of(member);
    const char *alias = web_json_text(member, "alias");
    web_page_cell(html, &columns[ALIAS]);
    web_html_add(html, "<a href=\"/members/%u\">%s</a>", alias, alias);
    web_page_cell_end(html, &columns[ALIAS]);
    web_page_text(html, &columns[ADDRESS], web_json_text(member, "address"));
    web_page_cell(html, &columns[CONSENT]);
    web_page_mark(html, consent->tone, consent->shown);
    web_page_cell_end(html, &columns[CONSENT]);
    web_page_text(html, &columns[REPORTS], web_json_is(member, "reports") ? "on" : "off");
    web_page_time(html, &columns[SINCE], web_json_text(member, "since"));
}

static const struct web_filter filters[] = {
    { "--find",
      { .id = "find-member",
        .name = "find",
        .label = "Part of an alias or address",
        .type = "search",
        .longest = 320 } },
};
static const struct web_list list = { "/members", filters, sizeof filters / sizeof filters[0] };

static void add_members(struct web_html *html, const struct web_visit *visit, const struct web_result *result)
{
    const struct web_rows rows = { .id = "members",
                                   .caption = "Members of the silo who have an address here",
                                   .columns = columns,
                                   .column_count = COLUMN_COUNT,
                                   .empty = web_query(visit, "find") ? "No member is called like that."
                                                                     : "There are no members yet.",
                                   .add = add_row };
    web_page_section(html, "members-section", "Members");
    web_list_form(html, visit, &list, "find", "Find");
    web_page_live(html, "members-live");
    if (result->exit != ADMIN_OK)
        web_page_note(html, WEB_WARNING, result->error);
    else
        web_list_rows(html, &rows, result->json, "members", NULL);
    web_list_more(html, visit, &list, "after", web_json_text(result->json, "more_after"), "More members");
    web_page_live_end(html);
    web_page_section_end(html);
}

static void add_adding(struct web_html *html, const struct web_visit *visit)
{
    web_page_section(html, "add", "Add a member");
    web_page_form(html, "add-form", web_csrf(visit), "/members", NULL);
    web_html_add(html, "<div class=\"fields\">\n");
    web_page_field(html, &(const struct web_field){ .id = "add-alias",
                                                    .name = "alias",
                                                    .label = "Alias in the silo",
                                                    .hint = "Exactly as it is there.",
                                                    .longest = 255,
                                                    .is_required = true });
    web_page_field(html, &(const struct web_field){ .id = "add-local",
                                                    .name = "local",
                                                    .label = "Address before the @ (optional)",
                                                    .hint = "Else it is made of the alias. It stays for good.",
                                                    .longest = 64 });
    web_html_add(html, "</div><div class=\"buttons\">\n");
    web_page_button(html, WEB_BUTTON_MAIN, "act", "add", "Add", "Add this member");
    web_html_add(html, "</div>\n");
    web_page_form_end(html);
    web_page_section_end(html);
}

/* Of: member list, group list. */
static void all_listed(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    (void)count;
    (void)ctx;
    struct web_html *html = web_page_begin(visit, "Members");
    add_members(html, visit, &results[0]);
    add_adding(html, visit);
    web_group_section(html, results[1].json);
    web_page_end_status(visit, &html, results[0].exit == ADMIN_OK ? 200 : 400);
}

void web_members(struct web_visit *visit)
{
    struct web_words members = web_words_of("member", "list"), groups = web_words_of("group", "list");
    web_list_options(visit, &list, &members);
    web_words_option(&members, "--after", web_query(visit, "after"));
    web_words_option(&members, "--limit", PAGE);
    const struct web_order orders[] = { web_words_order(&members), web_words_order(&groups) };
    web_run(visit, orders, 2, all_listed, NULL);
}

/* ---- adding ---- */

static void added(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    (void)count;
    (void)ctx;
    if (results[0].exit == ADMIN_OK)
        web_words_go(visit, folder, web_form(visit, "alias"), true, "Added. The gateway asks them whether they agree.");
    else
        web_redirect(visit, "/members", false, results[0].error);
}

void web_members_post(struct web_visit *visit)
{
    const char *act = web_words_given(visit, "act"), *alias = web_words_given(visit, "alias");
    if (!act || strcmp(act, "add") != 0 || !alias) {
        web_redirect(visit, "/members", false, alias ? "This button is not known here." : "An alias is needed.");
        return;
    }
    struct web_words words = web_words_of("member", "add");
    web_words_option(&words, "--address", web_form(visit, "local"));
    web_words_add(&words, alias);
    web_words_run(visit, &words, added, NULL);
}

/* ---- one ---- */

static void add_facts(struct web_html *html, const struct json_t *member)
{
    const struct consent *consent = consent_of(member);
    web_page_section(html, "facts", "Who it is");
    web_page_live(html, "facts-live");
    web_page_facts(html);
    web_page_fact_text(html, "Address", web_json_text(member, "address"));
    web_page_fact(html, "Consent");
    web_page_mark(html, consent->tone, consent->shown);
    web_html_add(html, " <span class=\"soft\">%s</span>", consent->meaning);
    web_page_fact_end(html);
    web_page_fact_text(html, "Account in the silo", web_json_text(member, "uid"));
    web_page_fact_text(html, "Delivery reports", web_json_is(member, "reports") ? "on" : "off");
    web_page_fact_time(html, "Member since", web_json_text(member, "since"));
    if (web_json_has(member, "seen_uid")) {
        web_page_fact_text(html, "The alias was last seen as that of", web_json_text(member, "seen_uid"));
        web_page_fact_text(html, "Where", web_json_text(member, "seen_in"));
        web_page_fact_time(html, "When", web_json_text(member, "seen_at"));
    }
    web_page_fact(html, "Audit log");
    web_html_add(html, "<a href=\"/audit?object=member%%20%u\">what was done with this member</a>",
                 web_json_text(member, "alias"));
    web_page_fact_end(html);
    web_page_facts_end(html);
    web_page_live_end(html);
    web_page_section_end(html);
}

static void add_groups(struct web_html *html, const struct json_t *member)
{
    size_t count = web_json_count(member, "groups");
    web_page_section(html, "groups", "Groups");
    if (count == 0)
        web_page_empty(html, "In no group that the gateway is in, as far as it knows.");
    else
        web_html_add(html, "<ul class=\"names\">\n");
    for (size_t i = 0; i < count; i++) {
        const char *gid = web_json_text(web_json_row(member, "groups", i), "gid");
        web_html_add(html, "<li>");
        web_words_group(html, gid);
        web_html_add(html, "</li>\n");
    }
    if (count > 0)
        web_html_add(html, "</ul>\n");
    web_page_section_end(html);
}

static void add_acts(struct web_html *html, const struct web_visit *visit, const struct json_t *member)
{
    bool has_reports = web_json_is(member, "reports");
    char question[QUESTION_MAX];
    char *page = web_words_page(folder, web_json_text(member, "alias"));
    snprintf(question, sizeof question,
             "Remove %.255s? All mappings to them are revoked, and nobody outside can write to them.",
             web_json_text(member, "alias") ? web_json_text(member, "alias") : "");
    web_page_section(html, "acts", "What can be done");
    web_page_form(html, "reports-form", web_csrf(visit), page, NULL);
    web_page_hidden(html, "reports", has_reports ? "off" : "on");
    web_html_add(html,
                 "<div class=\"buttons\"><span class=\"soft\">Delivery reports about every message that they write "
                 "to outside: %s.</span>\n",
                 has_reports ? "on" : "off");
    web_page_button(html, WEB_BUTTON_PLAIN, "act", "reports", has_reports ? "Turn off" : "Turn on",
                    has_reports ? "Turn delivery reports off" : "Turn delivery reports on");
    web_html_add(html, "</div>\n");
    web_page_form_end(html);
    web_page_form(html, "remove-form", web_csrf(visit), page, question);
    web_page_check(html, "remove-sure", "sure", "yes", "Yes, revoke all their mappings and remove them", false);
    web_html_add(html, "<div class=\"buttons\">\n");
    web_page_button(html, WEB_BUTTON_DANGER, "act", "remove", "Remove", "Remove this member");
    web_html_add(html, "</div>\n");
    web_page_form_end(html);
    web_page_section_end(html);
    free(page);
}

static void one_shown(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    const struct json_t *member = results[0].json;
    (void)count;
    (void)ctx;
    if (results[0].exit != ADMIN_OK) {
        web_page_fail(visit, &results[0]);
        return;
    }
    struct web_html *html = web_page_begin(visit, web_json_text(member, "alias"));
    web_html_add(html, "<p class=\"crumbs\"><a href=\"/members\">Members</a></p>\n");
    add_facts(html, member);
    web_group_mappings(html, member, web_json_text(member, "alias"));
    add_groups(html, member);
    add_acts(html, visit, member);
    web_page_end(visit, &html);
}

void web_member(struct web_visit *visit)
{
    struct web_words words = web_words_of("member", "show");
    web_words_add(&words, web_part(visit, 0));
    web_words_run(visit, &words, one_shown, NULL);
}

static void reports_set(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    (void)count;
    (void)ctx;
    bool is_good = results[0].exit == ADMIN_OK;
    web_words_go(visit, folder, web_part(visit, 0), is_good,
                 !is_good                                  ? results[0].error
                 : web_json_is(results[0].json, "reports") ? "Delivery reports are on."
                                                           : "Delivery reports are off.");
}

static void removed(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    (void)ctx;
    web_words_tell(visit, "/members", "member was removed, with all mappings", results, count);
}

static void remove_member(struct web_visit *visit)
{
    if (!web_words_given(visit, "sure")) {
        web_words_go(visit, folder, web_part(visit, 0), false, "Tick the box to confirm that they are to be removed.");
        return;
    }
    struct web_words words = web_words_of("member", "remove");
    web_words_add(&words, web_part(visit, 0));
    web_words_run(visit, &words, removed, NULL);
}

void web_member_post(struct web_visit *visit)
{
    const char *act = web_words_given(visit, "act"), *reports = web_words_given(visit, "reports");
    if (act && strcmp(act, "remove") == 0) {
        remove_member(visit);
    } else if (act && strcmp(act, "reports") == 0 && reports) {
        struct web_words words = web_words_of("member", "reports");
        web_words_add(&words, web_part(visit, 0));
        web_words_add(&words, reports);
        web_words_run(visit, &words, reports_set, NULL);
    } else {
        web_words_go(visit, folder, web_part(visit, 0), false, "This button is not known here.");
    }
}
