/* peers.h - mail servers that prove who they are by a TLS certificate, and for whose senders they vouch
 *
 * Which ones is in the sections `listen` of the configuration. Such a server is expected to let nobody write in a name that is not theirs, in
 * the domains that are written beside it there.
 */
#pragma once
#include <stdbool.h>

struct config_listener;
struct smtp_address;
struct tls_context;

/* For a listener with TLS. NULL with file and reason in *error_out (caller frees). */
struct tls_context *peers_tls_context(const struct config_listener *listener, char **error_out)
    __attribute__((warn_unused_result));

/* identity: of the session (smtp_session_facts.tls_peer), may be NULL. Does the listener's peer of that identity vouch for whoever writes
 * from this address? author: any that can be parsed. */
bool peers_vouch(const struct config_listener *listener, const char *identity, const struct smtp_address *author);
