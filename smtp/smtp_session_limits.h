/* smtp_session_limits.h - what a session may ask of us, how long it may take, and what it holds
 *
 * Private to smtp/. The session and its commands ask here before they do something; the values are the listener's
 * settings. Limits per client, on what a session does without bringing mail, and on its messages are not for clients
 * that are exempt (smtp_admission.h).
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "smtp/smtp_admission.h"
#include "smtp/smtp_reply.h"

struct smtp_session;

/* A session's part of this; all zero at first. */
struct smtp_session_use {
    struct smtp_visit visit;
    unsigned fruitless;     /* commands since a recipient, a piece of content or a message was accepted */
    unsigned messages;      /* MAIL commands */
    int64_t no_mail_since;  /* monotonic ms: it came, or the last message ended; the owner's time is not counted */
    int64_t asked_since;    /* monotonic ms: the owner's last question began */
    int64_t content_since;  /* monotonic ms: the content began */
    int64_t content_octets; /* as received, of the present message */
    int64_t held;           /* what the budget knows of */
    bool has_guessed;
    bool is_delayed; /* a reply waits for it */
    bool is_sent_away;
};

/* Each counts, and replies with code 0 if it is fine. After 421 the session is to be closed. */
struct smtp_reply smtp_limits_on_command(struct smtp_session *session) __attribute__((warn_unused_result));
struct smtp_reply smtp_limits_on_mail(struct smtp_session *session) __attribute__((warn_unused_result));
struct smtp_reply smtp_limits_on_recipient(struct smtp_session *session) __attribute__((warn_unused_result));
struct smtp_reply smtp_limits_on_content(struct smtp_session *session) __attribute__((warn_unused_result));
bool smtp_limits_has_room_for_content(const struct smtp_session *session); /* memory for some more of it */
/* MAIL commands that a session may give, 0: any number (RFC 9422 section 4.1). */
unsigned smtp_limits_messages_max(const struct smtp_session *session);

void smtp_limits_recipient_accepted(struct smtp_session *session);
void smtp_limits_chunk_taken(struct smtp_session *session, int64_t size);
void smtp_limits_message_ended(struct smtp_session *session, bool is_accepted);
/* What the owner refuses was a guess. How long the reply is to wait, in ms; 0: not at all. Then, or when nobody waits any more: */
int64_t smtp_limits_on_guess(struct smtp_session *session) __attribute__((warn_unused_result));
void smtp_limits_delay_ended(struct smtp_session *session);
void smtp_limits_owner_asked(struct smtp_session *session);
void smtp_limits_owner_answered(struct smtp_session *session);
void smtp_limits_content_begins(struct smtp_session *session);
/* How long the content may still take: a grace period, and more the more has come, up to max_ms. */
int64_t smtp_limits_content_ms(const struct smtp_session *session, int64_t max_ms);
/* How long the client has to be silent before the greeting. */
int64_t smtp_limits_greet_delay(const struct smtp_session *session);

/* Tells the budget what the session holds now; once it is gone for good, that it holds nothing. */
void smtp_limits_account(struct smtp_session *session);
void smtp_limits_release(struct smtp_session *session);
