/* Tests of smtp_reply: what is written, and what is made of what others write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "smtp/smtp_reply.h"

static void assert_composed(struct smtp_reply reply, const char *expected)
{
    struct strbuf out;
    strbuf_init(&out, 1000);
    smtp_reply_compose(&reply, &out);
    assert_string_equal(out.data, expected);
    strbuf_free(&out);
}

static void replies_are_one_line(void **state)
{
    (void)state;
    assert_composed(smtp_reply_make(250, "2.1.0", "Ok"), "250 2.1.0 Ok\r\n");
    assert_composed(smtp_reply_make(354, "", "Go ahead, %s", "Bob"), "354 Go ahead, Bob\r\n");
    assert_composed(smtp_reply_make(220, NULL, "hello"), "220 hello\r\n");
    assert_composed(smtp_reply_make(250, "2.0.0", "%s", ""), "250 2.0.0\r\n");
    assert_composed(smtp_reply_make(550, "5.1.1", "a\r\n250 b\tc\x7f"), "550 5.1.1 a??250 b?c?\r\n");
}

static const struct {
    const char *text, *ascii, *utf8;
} utf8_cases[] = {
    { "<bob@example.com>", "<bob@example.com>", "<bob@example.com>" },
    { "<\xc3\xa4@example.com>", "<\\x{E4}@example.com>", "<\xc3\xa4@example.com>" },
    { "\xe2\x82\xac \xf0\x9f\x90\x90", "\\x{20AC} \\x{1F410}", "\xe2\x82\xac \xf0\x9f\x90\x90" },
    { "a\xe4z", "a?z", "a?z" },                 /* not UTF-8 */
    { "a\xc2\x9bz", "a\\x{9B}z", "a?z" },       /* CSI */
    { "a\xe2\x80\xa8z", "a\\x{2028}z", "a?z" }, /* line separator */
    { "a\x1b[2Jz", "a?[2Jz", "a?[2Jz" },
};

static void replies_are_ascii_unless_agreed_otherwise(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof utf8_cases / sizeof utf8_cases[0]; i++) {
        struct smtp_reply reply = smtp_reply_make(550, "5.1.1", "%s", utf8_cases[i].text);
        struct strbuf out;
        char expected[200];
        strbuf_init(&out, 1000);
        smtp_reply_compose(&reply, &out);
        snprintf(expected, sizeof expected, "550 5.1.1 %s\r\n", utf8_cases[i].ascii);
        assert_string_equal(out.data, expected);
        strbuf_clear(&out);
        smtp_reply_compose_utf8(&reply, &out);
        snprintf(expected, sizeof expected, "550 5.1.1 %s\r\n", utf8_cases[i].utf8);
        assert_string_equal(out.data, expected);
        strbuf_free(&out);
    }
}

/* RFC 5321 section 4.5.3.1.5 */
static void lines_have_512_octets_at_most(void **state)
{
    (void)state;
    char text[SMTP_REPLY_TEXT_MAX + 1];
    for (size_t i = 0; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa4", 3);
    struct smtp_reply reply = smtp_reply_make(550, "5.123.456", "%s", text);
    struct strbuf out;
    strbuf_init(&out, 1000);
    smtp_reply_compose(&reply, &out);
    assert_in_range(out.len, 500, 512);
    assert_memory_equal(out.data + out.len - 8, "\\x{E4}\r\n", 8);
    strbuf_free(&out);
}

static void several_lines(void **state)
{
    (void)state;
    static const char *const lines[] = { "gw.example.org", "SIZE 0", "DSN" };
    struct strbuf out;
    strbuf_init(&out, 1000);
    smtp_reply_compose_lines(250, "", lines, 3, &out);
    smtp_reply_compose_lines(214, "2.0.0", lines, 2, &out);
    smtp_reply_compose_lines(214, NULL, lines, 1, &out);
    assert_string_equal(out.data, "250-gw.example.org\r\n250-SIZE 0\r\n250 DSN\r\n"
                                  "214-2.0.0 gw.example.org\r\n214 2.0.0 SIZE 0\r\n"
                                  "214 gw.example.org\r\n");
    strbuf_free(&out);
}

static void long_text_is_cut_between_characters(void **state)
{
    (void)state;
    char text[600];
    for (size_t prefix = SMTP_REPLY_TEXT_MAX - 5; prefix <= SMTP_REPLY_TEXT_MAX; prefix++) {
        memset(text, 'x', prefix);
        snprintf(text + prefix, sizeof text - prefix, "\xf0\x9f\x90\x90 and more");
        struct smtp_reply reply = smtp_reply_make(550, "5.1.1", "%s", text);
        size_t goat = prefix + 4 <= SMTP_REPLY_TEXT_MAX ? 4 : 0;
        assert_memory_equal(reply.text, text, prefix + goat);
        if (goat == 0)
            assert_int_equal(strlen(reply.text), prefix);
    }
}

static void codes_are_classified(void **state)
{
    (void)state;
    static const struct {
        int code;
        bool positive, temporary;
    } cases[] = {
        { 200, true, false }, { 299, true, false }, { 354, true, false },  { 399, true, false },
        { 400, false, true }, { 499, false, true }, { 500, false, false }, { 599, false, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct smtp_reply reply = smtp_reply_make(cases[i].code, "", "x");
        assert_int_equal(smtp_reply_is_positive(&reply), cases[i].positive);
        assert_int_equal(smtp_reply_is_temporary(&reply), cases[i].temporary);
    }
}

static const struct parse_case {
    const char *lines[4];
    int result; /* of the last line */
    int code;
    const char *enhanced, *text;
} parse_cases[] = {
    { { "250 Ok" }, 1, 250, "", "Ok" },
    { { "250" }, 1, 250, "", "" },
    { { "250 " }, 1, 250, "", "" },
    { { "250-" }, 0, 250, "", "" },
    { { "250 2.1.0 Ok" }, 1, 250, "2.1.0", "Ok" },
    { { "250 2.1.0" }, 1, 250, "2.1.0", "" },
    { { "550 5.7.26 not proven" }, 1, 550, "5.7.26", "not proven" },
    { { "550 5.123.456 x" }, 1, 550, "5.123.456", "x" },
    { { "550-5.1.1 no such", "550-5.1.1 person", "550 5.1.1 here" }, 1, 550, "5.1.1", "no such / person / here" },
    { { "250-gw.example.org", "250-PIPELINING", "250 SIZE 1000" },
      1,
      250,
      "",
      "gw.example.org / PIPELINING / SIZE 1000" },
    { { "250-a", "250" }, 1, 250, "", "a" },
    { { "250-", "250 a" }, 1, 250, "", "a" },
    /* not an enhanced code */
    { { "550 4.1.1 class of another code" }, 1, 550, "", "4.1.1 class of another code" },
    { { "550 5.1.1. x" }, 1, 550, "", "5.1.1. x" },
    { { "550 5.1 x" }, 1, 550, "", "5.1 x" },
    { { "550 5.1234.1 x" }, 1, 550, "", "5.1234.1 x" },
    { { "550 5..1 x" }, 1, 550, "", "5..1 x" },
    { { "550 55.1.1 x" }, 1, 550, "", "55.1.1 x" },
    /* text is made printable */
    { { "250 a\tb\x01" }, 1, 250, "", "a?b?" },
    { { "250 \xe4\xff\xc3\xa4" }, 1, 250, "", "??\xc3\xa4" },
    { { "250 x\xc2\x9by\xc2\xa0" }, 1, 250, "", "x?y\xc2\xa0" },
    /* NOLINTBEGIN(misc-misleading-bidirectional): the overrides are what is tested */
    { { "250 x\xe2\x80\xaey\xe2\x80\xa8z" }, 1, 250, "", "x?y?z" },
    { { "250 x\xe2\x81\xa6y\xe2\x80\xa6" }, 1, 250, "", "x?y\xe2\x80\xa6" },
    /* NOLINTEND(misc-misleading-bidirectional) */
    /* not replies */
    { { "" }, -1, 0, NULL, NULL },
    { { "25" }, -1, 0, NULL, NULL },
    { { "2500" }, -1, 0, NULL, NULL },
    { { "250x" }, -1, 0, NULL, NULL },
    { { "150 x" }, -1, 0, NULL, NULL },
    { { "650 x" }, -1, 0, NULL, NULL },
    { { "2a0 x" }, -1, 0, NULL, NULL },
    { { " 250 x" }, -1, 0, NULL, NULL },
    { { "250-a", "251 b" }, -1, 0, NULL, NULL },
    { { "250-a", "hello" }, -1, 0, NULL, NULL },
};

static void replies_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof parse_cases / sizeof parse_cases[0]; i++) {
        const struct parse_case *c = &parse_cases[i];
        struct smtp_reply reply = { .code = 0 };
        int result = 0;
        for (size_t k = 0; k < 4 && c->lines[k]; k++) {
            assert_int_equal(result, 0);
            result = smtp_reply_parse_line(c->lines[k], strlen(c->lines[k]), &reply);
        }
        assert_int_equal(result, c->result);
        if (result < 0)
            continue;
        assert_int_equal(reply.code, c->code);
        assert_string_equal(reply.enhanced, c->enhanced);
        assert_string_equal(reply.text, c->text);
    }
}

static void endless_replies_end(void **state)
{
    (void)state;
    struct smtp_reply reply = { .code = 0 };
    for (int i = 0; i < SMTP_REPLY_LINES_MAX; i++)
        assert_int_equal(smtp_reply_parse_line("250-more", 8, &reply), 0);
    assert_int_equal(smtp_reply_parse_line("250 last", 8, &reply), -1);
    assert_true(strlen(reply.text) <= SMTP_REPLY_TEXT_MAX);
    assert_memory_equal(reply.text, "more / more / ", 14);
}

static void long_lines_are_cut(void **state)
{
    (void)state;
    char line[1000];
    memset(line, 'x', sizeof line);
    memcpy(line, "550 5.1.1 ", 10);
    struct smtp_reply reply = { .code = 0 };
    assert_int_equal(smtp_reply_parse_line(line, sizeof line, &reply), 1);
    assert_int_equal(strlen(reply.text), SMTP_REPLY_TEXT_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_are_one_line),
        cmocka_unit_test(long_text_is_cut_between_characters),
        cmocka_unit_test(replies_are_ascii_unless_agreed_otherwise),
        cmocka_unit_test(lines_have_512_octets_at_most),
        cmocka_unit_test(several_lines),
        cmocka_unit_test(codes_are_classified),
        cmocka_unit_test(replies_are_read),
        cmocka_unit_test(endless_replies_end),
        cmocka_unit_test(long_lines_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
