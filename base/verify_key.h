/* verify_key.h - public keys that check signatures, through OpenSSL: the other side of base/signing_key.h
 *
 * A key never changes: any thread may use it.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"

struct verify_key;

/* For a process that is about to lose its files: makes the library load now what it would load on first use. */
void verify_key_prepare(void);

enum {
    VERIFY_KEY_BITS_MAX = 8192,    /* of RSA: more takes longer than a mail is worth */
    VERIFY_KEY_DER_MAX = 4 * 1024, /* octets; an RSA key of that size has 1.1 KiB */
    VERIFY_KEY_ED25519_SIZE = 32,
};

/* der: a SubjectPublicKeyInfo (RFC 5280 section 4.1) with an RSA key, or the RSAPublicKey alone (RFC 8017 appendix A.1.1), and
 * nothing behind it. NULL when it is something else, or a key whose use would take too long: one whose exponent has more
 * than 64 bits. Its size may be any: ask verify_key_bits(). */
struct verify_key *verify_key_from_rsa(const uint8_t *der, size_t len) __attribute__((warn_unused_result));
/* RFC 8032: 32 octets. NULL: len is another. */
struct verify_key *verify_key_from_ed25519(const uint8_t *data, size_t len) __attribute__((warn_unused_result));
void verify_key_free(struct verify_key **key);
unsigned verify_key_bits(const struct verify_key *key); /* 256 for Ed25519 */
/* Whether this is the key's signature of the digest: of the text with that SHA-256 digest with RSA (PKCS #1 v1.5), of the
 * digest as a text itself with Ed25519 (RFC 8463 section 3). Never with more than VERIFY_KEY_BITS_MAX. */
bool verify_key_accepts(const struct verify_key *key, const uint8_t digest[static DIGEST_SIZE],
                        const uint8_t *signature, size_t len);
