/* convert_attribution.h - the lines with which mail programs introduce what they quote
 *
 * "On ..., Bob wrote:" in the languages and shapes of the usual programs, the separators of Outlook and its relatives,
 * and the blocks of From/Sent/To/Subject. Recognised by tables of words and by what else must be there (a date, a time,
 * an address), so that prose which happens to begin or to end like one is none. Pure; the time is linear in the text.
 * Internal to mapping/convert*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum convert_attribution {
    CONVERT_ATTRIBUTION_NONE,
    CONVERT_ATTRIBUTION_WROTE, /* "On ... wrote:"; what it introduces is marked, by ">" or in HTML, or it is complete */
    CONVERT_ATTRIBUTION_ORIGINAL, /* "-----Original Message-----", or the block; what follows may be unmarked */
    CONVERT_ATTRIBUTION_FORWARD,  /* "---------- Forwarded message": what follows is news and no history */
};

/* Of UTF-8, without its line end and without marks of a quote. */
struct convert_attribution_line {
    const char *text;
    size_t len;
};

/* How many of the lines from lines[0] on make up an attribution (wrapped "On ...\nwrote:" too); 0: lines[0] begins
 * none. At most CONVERT_ATTRIBUTION_LINES_MAX are looked at: who has more of them need not give them. */
enum { CONVERT_ATTRIBUTION_LINES_MAX = 12 };
size_t convert_attribution_match(const struct convert_attribution_line *lines, size_t count,
                                 enum convert_attribution *kind_out);

/* Of a WROTE: does it have an address, a date, a time and a verb? Then it may introduce what is not marked, too. */
bool convert_attribution_is_complete(const struct convert_attribution_line *lines, size_t count);

/* What one paragraph (breaks in it are line feeds) is, as a whole. */
enum convert_attribution convert_attribution_of(const char *text, size_t len);

/* Is that paragraph one field of such a block ("Subject: x")? */
bool convert_attribution_is_field(const char *text, size_t len);
