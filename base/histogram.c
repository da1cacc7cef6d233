/* histogram.c - see histogram.h */
#include "base/histogram.h"

#include <assert.h>

void histogram_init(struct histogram *histogram, const int64_t *bounds, size_t bound_count)
{
    assert(bound_count > 0 && bound_count <= HISTOGRAM_BOUNDS_MAX);
    *histogram = (struct histogram){ .bounds = bounds, .bound_count = bound_count };
}

static size_t bucket_of(const struct histogram *histogram, int64_t value)
{
    size_t i = 0;
    while (i < histogram->bound_count && value > histogram->bounds[i])
        i++;
    return i;
}

void histogram_note(struct histogram *histogram, int64_t value)
{
    if (value < 0)
        value = 0;
    histogram->buckets[bucket_of(histogram, value)]++;
    histogram->count++;
    histogram->sum += value;
}

void histogram_since(const struct histogram *histogram, const struct histogram *before, struct histogram *out)
{
    *out = *histogram;
    for (size_t i = 0; i <= histogram->bound_count; i++)
        out->buckets[i] -= before->buckets[i];
    out->count -= before->count;
    out->sum -= before->sum;
}

void histogram_add(struct histogram *histogram, const struct histogram *more)
{
    assert(histogram->bounds == more->bounds);
    for (size_t i = 0; i <= histogram->bound_count; i++)
        histogram->buckets[i] += more->buckets[i];
    histogram->count += more->count;
    histogram->sum += more->sum;
}

void histogram_add_bucket(struct histogram *histogram, int64_t bound, uint64_t count)
{
    histogram->buckets[bucket_of(histogram, bound)] += count;
    histogram->count += count;
}

int64_t histogram_quantile(const struct histogram *histogram, unsigned thousandths)
{
    if (histogram->count == 0)
        return -1;
    uint64_t wanted = (histogram->count * thousandths + 999) / 1000, below = 0;
    size_t i = 0;
    while (i < histogram->bound_count && below + histogram->buckets[i] < wanted)
        below += histogram->buckets[i++];
    if (i == histogram->bound_count)
        return histogram->bounds[i - 1];
    int64_t from = i > 0 ? histogram->bounds[i - 1] : 0, width = histogram->bounds[i] - from;
    uint64_t inside = histogram->buckets[i];
    return inside == 0 ? from : from + (int64_t)((double)width * (double)(wanted - below) / (double)inside);
}
