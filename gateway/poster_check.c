/* poster_check.c - what is needed before the content is touched; see poster_internal.h */
#include <stdlib.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/pair.h"
#include "gateway/parts.h"
#include "gateway/poster_internal.h"
#include "gateway/trouble.h"
#include "mapping/store_mapping.h"
#include "tmtp/tmtp_client.h"

/* Takes a recipient out of this attempt; the row keeps it. */
static void skip_recipient(struct poster_job *job, size_t index)
{
    struct store_inbound *row = &job->row;
    job->skips_changed = job->skips_changed || !row->recipients[index].is_skipped;
    job->skipped = xreallocarray(job->skipped, job->skipped_count + 1, sizeof *job->skipped);
    job->skipped[job->skipped_count++] = row->recipients[index].target;
    free(row->recipients[index].uid);
    free(row->recipients[index].alias);
    free(row->recipients[index].local_part);
    free(row->recipients[index].address);
    free(row->recipients[index].orcpt);
    row->recipients[index] = row->recipients[--row->recipient_count];
}

/* An old mail waits for nobody: it goes to those who can get it. */
static bool is_last_attempt(const struct poster_job *job)
{
    int64_t age = clock_wall_ms(job->poster->parts->clock) - job->row.received_at;
    return age >= job->poster->parts->config->retry.give_up_ms;
}

const char *poster_check_recipients(struct poster_job *job)
{
    struct store_db *db = store_reader(job->poster->parts->store);
    struct strbuf note;
    const char *wait = NULL;
    bool is_last = is_last_attempt(job);
    enum smtp_case local_case = job->poster->parts->config->policy.local_parts;
    strbuf_init(&note, 1000);
    for (size_t i = job->row.recipient_count; i-- > 0;) {
        const struct store_inbound_recipient *recipient = &job->row.recipients[i];
        enum trouble trouble;
        if (trouble_find(db, &job->row, recipient, local_case, TROUBLE_OURS, &trouble) < 0) {
            wait = "a mapping can't be read from the database";
        } else if (trouble_is_final(trouble) || (trouble_is_own(trouble) && is_last && recipient->address)) {
            strbuf_add_fmt(&note, "%snot for %s: %s", note.len ? "; " : "", recipient->alias,
                           trouble_words(trouble)->story);
            skip_recipient(job, i);
        } else if (trouble_is_own(trouble)) {
            wait = trouble_words(trouble)->story;
        }
    }
    for (size_t i = 0; i < job->row.recipient_count; i++)
        job->skips_changed = job->skips_changed || job->row.recipients[i].is_skipped;
    job->note = strbuf_detach(&note);
    return wait;
}

const char *poster_find_author(struct poster_job *job)
{
    const struct poster *poster = job->poster;
    const char *uid = tmtp_client_uid(poster->client);
    struct store_correspondent correspondent;
    job->own_uid = xstrdup(uid ? uid : "");
    if (job->row.kind == STORE_INBOUND_NOTICE) {
        job->author_alias = xstrdup(poster->parts->config->silo.alias);
        return NULL;
    }
    if (store_correspondent_find(store_reader(poster->parts->store), job->row.correspondent_id, &correspondent) != 1)
        return "its author can't be read from the database";
    if (correspondent.alias)
        job->author_alias = xstrdup(correspondent.alias);
    store_correspondent_free(&correspondent);
    return job->author_alias ? NULL : "the author's alias is not created in the silo yet";
}
