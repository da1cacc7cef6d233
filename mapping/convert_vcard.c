#include "mapping/convert_vcard.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "mapping/convert_charset.h"
#include "mapping/convert_commonmark.h"
#include "mapping/convert_content_line.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_text.h"
#include "mapping/convert_transfer.h"
#include "mapping/convert_utf8.h"

enum { CHARSET_LABEL_MAX = 64 };

/* The pieces of a card's line in their order. */
enum piece { NAME, TITLE, ORGANISATION, MAIL, PHONE, WEB, PIECES };

struct card {
    char *formatted, *structured; /* FN, and N put together; NULL */
    char *values[PIECES][CONVERT_VCARD_VALUES_MAX];
    size_t counts[PIECES];
};

static const struct property {
    const char *name;
    enum piece piece;
    const char *scheme; /* in front of the value in vCard 4.0 */
} properties[] = {
    { "TITLE", TITLE, "" },   { "ORG", ORGANISATION, "" }, { "EMAIL", MAIL, "mailto:" },
    { "TEL", PHONE, "tel:" }, { "URL", WEB, "" },
};

static void add_to_strbuf(const void *data, size_t len, void *ctx)
{
    strbuf_add(ctx, data, len);
}

static bool is_quoted_printable(const struct content_line *line)
{
    return content_line_has(line, "ENCODING", "QUOTED-PRINTABLE");
}

/* vCard 2.1: the value goes on behind a "=" at the line's end. */
static void join_soft_lines(struct content_line *line, const char **at, const char *end)
{
    while (is_quoted_printable(line) && line->value_len > 0 && line->value[line->value_len - 1] == '=' && *at < end) {
        const char *lf = memchr(*at, '\n', (size_t)(end - *at));
        const char *stop = lf ? lf : end;
        line->value_len = (size_t)(stop - line->value);
        *at = lf ? lf + 1 : end;
    }
}

/* The value without its encoding, still with the format's escapes. */
static void decode_value(struct convert_charsets *charsets, const struct content_line *line, struct strbuf *out)
{
    if (!is_quoted_printable(line)) {
        strbuf_add(out, line->value, line->value_len);
        return;
    }
    struct strbuf bytes, charset;
    strbuf_init(&bytes, line->value_len + 1);
    strbuf_init(&charset, CHARSET_LABEL_MAX);
    (void)convert_transfer_decode(CONVERT_TRANSFER_QP, line->value, line->value_len, NULL, add_to_strbuf, &bytes);
    (void)content_line_param(line, "CHARSET", &charset);
    (void)convert_charset_decode(charsets, charset.data, bytes.data, bytes.len, out);
    strbuf_free(&charset);
    strbuf_free(&bytes);
}

static char *clean(const char *text, size_t len)
{
    struct strbuf plain;
    strbuf_init(&plain, len + 1);
    content_unescape(&plain, text, len);
    char *line = convert_utf8_one_line(plain.data, plain.len, CONVERT_VCARD_VALUE_MAX);
    strbuf_free(&plain);
    return line;
}

/* Some of a value's components, with something between those that are not empty. */
static char *join_components(const struct strbuf *value, const size_t *indices, size_t count, const char *between)
{
    struct strbuf joined;
    strbuf_init(&joined, value->len * 2 + 16);
    for (size_t i = 0; i < count; i++) {
        const char *part;
        size_t len;
        if (content_component(value->data, value->len, indices[i], &part, &len) && len > 0) {
            strbuf_add_str(&joined, joined.len > 0 ? between : "");
            strbuf_add(&joined, part, len);
        }
    }
    char *text = clean(joined.data, joined.len);
    strbuf_free(&joined);
    return text;
}

static void add_value(struct card *card, const struct property *property, const struct strbuf *value)
{
    static const size_t units[] = { 0, 1, 2 };
    if (card->counts[property->piece] == CONVERT_VCARD_VALUES_MAX)
        return;
    size_t scheme = strlen(property->scheme);
    size_t skip = scheme > 0 && strncasecmp(value->data, property->scheme, scheme) == 0 ? scheme : 0;
    char *text = property->piece == ORGANISATION ? join_components(value, units, 3, ", ")
                                                 : clean(value->data + skip, value->len - skip);
    for (size_t i = 0; i < card->counts[property->piece]; i++) {
        if (strcmp(card->values[property->piece][i], text) == 0)
            text[0] = '\0'; /* once is enough */
    }
    if (*text)
        card->values[property->piece][card->counts[property->piece]++] = text;
    else
        free(text);
}

static void add_line(struct convert_charsets *charsets, struct card *card, const struct content_line *line)
{
    static const size_t given_family[] = { 1, 2, 0 };
    const struct property *property = NULL;
    bool is_formatted = content_line_is(line, "FN") && !card->formatted;
    bool is_structured = content_line_is(line, "N") && !card->structured;
    for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++) {
        if (content_line_is(line, properties[i].name))
            property = &properties[i];
    }
    if (!property && !is_formatted && !is_structured)
        return;
    struct strbuf value;
    strbuf_init(&value, line->value_len * 3 + 1);
    decode_value(charsets, line, &value);
    if (is_formatted)
        card->formatted = clean(value.data, value.len);
    else if (is_structured)
        card->structured = join_components(&value, given_family, 3, " ");
    else if (property)
        add_value(card, property, &value);
    strbuf_free(&value);
}

/* "**Bob Example**, Sales, Example Ltd, bob@example.com"; false when there is nothing to say. */
static bool write_card(struct commonmark_writer *writer, const struct card *card)
{
    const char *name = card->formatted && *card->formatted ? card->formatted : card->structured;
    bool has_name = name && *name;
    bool any = has_name;
    if (has_name) {
        commonmark_open_emphasis(writer, COMMONMARK_STRONG);
        commonmark_add_text(writer, name, strlen(name));
        commonmark_close_emphasis(writer, COMMONMARK_STRONG);
    }
    for (size_t piece = TITLE; piece < PIECES; piece++) {
        for (size_t i = 0; i < card->counts[piece]; i++) {
            const char *value = card->values[piece][i];
            if (piece == ORGANISATION && has_name && strcmp(value, name) == 0)
                continue; /* a firm's own card */
            if (any)
                commonmark_add_text(writer, ", ", 2);
            convert_text_add_linked(writer, value, strlen(value));
            any = true;
        }
    }
    commonmark_end_paragraph(writer);
    return any;
}

static void clear_card(struct card *card)
{
    free(card->formatted);
    free(card->structured);
    for (size_t piece = 0; piece < PIECES; piece++) {
        for (size_t i = 0; i < card->counts[piece]; i++)
            free(card->values[piece][i]);
    }
    *card = (struct card){ 0 };
}

static void write_surplus(struct commonmark_writer *writer, size_t count)
{
    struct strbuf text;
    strbuf_init(&text, CONVERT_VCARD_VALUE_MAX);
    strbuf_add_fmt(&text, "%zu more %s in the attachment.", count, count == 1 ? "card is" : "cards are");
    commonmark_add_text(writer, text.data, text.len);
    commonmark_end_paragraph(writer);
    strbuf_free(&text);
}

/* Cards may be nested (AGENT in vCard 2.1): only the outer one is told about. */
static bool write_cards(struct convert_charsets *charsets, struct commonmark_writer *writer, const struct strbuf *text)
{
    const char *at = text->data;
    const char *end = text->data + text->len;
    struct content_line line;
    struct card card = { 0 };
    size_t depth = 0;
    size_t cards = 0;
    size_t written = 0;
    while (content_line_next(&at, end, &line)) {
        join_soft_lines(&line, &at, end);
        bool is_begin = content_line_is(&line, "BEGIN") && content_value_is(&line, "VCARD");
        bool is_end = content_line_is(&line, "END") && content_value_is(&line, "VCARD");
        if (is_begin && ++depth == 1)
            cards++;
        else if (depth == 1 && !is_end && cards <= CONVERT_VCARD_CARDS_MAX)
            add_line(charsets, &card, &line);
        if (depth > 0 && is_end && --depth == 0) {
            written += write_card(writer, &card) ? 1 : 0;
            clear_card(&card);
        }
    }
    written += write_card(writer, &card) ? 1 : 0; /* one without an end */
    clear_card(&card);
    if (written > 0 && cards > CONVERT_VCARD_CARDS_MAX)
        write_surplus(writer, cards - CONVERT_VCARD_CARDS_MAX);
    return written > 0;
}

bool convert_vcard_write(struct convert_charsets *charsets, struct commonmark_writer *writer, const char *charset,
                         const void *data, size_t len)
{
    if (len > CONVERT_TEXT_MAX)
        return false;
    struct strbuf text;
    strbuf_init(&text, CONVERT_TEXT_MAX * 3);
    content_unfold(charsets, charset, data, len, &text);
    bool written = write_cards(charsets, writer, &text);
    strbuf_free(&text);
    return written;
}
