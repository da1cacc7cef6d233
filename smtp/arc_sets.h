/* arc_sets.h - the sets of an ARC chain (RFC 8617) that somebody else has verified, and whose they are
 *
 * Authentication-Results say that a chain is good, and in no agreed way who has sealed it. The seals themselves say so, and since
 * whoever verified the chain has found all of them right, they can be read. Pure; verifies nothing (arc_verify.h does).
 */
#pragma once
#include <stddef.h>

#include "smtp/smtp_address.h"

struct mail_header_facts;

enum { ARC_SETS_MAX = 50 }; /* RFC 8617 section 4.2.1 */

struct arc_set {
    char sealer[SMTP_DOMAIN_MAX + 1]; /* d= of the seal, A-labels in lower case */
    const char *results;              /* for auth_results_parse(): what stands behind "i=1;"; the header's */
};

/* [0] is i=1. How many there are; 0 when there is no chain, or its sets are not whole: each number from 1 on once, with one seal
 * and one field of results. */
size_t arc_sets_read(const struct mail_header_facts *header, struct arc_set sets_out[static ARC_SETS_MAX]);
/* The oldest in an unbroken row of trusted sealers from the newest set on: it had the message before any of them could change it.
 * NULL: the newest is not trusted. sealers: A-labels in lower case. */
const struct arc_set *arc_sets_find_trusted(const struct arc_set *sets, size_t count, const char *const *sealers,
                                            size_t sealer_count);
