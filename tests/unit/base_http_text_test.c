#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/http_text.h"
#include "base/strbuf.h"

static void what_is_text(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool is_clean, with_lines;
    } rows[] = {
        { "", true, true },
        { "plain", true, true },
        { "\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\xa6", true, true },
        { "a\nb\tc", false, true },
        { "a\rb", false, false },
        { "a\x01", false, false },
        { "\x7f", false, false },
        { "\xc2\x85", false, false },         /* C1 */
        { "\xc2\xa0", true, true },           /* the first behind C1 */
        { "\xc0\xaf", false, false },         /* overlong */
        { "\xe0\x80\xaf", false, false },     /* likewise */
        { "\xed\xa0\x80", false, false },     /* a surrogate */
        { "\xf4\x90\x80\x80", false, false }, /* beyond Unicode */
        { "\xf0\x9f\x90", false, false },     /* cut */
        { "\x80", false, false },
        { "\xff", false, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(http_text_is_clean(rows[i].text, strlen(rows[i].text), false), rows[i].is_clean);
        assert_int_equal(http_text_is_clean(rows[i].text, strlen(rows[i].text), true), rows[i].with_lines);
    }
    assert_false(http_text_is_clean("a\0b", 3, true));
}

static void decoding(void **state)
{
    (void)state;
    static const struct {
        const char *text, *decoded; /* NULL: refused */
    } rows[] = {
        { "", "" },      { "a%20b", "a b" }, { "%c3%A4", "\xc3\xa4" }, { "+", "+" },     { "%2F", "/" },
        { "%", NULL },   { "%4", NULL },     { "%4g", NULL },          { "%00", NULL },  { "%0a", NULL },
        { "%c3", NULL }, { "%ff", NULL },    { "a%2", NULL },          { "%%41", NULL }, { "%2541", "%41" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf out;
        strbuf_init(&out, 100);
        assert_int_equal(http_text_decode(rows[i].text, strlen(rows[i].text), &out), rows[i].decoded != NULL);
        if (rows[i].decoded)
            assert_string_equal(out.data, rows[i].decoded);
        strbuf_free(&out);
    }
}

static void encoding_and_back(void **state)
{
    (void)state;
    static const char text[] = "Al\xc3\xadz M\"<&>'#?%/ +;=~.-_";
    struct strbuf encoded, back;
    strbuf_init(&encoded, 1000);
    strbuf_init(&back, 1000);
    http_text_encode(&encoded, text);
    assert_int_equal(strspn(encoded.data, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%"),
                     encoded.len);
    assert_int_equal(http_text_decode(encoded.data, encoded.len, &back), 1);
    assert_string_equal(back.data, text);
    strbuf_free(&encoded);
    strbuf_free(&back);
}

/* Shows pairs as name[value]. */
static void show(const struct http_pairs *pairs, struct strbuf *out)
{
    for (size_t i = 0; i < pairs->count; i++)
        strbuf_add_fmt(out, "%s[%s]", pairs->list[i].name, pairs->list[i].value);
}

static void pairs(void **state)
{
    (void)state;
    static const struct {
        const char *text, *query, *form; /* NULL: refused */
    } rows[] = {
        { "", "", "" },
        { "a=1&b=2", "a[1]b[2]", "a[1]b[2]" },
        { "a=1&a=2", "a[1]a[2]", "a[1]a[2]" },
        { "a", "a[]", "a[]" },
        { "a=", "a[]", "a[]" },
        { "=b", "[b]", "[b]" },
        { "&&a=1&", "a[1]", "a[1]" },
        { "a=b=c", "a[b=c]", "a[b=c]" },
        { "a+b=c+d%2B", "a b[c d+]", "a b[c d+]" },
        { "a%3Db=%26", "a=b[&]", "a=b[&]" },
        { "a=%0D%0Ab%0d%0A%0d%0ac", NULL, "a[\nb\n\nc]" },
        { "a=%0a", NULL, "a[\n]" },
        { "a=%0d", NULL, NULL },
        { "a%0a=1", NULL, NULL },
        { "a=%00", NULL, NULL },
        { "a=%zz", NULL, NULL },
        { "a=%c3%28", NULL, NULL },
        { "a=\xff", NULL, NULL },
        { "a;b=1", "a;b[1]", "a;b[1]" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (int is_form = 0; is_form < 2; is_form++) {
            const char *expected = is_form ? rows[i].form : rows[i].query;
            struct http_pairs got;
            struct strbuf shown;
            strbuf_init(&shown, 1000);
            assert_int_equal(http_pairs_parse(is_form ? HTTP_PAIRS_FORM : HTTP_PAIRS_QUERY, rows[i].text,
                                              strlen(rows[i].text), &got),
                             expected != NULL);
            show(&got, &shown);
            assert_string_equal(shown.data, expected ? expected : "");
            http_pairs_clear(&got);
            strbuf_free(&shown);
        }
    }
}

static void too_many_pairs(void **state)
{
    (void)state;
    static char text[2 * HTTP_PAIRS_MAX + 2];
    struct http_pairs got;
    memset(text, '&', sizeof text);
    for (size_t i = 0; i < HTTP_PAIRS_MAX; i++)
        text[2 * i] = 'a';
    assert_int_equal(http_pairs_parse(HTTP_PAIRS_QUERY, text, 2 * HTTP_PAIRS_MAX - 1, &got), 1);
    assert_int_equal(got.count, HTTP_PAIRS_MAX);
    http_pairs_clear(&got);
    text[2 * HTTP_PAIRS_MAX] = 'a';
    assert_int_equal(http_pairs_parse(HTTP_PAIRS_QUERY, text, 2 * HTTP_PAIRS_MAX + 1, &got), 0);
    http_pairs_clear(&got);
}

static void cookies(void **state)
{
    (void)state;
    static const struct {
        const char *field, *value; /* NULL: none */
    } rows[] = {
        { "s=abc", "abc" },
        { "a=1; s=abc", "abc" },
        { "a=1;s=abc;b=2", "abc" },
        { "s=abc ; b=2", "abc" },
        { "s=", "" },
        { "", NULL },
        { "S=abc", NULL },
        { "ss=abc", NULL },
        { "a=s=abc", NULL },
        { "s", NULL },
        { "s=1; s=2", NULL },
        { "s=1; s=1", NULL },
        { "__Host-s=1; s=2", "2" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *value = NULL;
        size_t len = 0;
        assert_int_equal(http_cookie_find(rows[i].field, "s", &value, &len), rows[i].value != NULL);
        if (rows[i].value) {
            assert_int_equal(len, strlen(rows[i].value));
            assert_memory_equal(value, rows[i].value, len);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_text), cmocka_unit_test(decoding),       cmocka_unit_test(encoding_and_back),
        cmocka_unit_test(pairs),        cmocka_unit_test(too_many_pairs), cmocka_unit_test(cookies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
