#include "tests/unit/mapping_store_fixture.h"

#include "base/strbuf.h"
#include "gateway/mapping_change.h"
#include "mapping/store_member.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static const int64_t now = INT64_C(1700000000000);
static const struct store_actor root = { .channel = "cli", .name = "root" };
static const struct store_actor admin = { .channel = "silo", .name = "Alice Admin", .uid = "u7" };

struct world {
    struct store_fixture *fixture;
    struct store_db *db;
    struct store_target alice;
};

static struct world begin(void **state)
{
    struct world world = { .fixture = *state };
    const char *reason;
    world.db = store_fixture_borrow(world.fixture);
    assert_int_equal(store_member_add(world.db, "Alice", NULL, now, &world.alice.member_id, &reason), 1);
    return world;
}

static void end(struct world *world)
{
    assert_int_equal(store_fixture_return(world->fixture, 1), 1);
    assert_int_equal(world->fixture->errors, 0);
}

static struct mapping_change by(const struct store_actor *actor, const char *reason)
{
    return (struct mapping_change){ .actor = actor, .reason = reason, .now = now };
}

enum how { ADD, REQUEST, BLOCK };

/* The new one's id, or of the one in the way; *outcome_out may be NULL: it must be done. */
static int64_t make(struct world *world, enum how how, const char *text, const struct mapping_limits *limits,
                    enum mapping_outcome *outcome_out)
{
    static int (*const functions[])(struct store_db *, const struct mapping_change *, const struct mapping_wish *,
                                    struct mapping_result *) = { mapping_change_add, mapping_change_request,
                                                                 mapping_change_block };
    struct mapping_change change = by(&root, "");
    struct subject subject;
    struct mapping_result result;
    const char *wrong;
    assert_int_equal(subject_parse(text, SMTP_CASE_FOLDED, &subject, &wrong), 1);
    struct mapping_wish wish = { .subject = &subject, .target = world->alice, .limits = limits };
    int done = functions[how](world->db, &change, &wish, &result);
    assert_int_equal(done, result.outcome == MAPPING_DONE);
    int64_t id = result.mapping.id;
    if (outcome_out)
        *outcome_out = result.outcome;
    else
        assert_int_equal(result.outcome, MAPPING_DONE);
    mapping_result_clear(&result);
    return id;
}

static enum mapping_outcome act(struct world *world, int64_t id, enum mapping_act act,
                                const struct mapping_limits *limits)
{
    struct mapping_change change = by(&admin, "because");
    struct mapping_result result;
    int done = mapping_change_state(world->db, &change, id, act, limits, &result);
    assert_int_equal(done, result.outcome == MAPPING_DONE);
    enum mapping_outcome outcome = result.outcome;
    mapping_result_clear(&result);
    return outcome;
}

static enum store_mapping_state state_of(struct world *world, int64_t id)
{
    struct store_mapping mapping;
    assert_int_equal(store_mapping_find(world->db, id, &mapping), 1);
    enum store_mapping_state state = mapping.state;
    store_mapping_free(&mapping);
    return state;
}

static int64_t count_audit(struct world *world)
{
    int64_t count;
    assert_int_equal(store_fetch_int(world->db, "SELECT count(*) FROM audit", NULL, &count), 1);
    return count;
}

/* Every act in every state: what is allowed is done and written down once, and nothing else changes anything. */
static void acts_keep_to_the_life_of_a_mapping(void **state)
{
    static const struct {
        enum how how;
        int way[2];                      /* acts that lead there; -1: none */
        int becomes[MAPPING_EXPIRE + 1]; /* -1: not from here */
    } rows[] = {
        { REQUEST, { -1, -1 }, { STORE_MAPPING_APPROVED, STORE_MAPPING_DENIED, -1, -1, -1, -1 } },
        { ADD, { -1, -1 }, { -1, -1, STORE_MAPPING_SUSPENDED, -1, STORE_MAPPING_REVOKED, STORE_MAPPING_EXPIRED } },
        { REQUEST,
          { MAPPING_APPROVE, -1 },
          { -1, -1, STORE_MAPPING_SUSPENDED, -1, STORE_MAPPING_REVOKED, STORE_MAPPING_EXPIRED } },
        { ADD,
          { MAPPING_SUSPEND, -1 },
          { -1, -1, -1, STORE_MAPPING_APPROVED, STORE_MAPPING_REVOKED, STORE_MAPPING_EXPIRED } },
        { ADD,
          { MAPPING_SUSPEND, MAPPING_RESUME },
          { -1, -1, STORE_MAPPING_SUSPENDED, -1, STORE_MAPPING_REVOKED, STORE_MAPPING_EXPIRED } },
        { REQUEST, { MAPPING_DENY, -1 }, { -1, -1, -1, -1, -1, -1 } },
        { ADD, { MAPPING_REVOKE, -1 }, { -1, -1, -1, -1, -1, -1 } },
        { ADD, { MAPPING_EXPIRE, -1 }, { -1, -1, -1, -1, -1, -1 } },
        { BLOCK, { -1, -1 }, { -1, -1, -1, -1, -1, -1 } },
    };
    struct world world = begin(state);
    for (size_t i = 0; i < COUNT(rows); i++) {
        for (int what = MAPPING_APPROVE; what <= MAPPING_EXPIRE; what++) {
            char subject[40];
            snprintf(subject, sizeof subject, "%zu.%d@example.com", i, what);
            int64_t id = make(&world, rows[i].how, subject, NULL, NULL);
            for (size_t step = 0; step < COUNT(rows[i].way) && rows[i].way[step] >= 0; step++)
                assert_int_equal(act(&world, id, (enum mapping_act)rows[i].way[step], NULL), MAPPING_DONE);
            enum store_mapping_state before = state_of(&world, id);
            int64_t audited = count_audit(&world);
            int becomes = rows[i].becomes[what];
            assert_int_equal(act(&world, id, (enum mapping_act)what, NULL),
                             becomes >= 0 ? MAPPING_DONE : MAPPING_NOT_FROM_THIS_STATE);
            assert_int_equal(state_of(&world, id), becomes >= 0 ? becomes : (int)before);
            assert_int_equal(count_audit(&world), audited + (becomes >= 0));
        }
    }
    assert_int_equal(act(&world, 999999, MAPPING_APPROVE, NULL), MAPPING_UNKNOWN);
    end(&world);
}

struct audit {
    char text[4000];
};

static void note_audit(const struct store_audit *audit, void *ctx)
{
    struct audit *all = ctx;
    size_t len = strlen(all->text);
    snprintf(all->text + len, sizeof all->text - len, "%s %s: [%s] -> [%s] %s\n", audit->actor, audit->action,
             audit->before, audit->after, audit->reason);
}

static void the_audit_says_who_changed_what_from_what(void **state)
{
    struct world world = begin(state);
    struct mapping_limits asked = { .has_note = true, .note = "our printer" };
    struct mapping_limits given = { .has_daily = true,
                                    .daily = 20,
                                    .has_expiry = true,
                                    .expires_at = now + 1000,
                                    .has_direction = true,
                                    .direction = STORE_DIRECTION_IN };
    struct mapping_limits changed = { .has_daily = true,
                                      .has_attachments = true,
                                      .attachments = ".pdf",
                                      .has_max_size = true,
                                      .max_size = 1024,
                                      .has_proof = true,
                                      .proof = STORE_PROOF_DKIM,
                                      .has_subaddresses = true,
                                      .subaddresses = true };
    struct mapping_change change = by(&root, "");
    struct mapping_result result;
    struct audit audit = { "" };
    int64_t id = make(&world, REQUEST, "Bob@example.com", &asked, NULL);
    assert_int_equal(act(&world, id, MAPPING_APPROVE, &given), MAPPING_DONE);
    assert_int_equal(mapping_change_limits(world.db, &change, id, &changed, &result), 1);
    mapping_result_clear(&result);
    assert_int_equal(act(&world, id, MAPPING_REVOKE, NULL), MAPPING_DONE);
    assert_int_equal(store_audit_list_about(world.db, "mapping 1", note_audit, &audit), 1);
    assert_string_equal(
        audit.text,
        "root mapping.request: [] -> [bob@example.com for Alice: requested, both ways, note: our printer] \n"
        "Alice Admin (u7) mapping.approve: [bob@example.com for Alice: requested, both ways, note: our printer] -> "
        "[bob@example.com for Alice: approved, inward only, until 2023-11-14T22:13:21.000Z, 20 a day, note: our "
        "printer] "
        "because\n"
        "root mapping.change: "
        "[bob@example.com for Alice: approved, inward only, until 2023-11-14T22:13:21.000Z, 20 a day, note: our "
        "printer] "
        "-> "
        "[bob@example.com for Alice: approved, inward only, until 2023-11-14T22:13:21.000Z, at most 1024 octets, "
        "files: .pdf, proof: dkim, with subaddresses, note: our printer] \n"
        "Alice Admin (u7) mapping.revoke: "
        "[bob@example.com for Alice: approved, inward only, until 2023-11-14T22:13:21.000Z, at most 1024 octets, "
        "files: .pdf, proof: dkim, with subaddresses, note: our printer] -> "
        "[bob@example.com for Alice: revoked, inward only, until 2023-11-14T22:13:21.000Z, at most 1024 octets, "
        "files: .pdf, proof: dkim, with subaddresses, note: our printer] because\n");
    end(&world);
}

/* Two answer the same request: the first counts, the second hears whose it was. */
static void the_second_answer_is_told_of_the_first(void **state)
{
    struct world world = begin(state);
    struct mapping_change first = by(&admin, "a partner"), second = by(&root, "");
    struct mapping_result result;
    struct strbuf text;
    strbuf_init(&text, 1000);
    int64_t id = make(&world, REQUEST, "bob@example.com", NULL, NULL);
    assert_int_equal(mapping_change_state(world.db, &first, id, MAPPING_APPROVE, NULL, &result), 1);
    assert_int_equal(result.was, STORE_MAPPING_REQUESTED);
    mapping_result_clear(&result);
    assert_int_equal(mapping_change_state(world.db, &second, id, MAPPING_DENY, NULL, &result), 0);
    mapping_result_explain(&result, &text);
    assert_string_equal(text.data, "mapping 1 (bob@example.com for Alice) is approved, by Alice Admin since "
                                   "2023-11-14T22:13:20.000Z (a partner)");
    mapping_result_clear(&result);
    strbuf_free(&text);
    end(&world);
}

static void one_live_mapping_for_a_subject_and_target(void **state)
{
    struct world world = begin(state);
    enum mapping_outcome outcome;
    int64_t id = make(&world, ADD, "bob@example.com", NULL, NULL);
    assert_int_equal(make(&world, REQUEST, "BOB@example.com", NULL, &outcome), id);
    assert_int_equal(outcome, MAPPING_EXISTS);
    make(&world, ADD, "*@example.com", NULL, NULL);
    world.alice = (struct store_target){ 0 };
    make(&world, ADD, "bob@example.com", NULL, NULL);
    end(&world);
}

/* Whatever there is: afterwards the door is shut, and one row says so. */
static void a_block_shuts_the_door(void **state)
{
    static const struct {
        enum how how;
        int way;
        enum store_mapping_state becomes;
        bool is_new;
    } rows[] = {
        { REQUEST, -1, STORE_MAPPING_DENIED, false },
        { ADD, -1, STORE_MAPPING_REVOKED, false },
        { ADD, MAPPING_SUSPEND, STORE_MAPPING_REVOKED, false },
        { ADD, MAPPING_REVOKE, STORE_MAPPING_DENIED, true },
    };
    struct world world = begin(state);
    for (size_t i = 0; i < COUNT(rows); i++) {
        char subject[40];
        snprintf(subject, sizeof subject, "%zu@example.com", i);
        int64_t first = make(&world, rows[i].how, subject, NULL, NULL);
        if (rows[i].way >= 0)
            assert_int_equal(act(&world, first, (enum mapping_act)rows[i].way, NULL), MAPPING_DONE);
        int64_t id = make(&world, BLOCK, subject, NULL, NULL);
        assert_int_equal(id != first, rows[i].is_new);
        assert_int_equal(state_of(&world, id), rows[i].becomes);
    }
    make(&world, BLOCK, "*@*.example", NULL, NULL);
    end(&world);
}

static void what_makes_no_sense_is_refused(void **state)
{
    static const struct {
        const char *subject;
        struct mapping_limits limits;
        enum mapping_outcome outcome;
    } rows[] = {
        { "*@*.example", { 0 }, MAPPING_TOO_WIDE },
        { "*@example", { 0 }, MAPPING_TOO_WIDE },
        { "bob@example.com", { .has_expiry = true, .expires_at = 1 }, MAPPING_IS_OVER },
        { "*@example.com", { .has_subaddresses = true, .subaddresses = true }, MAPPING_NO_SUBADDRESSES },
        { "*@example.com", { .has_proof = true, .proof = STORE_PROOF_NONE }, MAPPING_NEEDS_PROOF },
        { "bob+x@example.com", { .has_subaddresses = true, .subaddresses = true }, MAPPING_NO_SUBADDRESSES },
        { "bob@example.com", { .has_subaddresses = true, .subaddresses = true }, MAPPING_DONE },
    };
    struct world world = begin(state);
    for (size_t i = 0; i < COUNT(rows); i++) {
        enum mapping_outcome outcome;
        make(&world, REQUEST, rows[i].subject, &rows[i].limits, &outcome);
        assert_int_equal(outcome, rows[i].outcome);
    }
    end(&world);
}

/* The time counts, also before anybody has written down that it is over. */
static void what_is_over_makes_room_for_a_new_one(void **state)
{
    struct world world = begin(state);
    struct mapping_limits soon = { .has_expiry = true, .expires_at = now + 10 },
                          later = { .has_expiry = true, .expires_at = now + 5000 };
    struct mapping_change change = by(&root, "");
    struct mapping_result result;
    int64_t id = make(&world, ADD, "bob@example.com", &soon, NULL);
    int64_t asked = make(&world, REQUEST, "eve@example.com", &soon, NULL);
    int64_t paused = make(&world, ADD, "dave@example.com", &soon, NULL);
    assert_int_equal(act(&world, paused, MAPPING_SUSPEND, NULL), MAPPING_DONE);
    assert_int_equal(store_execute(world.db, "UPDATE mapping SET expires_at = ?", STORE_VALUES(bind_int(now))), 1);
    assert_int_equal(mapping_change_limits(world.db, &change, id, &later, &result), 0);
    assert_int_equal(result.outcome, MAPPING_IS_OVER); /* and stays so */
    mapping_result_clear(&result);
    assert_int_equal(act(&world, paused, MAPPING_RESUME, NULL), MAPPING_IS_OVER);
    assert_int_equal(act(&world, asked, MAPPING_APPROVE, NULL), MAPPING_IS_OVER);
    assert_int_equal(act(&world, asked, MAPPING_APPROVE, &later), MAPPING_DONE);
    int64_t fresh = make(&world, ADD, "bob@example.com", NULL, NULL);
    assert_true(fresh != id);
    assert_int_equal(state_of(&world, id), STORE_MAPPING_EXPIRED);
    assert_int_equal(state_of(&world, fresh), STORE_MAPPING_APPROVED);
    end(&world);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(acts_keep_to_the_life_of_a_mapping),
        WITH_STORE(the_audit_says_who_changed_what_from_what),
        WITH_STORE(the_second_answer_is_told_of_the_first),
        WITH_STORE(one_live_mapping_for_a_subject_and_target),
        WITH_STORE(a_block_shuts_the_door),
        WITH_STORE(what_makes_no_sense_is_refused),
        WITH_STORE(what_is_over_makes_room_for_a_new_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
