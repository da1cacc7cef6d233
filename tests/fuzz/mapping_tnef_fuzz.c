/* winmail.dat: what comes out lies in what came in or within the room that was given, names are single lines of UTF-8, and
 * a mail that was written anew is 7-bit and can be told apart into parts. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "mapping/convert_charset.h"
#include "mapping/convert_commonmark.h"
#include "mapping/convert_input.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_mime_scan.h"
#include "mapping/convert_tnef.h"
#include "mapping/convert_utf8.h"

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

static void check_text(const char *text, size_t len)
{
    if (text && !convert_utf8_is_valid(text, len))
        abort();
}

static void check_mail(const struct convert_tnef_file *file)
{
    for (size_t i = 0; i < file->len; i++) {
        if (file->data[i] & 0x80 || (file->data[i] == '\n' && (i == 0 || file->data[i - 1] != '\r')))
            abort();
    }
    struct convert_input input = convert_input_of(file->data, file->len);
    const char *error;
    struct convert_part *root = convert_mime_scan(charsets, &input, &error);
    if (!root || root->is_broken)
        abort();
    convert_part_free(&root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { ROOM = 1 << 20 };
    struct convert_tnef *tnef = convert_tnef_read(charsets, data, size, ROOM);
    if (!tnef)
        return 0;
    size_t used = (tnef->text ? tnef->text_len : 0) + (tnef->html ? tnef->html_len : 0);
    check_text(tnef->text, tnef->text_len);
    check_text(tnef->html, tnef->html_len);
    check_text(tnef->subject, strlen(tnef->subject));
    for (size_t i = 0; i < tnef->file_count; i++) {
        const struct convert_tnef_file *file = &tnef->files[i];
        const uint8_t *at = (const uint8_t *)file->data;
        check_text(file->name, strlen(file->name));
        if (strchr(file->name, '\n') || (!file->owned && file->len > 0 && (at < data || file->len > size)))
            abort();
        used += file->owned ? file->len : 0;
        if (file->owned && !tnef->is_incomplete)
            check_mail(file);
    }
    struct strbuf out;
    strbuf_init(&out, CONVERT_BODY_MAX);
    struct commonmark_writer *writer = commonmark_writer_new(&out);
    bool written = convert_tnef_write_meeting(writer, tnef);
    commonmark_writer_free(&writer);
    if (used > ROOM || !strbuf_ok(&out) || written != (out.len > 0))
        abort();
    strbuf_free(&out);
    convert_tnef_free(&tnef);
    return 0;
}
