/* Tests of a version that the log has and the database does not: whoever has written it was killed. */
#include "tests/unit/mapping_store_fixture.h"

#include <signal.h>
#include <sys/wait.h>

/* Says in the log what the version is, and is killed. */
static void write_and_be_killed(struct store_fixture *fixture, const char *sql)
{
    store_close(&fixture->store);
    pid_t child = fork();
    if (child == 0) {
        fixture->loop = loop_new(fixture->clock);
        store_fixture_open(fixture);
        struct store_db *db = store_fixture_borrow(fixture);
        sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
        store_fixture_return(fixture, 1);
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
}

/* Twice: the first refusal must not have written anything that lets it in. */
static void assert_refused(struct store_fixture *fixture, const char *wanted)
{
    for (int i = 0; i < 2; i++) {
        char *error = NULL;
        fixture->store = store_open(fixture->loop, fixture->path, &error);
        assert_null(fixture->store);
        assert_non_null(strstr(error, wanted));
        free(error);
    }
}

/* There is no migration from it. */
static void negative_version_in_the_log_is_refused(void **state)
{
    write_and_be_killed(*state, "PRAGMA user_version = -7");
    assert_refused(*state, "postern.db is damaged: its version is -7");
}

static void the_version_that_there_is_comes_back(void **state)
{
    struct store_fixture *fixture = *state;
    write_and_be_killed(fixture, "PRAGMA user_version = 1");
    store_fixture_open(fixture);
    assert_non_null(fixture->store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(negative_version_in_the_log_is_refused, store_fixture_setup,
                                        store_fixture_teardown),
        cmocka_unit_test_setup_teardown(the_version_that_there_is_comes_back, store_fixture_setup,
                                        store_fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
