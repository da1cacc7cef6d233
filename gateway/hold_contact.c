/* hold_contact.c - see hold_contact.h */
#include "gateway/hold_contact.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/strbuf.h"
#include "mapping/convert_utf8.h"

enum {
    TEXT_MAX = 4000,
    SUBJECT_LEAST = 12, /* less of a subject says nothing */
};

/* Nobody sees it, or it changes how others are seen: joiners, marks of direction, fillers, tags, variation selectors. */
static bool is_invisible(uint32_t code)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        { 0xAD, 0xAD },       { 0x34F, 0x34F },     { 0x61C, 0x61C },   { 0x115F, 0x1160 }, { 0x17B4, 0x17B5 },
        { 0x180B, 0x180F },   { 0x200B, 0x200F },   { 0x202A, 0x202E }, { 0x2060, 0x206F }, { 0x3164, 0x3164 },
        { 0xFE00, 0xFE0F },   { 0xFEFF, 0xFEFF },   { 0xFFA0, 0xFFA0 }, { 0xFFF0, 0xFFFB }, { 0x1BCA0, 0x1BCA3 },
        { 0x1D173, 0x1D17A }, { 0xE0000, 0xE0FFF },
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (code >= ranges[i].first && code <= ranges[i].last)
            return true;
    return false;
}

static bool is_space(uint32_t code)
{
    return code <= ' ' || (code >= 0x7F && code <= 0xA0) || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) ||
           code == 0x2028 || code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
}

/* What would end our quotation. */
static bool is_quote(uint32_t code)
{
    return code == '"' || code == 0xAB || code == 0xBB || (code >= 0x201C && code <= 0x201F) || code == 0x301D ||
           code == 0x301E || code == 0x301F || code == 0xFF02;
}

static bool is_word(uint32_t code)
{
    return (code >= '0' && code <= '9') || (code >= 'a' && code <= 'z') || (code >= 'A' && code <= 'Z') || code > 0xA0;
}

static unsigned units_of(const char *text, size_t len)
{
    unsigned units = 0;
    uint32_t code;
    for (size_t i = 0; i < len; units += code >= 0x10000 ? 2 : 1)
        i += convert_utf8_char(text + i, len - i, &code);
    return units;
}

/* One character of a stranger's text between two others (0: there is none). Dots and marks that would make a link of it, for
 * programs that look for links, stand in brackets. */
static const char *shown(uint32_t before, uint32_t code, uint32_t after, bool *is_itself_out)
{
    bool joins = is_word(before) && is_word(after);
    *is_itself_out = false;
    if (is_quote(code))
        return "'";
    if (code == 0xFFFD || code == 0xFFFE || code == 0xFFFF)
        return "?"; /* a silo takes none of these */
    if ((code == '.' || code == 0x3002 || code == 0xFF0E) && joins && !(after >= '0' && after <= '9'))
        return "[.]";
    if (code == '@' && joins)
        return "[at]";
    if (code == ':' && is_word(before) && (after == '/' || is_word(after)) && !(after >= '0' && after <= '9'))
        return "[:]";
    *is_itself_out = true;
    return NULL;
}

/* The text as one line, without what nobody sees. */
static void add_line(const char *text, struct strbuf *out)
{
    struct strbuf valid;
    bool blank = false;
    uint32_t code;
    strbuf_init(&valid, TEXT_MAX);
    convert_utf8_repair(&valid, text, strlen(text) < HOLD_SUBJECT_MAX ? strlen(text) : HOLD_SUBJECT_MAX);
    for (size_t i = 0, n; i < valid.len; i += n) {
        n = convert_utf8_char(valid.data + i, valid.len - i, &code);
        if (is_space(code) || code == 0x2800) {
            blank = out->len > 0;
        } else if (!is_invisible(code)) {
            if (blank)
                strbuf_add_char(out, ' ');
            blank = false;
            strbuf_add(out, valid.data + i, n);
        }
    }
    strbuf_free(&valid);
}

static void defang(const char *line, struct strbuf *out)
{
    size_t len = strlen(line), n;
    uint32_t before = 0, code, after;
    for (size_t i = 0; i < len; i += n) {
        bool is_itself;
        n = convert_utf8_char(line + i, len - i, &code);
        after = 0;
        if (i + n < len)
            convert_utf8_char(line + i + n, len - i - n, &after);
        const char *instead = shown(before, code, after, &is_itself);
        if (is_itself)
            strbuf_add(out, line + i, n);
        else
            strbuf_add_str(out, instead);
        before = code;
    }
}

void hold_contact_add_subject(const char *subject, unsigned units_max, struct strbuf *out)
{
    struct strbuf line, safe;
    strbuf_init(&line, TEXT_MAX);
    strbuf_init(&safe, 4 * TEXT_MAX);
    add_line(subject, &line);
    defang(line.data, &safe);
    size_t len = safe.len;
    if (units_of(safe.data, len) > units_max) {
        unsigned units = 3; /* the dots */
        uint32_t code;
        size_t n;
        for (len = 0; units + 2 <= units_max; len += n) {
            n = convert_utf8_char(safe.data + len, safe.len - len, &code);
            units += code >= 0x10000 ? 2 : 1;
        }
    }
    strbuf_add(out, safe.data, len);
    if (len < safe.len)
        strbuf_add_str(out, "...");
    strbuf_free(&line);
    strbuf_free(&safe);
}

/* Is it one that can be shown, and written by whoever reads it? */
static bool is_plain(const char *author)
{
    for (const char *p = author; *p; p++)
        if (*p <= ' ' || *p == 0x7F || strchr("\"\\<>(),;:`", *p))
            return false; /* char is signed: not ASCII either */
    return author[0] != 0;
}

static void write_short(const char *author, struct strbuf *out)
{
    static const char with[] = "Mail from %s is held. To ask that they may write to you, answer: invite %s";
    static const char without[] = "Mail from %s is held. An administrator decides about it.";
    static const char nobody[] =
        "Mail from somebody whose address can't be shown here is held. An administrator decides about it.";
    size_t len = strlen(author);
    bool plain = is_plain(author);
    if (plain && sizeof with - 1 - 4 + 2 * len <= HOLD_CONTACT_UNITS)
        strbuf_add_fmt(out, with, author, author);
    else if (plain && sizeof without - 1 - 2 + len <= HOLD_CONTACT_UNITS)
        strbuf_add_fmt(out, without, author);
    else
        strbuf_add_str(out, nobody);
}

void hold_contact_write(const char *author, const char *subject, struct strbuf *out)
{
    static const char fmt[] = "Held: mail from %s, \"\". To ask that they may write to you, answer: invite %s";
    size_t fixed = sizeof fmt - 1 - 4 + 2 * strlen(author);
    struct strbuf text;
    strbuf_init(&text, TEXT_MAX);
    if (is_plain(author) && fixed + SUBJECT_LEAST <= HOLD_CONTACT_UNITS)
        hold_contact_add_subject(subject, (unsigned)(HOLD_CONTACT_UNITS - fixed), &text);
    if (text.len > 0)
        strbuf_add_fmt(out, "Held: mail from %s, \"%s\". To ask that they may write to you, answer: invite %s", author,
                       text.data, author);
    else
        write_short(author, out);
    strbuf_free(&text);
}
