/* Calendars and cards: whatever is in them, what is written is UTF-8 of bounded length, and something exactly when the
 * answer says so. The first byte chooses. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "mapping/convert_calendar.h"
#include "mapping/convert_charset.h"
#include "mapping/convert_commonmark.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_utf8.h"
#include "mapping/convert_vcard.h"

static struct convert_charsets *charsets;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    charsets = convert_charsets_new();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    typedef bool write_part(struct convert_charsets * charsets, struct commonmark_writer * writer, const char *charset,
                            const void *data, size_t len);
    static write_part *const parts[] = { convert_calendar_write, convert_calendar_write_description,
                                         convert_vcard_write };
    if (size == 0)
        return 0;
    struct strbuf out;
    strbuf_init(&out, (size_t)8 << 20);
    struct commonmark_writer *writer = commonmark_writer_new(&out);
    bool written = parts[data[0] % 3](charsets, writer, data[0] & 4 ? "iso-8859-1" : "", data + 1, size - 1);
    commonmark_writer_free(&writer);
    if (!strbuf_ok(&out) || written != (out.len > 0) || !convert_utf8_is_valid(out.data, out.len))
        abort();
    strbuf_free(&out);
    return 0;
}
