/* smtp_idn.h - internationalised domain names (IDNA2008: RFC 5890 to 5895) and composed text
 *
 * What is not ASCII, and "xn--" labels, for smtp_address.h. Pure: no I/O, no locale. Allocates.
 */
#pragma once
#include "smtp/smtp_address.h"

/* A domain name with labels in UTF-8 or "xn--": into A-labels in lower case, its final dot gone. Upper case becomes lower,
 * full and half width becomes normal, the text is composed (RFC 5895 section 2, with the tables of UTS 46, non-transitional:
 * "ß" stays itself); nothing else is mapped: what other forms stand for, such as ligatures, circled letters, or characters
 * that nobody sees, is no name. 1; -1: RFC 5892 does not allow it, a "xn--" label is not one, or it is too long. */
int smtp_idn_to_ascii(const char *domain, char out[static SMTP_DOMAIN_MAX + 1]) __attribute__((warn_unused_result));
/* For people: U-labels, where they are valid and none mixes scripts, as what wants to look like another name does; else as it is. */
void smtp_idn_to_unicode(const char *domain, char out[static SMTP_DOMAIN_SHOWN_SIZE]);
/* The canonical composition (NFC) of a text, in place. 1; -1: it would not fit into `size`, it is not UTF-8, or it has a character
 * that nobody sees or that would become an ASCII one; unchanged. */
int smtp_idn_compose(char *text, size_t size) __attribute__((warn_unused_result));
