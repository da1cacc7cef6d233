/* Which parts of a mail become its body, and which are attached. */
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_charset.h"
#include "mapping/convert_html.h"
#include "mapping/convert_incoming.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_text.h"

static void add_item(struct convert_incoming *in, const struct convert_part *part, bool is_shown)
{
    in->items = xreallocarray(in->items, in->count + 1, sizeof *in->items);
    in->items[in->count++] = (struct convert_item){ .part = part, .is_shown = is_shown };
}

bool convert_choice_is_readable(const struct convert_part *part)
{
    return convert_part_is(part, "text", "plain") || convert_part_is(part, "text", "html");
}

static void add_to_strbuf(const void *data, size_t len, void *ctx)
{
    strbuf_add(ctx, data, len);
}

enum convert_text_state convert_choice_text(const struct convert_incoming *in, const struct convert_part *part,
                                            struct strbuf *out)
{
    if (part->content_len > CONVERT_TEXT_MAX * 2)
        return CONVERT_TEXT_TOO_LONG;
    struct strbuf bytes;
    strbuf_init(&bytes, CONVERT_TEXT_MAX * 2 + 1);
    struct convert_decoded decoded = convert_transfer_decode(part->about.encoding, part->content, part->content_len,
                                                             in->mail, add_to_strbuf, &bytes);
    char declared[64];
    const char *charset = part->about.charset;
    if (!*charset && convert_part_is(part, "text", "html") &&
        convert_html_declared_charset(bytes.data, bytes.len, declared))
        charset = declared;
    bool known = convert_charset_decode(in->charsets, charset, bytes.data, bytes.len, out);
    strbuf_free(&bytes);
    if (!strbuf_ok(out)) {
        strbuf_clear(out);
        return CONVERT_TEXT_TOO_LONG;
    }
    return decoded.damaged ? CONVERT_TEXT_DAMAGED : known ? CONVERT_TEXT_OK : CONVERT_TEXT_UNKNOWN_CHARSET;
}

static bool has_text(const struct convert_incoming *in, const struct convert_part *part)
{
    struct strbuf text;
    strbuf_init(&text, CONVERT_TEXT_MAX);
    bool found =
        convert_choice_text(in, part, &text) == CONVERT_TEXT_TOO_LONG || !convert_text_is_blank(text.data, text.len);
    strbuf_free(&text);
    return found;
}

/* Whether there is text of that kind to be read in the part. */
static bool offers(const struct convert_incoming *in, const struct convert_part *part, const char *subtype)
{
    for (size_t i = 0; i < part->child_count; i++) {
        if (offers(in, part->children[i], subtype))
            return true;
    }
    return part->child_count == 0 && convert_part_is(part, "text", subtype) && !part->about.is_attachment &&
           has_text(in, part);
}

static void collect(struct convert_incoming *in, const struct convert_part *part);

/* From the alternatives that were not chosen: what is no other form of the same text (calendars, pictures of the HTML
 * form). */
static void collect_rest(struct convert_incoming *in, const struct convert_part *part)
{
    for (size_t i = 0; i < part->child_count; i++)
        collect_rest(in, part->children[i]);
    bool is_form =
        convert_part_is(part, "text", NULL) && !convert_part_is(part, "text", "calendar") && !part->about.is_attachment;
    if (part->child_count == 0 && !is_form)
        add_item(in, part, false);
}

static void collect_alternative(struct convert_incoming *in, const struct convert_part *part)
{
    static const char *const preferred[] = { "plain", "html" };
    size_t chosen = part->child_count;
    for (size_t k = 0; k < 2 && chosen == part->child_count; k++) {
        for (size_t i = 0; i < part->child_count && chosen == part->child_count; i++) {
            if (offers(in, part->children[i], preferred[k]))
                chosen = i;
        }
    }
    if (chosen == part->child_count) { /* nothing to read: nothing may be lost either */
        for (size_t i = 0; i < part->child_count; i++)
            collect(in, part->children[i]);
        return;
    }
    collect(in, part->children[chosen]);
    for (size_t i = 0; i < part->child_count; i++) {
        if (i != chosen)
            collect_rest(in, part->children[i]);
    }
}

/* The root is what "start" names, or the first part; the others are its pictures. */
static void collect_related(struct convert_incoming *in, const struct convert_part *part)
{
    size_t root = 0;
    for (size_t i = 0; i < part->child_count && *part->about.start; i++) {
        if (strcmp(part->children[i]->about.id, part->about.start) == 0)
            root = i;
    }
    collect(in, part->children[root]);
    for (size_t i = 0; i < part->child_count; i++) {
        if (i != root)
            collect_rest(in, part->children[i]);
    }
}

static void collect(struct convert_incoming *in, const struct convert_part *part)
{
    if (part->is_broken) {
        add_item(in, part, true);
    } else if (part->child_count == 0) {
        add_item(in, part, convert_choice_is_readable(part) && !part->about.is_attachment && !*part->about.filename);
    } else if (convert_part_is(part, "multipart", "alternative")) {
        collect_alternative(in, part);
    } else if (convert_part_is(part, "multipart", "related")) {
        collect_related(in, part);
    } else {
        for (size_t i = 0; i < part->child_count; i++)
            collect(in, part->children[i]);
    }
}

void convert_choice_collect(struct convert_incoming *in, const struct convert_part *root)
{
    bool is_single_text = root->child_count == 0 && convert_part_is(root, "text", NULL) && !root->about.is_attachment;
    if (is_single_text)
        add_item(in, root, true); /* whatever its name */
    else
        collect(in, root);
}
