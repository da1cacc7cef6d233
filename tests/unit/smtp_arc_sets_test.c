/* smtp_arc_sets_test.c - whose sets stand in a header, and which of them are believed */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "smtp/arc_sets.h"
#include "smtp/mail_header.h"

#define SEAL(i, d)       "ARC-Seal: i=" #i "; a=rsa-sha256; cv=" CV_##i ";\r\n d=" d "; s=s; b=abcd\r\n"
#define CV_0             "none"
#define CV_1             "none"
#define CV_01            "none"
#define CV_2             "pass"
#define CV_02            "pass"
#define CV_99999999999   "pass"
#define RESULTS(i, text) "ARC-Authentication-Results: i=" #i "; " text "\r\n"

static void test_sets(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t count;
        const char *newest;
    } rows[] = {
        { SEAL(1, "a.example") RESULTS(1, "a.example; none"), 1, "a.example" },
        { SEAL(2, "B.Example") RESULTS(2, "x; none") SEAL(1, "a.example") RESULTS(1, "x; none"), 2, "b.example" },
        { RESULTS(1, "x; none") SEAL(2, "b.example") SEAL(1, "a.example") RESULTS(2, "x; none"), 2, "b.example" },
        { "arc-seal: d=a.example; cv=none; i=1\r\narc-authentication-results: i = 1 ; x\r\n", 1, "a.example" },
        /* none, or not whole */
        { "Subject: x\r\n", 0, NULL },
        { SEAL(1, "a.example"), 0, NULL },
        { RESULTS(1, "x; none"), 0, NULL },
        { SEAL(2, "a.example") RESULTS(2, "x; none"), 0, NULL },
        { SEAL(0, "a.example") RESULTS(0, "x; none"), 0, NULL },
        { SEAL(1, "a.example") SEAL(1, "b.example") RESULTS(1, "x; none") RESULTS(2, "x; none"), 0, NULL },
        { SEAL(1, "a.example") SEAL(2, "b.example") RESULTS(1, "x; none") RESULTS(1, "x; none"), 0, NULL },
        { SEAL(1, "a.example") SEAL(2, "b.example") RESULTS(1, "x; none"), 0, NULL },
        { SEAL(1, "a example") RESULTS(1, "x; none"), 0, NULL },
        { SEAL(1, "") RESULTS(1, "x; none"), 0, NULL },
        { SEAL(01, "a.example") RESULTS(1, "x; none"), 0, NULL },
        { SEAL(1, "a.example") RESULTS(01, "x; none"), 0, NULL },
        { "ARC-Seal: i=1; cv=pass; d=a.example\r\n" RESULTS(1, "x; none"), 0, NULL },
        { "ARC-Seal: i=1; d=a.example\r\n" RESULTS(1, "x; none"), 0, NULL },
        { SEAL(1, "a.example") RESULTS(1, "x; none") "ARC-Seal: i=2; cv=fail; d=b.example\r\n" RESULTS(2, "x; none"), 0,
          NULL },
        /* what a program that verifies may not have taken for a field of the chain */
        { SEAL(1, "evil.example") RESULTS(1, "x; none") "ARC-Seal : i=2; cv=pass; d=list.example\r\n"
                                                        "ARC-Authentication-Results : i=2; x; none\r\n",
          0, NULL },
        { SEAL(1, "evil.example") RESULTS(1, "x; none") SEAL(02, "list.example") RESULTS(02, "x; none"), 0, NULL },
        { "ARC-Seal: i=1; a\r\n" RESULTS(1, "x; none"), 0, NULL },
        { SEAL(1, "a.example") "ARC-Authentication-Results: x; none\r\n", 0, NULL },
        { SEAL(1, "a.example") "ARC-Authentication-Results: i=1 x\r\n", 0, NULL },
        { SEAL(99999999999, "a.example") RESULTS(99999999999, "x; none"), 0, NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct mail_header_facts facts;
        struct arc_set sets[ARC_SETS_MAX];
        mail_header_scan(rows[i].header, strlen(rows[i].header), &facts);
        size_t count = arc_sets_read(&facts, sets);
        if (count != rows[i].count || (count && strcmp(sets[count - 1].sealer, rows[i].newest) != 0))
            fail_msg("row %zu: %zu sets", i, count);
        mail_header_facts_free(&facts);
    }
}

static void test_more_sets_than_there_may_be(void **state)
{
    (void)state;
    char header[20000] = "";
    for (int i = 1; i <= ARC_SETS_MAX + 1; i++) {
        size_t len = strlen(header);
        snprintf(header + len, sizeof header - len,
                 "ARC-Seal: i=%d; cv=%s; d=a.example\r\nARC-Authentication-Results: i=%d; x; none\r\n", i,
                 i == 1 ? "none" : "pass", i);
        struct mail_header_facts facts;
        struct arc_set sets[ARC_SETS_MAX];
        mail_header_scan(header, strlen(header), &facts);
        /* the 51st is not read, and what is read is whole: whoever verified the chain has refused it */
        assert_int_equal(arc_sets_read(&facts, sets), i < ARC_SETS_MAX ? i : ARC_SETS_MAX);
        mail_header_facts_free(&facts);
    }
}

/* Each set is as good as all that came after it. */
static void test_trust(void **state)
{
    (void)state;
    static const char *const trusted[] = { "list.example", "hub.example" };
    static const struct {
        const char *sealers[3]; /* oldest first */
        int oldest;             /* that is believed; -1 none */
    } rows[] = {
        { { "list.example" }, 0 },
        { { "evil.example" }, -1 },
        { { "evil.example", "list.example" }, 1 },
        { { "list.example", "evil.example" }, -1 },
        { { "list.example", "evil.example", "list.example" }, 2 },
        { { "evil.example", "list.example", "hub.example" }, 1 },
        { { "hub.example", "list.example", "hub.example" }, 0 },
        { { "sub.list.example" }, -1 },
        { { NULL }, -1 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct arc_set sets[3];
        size_t count = 0;
        for (; count < 3 && rows[i].sealers[count]; count++)
            snprintf(sets[count].sealer, sizeof sets[count].sealer, "%s", rows[i].sealers[count]);
        const struct arc_set *oldest = arc_sets_find_trusted(sets, count, trusted, 2);
        assert_int_equal(oldest ? (int)(oldest - sets) : -1, rows[i].oldest);
        assert_null(arc_sets_find_trusted(sets, count, NULL, 0));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sets),
        cmocka_unit_test(test_more_sets_than_there_may_be),
        cmocka_unit_test(test_trust),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
