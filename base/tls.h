/* tls.h - TLS settings: certificates, verification, pinning
 *
 * TLS 1.2 or newer, the library's defaults otherwise; no renegotiation, no session tickets. A context is
 * shared by many streams (counted); streams keep their own reference, so a context may be freed and
 * replaced (reload) while connections made with it go on.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_context;

enum { TLS_PIN_SIZE = 72 }; /* "sha256:" + 64 lower-case hex digits of the certificate's SHA-256 + NUL */

/* PEM files. NULL on failure, with file and reason in error_out (caller frees). */
struct tls_context *tls_context_new_server(const char *certificate_file, const char *key_file, char **error_out)
    __attribute__((warn_unused_result));

enum tls_verify {
    TLS_VERIFY_NONE, /* encrypt only (opportunistic); the peer may be anybody */
    TLS_VERIFY_CA,   /* chain to the system's CA store and name check against the host given to the stream */
    TLS_VERIFY_PIN,  /* the certificate's SHA-256 must equal the pin given to the stream; NULL pin: accept, report it */
};
/* ca_file: PEM, for TLS_VERIFY_CA only; NULL: the system's store. NULL on failure, as above. */
struct tls_context *tls_context_new_client(enum tls_verify verify, const char *ca_file, char **error_out)
    __attribute__((warn_unused_result));

enum { TLS_PEERS_MAX = 64, TLS_PEER_MAX = 255 };
/* Server contexts, before their first use: asks clients for a certificate, and refuses nobody for it. Who has none, or one that nobody
 * knows, is served all the same; stream_tls_peer() tells who it is. peers: NULL-terminated, TLS_PEERS_MAX at most (asserted), each
 * either a pin ("sha256:..."), of a certificate about which nothing else is looked at; or a DNS name (RFC 6125: of the
 * subjectAltName, no wildcards), of a certificate for TLS clients that one of ca_file (PEM; NULL: there are no names) has signed. -1
 * with the reason in error_out (caller frees). */
int tls_context_know_peers(struct tls_context *context, const char *const *peers, const char *ca_file, char **error_out)
    __attribute__((warn_unused_result));

/* Until when the certificate that we show is valid, s since 1970; 0: there is none, or its date can't be read. */
int64_t tls_context_expires(const struct tls_context *context);
struct tls_context *tls_context_ref(struct tls_context *context);
void tls_context_free(struct tls_context **context);

/* Makes a self-signed P-256 certificate for name, valid for ten years, in two PEM files (key 0600). The certificate's must not exist; a
 * key that is there is the one that is certified, and stays. 1 done, -1 error with reason in error_out (caller frees). */
int tls_make_self_signed(const char *name, const char *certificate_file, const char *key_file, char **error_out)
    __attribute__((warn_unused_result));
