/* outbound_internal.h - what the source files of outbound share; nobody else includes it
 *
 *   outbound.c         arrivals: from the silo's delivery to our ack
 *   outbound_author.c  who wrote it, and what the message claims about people
 *   outbound_thread.c  which thread it belongs to, and whether its author may speak there
 *   outbound_take.c    the store operation: for whom, allowed or not, queued or refused
 *   outbound_words.c   messages to the gateway itself, which the concierge answers
 *   outbound_quota.c   when it goes out, if more is written than goes out at once
 *   outbound_forward.c the same for a forwarded thread, for who is new in a thread, and for files that follow later
 */
#pragma once
#include "gateway/outbound.h"
#include "gateway/quota.h"
#include "smtp/smtp_address.h"
#include "tmtp/tmtp_forward.h"
#include "tmtp/tmtp_message.h"

#include "mapping/store_queue.h"

struct concierge_rules;
struct notice_list;
struct spool;
struct store_draft;
struct timer;

/* One delivery between its arrival and our ack. While it is kept (store_draft.h) only the background thread may touch it,
 * then, until the operation is done, only the committer. */
struct arrival {
    struct outbound *outbound;
    struct arrival *next;
    struct timer *pause; /* after a failed commit, or while busy */
    store_operation *take;
    char *msgid, *posted, *from_uid, *own_uid, *gateway_alias;
    struct tmtp_forward forward; /* what outbound_read_forward() has found; problem: why it can't be sent, NULL */
    const char *forward_problem;
    bool is_unread;              /* the content could not be read back, so it has to come again */
    bool is_forward;             /* the content is a whole thread (tmtp/tmtp_forward.h) */
    char *forward_msgid;         /* of a notify: the forward's own id; else NULL */
    char *message_id;            /* of the mail that it becomes */
    struct tmtp_message message; /* a copy of what we need: head, cc */
    char *head;                  /* JSON of the second header, for the convert worker's input later */
    struct spool *content;
    struct store_draft *draft; /* of content */
    bool kept;
    bool is_unstored; /* the commit has failed, and the log says so */
    bool oversize, unreadable;
    char *problem; /* for the notice */
    struct concierge_rules *rules;
    int64_t now;
    enum smtp_case local_case; /* policy.local_parts: the configuration is the loop's */
    struct quota_rates rates;  /* of the configuration, then */
    /* results */
    int64_t id;          /* in the outbound queue */
    const char *outcome; /* for the log; static */
    bool queued, noticed;
    bool is_word; /* was for the gateway itself; */
    bool changed; /* and has changed mappings */
    bool waits;   /* stored, and more is to come before it goes out */
    char *greet;  /* the alias of a member who has to answer the gateway's ping before this can be sent; NULL */
};

/* The mail's Message-ID is fixed when the message arrives, from what the silo guarantees to be unique, so that every attempt
 * to send it has the same one; number: of several mails that one message makes, from 0. Any thread. */
void outbound_make_message_id(struct arrival *arrival, size_t number);

/* Who wrote it. The silo vouches for the uid only. */
struct outbound_author {
    int64_t member_id;  /* 0: no member of this gateway */
    const char *uid;    /* the arrival's */
    bool wants_reports; /* the member, of deliveries */
    bool is_admin;      /* and no member */
    char *alias;        /* the member's, or the one vouched for, else the one that the message names; "" */
};
/* 1 known; 0: the message names an alias that is another's (*problem_out says so in words for its author; the caller
 * frees it); -1 database error. A member whose alias and uid were vouched for, and who has not answered yet, has answered
 * with this message. */
int outbound_find_author(struct store_db *db, struct arrival *arrival, struct outbound_author *author_out,
                         char **problem_out) __attribute__((warn_unused_result));
void outbound_author_free(struct outbound_author *author);
/* What a new thread's list says about who is whose: remembered as a claim; what contradicts goes into contradicted, for the
 * trace. 1 or -1. */
int outbound_note_participants(struct store_db *db, const struct arrival *arrival, struct notice_list *contradicted)
    __attribute__((warn_unused_result));

/* The groups that are in a thread and that the gateway is in, and that the author may speak for. */
struct outbound_groups {
    int64_t *ids;
    size_t count;
};
/* 1: found, or made from the list of its first message; 0: a thread that we never saw, or that the author is not in; -1
 * database error. groups_out is filled with 1 (free its ids). */
int outbound_find_thread(struct store_db *db, const struct arrival *arrival, const struct outbound_author *author,
                         int64_t *thread_id_out, struct outbound_groups *groups_out)
    __attribute__((warn_unused_result));

/* The groups of a thread for which somebody speaks whom the gateway has seen in them. 1: the author may change who is in it
 * (is in it, or speaks so for a group that is); 0 not; -1. groups_out is filled with 1 and 0 (free its ids). */
int outbound_find_groups(struct store_db *db, const struct outbound_author *author, int64_t thread_id,
                         struct outbound_groups *groups_out) __attribute__((warn_unused_result));
/* Who a participant is to us: fills in the ids. 1 or -1. */
struct store_party;
int outbound_fill_party(struct store_db *db, const struct arrival *arrival, struct store_party *party)
    __attribute__((warn_unused_result));
/* Adds these to a thread; a group only if the author may speak for it. 1 or -1. */
int outbound_add_parties(struct store_db *db, const struct arrival *arrival, const struct outbound_author *author,
                         const struct tmtp_participant *cc, size_t cc_count, int64_t thread_id)
    __attribute__((warn_unused_result));

/* Is it with the gateway itself, and nobody outside and no group? A thread of the store; a list of participants. 1, 0, -1. */
int outbound_is_own_thread(struct store_db *db, const struct arrival *arrival, int64_t thread_id)
    __attribute__((warn_unused_result));
bool outbound_is_own_list(const struct arrival *arrival);

/* The threadid of the thread that a message belongs to: its own id when it starts one. */
const char *outbound_threadid(const struct arrival *arrival);
/* What is known while an operation runs. */
struct taking {
    struct store_db *db;
    struct arrival *arrival;
    struct outbound_author author;
    int64_t thread_id;  /* 0: not ours */
    int64_t forward_id; /* of files: the forward that they belong to; else 0 */
    struct outbound_groups groups;
    const char *contradicted; /* participants who are given somebody else's account; "" none */
    struct recipient {
        int64_t correspondent_id;
        int64_t group_id; /* under whose mapping; 0: the author's own */
    } * recipients;
    size_t count;
    int64_t wait_ms;      /* until it may go out; 0: it may now */
    enum quota waits_for; /* the allowance that it waits for longest */
};
void outbound_add_recipient(struct taking *taking, int64_t correspondent_id); /* once */
/* Keeps those that the author may write to, as much as they may; says in refused who the others are and why. These: 1 or -1. */
int outbound_keep_authorised(struct taking *taking, struct notice_list *refused) __attribute__((warn_unused_result));
/* Part of that: takes what it needs of allowances, and says how long it has to wait. */
int outbound_keep_within_quotas(struct taking *taking, struct notice_list *refused) __attribute__((warn_unused_result));
/* Of what is kept before it is known for whom it is: takes what its size needs. 0: more than may wait; -1. */
int outbound_take_room(struct taking *taking) __attribute__((warn_unused_result));
/* The entry is due then, and its author may be told. */
int outbound_put_off(struct taking *taking) __attribute__((warn_unused_result));
/* Keeps those recipients that the author may write to, then sends it, or refuses it when nobody is left: because there was
 * nobody (why_nobody; NULL: nothing is said), or because of the mappings. Tells the author of who was left out. */
int outbound_decide(struct taking *taking, const char *why_nobody, int (*send)(struct taking *taking),
                    int (*refuse)(struct taking *taking, const char *why)) __attribute__((warn_unused_result));
/* In the thread that it was written in. Somebody who is neither a member nor speaks for a group is told once a day, and
 * never another gateway. */
int outbound_tell_author(struct taking *taking, const char *what) __attribute__((warn_unused_result));
/* Words to the author in that thread. Frees the text; one that was cut is an error. 1 or -1. */
struct strbuf;
int outbound_add_notice(struct taking *taking, const char *subject, struct strbuf *text)
    __attribute__((warn_unused_result));
const char *outbound_why_not_a_member(const struct taking *taking);
/* The entry and the beginning of its story; without its content when has_content is false. */
int outbound_add_entry(struct taking *taking, enum store_outbound_kind kind, bool has_content)
    __attribute__((warn_unused_result));
/* It is queued: which mail this message of the thread becomes. 1 or -1. */
int outbound_note_message(struct taking *taking, const char *tmtp_msgid) __attribute__((warn_unused_result));
/* Nobody gets it: the author is told why, and so is whoever asks later. */
int outbound_refuse(struct taking *taking, const char *what) __attribute__((warn_unused_result));

/* What every operation begins and ends with: known messages are passed by, the author is found, contradictions are noted. One
 * of both is called: refuse when the author is not who they say. All return 1 or -1. */
int outbound_run(struct store_db *db, struct arrival *arrival, int (*take_it)(struct taking *taking),
                 int (*refuse)(struct taking *taking, const char *why)) __attribute__((warn_unused_result));
/* The store operations (mapping/store.h). arg: the arrival, whose results they fill in. */
store_operation outbound_take, outbound_take_notify;
/* Before outbound_take, on the background thread: thousands of headers would hold up every other commit. */
void outbound_read_forward(struct arrival *arrival);
/* Parts of outbound_take. A forwarded thread whose author may send it; its recipients come with the notify. */
int outbound_take_forward(struct taking *taking) __attribute__((warn_unused_result));
/* Of a member or an admin, in such a thread: its body is words to the gateway. */
int outbound_take_words(struct taking *taking) __attribute__((warn_unused_result));
/* A copy of an earlier message, for those who have joined its thread since. */
int outbound_take_confirmation(struct taking *taking) __attribute__((warn_unused_result));
