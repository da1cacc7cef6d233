/* dkim_key.h - the keys that domains publish for their signatures (RFC 6376 section 3.6.1, RFC 8463 section 4)
 *
 * For smtp/dkim_* and smtp/arc_*. No I/O.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct verify_key;

enum dkim_key_kind { DKIM_KEY_RSA, DKIM_KEY_ED25519 };

struct dkim_key {
    struct verify_key *key; /* owned */
    bool is_testing;        /* t=y */
    bool is_strict;         /* t=s: i= must be of the domain itself */
};

/* A TXT record as a key of that kind, for SHA-256 and mail. 1; -1 it is none, and *why_out says what it is, as words to follow
 * "the key ". */
int dkim_key_parse(const char *record, size_t len, enum dkim_key_kind kind, struct dkim_key *key_out,
                   const char **why_out) __attribute__((warn_unused_result));
void dkim_key_free(struct dkim_key *key); /* what it owns */
