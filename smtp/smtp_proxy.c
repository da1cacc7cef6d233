#include "smtp/smtp_proxy.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/xmalloc.h"

enum {
    V1_MIN = 15, /* "PROXY UNKNOWN\r\n" */
    V1_MAX = 107,
    V2_PREFIX = 16, /* signature, version and command, family, length */
    V2_COMMAND_AT = 12,
    V2_FAMILY_AT = 13,
    V2_LENGTH_AT = 14,
    V2_VERSION = 2,
    TLV_HEAD = 3,
    TLV_CRC32C = 3,
    CRC32C_SIZE = 4,
    PORT_TEXT_MAX = 5,
    PORT_MAX = 65535,
};

static const uint8_t v1_signature[] = { 'P', 'R', 'O', 'X', 'Y', ' ' };
static const uint8_t v2_signature[] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a };

struct smtp_proxy_parser {
    uint8_t header[SMTP_PROXY_HEADER_MAX];
    size_t len;   /* of what has come */
    size_t needs; /* see smtp_proxy_parser_needs() */
    char client[SMTP_PROXY_CLIENT_SIZE];
};

struct smtp_proxy_parser *smtp_proxy_parser_new(void)
{
    struct smtp_proxy_parser *parser = xcalloc(1, sizeof *parser);
    parser->needs = V1_MIN; /* the shortest of all */
    return parser;
}

void smtp_proxy_parser_free(struct smtp_proxy_parser **parser)
{
    free(*parser);
    *parser = NULL;
}

size_t smtp_proxy_parser_needs(const struct smtp_proxy_parser *parser)
{
    return parser->needs;
}

const char *smtp_proxy_parser_client(const struct smtp_proxy_parser *parser)
{
    return parser->client;
}

static int fail(const char **fault_out, const char *fault)
{
    *fault_out = fault;
    return -1;
}

/* --- the client --- */

static void set_client(struct smtp_proxy_parser *parser, int family, const uint8_t *address, unsigned port)
{
    static const uint8_t mapped[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
    char text[INET6_ADDRSTRLEN];
    if (family == AF_INET6 && memcmp(address, mapped, sizeof mapped) == 0) {
        family = AF_INET;
        address += sizeof mapped;
    }
    inet_ntop(family, address, text, sizeof text);
    snprintf(parser->client, sizeof parser->client, family == AF_INET ? "%s:%u" : "[%s]:%u", text, port);
}

/* --- version 1: a line --- */

/* The word at *at, which is ended by a space, or by the line's end when it is the last. NULL: there is none. */
static const char *take_word(char **at, bool is_last)
{
    char *word = *at;
    size_t len = strcspn(word, " ");
    if (len == 0 || (word[len] == '\0') != is_last)
        return NULL;
    *at = word + len + 1; /* beyond the end after the last, where nobody looks */
    word[len] = '\0';
    return word;
}

/* 0 to 65535, without leading zeroes; -1: no port. */
static long read_port(const char *text)
{
    size_t len = strlen(text);
    if (len > PORT_TEXT_MAX || strspn(text, "0123456789") != len || (text[0] == '0' && len > 1))
        return -1;
    long port = strtol(text, NULL, 10);
    return port <= PORT_MAX ? port : -1;
}

/* text: the line without signature and end. */
static int read_v1(struct smtp_proxy_parser *parser, char *text, const char **fault_out)
{
    uint8_t source[sizeof(struct in6_addr)];
    uint8_t destination[sizeof(struct in6_addr)];
    bool is_unknown = strcmp(text, "UNKNOWN") == 0 || strncmp(text, "UNKNOWN ", 8) == 0;
    if (is_unknown)
        return 1; /* whatever follows the word counts for nothing */
    const char *protocol = take_word(&text, false);
    if (!protocol || (strcmp(protocol, "TCP4") != 0 && strcmp(protocol, "TCP6") != 0))
        return fail(fault_out, "unknown protocol");
    int family = protocol[3] == '4' ? AF_INET : AF_INET6;
    const char *addresses[2];
    for (size_t i = 0; i < 2; i++) {
        addresses[i] = take_word(&text, false);
        if (!addresses[i])
            return fail(fault_out, "address missing");
    }
    if (inet_pton(family, addresses[0], source) != 1 || inet_pton(family, addresses[1], destination) != 1)
        return fail(fault_out, "bad address");
    const char *source_port = take_word(&text, false);
    const char *destination_port = source_port ? take_word(&text, true) : NULL;
    if (!destination_port || read_port(source_port) < 0 || read_port(destination_port) < 0)
        return fail(fault_out, "bad port");
    set_client(parser, family, source, (unsigned)read_port(source_port));
    return 1;
}

/* Printable, but for CR LF at its very end. */
static bool can_be_line(const uint8_t *header, size_t len)
{
    for (size_t i = sizeof v1_signature; i < len; i++) {
        bool is_line_feed = header[i] == '\n' && i == len - 1;
        if (header[i - 1] == '\r' ? !is_line_feed : header[i] != '\r' && (header[i] < ' ' || header[i] >= 0x7f))
            return false;
    }
    return true;
}

static int examine_v1(struct smtp_proxy_parser *parser, const char **fault_out)
{
    char text[V1_MAX + 1];
    const uint8_t *header = parser->header;
    size_t len = parser->len;
    if (header[len - 1] == '\n') {
        size_t text_len = len - sizeof v1_signature - 2;
        memcpy(text, header + sizeof v1_signature, text_len);
        text[text_len] = '\0';
        parser->needs = 0;
        return read_v1(parser, text, fault_out);
    }
    parser->needs = header[len - 1] == '\r' ? 1 : 2;
    return len + parser->needs > V1_MAX ? fail(fault_out, "line too long") : 0;
}

/* --- version 2: binary --- */

static unsigned read_16(const uint8_t *bytes)
{
    return (unsigned)bytes[0] << 8 | bytes[1];
}

/* The checksum counts with its own field as zeroes. */
static bool has_checksum(const struct smtp_proxy_parser *parser, size_t field)
{
    static const uint8_t zeroes[CRC32C_SIZE];
    const uint8_t *header = parser->header;
    size_t behind = field + CRC32C_SIZE;
    uint32_t crc = crc32c(0, header, field);
    crc = crc32c(crc, zeroes, sizeof zeroes);
    crc = crc32c(crc, header + behind, parser->len - behind);
    return crc == ((uint32_t)read_16(header + field) << 16 | read_16(header + field + 2));
}

/* Of what else a proxy may tell only the checksum matters to us. */
static int check_tlvs(const struct smtp_proxy_parser *parser, size_t at, const char **fault_out)
{
    const uint8_t *header = parser->header;
    bool was_checked = false;
    while (at < parser->len) {
        if (parser->len - at < TLV_HEAD || parser->len - at - TLV_HEAD < read_16(header + at + 1))
            return fail(fault_out, "bad TLV");
        size_t size = read_16(header + at + 1);
        if (header[at] == TLV_CRC32C) {
            if (size != CRC32C_SIZE || was_checked || !has_checksum(parser, at + TLV_HEAD))
                return fail(fault_out, "wrong checksum");
            was_checked = true;
        }
        at += TLV_HEAD + size;
    }
    return 1;
}

/* The byte is family and transport. Datagrams carry no SMTP: whoever announces them is not the proxy that was meant. */
static const struct family {
    uint8_t byte;
    int family;  /* AF_UNSPEC: says nothing about the client */
    size_t size; /* of both addresses and ports */
} families[] = {
    { 0x00, AF_UNSPEC, 0 },
    { 0x11, AF_INET, 12 },
    { 0x21, AF_INET6, 36 },
    { 0x31, AF_UNSPEC, 216 },
};

static int read_v2(struct smtp_proxy_parser *parser, const char **fault_out)
{
    const uint8_t *header = parser->header;
    unsigned command = header[V2_COMMAND_AT] & 0x0f;
    const uint8_t *addresses = header + V2_PREFIX;
    if (command == 0)
        return 1; /* LOCAL: all the rest is to be skipped, whatever it is */
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        const struct family *family = &families[i];
        if (family->byte != header[V2_FAMILY_AT])
            continue;
        if (parser->len - V2_PREFIX < family->size)
            return fail(fault_out, "too short for its addresses");
        size_t address_size = family->family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
        if (family->family != AF_UNSPEC)
            set_client(parser, family->family, addresses, read_16(addresses + 2 * address_size));
        return check_tlvs(parser, V2_PREFIX + family->size, fault_out);
    }
    return fail(fault_out, "unknown protocol");
}

static int examine_v2(struct smtp_proxy_parser *parser, const char **fault_out)
{
    const uint8_t *header = parser->header;
    if (parser->len < V2_PREFIX) {
        parser->needs = V2_PREFIX - parser->len;
        return 0;
    }
    size_t size = V2_PREFIX + read_16(header + V2_LENGTH_AT);
    if (header[V2_COMMAND_AT] >> 4 != V2_VERSION || (header[V2_COMMAND_AT] & 0x0f) > 1)
        return fail(fault_out, "unknown version or command");
    if (size > SMTP_PROXY_HEADER_MAX)
        return fail(fault_out, "header too long");
    parser->needs = size - parser->len;
    return parser->needs > 0 ? 0 : read_v2(parser, fault_out);
}

/* --- both --- */

/* Whether what has come begins with the signature, as far as it goes. */
static bool begins_with(const struct smtp_proxy_parser *parser, const uint8_t *signature, size_t size)
{
    return memcmp(parser->header, signature, parser->len < size ? parser->len : size) == 0;
}

/* After something has come: all that was needed, or less. */
static int examine(struct smtp_proxy_parser *parser, size_t came, const char **fault_out)
{
    bool is_v1 = begins_with(parser, v1_signature, sizeof v1_signature);
    if (!is_v1 && !begins_with(parser, v2_signature, sizeof v2_signature))
        return fail(fault_out, "no header");
    if (is_v1 && !can_be_line(parser->header, parser->len))
        return fail(fault_out, "not a line");
    if (came < parser->needs) {
        parser->needs -= came;
        return 0;
    }
    return is_v1 ? examine_v1(parser, fault_out) : examine_v2(parser, fault_out);
}

int smtp_proxy_parser_feed(struct smtp_proxy_parser *parser, const uint8_t **data, size_t *len, const char **fault_out)
{
    int result = 0;
    while (result == 0 && *len > 0) {
        size_t size = *len < parser->needs ? *len : parser->needs;
        assert(size > 0 && size <= sizeof parser->header - parser->len);
        memcpy(parser->header + parser->len, *data, size);
        parser->len += size;
        *data += size;
        *len -= size;
        result = examine(parser, size, fault_out);
    }
    return result;
}
