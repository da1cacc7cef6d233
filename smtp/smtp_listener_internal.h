/* smtp_listener_internal.h - what sessions need from their listener, and the door for tests
 *
 * Private to smtp/. The public side is in smtp_server.h.
 */
#pragma once
#include "base/stream.h"
#include "smtp/smtp_server.h"

struct loop_listener;
struct smtp_access;
struct smtp_admission;
struct smtp_session;
struct timer;

enum smtp_listener_state {
    SMTP_LISTENER_OPEN,     /* new sessions are taken */
    SMTP_LISTENER_DRAINING, /* no new ones; those that are left end at their next pause */
    SMTP_LISTENER_DRAINED,  /* the owner was told that none is left, or that what was left has been cut */
};

struct smtp_listener {
    enum smtp_listener_state state;
    struct smtp_listener_settings settings; /* defaults filled in; without address, clients, exempt, proxies... */
    char *name, *hostname, *spool_dir;      /* the copies that settings points to */
    struct smtp_admission *admission;
    struct smtp_access *proxies, *xclients, *xforwards; /* NULL: nobody */
    struct loop_listener *socket;                       /* NULL: none */
    struct smtp_session *sessions;                      /* linked list, the newest first */
    unsigned session_count;
    struct smtp_listener_statistics statistics;
    int64_t spooled;              /* bytes of content that its transactions hold */
    unsigned long session_number; /* of the newest, for its id */
    char id_prefix[8];            /* tells this listener's sessions from those of others */
    bool is_busy;
    int64_t crowded_until; /* monotonic: before that nobody can be given up to make room */
    struct timer *drain_deadline;
    void (*on_drained)(void *arg);
    void *drained_arg;
};

/* Serves one end of a stream in memory (stream_new_pair) as if it had been accepted; the other end, with the given
 * settings, is the caller's. For tests: no sockets, no TLS. */
void smtp_listener_adopt_pair(struct smtp_listener *listener, const char *peer, const struct stream_settings *client,
                              struct stream **client_out);

/* A session links itself in when it begins, and out at the very end. */
void smtp_listener_add(struct smtp_listener *listener, struct smtp_session *session);
void smtp_listener_remove(struct smtp_listener *listener, struct smtp_session *session);

/* It is composed: counts it. */
void smtp_listener_count_reply(struct smtp_listener *listener, int code);

/* Whether a session may go on whose client, before smtp_session_set_client(), turns out to be this one: code 0, or the
 * reply after which it is closed. */
struct smtp_reply smtp_listener_readmit(struct smtp_listener *listener, struct smtp_session *session,
                                        const char *client) __attribute__((warn_unused_result));
