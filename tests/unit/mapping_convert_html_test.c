/* HTML of mail as CommonMark. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "mapping/convert_commonmark.h"
#include "mapping/convert_history.h"
#include "mapping/convert_html.h"
#include "mapping/convert_markdown.h"
#include "tests/unit/cpu_time.h"

static const char *find_picture(const char *id, void *ctx)
{
    (void)ctx;
    bool is_gate = strcmp(id, "gate@example.com") == 0 || strcmp(id, "https://example.com/gate.png") == 0;
    return is_gate ? "u:the gate.png" : NULL;
}

static const char *add_picture(const char *type, void *data, size_t len, void *ctx)
{
    (void)ctx;
    assert_int_equal(strncmp(type, "image/", 6), 0);
    assert_true(len > 0);
    free(data);
    return "u:image.png";
}

static char *to_commonmark(const char *html, size_t len)
{
    struct strbuf out;
    strbuf_init(&out, 64 << 20);
    struct commonmark_writer *writer = commonmark_writer_new(&out);
    const struct convert_html_pictures pictures = { .find = find_picture, .add = add_picture };
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
        { "<s>a</s> <s>b</s> <s>c <b>d</b> <i>e</i></s>", "~~a~~ ~~b~~ ~~c **d** _e_~~\n" },
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
        { "a&lt;(o<del>:> b", "a\\<(o:> b\n" }, /* an address, to md4c */
        { "<code>a_b</code> <code>`</code>", "`a_b` `` ` ``\n" },
        /* No reader takes so many backticks for the marks of code; what is in it must not become a link then. */
        { "<code>&lt;x:y>````````````````</code>", "\\<x:y>\\`\\`\\`\\`\\`\\`\\`\\`\\`\\`\\`\\`\\`\\`\\`\\`\n" },
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

/* Blocks and breaks: what a reader sees as a line is one, and what has room around it is a paragraph. */
static void test_lines(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "<div>a</div><div>b</div>", "a  \nb\n" },
        { "<div>a</div><div><br></div><div>b</div>", "a\n\nb\n" },
        { "a<br></div><div>b", "a  \nb\n" },
        { "<p style='margin:0'>a</p><p style='margin:0'>b</p>", "a  \nb\n" },
        { "<p style='margin:0 0 10pt'>a</p><p style='margin:0 0 10pt'>b</p>", "a\n\nb\n" },
        { "<style>p{margin:0}</style><p>a</p><p>b</p>", "a  \nb\n" },
        { "<style>@media print{p{margin:0}}</style><p>a</p><p>b</p>", "a\n\nb\n" },
        { "<p class=MsoNormal>a<o:p></o:p></p><p class=MsoNormal><o:p>&nbsp;</o:p></p><p class=MsoNormal>b</p>",
          "a\n\nb\n" },
        { "<p>a</p><p>&nbsp;</p><p><br></p><p>&nbsp;</p><p>b</p>", "a\n\nb\n" },
        { "<span style='display:block'>a</span><span style='display:block'>b</span>", "a  \nb\n" },
        { "<div style='display:inline'>a</div><div style='display:inline'>b</div>", "ab\n" },
        { "<p>a <p>b </p> c", "a\n\nb\n\nc\n" },
        { "<div style='white-space:pre-wrap'>a\nb  c</div>", "a  \nb \xC2\xA0"
                                                             "c\n" },
        { "a<hr><hr>b", "a\n\n---\n\nb\n" },
        { "a<br>----------<br>b", "a\n\n---\n\nb\n" },
        { "<a href='https://example.com'><div>a</div><div>b</div></a>", "[a  \nb](https://example.com)\n" },
    };
    check_rows(rows, sizeof rows / sizeof rows[0]);
}

static void test_blanks(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "a.&nbsp; b", "a. b\n" },
        { "a &nbsp;b", "a b\n" },
        { "a&nbsp;b", "a\xC2\xA0"
                      "b\n" },
        { "<p>a&nbsp;</p>", "a\n" },
        { "<b>a </b> <b> b</b>", "**a b**\n" },
        { "a<b>&nbsp;</b>b", "a\xC2\xA0"
                             "b\n" },
        { "x&#8203;&nbsp;&zwnj;&nbsp;&#847;&nbsp;y", "x y\n" },
        { "&zwnj;&nbsp;&zwnj;&nbsp;", "" },
        { "a&shy;b", "a\xC2\xAD"
                     "b\n" },
        { "\xEF\xBB\xBF"
          "a",
          "a\n" },
        { "\xE2\x80\x8E"
          "26\xE2\x80\x8E June",
          "26 June\n" }, /* marks of direction where there is one only */
        { "\u05D0\u200F b", "\u05D0\u200F b\n" },
        { "<b><img src='https://example.com/a.png' alt=x></b>", "[x](https://example.com/a.png)\n" },
        { "a&#x202E;txt.exe", "atxt.exe\n" },
        { "a\xC2\x85"
          "b\xC2\x90"
          "c",
          "a b\xEF\xBF\xBD"
          "c\n" },
    };
    check_rows(rows, sizeof rows / sizeof rows[0]);
}

static void test_emphasis(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "<b style='font-weight:normal'>a</b>", "a\n" },
        { "<span style='font-weight:700'>a</span> <span style='font: italic 12px Arial'>b</span>", "**a** _b_\n" },
        { "<b>a <i>b</b> c</i>", "**a _b_** _c_\n" },
        { "<b><p>a</b>b</p>c", "**a**b\n\nc\n" },
        { "<p><b>a<p>b</b>c", "**a**\n\n**b**c\n" },
        { "<b>a<table><tr><td>b</b></table>c", "**a**  \n**b**  \n**c**\n" },
        { "<h1><b>a</b></h1>", "# a\n" },
        { "<a href='https://example.com'>x <b>y</b></a>", "[x **y**](https://example.com)\n" },
        { "<b>x <a href='https://example.com'>y</a> z</b>", "**x [y](https://example.com) z**\n" },
        { "<a href='https://example.com'>x <a href='https://example.org'>y</a>",
          "[x](https://example.com) [y](https://example.org)\n" },
        { "H<sub>2</sub>O m<sup>2</sup> 1<sup>st</sup>", "H\u2082O m\u00B2 1st\n" },
        { "<q>a</q>", "\u201Ca\u201D\n" },
    };
    check_rows(rows, sizeof rows / sizeof rows[0]);
}

static void test_code(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "<code>a</code> <code>b</code>", "`a` `b`\n" },
        { "<code>a <b>b</b></code>", "`a b`\n" },
        { "run <span style='font-family:Consolas'>x_y</span>", "run `x_y`\n" },
        { "<span style='font-family:Consolas'>all of it</span>", "all of it\n" },
        { "<span style='font-family:\"Monotype Corsiva\"'>x</span> y", "x y\n" },
        { "<pre>> a\nb</pre>", "> a\n\nb\n" }, /* a plain text mail */
        { "x<pre>\na\n\n\tb<br>c</pre>", "x\n\n```\na\n\n\tb\nc\n```\n" },
        { "x<pre>a <a href='https://example.com'>b</a>\nc</pre>", "x\n\na [b](https://example.com)  \nc\n" },
        { "x<pre></pre>", "x\n" },
        { "x<xmp><b></xmp>", "x\n\n```\n<b>\n```\n" },
    };
    check_rows(rows, sizeof rows / sizeof rows[0]);
}

static void test_lists(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "<ul><li>a</li><ul><li>b</li></ul><li>c</li></ul>", "- a\n  - b\n- c\n" },
        { "<ul><ul><li>a</li></ul></ul>", "- a\n" },
        { "<ol><li>a<ol><li>b</ol></ol>", "1. a\n   1. b\n" },
        { "<ol><li value=3>a<li>b<li value=9>c</ol>", "3. a\n4. b\n\n9) c\n" },
        { "<ol reversed><li>a<li>b</ol>", "2. a\n\n1) b\n" },
        { "<ol type=a start=26><li>a<li>b</ol>", "- z. a\n- aa. b\n" },
        { "<ol type=i start=4><li>a</ol><ol style='list-style-type:upper-roman'><li>a</ol>", "- iv. a\n\n* I. a\n" },
        { "<ol start=99999999999><li>a</ol>", "1. a\n" },
        { "<li>a<li>b</li>c", "- a\n- b\n\nc\n" },
        { "<ul style='list-style:none'><li>a<li>b</ul>", "a  \nb\n" },
        { "<ul><li></li><li>a</li></ul>", "-\n- a\n" },
        { "<ol><li>a</li><li></li><li>c</li></ol>", "1. a\n2.\n3. c\n" },
        { "<ul><li>a<ul><li></li><li>b</li></ul></li></ul>",
          "- a\n\n  -\n  - b\n" },                                           /* "-" under a text is a heading */
        { "<ul><li><ul><li><ul><li></li></ul></li></ul></li></ul>", "-\n" }, /* "- - -" is a rule */
        { "<ul><li><p>a</p></li><li><p>b</p></li></ul>", "- a\n\n- b\n" },
        { "<ul><li><p>a</p><ul><li>b</li></ul></li></ul>", "- a\n\n  - b\n" },
        { "<ul><li><p style='margin:0'>a</p></li><li><p style='margin:0'>b</p></li></ul>", "- a\n- b\n" },
        { "<ul><li>a<hr></li></ul><hr>", "- a\n\n  ___\n\n---\n" },
        { "<ul></ul>a", "a\n" },
        { "<dl><dt>a<dd>b<dt>c<dd>d</dl>", "**a**  \nb  \n**c**  \nd\n" },
        { "<p style='mso-list:l0 level1 lfo1'><span style='mso-list:Ignore'>\u00B7&nbsp;</span>a"
          "<p style='mso-list:l0 level2 lfo1'><span style='mso-list:Ignore'>o&nbsp;</span>b"
          "<p style='mso-list:l1 level1 lfo2'><span style='mso-list:Ignore'>7.&nbsp;</span>c<p>d",
          "- a\n  - b\n\n7. c\n\nd\n" },
        { "<p style='mso-list:l0 level1 lfo1'><span style='mso-list:Ignore'>b)&nbsp;</span>a", "- b) a\n" },
    };
    check_rows(rows, sizeof rows / sizeof rows[0]);
}

static void test_tables(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "<table><tr><th>a<th>b<tr><td>c<td align=right>d</table>", "| a | b |\n| --- | --: |\n| c | d |\n" },
        { "<table><tr><td>a<td>b<td>c<tr><td>d<td>e<td>f</table>",
          "| a | b | c |\n| --- | --- | --- |\n| d | e | f |\n" },
        { "<table><tr><td>1<td>2<td>3<tr><td>4<td>5<td>6</table>",
          "| | | |\n| --- | --- | --- |\n| 1 | 2 | 3 |\n| 4 | 5 | 6 |\n" },
        { "<table><tr><th>a|b<th>`|`<tr><td><code>c|d</code><td>\\|</table>",
          "| a\\|b | \\`\\|\\` |\n| --- | --- |\n| `c\\|d` | \\\\\\| |\n" },
        { "<table><tr><th>- a<th># b<tr><td>1. c<td>&gt; d</table>", "| - a | # b |\n| --- | --- |\n| 1. c | > d |\n" },
        { "<table><tr><th colspan=2>a<th>b<tr><td rowspan=2>c<td>d<td>e<tr><td>f<td>g</table>",
          "| a | | b |\n| --- | --- | --- |\n| c | d | e |\n| | f | g |\n" },
        { "<table><tr><th>a<th><th>b<tr><td>c<td>&nbsp;<td>d</table>", "| a | b |\n| --- | --- |\n| c | d |\n" },
        { "<table border=1><tr><th>a<tr><td>b<tr><td>c</table>", "| a |\n| --- |\n| b |\n| c |\n" },
        { "<table border=1><tr><th>a<th>b</table>", "| a | b |\n| --- | --- |\n" },
        { "<table border=1><tr><th align=left>a<th><th align=right>b<tr><td>c<td><td></table>",
          "| a | | b |\n| :-- | --- | --: |\n| c | | |\n" },
        { "<table border=1><tr><th>a:<th>b<tr><td>c:<td>d</table>", "| a: | b |\n| --- | --- |\n| c: | d |\n" },
        { "<table border=1><tr><td>a<tr><td>b</table>", "a  \nb\n" }, /* a box */
        { "<table><tr><th>`<th>b`<tr><td>c<td>d</table>",
          "| \\` | b\\` |\n| --- | --- |\n| c | d |\n" }, /* no code in two cells */
        { "<table role=presentation><tr><td>a<td>b<tr><td>c<td>d</table>", "a | b  \nc | d\n" },
        { "<table><tr><td>a<tr><td>b</table>", "a  \nb\n" },
        { "<table><tr><td><table><tr><th>a<th>b<tr><td>c<td>d</table></table>",
          "| a | b |\n| --- | --- |\n| c | d |\n" },
        { "<table><tr><td>Date:<td>today<tr><td>Time:<td>now</table>", "Date: today  \nTime: now\n" },
        { "<table>a<tr><td>b</table>", "a  \nb\n" },
        { "<table><tr><th>a<th>b<tr><td>c<br>d<td>e</table>", "| a | b |\n| --- | --- |\n| c d | e |\n" },
        { "<blockquote><table><tr><th>a<th>b<tr><td>c<td>d</table></blockquote>",
          "> | a | b |\n> | --- | --- |\n> | c | d |\n" },
        { "<table><tr><td><b>a<td>b</table>c", "**a** | b  \nc\n" },
    };
    check_rows(rows, sizeof rows / sizeof rows[0]);
}

static void test_links(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "<a href='https://example.com'>https://example.com</a>", "<https://example.com>\n" },
        { "<a href='https://example.com/'>https://example.com</a>", "<https://example.com/>\n" },
        { "<a href='mailto:a@example.com'>a@example.com</a>", "<a@example.com>\n" },
        { "<a href='tel:+4412345'>call</a>", "[call](tel:+4412345)\n" },
        { "<a href=' https://exa\nmple.com '>x</a>", "[x](https://example.com)\n" },
        { "<a href='//example.com/x'>x</a>", "[x](https://example.com/x)\n" },
        { "<base href='http://example.com/a/b?c'><a href='d'>x</a> <a href='/d'>y</a> <a href='?e'>z</a>",
          "[x](http://example.com/a/d) [y](http://example.com/d) [z](http://example.com/a/b?e)\n" },
        { "<a href='java&#10;script:x'>x</a><a href='vbscript:x'>y</a><a href='#z'>z</a><a href=''>w</a>", "xyzw\n" },
        { "<a href='https://example.com'><img src='https://example.com/i.png'></a>",
          "[example.com](https://example.com)\n" },
        { "<a href='https://example.com'><img src='https://example.com/i.png'>text</a>",
          "[text](https://example.com)\n" },
        { "<a href='https://example.com'><img src='cid:gate@example.com' alt='x'></a>",
          "[![x](this_u:the%20gate.png)](https://example.com)\n" },
        { "<a href='https://example.com'> </a>x", "x\n" },
        { "see &lt;https://example.com&gt;", "see \\<<https://example.com>>\n" },
        { "<map><area href='https://example.com' alt=x><area href='javascript:1' alt=y></map>",
          "[x](https://example.com)\n" },
    };
    check_rows(rows, sizeof rows / sizeof rows[0]);
}

static void test_pictures(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "<img src='cid:gate%40example.com'>", "![the gate.png](this_u:the%20gate.png)\n" },
        { "<img src='https://example.com/gate.png' alt=x>", "![x](this_u:the%20gate.png)\n" },
        { "<img src='data:image/png;base64,AAAA' alt=x>", "![x](this_u:image.png)\n" },
        { "<img src='data:image/svg+xml,%3Csvg%3E' alt=x>", "![x](this_u:image.png)\n" },
        { "<img src='data:image/png;base64,A' alt=x>", "x\n" }, /* damaged */
        { "<img src='data:text/html,x' alt=x>", "x\n" },
        { "<img src='data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7' alt=x>", "" },
        { "<img src='javascript:x' alt=x>", "x\n" },
        { "<img src='rel.png' alt=x>", "x\n" },
        { "<img src='https://example.com/a.png' style='width:1px;height:1px'>", "" },
        { "<img src='https://example.com/spacer.gif' width=100 height=20>", "" },
        { "<img src='https://example.com/x.gif' alt=x width=3 height=40>y", "y\n" },
        { "<img src='https://example.com/x.gif' alt=x width=4 height=40>", "[x](https://example.com/x.gif)\n" },
        { "<img src='https://example.com/spacer.gif' alt='A spacer'>", "[A spacer](https://example.com/spacer.gif)\n" },
        { "<img class=emoji src='https://example.com/1.png' alt=':-)'>", ":-)\n" },
        { "<div style='display:none'><img src='cid:gate@example.com'></div>", "" },
        { "<input type=image src='https://example.com/a.png' alt=x>", "[x](https://example.com/a.png)\n" },
    };
    check_rows(rows, sizeof rows / sizeof rows[0]);
}

static void test_hidden(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "a<span style='font-size:0px'>b</span>c", "ac\n" },
        { "a<span style='font-size:0px'>b<i style='font-size:12px'>c</i></span>", "a*c*\n" },
        { "a<span style='font-size:1%'>b</span>", "a\n" },
        { "<p style='font-size:0'>a<i style='font-size:medium'>b</i><i style='font:14px/1.5 Arial'>c</i>"
          "<i style='font-size:calc(10px + 1vw)'>d</i><i style='font:small Arial'>e</i><i style='font:0/0 a'>f</i>",
          "*b*c*d*e\n" },
        { "a<div style='max-height:0;overflow:hidden'>b</div>", "a\n" },
        { "a<div style='width:0;min-width:100%;overflow:hidden'>b</div>", "a  \nb\n" },
        { "a<div style='max-height:0'>b</div>", "a  \nb\n" },
        { "a<font color=white style='background:#FFFFFF'>b</font>", "a\n" },
        { "a<font color=white>b</font>", "ab\n" },
        { "<div style='background:#fff url(x)'><font color=white>b</font></div>", "b\n" },
        { "<table bgcolor=white><tr><td background='x'><font color=white>b</font></table>", "b\n" },
        { "a<span style='mso-hide:all'>b</span>", "ab\n" },
        { "a<span style='opacity:0'>b</span>", "a\n" },
        { "<style>.x{display:none !important}</style>a<i class='y x'>b</i>", "a\n" },
        { "<style>div .x{display:none}</style>a<i class=x>b</i>", "a*b*\n" },
        { "<style>@media (max-width:1px){.x{display:none}}</style>a<i class=x>b</i>", "a*b*\n" },
        { "a<span hidden style='display:inline'>b</span>", "ab\n" },
        { "<svg><text>x</text></svg>a<noscript>b</noscript>", "ab\n" },
        { "<style>a{}", "" },
        { "<title>x", "" },
        { "a<!-- x --!>b", "a x --!>b\n" },
    };
    check_rows(rows, sizeof rows / sizeof rows[0]);
}

/* Nothing that a person wrote is lost in broken markup. */
static void test_broken_markup(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "a<!-- b", "a b\n" },
        { "a <! b", "a <! b\n" },
        { "a</>b<?x?>c", "abc\n" },
        { "a <3 b", "a <3 b\n" },
        { "Bob <bob@example.com> wrote", "Bob <<bob@example.com>> wrote\n" },
        { "<a href=\"https://example.com>x</a> y", "[x](https://example.com) y\n" },
        { "<p title='>'>a", "a\n" },
        { "<p a b c=d e='f' g=\"h\" / i>a", "a\n" },
        { "a<p/>b<div/>c", "a\n\nb\n\nc\n" },
        { "<td>a<td>b", "a  \nb\n" },
        { "<table><tr>a<td>b</td>c</tr>d</table>e", "a  \nb  \nc  \nd  \ne\n" },
        { "<textarea><b>a</textarea>b", "\\<b>ab\n" },
        { "<script>a</scripty>b</script>c", "c\n" },
        { "&#150; &#0; &#x110000; &copy &copyx &amp", "\u2013 \xEF\xBF\xBD \xEF\xBF\xBD \u00A9 \u00A9x &\n" },
        { "<P STYLE=\"DISPLAY:NONE\">a</P><B>b</B>", "**b**\n" },
    };
    check_rows(rows, sizeof rows / sizeof rows[0]);
}

/* What is found, by marks: what the author has written, and what is older. */
static void test_history(void **state)
{
    (void)state;
    static const struct {
        const char *html, *own, *older;
    } rows[] = {
        { "<div>a</div><div class=gmail_quote><div class=gmail_attr>On Mon, 2 Nov 2026 at 08:12, Bob "
          "&lt;bob@example.com&gt; wrote:<br></div><blockquote class=gmail_quote>b</blockquote></div>",
          "a\n", "On Mon, 2 Nov 2026 at 08:12, Bob <<bob@example.com>> wrote:\n\n> b\n" },
        { "a<br>On 02/11/2026 08:25, Bob wrote:<br><blockquote type=cite>b</blockquote>", "a\n",
          "On 02/11/2026 08:25, Bob wrote:\n\n> b\n" },
        { "a<hr><div id=divRplyFwdMsg><b>From:</b> Bob &lt;bob@example.com&gt;<br><b>Sent:</b> Monday, 2 November 2026 "
          "08:15<br><b>To:</b> Alice<br><b>Subject:</b> Keys</div><div>b</div>",
          "a\n",
          "**From:** Bob <<bob@example.com>>  \n**Sent:** Monday, 2 November 2026 08:15  \n**To:** Alice  \n"
          "**Subject:** Keys\n\n> b\n" },
        { "a<div class=yahoo_quoted><div>On Monday, 2 November 2026 at 08:28, Bob &lt;bob@example.com&gt; wrote:</div>"
          "<div>b</div></div>",
          "a\n", "On Monday, 2 November 2026 at 08:28, Bob <<bob@example.com>> wrote:\n\n> b\n" },
        { "a<blockquote>b</blockquote>", "a\n\n> b\n", "" },
        { "a<blockquote class=pullquote>b</blockquote>", "a\n\n> b\n", "" },
        { "a<div>---------- Forwarded message ---------<br>From: Bob &lt;bob@example.com&gt;<br>Date: Mon, 2 Nov 2026 "
          "at "
          "08:12<br>Subject: x<br>To: Alice<br></div>b",
          "a\n\n---------- Forwarded message ---------  \nFrom: Bob <<bob@example.com>>  \nDate: Mon, 2 Nov 2026 at "
          "08:12  \n"
          "Subject: x  \nTo: Alice  \nb\n",
          "" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf out, own, older;
        strbuf_init(&out, 1 << 20);
        strbuf_init(&own, 1 << 20);
        strbuf_init(&older, 1 << 20);
        struct commonmark_writer *writer = commonmark_writer_new(&out);
        struct convert_history *history = convert_history_new(writer, &out);
        assert_true(convert_html_write(writer, rows[i].html, strlen(rows[i].html), NULL, history));
        convert_history_split(history, true, &own, &older);
        assert_string_equal(own.data, rows[i].own);
        assert_string_equal(older.data, rows[i].older);
        convert_history_free(&history);
        commonmark_writer_free(&writer);
        strbuf_free(&out);
        strbuf_free(&own);
        strbuf_free(&older);
    }
}

static void test_measure(void **state)
{
    (void)state;
    static const struct {
        const char *html;
        struct convert_html_measure measure;
        const char *text;
    } rows[] = {
        { "<div>a<br>b</div><div style='display:none'>c</div>", { 0 }, "a\nb\n" },
        { "<h1>a</h1><ul><li>b<li>c</ul>", { .headings = 1, .list_items = 2 }, "a\nb\nc\n" },
        { "<table><tr><th>a<th>b<tr><td>c<td>d</table><table><tr><td>e</table>", { .tables = 1 }, "a\nb\nc\nd\ne\n" },
        { "<a href='https://example.com/x'>here</a> <a href='https://example.com'>example.com</a>",
          { .links = 1 },
          "here example.com\n" },
        { "a <b>b</b> <i>c</i><p><b>all bold</b></p>", { .emphases = 2 }, "a b c\nall bold\n" },
        { "<img src='cid:x'><img src='https://example.com/x'><img src='cid:y' width=1 height=1>",
          { .pictures = 1 },
          "" },
        { "a <code>b</code><pre>c</pre>", { .code = 2 }, "a b\nc\n" },
        { "a<blockquote>b <b>c</b><ul><li>d</ul></blockquote>", { 0 }, "a\nb c\nd\n" },
        { "<div style='font-family:Courier'>a <b></b></div>", { 0 }, "a\n" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf text;
        struct convert_html_measure measure;
        strbuf_init(&text, 1 << 20);
        convert_html_measure(rows[i].html, strlen(rows[i].html), &text, &measure);
        if (memcmp(&measure, &rows[i].measure, sizeof measure) != 0)
            print_message("measured wrongly: %s\n", rows[i].html);
        assert_memory_equal(&measure, &rows[i].measure, sizeof measure);
        assert_string_equal(text.data, rows[i].text);
        strbuf_free(&text);
    }
}

static void test_declared_charset(void **state)
{
    (void)state;
    static const struct row rows[] = {
        { "<meta charset=\"koi8-r\">", "koi8-r" },
        { "<META http-equiv=Content-Type content='text/html; charset=GB2312'>", "GB2312" },
        { "<style>p{}</style><meta content='text/html;charset = big5' http-equiv=content-type>", "big5" },
        { "<?xml version='1.0' encoding='iso-8859-5'?><html>", "iso-8859-5" },
        { "<meta charset=utf-16>", "utf-8" },
        { "<!-- <meta charset=koi8-r> --><meta charset=utf-8>", "utf-8" },
        { "<p>charset=koi8-r</p>", NULL },
        { "<meta charset=>", NULL },
        { "charset=", NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char charset[64];
        bool found = convert_html_declared_charset(rows[i].html, strlen(rows[i].html), charset);
        assert_int_equal(found, rows[i].expected != NULL);
        if (found)
            assert_string_equal(charset, rows[i].expected);
    }
}

/* ---- size and time ---- */

/* For pieces between what stands there once. */
static double seconds_between(const char *before, const char *piece, const char *behind, size_t size)
{
    struct strbuf html;
    strbuf_init(&html, size * 2 + 1000);
    strbuf_add_str(&html, before);
    while (html.len < size)
        strbuf_add_str(&html, piece);
    strbuf_add_str(&html, behind);
    double start = cpu_seconds();
    char *out = to_commonmark(html.data, html.len);
    double spent = cpu_seconds() - start;
    free(out);
    strbuf_free(&html);
    return spent;
}

static double seconds_for(const char *piece, size_t size)
{
    return seconds_between("", piece, "", size);
}

/* Four times as much takes about four times as long, with room for a busy machine; a quadratic one takes sixteen. */
static void test_hostile_input_is_linear(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "<div>",
        "<b>",
        "<b>x",
        "<ul><li>x",
        "<li>x",
        "<blockquote>x",
        "<a href='https://example.com'>x",
        "<!--",
        "<![if ",
        "<a ",
        "<a href='",
        "<p x='>' ",
        "&amp;",
        "&",
        "</p>",
        "<table><tr><td>x",
        "<tr><td>a<td>b",
        "<pre>",
        "<pre>x</pre>",
        "<i>x</i>",
        "<p><b><i><s><font color=red>x",
        "<b><p></b>",
        "*",
        "[x](",
        "https://example.com/((((",
        "x ",
        "<br>",
        "<",
        "<p>`",
        "<p a b c d e f g h>",
        "<p style='color:red;font-size:1px'>x",
        "<p class='a b c d e f'>x",
        "<span style='font-family:Courier'>x</span> y",
        "<select><option>a",
        "<p style='mso-list:l0 level9 lfo1'>x",
        "<img src=cid:a>",
        "On Mon, 2 Nov 2026 at 10:00, A wrote:<br>",
        "From: a<br>Sent: b<br>",
        "<sup>1</sup>",
        "&zwnj;&nbsp;",
        "<code>x</code> ",
        "<h1>x</h1>",
        "<style>p{color:red}",
        "<style>.a{b:c} @media{</style>",
        "<table><tr><td>a<td>b<tr><td>c<td>d</table>",
        "<table><tr><td colspan=1000 rowspan=1000>a<td>b<tr>",
    };
    enum { SIZE = 64 * 1024 };
    const double slack = 0.3; /* seconds */
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        double small = seconds_for(pieces[i], SIZE);
        double large = seconds_for(pieces[i], 4 * SIZE);
        if (large > small * 8 + slack)
            print_message("%s: %.3f s, then %.3f s\n", pieces[i], small, large);
        assert_true(large <= small * 8 + slack);
    }
}

static void test_statements_without_a_block_are_linear(void **state)
{
    (void)state;
    enum { SIZE = 512 * 1024 };
    double small = seconds_between("<style>", "@;", "p{color:red}</style>x", SIZE);
    double large = seconds_between("<style>", "@;", "p{color:red}</style>x", 4 * SIZE);
    assert_true(large <= small * 8 + 0.3);
}

/* All introductions of quotes ask the elements around them. */
static void test_introductions_in_a_long_class_are_linear(void **state)
{
    (void)state;
    static const char line[] = "<div>On Mon, 2 Nov 2026 at 10:00, A &lt;a@example.com&gt; wrote:</div>";
    enum { LONG = 3 * 1024 * 1024, SIZE = LONG + 256 * 1024 };
    struct strbuf before;
    strbuf_init(&before, LONG + 100);
    strbuf_add_str(&before, "<div class='");
    double narrow = seconds_between("<div class='x'>", line, "", SIZE - LONG);
    while (before.len < LONG)
        strbuf_add_str(&before, "x ");
    strbuf_add_str(&before, "'>");
    double wide = seconds_between(before.data, line, "", SIZE);
    assert_true(wide <= narrow * 4 + 0.5);
    strbuf_free(&before);
}

/* A million nested elements, and a million attributes. */
static void test_a_million(void **state)
{
    (void)state;
    enum { MILLION = 1000000 };
    struct strbuf html;
    strbuf_init(&html, 16 << 20);
    for (int i = 0; i < MILLION; i++)
        strbuf_add_str(&html, "<div>");
    strbuf_add_str(&html, "deep");
    for (int i = 0; i < MILLION; i++)
        strbuf_add_str(&html, "</div>");
    strbuf_add_str(&html, "<p ");
    for (int i = 0; i < MILLION; i++)
        strbuf_add_str(&html, "a ");
    strbuf_add_str(&html, ">wide");
    char *out = to_commonmark(html.data, html.len);
    assert_string_equal(out, "deep\n\nwide\n");
    free(out);
    strbuf_free(&html);
}

static void test_too_many_texts_are_refused(void **state)
{
    (void)state;
    struct strbuf html, out;
    strbuf_init(&html, 16 << 20);
    strbuf_init(&out, 16 << 20);
    for (int i = 0; i < 1000100; i++)
        strbuf_add_str(&html, "x<br>");
    struct commonmark_writer *writer = commonmark_writer_new(&out);
    assert_false(convert_html_write(writer, html.data, html.len, NULL, NULL));
    commonmark_writer_free(&writer);
    strbuf_free(&html);
    strbuf_free(&out);
}

/* What counts is what is left: pictures in the document and styles are passed over. */
static void test_large_pictures_and_styles(void **state)
{
    (void)state;
    enum { PICTURE_SIZE = 16 << 20 };
    struct strbuf html;
    strbuf_init(&html, 40 << 20);
    strbuf_add_str(&html, "before <style>");
    while (html.len < PICTURE_SIZE / 4)
        strbuf_add_str(&html, ".x{color:red}\n");
    strbuf_add_str(&html, "</style><img alt='A picture' src=\"data:image/png;base64,");
    strbuf_reserve(&html, PICTURE_SIZE);
    for (int i = 0; i < PICTURE_SIZE; i++)
        strbuf_add_char(&html, 'A');
    strbuf_add_str(&html, "\"> after");
    char *out = to_commonmark(html.data, html.len);
    assert_string_equal(out, "before ![A picture](this_u:image.png) after\n");
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
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_blanks),
        cmocka_unit_test(test_emphasis),
        cmocka_unit_test(test_code),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_links),
        cmocka_unit_test(test_pictures),
        cmocka_unit_test(test_hidden),
        cmocka_unit_test(test_broken_markup),
        cmocka_unit_test(test_history),
        cmocka_unit_test(test_measure),
        cmocka_unit_test(test_declared_charset),
        cmocka_unit_test(test_text_survives_both_ways),
        cmocka_unit_test(test_hostile_input_is_linear),
        cmocka_unit_test(test_statements_without_a_block_are_linear),
        cmocka_unit_test(test_introductions_in_a_long_class_are_linear),
        cmocka_unit_test(test_a_million),
        cmocka_unit_test(test_too_many_texts_are_refused),
        cmocka_unit_test(test_large_pictures_and_styles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
