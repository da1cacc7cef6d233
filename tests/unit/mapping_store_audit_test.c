/* The audit log: rows that follow each other, and what a change of any of them does to the chain. */
#include "tests/unit/mapping_store_fixture.h"

#include "mapping/store_audit.h"

static const struct store_actor alice = { .channel = "silo", .name = "Alice Admin", .uid = "u1" };
static const struct store_actor root = { .channel = "cli", .name = "root" };

static void add(struct store_db *db, const struct store_actor *actor, const char *action, const char *object,
                int64_t now)
{
    struct store_audit_new audit = {
        .actor = actor, .action = action, .object = object, .before = "requested", .after = "approved", .now = now
    };
    assert_int_equal(store_audit_add(db, &audit), 1);
}

static void add_three(struct store_db *db)
{
    add(db, &alice, "mapping.approve", "mapping 1", 1000);
    add(db, &root, "mapping.revoke", "mapping 1", 2000);
    add(db, &root, "member.add", "member Bob", 3000);
}

static struct store_audit_check check_all(struct store_db *db, int64_t pace)
{
    struct store_audit_check check = { 0 };
    int more;
    while ((more = store_audit_check_more(db, pace, &check)) == 1)
        ;
    assert_int_equal(more, 0);
    return check;
}

struct listed {
    unsigned count;
    char actors[200];
};

static void note(const struct store_audit *audit, void *ctx)
{
    struct listed *listed = ctx;
    listed->count++;
    snprintf(listed->actors + strlen(listed->actors), sizeof listed->actors - strlen(listed->actors), "%s;",
             audit->actor);
}

static void rows_are_a_chain(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    char head[DIGEST_HEX_SIZE];
    int64_t id;
    assert_int_equal(store_audit_head(db, &id, head), 0);
    assert_int_equal(id, 0);
    add_three(db);
    assert_int_equal(store_audit_head(db, &id, head), 1);
    assert_int_equal(id, 3);
    for (int64_t pace = 1; pace <= 4; pace++) {
        struct store_audit_check check = check_all(db, pace);
        assert_int_equal(check.id, 3);
        assert_int_equal(check.wrong_id, 0);
        assert_string_equal(check.hash, head);
    }
    store_fixture_return(fixture, 1);
}

/* sha256 over 64 zeros, then 1, 1000 and the seven texts, each with its length, computed by another program. */
static void the_first_hash_is_as_documented(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    char head[DIGEST_HEX_SIZE];
    int64_t id;
    add(db, &alice, "mapping.approve", "mapping 1", 1000);
    assert_int_equal(store_audit_head(db, &id, head), 1);
    assert_string_equal(head, "e316af66362e9d1837928c254700d5900281ea25948dd8d0ac2d3eeed609aaa4");
    store_fixture_return(fixture, 1);
}

static void lists_show_what_was_done(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct listed all = { 0 }, late = { 0 }, about = { 0 };
    add_three(db);
    assert_int_equal(store_audit_list(db, 0, 0, 100, note, &all), 1);
    assert_int_equal(all.count, 3);
    assert_string_equal(all.actors, "Alice Admin (u1);root;root;");
    assert_int_equal(store_audit_list(db, 2000, 0, 1, note, &late), 1);
    assert_int_equal(late.count, 1);
    assert_int_equal(store_audit_list_about(db, "mapping 1", note, &about), 1);
    assert_int_equal(about.count, 2);
    store_fixture_return(fixture, 1);
}

static void rows_can_not_be_changed_by_mistake(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    add_three(db);
    assert_int_equal(store_execute(db, "UPDATE audit SET reason = 'x' WHERE id = 2", NULL), -1);
    assert_int_equal(store_execute(db, "DELETE FROM audit WHERE id = 3", NULL), -1);
    assert_int_equal(check_all(db, 100).id, 3);
    store_fixture_return(fixture, 1);
}

/* By somebody who takes the triggers away first. */
static void every_change_shows(void **state)
{
    static const struct {
        const char *change;
        int64_t wrong_id;
    } changes[] = {
        { "UPDATE audit SET at = at + 1 WHERE id = 2", 2 },
        { "UPDATE audit SET actor = 'Mallory' WHERE id = 1", 1 },
        { "UPDATE audit SET channel = 'web' WHERE id = 3", 3 },
        { "UPDATE audit SET action = 'mapping.deny' WHERE id = 1", 1 },
        { "UPDATE audit SET object = 'mapping 2' WHERE id = 2", 2 },
        { "UPDATE audit SET before = '' WHERE id = 2", 2 },
        { "UPDATE audit SET after = '' WHERE id = 2", 2 },
        { "UPDATE audit SET reason = 'because' WHERE id = 2", 2 },
        { "UPDATE audit SET before = before || after, after = '' WHERE id = 2", 2 },
        { "UPDATE audit SET hash = (SELECT hash FROM audit WHERE id = 1) WHERE id = 2", 2 },
        { "DELETE FROM audit WHERE id = 1", 1 },
        { "DELETE FROM audit WHERE id = 2", 2 },
        { "UPDATE audit SET id = 9 WHERE id = 3", 3 },
    };
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    add_three(db);
    assert_int_equal(sqlite3_exec(db->handle, "DROP TRIGGER audit_kept; DROP TRIGGER audit_whole", NULL, NULL, NULL),
                     SQLITE_OK);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        assert_int_equal(sqlite3_exec(db->handle, "SAVEPOINT change", NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db->handle, changes[i].change, NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(check_all(db, 2).wrong_id, changes[i].wrong_id);
        assert_int_equal(sqlite3_exec(db->handle, "ROLLBACK TO change; RELEASE change", NULL, NULL, NULL), SQLITE_OK);
    }
    store_fixture_return(fixture, 1);
}

static void long_texts_are_cut_between_characters(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    char text[3001];
    for (size_t i = 0; i + 1 < sizeof text; i += 3)
        memcpy(text + i, "\xe2\x82\xac", 3);
    text[3000] = '\0';
    struct store_audit_new audit = { .actor = &root, .action = "a", .object = "b", .reason = text, .now = 1 };
    assert_int_equal(store_audit_add(db, &audit), 1);
    int64_t length;
    assert_int_equal(store_fetch_int(db, "SELECT length(CAST(reason AS BLOB)) FROM audit", NULL, &length), 1);
    assert_int_equal(length, 1998);
    assert_int_equal(check_all(db, 2).id, 1);
    store_fixture_return(fixture, 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, store_fixture_setup, store_fixture_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_are_a_chain),         TEST(the_first_hash_is_as_documented),
        TEST(lists_show_what_was_done), TEST(rows_can_not_be_changed_by_mistake),
        TEST(every_change_shows),       TEST(long_texts_are_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
