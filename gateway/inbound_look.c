/* inbound_look.c - what files a mail carries, and whether its mappings let them in; see inbound_internal.h
 *
 * Only a convert worker can tell what a mail carries: what is attached, what stands inside a winmail.dat, which picture is
 * part of a page. So a mail for whose files somebody must be asked is converted before it is answered (and, when it was taken,
 * once more when it is posted). The workers have more to do: LOOKS_MAX mails are looked at a time, and the others wait,
 * in the order in which they came; one that waits for too long is answered 451. So a flood of such mail holds up itself, and a
 * sender's server never waits longer than senders do (RFC 5321 section 4.5.3.2.6: 10 minutes).
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/spool.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/attachment_look.h"
#include "gateway/config.h"
#include "gateway/inbound_internal.h"
#include "gateway/parts.h"
#include "mapping/convert.h"

enum {
    LOOKS_MAX = 8, /* what is left of the workers' queue when poster, relay and returns have taken their most */
    LOOK_TIMEOUT_MS = 4 * 60 * 1000,
};
static const int64_t looks_budget = INT64_C(256) << 20; /* of the mails' sizes: their converted forms lie on disk */

/* One mail, from the end of its data to its verdicts. */
struct look {
    struct inbound *inbound;
    struct look *next;     /* in the order in which they came */
    struct mail *mail;     /* NULL: it was answered, only the worker is waited for */
    struct timer *timeout; /* NULL likewise */
    int64_t size;
    enum look_state {
        LOOK_WAITING,
        LOOK_UNDER_WAY, /* with the workers */
    } state;
};

static void set_state(struct look *look, enum look_state state)
{
    look->state = state;
}

static void look_free(struct look *look)
{
    struct look **at = &look->inbound->looks;
    while (*at != look)
        at = &(*at)->next;
    *at = look->next;
    timer_free(&look->timeout);
    free(look);
}

/* ---- verdicts ---- */

static struct policy_verdict apply(const struct attachment_ruling *ruling, const struct mail *mail,
                                   const char *recipient)
{
    const struct policy_attachment_facts facts = { .from = mail->from,
                                                   .recipient = recipient,
                                                   .allowed = ruling->allowed,
                                                   .look = ruling->look,
                                                   .refused = ruling->refused.name ? &ruling->refused : NULL };
    return policy_judge_attachments(&facts);
}

/* A mail can have a thousand recipients and as many files, but few rules. */
static const struct attachment_ruling *find_ruling(const char *allowed, const struct attachment_look *found,
                                                   struct attachment_ruling *rulings, size_t *count)
{
    for (size_t i = 0; i < *count; i++)
        if (strcmp(rulings[i].allowed, allowed) == 0)
            return &rulings[i];
    rulings[*count] = attachment_look_rule(found, allowed);
    return &rulings[(*count)++];
}

static void judge_recipients(struct mail *mail, const struct attachment_look *found)
{
    size_t count = 0;
    struct attachment_ruling *rulings = xcalloc(mail->count, sizeof *rulings);
    for (size_t i = 0; i < mail->count; i++) {
        struct mail_recipient *recipient = &mail->recipients[i];
        if (!recipient->attachments || recipient->verdict.decision != POLICY_ACCEPT)
            continue;
        const struct attachment_ruling *ruling = find_ruling(recipient->attachments, found, rulings, &count);
        struct policy_verdict verdict = apply(ruling, mail, recipient->address);
        if (verdict.decision == POLICY_ACCEPT) {
            recipient->files_story = xstrdup(ruling->story);
        } else {
            recipient->verdict = verdict;
            recipient->is_about_files = true;
        }
    }
    for (size_t i = 0; i < count; i++)
        attachment_ruling_free(&rulings[i]);
    free(rulings);
}

/* What came to a return address may still be a report, which needs no mapping. */
static void judge_answer(struct mail *mail, const struct attachment_look *found)
{
    struct mail_recipient *returned = &mail->recipients[0];
    struct attachment_ruling ruling = attachment_look_rule(found, mail->answer_attachments);
    struct policy_verdict verdict = apply(&ruling, mail, returned->address);
    if (verdict.decision == POLICY_DEFER)
        returned->verdict = verdict;
    if (verdict.decision != POLICY_ACCEPT) {
        mail->answer_mapping_id = 0;
        mail->answer_refusal = xstrdup(verdict.reason);
    }
    attachment_ruling_free(&ruling);
}

/* The mail goes on with its verdicts. Has its sender gone meanwhile, it comes again, and is known as a repetition. */
static void conclude(struct look *look, const struct attachment_look *found)
{
    struct mail *mail = look->mail;
    look->mail = NULL;
    timer_free(&look->timeout);
    if (mail->answer_mapping_id && mail->answer_attachments)
        judge_answer(mail, found);
    judge_recipients(mail, found);
    inbound_decide(mail);
}

static void conclude_failed(struct look *look, const char *reason)
{
    const struct attachment_look failed = { .look = POLICY_LOOK_FAILED };
    log_warning("mail.not_looked_at", "session=%s transaction=%s from=%s message_id=%s reason=%s",
                smtp_transaction_session(look->mail->transaction)->session_id,
                smtp_transaction_id(look->mail->transaction), look->mail->from, look->mail->header.message_id, reason);
    conclude(look, &failed);
}

/* ---- looking ---- */

/* It begins with our own Received field, whose id its sender can't have known. */
static bool read_files(const struct convert_in_result *result, const struct mail *mail, struct attachment_look *found)
{
    char start[ATTACHMENT_START_MAX];
    int64_t len = spool_read(mail->content, 0, start, sizeof start);
    return len >= 0 && attachment_look_read(result, spool_size(mail->content), start, (size_t)len, found);
}

static void begin_next(struct inbound *inbound);

static void on_converted(struct convert_in_result *result, void *ctx)
{
    struct look *look = ctx;
    struct inbound *inbound = look->inbound;
    struct attachment_look found = { .look = result->is_doubtful ? POLICY_LOOK_UNREADABLE : POLICY_LOOK_DONE };
    if (look->mail && !result->ok)
        conclude_failed(look, result->error);
    else if (look->mail && !read_files(result, look->mail, &found))
        conclude_failed(look, "its files can't be read");
    else if (look->mail)
        conclude(look, &found);
    attachment_look_free(&found);
    look_free(look);
    begin_next(inbound);
}

static bool begin(struct look *look)
{
    struct mail *mail = look->mail;
    int fd = spool_dup_fd(mail->content);
    if (fd < 0)
        return false;
    const struct parts *parts = look->inbound->parts;
    const struct convert_in_request request = {
        .mail_fd = fd,
        .mail_size = spool_size(mail->content),
        /* as the poster will have it, as far as it is about what is attached */
        .options = { .is_automatic = mail->header.is_generated,
                     .body = (enum convert_body_choice)parts->config->content.body,
                     .history = (enum convert_history_mode)parts->config->content.quote },
    };
    int taken = convert_mail_in(parts->convert, &request, on_converted, look);
    close(fd);
    return taken == 1;
}

/* The first that waits and fits beside those under way. NULL: none. */
static struct look *find_next(const struct inbound *inbound)
{
    unsigned count = 0;
    int64_t sum = 0;
    struct look *next = NULL;
    for (struct look *look = inbound->looks; look; look = look->next) {
        if (look->state == LOOK_UNDER_WAY) {
            count++;
            sum += look->size;
        } else if (!next) {
            next = look;
        }
    }
    return next && count < LOOKS_MAX && (sum == 0 || sum + next->size <= looks_budget) ? next : NULL;
}

static void begin_next(struct inbound *inbound)
{
    struct look *look;
    while ((look = find_next(inbound))) {
        if (begin(look)) {
            set_state(look, LOOK_UNDER_WAY);
            continue;
        }
        conclude_failed(look, "the convert workers are busy");
        look_free(look);
    }
}

static void on_timeout(void *arg)
{
    struct look *look = arg;
    bool is_waiting = look->state == LOOK_WAITING;
    conclude_failed(look, "the convert workers have too much to do");
    if (is_waiting)
        look_free(look); /* else when the worker has answered */
}

bool inbound_look_is_needed(const struct mail *mail)
{
    if (mail->answer_mapping_id && mail->answer_attachments)
        return true;
    for (size_t i = 0; i < mail->count; i++)
        if (mail->recipients[i].attachments && mail->recipients[i].verdict.decision == POLICY_ACCEPT)
            return true;
    return false;
}

void inbound_look_begin(struct mail *mail)
{
    struct inbound *inbound = mail->inbound;
    struct look *look = xcalloc(1, sizeof *look);
    *look = (struct look){ .inbound = inbound, .mail = mail, .size = mail->size };
    look->timeout = timer_new(inbound->parts->loop, on_timeout, look);
    timer_start(look->timeout, LOOK_TIMEOUT_MS);
    struct look **end = &inbound->looks;
    while (*end)
        end = &(*end)->next;
    *end = look;
    begin_next(inbound);
}

void inbound_look_drop_all(struct inbound *inbound)
{
    for (struct look *look = inbound->looks, *next; look; look = next) {
        next = look->next;
        if (look->mail)
            inbound_discard(look->mail);
        look_free(look);
    }
}
