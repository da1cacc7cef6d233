/* seal.h - files and short texts that nobody reads without a key, through libsodium
 *
 * A sealed file is authenticated encryption in pieces of 64 KiB (crypto_secretstream_xchacha20poly1305): whatever its size
 * it takes little memory; one whose pieces were changed, reordered, left out or taken from another file does not open, nor does
 * one that was cut, or goes on behind its end. Each is sealed under words that say what it is about, which must be known
 * to open it: so it can't be put in another's place. Its size shows that of what is in it.
 *
 * A key never changes: any thread may use it. It is in no log.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { SEAL_KEY_SIZE = 32, SEAL_ID_SIZE = 17, SEAL_DIGEST_SIZE = 16, SEAL_TEXT_MAX = 1024 * 1024 };

struct seal_key;

/* A file of SEAL_KEY_SIZE octets, kept as secret_file.h wants it. 1; 0: there is no such file; -1: it is of no use. After 0 and
 * -1 *error_out (caller frees) says why, and names the file. Blocks as long as the file does. */
int seal_key_load(const char *file, struct seal_key **key_out, char **error_out) __attribute__((warn_unused_result));
/* Makes such a file with a new key, mode 0600, and waits until it is on disk: it is there whole or not at all. 1; 0: there is a
 * file of that name, which stays; -1 with *error_out as above. */
int seal_key_make(const char *file, struct seal_key **key_out, char **error_out) __attribute__((warn_unused_result));
void seal_key_free(struct seal_key **key);
/* 16 hexadecimal digits that tell keys apart and say nothing about them. */
void seal_key_id(const struct seal_key *key, char id_out[static SEAL_ID_SIZE]);
/* A digest that nobody can compare with anything without the key. */
void seal_key_digest(const struct seal_key *key, const void *data, size_t len,
                     uint8_t digest_out[static SEAL_DIGEST_SIZE]);

/* Where the content comes from: len octets at offset, fewer only at its end, -1 on an error (errno). */
typedef int64_t seal_source(void *ctx, int64_t offset, void *out, size_t len);
/* Seals size octets into fd, at its offset. 1; -1 on an error (errno; EIO: the source is shorter). */
int seal_file(const struct seal_key *key, const char *about, seal_source *source, void *ctx, int64_t size, int fd)
    __attribute__((warn_unused_result));
int64_t seal_file_size(int64_t size); /* of what seal_file() makes of so much */
/* Writes what is in the file (pread from 0 to its end) into out_fd, at its offset. 1; 0: it is not whole, or of another key, or about something
 * else: what was written then is of no use; -1 on an error (errno). */
int seal_open_file(const struct seal_key *key, const char *about, int sealed_fd, int out_fd, int64_t *size_out)
    __attribute__((warn_unused_result));

/* Likewise for up to SEAL_TEXT_MAX octets in memory. The caller frees the result. */
uint8_t *seal_text(const struct seal_key *key, const char *about, const void *text, size_t len, size_t *len_out);
/* 1: with a NUL behind *text_out (caller frees); 0: as above. */
int seal_open_text(const struct seal_key *key, const char *about, const void *sealed, size_t len, char **text_out,
                   size_t *len_out) __attribute__((warn_unused_result));
