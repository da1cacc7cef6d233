/* ctl_progress.c - see ctl_progress.h */
#include "gateway/ctl_progress.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/ctl_terminal.h"

enum {
    FIRST_MS = 300, /* before that nobody has begun to wonder */
    EVERY_MS = 150,
    LINE_MAX_OCTETS = 1000,
    BAR_MIN = 10,
    BAR_MAX = 40,
    RATE_AFTER_MS = 1000, /* earlier it is a guess */
};

struct ctl_progress {
    struct ctl_progress_state state;
    bool is_shown; /* standard error is a terminal */
    bool is_on_screen;
    int64_t began_ms, shown_ms;
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Words. */

static void add_amount(struct strbuf *out, enum ctl_progress_unit unit, uint64_t amount)
{
    static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
    size_t i = 0;
    if (unit == CTL_PROGRESS_THINGS) {
        strbuf_add_fmt(out, "%" PRIu64, amount);
        return;
    }
    double value = (double)amount / 1024;
    for (; value >= 1000 && i + 1 < sizeof units / sizeof units[0]; i++)
        value /= 1024;
    strbuf_add_fmt(out, "%.1f %s", value, units[i]);
}

static void add_duration(struct strbuf *out, int64_t seconds)
{
    if (seconds < 60)
        strbuf_add_fmt(out, "%" PRId64 " s", seconds);
    else if (seconds < 3600)
        strbuf_add_fmt(out, "%" PRId64 " min", (seconds + 30) / 60);
    else
        strbuf_add_fmt(out, "%" PRId64 " h %" PRId64 " min", seconds / 3600, seconds % 3600 / 60);
}

/* Parts of the line that may be left out, the first of them last. */
struct parts {
    struct strbuf percent, amount, rate, left;
};

static void compose_parts(const struct ctl_progress_state *state, struct parts *parts)
{
    strbuf_init(&parts->percent, LINE_MAX_OCTETS);
    strbuf_init(&parts->amount, LINE_MAX_OCTETS);
    strbuf_init(&parts->rate, LINE_MAX_OCTETS);
    strbuf_init(&parts->left, LINE_MAX_OCTETS);
    bool has_rate = state->elapsed_ms >= RATE_AFTER_MS && state->done > 0;
    if (state->total)
        strbuf_add_fmt(&parts->percent, "  %3.0f%%", 100.0 * (double)state->done / (double)state->total);
    strbuf_add_str(&parts->amount, "  ");
    add_amount(&parts->amount, state->unit, state->done);
    if (state->total) {
        strbuf_add_str(&parts->amount, " of ");
        add_amount(&parts->amount, state->unit, state->total);
    }
    if (has_rate) {
        strbuf_add_str(&parts->rate, "  ");
        add_amount(&parts->rate, state->unit, (uint64_t)((double)state->done * 1000 / (double)state->elapsed_ms));
        strbuf_add_str(&parts->rate, "/s");
    }
    if (has_rate && state->total > state->done) {
        double rest = (double)(state->total - state->done) / (double)state->done * (double)state->elapsed_ms / 1000;
        strbuf_add_str(&parts->left, "  ");
        add_duration(&parts->left, (int64_t)rest + 1);
        strbuf_add_str(&parts->left, " left");
    }
}

static void add_bar(struct strbuf *out, unsigned room, const struct ctl_progress_state *state)
{
    unsigned width = room > BAR_MAX + 4 ? BAR_MAX : room - 4; /* two spaces, two brackets */
    unsigned full = (unsigned)((double)width * (double)state->done / (double)state->total);
    strbuf_add_str(out, "  [");
    for (unsigned i = 0; i < width; i++)
        strbuf_add_char(out, (char)(i < full ? '=' : i == full ? '>' : ' '));
    strbuf_add_char(out, ']');
}

void ctl_progress_compose(const struct ctl_progress_state *given, unsigned width, struct strbuf *out)
{
    struct ctl_progress_state state = *given;
    struct parts parts;
    struct strbuf tail;
    if (state.total && state.done > state.total)
        state.done = state.total;
    compose_parts(&state, &parts);
    strbuf_init(&tail, LINE_MAX_OCTETS);
    struct strbuf line;
    strbuf_init(&line, LINE_MAX_OCTETS);
    strbuf_add_str(&line, state.what);
    const struct strbuf *by_worth[] = { &parts.percent, &parts.amount, &parts.left, &parts.rate };
    bool is_shown[] = { false, false, false, false };
    size_t used = line.len;
    for (size_t i = 0; i < 4 && used + by_worth[i]->len <= width; i++) {
        is_shown[i] = true;
        used += by_worth[i]->len;
    }
    static const size_t in_order[] = { 0, 1, 3, 2 };
    for (size_t i = 0; i < 4; i++)
        if (is_shown[in_order[i]])
            strbuf_add(&tail, by_worth[in_order[i]]->data, by_worth[in_order[i]]->len);
    if (state.total && used + BAR_MIN + 4 <= width)
        add_bar(&line, width - (unsigned)used, &state);
    strbuf_add(&line, tail.data, tail.len);
    strbuf_add(out, line.data, line.len < width ? line.len : width);
    strbuf_free(&line);
    strbuf_free(&tail);
    strbuf_free(&parts.percent);
    strbuf_free(&parts.amount);
    strbuf_free(&parts.rate);
    strbuf_free(&parts.left);
}

/* The terminal. */

struct ctl_progress *ctl_progress_new(const char *what, enum ctl_progress_unit unit, uint64_t total)
{
    struct ctl_progress *progress = xcalloc(1, sizeof *progress);
    progress->state = (struct ctl_progress_state){ .what = what, .unit = unit, .total = total };
    progress->is_shown = ctl_is_terminal(STDERR_FILENO);
    progress->began_ms = now_ms();
    return progress;
}

static void show(struct ctl_progress *progress)
{
    struct strbuf line;
    strbuf_init(&line, LINE_MAX_OCTETS);
    ctl_progress_compose(&progress->state, ctl_terminal_width(STDERR_FILENO) - 1, &line); /* the last column wraps */
    fprintf(stderr, "\r%s\033[K", line.data);
    fflush(stderr);
    strbuf_free(&line);
    progress->is_on_screen = true;
}

void ctl_progress_set(struct ctl_progress *progress, uint64_t done)
{
    progress->state.done = done;
    if (!progress->is_shown)
        return;
    int64_t now = now_ms();
    progress->state.elapsed_ms = now - progress->began_ms;
    if (progress->state.elapsed_ms < FIRST_MS || now - progress->shown_ms < EVERY_MS)
        return;
    progress->shown_ms = now;
    show(progress);
}

void ctl_progress_set_total(struct ctl_progress *progress, uint64_t total)
{
    progress->state.total = total;
}

void ctl_progress_free(struct ctl_progress **progress)
{
    if (!*progress)
        return;
    if ((*progress)->is_on_screen) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
    free(*progress);
    *progress = NULL;
}
