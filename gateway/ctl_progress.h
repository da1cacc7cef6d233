/* ctl_progress.h - how far long work is: a line on standard error that changes, where that is a terminal, else nothing
 *
 *   verifying   [=========>          ]  46%  123.4 MiB of 268.0 MiB  48.1 MiB/s  3 s left
 *
 * As much of it as the terminal is wide. Nothing is shown of work that takes less than a moment.
 */
#pragma once
#include <stdint.h>

struct strbuf;

enum ctl_progress_unit { CTL_PROGRESS_OCTETS, CTL_PROGRESS_THINGS /* lines, rows: "1200 of 100000" */ };

struct ctl_progress;
/* what: a word or two, not copied. total 0: not known, then there are no bar and no time left. Never NULL. */
struct ctl_progress *ctl_progress_new(const char *what, enum ctl_progress_unit unit, uint64_t total);
/* As often as one likes: the terminal is written to a few times a second. */
void ctl_progress_set(struct ctl_progress *progress, uint64_t done);
void ctl_progress_set_total(struct ctl_progress *progress, uint64_t total);
/* Takes the line away. */
void ctl_progress_free(struct ctl_progress **progress);

/* One state of the line, in at most `width` columns, ASCII. Pure, for tests. */
struct ctl_progress_state {
    const char *what;
    enum ctl_progress_unit unit;
    uint64_t done, total;
    int64_t elapsed_ms;
};
void ctl_progress_compose(const struct ctl_progress_state *given, unsigned width, struct strbuf *out);
