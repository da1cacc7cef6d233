/* Cards as a line or two. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "mapping/convert_charset.h"
#include "mapping/convert_commonmark.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_vcard.h"
#include "tests/unit/cpu_time.h"

static struct convert_charsets *charsets;

static char *write(const char *data, size_t len, bool *written_out)
{
    struct strbuf out;
    strbuf_init(&out, CONVERT_BODY_MAX);
    struct commonmark_writer *writer = commonmark_writer_new(&out);
    *written_out = convert_vcard_write(charsets, writer, "", data, len);
    commonmark_writer_free(&writer);
    assert_true(strbuf_ok(&out));
    return strbuf_detach(&out);
}

#define CARD(lines) "BEGIN:VCARD\r\n" lines "END:VCARD\r\n"

static void test_cards(void **state)
{
    (void)state;
    static const struct {
        const char *data, *expected;
    } rows[] = {
        { CARD("VERSION:3.0\r\nFN:Bob Example\r\nN:Example;Bob;;;\r\nORG:Example Ltd;Sales\r\nTITLE:Head of sales\r\n"
               "EMAIL;TYPE=INTERNET,WORK:bob@example.com\r\nTEL;TYPE=WORK:+49 30 1234\r\n"),
          "**Bob Example**, Head of sales, Example Ltd, Sales, <bob@example.com>, +49 30 1234\n" },
        { CARD("VERSION:4.0\r\nFN:Bob Example\r\nTEL;VALUE=uri;TYPE=\"voice,home\":tel:+49-30-1234\r\n"
               "item1.EMAIL:mailto:bob@example.com\r\nitem1.X-ABLabel:_$!<Work>!$_\r\nURL:https://example.com/bob\r\n"),
          "**Bob Example**, <bob@example.com>, +49-30-1234, <https://example.com/bob>\n" },
        { CARD("VERSION:2.1\r\nN;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:M=FCller;Bj=F6rn\r\n"
               "ORG;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:Gr=C3=BC=\r\nne Wiese\r\nTEL;CELL;VOICE:+49 170 1\r\n"),
          "**Bj\xC3\xB6rn M\xC3\xBCller**, Gr\xC3\xBCne Wiese, +49 170 1\n" },
        { CARD("FN:Example Ltd\r\nORG:Example Ltd\r\nEMAIL:a@example.com\r\nEMAIL:a@example.com\r\n"),
          "**Example Ltd**, <a@example.com>\n" },
        { CARD("EMAIL:bob@example.com\r\n"), "<bob@example.com>\n" },
        { CARD("FN:*Bob*\\, the <b>\r\n"), "**\\*Bob\\*, the \\<b>**\n" },
        { CARD("FN:Bob\r\n") CARD("FN:Carol\r\n"), "**Bob**\n\n**Carol**\n" },
        { CARD("FN:Bob\r\nAGENT:\r\n" CARD("FN:His agent\r\n") "TEL:1\r\n"), "**Bob**, 1\n" },
        { "BEGIN:VCARD\r\nFN:No end\r\n", "**No end**\n" },
        { CARD("FN:Fol\r\n ded\r\nPHOTO;ENCODING=b:AAAA\r\n AAAA\r\n"), "**Folded**\n" },
        { CARD("FN:Bob\r\nNOTE;ENCODING=QUOTED-PRINTABLE:=\r\nEND:VCARD=\r\n\r\n"), "**Bob**\n" },
        { CARD("UID:1\r\n"), "" },
        { "FN:outside\r\n", "" },
        { "", "" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool written;
        char *out = write(rows[i].data, strlen(rows[i].data), &written);
        assert_string_equal(out, rows[i].expected);
        assert_int_equal(written, *rows[i].expected != '\0');
        free(out);
    }
}

static void test_more_than_are_named(void **state)
{
    (void)state;
    struct strbuf data;
    bool written;
    strbuf_init(&data, 1 << 20);
    for (int i = 0; i < CONVERT_VCARD_CARDS_MAX + 3; i++)
        strbuf_add_fmt(&data, CARD("FN:Bob %d\r\n"), i);
    char *out = write(data.data, data.len, &written);
    assert_true(written);
    assert_non_null(strstr(out, "**Bob 9**\n\n3 more cards are in the attachment.\n"));
    free(out);
    strbuf_free(&data);
}

static int64_t ms_for(const char *line, size_t count)
{
    struct strbuf data;
    bool written;
    strbuf_init(&data, CONVERT_TEXT_MAX);
    strbuf_add_str(&data, "BEGIN:VCARD\r\n");
    for (size_t i = 0; i < count; i++)
        strbuf_add_str(&data, line);
    assert_true(strbuf_ok(&data));
    double begin = cpu_seconds();
    free(write(data.data, data.len, &written));
    int64_t spent = (int64_t)((cpu_seconds() - begin) * 1000);
    strbuf_free(&data);
    return spent;
}

static void test_time_is_linear(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "BEGIN:VCARD\r\n",
        "ORG:;;;;;;\r\n",
        "N;ENCODING=QUOTED-PRINTABLE:=\r\n",
        "X;ENCODING=QUOTED-PRINTABLE:a=\r\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        size_t count = 100000 / strlen(lines[i]) * 2;
        assert_true(ms_for(lines[i], 4 * count) <= 8 * ms_for(lines[i], count) + 200);
    }
}

static int set_up(void **state)
{
    (void)state;
    charsets = convert_charsets_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    convert_charsets_free(&charsets);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cards),
        cmocka_unit_test(test_more_than_are_named),
        cmocka_unit_test(test_time_is_linear),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
