/* mapping_store_named_test.c - whom a thread's readers know of, and what its last mail said */
#include "tests/unit/mapping_store_fixture.h"

#include "mapping/store_mapping.h"
#include "mapping/store_member.h"
#include "mapping/store_named.h"
#include "mapping/store_queue.h"
#include "mapping/store_thread.h"

enum { NOW = 1000 };

static int64_t add_thread(struct store_db *db)
{
    int64_t id;
    assert_int_equal(store_thread_add(db, NULL, "Plans", NOW, &id), 1);
    return id;
}

/* A mail of Bob's in a thread, on its way; is_posted: the silo has it. */
static int64_t add_mail(struct store_db *db, int64_t thread, int64_t bob, int64_t received_at, bool is_posted)
{
    int64_t id;
    const struct store_inbound_new row = { .kind = STORE_INBOUND_MAIL,
                                           .sender = "bob@example.com",
                                           .from_address = "bob@example.com",
                                           .correspondent_id = bob,
                                           .references = "",
                                           .now = received_at };
    assert_int_equal(store_inbound_add(db, &row, &id), 1);
    const struct store_message_new message = { .thread_id = thread, .inbound_id = id, .now = NOW };
    assert_int_equal(store_message_add(db, &message), 1);
    if (is_posted)
        assert_int_equal(store_message_set_tmtp_msgid(db, id, "0000000000000001"), 1);
    return id;
}

static int64_t add_answer(struct store_db *db, int64_t thread, int64_t member)
{
    int64_t id;
    const struct store_outbound_new row = { .tmtp_msgid = "m",
                                            .thread_id = thread,
                                            .member_id = member,
                                            .author_uid = "UID",
                                            .author_alias = "Alice Member",
                                            .message_id = "x@y",
                                            .head = "",
                                            .now = NOW };
    assert_int_equal(store_outbound_add(db, &row, &id), 1);
    const struct store_message_new message = { .thread_id = thread, .outbound_id = id, .now = NOW };
    assert_int_equal(store_message_add(db, &message), 1);
    return id;
}

struct collected {
    char text[4096];
    unsigned count;
};

static void collect(const char *address, void *ctx)
{
    struct collected *collected = ctx;
    size_t len = strlen(collected->text);
    if (len + strlen(address) + 2 < sizeof collected->text)
        snprintf(collected->text + len, sizeof collected->text - len, "%s ", address);
    collected->count++;
}

static void assert_known(struct store_db *db, int64_t thread, const char *expected)
{
    struct collected collected = { .count = 0 };
    assert_int_equal(store_named_list_known(db, thread, 1000, collect, &collected), 1);
    assert_string_equal(collected.text, expected);
}

/* Who is named counts when the mail that names them is posted, and in its thread only. */
static void named_once_in_a_thread(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    int64_t bob, thread = add_thread(db), other = add_thread(db);
    assert_int_equal(store_correspondent_ensure(db, "bob@example.com", NOW, &bob), 1);
    char alias[] = "bob@example.com", uid[] = "UID";
    const struct store_party party = { .correspondent_id = bob, .alias = alias, .uid = uid };
    assert_int_equal(store_thread_add_party(db, thread, &party), 1);
    int64_t first = add_mail(db, thread, bob, NOW, false);
    assert_int_equal(store_named_add(db, thread, first, "carol@example.net"), 1);
    assert_int_equal(store_named_add(db, thread, first, "carol@example.net"), 1);
    assert_known(db, thread, "bob@example.com "); /* nobody has read it */
    assert_int_equal(store_message_set_tmtp_msgid(db, first, "0000000000000002"), 1);
    assert_known(db, thread, "bob@example.com carol@example.net ");
    assert_known(db, other, "");
    int64_t second = add_mail(db, thread, bob, NOW, false);
    assert_int_equal(store_named_add(db, thread, second, "dave@example.net"), 1);
    assert_known(db, thread, "bob@example.com carol@example.net ");
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

/* The first mail was dropped; the next one names the same person. */
static void named_again_by_a_later_mail(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    int64_t bob, thread = add_thread(db);
    assert_int_equal(store_correspondent_ensure(db, "bob@example.com", NOW, &bob), 1);
    assert_int_equal(store_named_add(db, thread, add_mail(db, thread, bob, NOW, false), "carol@example.net"), 1);
    assert_int_equal(store_named_add(db, thread, add_mail(db, thread, bob, NOW, true), "carol@example.net"), 1);
    assert_known(db, thread, "carol@example.net ");
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void named_people_have_a_limit(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct collected collected = { .count = 0 };
    int64_t bob, thread = add_thread(db);
    assert_int_equal(store_correspondent_ensure(db, "bob@example.com", NOW, &bob), 1);
    int64_t mail = add_mail(db, thread, bob, NOW, true);
    for (int i = 0; i < STORE_NAMED_MAX + 10; i++) {
        char address[40];
        snprintf(address, sizeof address, "p%d@example.net", i);
        assert_int_equal(store_named_add(db, thread, mail, address), i < STORE_NAMED_MAX);
    }
    assert_int_equal(store_named_list_known(db, thread, 1000, collect, &collected), 1);
    assert_int_equal(collected.count, STORE_NAMED_MAX);
    collected.count = 0;
    assert_int_equal(store_named_list_known(db, thread, 7, collect, &collected), 1);
    assert_int_equal(collected.count, 7);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void members_are_known_by_old_addresses_too(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct collected collected = { .count = 0 };
    const char *reason;
    char alias[] = "Alice Member", uid[] = "UIDALICE";
    int64_t alice, thread = add_thread(db);
    assert_int_equal(store_member_add(db, alias, "alice", NOW, &alice, &reason), 1);
    assert_int_equal(store_address_give(db, "a.member", (struct store_target){ .member_id = alice }, &reason), 1);
    const struct store_party party = { .member_id = alice, .alias = alias, .uid = uid };
    assert_int_equal(store_thread_add_party(db, thread, &party), 1);
    assert_int_equal(store_named_list_local_parts(db, thread, 1000, collect, &collected), 1);
    assert_string_equal(collected.text, "a.member alice ");
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void set_excerpt(struct store_db *db, int64_t thread, int64_t mail, int64_t received_at, const char *text)
{
    char name[] = "Bob", words[100];
    snprintf(words, sizeof words, "%s", text);
    const struct store_excerpt excerpt = {
        .thread_id = thread, .inbound_id = mail, .author_name = name, .text = words, .received_at = received_at
    };
    assert_int_equal(store_excerpt_set(db, &excerpt), 1);
}

static void an_answer_quotes_what_came_before_it(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct store_excerpt found;
    const char *reason;
    int64_t bob, alice, thread = add_thread(db);
    assert_int_equal(store_correspondent_ensure(db, "bob@example.com", NOW, &bob), 1);
    assert_int_equal(store_member_add(db, "Alice Member", "alice", NOW, &alice, &reason), 1);
    int64_t early = add_answer(db, thread, alice);
    assert_int_equal(store_excerpt_find(db, thread, early, &found), 0);
    set_excerpt(db, thread, add_mail(db, thread, bob, 2000, true), 2000, "The gate?");
    int64_t answer = add_answer(db, thread, alice);
    assert_int_equal(store_excerpt_find(db, thread, early, &found), 0); /* it came later */
    assert_int_equal(store_excerpt_find(db, thread, answer, &found), 1);
    assert_int_equal(found.correspondent_id, bob);
    assert_string_equal(found.address, "bob@example.com");
    assert_string_equal(found.author_name, "Bob");
    assert_string_equal(found.text, "The gate?");
    assert_int_equal(found.received_at, 2000);
    store_excerpt_free(&found);
    set_excerpt(db, thread, add_mail(db, thread, bob, 3000, false), 3000, "And the door?"); /* nobody has read it yet */
    assert_int_equal(store_excerpt_find(db, thread, add_answer(db, thread, alice), &found), 0);
    assert_int_equal(store_excerpt_find(db, thread, answer, &found), 0);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void excerpts_are_erased(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    int64_t bob, count, threads[4];
    assert_int_equal(store_correspondent_ensure(db, "bob@example.com", NOW, &bob), 1);
    for (int i = 0; i < 4; i++) {
        threads[i] = add_thread(db);
        set_excerpt(db, threads[i], add_mail(db, threads[i], bob, i, true), i, "x");
    }
    assert_int_equal(store_excerpt_expire(db, 1, 5), 1);
    assert_int_equal(store_fetch_int(db, "SELECT count(*) FROM thread_excerpt", NULL, &count), 1);
    assert_int_equal(count, 3);
    assert_int_equal(store_excerpt_expire(db, NOW, 1),
                     1); /* a few at a time: when none is wanted any more they are many */
    assert_int_equal(store_fetch_int(db, "SELECT count(*) FROM thread_excerpt", NULL, &count), 1);
    assert_int_equal(count, 2);
    assert_int_equal(store_excerpt_erase(db, threads[2]), 1);
    assert_int_equal(store_excerpt_erase(db, threads[2]), 1);
    assert_int_equal(store_fetch_int(db, "SELECT count(*) FROM thread_excerpt", NULL, &count), 1);
    assert_int_equal(count, 1);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

/* It was dropped, or went back to its sender. Another mail's stays. */
static void an_excerpt_goes_with_its_mail(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    int64_t bob, count, thread = add_thread(db);
    assert_int_equal(store_correspondent_ensure(db, "bob@example.com", NOW, &bob), 1);
    int64_t first = add_mail(db, thread, bob, NOW, true), second = add_mail(db, thread, bob, NOW, false);
    assert_int_equal(store_inbound_route(db, first, thread, "Plans"), 1);
    assert_int_equal(store_inbound_route(db, second, thread, "Plans"), 1);
    set_excerpt(db, thread, second, NOW, "x");
    assert_int_equal(store_excerpt_take_back(db, first), 1);
    assert_int_equal(store_fetch_int(db, "SELECT count(*) FROM thread_excerpt", NULL, &count), 1);
    assert_int_equal(count, 1);
    assert_int_equal(store_excerpt_take_back(db, second), 1);
    assert_int_equal(store_fetch_int(db, "SELECT count(*) FROM thread_excerpt", NULL, &count), 1);
    assert_int_equal(count, 0);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static const char mark[] = "Words that nobody but Alice was told";

static bool file_has_mark(const struct store_fixture *fixture, const char *suffix)
{
    enum { SIZE_MAX_READ = 4 << 20 };
    char path[128];
    snprintf(path, sizeof path, "%s%s", fixture->path, suffix);
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    char *bytes = malloc(SIZE_MAX_READ);
    assert_non_null(bytes);
    size_t len = fread(bytes, 1, SIZE_MAX_READ, file);
    bool found = memmem(bytes, len, mark, sizeof mark - 1) != NULL;
    free(bytes);
    fclose(file);
    return found;
}

/* By the committer, when it has nothing else to do. */
static void wait_until_gone(const struct store_fixture *fixture, const char *suffix)
{
    for (int i = 0; i < 100 && file_has_mark(fixture, suffix); i++)
        usleep(100 * 1000);
    assert_false(file_has_mark(fixture, suffix));
}

/* By age, or because the next mail says nothing: also when nothing else is written after that. */
static void erased_excerpts_are_in_no_file_after_a_moment(void **state)
{
    struct store_fixture *fixture = *state;
    for (int by_age = 0; by_age < 2; by_age++) {
        struct store_db *db = store_fixture_borrow(fixture);
        int64_t bob, thread = add_thread(db);
        assert_int_equal(store_correspondent_ensure(db, "bob@example.com", NOW, &bob), 1);
        set_excerpt(db, thread, add_mail(db, thread, bob, NOW, false), NOW, mark);
        assert_int_equal(store_fixture_return(fixture, 1), 1);
        wait_until_gone(fixture, "-wal");
        assert_true(file_has_mark(fixture, ""));
        db = store_fixture_borrow(fixture);
        int erased = by_age ? store_excerpt_expire(db, NOW + 1, 5) : store_excerpt_erase(db, thread);
        assert_int_equal(store_fixture_return(fixture, erased), 1);
        wait_until_gone(fixture, "");
        wait_until_gone(fixture, "-wal");
    }
}

/* What was said about a thread goes with it. */
static void a_thread_takes_them_along(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    int64_t bob, count, thread = add_thread(db);
    assert_int_equal(store_correspondent_ensure(db, "bob@example.com", NOW, &bob), 1);
    int64_t mail = add_mail(db, thread, bob, NOW, true);
    assert_int_equal(store_named_add(db, thread, mail, "carol@example.net"), 1);
    set_excerpt(db, thread, mail, NOW, "x");
    assert_int_equal(store_execute(db, "DELETE FROM message", NULL), 1);
    assert_int_equal(store_execute(db, "DELETE FROM thread", NULL), 1);
    assert_int_equal(
        store_fetch_int(db, "SELECT (SELECT count(*) FROM thread_named) + (SELECT count(*) FROM thread_excerpt)", NULL,
                        &count),
        1);
    assert_int_equal(count, 0);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)
        TEST(named_once_in_a_thread),
        TEST(named_again_by_a_later_mail),
        TEST(named_people_have_a_limit),
        TEST(members_are_known_by_old_addresses_too),
        TEST(an_answer_quotes_what_came_before_it),
        TEST(excerpts_are_erased),
        TEST(an_excerpt_goes_with_its_mail),
        TEST(erased_excerpts_are_in_no_file_after_a_moment),
        TEST(a_thread_takes_them_along),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
