/* tmtp_silo_text.c - UTF-8 and what can be printed */
#include "tmtp/tmtp_silo_text.h"

#include <stdint.h>
#include <string.h>

enum { INVALID = -1, REPLACEMENT = 0xFFFD };

/* The character at *text (advanced past it), or INVALID. len > 0. */
static int32_t next_character(const uint8_t **text, size_t *len)
{
    static const struct {
        uint8_t mask, lead;
        size_t more;   /* continuation bytes */
        int32_t least; /* below that it is not the shortest form */
    } forms[] = { { 0x80, 0x00, 0, 0 }, { 0xE0, 0xC0, 1, 0x80 }, { 0xF0, 0xE0, 2, 0x800 }, { 0xF8, 0xF0, 3, 0x10000 } };
    const uint8_t *at = *text;
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        if ((at[0] & forms[f].mask) != forms[f].lead)
            continue;
        if (forms[f].more >= *len)
            return INVALID;
        int32_t c = at[0] & (uint8_t)~forms[f].mask;
        for (size_t i = 1; i <= forms[f].more; i++) {
            if ((at[i] & 0xC0) != 0x80)
                return INVALID;
            c = c << 6 | (at[i] & 0x3F);
        }
        *text += forms[f].more + 1;
        *len -= forms[f].more + 1;
        bool surrogate = c >= 0xD800 && c <= 0xDFFF;
        return c < forms[f].least || surrogate || c > 0x10FFFF ? INVALID : c;
    }
    return INVALID;
}

static bool is_printable(int32_t c)
{
    /* Controls, blanks other than the space, format characters, surrogates, private use, noncharacters. */
    static const struct {
        int32_t first, last;
    } hidden[] = {
        { 0x00, 0x1F },        { 0x7F, 0xA0 },     { 0xAD, 0xAD },     { 0x600, 0x605 },     { 0x61C, 0x61C },
        { 0x6DD, 0x6DD },      { 0x70F, 0x70F },   { 0x1680, 0x1680 }, { 0x180E, 0x180E },   { 0x2000, 0x200F },
        { 0x2028, 0x202F },    { 0x205F, 0x206F }, { 0x3000, 0x3000 }, { 0xD800, 0xF8FF },   { 0xFDD0, 0xFDEF },
        { 0xFEFF, 0xFEFF },    { 0xFFF0, 0xFFFB }, { 0xFFFD, 0xFFFF }, { 0x1D173, 0x1D17A }, { 0xE0000, 0xE00FF },
        { 0xE01F0, 0x10FFFF },
    };
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) {
        if (c >= hidden[i].first && c <= hidden[i].last)
            return false;
    }
    return c != INVALID;
}

bool silo_text_is_printable(const char *text)
{
    const uint8_t *at = (const uint8_t *)text;
    size_t len = strlen(text);
    while (len > 0) {
        if (!is_printable(next_character(&at, &len)))
            return false;
    }
    return true;
}

long silo_text_utf16_length(const void *text, size_t len)
{
    const uint8_t *at = text;
    long units = 0;
    while (len > 0) {
        int32_t c = next_character(&at, &len);
        if (c == INVALID || c == REPLACEMENT)
            return -1;
        units += c >= 0x10000 ? 2 : 1;
    }
    return units;
}
