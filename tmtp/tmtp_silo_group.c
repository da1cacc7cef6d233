/* tmtp_silo_group.c - groups: a name, and who is invited, joined or barred
 *
 * A group begins with its first invitation. Members learn of each change from a `member` notice, which goes to those
 * who have joined and to all nodes of the one who made the change.
 */
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "tmtp/tmtp_silo_internal.h"

/* What a group request works on. */
struct change {
    struct silo_session *session;
    struct silo_store *store;
    const struct tmtp_request *request;
    struct silo_answer *answer;
    char *alias;      /* the member's, for the notice; owned */
    char *newalias;   /* for the notice, or NULL; the request's */
    char *member_uid; /* of whom a request names by alias; owned */
};

static struct change change_of(struct silo_session *session, const struct tmtp_request *request,
                               struct silo_answer *answer)
{
    return (struct change){ .session = session, .store = session->silo->store, .request = request, .answer = answer };
}

static int refuse(struct change *change, const char *reason, const char *what)
{
    silo_refuse(change->answer, "%s: %s", reason, what);
    return 0;
}

static bool is_set(const char *text)
{
    return text != NULL && text[0] != '\0';
}

/* 1: the alias is the session's account's own; 0: it is not. */
static int is_own_alias(const struct change *change, const char *alias)
{
    char *uid = NULL;
    int rc = silo_store_find_alias(change->store, alias, &uid);
    if (rc == 1)
        rc = strcmp(uid, change->session->uid) == 0;
    free(uid);
    return rc;
}

static int group_exists(struct change *change)
{
    size_t members = 0;
    if (silo_store_count_members(change->store, change->request->gid, &members) != 1)
        return -1;
    return members > 0 ? 1 : refuse(change, "no such group", change->request->gid);
}

/* Tells the members; `also` is one who may be no member any more. */
static int post_notice(struct change *change, const char *act, char *also)
{
    const struct tmtp_for to[] = { { change->request->gid, TMTP_FOR_GROUP }, { also, TMTP_FOR_USER } };
    struct silo_mail mail = {
        .push = {
            .op = TMTP_PUSH_MEMBER,
            .act = silo_borrow(act),
            .gid = change->request->gid,
            .alias = change->alias,
            .newalias = change->newalias,
        },
        .to = { { to, also != NULL ? 2 : 1 } },
        .to_own_nodes = true,
    };
    return silo_mail_post(change->session, &mail, change->answer, false);
}

/* --- invite --- */

/* The group's first invitation makes the inviting account its first member. */
static int begin_group(struct change *change)
{
    const struct tmtp_request *request = change->request;
    char *uid = NULL;
    int rc = silo_store_find_alias(change->store, request->gid, &uid);
    free(uid);
    if (rc == 1)
        return refuse(change, "the name is taken by an alias", request->gid);
    if (rc == 0)
        rc =
            silo_store_set_member(change->store, request->gid, change->session->uid, request->from, SILO_MEMBER_JOINED);
    if (rc == 1)
        rc = silo_store_set_member(change->store, request->gid, change->member_uid, request->to, SILO_MEMBER_INVITED);
    return rc;
}

static int extend_group(struct change *change, size_t members)
{
    const struct tmtp_request *request = change->request;
    enum silo_membership own;
    enum silo_membership theirs;
    if (silo_store_find_member(change->store, request->gid, change->session->uid, &own, NULL) < 0 ||
        silo_store_find_member(change->store, request->gid, change->member_uid, &theirs, NULL) < 0)
        return -1;
    if (own != SILO_MEMBER_JOINED)
        return refuse(change, "you are not a member", request->gid);
    if (theirs == SILO_MEMBER_JOINED)
        return refuse(change, "already a member", request->to);
    if (theirs == SILO_MEMBER_NONE && members >= SILO_GROUP_MEMBERS_MAX)
        return refuse(change, "the group is full", request->gid);
    if (theirs == SILO_MEMBER_INVITED) /* keeps the alias of the first invitation, but gets another message */
        return 1;
    return silo_store_set_member(change->store, request->gid, change->member_uid, request->to, SILO_MEMBER_INVITED);
}

static int invite(struct change *change)
{
    const struct tmtp_request *request = change->request;
    if (!silo_name_check(change->answer, "gid", request->gid))
        return 0;
    int rc = is_own_alias(change, request->from);
    if (rc != 1)
        return rc < 0 ? -1 : refuse(change, "from is not an alias of yours", request->from);
    rc = silo_store_find_alias(change->store, request->to, &change->member_uid);
    if (rc != 1)
        return rc < 0 ? -1 : refuse(change, "no such alias", request->to);

    size_t members = 0;
    if (silo_store_count_members(change->store, request->gid, &members) != 1)
        return -1;
    return members == 0 ? begin_group(change) : extend_group(change, members);
}

static int post_invitation(struct change *change)
{
    const struct tmtp_request *request = change->request;
    const struct tmtp_for to = { change->member_uid, TMTP_FOR_USER };
    struct silo_mail mail = {
        .push = { .op = TMTP_PUSH_INVITE, .gid = request->gid, .alias = request->from, .to = request->to },
        .to = { { &to, 1 } },
        .to_own_nodes = true,
        .content = change->session->data,
    };
    return silo_mail_post(change->session, &mail, change->answer, true);
}

enum silo_verdict silo_command_group_invite(struct silo_session *session, const struct tmtp_request *request,
                                            struct silo_answer *answer)
{
    const char *error = silo_ping_check(session);
    if (error != NULL)
        return silo_quit(answer, error);
    struct change change = change_of(session, request, answer);
    int rc = invite(&change);
    if (rc == 1) {
        change.alias = xstrdup(request->to);
        rc = post_invitation(&change);
    }
    if (rc == 1)
        rc = post_notice(&change, "invite", NULL);
    free(change.alias);
    free(change.member_uid);
    return silo_verdict_of(rc);
}

/* --- join, alias, drop --- */

/* For join and alias: the account's own membership. On 1 change->alias is the one it had. */
static int find_own_membership(struct change *change, enum silo_membership *status_out)
{
    int rc = group_exists(change);
    if (rc == 1)
        rc = silo_store_find_member(change->store, change->request->gid, change->session->uid, status_out,
                                    &change->alias);
    if (rc == 0 && change->answer->refusal.len == 0)
        return refuse(change, "you are not invited", change->request->gid);
    return rc;
}

static int set_own_membership(struct change *change, const char *alias)
{
    int rc = is_own_alias(change, alias);
    if (rc != 1)
        return rc < 0 ? -1 : refuse(change, "not an alias of yours", alias);
    return silo_store_set_member(change->store, change->request->gid, change->session->uid, alias, SILO_MEMBER_JOINED);
}

static int join(struct change *change)
{
    const struct tmtp_request *request = change->request;
    enum silo_membership status;
    int rc = find_own_membership(change, &status);
    if (rc != 1)
        return rc;
    if (status != SILO_MEMBER_INVITED && status != SILO_MEMBER_JOINED)
        return refuse(change, "you are not invited", request->gid);
    if (is_set(request->newalias)) {
        free(change->alias);
        change->alias = xstrdup(request->newalias);
    }
    rc = set_own_membership(change, change->alias);
    return rc == 1 ? post_notice(change, "join", NULL) : rc;
}

static int change_alias(struct change *change)
{
    const struct tmtp_request *request = change->request;
    enum silo_membership status;
    int rc = find_own_membership(change, &status);
    if (rc != 1)
        return rc;
    if (status != SILO_MEMBER_JOINED)
        return refuse(change, "you are not a member", request->gid);
    change->newalias = request->newalias;
    rc = set_own_membership(change, request->newalias);
    return rc == 1 ? post_notice(change, "alias", NULL) : rc;
}

/* Who drops oneself may come back; who is dropped by another is barred until invited again. */
static int drop(struct change *change)
{
    const struct tmtp_request *request = change->request;
    enum silo_membership own;
    enum silo_membership theirs = SILO_MEMBER_NONE;
    int rc = group_exists(change);
    if (rc == 1)
        rc = silo_store_find_alias(change->store, request->to, &change->member_uid);
    if (rc == 1)
        rc = silo_store_find_member(change->store, request->gid, change->member_uid, &theirs, &change->alias);
    if (rc < 0 || change->answer->refusal.len > 0)
        return rc;
    if (rc == 0 || strcmp(change->alias, request->to) != 0)
        return refuse(change, "not a member", request->to);
    if (silo_store_find_member(change->store, request->gid, change->session->uid, &own, NULL) < 0)
        return -1;

    bool oneself = strcmp(change->member_uid, change->session->uid) == 0;
    if (!oneself && own != SILO_MEMBER_JOINED)
        return refuse(change, "you are not a member", request->gid);
    rc = silo_store_set_member(change->store, request->gid, change->member_uid, request->to,
                               oneself ? SILO_MEMBER_INVITED : SILO_MEMBER_BARRED);
    return rc == 1 ? post_notice(change, "drop", change->member_uid) : rc;
}

enum silo_verdict silo_command_group_edit(struct silo_session *session, const struct tmtp_request *request,
                                          struct silo_answer *answer)
{
    static const struct {
        const char *name;
        int (*run)(struct change *change);
        bool needs_newalias, needs_to;
    } acts[] = { { "join", join, false, false },
                 { "alias", change_alias, true, false },
                 { "drop", drop, false, true } };
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        if (strcmp(acts[i].name, request->act) != 0)
            continue;
        if ((acts[i].needs_newalias && !is_set(request->newalias)) || (acts[i].needs_to && !is_set(request->to)))
            break;
        struct change change = change_of(session, request, answer);
        int rc = acts[i].run(&change);
        free(change.alias);
        free(change.member_uid);
        return silo_verdict_of(rc);
    }
    return silo_quit(answer, silo_invalid_header);
}
