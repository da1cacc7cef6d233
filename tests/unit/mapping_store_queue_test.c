#include "tests/unit/mapping_store_fixture.h"

#include "mapping/store_content.h"
#include "mapping/store_mapping.h"
#include "mapping/store_member.h"
#include "mapping/store_thread.h"
#include "mapping/store_trace.h"

enum { NOW = 100000 };

/* --- helpers --- */

struct listed {
    char text[400];
};

static void add_listed(struct listed *listed, const char *text)
{
    size_t len = strlen(listed->text);
    snprintf(listed->text + len, sizeof listed->text - len, "%s%s", len ? " " : "", text);
}

static void list_id(int64_t id, int64_t next_attempt_at, void *ctx)
{
    char text[60];
    snprintf(text, sizeof text, "%lld@%lld", (long long)id, (long long)next_attempt_at);
    add_listed(ctx, text);
}

static void list_thread(int64_t thread_id, void *ctx)
{
    char text[30];
    snprintf(text, sizeof text, "%lld", (long long)thread_id);
    add_listed(ctx, text);
}

static void list_text(const char *text, void *ctx)
{
    add_listed(ctx, text);
}

static void list_party(const struct store_party *party, void *ctx)
{
    char text[100];
    snprintf(text, sizeof text, "%lld/%lld/%s/%s", (long long)party->member_id, (long long)party->correspondent_id,
             party->alias, party->uid);
    add_listed(ctx, text);
}

static int64_t add_content(struct store_db *db, const char *text)
{
    int64_t id = 0;
    FILE *file = tmpfile();
    fputs(text, file);
    fflush(file);
    int result = store_content_add_fd(db, fileno(file), (int64_t)strlen(text), &id);
    fclose(file);
    assert_int_equal(result, 1);
    return id;
}

static bool has_content(struct store_db *db, int64_t id)
{
    int64_t size;
    int fd, result = store_content_open(db, id, &fd, &size);
    if (result == 1)
        close(fd);
    assert_true(result >= 0);
    return result == 1;
}

/* A member, a correspondent, a thread. */
struct people {
    int64_t alice, carol, bob, thread;
};

static struct people add_people(struct store_db *db)
{
    struct people people;
    const char *reason;
    assert_int_equal(store_member_add(db, "Alice Member", NULL, NOW, &people.alice, &reason), 1);
    assert_int_equal(store_member_add(db, "Carol Member", NULL, NOW, &people.carol, &reason), 1);
    assert_int_equal(store_correspondent_ensure(db, "bob@example.com", NOW, &people.bob), 1);
    assert_int_equal(store_thread_add(db, NULL, "Plans", NOW, &people.thread), 1);
    return people;
}

static int64_t add_inbound_at(struct store_db *db, int64_t correspondent_id, int64_t now)
{
    int64_t id = 0;
    struct store_inbound_new row = {
        .kind = STORE_INBOUND_MAIL,
        .sender = "bob@example.com",
        .from_address = "bob@example.com",
        .correspondent_id = correspondent_id,
        .message_id = "one@example.com",
        .references = "",
        .content_id = add_content(db, "the mail"),
        .size = 8,
        .now = now,
    };
    assert_int_equal(store_inbound_add(db, &row, &id), 1);
    return id;
}

static int64_t add_outbound(struct store_db *db, const struct people *people, int64_t now)
{
    int64_t id = 0;
    struct store_outbound_new row = {
        .tmtp_msgid = "m1",
        .thread_id = people->thread,
        .member_id = people->alice,
        .author_uid = "UIDALICE",
        .author_alias = "Alice Member",
        .message_id = "tmtp-m1@mail.example",
        .head = "{\"subject\":\"Plans\"}",
        .content_id = add_content(db, "the body"),
        .size = 8,
        .posted_at = now - 10,
        .now = now,
        .wants_reports = true,
    };
    assert_int_equal(store_outbound_add(db, &row, &id), 1);
    return id;
}

static int64_t count(struct store_db *db, enum store_queue queue, enum store_queue_state state)
{
    int64_t n = -1;
    assert_int_equal(store_queue_count(db, queue, state, &n), 1);
    return n;
}

/* --- inbound --- */

static void inbound_is_kept_as_given(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct people people = add_people(db);
    struct store_inbound found;
    int64_t mapping, id, content = add_content(db, "mail");
    struct store_mapping_new opening = { .correspondent_id = people.bob,
                                         .target.member_id = people.alice,
                                         .state = STORE_MAPPING_APPROVED,
                                         .direction = STORE_DIRECTION_BOTH,
                                         .note = "",
                                         .actor = "root",
                                         .reason = "" };
    assert_int_equal(store_mapping_add(db, &opening, &mapping), 1);
    struct store_inbound_new row = {
        .kind = STORE_INBOUND_MAIL,
        .sender = "",
        .from_address = "bob@example.com",
        .correspondent_id = people.bob,
        .message_id = "two@example.com",
        .references = "one@example.com\nzero@example.com",
        .is_automatic = true,
        .is_generated = true,
        .content_id = content,
        .size = 4,
        .now = NOW,
    };
    assert_int_equal(store_inbound_add(db, &row, &id), 1);
    assert_int_equal(store_inbound_add_recipient(
                         db, id, &(struct store_inbound_recipient_new){ .target = { .member_id = people.carol } }),
                     1);
    assert_int_equal(store_inbound_add_recipient(db, id,
                                                 &(struct store_inbound_recipient_new){
                                                     .target = { .member_id = people.alice }, .mapping_id = mapping }),
                     1);
    assert_int_equal(store_inbound_add_recipient(db, id,
                                                 &(struct store_inbound_recipient_new){
                                                     .target = { .member_id = people.alice }, .mapping_id = mapping }),
                     1); /* named twice: once */
    assert_int_equal(store_member_learn_uid(db, "Alice Member", "u1"), 1);
    assert_int_equal(store_fixture_return(fixture, 1), 1);

    db = store_reader(fixture->store);
    assert_int_equal(store_inbound_find(db, id + 1, &found), 0);
    assert_int_equal(store_inbound_find(db, id, &found), 1);
    assert_int_equal(found.kind, STORE_INBOUND_MAIL);
    assert_int_equal(found.state, STORE_QUEUE_WAITING);
    assert_string_equal(found.sender, "");
    assert_string_equal(found.from_address, "bob@example.com");
    assert_int_equal(found.correspondent_id, people.bob);
    assert_string_equal(found.message_id, "two@example.com");
    assert_string_equal(found.references, "one@example.com\nzero@example.com");
    assert_true(found.is_automatic);
    assert_true(found.is_generated);
    assert_int_equal(found.content_id, content);
    assert_int_equal(found.size, 4);
    assert_int_equal(found.thread_id, 0);
    assert_null(found.subject);
    assert_int_equal(found.received_at, NOW);
    assert_int_equal(found.next_attempt_at, NOW);
    assert_int_equal(found.attempts, 0);
    assert_string_equal(found.last_error, "");
    assert_int_equal(found.recipient_count, 2);
    assert_int_equal(found.recipients[0].target.member_id, people.carol);
    assert_int_equal(found.recipients[0].mapping_id, 0);
    assert_null(found.recipients[0].uid);
    assert_int_equal(found.recipients[1].mapping_id, mapping);
    assert_string_equal(found.recipients[1].uid, "u1");
    assert_string_equal(found.recipients[1].alias, "Alice Member");
    assert_string_equal(found.recipients[1].local_part, "alice.member");
    store_inbound_free(&found);
}

static void a_notice_has_its_thread_and_subject_from_the_start(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct people people = add_people(db);
    struct store_inbound found;
    int64_t id;
    struct store_inbound_new row = { .kind = STORE_INBOUND_NOTICE,
                                     .sender = "",
                                     .from_address = "",
                                     .references = "",
                                     .thread_id = people.thread,
                                     .subject = "Not sent",
                                     .now = NOW };
    assert_int_equal(store_inbound_add(db, &row, &id), 1);
    assert_int_equal(store_inbound_find(db, id, &found), 1);
    assert_int_equal(found.kind, STORE_INBOUND_NOTICE);
    assert_int_equal(found.thread_id, people.thread);
    assert_string_equal(found.subject, "Not sent");
    assert_int_equal(found.correspondent_id, 0);
    assert_null(found.message_id);
    assert_int_equal(found.content_id, 0);
    assert_int_equal(found.recipient_count, 0);
    store_inbound_free(&found);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void inbound_goes_from_waiting_to_settled(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct people people = add_people(db);
    struct store_inbound found;
    int64_t id = add_inbound_at(db, people.bob, NOW);
    assert_int_equal(store_inbound_retry(db, id, NOW + 60, "the silo is away"), 1);
    assert_int_equal(store_inbound_route(db, id, people.thread, "Plans"), 1);
    assert_int_equal(store_inbound_route(db, id, people.thread, "Plans"), 0);
    assert_int_equal(store_inbound_find(db, id, &found), 1);
    assert_int_equal(found.state, STORE_QUEUE_ROUTED);
    assert_int_equal(found.thread_id, people.thread);
    assert_string_equal(found.subject, "Plans");
    assert_int_equal(found.attempts, 1);
    assert_int_equal(found.next_attempt_at, NOW + 60);
    assert_string_equal(found.last_error, "the silo is away");
    int64_t content = found.content_id;
    store_inbound_free(&found);
    assert_true(has_content(db, content));

    assert_int_equal(store_inbound_finish(db, id, STORE_QUEUE_SETTLED), 1);
    assert_false(has_content(db, content));
    assert_int_equal(store_inbound_find(db, id, &found), 1);
    assert_int_equal(found.state, STORE_QUEUE_SETTLED);
    assert_int_equal(found.content_id, 0);
    store_inbound_free(&found);

    /* What is settled stays so. */
    assert_int_equal(store_inbound_finish(db, id, STORE_QUEUE_DROPPED), 0);
    assert_int_equal(store_inbound_set_state(db, id, STORE_QUEUE_HELD, "x"), 0);
    assert_int_equal(store_inbound_retry(db, id, NOW, "x"), 0);
    assert_int_equal(store_inbound_route(db, id, people.thread, "x"), 0);
    assert_int_equal(store_queue_set_due(db, STORE_QUEUE_IN, id, NOW), 0);
    assert_int_equal(store_inbound_finish(db, id + 1, STORE_QUEUE_SETTLED), 0);
    assert_int_equal(store_inbound_set_state(db, id + 1, STORE_QUEUE_HELD, "x"), 0);
    assert_int_equal(count(db, STORE_QUEUE_IN, STORE_QUEUE_SETTLED), 1);
    assert_int_equal(count(db, STORE_QUEUE_IN, STORE_QUEUE_DROPPED), 0);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

/* --- outbound --- */

static void outbound_goes_from_waiting_to_settled(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct people people = add_people(db);
    struct store_outbound found;
    int64_t eve, id = add_outbound(db, &people, NOW);
    assert_int_equal(store_correspondent_ensure(db, "eve@example.com", NOW, &eve), 1);
    assert_int_equal(store_outbound_add_recipient(db, id, people.bob, 0), 1);
    assert_int_equal(store_outbound_add_recipient(db, id, eve, 0), 1);
    assert_int_equal(store_outbound_add_recipient(db, id, eve, 0), 1);
    assert_int_equal(store_outbound_find(db, id + 1, &found), 0);
    assert_int_equal(store_outbound_find(db, id, &found), 1);
    assert_int_equal(found.state, STORE_QUEUE_WAITING);
    assert_string_equal(found.tmtp_msgid, "m1");
    assert_int_equal(found.thread_id, people.thread);
    assert_int_equal(found.member_id, people.alice);
    assert_string_equal(found.author_alias, "Alice Member");
    assert_string_equal(found.message_id, "tmtp-m1@mail.example");
    assert_string_equal(found.head, "{\"subject\":\"Plans\"}");
    assert_int_equal(found.posted_at, NOW - 10);
    assert_int_equal(found.received_at, NOW);
    assert_int_equal(found.recipient_count, 2);
    assert_string_equal(found.recipients[0].address, "bob@example.com");
    assert_int_equal(found.recipients[1].correspondent_id, eve);
    assert_int_equal(found.recipients[1].state, STORE_RECIPIENT_WAITING);
    assert_string_equal(found.recipients[1].reply, "");
    int64_t body = found.content_id;
    store_outbound_free(&found);

    int64_t mail = add_content(db, "the whole mail");
    assert_int_equal(store_outbound_set_mail(db, id, mail, 14, true, false, "X: 1\r\n"), 1);
    assert_int_equal(store_outbound_set_mail(db, id, mail, 14, true, false, ""), 0);
    assert_false(has_content(db, body));
    assert_int_equal(
        store_outbound_set_recipient(db, id, people.bob, STORE_RECIPIENT_WAITING, "mx.test:25", "450 later"), 1);
    assert_int_equal(
        store_outbound_set_recipient(db, id, people.bob, STORE_RECIPIENT_DELIVERED, "mx.test:25", "250 ok"), 1);
    assert_int_equal(
        store_outbound_set_recipient(db, id, people.bob, STORE_RECIPIENT_DELIVERED, "mx.test:25", "250 ok"), 0);
    assert_int_equal(store_outbound_set_recipient(db, id, people.bob, STORE_RECIPIENT_FAILED, "mx.test:25", "550 no"),
                     0);
    assert_int_equal(store_outbound_set_recipient(db, id, eve, STORE_RECIPIENT_FAILED, "mx.test:25", "550 no"), 1);
    assert_int_equal(store_outbound_set_recipient(db, id, eve + 1, STORE_RECIPIENT_FAILED, "mx.test:25", "550 no"), 0);
    assert_int_equal(store_outbound_retry(db, id, NOW + 60, false, "450 later"), 1);
    assert_int_equal(store_outbound_set_warned(db, id, NOW + 50), 1);
    assert_int_equal(store_outbound_set_parking_told(db, id, NOW + 60), 1);
    assert_int_equal(store_outbound_find(db, id, &found), 1);
    assert_int_equal(found.state, STORE_QUEUE_ROUTED);
    assert_string_equal(found.head, "");
    assert_int_equal(found.content_id, mail);
    assert_string_equal(found.signature, "X: 1\r\n");
    assert_int_equal(found.size, 14);
    assert_true(found.is_8bit);
    assert_false(found.is_smtputf8);
    assert_true(found.wants_reports);
    assert_int_equal(found.attempts, 1);
    assert_int_equal(found.next_attempt_at, NOW + 60);
    assert_string_equal(found.last_error, "450 later");
    assert_int_equal(found.recipients[0].state, STORE_RECIPIENT_DELIVERED);
    assert_string_equal(found.recipients[0].reply, "250 ok");
    assert_string_equal(found.recipients[0].relay, "mx.test:25");
    assert_int_equal(found.warned_at, NOW + 50);
    assert_int_equal(found.parking_told_at, NOW + 60);
    assert_int_equal(found.recipients[1].state, STORE_RECIPIENT_FAILED);
    store_outbound_free(&found);

    assert_int_equal(store_outbound_finish(db, id, STORE_QUEUE_SETTLED), 1);
    assert_int_equal(store_outbound_finish(db, id, STORE_QUEUE_SETTLED), 0);
    assert_false(has_content(db, mail));
    assert_int_equal(count(db, STORE_QUEUE_OUT, STORE_QUEUE_SETTLED), 1);
    assert_int_equal(store_outbound_retry(db, id, NOW, false, "x"), 0);
    assert_int_equal(store_outbound_set_state(db, id, STORE_QUEUE_WAITING, NULL), 0);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void what_is_dropped_before_it_was_written_keeps_no_head(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct people people = add_people(db);
    struct store_outbound found;
    int64_t id = add_outbound(db, &people, NOW);
    assert_int_equal(store_outbound_set_state(db, id, STORE_QUEUE_HELD, "by hand"), 1);
    assert_int_equal(store_outbound_finish(db, id, STORE_QUEUE_DROPPED), 1);
    assert_int_equal(store_outbound_find(db, id, &found), 1);
    assert_int_equal(found.state, STORE_QUEUE_DROPPED);
    assert_string_equal(found.head, "");
    store_outbound_free(&found);
    assert_int_equal(count(db, STORE_QUEUE_OUT, STORE_QUEUE_DROPPED), 1);
    assert_int_equal(count(db, STORE_QUEUE_OUT, STORE_QUEUE_SETTLED), 0);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

/* --- both queues --- */

static void what_is_due_comes_earliest_first(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct people people = add_people(db);
    struct store_inbound postponed;
    struct listed listed[7] = { { "" } };
    int64_t at;
    assert_int_equal(store_queue_next_due(db, STORE_QUEUE_IN, 0, &at), 0);
    assert_int_equal(add_inbound_at(db, people.bob, 300), 1);
    assert_int_equal(add_inbound_at(db, people.bob, 100), 2);
    assert_int_equal(add_inbound_at(db, people.bob, 200), 3);
    assert_int_equal(add_inbound_at(db, people.bob, 100), 4);
    assert_int_equal(add_inbound_at(db, people.bob, 50), 5);
    assert_int_equal(add_inbound_at(db, people.bob, 40), 6);
    assert_int_equal(store_inbound_route(db, 3, people.thread, ""), 1);
    assert_int_equal(store_inbound_set_state(db, 5, STORE_QUEUE_HELD, "by hand"), 1);
    assert_int_equal(store_inbound_finish(db, 6, STORE_QUEUE_SETTLED), 1);
    assert_int_equal(store_queue_list_due(db, STORE_QUEUE_IN, 200, 10, list_id, &listed[0]), 1);
    assert_string_equal(listed[0].text, "2@100 4@100 3@200");
    assert_int_equal(store_queue_list_due(db, STORE_QUEUE_IN, 1000, 2, list_id, &listed[1]), 1);
    assert_string_equal(listed[1].text, "2@100 4@100");
    assert_int_equal(store_queue_list_due(db, STORE_QUEUE_IN, 99, 10, list_id, &listed[2]), 1);
    assert_string_equal(listed[2].text, "");
    assert_int_equal(store_queue_list_due(db, STORE_QUEUE_OUT, 1000, 10, list_id, &listed[2]), 1);
    assert_string_equal(listed[2].text, "");
    assert_int_equal(store_queue_next_due(db, STORE_QUEUE_IN, 0, &at), 1);
    assert_int_equal(at, 100);

    assert_int_equal(store_queue_list(db, STORE_QUEUE_IN, STORE_QUEUE_WAITING, 10, list_id, &listed[3]), 1);
    assert_string_equal(listed[3].text, "1@300 2@100 4@100");
    assert_int_equal(store_queue_list(db, STORE_QUEUE_IN, STORE_QUEUE_HELD, 10, list_id, &listed[4]), 1);
    assert_string_equal(listed[4].text, "5@50");
    assert_int_equal(store_queue_list(db, STORE_QUEUE_IN, STORE_QUEUE_SETTLED, 10, list_id, &listed[5]), 1);
    assert_string_equal(listed[5].text, "6@40");
    assert_int_equal(count(db, STORE_QUEUE_IN, STORE_QUEUE_WAITING), 3);
    assert_int_equal(count(db, STORE_QUEUE_IN, STORE_QUEUE_ROUTED), 1);
    assert_int_equal(count(db, STORE_QUEUE_IN, STORE_QUEUE_HELD), 1);
    assert_int_equal(count(db, STORE_QUEUE_IN, STORE_QUEUE_SETTLED), 1);
    assert_int_equal(count(db, STORE_QUEUE_OUT, STORE_QUEUE_WAITING), 0);

    assert_int_equal(store_queue_set_due(db, STORE_QUEUE_IN, 1, 10), 1);
    assert_int_equal(store_queue_set_due(db, STORE_QUEUE_IN, 99, 10), 0);
    assert_int_equal(store_queue_next_due(db, STORE_QUEUE_IN, 0, &at), 1);
    assert_int_equal(at, 10);
    assert_int_equal(store_queue_set_due(db, STORE_QUEUE_IN, 0, 7), 1);
    assert_int_equal(store_queue_list_due(db, STORE_QUEUE_IN, 7, 10, list_id, &listed[6]), 1);
    assert_string_equal(listed[6].text, "1@7 2@7 3@7 4@7");
    assert_int_equal(store_queue_set_due(db, STORE_QUEUE_OUT, 0, 7), 1); /* also when nothing waits */
    assert_int_equal(store_queue_postpone(db, STORE_QUEUE_IN, 2, 900, "not yet"), 1);
    assert_int_equal(store_queue_postpone(db, STORE_QUEUE_IN, 6, 900, "not yet"), 0); /* settled */
    assert_int_equal(store_inbound_find(db, 2, &postponed), 1);
    assert_int_equal(postponed.next_attempt_at, 900);
    assert_int_equal(postponed.attempts, 0);
    assert_string_equal(postponed.last_error, "not yet");
    store_inbound_free(&postponed);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void held_entries_are_not_due_until_released(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct people people = add_people(db);
    struct store_outbound found;
    int64_t at, id = add_outbound(db, &people, NOW);
    assert_int_equal(store_queue_next_due(db, STORE_QUEUE_OUT, 0, &at), 1);
    assert_int_equal(store_outbound_set_state(db, id, STORE_QUEUE_HELD, "by hand"), 1);
    assert_int_equal(store_queue_next_due(db, STORE_QUEUE_OUT, 0, &at), 0);
    assert_int_equal(store_outbound_find(db, id, &found), 1);
    assert_string_equal(found.last_error, "by hand");
    store_outbound_free(&found);
    /* What is under way when it is held still notes how it went. */
    assert_int_equal(store_outbound_retry(db, id, NOW + 60, false, "450 later"), 1);
    assert_int_equal(store_queue_next_due(db, STORE_QUEUE_OUT, 0, &at), 0);
    assert_int_equal(store_outbound_set_state(db, id, STORE_QUEUE_WAITING, NULL), 1);
    assert_int_equal(store_queue_next_due(db, STORE_QUEUE_OUT, 0, &at), 1);
    assert_int_equal(at, NOW + 60);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

/* What no relay could be asked about is due again when one can be, however late its own next attempt would be. */
static void what_awaits_a_relay_is_made_due_oldest_first(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct people people = add_people(db);
    struct store_outbound found;
    int64_t ids[4], id, due, above = 0;
    for (int i = 0; i < 4; i++) {
        ids[i] = add_outbound(db, &people, NOW);
        assert_int_equal(store_outbound_retry(db, ids[i], NOW + 1000 - i, i != 1, "451 down"), 1);
    }
    assert_int_equal(store_outbound_set_state(db, ids[3], STORE_QUEUE_HELD, "by hand"), 1);
    assert_int_equal(store_outbound_next_awaiting(db, 0, &id), 1);
    assert_int_equal(id, ids[0]);
    assert_int_equal(store_outbound_next_awaiting(db, ids[0], &id), 1);
    assert_int_equal(id, ids[2]);
    assert_int_equal(store_outbound_next_awaiting(db, ids[2], &id), 0);
    assert_int_equal(store_outbound_end_waiting(db, NOW + 5, 1, &above), 1);
    assert_int_equal(above, ids[0]);
    assert_int_equal(store_queue_count_due(db, STORE_QUEUE_OUT, NOW + 5, 10, &due), 1);
    assert_int_equal(due, 1);
    assert_int_equal(store_outbound_find(db, ids[0], &found), 1);
    assert_false(found.awaits_relay);
    assert_int_equal(found.next_attempt_at, NOW + 5);
    store_outbound_free(&found);
    assert_int_equal(store_outbound_end_waiting(db, NOW + 2000, 10, &above), 1);
    assert_int_equal(above, ids[2]);
    assert_int_equal(store_outbound_find(db, ids[2], &found), 1);
    assert_int_equal(found.next_attempt_at, NOW + 998); /* never later than it was */
    store_outbound_free(&found);
    assert_int_equal(store_outbound_end_waiting(db, NOW + 2000, 10, &(int64_t){ 0 }), 0);
    assert_int_equal(store_queue_count_due(db, STORE_QUEUE_OUT, NOW + 2000, 2, &due), 1);
    assert_int_equal(due, 2);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void state_names_are_read_as_they_are_written(void **state)
{
    enum store_queue_state parsed;
    (void)state;
    for (int i = STORE_QUEUE_WAITING; i <= STORE_QUEUE_DROPPED; i++) {
        assert_true(store_queue_state_parse(store_queue_state_name((enum store_queue_state)i), &parsed));
        assert_int_equal(parsed, i);
    }
    assert_false(store_queue_state_parse("gone", &parsed));
    assert_string_equal(store_recipient_state_name(STORE_RECIPIENT_WAITING), "waiting");
    assert_string_equal(store_recipient_state_name(STORE_RECIPIENT_DELIVERED), "delivered");
    assert_string_equal(store_recipient_state_name(STORE_RECIPIENT_FAILED), "failed");
}

/* --- threads and messages --- */

static void threads_have_parties(void **state)
{
    static char alice_alias[] = "Alice Member", alice_uid[] = "u1", bob_alias[] = "bob@example.com", own_uid[] = "u0",
                guest_alias[] = "Guest of Silo", guest_uid[] = "u9";
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct people people = add_people(db);
    struct store_thread thread;
    struct listed listed = { "" };
    struct store_party alice = { .member_id = people.alice, .alias = alice_alias, .uid = alice_uid };
    struct store_party bob = { .correspondent_id = people.bob, .alias = bob_alias, .uid = own_uid };
    struct store_party guest = { .alias = guest_alias, .uid = guest_uid };
    assert_int_equal(store_thread_add_party(db, people.thread, &bob), 1);
    assert_int_equal(store_thread_add_party(db, people.thread, &alice), 1);
    assert_int_equal(store_thread_add_party(db, people.thread, &guest), 1);
    assert_int_equal(store_thread_add_party(db, people.thread, &alice), 0);
    assert_int_equal(store_thread_list_parties(db, people.thread, list_party, &listed), 1);
    assert_string_equal(listed.text, "0/1/bob@example.com/u0 1/0/Alice Member/u1 0/0/Guest of Silo/u9");

    assert_int_equal(store_thread_find(db, people.thread, &thread), 1);
    assert_null(thread.threadid);
    assert_string_equal(thread.subject, "Plans");
    store_thread_free(&thread);
    assert_int_equal(store_thread_find_by_threadid(db, "t1", &thread), 0);
    assert_int_equal(store_thread_set_threadid(db, people.thread, "t1"), 1);
    assert_int_equal(store_thread_set_subject(db, people.thread, "New plans"), 1);
    assert_int_equal(store_thread_set_threadid(db, people.thread + 1, "t2"), 0);
    assert_int_equal(store_thread_set_subject(db, people.thread + 1, "x"), 0);
    assert_int_equal(store_thread_find(db, people.thread + 1, &thread), 0);
    assert_int_equal(store_thread_find_by_threadid(db, "t1", &thread), 1);
    assert_int_equal(thread.id, people.thread);
    assert_string_equal(thread.subject, "New plans");
    store_thread_free(&thread);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void add_message(struct store_db *db, int64_t thread_id, const char *message_id, int64_t inbound_id)
{
    struct store_message_new message = {
        .thread_id = thread_id, .message_id = message_id, .inbound_id = inbound_id, .now = NOW
    };
    assert_int_equal(store_message_add(db, &message), 1);
}

static void a_thread_awaits_the_post_that_starts_it(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct people people = add_people(db);
    int64_t mail = add_inbound_at(db, people.bob, NOW);
    assert_int_equal(store_thread_awaits_post(db, people.thread), 0); /* nobody is about to start it */
    add_message(db, people.thread, "one@example.com", mail);
    assert_int_equal(store_thread_awaits_post(db, people.thread), 1);
    assert_int_equal(store_inbound_set_state(db, mail, STORE_QUEUE_HELD, "given up"), 1);
    assert_int_equal(store_thread_awaits_post(db, people.thread), 0);
    assert_int_equal(store_inbound_set_state(db, mail, STORE_QUEUE_ROUTED, NULL), 1);
    assert_int_equal(store_thread_awaits_post(db, people.thread), 1);
    assert_int_equal(store_thread_set_threadid(db, people.thread, "t1"), 1);
    assert_int_equal(store_thread_awaits_post(db, people.thread), 0);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void messages_lead_to_their_threads(void **state)
{
    static const struct {
        unsigned limit;
        const char *ids;
    } cases[] = { { 0, "" },
                  { 1, "a@x" },
                  { 2, "a@x d@x" },
                  { 3, "a@x c@x d@x" },
                  { 4, "a@x b@x c@x d@x" },
                  { 20, "a@x b@x c@x d@x" } };
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct people people = add_people(db);
    struct listed none = { "" }, one = { "" }, two = { "" };
    int64_t other;
    assert_int_equal(store_thread_add(db, "t2", "Other", NOW, &other), 1);
    add_message(db, people.thread, "a@x", 0);
    add_message(db, people.thread, "b@x", 0);
    add_message(db, other, "b@x", 0);
    add_message(db, people.thread, NULL, 0); /* without a Message-ID */
    add_message(db, people.thread, "c@x", 0);
    add_message(db, people.thread, "b@x", 0);
    add_message(db, people.thread, "d@x", 0);
    assert_int_equal(store_message_list_threads(db, "zz@x", list_thread, &none), 1);
    assert_string_equal(none.text, "");
    assert_int_equal(store_message_list_threads(db, "a@x", list_thread, &one), 1);
    assert_string_equal(one.text, "1");
    assert_int_equal(store_message_list_threads(db, "b@x", list_thread, &two), 1);
    assert_string_equal(two.text, "2 1");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct listed ids = { "" };
        assert_int_equal(store_message_list_ids(db, people.thread, 0, cases[i].limit, list_text, &ids), 1);
        assert_string_equal(ids.text, cases[i].ids);
    }
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void messages_lead_to_their_queue_entries(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct people people = add_people(db);
    int64_t in, out, mail = add_inbound_at(db, people.bob, NOW), sent = add_outbound(db, &people, NOW);
    assert_int_equal(store_message_find_queue_ids(db, "nothing", &in, &out), 0);
    assert_int_equal(in, 0);
    assert_int_equal(out, 0);
    assert_int_equal(store_message_find_queue_ids(db, "one@example.com", &in, &out), 1); /* not routed yet */
    assert_int_equal(in, mail);
    add_message(db, people.thread, "one@example.com", mail);
    assert_int_equal(store_message_set_tmtp_msgid(db, mail, "m7"), 1);
    assert_int_equal(store_message_set_tmtp_msgid(db, mail + 1, "m8"), 0);
    struct store_message_new twin = { .thread_id = people.thread,
                                      .message_id = "tmtp-m1@mail.example",
                                      .tmtp_msgid = "m1",
                                      .outbound_id = sent,
                                      .now = NOW };
    assert_int_equal(store_message_add(db, &twin), 1);
    static const struct {
        const char *key;
        bool is_in;
    } cases[] = { { "one@example.com", true }, { "m7", true }, { "tmtp-m1@mail.example", false }, { "m1", false } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(store_message_find_queue_ids(db, cases[i].key, &in, &out), 1);
        assert_int_equal(in, cases[i].is_in ? mail : 0);
        assert_int_equal(out, cases[i].is_in ? 0 : sent);
    }
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

/* --- speed --- */

static void ignore_trace(int64_t at, const char *event, const char *detail, void *ctx)
{
    (void)at, (void)event, (void)detail, (void)ctx;
}

static void use_what_runs_for_each_message(struct store_db *db, const struct people *people)
{
    struct listed ignored = { "" };
    struct store_inbound inbound;
    struct store_outbound outbound;
    struct store_mapping mapping;
    struct store_member member;
    struct store_correspondent correspondent;
    struct store_thread thread;
    int64_t n, m;
    for (enum store_queue queue = STORE_QUEUE_IN; queue <= STORE_QUEUE_OUT; queue++) {
        assert_true(store_queue_list_due(db, queue, NOW, 5, list_id, &ignored) >= 0);
        assert_true(store_queue_next_due(db, queue, 0, &n) >= 0);
        assert_true(store_queue_count_due(db, queue, NOW, 5, &n) >= 0);
        assert_true(store_queue_list(db, queue, STORE_QUEUE_HELD, 5, list_id, &ignored) >= 0);
        for (int i = STORE_QUEUE_WAITING; i <= STORE_QUEUE_DROPPED; i++)
            assert_true(store_queue_count(db, queue, (enum store_queue_state)i, &n) >= 0);
    }
    assert_true(store_inbound_find(db, 1, &inbound) >= 0);
    store_inbound_free(&inbound);
    assert_true(store_outbound_find(db, 1, &outbound) >= 0);
    assert_true(store_outbound_next_awaiting(db, 0, &n) >= 0);
    assert_true(store_outbound_end_waiting(db, NOW, 5, &n) >= 0);
    store_outbound_free(&outbound);
    assert_true(store_inbound_count_by_mapping(db, 1, NOW, 5, &n) >= 0);
    assert_true(store_message_list_threads(db, "one@example.com", list_thread, &ignored) >= 0);
    assert_true(store_message_find_queue_ids(db, "none@example.com", &n, &m) >= 0);
    assert_true(store_trace_list(db, STORE_QUEUE_IN, 1, ignore_trace, NULL) >= 0);
    assert_true(store_seen_tmtp_known(db, "m") >= 0);
    const struct store_inbound_same same = { .message_id = "one@example.com",
                                             .sender = "bob@example.com",
                                             .digest = (const uint8_t *)"0123456789abcdef" };
    assert_true(store_inbound_find_same(db, &same, &n) >= 0);
    assert_true(store_inbound_awaits_routing(db, "one@example.com", people->bob, 1) >= 0);
    assert_true(store_thread_find_by_threadid(db, "t", &thread) >= 0);
    assert_true(store_thread_list_parties(db, people->thread, list_party, &ignored) >= 0);
    assert_true(store_mapping_any_inbound(db, (struct store_target){ .member_id = people->alice }, NOW) >= 0);
    assert_true(store_mapping_find_current(db, "bob@example.com", (struct store_target){ .member_id = people->alice },
                                           &mapping) >= 0);
    store_mapping_free(&mapping);
    assert_true(store_member_find_by_local_part(db, "nobody", &member) >= 0);
    assert_true(store_member_find_by_uid(db, "nobody", &member) >= 0);
    assert_true(store_member_find_vouched(db, "nobody", &member) >= 0);
    assert_true(store_correspondent_find_by_address(db, "nobody", &correspondent) >= 0);
    assert_true(store_correspondent_find_by_alias(db, "nobody", &correspondent) >= 0);
}

/* However many messages were settled, none of these statements may walk through them. */
static void what_runs_for_each_message_finds_its_rows_by_index(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct people people = add_people(db);
    for (int i = 0; i < 50; i++) {
        int64_t in = add_inbound_at(db, people.bob, NOW - 100), out = add_outbound(db, &people, NOW - 100);
        assert_int_equal(store_inbound_add_recipient(
                             db, in, &(struct store_inbound_recipient_new){ .target = { .member_id = people.alice } }),
                         1);
        assert_int_equal(store_outbound_add_recipient(db, out, people.bob, 0), 1);
        assert_int_equal(store_inbound_route(db, in, people.thread, "x"), 1);
        assert_int_equal(store_outbound_set_mail(db, out, add_content(db, "mail"), 4, false, false, ""), 1);
        add_message(db, people.thread, "unrelated@example.com", in);
        assert_int_equal(store_message_set_tmtp_msgid(db, in, "m"), 1);
        assert_int_equal(store_trace_add(db, STORE_QUEUE_IN, in, NOW, "posted", "x"), 1);
        assert_int_equal(store_inbound_finish(db, in, STORE_QUEUE_SETTLED), 1);
        assert_int_equal(store_outbound_finish(db, out, STORE_QUEUE_SETTLED), 1);
    }
    use_what_runs_for_each_message(db, &people);
    unsigned statements = 0, walking = 0;
    for (sqlite3_stmt *stmt = sqlite3_next_stmt(db->handle, NULL); stmt; stmt = sqlite3_next_stmt(db->handle, stmt)) {
        statements++;
        if (sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_FULLSCAN_STEP, 0) > 0) {
            print_error("walks through a table: %s\n", sqlite3_sql(stmt));
            walking++;
        }
    }
    assert_true(statements > 40);
    assert_int_equal(walking, 0);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(inbound_is_kept_as_given),
        WITH_STORE(a_notice_has_its_thread_and_subject_from_the_start),
        WITH_STORE(inbound_goes_from_waiting_to_settled),
        WITH_STORE(outbound_goes_from_waiting_to_settled),
        WITH_STORE(what_is_dropped_before_it_was_written_keeps_no_head),
        WITH_STORE(what_is_due_comes_earliest_first),
        WITH_STORE(held_entries_are_not_due_until_released),
        WITH_STORE(what_awaits_a_relay_is_made_due_oldest_first),
        cmocka_unit_test(state_names_are_read_as_they_are_written),
        WITH_STORE(threads_have_parties),
        WITH_STORE(a_thread_awaits_the_post_that_starts_it),
        WITH_STORE(messages_lead_to_their_threads),
        WITH_STORE(messages_lead_to_their_queue_entries),
        WITH_STORE(what_runs_for_each_message_finds_its_rows_by_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
