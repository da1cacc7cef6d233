/* public_suffix.h - which part of a domain belongs to one organisation (RFC 7489 section 3.2), by the public suffix list
 *
 * The list is libpsl's own, or the one of Debian's package "publicsuffix" where that is newer: who is customer of a registry that is
 * missing in an old list would count as one organisation with its other customers.
 */
#pragma once

struct public_suffixes;

/* Reads the list: a worker does that before it is locked in. Never NULL. */
struct public_suffixes *public_suffixes_new(void) __attribute__((warn_unused_result));
void public_suffixes_free(struct public_suffixes **suffixes);
/* The part of domain (A-labels in lower case) that is registered: "a.b.example.co.uk" gives "example.co.uk". A suffix itself, and
 * what is no domain, is returned whole. Points into domain. */
const char *public_suffixes_organisation(const struct public_suffixes *suffixes, const char *domain);
