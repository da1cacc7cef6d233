/* Forms as the member client's users write them, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "tmtp/tmtp_form.h"

static void test_blank(void **state)
{
    (void)state;
    static const char json[] =
        "{\"groups\":[{\"legend\":\"Who\",\"fields\":["
        "{\"type\":\"input\",\"inputType\":\"text\",\"label\":\"Name\",\"model\":\"who.name\",\"required\":true},"
        "{\"type\":\"input\",\"inputType\":\"email\",\"model\":\"mail\",\"hint\":\"for the bill\"},"
        "{\"type\":\"input\",\"inputType\":\"hidden\",\"label\":\"secret\",\"model\":\"x\"},"
        "{\"type\":\"submit\",\"buttonText\":\"Send\"}]},"
        "{\"fields\":[{\"type\":\"select\",\"label\":\"Wood\",\"values\":[\"oak\",{\"id\":3,\"name\":\"pine\"},7,[1],"
        "null]},"
        "{\"type\":\"select\",\"label\":\"Several\",\"multiple\":true,\"values\":[\"a\"]},"
        "{\"type\":\"checklist\",\"label\":\"Extras\",\"values\":[\"lock\"],\"visible\":true},"
        "{\"type\":\"textArea\",\"label\":\"Unseen\",\"visible\":false},"
        "{\"type\":\"label\",\"label\":\"Words.\"},\"no field\",{\"type\":\"somethingNew\",\"label\":\"New\"}]}]}";
    struct tmtp_form form;
    assert_int_equal(tmtp_form_read_blank(json, sizeof json - 1, &form), 1);
    static const struct row {
        enum tmtp_form_kind kind;
        const char *label, *hint;
        size_t choices;
    } rows[] = {
        { TMTP_FORM_LEGEND, "Who", "", 0 },
        { TMTP_FORM_TEXT, "Name", "", 0 },
        { TMTP_FORM_ADDRESS, "mail", "for the bill", 0 },
        { TMTP_FORM_ONE_OF, "Wood", "", 3 },
        { TMTP_FORM_SOME_OF, "Several", "", 1 },
        { TMTP_FORM_SOME_OF, "Extras", "", 1 },
        { TMTP_FORM_WORDS, "Words.", "", 0 },
        { TMTP_FORM_TEXT, "New", "", 0 },
    };
    assert_int_equal(form.count, sizeof rows / sizeof rows[0]);
    for (size_t i = 0; i < form.count; i++) {
        assert_int_equal(form.fields[i].kind, rows[i].kind);
        assert_string_equal(form.fields[i].label, rows[i].label);
        assert_string_equal(form.fields[i].hint, rows[i].hint);
        assert_int_equal(form.fields[i].choice_count, rows[i].choices);
    }
    assert_true(form.fields[1].is_required);
    assert_string_equal(form.fields[1].model, "who.name");
    assert_string_equal(form.fields[3].choices[1], "pine");
    assert_string_equal(form.fields[3].choices[2], "7");
    assert_false(form.is_cut);
    tmtp_form_free(&form);
}

static void test_filled(void **state)
{
    (void)state;
    static const char json[] =
        "{\"who\":{\"name\":\"Bob\",\"age\":42},\"width\":92.5,\"big\":1e300,\"ok\":true,\"no\":false,"
        "\"none\":null,\"list\":[\"a\",\"b\"],\"grid\":[[1,2],[3]],\"odd\":[{\"x\":1},2]}";
    static const struct row {
        const char *model, *value;
    } rows[] = {
        { "who.name", "Bob" }, { "who.age", "42" }, { "width", "92.5" }, { "big", "1e+300" },   { "ok", "yes" },
        { "no", "no" },        { "none", "" },      { "list", "a, b" },  { "grid", "1, 2; 3" }, { "odd", ", 2" },
    };
    struct tmtp_form form;
    assert_int_equal(tmtp_form_read_filled(json, sizeof json - 1, &form), 1);
    assert_int_equal(form.count, sizeof rows / sizeof rows[0]);
    for (size_t i = 0; i < form.count; i++) {
        assert_string_equal(form.fields[i].model, rows[i].model);
        assert_string_equal(form.fields[i].value, rows[i].value);
    }
    assert_true(form.is_cut); /* what stands in a list must be a value */
    tmtp_form_free(&form);
    assert_int_equal(tmtp_form_read_filled("{}", 2, &form), 1);
    assert_int_equal(form.count, 0);
    tmtp_form_free(&form);
}

static void test_what_is_no_form(void **state)
{
    (void)state;
    static const char *const texts[] = { "",
                                         "{",
                                         "[]",
                                         "[{}]",
                                         "\"a\"",
                                         "{\"a\":1,\"a\":2}",
                                         "{} x",
                                         "{\"a\":\"\xFF\"}",
                                         "{\"a\":\"\\u0000\"}",
                                         "{\"\\u0000\":1}" };
    struct tmtp_form form;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(tmtp_form_read_filled(texts[i], strlen(texts[i]), &form), -1);
        assert_int_equal(tmtp_form_read_blank(texts[i], strlen(texts[i]), &form), -1);
    }
    static const char *const blank[] = { "{}", "{\"fields\":[]}", "{\"fields\":{}}", "{\"groups\":[[]]}",
                                         "{\"fields\":[{\"type\":\"submit\"}]}" };
    for (size_t i = 0; i < sizeof blank / sizeof blank[0]; i++)
        assert_int_equal(tmtp_form_read_blank(blank[i], strlen(blank[i]), &form), -1);
}

static void add_repeated(struct strbuf *out, const char *text, size_t count)
{
    for (; count > 0; count--)
        strbuf_add_str(out, text);
}

/* What is too much is left out, and that is said; what is far too much is no form. */
static void test_limits(void **state)
{
    (void)state;
    struct strbuf json;
    struct tmtp_form form;
    strbuf_init(&json, 1 << 20);
    strbuf_add_str(&json, "{\"fields\":[{\"label\":\"x\",\"type\":\"select\",\"values\":[1");
    add_repeated(&json, ",1", TMTP_FORM_CHOICES_MAX);
    strbuf_add_str(&json, "]}");
    add_repeated(&json, ",{\"label\":\"y\"}", TMTP_FORM_FIELDS_MAX);
    strbuf_add_str(&json, "]}");
    assert_int_equal(tmtp_form_read_blank(json.data, json.len, &form), 1);
    assert_true(form.is_cut);
    assert_int_equal(form.count, TMTP_FORM_FIELDS_MAX);
    assert_int_equal(form.fields[0].choice_count, TMTP_FORM_CHOICES_MAX);
    tmtp_form_free(&form);

    strbuf_clear(&json);
    strbuf_add_str(&json, "{\"long\":\"");
    add_repeated(&json, "\xC3\xA9", TMTP_FORM_VALUE_MAX);
    strbuf_add_str(&json, "\",\"deep\":");
    add_repeated(&json, "{\"a\":", TMTP_FORM_DEPTH_MAX + 5);
    strbuf_add_str(&json, "1");
    add_repeated(&json, "}", TMTP_FORM_DEPTH_MAX + 5);
    strbuf_add_str(&json, ",\"lists\":");
    add_repeated(&json, "[", TMTP_FORM_DEPTH_MAX + 5);
    add_repeated(&json, "]", TMTP_FORM_DEPTH_MAX + 5);
    strbuf_add_str(&json, "}");
    assert_int_equal(tmtp_form_read_filled(json.data, json.len, &form), 1);
    assert_true(form.is_cut);
    assert_int_equal(form.count, 2);
    assert_int_equal(strlen(form.fields[0].value), TMTP_FORM_VALUE_MAX);
    tmtp_form_free(&form);

    strbuf_clear(&json);
    add_repeated(&json, "{\"a\":", 100000);
    assert_int_equal(tmtp_form_read_filled(json.data, json.len, &form), -1);
    strbuf_clear(&json);
    strbuf_add_str(&json, "{}");
    add_repeated(&json, " ", TMTP_FORM_SIZE_MAX);
    assert_int_equal(tmtp_form_read_filled(json.data, json.len, &form), -1);
    /* a form of which nothing is shown is not one that is filled in with nothing */
    strbuf_clear(&json);
    add_repeated(&json, "{\"a\":", TMTP_FORM_DEPTH_MAX + 5);
    strbuf_add_str(&json, "1");
    add_repeated(&json, "}", TMTP_FORM_DEPTH_MAX + 5);
    assert_int_equal(tmtp_form_read_filled(json.data, json.len, &form), -1);
    strbuf_free(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blank),
        cmocka_unit_test(test_filled),
        cmocka_unit_test(test_what_is_no_form),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
