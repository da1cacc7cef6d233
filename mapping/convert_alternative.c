/* Forms of the same text: which one is shown, and what becomes of what only another one says. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "mapping/convert_html.h"
#include "mapping/convert_incoming.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_text.h"
#include "mapping/convert_words.h"

/* One of two forms: the last alternative that has text of this kind (RFC 2046 section 5.1.4: the last is the best). */
struct form {
    const struct convert_part *child; /* NULL: there is none */
    struct strbuf text;               /* as people see it */
    bool is_unread;                   /* some of it is too long for that */
    struct convert_html_measure measure;
    struct convert_words words;
};

static void form_free(struct form *form)
{
    strbuf_free(&form->text);
    convert_words_free(&form->words);
}

/* Adds the text of all leaves of that kind. */
static void read_form(struct convert_incoming *in, const struct convert_part *part, enum convert_show show,
                      struct form *form)
{
    for (size_t i = 0; i < part->child_count; i++)
        read_form(in, part->children[i], show, form);
    if (part->child_count > 0 || part->is_stray || part->about.is_attachment ||
        !(convert_part_is(part, "text", "plain") || convert_part_is(part, "text", "html")) ||
        convert_choice_text_show(part) != show)
        return;
    struct strbuf text;
    struct convert_html_measure measure;
    strbuf_init(&text, convert_content_text_max(part));
    bool is_read =
        in->compared < CONVERT_COMPARED_MAX && convert_content_text(in, part, &text) != CONVERT_TEXT_TOO_LONG;
    in->compared += text.len;
    form->is_unread = form->is_unread || !is_read;
    if (!is_read)
        strbuf_add_str(&form->text, "(long)"); /* attached later, but it is there */
    else if (show == CONVERT_SHOW_TEXT)
        strbuf_add(&form->text, text.data, text.len);
    else {
        convert_html_measure(text.data, text.len, &form->text, &measure);
        form->measure.headings += measure.headings;
        form->measure.list_items += measure.list_items;
        form->measure.tables += measure.tables;
        form->measure.links += measure.links;
        form->measure.emphases += measure.emphases;
        form->measure.pictures += measure.pictures;
        form->measure.code += measure.code;
    }
    strbuf_add_char(&form->text, '\n');
    strbuf_free(&text);
}

static bool has_structure(const struct form *form)
{
    const struct convert_html_measure *measure = &form->measure;
    return measure->headings + measure->list_items + measure->tables + measure->links + measure->emphases +
               measure->pictures + measure->code >
           0;
}

/* "[image: logo.png]", "[cid:logo]": how programs say in plain text that there is a picture. */
static void blank_pictures(struct strbuf *text)
{
    enum { NAME_MAX_LEN = 300 };
    for (char *open = memchr(text->data, '[', text->len); open;) {
        size_t left = text->len - (size_t)(open - text->data);
        size_t n = strcspn(open, "]\n");
        bool is_picture = n < NAME_MAX_LEN && open[n] == ']' && memchr(open, ':', n);
        if (is_picture)
            memset(open, ' ', n + 1);
        size_t done = n < left ? n + 1 : left;
        open = memchr(open + done, '[', left - done);
    }
}

/* Numbers of lists stand in plain text, but in HTML they are the browser's. */
static void blank_numbers(struct strbuf *text)
{
    for (size_t i = 0; i < text->len; i++) {
        size_t at = i + strspn(text->data + i, " >\t");
        size_t digits = strspn(text->data + at, "0123456789");
        bool is_number = digits > 0 && strchr(".)", text->data[at + digits]) && text->data[at + digits];
        if (is_number)
            memset(text->data + at, ' ', digits);
        i = at + digits;
        i += strcspn(text->data + i, "\n");
    }
}

static void read_words(struct form *form)
{
    blank_numbers(&form->text);
    convert_words_read(form->text.data, form->text.len, &form->words);
}

static void find_form(struct convert_incoming *in, const struct convert_part *part, enum convert_show show,
                      struct form *form)
{
    *form = (struct form){ 0 };
    for (size_t i = part->child_count; i-- > 0;) {
        struct form found = { .child = part->children[i] };
        strbuf_init(&found.text, CONVERT_TEXT_MAX * 2);
        read_form(in, part->children[i], show, &found);
        if (!convert_text_is_blank(found.text.data, found.text.len) || found.measure.pictures > 0) {
            if (show == CONVERT_SHOW_TEXT)
                blank_pictures(&found.text);
            read_words(&found);
            *form = found;
            return;
        }
        form_free(&found);
    }
}

/* "Your program can't show HTML", in whatever language: few words, and HTML or a link among them. */
static bool is_stub(const struct form *plain, const struct form *html, size_t own)
{
    enum { STUB_MAX = 60, NEXT_TO_NOTHING = 3 };
    const char *text = plain->text.data;
    if (plain->words.count > STUB_MAX || own * 2 <= plain->words.count)
        return false;
    bool is_next_to_nothing = plain->words.count <= NEXT_TO_NOTHING && html->words.count > NEXT_TO_NOTHING * 3;
    return is_next_to_nothing || strcasestr(text, "html") || strcasestr(text, "http");
}

/* A third of one form's words is not in the other: it is not the same text. */
static bool lacks_much(const struct form *form, size_t missing)
{
    enum { A_FEW = 3 };
    return form->is_unread || (missing >= A_FEW && missing * 3 > form->words.count);
}

struct choice {
    struct form plain, html;
    bool is_html;     /* HTML is shown */
    bool keeps_other; /* the other form says something else: it is attached */
};

/* A further form, as of another language. */
static bool says_other(struct convert_incoming *in, const struct convert_part *child, const struct form *chosen)
{
    struct form form = { .child = child };
    strbuf_init(&form.text, CONVERT_TEXT_MAX * 2);
    read_form(in, child, CONVERT_SHOW_TEXT, &form);
    read_form(in, child, CONVERT_SHOW_HTML, &form);
    read_words(&form);
    bool is_other = lacks_much(&form, convert_words_missing(&form.words, &chosen->words));
    form_free(&form);
    return is_other;
}

/* Both forms are there. */
static void compare(const struct convert_incoming *in, struct choice *choice)
{
    size_t only_plain = convert_words_missing(&choice->plain.words, &choice->html.words);
    size_t only_html = convert_words_missing(&choice->html.words, &choice->plain.words);
    bool stub = is_stub(&choice->plain, &choice->html, only_plain);
    if (choice->html.is_unread ||
        choice->plain.is_unread) { /* what can be read is shown, and nobody knows of the rest */
        choice->is_html = choice->plain.is_unread && !choice->html.is_unread;
        choice->keeps_other = true;
        return;
    }
    if (choice->html.words.count == 0 && choice->plain.words.count > 0) /* a picture by itself */
        return;
    bool html_has_more = has_structure(&choice->html) || lacks_much(&choice->html, only_html);
    bool prefers_html =
        in->options->body == CONVERT_BODY_HTML || (in->options->body == CONVERT_BODY_AUTO && html_has_more);
    choice->is_html = stub || prefers_html;
    choice->keeps_other =
        choice->is_html ? !stub && lacks_much(&choice->plain, only_plain) : lacks_much(&choice->html, only_html);
}

/* Somebody has attached it: it is a card, stands beside a form, or has a name that no form has. */
static bool is_file_beside(const struct convert_part *part, bool is_inside)
{
    bool is_form = convert_part_is(part, "text", "plain") || convert_part_is(part, "text", "html");
    bool is_card = convert_part_is(part, "text", "vcard") || convert_part_is(part, "text", "x-vcard") ||
                   convert_part_is(part, "text", "directory");
    bool is_named = *part->about.filename != '\0';
    return is_card || (is_form ? is_named && is_inside : is_named || is_inside);
}

/* The forms that are not shown. Other texts than plain and HTML are taken for forms of the same, unless they have a name;
 * what is no text (calendars, pictures of the HTML form) is carried. */
static void collect_rest(struct convert_incoming *in, const struct convert_part *part, bool keeps_text, bool is_inside)
{
    const struct convert_part *outer = in->related;
    if (convert_part_is(part, "multipart", "related"))
        in->related = part;
    for (size_t i = 0; i < part->child_count; i++)
        collect_rest(in, part->children[i], keeps_text, true);
    in->related = outer;
    if (part->child_count > 0)
        return;
    bool is_text = convert_part_is(part, "text", "plain") || convert_part_is(part, "text", "html");
    bool is_form = convert_part_is(part, "text", NULL) && !convert_part_is(part, "text", "calendar") &&
                   !part->about.is_attachment && !part->is_stray && !is_file_beside(part, is_inside) &&
                   !convert_choice_is_file(part);
    if (convert_part_is(part, "image", NULL)) {
        convert_incoming_add(in, part, CONVERT_SHOW_NOTHING, true); /* its place is in the form that is not shown */
        return;
    }
    if (!is_form) {
        convert_choice_part(in, part);
        return;
    }
    if (keeps_text && is_text)
        convert_incoming_add(in, part, CONVERT_SHOW_NOTHING, true)->is_other_form = true;
    else if (*part->about.filename)
        in->leaves_out_name = true;
}

void convert_alternative_collect(struct convert_incoming *in, const struct convert_part *part)
{
    enum { NESTED_MAX = 4 }; /* each level reads what is in it once more */
    struct choice choice = { .is_html = false };
    if (in->alternatives++ >= NESTED_MAX) {
        for (size_t i = 0; i < part->child_count; i++)
            convert_choice_part(in, part->children[i]);
        in->alternatives--;
        return;
    }
    find_form(in, part, CONVERT_SHOW_TEXT, &choice.plain);
    find_form(in, part, CONVERT_SHOW_HTML, &choice.html);
    if (choice.plain.child && choice.html.child && choice.plain.child != choice.html.child)
        compare(in, &choice);
    else
        choice.is_html = !choice.plain.child;
    const struct form *chosen = choice.is_html ? &choice.html : &choice.plain;
    const struct form *other = choice.is_html ? &choice.plain : &choice.html;
    for (size_t i = 0; i < part->child_count; i++) {
        const struct convert_part *child = part->children[i];
        if (!chosen->child || child == chosen->child) /* nothing to read: nothing may be lost either */
            convert_choice_part(in, child);
        else if (child == other->child)
            collect_rest(in, child, choice.keeps_other, false);
        else
            collect_rest(in, child, says_other(in, child, chosen), false);
    }
    form_free(&choice.plain);
    form_free(&choice.html);
    in->alternatives--;
}

bool convert_alternative_says_more(struct convert_incoming *in, const struct convert_part *part)
{
    struct form shown = { 0 };
    struct form form = { 0 };
    strbuf_init(&shown.text, CONVERT_TEXT_MAX * 2);
    strbuf_init(&form.text, CONVERT_TEXT_MAX * 2);
    for (size_t i = 0; i < in->count; i++) {
        enum convert_show show = in->items[i]->show;
        if (show == CONVERT_SHOW_TEXT || show == CONVERT_SHOW_HTML)
            read_form(in, in->items[i]->part, show, &shown);
    }
    read_form(in, part, convert_choice_text_show(part), &form);
    read_words(&shown);
    read_words(&form);
    bool says_more = shown.words.count == 0 || lacks_much(&form, convert_words_missing(&form.words, &shown.words));
    form_free(&shown);
    form_free(&form);
    return says_more;
}
