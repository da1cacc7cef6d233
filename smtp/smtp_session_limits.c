#include "smtp/smtp_session_limits.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/spool.h"
#include "base/stream.h"
#include "smtp/smtp_budget.h"
#include "smtp/smtp_cmd.h"
#include "smtp/smtp_guessing.h"
#include "smtp/smtp_listener_internal.h"
#include "smtp/smtp_session.h"

enum {
    /* What can't be counted: the session with its stream and timers, and what OpenSSL keeps for a connection. */
    SESSION_COST = 4 * 1024,
    TLS_COST = 32 * 1024,
    NO_MAIL_MS = 60 * 60 * 1000,
    CONTENT_GRACE_MS = 10 * 60 * 1000,
    CONTENT_RATE = 500, /* octets per second: what Postfix asks for under stress */
};

static int64_t now_ms(const struct smtp_session *session)
{
    return clock_monotonic_ms(loop_clock(session->loop));
}

static const struct smtp_reply fine = { .code = 0 };

static struct smtp_reply too_much_at_once(void)
{
    return smtp_reply_make(452, "4.3.1", "Too much mail is coming in at once, try again later");
}

/* A mail server in front is one client for everybody behind it, unless it says whose word it is. XFORWARD tells of a message
 * in its queue, whose next connection it would be to be turned away. */
static bool may_guess(const struct smtp_session *session)
{
    const struct smtp_listener_settings *settings = &session->listener->settings;
    bool is_upstream = settings->is_upstream || smtp_cmd_takes_xforward(session);
    return settings->guessing && !session->use.visit.is_exempt && (!is_upstream || session->teller);
}

/* Others of its network, who were here before, are not. */
static bool is_sent_away(const struct smtp_session *session)
{
    if (session->use.is_sent_away)
        return true;
    return session->use.has_guessed && may_guess(session) &&
           smtp_guessing_is_paused(session->listener->settings.guessing, session->client_address);
}

/* --- what may be asked --- */

struct smtp_reply smtp_limits_on_command(struct smtp_session *session)
{
    const struct smtp_listener_settings *settings = &session->listener->settings;
    struct smtp_session_use *use = &session->use;
    if (use->visit.is_exempt)
        return fine;
    if (is_sent_away(session))
        return smtp_guessing_refusal();
    use->fruitless++;
    /* What follows a refused MAIL in the same packet is no more than its recipients. */
    if (settings->junk_commands_max > 0 && use->fruitless > settings->junk_commands_max + settings->recipients_max) {
        log_info("smtp.junk", "session=%s peer=%s client=%s commands=%u", session->id, session->peer, session->client,
                 use->fruitless);
        return smtp_reply_make(421, "4.7.0", "Too many commands that bring no mail");
    }
    bool is_in_content = session->state == SMTP_SESSION_CHUNKED; /* which has a time of its own */
    if (!is_in_content && now_ms(session) - use->no_mail_since > NO_MAIL_MS)
        return smtp_reply_make(421, "4.4.2", "No mail for too long, closing");
    return fine;
}

unsigned smtp_limits_messages_max(const struct smtp_session *session)
{
    return session->use.visit.is_exempt ? 0 : session->listener->settings.messages_max;
}

static bool has_room(const struct smtp_session *session, enum smtp_budget_use use)
{
    const struct smtp_budget *budget = session->listener->settings.budget;
    return !budget || smtp_budget_has_room(budget, use);
}

struct smtp_reply smtp_limits_on_mail(struct smtp_session *session)
{
    struct smtp_session_use *use = &session->use;
    unsigned max = smtp_limits_messages_max(session);
    if (max > 0 && use->messages >= max)
        return smtp_reply_make(421, "4.7.0", "Too many messages in this session, come again");
    use->messages++;
    if (!has_room(session, SMTP_BUDGET_MESSAGE))
        return too_much_at_once();
    if (!smtp_admission_allows(session->listener->admission, &use->visit, SMTP_RATE_MESSAGES))
        return smtp_reply_make(450, "4.7.1", "Too many messages from you in a minute, try again later");
    return fine;
}

struct smtp_reply smtp_limits_on_recipient(struct smtp_session *session)
{
    if (!has_room(session, SMTP_BUDGET_MESSAGE))
        return too_much_at_once();
    if (!smtp_admission_allows(session->listener->admission, &session->use.visit, SMTP_RATE_RECIPIENTS))
        return smtp_reply_make(450, "4.7.1", "Too many recipients from you in a minute, try again later");
    return fine;
}

struct smtp_reply smtp_limits_on_content(struct smtp_session *session)
{
    return has_room(session, SMTP_BUDGET_MESSAGE) ? fine : too_much_at_once();
}

bool smtp_limits_has_room_for_content(const struct smtp_session *session)
{
    /* Beyond that it goes on in a file. */
    return session->transaction->spooled >= SPOOL_MEMORY_DEFAULT || has_room(session, SMTP_BUDGET_CONTENT);
}

/* --- what was done --- */

void smtp_limits_recipient_accepted(struct smtp_session *session)
{
    session->use.fruitless = 0;
}

void smtp_limits_chunk_taken(struct smtp_session *session, int64_t size)
{
    if (size > 0)
        session->use.fruitless = 0;
}

void smtp_limits_message_ended(struct smtp_session *session, bool is_accepted)
{
    session->use.no_mail_since = now_ms(session);
    if (is_accepted)
        session->use.fruitless = 0;
}

int64_t smtp_limits_on_guess(struct smtp_session *session)
{
    struct smtp_session_use *use = &session->use;
    if (!session->listener || !may_guess(session))
        return 0;
    int64_t ms = smtp_guessing_count(session->listener->settings.guessing, session->client_address);
    use->has_guessed = true;
    use->is_delayed = ms > 0;
    use->is_sent_away = ms == SMTP_GUESS_LAST;
    return ms > 0 ? ms : 0;
}

void smtp_limits_delay_ended(struct smtp_session *session)
{
    if (session->use.is_delayed && session->listener)
        smtp_guessing_end_delay(session->listener->settings.guessing);
    session->use.is_delayed = false;
}

void smtp_limits_owner_asked(struct smtp_session *session)
{
    session->use.asked_since = now_ms(session);
}

void smtp_limits_owner_answered(struct smtp_session *session)
{
    session->use.no_mail_since += now_ms(session) - session->use.asked_since;
}

void smtp_limits_content_begins(struct smtp_session *session)
{
    session->use.content_since = now_ms(session);
    session->use.content_octets = 0;
}

int64_t smtp_limits_content_ms(const struct smtp_session *session, int64_t max_ms)
{
    int64_t end =
        session->use.content_since + CONTENT_GRACE_MS + session->use.content_octets / CONTENT_RATE * (int64_t)1000;
    int64_t left = end - now_ms(session);
    if (left < 0)
        left = 0;
    return left < max_ms ? left : max_ms;
}

int64_t smtp_limits_greet_delay(const struct smtp_session *session)
{
    bool is_for_it = !session->is_lmtp && !session->use.visit.is_exempt && !smtp_session_is_tls(session);
    return is_for_it ? session->listener->settings.greet_delay_ms : 0;
}

/* --- what is held --- */

static int64_t held_by_transaction(const struct smtp_transaction *transaction)
{
    int64_t in_memory = transaction->spooled < SPOOL_MEMORY_DEFAULT ? transaction->spooled : SPOOL_MEMORY_DEFAULT;
    return (int64_t)sizeof *transaction +
           (int64_t)(transaction->recipient_capacity * sizeof *transaction->recipients + transaction->orcpt_size) +
           in_memory;
}

static void hold(struct smtp_session *session, int64_t bytes)
{
    struct smtp_budget *budget = session->listener ? session->listener->settings.budget : NULL;
    if (budget && bytes != session->use.held)
        smtp_budget_change(budget, bytes - session->use.held);
    session->use.held = bytes;
}

void smtp_limits_account(struct smtp_session *session)
{
    int64_t bytes = SESSION_COST + (int64_t)session->out.len;
    if (session->stream)
        bytes += (int64_t)(stream_input_size(session->stream) + stream_pending_output(session->stream));
    if (smtp_session_is_tls(session) || session->state == SMTP_SESSION_HANDSHAKE)
        bytes += TLS_COST;
    if (session->transaction)
        bytes += held_by_transaction(session->transaction);
    hold(session, bytes);
}

void smtp_limits_release(struct smtp_session *session)
{
    hold(session, 0);
}
