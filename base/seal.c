/* seal.c - see seal.h
 *
 * A file: 8 octets that name the format; the stream's header; the pieces, each 17 octets longer than what is in it. All but
 * the last hold PIECE octets; the last, which may be empty, has the tag FINAL. `about` is additional data of each piece.
 * A text: the nonce, then the box of crypto_aead_xchacha20poly1305_ietf.
 */
#include "base/seal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/file.h"
#include "base/secret_file.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"

enum {
    PIECE = 64 * 1024,
    MAGIC_SIZE = 8,
    STREAM_HEADER = crypto_secretstream_xchacha20poly1305_HEADERBYTES,
    PIECE_EXTRA = crypto_secretstream_xchacha20poly1305_ABYTES,
    NONCE_SIZE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TEXT_EXTRA = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    PATH_LENGTH_MAX = 4096,
};
static const uint8_t magic[MAGIC_SIZE] = { 'P', 'S', 'T', 'S', 'E', 'A', 'L', '1' };
_Static_assert((int)SEAL_KEY_SIZE == (int)crypto_secretstream_xchacha20poly1305_KEYBYTES, "one key is for both");
_Static_assert((int)SEAL_KEY_SIZE == (int)crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "one key is for both");

/* What each use has, so that none says anything about another. */
enum { USE_FILE, USE_TEXT, USE_DIGEST, USE_ID, USE_COUNT };
struct seal_key {
    uint8_t keys[USE_COUNT][SEAL_KEY_SIZE];
};

static struct seal_key *key_new(const uint8_t secret[static SEAL_KEY_SIZE])
{
    static const char *const uses[USE_COUNT] = { "file", "text", "digest", "id" };
    struct seal_key *key = xcalloc(1, sizeof *key);
    _Static_assert((int)DIGEST_SIZE == (int)SEAL_KEY_SIZE, "a MAC is a key");
    if (sodium_init() < 0)
        abort(); /* no random numbers */
    for (size_t i = 0; i < USE_COUNT; i++)
        digest_hmac(secret, SEAL_KEY_SIZE, uses[i], strlen(uses[i]), key->keys[i]);
    return key;
}

void seal_key_free(struct seal_key **key)
{
    if (!*key)
        return;
    free(*key);
    *key = NULL;
}

int seal_key_load(const char *file, struct seal_key **key_out, char **error_out)
{
    char *text = NULL;
    size_t len = 0;
    *key_out = NULL;
    int result = secret_file_read(file, SEAL_KEY_SIZE, &text, &len, error_out);
    if (result != 1)
        return result;
    if (len == SEAL_KEY_SIZE) {
        *key_out = key_new((const uint8_t *)text);
    } else {
        *error_out = secret_file_explain("%s holds %zu bytes; a key has %d", file, len, SEAL_KEY_SIZE);
        result = -1;
    }
    free(text);
    return result;
}

/* 1; 0: the name is taken; -1 errno. */
static int write_key(const char *file, const char *aside, const uint8_t secret[static SEAL_KEY_SIZE])
{
    int fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    int result = fchmod(fd, 0600) == 0 && file_write_all(fd, secret, SEAL_KEY_SIZE) == 1 && fsync(fd) == 0 ? 1 : -1;
    close(fd);
    if (result == 1 && link(aside, file) < 0)
        result = errno == EEXIST ? 0 : -1;
    int error = errno;
    unlink(aside);
    errno = error;
    return result == 1 ? file_sync_directory_of(file) : result;
}

int seal_key_make(const char *file, struct seal_key **key_out, char **error_out)
{
    uint8_t secret[SEAL_KEY_SIZE];
    struct strbuf aside;
    *key_out = NULL;
    *error_out = NULL;
    strbuf_init(&aside, PATH_LENGTH_MAX);
    strbuf_add_fmt(&aside, "%s.new", file);
    random_bytes(secret, sizeof secret);
    errno = ENAMETOOLONG;
    int result = strbuf_ok(&aside) ? write_key(file, aside.data, secret) : -1;
    if (result == 1)
        *key_out = key_new(secret);
    else
        *error_out = secret_file_explain("%s can't be made: %s", file, strerror(result == 0 ? EEXIST : errno));
    explicit_bzero(secret, sizeof secret);
    strbuf_free(&aside);
    return result;
}

void seal_key_id(const struct seal_key *key, char id_out[static SEAL_ID_SIZE])
{
    uint8_t mac[DIGEST_SIZE];
    char hex[DIGEST_HEX_SIZE];
    digest_hmac(key->keys[USE_ID], SEAL_KEY_SIZE, "", 0, mac);
    digest_to_hex(mac, hex);
    memcpy(id_out, hex, SEAL_ID_SIZE - 1);
    id_out[SEAL_ID_SIZE - 1] = 0;
}

void seal_key_digest(const struct seal_key *key, const void *data, size_t len,
                     uint8_t digest_out[static SEAL_DIGEST_SIZE])
{
    uint8_t mac[DIGEST_SIZE];
    digest_hmac(key->keys[USE_DIGEST], SEAL_KEY_SIZE, data, len, mac);
    memcpy(digest_out, mac, SEAL_DIGEST_SIZE);
}

/* Files. */

struct buffers {
    uint8_t plain[PIECE], sealed[PIECE + PIECE_EXTRA];
};

/* All of it, or as much as there is. */
static int64_t read_fully(seal_source *source, void *ctx, int64_t offset, uint8_t *out, size_t len)
{
    size_t done = 0;
    while (done < len) {
        int64_t n = source(ctx, offset + (int64_t)done, out + done, len - done);
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (int64_t)done;
}

static int seal_piece(crypto_secretstream_xchacha20poly1305_state *state, struct buffers *buffers, size_t len,
                      const char *about, bool is_last, int fd)
{
    unsigned long long sealed = 0;
    uint8_t tag = is_last ? crypto_secretstream_xchacha20poly1305_TAG_FINAL : 0;
    if (crypto_secretstream_xchacha20poly1305_push(state, buffers->sealed, &sealed, buffers->plain, len,
                                                   (const uint8_t *)about, strlen(about), tag) != 0)
        abort();
    return file_write_all(fd, buffers->sealed, (size_t)sealed);
}

int seal_file(const struct seal_key *key, const char *about, seal_source *source, void *ctx, int64_t size, int fd)
{
    crypto_secretstream_xchacha20poly1305_state state;
    uint8_t header[MAGIC_SIZE + STREAM_HEADER];
    int64_t offset = 0;
    size_t len = 0;
    assert(size >= 0);
    memcpy(header, magic, MAGIC_SIZE);
    crypto_secretstream_xchacha20poly1305_init_push(&state, header + MAGIC_SIZE, key->keys[USE_FILE]);
    struct buffers *buffers = xmalloc(sizeof *buffers);
    int result = file_write_all(fd, header, sizeof header);
    do {
        len = size - offset < PIECE ? (size_t)(size - offset) : PIECE;
        int64_t got = result == 1 ? read_fully(source, ctx, offset, buffers->plain, len) : -1;
        if (got >= 0 && (size_t)got < len) {
            errno = EIO;
            got = -1;
        }
        result = got < 0 ? -1 : seal_piece(&state, buffers, len, about, len < PIECE, fd);
        offset += (int64_t)len;
    } while (result == 1 && len == PIECE); /* one that is full is never the last */
    explicit_bzero(&state, sizeof state);
    free(buffers);
    return result;
}

int64_t seal_file_size(int64_t size)
{
    return MAGIC_SIZE + STREAM_HEADER + size + (size / PIECE + 1) * PIECE_EXTRA;
}

static int64_t read_fd(void *ctx, int64_t offset, void *out, size_t len)
{
    ssize_t n;
    do
        n = pread(*(int *)ctx, out, len, (off_t)offset);
    while (n < 0 && errno == EINTR);
    return n;
}

/* The piece at the offset: 1 and its length; 0: it is none; -1. */
static int open_piece(crypto_secretstream_xchacha20poly1305_state *state, struct buffers *buffers, int fd,
                      int64_t offset, const char *about, size_t *len_out)
{
    uint8_t tag = 0;
    unsigned long long len = 0;
    int64_t got = read_fully(read_fd, &fd, offset, buffers->sealed, sizeof buffers->sealed);
    if (got < PIECE_EXTRA)
        return got < 0 ? -1 : 0;
    if (crypto_secretstream_xchacha20poly1305_pull(state, buffers->plain, &len, &tag, buffers->sealed,
                                                   (unsigned long long)got, (const uint8_t *)about, strlen(about)) != 0)
        return 0;
    bool is_last = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
    *len_out = (size_t)len;
    return is_last == (len < PIECE);
}

static int open_pieces(crypto_secretstream_xchacha20poly1305_state *state, struct buffers *buffers, int sealed_fd,
                       const char *about, int out_fd, int64_t *size_out)
{
    int64_t offset = MAGIC_SIZE + STREAM_HEADER;
    size_t len = 0;
    int result;
    do {
        result = open_piece(state, buffers, sealed_fd, offset, about, &len);
        if (result == 1)
            result = file_write_all(out_fd, buffers->plain, len);
        offset += (int64_t)len + PIECE_EXTRA;
        *size_out += (int64_t)len;
    } while (result == 1 && len == PIECE);
    if (result != 1)
        return result;
    int64_t more = read_fully(read_fd, &sealed_fd, offset, buffers->sealed, 1);
    return more < 0 ? -1 : more == 0;
}

int seal_open_file(const struct seal_key *key, const char *about, int sealed_fd, int out_fd, int64_t *size_out)
{
    crypto_secretstream_xchacha20poly1305_state state;
    uint8_t header[MAGIC_SIZE + STREAM_HEADER];
    *size_out = 0;
    int64_t got = read_fully(read_fd, &sealed_fd, 0, header, sizeof header);
    if (got < (int64_t)sizeof header || memcmp(header, magic, MAGIC_SIZE) != 0)
        return got < 0 ? -1 : 0;
    if (crypto_secretstream_xchacha20poly1305_init_pull(&state, header + MAGIC_SIZE, key->keys[USE_FILE]) != 0)
        return 0;
    struct buffers *buffers = xmalloc(sizeof *buffers);
    int result = open_pieces(&state, buffers, sealed_fd, about, out_fd, size_out);
    explicit_bzero(&state, sizeof state);
    free(buffers);
    return result;
}

/* Texts. */

uint8_t *seal_text(const struct seal_key *key, const char *about, const void *text, size_t len, size_t *len_out)
{
    unsigned long long sealed = 0;
    assert(len <= SEAL_TEXT_MAX);
    uint8_t *out = xmalloc(NONCE_SIZE + len + TEXT_EXTRA);
    random_bytes(out, NONCE_SIZE); /* so many that no two are the same */
    if (crypto_aead_xchacha20poly1305_ietf_encrypt(out + NONCE_SIZE, &sealed, text, len, (const uint8_t *)about,
                                                   strlen(about), NULL, out, key->keys[USE_TEXT]) != 0)
        abort();
    *len_out = NONCE_SIZE + (size_t)sealed;
    return out;
}

int seal_open_text(const struct seal_key *key, const char *about, const void *sealed, size_t len, char **text_out,
                   size_t *len_out)
{
    const uint8_t *nonce = sealed;
    unsigned long long plain = 0;
    if (len < NONCE_SIZE + TEXT_EXTRA || len > NONCE_SIZE + SEAL_TEXT_MAX + TEXT_EXTRA)
        return 0;
    char *out = xmalloc(len - NONCE_SIZE - TEXT_EXTRA + 1);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt((uint8_t *)out, &plain, NULL, nonce + NONCE_SIZE, len - NONCE_SIZE,
                                                   (const uint8_t *)about, strlen(about), nonce,
                                                   key->keys[USE_TEXT]) != 0) {
        free(out);
        return 0;
    }
    out[plain] = 0;
    *text_out = out;
    *len_out = (size_t)plain;
    return 1;
}
