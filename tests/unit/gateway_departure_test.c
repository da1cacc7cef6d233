/* gateway_departure_test.c - what follows when the silo knows a member no more, or gives an alias to somebody else */
#include "tests/unit/mapping_store_fixture.h"

#include <stdio.h>

#include "gateway/consent.h"
#include "gateway/departure.h"
#include "gateway/mapping_change.h"
#include "mapping/store_admin.h"
#include "mapping/store_identity.h"
#include "mapping/store_member.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])
#define UID          "8RNB3315M64WZ7YYFRGKF4%1RW6SSLV9"
#define OTHER        "KBP+8VBPJMSD6%KRGCNY5Y3KYH9BLT9N"

static const int64_t now = INT64_C(1700000000000);
static const struct store_actor root = { .channel = "cli", .name = "root" };

static void refusals_are_understood(void **state)
{
    static const struct {
        const char *refusal, *name;
        bool is_unknown;
    } rows[] = {
        { "OpenNodes: iUid " UID " not found", UID, true }, /* mnm 0.2.0 */
        { "Lookup: iAlias Alice Member not found", "Alice Member", true },
        { "unknown uid " UID, UID, true }, /* tmtp silo */
        { "no such alias: Alice Member", "Alice Member", true },
        { "unknown uid " OTHER, UID, false },
        { "too many recipients", UID, false },
        { "the disk of " UID " is full", UID, false },
        { "you are not a member: " UID, UID, false },
        { "not found", "", false },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(departure_is_unknown(rows[i].refusal, rows[i].name), rows[i].is_unknown);
}

static void a_taken_alias_is_told_from_other_trouble(void **state)
{
    static const struct {
        const char *refusal;
        bool is_taken;
    } rows[] = {
        { "AddAlias: alias bob@example.com already taken", true }, /* mnm 0.2.0 */
        { "AddAlias: alias bob@example.com not available", true },
        { "alias bob@example.com is taken", true }, /* tmtp silo */
        { "open bob@example.com: no space left on device", false },
        { "service not available", false },
        { "AddAlias: invalid string 'bob@example.com'", false },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(departure_is_taken(rows[i].refusal, "bob@example.com"), rows[i].is_taken);
}

struct world {
    struct store_fixture *fixture;
    struct store_db *db;
    int64_t alice, carol; /* members */
    int64_t bob_alice;    /* mappings */
    int64_t bob_carol;
    int64_t dave_alice, anybody_alice, bob_all;
    int64_t suspended_before; /* by a person */
};

static int64_t add_member(struct store_db *db, const char *alias, const char *uid)
{
    int64_t id;
    const char *reason;
    assert_int_equal(store_member_add(db, alias, NULL, now, &id, &reason), 1);
    assert_int_equal(store_identity_learn(db, alias, uid, STORE_IDENTITY_PING, now), STORE_IDENTITY_AGREES);
    assert_int_equal(store_member_learn_uid(db, alias, uid), 1);
    return id;
}

static int64_t open_door(struct store_db *db, const char *text, int64_t member_id)
{
    struct mapping_change change = { .actor = &root, .reason = "", .now = now };
    struct subject subject;
    struct mapping_result result;
    const char *wrong;
    assert_int_equal(subject_parse(text, SMTP_CASE_FOLDED, &subject, &wrong), 1);
    struct mapping_wish wish = { .subject = &subject, .target.member_id = member_id };
    assert_int_equal(mapping_change_add(db, &change, &wish, &result), 1);
    int64_t id = result.mapping.id;
    mapping_result_clear(&result);
    return id;
}

static struct world begin(void **state)
{
    struct world world = { .fixture = *state };
    struct mapping_change change = { .actor = &root, .reason = "", .now = now };
    struct mapping_result result;
    struct store_db *db = world.db = store_fixture_borrow(world.fixture);
    world.alice = add_member(db, "Alice Member", UID);
    world.carol = add_member(db, "Carol Member", OTHER);
    world.bob_alice = open_door(db, "bob@example.com", world.alice);
    world.bob_carol = open_door(db, "bob@example.com", world.carol);
    world.dave_alice = open_door(db, "dave@example.net", world.alice);
    world.anybody_alice = open_door(db, "*@example.org", world.alice);
    world.bob_all = open_door(db, "bob@example.com", 0);
    world.suspended_before = open_door(db, "eve@example.net", world.alice);
    assert_int_equal(mapping_change_state(db, &change, world.suspended_before, MAPPING_SUSPEND, NULL, &result), 1);
    mapping_result_clear(&result);
    return world;
}

static void end(struct world *world)
{
    assert_int_equal(store_fixture_return(world->fixture, 1), 1);
    assert_int_equal(world->fixture->errors, 0);
}

static void assert_suspended(struct world *world, int64_t id, const char *reason)
{
    struct store_mapping mapping;
    assert_int_equal(store_mapping_find(world->db, id, &mapping), 1);
    assert_int_equal(mapping.state, reason ? STORE_MAPPING_SUSPENDED : STORE_MAPPING_APPROVED);
    if (reason)
        assert_string_equal(mapping.reason, reason);
    if (reason && reason[0])
        assert_string_equal(mapping.decided_by, "gateway");
    store_mapping_free(&mapping);
}

static int64_t count(struct world *world, const char *sql)
{
    int64_t number;
    assert_int_equal(store_fetch_int(world->db, sql, NULL, &number), 1);
    return number;
}

static void count_event(const struct store_admin_event *event, void *ctx)
{
    *(int *)ctx += event->kind == STORE_ADMIN_SUSPENDED;
}

static int count_events(struct world *world)
{
    int events = 0;
    assert_int_equal(store_admin_list_events(world->db, 0, 100, count_event, &events), 1);
    return events;
}

static bool has_uid(struct world *world, int64_t id)
{
    struct store_member member;
    assert_int_equal(store_member_find(world->db, id, &member), 1);
    bool has = member.uid != NULL;
    store_member_free(&member);
    return has;
}

/* Everything of theirs, and nothing of others'; once; and no person's decision is touched. */
static void a_member_who_is_gone_is_suspended(void **state)
{
    static const char reason[] = "the silo does not know the member's account any more";
    struct world world = begin(state);
    assert_int_equal(departure_note_account(world.db, "an account of nobody here", now), 0);
    assert_int_equal(count_events(&world), 0);
    assert_int_equal(departure_note_account(world.db, UID, now), 1);
    assert_suspended(&world, world.bob_alice, reason);
    assert_suspended(&world, world.dave_alice, reason);
    assert_suspended(&world, world.anybody_alice, reason);
    assert_suspended(&world, world.suspended_before, "");
    assert_suspended(&world, world.bob_carol, NULL);
    assert_suspended(&world, world.bob_all, NULL);
    assert_false(has_uid(&world, world.alice)); /* so what is for all members does not reach a lost account either */
    assert_int_equal(count_events(&world), 3);
    int64_t audited = count(&world, "SELECT count(*) FROM audit WHERE channel = 'gateway'");
    assert_int_equal(audited, 4);
    assert_int_equal(departure_note_account(world.db, UID, now), 0);
    assert_int_equal(count(&world, "SELECT count(*) FROM audit WHERE channel = 'gateway'"), audited);
    assert_int_equal(consent_note(world.db, "Alice Member", UID, now), 1); /* back again */
    assert_int_equal(consent_note(world.db, "Alice Member", UID, now), 1);
    assert_int_equal(consent_note(world.db, "Alice Member", "a third account", now), -2);
    assert_int_equal(consent_note(world.db, "Nobody Here", "a third account", now), 0);
    assert_int_equal(count(&world, "SELECT count(*) FROM audit WHERE action = 'member.answer'"), 1);
    assert_suspended(&world, world.bob_alice, reason); /* that is for a person */
    end(&world);
}

static void a_member_is_followed_to_another_alias(void **state)
{
    struct world world = begin(state);
    struct store_member member;
    assert_int_equal(store_identity_learn(world.db, "Alice Claimed", UID, STORE_IDENTITY_MESSAGE, now),
                     STORE_IDENTITY_AGREES);
    assert_int_equal(store_identity_learn(world.db, "Alice Renamed", UID, STORE_IDENTITY_GROUP, now),
                     STORE_IDENTITY_AGREES);
    assert_int_equal(departure_note_alias(world.db, "Alice Member", now), 1);
    assert_int_equal(store_member_find(world.db, world.alice, &member), 1);
    assert_string_equal(member.alias, "Alice Renamed");
    assert_string_equal(member.uid, UID);
    store_member_free(&member);
    assert_suspended(&world, world.bob_alice, NULL);
    assert_int_equal(count(&world, "SELECT count(*) FROM audit WHERE action = 'member.rename'"), 1);
    assert_int_equal(departure_note_alias(world.db, "Alice Member", now), 0); /* nobody's now */
    end(&world);
}

/* Words in a thread's header are no new alias; and what is another member's is not taken. */
static void without_another_alias_they_are_lost(void **state)
{
    struct world world = begin(state);
    assert_int_equal(store_identity_learn(world.db, "Alice Claimed", UID, STORE_IDENTITY_MESSAGE, now),
                     STORE_IDENTITY_AGREES);
    assert_int_equal(departure_note_alias(world.db, "Alice Member", now), 1);
    assert_suspended(&world, world.bob_alice, "the silo does not know the member's alias any more");
    assert_false(has_uid(&world, world.alice));
    assert_suspended(&world, world.bob_carol, NULL);
    end(&world);
}

static void a_member_who_never_answered_is_not_lost(void **state)
{
    struct world world = begin(state);
    int64_t id;
    const char *reason;
    assert_int_equal(store_member_add(world.db, "Misspelt Member", NULL, now, &id, &reason), 1);
    int64_t mapping = open_door(world.db, "bob@example.com", id);
    assert_int_equal(departure_note_alias(world.db, "Misspelt Member", now), 1);
    assert_suspended(&world, mapping, NULL);
    end(&world);
}

static void an_alias_that_changes_hands_is_suspended(void **state)
{
    static const char reason[] = "the silo gives the member's alias to another account now";
    struct world world = begin(state);
    assert_int_equal(departure_note_owner(world.db, "Alice Member", UID, now), 0);
    assert_suspended(&world, world.bob_alice, NULL);
    assert_int_equal(departure_note_owner(world.db, "Alice Member", "a third account", now), 1);
    assert_suspended(&world, world.bob_alice, reason);
    assert_true(has_uid(&world, world.alice)); /* who was vouched for before stays who they were */
    assert_int_equal(count_events(&world), 3);
    assert_int_equal(departure_note_owner(world.db, "Alice Member", "a third account", now), 1);
    assert_int_equal(count_events(&world), 3);
    end(&world);
}

static void a_correspondent_s_alias_is_nobody_else_s(void **state)
{
    struct world world = begin(state);
    struct store_mapping mapping;
    assert_int_equal(store_mapping_find(world.db, world.bob_alice, &mapping), 1);
    assert_int_equal(store_correspondent_set_alias(world.db, mapping.correspondent_id, "bob@example.com"), 1);
    store_mapping_free(&mapping);
    assert_int_equal(departure_note_owner(world.db, "bob@example.com", OTHER, now), 1);
    static const char reason[] = "the silo gives the correspondent's alias to another account now";
    assert_suspended(&world, world.bob_alice, reason);
    assert_suspended(&world, world.bob_carol, reason);
    assert_suspended(&world, world.bob_all, reason);
    assert_suspended(&world, world.dave_alice, NULL);
    end(&world);
}

static void whoever_gets_no_alias_is_suspended(void **state)
{
    struct world world = begin(state);
    struct store_mapping mapping;
    assert_int_equal(store_mapping_find(world.db, world.dave_alice, &mapping), 1);
    int64_t dave = mapping.correspondent_id;
    store_mapping_free(&mapping);
    assert_int_equal(departure_note_no_alias(world.db, dave, now), 1);
    assert_suspended(&world, world.dave_alice, "every form of the correspondent's alias is taken in the silo");
    assert_suspended(&world, world.bob_alice, NULL);
    assert_int_equal(departure_note_no_alias(world.db, 999, now), 0);
    end(&world);
}

/* Else nobody could ever be a member under an alias that has changed hands. */
static void a_member_who_is_added_anew_is_asked_who_they_are(void **state)
{
    struct world world = begin(state);
    int64_t id;
    const char *reason;
    assert_int_equal(store_identity_learn(world.db, "Alice Member", "new", STORE_IDENTITY_PING, now),
                     STORE_IDENTITY_CONTRADICTS);
    assert_int_equal(store_member_remove(world.db, world.alice), 1);
    assert_int_equal(store_member_add(world.db, "Alice Member", NULL, now, &id, &reason), 1);
    assert_int_equal(store_identity_learn(world.db, "Alice Member", "new", STORE_IDENTITY_PING, now),
                     STORE_IDENTITY_AGREES);
    assert_int_equal(store_member_learn_uid(world.db, "Alice Member", "new"), 1);
    end(&world);
}

/* A silo that was restored from a backup: then it is not they who have left, and they are back with their answer. Those who leave
 * later are suspended again, also after a clock that was a year ahead. */
static void a_silo_that_has_lost_many_closes_few_doors(void **state)
{
    enum { MEMBERS = DEPARTURES_A_DAY + 2 };
    static const int64_t day = INT64_C(24) * 3600 * 1000;
    struct world world = begin(state);
    int64_t members[MEMBERS], doors[MEMBERS];
    char uids[MEMBERS][20];
    for (int i = 0; i < MEMBERS; i++) {
        char alias[20];
        snprintf(alias, sizeof alias, "Member Number %d", i);
        snprintf(uids[i], sizeof uids[i], "ACCOUNT%d", i);
        members[i] = add_member(world.db, alias, uids[i]);
        doors[i] = open_door(world.db, "bob@example.com", members[i]);
    }
    for (int i = 0; i < MEMBERS; i++)
        assert_int_equal(departure_note_account(world.db, uids[i], now + day * 365), 1);
    assert_suspended(&world, doors[DEPARTURES_A_DAY - 1], "the silo does not know the member's account any more");
    for (int i = DEPARTURES_A_DAY; i < MEMBERS; i++) {
        assert_suspended(&world, doors[i], NULL);
        assert_false(has_uid(&world, members[i])); /* nothing can be posted to them, nor held up by them */
        char alias[20];
        snprintf(alias, sizeof alias, "Member Number %d", i);
        assert_int_equal(consent_note(world.db, alias, uids[i], now), 1);
    }
    assert_int_equal(departure_note_alias(world.db, "Alice Member", now + day * 365), 1);
    assert_suspended(&world, world.bob_alice, NULL);

    assert_int_equal(departure_note_account(world.db, uids[DEPARTURES_A_DAY], now), 1);
    assert_suspended(&world, doors[DEPARTURES_A_DAY], "the silo does not know the member's account any more");
    assert_int_equal(departure_note_account(world.db, uids[MEMBERS - 1], now + day * 367), 1);
    assert_suspended(&world, doors[MEMBERS - 1], "the silo does not know the member's account any more");
    end(&world);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals_are_understood),
        cmocka_unit_test(a_taken_alias_is_told_from_other_trouble),
        WITH_STORE(a_silo_that_has_lost_many_closes_few_doors),
        WITH_STORE(a_member_who_is_gone_is_suspended),
        WITH_STORE(a_member_is_followed_to_another_alias),
        WITH_STORE(without_another_alias_they_are_lost),
        WITH_STORE(a_member_who_never_answered_is_not_lost),
        WITH_STORE(an_alias_that_changes_hands_is_suspended),
        WITH_STORE(a_correspondent_s_alias_is_nobody_else_s),
        WITH_STORE(whoever_gets_no_alias_is_suspended),
        WITH_STORE(a_member_who_is_added_anew_is_asked_who_they_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
