/* digest.h - SHA-256, HMAC (RFC 2104) and random bytes, through OpenSSL */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DIGEST_SIZE = 32, DIGEST_HEX_SIZE = 65 };

struct digest;
struct digest *digest_new(void);
void digest_add(struct digest *digest, const void *data, size_t len);
void digest_finish(struct digest **digest, uint8_t result_out[static DIGEST_SIZE]); /* frees it */
void digest_free(struct digest **digest);
void digest_to_hex(const uint8_t digest[static DIGEST_SIZE], char hex_out[static DIGEST_HEX_SIZE]);

/* HMAC-SHA-256. A key of up to 64 octets is used as it is, a longer one is hashed first. */
void digest_hmac(const void *key, size_t key_len, const void *data, size_t len, uint8_t mac_out[static DIGEST_SIZE]);
/* In a time that says nothing about where they differ. */
bool digest_is_equal(const void *a, const void *b, size_t len);

void random_bytes(void *out, size_t len); /* from the kernel; aborts when there are none */
