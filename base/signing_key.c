/* signing_key.c - see signing_key.h */
#include "base/signing_key.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/secret_file.h"
#include "base/strbuf.h"
#include "base/tmpfile.h"
#include "base/xmalloc.h"

enum { PATH_TEXT_MAX = 5000, ED25519_SIZE = 32 };

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
    free(pem);
    return key;
}

static EVP_PKEY *generate(enum signing_key_kind kind, unsigned bits)
{
    EVP_PKEY *pkey = kind == SIGNING_KEY_RSA ? EVP_RSA_gen(bits)
                                             : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"); /* the library's names */
    ERR_clear_error();
    return pkey;
}

static char *directory_of(const char *file)
{
    const char *slash = strrchr(file, '/');
    return slash == file ? xstrdup("/") : slash ? xstrndup(file, (size_t)(slash - file)) : xstrdup(".");
}

/* Where files can't do without a name: what is cut short leaves a key that nobody uses. A link takes nobody's place. */
static int write_draft(const char *file, const char *pem, size_t len)
{
    struct strbuf draft;
    strbuf_init(&draft, PATH_TEXT_MAX);
    strbuf_add_fmt(&draft, "%s.%ld.new", file, (long)getpid());
    int fd = strbuf_ok(&draft) ? open(draft.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
    int result = fd >= 0 && file_write_all(fd, pem, len) == 1 && fsync(fd) == 0 ? 1 : -1;
    if (result == 1 && link(draft.data, file) < 0)
        result = -1;
    int saved = errno;
    if (fd >= 0) {
        close(fd);
        unlink(draft.data);
    }
    strbuf_free(&draft);
    errno = saved;
    return result;
}

/* 1; 0: file is there already; -1 with errno. It gets its name when it is whole: a kill leaves nothing. */
static int write_new(const char *file, const char *pem, size_t len)
{
    char *directory = directory_of(file);
    int fd = tmpfile_new(directory);
    int result = fd >= 0 && file_write_all(fd, pem, len) == 1 && fsync(fd) == 0 ? tmpfile_name(fd, file) : -1;
    if (result == 0)
        result = write_draft(file, pem, len);
    int saved = errno;
    if (fd >= 0)
        close(fd);
    free(directory);
    errno = saved;
    return result < 0 && errno == EEXIST ? 0 : result;
}

int signing_key_make(const char *file, enum signing_key_kind kind, unsigned bits, char **error_out)
{
    EVP_PKEY *pkey = generate(kind, bits);
    BIO *output = BIO_new(BIO_s_secmem());
    char *pem = NULL;
    int result = -1;
    *error_out = NULL;
    if (!pkey || !output || PEM_write_bio_PrivateKey(output, pkey, NULL, NULL, 0, NULL, NULL) != 1) {
        *error_out = secret_file_explain("%s: no key could be made", file);
    } else {
        long len = BIO_get_mem_data(output, &pem);
        result = write_new(file, pem, (size_t)len);
        if (result < 1)
            *error_out = secret_file_explain("%s %s%s", file, result == 0 ? "is there already" : "can't be written: ",
                                             result == 0 ? "" : strerror(errno));
    }
    BIO_free(output);
    EVP_PKEY_free(pkey);
    ERR_clear_error();
    return result;
}

static char *to_base64(const unsigned char *data, size_t len)
{
    char *text = xcalloc(1, (len + 2) / 3 * 4 + 1);
    EVP_EncodeBlock((unsigned char *)text, data, (int)len);
    return text;
}

char *signing_key_public(const struct signing_key *key)
{
    unsigned char raw[ED25519_SIZE], *der = NULL;
    size_t raw_len = sizeof raw;
    if (key->kind == SIGNING_KEY_ED25519)
        return EVP_PKEY_get_raw_public_key(key->pkey, raw, &raw_len) == 1 ? to_base64(raw, raw_len) : xstrdup("");
    int len = i2d_PUBKEY(key->pkey, &der);
    char *text = len > 0 ? to_base64(der, (size_t)len) : xstrdup("");
    OPENSSL_free(der);
    return text;
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
