/* Tests of silo_link on a fake clock: what it does while the database can't be read. */
#include "tests/unit/mapping_store_fixture.h"

#include "gateway/config.h"
#include "gateway/parts.h"
#include "gateway/silo_link.h"

enum { MINUTE = 60, LONGEST = 30, TRIES = 30 };
static char address[] = "=127.0.0.1:1", alias[] = "Gateway", domain[] = "silo.example.org";

static int setup(void **state)
{
    return store_fixture_setup_at(state, INT64_C(1795600000000));
}

static void count_client(struct tmtp_client *client, void *ctx)
{
    assert_non_null(client);
    ++*(unsigned *)ctx;
}

static void what_can_t_be_read_for_long_is_tried_less_often(void **state)
{
    static const struct silo_link_callbacks callbacks = { .on_client = count_client };
    struct store_fixture *fixture = *state;
    struct config config = { .domain = domain, .silo = { .address = address, .alias = alias } };
    const struct parts parts = {
        .loop = fixture->loop, .clock = fixture->clock, .store = fixture->store, .config = &config
    };
    unsigned clients = 0;
    struct silo_link *link = silo_link_new(&parts, &callbacks, &clients);
    store_fixture_change(fixture, "ALTER TABLE account RENAME TO away");
    silo_link_start(link);
    store_fixture_pass_seconds(fixture, 10 * MINUTE);
    assert_in_range(fixture->errors, 10 * MINUTE / LONGEST, TRIES);
    assert_int_equal(clients, 0);
    store_fixture_change(fixture, "ALTER TABLE away RENAME TO account");
    store_fixture_pass_seconds(fixture, LONGEST + 1);
    assert_int_equal(clients, 1);
    silo_link_free(&link);
    loop_turn(fixture->loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_can_t_be_read_for_long_is_tried_less_often, setup, store_fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
