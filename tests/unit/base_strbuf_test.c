#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"

static void an_empty_buffer_is_an_empty_text(void **state)
{
    (void)state;
    struct strbuf buf;
    strbuf_init(&buf, 10);
    assert_string_equal(buf.data, "");
    assert_true(strbuf_ok(&buf));
    strbuf_clear(&buf);
    strbuf_truncate(&buf, 0);
    char *text = strbuf_detach(&buf);
    assert_string_equal(text, "");
    free(text);
    strbuf_free(&buf);
    strbuf_free(&buf);
}

static void appends_follow_each_other(void **state)
{
    (void)state;
    struct strbuf buf;
    strbuf_init(&buf, 100);
    strbuf_add_str(&buf, "one ");
    strbuf_add_char(&buf, '2');
    strbuf_add_fmt(&buf, " %s %d", "three", 4);
    strbuf_add(&buf, "\0five", 5);
    assert_int_equal(buf.len, 18);
    assert_memory_equal(buf.data, "one 2 three 4\0five", 19);
    strbuf_truncate(&buf, 3);
    assert_string_equal(buf.data, "one");
    strbuf_free(&buf);
}

static void the_maximum_is_exact(void **state)
{
    (void)state;
    struct strbuf buf;
    strbuf_init(&buf, 5);
    strbuf_add_str(&buf, "12345");
    assert_true(strbuf_ok(&buf));
    strbuf_add_char(&buf, '6');
    assert_false(strbuf_ok(&buf));
    assert_string_equal(buf.data, "12345");
    strbuf_free(&buf);
}

static void after_an_overflow_nothing_is_added(void **state)
{
    (void)state;
    struct strbuf buf;
    strbuf_init(&buf, 5);
    strbuf_add_str(&buf, "12");
    strbuf_add_fmt(&buf, "%d", 123456);
    assert_false(strbuf_ok(&buf));
    strbuf_add_str(&buf, "3"); /* would fit, but behind a hole */
    assert_string_equal(buf.data, "12");
    assert_false(strbuf_ok(&buf));
    strbuf_clear(&buf);
    assert_true(strbuf_ok(&buf));
    strbuf_add_str(&buf, "abcde");
    assert_string_equal(buf.data, "abcde");
    strbuf_free(&buf);
}

static void a_length_near_the_end_of_size_t_does_not_wrap(void **state)
{
    (void)state;
    struct strbuf buf;
    strbuf_init(&buf, 1000);
    volatile size_t len = SIZE_MAX - 1; /* a compiler that sees the number would warn */
    strbuf_add_str(&buf, "x");
    strbuf_add(&buf, "y", len);
    assert_false(strbuf_ok(&buf));
    assert_string_equal(buf.data, "x");
    strbuf_free(&buf);
}

/* Formatted into the room that there is, or, when it is too small, into more: the text is the same. */
static void formats_fill_the_room_to_the_last_byte(void **state)
{
    (void)state;
    for (size_t used = 0; used <= 70; used++) {
        for (int len = 0; len <= 70; len++) {
            struct strbuf buf;
            char expected[200];
            strbuf_init(&buf, 100);
            for (size_t i = 0; i < used; i++)
                strbuf_add_char(&buf, 'x');
            strbuf_add_fmt(&buf, "%*s", len, "");
            snprintf(expected, sizeof expected, "%.*s%*s", (int)used,
                     "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", len, "");
            bool fits = used + (size_t)len <= 100;
            expected[fits ? used + (size_t)len : used] = '\0';
            assert_int_equal(strbuf_ok(&buf), fits);
            assert_int_equal(buf.len, strlen(expected));
            assert_string_equal(buf.data, expected);
            strbuf_free(&buf);
        }
    }
}

static void what_is_reserved_is_there_and_changes_nothing(void **state)
{
    (void)state;
    struct strbuf buf;
    strbuf_init(&buf, 100);
    strbuf_reserve(&buf, 10);
    assert_string_equal(buf.data, "");
    assert_true(buf.capacity > 10);
    const char *data = buf.data;
    strbuf_add(&buf, "0123456789", 10);
    assert_ptr_equal(buf.data, data);
    strbuf_reserve(&buf, SIZE_MAX); /* as far as the maximum goes */
    assert_true(strbuf_ok(&buf));
    assert_int_equal(buf.capacity, 101);
    assert_string_equal(buf.data, "0123456789");
    strbuf_free(&buf);
}

static void growing_keeps_the_content(void **state)
{
    (void)state;
    struct strbuf buf;
    strbuf_init(&buf, 100000);
    for (unsigned i = 0; i < 100000; i++)
        strbuf_add_char(&buf, (char)('a' + i % 26));
    assert_true(strbuf_ok(&buf));
    assert_int_equal(buf.len, 100000);
    for (unsigned i = 0; i < 100000; i++)
        assert_int_equal(buf.data[i], 'a' + (char)(i % 26));
    assert_int_equal(strlen(buf.data), 100000);
    char *text = strbuf_detach(&buf);
    assert_int_equal(strlen(text), 100000);
    assert_int_equal(buf.len, 0);
    free(text);
}

static void a_text_is_composed_at_once_if_it_fits(void **state)
{
    (void)state;
    char *text = strbuf_text(7, "%d %s", 17, "mail");
    assert_string_equal(text, "17 mail");
    free(text);
    text = strbuf_text(6, "%d %s", 17, "mail");
    assert_string_equal(text, "");
    free(text);
}

static void copies_are_bounded_and_terminated(void **state)
{
    (void)state;
    char *text = xstrndup("abcdef", 3);
    assert_string_equal(text, "abc");
    free(text);
    text = xstrndup("ab", 30);
    assert_string_equal(text, "ab");
    free(text);
    text = xmemdup("a\0b", 3);
    assert_memory_equal(text, "a\0b", 3);
    free(text);
    int *numbers = xcalloc(3, sizeof *numbers);
    assert_int_equal(numbers[0] + numbers[1] + numbers[2], 0);
    numbers = xreallocarray(numbers, 0, sizeof *numbers);
    free(numbers);
    free(xmalloc(0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_buffer_is_an_empty_text),
        cmocka_unit_test(appends_follow_each_other),
        cmocka_unit_test(the_maximum_is_exact),
        cmocka_unit_test(after_an_overflow_nothing_is_added),
        cmocka_unit_test(a_length_near_the_end_of_size_t_does_not_wrap),
        cmocka_unit_test(formats_fill_the_room_to_the_last_byte),
        cmocka_unit_test(what_is_reserved_is_there_and_changes_nothing),
        cmocka_unit_test(growing_keeps_the_content),
        cmocka_unit_test(a_text_is_composed_at_once_if_it_fits),
        cmocka_unit_test(copies_are_bounded_and_terminated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
