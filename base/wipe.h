/* wipe.h - giving memory back that may have held a secret
 *
 * A password or key that was used stays in freed memory until something else is put there, which may be never: a fault that shows memory,
 * or a core, would show it. So what has held one (requests, forms, what streams read and write, composed texts) is overwritten when it is
 * freed. Keys and passwords that are needed all the time are in memory as long as the daemon runs.
 *
 * Blocks are those of malloc() and its kin; their size is asked of the allocator, so the part behind what was used is wiped as well.
 */
#pragma once
#include <stddef.h>

/* Larger blocks are mappings of their own (xmalloc_keep_freed()): when they grow the kernel moves them, and no copy stays behind. */
enum { WIPE_MOVED_MAX = 1024 * 1024 };

void wipe_free(void *block); /* NULL: nothing */
/* realloc(), of which no copy is left at the old place, up to WIPE_MOVED_MAX. Never NULL: out of memory aborts. */
void *wipe_realloc(void *block, size_t size) __attribute__((returns_nonnull, warn_unused_result));
/* Likewise for libraries that take functions in place of malloc()'s: NULL when there is no memory. */
void *wipe_try_realloc(void *block, size_t size) __attribute__((warn_unused_result));
