/* gateway_web_html_test.c - foreign text can't become markup, and what is hidden in it is seen */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/strbuf.h"
#include "gateway/web_html.h"

static void assert_written(struct web_html *html, const char *expected)
{
    assert_true(web_html_ok(html));
    assert_string_equal(web_html_written(html)->data, expected);
    web_html_free(&html);
    assert_null(html);
}

static void texts_are_escaped(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        { "Alice Member", "Alice Member" },
        { NULL, "" },
        { "<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;" },
        { "\" onmouseover=\"alert(1)", "&quot; onmouseover=&quot;alert(1)" },
        { "' onfocus='x", "&#39; onfocus=&#39;x" },
        { "&lt;b&gt;", "&amp;lt;b&amp;gt;" },
        { "%s %u %", "%s %u %" },
        { "</textarea><img src=x>", "&lt;/textarea&gt;&lt;img src=x&gt;" },
        { "Zo\xc3\xab \xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d", "Zo\xc3\xab \xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct web_html *html = web_html_new();
        struct strbuf expected;
        strbuf_init(&expected, 1000);
        strbuf_add_fmt(&expected, "<p title=\"%s\">%s</p>", cases[i].expected, cases[i].expected);
        web_html_add(html, "<p title=\"%s\">%s</p>", cases[i].text, cases[i].text);
        assert_written(html, expected.data);
        strbuf_free(&expected);
    }
}

static void what_is_hidden_is_seen(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
    } cases[] = {
        { "a NUL-like control", "a\x01z" },
        { "escape", "a\x1bz" },
        { "delete", "a\x7fz" },
        { "C1 control", "a\xc2\x85z" },
        /* NOLINTBEGIN(misc-misleading-bidirectional): the overrides are what is tested */
        { "right-to-left override", "a\xe2\x80\xaez" },
        { "left-to-right isolate", "a\xe2\x81\xa6z" },
        /* NOLINTEND(misc-misleading-bidirectional) */
        { "right-to-left mark", "a\xe2\x80\x8fz" },
        { "Arabic letter mark", "a\xd8\x9cz" },
        { "zero width space", "a\xe2\x80\x8bz" },
        { "soft hyphen", "a\xc2\xadz" },
        { "word joiner", "a\xe2\x81\xa0z" },
        { "byte order mark", "a\xef\xbb\xbfz" },
        { "line separator", "a\xe2\x80\xa8z" },
        { "tag character", "a\xf3\xa0\x81\x81z" },
        { "no UTF-8", "a\xffz" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct web_html *html = web_html_new();
        web_html_add(html, "<p>%s</p>", cases[i].text);
        if (strcmp(web_html_written(html)->data, "<p>a\xef\xbf\xbdz</p>") != 0)
            fail_msg("%s: %s", cases[i].name, web_html_written(html)->data);
        web_html_free(&html);
    }
}

static void joined_letters_and_emoji_stay(void **state)
{
    (void)state;
    struct web_html *html = web_html_new();
    web_html_add(html, "<p>%s</p>", "\xd9\x86\xe2\x80\x8c\xd8\xa7 \xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x94\xa7");
    assert_written(html, "<p>\xd9\x86\xe2\x80\x8c\xd8\xa7 \xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x94\xa7</p>");
}

static void lines_stay_where_they_are_asked_for(void **state)
{
    (void)state;
    struct web_html *html = web_html_new();
    web_html_add(html, "<p>%s</p><pre>%t</pre>", "one\r\ntwo\tthree", "one\r\ntwo\tthree");
    assert_written(html, "<p>one  two three</p><pre>one\ntwo\tthree</pre>");
}

static void urls_stay_ours(void **state)
{
    (void)state;
    static const struct {
        const char *url, *expected;
    } cases[] = {
        { "/mappings?after=17&state=approved", "/mappings?after=17&amp;state=approved" },
        { "javascript:alert(1)", "/" },
        { "//evil.example/", "/" },
        { "/\\evil.example/", "/" },
        { "https://evil.example/", "/" },
        { "", "/" },
        { NULL, "/" },
        { "/a\"><script>", "/a%22%3E%3Cscript%3E" },
        { "/a\t/b\n", "/a%09/b%0A" },
        { "/%2e%2e", "/%2e%2e" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct web_html *html = web_html_new();
        struct strbuf expected;
        strbuf_init(&expected, 1000);
        strbuf_add_fmt(&expected, "<a href=\"%s\">x</a>", cases[i].expected);
        web_html_add(html, "<a href=\"%l\">x</a>", cases[i].url);
        assert_written(html, expected.data);
        strbuf_free(&expected);
    }
}

static void parts_of_urls_are_encoded(void **state)
{
    (void)state;
    struct web_html *html = web_html_new();
    web_html_add(html, "<a href=\"/members/%u?note=%u\">x</a>", "../a b/\xc3\xab\"", "&c=<1>#'");
    assert_written(html, "<a href=\"/members/..%2Fa%20b%2F%C3%AB%22?note=%26c%3D%3C1%3E%23%27\">x</a>");
}

static void a_tag_may_be_written_in_pieces(void **state)
{
    (void)state;
    struct web_html *html = web_html_new();
    web_html_add(html, "<option value=\"%s\"", "a>b");
    assert_false(web_html_ok(html)); /* a tag is open */
    web_html_add(html, " selected");
    web_html_add(html, ">%s</option>50%%", "\"");
    assert_written(html, "<option value=\"a&gt;b\" selected>&quot;</option>50%");
}

#define ASSERT_MISTAKE(...)                                                                                            \
    do {                                                                                                               \
        struct web_html *html = web_html_new();                                                                        \
        web_html_add(html, __VA_ARGS__);                                                                               \
        assert_false(web_html_ok(html));                                                                               \
        web_html_add(html, "<p></p>");                                                                                 \
        assert_false(web_html_ok(html));                                                                               \
        assert_null(strstr(web_html_written(html)->data, "evil"));                                                     \
        web_html_free(&html);                                                                                          \
    } while (0)

static void count_line(enum log_level level, const char *line, void *ctx)
{
    unsigned *told = ctx;
    assert_int_equal(level, LOG_LEVEL_ERROR);
    assert_non_null(strstr(line, "web.template"));
    (*told)++;
}

static void mistakes_in_literals_write_nothing(void **state)
{
    (void)state;
    unsigned told = 0;
    log_set_sink(count_line, &told);
    ASSERT_MISTAKE("<p %s>", "evil");
    ASSERT_MISTAKE("<%s>", "evil");
    ASSERT_MISTAKE("<p title=%s>", "evil");
    ASSERT_MISTAKE("<p title='%s'>", "evil");
    ASSERT_MISTAKE("<script>%s</script>", "evil");
    ASSERT_MISTAKE("<style>%s</style>", "evil");
    ASSERT_MISTAKE("<p style=\"%s\">", "evil");
    ASSERT_MISTAKE("<p onclick=\"%s\">", "evil");
    ASSERT_MISTAKE("<iframe srcdoc=\"%s\">", "evil");
    ASSERT_MISTAKE("<a href=\"%s\">", "evil");
    ASSERT_MISTAKE("<a href=\"/x?%s\">", "evil");
    ASSERT_MISTAKE("<a href=\"%u\">", "evil");
    ASSERT_MISTAKE("<a href=\"javascript:%u\">", "evil");
    ASSERT_MISTAKE("<a href=\"/x%l\">", "evil");
    ASSERT_MISTAKE("<form action=\"%t\">", "evil");
    ASSERT_MISTAKE("<p>%d</p>", "evil");
    ASSERT_MISTAKE("<p>%s</p>");
    ASSERT_MISTAKE("<p></p>", "evil");
    ASSERT_MISTAKE("<p>%");
    log_set_sink(NULL, NULL);
    assert_int_equal(told, 19);
}

static void text_may_follow_a_script_that_has_ended(void **state)
{
    (void)state;
    struct web_html *html = web_html_new();
    web_html_add(html, "<script src=\"%l\" defer></script>%s", "/static/postern.js", "<");
    assert_written(html, "<script src=\"/static/postern.js\" defer></script>&lt;");
}

static void a_page_that_is_too_long_is_none(void **state)
{
    (void)state;
    struct web_html *html = web_html_new();
    struct strbuf text;
    strbuf_init(&text, 1024 * 1024);
    for (size_t i = 0; i < 1024 * 1024; i++)
        strbuf_add_char(&text, '<');
    for (int i = 0; i < 3; i++)
        web_html_add(html, "<p>%s</p>", text.data);
    assert_false(web_html_ok(html)); /* each is four octets in the page */
    strbuf_free(&text);
    web_html_free(&html);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_escaped),
        cmocka_unit_test(what_is_hidden_is_seen),
        cmocka_unit_test(joined_letters_and_emoji_stay),
        cmocka_unit_test(lines_stay_where_they_are_asked_for),
        cmocka_unit_test(urls_stay_ours),
        cmocka_unit_test(parts_of_urls_are_encoded),
        cmocka_unit_test(a_tag_may_be_written_in_pieces),
        cmocka_unit_test(mistakes_in_literals_write_nothing),
        cmocka_unit_test(text_may_follow_a_script_that_has_ended),
        cmocka_unit_test(a_page_that_is_too_long_is_none),
    };
    return cmocka_run_group_tests_name("gateway_web_html", tests, NULL, NULL);
}
