/* relay_envelope.c - who a message is for, whether they may still be written to, and in whose name it goes */
#include "gateway/relay_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/destinations.h"
#include "gateway/pair.h"
#include "gateway/parts.h"
#include "gateway/queue.h"
#include "gateway/signed_id.h"
#include "mapping/store.h"

/* A report has none, and nobody is told of its fate. */
bool relay_has_author(const struct relay_job *job)
{
    return job->row.kind != STORE_OUTBOUND_REPORT;
}

bool relay_is_invitation(const struct relay_job *job)
{
    return job->row.kind == STORE_OUTBOUND_INVITATION;
}

void relay_find_waiting(struct relay_job *job)
{
    job->waiting = xcalloc(job->row.recipient_count + 1, sizeof *job->waiting);
    job->results = xcalloc(job->row.recipient_count + 1, sizeof *job->results);
    for (size_t i = 0; i < job->row.recipient_count; i++)
        if (job->row.recipients[i].state == STORE_RECIPIENT_WAITING)
            job->waiting[job->waiting_count++] = i;
}

static const char *unauthorised_words(const struct relay_job *job)
{
    return relay_is_invitation(job) ? "they are no longer authorised to write"
                                    : "you are no longer authorised to write to this address";
}

/* May the author still write to this recipient? An administrator may have changed their mind since the message was
 * taken. A suspended mapping may be resumed: that waits. Of an invitation: may the recipient still write to its author? */
static struct smtp_recipient_result check_mapping(const struct relay_job *job,
                                                  const struct store_outbound_recipient *recipient)
{
    const struct parts *parts = job->relay->parts;
    struct smtp_recipient_result result = { .outcome = SMTP_OUTCOME_DELIVERED, .stage = SMTP_STAGE_RCPT };
    struct pair pair;
    struct policy_answer answer;
    if (!relay_has_author(job))
        return result;
    struct store_target target = { .member_id = job->row.member_id };
    if (recipient->group_id)
        target = (struct store_target){ .group_id = recipient->group_id };
    pair_find(store_reader(parts->store), recipient->address, target, &pair);
    pair.facts.is_queued = !relay_is_invitation(job);
    pair.facts.now = pair.facts.is_queued ? job->row.received_at : clock_wall_ms(parts->clock);
    pair.facts.local_case = parts->config->policy.local_parts;
    if (policy_allows(&pair.facts, relay_is_invitation(job) ? STORE_DIRECTION_IN : STORE_DIRECTION_OUT, &answer)) {
        result.outcome = SMTP_OUTCOME_DELIVERED;
    } else if (answer.may_change) {
        result.outcome = SMTP_OUTCOME_TEMPORARY;
        result.reply = smtp_reply_make(451, "4.7.1", "%s", answer.reason);
    } else {
        result.outcome = SMTP_OUTCOME_PERMANENT;
        result.reply = smtp_reply_make(550, "5.7.1", "%s (%s)", unauthorised_words(job), answer.reason);
    }
    pair_free(&pair);
    return result;
}

/* Decides about those who may not be written to now, without asking the relay. How many are left for it? */
size_t relay_decide_unauthorised(struct relay_job *job)
{
    size_t left = 0;
    for (size_t i = 0; i < job->waiting_count; i++) {
        struct smtp_recipient_result result = check_mapping(job, &job->row.recipients[job->waiting[i]]);
        if (result.outcome == SMTP_OUTCOME_DELIVERED) {
            left++;
            continue;
        }
        relay_set_result(job, i, &result,
                         result.outcome == SMTP_OUTCOME_PERMANENT ? unauthorised_words(job)
                         : relay_is_invitation(job)               ? "whether they may write is suspended"
                                                    : "whether you may write to this address is suspended");
    }
    return left;
}

/* Of a report: the null path. Else an address of ours that what comes back is known by: until an attempt could be the last, and
 * as long after it as reports are taken. place: of the only recipient, from 1; 0: there are several. */
static void find_sender(struct relay_job *job, unsigned place)
{
    const struct parts *parts = job->relay->parts;
    if (!relay_has_author(job))
        return;
    int64_t now = clock_wall_ms(parts->clock), last = job->row.received_at + parts->config->retry.give_up_ms;
    struct signed_return about = {
        .outbound_id = job->row.id,
        .queued_at = job->row.received_at,
        .place = place,
        .expires_at = (last > now ? last : now) + parts->config->retry.reports_ms,
    };
    signed_id_make_return(parts->ids, &about, &job->sender);
}

const char *relay_domain_of(const struct relay_job *job, size_t index)
{
    const char *at = strrchr(job->row.recipients[job->waiting[index]].address, '@');
    return at ? at + 1 : "";
}

/* Recipients of one domain mostly stand together; of one that is asked about twice the rest waits for the next time. */
size_t relay_decide_aside(struct relay_job *job)
{
    const char *last_domain = NULL, *words = NULL;
    bool is_aside = false;
    size_t left = 0;
    for (size_t i = 0; i < job->waiting_count; i++) {
        const char *domain = relay_domain_of(job, i);
        if (job->results[i].decided)
            continue;
        if (!last_domain || strcmp(domain, last_domain) != 0)
            is_aside = destinations_is_aside(job->relay->destinations, domain, &words);
        last_domain = domain;
        left += !is_aside;
        if (!is_aside)
            continue;
        struct smtp_recipient_result result = { .outcome = SMTP_OUTCOME_TEMPORARY, .stage = SMTP_STAGE_RCPT };
        result.reply = smtp_reply_make(451, "4.4.1", "%s has not answered in time lately: %s", domain, words);
        relay_set_result(job, i, &result, NULL);
    }
    return left;
}

/* What is asked of the relay: word of what fails and what is late, and of what arrives if the author wants it. Of a report
 * nobody is told anything (RFC 3464 section 2). */
static unsigned find_notify(const struct relay_job *job)
{
    if (!relay_has_author(job))
        return SMTP_DSN_NOTIFY_NEVER;
    return SMTP_DSN_NOTIFY_FAILURE | SMTP_DSN_NOTIFY_DELAY | (job->row.wants_reports ? SMTP_DSN_NOTIFY_SUCCESS : 0);
}

/* NULL: too long for it. */
static char *make_orcpt(const struct smtp_address *address)
{
    char text[SMTP_ORCPT_MAX + 1];
    return smtp_client_format_orcpt(address, text) ? xstrdup(text) : NULL;
}

int relay_envelope_fill(struct relay_job *job, struct relay_envelope *envelope, struct smtp_client_message *message)
{
    size_t count = 0;
    unsigned place = 0;
    *envelope = (struct relay_envelope){ .recipients = xcalloc(job->waiting_count, sizeof *envelope->recipients),
                                         .orcpts = xcalloc(job->waiting_count, sizeof(char *)),
                                         .count = job->waiting_count };
    for (size_t i = 0; i < job->waiting_count; i++) {
        const char *address = job->row.recipients[job->waiting[i]].address;
        struct smtp_client_recipient *recipient = &envelope->recipients[count];
        if (job->results[i].decided)
            continue;
        if (smtp_address_parse(address, strlen(address), &recipient->address) != 1)
            return -1;
        recipient->notify = find_notify(job);
        if (relay_has_author(job))
            recipient->orcpt = envelope->orcpts[count] = make_orcpt(&recipient->address);
        place = (unsigned)job->waiting[i] + 1;
        count++;
    }
    queue_id_format(STORE_QUEUE_OUT, job->row.id, envelope->envid);
    *message = (struct smtp_client_message){
        .recipients = envelope->recipients,
        .recipient_count = count,
        .envid = relay_has_author(job) ? envelope->envid : NULL,
        .ret = relay_has_author(job) ? SMTP_DSN_RET_HDRS : SMTP_DSN_RET_NONE,
        .prefix = job->row.signature,
        .content_fd = job->mail_fd,
        .content_size = job->mail_size,
        .is_8bit = job->is_8bit,
        .is_smtputf8 = job->is_smtputf8,
    };
    find_sender(job, count == 1 ? place : 0);
    message->sender = job->sender;
    return 1;
}

void relay_envelope_clear(struct relay_envelope *envelope)
{
    for (size_t i = 0; i < envelope->count; i++)
        free(envelope->orcpts[i]);
    free(envelope->orcpts);
    free(envelope->recipients);
}
