#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/histogram.h"

static const int64_t bounds[] = { 10, 100, 1000 };

static void test_values_fall_between_bounds(void **state)
{
    (void)state;
    static const struct {
        int64_t value;
        size_t bucket;
    } cases[] = { { -5, 0 }, { 0, 0 }, { 10, 0 }, { 11, 1 }, { 100, 1 }, { 999, 2 }, { 1000, 2 }, { 1001, 3 } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct histogram histogram;
        histogram_init(&histogram, bounds, 3);
        histogram_note(&histogram, cases[i].value);
        assert_int_equal(histogram.buckets[cases[i].bucket], 1);
        assert_int_equal(histogram.count, 1);
        assert_int_equal(histogram.sum, cases[i].value < 0 ? 0 : cases[i].value);
    }
}

static void test_quantiles_lie_within_the_bucket(void **state)
{
    (void)state;
    struct histogram histogram;
    histogram_init(&histogram, bounds, 3);
    assert_int_equal(histogram_quantile(&histogram, 500), -1);
    for (int i = 0; i < 10; i++)
        histogram_note(&histogram, 50);
    assert_int_equal(histogram_quantile(&histogram, 500), 10 + 90 / 2);
    assert_int_equal(histogram_quantile(&histogram, 1000), 100);
    for (int i = 0; i < 10; i++)
        histogram_note(&histogram, 5);
    assert_int_equal(histogram_quantile(&histogram, 500), 10);
    for (int i = 0; i < 1000; i++)
        histogram_note(&histogram, INT64_C(1) << 40);
    assert_int_equal(histogram_quantile(&histogram, 950), 1000); /* as far as it is known */
}

static void test_differences_and_sums(void **state)
{
    (void)state;
    struct histogram all, before, since, other;
    histogram_init(&all, bounds, 3);
    histogram_init(&other, bounds, 3);
    histogram_note(&all, 7);
    before = all;
    histogram_note(&all, 70);
    histogram_note(&all, 7000);
    histogram_since(&all, &before, &since);
    assert_int_equal(since.count, 2);
    assert_int_equal(since.sum, 7070);
    assert_int_equal(since.buckets[0], 0);
    assert_int_equal(since.buckets[1], 1);
    assert_int_equal(since.buckets[3], 1);
    histogram_add_bucket(&other, 100, 3);
    histogram_add_bucket(&other, INT64_MAX, 2);
    histogram_add(&other, &since);
    assert_int_equal(other.buckets[1], 4);
    assert_int_equal(other.buckets[3], 3);
    assert_int_equal(other.count, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_fall_between_bounds),
        cmocka_unit_test(test_quantiles_lie_within_the_bucket),
        cmocka_unit_test(test_differences_and_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
