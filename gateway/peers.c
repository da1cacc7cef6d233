#include "gateway/peers.h"

#include <stdlib.h>
#include <string.h>

#include "base/tls.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "mapping/subject.h"
#include "smtp/smtp_address.h"

struct tls_context *peers_tls_context(const struct config_listener *listener, char **error_out)
{
    struct tls_context *context = tls_context_new_server(listener->certificate, listener->key, error_out);
    if (!context || listener->peer_count == 0)
        return context;
    const char **identities = xcalloc(listener->peer_count + 1, sizeof *identities);
    for (size_t i = 0; i < listener->peer_count; i++)
        identities[i] = listener->peers[i].identity;
    if (tls_context_know_peers(context, identities, listener->peer_ca, error_out) < 0)
        tls_context_free(&context);
    free(identities);
    return context;
}

bool peers_vouch(const struct config_listener *listener, const char *identity, const struct smtp_address *author)
{
    struct smtp_address canonical = *author;
    char text[SMTP_ADDRESS_MAX + 2];
    /* A domain that can't be, in a language that forbids it, is nobody's. */
    if (!identity || smtp_address_canonicalise(&canonical, SMTP_CASE_FOLDED) != 1)
        return false;
    smtp_address_format(&canonical, text);
    for (size_t i = 0; i < listener->peer_count; i++) {
        const struct config_peer *peer = &listener->peers[i];
        for (char **subject = peer->subjects; strcmp(peer->identity, identity) == 0 && *subject; subject++)
            if (subject_match(*subject, false, text, SMTP_CASE_FOLDED, true) > 0)
                return true;
    }
    return false;
}
