/* mapping_convert_markdown_limits_test.c - bodies that are carried as written, since rendering them would take too long */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_markdown.h"

static void add_row(struct strbuf *body, const char *cell, int columns)
{
    for (int i = 0; i < columns; i++)
        strbuf_add_str(body, cell);
    strbuf_add_str(body, "|\n");
}

static int render_text(const struct strbuf *body)
{
    struct strbuf out;
    strbuf_init(&out, CONVERT_RENDERED_MAX);
    int result = convert_markdown_add_flowed(&out, body->data, body->len, NULL);
    strbuf_free(&out);
    return result;
}

static int render_html(const struct strbuf *body)
{
    struct strbuf out;
    strbuf_init(&out, CONVERT_RENDERED_MAX);
    int result = convert_markdown_to_html(&out, body->data, body->len, NULL, NULL);
    strbuf_free(&out);
    return result;
}

/* The parser fills up short rows to the width of the table: hundreds of millions of cells from a quarter of a megabyte. */
static void wide_tables_of_short_rows_are_not_rendered(void **state)
{
    (void)state;
    struct strbuf body;
    strbuf_init(&body, CONVERT_MARKDOWN_MAX);
    add_row(&body, "|a", 4000);
    add_row(&body, "|-", 4000);
    while (body.len + 3 <= CONVERT_MARKDOWN_MAX)
        strbuf_add_str(&body, "|b\n");
    clock_t started = clock();
    assert_int_equal(render_text(&body), -1);
    assert_int_equal(render_html(&body), -1);
    assert_true(clock() - started < 10 * CLOCKS_PER_SEC); /* it was minutes */
    strbuf_free(&body);
}

static void as_many_cells_as_allowed_are_rendered(void **state)
{
    (void)state;
    struct strbuf body;
    strbuf_init(&body, CONVERT_MARKDOWN_MAX);
    add_row(&body, "|a", 100);
    add_row(&body, "|-", 100);
    for (int row = 2; row <= CONVERT_TABLE_CELLS_MAX / 100; row++)
        strbuf_add_str(&body, "|b\n");
    assert_int_equal(render_text(&body), 1);
    strbuf_add_str(&body, "|b\n");
    assert_int_equal(render_text(&body), -1);
    strbuf_free(&body);
}

/* One long definition, meant by thousands of links: the parser reads its address again for each of them. */
static void definitions_that_are_meant_too_often_are_not_rendered(void **state)
{
    enum { ADDRESS = 100 * 1000, MEANT = CONVERT_ADDRESSES_SIZE_MAX / ADDRESS };
    (void)state;
    struct strbuf body;
    strbuf_init(&body, CONVERT_MARKDOWN_MAX);
    strbuf_add_str(&body, "[x]: /");
    for (int i = 1; i < ADDRESS; i++)
        strbuf_add_char(&body, 'y');
    strbuf_add_str(&body, "\n\n");
    for (int i = 0; i < MEANT; i++)
        strbuf_add_str(&body, "[x]");
    assert_int_equal(render_text(&body), 1);
    while (body.len + 3 <= CONVERT_MARKDOWN_MAX)
        strbuf_add_str(&body, "[x]");
    clock_t started = clock();
    assert_int_equal(render_text(&body), -1);
    assert_int_equal(render_html(&body), -1);
    assert_true(clock() - started < 10 * CLOCKS_PER_SEC); /* billions of octets were read */
    strbuf_free(&body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wide_tables_of_short_rows_are_not_rendered),
        cmocka_unit_test(as_many_cells_as_allowed_are_rendered),
        cmocka_unit_test(definitions_that_are_meant_too_often_are_not_rendered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
