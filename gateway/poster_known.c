/* poster_known.c - whom the readers of a mail need not be told of; see poster_internal.h
 *
 * The author, whoever gets the mail with them, who is in the thread that it goes to, and who was named there before. The
 * conversion names everybody else whom the mail's To and Cc have.
 */
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/parts.h"
#include "gateway/poster_internal.h"
#include "mapping/store_address.h"
#include "mapping/store_named.h"
#include "smtp/smtp_address.h"

enum { KNOWN_MAX = 2000 }; /* what a worker is told: mapping/convert.h */

struct gathering {
    struct poster_known *known;
    const char *domain;
};

static void add_address(struct poster_known *known, const struct smtp_address *address)
{
    char text[SMTP_ADDRESS_MAX + 2];
    if (known->count >= KNOWN_MAX)
        return;
    smtp_address_format(address, text);
    known->list = xreallocarray(known->list, known->count + 1, sizeof *known->list);
    known->list[known->count++] = xstrdup(text);
}

/* Somebody who is written to as bob+lists@ is the same person as bob@. */
static void add(struct poster_known *known, const char *text)
{
    struct smtp_address address;
    if (smtp_address_parse(text, strlen(text), &address) != 1)
        return;
    smtp_address_normalise(&address);
    add_address(known, &address);
    if (smtp_address_drop_detail(&address))
        add_address(known, &address);
}

static void add_known(const char *address, void *ctx)
{
    const struct gathering *gathering = ctx;
    add(gathering->known, address);
}

static void add_local_part(const char *local_part, void *ctx)
{
    const struct gathering *gathering = ctx;
    struct strbuf text;
    strbuf_init(&text, SMTP_ADDRESS_MAX);
    strbuf_add_fmt(&text, "%s@%s", local_part, gathering->domain);
    add(gathering->known, text.data);
    strbuf_free(&text);
}

int poster_known_gather(const struct poster_job *job, struct poster_known *out)
{
    const struct parts *parts = job->poster->parts;
    struct store_db *db = store_reader(parts->store);
    struct gathering gathering = { .known = out, .domain = parts->config->domain };
    int64_t thread_id = job->row.thread_id ? job->row.thread_id : job->likely_thread_id;
    *out = (struct poster_known){ 0 };
    add(out, job->row.from_address);
    add_local_part(STORE_ADDRESS_BOUNCES, &gathering); /* an automatic answer is sent to our return address */
    for (size_t i = 0; i < job->row.recipient_count; i++) {
        const struct store_inbound_recipient *recipient = &job->row.recipients[i];
        if (recipient->address)
            add(out, recipient->address);
        if (recipient->local_part[0])
            add_local_part(recipient->local_part, &gathering);
    }
    if (thread_id && (store_named_list_known(db, thread_id, KNOWN_MAX, add_known, &gathering) < 0 ||
                      store_named_list_local_parts(db, thread_id, KNOWN_MAX, add_local_part, &gathering) < 0)) {
        poster_known_free(out);
        return -1;
    }
    return 1;
}

void poster_known_free(struct poster_known *known)
{
    for (size_t i = 0; i < known->count; i++)
        free(known->list[i]);
    free(known->list);
    *known = (struct poster_known){ 0 };
}
