#include "mapping/convert_charset_guess.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "mapping/convert_utf8.h"

/* Characters of a text by how sure they are signs of UTF-8. */
struct tally {
    size_t usual;   /* Latin, Greek, Cyrillic, Hebrew, Arabic, and what has three octets or more */
    size_t unusual; /* what two accented letters or marks may be by accident: phonetics, combining marks */
    size_t threes;
    bool is_valid;
};

static struct tally count_characters(const char *data, size_t len)
{
    struct tally tally = { .is_valid = true };
    for (size_t i = 0; i < len && tally.is_valid;) {
        uint32_t code;
        size_t n = (unsigned char)data[i] < 0x80 ? 1 : convert_utf8_char(data + i, len - i, &code);
        bool is_usual = n > 2 || (n == 2 && (code < 0x180 || (code >= 0x380 && code < 0x680)));
        tally.is_valid = n > 0;
        tally.threes += n > 2;
        tally.usual += is_usual;
        tally.unusual += n == 2 && !is_usual;
        i += n > 0 ? n : 1;
    }
    return tally;
}

bool convert_charset_is_utf8(const char *data, size_t len, enum convert_charset_kind declared)
{
    enum { CERTAIN = 3 };
    struct tally tally = count_characters(data, len);
    if (!tally.is_valid || tally.usual == 0 || tally.usual < tally.unusual)
        return false;
    if (declared == CONVERT_CHARSET_LATIN)
        return true;
    if (declared == CONVERT_CHARSET_SINGLE)
        return tally.usual >= CERTAIN;
    return tally.threes >= CERTAIN && tally.threes * 2 > tally.usual;
}

bool convert_charset_is_latin(const char *data, size_t len)
{
    enum { RUN_MAX = 3 };
    size_t beyond = 0;
    size_t letters = 0;
    size_t run = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)data[i];
        uint32_t code;
        run = c < 0x80 ? 0 : run + 1;
        beyond += c >= 0x80;
        letters += isalpha(c) != 0 && c < 0x80;
        if (run > RUN_MAX || (c >= 0x80 && convert_utf8_char(data + i, len - i, &code) > 0))
            return false;
    }
    /* A character that was cut off at the end is no sign of anything. */
    bool is_cut = run > 0 && beyond == run && (unsigned char)data[len - run] >= 0xC2;
    return beyond > 0 && !is_cut && beyond * 2 <= letters;
}

bool convert_charset_is_euc_jp(const char *data, size_t len)
{
    enum { KANA_LAST = 0xDF, CERTAIN = 3, USUAL = 3 };
    size_t pairs = 0;
    size_t hiragana = 0; /* and katakana */
    bool has_kanji = false;
    for (size_t i = 0; i < len; i++) {
        unsigned char first = (unsigned char)data[i];
        if (first < 0x80)
            continue;
        unsigned char second = i + 1 < len ? (unsigned char)data[++i] : 0;
        if (first < 0xA1 || second < 0xA1 || first == 0xFF || second == 0xFF)
            return false;
        pairs++;
        hiragana += first == 0xA4 || first == 0xA5;
        has_kanji = has_kanji || first > KANA_LAST || second > KANA_LAST;
    }
    return pairs >= CERTAIN && (has_kanji || hiragana * USUAL >= pairs);
}

bool convert_charset_is_iso_2022_jp(const char *data, size_t len)
{
    bool has_switch = false;
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)data[i] >= 0x80)
            return false;
        has_switch = has_switch || (data[i] == 0x1B && len - i > 2 && data[i + 1] == '$' &&
                                    (data[i + 2] == 'B' || data[i + 2] == '@'));
    }
    return has_switch;
}

static bool has_mark(const char *data, size_t len, size_t unit, const char *mark)
{
    return len >= unit && memcmp(data, mark, unit) == 0;
}

const char *convert_charset_byte_order(const char *data, size_t len, size_t unit)
{
    bool is_16 = unit == 2;
    const char *little = is_16 ? "UTF-16LE" : "UTF-32LE";
    const char *big = is_16 ? "UTF-16BE" : "UTF-32BE";
    if (has_mark(data, len, unit, is_16 ? "\xFF\xFE" : "\xFF\xFE\0\0"))
        return little;
    if (has_mark(data, len, unit, is_16 ? "\xFE\xFF" : "\0\0\xFE\xFF"))
        return big;
    size_t first = 0, last = 0; /* zeros as the first and the last octet of a unit */
    for (size_t i = 0; i + unit <= len; i += unit) {
        first += data[i] == '\0';
        last += data[i + unit - 1] == '\0';
    }
    return first > last ? big : little;
}

bool convert_charset_is_utf16(const char *data, size_t len)
{
    bool is_marked = has_mark(data, len, 2, "\xFF\xFE") || has_mark(data, len, 2, "\xFE\xFF");
    return is_marked && memchr(data, '\0', len) != NULL;
}
