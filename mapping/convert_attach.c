/* The names and sizes of what is attached. */
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_incoming.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_mime_field.h"
#include "mapping/convert_types.h"

/* A message is called by its subject. */
static char *message_name(struct convert_incoming *in, const struct convert_part *part)
{
    size_t content;
    struct convert_field field;
    size_t header_len = convert_mime_header_len(part->content, part->content_len, &content);
    if (header_len > CONVERT_HEADER_MAX || !convert_field_find(part->content, header_len, "Subject", &field))
        return xstrdup("");
    char *subject = convert_field_text(in->charsets, field.value, field.value_len, CONVERT_NAME_MAX - 8);
    struct strbuf name;
    strbuf_init(&name, CONVERT_NAME_MAX);
    if (*subject)
        strbuf_add_fmt(&name, "%s.eml", subject);
    free(subject);
    return strbuf_detach(&name);
}

void convert_attach_name(struct convert_incoming *in, struct convert_item *item)
{
    enum { FALLBACK_MAX = 64 };
    const struct convert_part *part = item->part;
    struct strbuf fallback;
    strbuf_init(&fallback, FALLBACK_MAX);
    if (convert_choice_is_readable(part))
        strbuf_add_fmt(&fallback, "message.%s", convert_type_extension(part->about.type, part->about.subtype));
    else
        strbuf_add_fmt(&fallback, "part-%zu.%s", in->names.count + 1,
                       convert_type_extension(part->about.type, part->about.subtype));
    bool is_message = convert_part_is(part, "message", "rfc822") || convert_part_is(part, "message", "global");
    char *wanted = *part->about.filename || !is_message ? xstrdup(part->about.filename) : message_name(in, part);
    item->name = convert_names_add(&in->names, wanted, fallback.data);
    free(wanted);
    strbuf_free(&fallback);
}

void convert_attach_name_all(struct convert_incoming *in)
{
    for (size_t i = 0; i < in->count; i++) {
        if (!in->items[i].is_shown)
            convert_attach_name(in, &in->items[i]);
    }
}

const char *convert_attach_find_cid(const char *cid, void *ctx)
{
    const struct convert_incoming *in = ctx;
    for (size_t i = 0; i < in->count; i++) {
        const struct convert_part *part = in->items[i].part;
        if (in->items[i].name && convert_part_is(part, "image", NULL) && strcmp(part->about.id, cid) == 0)
            return in->items[i].name;
    }
    return NULL;
}

/* Sizes must be known before the first byte is handed out; what is wrong with an attachment shows here. */
int64_t convert_attach_measure(struct convert_incoming *in, const struct convert_item *item)
{
    const struct convert_part *part = item->part;
    struct convert_decoded decoded =
        convert_transfer_decode(part->about.encoding, part->content, part->content_len, in->mail, NULL, NULL);
    if (decoded.damaged) {
        convert_head_note(in, "The attachment \"", item->name + 2, "\" arrived damaged." CONVERT_ORIGINAL_ATTACHED);
        in->needs_original = true;
    }
    return decoded.size;
}
