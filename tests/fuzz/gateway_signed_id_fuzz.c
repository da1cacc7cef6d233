/* gateway_signed_id_fuzz.c - ids that come back: nothing is taken for ours but what was made with the secret, in any case of letters */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/base32.h"
#include "gateway/signed_id.h"

static const uint8_t secret[32] = "a secret of thirty-two octets...";

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* What is read can be made again, and is the same then. */
static void check_return(const struct signed_id *ids, const char *local)
{
    char text[SMTP_ADDRESS_MAX + 1];
    struct smtp_address address, again;
    struct signed_return about;
    int len = snprintf(text, sizeof text, "%s@example.org", local);
    if (len >= (int)sizeof text || smtp_address_parse(text, (size_t)len, &address) != 1)
        return;
    bool is_return = signed_id_is_return(&address);
    if (signed_id_read_return(ids, &address, &about) != 1)
        return;
    require(is_return && about.outbound_id > 0);
    about.expires_at--;
    signed_id_make_return(ids, &about, &again);
    require(strcasecmp(again.local, address.local) == 0);
}

static void check_base32(const char *text)
{
    uint8_t octets[64];
    char again[BASE32_SIZE(sizeof octets)];
    for (size_t len = 0; len <= sizeof octets; len++) {
        if (base32_decode(text, strlen(text), octets, len) != 1)
            continue;
        base32_encode(octets, len, again);
        require(strcasecmp(again, text) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct signed_id *ids = signed_id_new(secret, "example.org", "gw.example.org");
    char *text = malloc(size + 1), id[SIGNED_ID_SIZE];
    memcpy(text, data, size);
    text[size] = 0;
    check_return(ids, text);
    check_base32(text);
    if (signed_id_judge_message_id(ids, text) == SIGNED_ID_OURS) {
        char *dot = strrchr(text, '@') - 17;
        require(*dot == '.');
        *dot = 0;
        signed_id_make_message_id(ids, text, id);
        *dot = '.';
        require(strncasecmp(id, text, (size_t)(dot - text) + 17) == 0);
    }
    signed_id_free(&ids);
    free(text);
    return 0;
}
