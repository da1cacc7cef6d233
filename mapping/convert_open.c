/* Parts that hold others in a form of their own: winmail.dat, S/MIME. */
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_incoming.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_text.h"
#include "mapping/convert_tnef.h"
#include "mapping/convert_types.h"

/* ---- S/MIME ---- */

/* The message in an opaque signature is shown, as far as it goes. What that is, is to be said. */
static enum convert_crypto collect_signed_content(struct convert_incoming *in, const struct strbuf *bytes)
{
    struct strbuf entity;
    const char *error;
    strbuf_init(&entity, bytes->len);
    bool is_open = in->opened < CONVERT_OPENED_MAX && convert_incoming_has_room(in, bytes->len);
    bool is_whole = is_open && convert_crypto_open(bytes->data, bytes->len, &entity);
    size_t len = entity.len;
    bool has_content =
        len > 0 && (is_whole || memmem(entity.data, len, "\n\r\n", 3) || memmem(entity.data, len, "\n\n", 2));
    char *memory = strbuf_detach(&entity);
    if (!has_content) { /* cut off in its header, which is not for people */
        free(memory);
        return CONVERT_CRYPTO_OPAQUE_DAMAGED;
    }
    struct convert_part *root = convert_mime_scan_memory(in->charsets, memory, len, &error);
    if (!root)
        return CONVERT_CRYPTO_OPAQUE_DAMAGED;
    in->made_size += len;
    convert_incoming_keep(in, root);
    in->opened++;
    convert_choice_part(in, root);
    in->opened--;
    return is_whole ? CONVERT_CRYPTO_OPAQUE_SMIME : CONVERT_CRYPTO_OPAQUE_DAMAGED;
}

static bool open_smime(struct convert_incoming *in, const struct convert_part *part)
{
    struct strbuf bytes;
    enum convert_crypto crypto = convert_crypto_of(part);
    if (crypto != CONVERT_CRYPTO_ENCRYPTED_SMIME && crypto != CONVERT_CRYPTO_OPAQUE_SMIME &&
        crypto != CONVERT_CRYPTO_COMPRESSED_SMIME)
        return false;
    struct convert_item *item = convert_incoming_add(in, part, CONVERT_SHOW_NOTHING, true);
    strbuf_init(&bytes, CONVERT_MADE_MAX);
    if (convert_incoming_has_room(in, part->content_len) && convert_content_bytes(part, &bytes)) {
        crypto = convert_crypto_look(bytes.data, bytes.len);
        if (crypto == CONVERT_CRYPTO_OPAQUE_SMIME)
            crypto = collect_signed_content(in, &bytes);
    }
    item->crypto = crypto;
    strbuf_free(&bytes);
    return true;
}

/* ---- TNEF ---- */

static bool is_tnef(const struct convert_part *part)
{
    static const char magic[] = "\x78\x9F\x3E\x22";
    struct strbuf start;
    if (convert_part_is(part, "application", "ms-tnef") || convert_part_is(part, "application", "vnd.ms-tnef"))
        return true;
    if (!convert_part_is(part, "application", "octet-stream"))
        return false;
    strbuf_init(&start, CONVERT_TYPE_LOOK);
    convert_content_start(part, &start);
    bool is_one = start.len >= 4 && memcmp(start.data, magic, 4) == 0;
    strbuf_free(&start);
    return is_one;
}

static void collect_tnef_files(struct convert_incoming *in, struct convert_tnef *tnef)
{
    for (size_t i = 0; i < tnef->file_count; i++) {
        const struct convert_tnef_file *file = &tnef->files[i];
        if (!convert_incoming_has_room(in, file->len)) {
            tnef->is_incomplete = true;
            return;
        }
        const struct convert_part *part =
            convert_incoming_make(in, *file->type ? file->type : "application/octet-stream", file->name, file->id,
                                  file->data, file->len, NULL);
        bool is_message = convert_content_is_message(part);
        convert_incoming_add(in, part, is_message ? CONVERT_SHOW_MESSAGE : CONVERT_SHOW_NOTHING, true);
    }
}

/* Its files are attached in its place; it is attached itself where something in it can't be read. */
static bool open_tnef(struct convert_incoming *in, const struct convert_part *part)
{
    struct strbuf bytes;
    if (!is_tnef(part) || !convert_incoming_has_room(in, part->content_len))
        return false;
    strbuf_init(&bytes, CONVERT_MADE_MAX);
    bool is_whole = convert_content_bytes(part, &bytes);
    size_t len = bytes.len;
    char *memory = strbuf_detach(&bytes);
    struct convert_tnef *tnef = convert_tnef_read(in->charsets, memory, len, CONVERT_UNPACKED_MAX);
    if (!tnef) {
        free(memory);
        return false;
    }
    const struct convert_part *kept =
        convert_incoming_make(in, "application/ms-tnef", "winmail.dat", "", memory, len, memory);
    in->tnefs = xreallocarray(in->tnefs, in->tnef_count + 1, sizeof(struct convert_tnef *));
    in->tnefs[in->tnef_count++] = tnef;
    if (tnef->meeting) {
        struct convert_item *item = convert_incoming_add(in, kept, CONVERT_SHOW_MEETING, false);
        item->tnef = tnef;
    }
    collect_tnef_files(in, tnef);
    if (tnef->is_damaged || tnef->is_incomplete || !is_whole) {
        convert_incoming_add(in, part, CONVERT_SHOW_NOTHING, true);
        convert_head_note(
            in, "Not all of winmail.dat, a file that only Outlook reads, could be unpacked: it is attached.", "", "");
    }
    return true;
}

void convert_open_texts(struct convert_incoming *in)
{
    for (size_t i = 0; i < in->tnef_count; i++) {
        const struct convert_tnef *tnef = in->tnefs[i];
        const char *data = tnef->html ? tnef->html : tnef->text;
        size_t len = tnef->html ? tnef->html_len : tnef->text_len;
        if (!data || !convert_incoming_has_room(in, len))
            continue;
        const struct convert_part *part =
            convert_incoming_make(in, tnef->html ? "text/html" : "text/plain", "", "", data, len, NULL);
        /* Mostly it is the same once more. Exchange puts an empty text beside it, and list servers their footers. */
        if (convert_alternative_says_more(in, part))
            convert_incoming_add(in, part, tnef->html ? CONVERT_SHOW_HTML : CONVERT_SHOW_TEXT, false);
    }
}

bool convert_open_leaf(struct convert_incoming *in, const struct convert_part *part)
{
    return open_smime(in, part) || open_tnef(in, part);
}
