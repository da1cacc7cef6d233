/* inbound_refused.c - mail that is refused has no entry and no trace: what is known of it is noted; see refusals.h */
#include "gateway/inbound_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "gateway/parts.h"
#include "gateway/refusals.h"

enum { REPLY_SIZE = SMTP_REPLY_TEXT_MAX + 32, NAMED = 3, NAMES_MAX = NAMED * (SMTP_ADDRESS_MAX + 2) + 40 };

static void format_reply(const struct smtp_reply *reply, char out[static REPLY_SIZE])
{
    snprintf(out, REPLY_SIZE, "%d %s %s", reply->code, reply->enhanced, reply->text);
}

void inbound_note_recipient(struct inbound *inbound, const struct smtp_transaction *transaction, size_t index,
                            const struct policy_verdict *verdict)
{
    char sender[SMTP_ADDRESS_MAX + 2], recipient[SMTP_ADDRESS_MAX + 2], reply[REPLY_SIZE];
    if (verdict->decision == POLICY_ACCEPT)
        return;
    smtp_address_format(smtp_transaction_sender(transaction), sender);
    smtp_address_format(smtp_transaction_recipient(transaction, index), recipient);
    format_reply(&verdict->reply, reply);
    int64_t size = smtp_transaction_declared_size(transaction);
    const struct store_refusal facts = {
        .place = "recipient",
        .sender = sender[0] ? sender : "<>",
        .recipient = recipient,
        .size = size > 0 ? size : 0,
        .code = verdict->reply.code,
        .reply = reply,
        .reason = verdict->reason,
    };
    refusals_note(inbound->parts->refusals, smtp_transaction_session(transaction), smtp_transaction_id(transaction),
                  &facts);
}

static void note(const struct mail *mail, const char *recipient, const struct smtp_reply *reply, const char *reason)
{
    char text[REPLY_SIZE];
    format_reply(reply, text);
    const struct store_refusal facts = {
        .place = "message",
        .sender = mail->sender[0] ? mail->sender : "<>",
        .author = mail->from,
        .recipient = recipient,
        .message_id = mail->header.message_id,
        .size = mail->size,
        .code = reply->code,
        .reply = text,
        .reason = reason,
        .proof = mail->proof,
        .inbound_id = mail->id,
    };
    refusals_note(mail->inbound->parts->refusals, smtp_transaction_session(mail->transaction),
                  smtp_transaction_id(mail->transaction), &facts);
}

void inbound_note_refused(const struct mail *mail)
{
    for (size_t i = 0; i < mail->count; i++)
        if (!inbound_is_taken(&mail->recipients[i]))
            note(mail, mail->recipients[i].address, &mail->recipients[i].verdict.reply,
                 mail->recipients[i].verdict.reason);
}

void inbound_note_refused_for_all(const struct mail *mail, const struct smtp_reply *reply, const char *reason)
{
    struct strbuf names;
    strbuf_init(&names, NAMES_MAX);
    for (size_t i = 0; i < mail->count && i < NAMED; i++)
        strbuf_add_fmt(&names, "%s%s", i ? ", " : "", mail->recipients[i].address);
    if (mail->count > NAMED)
        strbuf_add_fmt(&names, " and %zu more", mail->count - NAMED);
    note(mail, names.data, reply, reason);
    strbuf_free(&names);
}
