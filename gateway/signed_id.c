/* signed_id.c - see signed_id.h */
#include "gateway/signed_id.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/base32.h"
#include "base/digest.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/store_address.h"

enum {
    ID_OCTETS = 6,
    PLACE_OCTETS = 2,
    DAY_OCTETS = 2, /* until 2149 */
    TIME_OCTETS = 5,
    FACTS_SIZE = ID_OCTETS + PLACE_OCTETS + DAY_OCTETS + TIME_OCTETS,
    RETURN_MAC_SIZE = 15,
    TOKEN_SIZE = FACTS_SIZE + RETURN_MAC_SIZE,
    TOKEN_TEXT_SIZE = BASE32_SIZE(TOKEN_SIZE),
    ID_MAC_SIZE = 10,
    ID_MAC_TEXT_SIZE = BASE32_SIZE(ID_MAC_SIZE),
    PLACE_MAX = SIGNED_ID_REMOVAL - 1,
    DAY_MAX = 0xFFFF,
    DAY_MS = 24 * 3600 * 1000,
    OCTET_BITS = 8,
};
static const char return_prefix[] = STORE_ADDRESS_BOUNCES "+";
_Static_assert(TOKEN_SIZE % 5 == 0 && ID_MAC_SIZE % 5 == 0, "no character has bits that mean nothing");
_Static_assert(sizeof return_prefix - 1 + TOKEN_TEXT_SIZE - 1 <= SMTP_LOCAL_MAX, "RFC 5321 section 4.5.3.1.1");

struct signed_id {
    uint8_t return_key[DIGEST_SIZE], message_id_key[DIGEST_SIZE];
    char *domain, *hostname;
};

/* What was signed for one purpose proves nothing for another. */
static void derive(const uint8_t *secret, const char *purpose, uint8_t key_out[static DIGEST_SIZE])
{
    digest_hmac(secret, DIGEST_SIZE, purpose, strlen(purpose), key_out);
}

struct signed_id *signed_id_new(const uint8_t secret[static 32], const char *domain, const char *hostname)
{
    struct signed_id *ids = xcalloc(1, sizeof *ids);
    derive(secret, "postern: return address, 1", ids->return_key);
    derive(secret, "postern: Message-ID, 1", ids->message_id_key);
    ids->domain = xstrdup(domain);
    ids->hostname = xstrdup(hostname);
    return ids;
}

void signed_id_free(struct signed_id **ids)
{
    if (!*ids)
        return;
    free((*ids)->domain);
    free((*ids)->hostname);
    free(*ids);
    *ids = NULL;
}

/* Return addresses: the facts, most significant octet first, and a code of them. */

static uint8_t *put(uint8_t *at, int64_t value, size_t octets)
{
    for (size_t i = octets; i-- > 0; value >>= OCTET_BITS)
        at[i] = (uint8_t)(value & 0xFF);
    return at + octets;
}

static const uint8_t *get(const uint8_t *at, int64_t *value_out, size_t octets)
{
    *value_out = 0;
    for (size_t i = 0; i < octets; i++)
        *value_out = *value_out << OCTET_BITS | at[i];
    return at + octets;
}

static void make_address(const struct signed_id *ids, int64_t id, unsigned place, int64_t day, int64_t time,
                         struct smtp_address *address_out)
{
    uint8_t token[TOKEN_SIZE], mac[DIGEST_SIZE], *at = token;
    assert(id > 0 && id >> ID_OCTETS * OCTET_BITS == 0);
    at = put(at, id, ID_OCTETS);
    at = put(at, place, PLACE_OCTETS);
    at = put(at, day < DAY_MAX ? day : DAY_MAX, DAY_OCTETS);
    put(at, time, TIME_OCTETS);
    digest_hmac(ids->return_key, sizeof ids->return_key, token, FACTS_SIZE, mac);
    memcpy(token + FACTS_SIZE, mac, RETURN_MAC_SIZE);
    *address_out = (struct smtp_address){ .local = "" };
    memcpy(address_out->local, return_prefix, sizeof return_prefix - 1);
    base32_encode(token, sizeof token, address_out->local + sizeof return_prefix - 1);
    snprintf(address_out->domain, sizeof address_out->domain, "%s", ids->domain);
}

void signed_id_make_return(const struct signed_id *ids, const struct signed_return *about,
                           struct smtp_address *address_out)
{
    unsigned place = about->place <= PLACE_MAX ? about->place : 0;
    make_address(ids, about->outbound_id, place, about->expires_at / DAY_MS, about->queued_at, address_out);
}

void signed_id_make_removal(const struct signed_id *ids, int64_t mapping_id, int64_t created_at,
                            struct smtp_address *address_out)
{
    make_address(ids, mapping_id, SIGNED_ID_REMOVAL, DAY_MAX, created_at, address_out);
}

bool signed_id_is_return(const struct smtp_address *address)
{
    struct smtp_address copy = *address;
    smtp_address_normalise(&copy);
    return strcmp(copy.local, STORE_ADDRESS_BOUNCES) == 0 ||
           strncmp(copy.local, return_prefix, sizeof return_prefix - 1) == 0;
}

int signed_id_read_return(const struct signed_id *ids, const struct smtp_address *address,
                          struct signed_return *about_out)
{
    uint8_t token[TOKEN_SIZE], mac[DIGEST_SIZE];
    int64_t place, day;
    size_t prefix_len = sizeof return_prefix - 1, len = strlen(address->local);
    *about_out = (struct signed_return){ .place = 0 };
    if (len < prefix_len || strncasecmp(address->local, return_prefix, prefix_len) != 0 ||
        base32_decode(address->local + prefix_len, len - prefix_len, token, sizeof token) != 1)
        return 0;
    digest_hmac(ids->return_key, sizeof ids->return_key, token, FACTS_SIZE, mac);
    if (!digest_is_equal(token + FACTS_SIZE, mac, RETURN_MAC_SIZE))
        return 0;
    const uint8_t *at = get(token, &about_out->outbound_id, ID_OCTETS);
    at = get(at, &place, PLACE_OCTETS);
    at = get(at, &day, DAY_OCTETS);
    get(at, &about_out->queued_at, TIME_OCTETS);
    about_out->place = (unsigned)place;
    about_out->expires_at = (day + 1) * DAY_MS; /* the end of the day */
    return 1;
}

bool signed_id_is_about(const struct signed_return *about, int64_t queued_at)
{
    const int64_t mask = (INT64_C(1) << TIME_OCTETS * OCTET_BITS) - 1;
    return ((about->queued_at ^ queued_at) & mask) == 0;
}

/* Message-IDs. */

/* The host counts in lower case: it may come back in another. */
static void sign_message_id(const struct signed_id *ids, const char *stem, size_t stem_len,
                            char mac_out[static ID_MAC_TEXT_SIZE])
{
    struct strbuf text;
    uint8_t mac[DIGEST_SIZE];
    strbuf_init(&text, SIGNED_ID_SIZE + SMTP_DOMAIN_MAX);
    strbuf_add(&text, stem, stem_len);
    strbuf_add_char(&text, '@');
    for (const char *p = ids->hostname; *p; p++)
        strbuf_add_char(&text, *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p);
    digest_hmac(ids->message_id_key, sizeof ids->message_id_key, text.data, text.len, mac);
    strbuf_free(&text);
    base32_encode(mac, ID_MAC_SIZE, mac_out);
}

void signed_id_make_message_id(const struct signed_id *ids, const char *stem, char out[static SIGNED_ID_SIZE])
{
    char mac[ID_MAC_TEXT_SIZE];
    assert(strlen(stem) <= SIGNED_ID_STEM_MAX);
    sign_message_id(ids, stem, strlen(stem), mac);
    snprintf(out, SIGNED_ID_SIZE, "%s.%s@%.*s", stem, mac, SMTP_DOMAIN_MAX, ids->hostname);
}

enum signed_id_verdict signed_id_judge_message_id(const struct signed_id *ids, const char *message_id)
{
    char mac[ID_MAC_TEXT_SIZE];
    const char *at = strrchr(message_id, '@');
    if (!at || at - message_id < ID_MAC_TEXT_SIZE + 1 || at - message_id - ID_MAC_TEXT_SIZE > SIGNED_ID_STEM_MAX ||
        !smtp_domain_equal(at + 1, ids->hostname) || at[-ID_MAC_TEXT_SIZE] != '.')
        return SIGNED_ID_FOREIGN;
    char given[ID_MAC_TEXT_SIZE] = "";
    for (size_t i = 0; i < ID_MAC_TEXT_SIZE - 1; i++) {
        char c = at[(ptrdiff_t)i - (ID_MAC_TEXT_SIZE - 1)];
        given[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    sign_message_id(ids, message_id, (size_t)(at - message_id - ID_MAC_TEXT_SIZE), mac);
    return digest_is_equal(given, mac, ID_MAC_TEXT_SIZE - 1) ? SIGNED_ID_OURS : SIGNED_ID_FORGED;
}
