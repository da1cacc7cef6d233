/* Fuzzing dkim_sign: a message in pieces gets the signature that it gets as a whole. The first octet says where the pieces
 * end. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/signing_key.h"
#include "base/strbuf.h"
#include "smtp/dkim_sign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* RFC 8032 section 7.1, test 1. */
static struct signing_key *load_key(void)
{
    static const char pem[] = "-----BEGIN PRIVATE KEY-----\n"
                              "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
                              "-----END PRIVATE KEY-----\n";
    char path[40], *error = NULL;
    int fd = memfd_create("key", MFD_CLOEXEC);
    require(fd >= 0 && fchmod(fd, 0600) == 0 && file_write_all(fd, pem, sizeof pem - 1) == 1);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct signing_key *key = signing_key_load(path, &error);
    require(key != NULL);
    close(fd);
    return key;
}

static int sign(const struct signing_key *key, const uint8_t *data, size_t size, size_t step, struct strbuf *out)
{
    const struct dkim_identity identity = { .domain = "silo.example.org", .selector = "s2026", .key = key };
    struct dkim_sign *signing = dkim_sign_new();
    for (size_t at = 0; at < size; at += step)
        dkim_sign_add(signing, data + at, size - at < step ? size - at : step);
    return dkim_sign_finish(&signing, &identity, 1, INT64_C(1793601240000), out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct signing_key *key;
    struct strbuf whole, pieces;
    if (size == 0)
        return 0;
    if (!key)
        key = load_key();
    strbuf_init(&whole, 2 * DKIM_SIGN_FIELD_MAX);
    strbuf_init(&pieces, 2 * DKIM_SIGN_FIELD_MAX);
    int result = sign(key, data + 1, size - 1, size, &whole);
    require(sign(key, data + 1, size - 1, (size_t)data[0] % 16 + 1, &pieces) == result);
    require(strcmp(whole.data, pieces.data) == 0);
    if (result == 1) {
        require(strncmp(whole.data, "DKIM-Signature: ", 16) == 0 && strlen(whole.data) == whole.len);
        require(strcmp(whole.data + whole.len - 2, "\r\n") == 0 && !strstr(whole.data, "\r\n\r\n"));
    }
    strbuf_free(&whole);
    strbuf_free(&pieces);
    return 0;
}
