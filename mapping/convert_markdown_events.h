/* convert_markdown_events.h - the CommonMark parser's events, between the parser and the two renderers
 *
 * Text arrives decoded (escapes and entities resolved) and valid. Events nest properly. Internal to
 * mapping/convert_markdown*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct convert_markdown_references;
struct strbuf;

enum markdown_node {
    MARKDOWN_QUOTE,
    MARKDOWN_BULLETS,
    MARKDOWN_NUMBERS,
    MARKDOWN_ITEM,
    MARKDOWN_RULE,
    MARKDOWN_HEADING,
    MARKDOWN_CODE_BLOCK,
    MARKDOWN_PARAGRAPH,
    MARKDOWN_TABLE,
    MARKDOWN_ROW,
    MARKDOWN_HEAD_CELL,
    MARKDOWN_CELL,
    MARKDOWN_EM,
    MARKDOWN_STRONG,
    MARKDOWN_STRIKE,
    MARKDOWN_LINK,
    MARKDOWN_IMAGE,
    MARKDOWN_CODE,
    MARKDOWN_NODE_COUNT
};

enum markdown_align { MARKDOWN_ALIGN_NONE, MARKDOWN_ALIGN_LEFT, MARKDOWN_ALIGN_CENTER, MARKDOWN_ALIGN_RIGHT };

struct markdown_detail {
    unsigned number;           /* heading: level; numbers: the first */
    bool is_tight;             /* lists: items without empty lines between */
    enum markdown_align align; /* cells */
    const char *url;           /* link, image: without blanks, quotes and brackets; "" otherwise */
};

struct markdown_events {
    void (*enter)(void *ctx, enum markdown_node node, const struct markdown_detail *detail);
    void (*leave)(void *ctx, enum markdown_node node, const struct markdown_detail *detail);
    void (*text)(void *ctx, const char *text, size_t len);
    void (*line_break)(void *ctx);
    const struct strbuf *out; /* parsing ends when it has overflowed */
};

/* Levels of nodes that the parser adds to CONVERT_MARKDOWN_DEPTH_MAX, for forms. */
enum { MARKDOWN_EXTRA_DEPTH = 4 };

/* 1 done, -1 over a limit. references: NULL for none. */
int markdown_parse(const char *body, size_t len, const struct convert_markdown_references *references,
                   const struct markdown_events *events, void *ctx) __attribute__((warn_unused_result));

/* Where a link or picture points. */
enum markdown_target {
    MARKDOWN_TARGET_WEB,      /* http, https, mailto: may be passed on */
    MARKDOWN_TARGET_ATTACHED, /* of this message: name_out is its name with prefix */
    MARKDOWN_TARGET_EARLIER,  /* of an earlier message of the thread: name_out likewise */
    MARKDOWN_TARGET_OTHER,    /* a message of the thread, an unknown scheme, a relative url: not for mail */
};
/* *name_out is the caller's; NULL when there is no name. */
enum markdown_target markdown_classify_url(const char *url, char **name_out);

/* What stands behind the text of a link to a file: " (attached: plan.pdf)"; nothing for other links. */
void markdown_add_file_note(struct strbuf *out, const struct convert_markdown_references *references, const char *url,
                            const char *shown);
/* What stands for a picture that is not shown: "[image: the gate (gate.png)]". */
void markdown_add_image_note(struct strbuf *out, const struct convert_markdown_references *references, const char *url,
                             const char *alt);
/* Whether a link's text is an address itself, and another one than that to which it leads. */
bool markdown_link_misleads(const char *shown, const char *url);
/* The part of an address that says whose it is: its host, or the mail address. */
void markdown_add_owner(struct strbuf *out, const char *url);
