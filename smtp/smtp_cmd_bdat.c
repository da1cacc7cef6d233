/* smtp_cmd_bdat.c - content in chunks of a size said before (CHUNKING, RFC 3030)
 *
 * Whoever pipelines sends the octets of a chunk without knowing whether it is wanted. So they are read in any case, and
 * a refusal is told behind them. One that is refused inside of a transaction spoils it: what follows can't be the whole
 * content any more, and gets refused until the last chunk or RSET.
 */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/xmalloc.h"
#include "smtp/smtp_cmd.h"
#include "smtp/smtp_session.h"

/* "SIZE" or "SIZE LAST". 1 ok; 0 the size is one, the rest is not; -1 there is no saying where the octets end. */
static int read_arguments(const struct smtp_command *command, struct smtp_chunk *chunk)
{
    static const char last[] = "LAST";
    size_t at = 0;
    for (; at < command->args_len && isdigit((unsigned char)command->args[at]); at++) {
        if (__builtin_mul_overflow(chunk->size, 10, &chunk->size) ||
            __builtin_add_overflow(chunk->size, command->args[at] - '0', &chunk->size))
            return -1;
    }
    if (at == 0 || (at < command->args_len && command->args[at] != ' '))
        return -1;
    while (at < command->args_len && command->args[at] == ' ')
        at++;
    chunk->left = chunk->size;
    if (at == command->args_len)
        return 1;
    chunk->is_last = command->args_len - at == strlen(last) && strncasecmp(command->args + at, last, strlen(last)) == 0;
    return chunk->is_last;
}

static void refuse(struct smtp_chunk *chunk, const struct smtp_reply *reply)
{
    chunk->refusal = xmalloc(sizeof *chunk->refusal);
    *chunk->refusal = *reply;
}

/* The rest of the connection could be octets or commands: nobody could say which. */
static bool give_up(struct smtp_session *session)
{
    smtp_session_reply(session, 501, "5.5.4", "Syntax: BDAT size [LAST]; without a size there is no going on");
    return false;
}

bool smtp_cmd_bdat(struct smtp_session *session, const struct smtp_command *command)
{
    struct smtp_transaction *transaction = session->transaction;
    struct smtp_chunk chunk = { .before = session->state };
    int is_read = read_arguments(command, &chunk);
    if (is_read < 0)
        return give_up(session);
    if (session->state == SMTP_SESSION_ENVELOPE)
        smtp_transaction_open_content(transaction);
    if (is_read == 0) {
        struct smtp_reply reply = smtp_reply_make(501, "5.5.4", "Syntax: BDAT size [LAST]");
        refuse(&chunk, &reply);
        chunk.is_bad = true;
    } else if (transaction->recipient_count == 0) {
        struct smtp_reply reply = smtp_cmd_no_recipients(session);
        refuse(&chunk, &reply);
    }
    if (chunk.refusal)
        smtp_transaction_give_up_content(transaction, SMTP_CONTENT_INCOMPLETE);
    smtp_transaction_expect_content(transaction, chunk.size);
    session->chunk = chunk;
    smtp_session_set_state(session, SMTP_SESSION_CHUNK);
    return true;
}

bool smtp_cmd_refuse_bdat(struct smtp_session *session, const struct smtp_command *command,
                          const struct smtp_reply *reply)
{
    struct smtp_chunk chunk = { .before = session->state };
    if (read_arguments(command, &chunk) < 0)
        return give_up(session);
    refuse(&chunk, reply);
    session->chunk = chunk;
    smtp_session_set_state(session, SMTP_SESSION_CHUNK);
    return true;
}

static bool tell_refusal(struct smtp_session *session)
{
    struct smtp_chunk *chunk = &session->chunk;
    struct smtp_reply reply = *chunk->refusal;
    free(chunk->refusal);
    chunk->refusal = NULL;
    if (chunk->is_bad)
        return smtp_session_reply_bad(session, reply.code, reply.enhanced, reply.text);
    smtp_session_answer(session, &reply);
    return true;
}

/* Of a chunk inside of a transaction. */
static void go_on(struct smtp_session *session)
{
    bool is_over = session->chunk.is_last;
    smtp_session_set_state(session, is_over ? SMTP_SESSION_READY : SMTP_SESSION_CHUNKED);
    if (is_over)
        smtp_transaction_abandon(session);
}

bool smtp_cmd_finish_bdat(struct smtp_session *session)
{
    const struct smtp_chunk *chunk = &session->chunk;
    struct smtp_transaction *transaction = session->transaction;
    if (chunk->refusal) {
        bool goes_on = tell_refusal(session);
        if (transaction)
            go_on(session);
        else
            smtp_session_set_state(session, chunk->before);
        return goes_on;
    }
    if (chunk->is_last) {
        smtp_transaction_close_content(transaction);
        return true;
    }
    struct smtp_reply reply = smtp_transaction_content_refusal(transaction);
    if (reply.code == 0) {
        reply = smtp_reply_make(250, "2.0.0", "%" PRId64 " octets received", chunk->size);
        smtp_limits_chunk_taken(session, chunk->size);
    }
    smtp_session_answer(session, &reply);
    go_on(session);
    return true;
}
