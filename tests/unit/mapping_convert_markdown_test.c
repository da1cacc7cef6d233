/* A member's CommonMark as the plain text and the HTML of a mail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "mapping/convert_markdown.h"

static const char *find_image(const char *name, void *ctx)
{
    (void)ctx;
    return strcmp(name, "u:gate 1.png") == 0 ? "1@x" : NULL;
}

#define QUOTE      "<blockquote style=\"margin:0 0 0 .8ex;border-left:2px solid #999;padding-left:1ex\">\n"
#define SHADE      "background:rgba(128,128,128,.15)"
#define TABLE      "<table border=\"1\" cellpadding=\"4\" style=\"border-collapse:collapse\">\n"
#define PICTURE(A) "<img src=\"cid:1@x\" alt=\"" A "\" style=\"max-width:100%;height:auto\">"

static const struct rendering {
    const char *source, *text, *html;
} renderings[] = {
    { "a\nb", "a\nb\n", "<p>a<br>\nb</p>\n" },
    { "a  \nb\n\nc", "a\nb\n\nc\n", "<p>a<br>\nb</p>\n<p>c</p>\n" },
    { "# Head\n\ntext", "Head\n====\n\ntext\n", "<h1>Head</h1>\n<p>text</p>\n" },
    { "## 見出し", "見出し\n------\n", "<h2>見出し</h2>\n" },
    { "### Head", "*Head*\n", "<h3>Head</h3>\n" },
    { "*a* **b** ~~c~~ `d`", "_a_ *b* ~c~ `d`\n",
      "<p><em>a</em> <strong>b</strong> <s>c</s> <code style=\"" SHADE "\">d</code></p>\n" },
    { "- a\n- b\n  - c", "- a\n- b\n   - c\n", "<ul>\n<li>a</li>\n<li>b<ul>\n<li>c</li>\n</ul>\n</li>\n</ul>\n" },
    { "-\n- b", "-\n- b\n", "<ul>\n<li></li>\n<li>b</li>\n</ul>\n" },
    { "7. a\n8. b", "7. a\n8. b\n", "<ol start=\"7\">\n<li>a</li>\n<li>b</li>\n</ol>\n" },
    { "> a\n> > b\n\nc", "> a\n>\n>> b\n\nc\n",
      QUOTE "<p>a</p>\n" QUOTE "<p>b</p>\n</blockquote>\n</blockquote>\n<p>c</p>\n" },
    { "- a\n\n  > b\n  > c", "- a\n\n   > b\n   > c\n",
      "<ul>\n<li><p>a</p>\n" QUOTE "<p>b<br>\nc</p>\n</blockquote>\n</li>\n</ul>\n" },
    { "```\na <b>\n\n c\n```", "     a <b>\n\n      c\n",
      "<pre style=\"" SHADE ";padding:1ex;white-space:pre-wrap\">a &lt;b&gt;\n\n c\n</pre>\n" },
    { "```\n\na\n```", "\n     a\n", "<pre style=\"" SHADE ";padding:1ex;white-space:pre-wrap\">\n\na\n</pre>\n" },
    { "---", "----------\n", "<hr>\n" },
    { "|a|b|\n|---|---|\n|c|d|", "| a | b |\n|---|---|\n| c | d |\n",
      TABLE "<tr><th>a</th><th>b</th></tr>\n<tr><td>c</td><td>d</td></tr>\n</table>\n" },
    { "|面積|b|c|\n|:-|-:|:-:|\n|1|22|3|\n|x|y|long|",
      "| 面積 |  b |  c   |\n|------|---:|:----:|\n| 1    | 22 |  3   |\n| x    |  y | long |\n",
      TABLE "<tr><th align=\"left\">面積</th><th align=\"right\">b</th><th align=\"center\">c</th></tr>\n"
            "<tr><td>1</td><td align=\"right\">22</td><td align=\"center\">3</td></tr>\n"
            "<tr><td>x</td><td align=\"right\">y</td><td align=\"center\">long</td></tr>\n"
            "</table>\n" },
    { "|a|b|\n|-|-|\n|`c\\|d`|\\||", "| a     | b |\n|-------|---|\n| `c|d` | | |\n",
      TABLE "<tr><th>a</th><th>b</th></tr>\n<tr><td><code style=\"" SHADE
            "\">c|d</code></td><td>|</td></tr>\n</table>\n" },
    { "| | |\n|---|---|\n|c|d|", "| c | d |\n", TABLE "<tr><td>c</td><td>d</td></tr>\n</table>\n" },
    /* a row of nothing but pictures and links without texts is not an empty one */
    { "|a|\n|---|\n|![](this_u:gate%201.png)|\n|[](https://e.com/)|",
      "| a                   |\n|---------------------|\n| [image: gate 1.png] |\n| https://e.com/      |\n",
      TABLE "<tr><th>a</th></tr>\n<tr><td>" PICTURE(
          "") "</td></tr>\n"
              "<tr><td><a href=\"https://e.com/\">https://e.com/</a></td></tr>\n</table>\n" },
    /* a line under it that divides less columns than the head has would lose what is in the others */
    { "|a|b|c|\n|---|---|\n|1|2|3|", "|a|b|c|\n|---|---|\n|1|2|3|\n", "<p>|a|b|c|<br>\n|---|---|<br>\n|1|2|3|</p>\n" },
    { "a|b\n---|", "a|b\n---|\n", "<p>a|b<br>\n---|</p>\n" },
    { "```\na|b|c\n  > -|-\n```\n\n    a|b|c\n      --|--", "     a|b|c\n       > -|-\n\n     a|b|c\n       --|--\n",
      "<pre style=\"" SHADE ";padding:1ex;white-space:pre-wrap\">a|b|c\n  &gt; -|-\n</pre>\n"
      "<pre style=\"" SHADE ";padding:1ex;white-space:pre-wrap\">a|b|c\n  --|--\n</pre>\n" },
    { "12. |a|b|\n    |-|-|\n    |1|2|", "12. | a | b |\n     |---|---|\n     | 1 | 2 |\n",
      "<ol start=\"12\">\n<li>" TABLE
      "<tr><th>a</th><th>b</th></tr>\n<tr><td>1</td><td>2</td></tr>\n</table>\n</li>\n</ol>\n" },
    { "[x](https://example.com/?a=1&b=2)", "x <https://example.com/?a=1&b=2>\n",
      "<p><a href=\"https://example.com/?a=1&amp;b=2\">x</a></p>\n" },
    { "<https://example.com>", "https://example.com\n",
      "<p><a href=\"https://example.com\">https://example.com</a></p>\n" },
    { "<bob@example.com>", "bob@example.com\n", "<p><a href=\"mailto:bob@example.com\">bob@example.com</a></p>\n" },
    { "[Bob](mailto:bob@example.com)", "Bob <bob@example.com>\n",
      "<p><a href=\"mailto:bob@example.com\">Bob</a></p>\n" },
    { "[](https://example.com/)", "https://example.com/\n",
      "<p><a href=\"https://example.com/\">https://example.com/</a></p>\n" },
    { "https://e.com/a_(b)?c&d. (http://e.com/) xhttp://e.com \"https://e.com/\\_\"",
      "https://e.com/a_(b)?c&d. (http://e.com/) xhttp://e.com \"https://e.com/_\"\n",
      "<p><a href=\"https://e.com/a_(b)?c&amp;d\">https://e.com/a_(b)?c&amp;d</a>. "
      "(<a href=\"http://e.com/\">http://e.com/</a>) xhttp://e.com "
      "&quot;<a href=\"https://e.com/\">https://e.com/</a>_&quot;</p>\n" },
    { "https://e.com/*a*b `https://e.com` **https://e.com**", "https://e.com/_a_b `https://e.com` *https://e.com*\n",
      "<p>https://e.com/<em>a</em>b <code style=\"" SHADE "\">https://e.com</code> "
      "<strong><a href=\"https://e.com\">https://e.com</a></strong></p>\n" },
    { "[x](javascript:alert(1))", "x\n", "<p>x</p>\n" },
    { "[x](data:text/html,y) [z](/rel) [w](#1A&2B)", "x z w\n", "<p>x z w</p>\n" },
    { "[x](https://e.com/\"onclick=\"y)", "x <https://e.com/%22onclick=%22y>\n",
      "<p><a href=\"https://e.com/%22onclick=%22y\">x</a></p>\n" },
    { "[x](<https://e.com/a b>)", "x <https://e.com/a%20b>\n", "<p><a href=\"https://e.com/a%20b\">x</a></p>\n" },
    { "<script>alert(1)</script>\n\n<b>x</b> <!-- y -->", "<script>alert(1)</script>\n\n<b>x</b> <!-- y -->\n",
      "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n<p>&lt;b&gt;x&lt;/b&gt; &lt;!-- y --&gt;</p>\n" },
    { "![the gate](this_u:gate%201.png)", "[image: the gate (gate 1.png)]\n", "<p>" PICTURE("the gate") "</p>\n" },
    { "![](this_u:gate%201.png)", "[image: gate 1.png]\n", "<p>" PICTURE("") "</p>\n" },
    { "![\"<>](this_u:gate%201.png)", "[image: \"<> (gate 1.png)]\n", "<p>" PICTURE("&quot;&lt;&gt;") "</p>\n" },
    /* nothing is loaded from elsewhere */
    { "![x](https://tracker.example/y.gif)", "[image: x] <https://tracker.example/y.gif>\n",
      "<p><a href=\"https://tracker.example/y.gif\">[image: x]</a></p>\n" },
    { "![x](file:///etc/passwd)", "[image: x]\n", "<p>[image: x]</p>\n" },
    { "[plan](this_u:plan.pdf)", "plan (attached: plan.pdf)\n", "<p>plan (attached: plan.pdf)</p>\n" },
    { "[plan.pdf](this_u:plan.pdf)", "plan.pdf (attached)\n", "<p>plan.pdf (attached)</p>\n" },
    { "[plan](0123456789abcdef_u:plan.pdf)", "plan (attached to an earlier message: plan.pdf)\n",
      "<p>plan (attached to an earlier message: plan.pdf)</p>\n" },
    { "![?](this_f:Gold/Form)", "Form \"Gold/Form\" (attached: Gold/Form)\n",
      "<p>Form &quot;Gold/Form&quot; (attached: Gold/Form)</p>\n" },
    { "&lt;b&gt; &eacute; &#233; &nosuch; &#0; &#27;", "<b> é é &nosuch; \xEF\xBF\xBD \xEF\xBF\xBD\n",
      "<p>&lt;b&gt; é é &amp;nosuch; \xEF\xBF\xBD \xEF\xBF\xBD</p>\n" },
    /* nor may it come in as the name of a file */
    { "[x](this_u:a%0D%0A.%1B%0A) ![y](this_u:%E2%80%AEgnp.exe) ![?](this_f:A%0Ab)", "x [image: y] [image: ?]\n",
      "<p>x [image: y] [image: ?]</p>\n" },
    { "[x](this_u:a%FF) ![y](0123456789abcdef_u:a%07)", "x [image: y]\n", "<p>x [image: y]</p>\n" },
    { "a\x01\xFF", "a\xEF\xBF\xBD\xEF\xBF\xBD\n", "<p>a\xEF\xBF\xBD\xEF\xBF\xBD</p>\n" },
    { ":::\na\n:::\nb\n:::>\n", "a\n\n----------\n\nb\n", "<p>a</p>\n<hr>\n<p>b</p>\n" },
    { "```\n:::\n:::>\n```", "     :::\n     :::>\n",
      "<pre style=\"" SHADE ";padding:1ex;white-space:pre-wrap\">:::\n:::&gt;\n</pre>\n" },
    { "שלום", "שלום\n", "<p dir=\"auto\">שלום</p>\n" },
    { "", "", "" },
};

static void test_renderings(void **state)
{
    (void)state;
    const struct convert_markdown_references references = { .find_image = find_image };
    for (size_t i = 0; i < sizeof renderings / sizeof renderings[0]; i++) {
        struct strbuf out;
        strbuf_init(&out, 10000);
        assert_int_equal(
            convert_markdown_add_flowed(&out, renderings[i].source, strlen(renderings[i].source), &references), 1);
        assert_string_equal(out.data, renderings[i].text);
        strbuf_clear(&out);
        assert_int_equal(
            convert_markdown_to_html(&out, renderings[i].source, strlen(renderings[i].source), find_image, NULL), 1);
        const char *body = strstr(out.data, "sans-serif\">\n") + strlen("sans-serif\">\n");
        out.data[out.len - strlen("</body>\n</html>\n")] = '\0';
        assert_string_equal(body, renderings[i].html);
        strbuf_free(&out);
    }
}

/* What a link says of itself is believed only when it is true. */
static void test_misleading_links(void **state)
{
    (void)state;
    static const struct row {
        const char *source, *note;
    } rows[] = {
        { "[https://bank.example/login](https://evil.example/x)", "</a> (evil.example)</p>" },
        { "[www.bank.example](https://bank.example.evil.example/)", "</a> (bank.example.evil.example)</p>" },
        { "[https://bank.example](https://bank.example@evil.example/)", "</a> (evil.example)</p>" },
        { "[help@bank.example](mailto:help@evil.example?subject=x)", "</a> (help@evil.example)</p>" },
        { "[help@bank.example](https://evil.example/)", "</a> (evil.example)</p>" },
        { "[https://bank.example/login](https://www.bank.example/)", "</a></p>" },
        { "[HTTPS://Bank.example](https://bank.example/a?b#c)", "</a></p>" },
        { "[our bank](https://evil.example/x)", "</a></p>" },
        { "[https://bank.example](https://evil.example/) (evil.example).", "</a> (evil.example).</p>" },
        { "[https://bank.example](https://evil.example/) *b*", "</a> (evil.example) <em>b" },
        { "[help@bank.example](mailto:help@bank.example?subject=x)", "</a></p>" },
        /* with a zero-width, a no-break or a directing character in front, which nobody sees */
        { "[\xE2\x80\x8Bhttps://bank.example](https://evil.example/)", "</a> (evil.example)</p>" },
        { "[\xC2\xA0\xE2\x80\x8Ewww.bank.example](https://evil.example/)", "</a> (evil.example)</p>" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf out;
        strbuf_init(&out, 10000);
        assert_int_equal(convert_markdown_add_html(&out, rows[i].source, strlen(rows[i].source), NULL), 1);
        const char *end = strstr(out.data, "</a>");
        assert_non_null(end);
        assert_int_equal(strncmp(end, rows[i].note, strlen(rows[i].note)), 0);
        strbuf_free(&out);
    }
}

/* RFC 3676, as a reader that knows it, and one that does not, see it. */
static void test_flowed_text(void **state)
{
    (void)state;
    static const char words[] = "one two three four five six seven eight nine ten eleven twelve thirteen";
    static const char url[] = "https://example.com/a/very/long/address/that/nobody/may/break/because/it/would/not/work";
    struct strbuf source, out;
    strbuf_init(&source, 10000);
    strbuf_init(&out, 10000);
    strbuf_add_fmt(&source, "%s fourteen\n\n> %s fourteen\n\n- %s fourteen\n\n%s %s end\n\n", words, words, words,
                   words, url);
    strbuf_add_str(&source, "&gt; no quote\n\n\\>\n\n&nbsp; x\n\nFrom here\n\n| a  |\n\n--\n\n-- \nAlice\n");
    assert_int_equal(convert_markdown_add_flowed(&out, source.data, source.len, NULL), 1);
    struct strbuf expected;
    strbuf_init(&expected, 10000);
    strbuf_add_fmt(&expected,
                   "%s \nfourteen\n\n"
                   "> one two three four five six seven eight nine ten eleven twelve \n> thirteen fourteen\n\n"
                   "- one two three four five six seven eight nine ten eleven twelve \nthirteen fourteen\n\n"
                   "%s \n%s \nend\n\n",
                   words, words, url);
    strbuf_add_str(&expected, " > no quote\n\n >\n\n\xC2\xA0 x\n\n From here\n\n| a  |\n\n--\n\n-- \nAlice\n");
    assert_string_equal(out.data, expected.data);
    strbuf_free(&expected);
    strbuf_free(&source);
    strbuf_free(&out);
}

/* A table that is wider than a line is read row by row. */
static void test_wide_tables(void **state)
{
    (void)state;
    static const char wide[] = "This cell says more than what fits into a table of lines in plain text.";
    struct strbuf source, out;
    strbuf_init(&source, 10000);
    strbuf_init(&out, 10000);
    strbuf_add_fmt(&source, "|a|b|c|\n|-|-|-|\n|1|%s||\n|2|x|y|\n\n|n|v|\n|-|-|\n|1|%s|\n|2|y|\n", wide, wide);
    assert_int_equal(convert_markdown_add_flowed(&out, source.data, source.len, NULL), 1);
    assert_string_equal(out.data, "a: 1\nb: This cell says more than what fits into a table of lines in plain text.\n"
                                  "\na: 2\nb: x\nc: y\n\n"
                                  "n: v\n1: This cell says more than what fits into a table of lines in plain text.\n"
                                  "2: y\n");
    strbuf_free(&source);
    strbuf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_renderings),
        cmocka_unit_test(test_misleading_links),
        cmocka_unit_test(test_flowed_text),
        cmocka_unit_test(test_wide_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
