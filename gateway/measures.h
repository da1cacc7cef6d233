/* measures.h - what parts note as they go, for metrics and history: how long things took, how they ended
 *
 * A value type that gateway.c owns; read its fields. Since the start; loop's thread. Noting costs next to nothing, and
 * parts without measures (NULL, as in tests of one part) note nothing.
 */
#pragma once
#include <stdint.h>

#include "base/histogram.h"

/* What became of an attempt to hand a message to somebody outside. */
enum measures_outcome {
    MEASURES_DELIVERED,
    MEASURES_RETRIED, /* later once more */
    MEASURES_FAILED,  /* for good */
    MEASURES_PARKED,  /* until a person has looked at it */
    MEASURES_OUTCOME_COUNT,
};

/* What became of an attempt to sign in to the web page. */
enum measures_sign_in {
    MEASURES_SIGNED_IN,
    MEASURES_NOT_SIGNED_IN,   /* name, password or code was wrong */
    MEASURES_SIGN_IN_LIMITED, /* was not looked at, after too many of those */
    MEASURES_SIGN_IN_COUNT,
};

struct measures {
    struct histogram posted_ms; /* from when mail was accepted, or opened after an approval, to its being in the silo */
    struct histogram
        delivered_ms; /* from when a member's message was taken from the silo to each recipient's relay having it */
    uint64_t outcomes[MEASURES_OUTCOME_COUNT]; /* of attempts, one for each recipient */
    uint64_t posts_refused;                    /* by the silo, or not possible: each time */
    uint64_t sign_ins[MEASURES_SIGN_IN_COUNT];
};

void measures_init(struct measures *measures);
void measures_note_posted(struct measures *measures, int64_t took_ms);
void measures_note_delivered(struct measures *measures, int64_t took_ms);
void measures_note_outcome(struct measures *measures, enum measures_outcome outcome);
void measures_note_refused_post(struct measures *measures);
void measures_note_sign_in(struct measures *measures, enum measures_sign_in result);
