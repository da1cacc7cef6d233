/* smtp_address.h - mailboxes: parsing, normalising, comparing
 *
 * An address as it stands in an SMTP path or a header field: local-part "@" domain (RFC 5321 section 4.1.2, RFC 6531
 * section 3.3). Limits: local part 64 octets, domain 255, whole path 254. No I/O.
 *
 * The value type is a fixed-size struct, copied freely, so that nobody has to free an address.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum { SMTP_LOCAL_MAX = 64, SMTP_DOMAIN_MAX = 255, SMTP_ADDRESS_MAX = 254 };

/* local: without quotes where they are not needed, else with them; "" is the null path <>. domain: as given, without
 * final dot; an address literal keeps its brackets. */
struct smtp_address {
    char local[SMTP_LOCAL_MAX + 1];
    char domain[SMTP_DOMAIN_MAX + 1];
};

/* text: "local@domain", without angle brackets. 1 ok; -1 not an address (control characters, bad quoting, too
 * long, invalid UTF-8, empty parts, no domain). The domain is a name (labels of 1 to 63 octets: letters, digits, '-'
 * but not at an edge, '_', UTF-8) or an address literal ("[192.0.2.1]", "[IPv6:2001:db8::1]"). On -1 *address_out is
 * the null path. */
int smtp_address_parse(const char *text, size_t len, struct smtp_address *address_out)
    __attribute__((warn_unused_result));
bool smtp_address_is_null(const struct smtp_address *address);
bool smtp_address_is_utf8(const struct smtp_address *address); /* some of it is */
/* The form that does without SMTPUTF8: labels of the domain that are in UTF-8 as "xn--..." (RFC 5890 section 2.3.2.1),
 * encoded as they stand. 1; -1: there is none, since the local part is in UTF-8 or the address would be too long. The two
 * may be the same object. */
int smtp_address_to_ascii(const struct smtp_address *address, struct smtp_address *ascii_out)
    __attribute__((warn_unused_result));

/* "local@domain" ("" for the null path) into a buffer of SMTP_ADDRESS_MAX + 2. */
void smtp_address_format(const struct smtp_address *address, char out[static SMTP_ADDRESS_MAX + 2]);

/* Does the case of ASCII letters in a local part make a difference? At nearly all domains it does not (RFC 5321 section
 * 2.4 lets them choose). Letters beyond ASCII are never folded. */
enum smtp_case {
    SMTP_CASE_FOLDED, /* they become small */
    SMTP_CASE_KEPT,
};
/* The form in which addresses are stored and compared: the domain as A-labels in lower case, without final dot (RFC 5890;
 * smtp_idn.h says what is mapped), an address literal in its shortest form; the local part composed (NFC), in lower case if
 * case is folded, and without quotes where they change nothing. Canonical addresses mean the same mailbox exactly if they
 * are the same text. 1; -1: the domain is none that IDNA2008 allows, the local part has a character that nobody sees or that is an
 * ASCII one in disguise (KELVIN SIGN), or it would be too long: only ASCII letters were made small, and the address equals nothing but itself. Allocates only for what is not ASCII. */
int smtp_address_canonicalise(struct smtp_address *address, enum smtp_case local_case)
    __attribute__((warn_unused_result));
/* The same, case folded, whatever becomes of it. */
void smtp_address_normalise(struct smtp_address *address);
/* Subaddressing (RFC 5233): "alice+news" becomes "alice". false, and nothing changes, when there is no "+" or no
 * address before it. */
bool smtp_address_drop_detail(struct smtp_address *address) __attribute__((warn_unused_result));
bool smtp_address_equal(const struct smtp_address *a, const struct smtp_address *b); /* after normalising both */
/* ASCII case-insensitive; a final dot is ignored; a label in UTF-8 equals its "xn--" form (RFC 5890 section 2.3.2.1). Names
 * that IDNA2008 does not allow equal only themselves. */
bool smtp_domain_equal(const char *a, const char *b);
/* For people: labels in their own script, where they are valid and none mixes scripts. */
enum { SMTP_DOMAIN_SHOWN_SIZE = 1024 };
void smtp_domain_show(const char *domain, char out[static SMTP_DOMAIN_SHOWN_SIZE]);

/* Valid UTF-8 (RFC 3629) without control characters (C0, DEL, C1). */
bool smtp_text_is_clean_utf8(const char *text, size_t len);
