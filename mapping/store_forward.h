/* store_forward.h - the messages of a forwarded thread, and the files that are still to come for them
 *
 * Beside an outbound entry of the kind STORE_OUTBOUND_FORWARD, whose content is the thread as it came
 * (tmtp/tmtp_forward.h). A message's row lives until the mail is written; one with attachments longer, until its author
 * has sent them again (a confirmation), or store_forward_expire.
 */
#pragma once
#include "mapping/store.h"

struct store_forward_message {
    int64_t outbound_id;
    unsigned seq; /* 0, 1, ... oldest first */
    char *msgid;
    char *author_uid, *author_alias;
    int64_t posted_at; /* 0: not known */
    int64_t body_offset, body_size;
    char *attachments; /* a second header (tmtp_message.h) with these alone; "" for none: nothing is awaited */
};
int store_forward_add(struct store_db *db, const struct store_forward_message *message)
    __attribute__((warn_unused_result));
typedef void store_forward_each(const struct store_forward_message *message, void *ctx);
/* Those of an entry, oldest first. */
int store_forward_list(struct store_db *db, int64_t outbound_id, store_forward_each *each, void *ctx)
    __attribute__((warn_unused_result));
/* Those of a thread's forwards whose files have not come yet, by the message's id and its author. */
int store_forward_list_awaited(struct store_db *db, int64_t thread_id, const char *msgid, const char *author_uid,
                               store_forward_each *each, void *ctx) __attribute__((warn_unused_result));
/* A message's files have come, however often the thread names it. 0: they had before. */
int store_forward_received(struct store_db *db, int64_t outbound_id, const char *msgid)
    __attribute__((warn_unused_result));
/* The mail is written: what is not awaited is not needed any more. */
int store_forward_written(struct store_db *db, int64_t outbound_id) __attribute__((warn_unused_result));
/* Nothing is awaited any more for entries that came before, 100 of them at a time, the oldest first. 1 also for none. */
int store_forward_expire(struct store_db *db, int64_t before) __attribute__((warn_unused_result));
