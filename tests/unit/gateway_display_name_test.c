/* gateway_display_name_test.c - what authors are called in From */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "gateway/display_name.h"

static void names_are_formatted(void **state)
{
    (void)state;
    static const struct row {
        const char *format, *alias, *name;
    } rows[] = {
        { "{alias} via {domain}", "Alice Member", "Alice Member via silo.test" },
        { "{alias} via Acme", "Alice Member", "Alice Member via Acme" },
        { "{alias}", "Alice, \"Al\" Member", "Alice, \"Al\" Member" },
        { "[{domain}] {alias}/{alias}", "Al", "[silo.test] Al/Al" },
        { "{alias} via Acme", "bob@evil.example", "bob(at)evil.example via Acme" },
        { "{alias} via Acme", "bob\uFF20evil.example", "bob(at)evil.example via Acme" },
        { "{alias} via Acme", "a\uFE6Bb", "a(at)b via Acme" },
        { "{alias} via Acme", "\u202Ereversed\u202C \u2066x\u2069", "reversed x via Acme" },
        { "{alias} via Acme", "two\r\nlines\t\x01", "two lines via Acme" },
        { "{alias} via Acme", "Al\u200Bice\u00AD\uFEFF\u2060", "Alice via Acme" },
        { "{alias} via Acme", "\U0001F469\u200D\U0001F469\u200D\U0001F467",
          "\U0001F469\u200D\U0001F469\u200D\U0001F467 via Acme" },
        { "{alias} via Acme", "\u0646\u0645\u06CC\u200C\u062E\u0648\u0627\u0647\u0645",
          "\u0646\u0645\u06CC\u200C\u062E\u0648\u0627\u0647\u0645 via Acme" },
        { "{alias} via Acme", "{domain} {alias}", "{domain} {alias} via Acme" },
        { "{alias} via Acme", "bad \xFF", "bad \uFFFD via Acme" },
        { "{alias} via Acme", "", " via Acme" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf name;
        strbuf_init(&name, 1000);
        display_name_add_formatted(&name, rows[i].format, rows[i].alias, "silo.test");
        assert_string_equal(name.data, rows[i].name);
        strbuf_free(&name);
    }
}

/* The alias gives way, not what the operator wants to be read. */
static void long_names_keep_their_end(void **state)
{
    (void)state;
    struct strbuf alias, name;
    strbuf_init(&alias, 1000);
    strbuf_init(&name, 1000);
    for (size_t i = 0; i < 200; i++)
        strbuf_add_str(&alias, "ä");
    display_name_add_formatted(&name, "{alias} via Acme", alias.data, "silo.test");
    assert_int_equal(name.len, DISPLAY_NAME_MAX - 1); /* no half character */
    assert_string_equal(name.data + name.len - 11, "ä via Acme");
    strbuf_free(&alias);
    strbuf_free(&name);
}

static void formats_are_judged(void **state)
{
    (void)state;
    static const struct row {
        const char *format;
        bool ok;
    } rows[] = {
        { "{alias} via {domain}", true },
        { "{alias}", true },
        { "\u4E2D\u6587 {alias}", true },
        { "", false },
        { "Acme", false },
        { "{domain}", false },
        { "{alias} {name}", false },
        { "{alias}}", false },
        { "{{alias}", false },
        { "{alias} {", false },
        { "{Alias}", false },
        { "{alias}@{domain}", false },
        { "{alias}\n", false },
        { "{alias} \u202E\u202C", false },
        { "{alias} \xFF", false },
        { "{alias} "
          "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
          false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(display_name_is_format(rows[i].format), rows[i].ok);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_formatted),
        cmocka_unit_test(long_names_keep_their_end),
        cmocka_unit_test(formats_are_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
