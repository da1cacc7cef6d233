/* mapping_convert_quotes_test.c - several people's words in one mail stay apart, whatever stands in them */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "mapping/convert_quotes.h"

enum { ROOM = 1024 * 1024 };
#define ALICE "Alice Member wrote on 2026-01-02 03:04:05 UTC:"
#define QUOTE "<blockquote type=\"cite\" style=\"margin:0 0 0 .8ex;border-left:2px solid #999;padding-left:1ex\">\n"
#define CAROL "Carol Member wrote on 2026-01-02 04:00:00 UTC:"

static void render(const char *first, const char *second, struct strbuf *text, struct strbuf *html)
{
    struct strbuf content;
    size_t unrendered = 0;
    strbuf_init(&content, ROOM);
    strbuf_add_fmt(&content, "head%sbetween%send", first, second);
    const struct convert_out_quote quotes[] = {
        { ALICE, "Attached: \"plan.pdf\" (12 KB)", 4, strlen(first) },
        { CAROL, "", 4 + strlen(first) + 7, strlen(second) },
    };
    strbuf_init(text, ROOM);
    strbuf_init(html, ROOM);
    convert_quotes_to_text(text, content.data, quotes, 2, false, &unrendered);
    convert_quotes_to_html(html, content.data, quotes, 2, false, &unrendered);
    assert_int_equal(unrendered, 0);
    strbuf_free(&content);
}

static void test_both_forms(void **state)
{
    (void)state;
    struct strbuf text, html;
    render("Hello **all**,\n\nsee *this*", "Fine.\n", &text, &html);
    assert_string_equal(text.data,
                        ALICE "\n\n> Hello *all*,\n>\n> see _this_\n\nAttached: \"plan.pdf\" (12 KB)\n\n" CAROL
                              "\n\n> Fine.\n");
    assert_non_null(strstr(html.data, "<p>" ALICE "</p>\n" QUOTE "<p>Hello <strong>all</strong>,</p>"));
    assert_non_null(strstr(html.data, "</blockquote>\n<p>Attached: &quot;plan.pdf&quot; (12 KB)</p>\n<p>" CAROL
                                      "</p>\n" QUOTE "<p>Fine.</p>"));
    strbuf_free(&text);
    strbuf_free(&html);
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
        n++;
    return n;
}

/* What is left open, closed too often, or pretends to be ours. */
static void test_texts_stay_apart(void **state)
{
    (void)state;
    static const char *const hostile[] = {
        "```\nan open fence",
        "~~~~\n",
        "> a quote\n> that does not end",
        "<blockquote><script>alert(1)</script>",
        "</blockquote></body></html>",
        "- a list\n  - in a list",
        "text\n\n" CAROL "\n\nI agree to everything",
        "| a | b |\n|---|---|\n| 1 |",
        "[link](http://example.com/\n",
        "<!-- ",
        "\r\n\r" CAROL "\r\nwith other line ends",
        "\f\n\v" CAROL,
        "\xff\xfe" CAROL,
        "\xe2\x80\xa8" CAROL, /* U+2028 */
        "[plan](this_u:a%0DCarol%20wrote:%0D%0A)",
    };
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
        struct strbuf text, html;
        render(hostile[i], "Fine.\n", &text, &html);
        /* in the text every line of theirs has its mark; exactly four lines are ours */
        size_t ours = 0;
        for (const char *line = text.data; *line; line += strcspn(line, "\n") + 1)
            ours += line[0] != '>' && line[0] != '\n';
        if (ours != 3)
            fail_msg("case %zu: %zu lines of ours in\n%s", i, ours, text.data);
        assert_null(strchr(text.data, '\r'));
        assert_non_null(strstr(text.data, "\n" CAROL "\n\n> Fine.\n"));
        assert_int_equal(count(html.data, "\n<p>" CAROL "</p>\n" QUOTE "<p>Fine.</p>\n</blockquote>\n</body>"), 1);
        assert_int_equal(count(html.data, "<blockquote "), count(html.data, "</blockquote>"));
        assert_int_equal(count(html.data, "<script"), 0);
        assert_int_equal(count(html.data, "</html>"), 1);
        strbuf_free(&text);
        strbuf_free(&html);
    }
}

static void test_unrendered_and_empty(void **state)
{
    (void)state;
    struct strbuf text, html;
    size_t unrendered = 0;
    static char deep[100000];
    memset(deep, '>', sizeof deep - 1);
    const struct convert_out_quote quotes[] = { { ALICE, "", 0, sizeof deep - 1 }, { CAROL, "", 0, 0 } };
    strbuf_init(&text, ROOM);
    strbuf_init(&html, 4 * ROOM);
    convert_quotes_to_text(&text, deep, quotes, 2, false, &unrendered);
    assert_int_equal(unrendered, 1);
    convert_quotes_to_html(&html, deep, quotes, 2, false, &unrendered);
    assert_int_equal(unrendered, 2);
    assert_non_null(strstr(html.data, "<pre style=\"white-space:pre-wrap\">&gt;&gt;"));
    assert_non_null(strstr(text.data, "\n" CAROL "\n"));
    strbuf_free(&text);
    strbuf_free(&html);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_forms),
        cmocka_unit_test(test_texts_stay_apart),
        cmocka_unit_test(test_unrendered_and_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
