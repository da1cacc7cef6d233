#include "base/loop_address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

static const char unix_prefix[] = "unix:";

static enum loop_address_kind parse_path(const char *path, struct loop_address *address_out)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof un.sun_path)
        return LOOP_ADDRESS_MALFORMED;
    memcpy(un.sun_path, path, len + 1);
    memcpy(&address_out->storage, &un, sizeof un);
    address_out->len = sizeof un;
    return LOOP_ADDRESS_READY;
}

static bool is_port(const char *text)
{
    size_t len = strlen(text);
    if (len == 0 || len >= LOOP_ADDRESS_PORT_SIZE || strspn(text, "0123456789") != len)
        return false;
    return len < 5 || strcmp(text, "65535") <= 0;
}

enum loop_address_kind loop_address_parse(const char *text, struct loop_address *address_out,
                                          char host_out[static LOOP_ADDRESS_HOST_SIZE],
                                          char port_out[static LOOP_ADDRESS_PORT_SIZE])
{
    host_out[0] = port_out[0] = '\0';
    if (strncmp(text, unix_prefix, sizeof unix_prefix - 1) == 0)
        return parse_path(text + sizeof unix_prefix - 1, address_out);

    const char *colon = strrchr(text, ':');
    if (colon == NULL || !is_port(colon + 1))
        return LOOP_ADDRESS_MALFORMED;
    const char *host = text;
    size_t host_len = (size_t)(colon - text);
    bool bracketed = host_len >= 2 && host[0] == '[' && host[host_len - 1] == ']';
    if (bracketed) {
        host++;
        host_len -= 2;
    }
    /* An IPv6 address without brackets is ambiguous: which colon precedes the port? */
    if (host_len == 0 || host_len >= LOOP_ADDRESS_HOST_SIZE || bracketed != (memchr(host, ':', host_len) != NULL))
        return LOOP_ADDRESS_MALFORMED;
    memcpy(host_out, host, host_len);
    host_out[host_len] = '\0';
    memcpy(port_out, colon + 1, strlen(colon + 1) + 1);

    /* Only reads numbers: AI_NUMERICHOST never asks anybody. */
    struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    if (getaddrinfo(host_out, port_out, &hints, &found) != 0)
        return bracketed ? LOOP_ADDRESS_MALFORMED : LOOP_ADDRESS_NAME;
    memcpy(&address_out->storage, found->ai_addr, found->ai_addrlen);
    address_out->len = found->ai_addrlen;
    freeaddrinfo(found);
    return LOOP_ADDRESS_READY;
}

static void format_ip4(const struct in_addr *address, in_port_t port, char text_out[static LOOP_ADDRESS_TEXT_SIZE])
{
    char number[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, address, number, sizeof number);
    snprintf(text_out, LOOP_ADDRESS_TEXT_SIZE, "%s:%u", number, ntohs(port));
}

void loop_address_format(const struct loop_address *address, char text_out[static LOOP_ADDRESS_TEXT_SIZE])
{
    if (address->storage.ss_family == AF_INET) {
        struct sockaddr_in ip4;
        memcpy(&ip4, &address->storage, sizeof ip4);
        format_ip4(&ip4.sin_addr, ip4.sin_port, text_out);
    } else if (address->storage.ss_family == AF_INET6) {
        struct sockaddr_in6 ip6;
        memcpy(&ip6, &address->storage, sizeof ip6);
        if (IN6_IS_ADDR_V4MAPPED(&ip6.sin6_addr)) {
            struct in_addr ip4;
            memcpy(&ip4, &ip6.sin6_addr.s6_addr[12], sizeof ip4);
            format_ip4(&ip4, ip6.sin6_port, text_out);
            return;
        }
        char number[INET6_ADDRSTRLEN];
        inet_ntop(AF_INET6, &ip6.sin6_addr, number, sizeof number);
        snprintf(text_out, LOOP_ADDRESS_TEXT_SIZE, "[%s]:%u", number, ntohs(ip6.sin6_port));
    } else {
        snprintf(text_out, LOOP_ADDRESS_TEXT_SIZE, "unix");
    }
}
