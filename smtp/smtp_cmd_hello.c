#include <inttypes.h>

#include "base/stream.h"
#include "base/xmalloc.h"
#include "smtp/smtp_cmd.h"
#include "smtp/smtp_listener_internal.h"
#include "smtp/smtp_session.h"

enum { HELO_MAX = 255 };

/* The name is checked no further: too many clients get it wrong, and nothing is decided by it. */
static bool take_helo(struct smtp_session *session, const struct smtp_command *command)
{
    if (command->args_len == 0 || command->args_len > HELO_MAX)
        return false;
    smtp_session_set_helo(session, xstrndup(command->args, command->args_len));
    return true;
}

/* A greeting in the middle of a transaction ends it (RFC 5321 section 4.1.4). */
static void start_over(struct smtp_session *session)
{
    smtp_session_set_state(session, SMTP_SESSION_READY);
    smtp_transaction_abandon(session);
}

static void announce(struct smtp_session *session)
{
    const struct smtp_listener_settings *settings = &session->listener->settings;
    struct strbuf *out = &session->out;
    bool offers_tls = !smtp_session_is_tls(session) &&
                      (settings->tls_policy == SMTP_TLS_MAY || settings->tls_policy == SMTP_TLS_REQUIRE);
    strbuf_add_fmt(out, "250-%s\r\n", settings->hostname);
    strbuf_add_str(out, "250-PIPELINING\r\n");
    strbuf_add_fmt(out, "250-SIZE %" PRId64 "\r\n", settings->message_max); /* 0: no limit (RFC 1870 section 4) */
    strbuf_add_str(out, "250-8BITMIME\r\n");
    strbuf_add_str(out, "250-SMTPUTF8\r\n");
    strbuf_add_str(out, "250-CHUNKING\r\n");
    strbuf_add_str(out, "250-BINARYMIME\r\n");
    strbuf_add_str(out, "250-DSN\r\n");
    if (offers_tls)
        strbuf_add_str(out, "250-STARTTLS\r\n");
    strbuf_add_str(out, "250 ENHANCEDSTATUSCODES\r\n");
}

bool smtp_cmd_ehlo(struct smtp_session *session, const struct smtp_command *command)
{
    if (!take_helo(session, command))
        return smtp_session_reply_bad(session, 501, "5.5.4", "Syntax: the name of your host is needed");
    session->is_extended = true;
    announce(session);
    start_over(session);
    return true;
}

bool smtp_cmd_helo(struct smtp_session *session, const struct smtp_command *command)
{
    if (!take_helo(session, command))
        return smtp_session_reply_bad(session, 501, "5.5.4", "Syntax: HELO hostname");
    session->is_extended = false;
    smtp_session_reply(session, 250, "", "%s", session->listener->settings.hostname);
    start_over(session);
    return true;
}

bool smtp_cmd_starttls(struct smtp_session *session, const struct smtp_command *command)
{
    const struct smtp_listener_settings *settings = &session->listener->settings;
    if (settings->tls_policy == SMTP_TLS_NONE)
        return smtp_session_reply_bad(session, 502, "5.5.1", "TLS is not offered");
    if (smtp_session_is_tls(session))
        return smtp_session_reply_bad(session, 503, "5.5.1", "TLS is active already");
    if (command->args_len > 0)
        return smtp_session_reply_bad(session, 501, "5.5.4", "Syntax: STARTTLS");
    if (stream_input_size(session->stream) > 0) {
        /* Commands sent in plain must not be taken for encrypted ones; who sent them is not to be trusted further. */
        smtp_session_reply(session, 554, "5.5.1", "Nothing may follow STARTTLS before its reply");
        return false;
    }
    smtp_session_reply(session, 220, "2.0.0", "Ready to start TLS");
    smtp_session_flush(session);
    smtp_session_set_state(session, SMTP_SESSION_HANDSHAKE);
    return stream_start_tls_server(session->stream, settings->tls) == 1;
}
