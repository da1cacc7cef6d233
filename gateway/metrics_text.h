/* metrics_text.h - the text format of Prometheus, version 0.0.4: families of samples, a line each
 *
 * A family is begun with its name, type and what it says, and has all its samples before the next one begins. Names and
 * label names are literals of ours; values of labels may be anything that is UTF-8. Pure, into a strbuf.
 */
#pragma once
#include <stdint.h>

struct histogram;
struct strbuf;

#define METRICS_TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum metrics_type { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM };

/* Up to two; name NULL: no more. */
struct metrics_labels {
    const char *name, *value, *name2, *value2;
};

/* name, without suffixes that samples of a histogram have, and help: literals, borrowed until the next family begins. */
struct metrics_text {
    struct strbuf *out;
    const char *name;
};
void metrics_family(struct metrics_text *text, enum metrics_type type, const char *name, const char *help);
/* labels NULL: none. */
void metrics_sample(struct metrics_text *text, const struct metrics_labels *labels, int64_t value);
/* A family of one sample without labels. */
void metrics_counter(struct metrics_text *text, const char *name, const char *help, uint64_t value);
void metrics_gauge(struct metrics_text *text, const char *name, const char *help, int64_t value);
/* value / scale, as a decimal number: scale is a power of ten up to 1,000,000. */
void metrics_sample_scaled(struct metrics_text *text, const struct metrics_labels *labels, int64_t value,
                           int64_t scale);
/* Bounds and sum are divided by scale likewise. One label at most. */
void metrics_sample_histogram(struct metrics_text *text, const struct metrics_labels *labels,
                              const struct histogram *histogram, int64_t scale);
