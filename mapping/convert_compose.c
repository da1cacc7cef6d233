/* The body: the texts that are shown, one after the other. */
#include <string.h>

#include "base/strbuf.h"
#include "mapping/convert_commonmark.h"
#include "mapping/convert_html.h"
#include "mapping/convert_incoming.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_text.h"

enum { NOTES_RESERVE = 64 * 1024 }; /* of a body, for what convert_head adds */

/* Shows the text of a part; false when there is more of it than a body may hold. */
static bool write_item(struct convert_incoming *in, const struct convert_item *item, struct strbuf *body,
                       struct commonmark_writer *writer)
{
    const struct convert_part *part = item->part;
    struct strbuf text;
    strbuf_init(&text, CONVERT_TEXT_MAX);
    enum convert_text_state result = convert_choice_text(in, part, &text);
    if (result == CONVERT_TEXT_DAMAGED)
        convert_head_note(in, "The text of this message arrived damaged.", "", CONVERT_ORIGINAL_ATTACHED);
    if (result == CONVERT_TEXT_UNKNOWN_CHARSET)
        convert_head_note(in, "Characters may be wrong: the text is in a charset that is not known here, \"",
                          part->about.charset, "\"." CONVERT_ORIGINAL_ATTACHED);
    if (part->is_broken)
        convert_head_note(in, "The parts of this message could not be told apart.", "", CONVERT_ORIGINAL_ATTACHED);
    in->needs_original = in->needs_original || result == CONVERT_TEXT_DAMAGED ||
                         result == CONVERT_TEXT_UNKNOWN_CHARSET || part->is_broken;
    const struct convert_text_format format = { part->about.is_flowed, part->about.is_delsp };
    const struct convert_html_pictures pictures = { .find = convert_attach_find_cid, .ctx = in };
    bool is_whole = true;
    if (convert_part_is(part, "text", "html"))
        is_whole = convert_html_write(writer, text.data, text.len, &pictures, NULL);
    else
        convert_text_write(writer, text.data, text.len, &format, NULL);
    strbuf_free(&text);
    return is_whole && result != CONVERT_TEXT_TOO_LONG && strbuf_ok(body);
}

/* Writes one part alone, to see whether it fits behind what is there already. */
static void add_shown_item(struct convert_incoming *in, struct convert_item *item, struct strbuf *body)
{
    struct strbuf alone;
    strbuf_init(&alone, CONVERT_BODY_MAX - NOTES_RESERVE);
    struct commonmark_writer *writer = commonmark_writer_new(&alone);
    bool fits = write_item(in, item, &alone, writer);
    commonmark_writer_free(&writer);
    if (!fits || body->len + alone.len > CONVERT_BODY_MAX - NOTES_RESERVE) {
        item->is_shown = false;
        convert_attach_name(in, item);
        convert_head_note(in, "The text is too long to be shown here: it is attached as \"", item->name + 2, "\".");
    } else if (alone.len > 0) {
        if (body->len > 0)
            strbuf_add_str(body, "\n---\n\n");
        strbuf_add(body, alone.data, alone.len);
    }
    strbuf_free(&alone);
}

void convert_compose_body(struct convert_incoming *in, struct strbuf *body)
{
    for (size_t i = 0; i < in->count; i++) {
        if (in->items[i].is_shown)
            add_shown_item(in, &in->items[i], body);
    }
}
