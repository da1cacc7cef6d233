/* convert_mime_field.h - header fields of mail: splitting, decoding for people, Content-* values
 *
 * RFC 5322 section 2.2 (fields), RFC 2047 (encoded words), RFC 2045 and RFC 2183 (Content fields). Raw 8-bit text is
 * decoded as an undeclared charset is. Pure functions over memory. Internal to mapping/convert*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "mapping/convert_transfer.h"

struct convert_charsets;

/* Points into the header; value has its folds and the blanks around it still. */
struct convert_field {
    const char *name;
    size_t name_len;
    const char *value;
    size_t value_len;
};

/* The next field at *at, which moves on behind it; false at the end. Lines that are no field are passed over. */
bool convert_field_next(const char **at, const char *end, struct convert_field *field_out);
bool convert_field_is(const struct convert_field *field, const char *name);
/* The first field of that name; false when there is none. */
bool convert_field_find(const char *header, size_t len, const char *name, struct convert_field *field_out);

/* Unstructured text for people (Subject): encoded words decoded, one line of valid UTF-8, at most max bytes. The result
 * is the caller's. */
char *convert_field_text(struct convert_charsets *charsets, const char *value, size_t len, size_t max)
    __attribute__((warn_unused_result));
/* The display name of a From field, "" when it has none. The result is the caller's. */
char *convert_field_display_name(struct convert_charsets *charsets, const char *value, size_t len, size_t max)
    __attribute__((warn_unused_result));

/* What the Content-* fields of a part say; strings are never NULL, types in lower case. */
struct convert_content {
    char *type, *subtype; /* "text", "plain" when absent or malformed */
    char *charset;        /* "" when not declared */
    char *boundary;       /* "" */
    char *filename;       /* decoded, not made safe; "" */
    char *id;             /* Content-ID without angle brackets; "" */
    char *location;       /* Content-Location without blanks; "" */
    char *start;          /* multipart/related: Content-ID of the root; "" */
    enum convert_transfer encoding;
    bool has_type;            /* a Content-Type is there, whatever it says */
    bool is_inline;           /* Content-Disposition: inline */
    bool is_attachment;       /* Content-Disposition: attachment, or one that nobody knows (RFC 2183 section 2.8) */
    bool is_flowed, is_delsp; /* format=flowed; delsp=yes (RFC 3676) */
};

/* in_digest: without a Content-Type it is message/rfc822, not text/plain. 1 done; -1 over a limit, short static
 * reason in *error_out. Free content_out either way. */
int convert_content_parse(struct convert_charsets *charsets, const char *header, size_t len, bool in_digest,
                          struct convert_content *content_out, const char **error_out)
    __attribute__((warn_unused_result));
void convert_content_free(struct convert_content *content);
