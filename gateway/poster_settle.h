/* poster_settle.h - what became of a post, and writing it down
 *
 * A post carries a key, "in17-1795419506950": the entry's id and when it was received. The second part tells the echo
 * of this database's entry from that of an entry with the same number in another life of it (a restored backup).
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct reporter;
struct store_db;

enum { POSTER_KEY_SIZE = 48 };
void poster_key_format(int64_t id, int64_t received_at, char out[static POSTER_KEY_SIZE]);
int poster_key_parse(const char *key, int64_t *id_out, int64_t *received_at_out)
    __attribute__((warn_unused_result)); /* -1: not one */

struct poster_fate {
    int64_t id, received_at, now;
    char *msgid, *posted; /* from the silo; owned */
};
void poster_fate_set(struct poster_fate *fate, int64_t id, int64_t received_at, const char *msgid, const char *posted,
                     int64_t now);
void poster_fate_free(struct poster_fate *fate);

struct poster_settled {
    bool reported; /* a report is in the outbound queue */
    bool is_new;   /* it was not settled before, nor dropped; */
    bool is_mail;  /* then: not a notice */
};
/* Writer only. Settles the entry: thread and message ids are kept, the sender gets the report that is due, the content is
 * erased, the story told. Doing it again, or for an entry that this database does not know, changes nothing. 1 done, -1
 * database error. */
int poster_settle(struct store_db *db, const struct reporter *reporter, const struct poster_fate *fate,
                  struct poster_settled *settled_out) __attribute__((warn_unused_result));
