/* tls_internal.h - what stream_tls.c needs to know of a TLS context
 *
 * Private to base/: it shows OpenSSL.
 */
#pragma once
#include <openssl/ssl.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "base/tls.h"

SSL_CTX *tls_context_ssl(const struct tls_context *context);
enum tls_verify tls_context_verify(const struct tls_context *context);

/* The first of the context's peers that the certificate (NULL: none) is of, or NULL. is_verified: its chain is good. */
const char *tls_context_find_peer(const struct tls_context *context, X509 *certificate, bool is_verified);

/* Writes "sha256:..." of the certificate. */
void tls_certificate_pin(X509 *certificate, char pin_out[static TLS_PIN_SIZE]);

/* s since 1970; 0: it can't be read. */
int64_t tls_certificate_time(const ASN1_TIME *time);

/* Appends the reason of the oldest error in OpenSSL's queue, or otherwise "unknown error", and empties the queue. */
void tls_add_error(struct strbuf *text);
