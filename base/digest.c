#include "base/digest.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/xmalloc.h"

struct digest {
    EVP_MD_CTX *context;
};

/* SHA-256 on bytes in memory fails only for want of memory or of the algorithm; neither can be lived with. */
static void require(int openssl_result)
{
    if (openssl_result != 1)
        abort();
}

struct digest *digest_new(void)
{
    struct digest *digest = xcalloc(1, sizeof *digest);
    digest->context = EVP_MD_CTX_new();
    require(digest->context != NULL);
    require(EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL));
    return digest;
}

void digest_add(struct digest *digest, const void *data, size_t len)
{
    if (len > 0)
        require(EVP_DigestUpdate(digest->context, data, len));
}

void digest_finish(struct digest **digest, uint8_t result_out[static DIGEST_SIZE])
{
    unsigned len = 0;
    require(EVP_DigestFinal_ex((*digest)->context, result_out, &len));
    assert(len == DIGEST_SIZE);
    digest_free(digest);
}

void digest_free(struct digest **digest)
{
    if (*digest == NULL)
        return;
    EVP_MD_CTX_free((*digest)->context);
    free(*digest);
    *digest = NULL;
}

void digest_to_hex(const uint8_t digest[static DIGEST_SIZE], char hex_out[static DIGEST_HEX_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        hex_out[2 * i] = digits[digest[i] >> 4];
        hex_out[2 * i + 1] = digits[digest[i] & 0x0F];
    }
    hex_out[DIGEST_HEX_SIZE - 1] = '\0';
}

void digest_hmac(const void *key, size_t key_len, const void *data, size_t len, uint8_t mac_out[static DIGEST_SIZE])
{
    unsigned mac_len = 0;
    assert(key_len <= INT_MAX);
    require(HMAC(EVP_sha256(), key_len > 0 ? key : "", (int)key_len, data, len, mac_out, &mac_len) != NULL);
    assert(mac_len == DIGEST_SIZE);
}

bool digest_is_equal(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

void random_bytes(void *out, size_t len)
{
    uint8_t *next = out;
    while (len > 0) {
        ssize_t got = getrandom(next, len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            abort(); /* guessable tokens would be worse than no service */
        next += got;
        len -= (size_t)got;
    }
}
