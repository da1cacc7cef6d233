/* web_limits.h - how long somebody who fails to sign in waits for the next attempt
 *
 * After some failures each one doubles the wait, for the name that was tried and for the network that tries, up to a minute and to five:
 * nobody is locked out, by whoever tries their name, for longer than that. What is not tried any more is forgotten. Names that there
 * are not count as well, or one could tell them apart. In memory, bounded. Pure but for that: the time (monotonic milliseconds) is an argument.
 */
#pragma once
#include <stdint.h>

struct web_limits;

enum {
    WEB_LIMITS_NAME_FREE = 5,     /* failures before there is a wait */
    WEB_LIMITS_NETWORK_FREE = 20, /* an office may be one network */
    WEB_LIMITS_ENTRIES_MAX = 2048,
};

struct web_limits *web_limits_new(void);
void web_limits_free(struct web_limits **limits);
/* 0: they may try now. Else milliseconds. */
int64_t web_limits_wait(const struct web_limits *limits, const char *name, const char *network, int64_t now);
void web_limits_failed(struct web_limits *limits, const char *name, const char *network, int64_t now);
void web_limits_succeeded(struct web_limits *limits, const char *name, const char *network);
