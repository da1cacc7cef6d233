/* Plain text as CommonMark: what a reader sees of it has the same letters and digits in the same order. The first
 * byte chooses the format. */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "mapping/convert_commonmark.h"
#include "mapping/convert_markdown.h"
#include "mapping/convert_text.h"
#include "mapping/convert_utf8.h"

/* Marks of emphasis, quotes and lists go, as do blanks: the letters stay. */
static void add_letters(struct strbuf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (isalnum((unsigned char)text[i]) ||
            (text[i] & 0x80 && (unsigned char)text[i] != 0xC2 && (unsigned char)text[i] != 0xA0))
            strbuf_add_char(out, text[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const struct convert_text_format format = { data[0] & 1, data[0] & 2 };
    const char *given = (const char *)data + 1;
    struct strbuf out, text, clean, letters_in, letters_out;
    strbuf_init(&out, (size_t)8 << 20);
    strbuf_init(&text, (size_t)16 << 20);
    strbuf_init(&clean, size * 3 + 1);
    strbuf_init(&letters_in, size * 3 + 1);
    strbuf_init(&letters_out, (size_t)16 << 20);
    struct commonmark_writer *writer = commonmark_writer_new(&out);
    convert_text_write(writer, given, size - 1, &format, NULL);
    commonmark_writer_free(&writer);
    if (!strbuf_ok(&out) || !convert_utf8_is_valid(out.data, out.len))
        abort();
    convert_text_clean(&clean, given, size - 1);
    add_letters(&letters_in, clean.data, clean.len);
    if (convert_markdown_to_text(&text, out.data, out.len) == 1) {
        add_letters(&letters_out, text.data, text.len);
        if (letters_in.len != letters_out.len || memcmp(letters_in.data, letters_out.data, letters_in.len) != 0)
            abort();
    }
    strbuf_free(&out);
    strbuf_free(&text);
    strbuf_free(&clean);
    strbuf_free(&letters_in);
    strbuf_free(&letters_out);
    return 0;
}
