/* store_named.h - whom the readers of a thread know of, and what the last mail in it said
 *
 * Mail is addressed to people outside who are not in its thread: the thread message that it becomes names them
 * (convert_mime_in.h), once in a thread. So that this is so, who was named is kept with the thread, from the commit that
 * routes the mail on; it counts when the mail is posted, so that a mail which is converted anew after a crash says the same,
 * and one that never arrives has told nobody.
 *
 * The excerpt of a thread's last mail, for those who want answers to quote it (content.answered), lives as long as that
 * setting, and no longer than store_excerpt_expire() says. Addresses: normalised, without a detail.
 */
#pragma once
#include "mapping/store.h"

enum { STORE_NAMED_MAX = 100 }; /* of a thread; who is named beyond is named again by the next mail */

/* Notes that a mail names somebody in its thread. 0: there are too many already. */
int store_named_add(struct store_db *db, int64_t thread_id, int64_t inbound_id, const char *address)
    __attribute__((warn_unused_result));
typedef void store_named_each(const char *address, void *ctx);
/* Everybody whom a thread's readers know: its correspondents, and who was named in it by mail that was posted; at most
 * `limit`. */
int store_named_list_known(struct store_db *db, int64_t thread_id, unsigned limit, store_named_each *each, void *ctx)
    __attribute__((warn_unused_result));
/* The local parts, old ones too, of the thread's members and groups; at most `limit`. */
int store_named_list_local_parts(struct store_db *db, int64_t thread_id, unsigned limit, store_named_each *each,
                                 void *ctx) __attribute__((warn_unused_result));

/* What a mail says, in place of what the last one in its thread said. */
struct store_excerpt {
    int64_t thread_id, inbound_id;
    int64_t correspondent_id; /* its author, */
    char *address;            /* found only: their address */
    char *author_name;        /* what they call themselves; "" */
    char *text;               /* CommonMark */
    int64_t received_at;      /* of the mail */
};
int store_excerpt_set(struct store_db *db, const struct store_excerpt *excerpt) __attribute__((warn_unused_result));
/* That of the thread's last mail, if it was posted before this outbound entry came. 0: there is none. */
int store_excerpt_find(struct store_db *db, int64_t thread_id, int64_t outbound_id, struct store_excerpt *out)
    __attribute__((warn_unused_result));
void store_excerpt_free(struct store_excerpt *excerpt);
/* Erases the thread's. 1 also when there is none. */
int store_excerpt_erase(struct store_db *db, int64_t thread_id) __attribute__((warn_unused_result));
/* Erases that of this mail, which nobody is to read any more. 1 also when there is none. */
int store_excerpt_take_back(struct store_db *db, int64_t inbound_id) __attribute__((warn_unused_result));
/* Erases those of mail that came before this time, the oldest, at most `limit` of them. 1 also for none. */
int store_excerpt_expire(struct store_db *db, int64_t before, unsigned limit) __attribute__((warn_unused_result));
