/* no_wiping.c - linked into a posternd of its own to find out what wiping costs: what is freed stays as it is, as it does without base/wipe.c */
#include <stdlib.h>

/* glibc's own, which it exports. */
void free_of_c(void *ptr) __asm__("__libc_free");
void *realloc_of_c(void *ptr, size_t size) __asm__("__libc_realloc");

void free(void *ptr)
{
    free_of_c(ptr);
}

void *realloc(void *ptr, size_t size)
{
    return realloc_of_c(ptr, size);
}
