/* web_group.c - groups: the list, one, its address, joining and leaving; see web_group.h */
#include "gateway/web_group.h"

#include <stdlib.h>
#include <string.h>

#include "gateway/web.h"
#include "gateway/web_json.h"
#include "gateway/web_list.h"
#include "gateway/web_page.h"
#include "gateway/web_words.h"

static const char folder[] = "/groups/";

/* ---- shared with the pages of members ---- */

static const struct web_column group_columns[] = {
    { "Group", WEB_COLUMN_HEAD },      { "Address", WEB_COLUMN_LONG }, { "State", WEB_COLUMN_TIGHT },
    { "Invited by", WEB_COLUMN_LONG }, { "Since", WEB_COLUMN_TIGHT },
};

static void add_group(struct web_html *html, const struct json_t *group, void *ctx)
{
    (void)ctx;
    web_page_cell(html, &group_columns[0]);
    web_words_group(html, web_json_text(group, "gid"));
    web_page_cell_end(html, &group_columns[0]);
    web_page_text(html, &group_columns[1], web_json_text(group, "address"));
    web_page_cell_state(html, &group_columns[2], web_json_text(group, "state"));
    web_page_text(html, &group_columns[3], web_json_text(group, "invited_by"));
    web_page_time(html, &group_columns[4], web_json_text(group, "since"));
}

void web_group_section(struct web_html *html, const struct json_t *list)
{
    static const struct web_rows rows = {
        .id = "groups",
        .caption = "Groups of the silo that the gateway was invited to",
        .columns = group_columns,
        .column_count = sizeof group_columns / sizeof group_columns[0],
        .empty = "The gateway was invited to no group. Somebody in a group has to invite it.",
        .add = add_group,
    };
    web_page_section(html, "groups-section", "Groups");
    web_page_live(html, "groups-live");
    web_list_rows(html, &rows, list, "groups", NULL);
    web_page_live_end(html);
    web_page_section_end(html);
}

static const struct web_column mapping_columns[] = {
    { "Mapping", WEB_COLUMN_HEAD },
    { "Correspondent", WEB_COLUMN_LONG },
    { "Direction", WEB_COLUMN_TIGHT },
    { "State", WEB_COLUMN_TIGHT },
};

static void add_mapping(struct web_html *html, const struct json_t *mapping, void *ctx)
{
    (void)ctx;
    web_page_cell(html, &mapping_columns[0]);
    web_words_mapping(html, web_json_number(mapping, "id"));
    web_page_cell_end(html, &mapping_columns[0]);
    web_page_text(html, &mapping_columns[1], web_json_text(mapping, "address"));
    web_page_text(html, &mapping_columns[2], web_json_text(mapping, "direction"));
    web_page_cell_state(html, &mapping_columns[3], web_json_text(mapping, "state"));
}

void web_group_mappings(struct web_html *html, const struct json_t *shown, const char *target)
{
    static const struct web_rows rows = { .id = "mappings-table",
                                          .caption = "Who may write from outside, or was asked about",
                                          .columns = mapping_columns,
                                          .column_count = sizeof mapping_columns / sizeof mapping_columns[0],
                                          .empty = "Nobody outside has been let in to them.",
                                          .add = add_mapping };
    web_page_section(html, "mappings", "Mappings");
    web_list_rows(html, &rows, shown, "mappings", NULL);
    web_html_add(html, "<p><a href=\"/mappings?member=%u\">Search them, or add one</a></p>\n", target);
    web_page_section_end(html);
}

/* ---- one group ---- */

static void add_facts(struct web_html *html, const struct json_t *group)
{
    web_page_section(html, "facts", "What it is");
    web_page_live(html, "facts-live");
    web_page_facts(html);
    web_page_fact_state(html, "State", web_json_text(group, "state"));
    web_page_fact_text(html, "Address", web_json_text(group, "address"));
    web_page_fact_text(html, "Invited by", web_json_text(group, "invited_by"));
    web_page_fact_text(html, "The gateway is there as", web_json_text(group, "own_alias"));
    web_page_fact_time(html, "Since", web_json_text(group, "since"));
    web_page_fact(html, "Audit log");
    web_html_add(html, "<a href=\"/audit?object=group%%20%u\">what was done with this group</a>",
                 web_json_text(group, "gid"));
    web_page_fact_end(html);
    web_page_facts_end(html);
    web_page_live_end(html);
    web_page_section_end(html);
}

static const struct web_column people_columns[] = { { "Alias", WEB_COLUMN_HEAD },
                                                    { "State", WEB_COLUMN_TIGHT },
                                                    { "Account", WEB_COLUMN_LONG } };

static void add_person(struct web_html *html, const struct json_t *one, void *ctx)
{
    (void)ctx;
    web_page_text(html, &people_columns[0], web_json_text(one, "alias"));
    web_page_cell_state(html, &people_columns[1], web_json_text(one, "state"));
    web_page_text(html, &people_columns[2], web_json_text(one, "uid"));
}

static void add_people(struct web_html *html, const struct json_t *group)
{
    static const struct web_rows rows = {
        .id = "people-table",
        .caption = "As far as it was seen; others may be in it, too",
        .columns = people_columns,
        .column_count = sizeof people_columns / sizeof people_columns[0],
        .empty = "Nobody yet. The silo tells nobody who is in a group; who comes and goes is seen.",
        .add = add_person,
    };
    web_page_section(html, "people", "Who was seen in it");
    web_list_rows(html, &rows, group, "members_seen", NULL);
    web_page_section_end(html);
}

static void add_coming_and_going(struct web_html *html, const struct web_visit *visit, const struct json_t *group,
                                 const char *page)
{
    bool may_join = web_json_says(group, "state", "invited"),
         has_gone = web_json_says(group, "state", "left") || web_json_says(group, "state", "dropped");
    if (may_join) {
        web_page_form(html, "join-form", web_csrf(visit), page, NULL);
        web_page_button(html, WEB_BUTTON_MAIN, "act", "join", "Join", "Join this group");
        web_page_form_end(html);
    }
    if (has_gone) {
        web_html_add(html, "<p class=\"soft\">Somebody in the group has to invite the gateway again.</p>\n");
        return;
    }
    web_page_form(html, "leave-form", web_csrf(visit), page,
                  "Leave this group? Mail to its address is refused from then on; only somebody in it can invite the "
                  "gateway again.");
    web_page_check(html, "leave-sure", "sure", "yes",
                   may_join ? "Yes, turn the invitation down" : "Yes, leave: mail to its address is refused then",
                   false);
    web_html_add(html, "<div class=\"buttons\">\n");
    web_page_button(html, WEB_BUTTON_DANGER, "act", "leave", may_join ? "Turn down" : "Leave",
                    may_join ? "Turn the invitation down" : "Leave this group");
    web_html_add(html, "</div>\n");
    web_page_form_end(html);
}

static void add_acts(struct web_html *html, const struct web_visit *visit, const struct json_t *group)
{
    char *page = web_words_page(folder, web_json_text(group, "gid"));
    web_page_section(html, "acts", "What can be done");
    web_page_form(html, "address-form", web_csrf(visit), page, NULL);
    web_html_add(html, "<div class=\"choosing\">\n");
    web_page_field(html, &(const struct web_field){ .id = "local",
                                                    .name = "local",
                                                    .label = "New address, before the @",
                                                    .hint = "Former ones still deliver.",
                                                    .longest = 64,
                                                    .is_required = true });
    web_page_button(html, WEB_BUTTON_PLAIN, "act", "address", "Give address", "Give the group this address");
    web_html_add(html, "</div>\n");
    web_page_form_end(html);
    add_coming_and_going(html, visit, group, page);
    web_page_section_end(html);
    free(page);
}

static void shown(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    const struct json_t *group = results[0].json;
    (void)count;
    (void)ctx;
    if (results[0].exit != ADMIN_OK) {
        web_page_fail(visit, &results[0]);
        return;
    }
    struct web_html *html = web_page_begin(visit, web_json_text(group, "gid"));
    web_html_add(html, "<p class=\"crumbs\"><a href=\"/members\">Members and groups</a></p>\n");
    add_facts(html, group);
    web_group_mappings(html, group, web_json_text(group, "gid"));
    add_people(html, group);
    add_acts(html, visit, group);
    web_page_end(visit, &html);
}

void web_group(struct web_visit *visit)
{
    struct web_words words = web_words_of("group", "show");
    web_words_add(&words, web_part(visit, 0));
    web_words_run(visit, &words, shown, NULL);
}

/* ---- acts ---- */

static const struct act {
    const char *name, *done;
    bool needs_local, needs_sure;
} acts[] = {
    { "address", "The group has its new address.", true, false },
    { "join", "The gateway joins the group as soon as the silo is there.", false, false },
    { "leave", "The gateway leaves the group.", false, true },
};

static const struct act *find_act(const struct web_visit *visit)
{
    const char *name = web_words_given(visit, "act");
    for (size_t i = 0; name && i < sizeof acts / sizeof acts[0]; i++)
        if (strcmp(acts[i].name, name) == 0)
            return &acts[i];
    return NULL;
}

static void done(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    (void)count;
    (void)ctx;
    bool is_good = results[0].exit == ADMIN_OK;
    web_words_go(visit, folder, web_part(visit, 0), is_good, is_good ? find_act(visit)->done : results[0].error);
}

void web_group_post(struct web_visit *visit)
{
    const struct act *act = find_act(visit);
    const char *local = web_words_given(visit, "local");
    if (!act) {
        web_words_go(visit, folder, web_part(visit, 0), false, "This button is not known here.");
    } else if (act->needs_local && !local) {
        web_words_go(visit, folder, web_part(visit, 0), false, "An address is needed.");
    } else if (act->needs_sure && !web_words_given(visit, "sure")) {
        web_words_go(visit, folder, web_part(visit, 0), false, "Tick the box to confirm.");
    } else {
        struct web_words words = web_words_of("group", act->name);
        web_words_add(&words, web_part(visit, 0));
        if (act->needs_local)
            web_words_add(&words, local);
        web_words_run(visit, &words, done, NULL);
    }
}
