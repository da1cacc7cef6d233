/* answered.h - the short quote of what a member answers, in the mail that the answer becomes (content.answered)
 *
 * While that setting is on, the beginning of what the last mail of a thread says is kept with the thread
 * (mapping/store_named.h); else nothing is. It is shown to its own author only: who else has that mail, the gateway does not
 * know for certain, and what one outside person writes is not shown to another.
 */
#pragma once
#include <stdint.h>

#include "mapping/store_queue.h"

struct store_db;
struct strbuf;

enum { ANSWERED_TEXT_MAX = 1000, ANSWERED_LINES_MAX = 10 }; /* octets and lines that are kept */

/* Appends as much of a text (CommonMark, UTF-8) as is kept: lines, whole words of the last one, and a line that says so when there
 * was more. */
void answered_add_short(struct strbuf *out, const char *text);

/* Writer only. Keeps what this mail says in place of what the last one in its thread said. text: may be "", which is nothing
 * to be quoted. */
int answered_keep(struct store_db *db, const struct store_inbound *mail, const char *author_name, const char *text)
    __attribute__((warn_unused_result));

struct answered {
    char *intro; /* "On 26 November 2026 at 14:03 +0000, Bob <bob@example.com> wrote:" */
    char *text;  /* CommonMark */
};
/* What a member's message answers, if all its recipients may be shown it. 0: nothing. The caller frees it after 1. */
int answered_find(struct store_db *db, const struct store_outbound *row, struct answered *out)
    __attribute__((warn_unused_result));
void answered_free(struct answered *answered);
