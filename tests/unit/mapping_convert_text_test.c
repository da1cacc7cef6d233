/* Plain text of mail as CommonMark: what it looks like, and that it renders as it was written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "mapping/convert_commonmark.h"
#include "mapping/convert_history.h"
#include "mapping/convert_text.h"
#include "mapping/convert_transfer.h"
#include "mapping/convert_utf8.h"
#include "tests/unit/cpu_time.h"

#define NBSP "\xC2\xA0"

static char *to_commonmark(const char *text, size_t len, bool is_flowed, bool is_delsp)
{
    struct strbuf out;
    strbuf_init(&out, 16 << 20);
    struct commonmark_writer *writer = commonmark_writer_new(&out);
    const struct convert_text_format format = { is_flowed, is_delsp };
    convert_text_write(writer, text, len, &format, NULL);
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
        { "[1]: foo", "\\[1]: foo\n" },
        { "# head", "#" NBSP "head\n" },
        { "#tag", "#tag\n" },
        { "- item\n+ item\n* item", "-" NBSP "item  \n+" NBSP "item  \n*" NBSP "item\n" },
        { "1. x\n12) y\n1986 z", "1." NBSP "x  \n12)" NBSP "y  \n1986 z\n" },
        { "head\n====\n---", "head\n\n---\n\n---\n" },
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
        { "<https://example.com>", "\\<<https://example.com>>\n" },
        { "write to mailto:bob@example.com!", "write to <mailto:bob@example.com>!\n" },
        { "xhttps://example.com", "xhttps://example.com\n" },
        { "https://", "https://\n" },
        { "> quoted\nreply", "> quoted\n\nreply\n" },
        { ">> deep\n> less\n", "> > deep\n>\n> less\n" },
        { "> > spaced\n>\n> # x", "> > spaced\n>\n> #" NBSP "x\n" },
        { ">indented  code", "> indented" NBSP " code\n" },
        { "*see note\n5 * 3", "*see note  \n5 * 3\n" }, /* one mark alone does nothing */
        { "the `old' way", "the `old' way\n" },
        { "`a' and `b'", "\\`a' and \\`b'\n" },
        { "write to bob@example.com.", "write to <bob@example.com>.\n" },
        { "www.example.com!", "[www.example.com](http://www.example.com)!\n" },
        { "git@example.com:a.git", "git@example.com:a.git\n" },
        { "<http://example.com/a\nb> c", "<[http://example.com/a  \nb](http://example.com/ab)> c\n" },
        { "- a\n\n  - b\n  - c\n\n- d", "- a\n  - b\n  - c\n- d\n" },
        { "- a\n- b\n  c\nd", "- a\n- b  \n  c\n\nd\n" },
        { "3. a\n4. b", "3. a\n4. b\n" },
        { "1. a\n1. b", "1." NBSP "a  \n1." NBSP "b\n" },
        { "a  1\nb  2\nc  3", "```\na  1\nb  2\nc  3\n```\n" },
        { "x\n- -- -\ny", "x\n\n---\n\ny\n" },
        { "1. oak (old);\n2. larch;\n3. ash;", "1. oak (old);\n2. larch;\n3. ash;\n" }, /* no program */
        { ">From me", "From me\n" },
        { ">From me\n> x", "> From me  \n> x\n" },
        { "\x1B[1;31mred\x1B[0m", "red\n" },
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
        { "text \n-- \nBob", false, "text\n\n--  \nBob\n" },
        { "> > deep", false, "> > deep\n" }, /* RFC 3676 4.5 says ">> deep", programs don't */
        { " > text", false, "\\> text\n" },
        { "one \n\ntwo", false, "one\n\ntwo\n" }, /* a blank before an empty line joins nothing */
        { "last ", false, "last\n" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *out = to_commonmark(rows[i].text, strlen(rows[i].text), true, rows[i].is_delsp);
        assert_string_equal(out, rows[i].expected);
        free(out);
    }
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

/* CPU time that it takes, with history looked for. */
static long ms_for(const char *unit, size_t count)
{
    struct strbuf text, out;
    strbuf_init(&text, 16 << 20);
    strbuf_init(&out, 64 << 20);
    for (size_t i = 0; i < count; i++)
        strbuf_add_str(&text, unit);
    double start = cpu_seconds();
    struct commonmark_writer *writer = commonmark_writer_new(&out);
    struct convert_history *history = convert_history_new(writer, &out);
    const struct convert_text_format format = { false, false };
    convert_text_write(writer, text.data, text.len, &format, history);
    convert_history_free(&history);
    commonmark_writer_free(&writer);
    double spent = cpu_seconds() - start;
    strbuf_free(&text);
    strbuf_free(&out);
    return (long)(spent * 1000);
}

static void test_time_is_linear(void **state)
{
    (void)state;
    static const char *const units[] = {
        "[",           "](",
        "[a](",        "`a",
        "``a`",        "<",
        "<a",          "<a:",
        "<a@",         "*a ",
        "a* *b ",      "_a_ ",
        "~",           "\\",
        "http://",     "http://(",
        "www.",        "www.a ",
        "a@",          "a@b.",
        "@",           "&a",
        ">",           "> x\n",
        "> > x\n>\n",  "- ",
        "- a\n",       "- a\n - b\n",
        "     - a\n",  "1. a\n",
        "a  b\n",      "a  b  c\nx\n",
        "| a |\n",     "@@ -1 +1 @@\n",
        "```\n",       "```\nx\n",
        "\n",          "x\n",
        "<http://a\n", "a\tb\n",
        ">>> x\n",     "---\n",
        "-- \n",       "{\n",
        "^_^ /\\ \n",  "wrote:\n",
        "From: x\n",
    };
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        size_t count = 20000 / strlen(units[i]);
        assert_true(ms_for(units[i], 4 * count) <= 8 * ms_for(units[i], count) + 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_flowed),
        cmocka_unit_test(test_time_is_linear),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_transfer_decoding),
        cmocka_unit_test(test_transfer_encoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
