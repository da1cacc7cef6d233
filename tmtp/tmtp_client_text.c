/* tmtp_client_text.c - the text of pings */
#include "tmtp/tmtp_client_internal.h"

#include <stdint.h>

/* Length of the UTF-8 character at text, and its code point; 0 when there is no valid one (RFC 3629: no overlong
 * form, no surrogate, nothing past U+10FFFF). */
static size_t utf8_character(const char *text, size_t len, uint32_t *code_out)
{
    static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
    const uint8_t *byte = (const uint8_t *)text;

    size_t size = byte[0] < 0x80 ? 1 : byte[0] >> 5 == 6 ? 2 : byte[0] >> 4 == 14 ? 3 : byte[0] >> 3 == 30 ? 4 : 0;
    if (size == 0 || size > len)
        return 0;
    uint32_t code = size == 1 ? byte[0] : byte[0] & (0x7fu >> size);
    for (size_t i = 1; i < size; i++) {
        if (byte[i] >> 6 != 2)
            return 0;
        code = code << 6 | (byte[i] & 0x3fu);
    }
    if (size > 1 && code < smallest[size])
        return 0;
    if ((code >= 0xd800 && code < 0xe000) || code > 0x10ffff)
        return 0;
    *code_out = code;
    return size;
}

void client_text_add(struct strbuf *out, const char *text, size_t len, size_t units_max)
{
    const uint32_t replacement = 0xfffd; /* the reference server takes it for the mark of a decoding error */
    size_t units = 0;

    while (len > 0) {
        uint32_t code = 0;
        size_t size = utf8_character(text, len, &code);
        units += code >= 0x10000 ? 2 : 1;
        if (units > units_max)
            return;
        if (size == 0 || code == 0 || code == replacement)
            strbuf_add_char(out, '?');
        else
            strbuf_add(out, text, size);
        size_t taken = size ? size : 1;
        text += taken;
        len -= taken;
    }
}
