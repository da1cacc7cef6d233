/* dkim_message_internal.h - what those who verify signatures see of a message
 *
 * Not for use outside smtp/dkim_*.c and smtp/arc_*.c. Everything is valid as long as the message, and complete after
 * dkim_message_end().
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/strbuf.h"
#include "smtp/dkim_canonical.h"
#include "smtp/dkim_message.h"

/* Lines end with CRLF, but for the last one, whose end is left out. Nothing is NUL-terminated. */
struct dkim_field {
    const char *text;
    size_t len;
    size_t name_len; /* without white space before the colon */
    size_t value;    /* where it begins, behind the colon */
};

enum dkim_form { DKIM_RELAXED, DKIM_SIMPLE, DKIM_FORMS };

struct dkim_message {
    struct strbuf header; /* lines with CRLF, up to the empty one */
    struct dkim_field *fields;
    size_t field_count;
    struct dkim_field **by_name; /* the same by name, those of a name from top to bottom */
    bool is_dubious;             /* programs may read it in several ways */
    bool is_signed;              /* a field in it may be a signature */
    struct {
        uint8_t digest[DIGEST_SIZE];
        uint64_t size; /* octets in this form */
    } body[DKIM_FORMS];

    /* Of reading. */
    struct dkim_body bodies[DKIM_FORMS];
    bool in_body, in_line, after_cr, is_lf, is_crlf;
};

/* Fields of a name, in any case: by_name[*first_out] and so many behind it. */
size_t dkim_message_find(const struct dkim_message *message, const char *name, size_t len, size_t *first_out);
bool dkim_field_is(const struct dkim_field *field, const char *name);
