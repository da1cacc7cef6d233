/* mapping_convert_round_trip_message.h - thread messages made at random, of all that people write
 *
 * CommonMark source, with an inline picture that is shown twice. POSTERN_SEED repeats a run.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"

enum { MESSAGE_MAX = 4 << 20 };

struct maker {
    uint64_t random;
    bool
        is_plain; /* for plain text: a line begins with a word, for a sign there means something; items have text and lists */
};

static unsigned pick(struct maker *maker, unsigned below)
{
    maker->random = maker->random * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(maker->random >> 33) % below;
}

#define PICK(MAKER, TEXTS) ((TEXTS)[pick((MAKER), sizeof(TEXTS) / sizeof *(TEXTS))])

/* ---- a line ---- */

static const char *const maker_words[] = {
    "gate",       "the",      "oak",       "of",      "wide",   "größe",
    "門の図面",   "ворота",   "Äpfel",     "2026",    "92",     "and",
    "a",          "I",        "e.g.",      "C:\\\\x", "1\\.",   "5 \\* 3",
    "snake_case", "\\# no",   "&lt;b&gt;", "AT&T",    "\"so\"", "(yes)",
    "x < y",      "שער",      "x\\|y",     "don't",   "50%",    "=2E",
    "From",       "café",     "घर",        "بوابة",   "ประตู",   "👍",
    "\\*",        "\\_",      "\\`",       "\\~",     "[1]",    "\\[x\\](y)",
    "a\\|b",      "#4",       "end.",      "what?",   "1\\)",   "\\- no",
    "\\+ no",     "&amp;lt;", "\\&amp;",   "e\u0301", "\\=",    "measurements-of-everything-that-there-is",
};

static const char *const maker_spans[] = {
    "*wide*",
    "_wide_",
    "**solid**",
    "~~gone~~",
    "*one***two**",
    "**one** **two**",
    "~~one~~ ~~two~~",
    "~~one two~~",
    "`x = y`",
    "`a` `b`",
    "``a ` b``",
    "`*a* [b](c) <d> &amp; \\`",
    "**`x`**",
    "[our page](https://www.example.com/a?b=c&d=e)",
    "[one](https://example.com/a_b_(c)) [two](https://example.com/)",
    "[one](https://example.com/)[two](https://example.com/)",
    "[mail](mailto:bob@example.com?subject=a%20b)",
    "<https://www.example.com/x_y_z>",
    "https://example.net/plain",
    "<alice@example.org>",
    "*some **strong** in it*",
    "**very *deep* down**",
    "***all of it***",
    "~~**no** *more*~~",
    "[**bold** link](https://www.example.com/)",
    "**bold [link](https://www.example.com/)**",
    "un*frigging*believable",
    "![the gate](this_u:gate.png)",
    "[![the gate](this_u:gate.png)](https://www.example.com/)",
};

static const char *const maker_file_links[] = { "[the plan](this_u:plan.pdf)", "[**Maße**](this_u:plan.pdf)" };

static void make_words(struct maker *maker, struct strbuf *out, unsigned most)
{
    strbuf_add_str(out, maker->is_plain || pick(maker, 2) == 0 ? "So" : PICK(maker, maker_words));
    for (unsigned i = pick(maker, most); i > 0; i--)
        strbuf_add_fmt(out, " %s", PICK(maker, maker_words));
}

/* Spans stand beside words, signs, and each other. */
static void make_line(struct maker *maker, struct strbuf *out, unsigned most)
{
    make_words(maker, out, most);
    for (unsigned i = pick(maker, 3); i > 0; i--) {
        strbuf_add_fmt(out, " %s", pick(maker, 12) == 0 ? PICK(maker, maker_file_links) : PICK(maker, maker_spans));
        if (pick(maker, 2) == 0)
            strbuf_add_str(out, ".");
        if (pick(maker, 2) == 0) {
            strbuf_add_char(out, ' ');
            make_words(maker, out, most);
        }
    }
}

/* ---- blocks ---- */

typedef void make_block(struct maker *maker, struct strbuf *out, unsigned depth);

static void make_blocks(struct maker *maker, struct strbuf *out, unsigned most, unsigned depth);

static void make_paragraph(struct maker *maker, struct strbuf *out, unsigned depth)
{
    static const char *const line_ends[] = { "\n", "  \n", "\\\n" };
    for (unsigned lines = 1 + pick(maker, 3); lines > 0; lines--) {
        make_line(maker, out, depth == 0 ? 20 : 8);
        strbuf_add_str(out, lines > 1 ? PICK(maker, line_ends) : "\n");
    }
}

static void make_heading(struct maker *maker, struct strbuf *out, unsigned depth)
{
    (void)depth;
    strbuf_add_fmt(out, "%.*s ", 1 + (int)pick(maker, 6), "######");
    make_line(maker, out, 3);
    strbuf_add_str(out, " end\n"); /* a "#" there would be its own end */
}

static void make_code(struct maker *maker, struct strbuf *out, unsigned depth)
{
    static const char *const lines[] = { "int main(void)",
                                         "{",
                                         "    return 0; // *not* [a](link)",
                                         "}",
                                         "<b>",
                                         "  &amp;",
                                         "\\",
                                         "```",
                                         "~~~",
                                         "",
                                         "  ",
                                         "\ttab",
                                         "From here",
                                         "größe",

                                         "end  " };
    static const char *const marks[] = { "> x", "| a | b |", "- x", "1. x", "-- ", "+", "    - y" };
    (void)depth;
    strbuf_add_str(out, pick(maker, 2) == 0 ? "````c\n" : "````\n");
    if (pick(maker, 4) == 0)
        strbuf_add_char(out, '\n');
    for (unsigned count = pick(maker, 4); count > 0; count--)
        strbuf_add_fmt(out, "%s\n", maker->is_plain || pick(maker, 3) > 0 ? PICK(maker, lines) : PICK(maker, marks));
    for (unsigned count = !maker->is_plain && pick(maker, 2) == 0 ? pick(maker, 60) : 0; count > 0; count--) {
        unsigned octet = pick(maker, 256);
        strbuf_add_char(out, strchr("\n\r\f\v`", (char)octet) /* which end lines, or it */ ? '.' : (char)octet);
    }
    strbuf_add_str(out, "x\n````\n");
}

static void make_cell(struct maker *maker, struct strbuf *out)
{
    const char *word = PICK(maker, maker_words);
    if (maker->is_plain) { /* wide tables are broken within their columns */
        strbuf_add_str(out, strlen(word) <= 12 ? word : "short");
        return;
    }
    make_words(maker, out, 3);
    if (pick(maker, 4) == 0)
        strbuf_add_fmt(out, " %s", PICK(maker, maker_spans));
}

static void make_table(struct maker *maker, struct strbuf *out, unsigned depth)
{
    static const char *const rules[] = { "---", ":--", ":-:", "--:" };
    unsigned columns = 1 + pick(maker, maker->is_plain ? 4 : 6);
    (void)depth;
    for (unsigned rows = 2 + pick(maker, 4), row = 0; row < rows; row++) {
        strbuf_add_char(out, '|');
        for (unsigned i = 0; i < columns; i++) {
            bool is_empty = row > 1 && pick(maker, 4) == 0;
            strbuf_add_char(out, ' ');
            if (row == 1)
                strbuf_add_str(out, PICK(maker, rules));
            else if (!is_empty)
                make_cell(maker, out);
            strbuf_add_str(out, " |");
        }
        strbuf_add_char(out, '\n');
    }
}

static void make_rule(struct maker *maker, struct strbuf *out, unsigned depth)
{
    static const char *const rules[] = { "***\n", "___\n", "- - -\n" };
    (void)depth;
    strbuf_add_str(out, PICK(maker, rules));
}

static void make_signature(struct maker *maker, struct strbuf *out, unsigned depth)
{
    (void)maker;
    strbuf_add_str(out, depth == 0 ? "--  \nAlice  \nThe Oak Gate Company\n" : "So long\n");
}

/* Each line of a block behind a prefix; an empty one behind that alone. */
static void add_inside(struct strbuf *out, const struct strbuf *inner, const char *first, const char *rest)
{
    const char *prefix = first;
    for (size_t i = 0; i < inner->len;) {
        size_t n = strcspn(inner->data + i, "\n");
        const char *end = memchr(inner->data + i, '\n', inner->len - i);
        n = end ? (size_t)(end - inner->data) - i : inner->len - i;
        strbuf_add_str(out, prefix);
        strbuf_add(out, inner->data + i, n);
        strbuf_add_char(out, '\n');
        prefix = rest;
        i += n + 1;
    }
}

/* NOLINTNEXTLINE(misc-no-recursion): depth says how far */
static void make_quote(struct maker *maker, struct strbuf *out, unsigned depth)
{
    struct strbuf inner;
    strbuf_init(&inner, MESSAGE_MAX);
    make_paragraph(maker, &inner, depth);
    strbuf_add_char(&inner, '\n');
    make_blocks(maker, &inner, 2, depth + 1);
    add_inside(out, &inner, "> ", "> ");
    strbuf_free(&inner);
}

/* NOLINTNEXTLINE(misc-no-recursion): depth says how far */
static void make_item(struct maker *maker, struct strbuf *out, const char *marker, bool is_loose, unsigned depth)
{
    struct strbuf inner;
    strbuf_init(&inner, MESSAGE_MAX);
    make_line(maker, &inner, 6);
    strbuf_add_char(&inner, '\n');
    if (is_loose && !maker->is_plain && pick(maker, 2) == 0) {
        strbuf_add_char(&inner, '\n');
        make_blocks(maker, &inner, 2, depth + 1);
    } else if (depth < 3 && pick(maker, 4) == 0) {
        strbuf_add_str(&inner, is_loose ? "\n" : "");
        for (unsigned count = 1 + pick(maker, 3); count > 0; count--)
            make_item(maker, &inner, "- ", false, depth + 1);
    }
    add_inside(out, &inner, marker, &"        "[8 - strlen(marker)]);
    strbuf_free(&inner);
}

/* NOLINTNEXTLINE(misc-no-recursion): depth says how far */
static void make_list(struct maker *maker, struct strbuf *out, unsigned depth)
{
    bool is_numbered = pick(maker, 2) == 0, is_loose = pick(maker, 3) == 0;
    unsigned number = pick(maker, 3) == 0 ? pick(maker, 120) : 1;
    for (unsigned count = 2 + pick(maker, 3), i = 0; i < count; i++) {
        char marker[16];
        snprintf(marker, sizeof marker, is_numbered ? "%u. " : "- ", number + i);
        if (i > 0 && is_loose)
            strbuf_add_char(out, '\n');
        if (i > 0 && i + 1 < count && !is_loose && !maker->is_plain && pick(maker, 12) == 0)
            strbuf_add_fmt(out, "%.*s\n", (int)strlen(marker) - 1, marker); /* empty */
        else
            make_item(maker, out, marker, is_loose, depth);
    }
}

/* NOLINTNEXTLINE(misc-no-recursion): depth says how far */
static void make_blocks(struct maker *maker, struct strbuf *out, unsigned most, unsigned depth)
{
    static make_block *const flat[] = { make_paragraph, make_paragraph, make_paragraph, make_heading,
                                        make_code,      make_table,     make_rule,      make_signature };
    static make_block *const deep[] = { make_quote, make_list, make_list };
    for (unsigned count = 1 + pick(maker, most); count > 0; count--) {
        if (depth < 3 && pick(maker, 3) == 0)
            PICK(maker, deep)(maker, out, depth);
        else
            PICK(maker, flat)(maker, out, depth);
        strbuf_add_char(out, '\n');
        if (pick(maker, 2) == 0) { /* else the same kind may follow */
            make_paragraph(maker, out, depth);
            strbuf_add_char(out, '\n');
        }
    }
}

/* The body; the picture is in it twice. */
static inline void make_message(struct maker *maker, struct strbuf *out)
{
    make_paragraph(maker, out, 0);
    strbuf_add_str(out, "\nLook: ![the gate](this_u:gate.png)\n\n");
    make_blocks(maker, out, 6, 0);
    strbuf_add_str(out, "And once more ![a gate](this_u:gate.png)\n");
}
