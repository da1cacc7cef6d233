#include "tests/dialogue/smtp_relay.h"

#include <gsasl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/tls.h"
#include "base/xmalloc.h"

struct relay_scram {
    Gsasl *library;
    Gsasl_session *session;
};

static void require(bool condition)
{
    if (!condition)
        abort(); /* a test cannot do without */
}

void relay_make_folder(char folder[static 64])
{
    char certificate[128];
    char key[128];
    char *error = NULL;
    snprintf(folder, 64, "/tmp/postern-smtp-client-XXXXXX");
    require(mkdtemp(folder) != NULL);
    snprintf(certificate, sizeof certificate, "%s/cert.pem", folder);
    snprintf(key, sizeof key, "%s/key.pem", folder);
    require(tls_make_self_signed("localhost", certificate, key, &error) == 1);
}

void relay_remove_folder(const char *folder)
{
    static const char *const names[] = { "cert.pem", "key.pem", "relay" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    require(rmdir(folder) == 0);
}

void relay_read_pin(const char *certificate_file, char pin_out[static 100])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    FILE *file = fopen(certificate_file, "re");
    require(file != NULL);
    X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    require(X509_digest(certificate, EVP_sha256(), digest, &len) == 1);
    X509_free(certificate);
    snprintf(pin_out, 100, "sha256:");
    for (size_t i = 0; i < len; i++)
        snprintf(pin_out + 7 + 2 * i, 3, "%02x", digest[i]);
}

struct relay_scram *relay_scram_new(const char *password, const char *iterations)
{
    struct relay_scram *scram = xcalloc(1, sizeof *scram);
    if (gsasl_init(&scram->library) != GSASL_OK ||
        gsasl_server_start(scram->library, "SCRAM-SHA-256", &scram->session) != GSASL_OK ||
        gsasl_property_set(scram->session, GSASL_PASSWORD, password) != GSASL_OK ||
        gsasl_property_set(scram->session, GSASL_SCRAM_ITER, iterations) != GSASL_OK)
        abort();
    return scram;
}

void relay_scram_free(struct relay_scram **scram)
{
    if (*scram == NULL)
        return;
    gsasl_finish((*scram)->session);
    gsasl_done((*scram)->library);
    free(*scram);
    *scram = NULL;
}

char *relay_scram_step(struct relay_scram *scram, const char *said)
{
    char *answer = NULL;
    int result = gsasl_step64(scram->session, said, &answer);
    char *copy = result == GSASL_OK || result == GSASL_NEEDS_MORE ? xstrdup(answer == NULL ? "" : answer) : NULL;
    gsasl_free(answer);
    return copy;
}

enum smtp_client_tls relay_tls_by_name(const char *name)
{
    static const char *const names[] = { "none", "may", "require", "verify" };
    size_t i = 0;
    while (i < sizeof names / sizeof names[0] && strcmp(names[i], name) != 0)
        i++;
    require(i < sizeof names / sizeof names[0]);
    return (enum smtp_client_tls)i;
}
