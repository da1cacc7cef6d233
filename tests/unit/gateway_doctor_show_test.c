/* gateway_doctor_show_test.c - findings as people and programs see them */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "gateway/doctor.h"

enum { OUT_MAX = 10000 };

static char dns_what[] = "it says \x1b[31mred", advice[] = "add a record", fine[] = "all well",
            unseen[] = "not looked at";

static const struct doctor_finding findings[] = {
    { DOCTOR_OK, "mail", "relay", fine, NULL },
    { DOCTOR_WARNING, "mail", "listeners", fine, advice },
    { DOCTOR_UNSEEN, "dns", "resolver", unseen, NULL },
    { DOCTOR_FAILURE, "dns", "MX", dns_what, advice },
};

static void shows_a_line_each_by_topic(void **state)
{
    (void)state;
    struct strbuf out;
    strbuf_init(&out, OUT_MAX);
    doctor_show(findings, 4, false, false, &out);
    assert_string_equal(out.data, "mail\n"
                                  "  ok       relay         all well\n"
                                  "  warning  listeners     all well\n"
                                  "           -> add a record\n"
                                  "\n"
                                  "dns\n"
                                  "  unseen   resolver      not looked at\n"
                                  "  FAILURE  MX            it says ?[31mred\n" /* a stranger's escape does nothing */
                                  "           -> add a record\n"
                                  "\n"
                                  "1 failure, 1 warning, 1 ok, 1 not looked at\n");
    strbuf_clear(&out);
    doctor_show(findings, 1, false, true, &out);
    assert_null(strchr(out.data, '\x1b')); /* what is well needs no colour */
    strbuf_clear(&out);
    doctor_show(findings, 2, false, true, &out);
    assert_non_null(strstr(out.data, "\x1b[33mwarning\x1b[0m  listeners"));
    strbuf_free(&out);
}

static void writes_json_with_stable_keys(void **state)
{
    (void)state;
    struct strbuf out;
    strbuf_init(&out, OUT_MAX);
    doctor_show(findings, 2, true, true, &out);
    assert_string_equal(
        out.data, "{\"result\":\"warning\",\"failures\":0,\"warnings\":1,\"unseen\":0,\"checks\":["
                  "{\"topic\":\"mail\",\"check\":\"relay\",\"level\":\"ok\",\"what\":\"all well\",\"advice\":null},"
                  "{\"topic\":\"mail\",\"check\":\"listeners\",\"level\":\"warning\",\"what\":\"all well\","
                  "\"advice\":\"add a record\"}]}\n");
    strbuf_free(&out);
}

static void the_worst_decides(void **state)
{
    (void)state;
    assert_int_equal(doctor_result(findings, 0), DOCTOR_OK);
    assert_int_equal(doctor_result(findings, 1), DOCTOR_OK);
    assert_int_equal(doctor_result(findings, 3), DOCTOR_WARNING);
    assert_int_equal(doctor_result(findings, 4), DOCTOR_FAILURE);
    assert_int_equal(doctor_result(&findings[2], 1), DOCTOR_OK); /* what was not seen may be well */
}

static void topics_are_those_of_the_table(void **state)
{
    (void)state;
    assert_true(doctor_knows_topic("dns"));
    assert_false(doctor_knows_topic("MX"));
    const char *names = doctor_topics();
    char name[30];
    size_t count = 0;
    for (const char *at = names; *at; count++) {
        size_t len = strcspn(at, ",");
        assert_true(len < sizeof name);
        memcpy(name, at, len);
        name[len] = 0;
        assert_true(doctor_knows_topic(name));
        at += len + strspn(at + len, ", ");
    }
    assert_int_equal(count, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_a_line_each_by_topic),
        cmocka_unit_test(writes_json_with_stable_keys),
        cmocka_unit_test(the_worst_decides),
        cmocka_unit_test(topics_are_those_of_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
