#include "gateway/watchdog.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/systemd.h"
#include "base/xmalloc.h"
#include "gateway/parts.h"
#include "mapping/store.h"

struct watchdog {
    const struct parts *parts;
    struct timer *timer;
    int fd;               /* to the manager, kept: see systemd_notify_open() */
    int64_t patience_ms;  /* what the manager grants us, and we the committer */
    uint64_t operations;  /* of the store, at the last look */
    int64_t last_sign_at; /* monotonic: when the committer had nothing to do, or had done something */
    bool is_stuck;
};

static void look_at_committer(struct watchdog *watchdog, int64_t now)
{
    struct store_statistics statistics;
    store_get_statistics(watchdog->parts->store, &statistics);
    if (store_pending(watchdog->parts->store) == 0 || statistics.operations != watchdog->operations)
        watchdog->last_sign_at = now;
    watchdog->operations = statistics.operations;
}

static void look(void *arg)
{
    struct watchdog *watchdog = arg;
    int64_t now = clock_monotonic_ms(watchdog->parts->clock);
    look_at_committer(watchdog, now);
    bool is_stuck = now - watchdog->last_sign_at > watchdog->patience_ms;
    if (!is_stuck)
        systemd_notify_by(watchdog->fd, "WATCHDOG=1");
    else if (!watchdog->is_stuck)
        log_error("daemon.stuck", "waiting=%u for_ms=%" PRId64 " hint=%s", store_pending(watchdog->parts->store),
                  now - watchdog->last_sign_at, "the database does not finish a write; look at the disk of state_dir");
    watchdog->is_stuck = is_stuck;
    timer_start(watchdog->timer, watchdog->patience_ms / 4);
}

struct watchdog *watchdog_new(const struct parts *parts)
{
    int64_t patience_ms = systemd_watchdog_ms();
    if (patience_ms == 0)
        return NULL;
    struct watchdog *watchdog = xcalloc(1, sizeof *watchdog);
    watchdog->parts = parts;
    watchdog->fd = systemd_notify_open();
    watchdog->patience_ms = patience_ms;
    watchdog->last_sign_at = clock_monotonic_ms(parts->clock);
    watchdog->timer = timer_new(parts->loop, look, watchdog);
    timer_start(watchdog->timer, 0);
    return watchdog;
}

void watchdog_free(struct watchdog **watchdog)
{
    if (!*watchdog)
        return;
    timer_free(&(*watchdog)->timer);
    if ((*watchdog)->fd >= 0)
        close((*watchdog)->fd);
    free(*watchdog);
    *watchdog = NULL;
}
