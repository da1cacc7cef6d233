/* signer.c - see signer.h */
#include "gateway/signer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/signing_key.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "smtp/dkim_sign.h"

enum { PIECE_SIZE = 64 * 1024, SHORT_BITS = 2048 };

/* Keys that never change; the last user frees them. */
struct keys {
    unsigned users; /* under the signer's lock */
    size_t count;
    struct key {
        char *domain, *selector;
        struct signing_key *key;
    } list[SIGNER_KEYS_MAX];
};

struct signer {
    pthread_mutex_t lock;
    struct keys *keys;
};

static void keys_free(struct keys *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        free(keys->list[i].domain);
        free(keys->list[i].selector);
        signing_key_free(&keys->list[i].key);
    }
    free(keys);
}

static struct keys *keys_load(const struct config *config, char **error_out)
{
    struct keys *keys = xcalloc(1, sizeof *keys);
    keys->users = 1;
    for (size_t i = 0; i < config->dkim_count && i < SIGNER_KEYS_MAX; i++) {
        const struct config_dkim *dkim = &config->dkim[i];
        struct signing_key *key = signing_key_load(dkim->key, error_out);
        if (!key) {
            keys_free(keys);
            return NULL;
        }
        keys->list[keys->count++] =
            (struct key){ .domain = xstrdup(dkim->domain), .selector = xstrdup(dkim->selector), .key = key };
    }
    return keys;
}

static struct keys *keys_take(struct signer *signer)
{
    pthread_mutex_lock(&signer->lock);
    struct keys *keys = signer->keys;
    keys->users++;
    pthread_mutex_unlock(&signer->lock);
    return keys;
}

static void keys_give_back(struct signer *signer, struct keys *keys)
{
    pthread_mutex_lock(&signer->lock);
    bool is_last = --keys->users == 0;
    pthread_mutex_unlock(&signer->lock);
    if (is_last)
        keys_free(keys);
}

struct signer *signer_new(const struct config *config, char **error_out)
{
    struct keys *keys = keys_load(config, error_out);
    if (!keys)
        return NULL;
    struct signer *signer = xcalloc(1, sizeof *signer);
    pthread_mutex_init(&signer->lock, NULL);
    signer->keys = keys;
    return signer;
}

void signer_free(struct signer **signer)
{
    if (!*signer)
        return;
    keys_free((*signer)->keys);
    pthread_mutex_destroy(&(*signer)->lock);
    free(*signer);
    *signer = NULL;
}

int signer_reconfigure(struct signer *signer, const struct config *config, char **error_out)
{
    struct keys *is = keys_load(config, error_out);
    if (!is)
        return -1;
    pthread_mutex_lock(&signer->lock);
    struct keys *was = signer->keys;
    signer->keys = is;
    pthread_mutex_unlock(&signer->lock);
    keys_give_back(signer, was);
    return 1;
}

void signer_warn(const struct signer *signer)
{
    const struct keys *keys = signer->keys;
    for (size_t i = 0; i < keys->count; i++) {
        unsigned bits = signing_key_bits(keys->list[i].key);
        if (signing_key_kind(keys->list[i].key) == SIGNING_KEY_RSA && bits < SHORT_BITS)
            log_warning("dkim.short_key", "selector=%s bits=%u hint=%s", keys->list[i].selector, bits,
                        "recipients may take signatures of less than 2048 bits for none");
    }
}

bool signer_has_keys(struct signer *signer)
{
    struct keys *keys = keys_take(signer);
    bool has = keys->count > 0;
    keys_give_back(signer, keys);
    return has;
}

static int finish(const struct keys *keys, struct dkim_sign **sign, int64_t at, struct strbuf *out)
{
    struct dkim_identity identities[SIGNER_KEYS_MAX];
    for (size_t i = 0; i < keys->count; i++)
        identities[i] = (struct dkim_identity){ .domain = keys->list[i].domain,
                                                .selector = keys->list[i].selector,
                                                .key = keys->list[i].key };
    return dkim_sign_finish(sign, identities, keys->count, at, out);
}

static int add_file(struct dkim_sign *sign, int fd, int64_t size)
{
    char *piece = xmalloc(PIECE_SIZE);
    int64_t at = 0;
    while (at < size) {
        size_t wanted = size - at < PIECE_SIZE ? (size_t)(size - at) : PIECE_SIZE;
        ssize_t n = pread(fd, piece, wanted, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        dkim_sign_add(sign, piece, (size_t)n);
        at += n;
    }
    free(piece);
    return at == size ? 1 : -1;
}

int signer_sign_file(struct signer *signer, int fd, int64_t size, int64_t at, struct strbuf *out)
{
    struct keys *keys = keys_take(signer);
    int result = 1;
    if (keys->count > 0) {
        struct dkim_sign *sign = dkim_sign_new();
        result = add_file(sign, fd, size);
        if (result == 1)
            result = finish(keys, &sign, at, out);
        dkim_sign_free(&sign);
    }
    keys_give_back(signer, keys);
    return result;
}

int signer_sign_text(struct signer *signer, const char *text, size_t len, int64_t at, struct strbuf *out)
{
    struct keys *keys = keys_take(signer);
    int result = 1;
    if (keys->count > 0) {
        struct dkim_sign *sign = dkim_sign_new();
        dkim_sign_add(sign, text, len);
        result = finish(keys, &sign, at, out);
    }
    keys_give_back(signer, keys);
    return result;
}
