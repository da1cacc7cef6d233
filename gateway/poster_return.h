/* poster_return.h - mail that can't be posted ends: back to its sender, or with a person
 *
 * When trying has no sense any more, the sender gets a report and the entry is SETTLED, its content erased, in one commit.
 * When somebody would not be told who may count on it (an unproven or null sender, automatic mail that has asked for
 * nothing), the entry is HELD for a person, as is a notice of our own. While the silo is away nothing is held, and what may
 * have been posted is left alone: it waits, and is tried when the silo is back.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "gateway/trouble.h"
#include "mapping/store_queue.h"

struct reporter;
struct store_db;

enum poster_returned {
    POSTER_RETURNED,
    POSTER_HELD,
    POSTER_NOT_YET, /* nothing is changed: too many reports went to its sender lately, or it waits for the silo */
    POSTER_ENDED,   /* nor here: it has ended, or is held, already */
};

struct poster_return {
    int64_t id, now;
    enum trouble trouble;
    const char *words; /* the silo's, for the sender; NULL */
    const char *why;   /* for the trace, and whom it is held for */
    bool is_silo_away;
    enum poster_returned done; /* out */
    bool reported;             /* out: a report is in the outbound queue */
    const char *held_for;      /* out: of HELD and NOT_YET, static words */
};
/* Writer only. 1, or -1 database error. */
int poster_return(struct store_db *db, const struct reporter *reporter, struct poster_return *end)
    __attribute__((warn_unused_result));
