/* base_wipe_test.c - nothing stays in memory that was given back
 *
 * The heap is searched through /proc/self/maps. Sanitizers have free() for themselves, so where they are on, this is built without them.
 * The build makes this program a second time, optimised as one piece: the compiler knows there how much was asked for, as with -flto.
 */
#include <dlfcn.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/xmalloc.h"

#ifdef POSTERN_SANITIZE
static void base_wipe_plain_test_does_it(void **state)
{
    (void)state;
    skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(base_wipe_plain_test_does_it) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#else

enum { MARK_SIZE = 16 };
/* Each octet is one less than what is looked for, so that this is not what is found. */
static const char other_mark[MARK_SIZE + 1] = "Rs`xGdqdEnqDudq!";

/* Volatile: what is freed anyway the compiler would not write. */
static void fill(volatile char *block, size_t size)
{
    for (size_t i = 0; i < size; i++)
        block[i] = (char)(other_mark[i % MARK_SIZE] + 1);
}

static bool is_mark(const volatile char *at)
{
    for (size_t i = 0; i < MARK_SIZE; i++)
        if (at[i] != other_mark[i] + 1)
            return false;
    return true;
}

/* How often it is in the heap, and in what else is mapped for malloc(). The first 16 octets of what was freed are the allocator's. */
static unsigned count_marks(void)
{
    char line[500];
    unsigned count = 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps)) {
        unsigned long begin, end, inode;
        char modes[5], name[300] = "";
        int fields = sscanf(line, "%lx-%lx %4s %*s %*s %lu %299s", &begin, &end, modes, &inode, name);
        assert_true(fields >= 4);
        if (strcmp(modes, "rw-p") != 0 || inode != 0 || (name[0] && strcmp(name, "[heap]") != 0))
            continue;
        for (uintptr_t at = begin; at + MARK_SIZE <= end; at += sizeof(void *))
            count += is_mark((const volatile char *)at);
    }
    fclose(maps);
    return count;
}

/* Before anything else of ours: what a library does that is loaded into a program, and looks for what is not there. */
__attribute__((constructor(101))) static void look_in_vain(void)
{
    void *volatile block = malloc(1);
    if (dlsym(RTLD_DEFAULT, "there is no such thing") == NULL)
        free(block);
}

/* That this program has come so far. */
static void a_library_that_looked_in_vain_before_does_no_harm(void **state)
{
    (void)state;
    assert_null(dlsym(RTLD_DEFAULT, "there is no such thing"));
    assert_non_null(dlerror());
}

static void the_search_finds_what_is_there(void **state)
{
    (void)state;
    char *block = xmalloc(160);
    fill(block, 160);
    assert_int_equal(count_marks(), 10);
    free(block);
    assert_int_equal(count_marks(), 0);
}

/* Many of each size: those that were freed are kept in different ways. */
static void whatever_is_freed_is_wiped(void **state)
{
    enum { MANY = 20 };
    static const size_t sizes[] = { 1, 24, 33, 40, 100, 128, 600, 1024, 1040, 5000, 70000, 200000, 1000000, 3000000 };
    char *blocks[MANY];
    (void)state;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        for (size_t i = 0; i < MANY; i++) {
            blocks[i] = i % 2 == 0 ? xmalloc(sizes[s]) : xcalloc(sizes[s], 1);
            fill(blocks[i], sizes[s]);
        }
        for (size_t i = 0; i < MANY; i += 2)
            free(blocks[i]);
        for (size_t i = 1; i < MANY; i += 2)
            free(blocks[i]);
        assert_int_equal(count_marks(), 0);
    }
    free(NULL);
}

/* malloc() gives more than was asked for, and all of it is wiped: the compiler's check must not end the program. */
static void no_check_of_the_compiler_ends_it(void **state)
{
    (void)state;
    char *block = malloc(33);
    assert_non_null(block);
    memcpy(block, "secret", 7);
    assert_string_equal(block, "secret");
    free(block);
    block = malloc(33);
    assert_non_null(block);
    memcpy(block, "secret", 7);
    char *larger = realloc(block, 50);
    assert_non_null(larger);
    assert_string_equal(larger, "secret");
    free(larger);
}

/* In steps, with something behind it that keeps it from growing in place every other time. */
static void what_is_outgrown_or_shrunk_is_wiped(void **state)
{
    enum { LARGEST = 4 * 1024 * 1024 };
    char *block = NULL;
    (void)state;
    for (size_t size = 16; size <= LARGEST; size *= 2) {
        void *behind = size % 3 == 1 ? xmalloc(40) : NULL;
        block = xreallocarray(block, size, 1);
        fill(block, size);
        assert_int_equal(count_marks(), size / MARK_SIZE);
        free(behind);
    }
    for (size_t size = LARGEST; size >= 16; size /= 4) {
        block = xreallocarray(block, size, 1);
        for (size_t i = 0; i < size; i += MARK_SIZE)
            assert_true(is_mark(block + i));
    }
    free(block);
    assert_int_equal(count_marks(), 0);
}

/* Much that was freed is kept for the next one, so that large blocks may be in the heap, too. */
static void large_blocks_of_the_heap_are_wiped(void **state)
{
    enum { PIECES = 35, PIECE = 100 * 1024, LARGE = 1536 * 1024 };
    char *pieces[PIECES];
    (void)state;
    for (size_t i = 0; i < PIECES; i++)
        pieces[i] = xmalloc(PIECE);
    for (size_t i = 0; i < PIECES; i++)
        free(pieces[i]);
    char *large = xmalloc(LARGE);
    assert_true(large >= pieces[0] && large < pieces[PIECES - 1]); /* else this shows nothing */
    fill(large, LARGE);
    large = xreallocarray(large, 8, LARGE);
    assert_int_equal(count_marks(), LARGE / MARK_SIZE);
    free(large);
    assert_int_equal(count_marks(), 0);
}

static void what_libraries_free_is_wiped(void **state)
{
    enum { LINE = 3000 };
    char *line = NULL;
    size_t size = 0;
    (void)state;
    FILE *file = tmpfile();
    assert_non_null(file);
    for (size_t i = 0; i < LINE; i++)
        assert_true(fputc(other_mark[i % MARK_SIZE] + 1, file) != EOF);
    rewind(file);
    assert_int_equal(getline(&line, &size, file), LINE); /* its buffer has grown several times */
    assert_true(count_marks() >= LINE / MARK_SIZE);
    fclose(file); /* which has a buffer */
    free(line);
    assert_int_equal(count_marks(), 0);
}

static void none_is_left_when_there_is_no_memory(void **state)
{
    (void)state;
    char *block = xmalloc(100);
    char *volatile same = block; /* the compiler has it that realloc() frees it */
    fill(block, 100);
    assert_null(realloc(same, SIZE_MAX / 4));
    assert_true(is_mark(block)); /* it is as it was */
    block = xreallocarray(block, 1000, 1);
    assert_true(is_mark(block));
    free(block);
}

/* The C library marks what is free, and looks for that: overwritten, it would give the same block to two. */
static void what_is_freed_twice_ends_the_program(void **state)
{
    static const size_t sizes[] = { 24, 100, 1000 };
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int status;
        pid_t child = fork();
        if (child == 0) {
            char *block = xmalloc(sizes[i]);
            void *volatile same = block;
            fclose(stderr); /* which would say so */
            free(block);
            free(same);
            _exit(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_library_that_looked_in_vain_before_does_no_harm),
        cmocka_unit_test(the_search_finds_what_is_there),
        cmocka_unit_test(whatever_is_freed_is_wiped),
        cmocka_unit_test(no_check_of_the_compiler_ends_it),
        cmocka_unit_test(what_is_outgrown_or_shrunk_is_wiped),
        cmocka_unit_test(large_blocks_of_the_heap_are_wiped),
        cmocka_unit_test(what_libraries_free_is_wiped),
        cmocka_unit_test(none_is_left_when_there_is_no_memory),
        cmocka_unit_test(what_is_freed_twice_ends_the_program),
    };
    xmalloc_keep_freed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
