#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/fair_turns.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/xmalloc.h"

/* Pieces of a fake clock, and a transcript of those that ran. */
struct fixture {
    struct clock *clock;
    struct loop *loop;
    struct fair_turns *turns;
    char transcript[100];
    int64_t takes_ms; /* each piece */
};

struct named {
    struct fixture *fixture;
    char name;
};

static struct named names[26];

static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    log_set_level(LOG_LEVEL_ERROR);
    f->clock = clock_new_fake(1000, 0);
    f->loop = loop_new(f->clock);
    f->turns = fair_turns_new(f->loop);
    for (size_t i = 0; i < 26; i++)
        names[i] = (struct named){ f, (char)('a' + i) };
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    fair_turns_free(&f->turns);
    loop_free(&f->loop);
    clock_free(&f->clock);
    free(f);
    return 0;
}

static void note(void *arg)
{
    const struct named *named = arg;
    struct fixture *f = named->fixture;
    size_t len = strlen(f->transcript);
    assert_true(len + 1 < sizeof f->transcript);
    f->transcript[len] = named->name;
    clock_advance(f->clock, f->takes_ms);
}

static void add(struct fixture *f, const char *owner, const char *pieces)
{
    for (; *pieces; pieces++)
        fair_turns_add(f->turns, owner, note, &names[*pieces - 'a']);
}

static void begin(struct fixture *f, const char *owner, const char *pieces)
{
    for (; *pieces; pieces++)
        fair_turns_begin(f->turns, owner, note, &names[*pieces - 'a']);
}

static void turn(struct fixture *f, int count)
{
    while (count-- > 0)
        loop_turn(f->loop);
}

static void a_turn_does_one_piece(void **state)
{
    struct fixture *f = *state;
    add(f, "one", "abc");
    assert_string_equal(f->transcript, "");
    assert_int_equal(fair_turns_waiting(f->turns), 3);
    for (int i = 1; i <= 3; i++) {
        turn(f, 1);
        assert_int_equal(strlen(f->transcript), i);
    }
    turn(f, 3);
    assert_string_equal(f->transcript, "abc");
    assert_int_equal(fair_turns_waiting(f->turns), 0);
    add(f, "one", "d");
    turn(f, 1);
    assert_string_equal(f->transcript, "abcd");
}

static void owners_are_served_in_turn(void **state)
{
    struct fixture *f = *state;
    add(f, "one", "abcde");
    add(f, "two", "xy");
    add(f, "three", "z");
    turn(f, 2);
    add(f, "four", "w");
    turn(f, 20);
    assert_string_equal(f->transcript, "axzbywcde");
}

static void the_loop_is_left_to_others_for_as_long(void **state)
{
    struct fixture *f = *state;
    f->takes_ms = 40;
    add(f, "one", "abc");
    turn(f, 5);
    assert_string_equal(f->transcript, "a");
    clock_advance(f->clock, 39);
    turn(f, 5);
    assert_string_equal(f->transcript, "a");
    f->takes_ms = 5000;
    clock_advance(f->clock, 1);
    turn(f, 5);
    assert_string_equal(f->transcript, "ab");
    clock_advance(f->clock, FAIR_TURNS_PAUSE_MS);
    turn(f, 5);
    assert_string_equal(f->transcript, "abc");
}

static void few_of_an_owner_are_open(void **state)
{
    struct fixture *f = *state;
    begin(f, "one", "abcdef");
    begin(f, "two", "x");
    turn(f, 20);
    assert_string_equal(f->transcript, "axbcd");
    add(f, "one", "m"); /* what was begun goes on */
    turn(f, 5);
    assert_string_equal(f->transcript, "axbcdm");
    fair_turns_end(f->turns, "one");
    turn(f, 5);
    assert_string_equal(f->transcript, "axbcdme");
    fair_turns_end(f->turns, "two");
    fair_turns_end(f->turns, "one");
    turn(f, 5);
    assert_string_equal(f->transcript, "axbcdmef");
}

static void what_waits_at_the_end_is_done(void **state)
{
    struct fixture *f = *state;
    begin(f, "one", "abcdef");
    add(f, "two", "x");
    turn(f, 20);
    assert_string_equal(f->transcript, "axbcd");
    add(f, "two", "y");
    fair_turns_free(&f->turns);
    assert_string_equal(f->transcript, "axbcdeyf");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_turn_does_one_piece, set_up, tear_down),
        cmocka_unit_test_setup_teardown(owners_are_served_in_turn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_loop_is_left_to_others_for_as_long, set_up, tear_down),
        cmocka_unit_test_setup_teardown(few_of_an_owner_are_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_waits_at_the_end_is_done, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
