/* api_token.c - see api_token.h */
#include "gateway/api_token.h"

#include <string.h>

#include "base/base32.h"

static const char prefix[] = "postern_"; /* so that one that lies about somewhere is recognised */
enum { PREFIX = sizeof prefix - 1, OCTETS = 32 };
_Static_assert(PREFIX + BASE32_SIZE(OCTETS) == API_TOKEN_SIZE, "the size says what is made");

void api_token_make(char text_out[static API_TOKEN_SIZE])
{
    uint8_t random[OCTETS];
    random_bytes(random, sizeof random);
    memcpy(text_out, prefix, PREFIX);
    base32_encode(random, sizeof random, text_out + PREFIX);
    explicit_bzero(random, sizeof random);
}

void api_token_digest(const char *text, uint8_t digest_out[static DIGEST_SIZE])
{
    struct digest *digest = digest_new();
    digest_add(digest, text, strlen(text));
    digest_finish(&digest, digest_out);
}
