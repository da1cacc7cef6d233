/* store_thread.h - conversations: TMTP threads, who is in them, and which email messages belong to them */
#pragma once
#include "mapping/store.h"

struct store_thread {
    int64_t id;
    char *threadid; /* TMTP's; NULL while the post that starts it is not confirmed */
    char *subject;
};
int store_thread_add(struct store_db *db, const char *threadid, const char *subject, int64_t now, int64_t *id_out)
    __attribute__((warn_unused_result));
int store_thread_find(struct store_db *db, int64_t id, struct store_thread *out) __attribute__((warn_unused_result));
int store_thread_find_by_threadid(struct store_db *db, const char *threadid, struct store_thread *out)
    __attribute__((warn_unused_result));
int store_thread_set_threadid(struct store_db *db, int64_t id, const char *threadid)
    __attribute__((warn_unused_result));
/* Takes an id from the thread that has it by somebody's claim. 0: none has. */
int store_thread_take_threadid(struct store_db *db, const char *threadid) __attribute__((warn_unused_result));
int store_thread_set_subject(struct store_db *db, int64_t id, const char *subject) __attribute__((warn_unused_result));
/* Is a message queued whose post will give the thread its threadid? 0: it has one, or that message was held, settled or
 * dropped. */
int store_thread_awaits_post(struct store_db *db, int64_t id) __attribute__((warn_unused_result));
void store_thread_free(struct store_thread *thread);

struct store_party {
    int64_t member_id;        /* 0: not a member of ours */
    int64_t correspondent_id; /* 0: not an outside correspondent */
    int64_t group_id;         /* 0: not a group of ours */
    char *alias;              /* not NULL; of a group its gid */
    char *uid;                /* of the silo account: the gateway's own for correspondents; a gid; not NULL */
};
/* 0: it is there already (same alias and uid), nothing changes. */
int store_thread_add_party(struct store_db *db, int64_t thread_id, const struct store_party *party)
    __attribute__((warn_unused_result));
int store_thread_count_parties(struct store_db *db, int64_t thread_id, int64_t *count_out)
    __attribute__((warn_unused_result));
typedef void store_party_each(const struct store_party *party, void *ctx);
/* In the order of adding. */
int store_thread_list_parties(struct store_db *db, int64_t thread_id, store_party_each *each, void *ctx)
    __attribute__((warn_unused_result));

/* The email message and its twin in the silo. Either id may be NULL when it is not known (yet). */
struct store_message_new {
    int64_t thread_id;
    const char *message_id, *tmtp_msgid;
    int64_t inbound_id, outbound_id; /* 0: not from, or not to, email */
    int64_t now;
};
int store_message_add(struct store_db *db, const struct store_message_new *message) __attribute__((warn_unused_result));
/* 0: no message came from this inbound entry. */
int store_message_set_tmtp_msgid(struct store_db *db, int64_t inbound_id, const char *tmtp_msgid)
    __attribute__((warn_unused_result));
typedef void store_thread_each(int64_t thread_id, void *ctx);
/* Threads that the email message belongs to, newest first. */
int store_message_list_threads(struct store_db *db, const char *message_id, store_thread_each *each, void *ctx)
    __attribute__((warn_unused_result));
typedef void store_message_id_each(const char *message_id, void *ctx);
/* Message-IDs of a thread before that of an outbound entry (0: all), each once, oldest first, at most the first and the last
 * `limit` - 1 of them: for References. */
int store_message_list_ids(struct store_db *db, int64_t thread_id, int64_t outbound_id, unsigned limit,
                           store_message_id_each *each, void *ctx) __attribute__((warn_unused_result));
/* The newest Message-ID of the thread, before that of an outbound entry, of a mail that every recipient of the entry has:
 * because it was sent to them, or came from outside (whom else its author has sent it to is not known). 0: none. The result
 * is the caller's. */
int store_message_find_shared(struct store_db *db, int64_t thread_id, int64_t outbound_id, char **message_id_out)
    __attribute__((warn_unused_result));
/* The newest queue entries that have this Message-ID or TMTP msgid, for `why`. Each id is 0 for none; 0 for neither. */
int store_message_find_queue_ids(struct store_db *db, const char *message_id_or_msgid, int64_t *inbound_id_out,
                                 int64_t *outbound_id_out) __attribute__((warn_unused_result));
