/* signing_key.h - private keys that sign, through OpenSSL: RSA (PKCS #1 v1.5, RFC 8017 section 8.2) and Ed25519
 * (RFC 8032)
 *
 * What is signed is a SHA-256 digest: with RSA as the digest of the text, with Ed25519 as a text itself (RFC 8463
 * section 3). The same digest always gets the same signature. A key never changes: any thread may sign with it.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"

struct signing_key;

enum signing_key_kind { SIGNING_KEY_RSA, SIGNING_KEY_ED25519 };
enum {
    SIGNING_KEY_BITS_MIN = 1024,
    SIGNING_KEY_BITS_MAX = 8192, /* of RSA: more takes longer than a mail is worth */
    SIGNING_KEY_SIGNATURE_MAX = SIGNING_KEY_BITS_MAX / 8,
    SIGNING_KEY_FILE_MAX = 64 * 1024,
};

/* A PEM file without a password, which nobody but its owner and group may use. NULL with the reason, which names the
 * file, in *error_out (caller frees). Blocks as long as the file does. */
struct signing_key *signing_key_load(const char *file, char **error_out) __attribute__((warn_unused_result));
/* Makes such a file with a new key, mode 0600: it is there whole or not at all. bits: of RSA. 1; 0: there is a file of that name,
 * which stays; -1 with *error_out as above. Takes up to a second. */
int signing_key_make(const char *file, enum signing_key_kind kind, unsigned bits, char **error_out)
    __attribute__((warn_unused_result));
void signing_key_free(struct signing_key **key);
/* The public half in base64, as "p=" of a DKIM key record has it (RFC 6376 section 3.6.1, RFC 8463 section 4). The caller frees it. */
char *signing_key_public(const struct signing_key *key) __attribute__((warn_unused_result));
enum signing_key_kind signing_key_kind(const struct signing_key *key);
unsigned signing_key_bits(const struct signing_key *key);
/* 1; -1 when the library fails. */
int signing_key_sign(const struct signing_key *key, const uint8_t digest[static DIGEST_SIZE],
                     uint8_t signature_out[static SIGNING_KEY_SIGNATURE_MAX], size_t *len_out)
    __attribute__((warn_unused_result));
