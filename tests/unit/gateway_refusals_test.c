/* What is turned away is noted, and nobody can make that cost more than it may. */
#include "tests/unit/mapping_store_fixture.h"

#include "gateway/config.h"
#include "gateway/parts.h"
#include "gateway/refusals.h"
#include "smtp/smtp_origin.h"
#include "smtp/smtp_server.h"

struct scene {
    struct store_fixture *fixture;
    struct clock *clock;
    struct loop *loop;
    struct config config;
    struct config_listener listeners[2];
    struct parts parts;
    struct refusals *refusals;
};

static void set_up(struct scene *scene, struct store_fixture *fixture)
{
    static char smtp[] = "smtp", lmtp[] = "lmtp";
    *scene = (struct scene){ .fixture = fixture };
    scene->listeners[0].name = smtp;
    scene->listeners[1].name = lmtp;
    scene->listeners[1].lmtp = true;
    scene->config.listeners = scene->listeners;
    scene->config.listener_count = 2;
    scene->clock = clock_new_fake(1000, INT64_C(1764158400000));
    scene->loop = loop_new(scene->clock);
    scene->parts =
        (struct parts){ .loop = scene->loop, .clock = scene->clock, .config = &scene->config, .store = fixture->store };
    scene->refusals = refusals_new(&scene->parts);
}

static void store_all(struct scene *scene)
{
    refusals_flush(scene->refusals);
    store_fixture_wait_for_all(scene->fixture);
}

static void tear_down(struct scene *scene)
{
    refusals_free(&scene->refusals);
    loop_free(&scene->loop);
    clock_free(&scene->clock);
}

static void note(struct scene *scene, const char *listener, const char *client, const char *session, const char *sender)
{
    char address[60];
    snprintf(address, sizeof address, "%.*s", (int)strcspn(client, "#"), client);
    const struct smtp_session_facts facts = { .listener = listener,
                                              .session_id = session,
                                              .peer = client,
                                              .client = client,
                                              .client_address = address,
                                              .protocol = "ESMTP" };
    const struct store_refusal refusal = {
        .place = "recipient", .sender = sender, .recipient = "alice@silo.example", .code = 550, .reply = "550 5.7.1 no"
    };
    refusals_note(scene->refusals, &facts, NULL, &refusal);
}

static int64_t count(struct scene *scene, const char *session)
{
    int64_t result;
    assert_int_equal(store_fetch_int(store_reader(scene->fixture->store),
                                     "SELECT count(*) FROM refusal WHERE session = ?", STORE_VALUES(bind_text(session)),
                                     &result),
                     1);
    return result;
}

static void expect_via(const struct store_refusal *refusal, void *ctx)
{
    assert_string_equal(refusal->via, ctx);
}

static void test_they_are_stored_together_and_a_little_later(void **state)
{
    struct scene scene;
    set_up(&scene, *state);
    struct store_statistics before, after;
    store_get_statistics(scene.fixture->store, &before);
    note(&scene, "smtp", "192.0.2.1", "s-1", "eve@example.net");
    note(&scene, "smtp", "198.51.100.1", "s-2", "bob@example.com");
    loop_turn(scene.loop);
    assert_int_equal(store_pending(scene.fixture->store), 0);
    clock_advance(scene.clock, 100);
    loop_turn(scene.loop);
    assert_int_equal(store_pending(scene.fixture->store), 1);
    store_fixture_wait_for_all(scene.fixture);
    store_get_statistics(scene.fixture->store, &after);
    assert_int_equal(after.operations - before.operations, 1);
    static char via[] = "from 192.0.2.1 (-) by listener smtp with ESMTP";
    assert_int_equal(store_refusal_list_of_session(store_reader(scene.fixture->store), "s-1", 10, expect_via, via), 1);
    assert_int_equal(count(&scene, "s-1"), 1);
    assert_int_equal(count(&scene, "s-2"), 1);
    note(&scene, "smtp", "198.51.100.1", "s-3", "bob@example.com"); /* and the next ones */
    clock_advance(scene.clock, 100);
    loop_turn(scene.loop);
    store_fixture_wait_for_all(scene.fixture);
    assert_int_equal(count(&scene, "s-3"), 1);
    tear_down(&scene);
}

/* A flood of one leaves room for another, and what is left out is counted. */
static void test_a_flood_leaves_room_for_others(void **state)
{
    struct scene scene;
    char sender[40];
    set_up(&scene, *state);
    for (int i = 0; i < 1000; i++) {
        snprintf(sender, sizeof sender, "eve%d@example.net", i);
        note(&scene, "smtp", i % 2 ? "192.0.2.1" : "192.0.2.77", "flood", sender); /* one network */
    }
    note(&scene, "smtp", "198.51.100.1", "bob", "bob@example.com");
    store_all(&scene);
    assert_int_equal(count(&scene, "flood"), 64);
    assert_int_equal(count(&scene, "bob"), 1);
    assert_int_equal(refusals_left_out(scene.refusals), 936);
    for (int i = 0; i < 1000; i++) { /* of many networks, as many as fit */
        char client[20];
        snprintf(client, sizeof client, "10.1.%d.1", i % 256);
        note(&scene, "smtp", client, "crowd", "eve@example.net");
    }
    store_all(&scene);
    assert_true(count(&scene, "crowd") <= 256);
    assert_true(refusals_left_out(scene.refusals) > 936);
    tear_down(&scene);
}

static void expect_owner(struct scene *scene, const char *session, const char *owner)
{
    int64_t result;
    assert_int_equal(store_fetch_int(store_reader(scene->fixture->store),
                                     "SELECT count(*) FROM refusal WHERE session = ? AND owner = ?",
                                     STORE_VALUES(bind_text(session), bind_text(owner)), &result),
                     1);
    assert_int_equal(result, 1);
}

/* Whose share it counts in: a mail server of ours, which brings everybody's mail, is nobody. */
static void test_the_owner_is_who_is_behind_it(void **state)
{
    struct scene scene;
    set_up(&scene, *state);
    note(&scene, "smtp", "192.0.2.77", "v4", "eve@example.net");
    note(&scene, "smtp", "2001:db8:1:2:3::4", "v6", "eve@example.net");
    note(&scene, "smtp", "127.0.0.1", "local", "eve@example.net");
    note(&scene, "lmtp", "192.0.2.77", "upstream", "eve@example.net");
    note(&scene, "lmtp", "unix", "socket", "<>");
    const struct smtp_origin origin = { .address = "203.0.113.9" };
    const struct smtp_session_facts told = { .listener = "lmtp",
                                             .session_id = "told",
                                             .peer = "unix",
                                             .client = "unix",
                                             .client_address = "unix",
                                             .protocol = "LMTP",
                                             .origin = &origin };
    const struct store_refusal refusal = { .place = "message", .sender = "eve@example.net" };
    refusals_note(scene.refusals, &told, NULL, &refusal);
    refusals_note_asked(scene.refusals, "203.0.113.9", &refusal);
    refusals_note(NULL, &told, NULL, &refusal); /* nobody wants to know */
    store_all(&scene);
    expect_owner(&scene, "v4", "192.0.2.0/24");
    expect_owner(&scene, "v6", "2001:db8:1:2::/64");
    expect_owner(&scene, "local", "domain example.net");
    expect_owner(&scene, "upstream", "domain example.net");
    expect_owner(&scene, "socket", "domain -");
    expect_owner(&scene, "told", "203.0.113.0/24");
    expect_owner(&scene, "", "203.0.113.0/24");
    tear_down(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)
        TEST(test_they_are_stored_together_and_a_little_later),
        TEST(test_a_flood_leaves_room_for_others),
        TEST(test_the_owner_is_who_is_behind_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
