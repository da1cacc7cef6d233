/* web_chart.c - see web_chart.h */
#include "gateway/web_chart.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "gateway/web_format.h"
#include "gateway/web_html.h"
#include "gateway/web_page.h"

/* In units of the picture, which is as wide as its place: at 360 px the letters are still 9 px high. */
enum {
    WIDTH = 400,
    HEIGHT = 130,
    LEFT = 56, /* room for the figures of the scale */
    RIGHT = 4,
    TOP = 10,
    BOTTOM = 20,
    LINES = 4, /* of the scale, with the base */
    NUMBER_SIZE = 24,
    SIX_HOURS = 6 * 3600 * 1000,
    HOUR_BEGIN = 11, /* of an RFC 3339 time */
    HOUR_LEN = 5,
};

static const char *const classes[WEB_CHART_SERIES_MAX] = { "first", "second", "third" };

/* Tenths are fine enough, and short. */
static const char *number(double value, char buf[static NUMBER_SIZE])
{
    snprintf(buf, NUMBER_SIZE, "%.1f", value);
    return buf;
}
#define NUMBER(value) number((value), (char[NUMBER_SIZE]){ 0 })

static int64_t value_at(const struct web_chart *chart, size_t series, size_t i)
{
    return chart->series[series].values[i];
}

static int64_t find_most(const struct web_chart *chart)
{
    int64_t most = 0;
    for (size_t i = 0; i < chart->count; i++) {
        int64_t sum = 0;
        for (size_t s = 0; s < chart->series_count; s++) {
            int64_t value = value_at(chart, s, i) > 0 ? value_at(chart, s, i) : 0;
            sum = chart->is_bars ? sum + value : value;
            most = sum > most ? sum : most;
        }
    }
    return most;
}

/* The least of 3, 6, 15, 30, 60, 150 ... that is not below: its thirds are figures that are read at a glance. */
static int64_t round_up(int64_t most)
{
    static const int64_t steps[] = { 3, 6, 15 };
    for (int64_t unit = 1; unit < INT64_MAX / 150; unit *= 10)
        for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
            if (most <= steps[i] * unit)
                return steps[i] * unit;
    return most;
}

static double x_of(const struct web_chart *chart, size_t i)
{
    return LEFT + (double)(WIDTH - LEFT - RIGHT) * (double)i / (double)chart->count;
}

static double y_of(int64_t value, int64_t top)
{
    return HEIGHT - BOTTOM - (double)(HEIGHT - TOP - BOTTOM) * (double)value / (double)top;
}

static void add_scale(struct web_html *html, const struct web_chart *chart, int64_t top)
{
    for (int i = 0; i < LINES; i++) {
        char shown[WEB_FORMAT_SIZE];
        int64_t value = top * i / (LINES - 1);
        const char *y = NUMBER(y_of(value, top));
        web_html_add(html, "<line class=\"%s\" x1=\"%s\" x2=\"%s\" y1=\"%s\" y2=\"%s\"/>", i == 0 ? "base" : "grid",
                     WEB_INT(LEFT), WEB_INT(WIDTH - RIGHT), y, y);
        web_html_add(html, "<text x=\"%s\" y=\"%s\" text-anchor=\"end\" dominant-baseline=\"middle\">%s</text>",
                     WEB_INT(LEFT - 6), y, chart->show(value, shown));
    }
    for (size_t i = 0; i < chart->count; i++) {
        char time[CLOCK_RFC3339_SIZE];
        int64_t at = chart->from_ms + (int64_t)i * chart->step_ms;
        if (at % SIX_HOURS >= chart->step_ms)
            continue;
        clock_format_rfc3339(at, time);
        time[HOUR_BEGIN + HOUR_LEN] = '\0';
        web_html_add(html, "<text x=\"%s\" y=\"%s\" text-anchor=\"middle\">%s</text>", NUMBER(x_of(chart, i)),
                     WEB_INT(HEIGHT - 5), time + HOUR_BEGIN);
    }
}

static void add_bars(struct web_html *html, const struct web_chart *chart, int64_t top)
{
    for (size_t i = 0; i < chart->count; i++) {
        double width = (double)(WIDTH - LEFT - RIGHT) / (double)chart->count;
        int64_t below = 0;
        for (size_t s = 0; s < chart->series_count; s++) {
            int64_t value = value_at(chart, s, i);
            if (value <= 0)
                continue;
            double y = y_of(below + value, top), height = y_of(below, top) - y;
            web_html_add(html, "<rect class=\"%s\" x=\"%s\" y=\"%s\" width=\"%s\" height=\"%s\"/>", classes[s],
                         NUMBER(x_of(chart, i)), NUMBER(y), NUMBER(width > 1.5 ? width - 0.5 : width),
                         NUMBER(height > 1 ? height : 1));
            below += value;
        }
    }
}

/* From the i-th value, which is known, to the last one before a gap; one that stands alone is a dot. Where to go on. */
static size_t add_stretch(struct web_html *html, const struct web_chart *chart, size_t series, size_t i, int64_t top)
{
    const char *x = NUMBER(x_of(chart, i)), *y = NUMBER(y_of(value_at(chart, series, i), top));
    if (i + 1 >= chart->count || value_at(chart, series, i + 1) < 0) {
        web_html_add(html, "<circle class=\"%s\" cx=\"%s\" cy=\"%s\" r=\"2\"/>", classes[series], x, y);
        return i + 1;
    }
    web_html_add(html, "<path class=\"line %s\" d=\"M%s %s", classes[series], x, y);
    for (i++; i < chart->count && value_at(chart, series, i) >= 0; i++)
        web_html_add(html, "L%s %s", NUMBER(x_of(chart, i)), NUMBER(y_of(value_at(chart, series, i), top)));
    web_html_add(html, "\"/>");
    return i;
}

static void add_line(struct web_html *html, const struct web_chart *chart, size_t series, int64_t top)
{
    for (size_t i = 0; i < chart->count;)
        i = value_at(chart, series, i) < 0 ? i + 1 : add_stretch(html, chart, series, i, top);
}

static void add_legend(struct web_html *html, const struct web_chart *chart)
{
    web_html_add(html, "<ul class=\"legend\">");
    for (size_t s = 0; s < chart->series_count; s++) {
        web_html_add(html, "<li><svg class=\"chart\" viewBox=\"0 0 24 10\" aria-hidden=\"true\">");
        if (chart->is_bars)
            web_html_add(html, "<rect class=\"%s\" x=\"6\" y=\"0\" width=\"12\" height=\"10\"/>", classes[s]);
        else
            web_html_add(html, "<path class=\"line %s\" d=\"M1 5H23\"/>", classes[s]);
        web_html_add(html, "</svg>%s</li>", chart->series[s].name);
    }
    web_html_add(html, "</ul>");
}

void web_chart_add(struct web_html *html, const struct web_chart *chart)
{
    char shown[WEB_FORMAT_SIZE];
    int64_t most = find_most(chart), top = round_up(most);
    web_html_add(html, "<figure class=\"panel\" id=\"%s\"><figcaption><h3>%s</h3></figcaption>\n", chart->id,
                 chart->title);
    web_html_add(html, "<svg class=\"chart\" viewBox=\"0 0 %s %s\" role=\"img\" aria-label=\"%s, at most %s\">",
                 WEB_INT(WIDTH), WEB_INT(HEIGHT), chart->title, chart->show(most, shown));
    add_scale(html, chart, top);
    if (chart->is_bars)
        add_bars(html, chart, top);
    for (size_t s = 0; !chart->is_bars && s < chart->series_count; s++)
        add_line(html, chart, s, top);
    web_html_add(html, "</svg>\n");
    add_legend(html, chart);
    web_html_add(html, "</figure>\n");
}
