/* relay_envelope.c - who a message is for, whether they may still be written to, and in whose name it goes */
#include "gateway/relay_internal.h"

#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/parts.h"
#include "gateway/policy.h"
#include "gateway/relay_mail.h"
#include "mapping/store.h"
#include "mapping/store_mapping.h"

/* A report has none, and nobody is told of its fate. */
bool relay_has_author(const struct relay_job *job)
{
    return job->row.kind != STORE_OUTBOUND_REPORT;
}

void relay_find_waiting(struct relay_job *job)
{
    job->waiting = xcalloc(job->row.recipient_count + 1, sizeof *job->waiting);
    job->results = xcalloc(job->row.recipient_count + 1, sizeof *job->results);
    for (size_t i = 0; i < job->row.recipient_count; i++)
        if (job->row.recipients[i].state == STORE_RECIPIENT_WAITING)
            job->waiting[job->waiting_count++] = i;
}

/* May the author still write to this recipient? An administrator may have changed their mind since the message was
 * taken. A suspended mapping may be resumed: that waits. */
static struct smtp_recipient_result check_mapping(const struct relay_job *job,
                                                  const struct store_outbound_recipient *recipient)
{
    struct smtp_recipient_result result = { .outcome = SMTP_OUTCOME_DELIVERED };
    struct store_mapping mapping;
    const char *reason;
    if (!relay_has_author(job))
        return result;
    struct store_target target = { .member_id = job->row.member_id };
    if (recipient->group_id)
        target = (struct store_target){ .group_id = recipient->group_id };
    int found =
        store_mapping_find_pair(store_reader(job->relay->parts->store), recipient->correspondent_id, target, &mapping);
    bool waits = found < 0 || (found == 1 && mapping.state == STORE_MAPPING_SUSPENDED);
    if (found >= 0 && policy_allows_outbound(found == 1 ? &mapping : NULL, job->row.received_at, &reason)) {
        result.outcome = SMTP_OUTCOME_DELIVERED;
    } else if (waits) {
        result.outcome = SMTP_OUTCOME_TEMPORARY;
        result.reply = smtp_reply_make(451, "4.7.1", "the mapping is suspended, or can't be read");
    } else {
        result.outcome = SMTP_OUTCOME_PERMANENT;
        result.reply =
            smtp_reply_make(550, "5.7.1", "you are no longer authorised to write to this address (%s)", reason);
    }
    if (found == 1)
        store_mapping_free(&mapping);
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
        relay_set_result(job, i, &result);
        job->results[i].decided = true;
    }
    return left;
}

/* Of a report: the null path. */
static int find_sender(struct relay_job *job)
{
    if (!relay_has_author(job))
        return 1;
    struct strbuf name;
    strbuf_init(&name, 1000);
    int result = relay_mail_find_sender(job->relay->parts, &job->row, &job->sender, &name);
    strbuf_free(&name);
    return result;
}

/* The envelope of those left for the relay. -1: an address can't be read. */
int relay_find_envelope(struct relay_job *job, struct smtp_client_recipient *recipients, size_t *count_out)
{
    *count_out = 0;
    for (size_t i = 0; i < job->waiting_count; i++) {
        const char *address = job->row.recipients[job->waiting[i]].address;
        if (!job->results[i].decided &&
            smtp_address_parse(address, strlen(address), &recipients[(*count_out)++].address) != 1)
            return -1;
    }
    return find_sender(job);
}
