#include "tests/unit/mapping_store_fixture.h"

#include "mapping/store_account.h"
#include "mapping/store_mapping.h"
#include "mapping/store_member.h"

enum { NOW = 1000 };

/* What each callbacks were called with, joined by "|". */
struct listed {
    char text[400];
};

static void add_listed(struct listed *listed, const char *text)
{
    size_t len = strlen(listed->text);
    snprintf(listed->text + len, sizeof listed->text - len, "%s%s", len ? "|" : "", text);
}

static void list_member(const struct store_member *member, void *ctx)
{
    add_listed(ctx, member->alias);
}

static void list_mapping(const struct store_mapping *mapping, void *ctx)
{
    char text[100];
    snprintf(text, sizeof text, "%s>%s", mapping->subject, mapping->target_name);
    add_listed(ctx, text);
}

static void list_correspondent(const struct store_correspondent *correspondent, void *ctx)
{
    add_listed(ctx, correspondent->address);
}

/* --- account --- */

static void account_is_kept_by_silo_address(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct store_account account;
    assert_int_equal(store_account_get(db, "silo.example:443", &account), 0);
    assert_null(account.uid);
    assert_int_equal(store_account_set_pin(db, "silo.example:443", "sha256//first"), 1);
    assert_int_equal(store_account_get(db, "silo.example:443", &account), 1);
    assert_string_equal(account.pin, "sha256//first");
    assert_null(account.uid);
    store_account_free(&account);
    assert_int_equal(store_account_set_identity(db, "silo.example:443", "u1", "n1", NULL), 1);
    assert_int_equal(store_account_set_pin(db, "silo.example:443", "sha256//second"), 1);
    assert_int_equal(store_account_set_identity(db, "other.example:443", "u2", "n2", "Mail Gateway"), 1);
    assert_int_equal(store_fixture_return(fixture, 1), 1);

    assert_int_equal(store_account_get(store_reader(fixture->store), "silo.example:443", &account), 1);
    assert_string_equal(account.silo, "silo.example:443");
    assert_string_equal(account.pin, "sha256//second");
    assert_string_equal(account.uid, "u1");
    assert_string_equal(account.node, "n1");
    assert_null(account.alias);
    store_account_free(&account);
    db = store_fixture_borrow(fixture); /* a silo gets another address */
    assert_int_equal(store_account_move(db, "nowhere.example:443", "new.example:443"), 0);
    assert_int_equal(store_account_move(db, "silo.example:443", "other.example:443"), 0);
    assert_int_equal(store_account_set_pin(db, "new.example:443", "sha256//third"), 1);
    assert_int_equal(store_account_move(db, "new.example:443", "silo.example:443"), 0); /* a pin is no account */
    assert_int_equal(store_account_move(db, "silo.example:443", "new.example:443"), 1);
    assert_int_equal(store_account_get(db, "silo.example:443", &account), 0);
    assert_int_equal(store_account_get(db, "new.example:443", &account), 1);
    assert_string_equal(account.uid, "u1");
    assert_string_equal(account.pin, "sha256//second");
    store_account_free(&account);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    assert_int_equal(store_account_get(store_reader(fixture->store), "other.example:443", &account), 1);
    assert_null(account.pin);
    assert_string_equal(account.alias, "Mail Gateway");
    store_account_free(&account);
}

/* --- members --- */

static int64_t add_member(struct store_db *db, const char *alias, const char *local_part)
{
    int64_t id = 0;
    const char *reason;
    if (store_member_add(db, alias, local_part, NOW, &id, &reason) != 1)
        fail_msg("%s: %s", alias, reason ? reason : "database error");
    return id;
}

static void local_parts_are_derived_from_aliases(void **state)
{
    static const struct {
        const char *alias, *local_part;
    } cases[] = {
        { "Alice Member", "alice.member" },
        { "Alice  (Member)", "alice.member.2" },
        { "ALICE.MEMBER", "alice.member.3" },
        { "...dots -- and_more...", "dots.and.more" },
        { "J\xc3\xbcrgen 7", "j.rgen.7" },
        { "\xe2\x98\x83\xe2\x98\x83\xe2\x98\x83", "member" },
        { "--------", "member.2" },
        { "Bounces", "bounces.2" }, /* reports come back there */
        { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbb",
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
        { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" },
        { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.2" },
        { "ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc dddd",
          "ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc.dd" },
        { "ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc ddddd",
          "ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc.2" },
    };
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct store_member member;
        int64_t id = add_member(db, cases[i].alias, NULL);
        assert_int_equal(store_member_find(db, id, &member), 1);
        assert_string_equal(member.local_part, cases[i].local_part);
        assert_string_equal(member.alias, cases[i].alias);
        assert_int_equal(member.created_at, NOW);
        assert_false(member.greeted_at);
        assert_false(member.removed);
        assert_null(member.uid);
        store_member_free(&member);
    }
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void given_local_parts_are_checked(void **state)
{
    static const struct {
        const char *local_part;
        int result;
    } cases[] = {
        { "bob", 1 },
        { "bob", 0 },
        { "b+o!b", 1 },
        { "a.b.c", 1 },
        { "bounces", 0 },
        { "bounces+x", 0 },
        { "bounces.x", 1 },
        { "bounce", 1 },
        { "", 0 },
        { ".bob", 0 },
        { "bob.", 0 },
        { "b..b", 0 },
        { "Bob", 0 },
        { "b b", 0 },
        { "b@b", 0 },
        { "\"b\"", 0 },
        { "b\xc3\xbc", 0 },
        { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 1 },
        { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0 },
    };
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char alias[32];
        int64_t id;
        const char *reason;
        snprintf(alias, sizeof alias, "Member %zu", i);
        assert_int_equal(store_member_add(db, alias, cases[i].local_part, NOW, &id, &reason), cases[i].result);
        assert_true((reason == NULL) == (cases[i].result == 1));
    }
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    assert_int_equal(fixture->errors, 0);
}

static void removed_members_keep_their_address_and_may_come_back(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct store_member member;
    int64_t id, again;
    const char *reason;
    id = add_member(db, "Alice Member", NULL);
    assert_int_equal(store_member_add(db, "Alice Member", NULL, NOW, &again, &reason), 0);
    assert_non_null(reason);
    assert_int_equal(store_member_learn_uid(db, "Alice Member", "u1"), 1);
    assert_int_equal(store_member_set_greeted(db, id, NOW), 1);
    assert_int_equal(store_member_set_greeted(db, id + 1, NOW), 0);
    assert_int_equal(store_member_remove(db, id), 1);
    assert_int_equal(store_member_remove(db, id), 0);

    assert_int_equal(store_member_find_by_alias(db, "Alice Member", &member), 0);
    assert_int_equal(store_member_find_by_local_part(db, "alice.member", &member), 0);
    assert_int_equal(store_member_find_by_uid(db, "u1", &member), 0);
    assert_int_equal(store_member_learn_uid(db, "Alice Member", "u1"), 0);
    assert_int_equal(store_member_find(db, id, &member), 1);
    assert_true(member.removed);
    assert_string_equal(member.uid, "u1");
    store_member_free(&member);

    /* Nobody else gets the address; somebody else may have the account. */
    assert_int_equal(store_member_add(db, "Other Member", "alice.member", NOW, &again, &reason), 0);
    add_member(db, "Alice.Member", NULL);
    assert_int_equal(store_member_find_by_local_part(db, "alice.member.2", &member), 1);
    store_member_free(&member);
    assert_int_equal(store_member_learn_uid(db, "Alice.Member", "u1"), 1);

    assert_int_equal(store_member_add(db, "Alice Member", NULL, NOW + 1, &again, &reason), 1);
    assert_int_equal(again, id);
    assert_int_equal(store_member_find_by_local_part(db, "alice.member", &member), 1);
    assert_int_equal(member.id, id);
    assert_int_equal(member.created_at, NOW + 1);
    assert_false(member.greeted_at);
    assert_null(member.uid);
    store_member_free(&member);
    assert_int_equal(store_member_remove(db, id), 1);
    assert_int_equal(store_member_add(db, "Alice Member", "alice", NOW + 2, &again, &reason), 1);
    assert_int_equal(store_member_find_by_local_part(db, "alice", &member), 1);
    assert_int_equal(member.id, id);
    store_member_free(&member);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void uid_is_bound_to_the_first_alias_seen(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct store_member member;
    add_member(db, "Alice Member", NULL);
    add_member(db, "Carol Member", NULL);
    assert_int_equal(store_member_learn_uid(db, "Nobody Here", "u1"), 0);
    assert_int_equal(store_member_learn_uid(db, "alice member", "u1"), 0); /* aliases are exact */
    assert_int_equal(store_member_learn_uid(db, "Alice Member", "u1"), 1);
    assert_int_equal(store_member_learn_uid(db, "Alice Member", "u1"), 1);
    assert_int_equal(store_member_learn_uid(db, "Alice Member", "u2"), -2);
    assert_int_equal(store_member_learn_uid(db, "Carol Member", "u1"), -2);
    assert_int_equal(store_member_find_by_uid(db, "u1", &member), 1);
    assert_string_equal(member.alias, "Alice Member");
    store_member_free(&member);
    assert_int_equal(store_member_find_by_uid(db, "u2", &member), 0);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void members_ask_for_reports_until_they_are_removed(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct store_member member;
    const char *reason;
    int64_t again, id = add_member(db, "Alice Member", NULL), other = add_member(db, "Carol Member", NULL);
    assert_int_equal(store_member_find(db, id, &member), 1);
    assert_false(member.wants_reports);
    store_member_free(&member);
    assert_int_equal(store_member_set_reports(db, id, true), 1);
    assert_int_equal(store_member_find_by_alias(db, "Alice Member", &member), 1);
    assert_true(member.wants_reports);
    store_member_free(&member);
    assert_int_equal(store_member_find(db, other, &member), 1);
    assert_false(member.wants_reports);
    store_member_free(&member);

    assert_int_equal(store_member_remove(db, id), 1);
    assert_int_equal(store_member_set_reports(db, id, false), 0);
    assert_int_equal(store_member_add(db, "Alice Member", NULL, NOW, &again, &reason), 1);
    assert_int_equal(store_member_find(db, id, &member), 1);
    assert_false(member.wants_reports);
    store_member_free(&member);
    assert_int_equal(store_member_set_reports(db, 999, true), 0);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void members_are_listed(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct listed all = { "" }, ungreeted = { "" };
    int64_t dave = add_member(db, "Dave Member", NULL), carol = add_member(db, "Carol Member", NULL);
    add_member(db, "Bob Member", NULL);
    add_member(db, "Alice Member", NULL);
    assert_int_equal(store_member_remove(db, dave), 1);
    assert_int_equal(store_member_set_greeted(db, carol, NOW), 1);
    assert_int_equal(store_member_learn_uid(db, "Bob Member", "u"), 1);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    assert_int_equal(store_member_list(store_reader(fixture->store), NULL, "", 1000, list_member, &all), 1);
    assert_string_equal(all.text, "Alice Member|Bob Member|Carol Member");
    struct listed found = { "" }, behind = { "" };
    assert_int_equal(store_member_list(store_reader(fixture->store), "ob", "", 1000, list_member, &found), 1);
    assert_string_equal(found.text, "Bob Member");
    assert_int_equal(store_member_list(store_reader(fixture->store), NULL, "Alice Member", 1, list_member, &behind), 1);
    assert_string_equal(behind.text, "Bob Member");
    assert_int_equal(store_member_list_ungreeted(store_reader(fixture->store), list_member, &ungreeted), 1);
    assert_string_equal(ungreeted.text, "Alice Member");
}

/* --- correspondents and mappings --- */

static void correspondents_get_one_alias_each(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct store_correspondent found;
    int64_t bob, bob_again, eve;
    assert_int_equal(store_correspondent_ensure(db, "bob@example.com", NOW, &bob), 1);
    assert_int_equal(store_correspondent_ensure(db, "bob@example.com", NOW, &bob_again), 1);
    assert_int_equal(bob, bob_again);
    assert_int_equal(store_correspondent_ensure(db, "eve@example.com", NOW, &eve), 1);
    assert_int_equal(store_correspondent_set_alias(db, bob, "bob@example.com"), 1);
    assert_int_equal(store_correspondent_set_alias(db, bob, "bob@example.com"), 1);
    assert_int_equal(store_correspondent_set_alias(db, eve, "bob@example.com"), 0);
    assert_int_equal(store_correspondent_set_alias(db, eve + 1, "other alias"), 0);

    assert_int_equal(store_correspondent_find(db, bob, &found), 1);
    assert_string_equal(found.address, "bob@example.com");
    store_correspondent_free(&found);
    assert_int_equal(store_correspondent_find_by_address(db, "eve@example.com", &found), 1);
    assert_int_equal(found.id, eve);
    assert_null(found.alias);
    store_correspondent_free(&found);
    assert_int_equal(store_correspondent_find_by_alias(db, "bob@example.com", &found), 1);
    assert_int_equal(found.id, bob);
    store_correspondent_free(&found);
    assert_int_equal(store_correspondent_find(db, eve + 1, &found), 0);
    assert_int_equal(store_correspondent_find_by_address(db, "BOB@example.com", &found), 0);
    assert_int_equal(store_correspondent_find_by_alias(db, "nobody", &found), 0);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static struct store_mapping_new new_mapping(int64_t correspondent_id, int64_t member_id)
{
    return (struct store_mapping_new){
        .correspondent_id = correspondent_id,
        .target.member_id = member_id,
        .state = STORE_MAPPING_APPROVED,
        .direction = STORE_DIRECTION_BOTH,
        .note = "",
        .actor = "root",
        .reason = "",
        .now = NOW,
    };
}

static int64_t add_mapping(struct store_db *db, const struct store_mapping_new *mapping)
{
    int64_t id = 0;
    assert_int_equal(store_mapping_add(db, mapping, &id), 1);
    return id;
}

static void mappings_are_kept_as_given(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct store_mapping found;
    int64_t bob;
    int64_t alice = add_member(db, "Alice Member", NULL);
    assert_int_equal(store_correspondent_ensure(db, "bob@example.com", NOW, &bob), 1);
    struct store_mapping_new mapping = new_mapping(bob, alice);
    mapping.state = STORE_MAPPING_REQUESTED;
    mapping.direction = STORE_DIRECTION_OUT;
    mapping.expires_at = 5000;
    mapping.max_size = 1024;
    mapping.daily = 7;
    mapping.attachments = ".pdf, image/*";
    mapping.note = "an 'odd' note; --";
    mapping.reason = "asked for";
    int64_t id = add_mapping(db, &mapping);
    assert_int_equal(store_fixture_return(fixture, 1), 1);

    assert_int_equal(store_mapping_find(store_reader(fixture->store), id + 1, &found), 0);
    assert_int_equal(store_mapping_find(store_reader(fixture->store), id, &found), 1);
    assert_int_equal(found.id, id);
    assert_int_equal(found.correspondent_id, bob);
    assert_int_equal(found.target.member_id, alice);
    assert_string_equal(found.subject, "bob@example.com");
    assert_string_equal(found.target_name, "Alice Member");
    assert_int_equal(found.state, STORE_MAPPING_REQUESTED);
    assert_int_equal(found.direction, STORE_DIRECTION_OUT);
    assert_int_equal(found.expires_at, 5000);
    assert_int_equal(found.max_size, 1024);
    assert_int_equal(found.daily, 7);
    assert_string_equal(found.attachments, ".pdf, image/*");
    assert_string_equal(found.note, "an 'odd' note; --");
    assert_int_equal(found.created_at, NOW);
    assert_string_equal(found.created_by, "root");
    assert_int_equal(found.decided_at, 0);
    assert_string_equal(found.decided_by, "");
    assert_string_equal(found.reason, "asked for");
    assert_false(found.announced);
    store_mapping_free(&found);
}

/* Every state, every wish: only the life that store_mapping.h tells is possible. */
static void mappings_change_as_their_life_allows(void **state)
{
    static const struct {
        enum store_mapping_state way[3]; /* REQUESTED ends it early */
        enum store_mapping_state from;
        bool allowed[6];
    } cases[] = {
        { { 0 }, STORE_MAPPING_REQUESTED, { false, true, true, false, false } },
        { { STORE_MAPPING_APPROVED }, STORE_MAPPING_APPROVED, { false, false, false, true, true, true } },
        { { STORE_MAPPING_DENIED }, STORE_MAPPING_DENIED, { false } },
        { { STORE_MAPPING_APPROVED, STORE_MAPPING_SUSPENDED },
          STORE_MAPPING_SUSPENDED,
          { false, true, false, false, true, true } },
        { { STORE_MAPPING_APPROVED, STORE_MAPPING_REVOKED }, STORE_MAPPING_REVOKED, { false } },
        { { STORE_MAPPING_APPROVED, STORE_MAPPING_EXPIRED }, STORE_MAPPING_EXPIRED, { false } },
        { { STORE_MAPPING_APPROVED, STORE_MAPPING_SUSPENDED, STORE_MAPPING_EXPIRED },
          STORE_MAPPING_EXPIRED,
          { false } },
    };
    struct store_fixture *fixture = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (int to = STORE_MAPPING_REQUESTED; to <= STORE_MAPPING_EXPIRED; to++) {
            struct store_db *db = store_fixture_borrow(fixture);
            enum store_mapping_state was;
            struct store_mapping found;
            int64_t bob, alice = add_member(db, "Alice Member", NULL);
            assert_int_equal(store_correspondent_ensure(db, "bob@example.com", NOW, &bob), 1);
            struct store_mapping_new mapping = new_mapping(bob, alice);
            mapping.state = STORE_MAPPING_REQUESTED;
            int64_t id = add_mapping(db, &mapping);
            for (int step = 0; step < 3 && cases[i].way[step] != STORE_MAPPING_REQUESTED; step++)
                assert_int_equal(store_mapping_set_state(db, id, cases[i].way[step], "root", "", NOW, &was), 1);
            assert_int_equal(
                store_mapping_set_state(db, id, (enum store_mapping_state)to, "carol", "because", NOW + 5, &was),
                cases[i].allowed[to]);
            assert_int_equal(was, cases[i].from);
            assert_int_equal(store_mapping_find(db, id, &found), 1);
            assert_int_equal(found.state, cases[i].allowed[to] ? to : (int)cases[i].from);
            if (cases[i].allowed[to]) {
                assert_int_equal(found.decided_at, NOW + 5);
                assert_string_equal(found.decided_by, "carol");
                assert_string_equal(found.reason, "because");
            }
            store_mapping_free(&found);
            assert_int_equal(store_mapping_set_state(db, id + 1, STORE_MAPPING_APPROVED, "root", "", NOW, &was), 0);
            assert_int_equal(store_fixture_return(fixture, 0), 0);
        }
    }
}

static void a_pair_has_one_live_mapping(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    enum store_mapping_state was;
    struct store_mapping found;
    int64_t bob, alice = add_member(db, "Alice Member", NULL), other = 0;
    assert_int_equal(store_correspondent_ensure(db, "bob@example.com", NOW, &bob), 1);
    struct store_mapping_new mapping = new_mapping(bob, alice);
    const struct store_target to_alice = { .member_id = alice };
    assert_int_equal(store_mapping_find_current(db, "bob@example.com", to_alice, &found), 0);
    int64_t first = add_mapping(db, &mapping);
    assert_int_equal(store_mapping_add(db, &mapping, &other), 0);
    assert_int_equal(other, first);
    assert_int_equal(store_mapping_set_state(db, first, STORE_MAPPING_SUSPENDED, "root", "", NOW, &was), 1);
    assert_int_equal(store_mapping_add(db, &mapping, &other), 0);
    assert_int_equal(store_mapping_set_state(db, first, STORE_MAPPING_REVOKED, "root", "", NOW, &was), 1);
    assert_int_equal(store_mapping_find_current(db, "bob@example.com", to_alice, &found), 1);
    assert_int_equal(found.id, first);
    store_mapping_free(&found);

    int64_t second = add_mapping(db, &mapping);
    assert_int_equal(store_mapping_set_state(db, second, STORE_MAPPING_REVOKED, "root", "", NOW, &was), 1);
    assert_int_equal(store_mapping_find_current(db, "bob@example.com", to_alice, &found), 1);
    assert_int_equal(found.id, second);
    store_mapping_free(&found);

    mapping.state = STORE_MAPPING_REQUESTED;
    int64_t third = add_mapping(db, &mapping);
    assert_int_equal(store_mapping_find_current(db, "bob@example.com", to_alice, &found), 1);
    assert_int_equal(found.id, third);
    store_mapping_free(&found);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    assert_int_equal(fixture->errors, 0);
}

static void inbound_is_open_while_approved_and_not_expired(void **state)
{
    static const struct {
        enum store_mapping_state mapping_state;
        enum store_direction direction;
        int64_t expires_at;
        int open;
    } cases[] = {
        { STORE_MAPPING_APPROVED, STORE_DIRECTION_BOTH, 0, 1 },
        { STORE_MAPPING_APPROVED, STORE_DIRECTION_IN, 0, 1 },
        { STORE_MAPPING_APPROVED, STORE_DIRECTION_OUT, 0, 0 },
        { STORE_MAPPING_REQUESTED, STORE_DIRECTION_BOTH, 0, 0 },
        { STORE_MAPPING_APPROVED, STORE_DIRECTION_BOTH, NOW + 1, 1 },
        { STORE_MAPPING_APPROVED, STORE_DIRECTION_BOTH, NOW, 0 },
    };
    struct store_fixture *fixture = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct store_db *db = store_fixture_borrow(fixture);
        int64_t bob, alice = add_member(db, "Alice Member", NULL), carol = add_member(db, "Carol Member", NULL);
        assert_int_equal(store_correspondent_ensure(db, "bob@example.com", NOW, &bob), 1);
        struct store_mapping_new mapping = new_mapping(bob, alice);
        mapping.state = cases[i].mapping_state;
        mapping.direction = cases[i].direction;
        mapping.expires_at = cases[i].expires_at;
        add_mapping(db, &mapping);
        assert_int_equal(store_mapping_any_inbound(db, (struct store_target){ .member_id = alice }, NOW),
                         cases[i].open);
        assert_int_equal(store_mapping_any_inbound(db, (struct store_target){ .member_id = carol }, NOW), 0);
        assert_int_equal(store_fixture_return(fixture, 0), 0);
    }
}

/* An alias can never be given back: only what is open now has a claim to one. */
static void aliases_are_for_open_mappings_only(void **state)
{
    static const enum store_mapping_state requested = STORE_MAPPING_REQUESTED, approved = STORE_MAPPING_APPROVED;
    static const struct {
        enum store_mapping_state added, became;
        int64_t expires_at;
        bool removed, wanted;
    } cases[] = {
        { requested, requested, 0, false, false },
        { requested, STORE_MAPPING_DENIED, 0, false, false },
        { requested, approved, 0, false, true },
        { approved, approved, 0, false, true },
        { approved, approved, NOW + 1, false, true },
        { approved, approved, NOW, false, false },
        { approved, STORE_MAPPING_SUSPENDED, 0, false, false },
        { approved, STORE_MAPPING_REVOKED, 0, false, false },
        { approved, approved, 0, true, false },
    };
    struct store_fixture *fixture = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct store_db *db = store_fixture_borrow(fixture);
        struct listed listed = { "" };
        enum store_mapping_state was;
        int64_t bob, alice = add_member(db, "Alice Member", NULL);
        assert_int_equal(store_correspondent_ensure(db, "bob@example.com", NOW, &bob), 1);
        struct store_mapping_new mapping = new_mapping(bob, alice);
        mapping.state = cases[i].added;
        mapping.expires_at = cases[i].expires_at;
        int64_t id = add_mapping(db, &mapping);
        if (cases[i].became != cases[i].added)
            assert_int_equal(store_mapping_set_state(db, id, cases[i].became, "root", "", NOW, &was), 1);
        if (cases[i].removed)
            assert_int_equal(store_member_remove(db, alice), 1);
        assert_int_equal(store_correspondent_list_without_alias(db, NOW, list_correspondent, &listed), 1);
        assert_string_equal(listed.text, cases[i].wanted ? "bob@example.com" : "");
        assert_int_equal(store_fixture_return(fixture, 0), 0);
    }
}

static void the_form_of_an_alias_is_remembered(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct store_correspondent found;
    int64_t bob;
    assert_int_equal(store_correspondent_ensure(db, "bob@example.com", NOW, &bob), 1);
    assert_int_equal(store_correspondent_find(db, bob, &found), 1);
    assert_int_equal(found.alias_form, 0);
    store_correspondent_free(&found);
    assert_int_equal(store_correspondent_set_alias_form(db, bob, 3), 1);
    assert_int_equal(store_correspondent_set_alias_form(db, bob + 1, 4), 0);
    assert_int_equal(store_correspondent_find(db, bob, &found), 1);
    assert_int_equal(found.alias_form, 3);
    assert_null(found.alias);
    store_correspondent_free(&found);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void approvals_are_announced_once(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    enum store_mapping_state was;
    struct listed listed[6] = { { "" } };
    int64_t bob, alice = add_member(db, "Alice Member", NULL);
    assert_int_equal(store_correspondent_ensure(db, "bob@example.com", NOW, &bob), 1);
    struct store_mapping_new mapping = new_mapping(bob, alice);
    mapping.state = STORE_MAPPING_REQUESTED;
    int64_t id = add_mapping(db, &mapping);
    assert_int_equal(store_correspondent_list_without_alias(db, NOW, list_correspondent, &listed[0]), 1);
    assert_string_equal(listed[0].text, "");
    assert_int_equal(store_mapping_set_state(db, id, STORE_MAPPING_APPROVED, "root", "", NOW, &was), 1);
    assert_int_equal(store_correspondent_list_without_alias(db, NOW, list_correspondent, &listed[1]), 1);
    assert_string_equal(listed[1].text, "bob@example.com");
    assert_int_equal(store_mapping_list_unannounced(db, NOW, list_mapping, &listed[2]), 1);
    assert_string_equal(listed[2].text, ""); /* there is no alias to announce it from */
    assert_int_equal(store_correspondent_set_alias(db, bob, "bob@example.com"), 1);
    assert_int_equal(store_correspondent_list_without_alias(db, NOW, list_correspondent, &listed[0]), 1);
    assert_string_equal(listed[0].text, "");
    assert_int_equal(store_mapping_list_unannounced(db, NOW, list_mapping, &listed[3]), 1);
    assert_string_equal(listed[3].text, "bob@example.com>Alice Member");

    assert_int_equal(store_mapping_set_announced(db, id), 1);
    assert_int_equal(store_mapping_set_announced(db, id + 1), 0);
    assert_int_equal(store_mapping_set_state(db, id, STORE_MAPPING_SUSPENDED, "root", "", NOW, &was), 1);
    assert_int_equal(store_mapping_set_state(db, id, STORE_MAPPING_APPROVED, "root", "", NOW, &was), 1);
    assert_int_equal(store_mapping_list_unannounced(db, NOW, list_mapping, &listed[4]), 1);
    assert_string_equal(listed[4].text, ""); /* resuming is no news */

    assert_int_equal(store_mapping_set_state(db, id, STORE_MAPPING_REVOKED, "root", "", NOW, &was), 1);
    mapping.state = STORE_MAPPING_APPROVED;
    add_mapping(db, &mapping);
    assert_int_equal(store_member_remove(db, alice), 1);
    assert_int_equal(store_mapping_list_unannounced(db, NOW, list_mapping, &listed[5]), 1);
    assert_string_equal(listed[5].text, "");
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

/* Of Alice, who is member 1, and Carol, who is member 2. */
static void add_three_mappings(struct store_db *db)
{
    int64_t bob, eve, alice = add_member(db, "Alice Member", NULL), carol = add_member(db, "Carol Member", NULL);
    assert_int_equal(alice, 1); /* as the tables of cases have it */
    assert_int_equal(carol, 2);
    assert_int_equal(store_correspondent_ensure(db, "bob@example.com", NOW, &bob), 1);
    assert_int_equal(store_correspondent_ensure(db, "eve@example.com", NOW, &eve), 1);
    struct store_mapping_new mapping = new_mapping(bob, alice);
    add_mapping(db, &mapping);
    mapping = new_mapping(bob, carol);
    mapping.state = STORE_MAPPING_REQUESTED;
    add_mapping(db, &mapping);
    mapping = new_mapping(eve, alice);
    add_mapping(db, &mapping);
}

static void mappings_are_listed_by_filter(void **state)
{
    static const struct {
        struct store_mapping_filter filter;
        const char *listed;
    } cases[] = {
        { { .by_state = false },
          "bob@example.com>Alice Member|bob@example.com>Carol Member|eve@example.com>Alice Member" },
        { { .by_state = true, .state = STORE_MAPPING_REQUESTED }, "bob@example.com>Carol Member" },
        { { .by_state = true, .state = STORE_MAPPING_DENIED }, "" },
        { { .subject = "bob@example.com" }, "bob@example.com>Alice Member|bob@example.com>Carol Member" },
        { { .by_target = true, .target.member_id = 1 }, "bob@example.com>Alice Member|eve@example.com>Alice Member" },
        { { .subject = "eve@example.com", .by_target = true, .target.member_id = 1 }, "eve@example.com>Alice Member" },
        { { .subject = "' OR 1=1 --" }, "" },
        { { .by_target = true }, "" }, /* all members */
        { { .limit = 2 }, "bob@example.com>Alice Member|bob@example.com>Carol Member" },
        { { .after_id = 1, .limit = 1 }, "bob@example.com>Carol Member" },
        { { .by_state = true, .state = STORE_MAPPING_APPROVED, .by_target = true, .target.member_id = 2 }, "" },
    };
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    add_three_mappings(db);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct listed listed = { "" };
        assert_int_equal(store_mapping_list(store_reader(fixture->store), &cases[i].filter, list_mapping, &listed), 1);
        assert_string_equal(listed.text, cases[i].listed);
    }
}

static void mappings_are_searched_in_slices(void **state)
{
    static const struct {
        const char *part;
        struct store_mapping_filter filter;
        const char *listed;
    } cases[] = {
        { "EVE@", { .by_state = false }, "eve@example.com>Alice Member" },
        { "carol", { .by_state = false }, "bob@example.com>Carol Member" },
        { "example.com",
          { .by_state = false },
          "bob@example.com>Alice Member|bob@example.com>Carol Member|eve@example.com>Alice Member" },
        { "bob", { .by_state = true, .state = STORE_MAPPING_REQUESTED }, "bob@example.com>Carol Member" },
        { "%", { .by_state = false }, "" },
        { "example", { .by_target = true, .target.member_id = 2 }, "bob@example.com>Carol Member" },
        { "example", { .after_id = 2 }, "eve@example.com>Alice Member" },
    };
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    int64_t requested;
    add_three_mappings(db);
    assert_int_equal(store_mapping_count_requested(db, &requested), 1);
    assert_int_equal(requested, 1);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct listed listed = { "" };
        int64_t cursor = cases[i].filter.after_id;
        int more;
        unsigned slices = 0;
        do {
            more = store_mapping_search(store_reader(fixture->store), &cases[i].filter, cases[i].part, 1, &cursor,
                                        list_mapping, &listed);
            slices++;
        } while (more == 1);
        assert_int_equal(more, 0);
        assert_int_equal(slices, 3 - cases[i].filter.after_id);
        assert_string_equal(listed.text, cases[i].listed);
    }
}

static void names_are_read_as_they_are_written(void **state)
{
    (void)state;
    for (int i = STORE_MAPPING_REQUESTED; i <= STORE_MAPPING_EXPIRED; i++) {
        enum store_mapping_state mapping_state;
        assert_true(store_mapping_state_parse(store_mapping_state_name((enum store_mapping_state)i), &mapping_state));
        assert_int_equal(mapping_state, i);
    }
    for (int i = STORE_DIRECTION_IN; i <= STORE_DIRECTION_BOTH; i++) {
        enum store_direction direction;
        assert_true(store_direction_parse(store_direction_name((enum store_direction)i), &direction));
        assert_int_equal(direction, i);
    }
    enum store_mapping_state unused_state;
    enum store_direction unused_direction;
    assert_false(store_mapping_state_parse("Approved", &unused_state));
    assert_false(store_direction_parse("", &unused_direction));
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(account_is_kept_by_silo_address),
        WITH_STORE(local_parts_are_derived_from_aliases),
        WITH_STORE(given_local_parts_are_checked),
        WITH_STORE(removed_members_keep_their_address_and_may_come_back),
        WITH_STORE(uid_is_bound_to_the_first_alias_seen),
        WITH_STORE(members_ask_for_reports_until_they_are_removed),
        WITH_STORE(members_are_listed),
        WITH_STORE(correspondents_get_one_alias_each),
        WITH_STORE(mappings_are_kept_as_given),
        WITH_STORE(mappings_change_as_their_life_allows),
        WITH_STORE(a_pair_has_one_live_mapping),
        WITH_STORE(inbound_is_open_while_approved_and_not_expired),
        WITH_STORE(aliases_are_for_open_mappings_only),
        WITH_STORE(the_form_of_an_alias_is_remembered),
        WITH_STORE(approvals_are_announced_once),
        WITH_STORE(mappings_are_listed_by_filter),
        WITH_STORE(mappings_are_searched_in_slices),
        cmocka_unit_test(names_are_read_as_they_are_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
