/* cpu_time.h - how long something took, for tests that time grows as its input does
 *
 * Processor time of this process, in seconds, from any fixed start: what else runs on the machine counts for little. Such a test allows
 * for noise by comparing sizes that are four times apart with a factor well below the sixteen of a quadratic algorithm.
 */
#pragma once
#include <time.h>

static inline double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}
