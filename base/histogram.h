/* histogram.h - how often values fall between fixed bounds: nothing is allocated, and noting one costs a few comparisons
 *
 * A value type: whoever has one may read its fields. One thread, or under the owner's lock. Values are numbers of whatever unit
 * the bounds have; below 0 counts as 0.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_BOUNDS_MAX = 16 };

struct histogram {
    const int64_t *bounds; /* rising; a static const */
    size_t bound_count;
    uint64_t
        buckets[HISTOGRAM_BOUNDS_MAX + 1]; /* up to and including bounds[i], above the bound before; last: above all */
    uint64_t count;                        /* of all buckets */
    int64_t sum;                           /* of all values */
};

/* bound_count: 1 to HISTOGRAM_BOUNDS_MAX. */
void histogram_init(struct histogram *histogram, const int64_t *bounds, size_t bound_count);
void histogram_note(struct histogram *histogram, int64_t value);
/* Of the same bounds: what was noted since `before` was copied from it, into *out. */
void histogram_since(const struct histogram *histogram, const struct histogram *before, struct histogram *out);
/* Of the same bounds: *histogram grows by what is in `more`. */
void histogram_add(struct histogram *histogram, const struct histogram *more);
/* Adds `count` values, without their sum, where values up to this bound belong (INT64_MAX: above all). */
void histogram_add_bucket(struct histogram *histogram, int64_t bound, uint64_t count);
/* The value that so many thousandths of all do not exceed, as if values were spread evenly between two bounds: 500 is the median.
 * The highest bound when it is above that. -1: nothing was noted. */
int64_t histogram_quantile(const struct histogram *histogram, unsigned thousandths);
