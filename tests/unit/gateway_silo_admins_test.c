/* Tests of silo_admins on a fake clock. */
#include "tests/unit/mapping_store_fixture.h"

#include "gateway/config.h"
#include "gateway/mapping_change.h"
#include "gateway/parts.h"
#include "gateway/silo_admins.h"
#include "mapping/store_admin.h"
#include "mapping/store_content.h"
#include "mapping/store_identity.h"
#include "mapping/store_member.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND };
static const int64_t start = INT64_C(1795600000000);
static char ada[] = "Ada Admin", ada_again[] = "Ada Again", ole[] = "Ole Outside", gateway_alias[] = "Email Gateway";
static char *aliases[] = { ada, ada_again, ole, NULL };

struct scene {
    struct store_fixture *fixture;
    struct config config;
    struct parts parts;
    struct store_target alice;
    int told;
};

/* Where an assertion has failed the teardown frees it; so what it uses, the scenes, must outlive the tests. */
static struct silo_admins *admins;

static int setup(void **state)
{
    return store_fixture_setup_at(state, start);
}

static int teardown(void **state)
{
    struct store_fixture *fixture = *state;
    if (fixture->borrowed)
        store_fixture_release(fixture, -1);
    store_fixture_wait_for_all(fixture);
    silo_admins_free(&admins);
    return store_fixture_teardown(state);
}

static void count(void *ctx)
{
    ++*(int *)ctx;
}

static void know(struct store_db *db, const char *alias, const char *uid)
{
    assert_int_equal(store_identity_learn(db, alias, uid, STORE_IDENTITY_PING, start), STORE_IDENTITY_AGREES);
}

/* Ada, who is a member under one of her aliases, is known; Ole is not. */
static void open_scene(struct scene *scene, void **state)
{
    const char *reason;
    int64_t id;
    *scene = (struct scene){ .fixture = *state };
    scene->config.policy.admins = aliases;
    scene->config.silo.alias = gateway_alias;
    scene->parts = (struct parts){ .loop = scene->fixture->loop,
                                   .clock = scene->fixture->clock,
                                   .store = scene->fixture->store,
                                   .config = &scene->config };
    struct store_db *db = store_fixture_borrow(scene->fixture);
    assert_int_equal(store_member_add(db, "Alice", NULL, start, &scene->alice.member_id, &reason), 1);
    assert_int_equal(store_member_add(db, ada, NULL, start, &id, &reason), 1);
    assert_int_equal(store_member_learn_uid(db, ada, "UIDADA"), 1);
    know(db, ada_again, "UIDADA");
    assert_int_equal(store_fixture_return(scene->fixture, 1), 1);
}

static void run(struct scene *scene)
{
    admins = silo_admins_new(&scene->parts, count, &scene->told);
}

static void end(struct scene *scene)
{
    store_fixture_wait_for_all(scene->fixture);
    silo_admins_free(&admins);
}

static void settle(struct scene *scene)
{
    for (int i = 0; i < 5; i++) {
        loop_turn(scene->fixture->loop);
        store_fixture_wait_for_all(scene->fixture);
    }
}

static void advance(struct scene *scene, int64_t ms)
{
    clock_advance(scene->fixture->clock, ms);
    settle(scene);
}

static int64_t request(struct scene *scene, struct store_db *db, const char *address)
{
    struct subject subject;
    const char *wrong;
    struct store_actor actor = { .channel = "silo", .name = "Alice", .uid = "UIDALICE" };
    struct mapping_change change = { .actor = &actor, .reason = "", .now = clock_wall_ms(scene->fixture->clock) };
    struct mapping_result result;
    assert_int_equal(subject_parse(address, SMTP_CASE_FOLDED, &subject, &wrong), 1);
    struct mapping_wish wish = { .subject = &subject, .target = scene->alice };
    assert_int_equal(mapping_change_request(db, &change, &wish, &result), 1);
    int64_t id = result.mapping.id;
    mapping_result_clear(&result);
    return id;
}

static int64_t ask(struct scene *scene, const char *address)
{
    int64_t id = request(scene, store_fixture_borrow(scene->fixture), address);
    assert_int_equal(store_fixture_return(scene->fixture, 1), 1);
    return id;
}

static void change(struct scene *scene, const char *channel, int64_t id, enum mapping_act act, const char *why)
{
    struct store_actor actor = { .channel = channel, .name = "somebody" };
    struct mapping_change change = { .actor = &actor, .reason = why, .now = clock_wall_ms(scene->fixture->clock) };
    struct mapping_result result;
    struct store_db *db = store_fixture_borrow(scene->fixture);
    assert_int_equal(mapping_change_state(db, &change, id, act, NULL, &result), 1);
    mapping_result_clear(&result);
    assert_int_equal(store_fixture_return(scene->fixture, 1), 1);
}

/* There are so many notices; the newest is to this account and says this. */
static void assert_notices(struct scene *scene, int64_t wanted, const char *uid, const char *part)
{
    struct store_db *db = store_reader(scene->fixture->store);
    struct store_inbound row;
    static char text[70000];
    int64_t id, size;
    int fd;
    assert_int_equal(store_fetch_int(db, "SELECT count(*) FROM inbound", NULL, &id), 1);
    assert_int_equal(id, wanted);
    if (!uid)
        return;
    assert_int_equal(store_inbound_find(db, id, &row), 1);
    assert_string_equal(row.recipients[0].uid, uid);
    assert_int_equal(store_content_open(db, row.content_id, &fd, &size), 1);
    assert_int_equal(pread(fd, text, sizeof text - 1, 0), size);
    text[size] = 0;
    close(fd);
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in:\n%s", part, text);
    store_inbound_free(&row);
}

static void requests_are_told_at_once_then_together(void **state)
{
    static struct scene scene;
    open_scene(&scene, state);
    run(&scene);
    advance(&scene, 15 * SECOND);
    assert_notices(&scene, 0, NULL, NULL);
    ask(&scene, "a@example.com");
    silo_admins_poke(admins);
    settle(&scene);
    assert_notices(&scene, 1, "UIDADA", "1: a@example.com for Alice, requested"); /* once, though she has two aliases */
    ask(&scene, "b@example.com");
    int64_t decided = ask(&scene, "c@example.com");
    ask(&scene, "d@example.com");
    change(&scene, "cli", decided, MAPPING_DENY, "");
    silo_admins_poke(admins);
    advance(&scene, 9 * MINUTE);
    assert_notices(&scene, 1, NULL, NULL);
    advance(&scene, MINUTE); /* by itself */
    assert_notices(&scene, 2, "UIDADA", "2: b@example.com for Alice, requested");
    assert_notices(&scene, 2, "UIDADA", "4: d@example.com for Alice, requested");
    assert_notices(&scene, 2, "UIDADA", "`approve 2`");
    assert_int_equal(scene.told, 2);
    ask(&scene, "e@example.com");
    advance(&scene, 30 * SECOND);
    assert_notices(&scene, 2, NULL, NULL);
    change(&scene, "cli", 5, MAPPING_APPROVE, ""); /* decided before anybody was told */
    advance(&scene, 20 * MINUTE);
    assert_notices(&scene, 2, NULL, NULL);
    end(&scene);
}

static void a_restart_tells_nothing_twice_and_forgets_nothing(void **state)
{
    static struct scene scene;
    open_scene(&scene, state);
    ask(&scene, "a@example.com");
    run(&scene);
    settle(&scene);
    assert_notices(&scene, 1, "UIDADA", "a@example.com");
    end(&scene);
    ask(&scene, "b@example.com");
    run(&scene);
    advance(&scene, MINUTE);
    assert_notices(&scene, 1, NULL, NULL);
    advance(&scene, 10 * MINUTE);
    assert_notices(&scene, 2, "UIDADA", "b@example.com");
    end(&scene);
}

static void who_becomes_known_later_is_told_everything(void **state)
{
    static struct scene scene;
    open_scene(&scene, state);
    run(&scene);
    ask(&scene, "a@example.com");
    advance(&scene, 20 * SECOND);
    ask(&scene, "b@example.com");
    struct store_db *db = store_fixture_borrow(scene.fixture);
    know(db, ole, "UIDOLE");
    assert_int_equal(store_fixture_return(scene.fixture, 1), 1);
    silo_admins_poke(admins);
    settle(&scene);
    assert_notices(&scene, 2, "UIDOLE", "1: a@example.com");
    assert_notices(&scene, 2, "UIDOLE", "2: b@example.com");
    end(&scene);
}

static void count_silence(enum log_level level, const char *line, void *ctx)
{
    if (level == LOG_LEVEL_WARNING && strstr(line, "event=admins.unknown"))
        ++*(int *)ctx;
}

/* Requests wait, and there is nobody whom the gateway could tell. */
static void that_no_administrator_is_known_is_logged_once_for_each_news(void **state)
{
    static struct scene scene;
    static char *strangers[] = { ole, NULL };
    static int warned;
    open_scene(&scene, state);
    scene.config.policy.admins = strangers;
    log_set_sink(count_silence, &warned);
    run(&scene);
    advance(&scene, 15 * SECOND);
    assert_int_equal(warned, 0);
    ask(&scene, "a@example.com");
    advance(&scene, 15 * SECOND);
    assert_int_equal(warned, 1);
    advance(&scene, 20 * MINUTE);
    assert_int_equal(warned, 1);
    ask(&scene, "b@example.com");
    advance(&scene, 15 * SECOND);
    assert_int_equal(warned, 2);
    assert_notices(&scene, 0, NULL, NULL);
    end(&scene);
}

static void what_a_rule_suspends_is_told_and_what_a_person_does_is_not(void **state)
{
    static struct scene scene;
    open_scene(&scene, state);
    run(&scene);
    settle(&scene); /* or its first look might come between the request and the decision */
    int64_t id = ask(&scene, "a@example.com");
    change(&scene, "cli", id, MAPPING_APPROVE, "");
    change(&scene, "cli", id, MAPPING_SUSPEND, "");
    advance(&scene, 20 * SECOND);
    assert_notices(&scene, 0, NULL, NULL);
    change(&scene, "cli", id, MAPPING_RESUME, "");
    change(&scene, "gateway", id, MAPPING_SUSPEND, "Alice has left the silo");
    advance(&scene, 20 * SECOND);
    assert_notices(&scene, 1, "UIDADA", "Alice has left the silo");
    assert_notices(&scene, 1, "UIDADA", "`resume 1`");
    end(&scene);
}

static void a_flood_is_counted(void **state)
{
    static struct scene scene;
    char address[40];
    open_scene(&scene, state);
    struct store_db *db = store_fixture_borrow(scene.fixture);
    for (int i = 0; i < 60; i++) {
        snprintf(address, sizeof address, "x@%d.example.com", i);
        request(&scene, db, address);
    }
    assert_int_equal(store_fixture_return(scene.fixture, 1), 1);
    run(&scene);
    settle(&scene);
    assert_notices(&scene, 1, "UIDADA", "- and 10 more");
    end(&scene);
}

/* Whoever makes up addresses of their domain does not hide what others ask for. */
static void a_flood_from_one_domain_leaves_room_for_others(void **state)
{
    static struct scene scene;
    char address[40];
    open_scene(&scene, state);
    struct store_db *db = store_fixture_borrow(scene.fixture);
    for (int i = 0; i < 100; i++) {
        snprintf(address, sizeof address, "x%d@flood.example", i);
        request(&scene, db, address);
    }
    request(&scene, db, "bob@example.com");
    assert_int_equal(store_fixture_return(scene.fixture, 1), 1);
    run(&scene);
    settle(&scene);
    assert_notices(&scene, 1, "UIDADA", "bob@example.com");
    assert_notices(&scene, 1, "UIDADA", "x9@flood.example");
    assert_notices(&scene, 1, "UIDADA", "90 more of flood.example");
    end(&scene);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(requests_are_told_at_once_then_together),
        WITH_STORE(a_restart_tells_nothing_twice_and_forgets_nothing),
        WITH_STORE(who_becomes_known_later_is_told_everything),
        WITH_STORE(that_no_administrator_is_known_is_logged_once_for_each_news),
        WITH_STORE(what_a_rule_suspends_is_told_and_what_a_person_does_is_not),
        WITH_STORE(a_flood_is_counted),
        WITH_STORE(a_flood_from_one_domain_leaves_room_for_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
