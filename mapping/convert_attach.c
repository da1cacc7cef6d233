/* The names and sizes of what is attached. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_incoming.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_mime_field.h"
#include "mapping/convert_types.h"

enum { EXTENSION_MAX = 10 };

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

/* Worth keeping: "Report Nr. 5" and "v1.2" have none. */
static bool has_extension(const char *name)
{
    const char *dot = strrchr(name, '.');
    bool has_letter = false;
    size_t len = 0;
    for (const char *c = dot ? dot + 1 : ""; *c; c++, len++) {
        if (!isalnum((unsigned char)*c) && !strchr("-_~+", *c))
            return false;
        has_letter = has_letter || !isdigit((unsigned char)*c);
    }
    return dot && dot != name && has_letter && len <= EXTENSION_MAX;
}

static void add_to_strbuf(const void *data, size_t len, void *ctx)
{
    strbuf_add(ctx, data, len);
}

/* The extension that its first octets give it; NULL: none. */
static const char *sniff(const struct convert_part *part)
{
    enum { LOOKED_AT = CONVERT_TYPE_LOOK * 4 }; /* in its transfer encoding */
    struct strbuf start;
    strbuf_init(&start, LOOKED_AT);
    convert_transfer_decode(part->about.encoding, part->content,
                            part->content_len < LOOKED_AT ? part->content_len : LOOKED_AT, NULL, add_to_strbuf, &start);
    const char *extension = convert_type_sniff(start.data, start.len);
    strbuf_free(&start);
    return extension;
}

/* A type that says something counts; else what the content looks like. */
static const char *extension_of(const struct convert_part *part)
{
    const char *extension = convert_type_extension(part->about.type, part->about.subtype);
    const char *found = strcmp(extension, "bin") == 0 ? sniff(part) : NULL;
    return found ? found : extension;
}

/* What the sender called it. The member's client, and the computer behind it, know files by their extension: it is
 * added where there is none, but for text ("README") and for what nobody knows. */
static char *wanted_name(struct convert_incoming *in, const struct convert_part *part)
{
    bool is_message = convert_part_is(part, "message", "rfc822") || convert_part_is(part, "message", "global");
    if (!*part->about.filename)
        return is_message ? message_name(in, part) : xstrdup("");
    const char *extension = has_extension(part->about.filename) ? "bin" : extension_of(part);
    if (strcmp(extension, "bin") == 0 || convert_part_is(part, "text", NULL))
        return xstrdup(part->about.filename);
    struct strbuf name;
    strbuf_init(&name, strlen(part->about.filename) + EXTENSION_MAX);
    strbuf_add_fmt(&name, "%s.%s", part->about.filename, extension);
    return strbuf_detach(&name);
}

void convert_attach_name(struct convert_incoming *in, struct convert_item *item)
{
    enum { FALLBACK_MAX = 64 };
    const struct convert_part *part = item->part;
    struct strbuf fallback;
    strbuf_init(&fallback, FALLBACK_MAX);
    const char *stem = convert_type_stem(part->about.type, part->about.subtype);
    if (stem)
        strbuf_add_fmt(&fallback, "%s.%s", stem, extension_of(part));
    else
        strbuf_add_fmt(&fallback, "part-%zu.%s", in->names.count + 1, extension_of(part));
    char *wanted = wanted_name(in, part);
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
