/* Tests of smtp_access: networks and who is in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "smtp/smtp_access.h"

static const struct access_case {
    const char *network, *address;
    bool is_allowed;
} access_cases[] = {
    { "192.0.2.7", "192.0.2.7", true },
    { "192.0.2.7", "192.0.2.8", false },
    { "10.0.0.0/8", "10.255.1.2", true },
    { "10.0.0.0/8", "11.0.0.0", false },
    { "10.1.2.3/8", "10.200.0.1", true }, /* bits beyond the prefix are ignored */
    { "192.0.2.128/25", "192.0.2.128", true },
    { "192.0.2.128/25", "192.0.2.127", false },
    { "192.0.2.0/31", "192.0.2.1", true },
    { "192.0.2.0/31", "192.0.2.2", false },
    { "0.0.0.0/0", "203.0.113.9", true },
    { "0.0.0.0/0", "2001:db8::1", false },
    { "::/0", "2001:db8::1", true },
    { "::/0", "192.0.2.1", true },
    { "::1", "::1", true },
    { "::1", "::2", false },
    { "2001:db8::/33", "2001:db8:7fff::1", true },
    { "2001:db8::/33", "2001:db8:8000::1", false },
    { "fe80::/10", "fe80::1%eth0", true },
    { "192.0.2.0/24", "::ffff:192.0.2.9", true },
    { "::ffff:192.0.2.0/120", "192.0.2.9", true },
    { "10.0.0.0/8", "unix", false },
    { "::/0", "unix", false },
    { "unix", "unix", true },
    { "unix", "127.0.0.1", false },
    { "10.0.0.0/8", "", false },
    { "10.0.0.0/8", "10.0.0.1.example.com", false },
    { "10.0.0.0/8", "10.1", false },
};

static void networks_have_their_addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof access_cases / sizeof access_cases[0]; i++) {
        const struct access_case *c = &access_cases[i];
        const char *const networks[] = { "198.51.100.1", c->network, NULL };
        char *error = NULL;
        struct smtp_access *access = smtp_access_new(networks, &error);
        assert_non_null(access);
        if (smtp_access_allows(access, c->address) != c->is_allowed)
            fail_msg("%s in %s?", c->address, c->network);
        smtp_access_free(&access);
        assert_null(access);
    }
}

static void nonsense_is_named(void **state)
{
    (void)state;
    static const char *const nonsense[] = {
        "",       "all",      "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "10.0.0.0/08888",
        "::/129", "10.0.0/8", "/8",        "10.0.0.0 ",   "localhost",   "unix:/run/x", "UNIX",
    };
    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
        const char *const networks[] = { "10.0.0.0/8", nonsense[i], NULL };
        char *error = NULL;
        assert_null(smtp_access_new(networks, &error));
        assert_non_null(strstr(error, nonsense[i]));
        free(error);
    }
}

static void an_empty_list_has_nobody(void **state)
{
    (void)state;
    const char *const networks[] = { NULL };
    char *error = NULL;
    struct smtp_access *access = smtp_access_new(networks, &error);
    assert_false(smtp_access_allows(access, "127.0.0.1"));
    smtp_access_free(&access);
}

static void peers_have_addresses(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        { "192.0.2.1:4711", "192.0.2.1" },
        { "[2001:db8::1]:25", "2001:db8::1" },
        { "192.0.2.1", "192.0.2.1" },
        { "[2001:db8::1]", "2001:db8::1" },
        { "[fe80::1%eth0]:1", "fe80::1%eth0" },
        { "unix", "unix" },
        { "", "" },
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char *address = smtp_access_address_of_peer(pairs[i][0]);
        assert_string_equal(address, pairs[i][1]);
        free(address);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(peers_have_addresses),
        cmocka_unit_test(networks_have_their_addresses),
        cmocka_unit_test(nonsense_is_named),
        cmocka_unit_test(an_empty_list_has_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
