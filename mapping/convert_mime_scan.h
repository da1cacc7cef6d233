/* convert_mime_scan.h - the tree of a mail's parts, found in the raw bytes (RFC 2046)
 *
 * One walk decides where parts begin and end and holds every limit of convert_limits.h, so that no other parser can
 * see a different structure or be led beyond a limit. Nothing is copied or decoded: a part's header and content point
 * into the mail, which must outlive the tree, and so an attached message is carried byte for byte. Messages in the
 * mail are leaves. A mapped mail's pages are given back on the way.
 *
 * Mail is read as it comes: with a line in front that mbox files have, without the empty line behind a header, with a
 * boundary that is declared wrongly or not at all, or is the parent's, multiparts that end twice or nowhere, and such
 * as are encoded as a whole (only these are decoded, into memory). Internal to mapping/convert*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "mapping/convert_mime_field.h"

struct convert_input;

struct convert_part {
    const char *header; /* raw header section, without the empty line */
    size_t header_len;
    const char *content; /* raw, in its transfer encoding */
    size_t content_len;
    struct convert_input *input; /* what the content lies in; NULL: memory */
    struct convert_content about;
    struct convert_part **children; /* of a multipart; never empty for one */
    size_t child_count;
    char *decoded;  /* content lies in it, of a multipart that was encoded as a whole; NULL */
    char *memory;   /* header and content lie in it, of an entity in memory; NULL */
    bool is_broken; /* a multipart in which no parts were found */
    bool is_stray;  /* text outside of a multipart's parts; it has no header */
};

/* NULL: over a limit, with a short static reason in *error_out. Free with convert_part_free(). */
struct convert_part *convert_mime_scan(struct convert_charsets *charsets, struct convert_input *mail,
                                       const char **error_out) __attribute__((warn_unused_result));
/* The same for an entity in memory that was found inside the mail; takes data (malloc'ed) over in any case. */
struct convert_part *convert_mime_scan_memory(struct convert_charsets *charsets, char *data, size_t len,
                                              const char **error_out) __attribute__((warn_unused_result));
void convert_part_free(struct convert_part **part);
bool convert_part_is(const struct convert_part *part, const char *type, const char *subtype); /* subtype NULL: any */
/* Length of the header section at the start of mail, without the empty line; content_out gets the offset behind
 * that. An empty line with Content fields behind it that the header lacks does not end it. Without one it ends before
 * the first line that belongs to no field, unless fields that every mail has follow. More than CONVERT_HEADER_MAX means
 * too long: then it stopped looking, and the length is none. */
size_t convert_mime_header_len(const char *mail, size_t len, size_t *content_out);
