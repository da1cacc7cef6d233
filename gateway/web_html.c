/* web_html.c - see web_html.h */
#include "gateway/web_html.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/web.h"
#include "mapping/convert_utf8.h"

enum { NAME_SIZE = 24 };

/* Where in the markup the next octet of a literal, or a text, stands. */
enum place {
    IN_TEXT,  /* between tags */
    IN_NAME,  /* in a tag, in the name of the element */
    IN_TAG,   /* in a tag, outside of attributes' values */
    IN_VALUE, /* in an attribute's value, in double quotes */
};

struct web_html {
    struct strbuf out;
    enum place place;
    char element[NAME_SIZE];   /* opened last, in lower case as we write it; cut */
    char attribute[NAME_SIZE]; /* whose value it is, or whose name is being read; cut */
    size_t value_len;          /* octets of the value so far */
    char value_first;          /* its first one */
    bool is_wrong;
};

struct web_html *web_html_new(void)
{
    struct web_html *html = xcalloc(1, sizeof *html);
    strbuf_init(&html->out, WEB_HTML_MAX);
    return html;
}

void web_html_free(struct web_html **html)
{
    if (!*html)
        return;
    strbuf_free(&(*html)->out);
    free(*html);
    *html = NULL;
}

const char *web_html_int(int64_t number, char buf[static WEB_HTML_INT_SIZE])
{
    snprintf(buf, WEB_HTML_INT_SIZE, "%" PRId64, number);
    return buf;
}

bool web_html_ok(const struct web_html *html)
{
    return !html->is_wrong && html->place == IN_TEXT && strbuf_ok(&html->out);
}

const struct strbuf *web_html_written(const struct web_html *html)
{
    return &html->out;
}

/* ---- following the literals ---- */

static void name_add(char name[static NAME_SIZE], char c)
{
    size_t len = strlen(name);
    if (len + 1 < NAME_SIZE) {
        name[len] = c;
        name[len + 1] = '\0';
    }
}

static void follow_tag(struct web_html *html, char c)
{
    if (c == '>') {
        html->place = IN_TEXT;
    } else if (c == '"') {
        html->place = IN_VALUE;
        html->value_len = 0;
        html->value_first = '\0';
    } else if (c == ' ' || c == '\n') {
        html->attribute[0] = '\0';
    } else if (c != '=') {
        name_add(html->attribute, c);
    }
}

static void follow_value(struct web_html *html, char c)
{
    if (c == '"') {
        html->place = IN_TAG;
        html->attribute[0] = '\0';
        return;
    }
    if (html->value_len++ == 0)
        html->value_first = c;
}

static void follow(struct web_html *html, char c)
{
    if (html->place == IN_VALUE) {
        follow_value(html, c);
    } else if (html->place == IN_TAG) {
        follow_tag(html, c);
    } else if (html->place == IN_TEXT && c == '<') {
        html->place = IN_NAME;
        html->element[0] = html->attribute[0] = '\0';
    } else if (html->place == IN_NAME) {
        if (c == '>' || c == ' ' || c == '\n') {
            html->place = IN_TAG;
            follow_tag(html, c);
        } else {
            name_add(html->element, c);
        }
    }
}

static bool is_one_of(const char *name, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(name, *list) == 0)
            return true;
    return false;
}

/* May a text of this kind stand here? */
static bool may_stand(const struct web_html *html, char kind)
{
    static const char *const raw_elements[] = { "script", "style", NULL };
    static const char *const code_attributes[] = { "style", "srcdoc", NULL };
    static const char *const url_attributes[] = { "href", "src",    "action", "formaction", "data",       "poster",
                                                  "cite", "srcset", "ping",   "background", "xlink:href", NULL };
    if (html->place == IN_TEXT)
        return !is_one_of(html->element, raw_elements);
    if (html->place != IN_VALUE || strncmp(html->attribute, "on", 2) == 0 ||
        is_one_of(html->attribute, code_attributes))
        return false;
    if (!is_one_of(html->attribute, url_attributes))
        return true;
    if (kind == 'l')
        return html->value_len == 0;
    return kind == 'u' && html->value_len > 0 && strchr("/?#", html->value_first);
}

/* ---- texts ---- */

/* Not to be seen, and yet able to make something look like something else. Joiners (U+200C, U+200D) are not among them:
 * some scripts and many emoji are not written without. */
static bool is_unseen(uint32_t code)
{
    return convert_utf8_is_control(code) || code == 0xAD || code == 0x61C || code == 0x180E || code == 0x200B ||
           code == 0x200E || code == 0x200F || (code >= 0x2060 && code <= 0x206F) || code == 0xFEFF ||
           (code >= 0xFFF9 && code <= 0xFFFB) || (code >= 0xE0000 && code <= 0xE0FFF);
}

static void add_character(struct strbuf *out, const char *text, size_t len)
{
    static const struct {
        char c;
        const char *entity;
    } entities[] = { { '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" }, { '"', "&quot;" }, { '\'', "&#39;" } };
    for (size_t i = 0; len == 1 && i < sizeof entities / sizeof entities[0]; i++) {
        if (text[0] == entities[i].c) {
            strbuf_add_str(out, entities[i].entity);
            return;
        }
    }
    strbuf_add(out, text, len);
}

static void add_text(struct strbuf *out, const char *text, bool keep_lines)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len;) {
        uint32_t code = 0;
        size_t size = convert_utf8_char(text + i, len - i, &code);
        if (size == 1 && (code == '\n' || code == '\r' || code == '\t')) {
            if (!keep_lines)
                strbuf_add_char(out, ' ');
            else if (code != '\r')
                strbuf_add_char(out, text[i]);
        } else if (size == 0 || is_unseen(code)) {
            strbuf_add_str(out, CONVERT_UTF8_REPLACEMENT);
        } else {
            add_character(out, text + i, size);
        }
        i += size > 0 ? size : 1;
    }
}

/* What is not in `plain`, a letter or a digit is percent-encoded. */
static void add_encoded(struct strbuf *out, const char *text, const char *plain)
{
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x80 && (isalnum(c) || strchr(plain, c)))
            add_character(out, text, 1);
        else
            strbuf_add_fmt(out, "%%%02X", c);
    }
}

static void add_local_url(struct strbuf *out, const char *url)
{
    if (url[0] != '/' || url[1] == '/' || url[1] == '\\')
        url = "/";
    add_encoded(out, url, "-._~/?#&=%+,:@!$'()*;");
}

static void add_one(struct web_html *html, char kind, const char *text)
{
    if (!text)
        text = "";
    if (kind == 'u')
        add_encoded(&html->out, text, "-._~");
    else if (kind == 'l')
        add_local_url(&html->out, text);
    else
        add_text(&html->out, text, kind == 't');
    if (html->place == IN_VALUE)
        html->value_len++;
}

/* ---- both ---- */

static void mistake(struct web_html *html, const char *literal)
{
    log_error("web.template", "literal=%s", literal);
    html->is_wrong = true;
}

void web_html_fill(struct web_html *html, const char *const *parts, size_t count)
{
    size_t next = 1;
    for (const char *c = parts[0]; *c && !html->is_wrong; c++) {
        if (*c != '%') {
            strbuf_add_char(&html->out, *c);
            follow(html, *c);
        } else if (*++c == '%') {
            strbuf_add_char(&html->out, '%');
            follow(html, '%');
        } else if (*c && strchr("stul", *c) && next < count && may_stand(html, *c)) {
            add_one(html, *c, parts[next++]);
        } else {
            mistake(html, parts[0]);
            return;
        }
    }
    if (next != count && !html->is_wrong)
        mistake(html, parts[0]);
}
