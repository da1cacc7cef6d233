/* web_chart.h - small charts as inline SVG: a day at a glance
 *
 * Bars that stand on each other, for numbers of things; lines, for what is measured. The scale begins at 0. Presentation is by
 * classes and attributes only (no style=""). A chart is a picture for those who see it: it has a title and a summary, and whoever draws one also
 * writes its figures as a table. Times are UTC.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct web_html;

enum { WEB_CHART_SERIES_MAX = 3 };

struct web_chart {
    const char *id, *title;   /* ours */
    bool is_bars;             /* else lines */
    int64_t from_ms, step_ms; /* wall clock; of the first value, and between two */
    size_t count;             /* values of each series */
    size_t series_count;
    struct web_chart_series {
        const char *name;      /* ours */
        const int64_t *values; /* below 0: none is known, a gap */
    } series[WEB_CHART_SERIES_MAX];
    /* How a value is written: web_format_count() or web_format_span(). */
    const char *(*show)(int64_t value, char *buf);
};
void web_chart_add(struct web_html *html, const struct web_chart *chart);
