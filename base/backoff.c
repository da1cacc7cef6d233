/* backoff.c - see backoff.h */
#include "base/backoff.h"

int64_t backoff_failed(struct backoff *backoff, int64_t now)
{
    if (backoff->pause_ms > 0 && now < backoff->until)
        return backoff->pause_ms;
    if (backoff->pause_ms == 0)
        backoff->pause_ms = backoff->first_ms;
    else
        backoff->pause_ms = backoff->pause_ms < backoff->longest_ms / 2 ? 2 * backoff->pause_ms : backoff->longest_ms;
    backoff->until = now + backoff->pause_ms;
    return backoff->pause_ms;
}

bool backoff_worked(struct backoff *backoff)
{
    bool had_failed = backoff->pause_ms > 0;
    backoff->pause_ms = 0;
    backoff->until = 0;
    return had_failed;
}

bool backoff_is_failing(const struct backoff *backoff)
{
    return backoff->pause_ms > 0;
}

int64_t backoff_left(const struct backoff *backoff, int64_t now)
{
    return now < backoff->until ? backoff->until - now : 0;
}
