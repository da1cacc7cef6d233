/* loop_address.h - socket addresses as text: "192.0.2.1:25", "[2001:db8::1]:25", "unix:/run/x", "mx.example.org:25"
 *
 * Private to base/ (listeners and connecting streams).
 */
#pragma once
#include <stddef.h>
#include <sys/socket.h>

enum { LOOP_ADDRESS_TEXT_SIZE = 128, LOOP_ADDRESS_HOST_SIZE = 256, LOOP_ADDRESS_PORT_SIZE = 6 };

struct loop_address {
    struct sockaddr_storage storage;
    socklen_t len;
};

enum loop_address_kind {
    LOOP_ADDRESS_READY, /* numeric or a path: *address_out is filled in */
    LOOP_ADDRESS_NAME,  /* a host name: it must be looked up */
    LOOP_ADDRESS_MALFORMED,
};

/* host_out and port_out are filled in for READY with an IP address and for NAME; empty for "unix:". Never blocks. */
enum loop_address_kind loop_address_parse(const char *text, struct loop_address *address_out,
                                          char host_out[static LOOP_ADDRESS_HOST_SIZE],
                                          char port_out[static LOOP_ADDRESS_PORT_SIZE]);

/* "ADDR:PORT" (IPv4, also when mapped into IPv6), "[ADDR6]:PORT", or "unix". */
void loop_address_format(const struct loop_address *address, char text_out[static LOOP_ADDRESS_TEXT_SIZE]);
