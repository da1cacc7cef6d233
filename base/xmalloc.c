#include "base/xmalloc.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Says so on standard error without allocating: the log needs memory, and there is none. */
static _Noreturn void out_of_memory(void)
{
    fputs("out of memory\n", stderr);
    abort();
}

void *xmalloc(size_t size)
{
    /* malloc(0) may return NULL without being out of memory. */
    void *result = malloc(size == 0 ? 1 : size);
    if (result == NULL)
        out_of_memory();
    return result;
}

void *xcalloc(size_t count, size_t size)
{
    void *result = count == 0 || size == 0 ? calloc(1, 1) : calloc(count, size);
    if (result == NULL)
        out_of_memory();
    return result;
}

void *xreallocarray(void *old, size_t count, size_t size)
{
    /* Never size zero: reallocarray() may then free the old block and return NULL. */
    void *result = count == 0 || size == 0 ? realloc(old, 1) : reallocarray(old, count, size);
    if (result == NULL)
        out_of_memory();
    return result;
}

char *xstrdup(const char *text)
{
    return xmemdup(text, strlen(text) + 1);
}

char *xstrndup(const char *text, size_t len)
{
    size_t used = strnlen(text, len);
    char *result = xmalloc(used + 1);
    memcpy(result, text, used);
    result[used] = '\0';
    return result;
}

void *xmemdup(const void *data, size_t len)
{
    void *result = xmalloc(len);
    if (len > 0)
        memcpy(result, data, len);
    return result;
}

void xmalloc_keep_freed(void)
{
    enum { KEPT = 4 * 1024 * 1024, MAPPED_BY_ITSELF = 1024 * 1024 };
    mallopt(M_TRIM_THRESHOLD, KEPT);
    mallopt(M_MMAP_THRESHOLD, MAPPED_BY_ITSELF);
}

void xmalloc_give_back(struct xmalloc_floor *floor)
{
    enum { MUCH = 8 * 1024 * 1024 };
    size_t free_bytes = mallinfo2().fordblks;
    /* What was given back still counts as free: only what has come since is looked at. */
    if (free_bytes < floor->free_bytes)
        floor->free_bytes = free_bytes;
    if (free_bytes - floor->free_bytes < MUCH)
        return;
    malloc_trim(0);
    floor->free_bytes = mallinfo2().fordblks;
}
