/* Tests of limits: sessions never take the descriptors that the rest of the daemon needs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "gateway/config.h"
#include "gateway/limits.h"

static void test_sessions_fit(void **state)
{
    (void)state;
    struct config_listener listeners[] = { { .max_sessions = 1000 }, { .max_sessions = 100 } };
    struct config_relay relay = { .max_connections = 4 };
    struct config config = { .listeners = listeners, .listener_count = 2, .relays = &relay, .relay_count = 1 };
    int64_t needed = limits_open_files_needed(&config);
    assert_int_equal(needed, 2 * 1100 + 4 * 4 + 176);
    config.postfix.socketmap = config.postfix.policy = (char *)(uintptr_t) "127.0.0.1:1";
    assert_int_equal(limits_open_files_needed(&config), needed + 2 * 500);
    config.postfix.socketmap = config.postfix.policy = NULL;
    assert_int_equal(limits_fit_sessions(&config, 1000, INT64_MAX), 1000);
    assert_int_equal(limits_fit_sessions(&config, 1000, needed), 1000);
    assert_int_equal(limits_fit_sessions(&config, 1000, needed - 1), 999);
    assert_int_equal(limits_fit_sessions(&config, 1000, 1024), 378);
    assert_int_equal(limits_fit_sessions(&config, 100, 1024), 37);
    assert_int_equal(limits_fit_sessions(&config, 1000, 64), 1);
}

static void test_every_limit_leaves_room(void **state)
{
    (void)state;
    struct config_listener listeners[] = { { .max_sessions = 100000 },
                                           { .max_sessions = 7 },
                                           { .max_sessions = 1000 } };
    struct config_relay relays[] = { { .max_connections = 15 }, { .max_connections = 5 } };
    struct config config = { .listeners = listeners, .listener_count = 3, .relays = relays, .relay_count = 2 };
    for (int64_t open_files = 300; open_files < 300000; open_files += 97) {
        int64_t used = 0;
        for (size_t i = 0; i < 3; i++)
            used += 2 * limits_fit_sessions(&config, listeners[i].max_sessions, open_files);
        assert_true(used + 4 * 20 + 176 <= open_files + 2 * 2); /* the smaller two get one session in any case */
    }
}

static void test_raises(void **state)
{
    (void)state;
    struct rlimit before, after;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit low = { .rlim_cur = 64, .rlim_max = before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    assert_true(limits_raise_open_files() >= 64);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &after), 0);
    assert_int_equal(after.rlim_cur, before.rlim_max);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void test_spool(void **state)
{
    (void)state;
    struct config config = { .policy.max_message = INT64_C(35) << 20 };
    assert_int_equal(limits_spool_max(&config), INT64_C(1) << 30);
    config.policy.max_message = INT64_C(900) << 20;
    assert_int_equal(limits_spool_max(&config), INT64_C(3600) << 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sessions_fit),
        cmocka_unit_test(test_every_limit_leaves_room),
        cmocka_unit_test(test_raises),
        cmocka_unit_test(test_spool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
