/* store_queue.h - the two queues and what was already acted on
 *
 * Inbound: email accepted for members (and the gateway's own notices to them), until posted to the silo. Outbound:
 * thread messages taken from the silo, until every outside recipient has an outcome.
 *
 * An entry begins WAITING and due at once (or PENDING, see store_held.h), may move between WAITING, ROUTED and HELD, and ends
 * SETTLED or DROPPED. Changing one that has ended returns 0 and changes nothing, as does an id that there is not.
 */
#pragma once
#include <stddef.h>

#include "mapping/store_address.h"

enum store_queue_state {
    STORE_QUEUE_WAITING, /* to be converted, posted or relayed when due */
    STORE_QUEUE_ROUTED,  /* inbound: its thread is decided; a post may have been sent. outbound: the mail is written */
    STORE_QUEUE_HELD,    /* by an operator, or nothing more can be done without a person: see last_error */
    STORE_QUEUE_SETTLED, /* posted, delivered or told; content erased */
    STORE_QUEUE_DROPPED, /* by an operator, or a rule, with a reason; content erased */
    STORE_QUEUE_PENDING, /* inbound: awaits an approval, its content sealed (gateway/hold.h) */
};
const char *store_queue_state_name(enum store_queue_state state);
bool store_queue_state_parse(const char *text, enum store_queue_state *state_out);

enum { STORE_DIGEST_SIZE = 16 }; /* octets of a SHA-256 that are kept: nobody finds two mails with the same ones */

enum store_inbound_kind {
    STORE_INBOUND_MAIL,
    STORE_INBOUND_NOTICE,
    STORE_INBOUND_RETURNED, /* came to the return address of a member's message, mostly a report about it: no recipients */
};

/* Which reports the sender wants (NOTIFY, RFC 3461 section 4.1), or-ed; 0: not said. NEVER stands alone. */
enum store_notify {
    STORE_NOTIFY_SUCCESS = 1 << 0,
    STORE_NOTIFY_FAILURE = 1 << 1,
    STORE_NOTIFY_DELAY = 1 << 2,
    STORE_NOTIFY_NEVER = 1 << 3,
};
/* How much of the mail a report of failure brings back (RET, section 4.3). */
enum store_ret { STORE_RET_NONE, STORE_RET_FULL, STORE_RET_HDRS };

/* A member, a group, or (both ids 0) somebody of the silo who is told something. */
struct store_inbound_recipient {
    struct store_target target;
    int64_t mapping_id; /* that let it in; 0 for a notice */
    char *uid;          /* of a group its gid. NULL: a member's is not known; the gateway is not in the group */
    char *alias;        /* of a group its gid */
    char *local_part;   /* "" for neither a member nor a group */
    char *address;      /* as the sender has written it; NULL for a notice */
    unsigned notify;    /* enum store_notify */
    char *orcpt;        /* value of ORCPT, still xtext; NULL */
    bool is_skipped;    /* not among those that it was last posted to: see gateway/trouble.h for why */
    bool is_gone;       /* a member who was removed */
};
struct store_inbound_recipient_new {
    struct store_target target;
    int64_t mapping_id;
    const char *address; /* NULL for a notice, as orcpt */
    unsigned notify;
    const char *orcpt;
};
struct store_inbound {
    int64_t id;
    enum store_inbound_kind kind;
    enum store_queue_state state;
    char *sender;             /* envelope; "" for the null path */
    char *from_address;       /* normalised; "" for a notice */
    int64_t correspondent_id; /* the author; 0 for a notice */
    char *message_id;         /* without brackets; NULL */
    char *references;         /* message ids, newest first, one per line; "" */
    bool is_automatic;        /* no program may answer it */
    bool is_generated;        /* a program wrote it */
    bool is_sender_proven;    /* the envelope sender: reports may be sent there */
    enum store_ret ret;
    char *envid;        /* value of ENVID, still xtext; NULL */
    int64_t content_id; /* 0 once erased. Mail: the whole message; notice: the CommonMark body */
    int64_t size;
    int64_t thread_id;         /* 0 until routed (a notice has it from the start, or 0 for a new thread) */
    char *threadid;            /* of a notice in a thread that is not ours: as its reader named it; NULL */
    char *subject;             /* of the post, once routed; NULL */
    int64_t about_outbound_id; /* the entry that it tells something about; 0 */
    unsigned about_place;      /* RETURNED: the recipient of that entry, from 1; 0: not said */
    int64_t answer_mapping_id; /* RETURNED: that lets it in for the entry's author, if it is no report; 0 */
    int64_t received_at, next_attempt_at;
    unsigned attempts;
    char *last_error;                           /* "" */
    struct store_inbound_recipient *recipients; /* in the order of adding */
    size_t recipient_count;
};
struct store_inbound_new {
    enum store_inbound_kind kind;
    const char *sender, *from_address; /* not NULL */
    int64_t correspondent_id;
    const char *message_id, *references;
    const uint8_t *digest; /* STORE_DIGEST_SIZE octets, of what makes it the same mail (with a Message-ID); NULL */
    bool is_automatic, is_generated, is_sender_proven;
    enum store_ret ret;
    const char *envid; /* NULL */
    int64_t content_id, size, thread_id;
    const char *threadid, *subject; /* NULL */
    int64_t about_outbound_id, answer_mapping_id, now;
    unsigned about_place;
    bool is_pending; /* store_held_add() follows */
};
int store_inbound_add(struct store_db *db, const struct store_inbound_new *inbound, int64_t *id_out)
    __attribute__((warn_unused_result));
/* 1 also for one that is there already: everybody gets a message once, and reports are about the first address. */
int store_inbound_add_recipient(struct store_db *db, int64_t inbound_id,
                                const struct store_inbound_recipient_new *recipient)
    __attribute__((warn_unused_result));
/* Is this recipient left out of what is posted next? 0: no such recipient. */
int store_inbound_set_skipped(struct store_db *db, int64_t inbound_id, struct store_target target, bool is_skipped)
    __attribute__((warn_unused_result));
int store_inbound_add_person(struct store_db *db, int64_t inbound_id, const char *uid, const char *alias)
    __attribute__((warn_unused_result));
/* When this account was last told something as such a person. 0: never. */
int store_inbound_person_told_at(struct store_db *db, const char *uid, int64_t *at_out)
    __attribute__((warn_unused_result));
/* With recipients. */
int store_inbound_find(struct store_db *db, int64_t id, struct store_inbound *out) __attribute__((warn_unused_result));
/* Is an earlier mail of this correspondent with this Message-ID still waiting to be routed? */
int store_inbound_awaits_routing(struct store_db *db, const char *message_id, int64_t correspondent_id,
                                 int64_t before_id) __attribute__((warn_unused_result));
/* WAITING -> ROUTED; 0 from any other state. */
int store_inbound_route(struct store_db *db, int64_t id, int64_t thread_id, const char *subject)
    __attribute__((warn_unused_result));
/* Counts an attempt; the state stays, and why it is HELD. */
int store_inbound_retry(struct store_db *db, int64_t id, int64_t next_attempt_at, const char *error)
    __attribute__((warn_unused_result));
/* To WAITING, ROUTED or HELD. error NULL: none. */
int store_inbound_set_state(struct store_db *db, int64_t id, enum store_queue_state state, const char *error)
    __attribute__((warn_unused_result));
/* SETTLED or DROPPED: erases the content. 0: it was so already. */
int store_inbound_finish(struct store_db *db, int64_t id, enum store_queue_state state)
    __attribute__((warn_unused_result));
/* Messages that a mapping has let in since a time, for its daily limit, up to `max`: one for several people is one. */
int store_inbound_count_by_mapping(struct store_db *db, int64_t mapping_id, int64_t since, int64_t max,
                                   int64_t *count_out) __attribute__((warn_unused_result));
void store_inbound_free(struct store_inbound *inbound);

enum store_recipient_state { STORE_RECIPIENT_WAITING, STORE_RECIPIENT_DELIVERED, STORE_RECIPIENT_FAILED };
const char *store_recipient_state_name(enum store_recipient_state state);

enum store_outbound_kind {
    STORE_OUTBOUND_MESSAGE,
    STORE_OUTBOUND_FORWARD, /* a whole thread, for those who are new in it (mapping/store_forward.h) */
    STORE_OUTBOUND_FILES,   /* attachments of a message that was forwarded without them */
    STORE_OUTBOUND_REPORT,  /* a delivery report to the sender of a mail: written from the start, with a null sender */
    STORE_OUTBOUND_INVITATION, /* gateway/invitation.h; its head is its subject */
};

struct store_outbound_recipient {
    int64_t correspondent_id; /* 0: the one of a REPORT */
    int64_t group_id;         /* under whose mapping they may be written to; 0: the author's own */
    char *address;
    enum store_recipient_state state;
    char *reply; /* the last; "" */
    char *relay; /* whose reply it is: "host:port", or a directory; "" when no relay was asked */
};
struct store_outbound {
    int64_t id;
    enum store_outbound_kind kind;
    enum store_queue_state state;
    char *tmtp_msgid;         /* "" of a REPORT, which has neither thread nor author */
    int64_t thread_id;        /* 0: it named a thread that we do not know */
    int64_t member_id;        /* the author; 0: no member of the gateway */
    int64_t group_id;         /* in whose name it is sent; 0: in the author's own */
    int64_t forward_id;       /* of FILES: the FORWARD that they belong to; 0 */
    int64_t about_inbound_id; /* of a REPORT: the mail; 0 */
    char *author_uid, *author_alias;
    char *message_id;                   /* of the mail, without brackets: fixed from the start */
    char *head;                         /* the second header as received (JSON), until the mail is written; "" then */
    int64_t content_id, size;           /* WAITING: body and attachments; ROUTED: the whole mail */
    bool is_8bit, is_smtputf8;          /* of the mail, once written */
    char *signature;                    /* likewise: header fields with CRLF that go in front of it; "" */
    bool wants_reports;                 /* its author: is told of deliveries, too */
    bool awaits_relay;                  /* no relay could be asked: due at once when one is up again */
    int64_t warned_at, parking_told_at; /* when its author was told that it is late, that it waits for a person; 0 */
    int64_t posted_at, received_at, next_attempt_at;
    unsigned attempts;
    char *last_error;
    struct store_outbound_recipient *recipients; /* in the order of adding */
    size_t recipient_count; /* of a FORWARD, and of its FILES, 0 until the silo has said who is new */
};
struct store_outbound_new {
    enum store_outbound_kind kind;
    const char *tmtp_msgid;
    int64_t thread_id, member_id, group_id, forward_id, about_inbound_id;
    const char *author_uid, *author_alias, *message_id, *head;
    int64_t content_id, size, posted_at, now;
    bool wants_reports;
};
int store_outbound_add(struct store_db *db, const struct store_outbound_new *outbound, int64_t *id_out)
    __attribute__((warn_unused_result));
/* The forward that came as this message of the silo, and still has no recipients. */
int store_outbound_find_forward(struct store_db *db, const char *tmtp_msgid, int64_t *id_out)
    __attribute__((warn_unused_result));
/* 1 also for one that is there already. */
int store_outbound_add_recipient(struct store_db *db, int64_t outbound_id, int64_t correspondent_id, int64_t group_id)
    __attribute__((warn_unused_result));
/* Of a REPORT. */
int store_outbound_add_address(struct store_db *db, int64_t outbound_id, const char *address)
    __attribute__((warn_unused_result));
/* A FORWARD has its recipients now: in whose name it is sent (0: the author's own), and due. */
int store_outbound_release(struct store_db *db, int64_t id, int64_t group_id, int64_t now)
    __attribute__((warn_unused_result));
/* Likewise for those FILES of it that came earlier: to the same, in the same name. 1 also when there are none. */
int store_outbound_release_files(struct store_db *db, int64_t forward_id, int64_t now)
    __attribute__((warn_unused_result));
/* With recipients. */
int store_outbound_find(struct store_db *db, int64_t id, struct store_outbound *out)
    __attribute__((warn_unused_result));
/* Of an entry that somebody may report about: no REPORT. */
int store_outbound_find_queued_at(struct store_db *db, int64_t id, int64_t *received_at_out)
    __attribute__((warn_unused_result));
int store_outbound_count_recipients(struct store_db *db, int64_t id, int64_t *count_out)
    __attribute__((warn_unused_result));
/* The mail is written: replaces the content (the old one is erased), WAITING -> ROUTED; 0 from any other state. */
int store_outbound_set_mail(struct store_db *db, int64_t id, int64_t content_id, int64_t size, bool is_8bit,
                            bool is_smtputf8, const char *signature) __attribute__((warn_unused_result));
/* relay: "" when none was asked. 0: no such recipient, or they have an outcome already, which stays. */
int store_outbound_set_recipient(struct store_db *db, int64_t id, int64_t correspondent_id,
                                 enum store_recipient_state state, const char *relay, const char *reply)
    __attribute__((warn_unused_result));
int store_outbound_set_warned(struct store_db *db, int64_t id, int64_t at) __attribute__((warn_unused_result));
int store_outbound_set_parking_told(struct store_db *db, int64_t id, int64_t at) __attribute__((warn_unused_result));
/* As for inbound; awaits_relay: no relay could be asked. */
int store_outbound_retry(struct store_db *db, int64_t id, int64_t next_attempt_at, bool awaits_relay, const char *error)
    __attribute__((warn_unused_result));
/* The oldest one with an id above this that awaits a relay. 0: none. */
int store_outbound_next_awaiting(struct store_db *db, int64_t above, int64_t *id_out)
    __attribute__((warn_unused_result));
/* Makes due those with an id above *above that await a relay, the oldest first, at most `limit`; *above is then the last of
 * them. 1: some, perhaps there are more; 0: there are none. */
int store_outbound_end_waiting(struct store_db *db, int64_t now, unsigned limit, int64_t *above)
    __attribute__((warn_unused_result));
/* Is it WAITING or ROUTED? */
int store_outbound_is_scheduled(struct store_db *db, int64_t id) __attribute__((warn_unused_result));
/* These two as for inbound. */
int store_outbound_set_state(struct store_db *db, int64_t id, enum store_queue_state state, const char *error)
    __attribute__((warn_unused_result));
int store_outbound_finish(struct store_db *db, int64_t id, enum store_queue_state state)
    __attribute__((warn_unused_result));
void store_outbound_free(struct store_outbound *outbound);

/* Either queue, by its table. RETURNED entries of the inbound queue have a schedule of their own, which only those functions
 * know that say so. */
enum store_queue { STORE_QUEUE_IN, STORE_QUEUE_OUT, STORE_QUEUE_RETURNED };
typedef void store_queue_each(int64_t id, int64_t next_attempt_at, void *ctx);
/* WAITING and ROUTED ones that are due, earliest first. IN without RETURNED, in these three. */
int store_queue_list_due(struct store_db *db, enum store_queue queue, int64_t now, unsigned limit,
                         store_queue_each *each, void *ctx) __attribute__((warn_unused_result));
/* The first due time after now. 0: nothing waits for later. */
int store_queue_next_due(struct store_db *db, enum store_queue queue, int64_t now, int64_t *at_out)
    __attribute__((warn_unused_result));
/* How many are due; stops counting at `most`. */
int store_queue_count_due(struct store_db *db, enum store_queue queue, int64_t now, unsigned most, int64_t *count_out)
    __attribute__((warn_unused_result));
/* Ids in a state, oldest first. */
int store_queue_list(struct store_db *db, enum store_queue queue, enum store_queue_state state, unsigned limit,
                     store_queue_each *each, void *ctx) __attribute__((warn_unused_result));
/* Entries of the other queue that tell something about this one, oldest first: notices about what a member wrote, reports
 * about a mail. */
int store_queue_list_about(struct store_db *db, enum store_queue queue, int64_t id, store_queue_each *each, void *ctx)
    __attribute__((warn_unused_result));
/* Costs as much as there are, SETTLED nothing. */
int store_queue_count(struct store_db *db, enum store_queue queue, enum store_queue_state state, int64_t *count_out)
    __attribute__((warn_unused_result));
/* id 0: all that are WAITING or ROUTED; 1 even if there are none. */
int store_queue_set_due(struct store_db *db, enum store_queue queue, int64_t id, int64_t at)
    __attribute__((warn_unused_result));
/* Makes due at `at` what is due after `latest`, `limit` at most: a clock that was wrong must not hide mail. 1 also for none. */
int store_queue_bring_forward(struct store_db *db, enum store_queue queue, int64_t latest, int64_t at, unsigned limit)
    __attribute__((warn_unused_result));
/* Due later, for a reason that was no attempt: none is counted. */
int store_queue_postpone(struct store_db *db, enum store_queue queue, int64_t id, int64_t at, const char *error)
    __attribute__((warn_unused_result));

/* Already acted on. 1: noted now; 0: it was noted before (within the time it is kept). */
int store_seen_tmtp(struct store_db *db, const char *msgid, int64_t now) __attribute__((warn_unused_result));
/* 1 yes, 0 no; changes nothing. */
int store_seen_tmtp_known(struct store_db *db, const char *msgid) __attribute__((warn_unused_result));
/* Forgets what was noted before this time, the oldest first, at most `limit`. 1 also for nothing. */
int store_seen_expire(struct store_db *db, int64_t before, unsigned limit) __attribute__((warn_unused_result));
/* A mail that comes again: same Message-ID, content and sender, accepted for this target at or after a time. */
struct store_inbound_same {
    const char *message_id, *sender;
    const uint8_t *digest; /* STORE_DIGEST_SIZE octets */
    struct store_target target;
    int64_t about_outbound_id; /* a RETURNED one, about this entry; 0 */
    int64_t since;
};
/* The entry that it was accepted as. 0: it was not, or was not delivered to this target in the end. */
int store_inbound_find_same(struct store_db *db, const struct store_inbound_same *same, int64_t *id_out)
    __attribute__((warn_unused_result));
/* Of a mail that is, or was, taken for others as this entry: it is refused for same->target, and its sender is told in a
 * report. 1: noted now; 0: it was noted when this mail came before. */
int store_inbound_add_refusal(struct store_db *db, int64_t inbound_id, const struct store_inbound_same *same)
    __attribute__((warn_unused_result));
