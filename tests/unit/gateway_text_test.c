/* gateway_text_test.c - subjects of threads, ids of queue entries */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/queue.h"
#include "gateway/thread_text.h"

static void test_base_subject(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        { "Offer", "Offer" },
        { "Re: Offer", "Offer" },
        { "RE: re:Offer", "Offer" },
        { "Re[2]: Offer", "Offer" },
        { "AW: Fwd: Offer", "Offer" },
        { "Re Offer", "Re Offer" },
        { "Regarding: x", "Regarding: x" },
        { "  Re :x", "Re :x" },
        { "Re:", "" },
        { "", "" },
        { "Re(3): x", "x" },
        { "Re[x]: y", "Re[x]: y" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(thread_text_base_subject(rows[i][0]), rows[i][1]);
    assert_true(thread_text_same_subject("Offer", "Re: Offer  "));
    assert_true(thread_text_same_subject("Re: Offer", "Offer"));
    assert_false(thread_text_same_subject("Offer", "Re: Offers"));
    assert_false(thread_text_same_subject("Offer", ""));
}

static void test_queue_ids(void **state)
{
    (void)state;
    enum store_queue which;
    int64_t id;
    char text[24];
    queue_id_format(STORE_QUEUE_IN, 17, text);
    assert_string_equal(text, "in17");
    queue_id_format(STORE_QUEUE_OUT, INT64_C(999999999999999999), text);
    assert_int_equal(queue_id_parse(text, &which, &id), 1);
    assert_int_equal(which, STORE_QUEUE_OUT);
    assert_true(id == INT64_C(999999999999999999));
    static const char *const bad[] = { "",   "in", "out", "17", "in17x", "in-1", "in 1", "on1", "in9999999999999999999",
                                       "IN1" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(queue_id_parse(bad[i], &which, &id), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_base_subject), cmocka_unit_test(test_queue_ids) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
