/* tmtp_silo_post.c - sending messages: who gets them, and the requests that do nothing else */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/loop.h"
#include "tmtp/tmtp_frame.h"
#include "tmtp/tmtp_silo_content.h"
#include "tmtp/tmtp_silo_internal.h"
#include "tmtp/tmtp_silo_text.h"

/* --- addressing --- */

static int compare_nodes(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Each node once, and without `except` (0: with all). */
static void tidy_route(struct silo_route *route, int64_t except)
{
    size_t kept = 0;
    if (route->count > 1)
        qsort(route->nodes, route->count, sizeof *route->nodes, compare_nodes);
    for (size_t i = 0; i < route->count; i++) {
        bool repeated = kept > 0 && route->nodes[kept - 1] == route->nodes[i];
        if (!repeated && route->nodes[i] != except)
            route->nodes[kept++] = route->nodes[i];
    }
    route->count = kept;
}

static bool is_named_before(const struct tmtp_for *list, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (list[i].type == list[index].type && strcmp(list[i].id, list[index].id) == 0)
            return true;
    }
    return false;
}

/* Adds the nodes of a group's members. *with_self_out is set when the sender is one of them, and meant. */
static int route_group(struct silo_session *session, const struct tmtp_for *to, struct silo_route *route,
                       bool *with_self_out, struct silo_answer *answer)
{
    struct silo_store *store = session->silo->store;
    bool others = to->type == TMTP_FOR_GROUP_OTHERS;
    enum silo_membership own;
    int rc = silo_store_find_member(store, to->id, session->uid, &own, NULL);
    if (rc < 0)
        return -1;
    if (own != SILO_MEMBER_JOINED && own != SILO_MEMBER_INVITED) {
        silo_refuse(answer, "you are not a member: %s", to->id);
        return 0;
    }
    *with_self_out |= own == SILO_MEMBER_JOINED && !others;
    rc = silo_store_route_group(store, to->id, others ? session->uid : NULL, route);
    if (rc == 0)
        silo_refuse(answer, "too many recipients");
    return rc;
}

int silo_mail_address(struct silo_session *session, struct silo_mail *mail, struct silo_answer *answer)
{
    bool with_self = false; /* the sender's account is named: then this node gets a copy too */
    int rc = 1;
    for (size_t part = 0; part < sizeof mail->to / sizeof *mail->to; part++) {
        const struct tmtp_for *list = mail->to[part].list;
        for (size_t i = 0; i < mail->to[part].count && rc == 1; i++) {
            if (is_named_before(list, i))
                continue;
            if (list[i].type != TMTP_FOR_USER) {
                rc = route_group(session, &list[i], &mail->route, &with_self, answer);
                continue;
            }
            with_self |= strcmp(list[i].id, session->uid) == 0;
            rc = silo_store_route_account(session->silo->store, list[i].id, &mail->route);
            if (rc == 0)
                silo_refuse(answer, "unknown uid %s", list[i].id);
        }
    }
    if (rc == 1 && mail->to_own_nodes)
        rc = silo_store_route_account(session->silo->store, session->uid, &mail->route);
    tidy_route(&mail->route, with_self ? 0 : session->node);
    if (rc != 1)
        free(mail->route.nodes);
    return rc;
}

/* --- sending --- */

/* Long data must be on the disk under its id before the message's row is. */
static int keep_content(const struct silo_mail *mail)
{
    if (mail->content == NULL || !silo_content_is_file(mail->content))
        return 1;
    int rc = silo_content_keep(mail->content, mail->id);
    if (rc != 1)
        log_error("silo.content_not_kept", "msgid=%s errno=%d", mail->id_text, errno);
    return rc;
}

static int store_mail(struct silo_session *session, struct silo_mail *mail, const struct strbuf *head)
{
    struct tmtp_silo *silo = session->silo;
    if (mail->route.count == 0)
        return 1; /* nobody to deliver to: posted, and gone */
    enum silo_priority priority = mail->is_notice ? SILO_PRIORITY_NOTICE : SILO_PRIORITY_MESSAGE;
    if (keep_content(mail) != 1 || silo_store_add_message(silo->store, mail->id, priority, head->data, head->len,
                                                          mail->content, &mail->route) != 1)
        return -1;
    for (size_t i = 0; i < mail->route.count; i++) {
        struct silo_session *receiver = silo_find_online(silo, mail->route.nodes[i]);
        if (receiver != NULL)
            silo_touch(receiver);
    }
    return 1;
}

static int stamp(struct silo_session *session, struct silo_mail *mail)
{
    if (mail->id == 0)
        mail->id = silo_store_next_id(session->silo->store);
    if (mail->id == 0)
        return -1;
    if (mail->posted[0] == '\0')
        clock_format_rfc3339(clock_wall_ms(loop_clock(session->silo->loop)), mail->posted);
    snprintf(mail->id_text, sizeof mail->id_text, "%016" PRIx64, mail->id);
    mail->push.id = mail->id_text;
    mail->push.id_len = strlen(mail->id_text);
    mail->push.from = session->uid;
    mail->push.posted = mail->posted;
    mail->push.datalen = mail->content != NULL ? silo_content_size(mail->content) : 0;
    return 1;
}

int silo_mail_send(struct silo_session *session, struct silo_mail *mail, struct silo_answer *answer)
{
    struct strbuf head;
    strbuf_init(&head, TMTP_FRAME_HEADER_MAX + 4);
    int rc = stamp(session, mail);
    if (rc == 1 && tmtp_push_compose(&head, &mail->push, true) != 1) {
        silo_refuse(answer, "the header is too long");
        rc = 0;
    }
    if (rc == 1)
        rc = store_mail(session, mail, &head);
    strbuf_free(&head);
    free(mail->route.nodes);
    return rc;
}

static void tell_sender(const struct silo_mail *mail, struct silo_answer *answer)
{
    memcpy(answer->msgid, mail->id_text, sizeof answer->msgid);
    memcpy(answer->posted, mail->posted, sizeof answer->posted);
}

int silo_mail_post(struct silo_session *session, struct silo_mail *mail, struct silo_answer *answer, bool tell)
{
    int rc = silo_mail_address(session, mail, answer);
    if (rc == 1)
        rc = silo_mail_send(session, mail, answer);
    if (rc == 1 && tell)
        tell_sender(mail, answer);
    return rc;
}

int silo_mail_post_to_self(struct silo_session *session, struct silo_mail *mail, struct silo_answer *answer)
{
    const struct tmtp_for own = { session->uid, TMTP_FOR_USER };
    mail->to[0].list = &own;
    mail->to[0].count = 1;
    int rc = silo_mail_post(session, mail, answer, false);
    mail->to[0].count = 0;
    return rc;
}

/* --- requests --- */

enum silo_verdict silo_command_post(struct silo_session *session, const struct tmtp_request *request,
                                    struct silo_answer *answer)
{
    struct silo_mail mail = {
        .push = {
            .op = TMTP_PUSH_DELIVERY,
            .datahead = request->datahead,
            .has_datasum = request->datasum != 0,
            .datasum = request->datasum,
        },
        .to = { { request->for_list, request->for_count } },
        .to_own_nodes = true,
        .content = session->data,
    };
    return silo_verdict_of(silo_mail_post(session, &mail, answer, true));
}

/* Two messages: the content to `for`, and the notice, which refers to it, to `notefor` and `for`. Both are addressed
 * before either is sent, so that an unknown recipient of one stops both. */
enum silo_verdict silo_command_post_notify(struct silo_session *session, const struct tmtp_request *request,
                                           struct silo_answer *answer)
{
    struct silo_mail message = {
        .push = {
            .op = TMTP_PUSH_DELIVERY,
            .datahead = request->datahead,
            .has_datasum = request->datasum != 0,
            .datasum = request->datasum,
            .notify = (int64_t)(request->for_count + request->notefor_count + !request->fornotself),
        },
        .to = { { request->for_list, request->for_count } },
        .to_own_nodes = !request->fornotself,
        .content = session->data,
    };
    struct silo_mail notice = {
        .push = {
            .op = TMTP_PUSH_NOTIFY,
            .datahead = request->notehead,
            .has_datasum = request->notesum != 0,
            .datasum = request->notesum,
            .postid = message.id_text,
        },
        .to = { { request->notefor_list, request->notefor_count }, { request->for_list, request->for_count } },
        .to_own_nodes = true,
        .content = session->note,
    };
    int rc = silo_mail_address(session, &message, answer);
    if (rc != 1)
        return silo_verdict_of(rc);
    rc = silo_mail_address(session, &notice, answer);
    if (rc != 1) {
        free(message.route.nodes);
        return silo_verdict_of(rc);
    }
    rc = silo_mail_send(session, &message, answer);
    assert(rc != 0); /* a head of numbers is never too long */
    if (rc == 1) {
        tell_sender(&message, answer);
        memcpy(notice.posted, message.posted, sizeof notice.posted);
    }
    int notice_rc = silo_mail_send(session, &notice, answer);
    return silo_verdict_of(rc == 1 ? notice_rc : rc);
}

const char *silo_ping_check(const struct silo_session *session)
{
    const struct silo_content *text = session->data;
    long units = silo_text_utf16_length(silo_content_bytes(text), (size_t)silo_content_size(text));
    if (units < 0)
        return "data not valid UTF8";
    return units > SILO_PING_MAX ? silo_data_too_long : NULL;
}

/* The uid behind an alias. 0: refused. */
static int find_uid(struct silo_session *session, const char *alias, char **uid_out, struct silo_answer *answer)
{
    int rc = silo_store_find_alias(session->silo->store, alias, uid_out);
    if (rc == 0)
        silo_refuse(answer, "no such alias: %s", alias);
    return rc;
}

enum silo_verdict silo_command_ping(struct silo_session *session, const struct tmtp_request *request,
                                    struct silo_answer *answer)
{
    const char *error = silo_ping_check(session);
    if (error != NULL)
        return silo_quit(answer, error);
    char *from_uid = NULL;
    char *to_uid = NULL;
    int rc = silo_store_find_alias(session->silo->store, request->from, &from_uid);
    if (rc == 0 || (rc == 1 && strcmp(from_uid, session->uid) != 0)) {
        silo_refuse(answer, "from must be an alias of the sender");
        rc = 0;
    }
    if (rc == 1)
        rc = find_uid(session, request->to, &to_uid, answer);
    if (rc == 1) {
        const struct tmtp_for to = { to_uid, TMTP_FOR_USER };
        struct silo_mail mail = {
            .push = { .op = TMTP_PUSH_PING, .alias = request->from, .to = request->to },
            .to = { { &to, 1 } },
            .to_own_nodes = true,
            .content = session->data,
        };
        rc = silo_mail_post(session, &mail, answer, true);
    }
    free(from_uid);
    free(to_uid);
    return silo_verdict_of(rc);
}
