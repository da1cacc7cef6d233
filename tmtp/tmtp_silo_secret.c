/* tmtp_silo_secret.c - base 32 in the reference server's alphabet */
#include "tmtp/tmtp_silo_secret.h"

#include <string.h>

#include "base/digest.h"

enum { UID_BYTES = 20, BITS = 5, GROUP_CHARS = 8 };

static const char alphabet[] = "%+123456789BCDFGHJKLMNPQRSTVWXYZ";

/* len is a multiple of five bytes, so that no padding is needed. */
static void encode(const uint8_t *bytes, size_t len, char *text_out)
{
    uint32_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | bytes[i];
        for (held += 8; held >= BITS; held -= BITS)
            *text_out++ = alphabet[bits >> (held - BITS) & 31];
    }
    *text_out = '\0';
}

void silo_secret_make_uid(char uid_out[static SILO_UID_SIZE])
{
    uint8_t bytes[UID_BYTES];
    random_bytes(bytes, sizeof bytes);
    encode(bytes, sizeof bytes, uid_out);
}

void silo_secret_make_password(char password_out[static SILO_PASSWORD_SIZE])
{
    uint8_t bytes[SILO_PASSWORD_BYTES];
    random_bytes(bytes, sizeof bytes);
    encode(bytes, sizeof bytes, password_out);
}

int silo_secret_decode(const char *text, uint8_t bytes_out[static SILO_PASSWORD_DECODED_MAX], size_t *len_out)
{
    /* How many characters of the last group of eight may be data; 1, 3 and 6 leave a byte incomplete. */
    static const char whole[GROUP_CHARS] = { 1, 0, 1, 0, 1, 1, 0, 1 };
    size_t len = strlen(text);
    size_t data = strcspn(text, "=");
    if (len % GROUP_CHARS != 0 || len > (size_t)SILO_PASSWORD_DECODED_MAX || len - data >= GROUP_CHARS ||
        strspn(text + data, "=") != len - data || !whole[data % GROUP_CHARS])
        return -1;
    uint32_t bits = 0;
    unsigned held = 0;
    *len_out = 0;
    for (size_t i = 0; i < data; i++) {
        const char *found = strchr(alphabet, text[i]);
        if (found == NULL)
            return -1;
        bits = bits << BITS | (uint32_t)(found - alphabet);
        held += BITS;
        if (held >= 8) {
            held -= 8;
            bytes_out[(*len_out)++] = (uint8_t)(bits >> held);
        }
    }
    return 1;
}

void silo_secret_make_salt(uint8_t salt_out[static SILO_SALT_SIZE])
{
    random_bytes(salt_out, SILO_SALT_SIZE);
}

void silo_secret_hash(const uint8_t salt[static SILO_SALT_SIZE], const uint8_t *password, size_t len,
                      uint8_t hash_out[static SILO_HASH_SIZE])
{
    _Static_assert((int)SILO_HASH_SIZE == (int)DIGEST_SIZE, "a hash is a SHA-256");
    struct digest *digest = digest_new();
    digest_add(digest, salt, SILO_SALT_SIZE);
    digest_add(digest, password, len);
    digest_finish(&digest, hash_out);
}
