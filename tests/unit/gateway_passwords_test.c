#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/password.h"
#include "gateway/passwords.h"

enum { TURNS_MAX = 60 * 1000 };

struct scene {
    struct clock *clock;
    struct loop *loop;
    struct passwords *passwords;
    unsigned right, wrong, failed;
    char hash[PASSWORD_HASH_SIZE];
};

static int set_up(void **state)
{
    static struct scene scene;
    memset(&scene, 0, sizeof scene);
    scene.clock = clock_new_system();
    scene.loop = loop_new(scene.clock);
    scene.passwords = passwords_new(scene.loop);
    *state = &scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    passwords_free(&scene->passwords);
    loop_free(&scene->loop);
    clock_free(&scene->clock);
    return 0;
}

static void done(int result, const char *hash, void *ctx)
{
    struct scene *scene = ctx;
    *(result == 1 ? &scene->right : result == 0 ? &scene->wrong : &scene->failed) += 1;
    snprintf(scene->hash, sizeof scene->hash, "%s", hash ? hash : "");
}

static void wait_for(struct scene *scene, unsigned count)
{
    const struct timespec moment = { .tv_nsec = 1000000 };
    for (int i = 0; i < TURNS_MAX && scene->right + scene->wrong + scene->failed < count; i++) {
        loop_turn(scene->loop);
        nanosleep(&moment, NULL);
    }
    assert_int_equal(scene->right + scene->wrong + scene->failed, count);
}

static void made_and_compared(void **state)
{
    struct scene *scene = *state;
    char hash[PASSWORD_HASH_SIZE];
    assert_int_equal(passwords_make(scene->passwords, "correct horse battery", done, scene), 1);
    wait_for(scene, 1);
    assert_int_equal(scene->right, 1);
    memcpy(hash, scene->hash, sizeof hash);
    assert_int_equal(passwords_check(scene->passwords, PASSWORDS_OF_KNOWN, hash, "correct horse battery", done, scene),
                     1);
    wait_for(scene, 2);
    assert_int_equal(scene->right, 2);
    assert_string_equal(scene->hash, ""); /* it is as it should be */
    assert_int_equal(passwords_check(scene->passwords, PASSWORDS_OF_KNOWN, NULL, "correct horse battery", done, scene),
                     1); /* nobody's */
    wait_for(scene, 3);
    assert_int_equal(scene->wrong, 1);
    assert_string_equal(scene->hash, "");
}

/* A password that was stored in a cheaper way is stored anew when it is known. */
static void an_outdated_one_is_made_anew(void **state)
{
    struct scene *scene = *state;
    static const char cheap[] =
        "$argon2id$v=19$m=8,t=1,p=1$S4yZO2MYkHjnU0Owmy5CBg$XjgCYUBtwIoImrvT//2hV4EC/uau3DaXJnj8D6vHm7k";
    assert_int_equal(passwords_check(scene->passwords, PASSWORDS_OF_KNOWN, cheap, "something else", done, scene), 1);
    wait_for(scene, 1);
    assert_int_equal(scene->wrong, 1);
    assert_string_equal(scene->hash, "");
    assert_int_equal(passwords_check(scene->passwords, PASSWORDS_OF_KNOWN, cheap, "correct horse battery", done, scene),
                     1);
    wait_for(scene, 2);
    assert_int_equal(scene->right, 1);
    assert_false(password_is_outdated(scene->hash));
}

/* And whoever still waits at the end is told. */
static void only_a_few_wait(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < PASSWORDS_WAITING_MAX; i++)
        assert_int_equal(passwords_check(scene->passwords, PASSWORDS_OF_KNOWN, NULL, "x", done, scene), 1);
    assert_int_equal(passwords_check(scene->passwords, PASSWORDS_OF_KNOWN, NULL, "x", done, scene), 0);
    assert_int_equal(passwords_make(scene->passwords, "x", done, scene), 0);
    passwords_free(&scene->passwords);
    assert_int_equal(scene->failed, PASSWORDS_WAITING_MAX);
}

/* Of those who are sent away nothing is kept: strangers can be sent away for as long as they like (LeakSanitizer looks). */
static void who_is_sent_away_leaves_nothing(void **state)
{
    struct scene *scene = *state;
    static const char hash[] =
        "$argon2id$v=19$m=8,t=1,p=1$S4yZO2MYkHjnU0Owmy5CBg$XjgCYUBtwIoImrvT//2hV4EC/uau3DaXJnj8D6vHm7k";
    for (int i = 0; i < PASSWORDS_WAITING_MAX; i++)
        assert_int_equal(passwords_check(scene->passwords, PASSWORDS_OF_KNOWN, hash, "x", done, scene), 1);
    assert_int_equal(passwords_check(scene->passwords, PASSWORDS_OF_KNOWN, hash, "x", done, scene), 0);
    wait_for(scene, PASSWORDS_WAITING_MAX);
    assert_int_equal(scene->wrong, PASSWORDS_WAITING_MAX);
}

/* However many strangers sign in, who is known finds a place. */
static void strangers_leave_places_for_who_is_known(void **state)
{
    struct scene *scene = *state;
    for (int i = 0; i < PASSWORDS_STRANGERS_MAX; i++)
        assert_int_equal(passwords_check(scene->passwords, PASSWORDS_OF_STRANGER, NULL, "x", done, scene), 1);
    assert_int_equal(passwords_check(scene->passwords, PASSWORDS_OF_STRANGER, NULL, "x", done, scene), 0);
    assert_int_equal(passwords_check(scene->passwords, PASSWORDS_OF_KNOWN, NULL, "x", done, scene), 1);
    assert_int_equal(passwords_make(scene->passwords, "x", done, scene), 1);
    assert_int_equal(passwords_make(scene->passwords, "x", done, scene), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(made_and_compared),
        TEST(an_outdated_one_is_made_anew),
        TEST(only_a_few_wait),
        TEST(who_is_sent_away_leaves_nothing),
        TEST(strangers_leave_places_for_who_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
