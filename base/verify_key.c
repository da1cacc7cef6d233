/* verify_key.c - see verify_key.h */
#include "base/verify_key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"

enum { EXPONENT_BITS_MAX = 64 };

struct verify_key {
    EVP_PKEY *pkey;
    bool is_rsa;
};

static struct verify_key *wrap(EVP_PKEY *pkey, bool is_rsa)
{
    struct verify_key *key = xcalloc(1, sizeof *key);
    key->pkey = pkey;
    key->is_rsa = is_rsa;
    return key;
}

static bool has_usual_exponent(const EVP_PKEY *pkey)
{
    BIGNUM *exponent = NULL;
    bool ok = EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &exponent) == 1 &&
              BN_num_bits(exponent) <= EXPONENT_BITS_MAX;
    BN_free(exponent);
    return ok;
}

struct verify_key *verify_key_from_rsa(const uint8_t *der, size_t len)
{
    if (len == 0 || len > VERIFY_KEY_DER_MAX)
        return NULL;
    const unsigned char *at = der;
    EVP_PKEY *pkey = d2i_PUBKEY(NULL, &at, (long)len);
    if (!pkey) {
        at = der;
        pkey = d2i_PublicKey(EVP_PKEY_RSA, NULL, &at, (long)len);
    }
    bool ok = pkey && at == der + len && EVP_PKEY_get_base_id(pkey) == EVP_PKEY_RSA && has_usual_exponent(pkey);
    ERR_clear_error();
    if (ok)
        return wrap(pkey, true);
    EVP_PKEY_free(pkey);
    return NULL;
}

struct verify_key *verify_key_from_ed25519(const uint8_t *data, size_t len)
{
    if (len != VERIFY_KEY_ED25519_SIZE)
        return NULL;
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, data, len);
    ERR_clear_error();
    return pkey ? wrap(pkey, false) : NULL;
}

void verify_key_free(struct verify_key **key)
{
    if (!*key)
        return;
    EVP_PKEY_free((*key)->pkey);
    free(*key);
    *key = NULL;
}

unsigned verify_key_bits(const struct verify_key *key)
{
    int bits = EVP_PKEY_get_bits(key->pkey);
    return bits > 0 ? (unsigned)bits : 0;
}

static bool rsa_accepts(EVP_PKEY *pkey, const uint8_t *digest, const uint8_t *signature, size_t len)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
    bool ok = ctx && EVP_PKEY_verify_init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
              EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
              EVP_PKEY_verify(ctx, signature, len, digest, DIGEST_SIZE) == 1;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static bool ed25519_accepts(EVP_PKEY *pkey, const uint8_t *digest, const uint8_t *signature, size_t len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
              EVP_DigestVerify(ctx, signature, len, digest, DIGEST_SIZE) == 1;
    EVP_MD_CTX_free(ctx);
    return ok;
}

bool verify_key_accepts(const struct verify_key *key, const uint8_t digest[static DIGEST_SIZE],
                        const uint8_t *signature, size_t len)
{
    if (verify_key_bits(key) > VERIFY_KEY_BITS_MAX)
        return false;
    bool ok = key->is_rsa ? rsa_accepts(key->pkey, digest, signature, len)
                          : ed25519_accepts(key->pkey, digest, signature, len);
    ERR_clear_error();
    return ok;
}

void verify_key_prepare(void)
{
    /* A SubjectPublicKeyInfo of 512 bits: everything but its modulus, which may be any number. */
    static const uint8_t before[] = { 0x30, 0x5c, 0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01,
                                      0x01, 0x01, 0x05, 0x00, 0x03, 0x4b, 0x00, 0x30, 0x48, 0x02, 0x41, 0x00 };
    static const uint8_t after[] = { 0x02, 0x03, 0x01, 0x00, 0x01 };
    enum { MODULUS = 64 };
    uint8_t der[sizeof before + MODULUS + sizeof after], digest_value[DIGEST_SIZE], signature[MODULUS] = { 1 };
    memcpy(der, before, sizeof before);
    memset(der + sizeof before, 0xc1, MODULUS);
    memcpy(der + sizeof before + MODULUS, after, sizeof after);
    struct digest *digest = digest_new();
    digest_finish(&digest, digest_value);
    struct verify_key *keys[] = { verify_key_from_rsa(der, sizeof der),
                                  verify_key_from_rsa(der + sizeof before - 5, sizeof der - sizeof before + 5),
                                  verify_key_from_ed25519(digest_value, sizeof digest_value) };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (keys[i] && verify_key_accepts(keys[i], digest_value, signature, sizeof signature))
            abort(); /* nothing has that signature */
        verify_key_free(&keys[i]);
    }
}
