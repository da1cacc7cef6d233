/* tmtp_silo_request.c - which requests are well formed, and when they may come
 *
 * The rules, and the words of the quits, are those of the reference server: clients may know them.
 */
#include <string.h>

#include "tmtp/tmtp_silo_internal.h"
#include "tmtp/tmtp_silo_text.h"

const char silo_invalid_header[] = "invalid header";
const char silo_data_too_long[] = "data too long for request type";

enum { /* what a request must have */
       NEEDS_ID = 1 << 0,
       NEEDS_UID = 1 << 1,
       NEEDS_NODE = 1 << 2,
       NEEDS_NEWNODE = 1 << 3,
       NEEDS_NEWALIAS = 1 << 4,
       NEEDS_FROM = 1 << 5,
       NEEDS_TO = 1 << 6,
       NEEDS_GID = 1 << 7,
       NEEDS_ACT = 1 << 8,
       NEEDS_TYPE = 1 << 9,
       NEEDS_FOR = 1 << 10,       /* present */
       NEEDS_RECIPIENT = 1 << 11, /* not empty either */
       NEEDS_DATA = 1 << 12,
       NEEDS_NOTE = 1 << 13,
       MAY_HAVE_DATA = 1 << 14,
};

static const unsigned needs[] = {
    [TMTP_OP_TMTPREV] = NEEDS_ID,
    [TMTP_OP_REGISTER] = NEEDS_NEWNODE | NEEDS_NEWALIAS,
    [TMTP_OP_LOGIN] = NEEDS_UID | NEEDS_NODE,
    [TMTP_OP_USER_EDIT] = NEEDS_ID,
    [TMTP_OP_OHI_EDIT] = NEEDS_ID | NEEDS_FOR | NEEDS_RECIPIENT | NEEDS_TYPE,
    [TMTP_OP_GROUP_INVITE] = NEEDS_ID | NEEDS_GID | NEEDS_FROM | NEEDS_TO | MAY_HAVE_DATA,
    [TMTP_OP_GROUP_EDIT] = NEEDS_ID | NEEDS_ACT | NEEDS_GID,
    [TMTP_OP_POST] = NEEDS_ID | NEEDS_FOR | NEEDS_DATA,
    [TMTP_OP_POST_NOTIFY] = NEEDS_ID | NEEDS_FOR | NEEDS_DATA | NEEDS_NOTE,
    [TMTP_OP_PING] = NEEDS_ID | NEEDS_FROM | NEEDS_TO | MAY_HAVE_DATA,
    [TMTP_OP_ACK] = NEEDS_ID | NEEDS_TYPE,
    [TMTP_OP_PULSE] = 0,
    [TMTP_OP_QUIT] = 0,
};

static unsigned if_text(const char *text, unsigned what)
{
    return text != NULL && *text != '\0' ? what : 0;
}

/* What the request has, in the terms of the table. */
static unsigned features_of(const struct tmtp_request *r)
{
    return (r->id_len > 0 ? NEEDS_ID : 0U) | if_text(r->uid, NEEDS_UID) | if_text(r->node, NEEDS_NODE) |
           if_text(r->newnode, NEEDS_NEWNODE) | if_text(r->newalias, NEEDS_NEWALIAS) | if_text(r->from, NEEDS_FROM) |
           if_text(r->to, NEEDS_TO) | if_text(r->gid, NEEDS_GID) | if_text(r->act, NEEDS_ACT) |
           if_text(r->type, NEEDS_TYPE) | (r->has_for ? NEEDS_FOR : 0U) | (r->for_count > 0 ? NEEDS_RECIPIENT : 0U) |
           (r->datalen > 0 ? NEEDS_DATA : 0U) | (r->notelen > 0 ? NEEDS_NOTE : 0U);
}

static bool are_recipients_valid(const struct tmtp_request *request, const struct tmtp_for *list, size_t count)
{
    bool typed = request->op != TMTP_OP_OHI_EDIT;
    for (size_t i = 0; i < count; i++) {
        if (list[i].id[0] == '\0' || (typed && (list[i].type < TMTP_FOR_USER || list[i].type > TMTP_FOR_GROUP_OTHERS)))
            return false;
    }
    return true;
}

static bool is_valid(const struct tmtp_request *request)
{
    unsigned needed = needs[request->op];
    unsigned features = features_of(request);
    if ((needed & ~(unsigned)MAY_HAVE_DATA & ~features) != 0)
        return false;
    if ((features & NEEDS_DATA) != 0 && (needed & (NEEDS_DATA | MAY_HAVE_DATA)) == 0)
        return false;
    if ((features & NEEDS_NOTE) != 0 && (needed & NEEDS_NOTE) == 0)
        return false;
    return request->datahead <= request->datalen && request->notehead <= request->notelen &&
           are_recipients_valid(request, request->for_list, request->for_count) &&
           are_recipients_valid(request, request->notefor_list, request->notefor_count);
}

static const char *check_state(const struct silo_session *session, enum tmtp_op op)
{
    if (op == TMTP_OP_TMTPREV)
        return session->state == SILO_SESSION_FRESH ? NULL : "disallowed op repetition";
    if (op == TMTP_OP_REGISTER || op == TMTP_OP_LOGIN) {
        if (session->state == SILO_SESSION_FRESH)
            return "tmtprev was omitted";
        return session->state == SILO_SESSION_GREETED ? NULL : "disallowed op on connected link";
    }
    return session->state == SILO_SESSION_ONLINE ? NULL : "disallowed op on unauthenticated link";
}

/* What can be told before the data is there. */
static const char *check_sizes(const struct tmtp_request *request)
{
    bool is_ping = request->op == TMTP_OP_PING || request->op == TMTP_OP_GROUP_INVITE;
    if (request->datalen > (is_ping ? SILO_PING_BYTES_MAX : SILO_DATA_MAX))
        return silo_data_too_long;
    if (request->op == TMTP_OP_POST_NOTIFY && request->datalen <= request->notelen)
        return "data too short for request type";
    if (request->op == TMTP_OP_POST_NOTIFY && request->fornotself && request->for_count == 0)
        return "recipient list empty";
    return NULL;
}

const char *silo_request_check(const struct silo_session *session, const struct tmtp_request *request)
{
    if (!is_valid(request))
        return silo_invalid_header;
    const char *error = check_state(session, request->op);
    return error != NULL ? error : check_sizes(request);
}
