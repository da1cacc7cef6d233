/* convert_history.h - where in a mail its author's own words stand, and where earlier mail
 *
 * Whoever writes a body says with convert_history_mark() what comes next; at the end convert_history_split() puts own
 * words first and quoted mail behind them, as block quotes under their attribution. Nothing is ever left out. Nothing
 * moves where the order means something: where answers stand between quotes, where there is text before and after
 * one, and where there is nothing but history. What is forwarded is news. Internal to mapping/convert*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct commonmark_writer;
struct convert_history;
struct strbuf;

enum convert_history_part {
    CONVERT_HISTORY_OWN,         /* what the author has written now */
    CONVERT_HISTORY_SIGNATURE,   /* the author's, too, but no answer */
    CONVERT_HISTORY_ATTRIBUTION, /* "On ... wrote:" and its relatives */
    CONVERT_HISTORY_QUOTE,       /* earlier mail, which the writer has in a block quote already */
    CONVERT_HISTORY_UNMARKED,    /* earlier mail, which becomes a block quote; attributions in it don't count */
    CONVERT_HISTORY_FOOTER,      /* of a mailing list; stays at the end */
    CONVERT_HISTORY_FORWARD,     /* forwarded mail: from here on nothing is history */
};

/* For one text or HTML part, before anything of it is written. out: the writer's. */
struct convert_history *convert_history_new(struct commonmark_writer *writer, struct strbuf *out);
void convert_history_free(struct convert_history **history);

/* What is written from now on is that. Ends the paragraph. Ignored inside quotes and lists and behind
 * CONVERT_HISTORY_FORWARD; in CONVERT_HISTORY_UNMARKED only OWN and FOOTER end it. */
void convert_history_mark(struct convert_history *history, enum convert_history_part part);

/* Another text of the same part begins, behind a file that stood between them: it is the author's, whatever came last,
 * unless that is unmarked history, which goes on. */
void convert_history_begin_text(struct convert_history *history);

/* For HTML. Before a block quote is opened: when it is a mail's (is_certain: the markup says so), or the paragraph
 * written last is an attribution, that paragraph and the quote are history: true. The caller then says
 * convert_history_mark(OWN) when the quote has been closed. */
bool convert_history_begin_quote(struct convert_history *history, bool is_certain);
/* For HTML. After a paragraph: when it is "Original Message" or a block of From/Sent/To/Subject, what follows is
 * unmarked history; "Forwarded message": forwarded. Else nothing happens. */
void convert_history_look_back(struct convert_history *history);

/* Appends what was written since convert_history_new(): own words to own, history to history_out, both as whole blocks
 * that may stand behind others after an empty line (which comes with them when there is something before). Where
 * nothing may move, and without folds, all of it goes to own, in its order. The writer must have ended its
 * last paragraph. */
void convert_history_split(struct convert_history *history, bool folds, struct strbuf *own_out,
                           struct strbuf *history_out);

/* For plain text: where its parts begin. text: UTF-8 with LF line ends (convert_text_clean). The spans are in order,
 * each at a line's start; the first, at 0, is left out when it is OWN. The caller frees them. */
struct convert_history_span {
    size_t offset;
    enum convert_history_part part;
};
size_t convert_history_find(const char *text, size_t len, struct convert_history_span **spans_out);
