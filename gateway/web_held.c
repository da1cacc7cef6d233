/* web_held.c - held mail: what waits for an approval, one of it, and, when somebody asks for that on purpose, what it says */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "gateway/web.h"
#include "gateway/web_json.h"
#include "gateway/web_list.h"
#include "gateway/web_page.h"
#include "gateway/web_timeline.h"
#include "gateway/web_words.h"

enum { CHOSEN_MAX = WEB_ORDERS_MAX, ADDRESS_MAX = 1000, TITLE_MAX = 200, NUMBER_SIZE = 24 };
#define PAGE "100"
static const char folder[] = "/held/";
static const char reason_label[] = "Reason, for the audit log (needed to drop)";

/* ---- deciding, here and on the page of one ---- */

/* ids: of the form. */
static void decide(struct web_visit *visit, const char *const *ids, size_t count, web_done *done)
{
    const char *act = web_words_given(visit, "act");
    struct web_words words = web_words_of("held", act && strcmp(act, "drop") == 0 ? "drop" : "release");
    web_words_option(&words, "--reason", web_form(visit, "reason"));
    web_words_run_each(visit, &words, ids, count, done, NULL);
}

/* NULL: it can be done. */
static const char *what_is_wrong(const struct web_visit *visit, size_t count)
{
    const char *act = web_words_given(visit, "act");
    bool is_drop = act && strcmp(act, "drop") == 0;
    if (!is_drop && (!act || strcmp(act, "release") != 0))
        return web_words_unknown_act(visit);
    if (count == 0)
        return "Nothing was chosen.";
    return is_drop && !web_words_given(visit, "reason") ? "Dropping mail needs a reason." : NULL;
}

static const char *done_words(const struct web_visit *visit)
{
    const char *act = web_words_given(visit, "act");
    return act && strcmp(act, "drop") == 0 ? "dropped" : "released";
}

/* ---- all of it ---- */

enum { CHOOSE, ENTRY, WHO, SUBJECT, CAME, STATE, COLUMN_COUNT };
static const struct web_column columns[COLUMN_COUNT] = {
    [CHOOSE] = { "Choose", WEB_COLUMN_TIGHT }, [ENTRY] = { "Entry", WEB_COLUMN_TIGHT },
    [WHO] = { "From", WEB_COLUMN_HEAD },       [SUBJECT] = { "Subject", WEB_COLUMN_LONG },
    [CAME] = { "Came", WEB_COLUMN_TIGHT },     [STATE] = { "State", WEB_COLUMN_TIGHT },
};

static void add_subject(struct web_html *html, const struct json_t *held)
{
    const char *subject = web_json_text(held, "subject");
    if (!web_json_is(held, "readable"))
        web_html_add(html, "<span class=\"soft\">its key is not here</span>");
    else
        web_html_add(html, "<bdi>%s</bdi>", subject && subject[0] ? subject : "(no subject)");
}

static void add_state(struct web_html *html, const struct json_t *held)
{
    int64_t request = web_json_number(held, "request");
    web_page_state(html, web_json_text(held, "state"));
    if (!request)
        return;
    web_html_add(html, "<small>request ");
    web_words_mapping(html, request);
    web_html_add(html, "</small>");
}

static void add_row(struct web_html *html, const struct json_t *held, void *ctx)
{
    const struct web_visit *visit = ctx;
    int64_t now = web_now(visit);
    const char *id = web_json_text(held, "id"), *expires = web_json_text(held, "expires");
    char label[NUMBER_SIZE + 20];
    snprintf(label, sizeof label, "Choose %s", id ? id : "");
    web_page_cell(html, &columns[CHOOSE]);
    web_page_choose(html, "id", id, label);
    web_page_cell_end(html, &columns[CHOOSE]);
    web_page_cell(html, &columns[ENTRY]);
    web_html_add(html, "<a href=\"/held/%u\">%s</a><small>%s</small>", id, id,
                 WEB_BYTES(web_json_number(held, "size")));
    web_page_cell_end(html, &columns[ENTRY]);
    web_page_cell(html, &columns[WHO]);
    web_html_add(html, "%s<small>to %s</small>", web_json_text(held, "from"), web_json_text(held, "to"));
    web_page_cell_end(html, &columns[WHO]);
    web_page_cell(html, &columns[SUBJECT]);
    add_subject(html, held);
    web_page_cell_end(html, &columns[SUBJECT]);
    web_page_cell(html, &columns[CAME]);
    web_page_ago(html, web_json_text(held, "received"), now);
    if (expires)
        web_html_add(html, "<small>goes back %s</small>", WEB_AGO(expires, now));
    web_page_cell_end(html, &columns[CAME]);
    web_page_cell(html, &columns[STATE]);
    add_state(html, held);
    web_page_cell_end(html, &columns[STATE]);
}

static const struct web_list list = { .path = "/held" };

static void add_list(struct web_html *html, struct web_visit *visit, const struct json_t *answer)
{
    static const struct web_rows rows = { .id = "held",
                                          .caption = "Mail that waits, the oldest first",
                                          .columns = columns,
                                          .column_count = COLUMN_COUNT,
                                          .empty = "No mail waits for an approval.",
                                          .add = add_row };
    const char *problem = web_json_text(answer, "problem");
    web_page_live(html, "held-live");
    if (problem)
        web_page_note(html, WEB_BAD, problem);
    web_list_rows(html, &rows, answer, "held", visit);
    if (web_json_count(answer, "held") > 0)
        web_html_add(html, "<p class=\"soft\">%s in all, %s.</p>\n", WEB_COUNT(web_json_number(answer, "total")),
                     WEB_BYTES(web_json_number(answer, "size")));
    web_list_more(html, visit, &list, "after", web_json_text(answer, "more_after"), "What came later");
    web_page_live_end(html);
}

static void all_listed(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    (void)count;
    (void)ctx;
    if (results[0].exit != ADMIN_OK) {
        web_page_fail(visit, &results[0]);
        return;
    }
    struct web_html *html = web_page_begin(visit, "Held mail");
    web_html_add(html,
                 "<p class=\"lead\">From people about whom nobody has decided. To let somebody in, approve the "
                 "<a href=\"/requests\">request</a>: then all their mail here is delivered. Here, single mails can be "
                 "released or dropped, and nothing is decided about who wrote them.</p>\n");
    web_html_add(html, "<section aria-label=\"Held mail\">\n");
    web_page_form(html, "held-form", web_csrf(visit), "/held", NULL);
    web_words_no_default(html);
    if (web_json_count(results[0].json, "held") > 0) {
        web_list_bar(html, "held-reason", reason_label);
        web_page_button(html, WEB_BUTTON_PLAIN, "act", "release", "Release chosen", NULL);
        web_page_button(html, WEB_BUTTON_DANGER, "act", "drop", "Drop chosen", NULL);
        web_list_bar_end(html, "held-form");
    }
    add_list(html, visit, results[0].json);
    web_page_form_end(html);
    web_html_add(html, "</section>\n");
    web_page_end(visit, &html);
}

void web_held_all(struct web_visit *visit)
{
    struct web_words words = web_words_of("held", "list");
    web_words_option(&words, "--limit", PAGE);
    web_words_option(&words, "--after", web_query(visit, "after"));
    web_words_run(visit, &words, all_listed, NULL);
}

static void all_done(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    (void)ctx;
    web_words_tell(visit, "/held", done_words(visit), results, count);
}

void web_held_all_post(struct web_visit *visit)
{
    const char *ids[CHOSEN_MAX];
    size_t count = web_form_all(visit, "id", ids, CHOSEN_MAX);
    const char *wrong = what_is_wrong(visit, count);
    if (wrong)
        web_redirect(visit, "/held", false, wrong);
    else
        decide(visit, ids, count, all_done);
}

/* ---- one mail ---- */

/* "dmarc=pass dkim=no assumed=no peer=no": what is so, in words. */
static void add_proof(struct web_html *html, const char *proof)
{
    static const struct {
        const char *text, *words;
    } proofs[] = {
        { "dmarc=pass", "DMARC: an aligned DKIM signature or SPF" },
        { "dkim=pass", "a DKIM signature of its domain" },
        { "assumed=yes", "its network is trusted" },
        { "peer=yes", "its server is known by a certificate" },
    };
    const char *separator = "";
    web_page_fact(html, "How its author was proven");
    for (size_t i = 0; proof && i < sizeof proofs / sizeof proofs[0]; i++) {
        if (!strstr(proof, proofs[i].text))
            continue;
        web_html_add(html, "%s%s", separator, proofs[i].words);
        separator = "; ";
    }
    if (!separator[0])
        web_html_add(html, "by nothing");
    web_page_fact_end(html);
}

static void add_facts(struct web_html *html, const struct json_t *held)
{
    web_page_section(html, "facts", "Envelope");
    web_page_facts(html);
    web_page_fact_text(html, "From", web_json_text(held, "from"));
    web_page_fact_text(html, "Envelope sender", web_json_text(held, "envelope_sender"));
    web_page_fact_text(html, "To", web_json_text(held, "to"));
    web_page_fact_text(html, "Address", web_json_text(held, "address"));
    web_page_fact(html, "Subject");
    add_subject(html, held);
    web_page_fact_end(html);
    add_proof(html, web_json_text(held, "proof"));
    web_page_fact_text(html, "Size", WEB_BYTES(web_json_number(held, "size")));
    web_page_fact_time(html, "Came", web_json_text(held, "received"));
    web_page_fact_time(html, "Goes back unless somebody decides by", web_json_text(held, "expires"));
    web_page_fact_state(html, "State", web_json_text(held, "state"));
    web_page_facts_end(html);
    web_page_section_end(html);
}

static void add_request(struct web_html *html, const struct web_result *request)
{
    const struct json_t *mapping = request->json;
    web_page_section(html, "request", "Who has asked");
    if (request->exit != ADMIN_OK) {
        web_page_empty(html, "No request goes with it.");
        web_page_section_end(html);
        return;
    }
    web_page_facts(html);
    web_page_fact(html, "Request");
    web_words_mapping(html, web_json_number(mapping, "id"));
    web_html_add(html, " ");
    web_page_state(html, web_json_text(mapping, "state"));
    web_page_fact_end(html);
    web_page_fact_text(html, "Who is to be let in", web_json_text(mapping, "subject"));
    web_page_fact_text(html, "Made by", web_json_text(mapping, "created_by"));
    web_page_fact_text(html, "By way of", web_json_text(mapping, "created_via"));
    web_page_fact_time(html, "Made", web_json_text(mapping, "created"));
    web_page_fact_text(html, "Note", web_json_text(mapping, "note"));
    web_page_facts_end(html);
    web_html_add(html, "<p><a href=\"/requests\">Decide about the request</a>: that counts for all mail of this author "
                       "to this member.</p>\n");
    web_page_section_end(html);
}

/* Opening what is sealed is an act of its own. */
static void add_show_button(struct web_html *html, const struct web_visit *visit, const struct json_t *held)
{
    struct strbuf address;
    strbuf_init(&address, ADDRESS_MAX);
    strbuf_add_str(&address, folder);
    web_url_add(&address, web_json_text(held, "id"));
    strbuf_add_str(&address, "/content");
    web_page_section(html, "content", "What it says");
    web_html_add(html,
                 "<p>It is sealed. Who opens it is written into the <a href=\"/audit?object=%u\">audit log</a> "
                 "before anything is shown.</p>\n",
                 web_json_text(held, "id"));
    web_page_form(html, "show-content", web_csrf(visit), address.data, NULL);
    web_page_button(html, WEB_BUTTON_PLAIN, NULL, NULL, "Show the content", NULL);
    web_page_form_end(html);
    web_page_section_end(html);
    strbuf_free(&address);
}

static void add_decision(struct web_html *html, const struct web_visit *visit, const char *id)
{
    char *page = web_words_page(folder, id);
    web_page_section(html, "decide", "This mail alone");
    web_html_add(html,
                 "<p class=\"soft\">Released, it is delivered; no mapping is opened, so the member can't answer it, "
                 "and the next mail is held again. Dropped, it is erased, and its sender is told that it was not "
                 "delivered.</p>\n");
    web_page_form(html, "decide-form", web_csrf(visit), page, NULL);
    web_words_no_default(html);
    web_page_reason(html, "reason", reason_label);
    web_html_add(html, "<div class=\"buttons\">\n");
    web_page_button(html, WEB_BUTTON_PLAIN, "act", "release", "Release", NULL);
    web_page_button(html, WEB_BUTTON_DANGER, "act", "drop", "Drop", NULL);
    web_html_add(html, "</div>\n");
    web_page_form_end(html);
    web_page_section_end(html);
    free(page);
}

static bool is_released(const struct json_t *held)
{
    return web_json_says(held, "state", "released");
}

static void add_crumbs(struct web_html *html)
{
    web_html_add(html, "<p class=\"crumbs\"><a href=\"/held\">Held mail</a></p>\n");
}

/* Of: held show, why, mapping show. */
static void one_shown(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    char title[TITLE_MAX];
    (void)ctx;
    if (results[0].exit != ADMIN_OK) {
        web_page_fail(visit, &results[0]);
        return;
    }
    const struct json_t *held = results[0].json;
    snprintf(title, sizeof title, "Held mail %s", web_json_text(held, "id"));
    struct web_html *html = web_page_begin(visit, title);
    add_crumbs(html);
    add_facts(html, held);
    if (count > 2)
        add_request(html, &results[2]);
    add_show_button(html, visit, held);
    if (!is_released(held))
        add_decision(html, visit, web_json_text(held, "id"));
    if (results[1].exit == ADMIN_OK)
        web_timeline_section(html, results[1].json);
    web_page_end(visit, &html);
}

/* What is not held any more has a story all the same. */
static void go_to_story(struct web_visit *visit, const char *id, bool good, const char *flash)
{
    struct strbuf address;
    strbuf_init(&address, ADDRESS_MAX);
    strbuf_add_str(&address, "/message");
    web_words_query(&address, "id", id);
    web_redirect(visit, address.data, good, flash);
    strbuf_free(&address);
}

static void one_found(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    char request[NUMBER_SIZE];
    const char *id = web_part(visit, 0);
    (void)count;
    (void)ctx;
    if (results[0].exit == ADMIN_REFUSED) {
        go_to_story(visit, id, false, NULL);
        return;
    }
    struct web_words words[] = { web_words_of("held", "show"), web_words_of("why", NULL),
                                 web_words_of("mapping", "show") };
    snprintf(request, sizeof request, "%s", WEB_INT(web_json_number(results[0].json, "request")));
    web_words_add(&words[0], id);
    web_words_add(&words[1], id);
    web_words_add(&words[2], request);
    const struct web_order orders[] = { web_words_order(&words[0]), web_words_order(&words[1]),
                                        web_words_order(&words[2]) };
    web_run(visit, orders, strcmp(request, "0") == 0 ? 2 : 3, one_shown, NULL);
}

void web_held(struct web_visit *visit)
{
    struct web_words words = web_words_of("held", "show");
    web_words_add(&words, web_part(visit, 0));
    web_words_run(visit, &words, one_found, NULL);
}

static void one_done(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    (void)count;
    (void)ctx;
    if (results[0].exit == ADMIN_OK)
        web_words_tell(visit, "/held", done_words(visit), results, 1);
    else
        go_to_story(visit, web_part(visit, 0), false, results[0].error);
}

void web_held_post(struct web_visit *visit)
{
    const char *id = web_part(visit, 0), *wrong = what_is_wrong(visit, 1);
    if (wrong)
        web_words_go(visit, folder, id, false, wrong);
    else
        decide(visit, &id, 1, one_done);
}

/* ---- what it says ---- */

static const struct web_column file_columns[] = { { "Name", WEB_COLUMN_HEAD }, { "Size", WEB_COLUMN_NUMBER } };

static void add_file(struct web_html *html, const struct json_t *file, void *ctx)
{
    (void)ctx;
    web_page_text(html, &file_columns[0], web_json_text(file, "name"));
    web_page_text(html, &file_columns[1], WEB_BYTES(web_json_number(file, "size")));
}

static void add_attachments(struct web_html *html, const struct json_t *read)
{
    static const struct web_rows rows = { .id = "files",
                                          .caption = "Names and sizes; they can't be opened here",
                                          .columns = file_columns,
                                          .column_count = sizeof file_columns / sizeof file_columns[0],
                                          .empty = "It brings no files.",
                                          .add = add_file };
    web_page_section(html, "attachments", "Files");
    web_list_rows(html, &rows, read, "attachments", NULL);
    web_page_section_end(html);
}

static void add_words(struct web_html *html, const struct json_t *read)
{
    web_page_section(html, "facts", "Who wrote it");
    web_page_facts(html);
    web_page_fact_text(html, "From", web_json_text(read, "from"));
    web_page_fact_text(html, "The name that it gives itself", web_json_text(read, "author_name"));
    web_page_fact_text(html, "To", web_json_text(read, "to"));
    web_page_fact_text(html, "Subject", web_json_text(read, "whole_subject"));
    web_page_facts_end(html);
    web_page_section_end(html);
    web_page_section(html, "text", "Text");
    if (!web_json_is(read, "understood"))
        web_page_note(html, WEB_WARNING, "Nobody could read this mail: it is damaged, or made to harm who tries.");
    web_html_add(html,
                 "<pre class=\"content\" id=\"content-text\" tabindex=\"0\" role=\"region\" "
                 "aria-labelledby=\"text-heading\">%t</pre>\n",
                 web_json_text(read, "text"));
    if (web_json_is(read, "text_cut"))
        web_html_add(html, "<p class=\"note warning\">This is only the beginning: the whole text has %s.</p>\n",
                     WEB_BYTES(web_json_number(read, "text_size")));
    web_page_section_end(html);
}

static void content_shown(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    char title[TITLE_MAX];
    const struct json_t *read = results[0].json;
    (void)count;
    (void)ctx;
    if (results[0].exit != ADMIN_OK) {
        web_page_fail(visit, &results[0]);
        return;
    }
    const char *id = web_json_text(read, "id");
    snprintf(title, sizeof title, "What %s says", id);
    struct web_html *html = web_page_begin(visit, title);
    web_html_add(html,
                 "<p class=\"crumbs\"><a href=\"/held\">Held mail</a> <span class=\"sep\">/</span> "
                 "<a href=\"/held/%u\">%s</a></p>\n",
                 id, id);
    web_html_add(
        html,
        "<p class=\"note\" data-still>That you have looked is in the <a href=\"/audit?object=%u\">audit log</a>. "
        "Nothing of what it says is.</p>\n",
        id);
    add_words(html, read);
    add_attachments(html, read);
    if (!is_released(read))
        add_decision(html, visit, id);
    web_page_end(visit, &html);
}

void web_held_content_post(struct web_visit *visit)
{
    struct web_words words = web_words_of("held", "read");
    web_words_add(&words, web_part(visit, 0));
    web_words_run(visit, &words, content_shown, NULL);
}
