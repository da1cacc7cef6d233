/* Tests of hold on a fake clock: decisions about sealed mail, and its end. */
#include "tests/unit/gateway_hold_scene.h"

static bool is_released(struct scene *scene, int64_t id)
{
    struct store_held held;
    bool is = store_held_find(store_reader(scene->fixture->store), id, &held) == 1 && held.released_at;
    store_held_free(&held);
    return is;
}

static void a_decision_is_about_whom_it_says(void **state)
{
    struct scene scene;
    open_scene(&scene, state);
    enum { STAYS, RELEASED, DROPPED };
    const struct store_target all = { 0 };
    const struct mapping_limits outward = { .has_direction = true, .direction = STORE_DIRECTION_OUT };
    const struct {
        const char *subject;
        const struct store_target *target;
        enum store_mapping_state state;
        const struct mapping_limits *limits;
        const char *author;
        int fate;
    } rows[] = {
        { "a1@example.com", &scene.alice, STORE_MAPPING_APPROVED, NULL, "a1@example.com", RELEASED },
        { "a2@example.com", &scene.alice, STORE_MAPPING_APPROVED, NULL, "x2@example.com", STAYS },
        { "a3@example.com", &scene.carol, STORE_MAPPING_APPROVED, NULL, "a3@example.com", STAYS },
        { "a4@example.com", &all, STORE_MAPPING_APPROVED, NULL, "a4@example.com", RELEASED },
        { "*@five.example", &scene.alice, STORE_MAPPING_APPROVED, NULL, "a@five.example", RELEASED },
        { "*@six.example", &scene.alice, STORE_MAPPING_APPROVED, NULL, "a@sub.six.example", STAYS },
        { "a7@example.com", &scene.alice, STORE_MAPPING_APPROVED, &outward, "a7@example.com", DROPPED },
        { "a8@example.com", &scene.alice, STORE_MAPPING_REQUESTED, NULL, "a8@example.com", STAYS },
        { "a9@example.com", &scene.alice, STORE_MAPPING_DENIED, NULL, "a9@example.com", DROPPED },
        { "*@ten.example", &all, STORE_MAPPING_DENIED, NULL, "a@ten.example", DROPPED },
        { "a11@example.com", &scene.carol, STORE_MAPPING_DENIED, NULL, "a11@example.com", STAYS },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t id = hold_one(&scene, &(struct mail){ .author = rows[i].author });
        decide(&scene, rows[i].subject, *rows[i].target, rows[i].state, rows[i].limits);
        print_message("row %zu\n", i);
        assert_int_equal(state_of(&scene, id), rows[i].fate == DROPPED ? STORE_QUEUE_DROPPED : STORE_QUEUE_PENDING);
        assert_int_equal(is_released(&scene, id), rows[i].fate == RELEASED);
    }
    close_scene(&scene);
}

static void senders_hear_what_they_are_entitled_to(void **state)
{
    struct scene scene;
    open_scene(&scene, state);
    static const struct {
        struct mail mail;
        bool is_told;
    } rows[] = {
        { { .author = "bob1@example.com" }, true },
        { { .author = "bob2@example.com", .notify = F }, true },
        { { .author = "bob3@example.com", .notify = N }, false },
        { { .author = "bob4@example.com", .notify = S }, false },
        { { .author = "bob5@example.com", .is_unproven = true }, false },
        { { .author = "bob6@example.com", .is_unproven = true, .notify = F }, false },
        { { .author = "bob7@example.com", .is_automatic = true }, false },
        { { .author = "bob8@example.com", .is_automatic = true, .notify = F }, true },
        { { .author = "bob9@example.com", .sender = "" }, false },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t before = reports(&scene), id = hold_one(&scene, &rows[i].mail);
        decide(&scene, rows[i].mail.author, scene.alice, STORE_MAPPING_DENIED, NULL);
        print_message("row %zu\n", i);
        assert_int_equal(state_of(&scene, id), STORE_QUEUE_DROPPED);
        assert_int_equal(reports(&scene) - before, rows[i].is_told);
    }
    close_scene(&scene);
}

static void what_nobody_decides_about_expires(void **state)
{
    struct scene scene;
    open_scene(&scene, state);
    int64_t first = hold_one(&scene, &(struct mail){ .author = "bob@example.com" });
    pass(&scene, INT64_C(2) * DAY);
    int64_t second = hold_one(&scene, &(struct mail){ .author = "bob@example.com" });
    int64_t third = hold_one(&scene, &(struct mail){ .author = "carol@example.com" });
    decide(&scene, "carol@example.com", scene.alice, STORE_MAPPING_APPROVED, NULL);
    pass(&scene, INT64_C(5) * DAY - 1);
    assert_int_equal(state_of(&scene, first), STORE_QUEUE_PENDING);
    assert_int_equal(reports(&scene), 0);
    pass(&scene, 1);
    pass(&scene, MINUTE);
    assert_int_equal(state_of(&scene, first), STORE_QUEUE_DROPPED);
    assert_int_equal(state_of(&scene, second), STORE_QUEUE_PENDING);
    assert_int_equal(reports(&scene), 1);
    hold_free(&scene.parts.hold); /* the daemon is not running when it would be over */
    clock_advance(scene.fixture->clock, INT64_C(5) * DAY);
    open_hold(&scene);
    settle(&scene);
    assert_int_equal(state_of(&scene, second), STORE_QUEUE_DROPPED);
    assert_int_equal(state_of(&scene, third), STORE_QUEUE_PENDING); /* somebody has decided */
    assert_int_equal(reports(&scene), 2);
    close_scene(&scene);
}

/* The database may fail for hours. */
static void what_can_t_be_ended_for_long_is_tried_less_often(void **state)
{
    enum { SECONDS = 600, TRIES = 30 };
    struct scene scene;
    open_scene(&scene, state);
    int64_t id = hold_one(&scene, &(struct mail){ .author = "bob@example.com" });
    store_fixture_change(scene.fixture, "ALTER TABLE trace RENAME TO away");
    clock_advance(scene.fixture->clock, INT64_C(7) * DAY);
    store_fixture_pass_seconds(scene.fixture, SECONDS);
    assert_true(scene.fixture->errors >= SECONDS * 1000 / MINUTE);
    assert_true(scene.fixture->errors < TRIES);
    assert_int_equal(state_of(&scene, id), STORE_QUEUE_PENDING);
    store_fixture_change(scene.fixture, "ALTER TABLE away RENAME TO trace");
    store_fixture_pass_seconds(scene.fixture, MINUTE / 1000 + 1);
    assert_int_equal(state_of(&scene, id), STORE_QUEUE_DROPPED);
    scene.fixture->errors = 0;

    id = hold_one(&scene, &(struct mail){ .author = "bob@example.com" });
    store_fixture_change(scene.fixture, "ALTER TABLE trace RENAME TO away");
    clock_advance(scene.fixture->clock, INT64_C(7) * DAY);
    store_fixture_pass_seconds(scene.fixture, 4);
    assert_true(scene.fixture->errors >= 2); /* soon, at the next failure */
    store_fixture_change(scene.fixture, "ALTER TABLE away RENAME TO trace");
    scene.fixture->errors = 0;
    close_scene(&scene);
}

static void change_state(struct scene *scene, int64_t mapping_id, enum mapping_act act)
{
    static const struct store_actor root = { .channel = "cli", .name = "root" };
    struct store_db *db = store_fixture_borrow(scene->fixture);
    const struct mapping_change change = {
        .actor = &root, .reason = "", .now = now_of(scene), .hold = scene->parts.hold
    };
    struct mapping_result result;
    assert_int_equal(mapping_change_state(db, &change, mapping_id, act, NULL, &result), 1);
    mapping_result_clear(&result);
    assert_int_equal(store_fixture_return(scene->fixture, 1), 1);
}

/* As their mail does. */
static int64_t request(struct scene *scene, const char *author, const char *channel)
{
    struct store_db *db = store_fixture_borrow(scene->fixture);
    const struct store_actor actor = { .channel = channel, .name = author };
    const struct mapping_change change = { .actor = &actor, .reason = "", .now = now_of(scene) };
    struct mapping_result result;
    struct subject subject;
    const char *wrong;
    assert_int_equal(subject_parse(author, SMTP_CASE_FOLDED, &subject, &wrong), 1);
    const struct mapping_wish wish = { .subject = &subject, .target = scene->alice };
    assert_true(mapping_change_request(db, &change, &wish, &result) == 1 || result.outcome == MAPPING_EXISTS);
    int64_t id = result.mapping.id;
    mapping_result_clear(&result);
    assert_int_equal(store_fixture_return(scene->fixture, 1), 1);
    return id;
}

static bool is_there(struct scene *scene, int64_t mapping_id)
{
    struct store_mapping mapping;
    bool is = store_mapping_find(store_reader(scene->fixture->store), mapping_id, &mapping) == 1;
    store_mapping_free(&mapping);
    return is;
}

static void count_lapses(const struct store_audit *audit, void *ctx)
{
    *(unsigned *)ctx += strcmp(audit->action, "mapping.lapse") == 0 && strcmp(audit->channel, "gateway") == 0;
}

static void what_strangers_ask_for_lapses_with_their_mail(void **state)
{
    struct scene scene;
    open_scene(&scene, state);
    int64_t bob = request(&scene, "bob@example.com", "mail"), eve = request(&scene, "eve@example.com", "mail");
    int64_t tom = request(&scene, "tom@example.com", "silo"), sue = request(&scene, "sue@example.com", "mail");
    hold_one(&scene, &(struct mail){ .author = "bob@example.com", .request_id = bob });
    hold_one(&scene, &(struct mail){ .author = "eve@example.com", .request_id = eve });
    hold_one(&scene, &(struct mail){ .author = "tom@example.com", .request_id = tom });
    change_state(&scene, sue, MAPPING_DENY);
    pass(&scene, INT64_C(6) * DAY);
    hold_one(&scene, &(struct mail){ .author = "eve@example.com", .request_id = eve });
    pass(&scene, DAY + MINUTE);
    assert_true(!is_there(&scene, bob) && is_there(&scene, eve)); /* of whom some mail still waits */
    assert_true(is_there(&scene, tom));                           /* for whom a member has asked */
    assert_true(is_there(&scene, sue));                           /* whom somebody has denied */
    pass(&scene, INT64_C(6) * DAY + MINUTE);
    assert_false(is_there(&scene, eve));
    unsigned lapses = 0;
    assert_int_equal(store_audit_list(store_reader(scene.fixture->store), 0, 1, 1000, count_lapses, &lapses), 1);
    assert_int_equal(lapses, 2);
    int64_t again = request(&scene, "bob@example.com", "mail"); /* no door was shut, and no number is given twice */
    assert_true(again > sue);
    int64_t id = hold_one(&scene, &(struct mail){ .author = "bob@example.com", .request_id = again });
    change_state(&scene, again, MAPPING_APPROVE);
    assert_true(is_released(&scene, id));
    close_scene(&scene);
}

static void limits_of_the_approval_are_asked_about_again(void **state)
{
    struct scene scene;
    open_scene(&scene, state);
    hold_set_online(scene.parts.hold, true);
    const struct mapping_limits small = { .has_max_size = true, .max_size = 1024 };
    const struct mapping_limits signed_only = { .has_proof = true, .proof = STORE_PROOF_DKIM };
    const struct mapping_limits one_a_day = { .has_daily = true, .daily = 1 };
    const struct mapping_limits until_soon = { .has_expiry = true, .expires_at = start + HOUR };
    const struct {
        const char *author;
        const struct mapping_limits *limits;
        enum store_mapping_state mapping;
        int64_t size, later;
        enum store_queue_state state;
        int told;
    } rows[] = {
        { "a1@example.com", &small, STORE_MAPPING_APPROVED, 1000, 0, STORE_QUEUE_WAITING, 0 },
        { "a2@example.com", &small, STORE_MAPPING_APPROVED, 2000, 0, STORE_QUEUE_DROPPED, 1 },
        { "a3@example.com", &signed_only, STORE_MAPPING_APPROVED, 0, 0, STORE_QUEUE_DROPPED, 1 },
        { "a4@example.com", &one_a_day, STORE_MAPPING_APPROVED, 0, 0, STORE_QUEUE_WAITING, 0 },
        { "a5@example.com", NULL, STORE_MAPPING_SUSPENDED, 0, 0, STORE_QUEUE_PENDING, 0 },
        { "a6@example.com", &until_soon, STORE_MAPPING_APPROVED, 0, 2 * HOUR, STORE_QUEUE_DROPPED, 1 },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t before = reports(&scene);
        int64_t id = hold_one(&scene, &(struct mail){ .author = rows[i].author, .size = rows[i].size });
        decide(&scene, rows[i].author, scene.alice, rows[i].mapping, rows[i].limits);
        clock_advance(scene.fixture->clock, rows[i].later);
        give_alias(&scene, rows[i].author);
        hold_poke(scene.parts.hold);
        settle(&scene);
        print_message("row %zu\n", i);
        assert_int_equal(state_of(&scene, id), rows[i].state);
        assert_int_equal(reports(&scene) - before, rows[i].told);
        if (rows[i].state == STORE_QUEUE_WAITING)
            route(&scene, id);
        assert_false(is_released(&scene, id)); /* of what is suspended another decision may come */
    }
    close_scene(&scene);
}

/* Between its release and its opening. */
static void another_decision_counts_until_it_is_opened(void **state)
{
    struct scene scene;
    open_scene(&scene, state);
    int64_t id = hold_one(&scene, &(struct mail){ .author = "bob@example.com" });
    int64_t eve = hold_one(&scene, &(struct mail){ .author = "eve@example.com" });
    int64_t mapping = decide(&scene, "bob@example.com", scene.alice, STORE_MAPPING_SUSPENDED, NULL);
    int64_t other = decide(&scene, "eve@example.com", scene.alice, STORE_MAPPING_APPROVED, NULL);
    give_alias(&scene, "bob@example.com");
    change_state(&scene, other, MAPPING_REVOKE);
    hold_set_online(scene.parts.hold, true);
    settle(&scene);
    assert_int_equal(state_of(&scene, id), STORE_QUEUE_PENDING);
    assert_false(is_released(&scene, id));
    assert_int_equal(state_of(&scene, eve), STORE_QUEUE_DROPPED);
    change_state(&scene, mapping, MAPPING_RESUME);
    hold_poke(scene.parts.hold);
    settle(&scene);
    assert_int_equal(state_of(&scene, id), STORE_QUEUE_WAITING);
    close_scene(&scene);
}

/* While it was sealed. */
static void what_was_decided_just_before_counts(void **state)
{
    struct scene scene;
    open_scene(&scene, state);
    struct hold_outcome outcome;
    decide(&scene, "bob@example.com", scene.alice, STORE_MAPPING_APPROVED, NULL);
    decide(&scene, "eve@example.com", scene.alice, STORE_MAPPING_DENIED, NULL);
    int64_t bob = hold_one(&scene, &(struct mail){ .author = "bob@example.com" });
    int64_t eve = hold_one(&scene, &(struct mail){ .author = "eve@example.com" });
    int64_t tom = hold_one(&scene, &(struct mail){ .author = "tom@example.com" });
    struct store_db *db = store_fixture_borrow(scene.fixture);
    assert_int_equal(hold_look_again(db, scene.parts.hold, bob, start, &outcome), 1);
    assert_int_equal(outcome.released, 1);
    assert_int_equal(hold_look_again(db, scene.parts.hold, eve, start, &outcome), 1);
    assert_true(outcome.dropped == 1 && outcome.reported);
    assert_int_equal(hold_look_again(db, scene.parts.hold, tom, start, &outcome), 1);
    assert_true(outcome.dropped == 0 && outcome.released == 0);
    assert_int_equal(store_fixture_return(scene.fixture, 1), 1);
    close_scene(&scene);
}

static void nobody_gets_held_mail_who_is_no_member_any_more(void **state)
{
    struct scene scene;
    open_scene(&scene, state);
    int64_t id = hold_one(&scene, &(struct mail){ .author = "bob@example.com" });
    struct store_db *db = store_fixture_borrow(scene.fixture);
    assert_int_equal(hold_release(db, id, "cli root", start), 1);
    assert_int_equal(store_member_remove(db, scene.alice.member_id), 1);
    assert_int_equal(store_fixture_return(scene.fixture, 1), 1);
    hold_set_online(scene.parts.hold, true);
    settle(&scene);
    assert_int_equal(state_of(&scene, id), STORE_QUEUE_DROPPED);
    assert_int_equal(reports(&scene), 1);
    close_scene(&scene);
}

static void one_mail_alone_can_be_released(void **state)
{
    struct scene scene;
    open_scene(&scene, state);
    hold_set_online(scene.parts.hold, true);
    int64_t first = hold_one(&scene, &(struct mail){ .author = "bob@example.com" });
    int64_t second = hold_one(&scene, &(struct mail){ .author = "bob@example.com" });
    struct store_db *db = store_fixture_borrow(scene.fixture);
    assert_int_equal(hold_release(db, second, "cli root", now_of(&scene)), 1);
    assert_int_equal(hold_release(db, second, "cli root", now_of(&scene)), 0);
    assert_int_equal(hold_release(db, second + 1, "cli root", now_of(&scene)), 0);
    assert_int_equal(store_fixture_return(scene.fixture, 1), 1);
    give_alias(&scene, "bob@example.com");
    hold_poke(scene.parts.hold);
    settle(&scene);
    assert_int_equal(state_of(&scene, first), STORE_QUEUE_PENDING);
    assert_int_equal(state_of(&scene, second), STORE_QUEUE_WAITING);
    close_scene(&scene);
}

static void without_its_key_held_mail_stays_until_it_expires(void **state)
{
    struct scene scene;
    char away[160];
    open_scene(&scene, state);
    int64_t first = hold_one(&scene, &(struct mail){ .author = "bob@example.com" });
    int64_t second = hold_one(&scene, &(struct mail){ .author = "carol@example.com" });
    decide(&scene, "bob@example.com", scene.alice, STORE_MAPPING_APPROVED, NULL);
    give_alias(&scene, "bob@example.com");
    hold_free(&scene.parts.hold);
    snprintf(away, sizeof away, "%s.away", scene.key);
    assert_int_equal(rename(scene.key, away), 0);
    open_hold(&scene); /* as a backup that was restored without it */
    hold_set_online(scene.parts.hold, true);
    pass(&scene, MINUTE);
    char *problem = hold_problem(scene.parts.hold);
    assert_non_null(strstr(problem, "2 held messages can't be opened"));
    free(problem);
    assert_int_equal(state_of(&scene, first), STORE_QUEUE_PENDING);
    find_key(&scene); /* nor is another one made, with which the old one would be forgotten */
    assert_non_null(scene.problem);
    assert_int_equal(access(scene.key, F_OK), -1);
    pass(&scene, INT64_C(7) * DAY + MINUTE);
    assert_int_equal(state_of(&scene, second), STORE_QUEUE_DROPPED);
    assert_int_equal(reports(&scene), 1);
    assert_int_equal(state_of(&scene, first), STORE_QUEUE_PENDING);
    hold_free(&scene.parts.hold);
    assert_int_equal(rename(away, scene.key), 0);
    open_hold(&scene);
    hold_set_online(scene.parts.hold, true);
    settle(&scene);
    assert_int_equal(state_of(&scene, first), STORE_QUEUE_WAITING);
    assert_null(hold_problem(scene.parts.hold));
    close_scene(&scene);
}

static bool skip_none(int64_t inbound_id, void *ctx)
{
    return inbound_id == *(int64_t *)ctx;
}

static void a_first_mail_that_went_untold_is_none(void **state)
{
    struct scene scene;
    open_scene(&scene, state);
    int64_t first = hold_one(&scene, &(struct mail){ .author = "bob@example.com" }), member = scene.alice.member_id;
    int64_t second = hold_one(&scene, &(struct mail){ .author = "bob@example.com" });
    int64_t third = hold_one(&scene, &(struct mail){ .author = "bob@example.com" });
    struct store_db *db = store_fixture_borrow(scene.fixture);
    assert_int_equal(store_contact_note(db, "bob@example.com", member, first, start, start - DAY, 9), 1);
    assert_int_equal(store_contact_note(db, "bob@example.com", member, second, start, start - DAY, 9), 0);
    assert_int_equal(store_held_drop(db, first), 1);
    assert_int_equal(store_contact_note(db, "bob@example.com", member, second, start, start - DAY, 9), 1);
    assert_int_equal(store_contact_set_done(db, second), 1);
    assert_int_equal(store_held_drop(db, second), 1);
    assert_int_equal(store_contact_note(db, "bob@example.com", member, third, start, start - DAY, 9), 0);
    assert_int_equal(store_fixture_return(scene.fixture, 1), 1);
    close_scene(&scene);
}

static void a_member_is_told_once_of_each_author_and_of_so_many_a_day(void **state)
{
    struct scene scene;
    open_scene(&scene, state);
    int64_t bob = hold_one(&scene, &(struct mail){ .author = "bob@example.com" }), none = 0;
    int64_t eve = hold_one(&scene, &(struct mail){ .author = "eve@example.com" });
    int64_t again = hold_one(&scene, &(struct mail){ .author = "bob@example.com" });
    struct hold_contact contact;
    struct store_db *db = store_fixture_borrow(scene.fixture);
    assert_int_equal(store_contact_note(db, "bob@example.com", scene.alice.member_id, bob, start, start - DAY, 2), 1);
    assert_int_equal(store_contact_note(db, "bob@example.com", scene.alice.member_id, again, start, start - DAY, 2), 0);
    assert_int_equal(store_contact_note(db, "eve@example.com", scene.alice.member_id, eve, start + 1, start - DAY, 2),
                     1);
    assert_int_equal(store_contact_note(db, "x@example.com", scene.alice.member_id, eve, start, start - DAY, 2), 0);
    assert_int_equal(store_contact_note(db, "bob@example.com", scene.carol.member_id, bob, start, start - DAY, 2), 1);
    assert_int_equal(hold_find_contact(scene.parts.hold, db, skip_none, &none, &contact), 1);
    assert_int_equal(contact.inbound_id, bob);
    assert_string_equal(contact.alias, "Alice Member");
    assert_non_null(strstr(contact.text, "mail from bob@example.com, \"Hi\""));
    free(contact.alias);
    free(contact.text);
    assert_int_equal(hold_find_contact(scene.parts.hold, db, skip_none, &bob, &contact), 1);
    assert_int_equal(contact.inbound_id, eve);
    free(contact.alias);
    free(contact.text);
    assert_int_equal(store_contact_set_done(db, bob), 1);
    assert_int_equal(store_contact_set_done(db, eve), 1);
    assert_int_equal(hold_find_contact(scene.parts.hold, db, skip_none, &none, &contact), 0);
    assert_int_equal(store_fixture_return(scene.fixture, 1), 1);
    close_scene(&scene);
}

#define SCENE(test) cmocka_unit_test_setup_teardown(test, setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE(a_decision_is_about_whom_it_says),
        SCENE(senders_hear_what_they_are_entitled_to),
        SCENE(what_nobody_decides_about_expires),
        SCENE(what_can_t_be_ended_for_long_is_tried_less_often),
        SCENE(what_strangers_ask_for_lapses_with_their_mail),
        SCENE(limits_of_the_approval_are_asked_about_again),
        SCENE(another_decision_counts_until_it_is_opened),
        SCENE(what_was_decided_just_before_counts),
        SCENE(nobody_gets_held_mail_who_is_no_member_any_more),
        SCENE(one_mail_alone_can_be_released),
        SCENE(without_its_key_held_mail_stays_until_it_expires),
        SCENE(a_first_mail_that_went_untold_is_none),
        SCENE(a_member_is_told_once_of_each_author_and_of_so_many_a_day),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
