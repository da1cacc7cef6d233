/* gateway_mapping_import_test.c - what a line of a table does to what there is */
#include "tests/unit/mapping_store_fixture.h"

#include "gateway/mapping_import.h"
#include "mapping/store_member.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static const int64_t now = INT64_C(1795600000000); /* 2026-11-25 */
static const struct store_actor root = { .channel = "cli", .name = "root" };

/* The steps by which a mapping gets into a state, as lines. */
static const struct {
    const char *name, *steps[3];
} starts[] = {
    { "none", { NULL } },           { "requested", { "requested" } },
    { "approved", { "approved" } }, { "suspended", { "approved", "suspended" } },
    { "denied", { "denied" } },     { "revoked", { "approved", "revoked" } },
};

static int apply(struct store_db *db, const char *address, const char *state, bool reopens, const char *act)
{
    const struct mapping_change change = { .actor = &root, .reason = "", .now = now };
    const struct mapping_import_line line = { .line = 2, .address = address, .member = "Alice", .state = state };
    struct mapping_import_result result;
    int done = mapping_import_apply(db, &change, &line, reopens, &result);
    if (act && strcmp(result.act, act) != 0)
        fail_msg("%s: %s, not %s: %s", address, result.act, act, result.problem ? result.problem : "");
    assert_int_equal(done == 0, strcmp(result.act, "wrong") == 0);
    assert_int_equal(result.problem != NULL, done == 0);
    mapping_import_result_clear(&result);
    return done;
}

static void assert_state(struct store_db *db, const char *address, struct store_target target, const char *state)
{
    struct store_mapping mapping;
    int found = store_mapping_find_current(db, address, target, &mapping);
    assert_int_equal(found, strcmp(state, "none") != 0);
    if (found == 1)
        assert_string_equal(store_mapping_state_name(mapping.state), state);
    store_mapping_free(&mapping);
}

/* The table of the header. */
static void every_state_meets_every_other(void **state)
{
    static const struct {
        const char *wanted, *start, *act, *then, *act_reopening, *then_reopening;
    } rows[] = {
        { "approved", "none", "add", "approved", "add", "approved" },
        { "approved", "requested", "approve", "approved", "approve", "approved" },
        { "approved", "approved", "none", "approved", "none", "approved" },
        { "approved", "suspended", "wrong", "suspended", "resume", "approved" },
        { "approved", "denied", "wrong", "denied", "add", "approved" },
        { "approved", "revoked", "wrong", "revoked", "add", "approved" },
        { "", "none", "add", "approved", "add", "approved" },
        { "suspended", "none", "add", "suspended", "add", "suspended" },
        { "suspended", "requested", "wrong", "requested", "wrong", "requested" },
        { "suspended", "approved", "suspend", "suspended", "suspend", "suspended" },
        { "suspended", "suspended", "none", "suspended", "none", "suspended" },
        { "suspended", "denied", "wrong", "denied", "add", "suspended" },
        { "suspended", "revoked", "wrong", "revoked", "add", "suspended" },
        { "requested", "none", "request", "requested", "request", "requested" },
        { "requested", "requested", "none", "requested", "none", "requested" },
        { "requested", "approved", "none", "approved", "none", "approved" },
        { "requested", "suspended", "none", "suspended", "none", "suspended" },
        { "requested", "denied", "wrong", "denied", "request", "requested" },
        { "requested", "revoked", "wrong", "revoked", "request", "requested" },
        { "denied", "none", "block", "denied", "block", "denied" },
        { "denied", "requested", "block", "denied", "block", "denied" },
        { "denied", "approved", "block", "revoked", "block", "revoked" },
        { "denied", "suspended", "block", "revoked", "block", "revoked" },
        { "denied", "denied", "none", "denied", "none", "denied" },
        { "denied", "revoked", "none", "revoked", "none", "revoked" },
        { "revoked", "none", "block", "denied", "block", "denied" },
        { "revoked", "requested", "block", "denied", "block", "denied" },
        { "revoked", "approved", "block", "revoked", "block", "revoked" },
        { "revoked", "denied", "none", "denied", "none", "denied" },
        { "expired", "none", "none", "none", "none", "none" },
        { "expired", "approved", "none", "approved", "none", "approved" },
        { "nonsense", "none", "wrong", "none", "wrong", "none" },
    };
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct store_target alice = { 0 };
    const char *reason;
    assert_int_equal(store_member_add(db, "Alice", NULL, now, &alice.member_id, &reason), 1);
    for (size_t i = 0; i < 2 * COUNT(rows); i++) {
        const bool reopens = i % 2;
        char address[60];
        snprintf(address, sizeof address, "a%zu@example.com", i);
        for (size_t s = 0; s < COUNT(starts); s++)
            for (size_t step = 0; strcmp(starts[s].name, rows[i / 2].start) == 0 && starts[s].steps[step]; step++)
                assert_int_equal(apply(db, address, starts[s].steps[step], false, NULL), 1);
        assert_state(db, address, alice, rows[i / 2].start);
        (void)apply(db, address, rows[i / 2].wanted, reopens, reopens ? rows[i / 2].act_reopening : rows[i / 2].act);
        assert_state(db, address, alice, reopens ? rows[i / 2].then_reopening : rows[i / 2].then);
    }
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    assert_int_equal(fixture->errors, 0);
}

static int apply_limits(struct store_db *db, const char *address, const char *expires, const char *daily,
                        const char *note, const char *act)
{
    const struct mapping_change change = { .actor = &root, .reason = "", .now = now };
    const struct mapping_import_line line = { .line = 2,
                                              .address = address,
                                              .member = "Alice",
                                              .limits = { NULL, expires, daily, NULL, NULL, NULL, NULL, NULL, note } };
    struct mapping_import_result result;
    int done = mapping_import_apply(db, &change, &line, false, &result);
    assert_string_equal(result.act, act);
    mapping_import_result_clear(&result);
    return done;
}

static void what_is_empty_stays_as_it_is(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct store_target alice = { 0 };
    struct store_mapping mapping;
    const char *reason;
    assert_int_equal(store_member_add(db, "Alice", NULL, now, &alice.member_id, &reason), 1);
    apply_limits(db, "bob@example.com", "2099-01-31", "20", "a note", "add");
    apply_limits(db, "bob@example.com", "", "", NULL, "none");
    apply_limits(db, "bob@example.com", NULL, NULL, "a note", "none");
    apply_limits(db, "BOB@Example.com", NULL, "none", NULL, "change");
    apply_limits(db, "bob@example.com", NULL, NULL, "", "change");
    apply_limits(db, "bob@example.com", NULL, "many", NULL, "wrong");
    apply_limits(db, "bob@example.com", "2020-01-31", "1", NULL, "none"); /* is over */
    assert_int_equal(store_mapping_find_current(db, "bob@example.com", alice, &mapping), 1);
    assert_int_equal(mapping.daily, 0);
    assert_string_equal(mapping.note, "");
    assert_true(mapping.expires_at > now);
    store_mapping_free(&mapping);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void one_whose_time_is_past_makes_room(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct store_target alice = { 0 };
    const char *reason;
    assert_int_equal(store_member_add(db, "Alice", NULL, now, &alice.member_id, &reason), 1);
    for (int was_suspended = 0; was_suspended < 2; was_suspended++) {
        const char *address = was_suspended ? "carol@example.com" : "bob@example.com";
        apply_limits(db, address, "2099-01-31", NULL, NULL, "add");
        if (was_suspended)
            assert_int_equal(apply(db, address, "suspended", false, "suspend"), 1);
        assert_int_equal(store_execute(db, "UPDATE mapping SET expires_at = 5", NULL), 1);
        apply_limits(db, address, "2099-01-31", NULL, NULL, was_suspended ? "wrong" : "add");
        assert_state(db, address, alice, was_suspended ? "suspended" : "approved");
        assert_int_equal(store_execute(db, "UPDATE mapping SET expires_at = 0 WHERE subject = 'bob@example.com'", NULL),
                         1);
    }
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_state_meets_every_other, store_fixture_setup, store_fixture_teardown),
        cmocka_unit_test_setup_teardown(what_is_empty_stays_as_it_is, store_fixture_setup, store_fixture_teardown),
        cmocka_unit_test_setup_teardown(one_whose_time_is_past_makes_room, store_fixture_setup, store_fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
