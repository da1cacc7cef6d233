/* convert_incoming.h - one mail on its way to a thread message: what the rooms of convert_mime_in share
 *
 * convert_choice decides what is shown and what is attached, convert_attach names and measures attachments,
 * convert_compose writes the body, convert_head what we say ourselves above and below it. Each adds to one struct
 * convert_incoming, in that order. Nothing is handed out before all sizes are known. Internal to convert_mime_in and
 * its rooms.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "mapping/convert_mime_in.h"
#include "mapping/convert_mime_scan.h"
#include "mapping/convert_names.h"

/* A leaf and what becomes of it. */
struct convert_item {
    const struct convert_part *part;
    bool is_shown;    /* in the body; else attached */
    const char *name; /* of an attachment, with prefix; the name set's */
};

struct convert_incoming {
    struct convert_charsets *charsets;
    struct convert_input *mail;
    const struct convert_in_options *options;
    struct convert_item *items; /* in the order of the mail */
    size_t count;
    struct convert_names names;
    struct strbuf notes; /* for the reader, separated by '\n' */
    bool needs_original; /* the mail itself is attached */
};

/* ---- convert_choice: which parts are the body ---- */

/* Adds every leaf that is carried to the items. */
void convert_choice_collect(struct convert_incoming *in, const struct convert_part *root);

enum convert_text_state { CONVERT_TEXT_OK, CONVERT_TEXT_DAMAGED, CONVERT_TEXT_UNKNOWN_CHARSET, CONVERT_TEXT_TOO_LONG };

/* The text of a part as UTF-8, at most CONVERT_TEXT_MAX octets; out is empty when it is longer. */
enum convert_text_state convert_choice_text(const struct convert_incoming *in, const struct convert_part *part,
                                            struct strbuf *out);
/* Text that can become a body: plain or HTML. */
bool convert_choice_is_readable(const struct convert_part *part);

/* ---- convert_attach ---- */

void convert_attach_name(struct convert_incoming *in, struct convert_item *item);
void convert_attach_name_all(struct convert_incoming *in); /* whatever is not shown */
/* Octets of an attachment, decoded. Notes damage. */
int64_t convert_attach_measure(struct convert_incoming *in, const struct convert_item *item);
/* Finds pictures for convert_html; ctx is the convert_incoming. */
const char *convert_attach_find_cid(const char *cid, void *ctx);

/* ---- convert_compose ---- */

/* Writes what is shown. An item that does not fit is attached, and named. */
void convert_compose_body(struct convert_incoming *in, struct strbuf *body);

/* ---- convert_head ---- */

#define CONVERT_ORIGINAL_ATTACHED " The mail as it came is attached."

/* One line at the end of the body. What goes beyond the limit of all notes is dropped. */
void convert_head_note(struct convert_incoming *in, const char *before, const char *name, const char *after);
/* What stands in front of the body, with the empty line behind it; "" when there is nothing to say. */
const char *convert_head_text(const struct convert_incoming *in);
void convert_head_add_notes(const struct convert_incoming *in, struct strbuf *body);
