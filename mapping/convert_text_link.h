/* convert_text_link.h - addresses of the web and of people in plain text
 *
 * Known by their scheme (http, https, ftp, mailto), by "www.", or as somebody@a.domain, in any script. Punctuation
 * behind one belongs to the sentence, and so does a closing bracket that was not opened in it. Internal to
 * mapping/convert_text*.
 */
#pragma once
#include <stddef.h>

struct strbuf;

/* One address in a text. */
struct convert_text_link {
    size_t start, len;
    const char *scheme; /* to go before it: "", "http://" or "mailto:" */
};

/* The first one at `from` or behind it; len 0: there is none. The time for finding all of them is linear. */
struct convert_text_link convert_text_find_link(const char *text, size_t len, size_t from);

/* An address in angle brackets that goes on in the next lines: "<https://example.com/a" "b>", "<URL:..." too. */
struct convert_text_piece {
    const char *text;
    size_t len;
};
/* Is there one at the end of pieces[0], with its scheme? Its end, the ">", is in the last of as many pieces as are
 * returned; 0: none. *start_out: where it starts in the first piece, *end_out: where the ">" is in the last one; url_out
 * has the address. */
size_t convert_text_find_broken_link(const struct convert_text_piece *pieces, size_t count, size_t *start_out,
                                     size_t *end_out, struct strbuf *url_out);
enum { CONVERT_TEXT_BROKEN_LINES_MAX = 8 }; /* how many pieces it may have */
