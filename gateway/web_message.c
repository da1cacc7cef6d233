/* web_message.c - what became of a message: found by whatever is known of it, told as a timeline */
#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "gateway/web.h"
#include "gateway/web_json.h"
#include "gateway/web_list.h"
#include "gateway/web_page.h"
#include "gateway/web_timeline.h"
#include "gateway/web_words.h"

enum { TITLE_MAX = 200, ADDRESS_MAX = 2000 };

static void add_search(struct web_html *html, const char *id)
{
    web_html_add(html, "<section aria-label=\"Find a message\">\n");
    web_page_search(html, "find", "/message");
    web_page_field(html, &(const struct web_field){
                             .id = "find-id",
                             .name = "id",
                             .label = "Entry, Message-ID, silo message id, session, or address of an author",
                             .value = id,
                             .type = "search",
                             .placeholder = "in17, out5, abc@example.com",
                             .longest = 1000,
                             .is_wide = true });
    web_page_button(html, WEB_BUTTON_MAIN, NULL, NULL, "Find", NULL);
    web_page_form_end(html);
    web_html_add(html, "</section>\n");
}

/* ---- facts ---- */

static void add_numbers(struct web_html *html, const struct json_t *why)
{
    web_page_fact_text(html, "Size", WEB_BYTES(web_json_number(why, "size")));
    web_page_fact(html, "Recipients");
    web_html_add(html, "%s waiting, %s delivered, %s failed", WEB_COUNT(web_json_number(why, "waiting")),
                 WEB_COUNT(web_json_number(why, "delivered")), WEB_COUNT(web_json_number(why, "failed")));
    web_page_fact_end(html);
    web_page_fact_text(html, "Attempts", WEB_COUNT(web_json_number(why, "attempts")));
}

static void add_ids(struct web_html *html, const struct json_t *why)
{
    const char *about = web_json_text(why, "about"), *id = web_json_text(why, "id");
    web_page_fact_text(html, "Message-ID", web_json_text(why, "message_id"));
    if (web_json_has(why, "silo_message"))
        web_page_fact_text(html, "In the silo", web_json_text(why, "silo_message"));
    if (about) {
        web_page_fact(html, "It is about");
        web_words_entry(html, about);
        web_page_fact_end(html);
    }
    web_page_fact(html, "Audit log");
    web_html_add(html, "<a href=\"/audit?object=%u\">what administrators did with it</a>", id);
    web_page_fact_end(html);
}

static bool is_tried(const struct json_t *why)
{
    const char *doing = web_json_text(why, "doing");
    return doing && (strcmp(doing, "due") == 0 || strcmp(doing, "deferred") == 0);
}

static void add_facts(struct web_html *html, const struct json_t *why)
{
    const char *error = web_json_text(why, "last_error");
    web_page_section(html, "facts", "What it is");
    web_page_live(html, "facts-live");
    web_page_facts(html);
    web_page_fact_state(html, "State",
                        web_json_text(why, "doing") ? web_json_text(why, "doing") : web_json_text(why, "state"));
    web_page_fact_text(html, "Kind", web_json_text(why, "kind"));
    web_page_fact_text(html, "From", web_json_text(why, "from"));
    web_page_fact_text(html, "To", web_json_text(why, "to"));
    if (web_json_has(why, "subject"))
        web_page_fact_text(html, "Subject", web_json_text(why, "subject"));
    web_page_fact_time(html, "Came", web_json_text(why, "received"));
    if (is_tried(why))
        web_page_fact_time(html, "Next attempt", web_json_text(why, "next_attempt"));
    add_numbers(html, why);
    add_ids(html, why);
    web_page_facts_end(html);
    if (error)
        web_html_add(html, "<p class=\"note warning\">What stood in the way last: %s</p>\n", error);
    web_page_live_end(html);
    web_page_section_end(html);
}

/* ---- recipients, and what tells of it ---- */

static const struct web_column recipient_columns[] = {
    { "Recipient", WEB_COLUMN_HEAD }, { "Address", WEB_COLUMN_LONG }, { "State", WEB_COLUMN_TIGHT },
    { "Relay", WEB_COLUMN_LONG },     { "Reply", WEB_COLUMN_LONG },
};

static void add_recipient(struct web_html *html, const struct json_t *row, void *ctx)
{
    const char *alias = web_json_text(row, "alias"), *address = web_json_text(row, "address");
    (void)ctx;
    web_page_text(html, &recipient_columns[0], alias ? alias : address);
    web_page_text(html, &recipient_columns[1], address);
    web_page_cell_state(html, &recipient_columns[2], web_json_text(row, "state"));
    web_page_text(html, &recipient_columns[3], web_json_text(row, "relay"));
    web_page_text(html, &recipient_columns[4], web_json_text(row, "reply"));
}

static void add_recipients(struct web_html *html, const struct json_t *why)
{
    static const struct web_rows rows = { .id = "recipients-table",
                                          .caption = "Who was to get it, and what became of that",
                                          .columns = recipient_columns,
                                          .column_count = sizeof recipient_columns / sizeof recipient_columns[0],
                                          .add = add_recipient };
    if (web_json_count(why, "recipients") == 0)
        return;
    web_page_section(html, "recipients", "Recipients");
    web_list_rows(html, &rows, why, "recipients", NULL);
    web_page_section_end(html);
}

static const struct web_column related_columns[] = {
    { "Entry", WEB_COLUMN_HEAD }, { "Kind", WEB_COLUMN_TIGHT }, { "State", WEB_COLUMN_TIGHT },
    { "To", WEB_COLUMN_LONG },    { "Made", WEB_COLUMN_TIGHT },
};

static void add_notice(struct web_html *html, const struct json_t *row, void *ctx)
{
    (void)ctx;
    web_page_cell(html, &related_columns[0]);
    web_words_entry(html, web_json_text(row, "id"));
    web_page_cell_end(html, &related_columns[0]);
    web_page_text(html, &related_columns[1], web_json_text(row, "kind"));
    web_page_cell_state(html, &related_columns[2], web_json_text(row, "state"));
    web_page_text(html, &related_columns[3], web_json_text(row, "to"));
    web_page_time(html, &related_columns[4], web_json_text(row, "received"));
}

static void add_related(struct web_html *html, const struct json_t *why)
{
    static const struct web_rows rows = { .id = "related-table",
                                          .caption = "Notices to its author, and reports to its sender",
                                          .columns = related_columns,
                                          .column_count = sizeof related_columns / sizeof related_columns[0],
                                          .add = add_notice };
    if (web_json_count(why, "related") == 0)
        return;
    web_page_section(html, "related", "What tells of it");
    web_list_rows(html, &rows, why, "related", NULL);
    web_page_section_end(html);
}

/* ---- acts ---- */

static bool has_ended(const char *state)
{
    return !state || strcmp(state, "settled") == 0 || strcmp(state, "dropped") == 0;
}

/* As on the page of the queue, which does it and comes back here. */
static void add_acts(struct web_html *html, const struct web_visit *visit, const struct json_t *why)
{
    const char *id = web_json_text(why, "id"), *state = web_json_text(why, "state");
    struct strbuf back;
    if (has_ended(state))
        return;
    web_page_section(html, "acts", "What can be done");
    if (strcmp(state, "pending") == 0) {
        web_html_add(html, "<p>It awaits an approval: see <a href=\"/held/%u\">held mail</a>.</p>\n", id);
        web_page_section_end(html);
        return;
    }
    strbuf_init(&back, ADDRESS_MAX);
    strbuf_add_str(&back, "/message");
    web_words_query(&back, "id", id);
    web_page_form(html, "acts-form", web_csrf(visit), "/queue", NULL);
    web_words_no_default(html);
    web_page_hidden(html, "id", id);
    web_page_hidden(html, "back", back.data);
    web_page_reason(html, "reason", "Reason, which authors in the silo read (needed to drop)");
    web_html_add(html, "<div class=\"buttons\">\n");
    web_page_button(html, WEB_BUTTON_PLAIN, "act", "retry", "Try again now", NULL);
    web_page_button(html, WEB_BUTTON_PLAIN, "act", "hold", "Hold", NULL);
    web_page_button(html, WEB_BUTTON_DANGER, "act", "drop", "Drop", NULL);
    web_html_add(html, "</div>\n");
    web_page_form_end(html);
    web_page_section_end(html);
    strbuf_free(&back);
}

/* ---- the page ---- */

static void told(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    char title[TITLE_MAX] = "Message";
    const struct json_t *why = results[0].json;
    const char *id = web_json_text(why, "id");
    (void)count;
    (void)ctx;
    if (id)
        snprintf(title, sizeof title, "Message %s", id);
    struct web_html *html = web_page_begin(visit, title);
    add_search(html, web_query(visit, "id"));
    if (results[0].exit != ADMIN_OK) {
        web_page_note(html, WEB_WARNING, results[0].error);
        web_page_end_status(visit, &html, 404);
        return;
    }
    web_timeline_section(html, why);
    if (id) {
        add_facts(html, why);
        add_acts(html, visit, why);
        add_recipients(html, why);
        add_related(html, why);
    }
    web_page_end(visit, &html);
}

void web_message(struct web_visit *visit)
{
    const char *id = web_query(visit, "id");
    if (!id || !id[0]) {
        struct web_html *html = web_page_begin(visit, "Message");
        add_search(html, NULL);
        web_html_add(
            html, "<p class=\"lead\">Every message has a story: who brought it, what was checked, which mapping "
                  "let it in, who approved that, what was tried, and what the other side said. Mail that was refused "
                  "has one for 30 days.</p>\n");
        web_page_end(visit, &html);
        return;
    }
    struct web_words words = web_words_of("why", NULL);
    web_words_add(&words, id);
    web_words_run(visit, &words, told, NULL);
}
