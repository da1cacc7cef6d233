/* inbound_proof.c - our own check of who wrote a mail, where no upstream has said so; see inbound_internal.h
 *
 * Mail is checked only if that decides something: it is judged as if it were proven, and as if it were not, and when both give
 * the same there is nothing to find out. So nobody makes us ask the DNS with mail that nobody here could get.
 *
 * The workers of verify.h do it, while the sender waits for its answer. Those that wait for a worker wait in the order in which
 * they came, but no author's domain and no client has more than SHARE_MAX of the workers: name servers may be slow, and they may be so for a
 * purpose. A mail that has waited for too long is answered 451, as is one that nobody could check. Nothing else is ever concluded from that.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/spool.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/inbound_internal.h"
#include "gateway/parts.h"
#include "gateway/peers.h"
#include "gateway/verify.h"
#include "smtp/sender_auth.h"
#include "smtp/smtp_access.h"
#include "smtp/smtp_origin.h"
#include "smtp/smtp_server.h"

enum {
    SHARE_MAX = VERIFY_WORKERS / 2,
    PROOF_TIMEOUT_MS =
        2 * 60 * 1000, /* of the ten minutes that senders wait (RFC 5321 section 4.5.3.2.6) files may take four more */
};

/* One mail, from the end of its data until it is known who wrote it. */
struct proving {
    struct inbound *inbound;
    struct proving *next;             /* in the order in which they came */
    struct mail *mail;                /* NULL: it was answered, only the worker is waited for */
    struct timer *timeout;            /* NULL likewise */
    char domain[SMTP_DOMAIN_MAX + 1]; /* the author's */
    bool has_client;
    uint8_t client[SMTP_ACCESS_ADDRESS_SIZE]; /* as of smtp_access_read_client() */
    enum proving_state {
        PROVING_WAITING,
        PROVING_UNDER_WAY, /* with a worker */
    } state;
};

static void set_state(struct proving *proving, enum proving_state state)
{
    proving->state = state;
}

static void proving_free(struct proving *proving)
{
    struct proving **at = &proving->inbound->provings;
    while (*at != proving)
        at = &(*at)->next;
    *at = proving->next;
    timer_free(&proving->timeout);
    free(proving);
}

/* ---- is it worth the trouble? ---- */

static const struct config_listener *find_listener(const struct mail *mail)
{
    const struct config *config = mail->inbound->parts->config;
    const char *name = smtp_transaction_session(mail->transaction)->listener;
    for (size_t i = 0; i < config->listener_count; i++)
        if (strcmp(config->listeners[i].name, name) == 0)
            return &config->listeners[i];
    return NULL;
}

static void judge_supposing(struct mail *mail, enum mail_supposed supposed)
{
    inbound_forget_verdicts(mail);
    mail->supposed = supposed;
    inbound_judge(mail);
    mail->supposed = MAIL_SUPPOSED_NOTHING;
}

bool inbound_proof_is_needed(struct mail *mail)
{
    const struct config_listener *listener = find_listener(mail);
    const char *peer = smtp_transaction_session(mail->transaction)->tls_peer;
    if (mail->header.from_state != MAIL_HEADER_FROM_OK || !listener || listener->assume_authenticated ||
        listener->trust_authserv_id || peers_vouch(listener, peer, &mail->header.from)) {
        inbound_judge(mail);
        return false;
    }
    enum policy_decision *decisions = xcalloc(mail->count, sizeof *decisions);
    judge_supposing(mail, MAIL_SUPPOSED_PROVEN);
    int64_t answer_mapping_id = mail->answer_mapping_id;
    bool is_any_let_in = false;
    for (size_t i = 0; i < mail->count; i++) {
        decisions[i] = mail->recipients[i].verdict.decision;
        is_any_let_in = is_any_let_in || decisions[i] == POLICY_ACCEPT || decisions[i] == POLICY_HOLD;
    }
    bool is_needed = false;
    if (is_any_let_in) { /* else what was said of it is true whoever wrote it */
        judge_supposing(mail, MAIL_SUPPOSED_UNPROVEN);
        is_needed = mail->answer_mapping_id != answer_mapping_id;
        for (size_t i = 0; i < mail->count; i++)
            is_needed = is_needed || mail->recipients[i].verdict.decision != decisions[i];
    }
    free(decisions);
    if (!is_any_let_in)
        mail->is_sender_proven = mail->evidence.is_sender_proven = false; /* was only supposed */
    return is_needed;
}

/* ---- checking ---- */

/* The mail goes on. Has its sender gone meanwhile, it comes again, and is known as a repetition. */
static void conclude(struct proving *proving, const struct sender_auth_result *result)
{
    struct mail *mail = proving->mail;
    proving->mail = NULL;
    timer_free(&proving->timeout);
    mail->checked = xcalloc(1, sizeof *mail->checked);
    *mail->checked = *result;
    log_info("mail.checked", "session=%s transaction=%s from=%s message_id=%s results=%s",
             smtp_transaction_session(mail->transaction)->session_id, smtp_transaction_id(mail->transaction),
             mail->from, mail->header.message_id, result->text);
    inbound_forget_verdicts(mail);
    inbound_judge(mail);
    inbound_look(mail);
}

static void conclude_failed(struct proving *proving, const char *reason)
{
    const struct mail *mail = proving->mail;
    struct sender_auth_result unknown = { .dmarc = AUTH_RESULT_TEMPERROR, .dkim = AUTH_RESULT_TEMPERROR };
    snprintf(unknown.story, sizeof unknown.story, "nobody could check who wrote it: %s", reason);
    log_warning("mail.not_checked", "session=%s transaction=%s from=%s message_id=%s reason=%s",
                smtp_transaction_session(mail->transaction)->session_id, smtp_transaction_id(mail->transaction),
                mail->from, mail->header.message_id, reason);
    conclude(proving, &unknown);
}

static void begin_next(struct inbound *inbound);

static void on_checked(const struct sender_auth_result *result, const char *error, void *ctx)
{
    struct proving *proving = ctx;
    struct inbound *inbound = proving->inbound;
    if (proving->mail && result)
        conclude(proving, result);
    else if (proving->mail)
        conclude_failed(proving, error);
    proving_free(proving);
    begin_next(inbound);
}

/* Who has brought it, if a server in front has said so or is none itself; "": nobody knows, as of mail that comes by LMTP. */
static const char *client_of(const struct mail *mail, const struct smtp_session_facts *session)
{
    if (session->origin)
        return session->origin->address;
    return mail->lmtp ? "" : session->client_address;
}

static bool begin(struct proving *proving)
{
    struct mail *mail = proving->mail;
    const struct config *config = mail->inbound->parts->config;
    const struct smtp_session_facts *session = smtp_transaction_session(mail->transaction);
    const char *helo = session->origin && session->origin->helo[0] ? session->origin->helo : session->helo;
    struct sender_auth_request request = {
        .fd = spool_dup_fd(mail->content),
        .offset = (int64_t)mail->received_size,
        .size = mail->size,
        .client = client_of(mail, session),
        .helo = helo ? helo : "",
        .sender = *smtp_transaction_sender(mail->transaction),
        .from_domain = mail->header.from.domain,
        .hostname = config->hostname,
        .sealers = (const char *const *)config->policy.trust_arc_sealers,
        .now = mail->now,
    };
    while (request.sealers && request.sealers[request.sealer_count])
        request.sealer_count++;
    struct verify *verify = mail->inbound->parts->verify;
    if (request.fd < 0)
        return false;
    int taken = !verify ? 0 : verify_mail(verify, &request, on_checked, proving);
    close(request.fd);
    return taken == 1;
}

/* Do these two share what only so many may have at a time? */
static bool are_alike(const struct proving *a, const struct proving *b)
{
    return strcasecmp(a->domain, b->domain) == 0 ||
           (a->has_client && b->has_client && memcmp(a->client, b->client, sizeof a->client) == 0);
}

/* The first that waits and whose likes have not enough of the workers. NULL: none. */
static struct proving *find_next(const struct inbound *inbound)
{
    unsigned busy = 0;
    for (const struct proving *proving = inbound->provings; proving; proving = proving->next)
        busy += proving->state == PROVING_UNDER_WAY;
    if (busy >= VERIFY_WORKERS)
        return NULL;
    for (struct proving *next = inbound->provings; next; next = next->next) {
        unsigned same = 0;
        if (next->state != PROVING_WAITING)
            continue;
        for (const struct proving *other = inbound->provings; other && same < SHARE_MAX; other = other->next)
            same += other->state == PROVING_UNDER_WAY && are_alike(other, next);
        if (same < SHARE_MAX)
            return next;
    }
    return NULL;
}

static void begin_next(struct inbound *inbound)
{
    struct proving *proving;
    while ((proving = find_next(inbound))) {
        if (begin(proving)) {
            set_state(proving, PROVING_UNDER_WAY);
            continue;
        }
        conclude_failed(proving, "the verify workers can't take it");
        proving_free(proving);
    }
}

static void on_timeout(void *arg)
{
    struct proving *proving = arg;
    bool is_waiting = proving->state == PROVING_WAITING;
    conclude_failed(proving, "the verify workers have too much to do");
    if (is_waiting)
        proving_free(proving); /* else when the worker has answered */
}

void inbound_proof_begin(struct mail *mail)
{
    struct inbound *inbound = mail->inbound;
    struct proving *proving = xcalloc(1, sizeof *proving);
    *proving = (struct proving){ .inbound = inbound, .mail = mail };
    memcpy(proving->domain, mail->header.from.domain, sizeof proving->domain);
    proving->has_client =
        smtp_access_read_client(client_of(mail, smtp_transaction_session(mail->transaction)), proving->client);
    proving->timeout = timer_new(inbound->parts->loop, on_timeout, proving);
    timer_start(proving->timeout, PROOF_TIMEOUT_MS);
    struct proving **end = &inbound->provings;
    while (*end)
        end = &(*end)->next;
    *end = proving;
    begin_next(inbound);
}

void inbound_proof_drop_all(struct inbound *inbound)
{
    for (struct proving *proving = inbound->provings, *next; proving; proving = next) {
        next = proving->next;
        if (proving->mail)
            inbound_discard(proving->mail);
        proving_free(proving);
    }
}
