/* Plain text of mail as CommonMark: what it looks like, and that it renders as it was written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "mapping/convert_charset.h"
#include "mapping/convert_commonmark.h"
#include "mapping/convert_markdown.h"
#include "mapping/convert_text.h"
#include "mapping/convert_transfer.h"
#include "mapping/convert_utf8.h"

#define NBSP "\xC2\xA0"

static char *to_commonmark(const char *text, size_t len, bool is_flowed, bool is_delsp)
{
    struct strbuf out;
    strbuf_init(&out, 16 << 20);
    struct commonmark_writer *writer = commonmark_writer_new(&out);
    const struct convert_text_format format = { is_flowed, is_delsp };
    convert_text_write(writer, text, len, &format);
    commonmark_writer_free(&writer);
    assert_true(strbuf_ok(&out));
    return strbuf_detach(&out);
}

static void test_forms(void **state)
{
    (void)state;
    static const struct row {
        const char *text, *expected;
    } rows[] = {
        { "", "" },
        { "One line", "One line\n" },
        { "two\r\nlines\r\n", "two  \nlines\n" },
        { "two\n\n\nparagraphs", "two\n\nparagraphs\n" },
        { "old Mac\rlines", "old Mac  \nlines\n" },
        { "snake_case and 2 * 3 * 4", "snake_case and 2 * 3 * 4\n" }, /* nothing acts: nothing is escaped */
        { "*bold* _it_ `code` ~~no~~", "\\*bold\\* \\_it\\_ \\`code\\` \\~\\~no\\~\\~\n" },
        { "<b> a < b <3 &amp; R&D", "\\<b> a < b <3 \\&amp; R&D\n" },
        { "[1] is a note", "[1] is a note\n" },
        { "[x](y) and [z][w]", "[x\\](y) and [z][w]\n" },
        { "[1]: foo", "[1\\]: foo\n" },
        { "# head", "\\# head\n" },
        { "#tag", "#tag\n" },
        { "- item\n+ item\n* item", "\\- item  \n\\+ item  \n\\* item\n" },
        { "1. x\n12) y\n1986 z", "1\\. x  \n12) y  \n1986 z\n" },
        { "head\n====\n---", "head  \n\\====  \n\\---\n" },
        { "a|b\n-|-", "a|b  \n\\-|-\n" },
        { ":::\nslide", "\\:::  \nslide\n" },
        { "back\\slash \\* end\\", "back\\slash \\\\* end\\\n" },
        { "end\\\nof line", "end\\  \nof line\n" },
        { "-- \nBob", "--  \nBob\n" },
        { "    indented", NBSP NBSP NBSP " indented\n" },
        { "a   b", "a" NBSP NBSP " b\n" },
        { "a\tb", "a" NBSP NBSP NBSP NBSP NBSP NBSP " b\n" },
        { "see https://example.com/a_b.", "see <https://example.com/a_b>.\n" },
        { "(https://example.com/a_(b))", "(<https://example.com/a_(b)>)\n" },
        { "<https://example.com>", "<<https://example.com>>\n" },
        { "write to mailto:bob@example.com!", "write to <mailto:bob@example.com>!\n" },
        { "xhttps://example.com", "xhttps://example.com\n" },
        { "https://", "https://\n" },
        { "> quoted\nreply", "> quoted\n\nreply\n" },
        { ">> deep\n> less\n", "> > deep\n>\n> less\n" },
        { "> > spaced\n>\n> # x", "> > spaced\n>\n> \\# x\n" },
        { ">indented  code", "> indented" NBSP " code\n" },
        { "bell\a", "bell\xEF\xBF\xBD\n" },
        { "bad \xFF byte", "bad \xEF\xBF\xBD byte\n" },
        { "page\fbreak", "page  \nbreak\n" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *out = to_commonmark(rows[i].text, strlen(rows[i].text), false, false);
        assert_string_equal(out, rows[i].expected);
        free(out);
    }
}

static void test_flowed(void **state)
{
    (void)state;
    static const struct row {
        const char *text;
        bool is_delsp;
        const char *expected;
    } rows[] = {
        { "one \ntwo \nthree\nfour", false, "one two three  \nfour\n" },
        { "one \ntwo", true, "onetwo\n" },
        { " From here", false, "From here\n" }, /* space-stuffed */
        { "> a \n> b\n>> c \n>> d", false, "> a b\n>\n> > c d\n" },
        { "text \n> quote", false, "text\n\n> quote\n" }, /* depth ends a paragraph, whatever its last blank says */
        { "text \n-- \nBob", false, "text  \n\\--  \nBob\n" },
        { "> > not deep", false, "> \\> not deep\n" }, /* RFC 3676 4.5: no blanks between quote marks */
        { "last ", false, "last\n" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *out = to_commonmark(rows[i].text, strlen(rows[i].text), true, rows[i].is_delsp);
        assert_string_equal(out, rows[i].expected);
        free(out);
    }
}

/* What a reader of the HTML sees: no tags, entities resolved, no-break spaces as spaces. */
static char *visible_text(const char *html)
{
    struct strbuf out;
    strbuf_init(&out, strlen(html) + 1);
    const char *body = strstr(html, "<body>\n");
    for (const char *c = body + strlen("<body>\n"); strcmp(c, "</body>\n</html>\n") != 0; c++) {
        if (*c == '<')
            c = strchr(c, '>');
        else if (strncmp(c, "&lt;", 4) == 0 || strncmp(c, "&gt;", 4) == 0)
            strbuf_add_char(&out, c[1] == 'l' ? '<' : '>'), c += 3;
        else if (strncmp(c, "&amp;", 5) == 0)
            strbuf_add_char(&out, '&'), c += 4;
        else if (strncmp(c, "&quot;", 6) == 0)
            strbuf_add_char(&out, '"'), c += 5;
        else if (strncmp(c, NBSP, 2) == 0)
            strbuf_add_char(&out, ' '), c++;
        else
            strbuf_add_char(&out, *c);
    }
    while (out.len > 0 && out.data[out.len - 1] == '\n')
        strbuf_truncate(&out, out.len - 1);
    return strbuf_detach(&out);
}

static void assert_renders_as_written(const char *text)
{
    char *commonmark = to_commonmark(text, strlen(text), false, false);
    struct strbuf html;
    strbuf_init(&html, 1 << 20);
    assert_int_equal(convert_markdown_to_html(&html, commonmark, strlen(commonmark), NULL, NULL), 1);
    char *seen = visible_text(html.data);
    assert_string_equal(seen, text);
    free(seen);
    strbuf_free(&html);
    free(commonmark);
}

static void test_renders_as_written(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "plain",
        "*a* **b** _c_ __d__ ~e~ ~~f~~ `g` ``h`` <i> </i> <!-- --> &copy; &#65; ![x](y) [x](y) [x]: y [x]",
        "# h\n## h\n###### h\n####### h\n#",
        "- a\n+ b\n* c\n1. d\n2) e\n123456789. f\n1234567890. g\n-\n+\n*",
        "a\n===\nb\n---\nc\n***\nd\n___\ne\n- - -\nf\n_ _ _",
        "a | b\n--- | ---\n1 | 2",
        "|a|b|\n|---|:-:|\n|1|2|",
        "```\nfence\n```\n~~~\nfence\n~~~",
        "[a]: http\n[a]\n[^1]: foot\n[^1]",
        "back \\ slash \\\\ \\* \\\nend \\",
        "    four blanks\n\ttab", /* see below: the tab shows as blanks */
        "a  b   c    d",
        "https://example.com/?a=b&c=d_e_f*g* http://x.example/(y)",
        "https://example.com/?a&copy;b&c=d",
        "<https://example.com> <bob@example.com> <mailto:bob@example.com>",
        ":::\n:::>\n:smile:",
        "1\\. 1\\) \\- \\# \\+",
        "end with backtick ` and star * and _",
        "a*b*c d_e_f g~h~i *a _b* c_ **a*b** ***",
        "!\n![\n]\n](\n][\n[]()",
        "&\n&;\n&#;\n&#x;\n&a;\n&amp",
        "<\n<a\n<a>\n</a>\n<?x?>\n<!x>\n<3",
        "<div>\nblock\n</div>",
        "\"quotes\" 'and' (brackets) {braces} $math$ $$x$$",
        "=\n==\na\n=",
        "x\n:-\ny\n:-:",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strchr(texts[i], '\t') == NULL)
            assert_renders_as_written(texts[i]);
    }
}

/* Every short combination of the characters that CommonMark knows. */
static void test_renders_all_combinations(void **state)
{
    (void)state;
    static const char alphabet[] = "a1 *_`[]()<>#-+=|~:\\!&;.\n";
    enum { LENGTH = 3, LETTERS = sizeof alphabet - 1 };
    for (unsigned n = 0; n < LETTERS * LETTERS * LETTERS; n++) {
        char text[LENGTH + 3] = { 'x' };
        unsigned rest = n;
        for (size_t i = 1; i <= LENGTH; i++, rest /= LETTERS)
            text[i] = alphabet[rest % LETTERS];
        text[LENGTH + 1] = 'y';
        /* Empty lines and blanks around line ends do not show; quotes become quotes. */
        if (strstr(text, "\n\n") || strstr(text, " \n") || strstr(text, "\n>"))
            continue;
        assert_renders_as_written(text);
        if (text[1] != ' ' && text[1] != '\n' && text[1] != '>' && text[LENGTH] != ' ' && text[LENGTH] != '\n') {
            text[LENGTH + 1] = '\0';
            assert_renders_as_written(text + 1); /* the same at the start of a line */
        }
    }
}

static void test_charsets(void **state)
{
    (void)state;
    static const struct row {
        const char *charset, *bytes, *expected;
        bool known;
    } rows[] = {
        { "utf-8", "gr\xC3\xBC", "grü", true },
        { "UTF-8", "cut \xC3", "cut \xEF\xBF\xBD", true },
        { "utf-8", "\xEF\xBB\xBFmark", "mark", true },
        { "", "gr\xC3\xBC", "grü", true },
        { "", "gr\xFC", "grü", true },
        { NULL, "\x80 100", "€ 100", true },
        { "us-ascii", "gr\xFC", "grü", true },
        { "ISO-8859-1", "\x93quoted\x94", "“quoted”", true }, /* windows-1252 in disguise */
        { "iso-8859-2",
          "\xB3\xF3"
          "d\xBC",
          "łódź", true },
        { "iso-8859-15", "\xA4", "€", true },
        { "windows-1251", "\xCF\xF0\xE8\xE2\xE5\xF2", "Привет", true },
        { "koi8-r", "\xF0\xD2\xC9\xD7\xC5\xD4", "Привет", true },
        { "iso-2022-jp", "\x1B$B$3$s\x1B(B!", "こん!", true },
        { "shift_jis", "\x82\xB1\x82\xF1", "こん", true },
        { "euc-jp", "\xA4\xB3\xA4\xF3", "こん", true },
        { "gb2312", "\xC4\xE3\xBA\xC3", "你好", true },
        { "big5", "\xA7\x41\xA6\x6E", "你好", true },
        { "euc-kr", "\xBE\xC8\xB3\xE7", "안녕", true },
        { "ks_c_5601-1987", "\xBE\xC8", "안", true },
        { "utf-7", "Hi +AOQ-", "Hi ä", true },
        { "shift_jis", "a\x82", "a\xEF\xBF\xBD", true }, /* cut in the middle */
        { "gb2312", "a\xFF\xFFz", "a\xEF\xBF\xBD\xEF\xBF\xBDz", true },
        { "x-martian", "gr\xC3\xBC", "grü", false },
    };
    struct convert_charsets *charsets = convert_charsets_new();
    for (int round = 0; round < 2; round++) { /* handles are used again */
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            struct strbuf out;
            strbuf_init(&out, 1000);
            bool known = convert_charset_decode(charsets, rows[i].charset, rows[i].bytes, strlen(rows[i].bytes), &out);
            assert_string_equal(out.data, rows[i].expected);
            assert_int_equal(known, rows[i].known);
            strbuf_free(&out);
        }
    }
    convert_charsets_free(&charsets);
}

static void test_utf8(void **state)
{
    (void)state;
    static const struct row {
        const char *text;
        bool valid;
    } rows[] = {
        { "", true },
        { "aä€😀", true },
        { "\xC0\x80", false },
        { "\xE0\x80\x80", false },
        { "\xED\xA0\x80", false },
        { "\xF4\x8F\xBF\xBF", true },
        { "\xF4\x90\x80\x80", false },
        { "\x80", false },
        { "\xC3", false },
        { "\xFE", false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(convert_utf8_is_valid(rows[i].text, strlen(rows[i].text)), rows[i].valid);
    assert_int_equal(convert_utf8_cut("aä", 3, 2), 1);
    /* NOLINTNEXTLINE(misc-misleading-bidirectional): the override is what is tested */
    char *line = convert_utf8_one_line(" a\r\nb\t\x01 c\xE2\x80\xAE"
                                       "d ",
                                       14, 100);
    assert_string_equal(line, "a b c d");
    free(line);
}

static void collect(const void *data, size_t len, void *ctx)
{
    strbuf_add(ctx, data, len);
}

static void test_transfer_decoding(void **state)
{
    (void)state;
    static const struct row {
        enum convert_transfer encoding;
        const char *data, *expected;
        bool damaged;
    } rows[] = {
        { CONVERT_TRANSFER_BASE64, "aGVsbG8=", "hello", false },
        { CONVERT_TRANSFER_BASE64, "aGVs\r\nbG8=\r\n", "hello", false },
        { CONVERT_TRANSFER_BASE64, "aGk=aGlkZGVu", "hihidden", true }, /* does not end at the first padding */
        { CONVERT_TRANSFER_BASE64, "aGVsbG8", "hello", true },
        { CONVERT_TRANSFER_BASE64, "aG!Vs", "hel", true },
        { CONVERT_TRANSFER_BASE64, "a", "", true },
        { CONVERT_TRANSFER_BASE64, "", "", false },
        { CONVERT_TRANSFER_QP, "gr=C3=BC=\r\n!", "gr\xC3\xBC!", false },
        { CONVERT_TRANSFER_QP, "1=2 =ZZ", "1=2 =ZZ", false },
        { CONVERT_TRANSFER_IDENTITY, "as it is", "as it is", false },
        { CONVERT_TRANSFER_UU, "begin 644 x\n#0V%T\n`\nend\n", "Cat", false },
        { CONVERT_TRANSFER_UNKNOWN, "?", "?", true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf out;
        strbuf_init(&out, 1000);
        struct convert_decoded decoded =
            convert_transfer_decode(rows[i].encoding, rows[i].data, strlen(rows[i].data), NULL, collect, &out);
        assert_string_equal(out.data, rows[i].expected);
        assert_int_equal(decoded.size, out.len);
        assert_int_equal(decoded.damaged, rows[i].damaged);
        strbuf_free(&out);
    }
}

static void test_transfer_encoding(void **state)
{
    (void)state;
    struct strbuf out;
    strbuf_init(&out, 10000);
    convert_qp_encode(&out, "Grüße = \nFrom here\n.\n", strlen("Grüße = \nFrom here\n.\n"));
    assert_string_equal(out.data, "Gr=C3=BC=C3=9Fe =3D=20\r\n=46rom here\r\n=2E\r\n");
    strbuf_free(&out);

    char long_line[1000];
    memset(long_line, 'x', sizeof long_line);
    strbuf_init(&out, 10000);
    convert_qp_encode(&out, long_line, sizeof long_line);
    struct strbuf back;
    strbuf_init(&back, 10000);
    convert_transfer_decode(CONVERT_TRANSFER_QP, out.data, out.len, NULL, collect, &back);
    assert_int_equal(back.len, sizeof long_line);
    for (const char *line = out.data; (line = strstr(line, "\r\n")); line += 2)
        assert_true(strcspn(line + 2, "\r") <= 76);
    strbuf_free(&back);
    strbuf_free(&out);

    for (size_t piece = 1; piece <= 100; piece++) { /* whatever the pieces */
        struct convert_base64_encoder encoder;
        strbuf_init(&out, 10000);
        convert_base64_start(&encoder, collect, &out);
        for (size_t i = 0; i < 100; i += piece)
            convert_base64_add(&encoder, long_line, piece < 100 - i ? piece : 100 - i);
        convert_base64_end(&encoder);
        assert_int_equal(strcspn(out.data, "\r"), 76);
        strbuf_init(&back, 10000);
        assert_false(convert_transfer_decode(CONVERT_TRANSFER_BASE64, out.data, out.len, NULL, collect, &back).damaged);
        assert_int_equal(back.len, 100);
        strbuf_free(&back);
        strbuf_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_flowed),
        cmocka_unit_test(test_renders_as_written),
        cmocka_unit_test(test_renders_all_combinations),
        cmocka_unit_test(test_charsets),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_transfer_decoding),
        cmocka_unit_test(test_transfer_encoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
