/* base_wipe_test.c - what held a secret is given back
 *
 * The build makes this program a second time, optimised as one piece: the compiler knows there how much was asked for, as with -flto.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/wipe.h"

/* malloc() gives more than was asked for, and all of it is wiped. */
static void test_no_check_of_the_compiler_ends_it(void **state)
{
    (void)state;
    char *block = malloc(33);
    assert_non_null(block);
    memcpy(block, "secret", 7);
    assert_string_equal(block, "secret");
    wipe_free(block);
    wipe_free(NULL);
}

static void test_grows_and_shrinks(void **state)
{
    (void)state;
    char *block = wipe_realloc(NULL, 7);
    memcpy(block, "secret", 7);
    block = wipe_realloc(block, 100000);
    assert_string_equal(block, "secret");
    block = wipe_realloc(block, WIPE_MOVED_MAX + 1);
    block = wipe_realloc(block, (size_t)2 * WIPE_MOVED_MAX);
    assert_string_equal(block, "secret");
    block = wipe_realloc(block, 3);
    assert_memory_equal(block, "sec", 3);
    wipe_free(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_check_of_the_compiler_ends_it),
        cmocka_unit_test(test_grows_and_shrinks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
