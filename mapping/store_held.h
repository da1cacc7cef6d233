/* store_held.h - mail that awaits an approval (gateway/hold.h), and first contacts
 *
 * Such a mail is a PENDING entry of the inbound queue with one recipient, whose content is sealed, as is what its header says
 * (`facts`). A row of `held` goes with it. It leaves that state by being opened (WAITING, as if it had come then) or dropped.
 */
#pragma once
#include "mapping/store_queue.h"

struct store_draft;

enum { STORE_REPETITION_SIZE = 16 };

struct store_held_new {
    const char *author, *domain; /* normalised */
    struct store_target target;
    int64_t request_id; /* 0: none */
    const char *key_id, *proof;
    const uint8_t *repetition; /* STORE_REPETITION_SIZE octets */
    const void *facts;
    size_t facts_len;
    int64_t size, expires_at;
};
int store_held_add(struct store_db *db, int64_t inbound_id, const struct store_held_new *held)
    __attribute__((warn_unused_result));

struct store_held {
    int64_t inbound_id;
    char *author;
    struct store_target target;
    int64_t request_id;
    char *key_id, *proof;
    uint8_t *facts;
    size_t facts_len;
    int64_t size, expires_at;
    int64_t released_at; /* 0: it is not */
    bool is_once;        /* released by itself, without a mapping */
};
/* 0: there is no such mail, or it is no longer held. */
int store_held_find(struct store_db *db, int64_t inbound_id, struct store_held *out)
    __attribute__((warn_unused_result));
void store_held_free(struct store_held *held);

/* How much is held. Costs as much as there is. */
struct store_held_sum {
    int64_t count, size;
};
int store_held_measure(struct store_db *db, struct store_held_sum *sum_out) __attribute__((warn_unused_result));
int store_held_measure_author(struct store_db *db, const char *author, struct store_held_sum *sum_out)
    __attribute__((warn_unused_result));
int store_held_measure_domain(struct store_db *db, const char *domain, struct store_held_sum *sum_out)
    __attribute__((warn_unused_result));
/* Sealed with another key than this one. */
int store_held_count_foreign(struct store_db *db, const char *key_id, int64_t *count_out)
    __attribute__((warn_unused_result));
/* The entry as which this mail is held for this target. 0: it is not. */
int store_held_find_same(struct store_db *db, const uint8_t repetition[static STORE_REPETITION_SIZE],
                         struct store_target target, int64_t *id_out) __attribute__((warn_unused_result));

typedef void store_held_each(int64_t inbound_id, void *ctx);
/* All with ids above this one, lowest first. */
int store_held_list(struct store_db *db, int64_t above, unsigned limit, store_held_each *each, void *ctx)
    __attribute__((warn_unused_result));
/* Not released, with ids above this one, lowest first. */
int store_held_list_waiting(struct store_db *db, int64_t above, unsigned limit, store_held_each *each, void *ctx)
    __attribute__((warn_unused_result));
/* Not released, that this request was made for, or was there for; lowest first. */
int store_held_list_request(struct store_db *db, int64_t request_id, int64_t above, unsigned limit,
                            store_held_each *each, void *ctx) __attribute__((warn_unused_result));
/* Not released, whose time has run out. */
int store_held_list_expired(struct store_db *db, int64_t now, unsigned limit, store_held_each *each, void *ctx)
    __attribute__((warn_unused_result));
/* When the time of the first runs out. 0: none is held. */
int store_held_next_expiry(struct store_db *db, int64_t *at_out) __attribute__((warn_unused_result));
/* In the order in which they are to be opened: as they were released, then as they came. */
int store_held_list_released(struct store_db *db, unsigned limit, store_held_each *each, void *ctx)
    __attribute__((warn_unused_result));

/* Released until then, and still here, of senders who can be told. */
int store_held_list_overdue(struct store_db *db, int64_t released_by, unsigned limit, store_held_each *each, void *ctx)
    __attribute__((warn_unused_result));

/* 0: it is released already, or not held. */
int store_held_release(struct store_db *db, int64_t inbound_id, bool is_once, int64_t now)
    __attribute__((warn_unused_result));
/* It is no longer released. 0: it was not, or is not held. */
int store_held_take_back(struct store_db *db, int64_t inbound_id) __attribute__((warn_unused_result));
/* PENDING -> DROPPED: erases content and facts. 0: it is not PENDING. */
int store_held_drop(struct store_db *db, int64_t inbound_id) __attribute__((warn_unused_result));
/* PENDING -> WAITING, due at once: what was sealed is put back, and counts as received at `now`. The sealed content is erased. 0: it is not PENDING. */
struct store_held_opened {
    int64_t correspondent_id;
    int64_t mapping_id;        /* that lets it in; 0 */
    const char *message_id;    /* NULL: it has none */
    const char *references;    /* "" */
    const uint8_t *digest;     /* STORE_DIGEST_SIZE octets; NULL */
    struct store_draft *draft; /* kept, if it is large */
    int64_t now;
};
int store_held_open(struct store_db *db, int64_t inbound_id, const struct store_held_opened *opened)
    __attribute__((warn_unused_result));

/* First contacts: of an author's first held mail the member is told, once. 1 it is to be done for this mail; 0: it was done,
 * or is to be, for an earlier one, or `most` others were noted for this member since a time (then for a later mail,
 * perhaps). */
int store_contact_note(struct store_db *db, const char *author, int64_t member_id, int64_t inbound_id, int64_t now,
                       int64_t since, int64_t most) __attribute__((warn_unused_result));
struct store_contact {
    int64_t inbound_id, member_id;
    const char *author, *member_alias;
};
typedef void store_contact_each(const struct store_contact *contact, void *ctx);
/* That are to be done, for mail that is still held and was not released; the oldest first. */
int store_contact_list_due(struct store_db *db, unsigned limit, store_contact_each *each, void *ctx)
    __attribute__((warn_unused_result));
int store_contact_set_done(struct store_db *db, int64_t inbound_id) __attribute__((warn_unused_result));
