/* password.c - see password.h */
#include "base/password.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "base/http_text.h"

/* 64 MiB as in the second recommendation of RFC 9106 section 4, and more passes than its three: 0.32 s where three take 0.12 s. One
 * lane is what libsodium has. */
enum { PASSES = 8 };
static const size_t memory = (size_t)64 << 20;

_Static_assert(PASSWORD_HASH_SIZE == crypto_pwhash_argon2id_STRBYTES, "a hash must fit, and be all that is read");

static void begin(void)
{
    if (sodium_init() < 0)
        abort(); /* no randomness: nothing of this may go on */
}

const char *password_complaint(const char *password)
{
    size_t len = strlen(password), characters = 0;
    if (len > PASSWORD_LENGTH_MAX)
        return "is longer than 1,000 octets";
    if (!http_text_is_clean(password, len, false))
        return "has characters that can't be typed everywhere";
    for (size_t i = 0; i < len; i++)
        characters += (password[i] & 0xc0) != 0x80;
    return characters < PASSWORD_LENGTH_MIN ? "is shorter than 12 characters" : NULL;
}

int password_hash(const char *password, char hash_out[static PASSWORD_HASH_SIZE])
{
    begin();
    return crypto_pwhash_argon2id_str(hash_out, password, strlen(password), PASSES, memory) == 0 ? 1 : -1;
}

/* The library asks for an array of this size, though it reads a string. Returns false if it is too long to be a hash. */
static bool fill(char array_out[static PASSWORD_HASH_SIZE], const char *hash)
{
    size_t len = strnlen(hash, PASSWORD_HASH_SIZE);
    memset(array_out, 0, PASSWORD_HASH_SIZE);
    if (len == PASSWORD_HASH_SIZE)
        return false;
    memcpy(array_out, hash, len);
    return true;
}

int password_check(const char *hash, const char *password)
{
    char array[PASSWORD_HASH_SIZE];
    begin();
    if (!fill(array, hash))
        return 0;
    errno = 0;
    if (crypto_pwhash_argon2id_str_verify(array, password, strlen(password)) == 0)
        return 1;
    return errno == ENOMEM ? -1 : 0;
}

bool password_is_outdated(const char *hash)
{
    char array[PASSWORD_HASH_SIZE];
    begin();
    return !fill(array, hash) || crypto_pwhash_argon2id_str_needs_rehash(array, PASSES, memory) != 0;
}
