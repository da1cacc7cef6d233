/* gateway_answered_test.c - what an answer quotes, and who is never shown it */
#include "tests/unit/mapping_store_fixture.h"

#include "base/strbuf.h"
#include "gateway/answered.h"
#include "mapping/store_mapping.h"
#include "mapping/store_member.h"
#include "mapping/store_named.h"
#include "mapping/store_thread.h"

static const int64_t NOW = 1795529005000; /* 24 November 2026, 14:03 UTC */

static void assert_short(const char *text, const char *expected)
{
    struct strbuf out;
    strbuf_init(&out, 4096);
    answered_add_short(&out, text);
    assert_true(strbuf_ok(&out));
    assert_string_equal(out.data, expected);
    strbuf_free(&out);
}

static void whole_lines_are_kept(void **state)
{
    (void)state;
    char line[ANSWERED_TEXT_MAX + 10], text[2 * sizeof line], expected[2 * sizeof line];
    assert_short("", "");
    assert_short("a\n", "a\n");
    assert_short("a", "a\n");
    assert_short("1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n");
    assert_short("1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n\n\\[...\\]\n");
    memset(line, 'x', sizeof line);
    line[ANSWERED_TEXT_MAX - 2] = '\0'; /* with "a\n" in front it just fits */
    snprintf(text, sizeof text, "a\n%s\nb\n", line);
    snprintf(expected, sizeof expected, "a\n%s\n\n\\[...\\]\n", line);
    assert_short(text, expected);
    line[ANSWERED_TEXT_MAX - 2] = 'x';
    line[ANSWERED_TEXT_MAX - 1] = '\0';
    snprintf(text, sizeof text, "a\n%s\nb\n", line);
    assert_short(text, "a\n\n\\[...\\]\n");
}

/* As a program writes a paragraph that it leaves to others to wrap. */
static void of_a_long_line_the_words_that_fit_are_kept(void **state)
{
    (void)state;
    char text[2 * ANSWERED_TEXT_MAX + 100] = "Hi Alice,\n\n", expected[ANSWERED_TEXT_MAX + 100];
    for (size_t len; (len = strlen(text)) < 2 * ANSWERED_TEXT_MAX;)
        memcpy(text + len, "word ", sizeof "word ");
    size_t words = (ANSWERED_TEXT_MAX - strlen("Hi Alice,\n\n")) / 5;
    snprintf(expected, sizeof expected, "%.*s\n\n\\[...\\]\n", (int)(strlen("Hi Alice,\n\n") + words * 5 - 1), text);
    assert_short(text, expected);
}

struct people {
    int64_t alice, bob, carol, thread;
};

static void add_people(struct store_db *db, struct people *people)
{
    const char *reason;
    assert_int_equal(store_member_add(db, "Alice Member", "alice", NOW, &people->alice, &reason), 1);
    assert_int_equal(store_correspondent_ensure(db, "bob@example.com", NOW, &people->bob), 1);
    assert_int_equal(store_correspondent_ensure(db, "carol@example.net", NOW, &people->carol), 1);
    assert_int_equal(store_thread_add(db, NULL, "Gate", NOW, &people->thread), 1);
}

/* Bob has written, and the silo has it. */
static void add_mail(struct store_db *db, const struct people *people, const char *name, const char *text)
{
    int64_t id;
    struct store_inbound row;
    const struct store_inbound_new added = { .kind = STORE_INBOUND_MAIL,
                                             .sender = "bob@example.com",
                                             .from_address = "bob@example.com",
                                             .correspondent_id = people->bob,
                                             .references = "",
                                             .thread_id = people->thread,
                                             .now = NOW };
    assert_int_equal(store_inbound_add(db, &added, &id), 1);
    const struct store_message_new message = { .thread_id = people->thread, .inbound_id = id, .now = NOW };
    assert_int_equal(store_message_add(db, &message), 1);
    assert_int_equal(store_message_set_tmtp_msgid(db, id, "0000000000000001"), 1);
    assert_int_equal(store_inbound_find(db, id, &row), 1);
    assert_int_equal(answered_keep(db, &row, name, text), 1);
    store_inbound_free(&row);
}

/* What Alice's answer to these people quotes. */
static int find(struct store_db *db, const struct people *people, enum store_outbound_kind kind, const int64_t *to,
                size_t count, struct answered *out)
{
    int64_t id;
    struct store_outbound row;
    const struct store_outbound_new added = { .kind = kind,
                                              .tmtp_msgid = "m",
                                              .thread_id = people->thread,
                                              .member_id = people->alice,
                                              .author_uid = "UID",
                                              .author_alias = "Alice Member",
                                              .message_id = "x@y",
                                              .head = "",
                                              .now = NOW };
    assert_int_equal(store_outbound_add(db, &added, &id), 1);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(store_outbound_add_recipient(db, id, to[i], 0), 1);
    const struct store_message_new message = { .thread_id = people->thread, .outbound_id = id, .now = NOW };
    assert_int_equal(store_message_add(db, &message), 1);
    assert_int_equal(store_outbound_find(db, id, &row), 1);
    int found = answered_find(db, &row, out);
    store_outbound_free(&row);
    return found;
}

static void only_its_author_is_shown_it(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct people people;
    struct answered answered;
    add_people(db, &people);
    const int64_t both[] = { people.bob, people.carol };
    assert_int_equal(find(db, &people, STORE_OUTBOUND_MESSAGE, &people.bob, 1, &answered), 0);
    add_mail(db, &people, "Bob Builder", "How wide is the *gate*?\n");
    assert_int_equal(find(db, &people, STORE_OUTBOUND_MESSAGE, &people.carol, 1, &answered), 0);
    assert_int_equal(find(db, &people, STORE_OUTBOUND_MESSAGE, both, 2, &answered), 0);
    assert_int_equal(find(db, &people, STORE_OUTBOUND_FORWARD, &people.bob, 1, &answered), 0);
    assert_int_equal(find(db, &people, STORE_OUTBOUND_MESSAGE, &people.bob, 1, &answered), 1);
    assert_string_equal(answered.intro, "On 24 November 2026 at 14:03 +0000, Bob Builder <bob@example.com> wrote:");
    assert_string_equal(answered.text, "How wide is the *gate*?\n");
    answered_free(&answered);
    add_mail(db, &people, "Bob Builder", ""); /* his last one says nothing */
    assert_int_equal(find(db, &people, STORE_OUTBOUND_MESSAGE, &people.bob, 1, &answered), 0);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

/* What somebody calls themselves is theirs to choose. */
static void names_in_the_intro(void **state)
{
    static const struct {
        const char *name, *intro;
    } cases[] = {
        { "", "bob@example.com wrote:" },
        { "bob@example.com", "bob@example.com wrote:" },
        { "ceo@bank.example", "ceo(at)bank.example <bob@example.com> wrote:" },
        { "Bob\nBuilder", "Bob Builder <bob@example.com> wrote:" },
    };
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct people people;
    add_people(db, &people);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct answered answered;
        char expected[200];
        add_mail(db, &people, cases[i].name, "x\n");
        assert_int_equal(find(db, &people, STORE_OUTBOUND_MESSAGE, &people.bob, 1, &answered), 1);
        snprintf(expected, sizeof expected, "On 24 November 2026 at 14:03 +0000, %s", cases[i].intro);
        assert_string_equal(answered.intro, expected);
        answered_free(&answered);
    }
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, store_fixture_setup, store_fixture_teardown)
        cmocka_unit_test(whole_lines_are_kept),
        cmocka_unit_test(of_a_long_line_the_words_that_fit_are_kept),
        TEST(only_its_author_is_shown_it),
        TEST(names_in_the_intro),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
