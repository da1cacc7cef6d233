/* web_page.h - the frame of each page, and the pieces that pages are made of: tables, forms, facts, states
 *
 * A page is begun with web_page_begin(), filled with web_html_add() and the pieces below, and answered with web_page_end():
 *
 *     struct web_html *html = web_page_begin(visit, "Held mail");
 *     web_page_section(html, "waiting", "Waiting");
 *     web_page_table(html, "held", "Held mail", columns, COUNT);
 *     ... web_page_row(html); web_page_text(html, &columns[0], id); ... web_page_row_end(html);
 *     web_page_table_end(html);
 *     web_page_section_end(html);
 *     web_page_end(visit, &html);
 *
 * All texts given to these functions may come from anywhere, except where it says "ours": a literal, or a name from a const table. ids
 * are ours, unique in a page, and stable: styles, scripts and tests know them.
 *
 * postern.js brings up to date, every few seconds, what stands in web_page_live() (with an id, from the same address), asks before a form with
 * `confirm` is sent, and makes a checkbox "choose all" for tables with checkboxes. All works without it.
 * A page that answers a POST has no address where it could be asked for again: an element with data-still says so.
 */
#pragma once
#include "gateway/web_format.h"
#include "gateway/web_html.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct web_result;
struct web_visit;

/* ---- the frame ---- */

/* For a visit: title as heading and in the window's name; navigation; what the flash says. */
struct web_html *web_page_begin(const struct web_visit *visit, const char *title) __attribute__((warn_unused_result));
void web_page_end(struct web_visit *visit, struct web_html **html);                    /* answers 200; frees */
void web_page_end_status(struct web_visit *visit, struct web_html **html, int status); /* likewise */
/* A verb has failed, and without its answer there is no page: answers 404, 409 or 503 with its words. */
void web_page_fail(struct web_visit *visit, const struct web_result *result);

/* What a frame says, for pages without a visit of somebody who has signed in, and for tests. */
struct web_page_frame {
    const char *title;
    const char *gateway; /* its name */
    const char *path;    /* whose place in the navigation is marked */
    const char *account; /* NULL: nobody has signed in; there is no navigation */
    const char *csrf;
    const char *flash; /* NULL: none */
    bool flash_is_good;
    int64_t now; /* wall-clock milliseconds */
};
void web_page_open(struct web_html *html, const struct web_page_frame *frame);
void web_page_close(struct web_html *html, const struct web_page_frame *frame);

/* ---- parts of a page ---- */

void web_page_section(struct web_html *html, const char *id, const char *heading); /* <section> with <h2>; id: ours */
void web_page_section_end(struct web_html *html);
void web_page_live(struct web_html *html, const char *id); /* <div data-live>; id: ours; not one within another */
void web_page_live_end(struct web_html *html);
void web_page_empty(struct web_html *html, const char *text); /* instead of a table without rows */
enum web_tone { WEB_NEUTRAL, WEB_GOOD, WEB_WARNING, WEB_BAD };
void web_page_note(struct web_html *html, enum web_tone tone, const char *text); /* a box with a sentence */
/* A fold-out; open: is unfolded at first. */
void web_page_fold(struct web_html *html, const char *id, const char *summary, bool open);
void web_page_fold_end(struct web_html *html);

/* Facts: pairs of a term and what it is. */
void web_page_facts(struct web_html *html);
void web_page_facts_end(struct web_html *html);
void web_page_fact(struct web_html *html, const char *term); /* then the value; then: */
void web_page_fact_end(struct web_html *html);
void web_page_fact_text(struct web_html *html, const char *term, const char *text); /* NULL: a dash */
void web_page_fact_time(struct web_html *html, const char *term, const char *rfc3339);
void web_page_fact_state(struct web_html *html, const char *term, const char *state); /* web_page_state() */

/* ---- tables ---- */

enum web_column_kind {
    WEB_COLUMN_TEXT,
    WEB_COLUMN_HEAD,    /* names the row: its cells are <th scope="row"> */
    WEB_COLUMN_ADDRESS, /* likewise, and is an email address: wider */
    WEB_COLUMN_NUMBER,  /* to the right */
    WEB_COLUMN_LONG,    /* breaks where it must: addresses, ids, prose */
    WEB_COLUMN_TIGHT,   /* never wider than what it holds: checkboxes, states, times */
    WEB_COLUMN_ACTS,    /* buttons; the label is for those who do not see them */
};
struct web_column {
    const char *label; /* ours */
    enum web_column_kind kind;
};
/* On a phone each row is a card, each cell labelled with its column. id: ours. */
void web_page_table(struct web_html *html, const char *id, const char *caption, const struct web_column *columns,
                    size_t count);
void web_page_table_end(struct web_html *html);
void web_page_row(struct web_html *html);
void web_page_row_end(struct web_html *html);
void web_page_cell(struct web_html *html, const struct web_column *column); /* then what is in it; then: */
void web_page_cell_end(struct web_html *html, const struct web_column *column);
void web_page_text(struct web_html *html, const struct web_column *column, const char *text); /* NULL or "": a dash */
void web_page_number(struct web_html *html, const struct web_column *column, int64_t number);
void web_page_time(struct web_html *html, const struct web_column *column, const char *rfc3339); /* NULL: a dash */
void web_page_cell_state(struct web_html *html, const struct web_column *column, const char *state);
void web_page_cell_ago(struct web_html *html, const struct web_column *column, const char *rfc3339, int64_t now);
/* A link to the rest. url is of our own. */
void web_page_more(struct web_html *html, const char *url, const char *label);

/* ---- words ---- */

/* A state or verdict, as "approved", with a mark and a colour by its meaning (one table knows all; others are neutral). */
void web_page_state(struct web_html *html, const char *state);
void web_page_mark(struct web_html *html, enum web_tone tone, const char *text); /* likewise, of a tone that is known */
void web_page_when(struct web_html *html, const char *rfc3339);                  /* <time>; NULL: a dash */
void web_page_ago(struct web_html *html, const char *rfc3339, int64_t now);      /* likewise, as "5 min ago" */
void web_page_link(struct web_html *html, const char *url, const char *text);    /* url is of our own */

/* ---- forms ---- */

/* POST to an address of ours. csrf: web_csrf(visit). confirm: the question that is asked first; NULL: none. */
void web_page_form(struct web_html *html, const char *id, const char *csrf, const char *action, const char *confirm);
void web_page_search(struct web_html *html, const char *id, const char *action); /* GET: filters; class "filters" */
void web_page_form_end(struct web_html *html);
/* What is sent as act; in a form with one button only, the button's name and value do the same. */
void web_page_hidden(struct web_html *html, const char *name, const char *value);

struct web_choice {
    const char *value, *label;
};
struct web_field {
    const char *id;    /* ours; of the input element */
    const char *name;  /* ours */
    const char *label; /* ours */
    const char *value; /* NULL: empty */
    const char *hint;  /* below it; NULL: none */
    const char *type;  /* ours: "text", "search", "date", "number", "password", "email"; NULL: text */
    const char *autocomplete, *inputmode, *placeholder; /* ours; NULL: none (autocomplete: off) */
    bool is_required;
    bool is_wide;                     /* the whole width of the form */
    unsigned rows;                    /* > 0: a <textarea> of so many lines */
    unsigned longest;                 /* characters; 0: not said */
    const struct web_choice *choices; /* a <select> of these, up to one whose value is NULL; value is the chosen one */
};
void web_page_field(struct web_html *html, const struct web_field *field);
/* The field "reason". id, label: ours. */
void web_page_reason(struct web_html *html, const char *id, const char *label);
/* A checkbox with its label behind it. label may come from anywhere. */
void web_page_check(struct web_html *html, const char *id, const char *name, const char *value, const char *label,
                    bool checked);
/* A checkbox of a row in a table, named for those who do not see the row. */
void web_page_choose(struct web_html *html, const char *name, const char *value, const char *label);

enum web_button {
    WEB_BUTTON_PLAIN,
    WEB_BUTTON_MAIN,   /* what is done most: one of a form */
    WEB_BUTTON_DANGER, /* what can't be undone */
};
/* Sends its form. name, value: ours; NULL: none. what: for those who do not see the row it is in ("Approve request 17"); NULL: label. */
void web_page_button(struct web_html *html, enum web_button kind, const char *name, const char *value,
                     const char *label, const char *what);
