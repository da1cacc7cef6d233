/* smtp_proxy.h - the header of the PROXY protocol, versions 1 and 2, that says who is behind a proxy
 *
 * The protocol is HAProxy's: "The PROXY protocol, versions 1 & 2" (doc/proxy-protocol.txt of its sources). Pure: bytes
 * in, an address out. It is read strictly, since whom we believe to be the client depends on it, and never further than
 * its end: what follows belongs to the client.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum {
    SMTP_PROXY_HEADER_MAX = 4096, /* octets of a header; version 1 has at most 107 */
    SMTP_PROXY_CLIENT_SIZE = 64,  /* "[IPv6 address]:port" with NUL */
};

struct smtp_proxy_parser;

struct smtp_proxy_parser *smtp_proxy_parser_new(void);
void smtp_proxy_parser_free(struct smtp_proxy_parser **parser);

/* How many more octets the header has at least: more than 0 until it is complete. Whoever reads no more than that at a
 * time never reads beyond it. */
size_t smtp_proxy_parser_needs(const struct smtp_proxy_parser *parser);

/* Takes what belongs to the header from the front of *data. 1: it is complete; 0: all was taken, more must come; -1:
 * this is no header, or one that must not be believed; *fault_out (static) says why, for the log. After 1 and -1 it
 * must not be called again. */
int smtp_proxy_parser_feed(struct smtp_proxy_parser *parser, const uint8_t **data, size_t *len, const char **fault_out)
    __attribute__((warn_unused_result));

/* Of a complete header: "192.0.2.1:4711" or "[2001:db8::1]:4711" (an IPv4 address mapped into IPv6 is an IPv4 address).
 * "" when the proxy speaks for itself (LOCAL: health checks), does not know (UNKNOWN, UNSPEC), or serves a process of
 * its own machine (a unix socket): then the client is the proxy. Valid as long as the parser. */
const char *smtp_proxy_parser_client(const struct smtp_proxy_parser *parser);
