/* convert_markdown_events.h - the CommonMark parser's events, between the parser and the two renderers
 *
 * Text arrives decoded (escapes and entities resolved) and valid. Events nest properly. Internal to
 * mapping/convert_markdown*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

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

struct markdown_detail {
    unsigned number; /* heading: level; numbers: the first */
    bool is_tight;   /* lists: items without empty lines between */
    const char *url; /* link, image: as written; "" otherwise */
};

struct markdown_events {
    void (*enter)(void *ctx, enum markdown_node node, const struct markdown_detail *detail);
    void (*leave)(void *ctx, enum markdown_node node, const struct markdown_detail *detail);
    void (*text)(void *ctx, const char *text, size_t len);
    void (*line_break)(void *ctx);
    const struct strbuf *out; /* parsing ends when it has overflowed */
};

/* 1 done, -1 over a limit. */
int markdown_parse(const char *body, size_t len, const struct markdown_events *events, void *ctx)
    __attribute__((warn_unused_result));

/* Where a link or picture points. */
enum markdown_target {
    MARKDOWN_TARGET_WEB,      /* http, https, mailto: may be passed on */
    MARKDOWN_TARGET_ATTACHED, /* of this message: name_out is its name with prefix */
    MARKDOWN_TARGET_EARLIER,  /* of an earlier message of the thread: name_out likewise */
    MARKDOWN_TARGET_OTHER,    /* a message of the thread, an unknown scheme, a relative url: not for mail */
};
/* *name_out is the caller's; NULL when there is no name. */
enum markdown_target markdown_classify_url(const char *url, char **name_out);
