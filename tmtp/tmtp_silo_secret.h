/* tmtp_silo_secret.h - uids and node passwords of the embedded silo
 *
 * Both are random bytes in base 32, with the alphabet of the reference server (no vowels, so that no words turn up). A
 * password is 200 random bits: nobody can guess it, so one salted SHA-256 is enough to store it safely, and a slow
 * hash would only slow down logins.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum {
    SILO_UID_SIZE = 33,              /* 32 characters (20 bytes) and NUL */
    SILO_PASSWORD_BYTES = 25,        /* bytes behind a node password */
    SILO_PASSWORD_SIZE = 41,         /* 40 characters and NUL */
    SILO_PASSWORD_DECODED_MAX = 256, /* what a client may send as one, decoded */
    SILO_SALT_SIZE = 16,
    SILO_HASH_SIZE = 32,
};

void silo_secret_make_uid(char uid_out[static SILO_UID_SIZE]);
void silo_secret_make_password(char password_out[static SILO_PASSWORD_SIZE]);

/* 1 decoded, -1 not base 32 (bad character, length or padding) or too long. */
int silo_secret_decode(const char *text, uint8_t bytes_out[static SILO_PASSWORD_DECODED_MAX], size_t *len_out)
    __attribute__((warn_unused_result));

void silo_secret_make_salt(uint8_t salt_out[static SILO_SALT_SIZE]);
void silo_secret_hash(const uint8_t salt[static SILO_SALT_SIZE], const uint8_t *password, size_t len,
                      uint8_t hash_out[static SILO_HASH_SIZE]);
