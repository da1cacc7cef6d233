#include "base/tls.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/tls_internal.h"
#include "base/xmalloc.h"

enum {
    ERROR_TEXT_MAX = 1000,
    CERTIFICATE_YEARS = 10,
    PEER_CHAIN_BYTES_MAX = 32 * 1024, /* of certificates that a client brings */
    PEER_CHAIN_DEPTH_MAX = 5,
    SERIAL_BYTES = 16,
};

static const char pin_prefix[] = "sha256:";

struct tls_context {
    SSL_CTX *ssl;
    enum tls_verify verify;
    char **peers; /* NULL-terminated; NULL: clients are not asked who they are */
    bool has_ca;
    atomic_uint references;
};

SSL_CTX *tls_context_ssl(const struct tls_context *context)
{
    return context->ssl;
}

enum tls_verify tls_context_verify(const struct tls_context *context)
{
    return context->verify;
}

void tls_add_error(struct strbuf *text)
{
    unsigned long code = ERR_get_error();
    const char *reason = NULL;
    if (code != 0)
        reason = ERR_SYSTEM_ERROR(code) ? strerror((int)ERR_GET_REASON(code)) : ERR_reason_error_string(code);
    strbuf_add_str(text, reason == NULL ? "unknown error" : reason);
    ERR_clear_error();
}

/* "what: reason", for the caller to free. */
static char *describe(const char *what)
{
    struct strbuf text;
    strbuf_init(&text, ERROR_TEXT_MAX);
    strbuf_add_str(&text, what);
    strbuf_add_str(&text, ": ");
    tls_add_error(&text);
    return strbuf_detach(&text);
}

static char *describe_errno(const char *what)
{
    struct strbuf text;
    strbuf_init(&text, ERROR_TEXT_MAX);
    strbuf_add_fmt(&text, "%s: %s", what, strerror(errno));
    return strbuf_detach(&text);
}

void tls_certificate_pin(X509 *certificate, char pin_out[static TLS_PIN_SIZE])
{
    uint8_t digest[DIGEST_SIZE];
    unsigned len = 0;
    if (X509_digest(certificate, EVP_sha256(), digest, &len) != 1 || len != DIGEST_SIZE)
        abort(); /* a parsed certificate always has an encoding */
    memcpy(pin_out, pin_prefix, sizeof pin_prefix - 1);
    digest_to_hex(digest, pin_out + sizeof pin_prefix - 1);
}

/* --- Contexts --- */

static struct tls_context *context_new(const SSL_METHOD *method, enum tls_verify verify)
{
    SSL_CTX *ssl = SSL_CTX_new(method);
    if (ssl == NULL || SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) != 1)
        abort(); /* an OpenSSL without TLS 1.2 */
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_CLEANSE_PLAINTEXT);
    SSL_CTX_set_num_tickets(ssl, 0);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    /* Partial writes suit an output buffer that moves when it grows; idle connections give their record buffers
     * back. */
    SSL_CTX_set_mode(ssl,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    /* Else the library reads on as long as there is nothing for us in what comes: a peer that sends key updates faster than they
     * can be read would have the loop for itself. */
    SSL_CTX_clear_mode(ssl, SSL_MODE_AUTO_RETRY);
    struct tls_context *context = xcalloc(1, sizeof *context);
    context->ssl = ssl;
    context->verify = verify;
    atomic_init(&context->references, 1);
    return context;
}

struct tls_context *tls_context_new_server(const char *certificate_file, const char *key_file, char **error_out)
{
    struct tls_context *context = context_new(TLS_server_method(), TLS_VERIFY_NONE);
    const char *culprit = NULL;
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(context->ssl, certificate_file) != 1)
        culprit = certificate_file;
    else if (SSL_CTX_use_PrivateKey_file(context->ssl, key_file, SSL_FILETYPE_PEM) != 1)
        culprit = key_file; /* also when the key belongs to another certificate */
    if (culprit != NULL) {
        *error_out = describe(culprit);
        tls_context_free(&context);
    }
    return context;
}

struct tls_context *tls_context_new_client(enum tls_verify verify, const char *ca_file, char **error_out)
{
    struct tls_context *context = context_new(TLS_client_method(), verify);
    /* A pinned certificate is compared after the handshake: it is usually self-signed, and no chain is asked for. */
    SSL_CTX_set_verify(context->ssl, verify == TLS_VERIFY_CA ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, NULL);
    if (verify != TLS_VERIFY_CA)
        return context;
    ERR_clear_error();
    int loaded = ca_file != NULL ? SSL_CTX_load_verify_file(context->ssl, ca_file)
                                 : SSL_CTX_set_default_verify_paths(context->ssl);
    if (loaded != 1) {
        *error_out = describe(ca_file != NULL ? ca_file : "the system's CA store");
        tls_context_free(&context);
    }
    return context;
}

/* In place of the library's check, which would end the handshake. What was found is in SSL_get_verify_result(). */
static int check_client(X509_STORE_CTX *chain, void *arg)
{
    const struct tls_context *context = arg;
    if (!context->has_ca)
        X509_STORE_CTX_set_error(chain, X509_V_ERR_CERT_UNTRUSTED);
    else if (X509_verify_cert(chain) != 1 && X509_STORE_CTX_get_error(chain) == X509_V_OK)
        X509_STORE_CTX_set_error(chain, X509_V_ERR_UNSPECIFIED);
    return 1;
}

static bool is_pin(const char *peer)
{
    return strncmp(peer, pin_prefix, sizeof pin_prefix - 1) == 0;
}

/* Clients with several certificates choose by it. With pins any may be the right one. */
static int announce_ca(struct tls_context *context, const char *ca_file)
{
    for (char **peer = context->peers; *peer != NULL; peer++) {
        if (is_pin(*peer))
            return 1;
    }
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(ca_file);
    if (names == NULL)
        return -1;
    SSL_CTX_set_client_CA_list(context->ssl, names);
    return 1;
}

int tls_context_know_peers(struct tls_context *context, const char *const *peers, const char *ca_file, char **error_out)
{
    size_t count = 0;
    assert(context->peers == NULL);
    while (peers[count] != NULL)
        count++;
    assert(count <= TLS_PEERS_MAX);
    context->peers = xcalloc(count + 1, sizeof *context->peers);
    for (size_t i = 0; i < count; i++)
        context->peers[i] = xstrdup(peers[i]);
    ERR_clear_error();
    if (ca_file != NULL &&
        (SSL_CTX_load_verify_file(context->ssl, ca_file) != 1 || announce_ca(context, ca_file) < 0)) {
        *error_out = describe(ca_file);
        return -1;
    }
    context->has_ca = ca_file != NULL;
    SSL_CTX_set_verify(context->ssl, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_verify_depth(context->ssl, PEER_CHAIN_DEPTH_MAX);
    SSL_CTX_set_max_cert_list(context->ssl, PEER_CHAIN_BYTES_MAX);
    SSL_CTX_set_cert_verify_callback(context->ssl, check_client, context); /* lives as long as what uses it */
    return 1;
}

static bool has_name(X509 *certificate, const char *name)
{
    return X509_check_host(certificate, name, 0, X509_CHECK_FLAG_NO_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
                           NULL) == 1;
}

const char *tls_context_find_peer(const struct tls_context *context, X509 *certificate, bool is_verified)
{
    char pin[TLS_PIN_SIZE];
    if (context->peers == NULL || certificate == NULL)
        return NULL;
    tls_certificate_pin(certificate, pin);
    for (char **peer = context->peers; *peer != NULL; peer++) {
        if (is_pin(*peer) ? strcmp(*peer, pin) == 0 : context->has_ca && is_verified && has_name(certificate, *peer))
            return *peer;
    }
    return NULL;
}

struct tls_context *tls_context_ref(struct tls_context *context)
{
    atomic_fetch_add(&context->references, 1);
    return context;
}

void tls_context_free(struct tls_context **context)
{
    struct tls_context *c = *context;
    *context = NULL;
    if (c == NULL || atomic_fetch_sub(&c->references, 1) > 1)
        return;
    SSL_CTX_free(c->ssl);
    for (size_t i = 0; c->peers != NULL && c->peers[i] != NULL; i++)
        free(c->peers[i]);
    free(c->peers);
    free(c);
}

/* --- Self-signed certificates --- */

static int add_extension(X509 *certificate, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    if (extension == NULL)
        return -1;
    int added = X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    return added == 1 ? 1 : -1;
}

/* The name goes into the certificate as data, never through OpenSSL's "DNS:..." mini-language: a comma in it would
 * start another name. */
static int add_alternative_name(X509 *certificate, const char *name)
{
    int result = -1;
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    GENERAL_NAME *entry = GENERAL_NAME_new();
    ASN1_OCTET_STRING *ip = a2i_IPADDRESS(name);
    ERR_clear_error(); /* a host name is not an error */
    if (names == NULL || entry == NULL)
        goto cleanup;
    if (ip != NULL) {
        GENERAL_NAME_set0_value(entry, GEN_IPADD, ip);
        ip = NULL;
    } else {
        ASN1_IA5STRING *dns = ASN1_IA5STRING_new();
        if (dns == NULL || ASN1_STRING_set(dns, name, -1) != 1) {
            ASN1_IA5STRING_free(dns);
            goto cleanup;
        }
        GENERAL_NAME_set0_value(entry, GEN_DNS, dns);
    }
    if (sk_GENERAL_NAME_push(names, entry) <= 0)
        goto cleanup;
    entry = NULL;
    result = X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1 ? 1 : -1;
cleanup:
    ASN1_OCTET_STRING_free(ip);
    GENERAL_NAME_free(entry);
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
    return result;
}

static int set_random_serial(X509 *certificate)
{
    uint8_t bytes[SERIAL_BYTES];
    random_bytes(bytes, sizeof bytes);
    bytes[0] &= 0x7F; /* RFC 5280 4.1.2.2: positive, at most 20 octets */
    bytes[0] |= 0x01; /* and never zero */
    BIGNUM *number = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool set = number != NULL && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
    BN_free(number);
    return set ? 1 : -1;
}

static int set_names_and_times(X509 *certificate, const char *name)
{
    enum { COMMON_NAME_MAX = 64 }; /* RFC 5280 appendix A.1, ub-common-name */
    X509_NAME *subject = X509_get_subject_name(certificate);
    const char *common_name = strlen(name) <= COMMON_NAME_MAX ? name : "postern";
    if (X509_set_version(certificate, X509_VERSION_3) != 1 || set_random_serial(certificate) < 0 ||
        X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, (const unsigned char *)common_name, -1, -1,
                                   0) != 1 ||
        X509_set_issuer_name(certificate, subject) != 1)
        return -1;
    /* A day back: the peer's clock may be slow. */
    if (X509_time_adj_ex(X509_getm_notBefore(certificate), -1, 0, NULL) == NULL ||
        X509_time_adj_ex(X509_getm_notAfter(certificate), CERTIFICATE_YEARS * 365 + 2, 0, NULL) == NULL)
        return -1;
    return 1;
}

/* NULL with the reason in OpenSSL's error queue. */
static X509 *make_certificate(EVP_PKEY *key, const char *name)
{
    X509 *certificate = X509_new();
    if (certificate == NULL)
        return NULL;
    if (set_names_and_times(certificate, name) < 0 || X509_set_pubkey(certificate, key) != 1 ||
        add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") < 0 ||
        add_extension(certificate, NID_subject_key_identifier, "hash") < 0 ||
        add_extension(certificate, NID_ext_key_usage, "serverAuth") < 0 ||
        add_alternative_name(certificate, name) < 0 || X509_sign(certificate, key, EVP_sha256()) == 0) {
        X509_free(certificate);
        return NULL;
    }
    return certificate;
}

/* Creates the file, which must not exist, and writes the bytes of memory to it. On failure it is removed again. */
static int write_new_file(const char *path, mode_t mode, BIO *memory)
{
    char *data = NULL;
    long len = BIO_get_mem_data(memory, &data);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return -1;
    bool written = write(fd, data, (size_t)len) == (ssize_t)len && fsync(fd) == 0;
    int error = errno;
    close(fd);
    if (!written) {
        unlink(path);
        errno = error;
        return -1;
    }
    return 1;
}

/* Nobody is there to be asked for one. */
static int no_passphrase(char *out, int size, int is_writing, void *ctx)
{
    (void)out, (void)size, (void)is_writing, (void)ctx;
    return -1;
}

/* The key of a file; NULL: there is no such file (errno ENOENT), or no key in it. */
static EVP_PKEY *read_key(const char *path)
{
    BIO *file = BIO_new_file(path, "re");
    EVP_PKEY *key = file ? PEM_read_bio_PrivateKey(file, NULL, no_passphrase, NULL) : NULL;
    BIO_free(file);
    return key;
}

int tls_make_self_signed(const char *name, const char *certificate_file, const char *key_file, char **error_out)
{
    int result = -1;
    X509 *certificate = NULL;
    BIO *key_text = NULL, *certificate_text = NULL;
    ERR_clear_error();
    const bool is_there = access(key_file, F_OK) == 0; /* of somebody who was cut off before the certificate */
    EVP_PKEY *key = is_there ? read_key(key_file) : EVP_EC_gen("P-256");
    if (key != NULL)
        certificate = make_certificate(key, name);
    key_text = BIO_new(BIO_s_secmem());
    certificate_text = BIO_new(BIO_s_mem());
    if (certificate == NULL || key_text == NULL || certificate_text == NULL ||
        PEM_write_bio_PrivateKey(key_text, key, NULL, NULL, 0, NULL, NULL) != 1 ||
        PEM_write_bio_X509(certificate_text, certificate) != 1) {
        *error_out = describe(is_there ? key_file : name);
        goto cleanup;
    }
    if (!is_there && write_new_file(key_file, 0600, key_text) < 0) {
        *error_out = describe_errno(key_file);
        goto cleanup;
    }
    if (write_new_file(certificate_file, 0644, certificate_text) < 0) {
        *error_out = describe_errno(certificate_file);
        if (!is_there)
            unlink(key_file); /* made a moment ago, of no use alone */
        goto cleanup;
    }
    result = 1;
cleanup:
    BIO_free(key_text);
    BIO_free(certificate_text);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return result;
}

int64_t tls_context_expires(const struct tls_context *context)
{
    const X509 *certificate = SSL_CTX_get0_certificate(context->ssl);
    return certificate ? tls_certificate_time(X509_get0_notAfter(certificate)) : 0;
}
