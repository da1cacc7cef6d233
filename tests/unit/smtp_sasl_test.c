/* Tests of smtp_sasl that need no relay: words, threads, ends. Whole exchanges are in tests/dialogue/smtp_client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/background.h"
#include "base/clock.h"
#include "base/loop.h"
#include "base/xmalloc.h"
#include "smtp/smtp_sasl.h"

enum { SCRAM = 1 << SMTP_SASL_SCRAM_SHA_256, PLAIN = 1 << SMTP_SASL_PLAIN, LOGIN = 1 << SMTP_SASL_LOGIN };

static const struct {
    const char *list;
    unsigned known;
} list_cases[] = {
    { "", 0 },
    { "PLAIN", PLAIN },
    { "login plain", LOGIN | PLAIN },
    { "SCRAM-SHA-1 SCRAM-SHA-256-PLUS", 0 },
    { "GSSAPI  scram-sha-256 XOAUTH2", SCRAM },
    { "PLAIN-CLIENTTOKEN LOGINS", 0 },
};

static void knows_mechanisms(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof list_cases / sizeof list_cases[0]; i++)
        assert_int_equal(smtp_sasl_known(list_cases[i].list, strlen(list_cases[i].list)), list_cases[i].known);
    assert_int_equal(smtp_sasl_known("PLAIN LOGIN", 5), PLAIN); /* not beyond its end */
}

struct scene {
    struct clock *clock;
    struct loop *loop;
    struct background *background;
    struct smtp_sasl *sasl;
    unsigned answers;
    char *response;
};

static void on_response(const char *response, void *ctx)
{
    struct scene *scene = ctx;
    scene->answers++;
    free(scene->response);
    scene->response = response == NULL ? NULL : xstrdup(response);
}

static int setup(void **state)
{
    static struct scene scene;
    memset(&scene, 0, sizeof scene);
    scene.clock = clock_new_system();
    scene.loop = loop_new(scene.clock);
    scene.background = background_new(scene.loop);
    *state = &scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;
    smtp_sasl_free(&scene->sasl);
    background_free(&scene->background);
    loop_free(&scene->loop);
    clock_free(&scene->clock);
    free(scene->response);
    return 0;
}

static void begin(struct scene *scene, enum smtp_sasl_mechanism mechanism)
{
    scene->sasl = smtp_sasl_new(scene->loop, scene->background, mechanism, "alice", "open sesame", on_response, scene);
}

static void step(struct scene *scene, const char *challenge)
{
    unsigned before = scene->answers;
    smtp_sasl_step(scene->sasl, challenge);
    assert_int_equal(scene->answers, before); /* never from inside the call */
    assert_false(smtp_sasl_is_complete(scene->sasl));
    while (scene->answers == before)
        loop_turn(scene->loop);
}

static void plain_is_one_word(void **state)
{
    struct scene *scene = *state;
    begin(scene, SMTP_SASL_PLAIN);
    assert_true(smtp_sasl_speaks_first(scene->sasl));
    step(scene, "");
    assert_string_equal(scene->response, "AGFsaWNlAG9wZW4gc2VzYW1l");
    assert_true(smtp_sasl_is_complete(scene->sasl));
    step(scene, ""); /* there is nothing more to say */
    assert_null(scene->response);
}

static void login_answers_twice(void **state)
{
    struct scene *scene = *state;
    begin(scene, SMTP_SASL_LOGIN);
    assert_false(smtp_sasl_speaks_first(scene->sasl));
    step(scene, "VXNlcm5hbWU6");
    assert_string_equal(scene->response, "YWxpY2U=");
    assert_false(smtp_sasl_is_complete(scene->sasl));
    step(scene, "UGFzc3dvcmQ6");
    assert_string_equal(scene->response, "b3BlbiBzZXNhbWU=");
    assert_true(smtp_sasl_is_complete(scene->sasl));
}

/* On the helper thread; what is no challenge fails. */
static void scram_works_elsewhere(void **state)
{
    struct scene *scene = *state;
    begin(scene, SMTP_SASL_SCRAM_SHA_256);
    assert_true(smtp_sasl_speaks_first(scene->sasl));
    step(scene, "");
    assert_memory_equal(scene->response, "biwsbj1hbGljZSxyP", 17); /* n,,n=alice,r= */
    step(scene, "cj1hYmMscz1hYmMsaT00MDk2");                       /* a nonce that does not begin with ours */
    assert_null(scene->response);
    assert_false(smtp_sasl_is_complete(scene->sasl));
}

static void freed_under_way(void **state)
{
    struct scene *scene = *state;
    begin(scene, SMTP_SASL_SCRAM_SHA_256);
    smtp_sasl_step(scene->sasl, "");
    smtp_sasl_free(&scene->sasl);
    for (int i = 0; i < 100; i++)
        loop_turn(scene->loop);
    assert_int_equal(scene->answers, 0);
}

static void outlives_the_background(void **state)
{
    struct scene *scene = *state;
    begin(scene, SMTP_SASL_SCRAM_SHA_256);
    smtp_sasl_step(scene->sasl, "");
    background_free(&scene->background);
    loop_turn(scene->loop);
    assert_int_equal(scene->answers, 0);
    assert_false(smtp_sasl_is_complete(scene->sasl));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_mechanisms),
        cmocka_unit_test_setup_teardown(plain_is_one_word, setup, teardown),
        cmocka_unit_test_setup_teardown(login_answers_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(scram_works_elsewhere, setup, teardown),
        cmocka_unit_test_setup_teardown(freed_under_way, setup, teardown),
        cmocka_unit_test_setup_teardown(outlives_the_background, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
