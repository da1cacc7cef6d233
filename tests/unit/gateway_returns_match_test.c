/* gateway_returns_match_test.c - which recipient a report is about */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/returns_match.h"

static char bob[] = "bob@example.com",
            dave[] = "dave@b\xc3\xbc"
                     "cher.example",
            quoted[] = "\"a b\"@example.com";
static struct store_outbound_recipient people[] = { { .address = bob }, { .address = dave }, { .address = quoted } };
static const struct store_outbound row = { .recipients = people, .recipient_count = 3 };

static int match(unsigned place, const char *original, const char *address)
{
    struct convert_report_recipient reported = { .original = (char *)(uintptr_t)original,
                                                 .address = (char *)(uintptr_t)address };
    return returns_match(&row, place, &reported);
}

static void reports_are_matched(void **state)
{
    (void)state;
    static const struct {
        unsigned place;
        const char *original, *address;
        int index;
    } rows[] = {
        /* By address, where the return address says nothing. */
        { 0, "", "bob@example.com", 0 },
        { 0, "", "BOB@Example.COM", 0 },
        { 0, "bob@example.com", "", 0 },
        { 0, "bob@example.com",
          "dave@b\xc3\xbc"
          "cher.example",
          0 }, /* as the sender wrote it comes first */
        { 0, "bob@example.com", "bob@inner.example.com", 0 },
        { 0, "x@example.com", "bob@example.com", 0 },
        { 0, "", "dave@xn--bcher-kva.example", 1 },
        { 0,
          "Dave@B\xc3\xbc"
          "cher.example",
          "", 1 },
        { 0, "", "\"a b\"@example.com", 2 },
        /* Nobody. */
        { 0, "", "", -1 },
        { 0, "", "mallory@example.com", -1 },
        { 0, "", "bob@example.com.example.org", -1 },
        { 0, "", "bob", -1 },
        { 0, "", "bob@", -1 },
        { 0, "", "bob+x@example.com", -1 },
        /* The return address was given to one only: whatever it says is about that one. */
        { 1, "", "", 0 },
        { 2, "", "", 1 },
        { 1, "", "mallory@example.com", 0 },
        { 2, "bob@example.com", "bob@example.com", 1 },
        { 3, "", "bob@inner.example.com", 2 },
        { 4, "", "bob@example.com", -1 },
        { 65535, "", "bob@example.com", -1 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(match(rows[i].place, rows[i].original, rows[i].address), rows[i].index);
}

static void forwarding_is_known(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        bool is_elsewhere;
    } rows[] = {
        { "", false },
        { "bob@example.com", false },
        { "Bob@EXAMPLE.com", false },
        { "bob@inner.example.com", true },
        { "robert@example.com", true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct convert_report_recipient reported = { .address = (char *)(uintptr_t)rows[i].address };
        assert_int_equal(returns_match_is_elsewhere(&people[0], &reported), rows[i].is_elsewhere);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(reports_are_matched), cmocka_unit_test(forwarding_is_known) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
