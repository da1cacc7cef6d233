/* recovery_code.c - see recovery_code.h */
#include "gateway/recovery_code.h"

#include <string.h>

#include "base/base32.h"

enum { BITS = 80, GROUP = 4 };

void recovery_code_make(char code_out[static RECOVERY_CODE_SIZE])
{
    uint8_t random[BITS / 8];
    char text[BASE32_SIZE(BITS / 8)];
    random_bytes(random, sizeof random);
    base32_encode(random, sizeof random, text);
    char *to = code_out;
    for (size_t i = 0; text[i]; i++) {
        if (i > 0 && i % GROUP == 0)
            *to++ = '-';
        *to++ = text[i];
    }
    *to = '\0';
    explicit_bzero(random, sizeof random);
    explicit_bzero(text, sizeof text);
}

void recovery_code_digest(const char *code, uint8_t digest_out[static DIGEST_SIZE])
{
    struct digest *digest = digest_new();
    for (; *code; code++) {
        char c = *code >= 'A' && *code <= 'Z' ? (char)(*code - 'A' + 'a') : *code;
        if (c != '-' && c != ' ')
            digest_add(digest, &c, 1);
    }
    digest_finish(&digest, digest_out);
}
