/* Tests of store_queue_list.c, and of the ends of a long trace. */
#include "tests/unit/mapping_store_fixture.h"

#include "mapping/store_mapping.h"
#include "mapping/store_member.h"
#include "mapping/store_queue_list.h"
#include "mapping/store_trace.h"

enum { NOW = 100000, MANY = 25, PAGE = 10 };

static const struct store_queue_search anything = { .due_from = INT64_MIN,
                                                    .due_until = INT64_MAX,
                                                    .received_until = INT64_MAX };

static int64_t add_outbound(struct store_db *db, const char *author, const char *address, int64_t now)
{
    int64_t id, correspondent;
    struct store_outbound_new row = { .kind = STORE_OUTBOUND_MESSAGE,
                                      .tmtp_msgid = "m1",
                                      .author_uid = "U",
                                      .author_alias = author,
                                      .message_id = "tmtp-m1@gw.example.org",
                                      .now = now };
    assert_int_equal(store_correspondent_ensure(db, address, now, &correspondent), 1);
    assert_int_equal(store_outbound_add(db, &row, &id), 1);
    assert_int_equal(store_outbound_add_recipient(db, id, correspondent, 0), 1);
    return id;
}

static int64_t add_inbound(struct store_db *db, const char *from, const char *alias)
{
    int64_t id, member;
    const char *reason;
    struct store_inbound_new row = {
        .kind = STORE_INBOUND_MAIL, .sender = "bounce@list.example", .from_address = from, .now = NOW
    };
    assert_int_equal(store_inbound_add(db, &row, &id), 1);
    assert_int_equal(store_member_add(db, alias, NULL, NOW, &member, &reason), 1);
    struct store_inbound_recipient_new recipient = { .target.member_id = member, .address = "me@silo.example.org" };
    assert_int_equal(store_inbound_add_recipient(db, id, &recipient), 1);
    return id;
}

struct found {
    int64_t ids[MANY + 1];
    size_t count;
};

static void note(int64_t id, void *ctx)
{
    struct found *found = ctx;
    assert_true(found->count < MANY);
    found->ids[found->count++] = id;
}

/* All pages; how many there were. */
static unsigned search_all(struct store_db *db, const struct store_queue_search *search, struct found *found)
{
    int64_t cursor = 0;
    unsigned pages = 0;
    int result = 1;
    *found = (struct found){ .count = 0 };
    while (result == 1 && pages++ < MANY)
        result = store_queue_search(db, search, PAGE, &cursor, note, found);
    assert_int_equal(result, 0);
    return pages;
}

static void assert_found(struct store_db *db, const struct store_queue_search *search, size_t count, int64_t first)
{
    struct found found;
    search_all(db, search, &found);
    assert_int_equal(found.count, count);
    if (count > 0)
        assert_int_equal(found.ids[0], first);
}

static void long_queues_are_looked_through_in_pages(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct store_queue_search search = anything;
    struct found found;
    int64_t first = 0, last = 0;
    search.queue = STORE_QUEUE_OUT;
    for (int i = 0; i < MANY; i++) {
        last = add_outbound(db, "Alice Member", "bob@example.com", NOW + i);
        first = first ? first : last;
    }
    assert_int_equal(search_all(db, &search, &found), 3);
    assert_int_equal(found.count, MANY);
    for (size_t i = 0; i < MANY; i++)
        assert_int_equal(found.ids[i], first + (int64_t)i);
    int64_t oldest = -1;
    assert_int_equal(store_queue_oldest(db, STORE_QUEUE_IN, &oldest), 0);
    assert_int_equal(store_queue_oldest(db, STORE_QUEUE_OUT, &oldest), 1);
    assert_int_equal(oldest, NOW);
    assert_int_equal(store_outbound_set_state(db, first, STORE_QUEUE_ROUTED, NULL), 1);
    assert_int_equal(store_outbound_set_state(db, first + 1, STORE_QUEUE_HELD, NULL), 1);
    assert_int_equal(store_queue_oldest(db, STORE_QUEUE_OUT, &oldest), 1);
    assert_int_equal(oldest, NOW);
    assert_int_equal(store_outbound_finish(db, first, STORE_QUEUE_SETTLED), 1);
    assert_int_equal(store_queue_oldest(db, STORE_QUEUE_OUT, &oldest), 1);
    assert_int_equal(oldest, NOW + 2);
    assert_int_equal(store_outbound_set_state(db, first + 1, STORE_QUEUE_WAITING, NULL), 1);
    search.received_until = NOW + 11;
    assert_found(db, &search, 11, first + 1);

    for (int64_t id = first + 1; id <= last; id++)
        assert_int_equal(store_outbound_finish(db, id, id % 2 ? STORE_QUEUE_SETTLED : STORE_QUEUE_DROPPED), 1);
    search.received_until = INT64_MAX;
    assert_found(db, &search, 0, 0);
    search.state = STORE_QUEUE_SETTLED;
    assert_found(db, &search, 13, last); /* newest first */
    search.state = STORE_QUEUE_DROPPED;
    assert_found(db, &search, 12, last - 1);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void entries_are_found_by_who_and_when(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    int64_t to_bob = add_outbound(db, "Alice Member", "bob@example.com", NOW);
    int64_t to_eve = add_outbound(db, "Carol Member", "eve@Example.net", NOW);
    int64_t mail = add_inbound(db, "bob@example.com", "Dave Member");
    assert_int_equal(store_queue_postpone(db, STORE_QUEUE_OUT, to_eve, NOW + 60, "later"), 1);
    const struct {
        enum store_queue queue;
        const char *to, *from;
        int64_t id; /* 0: none, -1: both */
    } cases[] = {
        { STORE_QUEUE_OUT, "@example.", NULL, -1 },
        { STORE_QUEUE_OUT, "bob@", NULL, to_bob },
        { STORE_QUEUE_OUT, "@example.net", NULL, to_eve }, /* letters in any case */
        { STORE_QUEUE_OUT, "%", NULL, 0 },                 /* no pattern */
        { STORE_QUEUE_OUT, NULL, "carol", to_eve },
        { STORE_QUEUE_OUT, "bob@", "carol", 0 },
        { STORE_QUEUE_IN, NULL, "bob@example.com", mail },
        { STORE_QUEUE_IN, NULL, "list.example", mail }, /* the envelope's sender */
        { STORE_QUEUE_IN, "dave", NULL, mail },
        { STORE_QUEUE_IN, "me@silo", NULL, mail },
        { STORE_QUEUE_IN, "bob", NULL, 0 },
    };
    struct store_queue_search search = anything;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        search.queue = cases[i].queue;
        search.to = cases[i].to;
        search.from = cases[i].from;
        assert_found(db, &search, cases[i].id < 0 ? 2 : cases[i].id > 0, cases[i].id < 0 ? to_bob : cases[i].id);
    }
    search = anything;
    search.queue = STORE_QUEUE_OUT;
    search.due_until = NOW;
    assert_found(db, &search, 1, to_bob);
    search.due_from = NOW + 1;
    search.due_until = INT64_MAX;
    assert_found(db, &search, 1, to_eve);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void a_summary_counts_outcomes(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct store_queue_summary summary;
    int64_t id = add_outbound(db, "Alice Member", "r0@example.com", NOW), correspondent[7];
    for (int i = 1; i < 7; i++) {
        char address[40];
        snprintf(address, sizeof address, "r%d@example.com", i);
        assert_int_equal(store_correspondent_ensure(db, address, NOW, &correspondent[i]), 1);
        assert_int_equal(store_outbound_add_recipient(db, id, correspondent[i], 0), 1);
    }
    assert_int_equal(store_outbound_set_recipient(db, id, correspondent[1], STORE_RECIPIENT_DELIVERED, "mx", "250"), 1);
    assert_int_equal(store_outbound_set_recipient(db, id, correspondent[2], STORE_RECIPIENT_FAILED, "mx", "550"), 1);
    assert_int_equal(store_outbound_set_recipient(db, id, correspondent[3], STORE_RECIPIENT_FAILED, "mx", "550"), 1);
    assert_int_equal(store_queue_summarise(db, STORE_QUEUE_OUT, id, &summary), 1);
    assert_string_equal(summary.kind, "message");
    assert_string_equal(summary.from, "Alice Member");
    assert_string_equal(summary.to, "r0@example.com, r1@example.com, r2@example.com, r3@example.com, r4@example.com");
    assert_int_equal(summary.recipient_count, 7);
    assert_int_equal(summary.delivered_count, 1);
    assert_int_equal(summary.failed_count, 2);
    store_queue_summary_free(&summary);
    assert_int_equal(store_queue_summarise(db, STORE_QUEUE_OUT, id + 1, &summary), 0);

    id = add_inbound(db, "", "Dave Member");
    assert_int_equal(store_queue_summarise(db, STORE_QUEUE_IN, id, &summary), 1);
    assert_string_equal(summary.from, "bounce@list.example"); /* there is no other */
    assert_string_equal(summary.to, "Dave Member");
    assert_int_equal(summary.delivered_count, 0);
    store_queue_summary_free(&summary);
    assert_int_equal(store_inbound_finish(db, id, STORE_QUEUE_SETTLED), 1);
    assert_int_equal(store_queue_summarise(db, STORE_QUEUE_IN, id, &summary), 1);
    assert_int_equal(summary.delivered_count, 1);
    store_queue_summary_free(&summary);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void what_waits_for_later_is_made_due_in_batches(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    int64_t id = 0, cursor = 0, changed = 0, due;
    for (int i = 0; i < MANY; i++) {
        id = add_outbound(db, "Alice Member", "bob@example.com", NOW);
        if (i % 5 != 0)
            assert_int_equal(store_queue_postpone(db, STORE_QUEUE_OUT, id, NOW + 1000, "later"), 1);
    }
    assert_int_equal(store_outbound_set_state(db, id, STORE_QUEUE_HELD, "held"), 1);
    assert_int_equal(store_queue_hasten(db, STORE_QUEUE_OUT, STORE_QUEUE_ROUTED, NOW, PAGE, &cursor, &changed), 0);
    assert_int_equal(store_queue_hasten(db, STORE_QUEUE_OUT, STORE_QUEUE_WAITING, NOW, PAGE, &cursor, &changed), 1);
    assert_int_equal(changed, 8);
    assert_int_equal(store_queue_hasten(db, STORE_QUEUE_OUT, STORE_QUEUE_WAITING, NOW, PAGE, &cursor, &changed), 1);
    assert_int_equal(store_queue_hasten(db, STORE_QUEUE_OUT, STORE_QUEUE_WAITING, NOW, PAGE, &cursor, &changed), 0);
    assert_int_equal(changed, 19); /* all but the held one */
    assert_int_equal(store_queue_count_due(db, STORE_QUEUE_OUT, NOW, 100, &due), 1);
    assert_int_equal(due, MANY - 1);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void join_event(int64_t at, const char *event, const char *detail, void *ctx)
{
    char *text = ctx;
    (void)at;
    (void)detail;
    size_t len = strlen(text);
    snprintf(text + len, 200 - len, "%s%s", len ? " " : "", event);
}

static void long_stories_are_shown_from_both_ends(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    int64_t id = add_outbound(db, "Alice Member", "bob@example.com", NOW), count = -1;
    char text[200] = "";
    assert_int_equal(store_trace_count(db, STORE_QUEUE_OUT, id, &count), 1);
    assert_int_equal(count, 0);
    for (int i = 1; i <= 9; i++) {
        char event[10];
        snprintf(event, sizeof event, "e%d", i);
        assert_int_equal(store_trace_add(db, STORE_QUEUE_OUT, id, NOW, event, "x"), 1);
    }
    assert_int_equal(store_trace_add(db, STORE_QUEUE_IN, id, NOW, "other", "x"), 1);
    assert_int_equal(store_trace_count(db, STORE_QUEUE_OUT, id, &count), 1);
    assert_int_equal(count, 9);
    assert_int_equal(store_trace_list_ends(db, STORE_QUEUE_OUT, id, 2, 3, join_event, text), 1);
    assert_string_equal(text, "e1 e2 e7 e8 e9");
    text[0] = 0;
    assert_int_equal(store_trace_list_ends(db, STORE_QUEUE_OUT, id, 4, 5, join_event, text), 1);
    assert_string_equal(text, "e1 e2 e3 e4 e5 e6 e7 e8 e9");
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(long_queues_are_looked_through_in_pages),
        WITH_STORE(entries_are_found_by_who_and_when),
        WITH_STORE(a_summary_counts_outcomes),
        WITH_STORE(what_waits_for_later_is_made_due_in_batches),
        WITH_STORE(long_stories_are_shown_from_both_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
