#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/stream.h"
#include "base/xmalloc.h"
#include "smtp/smtp_cmd.h"
#include "smtp/smtp_listener_internal.h"
#include "smtp/smtp_origin.h"
#include "smtp/smtp_session.h"

enum { HELO_MAX = 255 };

/* The name is checked no further: too many clients get it wrong, and nothing is decided by it. */
static bool take_helo(struct smtp_session *session, const struct smtp_command *command)
{
    if (command->args_len == 0 || command->args_len > HELO_MAX)
        return false;
    if (session->xclient && session->xclient->helo[0] != '\0') /* this one is the name of who speaks for the client */
        smtp_session_set_helo(session, xstrdup(session->xclient->helo));
    else
        smtp_session_set_helo(session, xstrndup(command->args, command->args_len));
    return true;
}

/* A greeting in the middle of a transaction ends it (RFC 5321 section 4.1.4). */
static void start_over(struct smtp_session *session)
{
    smtp_session_set_state(session, SMTP_SESSION_READY);
    smtp_transaction_abandon(session);
    smtp_session_forget_origin(session);
}

bool smtp_cmd_offers_tls(const struct smtp_session *session)
{
    enum smtp_tls_policy policy = session->listener->settings.tls_policy;
    return !smtp_session_is_tls(session) && (policy == SMTP_TLS_MAY || policy == SMTP_TLS_REQUIRE);
}

static void announce(struct smtp_session *session)
{
    const struct smtp_listener_settings *settings = &session->listener->settings;
    char size[32];
    char limits[64];
    char xclient[128], xforward[128];
    unsigned messages_max = smtp_limits_messages_max(session);
    snprintf(size, sizeof size, "SIZE %" PRId64, settings->message_max); /* 0: no limit (RFC 1870 section 4) */
    snprintf(limits, sizeof limits, "LIMITS RCPTMAX=%u", settings->recipients_max); /* RFC 9422 */
    if (messages_max > 0)
        snprintf(limits, sizeof limits, "LIMITS MAILMAX=%u RCPTMAX=%u", messages_max, settings->recipients_max);
    const char *const always[] = { settings->hostname, "PIPELINING",          size,  "8BITMIME", "SMTPUTF8", "CHUNKING",
                                   "BINARYMIME",       "ENHANCEDSTATUSCODES", "DSN", limits };
    enum { ALWAYS = sizeof always / sizeof always[0], AT_TIMES = 3 };
    const char *lines[ALWAYS + AT_TIMES];
    memcpy(lines, always, sizeof always);
    size_t count = ALWAYS;
    if (smtp_cmd_offers_tls(session))
        lines[count++] = "STARTTLS";
    snprintf(xclient, sizeof xclient, "XCLIENT %s", smtp_origin_attributes(SMTP_ORIGIN_XCLIENT));
    if (smtp_cmd_takes_xclient(session))
        lines[count++] = xclient;
    snprintf(xforward, sizeof xforward, "XFORWARD %s", smtp_origin_attributes(SMTP_ORIGIN_XFORWARD));
    if (smtp_cmd_takes_xforward(session))
        lines[count++] = xforward;
    smtp_session_reply_lines(session, 250, "", lines, count);
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
    if (!settings->tls) {
        smtp_session_reply(session, 454, "4.7.0", "TLS is not available now");
        return true;
    }
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
