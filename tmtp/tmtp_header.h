/* tmtp_header.h - typed frame headers <-> JSON
 *
 * Requests go from client to silo, pushes from silo to client (TMTP v1). Names are matched without regard to
 * case, as the reference server and client do (both use Go's decoder); two members of one object that differ only in
 * case are refused: nobody could say which one counts. Unknown members are ignored, null counts as absent. Strings must
 * be valid UTF-8; an `id` may hold anything, U+0000 too, and is taken and returned unchanged, so it has an explicit
 * length; in every other string a NUL is refused. Numbers are whole and at most 2^63 - 1; a checksum above that is
 * taken for absent.
 *
 * A decoded header owns its strings until ..._free(). A composed one borrows what the caller put in.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct strbuf;

enum tmtp_op {
    TMTP_OP_TMTPREV,
    TMTP_OP_REGISTER,
    TMTP_OP_LOGIN,
    TMTP_OP_USER_EDIT,
    TMTP_OP_OHI_EDIT,
    TMTP_OP_GROUP_INVITE,
    TMTP_OP_GROUP_EDIT,
    TMTP_OP_POST,
    TMTP_OP_POST_NOTIFY,
    TMTP_OP_PING,
    TMTP_OP_ACK,
    TMTP_OP_PULSE,
    TMTP_OP_QUIT,
};

enum tmtp_for_type {
    TMTP_FOR_USER = 1,
    TMTP_FOR_GROUP = 2,        /* all members, the sender too */
    TMTP_FOR_GROUP_OTHERS = 3, /* all members but the sender */
};

struct tmtp_for {
    char *id; /* uid or gid */
    int type; /* enum tmtp_for_type, or whatever the peer sent; 0 when absent (ohi edit) */
};

/* --- requests --- */

struct tmtp_request {
    enum tmtp_op op;
    char *id;
    size_t id_len;
    char *uid, *node, *newnode, *newalias, *from, *to, *gid, *act, *type; /* NULL when absent, like id */
    uint64_t datalen, datahead, notelen, notehead;                        /* 0 when absent */
    bool has_datasum, has_notesum;
    uint64_t datasum, notesum;
    struct tmtp_for *for_list;
    size_t for_count;
    bool has_for; /* `for: []` is present and empty */
    struct tmtp_for *notefor_list;
    size_t notefor_count;
    bool fornotself;
    char *oidc; /* the `oidc` object as JSON text; NULL when absent */
};

/* 1 decoded; -1 malformed, with a short reason in *error_out (static text) and nothing to free. Whether the op has
 * what it needs is not looked at. */
int tmtp_request_decode(const char *json, size_t len, struct tmtp_request *request_out, const char **error_out)
    __attribute__((warn_unused_result));
void tmtp_request_free(struct tmtp_request *request); /* frees what decode allocated, and zeroes the rest */
/* Appends the whole frame head (digits and JSON) to out. -1: too long, or a string is not UTF-8; nothing was added. */
int tmtp_request_compose(struct strbuf *out, const struct tmtp_request *request) __attribute__((warn_unused_result));

/* --- pushes --- */

enum tmtp_push_op {
    TMTP_PUSH_TMTPREV,
    TMTP_PUSH_REGISTERED,
    TMTP_PUSH_INFO,
    TMTP_PUSH_ACK,
    TMTP_PUSH_QUIT,
    TMTP_PUSH_OHI,
    /* the following carry an id and must be acknowledged */
    TMTP_PUSH_DELIVERY,
    TMTP_PUSH_NOTIFY,
    TMTP_PUSH_PING,
    TMTP_PUSH_INVITE,
    TMTP_PUSH_MEMBER,
    TMTP_PUSH_USER,
    TMTP_PUSH_LOGIN,
    TMTP_PUSH_OHIEDIT,
    TMTP_PUSH_UNKNOWN, /* acknowledge when it has an id */
};

struct tmtp_push {
    enum tmtp_push_op op;
    char *op_name; /* as received, for logs; composing takes the name of op unless that is UNKNOWN */
    char *id;      /* message id (16 hex digits) of what must be acked; request id of an ack */
    size_t id_len;
    char *msgid, *posted, *error; /* ack, quit; posted is RFC 3339 */
    char *from;                   /* uid */
    char *alias, *to, *gid, *act, *newalias, *newnode;
    char *uid, *nodeid, *name, *info, *node, *type, *postid;
    bool auth_required; /* tmtprev with `auth` other than 0 and no optional login; never composed */
    uint64_t datalen, datahead;
    int64_t notify; /* > 0: part of a forwarded thread */
    bool has_headsum;
    uint32_t headsum;
    bool has_datasum;
    uint64_t datasum;
    char **ohi; /* uids online, with info */
    size_t ohi_count;
    int64_t status;            /* ohi: 1 online, 2 offline */
    struct tmtp_for *for_list; /* ohiedit: the uids of the request */
    size_t for_count;
};

int tmtp_push_decode(const char *json, size_t len, struct tmtp_push *push_out, const char **error_out)
    __attribute__((warn_unused_result));
void tmtp_push_free(struct tmtp_push *push);
/* Appends the whole frame head, members sorted by name. Adds headsum when with_headsum (computed as the reference
 * server does). -1: too long, or a string is not UTF-8; nothing was added. */
int tmtp_push_compose(struct strbuf *out, const struct tmtp_push *push, bool with_headsum)
    __attribute__((warn_unused_result));
bool tmtp_push_needs_ack(const struct tmtp_push *push);

/* Verifies headsum over the header as received (json must have been decoded into push): CRC-32C of the frame head
 * without the headsum member, in the order received. True when it matches or when the header has none. */
bool tmtp_header_sum_matches(const char *json, size_t len, const struct tmtp_push *push);

/* The `oidc` object of a registration from what an OpenID Connect provider's token endpoint answered (OpenID Connect
 * Core, section 3.1.3.3), or from the id token alone. Only what proves who we are goes to the silo: a refresh token
 * does not. 1 with the object's text, the caller's to free; -1 with a short static reason that quotes nothing of it. */
enum { TMTP_TOKEN_MAX = 32 * 1024 };
int tmtp_token_normalise(const char *text, size_t len, char **oidc_out, const char **error_out)
    __attribute__((warn_unused_result));
