#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/spool.h"
#include "base/xmalloc.h"
#include "smtp/smtp_listener_internal.h"
#include "smtp/smtp_session.h"

enum { ORCPT_SUM_MAX = 64 * 1024 }; /* twice what a thousand usual ones take */

/* RFC 3848 and RFC 6531 section 4.3; RFC 3848 has no word for HELO with TLS. [extended][utf8][tls] */
static const char *const smtp_protocols[2][2][2] = {
    { { "SMTP", "SMTP" }, { "SMTP", "SMTP" } },
    { { "ESMTP", "ESMTPS" }, { "UTF8SMTP", "UTF8SMTPS" } },
};
static const char *const lmtp_protocols[2][2] = { { "LMTP", "LMTPS" }, { "UTF8LMTP", "UTF8LMTPS" } };

struct smtp_transaction *smtp_transaction_begin(struct smtp_session *session, const struct smtp_address *sender,
                                                const struct smtp_mail_params *params)
{
    assert(!session->transaction);
    struct smtp_transaction *transaction = xcalloc(1, sizeof *transaction);
    transaction->session = session;
    snprintf(transaction->id, sizeof transaction->id, "%s-%lu", session->id, ++session->transaction_number);
    transaction->sender = *sender;
    transaction->params = *params;
    session->transaction = transaction;
    bool is_tls = smtp_session_is_tls(session);
    session->facts.protocol = session->is_lmtp ? lmtp_protocols[params->is_smtputf8][is_tls]
                                               : smtp_protocols[session->is_extended][params->is_smtputf8][is_tls];
    return transaction;
}

bool smtp_transaction_is_asking(const struct smtp_transaction *transaction)
{
    return transaction->question != SMTP_QUESTION_NONE && transaction->answer == SMTP_ANSWER_AWAITED;
}

/* The listener's sum goes up with each piece, and down when the content is given up or its transaction ends. */
static void count_spooled(struct smtp_transaction *transaction, int64_t bytes)
{
    struct smtp_listener *listener = transaction->session->listener;
    transaction->spooled += bytes;
    if (listener)
        listener->spooled += bytes;
}

static void transaction_free(struct smtp_transaction *transaction)
{
    count_spooled(transaction, -transaction->spooled);
    spool_free(&transaction->content);
    for (size_t i = 0; i < transaction->recipient_capacity; i++)
        free(transaction->recipients[i].orcpt);
    free(transaction->recipients);
    free(transaction->late);
    free(transaction);
}

void smtp_transaction_abandon(struct smtp_session *session)
{
    struct smtp_transaction *transaction = session->transaction;
    if (!transaction)
        return;
    assert(!smtp_transaction_is_asking(transaction));
    session->transaction = NULL;
    if (transaction->question != SMTP_QUESTION_MESSAGE && session->callbacks->on_abandoned)
        session->callbacks->on_abandoned(transaction, session->ctx);
    /* It is for one message (XFORWARD_README). After a refused MAIL there has been none. */
    if (transaction->question != SMTP_QUESTION_MAIL)
        smtp_session_forget_origin(session);
    transaction_free(transaction);
}

/* --- questions and answers --- */

static void ask(struct smtp_transaction *transaction, enum smtp_question question)
{
    transaction->question = question;
    transaction->answer = SMTP_ANSWER_AWAITED;
    smtp_limits_owner_asked(transaction->session);
    smtp_session_set_state(transaction->session, SMTP_SESSION_ASKING);
}

void smtp_transaction_ask_mail(struct smtp_transaction *transaction)
{
    struct smtp_session *session = transaction->session;
    if (!session->callbacks->on_mail) {
        smtp_session_reply(session, 250, "2.1.0", "Ok");
        smtp_session_set_state(session, SMTP_SESSION_ENVELOPE);
        return;
    }
    ask(transaction, SMTP_QUESTION_MAIL);
    session->callbacks->on_mail(transaction, session->ctx);
}

bool smtp_transaction_has_room(const struct smtp_transaction *transaction, const struct smtp_rcpt_params *params)
{
    return transaction->recipient_count < transaction->session->listener->settings.recipients_max &&
           transaction->orcpt_size + params->orcpt_len <= ORCPT_SUM_MAX;
}

static void grow_recipients(struct smtp_transaction *transaction)
{
    size_t old = transaction->recipient_capacity;
    if (transaction->recipient_count < old)
        return;
    transaction->recipient_capacity = old ? 2 * old : 1;
    transaction->recipients =
        xreallocarray(transaction->recipients, transaction->recipient_capacity, sizeof *transaction->recipients);
    memset(transaction->recipients + old, 0, (transaction->recipient_capacity - old) * sizeof *transaction->recipients);
}

void smtp_transaction_ask_recipient(struct smtp_transaction *transaction, const struct smtp_address *address,
                                    const struct smtp_rcpt_params *params)
{
    struct smtp_session *session = transaction->session;
    grow_recipients(transaction);
    struct smtp_recipient *recipient = &transaction->recipients[transaction->recipient_count];
    free(recipient->orcpt); /* of one that was refused */
    *recipient = (struct smtp_recipient){ .address = *address, .notify = params->notify };
    if (params->orcpt)
        recipient->orcpt = xstrndup(params->orcpt, params->orcpt_len);
    ask(transaction, SMTP_QUESTION_RECIPIENT);
    session->callbacks->on_recipient(transaction, transaction->recipient_count, session->ctx);
}

static void log_refused(const struct smtp_transaction *transaction, enum log_level level, const char *stage,
                        const struct smtp_address *recipient, const struct smtp_reply *reply)
{
    if (!log_enabled(level))
        return;
    char sender[SMTP_ADDRESS_MAX + 2];
    char to[SMTP_ADDRESS_MAX + 2] = "";
    smtp_address_format(&transaction->sender, sender);
    if (recipient)
        smtp_address_format(recipient, to);
    log_event(level, "smtp.refused", "session=%s transaction=%s stage=%s from=%s to=%s code=%d enhanced=%s text=%s",
              transaction->session->id, transaction->id, stage, sender, recipient ? to : "-", reply->code,
              reply->enhanced, reply->text);
}

/* As the owner has decided, who says more of it than is known here. */
static void log_accepted(const struct smtp_transaction *transaction, size_t accepted)
{
    if (!log_enabled(LOG_LEVEL_DEBUG))
        return;
    char sender[SMTP_ADDRESS_MAX + 2];
    smtp_address_format(&transaction->sender, sender);
    log_debug("smtp.accepted", "session=%s transaction=%s from=%s recipients=%zu accepted=%zu size=%lld",
              transaction->session->id, transaction->id, sender, transaction->recipient_count, accepted,
              (long long)transaction->content_size);
}

/* The replies are queued here, in order, since nothing else is asked or replied meanwhile; what follows from the answer
 * waits for the session's next run, so that the transaction does not vanish under the owner's hands. */
static void settle(struct smtp_transaction *transaction, enum smtp_question question, const struct smtp_reply *replies,
                   size_t count, bool is_accepted)
{
    assert(transaction->question == question && transaction->answer == SMTP_ANSWER_AWAITED);
    (void)question;
    struct smtp_session *session = transaction->session;
    for (size_t i = 0; i < count; i++) {
        smtp_session_write(session, &replies[i]);
        if (replies[i].code == 421)
            transaction->is_last = true;
    }
    transaction->answer = is_accepted ? SMTP_ANSWER_ACCEPTED : SMTP_ANSWER_REFUSED;
    if (!session->is_running)
        smtp_session_run_later(session);
}

void smtp_transaction_answer_mail(struct smtp_transaction *transaction, const struct smtp_reply *reply)
{
    bool is_accepted = smtp_reply_is_positive(reply);
    settle(transaction, SMTP_QUESTION_MAIL, reply, 1, is_accepted);
    if (!is_accepted)
        log_refused(transaction, LOG_LEVEL_INFO, "mail", NULL, reply);
}

void smtp_transaction_note_guess(struct smtp_transaction *transaction)
{
    transaction->is_guess = true;
}

/* Of what the owner refuses; how long that reply is to wait. */
static int64_t count_guess(struct smtp_transaction *transaction)
{
    bool is_guess = transaction->is_guess;
    transaction->is_guess = false;
    return is_guess && transaction->session->state != SMTP_SESSION_GONE ? smtp_limits_on_guess(transaction->session)
                                                                        : 0;
}

static void keep_for_later(struct smtp_transaction *transaction, const struct smtp_reply *reply, int64_t ms)
{
    assert(transaction->answer == SMTP_ANSWER_AWAITED);
    transaction->answer = SMTP_ANSWER_LATE;
    transaction->late = xmalloc(sizeof *transaction->late);
    *transaction->late = *reply;
    timer_start(transaction->session->timeout, ms);
}

void smtp_transaction_answer_late(struct smtp_transaction *transaction)
{
    struct smtp_reply *reply = transaction->late;
    transaction->late = NULL;
    transaction->answer = SMTP_ANSWER_AWAITED;
    settle(transaction, transaction->question, reply, 1, false);
    free(reply);
}

void smtp_transaction_answer_recipient(struct smtp_transaction *transaction, size_t index,
                                       const struct smtp_reply *reply)
{
    assert(index == transaction->recipient_count);
    bool is_accepted = smtp_reply_is_positive(reply);
    int64_t wait_ms = count_guess(transaction);
    if (wait_ms > 0)
        keep_for_later(transaction, reply, wait_ms);
    else
        settle(transaction, SMTP_QUESTION_RECIPIENT, reply, 1, is_accepted);
    if (!is_accepted)
        log_refused(transaction, LOG_LEVEL_INFO, "rcpt", &transaction->recipients[index].address, reply);
}

void smtp_transaction_answer_message(struct smtp_transaction *transaction, const struct smtp_reply *replies,
                                     size_t count)
{
    size_t expected = transaction->session->is_lmtp ? transaction->recipient_count : 1;
    assert(count == 1 || count == expected);
    size_t accepted = 0;
    for (size_t i = 0; i < count; i++)
        accepted += smtp_reply_is_positive(&replies[i]);
    /* Who has sent a whole message has waited for it: the reply comes at once. */
    if (count_guess(transaction) > 0)
        smtp_limits_delay_ended(transaction->session);
    settle(transaction, SMTP_QUESTION_MESSAGE, replies, count, accepted > 0);
    if (count == 1 && accepted > 0)
        accepted = transaction->recipient_count;
    for (size_t i = count; i < expected; i++) /* one answer for all alike */
        smtp_session_write(transaction->session, &replies[0]);
    if (accepted > 0)
        log_accepted(transaction, accepted);
    else
        log_refused(transaction, LOG_LEVEL_DEBUG, "message", NULL, &replies[0]);
}

bool smtp_transaction_apply_answer(struct smtp_transaction *transaction)
{
    struct smtp_session *session = transaction->session;
    bool is_accepted = transaction->answer == SMTP_ANSWER_ACCEPTED;
    bool goes_on = !transaction->is_last;
    smtp_limits_owner_answered(session);
    bool is_over =
        transaction->question == SMTP_QUESTION_MESSAGE || (transaction->question == SMTP_QUESTION_MAIL && !is_accepted);
    if (is_over) {
        if (transaction->question == SMTP_QUESTION_MESSAGE)
            smtp_limits_message_ended(session, is_accepted);
        smtp_session_set_state(session, SMTP_SESSION_READY);
        smtp_transaction_abandon(session);
        return goes_on;
    }
    if (transaction->question == SMTP_QUESTION_RECIPIENT) {
        const char *orcpt = transaction->recipients[transaction->recipient_count].orcpt;
        transaction->orcpt_size += is_accepted && orcpt ? strlen(orcpt) : 0;
        transaction->recipient_count += is_accepted;
        if (is_accepted)
            smtp_limits_recipient_accepted(session);
        transaction->refused_count += !is_accepted;
    }
    transaction->question = SMTP_QUESTION_NONE;
    smtp_session_set_state(session, SMTP_SESSION_ENVELOPE);
    return goes_on;
}

/* --- content --- */

/* Nothing is replied yet: in the middle of the content, a reply would leave the rest to be parsed as commands. */
void smtp_transaction_give_up_content(struct smtp_transaction *transaction, enum smtp_content_fault fault)
{
    transaction->fault = fault;
    spool_free(&transaction->content);
    count_spooled(transaction, -transaction->spooled);
}

void smtp_transaction_open_content(struct smtp_transaction *transaction)
{
    smtp_data_decoder_init(&transaction->decoder);
    smtp_content_check_init(&transaction->check, transaction->params.body == SMTP_BODY_BINARYMIME);
    transaction->content = spool_new(transaction->session->listener->settings.spool_dir, SPOOL_MEMORY_DEFAULT);
    if (smtp_transaction_add_received(transaction) != 1)
        smtp_transaction_give_up_content(transaction, SMTP_CONTENT_SPOOL_FAILED);
}

static bool is_too_large(const struct smtp_transaction *transaction, int64_t more)
{
    int64_t max = transaction->session->listener->settings.message_max;
    return transaction->content_size > (max > 0 ? max : INT64_MAX) - more;
}

void smtp_transaction_expect_content(struct smtp_transaction *transaction, int64_t len)
{
    if (transaction->fault == SMTP_CONTENT_GOOD && is_too_large(transaction, len))
        smtp_transaction_give_up_content(transaction, SMTP_CONTENT_TOO_LARGE);
}

static void check_content(struct smtp_transaction *transaction, const uint8_t *data, size_t len)
{
    smtp_content_check_feed(&transaction->check, data, len);
    if (transaction->check.defects && transaction->fault == SMTP_CONTENT_GOOD)
        smtp_transaction_give_up_content(transaction, SMTP_CONTENT_DEFECTIVE);
}

void smtp_transaction_add_content(struct smtp_transaction *transaction, const uint8_t *data, size_t len)
{
    const struct smtp_listener *listener = transaction->session->listener;
    int64_t spool_max = listener->settings.spool_max;
    if (transaction->fault == SMTP_CONTENT_GOOD && is_too_large(transaction, (int64_t)len))
        smtp_transaction_give_up_content(transaction, SMTP_CONTENT_TOO_LARGE);
    if (transaction->fault == SMTP_CONTENT_GOOD || transaction->fault == SMTP_CONTENT_DEFECTIVE)
        check_content(transaction, data, len); /* all defects are going to be named */
    if (transaction->fault != SMTP_CONTENT_GOOD)
        return;
    transaction->content_size += (int64_t)len;
    if ((spool_max > 0 && listener->spooled + (int64_t)len > spool_max) ||
        !smtp_limits_has_room_for_content(transaction->session))
        smtp_transaction_give_up_content(transaction, SMTP_CONTENT_NO_ROOM);
    else if (spool_add(transaction->content, data, len) != 1)
        smtp_transaction_give_up_content(transaction, SMTP_CONTENT_SPOOL_FAILED);
    else
        count_spooled(transaction, (int64_t)len);
}

struct smtp_reply smtp_transaction_content_refusal(const struct smtp_transaction *transaction)
{
    static const struct {
        int code;
        const char *enhanced, *text;
    } refusals[] = {
        [SMTP_CONTENT_NO_ROOM] = { 452, "4.3.1", "Too much mail is coming in at once, try again later" },
        [SMTP_CONTENT_SPOOL_FAILED] = { 452, "4.3.1", "Cannot store the message, try again later" },
        [SMTP_CONTENT_INCOMPLETE] = { 503, "5.5.1", "A chunk was refused before: say RSET" },
    };
    unsigned defects = transaction->check.defects;
    if (transaction->fault == SMTP_CONTENT_TOO_LARGE)
        return smtp_reply_make(552, "5.3.4", "Message is larger than %lld octets",
                               (long long)transaction->session->listener->settings.message_max);
    if (transaction->fault == SMTP_CONTENT_DEFECTIVE)
        return smtp_reply_make(
            554, "5.6.0", "Message content has%s%s%s: not accepted", defects & SMTP_DEFECT_BARE_LF ? " bare LF" : "",
            defects & SMTP_DEFECT_BARE_CR ? " bare CR" : "", defects & SMTP_DEFECT_NUL ? " NUL" : "");
    if (transaction->fault == SMTP_CONTENT_GOOD)
        return (struct smtp_reply){ .code = 0 };
    return smtp_reply_make(refusals[transaction->fault].code, refusals[transaction->fault].enhanced, "%s",
                           refusals[transaction->fault].text);
}

void smtp_transaction_close_content(struct smtp_transaction *transaction)
{
    struct smtp_session *session = transaction->session;
    smtp_content_check_finish(&transaction->check);
    if (transaction->check.defects && transaction->fault == SMTP_CONTENT_GOOD)
        smtp_transaction_give_up_content(transaction, SMTP_CONTENT_DEFECTIVE);
    if (transaction->fault == SMTP_CONTENT_GOOD) {
        ask(transaction, SMTP_QUESTION_MESSAGE);
        session->callbacks->on_message(transaction, session->ctx);
        return;
    }
    struct smtp_reply reply = smtp_transaction_content_refusal(transaction);
    smtp_limits_message_ended(session, false);
    size_t count = session->is_lmtp ? transaction->recipient_count : 1;
    for (size_t i = 0; i < count; i++)
        smtp_session_write(session, &reply);
    smtp_session_note_refusal(session, &reply);
    log_refused(transaction, LOG_LEVEL_INFO, "content", NULL, &reply);
    smtp_session_set_state(session, SMTP_SESSION_READY);
    smtp_transaction_abandon(session);
}

/* --- facts --- */

const struct smtp_session_facts *smtp_transaction_session(const struct smtp_transaction *transaction)
{
    return &transaction->session->facts;
}

const char *smtp_transaction_id(const struct smtp_transaction *transaction)
{
    return transaction->id;
}

const struct smtp_address *smtp_transaction_sender(const struct smtp_transaction *transaction)
{
    return &transaction->sender;
}

size_t smtp_transaction_recipient_count(const struct smtp_transaction *transaction)
{
    return transaction->recipient_count;
}

static const struct smtp_recipient *get_recipient(const struct smtp_transaction *transaction, size_t index)
{
    bool is_asked = transaction->question == SMTP_QUESTION_RECIPIENT;
    assert(index < transaction->recipient_count + is_asked);
    (void)is_asked;
    return &transaction->recipients[index];
}

const struct smtp_address *smtp_transaction_recipient(const struct smtp_transaction *transaction, size_t index)
{
    return &get_recipient(transaction, index)->address;
}

unsigned smtp_transaction_notify(const struct smtp_transaction *transaction, size_t index)
{
    return get_recipient(transaction, index)->notify;
}

const char *smtp_transaction_orcpt(const struct smtp_transaction *transaction, size_t index)
{
    return get_recipient(transaction, index)->orcpt;
}

int64_t smtp_transaction_declared_size(const struct smtp_transaction *transaction)
{
    return transaction->params.size;
}

bool smtp_transaction_is_smtputf8(const struct smtp_transaction *transaction)
{
    return transaction->params.is_smtputf8;
}

enum smtp_body smtp_transaction_body(const struct smtp_transaction *transaction)
{
    return transaction->params.body;
}

enum smtp_dsn_ret smtp_transaction_ret(const struct smtp_transaction *transaction)
{
    return transaction->params.ret;
}

const char *smtp_transaction_envid(const struct smtp_transaction *transaction)
{
    return transaction->params.envid;
}

bool smtp_transaction_is_lmtp(const struct smtp_transaction *transaction)
{
    return transaction->session->is_lmtp;
}

struct spool *smtp_transaction_content(const struct smtp_transaction *transaction)
{
    return transaction->question == SMTP_QUESTION_MESSAGE ? transaction->content : NULL;
}

size_t smtp_transaction_received_size(const struct smtp_transaction *transaction)
{
    return transaction->received_size;
}

struct spool *smtp_transaction_take_content(struct smtp_transaction *transaction)
{
    struct spool *content = smtp_transaction_content(transaction);
    if (content)
        transaction->content = NULL;
    return content;
}

void smtp_transaction_set_data(struct smtp_transaction *transaction, void *data)
{
    transaction->data = data;
}

void *smtp_transaction_data(const struct smtp_transaction *transaction)
{
    return transaction->data;
}
