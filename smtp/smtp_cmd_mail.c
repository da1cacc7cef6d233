#include <stdio.h>
#include <strings.h>

#include "smtp/smtp_cmd.h"
#include "smtp/smtp_listener_internal.h"
#include "smtp/smtp_session.h"

static bool reply_not_ascii(struct smtp_session *session)
{
    return smtp_session_reply_bad(session, 553, "5.6.7", "Non-ASCII addresses need SMTPUTF8");
}

static int read_sender(const struct smtp_path *path, struct smtp_address *sender_out)
{
    *sender_out = (struct smtp_address){ .local = "" };
    return path->mailbox_len == 0 ? 1 : smtp_address_parse(path->mailbox, path->mailbox_len, sender_out);
}

bool smtp_cmd_mail(struct smtp_session *session, const struct smtp_command *command)
{
    int64_t message_max = session->listener->settings.message_max;
    struct smtp_path path;
    struct smtp_mail_params params;
    struct smtp_address sender;
    struct smtp_reply reply;
    if (smtp_parse_path(command->args, command->args_len, "FROM", &path) != 1)
        return smtp_session_reply_bad(session, 501, "5.5.4", "Syntax: MAIL FROM:<address>");
    if (smtp_params_parse_mail(path.params, path.params_len, &params, &reply) != 1)
        return smtp_session_reply_bad(session, reply.code, reply.enhanced, reply.text);
    if (read_sender(&path, &sender) != 1)
        return smtp_session_reply_bad(session, 501, "5.1.7", "Bad sender address");
    if (smtp_address_is_utf8(&sender) && !params.is_smtputf8)
        return reply_not_ascii(session);
    if (message_max > 0 && params.size > message_max) {
        reply = smtp_reply_make(552, "5.3.4", "Message is larger than %lld octets", (long long)message_max);
        smtp_session_refuse(session, &reply, &sender, NULL);
        return true;
    }
    if (session->listener->is_busy) {
        reply = smtp_reply_make(452, "4.3.1", "Too busy for new messages, try again later");
        smtp_session_refuse(session, &reply, &sender, NULL);
        return true;
    }
    reply = smtp_limits_on_mail(session);
    if (reply.code != 0) {
        smtp_session_refuse(session, &reply, &sender, NULL);
        return reply.code != 421;
    }
    smtp_transaction_ask_mail(smtp_transaction_begin(session, &sender, &params));
    return true;
}

/* Everybody has a postmaster, who needs no domain (RFC 5321 section 4.1.1.3). */
static int read_recipient(const struct smtp_session *session, const struct smtp_path *path,
                          struct smtp_address *recipient_out)
{
    static const char postmaster[] = "postmaster";
    if (path->mailbox_len != sizeof postmaster - 1 || strncasecmp(path->mailbox, postmaster, path->mailbox_len) != 0)
        return smtp_address_parse(path->mailbox, path->mailbox_len, recipient_out);
    *recipient_out = (struct smtp_address){ .local = "postmaster" };
    snprintf(recipient_out->domain, sizeof recipient_out->domain, "%s", session->listener->settings.hostname);
    return 1;
}

bool smtp_cmd_rcpt(struct smtp_session *session, const struct smtp_command *command)
{
    struct smtp_transaction *transaction = session->transaction;
    struct smtp_path path;
    struct smtp_rcpt_params params;
    struct smtp_address recipient;
    struct smtp_reply reply;
    if (smtp_parse_path(command->args, command->args_len, "TO", &path) != 1)
        return smtp_session_reply_bad(session, 501, "5.5.4", "Syntax: RCPT TO:<address>");
    if (smtp_params_parse_rcpt(path.params, path.params_len, transaction->params.is_smtputf8, &params, &reply) != 1)
        return smtp_session_reply_bad(session, reply.code, reply.enhanced, reply.text);
    if (read_recipient(session, &path, &recipient) != 1)
        return smtp_session_reply_bad(session, 501, "5.1.3", "Bad recipient address");
    if (smtp_address_is_utf8(&recipient) && !transaction->params.is_smtputf8)
        return reply_not_ascii(session);
    if (!smtp_transaction_has_room(transaction, &params)) {
        reply = smtp_reply_make(452, "4.5.3", "Too many recipients");
        smtp_session_refuse(session, &reply, NULL, &recipient);
        return true;
    }
    reply = smtp_limits_on_recipient(session);
    if (reply.code != 0) {
        smtp_session_refuse(session, &reply, NULL, &recipient);
        return true;
    }
    smtp_transaction_ask_recipient(transaction, &recipient, &params);
    return true;
}

struct smtp_reply smtp_cmd_no_recipients(const struct smtp_session *session)
{
    /* LMTP knows only 503 here (RFC 2033 section 4.2). */
    bool were_refused = session->transaction->refused_count > 0 && !session->is_lmtp;
    return smtp_reply_make(were_refused ? 554 : 503, "5.5.1", "No valid recipients");
}

bool smtp_cmd_data(struct smtp_session *session, const struct smtp_command *command)
{
    struct smtp_transaction *transaction = session->transaction;
    if (command->args_len > 0)
        return smtp_session_reply_bad(session, 501, "5.5.4", "Syntax: DATA");
    if (transaction->params.body == SMTP_BODY_BINARYMIME) { /* RFC 3030 section 3 */
        smtp_session_reply(session, 503, "5.5.1", "BODY=BINARYMIME needs BDAT");
        return true;
    }
    if (transaction->recipient_count == 0) {
        struct smtp_reply reply = smtp_cmd_no_recipients(session);
        smtp_session_answer(session, &reply);
        return true;
    }
    struct smtp_reply reply = smtp_limits_on_content(session);
    if (reply.code != 0) {
        smtp_session_answer(session, &reply);
        return true;
    }
    smtp_session_reply(session, 354, "", "End data with <CR><LF>.<CR><LF>");
    smtp_transaction_open_content(transaction);
    smtp_session_set_state(session, SMTP_SESSION_DATA);
    return true;
}

bool smtp_cmd_rset(struct smtp_session *session, const struct smtp_command *command)
{
    if (command->args_len > 0)
        return smtp_session_reply_bad(session, 501, "5.5.4", "Syntax: RSET");
    smtp_session_reply(session, 250, "2.0.0", "Ok");
    if (session->transaction) {
        smtp_session_set_state(session, SMTP_SESSION_READY);
        smtp_transaction_abandon(session);
    }
    smtp_session_forget_origin(session);
    return true;
}
