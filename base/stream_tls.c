#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/stream_internal.h"
#include "base/tls_internal.h"
#include "base/xmalloc.h"

enum { DETAIL_MAX = 400, RECORD_MAX = 16 * 1024 };

struct stream_tls {
    SSL *ssl;
    struct tls_context *context;
    char *pin;                   /* that the peer must have; NULL: any */
    bool nameless;               /* verification was asked for, but not of whom */
    bool established;            /* handshake done, peer found good */
    bool wants_write;            /* the handshake waits for room to write */
    char peer_pin[TLS_PIN_SIZE]; /* empty: the peer has no certificate */
    const char *peer;            /* the context's name for it; NULL: not known */
};

/* --- Preparation --- */

static bool is_ip_address(const char *name)
{
    ASN1_OCTET_STRING *address = a2i_IPADDRESS(name);
    ASN1_OCTET_STRING_free(address);
    ERR_clear_error();
    return address != NULL;
}

/* Tells the library whom we expect: for SNI (RFC 6066 section 3: no addresses) and for the check of the name. */
static void expect_name(struct stream_tls *tls, const char *name)
{
    bool verify = tls_context_verify(tls->context) == TLS_VERIFY_CA;
    if (name == NULL || name[0] == '\0') { /* to the library an empty name means any name */
        tls->nameless = verify;
        return;
    }
    bool ip = is_ip_address(name);
    if (!ip) {
        char *copy = xstrdup(name); /* OpenSSL's macro casts const away */
        SSL_set_tlsext_host_name(tls->ssl, copy);
        free(copy);
    }
    if (!verify)
        return;
    X509_VERIFY_PARAM *expected = SSL_get0_param(tls->ssl);
    X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    int set = ip ? X509_VERIFY_PARAM_set1_ip_asc(expected, name) : X509_VERIFY_PARAM_set1_host(expected, name, 0);
    if (set != 1)
        tls->nameless = true;
}

void stream_tls_prepare(struct stream *stream, struct tls_context *context, bool server, const char *name,
                        const char *pin)
{
    struct stream_tls *tls = xcalloc(1, sizeof *tls);
    tls->context = tls_context_ref(context);
    tls->ssl = SSL_new(tls_context_ssl(context));
    if (tls->ssl == NULL)
        abort(); /* out of memory */
    if (server) {
        SSL_set_accept_state(tls->ssl);
    } else {
        SSL_set_connect_state(tls->ssl);
        expect_name(tls, name);
        tls->pin = pin == NULL ? NULL : xstrdup(pin);
    }
    stream->tls = tls;
    if (SSL_set_fd(tls->ssl, stream->fd) != 1)
        abort();
}

void stream_tls_free(struct stream_tls **tls)
{
    if (*tls == NULL)
        return;
    SSL_free((*tls)->ssl);
    tls_context_free(&(*tls)->context);
    free((*tls)->pin);
    free(*tls);
    *tls = NULL;
}

/* --- Errors --- */

static void fail_with_queue(struct stream *stream, const char *what)
{
    struct stream_tls *tls = stream->tls;
    struct strbuf detail;
    strbuf_init(&detail, DETAIL_MAX);
    strbuf_add_fmt(&detail, "%s: ", what);
    long verified = SSL_get_verify_result(tls->ssl);
    if (!tls->established && verified != X509_V_OK && tls_context_verify(tls->context) == TLS_VERIFY_CA) {
        strbuf_add_fmt(&detail, "certificate refused: %s", X509_verify_cert_error_string(verified));
        ERR_clear_error();
    } else {
        tls_add_error(&detail);
    }
    stream_fail(stream, STREAM_END_TLS, detail.data);
    strbuf_free(&detail);
}

static bool is_unexpected_eof(void)
{
    return ERR_GET_LIB(ERR_peek_error()) == ERR_LIB_SSL &&
           ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

/* What a failed call of the library means. what names the step, for the detail; old_errno is that of the call. */
static enum io_result judge(struct stream *stream, int result, int old_errno, const char *what)
{
    switch (SSL_get_error(stream->tls->ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return IO_BLOCKED;
    case SSL_ERROR_ZERO_RETURN:
        return IO_CLOSED;
    case SSL_ERROR_SYSCALL:
        stream_fail(stream, STREAM_END_RESET, old_errno == 0 ? "connection lost" : strerror(old_errno));
        break;
    default:
        /* TCP was closed in order, but not TLS: somebody on the way may have cut the rest off. */
        if (is_unexpected_eof() && stream->tls->established)
            stream_fail(stream, STREAM_END_RESET, "closed without TLS close_notify");
        else
            fail_with_queue(stream, what);
        break;
    }
    ERR_clear_error();
    return IO_FAILED;
}

/* --- Handshake --- */

/* Remembers the peer's certificate and compares it with the pin. */
static bool peer_is_good(struct stream *stream)
{
    struct stream_tls *tls = stream->tls;
    X509 *certificate = SSL_get0_peer_certificate(tls->ssl);
    if (certificate != NULL)
        tls_certificate_pin(certificate, tls->peer_pin);
    tls->peer = tls_context_find_peer(tls->context, certificate, SSL_get_verify_result(tls->ssl) == X509_V_OK);
    if (tls_context_verify(tls->context) != TLS_VERIFY_PIN || tls->pin == NULL || strcmp(tls->pin, tls->peer_pin) == 0)
        return true;
    struct strbuf detail;
    strbuf_init(&detail, DETAIL_MAX);
    strbuf_add_fmt(&detail, "certificate pin mismatch: expected %.80s, got %s", tls->pin,
                   tls->peer_pin[0] == '\0' ? "no certificate" : tls->peer_pin);
    stream_fail(stream, STREAM_END_TLS, detail.data);
    strbuf_free(&detail);
    return false;
}

void stream_tls_handshake(struct stream *stream)
{
    struct stream_tls *tls = stream->tls;
    if (tls->nameless) {
        stream_fail(stream, STREAM_END_TLS, "no usable host name to verify the certificate against");
        return;
    }
    ERR_clear_error();
    errno = 0;
    int result = SSL_do_handshake(tls->ssl);
    if (result != 1) {
        if (judge(stream, result, errno, "TLS handshake") == IO_CLOSED)
            stream_fail(stream, STREAM_END_TLS, "TLS handshake: closed by the peer");
        tls->wants_write = SSL_want_write(tls->ssl);
        return;
    }
    if (!peer_is_good(stream))
        return;
    tls->established = true;
    stream->news |= NEWS_TLS;
    stream_opened(stream);
}

void stream_tls_begin(struct stream *stream)
{
    stream_set_state(stream, STREAM_HANDSHAKE);
    stream_tls_handshake(stream);
}

bool stream_tls_handshake_writes(const struct stream *stream)
{
    return stream->tls->wants_write;
}

/* --- Bytes --- */

enum io_result stream_tls_read(struct stream *stream, void *out, size_t len, size_t *got_out)
{
    ERR_clear_error();
    errno = 0;
    int result = SSL_read_ex(stream->tls->ssl, out, len, got_out);
    stream->tls_read_writes = result != 1 && SSL_want_write(stream->tls->ssl);
    return result == 1 ? IO_DONE : judge(stream, result, errno, "TLS");
}

enum io_result stream_tls_write(struct stream *stream, const void *data, size_t len, size_t *written_out)
{
    ERR_clear_error();
    errno = 0;
    int result = SSL_write_ex(stream->tls->ssl, data, len < RECORD_MAX ? len : RECORD_MAX, written_out);
    int error = errno;
    stream->tls_write_reads = result != 1 && SSL_want_read(stream->tls->ssl);
    /* The peer may have said why before it went; what has come can still be read. */
    if (result != 1 && SSL_get_error(stream->tls->ssl, result) == SSL_ERROR_SYSCALL) {
        stream_receive(stream);
        stream_fail(stream, STREAM_END_RESET, error == 0 ? "connection lost" : strerror(error));
        ERR_clear_error();
        return IO_FAILED;
    }
    return result == 1 ? IO_DONE : judge(stream, result, error, "TLS");
}

void stream_tls_close_notify(struct stream *stream)
{
    if (stream->tls == NULL || !stream->tls->established)
        return;
    ERR_clear_error();
    SSL_shutdown(stream->tls->ssl); /* one attempt: when the peer takes nothing any more, it need not know */
    ERR_clear_error();
}

/* --- Facts for the owner --- */

bool stream_is_tls(const struct stream *stream)
{
    return stream->tls != NULL && stream->tls->established;
}

const char *stream_tls_version(const struct stream *stream)
{
    return stream_is_tls(stream) ? SSL_get_version(stream->tls->ssl) : NULL;
}

const char *stream_tls_cipher(const struct stream *stream)
{
    return stream_is_tls(stream) ? SSL_get_cipher_name(stream->tls->ssl) : NULL;
}

const char *stream_peer_pin(const struct stream *stream)
{
    return stream->tls != NULL && stream->tls->peer_pin[0] != '\0' ? stream->tls->peer_pin : NULL;
}

int64_t stream_peer_expires(const struct stream *stream)
{
    X509 *certificate = stream_is_tls(stream) ? SSL_get0_peer_certificate(stream->tls->ssl) : NULL;
    return certificate != NULL ? tls_certificate_time(X509_get0_notAfter(certificate)) : 0;
}

const char *stream_tls_peer(const struct stream *stream)
{
    return stream_is_tls(stream) ? stream->tls->peer : NULL;
}

void stream_peer_subject(const struct stream *stream, char out[static STREAM_SUBJECT_SIZE])
{
    out[0] = '\0';
    X509 *certificate = stream_is_tls(stream) ? SSL_get0_peer_certificate(stream->tls->ssl) : NULL;
    BIO *memory = certificate != NULL ? BIO_new(BIO_s_mem()) : NULL;
    if (memory == NULL)
        return;
    char *text = NULL;
    X509_NAME_print_ex(memory, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
    long len = BIO_get_mem_data(memory, &text);
    long verified = SSL_get_verify_result(stream->tls->ssl);
    snprintf(out, STREAM_SUBJECT_SIZE, "%.*s%s%s", (int)(len < 120 ? len : 120), len > 0 ? text : "",
             verified == X509_V_OK ? "" : "; ", verified == X509_V_OK ? "" : X509_verify_cert_error_string(verified));
    BIO_free(memory);
    ERR_clear_error();
}
