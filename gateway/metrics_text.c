/* metrics_text.c - see metrics_text.h */
#include "gateway/metrics_text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/histogram.h"
#include "base/strbuf.h"

enum { NUMBER_SIZE = 48 };

static const char *const type_names[] = { "counter", "gauge", "histogram" };

void metrics_family(struct metrics_text *text, enum metrics_type type, const char *name, const char *help)
{
    text->name = name;
    strbuf_add_fmt(text->out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type_names[type]);
}

static void add_label_value(struct strbuf *out, const char *value)
{
    for (; *value; value++) {
        if (*value == '\n')
            strbuf_add_str(out, "\\n");
        else if (*value == '\\' || *value == '"')
            strbuf_add_fmt(out, "\\%c", *value);
        else
            strbuf_add_char(out, *value);
    }
}

static void add_label(struct strbuf *out, char before, const char *name, const char *value)
{
    strbuf_add_fmt(out, "%c%s=\"", before, name);
    add_label_value(out, value);
    strbuf_add_char(out, '"');
}

/* "NAME{A="a",LE="1"} " */
static void begin_sample(struct metrics_text *text, const char *suffix, const struct metrics_labels *labels,
                         const char *bound)
{
    struct strbuf *out = text->out;
    char before = '{';
    strbuf_add_fmt(out, "%s%s", text->name, suffix);
    if (labels && labels->name) {
        add_label(out, before, labels->name, labels->value);
        before = ',';
    }
    if (labels && labels->name2)
        add_label(out, before, labels->name2, labels->value2);
    if (bound) {
        add_label(out, before, "le", bound);
        before = ',';
    }
    strbuf_add_str(out, before == ',' ? "} " : " ");
}

struct number {
    char text[NUMBER_SIZE];
};

/* Without zeros at the end: "0.25", "3". From behind. */
static const char *format_scaled(struct number *number, int64_t value, int64_t scale)
{
    char *at = &number->text[NUMBER_SIZE - 1];
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    bool is_shown = false;
    *at = 0;
    for (; scale > 1; scale /= 10, rest /= 10) {
        is_shown = is_shown || rest % 10 != 0;
        if (is_shown)
            *--at = (char)('0' + rest % 10);
    }
    if (is_shown)
        *--at = '.';
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        *--at = '-';
    return at;
}

void metrics_sample(struct metrics_text *text, const struct metrics_labels *labels, int64_t value)
{
    begin_sample(text, "", labels, NULL);
    strbuf_add_fmt(text->out, "%" PRId64 "\n", value);
}

void metrics_counter(struct metrics_text *text, const char *name, const char *help, uint64_t value)
{
    metrics_family(text, METRICS_COUNTER, name, help);
    metrics_sample(text, NULL, (int64_t)value);
}

void metrics_gauge(struct metrics_text *text, const char *name, const char *help, int64_t value)
{
    metrics_family(text, METRICS_GAUGE, name, help);
    metrics_sample(text, NULL, value);
}

void metrics_sample_scaled(struct metrics_text *text, const struct metrics_labels *labels, int64_t value, int64_t scale)
{
    struct number number;
    begin_sample(text, "", labels, NULL);
    strbuf_add_fmt(text->out, "%s\n", format_scaled(&number, value, scale));
}

void metrics_sample_histogram(struct metrics_text *text, const struct metrics_labels *labels,
                              const struct histogram *histogram, int64_t scale)
{
    struct number number;
    uint64_t below = 0;
    for (size_t i = 0; i < histogram->bound_count; i++) {
        below += histogram->buckets[i];
        begin_sample(text, "_bucket", labels, format_scaled(&number, histogram->bounds[i], scale));
        strbuf_add_fmt(text->out, "%" PRIu64 "\n", below);
    }
    begin_sample(text, "_bucket", labels, "+Inf");
    strbuf_add_fmt(text->out, "%" PRIu64 "\n", histogram->count);
    begin_sample(text, "_sum", labels, NULL);
    strbuf_add_fmt(text->out, "%s\n", format_scaled(&number, histogram->sum, scale));
    begin_sample(text, "_count", labels, NULL);
    strbuf_add_fmt(text->out, "%" PRIu64 "\n", histogram->count);
}
