/* convert_markdown.h - a thread message's CommonMark as plain text and as HTML for mail
 *
 * CommonMark with GitHub's tables and strikethrough (parsed by md4c); raw HTML is shown as text. Links pass with the
 * schemes http, https and mailto; links to an attachment name it; pictures are shown only when they are attached to
 * the same message, and nothing is loaded from elsewhere. What only the member client knows is carried as what it means:
 * the marks of slides (":::") are rules, a blank form ("![?](this_f:NAME)") is the list of its fields, filled ones are
 * tables at the end. All renderings are UTF-8 with LF line ends. Pure functions. Internal to mapping/convert*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct strbuf;
struct tmtp_form;

/* cid (without brackets) of the attached picture with this name ("u:photo.png"); NULL: no such, or no picture. */
typedef const char *convert_markdown_find_image(const char *name, void *ctx);

/* A filled form of the message. */
struct convert_markdown_filled {
    const char *name;              /* without prefix */
    const char *file;              /* under which it is attached */
    const char *type;              /* NULL */
    const struct tmtp_form *form;  /* NULL: it can't be read */
    const struct tmtp_form *blank; /* what its fields are called; NULL */
};

/* What the text can refer to: what is attached to the same message. Names have their prefix. Each member may be NULL. */
struct convert_markdown_references {
    convert_markdown_find_image *find_image;
    const char *(*find_file)(const char *name, void *ctx); /* the name that it has in the mail; NULL: not attached */
    const struct tmtp_form *(*find_form)(const char *name, void *ctx); /* blank; NULL: not attached, or not readable */
    const struct convert_markdown_filled *filled;
    size_t filled_count;
    void *ctx;
};

/* 1 done; -1 too long, too deep or too large: show it with the *_preformatted form, after cutting off what was begun. */

/* Lines as they are, however long. */
int convert_markdown_to_text(struct strbuf *out, const char *body, size_t len) __attribute__((warn_unused_result));
/* Adds text in format=flowed, without DelSp (RFC 3676): lines of at most 78 columns where words allow it; code, tables
 * and what has line breaks of its own are fixed lines. references: NULL for none. */
int convert_markdown_add_flowed(struct strbuf *out, const char *body, size_t len,
                                const struct convert_markdown_references *references)
    __attribute__((warn_unused_result));
int convert_markdown_to_html(struct strbuf *out, const char *body, size_t len, convert_markdown_find_image *find_image,
                             void *ctx) __attribute__((warn_unused_result));

void convert_markdown_add_flowed_line(struct strbuf *out, const char *line); /* ours, clean, as it is to be read */

/* The source as it stands, line by line; text in format=flowed. */
void convert_markdown_add_preformatted_flowed(struct strbuf *out, const char *body, size_t len);

/* The pieces of an HTML document of several texts. What add_html began when it failed is to be cut off. */
void convert_markdown_begin_html(struct strbuf *out);
void convert_markdown_end_html(struct strbuf *out);
int convert_markdown_add_html(struct strbuf *out, const char *body, size_t len,
                              const struct convert_markdown_references *references) __attribute__((warn_unused_result));
void convert_markdown_add_preformatted_html(struct strbuf *out, const char *body, size_t len);
void convert_markdown_begin_quote_html(struct strbuf *out); /* somebody's words: mail programs may fold them away */
void convert_markdown_end_quote_html(struct strbuf *out);
void convert_markdown_escape_html(struct strbuf *out, const char *text); /* valid UTF-8 */
