/* wipe.c - see wipe.h */
#include "base/wipe.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"

void wipe_free(void *block)
{
    /* Optimised over all files the compiler may know how much was asked for, and its check would end the program at the rest. */
    void *volatile unknown = block;
    if (block != NULL)
        explicit_bzero(unknown, malloc_usable_size(block));
    free(block);
}

void *wipe_try_realloc(void *block, size_t size)
{
    size_t had = block != NULL ? malloc_usable_size(block) : 0;
    if (had == 0 || had > WIPE_MOVED_MAX)
        return realloc(block, size == 0 ? 1 : size);
    void *moved = malloc(size == 0 ? 1 : size);
    if (moved == NULL)
        return NULL;
    memcpy(moved, block, had < size ? had : size);
    wipe_free(block);
    return moved;
}

void *wipe_realloc(void *block, size_t size)
{
    void *moved = wipe_try_realloc(block, size);
    return moved != NULL ? moved : xreallocarray(block, size, 1); /* which knows what to do */
}
