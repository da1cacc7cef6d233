/* limits.c - see limits.h */
#include "gateway/limits.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>

#include "base/log.h"
#include "gateway/config.h"
#include "gateway/postfix_server.h"

enum {
    FILES_PER_SESSION = 2,
    FILES_PER_RELAY_CONNECTION = 4, /* the socket, the mail that it sends twice, and the mail that waits for it */
    FILES_RESERVED = 176, /* the database, the silo, converting, control connections, those who are turned away */
    SPOOL_MESSAGES = 4,   /* of the largest size that a listener's sessions may hold at a time */
};
static const int64_t spool_least = INT64_C(1) << 30;

static int64_t limit_value(rlim_t limit)
{
    return limit == RLIM_INFINITY || limit > INT64_MAX ? INT64_MAX : (int64_t)limit;
}

int64_t limits_raise_open_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) {
        log_warning("limits.unknown", "error=%s", strerror(errno));
        return INT64_MAX;
    }
    struct rlimit raised = { .rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max };
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
        return limit_value(raised.rlim_cur);
    log_warning("limits.not_raised", "open_files=%" PRId64 " error=%s", limit_value(limit.rlim_cur), strerror(errno));
    return limit_value(limit.rlim_cur);
}

static int64_t needed_by_sessions(const struct config *config)
{
    int64_t sum = 0;
    for (size_t i = 0; i < config->listener_count; i++)
        sum += (int64_t)config->listeners[i].max_sessions * FILES_PER_SESSION;
    return sum;
}

static int64_t needed_by_others(const struct config *config)
{
    int64_t postfix = 0, relays = 0;
    for (size_t i = 0; i < config->relay_count; i++)
        relays += config->relays[i].max_connections;
    if (config->postfix.socketmap)
        postfix += POSTFIX_SERVER_CONNECTIONS_MAX;
    if (config->postfix.policy)
        postfix += POSTFIX_SERVER_CONNECTIONS_MAX;
    return relays * FILES_PER_RELAY_CONNECTION + postfix + FILES_RESERVED;
}

int64_t limits_open_files_needed(const struct config *config)
{
    return needed_by_sessions(config) + needed_by_others(config);
}

unsigned limits_fit_sessions(const struct config *config, unsigned max_sessions, int64_t open_files)
{
    if (open_files >= limits_open_files_needed(config))
        return max_sessions;
    int64_t left = open_files - needed_by_others(config);
    int64_t fitting = left > 0 ? (int64_t)max_sessions * left / needed_by_sessions(config) : 0;
    return fitting > 1 ? (unsigned)fitting : 1;
}

void limits_warn(const struct config *config, int64_t open_files)
{
    int64_t needed = limits_open_files_needed(config);
    if (open_files >= needed)
        return;
    for (size_t i = 0; i < config->listener_count; i++) {
        const struct config_listener *listener = &config->listeners[i];
        log_warning("limits.sessions",
                    "listener=%s max_sessions=%u configured=%u open_files=%" PRId64 " needed=%" PRId64, listener->name,
                    limits_fit_sessions(config, listener->max_sessions, open_files), listener->max_sessions, open_files,
                    needed);
    }
}

int64_t limits_spool_max(const struct config *config)
{
    int64_t several = SPOOL_MESSAGES * config->policy.max_message;
    return several > spool_least ? several : spool_least;
}
