/* tmtp_silo_account.c - greeting, registering, logging in, and what an account may add to itself */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/xmalloc.h"
#include "tmtp/tmtp_alias.h"
#include "tmtp/tmtp_silo_internal.h"
#include "tmtp/tmtp_silo_secret.h"
#include "tmtp/tmtp_silo_text.h"

/* Whatever revision a client asks for, this is the one there is. */
static const char revision[] = "1";
/* Registers without an alias. */
static const char no_alias[] = "_";

enum silo_verdict silo_command_tmtprev(struct silo_session *session, const struct tmtp_request *request,
                                       struct silo_answer *answer)
{
    (void)request, (void)answer;
    const struct tmtp_push push = {
        .op = TMTP_PUSH_TMTPREV, .id = silo_borrow(revision), .id_len = strlen(revision), .name = session->silo->name
    };
    silo_session_set_state(session, SILO_SESSION_GREETED);
    silo_session_say(session, &push);
    return SILO_SILENT;
}

bool silo_name_check(struct silo_answer *answer, const char *what, const char *name)
{
    size_t len = strlen(name);
    if (len < SILO_NAME_MIN || len > SILO_NAME_MAX)
        silo_refuse(answer, "%s must have %d to %d bytes", what, SILO_NAME_MIN, SILO_NAME_MAX);
    else if (!tmtp_alias_is_safe(name))
        silo_refuse(answer, "%s is too long once escaped", what);
    else if (!silo_text_is_printable(name))
        silo_refuse(answer, "%s must be printable", what);
    else
        return true;
    return false;
}

/* 1 the alias is the account's; 0 refused, the answer says why; -1 the database failed. */
static int add_alias(struct silo_session *session, const char *uid, const char *alias, struct silo_answer *answer)
{
    if (!silo_name_check(answer, "newalias", alias))
        return 0;
    int rc = silo_store_add_alias(session->silo->store, uid, alias);
    if (rc == 0)
        silo_refuse(answer, "alias %s is taken", alias);
    return rc;
}

/* The session becomes the node's. */
static void go_online(struct silo_session *session, const char *uid, int64_t node)
{
    struct tmtp_push info = { .op = TMTP_PUSH_INFO, .info = silo_borrow("login ok") };
    info.ohi_count = silo_presence_list(session->silo, uid, &info.ohi);
    silo_session_set_state(session, SILO_SESSION_ONLINE);
    session->uid = xstrdup(uid);
    session->node = node;
    LIST_INSERT_HEAD(silo_bucket(session->silo, node), session, in_online);
    timer_start(session->timer, SILO_PULSE_MS);
    silo_session_say(session, &info);
    free(info.ohi);
    log_info("silo.login", "uid=%s node=%lld", uid, (long long)node);
}

enum silo_verdict silo_command_register(struct silo_session *session, const struct tmtp_request *request,
                                        struct silo_answer *answer)
{
    struct silo_store *store = session->silo->store;
    char uid[SILO_UID_SIZE];
    char password[SILO_PASSWORD_SIZE];
    int64_t node = 0;
    silo_secret_make_uid(uid);
    silo_secret_make_password(password);
    if (silo_store_add_account(store, uid) != 1 || silo_store_add_node(store, uid, password, &node) != 1)
        return SILO_BROKEN;
    /* An alias that is refused does not undo the account: another one can be added to it. */
    if (strcmp(request->newalias, no_alias) != 0 && add_alias(session, uid, request->newalias, answer) < 0)
        return SILO_BROKEN;
    const struct tmtp_push push = {
        .op = TMTP_PUSH_REGISTERED,
        .uid = uid,
        .nodeid = password,
        .error = answer->refusal.len > 0 ? answer->refusal.data : NULL,
    };
    silo_session_say(session, &push);
    go_online(session, uid, node);
    return SILO_SILENT;
}

enum silo_verdict silo_command_login(struct silo_session *session, const struct tmtp_request *request,
                                     struct silo_answer *answer)
{
    uint8_t password[SILO_PASSWORD_DECODED_MAX];
    size_t len;
    int64_t node = 0;
    if (silo_secret_decode(request->node, password, &len) != 1)
        return silo_quit(answer, "corrupt base32 value");
    int rc = silo_store_find_node(session->silo->store, request->uid, password, len, &node);
    if (rc < 0)
        return SILO_BROKEN;
    if (rc == 0)
        return silo_quit(answer, "login failed");
    if (silo_find_online(session->silo, node) != NULL)
        return silo_quit(answer, "node already connected");
    go_online(session, request->uid, node);

    struct silo_mail mail = { .push = { .op = TMTP_PUSH_LOGIN, .node = silo_borrow("tbd") } };
    return silo_mail_post_to_self(session, &mail, answer) == 1 ? SILO_SILENT : SILO_BROKEN;
}

static enum silo_verdict add_node(struct silo_session *session, const struct tmtp_request *request,
                                  struct silo_answer *answer)
{
    struct silo_store *store = session->silo->store;
    char password[SILO_PASSWORD_SIZE];
    int64_t node = 0;
    if (strlen(request->newnode) > SILO_NAME_MAX)
        return silo_refuse(answer, "newnode may have %d bytes", SILO_NAME_MAX);
    silo_secret_make_password(password);
    int rc = silo_store_add_node(store, session->uid, password, &node);
    if (rc == 0)
        return silo_refuse(answer, "an account may have %d nodes", SILO_NODES_MAX);
    /* What this node has not had yet, the new one has not either. */
    if (rc < 0 || silo_store_copy_queue(store, session->node, node) != 1)
        return SILO_BROKEN;
    struct silo_mail mail = { .push = { .op = TMTP_PUSH_USER, .newnode = request->newnode, .nodeid = password },
                              .is_notice = true };
    return silo_verdict_of(silo_mail_post_to_self(session, &mail, answer));
}

enum silo_verdict silo_command_user_edit(struct silo_session *session, const struct tmtp_request *request,
                                         struct silo_answer *answer)
{
    bool has_node = request->newnode != NULL && request->newnode[0] != '\0';
    bool has_alias = request->newalias != NULL && request->newalias[0] != '\0';
    if (has_node == has_alias)
        return silo_quit(answer, silo_invalid_header);
    if (has_node)
        return add_node(session, request, answer);

    int rc = add_alias(session, session->uid, request->newalias, answer);
    if (rc != 1)
        return silo_verdict_of(rc);
    struct silo_mail mail = { .push = { .op = TMTP_PUSH_USER, .newalias = request->newalias }, .is_notice = true };
    return silo_verdict_of(silo_mail_post_to_self(session, &mail, answer));
}
