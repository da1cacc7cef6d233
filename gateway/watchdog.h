/* watchdog.h - tells the service manager that the daemon lives: WATCHDOG=1 of sd_notify(3)
 *
 * It lives when the loop turns, and when the database has nothing to write or has finished something within the time that
 * the manager grants. A disk may so hang for as long as that, and nobody is killed for it; a committer that never comes back is
 * no life. What a worker, the resolver, the silo or a relay does is not asked: each has a timeout of its own.
 */
#pragma once

struct parts;
struct watchdog;

/* NULL when nobody watches this process (systemd_watchdog_ms()). Tells at once, and then four times in the time granted. */
struct watchdog *watchdog_new(const struct parts *parts);
void watchdog_free(struct watchdog **watchdog);
