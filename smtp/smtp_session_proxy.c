#include "base/log.h"
#include "base/stream.h"
#include "smtp/smtp_listener_internal.h"
#include "smtp/smtp_proxy.h"
#include "smtp/smtp_session.h"

void smtp_session_prepare_proxy(struct smtp_session *session)
{
    session->proxy = smtp_proxy_parser_new();
    session->needs_tls = session->listener->settings.tls_policy == SMTP_TLS_IMPLICIT;
    /* What follows the header is TLS's: it must be with the kernel when TLS begins to read. */
    if (session->needs_tls)
        stream_set_input_max(session->stream, smtp_proxy_parser_needs(session->proxy));
}

/* As smtp_proxy_parser_feed(), with what has come so far. */
static int feed(struct smtp_session *session, const char **fault_out)
{
    const uint8_t *data;
    size_t len;
    int got = 0;
    while (got == 0 && (len = stream_peek(session->stream, &data)) > 0) {
        size_t left = len;
        got = smtp_proxy_parser_feed(session->proxy, &data, &left, fault_out);
        stream_consume(session->stream, len - left);
    }
    return got;
}

int smtp_session_read_proxy(struct smtp_session *session)
{
    const char *fault;
    int got = feed(session, &fault);
    if (got < 0) {
        log_warning("smtp.proxy_refused", "session=%s listener=%s peer=%s reason=%s", session->id,
                    session->listener_name, session->peer, fault);
        return -1;
    }
    if (session->needs_tls)
        stream_set_input_max(session->stream, smtp_proxy_parser_needs(session->proxy)); /* complete: no limit of ours */
    if (got == 0)
        return 0;
    const char *client = smtp_proxy_parser_client(session->proxy);
    if (*client == '\0')
        client = session->peer;
    struct smtp_reply refusal = smtp_listener_readmit(session->listener, session, client);
    if (refusal.code != 0) {
        smtp_session_note_refusal(session, &refusal);
        if (!session->needs_tls)
            smtp_session_write(session, &refusal);
        return -1;
    }
    smtp_session_set_client(session, client);
    smtp_proxy_parser_free(&session->proxy);
    log_debug("smtp.proxied", "session=%s peer=%s client=%s", session->id, session->peer, session->client);
    return 1;
}
