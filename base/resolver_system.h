/* resolver_system.h - the resolvers that the system names (private to resolver*.c)
 *
 * libunbound could read the file itself, but it looks up the interface of "fe80::1%eth0" when it asks, and then the process is locked
 * in: such a server, which is what networks with IPv6 alone have, would never answer. Here the interface becomes a number.
 */
#pragma once

/* Called for each, in order: "192.0.2.1", "2001:db8::1", "fe80::1%2". */
typedef void resolver_system_server(const char *server, void *ctx);

/* path: as resolv.conf(5). Lines that name no server that can be asked are passed over, as the C library does; so too a file that can't be read. Returns
 * how many there are. */
unsigned resolver_system_read(const char *path, resolver_system_server *each, void *ctx);
