/* gateway_target_test.c - whose mail it is: exactly, without regard to case, and with a detail behind "+" */
#include "tests/unit/mapping_store_fixture.h"

#include "gateway/target.h"
#include "mapping/store_group.h"
#include "mapping/store_member.h"

enum { NOW = 1000 };

static int64_t add_member(struct store_db *db, const char *alias, const char *local_part)
{
    int64_t id;
    const char *reason;
    assert_int_equal(store_member_add(db, alias, local_part, NOW, &id, &reason), 1);
    return id;
}

static int find(struct store_db *db, const char *local_part, struct target *target)
{
    char text[SMTP_ADDRESS_MAX + 1];
    struct smtp_address address;
    snprintf(text, sizeof text, "%s@silo.example.org", local_part);
    assert_int_equal(smtp_address_parse(text, strlen(text), &address), 1);
    return target_find_by_address(db, &address, target);
}

static void assert_member(struct store_db *db, const char *local_part, int64_t id)
{
    struct target target;
    assert_int_equal(find(db, local_part, &target), 1);
    assert_int_equal(target.id.member_id, id);
    assert_int_equal(target.id.group_id, 0);
}

static void assert_nobody(struct store_db *db, const char *local_part)
{
    struct target target;
    assert_int_equal(find(db, local_part, &target), 0);
}

static void details_are_their_owner_s(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    int64_t alice = add_member(db, "Alice Member", "alice");
    int64_t news = add_member(db, "Alice News", "alice+news");
    assert_member(db, "alice", alice);
    assert_member(db, "ALICE", alice);
    assert_member(db, "\"alice\"", alice);
    assert_member(db, "alice+shop", alice);
    assert_member(db, "Alice+", alice);
    assert_member(db, "alice+shop+news", alice);
    assert_member(db, "\"alice+two words\"", alice);
    assert_nobody(db, "bob+alice");
    assert_nobody(db, "+alice");
    assert_nobody(db, "alice-shop");
    /* Exactly first, and also when who had it is there no more: nobody else ever gets it. */
    assert_member(db, "alice+news", news);
    assert_member(db, "Alice+News", news);
    assert_member(db, "alice+news+more", alice);
    assert_int_equal(store_member_remove(db, news), 1);
    assert_nobody(db, "alice+news");
    assert_int_equal(store_member_remove(db, alice), 1);
    assert_nobody(db, "alice+shop");
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void groups_have_details_too(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    char gid[] = "Staff Group", own[] = "Email Gateway", inviter[] = "Alice Member", uid[] = "u1";
    struct store_group invitation = { .gid = gid, .own_alias = own, .inviter_alias = inviter, .inviter_uid = uid };
    int64_t id;
    struct target target;
    assert_int_equal(store_group_invite(db, &invitation, true, NOW, &id), 1);
    assert_int_equal(find(db, "staff.group+rota", &target), 1);
    assert_int_equal(target.id.group_id, id);
    assert_false(target.is_reachable);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(details_are_their_owner_s, store_fixture_setup, store_fixture_teardown),
        cmocka_unit_test_setup_teardown(groups_have_details_too, store_fixture_setup, store_fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
