#include "mapping/convert_case.h"

#include <string.h>

#include "mapping/convert_utf8.h"

struct range {
    uint32_t first, last;
    uint32_t add; /* to a capital letter; 1: to every other one, beginning with the first */
};

uint32_t convert_case_lower(uint32_t code)
{
    static const struct range ranges[] = {
        { 'A', 'Z', 32 },     { 0xC0, 0xD6, 32 },   { 0xD8, 0xDE, 32 },   { 0x100, 0x12F, 1 },
        { 0x132, 0x137, 1 },  { 0x139, 0x148, 1 },  { 0x14A, 0x177, 1 },  { 0x179, 0x17E, 1 },
        { 0x218, 0x21B, 1 },  { 0x386, 0x386, 38 }, { 0x388, 0x38A, 37 }, { 0x391, 0x3AB, 32 },
        { 0x400, 0x40F, 80 }, { 0x410, 0x42F, 32 }, { 0x490, 0x491, 1 },  { 0x1E00, 0x1EFF, 1 },
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        const struct range *range = &ranges[i];
        if (code < range->first || code > range->last)
            continue;
        bool is_capital = range->add != 1 || (code - range->first) % 2 == 0;
        return is_capital ? code + range->add : code;
    }
    return code == 0x130 ? 'i' : code; /* Turkish */
}

size_t convert_case_prefix_len(const char *text, size_t len, const char *word)
{
    size_t at = 0;
    for (size_t i = 0, word_len = strlen(word); i < word_len;) {
        uint32_t code, expected;
        size_t n = convert_utf8_char(text + at, len - at, &code);
        i += convert_utf8_char(word + i, word_len - i, &expected);
        if (n == 0 || convert_case_lower(code) != expected)
            return 0;
        at += n;
    }
    return at;
}
