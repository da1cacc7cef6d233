/* gateway_csv_test.c - tables as spreadsheets read and write them */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "gateway/csv.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* All of it: "LINE(field)(field) LINE!what is wrong " */
static void assert_read(const char *text, size_t len, const char *expected)
{
    struct csv_reader reader;
    struct csv_record record;
    const char *wrong;
    struct strbuf seen;
    int result;
    strbuf_init(&seen, 10000);
    csv_reader_init(&reader, text, len);
    while ((result = csv_read(&reader, &record, &wrong)) != 0) {
        strbuf_add_fmt(&seen, "%u", record.line);
        for (size_t i = 0; i < record.count; i++)
            strbuf_add_fmt(&seen, "(%s)", record.fields[i]);
        if (result < 0)
            strbuf_add_fmt(&seen, "!%s", wrong);
        strbuf_add_char(&seen, ' ');
        csv_record_clear(&record);
    }
    assert_string_equal(seen.data, expected);
    strbuf_free(&seen);
}

static void tables_are_read(void **state)
{
    static const struct {
        const char *text, *expected;
    } rows[] = {
        { "", "" },
        { "\n\r\n\n", "" },
        { "a", "1(a) " },
        { "a,b\r\nc,d\r\n", "1(a)(b) 2(c)(d) " },
        { "a,b\nc,d", "1(a)(b) 2(c)(d) " },
        { "\xef\xbb\xbf"
          "a,b\n",
          "1(a)(b) " },
        { "a;b\n1,5;2\n", "1(a)(b) 2(1,5)(2) " },
        { "a\tb\n1\t2;3\n", "1(a)(b) 2(1)(2;3) " },
        { "\"a;b\",c\nd,e\n", "1(a;b)(c) 2(d)(e) " },
        { ",\n,,\n", "1()() 2()()() " },
        { "a,b\n\n\nc,d\n", "1(a)(b) 4(c)(d) " },
        { "\"a \"\"b\"\", c\nd\",e\nf,g\n", "1(a \"b\", c\nd)(e) 3(f)(g) " },
        { "\"\",\"\"\"\"\n", "1()(\") " },
        { "a\rb,c\n", "1(a\rb)(c) " },
        { "a\"b,c\nd,e\n", "1!there is a quote in a field that has none around it 2(d)(e) " },
        { "\"a\"b,c\nd,e\n", "1!there is something behind a closing quote 2(d)(e) " },
        { "a,b\nc,\"d\ne,f\n", "1(a)(b) 2!a quote is never closed " },
        { " a , b \n", "1( a )( b ) " },
        { "'=1,'a,''+2,'\n", "1(=1)('a)('+2)(') " },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_read(rows[i].text, strlen(rows[i].text), rows[i].expected);
    assert_read("a\0b,c\nd,e", 9, "1!there is a NUL in it 2(d)(e) ");
}

static void what_has_no_end_is_refused(void **state)
{
    static char text[CSV_RECORD_MAX + 100];
    (void)state;
    memset(text, 'x', sizeof text);
    text[sizeof text - 2] = '\n';
    assert_read(text, sizeof text, "1!it is too long 2(x) ");
    memset(text, ',', CSV_FIELDS_MAX + 1);
    text[CSV_FIELDS_MAX] = '\n';
    text[CSV_FIELDS_MAX + 1] = 'y';
    assert_read(text, CSV_FIELDS_MAX + 2, "1!it has too many fields 2(y) ");
}

static void fields_are_written_so_that_they_come_back(void **state)
{
    static const struct {
        const char *field, *written;
    } rows[] = {
        { "plain", "plain" },
        { "", "" },
        { "a,b", "\"a,b\"" },
        { "a;b", "\"a;b\"" },
        { "a \"b\"", "\"a \"\"b\"\"\"" },
        { "a\nb", "\"a\nb\"" },
        { " a", "\" a\"" },
        { "a ", "\"a \"" },
        { "=1+1", "'=1+1" },
        { "+49", "'+49" },
        { "-1", "'-1" },
        { "@x", "'@x" },
        { "\tx", "\"'\tx\"" },
        { "\rx", "\"'\rx\"" },
        { "'=x", "''=x" },
        { "''", "''" },
        { "'x", "'x" },
        { "*@partner.example", "*@partner.example" },
        { "a=b", "a=b" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct strbuf out;
        struct csv_reader reader;
        struct csv_record record;
        const char *wrong;
        char expected[100];
        strbuf_init(&out, 1000);
        csv_add_field(&out, "x", true);
        csv_add_field(&out, rows[i].field, false);
        csv_end_record(&out);
        snprintf(expected, sizeof expected, "x,%s\r\n", rows[i].written);
        assert_string_equal(out.data, expected);
        csv_reader_init(&reader, out.data, out.len);
        assert_int_equal(csv_read(&reader, &record, &wrong), 1);
        assert_int_equal(record.count, 2);
        assert_string_equal(record.fields[1], rows[i].field);
        csv_record_clear(&record);
        strbuf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_read),
        cmocka_unit_test(what_has_no_end_is_refused),
        cmocka_unit_test(fields_are_written_so_that_they_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
