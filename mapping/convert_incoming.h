/* convert_incoming.h - one mail on its way to a thread message: what the rooms of convert_mime_in share
 *
 * convert_choice decides what is shown and what is attached (convert_alternative: which form of a text, convert_open:
 * what lies inside of a part), convert_content reads a part's bytes and text, convert_attach names and measures
 * attachments, convert_compose writes the body (convert_summary: what is said of parts that are no text), convert_head
 * what we say ourselves above and below it. Each adds to one struct convert_incoming, in that order. Nothing is handed
 * out before all sizes are known. Internal to convert_mime_in and its rooms.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "mapping/convert_crypto.h"
#include "mapping/convert_mime_in.h"
#include "mapping/convert_mime_scan.h"
#include "mapping/convert_names.h"

struct commonmark_writer;
struct convert_history;
struct convert_tnef;

/* What the body says of an item. */
enum convert_show {
    CONVERT_SHOW_NOTHING,
    CONVERT_SHOW_TEXT,     /* plain text, and what is taken for it */
    CONVERT_SHOW_HTML,     /* CommonMark of it */
    CONVERT_SHOW_PICTURE,  /* in its place */
    CONVERT_SHOW_MESSAGE,  /* a line: whose it is and what it is about */
    CONVERT_SHOW_EXTERNAL, /* a line: where it lies */
    CONVERT_SHOW_CALENDAR, /* a summary */
    CONVERT_SHOW_CARD,
    CONVERT_SHOW_MEETING, /* of a winmail.dat */
    CONVERT_SHOW_COUNT
};

/* A leaf and what becomes of it. */
struct convert_item {
    const struct convert_part *part;    /* of the mail, or made here */
    const struct convert_part *related; /* the innermost multipart/related that it is in; NULL */
    enum convert_show show;
    bool is_attached;
    bool is_referenced;              /* a picture that the body shows already */
    bool is_other_form;              /* of the text that is shown, and says something else */
    enum convert_crypto crypto;      /* what is said of it */
    const struct convert_tnef *tnef; /* of a meeting */
    const char *name;                /* of an attachment, with prefix; the name set's */
};

struct convert_incoming {
    struct convert_charsets *charsets;
    struct convert_input *mail;
    const struct convert_in_options *options;
    bool is_forward;             /* its subject says so: what it quotes is news */
    bool is_report;              /* a server wrote it: what it quotes is what the report is about */
    struct convert_item **items; /* in the order of the mail; what is found while the body is written at the end */
    size_t count;
    const struct convert_part *related; /* while parts are collected: the innermost */
    struct convert_part **made;         /* roots of what was found inside of parts */
    size_t made_count;
    size_t made_size; /* octets that these hold */
    struct convert_tnef **tnefs;
    size_t tnef_count;
    unsigned alternatives; /* how many multipart/alternative we are in */
    size_t compared;       /* octets of text that were read to choose among them */
    unsigned opened;       /* how deep in parts that had to be opened we are */
    struct convert_names names;
    struct strbuf head;             /* sentences at the top */
    struct strbuf notes;            /* at the end, separated by '\n': what went wrong */
    struct strbuf remarks;          /* at the end likewise: what else is to be known */
    struct strbuf detail;           /* for the trace, separated by '\n' */
    bool needs_original;            /* the mail itself is attached */
    bool shows_html, folds_history; /* for the trace */
    bool is_doubtful;               /* see convert_in_message */
    bool leaves_out_name;           /* a form with a file name is neither shown nor attached */
    enum convert_crypto signature;  /* of a part that is shown: what is said once the original has its name */
    char **others;                  /* see convert_in_message */
    size_t other_count;
};

struct convert_item *convert_incoming_add(struct convert_incoming *in, const struct convert_part *part,
                                          enum convert_show show, bool is_attached);
/* Whether there is room for so many octets more that are made here, and for one more attachment. */
bool convert_incoming_has_room(const struct convert_incoming *in, size_t size);
/* A part in memory. data: what it points to when owned (malloc'ed, taken over), else it must outlive the conversion.
 * type: "image/png", lower case; name, id: "". */
const struct convert_part *convert_incoming_make(struct convert_incoming *in, const char *type, const char *name,
                                                 const char *id, const char *data, size_t len, char *owned);
void convert_incoming_keep(struct convert_incoming *in, struct convert_part *root); /* freed with the rest */
void convert_incoming_free(struct convert_incoming *in);

/* ---- convert_choice: what becomes of each part ---- */

/* Adds every leaf that is carried to the items. */
void convert_choice_collect(struct convert_incoming *in, const struct convert_part *root);
/* The same for a part inside of the mail. */
void convert_choice_part(struct convert_incoming *in, const struct convert_part *part);
/* How a leaf's text can be shown: TEXT, HTML, or NOTHING when it is none. */
enum convert_show convert_choice_text_show(const struct convert_part *part);
/* A leaf that is no text, whatever it is called: by its first octets. */
bool convert_choice_is_file(const struct convert_part *part);
/* Whether there is a text to be shown that is not blank. */
bool convert_choice_has_words(const struct convert_incoming *in);

/* ---- convert_alternative: forms of the same text ---- */

void convert_alternative_collect(struct convert_incoming *in, const struct convert_part *part);
/* Whether a text says something that the texts that are shown don't. */
bool convert_alternative_says_more(struct convert_incoming *in, const struct convert_part *part);

/* ---- convert_open: parts that hold others ---- */

/* TNEF, S/MIME. False: not one of those, nothing was done. */
bool convert_open_leaf(struct convert_incoming *in, const struct convert_part *part);
/* The text of a winmail.dat, where the mail has none of its own, or another one. */
void convert_open_texts(struct convert_incoming *in);

/* ---- convert_content ---- */

enum convert_text_state { CONVERT_TEXT_OK, CONVERT_TEXT_DAMAGED, CONVERT_TEXT_UNKNOWN_CHARSET, CONVERT_TEXT_TOO_LONG };

/* A part's bytes without its transfer encoding; out's maximum bounds them. False: damaged or too long. */
bool convert_content_bytes(const struct convert_part *part, struct strbuf *out);
/* Its first octets, at most CONVERT_TYPE_LOOK. */
void convert_content_start(const struct convert_part *part, struct strbuf *out);
/* Bytes of a text part -> UTF-8. False: the charset is not known. */
bool convert_content_decode(const struct convert_incoming *in, const struct convert_part *part, const char *bytes,
                            size_t len, struct strbuf *out);
/* Octets of text that a part may have, decoded; twice as many as received. HTML has pictures in it. */
size_t convert_content_text_max(const struct convert_part *part);
/* Both; out, whose maximum that is, is empty when there are more. */
enum convert_text_state convert_content_text(const struct convert_incoming *in, const struct convert_part *part,
                                             struct strbuf *out);
/* A parameter of its Content-Type as it was written, "" when absent; the caller's. */
char *convert_content_parameter(const struct convert_part *part, const char *name) __attribute__((warn_unused_result));
bool convert_content_is_message(const struct convert_part *part); /* mail inside of mail */
/* Appends its beginning; the result is the length of its header section. The message may be encoded, which RFC 2046
 * section 5.2.1 forbids, and programs do. */
size_t convert_content_message_header(const struct convert_part *part, struct strbuf *out);

/* ---- convert_attach ---- */

void convert_attach_name(struct convert_incoming *in, struct convert_item *item);
/* Names whatever is attached, and says what has to be said of it by name. */
void convert_attach_name_all(struct convert_incoming *in);
/* Octets of an attachment, decoded. Notes damage. */
int64_t convert_attach_measure(struct convert_incoming *in, const struct convert_item *item);

/* ---- convert_compose ---- */

/* Writes what is shown. An item that does not fit is attached, and named. excerpt_out: the caller's. */
void convert_compose_body(struct convert_incoming *in, struct strbuf *out, char **excerpt_out);

/* ---- convert_summary ---- */

/* Each writes to the writer what a member should know of the item; false: there is nothing to say. */
typedef bool convert_summary_write(struct convert_incoming *in, const struct convert_item *item,
                                   struct commonmark_writer *writer);
convert_summary_write *convert_summary_of(enum convert_show show); /* NULL: it is a text */

/* ---- convert_head ---- */

#define CONVERT_ORIGINAL_ATTACHED " The mail as it came is attached."

/* A sentence at the top: for what nobody should miss. What goes beyond the limits of each kind is dropped. */
void convert_head_say(struct convert_incoming *in, const char *before, const char *name, const char *after);
/* The same for what is not shown; the trace is told, too. */
void convert_head_miss(struct convert_incoming *in, const char *before, const char *name, const char *after);
/* One line at the end of the body: what went wrong. The trace is told, too. */
void convert_head_note(struct convert_incoming *in, const char *before, const char *name, const char *after);
/* The same for what did not. */
void convert_head_remark(struct convert_incoming *in, const char *before, const char *name, const char *after);
/* What is said of a signed or encrypted item; name with prefix, NULL. */
void convert_head_add_crypto(struct convert_incoming *in, enum convert_crypto crypto, const char *name);
/* Other people in To and Cc of the mail's header. */
void convert_head_read_others(struct convert_incoming *in, const char *header, size_t len);
/* Appends CommonMark of a stranger. Emphasis of a line that begins as ours do is shown as typed. */
void convert_head_add_guarded(struct strbuf *out, const char *text, size_t len);
/* Appends what stands in front of the body, with the empty line behind it. */
void convert_head_write(const struct convert_incoming *in, struct strbuf *out);
void convert_head_add_notes(const struct convert_incoming *in, struct strbuf *body);
