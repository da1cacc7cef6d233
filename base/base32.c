#include "base/base32.h"

enum { BITS = 5, OCTET_BITS = 8, OCTET_MASK = 0xFF };

void base32_encode(const uint8_t *data, size_t len, char *out)
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
    unsigned pending = 0, bits = 0;
    for (size_t i = 0; i < len; i++) {
        pending = (pending << OCTET_BITS | data[i]) & 0xFFFF;
        for (bits += OCTET_BITS; bits >= BITS; bits -= BITS)
            *out++ = alphabet[pending >> (bits - BITS) & 31];
    }
    if (bits > 0)
        *out++ = alphabet[pending << (BITS - bits) & 31];
    *out = 0;
}

static int value_of(char c)
{
    if (c >= 'a' && c <= 'z')
        return c - 'a';
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    return c >= '2' && c <= '7' ? c - '2' + 26 : -1;
}

int base32_decode(const char *text, size_t text_len, uint8_t *out, size_t len)
{
    unsigned pending = 0, bits = 0;
    size_t done = 0;
    if (text_len + 1 != BASE32_SIZE(len))
        return -1;
    for (size_t i = 0; i < text_len; i++) {
        int value = value_of(text[i]);
        if (value < 0)
            return -1;
        pending = (pending << BITS | (unsigned)value) & 0xFFFF;
        bits += BITS;
        if (bits >= OCTET_BITS) {
            bits -= OCTET_BITS;
            out[done++] = (uint8_t)(pending >> bits & OCTET_MASK);
        }
    }
    return done == len && (pending & ((1U << bits) - 1)) == 0 ? 1 : -1;
}
