#include "smtp/smtp_access.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"

enum {
    ADDRESS_SIZE = SMTP_ACCESS_ADDRESS_SIZE,
    ADDRESS_BITS = 128,
    MAPPED_BITS = 96,
    ADDRESS_TEXT_MAX = 63,
    CLIENT_BYTES_IPV6 = 8
};

/* All addresses are kept as IPv6, IPv4 in its mapped form (RFC 4291 section 2.5.5.2): there is one comparison. */
struct network {
    uint8_t address[ADDRESS_SIZE];
    unsigned prefix; /* bits that count, 0..128 */
};

struct smtp_access {
    struct network *networks;
    size_t count;
    bool has_unix;
};

static const char unix_peer[] = "unix";

/* 4 or 6 for what the text was, 0 if it is no address. */
static int read_address(const char *text, size_t len, uint8_t address_out[static ADDRESS_SIZE])
{
    static const uint8_t mapped[ADDRESS_SIZE - 4] = { [10] = 0xff, [11] = 0xff };
    char copy[ADDRESS_TEXT_MAX + 1];
    if (len > ADDRESS_TEXT_MAX)
        return 0;
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (inet_pton(AF_INET, copy, address_out + sizeof mapped) == 1) {
        memcpy(address_out, mapped, sizeof mapped);
        return 4;
    }
    return inet_pton(AF_INET6, copy, address_out) == 1 ? 6 : 0;
}

static bool read_prefix(const char *text, unsigned max, unsigned *prefix_out)
{
    unsigned prefix = 0;
    size_t len = strlen(text);
    if (len == 0 || len > 3)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!isdigit((unsigned char)text[i]))
            return false;
        prefix = prefix * 10 + (unsigned)(text[i] - '0');
    }
    *prefix_out = prefix;
    return prefix <= max;
}

static bool read_network(const char *text, struct network *network_out)
{
    const char *slash = strchr(text, '/');
    int version = read_address(text, slash ? (size_t)(slash - text) : strlen(text), network_out->address);
    if (version == 0)
        return false;
    unsigned bits = version == 4 ? ADDRESS_BITS - MAPPED_BITS : ADDRESS_BITS;
    unsigned prefix = bits;
    if (slash && !read_prefix(slash + 1, bits, &prefix))
        return false;
    network_out->prefix = ADDRESS_BITS - bits + prefix;
    return true;
}

struct smtp_access *smtp_access_new(const char *const *networks, char **error_out)
{
    struct smtp_access *access = xcalloc(1, sizeof *access);
    size_t entries = 0;
    while (networks[entries])
        entries++;
    access->networks = xcalloc(entries + 1, sizeof *access->networks);
    for (size_t i = 0; i < entries; i++) {
        if (strcmp(networks[i], unix_peer) == 0) {
            access->has_unix = true;
        } else if (read_network(networks[i], &access->networks[access->count])) {
            access->count++;
        } else {
            struct strbuf error;
            strbuf_init(&error, 400);
            strbuf_add_fmt(&error, "not a network (ADDRESS or ADDRESS/PREFIX): \"%.100s\"", networks[i]);
            *error_out = strbuf_detach(&error);
            smtp_access_free(&access);
            return NULL;
        }
    }
    return access;
}

void smtp_access_free(struct smtp_access **access)
{
    if (!*access)
        return;
    free((*access)->networks);
    free(*access);
    *access = NULL;
}

static bool network_has(const struct network *network, const uint8_t address[static ADDRESS_SIZE])
{
    unsigned whole = network->prefix / 8;
    unsigned rest = network->prefix % 8;
    if (memcmp(network->address, address, whole) != 0)
        return false;
    if (rest == 0)
        return true;
    uint8_t mask = (uint8_t)(0xff << (8 - rest));
    return ((network->address[whole] ^ address[whole]) & mask) == 0;
}

bool smtp_access_read(const char *address, uint8_t address_out[static SMTP_ACCESS_ADDRESS_SIZE])
{
    return read_address(address, strcspn(address, "%"), address_out) != 0;
}

bool smtp_access_read_client(const char *address, uint8_t client_out[static SMTP_ACCESS_ADDRESS_SIZE])
{
    static const uint8_t mapped[MAPPED_BITS / 8] = { [10] = 0xff, [11] = 0xff };
    if (!smtp_access_read(address, client_out))
        return false;
    if (memcmp(client_out, mapped, sizeof mapped) != 0)
        memset(client_out + CLIENT_BYTES_IPV6, 0, SMTP_ACCESS_ADDRESS_SIZE - CLIENT_BYTES_IPV6);
    return true;
}

bool smtp_access_allows(const struct smtp_access *access, const char *address)
{
    uint8_t bytes[ADDRESS_SIZE];
    if (strcmp(address, unix_peer) == 0)
        return access->has_unix;
    if (!smtp_access_read(address, bytes))
        return false;
    for (size_t i = 0; i < access->count; i++) {
        if (network_has(&access->networks[i], bytes))
            return true;
    }
    return false;
}

char *smtp_access_address_of_peer(const char *peer)
{
    if (peer[0] == '[')
        return xstrndup(peer + 1, strcspn(peer + 1, "]"));
    return xstrndup(peer, strcspn(peer, ":"));
}
