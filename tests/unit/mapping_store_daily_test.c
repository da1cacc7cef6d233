/* mapping_store_daily_test.c - what the daily limit of a mapping counts */
#include "tests/unit/mapping_store_fixture.h"

#include "mapping/store_mapping.h"
#include "mapping/store_member.h"
#include "mapping/store_queue.h"

enum { NOW = 1000000 };

static int64_t add_mapping(struct store_db *db, const char *subject)
{
    struct store_mapping_new mapping = { .subject = subject,
                                         .state = STORE_MAPPING_APPROVED,
                                         .direction = STORE_DIRECTION_IN,
                                         .note = "",
                                         .actor = "root",
                                         .reason = "",
                                         .now = NOW };
    int64_t id;
    assert_int_equal(store_mapping_add(db, &mapping, &id), 1);
    return id;
}

static int64_t add_mail(struct store_db *db, int64_t correspondent_id, int64_t at)
{
    const struct store_inbound_new row = { .kind = STORE_INBOUND_MAIL,
                                           .sender = "bob@example.com",
                                           .from_address = "bob@example.com",
                                           .correspondent_id = correspondent_id,
                                           .references = "",
                                           .now = at };
    int64_t id;
    assert_int_equal(store_inbound_add(db, &row, &id), 1);
    return id;
}

static void add_let_in(struct store_db *db, int64_t inbound_id, int64_t member_id, int64_t mapping_id)
{
    const struct store_inbound_recipient_new recipient = { .target = { .member_id = member_id },
                                                           .mapping_id = mapping_id };
    assert_int_equal(store_inbound_add_recipient(db, inbound_id, &recipient), 1);
}

/* What a mapping has let in counts, by whomever and for whomever: a message for two is one. */
static void a_mapping_counts_what_it_let_in(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    const char *reason;
    int64_t alice, carol, bob, eve, n, one = add_mapping(db, "*@example.com"), other = add_mapping(db, "*@example.net");
    assert_int_equal(store_member_add(db, "Alice Member", NULL, NOW, &alice, &reason), 1);
    assert_int_equal(store_member_add(db, "Carol Member", NULL, NOW, &carol, &reason), 1);
    assert_int_equal(store_correspondent_ensure(db, "bob@example.com", NOW, &bob), 1);
    assert_int_equal(store_correspondent_ensure(db, "eve@example.com", NOW, &eve), 1);
    static const struct {
        int64_t at;
        bool from_eve, to_carol, by_other;
    } mails[] = { { NOW - 1, false, false, false }, { NOW, false, false, false },    { NOW + 1, false, true, false },
                  { NOW + 2, true, false, true },   { NOW + 2, true, false, false }, { NOW + 3, false, false, true } };
    for (size_t i = 0; i < sizeof mails / sizeof mails[0]; i++) {
        int64_t id = add_mail(db, mails[i].from_eve ? eve : bob, mails[i].at);
        add_let_in(db, id, alice, mails[i].by_other ? other : one);
        if (mails[i].to_carol)
            add_let_in(db, id, carol, one);
        if (i == 2)
            assert_int_equal(store_inbound_finish(db, id, STORE_QUEUE_SETTLED), 1); /* counts all the same */
    }
    static const struct {
        int64_t since, max, expected;
    } rows[] = { { NOW - 1, 9, 4 }, { NOW, 9, 3 }, { NOW, 3, 3 }, { NOW, 2, 2 }, { NOW + 2, 9, 1 }, { NOW + 3, 9, 0 } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(store_inbound_count_by_mapping(db, one, rows[i].since, rows[i].max, &n), 1);
        assert_int_equal(n, rows[i].expected);
    }
    assert_int_equal(store_inbound_count_by_mapping(db, other, NOW, 9, &n), 1);
    assert_int_equal(n, 2);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_mapping_counts_what_it_let_in, store_fixture_setup, store_fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
