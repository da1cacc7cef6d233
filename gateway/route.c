/* route.c - see route.h */
#include "gateway/route.h"

#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/store_thread.h"
#include "smtp/mail_header.h"

enum { CANDIDATES_MAX = 64 };

struct candidates {
    int64_t threads[CANDIDATES_MAX];
    size_t count;
};

static void collect_thread(int64_t thread_id, void *ctx)
{
    struct candidates *candidates = ctx;
    for (size_t i = 0; i < candidates->count; i++)
        if (candidates->threads[i] == thread_id)
            return;
    if (candidates->count < CANDIDATES_MAX)
        candidates->threads[candidates->count++] = thread_id;
}

/* Threads of the messages it refers to, the nearest relative's first. 0: one of these messages has no thread yet. */
static int find_candidates(struct store_db *db, const struct store_inbound *inbound, struct candidates *candidates)
{
    struct strbuf id;
    int result = 1;
    strbuf_init(&id, MAIL_HEADER_ID_MAX);
    for (const char *p = inbound->references; *p && result == 1;) {
        size_t len = strcspn(p, "\n");
        strbuf_clear(&id);
        strbuf_add(&id, p, len);
        int waits = store_inbound_awaits_routing(db, id.data, inbound->correspondent_id, inbound->id);
        if (waits < 0 || store_message_list_threads(db, id.data, collect_thread, candidates) < 0)
            result = -1;
        else if (waits)
            result = 0;
        p += len + (p[len] == '\n');
    }
    strbuf_free(&id);
    return result;
}

struct membership {
    const struct store_inbound *inbound;
    bool author_in;
    bool *recipient_in; /* one per recipient: a member may be in a thread under several aliases */
};

static void match_party(const struct store_party *party, void *ctx)
{
    struct membership *membership = ctx;
    if (party->correspondent_id && party->correspondent_id == membership->inbound->correspondent_id)
        membership->author_in = true;
    for (size_t i = 0; i < membership->inbound->recipient_count; i++)
        if ((party->member_id || party->group_id) &&
            store_target_equal((struct store_target){ party->member_id, party->group_id },
                               membership->inbound->recipients[i].target))
            membership->recipient_in[i] = true;
}

/* 1 everybody is in the thread, 0 not, -1 error. */
static int everybody_in(struct store_db *db, int64_t thread_id, const struct store_inbound *inbound)
{
    struct membership membership = { .inbound = inbound };
    membership.recipient_in = xcalloc(inbound->recipient_count + 1, sizeof(bool));
    int result = store_thread_list_parties(db, thread_id, match_party, &membership) < 0 ? -1 : membership.author_in;
    for (size_t i = 0; i < inbound->recipient_count && result == 1; i++)
        result = membership.recipient_in[i];
    free(membership.recipient_in);
    return result;
}

/* A thread whose id is known, or will be, can take a reply. */
static int is_usable(struct store_db *db, int64_t thread_id, bool *confirmed_out)
{
    struct store_thread thread;
    if (store_thread_find(db, thread_id, &thread) != 1)
        return -1;
    *confirmed_out = thread.threadid;
    store_thread_free(&thread);
    return *confirmed_out ? 1 : store_thread_awaits_post(db, thread_id);
}

enum route_result route_find(struct store_db *db, const struct store_inbound *inbound, int64_t *thread_id_out)
{
    struct candidates candidates = { .count = 0 };
    *thread_id_out = 0;
    int found = find_candidates(db, inbound, &candidates);
    if (found != 1)
        return found < 0 ? ROUTE_ERROR : ROUTE_WAIT;
    for (size_t i = 0; i < candidates.count; i++) {
        bool confirmed = false;
        int fits = everybody_in(db, candidates.threads[i], inbound);
        if (fits == 1)
            fits = is_usable(db, candidates.threads[i], &confirmed);
        if (fits < 0)
            return ROUTE_ERROR;
        if (fits == 1) {
            *thread_id_out = candidates.threads[i];
            return confirmed ? ROUTE_DONE : ROUTE_WAIT;
        }
    }
    return ROUTE_DONE;
}

static int start_thread(struct store_db *db, const struct store_inbound *inbound, const char *subject,
                        const char *author_alias, const char *own_uid, int64_t now, int64_t *thread_id_out)
{
    if (store_thread_add(db, NULL, subject, now, thread_id_out) != 1)
        return -1;
    struct store_party author = { .correspondent_id = inbound->correspondent_id,
                                  .alias = (char *)(uintptr_t)author_alias,
                                  .uid = (char *)(uintptr_t)own_uid }; /* only read */
    if (store_thread_add_party(db, *thread_id_out, &author) < 0)
        return -1;
    for (size_t i = 0; i < inbound->recipient_count; i++) {
        const struct store_inbound_recipient *recipient = &inbound->recipients[i];
        struct store_party party = { .member_id = recipient->target.member_id,
                                     .group_id = recipient->target.group_id,
                                     .alias = recipient->alias,
                                     .uid = recipient->uid };
        if (store_thread_add_party(db, *thread_id_out, &party) < 0)
            return -1;
    }
    return 1;
}

enum route_result route_inbound(struct store_db *db, const struct store_inbound *inbound, const char *subject,
                                const char *author_alias, const char *own_uid, int64_t now, int64_t *thread_id_out)
{
    enum route_result found = route_find(db, inbound, thread_id_out);
    if (found != ROUTE_DONE)
        return found;
    if (!*thread_id_out && start_thread(db, inbound, subject, author_alias, own_uid, now, thread_id_out) < 0)
        return ROUTE_ERROR;
    struct store_message_new message = {
        .thread_id = *thread_id_out, .message_id = inbound->message_id, .inbound_id = inbound->id, .now = now
    };
    if (store_message_add(db, &message) < 0 || store_inbound_route(db, inbound->id, *thread_id_out, subject) != 1)
        return ROUTE_ERROR;
    return ROUTE_DONE;
}
