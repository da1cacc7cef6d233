/* no_filter.c - loaded into posternd (LD_PRELOAD) to find out what its filter of system calls costs: there is none
 *
 * Workers have no environment, so they are locked in as ever.
 */
#include <seccomp.h>

int seccomp_load(scmp_filter_ctx ctx)
{
    (void)ctx;
    return 0;
}
