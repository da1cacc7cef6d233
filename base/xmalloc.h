/* xmalloc.h - memory that is there or the process is not
 *
 * Running out of memory aborts: a mail gateway that limps on without it loses mail. So every size that a
 * peer controls must have been checked against a declared limit before it reaches these functions.
 * All results are owned by the caller and released with free().
 */
#pragma once
#include <stddef.h>

void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull, warn_unused_result));
/* Zeroed; overflow aborts. */
void *xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull, warn_unused_result));
void *xreallocarray(void *old, size_t count, size_t size) __attribute__((returns_nonnull, warn_unused_result));
char *xstrdup(const char *text) __attribute__((malloc, returns_nonnull, warn_unused_result));
/* NUL-terminated copy of at most len bytes. */
char *xstrndup(const char *text, size_t len) __attribute__((malloc, returns_nonnull, warn_unused_result));
void *xmemdup(const void *data, size_t len) __attribute__((malloc, returns_nonnull, warn_unused_result));

/* Once, at the start of a process that handles one message after another: keeps up to 4 MiB of what was freed for the next one.
 * Given back to the system each time, it comes again page by page, each with a fault. */
void xmalloc_keep_freed(void);

/* What the caller of xmalloc_give_back() keeps between calls; zero before the first. */
struct xmalloc_floor {
    size_t resident; /* the least that the process had, in octets, since memory was given back */
};

/* Now and then: when the process has become larger by much (8 MiB) since the last time, and as much is free, that goes back to the
 * system, also from between what is still used, which free() alone keeps. */
void xmalloc_give_back(struct xmalloc_floor *floor);
