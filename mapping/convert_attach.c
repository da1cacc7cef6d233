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
    struct convert_field field;
    struct strbuf bytes;
    strbuf_init(&bytes, CONVERT_HEADER_MAX);
    size_t len = convert_content_message_header(part, &bytes);
    char *subject = convert_field_find(bytes.data, len, "Subject", &field)
                        ? convert_field_text(in->charsets, field.value, field.value_len, CONVERT_NAME_MAX - 8)
                        : xstrdup("");
    strbuf_free(&bytes);
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

/* The extension that its first octets give it; NULL: none. */
static const char *sniff(const struct convert_part *part)
{
    struct strbuf start;
    strbuf_init(&start, CONVERT_TYPE_LOOK);
    convert_content_start(part, &start);
    const char *extension = convert_type_sniff(start.data, start.len);
    strbuf_free(&start);
    return extension;
}

/* A type that says something counts; else what the content looks like. */
static const char *extension_of(const struct convert_part *part)
{
    const char *extension = convert_type_extension(part->about.type, part->about.subtype);
    bool is_file = convert_part_is(part, "text", "plain") && convert_choice_text_show(part) == CONVERT_SHOW_NOTHING;
    if (is_file)
        extension = "bin"; /* called a text, and none */
    const char *found = strcmp(extension, "bin") == 0 ? sniff(part) : NULL;
    return found ? found : extension;
}

/* What the sender called it. The member's client, and the computer behind it, know files by their extension: it is
 * added where there is none, but for text ("README") and for what nobody knows. */
static char *wanted_name(struct convert_incoming *in, const struct convert_part *part)
{
    if (!*part->about.filename)
        return convert_content_is_message(part) ? message_name(in, part) : xstrdup("");
    const char *extension = has_extension(part->about.filename) ? "bin" : extension_of(part);
    if (strcmp(extension, "bin") == 0 || strcmp(extension, "txt") == 0)
        return xstrdup(part->about.filename);
    struct strbuf name;
    strbuf_init(&name, strlen(part->about.filename) + EXTENSION_MAX);
    strbuf_add_fmt(&name, "%s.%s", part->about.filename, extension);
    return strbuf_detach(&name);
}

/* A piece of a message that was sent in several (RFC 2046 section 5.2.2). */
static bool add_partial_name(const struct convert_part *part, struct strbuf *name)
{
    char *number = convert_content_parameter(part, "number");
    char *total = convert_content_parameter(part, "total");
    bool is_partial = convert_part_is(part, "message", "partial");
    if (is_partial && *number && strlen(number) < 8 && strlen(total) < 8)
        strbuf_add_fmt(name, "piece-%s%s%s.eml", number, *total ? "-of-" : "", total);
    else if (is_partial)
        strbuf_add_str(name, "piece.eml");
    free(number);
    free(total);
    return is_partial;
}

static void add_fallback_name(const struct convert_incoming *in, const struct convert_item *item, struct strbuf *name)
{
    const struct convert_part *part = item->part;
    const char *stem = convert_type_stem(part->about.type, part->about.subtype);
    const char *extension = extension_of(part);
    if (item->crypto == CONVERT_CRYPTO_ENCRYPTED_PGP)
        strbuf_add_str(name, "encrypted.asc");
    else if (item->crypto == CONVERT_CRYPTO_TEXT_SIGNED || item->crypto == CONVERT_CRYPTO_TEXT_ENCRYPTED)
        strbuf_add_str(name, "message.asc");
    else if (part->is_stray)
        strbuf_add_str(name, "outside.txt");
    else if (!add_partial_name(part, name) && stem && strcmp(extension, "bin") != 0)
        strbuf_add_fmt(name, "%s.%s", stem, extension);
    else if (name->len == 0)
        strbuf_add_fmt(name, "part-%zu.%s", in->names.count + 1, extension);
}

void convert_attach_name(struct convert_incoming *in, struct convert_item *item)
{
    enum { FALLBACK_MAX = 64 };
    struct strbuf fallback;
    strbuf_init(&fallback, FALLBACK_MAX);
    add_fallback_name(in, item, &fallback);
    char *wanted = wanted_name(in, item->part);
    item->name = convert_names_add(&in->names, wanted, fallback.data);
    item->is_attached = true;
    free(wanted);
    strbuf_free(&fallback);
}

/* What a reader should know of an attachment that stands for something that is not shown. */
static void say_what_it_is(struct convert_incoming *in, const struct convert_item *item)
{
    const char *name = item->name + 2;
    if (item->crypto != CONVERT_CRYPTO_NONE)
        convert_head_add_crypto(in, item->crypto, item->name);
    else if (item->is_other_form)
        convert_head_remark(in, "This message has a second text, which is not the same: it is attached as \"", name,
                            "\".");
    else if (item->part->is_stray)
        convert_head_remark(in, "Text outside of the parts of this message is attached as \"", name, "\".");
    else if (convert_part_is(item->part, "message", "partial"))
        convert_head_miss(in, "Not shown: this is a piece of a message that was sent in several. It is attached as \"",
                          name, "\".");
}

void convert_attach_name_all(struct convert_incoming *in)
{
    for (size_t i = 0; i < in->count; i++) {
        if (!in->items[i]->is_attached)
            continue;
        convert_attach_name(in, in->items[i]);
        say_what_it_is(in, in->items[i]);
    }
}

/* Sizes must be known before the first byte is handed out; what is wrong with an attachment shows here. */
int64_t convert_attach_measure(struct convert_incoming *in, const struct convert_item *item)
{
    const struct convert_part *part = item->part;
    struct convert_decoded decoded =
        convert_transfer_decode(part->about.encoding, part->content, part->content_len, part->input, NULL, NULL);
    if (decoded.damaged) {
        convert_head_note(in, "The attachment \"", item->name + 2, "\" arrived damaged." CONVERT_ORIGINAL_ATTACHED);
        in->needs_original = in->is_doubtful = true;
    }
    return decoded.size;
}
