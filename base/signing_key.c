/* signing_key.c - see signing_key.h */
#include "base/signing_key.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret_file.h"
#include "base/xmalloc.h"

struct signing_key {
    EVP_PKEY *pkey;
    enum signing_key_kind kind;
};

/* The library would ask at the terminal. */
static int no_password(char *buffer, int size, int rwflag, void *ctx)
{
    (void)buffer;
    (void)size;
    (void)rwflag;
    (void)ctx;
    return -1;
}

static EVP_PKEY *parse(const char *pem, size_t len)
{
    BIO *input = BIO_new_mem_buf(pem, (int)len);
    EVP_PKEY *pkey = input ? PEM_read_bio_PrivateKey(input, NULL, no_password, NULL) : NULL;
    BIO_free(input);
    ERR_clear_error();
    return pkey;
}

/* What signs in the one way that is needed; NULL with the reason. */
static struct signing_key *take(const char *file, EVP_PKEY *pkey, char **error_out)
{
    int id = EVP_PKEY_get_base_id(pkey), bits = EVP_PKEY_get_bits(pkey);
    if (id == EVP_PKEY_RSA && (bits < SIGNING_KEY_BITS_MIN || bits > SIGNING_KEY_BITS_MAX)) {
        *error_out = secret_file_explain("%s: an RSA key of %d bits; expected %d to %d, 2048 is usual", file, bits,
                                         SIGNING_KEY_BITS_MIN, SIGNING_KEY_BITS_MAX);
        return NULL;
    }
    if (id != EVP_PKEY_RSA && id != EVP_PKEY_ED25519) {
        *error_out = secret_file_explain("%s holds neither an RSA nor an Ed25519 key", file);
        return NULL;
    }
    struct signing_key *key = xcalloc(1, sizeof *key);
    key->kind = id == EVP_PKEY_RSA ? SIGNING_KEY_RSA : SIGNING_KEY_ED25519;
    key->pkey = pkey;
    return key;
}

struct signing_key *signing_key_load(const char *file, char **error_out)
{
    char *pem;
    size_t len;
    if (secret_file_read(file, SIGNING_KEY_FILE_MAX, &pem, &len, error_out) != 1)
        return NULL;
    EVP_PKEY *pkey = parse(pem, len);
    struct signing_key *key = pkey ? take(file, pkey, error_out) : NULL;
    if (!pkey)
        *error_out = secret_file_explain("%s holds no private key in PEM form without a password", file);
    if (!key)
        EVP_PKEY_free(pkey);
    secret_file_free(&pem, len);
    return key;
}

void signing_key_free(struct signing_key **key)
{
    if (!*key)
        return;
    EVP_PKEY_free((*key)->pkey);
    free(*key);
    *key = NULL;
}

enum signing_key_kind signing_key_kind(const struct signing_key *key)
{
    return key->kind;
}

unsigned signing_key_bits(const struct signing_key *key)
{
    return (unsigned)EVP_PKEY_get_bits(key->pkey);
}

static int sign_rsa(EVP_PKEY *pkey, const uint8_t *digest, uint8_t *signature, size_t *len)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
    bool ok = ctx && EVP_PKEY_sign_init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
              EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
              EVP_PKEY_sign(ctx, signature, len, digest, DIGEST_SIZE) == 1;
    EVP_PKEY_CTX_free(ctx);
    return ok ? 1 : -1;
}

static int sign_ed25519(EVP_PKEY *pkey, const uint8_t *digest, uint8_t *signature, size_t *len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey) == 1 &&
              EVP_DigestSign(ctx, signature, len, digest, DIGEST_SIZE) == 1;
    EVP_MD_CTX_free(ctx);
    return ok ? 1 : -1;
}

int signing_key_sign(const struct signing_key *key, const uint8_t digest[static DIGEST_SIZE],
                     uint8_t signature_out[static SIGNING_KEY_SIGNATURE_MAX], size_t *len_out)
{
    *len_out = SIGNING_KEY_SIGNATURE_MAX;
    int result = key->kind == SIGNING_KEY_RSA ? sign_rsa(key->pkey, digest, signature_out, len_out)
                                              : sign_ed25519(key->pkey, digest, signature_out, len_out);
    ERR_clear_error();
    return result;
}
