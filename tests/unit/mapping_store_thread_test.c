/* mapping_store_thread_test.c - what the recipients of a mail have of its thread */
#include "tests/unit/mapping_store_fixture.h"

#include "mapping/store_mapping.h"
#include "mapping/store_member.h"
#include "mapping/store_queue.h"
#include "mapping/store_thread.h"

enum { NOW = 1000 };

/* A thread, message after message: "bc" is a mail to Bob and Carol, "<" one from outside, "-" a note that is no mail. */
struct scene {
    const char *messages;
    const char *shared; /* what the last one answers, by its place; NULL: nothing */
};

static int64_t add_mail(struct store_db *db, int64_t thread, int64_t member, const int64_t *people, const char *to)
{
    int64_t id;
    const struct store_outbound_new row = {
        .tmtp_msgid = "m",
        .thread_id = thread,
        .member_id = member,
        .author_uid = "UID",
        .author_alias = "Alice Member",
        .message_id = "x@y",
        .now = NOW,
    };
    assert_int_equal(store_outbound_add(db, &row, &id), 1);
    for (; strchr("bcd", *to); to++)
        assert_int_equal(store_outbound_add_recipient(db, id, people[*to - 'b'], 0), 1);
    return id;
}

static int64_t add_from_outside(struct store_db *db, int64_t correspondent)
{
    int64_t id;
    const struct store_inbound_new row = { .kind = STORE_INBOUND_MAIL,
                                           .sender = "bob@example.com",
                                           .from_address = "bob@example.com",
                                           .correspondent_id = correspondent,
                                           .references = "",
                                           .now = NOW };
    assert_int_equal(store_inbound_add(db, &row, &id), 1);
    return id;
}

static void the_newest_that_all_recipients_have(void **state)
{
    static const struct scene scenes[] = {
        { "b ", NULL },       { "b b ", "0" },       { "bc b bc ", "0" },   { "bc b b ", "1" },
        { "bc bcd c ", "1" }, { "bc < bc ", "1" },   { "< d bd ", "0" },    { "b d bd ", NULL },
        { "b - b ", "0" },    { "b < c d b ", "1" }, { "bc b c bc ", "0" },
    };
    static const char *const names[] = { "bob@example.com", "carol@example.com", "dave@example.com" };
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    int64_t member, people[3];
    const char *reason;
    assert_int_equal(store_member_add(db, "Alice Member", NULL, NOW, &member, &reason), 1);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(store_correspondent_ensure(db, names[i], NOW, &people[i]), 1);
    for (size_t i = 0; i < sizeof scenes / sizeof scenes[0]; i++) {
        int64_t thread, last = 0;
        char name[2] = "0", *found;
        assert_int_equal(store_thread_add(db, NULL, "Plans", NOW, &thread), 1);
        for (const char *at = scenes[i].messages; *at; at += strcspn(at, " ") + 1, name[0]++) {
            struct store_message_new message = { .thread_id = thread, .message_id = name, .now = NOW };
            if (*at == '<')
                message.inbound_id = add_from_outside(db, people[0]);
            else if (*at != '-')
                message.outbound_id = last = add_mail(db, thread, member, people, at);
            assert_int_equal(store_message_add(db, &message), 1);
        }
        assert_int_equal(store_message_find_shared(db, thread, last, &found), scenes[i].shared != NULL);
        if (scenes[i].shared)
            assert_string_equal(found, scenes[i].shared);
        free(found);
    }
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_newest_that_all_recipients_have, store_fixture_setup,
                                        store_fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
