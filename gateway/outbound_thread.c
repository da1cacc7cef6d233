/* outbound_thread.c - which thread a message belongs to, and whether its author may speak there
 *
 * A thread's id is the silo's word for a conversation, and no secret: silos number their messages one after the other. So
 * to name a thread proves nothing, and whoever is not in it must not speak in it: its mail goes to people who did not ask
 * for theirs. The silo does not say by which group a message came, nor who was in a group before the gateway. So in a
 * thread that a group is in may speak whom the gateway has seen in that group, and those of its own members of whom it
 * does not know that they are out: an administrator has vouched for these. A group is in a thread only when the gateway has
 * posted the thread to it, or when whoever started the thread was seen in it: a list of participants is written by its
 * author, who may be anybody.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "gateway/outbound_internal.h"
#include "mapping/store_group.h"
#include "mapping/store_mapping.h"
#include "mapping/store_member.h"
#include "mapping/store_thread.h"

enum { PARTIES_MAX = 10000 }; /* of a thread: each of its messages looks at all of them */

const char *outbound_threadid(const struct arrival *arrival)
{
    return arrival->message.threadid[0] ? arrival->message.threadid : arrival->msgid;
}

int outbound_fill_party(struct store_db *db, const struct arrival *arrival, struct store_party *party)
{
    struct store_member member;
    struct store_correspondent correspondent;
    struct store_group group;
    int found;
    if (strcmp(party->uid, arrival->own_uid) == 0) {
        found = store_correspondent_find_by_alias(db, party->alias, &correspondent);
        if (found == 1) {
            party->correspondent_id = correspondent.id;
            store_correspondent_free(&correspondent);
        }
    } else if (strcmp(party->uid, party->alias) == 0) {
        found = store_group_find_by_gid(db, party->uid, &group);
        if (found == 1) {
            party->group_id = group.id;
            store_group_free(&group);
        }
    } else {
        found = store_member_find_by_uid(db, party->uid, &member);
        if (found == 1) {
            party->member_id = member.id;
            store_member_free(&member);
        }
    }
    return found < 0 ? -1 : 1;
}

struct survey {
    const char *uid;
    bool author_in;
    int64_t *groups;
    size_t group_count;
};

static void survey_party(const struct store_party *party, void *ctx)
{
    struct survey *survey = ctx;
    survey->author_in = survey->author_in || strcmp(party->uid, survey->uid) == 0;
    if (!party->group_id)
        return;
    survey->groups = xreallocarray(survey->groups, survey->group_count + 1, sizeof *survey->groups);
    survey->groups[survey->group_count++] = party->group_id;
}

/* May they speak for this group? 1 yes, 0 no, -1 error. */
static int speaks_for(struct store_db *db, int64_t group_id, const struct outbound_author *author, bool thread_is_known)
{
    const char *uid = author->uid;
    struct store_group group;
    enum store_group_member_state state;
    int found = store_group_find(db, group_id, &group);
    if (found != 1)
        return found;
    bool joined = group.state == STORE_GROUP_JOINED;
    store_group_free(&group);
    if (!joined)
        return 0;
    found = store_group_find_member(db, group_id, uid, &state);
    if (found < 0 || (found == 1 && state == STORE_GROUP_MEMBER_JOINED))
        return found;
    if (found == 1 || !thread_is_known || !author->member_id)
        return 0;
    int dropped = store_group_was_dropped(db, group_id, uid);
    return dropped < 0 ? -1 : !dropped;
}

int outbound_add_parties(struct store_db *db, const struct arrival *arrival, const struct outbound_author *author,
                         const struct tmtp_participant *cc, size_t cc_count, int64_t thread_id)
{
    int64_t room = PARTIES_MAX, known;
    if (store_thread_count_parties(db, thread_id, &known) != 1)
        return -1;
    room -= known;
    for (size_t i = 0; i < cc_count; i++) {
        struct store_party party = { .alias = cc[i].who, .uid = cc[i].who_uid };
        if (room <= 0) {
            log_warning("thread.full", "threadid=%s from=%s participants=%d hint=%s", outbound_threadid(arrival),
                        author->uid, PARTIES_MAX, "who is new is not noted");
            return 1;
        }
        if (outbound_fill_party(db, arrival, &party) < 0)
            return -1;
        int speaks = party.group_id ? speaks_for(db, party.group_id, author, false) : 0;
        if (speaks == 0)
            party.group_id = 0;
        int added = speaks < 0 ? -1 : store_thread_add_party(db, thread_id, &party);
        if (added < 0)
            return -1;
        room -= added;
    }
    return 1;
}

static int keep_groups(struct store_db *db, const struct survey *survey, const struct outbound_author *author,
                       bool thread_is_known, struct outbound_groups *groups_out)
{
    for (size_t i = 0; i < survey->group_count; i++) {
        int speaks = speaks_for(db, survey->groups[i], author, thread_is_known);
        if (speaks < 0)
            return -1;
        if (speaks == 0)
            continue;
        groups_out->ids = xreallocarray(groups_out->ids, groups_out->count + 1, sizeof *groups_out->ids);
        groups_out->ids[groups_out->count++] = survey->groups[i];
    }
    return 1;
}

/* 1 the author may speak there; 0 not; -1 error. */
static int look_around(struct store_db *db, const struct outbound_author *author, int64_t thread_id,
                       bool thread_is_known, struct outbound_groups *groups_out)
{
    struct survey survey = { .uid = author->uid };
    int result = store_thread_list_parties(db, thread_id, survey_party, &survey) < 0 ? -1 : 1;
    if (result == 1)
        result = keep_groups(db, &survey, author, thread_is_known, groups_out);
    if (result == 1)
        result = survey.author_in || groups_out->count > 0;
    free(survey.groups);
    return result;
}

int outbound_find_groups(struct store_db *db, const struct outbound_author *author, int64_t thread_id,
                         struct outbound_groups *groups_out)
{
    *groups_out = (struct outbound_groups){ 0 };
    return look_around(db, author, thread_id, false, groups_out);
}

static int join_thread(struct store_db *db, const struct arrival *arrival, const struct outbound_author *author,
                       const struct store_thread *thread, struct outbound_groups *groups_out)
{
    int result = look_around(db, author, thread->id, true, groups_out);
    if (result == 1 && arrival->message.subject[0] && strcmp(arrival->message.subject, thread->subject) != 0)
        result = store_thread_set_subject(db, thread->id, arrival->message.subject);
    return result;
}

/* What strangers send is refused: the people whom they list are not kept. 1, 0, -1. */
static int may_start_thread(struct store_db *db, const struct arrival *arrival, const struct outbound_author *author)
{
    int may = author->member_id != 0 || (author->is_admin && outbound_is_own_list(arrival));
    for (size_t i = 0; i < arrival->message.cc_count && may == 0; i++) {
        struct store_party party = { .alias = arrival->message.cc[i].who, .uid = arrival->message.cc[i].who_uid };
        if (strcmp(party.alias, party.uid) != 0)
            continue;
        if (outbound_fill_party(db, arrival, &party) < 0)
            return -1;
        may = party.group_id ? speaks_for(db, party.group_id, author, false) : 0;
    }
    return may;
}

int outbound_find_thread(struct store_db *db, const struct arrival *arrival, const struct outbound_author *author,
                         int64_t *thread_id_out, struct outbound_groups *groups_out)
{
    struct store_thread thread;
    *groups_out = (struct outbound_groups){ 0 };
    /* The silo gives this id now. Who has guessed it and forwarded a thread of that name must not keep its author out. */
    if (!arrival->message.threadid[0] && store_thread_take_threadid(db, arrival->msgid) < 0)
        return -1;
    int found = store_thread_find_by_threadid(db, outbound_threadid(arrival), &thread);
    if (found == 1) {
        *thread_id_out = thread.id;
        found = join_thread(db, arrival, author, &thread, groups_out);
        store_thread_free(&thread);
        return found;
    }
    if (found < 0)
        return -1;
    if (arrival->message.threadid[0])
        return 0; /* its id would be a claim: only the silo gives ids to threads */
    found = may_start_thread(db, arrival, author);
    if (found != 1)
        return found;
    if (store_thread_add(db, arrival->msgid, arrival->message.subject, arrival->now, thread_id_out) != 1 ||
        outbound_add_parties(db, arrival, author, arrival->message.cc, arrival->message.cc_count, *thread_id_out) < 0 ||
        look_around(db, author, *thread_id_out, false, groups_out) < 0)
        return -1;
    return 1;
}
