/* wipe.c - memory that is given back is overwritten first
 *
 * A password, or what somebody wrote, would stay in freed memory until something else is put there, which may be never: a fault that
 * shows memory, or a swap file, would show it. So whatever links this library has its own free() and realloc(), which libraries call as
 * well, that of C among them. Nobody has to think of it, and nobody can forget it; only what is not from malloc() (a local array, a
 * member of something that lives on) is for its owner to overwrite.
 *
 * The blocks are those of the allocator that comes next, whichever that is: their size is asked of it, so the part behind what was used
 * is wiped as well. Sanitizers bring their own, and keep what is freed, to find who uses it.
 */
#ifndef POSTERN_SANITIZE
#include <dlfcn.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__x86_64__) || defined(__i386__)
#define PAGE_MOST 4096
#else
#define PAGE_MOST 65536
#endif

/* Alone in its pages, which nothing can write to from the start on: whoever can write where they should not could else have their code
 * called. */
static struct __attribute__((aligned(PAGE_MOST))) {
    void (*free)(void *block);
    void *(*realloc)(void *block, size_t size);
    uintptr_t mark; /* of blocks that are free; 0: there is none */
} next;

static void *look_up(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL)
        abort();
    return found;
}

static bool is_looking;

/* Libraries may free something before our turn comes; there is one thread then. */
static void know_next(void)
{
    if (next.free != NULL)
        return;
    is_looking = true;
    next.realloc = (void *(*)(void *, size_t))look_up("realloc");
    next.free = (void (*)(void *))look_up("free");
}

/* Optimised over all files the compiler may know how much was asked for, and its check would end the program at the rest. */
static void *all_of(void *block)
{
    void *volatile unknown = block;
    return unknown;
}

/* With glibc the second word of a block that is free has this. An allocator whose blocks don't have an odd number of words is not asked. */
static uintptr_t find_mark(void)
{
    uintptr_t *block = malloc(4 * sizeof *block);
    if (block == NULL)
        return 0;
    bool is_known = malloc_usable_size(block) / sizeof *block % 2 == 1;
    volatile uintptr_t *words = all_of(block);
    words[1] = 0;
    next.free(block);
    return is_known ? words[1] : 0;
}

__attribute__((constructor)) static void begin(void)
{
    know_next();
    next.mark = find_mark();
    if (mprotect(&next, sizeof next, PROT_READ) < 0)
        abort();
}

/* Then it is freed a second time: the allocator finds out by its mark, and ends the program. */
static bool is_marked(void *block, size_t had)
{
    const uintptr_t *words = all_of(block);
    return next.mark != 0 && had >= 2 * sizeof *words && words[1] == next.mark;
}

/* The kernel moves a mapping of its own when it grows, and takes it back when it is freed: no copy stays. With glibc those are whole pages
 * less two words; the size of a block of the heap is an odd number of words. */
static bool is_mapping(size_t had)
{
    enum { SMALLEST = 1024 * 1024 }; /* xmalloc_keep_freed(); no other allocator has such sizes there */
    return had >= SMALLEST && (had + 2 * sizeof(size_t)) % (size_t)sysconf(_SC_PAGESIZE) == 0;
}

void free(void *ptr)
{
    if (ptr == NULL)
        return;
    size_t had = malloc_usable_size(ptr);
    if (!is_mapping(had) && !is_marked(ptr, had))
        explicit_bzero(all_of(ptr), had);
    if (next.free == NULL && is_looking)
        return; /* by dlsym(): the words of an error that a library has met with before us. Once, so it stays */
    know_next();
    next.free(ptr);
}

/* Not in place, for it can't be seen beforehand whether there is room behind it. */
static void *move(void *block, size_t had, size_t size)
{
    void *moved = malloc(size);
    if (moved == NULL)
        return NULL;
    memcpy(moved, all_of(block), had < size ? had : size);
    free(block);
    return moved;
}

void *realloc(void *ptr, size_t size)
{
    if (ptr == NULL)
        return malloc(size);
    size_t had = malloc_usable_size(ptr);
    if (is_mapping(had)) {
        know_next();
        return next.realloc(ptr, size);
    }
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    bool is_good = size <= had && size >= had - had / 4;
    return is_good ? ptr : move(ptr, had, size);
}
#endif
