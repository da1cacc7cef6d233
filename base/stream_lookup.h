/* stream_lookup.h - looks up a host name without blocking the loop
 *
 * Private to base/. getaddrinfo() has no non-blocking form, so each lookup has a short-lived thread of its own, which
 * cannot be interrupted: a cancelled lookup is abandoned, and its thread clears up after itself.
 */
#pragma once
#include <stddef.h>

#include "base/loop_address.h"

struct loop;
struct stream_lookup;

/* addresses: in the order of preference (RFC 6724), valid during the call. count 0: error says why. */
typedef void stream_lookup_done(const struct loop_address *addresses, size_t count, const char *error, void *arg);

/* done is called once, on the loop, never from inside this call; the lookup is freed by then. NULL: no thread could
 * be started. */
struct stream_lookup *stream_lookup_new(struct loop *loop, const char *host, const char *port, stream_lookup_done *done,
                                        void *arg);
void stream_lookup_free(struct stream_lookup **lookup); /* done will not be called */
