/* gateway_silo_alias_test.c - under which alias a correspondent appears in the silo */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "gateway/silo_alias.h"
#include "tmtp/tmtp_alias.h"

static void test_forms(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        unsigned form;
        const char *alias;
    } rows[] = {
        { "bob@example.com", 0, "bob@example.com" },
        { "bob@example.com", 1, "bob@example.com (email)" },
        { "bob@example.com", 2, "bob@example.com (2)" },
        { "bob@example.com", 19, "bob@example.com (19)" },
        { "a@b.com", 0, "a@b.com (email)" }, /* seven bytes */
        { "a@b.com", 1, "a@b.com (2)" },
        { "aa@b.com", 0, "aa@b.com" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *alias = silo_alias_form(rows[i].address, rows[i].form);
        assert_string_equal(alias, rows[i].alias);
        free(alias);
    }
}

/* unit repeated, "@" and a domain. */
static char *make_address(const char *unit, size_t times)
{
    struct strbuf address;
    strbuf_init(&address, 2000);
    for (size_t i = 0; i < times; i++)
        strbuf_add_str(&address, unit);
    strbuf_add_str(&address, "@example.com");
    return strbuf_detach(&address);
}

static bool is_cut_in_a_character(const char *alias)
{
    const char *dots = strstr(alias, "...");
    return dots && dots > alias && ((unsigned char)dots[-1] & 0xc0) == 0xc0;
}

/* Whatever the address, each form fits every silo, differs from the others, and is the same each time. */
static void test_every_form_fits(void **state)
{
    static const char *const units[] = { "a", "+", "a+", "\xc3\xbc", "a\xc3\xbc", "\xf0\x9f\x98\x80" };
    (void)state;
    for (size_t u = 0; u < sizeof units / sizeof units[0]; u++) {
        for (size_t times = 1; times < 260; times++) {
            char *address = make_address(units[u], times);
            char *first = silo_alias_form(address, 0), *again = silo_alias_form(address, 0);
            assert_string_equal(first, again);
            assert_false(is_cut_in_a_character(first));
            for (unsigned form = 0; form < SILO_ALIAS_FORMS; form++) {
                char *alias = silo_alias_form(address, form);
                assert_true(tmtp_alias_is_safe(alias));
                assert_in_range(strlen(alias), TMTP_ALIAS_MIN, TMTP_ALIAS_MAX);
                assert_true(form == 0 || strcmp(first, alias) != 0);
                assert_true(form == 0 || alias[strlen(alias) - 1] == ')'); /* nothing was cut off */
                free(alias);
            }
            free(address);
            free(first);
            free(again);
        }
    }
}

/* Two that begin alike are still two. */
static void test_long_addresses_stay_apart(void **state)
{
    (void)state;
    char *address = make_address("a", 230), *other = make_address("a", 231);
    char *alias = silo_alias_form(address, 0), *other_alias = silo_alias_form(other, 0);
    assert_string_not_equal(alias, other_alias);
    assert_non_null(strstr(alias, "..."));
    free(address);
    free(other);
    free(alias);
    free(other_alias);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_every_form_fits),
        cmocka_unit_test(test_long_addresses_stay_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
