#include "base/xmalloc.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* 0: not known. */
static size_t read_resident(void)
{
    char line[200];
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL)
        return 0;
    char *read = fgets(line, sizeof line, file);
    fclose(file);
    char *second = read != NULL ? strchr(line, ' ') : NULL; /* size resident shared ..., in pages */
    return second != NULL ? strtoul(second, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE) : 0;
}

void xmalloc_give_back(struct xmalloc_floor *floor)
{
    enum { MUCH = 8 * 1024 * 1024 };
    size_t resident = read_resident();
    if (floor->resident == 0 || resident < floor->resident)
        floor->resident = resident;
    /* What was given back still counts as free, so that alone would not do. */
    if (resident - floor->resident < MUCH || mallinfo2().fordblks < MUCH)
        return;
    malloc_trim(0);
    floor->resident = read_resident();
}
