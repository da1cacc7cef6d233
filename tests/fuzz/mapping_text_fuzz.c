/* Plain text as CommonMark: what a reader sees of it has the same letters in the same order, and nothing of it is emphasis, a
 * heading or a table. The first byte chooses the format. */
#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "mapping/convert_commonmark.h"
#include "mapping/convert_history.h"
#include "mapping/convert_markdown_events.h"
#include "mapping/convert_text.h"
#include "mapping/convert_utf8.h"

/* Marks of quotes and lists go, as do numbers and blanks: the letters stay. */
static void add_letters(struct strbuf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (isalpha((unsigned char)text[i]))
            strbuf_add_char(out, text[i]);
    }
}

static void on_node(void *ctx, enum markdown_node node, const struct markdown_detail *detail)
{
    (void)detail;
    bool is_markup = node == MARKDOWN_HEADING || node == MARKDOWN_TABLE || node == MARKDOWN_EM ||
                     node == MARKDOWN_STRONG || node == MARKDOWN_STRIKE || node == MARKDOWN_IMAGE ||
                     node == MARKDOWN_CODE;
    if (is_markup)
        abort();
    if (node < MARKDOWN_EM)
        strbuf_add_char(ctx, '\n');
}

static void on_text(void *ctx, const char *text, size_t len)
{
    strbuf_add(ctx, text, len);
}

static void on_break(void *ctx)
{
    strbuf_add_char(ctx, '\n');
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
    struct convert_history *history = data[0] & 4 ? convert_history_new(writer, &out) : NULL;
    convert_text_write(writer, given, size - 1, &format, history);
    convert_history_free(&history);
    commonmark_writer_free(&writer);
    if (!strbuf_ok(&out) || !convert_utf8_is_valid(out.data, out.len))
        abort();
    convert_text_clean(&clean, given, size - 1);
    add_letters(&letters_in, clean.data, clean.len);
    const struct markdown_events events = { on_node, on_node, on_text, on_break, &text };
    bool may_have_fences = memmem(clean.data, clean.len, "```", 3) || memmem(clean.data, clean.len, "~~~", 3);
    if (markdown_parse(out.data, out.len, NULL, &events, &text) == 1 && !may_have_fences) { /* they don't show */
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
