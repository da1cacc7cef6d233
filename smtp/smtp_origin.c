#include "smtp/smtp_origin.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "smtp/smtp_address.h"
#include "smtp/smtp_xtext.h"

/* --- values, decoded --- */

static bool read_text(const char *value, char *out, size_t size)
{
    size_t len = strlen(value);
    if (len >= size || !smtp_text_is_clean_utf8(value, len))
        return false;
    memcpy(out, value, len + 1);
    return true;
}

/* A domain, or a literal for hosts that have none. */
static bool read_name(const char *value, char *out, size_t size)
{
    struct smtp_address address;
    char mailbox[2 + SMTP_ORIGIN_TEXT_MAX + 1];
    snprintf(mailbox, sizeof mailbox, "x@%s", value);
    return smtp_address_parse(mailbox, strlen(mailbox), &address) == 1 && read_text(value, out, size);
}

/* "192.0.2.1", "IPV6:2001:db8::1". Written anew, so that an address is one text only, and IPv4 in IPv6 is IPv4: it is
 * compared with others. */
static bool read_address(const char *value, char *out, size_t size)
{
    static const char prefix[] = "IPV6:";
    static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
    uint8_t bytes[sizeof(struct in6_addr)];
    if (strncasecmp(value, prefix, sizeof prefix - 1) != 0)
        return inet_pton(AF_INET, value, bytes) == 1 && inet_ntop(AF_INET, bytes, out, (socklen_t)size);
    if (inet_pton(AF_INET6, value + sizeof prefix - 1, bytes) != 1)
        return false;
    if (memcmp(bytes, mapped, sizeof mapped) == 0)
        return inet_ntop(AF_INET, bytes + sizeof mapped, out, (socklen_t)size);
    return inet_ntop(AF_INET6, bytes, out, (socklen_t)size);
}

static bool read_port(const char *value, char *out, size_t size)
{
    unsigned port = 0;
    size_t len = strlen(value);
    if (len == 0 || len >= size)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!isdigit((unsigned char)value[i]))
            return false;
        port = port * 10 + (unsigned)(value[i] - '0');
    }
    snprintf(out, size, "%u", port % 100000);
    return port <= UINT16_MAX;
}

static bool read_atom(const char *value, char *out, size_t size)
{
    for (const char *c = value; *c; c++) {
        if (!isalnum((unsigned char)*c) && *c != '-')
            return false;
    }
    return read_text(value, out, size);
}

static bool read_protocol(const char *value, char *out, size_t size)
{
    static const char *const protocols[] = { "SMTP", "ESMTP", "LMTP" };
    for (size_t i = 0; i < sizeof protocols / sizeof protocols[0]; i++) {
        if (strcasecmp(value, protocols[i]) == 0)
            return read_text(protocols[i], out, size);
    }
    return false;
}

static bool read_source(const char *value, char *out, size_t size)
{
    bool is_local = strcasecmp(value, "LOCAL") == 0;
    return (is_local || strcasecmp(value, "REMOTE") == 0) && read_text(is_local ? "LOCAL" : "REMOTE", out, size);
}

/* --- attributes --- */

struct attribute {
    const char *name;
    unsigned commands;
    bool (*read)(const char *value, char *out, size_t size);
    size_t offset, size; /* of the member in struct smtp_origin; size 0: checked and forgotten */
};

#define MEMBER(member) offsetof(struct smtp_origin, member), sizeof((struct smtp_origin *)0)->member

enum { ON_XCLIENT = 1 << SMTP_ORIGIN_XCLIENT, ON_XFORWARD = 1 << SMTP_ORIGIN_XFORWARD };

static const struct attribute attributes[] = {
    { "NAME", ON_XCLIENT | ON_XFORWARD, read_name, MEMBER(name) },
    { "ADDR", ON_XCLIENT | ON_XFORWARD, read_address, MEMBER(address) },
    { "PORT", ON_XCLIENT | ON_XFORWARD, read_port, MEMBER(port) },
    { "PROTO", ON_XCLIENT, read_protocol, MEMBER(protocol) },
    { "PROTO", ON_XFORWARD, read_atom, MEMBER(protocol) },
    { "HELO", ON_XCLIENT | ON_XFORWARD, read_text, MEMBER(helo) },
    { "LOGIN", ON_XCLIENT, read_text, MEMBER(login) },
    /* Where the client has connected to is nothing that we ask. */
    { "DESTADDR", ON_XCLIENT, read_address, 0, 0 },
    { "DESTPORT", ON_XCLIENT, read_port, 0, 0 },
    { "IDENT", ON_XFORWARD, read_text, MEMBER(ident) },
    { "SOURCE", ON_XFORWARD, read_source, MEMBER(source) },
};

const char *smtp_origin_attributes(enum smtp_origin_command command)
{
    static const char *const announced[] = {
        [SMTP_ORIGIN_XCLIENT] = "NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT",
        [SMTP_ORIGIN_XFORWARD] = "NAME ADDR PORT PROTO HELO IDENT SOURCE",
    };
    return announced[command];
}

static const struct attribute *find_attribute(const char *name, size_t len, enum smtp_origin_command command)
{
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
        const struct attribute *attribute = &attributes[i];
        if ((attribute->commands & 1U << command) && strlen(attribute->name) == len &&
            strncasecmp(attribute->name, name, len) == 0)
            return attribute;
    }
    return NULL;
}

/* Small letters are taken too, as Postfix does, and "=", which old versions of it did not encode. */
static bool decode_xtext(const char *text, size_t len, char out[static SMTP_ORIGIN_TEXT_MAX + 1])
{
    size_t n = 0, used;
    for (size_t i = 0; i < len; i += used, n++) {
        int c = smtp_xtext_octet(text + i, len - i, SMTP_XTEXT_ANY_CASE, &used);
        if (c <= 0 || n == SMTP_ORIGIN_TEXT_MAX)
            return false;
        out[n] = (char)c;
    }
    out[n] = '\0';
    return n > 0;
}

static int read_attribute(const char *text, size_t len, enum smtp_origin_command command, struct smtp_origin *origin,
                          const char **error_out)
{
    char value[SMTP_ORIGIN_TEXT_MAX + 1];
    char forgotten[SMTP_ORIGIN_TEXT_MAX + 1];
    const char *equals = memchr(text, '=', len);
    const struct attribute *attribute = equals ? find_attribute(text, (size_t)(equals - text), command) : NULL;
    if (!attribute) {
        *error_out = equals ? "unknown attribute" : "an attribute without value";
        return -1;
    }
    size_t value_len = len - (size_t)(equals + 1 - text);
    if (!decode_xtext(equals + 1, value_len, value)) {
        *error_out = "a value that is not xtext, empty or too long";
        return -1;
    }
    char *member = attribute->size > 0 ? (char *)origin + attribute->offset : forgotten;
    if (strcasecmp(value, "[UNAVAILABLE]") == 0 || strcasecmp(value, "[TEMPUNAVAIL]") == 0) {
        member[0] = '\0';
        return 1;
    }
    if (attribute->read(value, member, attribute->size > 0 ? attribute->size : sizeof forgotten))
        return 1;
    *error_out = "a bad value";
    return -1;
}

int smtp_origin_parse(const char *text, size_t len, enum smtp_origin_command command, struct smtp_origin *origin,
                      const char **error_out)
{
    struct smtp_origin result = *origin;
    bool any = false;
    for (size_t at = 0; at < len;) {
        const char *space = memchr(text + at, ' ', len - at);
        size_t word = space ? (size_t)(space - text) - at : len - at;
        if (word > 0 && read_attribute(text + at, word, command, &result, error_out) != 1)
            return -1;
        any = any || word > 0;
        at += word + 1;
    }
    if (!any) {
        *error_out = "no attribute";
        return -1;
    }
    *origin = result;
    return 1;
}
