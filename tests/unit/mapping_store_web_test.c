#include "tests/unit/mapping_store_fixture.h"

#include "mapping/store_web.h"

static int64_t add_account(struct store_db *db, const char *name)
{
    struct store_web_account account;
    assert_int_equal(store_web_account_add(db, name, "hash 1", 1000), 1);
    assert_int_equal(store_web_account_find(db, name, &account), 1);
    int64_t id = account.id;
    store_web_account_free(&account);
    return id;
}

static struct store_web_account get(struct store_db *db, const char *name)
{
    struct store_web_account account;
    assert_int_equal(store_web_account_find(db, name, &account), 1);
    return account;
}

static const uint8_t *digest_of(int number)
{
    static uint8_t digest[DIGEST_SIZE];
    memset(digest, 0, sizeof digest);
    memcpy(digest, &number, sizeof number);
    return digest;
}

static int find_session(struct store_db *db, int number)
{
    struct store_web_session session;
    int result = store_web_session_find(db, digest_of(number), &session);
    store_web_session_free(&session);
    return result;
}

static void test_an_account(void **state)
{
    struct store_db *db = store_fixture_borrow(*state);
    struct store_web_account account;
    int64_t count, id = add_account(db, "alice");
    assert_int_equal(store_web_account_find(db, "bob", &account), 0);
    assert_int_equal(store_web_account_add(db, "alice", "hash 2", 2000), 0);
    assert_int_equal(store_web_account_set_password(db, id, "hash 2", 3000), 1);
    assert_int_equal(store_web_account_rehash(db, id, "hash 1", "hash 3"), 0); /* it is another one meanwhile */
    assert_int_equal(store_web_account_rehash(db, id, "hash 2", "hash 3"), 1);
    assert_int_equal(store_web_account_note_sign_in(db, id, 4000), 1);
    account = get(db, "alice");
    assert_string_equal(account.password, "hash 3");
    assert_int_equal(account.created_at, 1000);
    assert_int_equal(account.password_at, 3000);
    assert_int_equal(account.signed_in_at, 4000);
    assert_int_equal(account.totp, STORE_WEB_TOTP_NONE);
    store_web_account_free(&account);
    assert_int_equal(store_web_account_count(db, &count), 1);
    assert_int_equal(count, 1);
    assert_int_equal(store_fixture_return(*state, 1), 1);
}

static void test_what_goes_with_an_account(void **state)
{
    struct store_db *db = store_fixture_borrow(*state);
    int64_t alice = add_account(db, "alice"), bob = add_account(db, "bob");
    assert_int_equal(store_web_session_add(db, alice, digest_of(1), "p", "a", 1), 1);
    assert_int_equal(store_web_session_add(db, bob, digest_of(2), "p", "a", 1), 1);
    assert_int_equal(store_web_recovery_add(db, alice, digest_of(3)), 1);
    assert_int_equal(store_web_account_remove(db, alice), 1);
    assert_int_equal(find_session(db, 1), 0);
    assert_int_equal(find_session(db, 2), 1);
    assert_int_equal(store_web_account_remove(db, alice), 0);
    assert_int_equal(store_fixture_return(*state, 1), 1);
}

/* Nobody is asked for codes before one has come; each is good once. */
static void test_one_time_codes(void **state)
{
    struct store_db *db = store_fixture_borrow(*state);
    static const uint8_t secret[STORE_WEB_TOTP_SIZE] = { 1, 2, 3 };
    struct store_web_account account;
    int64_t id = add_account(db, "alice");
    assert_int_equal(store_web_totp_set(db, id, STORE_WEB_TOTP_ON, NULL), 0); /* nothing was begun */
    assert_int_equal(store_web_totp_set(db, id, STORE_WEB_TOTP_BEGUN, secret), 1);
    account = get(db, "alice");
    assert_int_equal(account.totp, STORE_WEB_TOTP_BEGUN);
    assert_memory_equal(account.totp_secret, secret, sizeof secret);
    store_web_account_free(&account);
    assert_int_equal(store_web_totp_use(db, id, 100), 1);
    assert_int_equal(store_web_totp_set(db, id, STORE_WEB_TOTP_ON, NULL), 1);
    assert_int_equal(store_web_totp_use(db, id, 100), 0);
    assert_int_equal(store_web_totp_use(db, id, 99), 0);
    assert_int_equal(store_web_totp_use(db, id, 101), 1);
    assert_int_equal(store_web_recovery_add(db, id, digest_of(1)), 1);
    assert_int_equal(store_web_recovery_add(db, id, digest_of(2)), 1);
    assert_int_equal(store_web_recovery_use(db, id, digest_of(3)), 0);
    assert_int_equal(store_web_recovery_use(db, id, digest_of(1)), 1);
    assert_int_equal(store_web_recovery_use(db, id, digest_of(1)), 0);
    account = get(db, "alice");
    assert_int_equal(account.totp, STORE_WEB_TOTP_ON);
    assert_int_equal(account.recovery_codes, 1);
    store_web_account_free(&account);
    assert_int_equal(store_web_totp_set(db, id, STORE_WEB_TOTP_NONE, NULL), 1);
    account = get(db, "alice");
    assert_int_equal(account.totp, STORE_WEB_TOTP_NONE);
    assert_int_equal(account.recovery_codes, 0);
    store_web_account_free(&account);
    assert_int_equal(store_fixture_return(*state, 1), 1);
}

/* Another secret counts its steps from the beginning. */
static void test_another_secret(void **state)
{
    struct store_db *db = store_fixture_borrow(*state);
    static const uint8_t secret[STORE_WEB_TOTP_SIZE] = { 1 };
    int64_t id = add_account(db, "alice");
    assert_int_equal(store_web_totp_set(db, id, STORE_WEB_TOTP_BEGUN, secret), 1);
    assert_int_equal(store_web_totp_use(db, id, 100), 1);
    assert_int_equal(store_web_totp_set(db, id, STORE_WEB_TOTP_BEGUN, secret), 1);
    assert_int_equal(store_web_totp_use(db, id, 100), 1);
    assert_int_equal(store_fixture_return(*state, 1), 1);
}

static void test_a_session(void **state)
{
    struct store_db *db = store_fixture_borrow(*state);
    struct store_web_session session;
    int64_t id = add_account(db, "alice"), bob = add_account(db, "bob");
    assert_int_equal(store_web_session_add(db, id, digest_of(1), "192.0.2.1", "Browser", 1000), 1);
    assert_int_equal(store_web_session_find(db, digest_of(1), &session), 1);
    assert_string_equal(session.account, "alice");
    assert_string_equal(session.peer, "192.0.2.1");
    assert_string_equal(session.agent, "Browser");
    assert_int_equal(store_web_session_touch(db, session.id, 2000), 1);
    int64_t number = session.id;
    store_web_session_free(&session);
    assert_int_equal(store_web_session_find(db, digest_of(1), &session), 1);
    assert_int_equal(session.created_at, 1000);
    assert_int_equal(session.seen_at, 2000);
    store_web_session_free(&session);
    assert_int_equal(store_web_session_end(db, bob, number), 0); /* somebody else's */
    assert_int_equal(store_web_session_end(db, id, number), 1);
    assert_int_equal(find_session(db, 1), 0);
    assert_int_equal(store_fixture_return(*state, 1), 1);
}

static void test_how_sessions_end(void **state)
{
    struct store_db *db = store_fixture_borrow(*state);
    struct store_web_session session;
    int64_t id = add_account(db, "alice");
    for (int i = 1; i <= 4; i++)
        assert_int_equal(store_web_session_add(db, id, digest_of(i), "", "", i * 1000), 1);
    assert_int_equal(store_web_session_find(db, digest_of(1), &session), 1);
    assert_int_equal(store_web_session_touch(db, session.id, 9000), 1);
    int64_t first = session.id;
    store_web_session_free(&session);
    assert_int_equal(store_web_session_sweep(db, 3000, 0), 1); /* not seen since 3000 */
    assert_int_equal(find_session(db, 1), 1);
    assert_int_equal(find_session(db, 2), 0);
    assert_int_equal(find_session(db, 3), 1);
    assert_int_equal(store_web_session_end_all(db, id, first), 1);
    assert_int_equal(find_session(db, 1), 1);
    assert_int_equal(find_session(db, 4), 0);
    assert_int_equal(store_web_session_sweep(db, 0, 1001), 1); /* begun before */
    assert_int_equal(find_session(db, 1), 0);
    assert_int_equal(store_fixture_return(*state, 1), 1);
}

static void test_an_account_has_so_many_sessions(void **state)
{
    struct store_db *db = store_fixture_borrow(*state);
    int64_t id = add_account(db, "alice"), bob = add_account(db, "bob");
    assert_int_equal(store_web_session_add(db, bob, digest_of(1000), "", "", 0), 1);
    for (int i = 0; i <= STORE_WEB_SESSIONS_MAX; i++)
        assert_int_equal(store_web_session_add(db, id, digest_of(i), "", "", 1000 + i), 1);
    assert_int_equal(find_session(db, 0), 0);
    assert_int_equal(find_session(db, 1), 1);
    assert_int_equal(find_session(db, STORE_WEB_SESSIONS_MAX), 1);
    assert_int_equal(find_session(db, 1000), 1);
    assert_int_equal(store_fixture_return(*state, 1), 1);
}

static void test_tokens(void **state)
{
    struct store_db *db = store_fixture_borrow(*state);
    struct store_web_token found, token = { .name = (char[]){ "robot" },
                                            .only_reads = true,
                                            .created_at = 1000,
                                            .created_by = (char[]){ "root" },
                                            .expires_at = 5000 };
    assert_int_equal(store_web_token_add(db, &token, digest_of(1)), 1);
    assert_int_equal(store_web_token_add(db, &token, digest_of(2)), 0);
    assert_int_equal(store_web_token_find(db, digest_of(2), &found), 0);
    assert_int_equal(store_web_token_find(db, digest_of(1), &found), 1);
    assert_string_equal(found.name, "robot");
    assert_true(found.only_reads);
    assert_int_equal(found.expires_at, 5000);
    assert_int_equal(found.used_at, 0);
    assert_int_equal(store_web_token_touch(db, found.id, 3000), 1);
    store_web_token_free(&found);
    assert_int_equal(store_web_token_find(db, digest_of(1), &found), 1);
    assert_int_equal(found.used_at, 3000);
    store_web_token_free(&found);
    assert_int_equal(store_web_token_remove(db, "robot"), 1);
    assert_int_equal(store_web_token_remove(db, "robot"), 0);
    assert_int_equal(store_web_token_find(db, digest_of(1), &found), 0);
    assert_int_equal(store_fixture_return(*state, 1), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_an_account),
        TEST(test_what_goes_with_an_account),
        TEST(test_one_time_codes),
        TEST(test_another_secret),
        TEST(test_a_session),
        TEST(test_how_sessions_end),
        TEST(test_an_account_has_so_many_sessions),
        TEST(test_tokens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
