/* tmtp_silo_presence.c - who is online, for those whom an account wants to know it
 *
 * Held in memory only: clients announce themselves anew after each login. An account's list is shared by its nodes and
 * lasts while one of those that have edited it is connected.
 */
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "tmtp/tmtp_silo_internal.h"

enum presence { ONLINE = 1, OFFLINE = 2 }; /* as the protocol has it */

struct silo_announcer {
    char *uid;
    size_t sessions; /* that have edited the list and are still connected */
    char **to;       /* uids */
    size_t to_count;
    LIST_ENTRY(silo_announcer) in_announcers;
};

static struct silo_announcer *find_announcer(const struct tmtp_silo *silo, const char *uid)
{
    struct silo_announcer *announcer = LIST_FIRST(&silo->announcers);
    while (announcer != NULL && strcmp(announcer->uid, uid) != 0)
        announcer = LIST_NEXT(announcer, in_announcers);
    return announcer;
}

static struct silo_announcer *join(struct silo_session *session)
{
    if (session->announcer != NULL)
        return session->announcer;
    struct silo_announcer *announcer = find_announcer(session->silo, session->uid);
    if (announcer == NULL) {
        announcer = xcalloc(1, sizeof *announcer);
        announcer->uid = xstrdup(session->uid);
        LIST_INSERT_HEAD(&session->silo->announcers, announcer, in_announcers);
    }
    announcer->sessions++;
    session->announcer = announcer;
    return announcer;
}

/* The position of uid in the list; to_count when it is not there. */
static size_t position_of(const struct silo_announcer *announcer, const char *uid)
{
    size_t i = 0;
    while (i < announcer->to_count && strcmp(announcer->to[i], uid) != 0)
        i++;
    return i;
}

/* True when that changes the list. */
static bool edit(struct silo_announcer *announcer, const char *uid, bool add)
{
    size_t i = position_of(announcer, uid);
    if ((i < announcer->to_count) == add)
        return false;
    if (add) {
        announcer->to = xreallocarray(announcer->to, announcer->to_count + 1, sizeof *announcer->to);
        announcer->to[announcer->to_count++] = xstrdup(uid);
    } else {
        free(announcer->to[i]);
        announcer->to[i] = announcer->to[--announcer->to_count];
    }
    return true;
}

/* Tells the connected nodes of an account. Presence is not worth waiting for: who is busy reading does not hear of
 * it. */
static void tell(struct tmtp_silo *silo, const char *uid, const char *about, enum presence presence)
{
    const struct tmtp_push push = { .op = TMTP_PUSH_OHI, .from = silo_borrow(about), .status = presence };
    struct silo_route route = { 0 };
    if (silo_store_route_account(silo->store, uid, &route) == 1) {
        for (size_t i = 0; i < route.count; i++) {
            struct silo_session *session = silo_find_online(silo, route.nodes[i]);
            if (session != NULL && session->state == SILO_SESSION_ONLINE && !silo_session_is_choked(session))
                silo_session_say(session, &push);
        }
    }
    free(route.nodes);
}

size_t silo_presence_list(const struct tmtp_silo *silo, const char *uid, char ***uids_out)
{
    size_t count = 0;
    *uids_out = NULL;
    const struct silo_announcer *announcer = LIST_FIRST(&silo->announcers);
    for (; announcer != NULL && count < SILO_PRESENT_MAX; announcer = LIST_NEXT(announcer, in_announcers)) {
        if (position_of(announcer, uid) < announcer->to_count) {
            *uids_out = xreallocarray(*uids_out, count + 1, sizeof **uids_out);
            (*uids_out)[count++] = announcer->uid;
        }
    }
    return count;
}

void silo_presence_leave(struct silo_session *session)
{
    struct silo_announcer *announcer = session->announcer;
    session->announcer = NULL;
    if (announcer == NULL || --announcer->sessions > 0)
        return;
    LIST_REMOVE(announcer, in_announcers);
    for (size_t i = 0; i < announcer->to_count; i++) {
        if (!session->silo->closed)
            tell(session->silo, announcer->to[i], announcer->uid, OFFLINE);
        free(announcer->to[i]);
    }
    free(announcer->to);
    free(announcer->uid);
    free(announcer);
}

/* 1: all of them exist; 0: refused; -1: the database failed. */
static int check_accounts(struct silo_session *session, const struct tmtp_request *request, struct silo_answer *answer)
{
    int rc = 1;
    struct silo_route route = { 0 };
    for (size_t i = 0; i < request->for_count && rc == 1; i++) {
        rc = silo_store_route_account(session->silo->store, request->for_list[i].id, &route);
        route.count = 0;
        if (rc == 0)
            silo_refuse(answer, "unknown uid %s", request->for_list[i].id);
    }
    free(route.nodes);
    return rc;
}

enum silo_verdict silo_command_ohi_edit(struct silo_session *session, const struct tmtp_request *request,
                                        struct silo_answer *answer)
{
    bool init = strcmp(request->type, "init") == 0;
    bool add = init || strcmp(request->type, "add") == 0;
    if (!add && strcmp(request->type, "drop") != 0)
        return silo_quit(answer, silo_invalid_header);
    int rc = check_accounts(session, request, answer);
    if (rc != 1)
        return silo_verdict_of(rc);
    if (add &&
        (session->announcer == NULL ? 0 : session->announcer->to_count) + request->for_count > SILO_ANNOUNCED_MAX)
        return silo_refuse(answer, "presence can be told to %d accounts", SILO_ANNOUNCED_MAX);

    struct silo_announcer *announcer = join(session);
    for (size_t i = 0; i < request->for_count; i++) {
        const char *uid = request->for_list[i].id;
        if (edit(announcer, uid, add))
            tell(session->silo, uid, session->uid, add ? ONLINE : OFFLINE);
    }
    if (init)
        return SILO_ACK;
    struct silo_mail mail = { .push = {
                                  .op = TMTP_PUSH_OHIEDIT,
                                  .type = request->type,
                                  .for_list = request->for_list,
                                  .for_count = request->for_count,
                              } };
    return silo_verdict_of(silo_mail_post_to_self(session, &mail, answer));
}
