/* password.h - passwords as they are stored: argon2id through libsodium (RFC 9106)
 *
 * A hash takes a third of a second and 64 MiB of memory on purpose, so these are for a thread other than the loop's, one at a time
 * (gateway/passwords.h). docs/LIMITS.md has the parameters; a hash carries its own, so that they can change.
 */
#pragma once
#include <stdbool.h>

enum {
    PASSWORD_HASH_SIZE = 128,   /* with the NUL */
    PASSWORD_LENGTH_MIN = 12,   /* characters */
    PASSWORD_LENGTH_MAX = 1000, /* octets */
};

/* Why somebody can't have this password, as the end of a sentence that begins with "the password"; NULL: they can. Must be UTF-8
 * without controls. */
const char *password_complaint(const char *password);

/* Salted at random. 1; -1: there is no memory for it now. */
int password_hash(const char *password, char hash_out[static PASSWORD_HASH_SIZE]) __attribute__((warn_unused_result));
/* 1 it is this password; 0 it is not, or hash is none; -1 no memory. */
int password_check(const char *hash, const char *password) __attribute__((warn_unused_result));
/* Was it made with other parameters than are used now? */
bool password_is_outdated(const char *hash);
