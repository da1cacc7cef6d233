/* Tests of poster_return, trouble and what report decides for them: who gets their mail back, and in which words. */
#include "tests/unit/mapping_store_fixture.h"

#include "gateway/config.h"
#include "gateway/poster_return.h"
#include "gateway/report.h"
#include "gateway/signed_id.h"
#include "mapping/store_content.h"
#include "mapping/store_mapping.h"
#include "mapping/store_member.h"
#include "mapping/store_named.h"
#include "mapping/store_overdue.h"
#include "mapping/store_thread.h"
#include "mapping/store_trace.h"

enum { NOW = 100000000, HOUR = 3600 * 1000, TEXT_SIZE = 8192 };
enum { S = STORE_NOTIFY_SUCCESS, F = STORE_NOTIFY_FAILURE, D = STORE_NOTIFY_DELAY, N = STORE_NOTIFY_NEVER };
static const uint8_t secret[32] = { 7 }, digest[STORE_DIGEST_SIZE] = { 1 };
static char domain[] = "silo.example.org", hostname[] = "gw.example.org";

struct scene {
    struct store_fixture *fixture;
    struct store_db *db;
    struct signed_id *ids;
    struct reporter *reporter;
    int64_t correspondent, members[2], mappings[2];
};

static void ignore(void *ctx)
{
    (void)ctx;
}

/* Alice and Carol, to whom Bob may write. */
static void open_scene(struct scene *scene, void **state)
{
    static const char *const names[] = { "Alice Member", "Carol Member" };
    const struct config config = { .domain = domain, .hostname = hostname };
    const char *reason;
    scene->fixture = *state;
    scene->db = store_fixture_borrow(scene->fixture);
    scene->ids = signed_id_new(secret, domain, hostname);
    scene->reporter = reporter_new(&config, scene->ids, ignore, NULL);
    assert_int_equal(store_correspondent_ensure(scene->db, "bob@example.com", NOW, &scene->correspondent), 1);
    for (int i = 0; i < 2; i++) {
        char uid[] = "uid0";
        uid[3] = (char)('a' + i);
        assert_int_equal(store_member_add(scene->db, names[i], NULL, NOW, &scene->members[i], &reason), 1);
        assert_int_equal(store_member_learn_uid(scene->db, names[i], uid), 1);
        struct store_mapping_new mapping = {
            .correspondent_id = scene->correspondent,
            .target = { .member_id = scene->members[i] },
            .state = STORE_MAPPING_APPROVED,
            .direction = STORE_DIRECTION_BOTH,
            .note = "",
            .actor = "root",
            .reason = "",
            .now = NOW,
        };
        assert_int_equal(store_mapping_add(scene->db, &mapping, &scene->mappings[i]), 1);
    }
}

static void close_scene(struct scene *scene)
{
    assert_int_equal(store_fixture_return(scene->fixture, 1), 1);
    reporter_free(&scene->reporter);
    signed_id_free(&scene->ids);
}

static int64_t add_content(struct store_db *db, const char *text)
{
    int64_t id = 0;
    FILE *file = tmpfile();
    fputs(text, file);
    fflush(file);
    assert_int_equal(store_content_add_fd(db, fileno(file), (int64_t)strlen(text), &id), 1);
    fclose(file);
    return id;
}

struct mail {
    const char *sender; /* "" for the null path */
    bool is_proven, is_automatic;
    unsigned notify[2]; /* Alice's, Carol's */
};
static const struct mail from_bob = { .sender = "bob@example.com", .is_proven = true };

static int64_t add_mail(const struct scene *scene, const struct mail *mail)
{
    struct store_inbound_new row = {
        .kind = STORE_INBOUND_MAIL,
        .sender = mail->sender,
        .from_address = "bob@example.com",
        .correspondent_id = scene->correspondent,
        .message_id = "1@example.com",
        .digest = digest,
        .is_sender_proven = mail->is_proven,
        .is_automatic = mail->is_automatic,
        .content_id = add_content(scene->db, "Subject: For both\r\n\r\nHello\r\n"),
        .size = 28,
        .now = NOW,
    };
    int64_t id;
    assert_int_equal(store_inbound_add(scene->db, &row, &id), 1);
    for (int i = 0; i < 2; i++) {
        struct store_inbound_recipient_new recipient = {
            .target = { .member_id = scene->members[i] },
            .mapping_id = scene->mappings[i],
            .address = i ? "carol@silo.example.org" : "alice@silo.example.org",
            .notify = mail->notify[i],
        };
        assert_int_equal(store_inbound_add_recipient(scene->db, id, &recipient), 1);
    }
    return id;
}

static enum store_queue_state state_of(struct store_db *db, int64_t id, bool *has_content_out)
{
    struct store_inbound row;
    assert_int_equal(store_inbound_find(db, id, &row), 1);
    enum store_queue_state state = row.state;
    *has_content_out = row.content_id != 0;
    store_inbound_free(&row);
    return state;
}

static int64_t count_reports(struct store_db *db)
{
    int64_t count;
    assert_int_equal(store_queue_count(db, STORE_QUEUE_OUT, STORE_QUEUE_ROUTED, &count), 1);
    return count;
}

static void read_report(struct store_db *db, int64_t id, char text[static TEXT_SIZE])
{
    struct store_outbound row;
    int fd;
    int64_t size;
    assert_int_equal(store_outbound_find(db, id, &row), 1);
    assert_int_equal(store_content_open(db, row.content_id, &fd, &size), 1);
    assert_true(size > 0 && size < TEXT_SIZE);
    assert_int_equal(read(fd, text, (size_t)size), size);
    text[size] = 0;
    close(fd);
    store_outbound_free(&row);
}

static enum poster_returned give_up(const struct scene *scene, int64_t id, enum trouble trouble, bool is_silo_away)
{
    struct poster_return end = {
        .id = id,
        .now = NOW + HOUR,
        .trouble = trouble,
        .words = trouble == TROUBLE_REFUSED ? "no\r\nroom" : NULL,
        .why = "enough",
        .is_silo_away = is_silo_away,
    };
    assert_int_equal(poster_return(scene->db, scene->reporter, &end), 1);
    return end.done;
}

static void each_trouble_has_words_of_its_class(void **state)
{
    (void)state;
    for (int t = TROUBLE_GONE; t <= TROUBLE_DROPPED; t++) {
        const struct trouble_words *words = trouble_words((enum trouble)t);
        assert_true(words->failed_status[0] == '4' || words->failed_status[0] == '5');
        assert_true(strlen(words->failed) > 0 && !strpbrk(words->failed, "\r\n"));
        assert_int_equal(words->delayed != NULL, words->delayed_status != NULL);
        if (words->delayed && words->delayed_status)
            assert_int_equal(words->delayed_status[0], '4');
        if (trouble_is_final((enum trouble)t))
            assert_true(trouble_is_own((enum trouble)t) && !words->delayed && words->failed_status[0] == '5');
        if (trouble_is_own((enum trouble)t))
            assert_non_null(words->story);
    }
}

/* Who is told, who is not, and with whom it stays. */
static const struct {
    struct mail mail;
    enum poster_returned done;
    int reports;
} ends[] = {
    { { "bob@example.com", true, false, { 0, 0 } }, POSTER_RETURNED, 1 },
    { { "bob@example.com", true, false, { F, S | F } }, POSTER_RETURNED, 1 },
    { { "bob@example.com", true, false, { N, N } }, POSTER_RETURNED, 0 },
    { { "bob@example.com", true, false, { S, D } }, POSTER_RETURNED, 0 },
    { { "bob@example.com", true, false, { N, 0 } }, POSTER_RETURNED, 1 },
    { { "bob@example.com", true, true, { 0, 0 } }, POSTER_HELD, 0 },
    { { "bob@example.com", true, true, { F, F } }, POSTER_RETURNED, 1 },
    { { "bob@example.com", true, true, { F, 0 } }, POSTER_HELD, 0 },
    { { "bob@example.com", true, true, { N, N } }, POSTER_RETURNED, 0 },
    { { "victim@elsewhere.example", false, false, { 0, 0 } }, POSTER_HELD, 0 },
    { { "victim@elsewhere.example", false, false, { F, F } }, POSTER_HELD, 0 },
    { { "victim@elsewhere.example", false, false, { N, N } }, POSTER_RETURNED, 0 },
    { { "", false, false, { 0, 0 } }, POSTER_HELD, 0 },
    { { "", false, true, { F, F } }, POSTER_HELD, 0 },
};

static void mail_ends_with_its_sender_or_with_a_person(void **state)
{
    struct scene scene;
    open_scene(&scene, state);
    int64_t reports = 0;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        bool has_content;
        int64_t id = add_mail(&scene, &ends[i].mail);
        print_message("case %zu\n", i);
        assert_int_equal(give_up(&scene, id, TROUBLE_OURS, false), ends[i].done);
        bool is_returned = ends[i].done == POSTER_RETURNED;
        assert_int_equal(state_of(scene.db, id, &has_content), is_returned ? STORE_QUEUE_SETTLED : STORE_QUEUE_HELD);
        assert_int_equal(has_content, !is_returned);
        reports += ends[i].reports;
        assert_int_equal(count_reports(scene.db), reports);
        /* Once is enough. */
        assert_int_equal(give_up(&scene, id, TROUBLE_OURS, false), POSTER_ENDED);
        assert_int_equal(count_reports(scene.db), reports);
    }
    close_scene(&scene);
}

/* What it says was kept for answers to quote; it is erased with its content. */
static void what_it_says_is_erased_with_it(void **state)
{
    struct scene scene;
    int64_t thread, count, id;
    char name[] = "Bob", text[] = "Hello";
    open_scene(&scene, state);
    id = add_mail(&scene, &from_bob);
    assert_int_equal(store_thread_add(scene.db, NULL, "For both", NOW, &thread), 1);
    assert_int_equal(store_inbound_route(scene.db, id, thread, "For both"), 1);
    const struct store_excerpt excerpt = {
        .thread_id = thread, .inbound_id = id, .author_name = name, .text = text, .received_at = NOW
    };
    assert_int_equal(store_excerpt_set(scene.db, &excerpt), 1);
    assert_int_equal(give_up(&scene, id, TROUBLE_REFUSED, false), POSTER_RETURNED);
    assert_int_equal(store_fetch_int(scene.db, "SELECT count(*) FROM thread_excerpt", NULL, &count), 1);
    assert_int_equal(count, 0);
    close_scene(&scene);
}

static void each_recipient_is_reported_with_what_keeps_it_from_them(void **state)
{
    struct scene scene;
    char text[TEXT_SIZE];
    enum store_mapping_state was;
    open_scene(&scene, state);
    assert_int_equal(give_up(&scene, add_mail(&scene, &from_bob), TROUBLE_REFUSED, false), POSTER_RETURNED);
    read_report(scene.db, 1, text);
    assert_non_null(strstr(text, "rfc822;alice@silo.example.org\r\nAction: failed\r\nStatus: 5.0.0\r\n"));
    assert_non_null(strstr(text, "    the silo behind this gateway did not take it: no??room\r\n"));
    assert_null(strstr(text, "Diagnostic-Code"));
    assert_int_equal(
        store_mapping_set_state(scene.db, scene.mappings[0], STORE_MAPPING_SUSPENDED, "root", "", NOW, &was), 1);
    assert_int_equal(store_member_remove(scene.db, scene.members[1]), 1);
    assert_int_equal(give_up(&scene, add_mail(&scene, &from_bob), TROUBLE_REFUSED, false), POSTER_RETURNED);
    read_report(scene.db, 2, text);
    assert_non_null(strstr(text, "rfc822;alice@silo.example.org\r\nAction: failed\r\nStatus: 4.7.1\r\n"));
    assert_non_null(strstr(text, "rfc822;carol@silo.example.org\r\nAction: failed\r\nStatus: 5.1.1\r\n"));
    assert_null(strstr(text, "room"));
    close_scene(&scene);
}

/* When the silo is back it may be posted after all; until then there is nobody who could do anything. */
static void nothing_is_held_while_the_silo_is_away(void **state)
{
    struct scene scene;
    bool has_content;
    open_scene(&scene, state);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        int64_t id = add_mail(&scene, &ends[i].mail);
        bool is_returned = ends[i].done == POSTER_RETURNED;
        assert_int_equal(give_up(&scene, id, TROUBLE_SILO_AWAY, true), is_returned ? POSTER_RETURNED : POSTER_NOT_YET);
        assert_int_equal(state_of(scene.db, id, &has_content), is_returned ? STORE_QUEUE_SETTLED : STORE_QUEUE_WAITING);
        assert_int_equal(has_content, !is_returned);
    }
    close_scene(&scene);
}

/* Only its echo tells whether the silo has it. */
static void what_may_have_been_posted_is_left_alone_offline(void **state)
{
    struct scene scene;
    bool has_content;
    open_scene(&scene, state);
    int64_t id = add_mail(&scene, &from_bob);
    assert_int_equal(store_inbound_set_state(scene.db, id, STORE_QUEUE_ROUTED, NULL), 1);
    assert_int_equal(give_up(&scene, id, TROUBLE_SILO_AWAY, true), POSTER_NOT_YET);
    assert_int_equal(state_of(scene.db, id, &has_content), STORE_QUEUE_ROUTED);
    assert_int_equal(give_up(&scene, id, TROUBLE_REFUSED, false), POSTER_RETURNED);
    id = add_mail(&scene, &from_bob);
    assert_int_equal(store_inbound_set_state(scene.db, id, STORE_QUEUE_HELD, "held by an administrator"), 1);
    assert_int_equal(give_up(&scene, id, TROUBLE_OURS, false), POSTER_ENDED);
    close_scene(&scene);
}

static void too_many_reports_that_nobody_asked_for_come_later(void **state)
{
    struct scene scene;
    const struct mail asking = { .sender = "bob@example.com", .is_proven = true, .notify = { F, F } };
    bool has_content, is_crowded;
    open_scene(&scene, state);
    for (int i = 0; i < REPORT_PER_HOUR; i++)
        assert_int_equal(give_up(&scene, add_mail(&scene, &from_bob), TROUBLE_SILO_AWAY, true), POSTER_RETURNED);
    int64_t late = add_mail(&scene, &from_bob);
    assert_int_equal(give_up(&scene, late, TROUBLE_SILO_AWAY, true), POSTER_NOT_YET);
    assert_int_equal(state_of(scene.db, late, &has_content), STORE_QUEUE_WAITING);
    assert_true(has_content);
    assert_int_equal(give_up(&scene, add_mail(&scene, &asking), TROUBLE_SILO_AWAY, true), POSTER_RETURNED);
    assert_int_equal(count_reports(scene.db), REPORT_PER_HOUR + 1);
    assert_int_equal(report_find_crowd(scene.db, "dave@example.com", NOW + HOUR, &is_crowded), 1);
    assert_false(is_crowded);
    assert_int_equal(report_find_crowd(scene.db, "bob@example.com", NOW + 2 * HOUR + 1, &is_crowded), 1);
    assert_false(is_crowded); /* an hour later */
    close_scene(&scene);
}

/* An automatic answer that came to a return address and was let in: no address of a recipient was ever named for it, so no
 * report could say to whom it was. */
static void an_answer_that_was_let_in_is_not_lost(void **state)
{
    struct scene scene;
    bool has_content;
    open_scene(&scene, state);
    for (int is_proven = 0; is_proven < 2; is_proven++) {
        struct store_inbound_new row = { .kind = STORE_INBOUND_MAIL,
                                         .sender = is_proven ? "bob@example.com" : "",
                                         .from_address = "bob@example.com",
                                         .correspondent_id = scene.correspondent,
                                         .is_sender_proven = is_proven,
                                         .is_automatic = true,
                                         .content_id = add_content(scene.db, "Subject: I am away\r\n\r\nSoon\r\n"),
                                         .size = 28,
                                         .now = NOW };
        const struct store_inbound_recipient_new recipient = { .target = { .member_id = scene.members[0] },
                                                               .mapping_id = scene.mappings[0] };
        int64_t id;
        assert_int_equal(store_inbound_add(scene.db, &row, &id), 1);
        assert_int_equal(store_inbound_add_recipient(scene.db, id, &recipient), 1);
        assert_int_equal(give_up(&scene, id, TROUBLE_SILO_AWAY, true), POSTER_NOT_YET);
        assert_int_equal(state_of(scene.db, id, &has_content), STORE_QUEUE_WAITING);
        assert_int_equal(give_up(&scene, id, TROUBLE_REFUSED, false), POSTER_HELD);
        assert_int_equal(state_of(scene.db, id, &has_content), STORE_QUEUE_HELD);
        assert_true(has_content);
    }
    assert_int_equal(count_reports(scene.db), 0);
    close_scene(&scene);
}

/* Its sender was told that it failed: then it is another one when it comes again. */
static void mail_that_went_back_is_no_repetition(void **state)
{
    struct scene scene;
    int64_t found;
    open_scene(&scene, state);
    int64_t id = add_mail(&scene, &from_bob);
    struct store_inbound_same same = { .message_id = "1@example.com",
                                       .sender = "bob@example.com",
                                       .digest = digest,
                                       .target = { .member_id = scene.members[0] } };
    assert_int_equal(store_inbound_find_same(scene.db, &same, &found), 1);
    assert_int_equal(found, id);
    assert_int_equal(give_up(&scene, id, TROUBLE_SILO_AWAY, true), POSTER_RETURNED);
    assert_int_equal(store_inbound_find_same(scene.db, &same, &found), 0);
    close_scene(&scene);
}

static void delays_are_for_who_asks_and_name_whom_they_are_about(void **state)
{
    struct scene scene;
    struct store_inbound row;
    const struct mail asking = { .sender = "bob@example.com", .is_proven = true, .notify = { D | F, F } };
    char text[TEXT_SIZE];
    bool added;
    open_scene(&scene, state);
    int64_t id = add_mail(&scene, &asking), other = add_mail(&scene, &from_bob);
    assert_int_equal(store_overdue_take_delay(scene.db, other), 0); /* has not asked */
    assert_int_equal(store_overdue_take_delay(scene.db, id), 1);
    assert_int_equal(store_overdue_take_delay(scene.db, id), 0); /* once */
    assert_int_equal(store_inbound_find(scene.db, id, &row), 1);
    assert_int_equal(
        report_add_of_delay(scene.db, scene.reporter, &row, TROUBLE_SILO_AWAY, NOW + 5 * HOUR, NOW, &added), 1);
    assert_true(added);
    read_report(scene.db, 1, text);
    assert_non_null(strstr(text, "rfc822;alice@silo.example.org\r\nAction: delayed\r\nStatus: 4.4.1\r\n"));
    assert_non_null(strstr(text, "Will-Retry-Until: "));
    assert_null(strstr(text, "carol@"));
    /* Nothing to wait for: what is to be said comes as a failure. */
    assert_int_equal(store_member_remove(scene.db, scene.members[0]), 1);
    store_inbound_free(&row);
    assert_int_equal(store_inbound_find(scene.db, id, &row), 1);
    assert_int_equal(report_add_of_delay(scene.db, scene.reporter, &row, TROUBLE_SILO_AWAY, 0, NOW, &added), 1);
    assert_false(added);
    store_inbound_free(&row);
    close_scene(&scene);
}

static void list_id(int64_t id, int64_t received_at, bool is_tellable, void *ctx)
{
    assert_int_equal(received_at, NOW);
    snprintf((char *)ctx + strlen(ctx), 100 - strlen(ctx), "%d%s ", (int)id, is_tellable ? "" : "?");
}

static void what_is_overdue_is_listed_in_parts(void **state)
{
    struct scene scene;
    const struct mail asking = { .sender = "bob@example.com", .is_proven = true, .notify = { D, 0 } };
    const struct mail unproven = { .sender = "x@example.com" }, automatic = { "bob@example.com", true, true, { 0, 0 } },
                      automatic_asking = { "bob@example.com", true, true, { F, F } };
    char waiting[100] = "", rest[100] = "", delayed[100] = "", early[100] = "";
    open_scene(&scene, state);
    for (int i = 0; i < 6; i++) /* 1 to 6; 3 and 6 have asked */
        add_mail(&scene, i % 3 == 2 ? &asking : &from_bob);
    add_mail(&scene, &unproven);
    add_mail(&scene, &automatic);
    add_mail(&scene, &automatic_asking);
    assert_int_equal(store_inbound_set_state(scene.db, 1, STORE_QUEUE_ROUTED, NULL), 1);
    assert_int_equal(store_inbound_set_state(scene.db, 3, STORE_QUEUE_HELD, "x"), 1);
    assert_int_equal(store_overdue_list_waiting(scene.db, 0, 3, list_id, waiting), 1);
    assert_string_equal(waiting, "2 4 5 ");
    assert_int_equal(store_overdue_list_waiting(scene.db, 5, 9, list_id, rest), 1);
    assert_string_equal(rest, "6 7? 8? 9 ");
    assert_int_equal(store_overdue_list_delayed(scene.db, NOW, 9, list_id, delayed), 1);
    assert_string_equal(delayed, "3 6 ");
    assert_int_equal(store_overdue_list_delayed(scene.db, NOW - 1, 9, list_id, early), 1);
    assert_string_equal(early, "");
    close_scene(&scene);
}

/* What is not overdue must not be looked at, however much waits: each list is read by an index of its own. */
static void overdue_lists_use_their_indexes(void **state)
{
    struct scene scene;
    struct store_query query;
    static const char *const plans[][2] = {
        { "EXPLAIN QUERY PLAN SELECT id, received_at FROM inbound WHERE state = 'waiting' AND id > 5 ORDER BY id LIMIT "
          "3",
          "inbound_live (state=? AND id>?)" },
        { "EXPLAIN QUERY PLAN SELECT id, received_at FROM inbound INDEXED BY inbound_delay WHERE delay_awaited = 1 AND "
          "(state = 'waiting' OR "
          "state = "
          "'routed' OR state = 'held') AND received_at <= 5 ORDER BY received_at LIMIT 3",
          "inbound_delay (received_at<?)" },
        { "EXPLAIN QUERY PLAN SELECT outbound_recipient.id FROM outbound_recipient WHERE address = 'x' ORDER BY "
          "outbound_recipient.id DESC LIMIT 3",
          "outbound_recipient_address (address=?)" },
    };
    open_scene(&scene, state);
    for (size_t i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        int steps = 0;
        bool uses_index = true;
        store_query_begin(&query, scene.db, plans[i][0], NULL);
        while (store_query_next(&query) == 1) {
            print_message("%s\n", store_query_text(&query, 3));
            uses_index = uses_index && strstr(store_query_text(&query, 3), plans[i][1]);
            steps++;
        }
        store_query_end(&query);
        assert_true(uses_index);
        assert_int_equal(steps, 1); /* and nothing is sorted */
    }
    close_scene(&scene);
}

#define STORE_TEST(test) cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_trouble_has_words_of_its_class),
        STORE_TEST(mail_ends_with_its_sender_or_with_a_person),
        STORE_TEST(what_it_says_is_erased_with_it),
        STORE_TEST(each_recipient_is_reported_with_what_keeps_it_from_them),
        STORE_TEST(nothing_is_held_while_the_silo_is_away),
        STORE_TEST(what_may_have_been_posted_is_left_alone_offline),
        STORE_TEST(too_many_reports_that_nobody_asked_for_come_later),
        STORE_TEST(an_answer_that_was_let_in_is_not_lost),
        STORE_TEST(mail_that_went_back_is_no_repetition),
        STORE_TEST(delays_are_for_who_asks_and_name_whom_they_are_about),
        STORE_TEST(what_is_overdue_is_listed_in_parts),
        STORE_TEST(overdue_lists_use_their_indexes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
