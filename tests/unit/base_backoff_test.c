#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/backoff.h"

static void each_pause_is_twice_the_one_before(void **state)
{
    (void)state;
    static const int64_t pauses[] = { 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000 };
    struct backoff backoff = { .first_ms = 1000, .longest_ms = 30000 };
    int64_t now = 5;
    for (size_t i = 0; i < sizeof pauses / sizeof pauses[0]; i++) {
        assert_int_equal(backoff_failed(&backoff, now), pauses[i]);
        assert_int_equal(backoff_left(&backoff, now), pauses[i]);
        assert_int_equal(backoff_left(&backoff, now + 1), pauses[i] - 1);
        now += pauses[i];
        assert_int_equal(backoff_left(&backoff, now), 0);
        assert_int_equal(backoff_left(&backoff, now + 1000), 0);
    }
}

static void a_success_begins_anew(void **state)
{
    (void)state;
    struct backoff backoff = { .first_ms = 1000, .longest_ms = 30000 };
    assert_false(backoff_is_failing(&backoff));
    assert_false(backoff_worked(&backoff));
    backoff_failed(&backoff, 1000);
    backoff_failed(&backoff, 2000);
    assert_true(backoff_is_failing(&backoff));
    assert_true(backoff_worked(&backoff));
    assert_false(backoff_is_failing(&backoff));
    assert_int_equal(backoff_left(&backoff, 2000), 0);
    assert_int_equal(backoff_failed(&backoff, 2000), 1000);
}

/* A hundred that fail in one commit have failed once. */
static void what_fails_at_once_is_one_failure(void **state)
{
    (void)state;
    struct backoff backoff = { .first_ms = 1000, .longest_ms = 30000 };
    for (int i = 0; i < 100; i++)
        assert_int_equal(backoff_failed(&backoff, 1000 + i), 1000);
    assert_int_equal(backoff_left(&backoff, 1099), 901);
    assert_int_equal(backoff_failed(&backoff, 2000), 2000);
    assert_int_equal(backoff_failed(&backoff, 2099), 2000);
}

static void the_longest_may_be_the_first(void **state)
{
    (void)state;
    struct backoff backoff = { .first_ms = 1000, .longest_ms = 1000 };
    for (int64_t now = 0; now < 5000; now += 1000)
        assert_int_equal(backoff_failed(&backoff, now), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_pause_is_twice_the_one_before),
        cmocka_unit_test(a_success_begins_anew),
        cmocka_unit_test(what_fails_at_once_is_one_failure),
        cmocka_unit_test(the_longest_may_be_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
