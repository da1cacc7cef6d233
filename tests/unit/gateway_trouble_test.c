/* gateway_trouble_test.c - what mappings do to a mail that was taken and waits */
#include "tests/unit/mapping_store_fixture.h"

#include "gateway/trouble.h"
#include "mapping/store_mapping.h"
#include "mapping/store_member.h"
#include "mapping/store_queue.h"

static const int64_t NOW = INT64_C(1800000000000), DAY = INT64_C(24) * 3600 * 1000;

static int64_t add_mapping(struct store_db *db, const char *subject, enum store_mapping_state state, int64_t expires_at)
{
    int64_t correspondent, id;
    assert_int_equal(store_correspondent_ensure(db, subject, NOW, &correspondent), 1);
    struct store_mapping_new mapping = { .correspondent_id = correspondent,
                                         .target = { .member_id = 1 },
                                         .state = state,
                                         .direction = STORE_DIRECTION_BOTH,
                                         .expires_at = expires_at,
                                         .note = "",
                                         .actor = "root",
                                         .reason = "",
                                         .now = NOW };
    assert_int_equal(store_mapping_add(db, &mapping, &id), 1);
    return id;
}

static void move(struct store_db *db, int64_t id, enum store_mapping_state state, int64_t now)
{
    enum store_mapping_state was;
    assert_int_equal(store_mapping_set_state(db, id, state, "root", "", now, &was), 1);
}

/* A mail of this author to Alice, let in by this mapping. */
static void add_mail(struct store_db *db, const char *author, int64_t mapping_id)
{
    int64_t id;
    struct store_inbound_new mail = {
        .kind = STORE_INBOUND_MAIL, .sender = author, .from_address = author, .references = "", .now = NOW
    };
    struct store_inbound_recipient_new recipient = { .target = { .member_id = 1 },
                                                     .mapping_id = mapping_id,
                                                     .address = "alice@silo.example.org" };
    assert_int_equal(store_inbound_add(db, &mail, &id), 1);
    assert_int_equal(store_inbound_add_recipient(db, id, &recipient), 1);
}

static enum trouble find(struct store_db *db, enum smtp_case local_case)
{
    struct store_inbound row;
    enum trouble trouble;
    assert_int_equal(store_inbound_find(db, 1, &row), 1);
    assert_int_equal(trouble_find(db, &row, &row.recipients[0], local_case, TROUBLE_OURS, &trouble), 1);
    store_inbound_free(&row);
    return trouble;
}

static void begin_with_alice(struct store_db *db)
{
    const char *reason;
    int64_t id;
    assert_int_equal(store_member_add(db, "Alice Member", NULL, NOW, &id, &reason), 1);
    assert_int_equal(store_member_learn_uid(db, "Alice Member", "UIDALICE"), 1);
}

static void what_expires_while_mail_waits_lets_it_go_on(void **state)
{
    struct store_db *db = store_fixture_borrow(*state);
    begin_with_alice(db);
    int64_t mapping = add_mapping(db, "bob@example.com", STORE_MAPPING_APPROVED, NOW + DAY);
    add_mail(db, "bob@example.com", mapping);
    assert_int_equal(find(db, SMTP_CASE_FOLDED), TROUBLE_OURS);
    move(db, mapping, STORE_MAPPING_EXPIRED, NOW + DAY);
    assert_int_equal(find(db, SMTP_CASE_FOLDED), TROUBLE_OURS);
    assert_int_equal(store_fixture_return(*state, 1), 1);
}

/* Somebody has closed it, and its end must not open it. */
static void what_expires_suspended_stays_closed(void **state)
{
    struct store_db *db = store_fixture_borrow(*state);
    begin_with_alice(db);
    int64_t mapping = add_mapping(db, "bob@example.com", STORE_MAPPING_APPROVED, NOW + DAY);
    add_mail(db, "bob@example.com", mapping);
    move(db, mapping, STORE_MAPPING_SUSPENDED, NOW + 1);
    assert_int_equal(find(db, SMTP_CASE_FOLDED), TROUBLE_SUSPENDED);
    move(db, mapping, STORE_MAPPING_EXPIRED, NOW + DAY);
    assert_int_equal(find(db, SMTP_CASE_FOLDED), TROUBLE_REVOKED);
    assert_int_equal(store_fixture_return(*state, 1), 1);
}

/* policy.local_parts = sensitive: BOB is somebody else. */
static void case_counts_for_what_waits_as_for_what_comes(void **state)
{
    struct store_db *db = store_fixture_borrow(*state);
    begin_with_alice(db);
    int64_t mapping = add_mapping(db, "bob@example.com", STORE_MAPPING_APPROVED, 0);
    add_mapping(db, "BOB@example.com", STORE_MAPPING_DENIED, 0);
    add_mail(db, "bob@example.com", mapping);
    assert_int_equal(find(db, SMTP_CASE_KEPT), TROUBLE_OURS);
    assert_int_equal(find(db, SMTP_CASE_FOLDED), TROUBLE_REVOKED);
    assert_int_equal(store_fixture_return(*state, 1), 1);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(what_expires_while_mail_waits_lets_it_go_on),
        WITH_STORE(what_expires_suspended_stays_closed),
        WITH_STORE(case_counts_for_what_waits_as_for_what_comes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
