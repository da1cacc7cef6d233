/* Tests of outbound on a fake clock: what it does while the database fails. */
#include "tests/unit/mapping_store_fixture.h"

#include "gateway/config.h"
#include "gateway/outbound.h"
#include "gateway/parts.h"
#include "gateway/signed_id.h"
#include "tmtp/tmtp_client.h"
#include "tmtp/tmtp_header.h"

enum { MINUTE = 60, LONGEST = 30, TRIES = 40 };
static const uint8_t secret[32] = { 7 };
static char domain[] = "silo.example.org", hostname[] = "gw.example.org", alias[] = "Gateway";

struct scene {
    struct store_fixture *fixture;
    struct config config;
    struct parts parts;
    struct tmtp_client *client;
    struct outbound *outbound;
};

static int setup(void **state)
{
    return store_fixture_setup_at(state, INT64_C(1795600000000));
}

static void ignore(void *ctx)
{
    (void)ctx;
}

static void ignore_member(const char *name, void *ctx)
{
    (void)name;
    (void)ctx;
}

static struct stream *refuse(const struct stream_settings *settings, void *ctx)
{
    (void)settings;
    (void)ctx;
    return NULL;
}

static void open_scene(struct scene *scene, void **state)
{
    static const struct outbound_callbacks callbacks = {
        .on_accepted = ignore, .on_notice = ignore, .on_mappings_changed = ignore, .on_unknown_member = ignore_member
    };
    static const struct tmtp_client_callbacks client_callbacks = { NULL };
    *scene = (struct scene){ .fixture = *state,
                             .config = { .domain = domain, .hostname = hostname, .silo = { .alias = alias } } };
    scene->parts = (struct parts){ .loop = scene->fixture->loop,
                                   .clock = scene->fixture->clock,
                                   .store = scene->fixture->store,
                                   .config = &scene->config,
                                   .ids = signed_id_new(secret, domain, hostname) };
    const struct tmtp_client_settings settings = { .loop = scene->fixture->loop,
                                                   .address = "=silo.example.org:443",
                                                   .uid = "uid-gateway",
                                                   .node = "node",
                                                   .callbacks = &client_callbacks,
                                                   .connect = refuse };
    scene->client = tmtp_client_new(&settings);
    scene->outbound = outbound_new(&scene->parts, &callbacks, NULL);
    outbound_set_client(scene->outbound, scene->client);
}

static void close_scene(struct scene *scene)
{
    store_fixture_wait_for_all(scene->fixture);
    outbound_free(&scene->outbound);
    tmtp_client_free(&scene->client);
    loop_turn(scene->fixture->loop);
    signed_id_free(&scene->parts.ids);
}

static void arrive(struct scene *scene, const char *id)
{
    char copy[17], from[] = "uid-alice";
    snprintf(copy, sizeof copy, "%s", id);
    const struct tmtp_push push = { .op = TMTP_PUSH_NOTIFY, .id = copy, .id_len = strlen(copy), .from = from };
    outbound_on_notify(scene->outbound, &push, "{}", 2);
}

static uint64_t count_decided(const struct scene *scene)
{
    struct outbound_statistics statistics;
    outbound_get_statistics(scene->outbound, &statistics);
    return statistics.accepted + statistics.ignored;
}

/* The silo keeps all behind it back. That it could not be stored is said once. */
static void what_can_t_be_stored_for_long_is_tried_less_often(void **state)
{
    struct scene scene;
    open_scene(&scene, state);
    store_fixture_change(scene.fixture, "ALTER TABLE seen_tmtp RENAME TO away");
    scene.fixture->counted = "event=message.not_stored ";
    arrive(&scene, "0000000000000001");
    store_fixture_pass_seconds(scene.fixture, 10 * MINUTE);
    assert_true(scene.fixture->errors >= 10 * MINUTE / LONGEST);
    assert_true(scene.fixture->errors < TRIES);
    assert_int_equal(scene.fixture->lines, 1);
    store_fixture_change(scene.fixture, "ALTER TABLE away RENAME TO seen_tmtp");
    store_fixture_pass_seconds(scene.fixture, LONGEST + 1);
    assert_int_equal(count_decided(&scene), 1);

    store_fixture_change(scene.fixture, "ALTER TABLE seen_tmtp RENAME TO away");
    arrive(&scene, "0000000000000002");
    store_fixture_pass_seconds(scene.fixture, 1);
    store_fixture_change(scene.fixture, "ALTER TABLE away RENAME TO seen_tmtp");
    store_fixture_pass_seconds(scene.fixture, 2); /* soon again */
    assert_int_equal(count_decided(&scene), 2);
    assert_int_equal(scene.fixture->lines, 2);
    close_scene(&scene);
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(what_can_t_be_stored_for_long_is_tried_less_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
