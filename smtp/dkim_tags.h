/* dkim_tags.h - tag lists, "v=1; a=rsa-sha256; ...", and what stands in them (RFC 6376 section 3.2, RFC 8616)
 *
 * For smtp/dkim_* and smtp/arc_*. Everything points into the text that was parsed, which need not be NUL-terminated.
 * Strict: a list that is not of the grammar is none, and a tag may be there once. White space is space, tab, CR and LF: folding
 * is not looked at. No I/O, no allocation.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smtp/smtp_address.h"

enum { DKIM_TAGS_MAX = 50 }; /* of a list; RFC 6376 knows 13 */

struct dkim_text {
    const char *data; /* NULL: there is none */
    size_t len;
};

struct dkim_tags {
    size_t count;
    struct {
        struct dkim_text name;
        struct dkim_text value; /* without white space around it; may be empty, never NULL */
        struct dkim_text room;  /* all between "=" and ";" */
    } list[DKIM_TAGS_MAX];
};

/* 1; -1 no such list, or a tag twice, or more than DKIM_TAGS_MAX. */
int dkim_tags_parse(const char *text, size_t len, struct dkim_tags *tags_out) __attribute__((warn_unused_result));
/* The value of a tag; data is NULL when it is not there. Names are told apart by case. */
struct dkim_text dkim_tags_find(const struct dkim_tags *tags, const char *name);

bool dkim_text_is(struct dkim_text text, const char *word); /* ASCII, in any case */
/* The next element of a list with colons, without white space around it: 1; 0 there are no more. An empty text has one
 * element, which is empty. *rest starts as the list. */
int dkim_text_next(struct dkim_text *rest, struct dkim_text *element_out) __attribute__((warn_unused_result));
bool dkim_text_has(struct dkim_text list, const char *word); /* as an element, in any case */
/* 1 to 12 digits (RFC 6376 section 3.5: longer ones too, they count as that many nines). 1; -1 something else. */
int dkim_text_to_number(struct dkim_text text, uint64_t *number_out) __attribute__((warn_unused_result));
/* Base64 with white space anywhere, padded or not (RFC 6376 section 2.10). 1; -1 it is none, is empty, or has more than max
 * octets. */
int dkim_text_to_octets(struct dkim_text text, uint8_t *out, size_t max, size_t *len_out)
    __attribute__((warn_unused_result));
/* A domain name of at least min_labels (1 or more) labels of letters, digits, "-", "_", or what smtp_idn.h takes, as A-labels in
 * lower case. 1; -1 it is none, or longer than 253 octets; out is "" then. */
int dkim_text_to_domain(struct dkim_text text, unsigned min_labels, char out[static SMTP_DOMAIN_MAX + 1])
    __attribute__((warn_unused_result));
