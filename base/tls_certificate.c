/* tls_certificate.c - see tls_certificate.h */
#include "base/tls_certificate.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/tls_internal.h"
#include "base/xmalloc.h"

enum { ERROR_TEXT_MAX = 5000, IPV4_SIZE = 4, IPV6_SIZE = 16 };

int64_t tls_certificate_time(const ASN1_TIME *time)
{
    struct tm parts;
    return time != NULL && ASN1_TIME_to_tm(time, &parts) == 1 ? (int64_t)timegm(&parts) : 0;
}

static X509 *load(const char *file)
{
    ERR_clear_error();
    BIO *input = BIO_new_file(file, "r");
    X509 *certificate = input != NULL ? PEM_read_bio_X509(input, NULL, NULL, NULL) : NULL;
    BIO_free(input);
    return certificate;
}

/* NULL: of no kind that is a name here. */
static char *name_text(const GENERAL_NAME *name)
{
    char text[INET6_ADDRSTRLEN];
    int kind;
    const void *value = GENERAL_NAME_get0_value(name, &kind);
    const ASN1_STRING *string = value;
    if (kind == GEN_DNS)
        return xstrndup((const char *)ASN1_STRING_get0_data(string), (size_t)ASN1_STRING_length(string));
    int len = kind == GEN_IPADD ? ASN1_STRING_length(string) : 0;
    if (len != IPV4_SIZE && len != IPV6_SIZE)
        return NULL;
    return xstrdup(inet_ntop(len == IPV4_SIZE ? AF_INET : AF_INET6, ASN1_STRING_get0_data(string), text, sizeof text));
}

static char **read_names(X509 *certificate)
{
    char **list = xcalloc(TLS_CERTIFICATE_NAMES_MAX + 1, sizeof *list);
    size_t count = 0;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; names != NULL && i < sk_GENERAL_NAME_num(names) && count < TLS_CERTIFICATE_NAMES_MAX; i++) {
        list[count] = name_text(sk_GENERAL_NAME_value(names, i));
        count += list[count] != NULL;
    }
    GENERAL_NAMES_free(names);
    char common[TLS_PEER_MAX + 1];
    if (count == 0 &&
        X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, common, (int)sizeof common) > 0)
        list[0] = xstrdup(common);
    ERR_clear_error();
    return list;
}

int tls_certificate_load(const char *file, struct tls_certificate *certificate_out, char **error_out)
{
    *certificate_out = (struct tls_certificate){ 0 };
    X509 *certificate = load(file);
    if (certificate == NULL) {
        struct strbuf text;
        strbuf_init(&text, ERROR_TEXT_MAX);
        strbuf_add_fmt(&text, "%s: ", file);
        tls_add_error(&text);
        *error_out = strbuf_detach(&text);
        return -1;
    }
    certificate_out->not_before = tls_certificate_time(X509_get0_notBefore(certificate));
    certificate_out->not_after = tls_certificate_time(X509_get0_notAfter(certificate));
    certificate_out->names = read_names(certificate);
    tls_certificate_pin(certificate, certificate_out->pin);
    X509_free(certificate);
    return 1;
}

void tls_certificate_clear(struct tls_certificate *certificate)
{
    for (char **name = certificate->names; name != NULL && *name != NULL; name++)
        free(*name);
    free(certificate->names);
    *certificate = (struct tls_certificate){ 0 };
}

bool tls_certificate_is_for(const char *file, const char *name)
{
    X509 *certificate = load(file);
    bool is_for = certificate != NULL &&
                  (X509_check_host(certificate, name, 0, 0, NULL) == 1 || X509_check_ip_asc(certificate, name, 0) == 1);
    X509_free(certificate);
    ERR_clear_error();
    return is_for;
}
