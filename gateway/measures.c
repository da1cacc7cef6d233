/* measures.c - see measures.h */
#include "gateway/measures.h"

static const int64_t bounds_ms[] = { 10,   25,    50,    100,    250,     500,     1000,     2500,
                                     5000, 15000, 60000, 300000, 1800000, 7200000, 28800000, 86400000 };
enum { BOUND_COUNT = sizeof bounds_ms / sizeof bounds_ms[0] };

void measures_init(struct measures *measures)
{
    *measures = (struct measures){ .posts_refused = 0 };
    histogram_init(&measures->posted_ms, bounds_ms, BOUND_COUNT);
    histogram_init(&measures->delivered_ms, bounds_ms, BOUND_COUNT);
}

void measures_note_posted(struct measures *measures, int64_t took_ms)
{
    if (measures)
        histogram_note(&measures->posted_ms, took_ms);
}

void measures_note_delivered(struct measures *measures, int64_t took_ms)
{
    if (measures)
        histogram_note(&measures->delivered_ms, took_ms);
}

void measures_note_outcome(struct measures *measures, enum measures_outcome outcome)
{
    if (measures)
        measures->outcomes[outcome]++;
}

void measures_note_refused_post(struct measures *measures)
{
    if (measures)
        measures->posts_refused++;
}

void measures_note_sign_in(struct measures *measures, enum measures_sign_in result)
{
    if (measures)
        measures->sign_ins[result]++;
}
