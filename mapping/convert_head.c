/* What we say ourselves: in front of the body what matters at once, behind it what went wrong. */
#include <string.h>

#include "base/strbuf.h"
#include "mapping/convert_commonmark.h"
#include "mapping/convert_incoming.h"

void convert_head_note(struct convert_incoming *in, const char *before, const char *name, const char *after)
{
    strbuf_add_fmt(&in->notes, "%s%s%s%s", in->notes.len > 0 ? "\n" : "", before, name, after);
}

void convert_head_add_notes(const struct convert_incoming *in, struct strbuf *body)
{
    if (in->notes.len == 0)
        return;
    if (body->len > 0)
        strbuf_add_str(body, "\n---\n\n");
    struct commonmark_writer *writer = commonmark_writer_new(body);
    for (const char *note = in->notes.data; *note;) {
        size_t n = strcspn(note, "\n");
        commonmark_open_emphasis(writer, COMMONMARK_EM);
        commonmark_add_text(writer, note, n);
        commonmark_close_emphasis(writer, COMMONMARK_EM);
        commonmark_end_paragraph(writer);
        note += n + (note[n] == '\n');
    }
    commonmark_writer_free(&writer);
}

/* In front of everything else, so that nobody answers before they have read it; rules separate only what follows. */
const char *convert_head_text(const struct convert_incoming *in)
{
    return in->options->is_automatic ? CONVERT_AUTOMATIC : "";
}
