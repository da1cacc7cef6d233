/* silo_alias.c - see silo_alias.h */
#include "gateway/silo_alias.h"

#include <string.h>

#include "base/digest.h"
#include "base/strbuf.h"
#include "tmtp/tmtp_alias.h"

/* What may follow the address: " (email)" and " (20)" are the longest, with three brackets and blanks escaped. */
enum {
    SUFFIX_SIZE = 8,
    SUFFIX_ESCAPED_SIZE = 12,
    DIGEST_SHOWN = 8,
    SHORTENED_SIZE = 3 + DIGEST_SHOWN, /* "...01234567" */
    SIZE_MAX_PLAIN = TMTP_ALIAS_MAX - SUFFIX_SIZE,
    SIZE_MAX_ESCAPED = TMTP_ALIAS_ESCAPED_MAX - SUFFIX_ESCAPED_SIZE,
};

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xc0) == 0x80;
}

static void add_shortened(struct strbuf *out, const char *address)
{
    uint8_t result[DIGEST_SIZE];
    char hex[DIGEST_HEX_SIZE];
    struct digest *digest = digest_new();
    digest_add(digest, address, strlen(address));
    digest_finish(&digest, result);
    digest_to_hex(result, hex);

    size_t len = strnlen(address, SIZE_MAX_PLAIN - SHORTENED_SIZE);
    while (len > 0 &&
           (is_continuation(address[len]) || tmtp_alias_escaped_size(address, len) + SHORTENED_SIZE > SIZE_MAX_ESCAPED))
        len--;
    strbuf_add_fmt(out, "%.*s...%.*s", (int)len, address, DIGEST_SHOWN, hex);
}

char *silo_alias_form(const char *address, unsigned form)
{
    struct strbuf alias;
    size_t len = strlen(address);
    bool is_long = len > SIZE_MAX_PLAIN || tmtp_alias_escaped_size(address, len) > SIZE_MAX_ESCAPED;

    strbuf_init(&alias, TMTP_ALIAS_MAX);
    if (is_long)
        add_shortened(&alias, address);
    else
        strbuf_add_str(&alias, address);
    if (len < TMTP_ALIAS_MIN)
        form++;
    if (form == 1)
        strbuf_add_str(&alias, " (email)");
    else if (form > 1)
        strbuf_add_fmt(&alias, " (%u)", form);
    return strbuf_detach(&alias);
}
