/* One message: envelope, content, and what the replies mean for each recipient (RFC 5321 section 3.3, RFC 2920 for
 * pipelining, RFC 2033 for LMTP).
 */
#include <assert.h>

#include "base/loop.h"
#include "base/stream.h"
#include "smtp/smtp_client_internal.h"

enum { COMMAND_MAX = 1024 };

/* The commands of an envelope are numbered: RSET (only on a connection that was used before), MAIL, one RCPT for each
 * recipient, DATA. So a reply is known by its place. Chunks need no DATA. Nor are they sent before the replies to RCPT are
 * in, though pipelining would allow it: the data follows its command at once, and would be sent for nobody, or for others
 * than we think. */
enum { COMMAND_RSET, COMMAND_MAIL, COMMAND_RCPT };

static size_t data_command(const struct smtp_client_transaction *transaction)
{
    return COMMAND_RCPT + transaction->recipient_count;
}

static size_t last_command(const struct smtp_client_transaction *transaction)
{
    return data_command(transaction) - (transaction->uses_chunks || transaction->is_probe ? 1 : 0);
}

/* --- The envelope --- */

enum smtp_stage smtp_client_envelope_stage(const struct smtp_client *client)
{
    const struct smtp_client_transaction *transaction = client->transaction;
    if (transaction->next_reply < COMMAND_RCPT)
        return SMTP_STAGE_MAIL;
    return transaction->next_reply < data_command(transaction) ? SMTP_STAGE_RCPT : SMTP_STAGE_DATA;
}

static void compose_command(const struct smtp_client *client, size_t command, struct strbuf *text)
{
    const struct smtp_client_transaction *transaction = client->transaction;
    if (command == COMMAND_RSET) {
        strbuf_add_str(text, "RSET\r\n");
    } else if (command == COMMAND_MAIL) {
        smtp_client_compose_mail(client, text);
    } else if (command < data_command(transaction)) {
        smtp_client_compose_rcpt(client, command - COMMAND_RCPT, text);
    } else {
        strbuf_add_str(text, "DATA\r\n");
    }
}

/* All that is left of the envelope when the relay can take it, else the next command. */
static void send_commands(struct smtp_client *client)
{
    struct smtp_client_transaction *transaction = client->transaction;
    size_t last = client->extensions.pipelining ? last_command(transaction) : transaction->next_command;
    struct strbuf text;
    strbuf_init(&text, (last - transaction->next_command + 1) * COMMAND_MAX);
    while (transaction->next_command <= last)
        compose_command(client, transaction->next_command++, &text);
    smtp_client_write_command(client, &text);
    strbuf_free(&text);
}

void smtp_client_begin_transaction(struct smtp_client *client)
{
    struct smtp_client_transaction *transaction = client->transaction;
    if (smtp_client_check_extensions(client) != 1) {
        if (client->state == SMTP_CLIENT_READY)
            timer_start(client->completion, 0);
        else
            smtp_client_finish(client);
        return;
    }
    transaction->uses_chunks = client->extensions.chunking && !client->avoids_chunks;
    transaction->stuffing.keeps_dots = transaction->uses_chunks;
    transaction->next_command = client->is_used ? COMMAND_RSET : COMMAND_MAIL;
    transaction->next_reply = transaction->next_command;
    smtp_client_set_state(client, SMTP_CLIENT_ENVELOPE);
    send_commands(client);
}

/* The outcome that a final reply means. false: it means none (3xx). */
static bool outcome_of_reply(const struct smtp_reply *reply, enum smtp_outcome *outcome_out)
{
    static const enum smtp_outcome outcomes[] = {
        [2] = SMTP_OUTCOME_DELIVERED,
        [4] = SMTP_OUTCOME_TEMPORARY,
        [5] = SMTP_OUTCOME_PERMANENT,
    };
    int class = reply->code / 100;
    if (class == 3)
        return false;
    *outcome_out = outcomes[class];
    return true;
}

static void settle_one(struct smtp_client *client, size_t index, enum smtp_stage stage, const struct smtp_reply *reply)
{
    struct smtp_client_transaction *transaction = client->transaction;
    enum smtp_outcome outcome = SMTP_OUTCOME_TEMPORARY;
    bool is_final = outcome_of_reply(reply, &outcome);
    assert(is_final);
    (void)is_final;
    bool reports =
        outcome == SMTP_OUTCOME_DELIVERED && client->extensions.dsn && transaction->recipients[index].notify != 0;
    if (transaction->results[index].reply.code == 0)
        transaction->results[index] = (struct smtp_recipient_result){ outcome, stage, *reply, reports };
}

static void settle_all_by(struct smtp_client *client, enum smtp_stage stage, const struct smtp_reply *reply)
{
    for (size_t i = 0; i < client->transaction->recipient_count; i++)
        settle_one(client, i, stage, reply);
}

/* DATA was accepted though no recipient was: pipelining makes that possible, and a lone dot ends it (RFC 2920 section
 * 3.1). Where it makes no sense, nothing is sent: a relay that disagrees on who was refused might take it for a
 * message. */
static void end_without_recipients(struct smtp_client *client)
{
    if (client->lmtp || client->transaction->is_mail_refused) {
        smtp_client_drop(client);
        smtp_client_finish(client);
        return;
    }
    struct strbuf text;
    strbuf_init(&text, COMMAND_MAX);
    smtp_client_stuff_end(&client->transaction->stuffing, &text);
    smtp_client_write_end(client, &text);
    strbuf_free(&text);
}

static void begin_content(struct smtp_client *client)
{
    smtp_client_set_state(client, SMTP_CLIENT_CONTENT);
    smtp_client_send_content(client);
}

static void on_data_reply(struct smtp_client *client, const struct smtp_reply *reply)
{
    int class = reply->code / 100;
    if (class == 2) {
        smtp_client_protocol_error(client, "answered DATA with a success");
    } else if (class != 3) {
        settle_all_by(client, SMTP_STAGE_DATA, reply);
        smtp_client_finish(client);
    } else if (client->transaction->accepted_count == 0) {
        end_without_recipients(client);
    } else {
        begin_content(client);
    }
}

/* What stands open at the relay is undone by what comes next on this connection: RSET, or its end. */
static void end_probe(struct smtp_client *client)
{
    const struct smtp_reply reply = smtp_reply_make(250, "2.1.5", "accepted, and not sent");
    smtp_client_settle_rest(client, SMTP_STAGE_RCPT, SMTP_OUTCOME_DELIVERED, &reply);
    smtp_client_finish(client);
}

/* Takes the reply to MAIL or RCPT. */
static void note_reply(struct smtp_client *client, size_t command, const struct smtp_reply *reply)
{
    struct smtp_client_transaction *transaction = client->transaction;
    int class = reply->code / 100;
    if (command == COMMAND_MAIL && class != 2) {
        transaction->is_mail_refused = true;
        settle_all_by(client, SMTP_STAGE_MAIL, reply);
    } else if (command != COMMAND_MAIL && class != 2) {
        settle_one(client, command - COMMAND_RCPT, SMTP_STAGE_RCPT, reply);
    } else if (command != COMMAND_MAIL && !transaction->is_mail_refused) {
        transaction->accepted_count++;
    }
}

void smtp_client_on_envelope(struct smtp_client *client, const struct smtp_reply *reply)
{
    struct smtp_client_transaction *transaction = client->transaction;
    size_t command = transaction->next_reply;
    if (reply->code / 100 == 3 && command != data_command(transaction)) {
        smtp_client_protocol_error(client, "asked for more where there is none");
        return;
    }
    transaction->next_reply++;
    if (command == COMMAND_RSET && reply->code / 100 != 2) {
        smtp_client_protocol_error(client, "refused RSET");
        return;
    }
    transaction->may_reopen = false;
    if (command == data_command(transaction)) {
        on_data_reply(client, reply);
        return;
    }
    if (command != COMMAND_RSET)
        note_reply(client, command, reply);
    if (transaction->next_reply < transaction->next_command) {
        smtp_client_await_reply(client);
        return;
    }
    bool are_all_known = transaction->next_command == data_command(transaction);
    if (transaction->is_mail_refused || (are_all_known && transaction->accepted_count == 0))
        smtp_client_finish(client);
    else if (are_all_known && transaction->is_probe)
        end_probe(client);
    else if (are_all_known && transaction->uses_chunks)
        begin_content(client);
    else
        send_commands(client);
}

/* --- The end of the content --- */

/* 500 to 504 are about the command and not about the message (RFC 5321 section 4.2.2): something in between knows no BDAT,
 * whatever was offered. It goes without the next time. */
static bool is_chunking_unknown(struct smtp_client *client, const struct smtp_reply *reply)
{
    enum { SYNTAX_FIRST = 500, SYNTAX_LAST = 504 };
    if (!client->transaction->uses_chunks || reply->code < SYNTAX_FIRST || reply->code > SYNTAX_LAST)
        return false;
    client->avoids_chunks = true;
    struct smtp_reply ours = smtp_reply_make(451, "4.5.0", "relay %s offers CHUNKING and refuses BDAT: %d %s %s",
                                             client->address, reply->code, reply->enhanced, reply->text);
    smtp_client_settle_rest(client, SMTP_STAGE_CONTENT, SMTP_OUTCOME_TEMPORARY, &ours);
    smtp_client_give_up(client, SMTP_STAGE_CONTENT, &ours);
    return true;
}

/* To a chunk before the last. */
static void on_chunk_reply(struct smtp_client *client, const struct smtp_reply *reply)
{
    struct smtp_client_transaction *transaction = client->transaction;
    int class = reply->code / 100;
    if (is_chunking_unknown(client, reply))
        return;
    bool is_sent = transaction->chunks_unanswered > 1 || stream_pending_output(client->stream) == 0;
    if (class == 3 || transaction->chunks_unanswered == 0 || (class == 2 && !is_sent)) {
        smtp_client_protocol_error(client, "answered a chunk that was not sent, or asked for more");
    } else if (class == 2) {
        transaction->chunks_unanswered--;
        if (client->state == SMTP_CLIENT_CONTENT)
            smtp_client_send_content(client);
        else
            timer_start(client->timer, client->final_timeout_ms);
    } else {
        /* A failed chunk is the end of the transaction (RFC 3030 section 2), but what is on its way behind it is still
         * going to be answered. */
        settle_all_by(client, SMTP_STAGE_CONTENT, reply);
        if (transaction->chunks_unanswered > 1 || stream_pending_output(client->stream) > 0)
            smtp_client_drop(client);
        smtp_client_finish(client);
    }
}

/* A reply before the final dot has left. A refusal is believed, for there is no point in sending the rest; anything else
 * cannot be about this message. Either way the dot must not be sent any more: what is said to it would be taken for the
 * answer to the next message's first command. */
static void on_early_reply(struct smtp_client *client, const struct smtp_reply *reply)
{
    if (reply->code / 100 < 4) {
        smtp_client_protocol_error(client, "answered before the end of the content");
        return;
    }
    settle_all_by(client, SMTP_STAGE_CONTENT, reply);
    smtp_client_drop(client);
    smtp_client_finish(client);
}

void smtp_client_on_premature(struct smtp_client *client, const struct smtp_reply *reply)
{
    if (client->transaction->uses_chunks)
        on_chunk_reply(client, reply);
    else
        on_early_reply(client, reply);
}

void smtp_client_on_final(struct smtp_client *client, const struct smtp_reply *reply)
{
    struct smtp_client_transaction *transaction = client->transaction;
    if (transaction->uses_chunks && transaction->chunks_unanswered > 1) {
        on_chunk_reply(client, reply);
        return;
    }
    if (is_chunking_unknown(client, reply))
        return;
    if (!smtp_client_is_end_sent(client)) {
        on_early_reply(client, reply);
        return;
    }
    if (reply->code / 100 == 3) {
        smtp_client_protocol_error(client, "asked for more after the end of the content");
        return;
    }
    if (!client->lmtp) {
        settle_all_by(client, SMTP_STAGE_FINAL, reply);
        smtp_client_finish(client);
        return;
    }
    /* LMTP: one reply for each accepted recipient, in order. */
    size_t index = 0;
    while (transaction->results[index].reply.code != 0)
        index++;
    settle_one(client, index, SMTP_STAGE_FINAL, reply);
    while (index < transaction->recipient_count && transaction->results[index].reply.code != 0)
        index++;
    if (index == transaction->recipient_count)
        smtp_client_finish(client);
    else
        timer_start(client->timer, client->final_timeout_ms);
}
