/* smtp_access.h - who may connect: a list of networks ("10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::1",
 * or "unix" for whoever comes by a unix socket)
 *
 * An IPv4 client of a socket that speaks both (::ffff:192.0.2.7) is compared as the IPv4 address that it is.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct smtp_access;

enum { SMTP_ACCESS_ADDRESS_SIZE = 16 };

/* networks: NULL-terminated. NULL with the reason in *error_out (caller frees) when one is not a network; bits beyond
 * the prefix are ignored. */
struct smtp_access *smtp_access_new(const char *const *networks, char **error_out) __attribute__((warn_unused_result));
void smtp_access_free(struct smtp_access **access);

/* address: "unix", or without port and brackets; a zone ("%eth0") is ignored. What is no address is on no list. */
bool smtp_access_allows(const struct smtp_access *access, const char *address);
/* address as above, as IPv6 in network order, IPv4 in its mapped form (RFC 4291 section 2.5.5.2). false: it is none. */
bool smtp_access_read(const char *address, uint8_t address_out[static SMTP_ACCESS_ADDRESS_SIZE]);
/* Likewise, but of an IPv6 address its /64 alone: whoever has one address in it has all of them. What is the same for two addresses is the
 * same client. */
bool smtp_access_read_client(const char *address, uint8_t client_out[static SMTP_ACCESS_ADDRESS_SIZE]);

/* "192.0.2.1:4711" -> "192.0.2.1", "[::1]:4711" -> "::1", "unix" -> "unix"; the port may be missing. The caller frees. */
char *smtp_access_address_of_peer(const char *peer) __attribute__((warn_unused_result));
