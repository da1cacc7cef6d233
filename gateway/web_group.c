/* web_group.c - groups: the list, one, its address, joining and leaving; see web_group.h */
#include "gateway/web_group.h"

#include <string.h>

#include "base/strbuf.h"
#include "gateway/web.h"
#include "gateway/web_json.h"
#include "gateway/web_page.h"
#include "gateway/web_words.h"

enum { ADDRESS_MAX = 4000 };

/* ---- shared with the pages of members ---- */

void web_group_section(struct web_html *html, const struct json_t *list)
{
    static const struct web_column columns[] = {
        { "Group", WEB_COLUMN_HEAD },      { "Address", WEB_COLUMN_LONG }, { "State", WEB_COLUMN_TIGHT },
        { "Invited by", WEB_COLUMN_LONG }, { "Since", WEB_COLUMN_TIGHT },
    };
    size_t count = web_json_count(list, "groups");
    web_page_section(html, "groups-section", "Groups");
    web_page_live(html, "groups-live");
    if (count == 0)
        web_page_empty(html, "The gateway was invited to no group. Somebody in a group has to invite it.");
    else
        web_page_table(html, "groups", "Groups of the silo that the gateway was invited to", columns, 5);
    for (size_t i = 0; i < count; i++) {
        const struct json_t *group = web_json_row(list, "groups", i);
        const char *gid = web_json_text(group, "gid");
        web_page_row(html);
        web_page_cell(html, &columns[0]);
        web_html_add(html, "<a href=\"/groups/%u\">%s</a>", gid, gid);
        web_page_cell_end(html, &columns[0]);
        web_page_text(html, &columns[1], web_json_text(group, "address"));
        web_page_cell(html, &columns[2]);
        web_page_state(html, web_json_text(group, "state"));
        web_page_cell_end(html, &columns[2]);
        web_page_text(html, &columns[3], web_json_text(group, "invited_by"));
        web_page_time(html, &columns[4], web_json_text(group, "since"));
        web_page_row_end(html);
    }
    if (count > 0)
        web_page_table_end(html);
    web_page_live_end(html);
    web_page_section_end(html);
}

void web_group_mappings(struct web_html *html, const struct json_t *shown, const char *target)
{
    static const struct web_column columns[] = {
        { "Mapping", WEB_COLUMN_HEAD },
        { "Correspondent", WEB_COLUMN_LONG },
        { "Direction", WEB_COLUMN_TIGHT },
        { "State", WEB_COLUMN_TIGHT },
    };
    size_t count = web_json_count(shown, "mappings");
    web_page_section(html, "mappings", "Mappings");
    if (count == 0)
        web_page_empty(html, "Nobody outside has been let in to them.");
    else
        web_page_table(html, "mappings-table", "Who may write from outside, or was asked about", columns, 4);
    for (size_t i = 0; i < count; i++) {
        const struct json_t *mapping = web_json_row(shown, "mappings", i);
        web_page_row(html);
        web_page_cell(html, &columns[0]);
        web_html_add(html, "<a href=\"/mappings/%u\">%s</a>", WEB_INT(web_json_number(mapping, "id")),
                     WEB_INT(web_json_number(mapping, "id")));
        web_page_cell_end(html, &columns[0]);
        web_page_text(html, &columns[1], web_json_text(mapping, "address"));
        web_page_text(html, &columns[2], web_json_text(mapping, "direction"));
        web_page_cell(html, &columns[3]);
        web_page_state(html, web_json_text(mapping, "state"));
        web_page_cell_end(html, &columns[3]);
        web_page_row_end(html);
    }
    if (count > 0)
        web_page_table_end(html);
    web_html_add(html, "<p><a href=\"/mappings?member=%u\">Search them, or add one</a></p>\n", target);
    web_page_section_end(html);
}

/* ---- one group ---- */

static bool is_state(const struct json_t *group, const char *state)
{
    const char *is = web_json_text(group, "state");
    return is && strcmp(is, state) == 0;
}

static void add_facts(struct web_html *html, const struct json_t *group)
{
    web_page_section(html, "facts", "What it is");
    web_page_live(html, "facts-live");
    web_page_facts(html);
    web_page_fact(html, "State");
    web_page_state(html, web_json_text(group, "state"));
    web_page_fact_end(html);
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

static void add_people(struct web_html *html, const struct json_t *group)
{
    static const struct web_column columns[] = { { "Alias", WEB_COLUMN_HEAD },
                                                 { "State", WEB_COLUMN_TIGHT },
                                                 { "Account", WEB_COLUMN_LONG } };
    size_t count = web_json_count(group, "members_seen");
    web_page_section(html, "people", "Who was seen in it");
    if (count == 0)
        web_page_empty(html, "Nobody yet. The silo tells nobody who is in a group; who comes and goes is seen.");
    else
        web_page_table(html, "people-table", "As far as it was seen; others may be in it, too", columns, 3);
    for (size_t i = 0; i < count; i++) {
        const struct json_t *one = web_json_row(group, "members_seen", i);
        web_page_row(html);
        web_page_text(html, &columns[0], web_json_text(one, "alias"));
        web_page_cell(html, &columns[1]);
        web_page_state(html, web_json_text(one, "state"));
        web_page_cell_end(html, &columns[1]);
        web_page_text(html, &columns[2], web_json_text(one, "uid"));
        web_page_row_end(html);
    }
    if (count > 0)
        web_page_table_end(html);
    web_page_section_end(html);
}

static void add_address(struct strbuf *address, const char *gid)
{
    strbuf_init(address, ADDRESS_MAX);
    strbuf_add_str(address, "/groups/");
    web_url_add(address, gid);
}

static void add_coming_and_going(struct web_html *html, const struct web_visit *visit, const struct json_t *group,
                                 const char *address)
{
    bool may_join = is_state(group, "invited"), has_gone = is_state(group, "left") || is_state(group, "dropped");
    if (may_join) {
        web_page_form(html, "join-form", web_csrf(visit), address, NULL);
        web_page_button(html, WEB_BUTTON_MAIN, "act", "join", "Join", "Join this group");
        web_page_form_end(html);
    }
    if (has_gone) {
        web_html_add(html, "<p class=\"soft\">Somebody in the group has to invite the gateway again.</p>\n");
        return;
    }
    web_page_form(html, "leave-form", web_csrf(visit), address,
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
    struct strbuf address;
    add_address(&address, web_json_text(group, "gid"));
    web_page_section(html, "acts", "What can be done");
    web_page_form(html, "address-form", web_csrf(visit), address.data, NULL);
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
    add_coming_and_going(html, visit, group, address.data);
    web_page_section_end(html);
    strbuf_free(&address);
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
    const struct web_order order = web_words_order(&words);
    web_run(visit, &order, 1, shown, NULL);
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

static void go_back(struct web_visit *visit, bool good, const char *flash)
{
    struct strbuf address;
    add_address(&address, web_part(visit, 0));
    web_redirect(visit, address.data, good, flash);
    strbuf_free(&address);
}

static void done(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    (void)count;
    (void)ctx;
    bool is_good = results[0].exit == ADMIN_OK;
    go_back(visit, is_good, is_good ? find_act(visit)->done : results[0].error);
}

void web_group_post(struct web_visit *visit)
{
    const struct act *act = find_act(visit);
    const char *local = web_words_given(visit, "local");
    if (!act) {
        go_back(visit, false, "This button is not known here.");
    } else if (act->needs_local && !local) {
        go_back(visit, false, "An address is needed.");
    } else if (act->needs_sure && !web_words_given(visit, "sure")) {
        go_back(visit, false, "Tick the box to confirm.");
    } else {
        struct web_words words = web_words_of("group", act->name);
        web_words_add(&words, web_part(visit, 0));
        if (act->needs_local)
            web_words_add(&words, local);
        const struct web_order order = web_words_order(&words);
        web_run(visit, &order, 1, done, NULL);
    }
}
