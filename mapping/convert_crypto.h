/* convert_crypto.h - telling signed and encrypted parts apart (RFC 8551, RFC 3156, RFC 9580 sections 6 and 7)
 *
 * Nothing is decrypted or verified: there are no keys here, and no list of whom to trust. A signature that is shown as
 * good by somebody else than the reader's own program would be worth nothing. So parts are called what they are and
 * carried intact; what can be read without a key is shown, and a sentence says so. Pure functions. Internal to
 * mapping/convert*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct convert_part;
struct strbuf;

enum convert_crypto {
    CONVERT_CRYPTO_NONE,
    /* Multiparts: the first child is what was signed and can be read; the signature is the second. */
    CONVERT_CRYPTO_SIGNED_SMIME,
    CONVERT_CRYPTO_SIGNED_PGP,
    /* Nobody here can read it. S/MIME: a leaf. PGP/MIME: a multipart, in which the child behind the one of type
     * application/pgp-encrypted is what matters (also in a multipart/mixed, as Exchange rewrites it). */
    CONVERT_CRYPTO_ENCRYPTED_SMIME,
    CONVERT_CRYPTO_ENCRYPTED_PGP,
    CONVERT_CRYPTO_COMPRESSED_SMIME,
    /* A MIME entity lies inside: convert_crypto_open(). DAMAGED is for callers, when it could not be had whole. */
    CONVERT_CRYPTO_OPAQUE_SMIME,
    CONVERT_CRYPTO_OPAQUE_DAMAGED,
    /* Leaves beside a message. */
    CONVERT_CRYPTO_CERTIFICATES, /* S/MIME without content */
    CONVERT_CRYPTO_SIGNATURE,    /* a detached one, of either kind */
    CONVERT_CRYPTO_PGP_KEY,
    /* Texts: convert_crypto_armour(). */
    CONVERT_CRYPTO_TEXT_SIGNED,
    CONVERT_CRYPTO_TEXT_ENCRYPTED,
    CONVERT_CRYPTO_COUNT
};

/* By its type and parameters, or by its name where the type says nothing. For a leaf of S/MIME it may be a guess (OPAQUE
 * when the type does not say what it is): what convert_crypto_look() says of its content counts more. */
enum convert_crypto convert_crypto_of(const struct convert_part *part);
/* data: decoded content of a leaf that convert_crypto_of() took for S/MIME. NONE: it is no CMS. */
enum convert_crypto convert_crypto_look(const void *data, size_t len);

/* The content of an opaque signature: a MIME entity. False: there is none, or the structure is damaged (then what could
 * be read is in out all the same). out's maximum bounds it. */
bool convert_crypto_open(const void *data, size_t len, struct strbuf *out);

/* A text with PGP's armour in it (at the start of a line, not quoted): TEXT_SIGNED, TEXT_ENCRYPTED, PGP_KEY, else NONE. */
enum convert_crypto convert_crypto_armour(const char *text, size_t len);
/* Appends the text with what was signed taken out of its armour, and without signatures and what can't be read. The
 * part is to be attached besides, for whoever wants to verify or decrypt it. */
void convert_crypto_unarmour(const char *text, size_t len, struct strbuf *out);

/* Appends one sentence for readers. attachment: the name of what is attached, without prefix; NULL or "": not named.
 * Nothing for NONE. */
void convert_crypto_add_sentence(struct strbuf *out, enum convert_crypto crypto, const char *attachment);
