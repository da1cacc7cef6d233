/* tmtp_silo_internal.h - the parts of the embedded silo and how they meet
 *
 * The silo has sessions (one per connection), a store, and who announces presence to whom. A request is checked when
 * its header is there, carried out when its data is complete, and answered when the *turn is settled*: at the end of a
 * loop turn the writes of all sessions are committed together; only then the answers are sent, and the next message of
 * each queue that has one. So nothing is acknowledged, or seen by anybody, that is not on disk.
 *
 * When the database fails, the turn is rolled back and all connections are cut, as by a crash: clients can't tell what
 * became of their requests, and that is the truth.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "base/stream.h"
#include "tmtp/tmtp_header.h"
#include "tmtp/tmtp_silo.h"
#include "tmtp/tmtp_silo_store.h"

struct loop_listener;
struct silo_announcer;
struct timer;
struct tls_context;
struct tmtp_frame_decoder;

enum {
    SILO_SESSIONS_MAX = 4096, /* connections at a time */
    SILO_GROUP_MEMBERS_MAX = 1000,
    SILO_ANNOUNCED_MAX = 4096,      /* accounts that one account announces its presence to */
    SILO_PRESENT_MAX = 1500,        /* uids that fit into the header of `info` */
    SILO_LOGIN_MS = 5 * 1000,       /* to log in after connecting */
    SILO_PULSE_MS = 120 * 1000,     /* then to say something */
    SILO_RESEND_MS = 30 * 1000,     /* for a delivery to be acknowledged */
    SILO_LAZY_COMMIT_MS = 100,      /* writes that nobody waits for */
    SILO_ANSWERS_HIGH = 256 * 1024, /* bytes of unsent answers at which a session's input waits */
    SILO_OUTPUT_HIGH = 256 * 1024,  /* bytes handed to the stream and unsent at which a delivery waits */
    SILO_BUCKETS = 256,
    SILO_ID_SIZE = 17, /* 16 hex digits and NUL */
};
#define SILO_DATA_MAX (INT64_C(1) << 40) /* bytes of one request's data */

enum silo_session_state {
    SILO_SESSION_FRESH,   /* connected; before tmtprev nothing is said, not even why the connection ends */
    SILO_SESSION_GREETED, /* tmtprev exchanged; may register or log in */
    SILO_SESSION_ONLINE,  /* logged in as uid and node; in silo->online */
    SILO_SESSION_CLOSING, /* quit is said when the turn is settled; input is ignored */
    SILO_SESSION_ENDED,   /* nothing is left but the memory, until the end of the turn */
};

enum silo_delivery_state {
    SILO_DELIVERY_IDLE,    /* nothing sent, or all acknowledged */
    SILO_DELIVERY_SENDING, /* in the middle of a frame: nothing else may be written */
    SILO_DELIVERY_UNACKED, /* sent; the resend timer runs */
};

struct silo_delivery {
    enum silo_delivery_state state;
    enum silo_priority priority;
    uint64_t id;
    int fd; /* the data's file while sending; -1 */
    uint64_t offset, size;
    struct timer *resend;
};

struct silo_session {
    struct tmtp_silo *silo;
    struct stream *stream;
    enum silo_session_state state;
    struct timer *timer; /* to log in; then to say something */
    struct tmtp_frame_decoder *decoder;
    struct tmtp_request request;      /* the frame being received; zeroed between frames */
    struct silo_content *note, *data; /* its data; note: the first part of a post_notify */
    struct strbuf answers;            /* frames to send when the turn is settled and no delivery is being sent */
    bool paused;                      /* input waits until answers are sent */
    char *uid;
    int64_t node;
    struct silo_delivery delivery;
    struct silo_announcer *announcer; /* NULL until it has announced its presence */
    bool unsettled;                   /* in silo->unsettled */
    LIST_ENTRY(silo_session) in_sessions;
    LIST_ENTRY(silo_session) in_online;
    TAILQ_ENTRY(silo_session) in_unsettled;
};

LIST_HEAD(silo_session_list, silo_session);
TAILQ_HEAD(silo_session_queue, silo_session);
LIST_HEAD(silo_announcer_list, silo_announcer);

struct tmtp_silo {
    struct loop *loop;
    char *name;
    char *address;
    struct loop_listener *listener;
    struct tls_context *tls;
    struct silo_store *store;
    struct silo_session_list sessions;
    size_t session_count;
    struct silo_session_list online[SILO_BUCKETS]; /* by node */
    struct silo_session_queue unsettled;
    bool settling; /* the end of the turn is awaited */
    bool closed;   /* freed, but for the memory */
    struct timer *lazy_commit;
    struct silo_announcer_list announcers;
};

/* --- the silo (tmtp_silo.c) --- */

/* Sees to it that the session is settled at the end of the turn. */
void silo_touch(struct silo_session *session);
struct silo_session *silo_find_online(struct tmtp_silo *silo, int64_t node); /* NULL when not connected */
struct silo_session_list *silo_bucket(struct tmtp_silo *silo, int64_t node);

/* --- sessions (tmtp_silo_session.c) --- */

struct silo_session *silo_session_new(struct tmtp_silo *silo); /* the caller gives it a stream with these settings: */
struct stream_settings silo_session_stream_settings(struct silo_session *session);
void silo_session_set_state(struct silo_session *session, enum silo_session_state state);
/* Queues a frame. One that is too long ends the session. */
void silo_session_say(struct silo_session *session, const struct tmtp_push *push);
bool silo_session_is_choked(const struct silo_session *session); /* too much is unsent */
void silo_session_settle(struct silo_session *session);          /* the turn's writes are on disk */
void silo_session_end(struct silo_session *session);             /* cuts the connection */

/* --- deliveries (tmtp_silo_delivery.c): one node's queue, a message at a time --- */

void silo_delivery_init(struct silo_session *session);
void silo_delivery_start(struct silo_session *session); /* the first message of the queue, if there is one; when IDLE */
void silo_delivery_pump(struct silo_session *session);  /* goes on with sending; when SENDING and output is drained */
void silo_delivery_end(struct silo_session *session);

/* --- requests: each command belongs to one of the files below --- */

/* What became of a request; see silo_refuse() and silo_quit(). */
enum silo_verdict {
    SILO_SILENT, /* nothing more to say */
    SILO_ACK,    /* acknowledge, with the answer's message or refusal */
    SILO_QUIT,   /* end the session, saying why */
    SILO_BROKEN, /* the database failed */
};

struct silo_answer {
    const char *quit;         /* static text */
    struct strbuf refusal;    /* empty: done */
    char msgid[SILO_ID_SIZE]; /* "": the request made no message */
    char posted[CLOCK_RFC3339_SIZE];
};

enum silo_verdict silo_refuse(struct silo_answer *answer, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
enum silo_verdict silo_quit(struct silo_answer *answer, const char *text);
/* For results 1 (done), 0 (refused, the answer says why), -1 (the database failed). */
enum silo_verdict silo_verdict_of(int rc);

/* NULL, or the text of the quit that the header deserves (tmtp_silo_request.c). */
const char *silo_request_check(const struct silo_session *session, const struct tmtp_request *request);
extern const char silo_invalid_header[], silo_data_too_long[];

typedef enum silo_verdict silo_command(struct silo_session *session, const struct tmtp_request *request,
                                       struct silo_answer *answer);
silo_command silo_command_tmtprev, silo_command_register, silo_command_login,
    silo_command_user_edit;                                                  /* tmtp_silo_account.c */
silo_command silo_command_ohi_edit;                                          /* tmtp_silo_presence.c */
silo_command silo_command_group_invite, silo_command_group_edit;             /* tmtp_silo_group.c */
silo_command silo_command_post, silo_command_post_notify, silo_command_ping; /* tmtp_silo_post.c */
silo_command silo_command_ack;                                               /* tmtp_silo_delivery.c */

/* NULL, or the text of the quit that a ping's or an invitation's text deserves. */
const char *silo_ping_check(const struct silo_session *session);
/* Refuses a new alias or group name that breaks the rules; `what` is its name in the refusal. True when it is fine. */
bool silo_name_check(struct silo_answer *answer, const char *what, const char *name);

/* --- presence (tmtp_silo_presence.c) --- */

/* Uids of the accounts that announce to uid, as of now: a list to free() with borrowed texts. */
size_t silo_presence_list(const struct tmtp_silo *silo, const char *uid, char ***uids_out);
void silo_presence_leave(struct silo_session *session); /* tells those announced to, if it was the account's last one */

/* --- mail: a message that the silo sends into queues (tmtp_silo_post.c) --- */

struct silo_mail {
    struct tmtp_push push; /* op and the fields of its own; borrowed. The rest is filled in */
    bool is_notice;        /* goes before other messages */
    struct {
        const struct tmtp_for *list;
        size_t count;
    } to[2];
    bool to_own_nodes; /* but for the one that sends, unless `to` names the account */
    struct silo_content *content;
    uint64_t id; /* 0: takes a new one */
    char id_text[SILO_ID_SIZE];
    char posted[CLOCK_RFC3339_SIZE];
    struct silo_route route;
};

/* Resolves the recipients; 0: refused, nothing was done. */
int silo_mail_address(struct silo_session *session, struct silo_mail *mail, struct silo_answer *answer)
    __attribute__((warn_unused_result));
/* Into the queues; after silo_mail_address(). 0: the header would be too long, nothing was done. Frees the mail. */
int silo_mail_send(struct silo_session *session, struct silo_mail *mail, struct silo_answer *answer)
    __attribute__((warn_unused_result));
/* Both. The id and the time go into the answer when tell is set. */
int silo_mail_post(struct silo_session *session, struct silo_mail *mail, struct silo_answer *answer, bool tell)
    __attribute__((warn_unused_result));
/* To all nodes of the session's account, this one included. */
int silo_mail_post_to_self(struct silo_session *session, struct silo_mail *mail, struct silo_answer *answer)
    __attribute__((warn_unused_result));

/* A push only reads its texts while it is composed; its fields are not const because a decoded one owns them. */
static inline char *silo_borrow(const char *text)
{
    return (char *)(uintptr_t)text;
}
