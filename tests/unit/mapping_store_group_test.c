/* mapping_store_group_test.c - groups, who is in them, whose an alias is, and the name space of addresses */
#include "mapping/store_address.h"
#include "mapping/store_group.h"
#include "mapping/store_identity.h"
#include "mapping/store_mapping.h"
#include "mapping/store_member.h"
#include "tests/unit/mapping_store_fixture.h"

enum { NOW = 1000000 };

static int64_t add_group(struct store_db *db, const char *gid, bool accept)
{
    struct store_group invitation = { .gid = (char *)(uintptr_t)gid,
                                      .own_alias = (char *)(uintptr_t) "Email Gateway",
                                      .inviter_alias = (char *)(uintptr_t) "Alice Member",
                                      .inviter_uid = (char *)(uintptr_t) "UIDALICE" };
    int64_t id;
    assert_int_equal(store_group_invite(db, &invitation, accept, NOW, &id), 1);
    return id;
}

static enum store_group_state state_of(struct store_db *db, int64_t id)
{
    struct store_group group;
    assert_int_equal(store_group_find(db, id, &group), 1);
    enum store_group_state state = group.state;
    store_group_free(&group);
    return state;
}

/* Every step from every state; what an invitation does to each. */
static void test_life_of_a_group(void **state)
{
    static const enum store_group_state paths[][3] = {
        /* how a state is reached from an invitation that waits, the last one being that state */
        { STORE_GROUP_INVITED },
        { STORE_GROUP_ACCEPTED },
        { STORE_GROUP_ACCEPTED, STORE_GROUP_JOINED },
        { STORE_GROUP_ACCEPTED, STORE_GROUP_JOINED, STORE_GROUP_LEAVING },
        { STORE_GROUP_LEFT },
        { STORE_GROUP_ACCEPTED, STORE_GROUP_DROPPED },
    };
    static const char *const next[] = { /* the states that may follow, by number; what an accepted invitation makes */
                                        "145|1", "2345|1", "345|2", "45|3", "5|1", "|1"
    };
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    for (int from = STORE_GROUP_INVITED; from <= STORE_GROUP_DROPPED; from++) {
        for (int to = STORE_GROUP_INVITED; to <= STORE_GROUP_DROPPED; to++) {
            char gid[40];
            enum store_group_state was;
            snprintf(gid, sizeof gid, "Group %d to %d", from, to);
            int64_t id = add_group(db, gid, false);
            for (int i = 0; i < 3 && state_of(db, id) != (enum store_group_state)from; i++)
                assert_int_equal(store_group_set_state(db, id, paths[from][i], NOW, &was), 1);
            assert_int_equal(state_of(db, id), from);
            bool allowed = memchr(next[from], '0' + to, strcspn(next[from], "|")) != NULL;
            assert_int_equal(store_group_set_state(db, id, (enum store_group_state)to, NOW, &was), allowed);
            assert_int_equal(was, from);
            assert_int_equal(state_of(db, id), allowed ? to : from);
        }
        char gid[40];
        enum store_group_state was;
        snprintf(gid, sizeof gid, "Group %d again", from);
        int64_t id = add_group(db, gid, false);
        for (int i = 0; i < 3 && state_of(db, id) != (enum store_group_state)from; i++)
            assert_int_equal(store_group_set_state(db, id, paths[from][i], NOW, &was), 1);
        assert_int_equal(add_group(db, gid, true), id);
        assert_int_equal(state_of(db, id), strchr(next[from], '|')[1] - '0');
    }
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    assert_int_equal(fixture->errors, 0);
}

static void expect_own_alias(struct store_db *db, int64_t id, const char *expected)
{
    struct store_group group;
    assert_int_equal(store_group_find(db, id, &group), 1);
    assert_string_equal(group.own_alias, expected);
    store_group_free(&group);
}

/* The silo keeps to the alias of the first invitation, until it has dropped it. */
static void test_second_invitation_keeps_the_alias_of_the_first(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct store_group second = { .gid = (char *)(uintptr_t) "Sales Team",
                                  .own_alias = (char *)(uintptr_t) "bob@example.com",
                                  .inviter_alias = (char *)(uintptr_t) "Alice Member",
                                  .inviter_uid = (char *)(uintptr_t) "UIDALICE" };
    static const enum store_group_state steps[] = { STORE_GROUP_ACCEPTED, STORE_GROUP_JOINED, STORE_GROUP_LEAVING,
                                                    STORE_GROUP_LEFT };
    enum store_group_state was;
    int64_t id = add_group(db, "Sales Team", false), same;
    for (size_t i = 0; i <= sizeof steps / sizeof steps[0]; i++) {
        assert_int_equal(store_group_invite(db, &second, false, NOW, &same), 1);
        assert_int_equal(same, id);
        expect_own_alias(db, id, "Email Gateway");
        if (i < sizeof steps / sizeof steps[0])
            assert_int_equal(store_group_set_state(db, id, steps[i], NOW, &was), 1);
    }
    assert_int_equal(store_group_set_state(db, id, STORE_GROUP_DROPPED, NOW, &was), 1);
    assert_int_equal(store_group_invite(db, &second, false, NOW, &same), 1);
    expect_own_alias(db, id, "bob@example.com");
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void expect_owner(struct store_db *db, const char *local_part, struct store_target expected)
{
    struct store_target owner;
    assert_int_equal(store_address_find(db, local_part, &owner), expected.member_id || expected.group_id);
    assert_true(store_target_equal(owner, expected));
}

static void test_members_and_groups_share_their_addresses(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    const char *reason;
    int64_t member;
    assert_int_equal(store_member_add(db, "Sales Team", NULL, NOW, &member, &reason), 1);
    int64_t group = add_group(db, "Sales-Team", true);
    struct store_target as_member = { .member_id = member }, as_group = { .group_id = group };
    expect_owner(db, "sales.team", as_member);
    expect_owner(db, "sales.team.2", as_group);

    assert_int_equal(store_group_set_address(db, group, "sales", &reason), 1);
    expect_owner(db, "sales", as_group);
    expect_owner(db, "sales.team.2", as_group);                                       /* the old one still delivers */
    assert_int_equal(store_group_set_address(db, group, "sales.team.2", &reason), 1); /* and may be taken back */
    static const char *const refused[] = { "sales.team", "Sales", "", "a..b" };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        assert_int_equal(store_group_set_address(db, group, refused[i], &reason), 0);
        assert_non_null(reason);
    }
    assert_int_equal(store_member_add(db, "Other Member", "sales", NOW, &member, &reason), 0);
    assert_non_null(reason);
    expect_owner(db, "nobody", (struct store_target){ 0 });
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

/* Anybody can invite the gateway to a group of any name: that must not take an address from a member to come. */
static void test_invitation_that_waits_takes_no_address(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    const char *reason;
    enum store_group_state was;
    int64_t member, group = add_group(db, "Alice Member", false);
    expect_owner(db, "alice.member", (struct store_target){ 0 });
    assert_int_equal(store_member_add(db, "Alice Member", NULL, NOW, &member, &reason), 1);
    expect_owner(db, "alice.member", (struct store_target){ .member_id = member });
    assert_int_equal(store_group_set_state(db, group, STORE_GROUP_ACCEPTED, NOW, &was), 1);
    expect_owner(db, "alice.member.2", (struct store_target){ .group_id = group });

    /* one that an administrator has given before stays */
    group = add_group(db, "Board", false);
    assert_int_equal(store_group_set_address(db, group, "directors", &reason), 1);
    assert_int_equal(store_group_set_state(db, group, STORE_GROUP_ACCEPTED, NOW, &was), 1);
    expect_owner(db, "directors", (struct store_target){ .group_id = group });
    expect_owner(db, "board", (struct store_target){ 0 });
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void test_alias_belongs_to_the_first_account_vouched_for(void **state)
{
    static const struct {
        const char *alias, *uid;
        enum store_identity_source source;
        enum store_identity_verdict verdict;
        const char *holder; /* afterwards */
    } steps[] = {
        { "Alice Member", "MALLORY", STORE_IDENTITY_MESSAGE, STORE_IDENTITY_AGREES, "MALLORY" }, /* a claim only */
        { "Alice Member", "ALICE", STORE_IDENTITY_PARTICIPANTS, STORE_IDENTITY_UNSURE, "MALLORY" },
        { "Alice Member", "ALICE", STORE_IDENTITY_PING, STORE_IDENTITY_AGREES, "ALICE" }, /* the silo's word */
        { "Alice Member", "ALICE", STORE_IDENTITY_MESSAGE, STORE_IDENTITY_AGREES, "ALICE" },
        { "Alice Member", "MALLORY", STORE_IDENTITY_MESSAGE, STORE_IDENTITY_CONTRADICTS, "ALICE" },
        { "Alice Member", "MALLORY", STORE_IDENTITY_GROUP, STORE_IDENTITY_CONTRADICTS, "ALICE" },
        { "Alice Member", "MALLORY", STORE_IDENTITY_PING, STORE_IDENTITY_CONTRADICTS, "ALICE" },
        { "Alice At Home", "ALICE", STORE_IDENTITY_GROUP, STORE_IDENTITY_AGREES, "ALICE" },
        { "Carol Member", "CAROL", STORE_IDENTITY_PARTICIPANTS, STORE_IDENTITY_AGREES, "CAROL" },
        { "Carol Member", "CAROL", STORE_IDENTITY_GROUP, STORE_IDENTITY_AGREES, "CAROL" },
        { "Carol Member", "MALLORY", STORE_IDENTITY_PARTICIPANTS, STORE_IDENTITY_CONTRADICTS, "CAROL" },
    };
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct store_identity identity;
        assert_int_equal(store_identity_learn(db, steps[i].alias, steps[i].uid, steps[i].source, NOW + (int64_t)i),
                         steps[i].verdict);
        assert_int_equal(store_identity_find(db, steps[i].alias, &identity), 1);
        assert_string_equal(identity.uid, steps[i].holder);
        store_identity_free(&identity);
    }
    char *alias;
    assert_int_equal(store_identity_find_alias(db, "ALICE", &alias), 1);
    assert_string_equal(alias, "Alice At Home"); /* the newest */
    free(alias);
    assert_int_equal(store_identity_find_alias(db, "MALLORY", &alias), 0); /* claims are no names */
    assert_null(alias);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

/* An account may have many aliases: any of them that was vouched for may be the member's, a claim never is. */
static void test_member_is_found_by_any_vouched_alias(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct store_member found;
    const char *reason;
    int64_t alice;
    assert_int_equal(store_member_add(db, "Alice Member", NULL, NOW, &alice, &reason), 1);
    assert_int_equal(store_identity_learn(db, "Alice Member", "ALICE", STORE_IDENTITY_MESSAGE, NOW),
                     STORE_IDENTITY_AGREES);
    assert_int_equal(store_member_find_vouched(db, "ALICE", &found), 0);
    assert_int_equal(store_identity_learn(db, "Alice Member", "ALICE", STORE_IDENTITY_GROUP, NOW),
                     STORE_IDENTITY_AGREES);
    assert_int_equal(store_identity_learn(db, "Alice At Home", "ALICE", STORE_IDENTITY_GROUP, NOW + 1),
                     STORE_IDENTITY_AGREES);
    assert_int_equal(store_member_find_vouched(db, "ALICE", &found), 1);
    assert_int_equal(found.id, alice);
    store_member_free(&found);
    assert_int_equal(store_member_find_vouched(db, "MALLORY", &found), 0);
    assert_int_equal(store_member_remove(db, alice), 1);
    assert_int_equal(store_member_find_vouched(db, "ALICE", &found), 0);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void see(struct store_db *db, int64_t group, const char *alias, const char *uid,
                enum store_group_member_state state)
{
    struct store_group_member member = { .alias = (char *)(uintptr_t)alias,
                                         .uid = (char *)(uintptr_t)uid,
                                         .state = state };
    assert_int_equal(store_group_set_member(db, group, &member), 1);
}

static void count_member(const struct store_group_member *member, void *ctx)
{
    (void)member;
    ++*(int *)ctx;
}

static void test_members_of_a_group(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    enum store_group_member_state was;
    int64_t group = add_group(db, "Sales Team", true), other = add_group(db, "Other Team", true);
    see(db, group, "Alice Member", "ALICE", STORE_GROUP_MEMBER_JOINED);
    see(db, group, "Carol Member", NULL, STORE_GROUP_MEMBER_INVITED);
    assert_int_equal(store_group_find_member(db, group, "CAROL", &was), 0);
    see(db, group, "Carol Member", "CAROL", STORE_GROUP_MEMBER_JOINED);
    assert_int_equal(store_group_find_member(db, group, "CAROL", &was), 1);
    assert_int_equal(was, STORE_GROUP_MEMBER_JOINED);
    assert_int_equal(store_group_find_member(db, other, "CAROL", &was), 0);
    see(db, group, "Carol Member", NULL, STORE_GROUP_MEMBER_DROPPED); /* a drop tells no uid: the known one stays */
    assert_int_equal(store_group_find_member(db, group, "CAROL", &was), 1);
    assert_int_equal(was, STORE_GROUP_MEMBER_DROPPED);
    assert_int_equal(store_group_rename_member(db, group, "Alice Member", "Alice At Work", "ALICE"), 1);
    assert_int_equal(store_group_find_member(db, group, "ALICE", &was), 1);
    int count = 0;
    assert_int_equal(store_group_list_members(db, group, count_member, &count), 1);
    assert_int_equal(count, 2);

    assert_int_equal(store_group_was_dropped(db, group, "CAROL"), 1);
    assert_int_equal(store_group_was_dropped(db, group, "DAVE"), 0);
    /* one who was there before: dropped once the silo vouches for whose the alias is; a claim is not enough */
    see(db, group, "Eve Member", NULL, STORE_GROUP_MEMBER_DROPPED);
    assert_int_equal(store_identity_learn(db, "Eve Member", "EVE", STORE_IDENTITY_MESSAGE, NOW), STORE_IDENTITY_AGREES);
    assert_int_equal(store_group_was_dropped(db, group, "EVE"), 0);
    assert_int_equal(store_identity_learn(db, "Eve Member", "EVE", STORE_IDENTITY_PING, NOW), STORE_IDENTITY_AGREES);
    assert_int_equal(store_group_was_dropped(db, group, "EVE"), 1);
    assert_int_equal(store_group_was_dropped(db, group, "DAVE"), 0);
    assert_int_equal(store_group_was_dropped(db, other, "EVE"), 0);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void test_mapping_of_a_group_is_not_that_of_a_member_with_the_same_id(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    const char *reason;
    int64_t member, bob, id;
    assert_int_equal(store_member_add(db, "Alice Member", NULL, NOW, &member, &reason), 1);
    int64_t group = add_group(db, "Sales Team", true);
    assert_int_equal(member, group); /* that is the point */
    assert_int_equal(store_correspondent_ensure(db, "bob@example.com", NOW, &bob), 1);
    struct store_mapping_new new = { .correspondent_id = bob,
                                     .target = { .group_id = group },
                                     .state = STORE_MAPPING_APPROVED,
                                     .direction = STORE_DIRECTION_BOTH,
                                     .note = "",
                                     .actor = "root",
                                     .reason = "",
                                     .now = NOW };
    assert_int_equal(store_mapping_add(db, &new, &id), 1);
    assert_int_equal(store_mapping_add(db, &new, &id), 0); /* once only */
    struct store_mapping mapping;
    struct store_target as_member = { .member_id = member }, as_group = { .group_id = group };
    assert_int_equal(store_mapping_find_current(db, "bob@example.com", as_member, &mapping), 0);
    assert_int_equal(store_mapping_any_inbound(db, as_member, NOW), 0);
    assert_int_equal(store_mapping_any_inbound(db, as_group, NOW), 1);
    assert_int_equal(store_mapping_find_current(db, "bob@example.com", as_group, &mapping), 1);
    assert_string_equal(mapping.target_name, "Sales Team");
    store_mapping_free(&mapping);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(test_life_of_a_group),
        WITH_STORE(test_second_invitation_keeps_the_alias_of_the_first),
        WITH_STORE(test_members_and_groups_share_their_addresses),
        WITH_STORE(test_invitation_that_waits_takes_no_address),
        WITH_STORE(test_alias_belongs_to_the_first_account_vouched_for),
        WITH_STORE(test_member_is_found_by_any_vouched_alias),
        WITH_STORE(test_members_of_a_group),
        WITH_STORE(test_mapping_of_a_group_is_not_that_of_a_member_with_the_same_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
