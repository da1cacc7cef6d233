/* gateway_doctor_apart_test.c - what a process says that looks at peers for the doctor: findings of its own checks, and nothing else */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "base/clock.h"
#include "gateway/doctor_internal.h"

enum { PATIENCE_MS = 30 * 1000, OUT_FD = 3 };

static size_t find_check(const char *topic)
{
    for (size_t i = 0; i < doctor_check_count(); i++)
        if (strcmp(doctor_check_at(i)->topic, topic) == 0)
            return i;
    fail();
    return 0;
}

struct saying {
    const char *text;
    size_t len;
};

/* Taken over: it says this in place of what it should. */
static void say_raw(struct doctor *doctor, void *ctx)
{
    const struct saying *saying = ctx;
    (void)doctor;
    bool ok = write(OUT_FD, saying->text, saying->len) == (ssize_t)saying->len;
    _exit(ok ? 0 : 1);
}

static void say_well(struct doctor *doctor, void *ctx)
{
    (void)ctx;
    assert_non_null(doctor->loop);
    doctor_say(doctor, DOCTOR_WARNING, "it is %s", "late");
    doctor_advise(doctor, "wait");
    doctor_say(doctor, DOCTOR_OK, "all else is well");
}

static struct doctor *new_doctor(const char *topic)
{
    struct doctor *doctor = calloc(1, sizeof *doctor);
    assert_non_null(doctor);
    doctor->clock = clock_new_system();
    doctor->deadline = clock_monotonic_ms(doctor->clock) + PATIENCE_MS;
    doctor->check = doctor_check_at(find_check(topic));
    return doctor;
}

static void findings_are_taken_over(void **state)
{
    (void)state;
    struct doctor *doctor = new_doctor("silo");
    const struct doctor_check *check = doctor->check;
    doctor_apart(doctor, PATIENCE_MS, say_well, NULL);
    assert_null(doctor->loop);
    assert_ptr_equal(doctor->check, check);
    assert_int_equal(doctor->count, 2);
    assert_int_equal(doctor->findings[0].level, DOCTOR_WARNING);
    assert_string_equal(doctor->findings[0].what, "it is late");
    assert_string_equal(doctor->findings[0].advice, "wait");
    assert_string_equal(doctor->findings[0].topic, "silo");
    assert_int_equal(doctor->findings[1].level, DOCTOR_OK);
    assert_null(doctor->findings[1].advice);
    doctor_free(&doctor);
}

static void nothing_else_is_believed(void **state)
{
    (void)state;
    const char silo = (char)find_check("silo"), dns = (char)find_check("dns"), none = (char)doctor_check_count();
    const char wrong_topic[] = { dns, DOCTOR_OK, 'x', 0, 0 }, wrong_number[] = { none, DOCTOR_OK, 'x', 0, 0 },
               wrong_level[] = { silo, DOCTOR_FAILURE + 1, 'x', 0, 0 }, no_advice[] = { silo, DOCTOR_OK, 'x', 0 },
               no_end[] = { silo, DOCTOR_OK, 'x' }, short_one[] = { silo, DOCTOR_OK },
               half_good[] = { silo, DOCTOR_OK, 'x', 0, 0, silo };
    static char long_one[9000];
    memset(long_one, 'x', sizeof long_one);
    long_one[0] = silo;
    long_one[1] = DOCTOR_OK;
    long_one[sizeof long_one - 2] = long_one[sizeof long_one - 1] = 0;
    const struct {
        struct saying saying;
        size_t findings; /* the last one says that it was not looked at */
        bool is_taken;
    } cases[] = {
        { { wrong_topic, sizeof wrong_topic }, 1, false }, { { wrong_number, sizeof wrong_number }, 1, false },
        { { wrong_level, sizeof wrong_level }, 1, false }, { { no_advice, sizeof no_advice }, 1, false },
        { { no_end, sizeof no_end }, 1, false },           { { short_one, sizeof short_one }, 1, false },
        { { half_good, sizeof half_good }, 2, false },     { { "", 0 }, 1, false },
        { { long_one, sizeof long_one }, 1, true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct saying saying = cases[i].saying;
        struct doctor *doctor = new_doctor("silo");
        doctor_apart(doctor, PATIENCE_MS, say_raw, &saying);
        const struct doctor_finding *last = &doctor->findings[doctor->count - 1];
        if (doctor->count != cases[i].findings || (last->level == DOCTOR_OK) != cases[i].is_taken ||
            strcmp(last->topic, "silo") != 0 || strlen(last->what) >= 4000)
            fail_msg("case %zu: %zu findings, the last one: %s", i, doctor->count, last->what);
        doctor_free(&doctor);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(findings_are_taken_over),
        cmocka_unit_test(nothing_else_is_believed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
