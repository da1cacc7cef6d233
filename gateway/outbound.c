/* outbound.c - see outbound.h */
#include "gateway/outbound.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/background.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/spool.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/concierge.h"
#include "gateway/config.h"
#include "gateway/notice.h"
#include "gateway/outbound_internal.h"
#include "gateway/pair.h"
#include "gateway/parts.h"
#include "gateway/signed_id.h"
#include "mapping/store.h"
#include "mapping/store_draft.h"
#include "tmtp/tmtp_client.h"
#include "tmtp/tmtp_header.h"
#include "tmtp/tmtp_message.h"

enum { BUSY_MS = 1000, RETRY_FIRST_MS = 1000, RETRY_LONGEST_MS = 30 * 1000 };

struct outbound {
    const struct parts *parts;
    const struct outbound_callbacks *callbacks;
    void *ctx;
    struct tmtp_client *client;
    struct outbound_statistics statistics;
    bool busy;
    struct backoff database;  /* when it fails */
    struct arrival *arrivals; /* not acked yet; more than one only after reconnects */
};

static void arrival_free(struct arrival *arrival)
{
    struct arrival **link = &arrival->outbound->arrivals;
    while (*link != arrival)
        link = &(*link)->next;
    *link = arrival->next;
    timer_free(&arrival->pause);
    free(arrival->msgid);
    free(arrival->posted);
    free(arrival->from_uid);
    free(arrival->own_uid);
    free(arrival->gateway_alias);
    free(arrival->forward_msgid);
    tmtp_forward_free(&arrival->forward);
    free(arrival->greet);
    free(arrival->message_id);
    tmtp_message_free(&arrival->message);
    free(arrival->head);
    store_draft_free(&arrival->draft);
    spool_free(&arrival->content);
    free(arrival->problem);
    concierge_rules_free(&arrival->rules);
    free(arrival);
}

void outbound_make_message_id(struct arrival *arrival, size_t number)
{
    struct strbuf stem;
    char id[SIGNED_ID_SIZE];
    strbuf_init(&stem, SIGNED_ID_STEM_MAX);
    strbuf_add_str(&stem, "tmtp-");
    for (const char *p = arrival->msgid; *p && p - arrival->msgid < 64; p++)
        strbuf_add_char(&stem, isalnum((unsigned char)*p) ? *p : '_');
    if (number > 0)
        strbuf_add_fmt(&stem, "-%zu", number + 1);
    signed_id_make_message_id(arrival->outbound->parts->ids, stem.data, id);
    strbuf_free(&stem);
    free(arrival->message_id);
    arrival->message_id = xstrdup(id);
}

static void submit(void *arg);

static void committed(int result, void *arg)
{
    struct arrival *arrival = arg;
    struct outbound *outbound = arrival->outbound;
    if (result != 1) { /* not acked; the silo holds everything else back until this is stored */
        if (!arrival->is_unstored)
            log_error("message.not_stored", "msgid=%s", arrival->msgid);
        arrival->is_unstored = true;
        timer_start(arrival->pause, backoff_failed(&outbound->database, clock_monotonic_ms(outbound->parts->clock)));
        return;
    }
    (void)backoff_worked(&outbound->database);
    log_info("message.decided", "message=out%" PRId64 " msgid=%s from=%s outcome=%s", arrival->id, arrival->msgid,
             arrival->from_uid, arrival->outcome);
    tmtp_client_ack(outbound->client, arrival->msgid);
    if (arrival->greet)
        outbound->callbacks->on_unknown_member(arrival->greet, outbound->ctx);
    bool queued = arrival->queued, noticed = arrival->noticed, waits = arrival->waits;
    bool is_word = arrival->is_word, changed = arrival->changed;
    arrival_free(arrival);
    if (queued)
        outbound->statistics.accepted++;
    else if (!waits && !is_word)
        outbound->statistics.ignored++;
    if (queued || waits)
        outbound->callbacks->on_accepted(outbound->ctx);
    if (noticed)
        outbound->callbacks->on_notice(outbound->ctx);
    if (changed)
        outbound->callbacks->on_mappings_changed(outbound->ctx);
}

static void submit(void *arg)
{
    struct arrival *arrival = arg;
    if (arrival->outbound->busy)
        timer_start(arrival->pause, BUSY_MS);
    else
        store_submit_repeatable(arrival->outbound->parts->store, arrival->take, committed, arrival);
}

static void keep(void *arg)
{
    struct arrival *arrival = arg;
    bool is_first = !arrival->kept;
    arrival->kept = !store_draft_is_large(arrival->draft) || store_draft_keep(arrival->draft) == 1;
    if (arrival->kept && arrival->is_forward && is_first)
        outbound_read_forward(arrival);
}

/* What could not be synced or read back may be lost in part: it has to come from the silo again. */
static void keep_done(void *arg)
{
    struct arrival *arrival = arg;
    if (arrival->kept && !arrival->is_unread) {
        submit(arrival);
        return;
    }
    log_error("message.not_stored", "msgid=%s", arrival->msgid);
    tmtp_client_decline(arrival->outbound->client, arrival->msgid);
    arrival_free(arrival);
}

/* A commit that was not synced has taken the file of what is large with it (store_draft.h). */
static void try_again(void *arg)
{
    struct arrival *arrival = arg;
    if (arrival->draft && store_draft_is_large(arrival->draft))
        background_submit(arrival->outbound->parts->background, keep, keep_done, NULL, arrival);
    else
        submit(arrival);
}

/* Content of a message that nobody gets is kept for nothing; that is rare. */
static void store_content(struct arrival *arrival)
{
    const struct parts *parts = arrival->outbound->parts;
    arrival->draft = store_draft_new_spool(parts->store, arrival->content);
    if (store_draft_is_large(arrival->draft) || arrival->is_forward)
        background_submit(parts->background, keep, keep_done, NULL, arrival);
    else
        submit(arrival);
}

static char *encode_head(const struct tmtp_message *message)
{
    struct strbuf json;
    strbuf_init(&json, TMTP_MESSAGE_HEAD_MAX * 2);
    if (tmtp_message_encode(message, &json) != 1 || !strbuf_ok(&json)) {
        strbuf_free(&json);
        return NULL;
    }
    return strbuf_detach(&json);
}

/* What the convert worker and the thread table need of the second header: strings are copied by an encode and
 * decode. */
static void copy_message(struct arrival *arrival, const struct tmtp_message *message)
{
    const char *error;
    arrival->head = encode_head(message);
    struct tmtp_message copy;
    if (!arrival->head || tmtp_message_decode(arrival->head, strlen(arrival->head), &copy, &error) != 1) {
        arrival->unreadable = true;
        return;
    }
    tmtp_message_free(&arrival->message);
    arrival->message = copy;
}

static char *describe_problem(const struct arrival *arrival, const struct tmtp_client_delivery *delivery)
{
    struct strbuf text;
    int64_t max = arrival->outbound->parts->config->policy.max_message;
    bool is_whole = max % (1 << 20) == 0;
    strbuf_init(&text, 1000);
    if (arrival->oversize)
        strbuf_add_fmt(&text, "- it is larger than the %" PRId64 " %s that this gateway carries\n",
                       is_whole ? max >> 20 : max >> 10, is_whole ? "MiB" : "KiB");
    else if (arrival->unreadable)
        strbuf_add_fmt(&text, "- its header could not be read (%s)\n",
                       delivery->head_error ? delivery->head_error : "malformed");
    if (text.len == 0) {
        strbuf_free(&text);
        return NULL;
    }
    return strbuf_detach(&text);
}

static struct arrival *arrival_new(struct outbound *outbound, const struct tmtp_push *push, store_operation *take)
{
    struct arrival *arrival = xcalloc(1, sizeof *arrival);
    const char *own_uid = tmtp_client_uid(outbound->client);
    arrival->outbound = outbound;
    arrival->next = outbound->arrivals;
    outbound->arrivals = arrival;
    arrival->take = take;
    arrival->pause = timer_new(outbound->parts->loop, try_again, arrival);
    arrival->now = clock_wall_ms(outbound->parts->clock);
    arrival->local_case = outbound->parts->config->policy.local_parts;
    arrival->msgid = xstrdup(push->id);
    arrival->posted = xstrdup(push->posted ? push->posted : "");
    arrival->from_uid = xstrdup(push->from ? push->from : "");
    arrival->own_uid = xstrdup(own_uid ? own_uid : "");
    arrival->gateway_alias = xstrdup(outbound->parts->config->silo.alias);
    arrival->rules = concierge_rules_new(outbound->parts->config);
    arrival->rules->hold = outbound->parts->hold;
    arrival->rates = outbound->parts->config->limits.quotas;
    outbound_make_message_id(arrival, 0);
    tmtp_message_init(&arrival->message);
    return arrival;
}

void outbound_on_message(struct outbound *outbound, struct tmtp_client_delivery *delivery)
{
    struct arrival *arrival = arrival_new(outbound, delivery->push, outbound_take);
    arrival->is_forward = delivery->push->notify > 0;
    arrival->oversize = delivery->oversize;
    arrival->unreadable = !delivery->message;
    if (delivery->message)
        copy_message(arrival, delivery->message);
    arrival->content = tmtp_client_take_content(delivery);
    if (!arrival->content) /* nothing but a second header */
        arrival->content = spool_new(store_content_directory(outbound->parts->store), SPOOL_MEMORY_DEFAULT);
    if (!arrival->oversize && !arrival->unreadable &&
        tmtp_message_attachments_size(&arrival->message) > spool_size(arrival->content))
        arrival->unreadable = true;
    arrival->problem = describe_problem(arrival, delivery);
    store_content(arrival);
}

void outbound_on_notify(struct outbound *outbound, const struct tmtp_push *push, const char *data, size_t len)
{
    struct arrival *arrival = arrival_new(outbound, push, outbound_take_notify);
    struct tmtp_message decoded;
    const char *error;
    arrival->forward_msgid = push->postid ? xstrdup(push->postid) : NULL;
    if (push->datahead > 0 && push->datahead < len)
        len = (size_t)push->datahead;
    if (tmtp_message_decode(data, len, &decoded, &error) == 1) {
        tmtp_message_free(&arrival->message);
        arrival->message = decoded;
    } else {
        log_warning("message.notify_malformed", "msgid=%s from=%s reason=%s", arrival->msgid, arrival->from_uid, error);
        arrival->unreadable = true;
    }
    submit(arrival);
}

struct outbound *outbound_new(const struct parts *parts, const struct outbound_callbacks *callbacks, void *ctx)
{
    struct outbound *outbound = xcalloc(1, sizeof *outbound);
    outbound->parts = parts;
    outbound->database = (struct backoff){ .first_ms = RETRY_FIRST_MS, .longest_ms = RETRY_LONGEST_MS };
    outbound->callbacks = callbacks;
    outbound->ctx = ctx;
    return outbound;
}

void outbound_free(struct outbound **outbound_in)
{
    struct outbound *outbound = *outbound_in;
    if (!outbound)
        return;
    for (struct arrival *arrival = outbound->arrivals, *next; arrival; arrival = next) {
        next = arrival->next;
        arrival_free(arrival);
    }
    free(outbound);
    *outbound_in = NULL;
}

void outbound_set_busy(struct outbound *outbound, bool busy)
{
    outbound->busy = busy;
}

void outbound_set_client(struct outbound *outbound, struct tmtp_client *client)
{
    outbound->client = client;
}

void outbound_get_statistics(const struct outbound *outbound, struct outbound_statistics *out)
{
    *out = outbound->statistics;
}
