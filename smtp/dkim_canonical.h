/* dkim_canonical.h - the forms of header fields and bodies that DKIM signs (RFC 6376 section 3.4): "relaxed", and of bodies
 * "simple" too (a field's simple form is the field)
 *
 * Internal to smtp/dkim*. No I/O.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"

struct strbuf;

/* Appends a field (name, colon, value, perhaps over several lines; len without its last line end) without a line end. A
 * field without a colon is appended as a value. */
void dkim_canonical_field(struct strbuf *out, const char *field, size_t len);

/* A body that comes in lines without their ends, or in pieces of them. All zero but the digest, and is_simple if it is to
 * be, is the start. */
struct dkim_body {
    struct digest *digest;
    bool is_simple;     /* white space counts */
    uint64_t size;      /* octets in this form, as far as they are in the digest */
    uint64_t line_ends; /* not written yet: those at the end of the body don't count */
    bool has_space;     /* likewise: white space at the end of a line */
    bool has_text;
    size_t len;
    char pending[4096]; /* written, on their way into the digest */
};
void dkim_body_add(struct dkim_body *body, const char *text, size_t len); /* CR and LF in it end no line */
void dkim_body_end_line(struct dkim_body *body);
/* Frees its digest; size is final then. */
void dkim_body_finish(struct dkim_body *body, uint8_t digest_out[static DIGEST_SIZE]);
