/* tls_certificate.h - what stands in a certificate's file: for whom it is, until when, and whether the key is its own
 *
 * For those who look after a service; a connection's certificate is base/stream's and base/tls's business.
 */
#pragma once
#include <stdint.h>

#include "base/tls.h"

enum { TLS_CERTIFICATE_NAMES_MAX = 100 };

struct tls_certificate {
    int64_t not_before, not_after; /* s since 1970; 0: it can't be read */
    char **names; /* DNS names and addresses of its subjectAltName (RFC 5280 section 4.2.1.6), else its common name;
                   * NULL-terminated, at most TLS_CERTIFICATE_NAMES_MAX of them, and any text that whoever made it liked */
    char pin[TLS_PIN_SIZE];
};

/* The first certificate of a PEM file, which is the one that is shown to others. 1; -1 with file and reason in *error_out (caller
 * frees). Blocks as long as the file does. */
int tls_certificate_load(const char *file, struct tls_certificate *certificate_out, char **error_out)
    __attribute__((warn_unused_result));
void tls_certificate_clear(struct tls_certificate *certificate);
/* Is it for this name, by the rules of RFC 6125 (wildcards too)? The file is read again. */
bool tls_certificate_is_for(const char *file, const char *name);
