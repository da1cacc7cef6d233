/* HTML of mail as CommonMark. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "mapping/convert_commonmark.h"
#include "mapping/convert_html.h"
#include "mapping/convert_markdown.h"

static const char *find_picture(const char *id, void *ctx)
{
    (void)ctx;
    return strcmp(id, "gate@example.com") == 0 ? "u:the gate.png" : NULL;
}

static char *to_commonmark(const char *html, size_t len)
{
    struct strbuf out;
    strbuf_init(&out, 64 << 20);
    struct commonmark_writer *writer = commonmark_writer_new(&out);
    const struct convert_html_pictures pictures = { .find = find_picture };
    (void)convert_html_write(writer, html, len, &pictures, NULL);
    commonmark_writer_free(&writer);
    assert_true(strbuf_ok(&out));
    return strbuf_detach(&out);
}

struct row {
    const char *html, *expected;
};

static void check_rows(const struct row *rows, size_t count)
{
    size_t failed = 0;
    for (size_t i = 0; i < count; i++) {
        char *out = to_commonmark(rows[i].html, strlen(rows[i].html));
        if (strcmp(out, rows[i].expected) != 0) {
            print_message("HTML:     %s\nexpected: %s\nwritten:  %s\n", rows[i].html, rows[i].expected, out);
            failed++;
        }
        free(out);
    }
    assert_int_equal(failed, 0);
}

static void test_elements(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "", "" },
        { "text", "text\n" },
        { "<p>a</p><p>b</p>", "a\n\nb\n" },
        { "<div>a<div>b</div>c</div>", "a  \nb  \nc\n" },
        { "a<br>b<br><br>c", "a  \nb\n\nc\n" },
        { " a \n\t b ", "a b\n" },
        { "<h1>a</h1><h3>b<br>c</h3>d", "# a\n\n### b c\n\nd\n" },
        { "<h2>C#</h2>", "## C\\#\n" },
        { "<b>a</b> <i>b</i> <s>c</s>", "**a** _b_ ~~c~~\n" },
        { "<b>a </b>b<i> c</i>", "**a** b _c_\n" },
        { "<b></b><i> </i>x", "x\n" },
        { "<b>a</b><b>b</b>", "**ab**\n" },
        { "wo<i>r</i>d", "wo*r*d\n" },
        { "<b><i>a</i></b>", "**_a_**\n" },
        { "<b>a<p>b</p></b>", "**a**\n\n**b**\n" },
        { "x<b>(a)</b>y", "x(a)y\n" }, /* no delimiter works there */
        { "&lt;b&gt; &amp;amp; &eacute; &#8364; &nosuch;", "\\<b> \\&amp; é € \\&nosuch;\n" },
        { "<ul><li>a<li>b<ul><li>c</ul></ul>", "- a\n- b\n  - c\n" },
        { "<ol><li>a<li>b</ol><ol start=7><li>c</ol>", "1. a\n2. b\n\n7) c\n" },
        { "<ul><li><p>a</p><p>b</p></li></ul>c", "- a\n\n  b\n\nc\n" },
        { "<blockquote>a<blockquote>b</blockquote></blockquote>c", "> a\n>\n> > b\n\nc\n" },
        { "<a href='https://example.com/'>x</a>", "[x](https://example.com/)\n" },
        { "<a href='https://example.com/a b(c)<'>[x]</a>", "[\\[x\\]](<https://example.com/a%20b(c)%3C>)\n" },
        { "<a href='https://example.com'></a>x", "x\n" },
        { "<a href='https://example.com'><p>a</p><p>b</p></a>",
          "[a](https://example.com)\n\n[b](https://example.com)\n" },
        { "<a href='javascript:alert(1)'>x</a>", "x\n" },
        { "<a href=' JaVaScRiPt:x'>x</a><a href='data:text/html,x'>y</a><a href='/rel'>z</a>", "xyz\n" },
        { "<a href='&#104;ttps://example.com'>x</a>", "[x](https://example.com)\n" },
        { "see https://example.com.", "see <https://example.com>.\n" },
        { "<code>a_b</code> <code>`</code>", "`a_b` `` ` ``\n" },
        { "x<pre>a\n  b\n</pre>", "x\n\n```\na\n  b\n```\n" },
        { "x<pre>```</pre>", "x\n\n````\n```\n````\n" },
        { "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td>d</td></tr></table>",
          "| | |\n| --- | --- |\n| a | b |\n| c | d |\n" },
        { "<table><tr><td><p>a</p></td><td><p>b</p></td></tr></table>", "a | b\n" },
        { "a<hr>b", "a\n\n---\n\nb\n" },
        { "<ul><li><hr></li></ul>", "- ___\n" },
        { "<img src='cid:gate@example.com' alt='The [gate]'>", "![The \\[gate\\]](this_u:the%20gate.png)\n" },
        { "<img src='cid:gate@example.com'>", "![the gate.png](this_u:the%20gate.png)\n" },
        { "<img src='cid:unknown' alt='x'>", "x\n" },
        { "<img src='https://example.com/logo.png' alt='Logo'>", "[Logo](https://example.com/logo.png)\n" },
        { "<img src='https://example.com/x.gif' width=1 height=1><img src='https://example.com/y.gif' alt=''>", "" },
        { "<a href='https://example.com'><img src='https://example.com/l.png' alt='Logo'></a>",
          "[Logo](https://example.com)\n" },
        { "<script>x</script><style>y</style><title>z</title>a", "a\n" },
        { "a<span style='color:red; Display : NONE'>b<b>c</b></span>d", "ad\n" },
        { "a<p hidden>b</p>d", "ad\n" },
        { "<!--[if mso]><p>Outlook</p><![endif]--><![if !mso]>a<![endif]>b<!-- c -->", "ab\n" },
        { "<html><body>a</body></html>b", "a  \nb\n" },
        { "<p>a", "a\n" },
        { "</p></div></b>a", "a\n" },
        { "1. a<br># b<br>- c<p>===", "1\\. a  \n\\# b  \n\\- c\n\n===\n" },
        { "a\xC2\xA0 \xC2\xA0"
          "b",
          "a\xC2\xA0 \xC2\xA0"
          "b\n" },
        { "<meta charset=iso-8859-1>gr\xC3\xBC\xC3\x9F", "grüß\n" }, /* it is UTF-8 by now, whatever it says */
        { "<p>\x01\x7F</p>", "\xEF\xBF\xBD\xEF\xBF\xBD\n" },
        { "a < b <c", "a < b <c\n" },
    };
    check_rows(rows, sizeof rows / sizeof rows[0]);
}

static void test_declared_charset(void **state)
{
    (void)state;
    static const struct row {
        const char *html, *charset;
    } rows[] = {
        { "<meta charset=\"koi8-r\">", "koi8-r" },
        { "<META http-equiv=Content-Type content='text/html; charset=GB2312'>", "GB2312" },
        { "<p>charset</p>", NULL },
        { "charset=", NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char charset[64];
        bool found = convert_html_declared_charset(rows[i].html, strlen(rows[i].html), charset);
        assert_int_equal(found, rows[i].charset != NULL);
        if (found)
            assert_string_equal(charset, rows[i].charset);
    }
}

static double seconds_for(const char *piece, size_t size)
{
    struct strbuf html;
    strbuf_init(&html, size + 1000);
    while (html.len < size)
        strbuf_add_str(&html, piece);
    struct timespec start, end;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    char *out = to_commonmark(html.data, html.len);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    free(out);
    strbuf_free(&html);
    return (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
}

/* Each is linear: a quadratic one would take minutes. */
static void test_hostile_input_is_fast(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "<div>",
        "<b>",
        "<b>x",
        "<ul><li>x",
        "<blockquote>",
        "<a href='https://example.com'>x",
        "<!--",
        "<![if ",
        "<a ",
        "<a href='",
        "&amp;",
        "&",
        "</p>",
        "<table><tr><td>x",
        "<pre>",
        "<i>x</i>",
        "*",
        "[x](",
        "https://example.com/((((",
        "x ",
        "<br>",
        "<",
        "<p>`",
    };
    enum { SIZE = 1 << 20, LIMIT_SECONDS = 20 }; /* with sanitizers; a fraction of a second without */
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        double seconds = seconds_for(pieces[i], SIZE);
        if (seconds > 3)
            print_message("%s: %.1f s\n", pieces[i], seconds);
        assert_true(seconds < LIMIT_SECONDS);
    }
}

static void test_long_tags_are_left_out(void **state)
{
    (void)state;
    struct strbuf html;
    strbuf_init(&html, 1 << 20);
    strbuf_add_str(&html, "before <img src=\"data:image/png;base64,");
    for (int i = 0; i < 50000; i++)
        strbuf_add_char(&html, 'A');
    strbuf_add_str(&html, "\"> after");
    char *out = to_commonmark(html.data, html.len);
    assert_string_equal(out, "before after\n");
    free(out);
    strbuf_free(&html);
}

/* Whatever the HTML, its CommonMark is read by the parser at the other end without ending the document early. */
static void test_text_survives_both_ways(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "<p>*a* _b_ [c](d) `e` ~f~ &lt;g&gt; &amp;lt; #h \\</p>",
        "<ul><li># a</li><li>1. b</li><li>- c</li><li>&gt; d</li></ul>",
        "<blockquote><pre>x</pre><ul><li>a<pre>y</pre></li></ul></blockquote>",
        "<a href='https://example.com'>a*b_c[d]e`f</a>",
    };
    static const char *const expected[] = {
        "*a* _b_ [c](d) `e` ~f~ <g> &lt; #h \\\n",
        "- # a\n- 1. b\n- - c\n- > d\n",
        ">     x\n>\n> - a\n>\n>       y\n",
        "a*b_c[d]e`f <https://example.com>\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char *commonmark = to_commonmark(texts[i], strlen(texts[i]));
        struct strbuf text;
        strbuf_init(&text, 1 << 20);
        assert_int_equal(convert_markdown_to_text(&text, commonmark, strlen(commonmark)), 1);
        assert_string_equal(text.data, expected[i]);
        strbuf_free(&text);
        free(commonmark);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elements),
        cmocka_unit_test(test_declared_charset),
        cmocka_unit_test(test_long_tags_are_left_out),
        cmocka_unit_test(test_text_survives_both_ways),
        cmocka_unit_test(test_hostile_input_is_fast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
