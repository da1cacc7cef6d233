#include "tests/unit/mapping_store_fixture.h"

#include "mapping/store_group.h"
#include "mapping/store_mapping.h"
#include "mapping/store_member.h"

enum { NOW = 1000 };
#define COUNT(table) (sizeof(table) / sizeof(table)[0])

struct listed {
    char text[1000];
};

static void add_word(struct listed *listed, const char *word)
{
    size_t len = strlen(listed->text);
    snprintf(listed->text + len, sizeof listed->text - len, "%s|", word);
}

/* In no particular order: so the test makes one. */
static void list_mapping(const struct store_mapping *mapping, void *ctx)
{
    struct listed *listed = ctx;
    char one[200], before[sizeof listed->text];
    snprintf(one, sizeof one, "%s>%s:%s", mapping->subject, mapping->target_name,
             store_mapping_state_name(mapping->state));
    snprintf(before, sizeof before, "%s", listed->text);
    listed->text[0] = '\0';
    bool is_in = false;
    char *rest = before;
    for (char *word = strsep(&rest, "|"); word && word[0]; word = rest ? strsep(&rest, "|") : NULL) {
        if (!is_in && strcmp(one, word) < 0) {
            add_word(listed, one);
            is_in = true;
        }
        add_word(listed, word);
    }
    if (!is_in)
        add_word(listed, one);
}

static int64_t add_member(struct store_db *db, const char *alias)
{
    int64_t id;
    const char *reason;
    assert_int_equal(store_member_add(db, alias, NULL, NOW, &id, &reason), 1);
    return id;
}

static int64_t add(struct store_db *db, const char *subject, struct store_target target, enum store_mapping_state state)
{
    struct store_mapping_new new = { .subject = subject,
                                     .target = target,
                                     .state = state,
                                     .direction = STORE_DIRECTION_BOTH,
                                     .note = "",
                                     .actor = "root",
                                     .reason = "",
                                     .now = NOW };
    int64_t id;
    if (subject[0] != '*')
        assert_int_equal(store_correspondent_ensure(db, subject, NOW, &new.correspondent_id), 1);
    assert_int_equal(store_mapping_add(db, &new, &id), 1);
    return id;
}

static void expect(struct store_db *db, const char *author, struct store_target target, const char *expected)
{
    struct listed listed = { "" };
    assert_int_equal(store_mapping_list_candidates(db, author, target, list_mapping, &listed), 1);
    assert_string_equal(listed.text, expected);
}

static int64_t add_group(struct store_db *db, const char *gid)
{
    int64_t id;
    assert_int_equal(store_fetch_int(db,
                                     "INSERT INTO group_ (gid, local_part, state, own_alias, inviter_alias,"
                                     " inviter_uid, created_at, changed_at)"
                                     " VALUES (?1, ?1, 'joined', '', '', '', 0, 0) RETURNING id",
                                     STORE_VALUES(bind_text(gid)), &id),
                     1);
    assert_int_equal(store_execute(db, "INSERT INTO address (local_part, group_id) VALUES (?, ?)",
                                   STORE_VALUES(bind_text(gid), bind_int(id))),
                     1);
    return id;
}

static void candidates_are_what_may_have_a_say(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct store_target alice = { .member_id = add_member(db, "Alice") },
                        carol = { .member_id = add_member(db, "Carol") };
    struct store_target sales = { .group_id = add_group(db, "sales") }, all = { 0 };
    add(db, "bob@a.partner.example", alice, STORE_MAPPING_APPROVED);
    add(db, "bob+x@a.partner.example", alice, STORE_MAPPING_REQUESTED);
    add(db, "bob@a.partner.example", carol, STORE_MAPPING_APPROVED);
    add(db, "bob@a.partner.example", sales, STORE_MAPPING_APPROVED);
    add(db, "*@a.partner.example", all, STORE_MAPPING_DENIED);
    add(db, "*@*.partner.example", alice, STORE_MAPPING_APPROVED);
    add(db, "*@partner.example", alice, STORE_MAPPING_APPROVED);
    add(db, "*@*.example", all, STORE_MAPPING_DENIED);
    add(db, "rob@a.partner.example", all, STORE_MAPPING_APPROVED);
    add(db, "Eve@a.partner.example", all, STORE_MAPPING_DENIED); /* from a time when case made a difference */
    expect(db, "bob+x@a.partner.example", alice,
           "*@*.example>all:denied|*@*.partner.example>Alice:approved|*@a.partner.example>all:denied|"
           "bob+x@a.partner.example>Alice:requested|bob@a.partner.example>Alice:approved|");
    expect(db, "bob@a.partner.example", carol,
           "*@*.example>all:denied|*@a.partner.example>all:denied|bob@a.partner.example>Carol:approved|");
    expect(db, "bob@a.partner.example", sales, "bob@a.partner.example>sales:approved|"); /* a group is no member */
    expect(db, "eve@a.partner.example", carol,
           "*@*.example>all:denied|*@a.partner.example>all:denied|Eve@a.partner.example>all:denied|");
    /* more labels than the short statement has room for */
    expect(db, "x@1.2.3.4.5.6.7.8.9.partner.example", alice,
           "*@*.example>all:denied|*@*.partner.example>Alice:approved|");
    expect(db, "x@1.2.3.4.5.6.7.8.9.10.11.12.13.14.15.16.17.18.19.partner.example", alice, ""); /* nobody's */
    expect(db, "", alice, "");
    expect(db, "*@partner.example", alice, "*@*.example>all:denied|*@partner.example>Alice:approved|");
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    assert_int_equal(fixture->errors, 0);
}

/* Somebody who asks every day and is turned down every day leaves one row to look at, and a request changes nothing. */
static void what_was_decided_last_counts(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct store_target alice = { .member_id = add_member(db, "Alice") };
    enum store_mapping_state was;
    struct store_mapping found;
    for (int i = 0; i < 3; i++) {
        int64_t id = add(db, "bob@example.com", alice, STORE_MAPPING_REQUESTED);
        expect(db, "bob@example.com", alice,
               i == 0 ? "bob@example.com>Alice:requested|"
                      : "bob@example.com>Alice:denied|bob@example.com>Alice:requested|");
        assert_int_equal(store_mapping_find_current(db, "bob@example.com", alice, &found), 1);
        assert_int_equal(found.id, id);
        store_mapping_free(&found);
        assert_int_equal(store_mapping_set_state(db, id, STORE_MAPPING_DENIED, "root", "", NOW, &was), 1);
        expect(db, "bob@example.com", alice, "bob@example.com>Alice:denied|");
    }
    int64_t last = add(db, "bob@example.com", alice, STORE_MAPPING_APPROVED);
    expect(db, "bob@example.com", alice, "bob@example.com>Alice:approved|");
    assert_int_equal(store_mapping_set_state(db, last, STORE_MAPPING_REVOKED, "root", "", NOW, &was), 1);
    expect(db, "bob@example.com", alice, "bob@example.com>Alice:revoked|");
    assert_int_equal(store_mapping_find_current(db, "bob@example.com", alice, &found), 1);
    assert_int_equal(found.id, last);
    assert_false(found.is_superseded);
    store_mapping_free(&found);
    assert_int_equal(store_mapping_find(db, last - 1, &found), 1);
    assert_true(found.is_superseded);
    store_mapping_free(&found);

    /* one in another case is another subject, until somebody says that case makes no difference */
    int64_t other = add(db, "Bob@example.com", alice, STORE_MAPPING_APPROVED);
    expect(db, "bob@example.com", alice, "Bob@example.com>Alice:approved|bob@example.com>Alice:revoked|");
    assert_int_equal(store_mapping_supersede_other_case(db, other), 1);
    expect(db, "bob@example.com", alice, "Bob@example.com>Alice:approved|");
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void for_all_members_is_for_each_of_them(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct store_target alice = { .member_id = add_member(db, "Alice") },
                        sales = { .group_id = add_group(db, "sales") };
    struct store_target all = { 0 };
    struct store_correspondent bob;
    enum store_mapping_state was;
    int64_t change, changed, count;
    assert_int_equal(store_execute(db, "UPDATE member SET uid = 'u' || id", NULL), 1);
    assert_int_equal(store_mapping_any_inbound(db, alice, NOW), 0);
    assert_int_equal(store_fetch_int(db, "SELECT count(*) FROM open_recipient", NULL, &count), 1);
    assert_int_equal(count, 0);
    assert_int_equal(store_fetch_int(db, "SELECT count FROM recipient_change", NULL, &change), 1);
    int64_t id = add(db, "bob@example.com", all, STORE_MAPPING_APPROVED);
    assert_int_equal(store_fetch_int(db, "SELECT count FROM recipient_change", NULL, &changed), 1);
    assert_true(changed > change);
    assert_int_equal(store_mapping_any_inbound(db, alice, NOW), 1);
    assert_int_equal(store_mapping_any_inbound(db, sales, NOW), 0);
    assert_int_equal(
        store_fetch_int(db, "SELECT count(*) FROM open_recipient WHERE local_part = 'alice'", NULL, &count), 1);
    assert_int_equal(count, 1);
    assert_int_equal(store_fetch_int(db, "SELECT count(*) FROM open_recipient", NULL, &count), 1);
    assert_int_equal(count, 1);
    /* Bob gets an alias, and nobody is told: all members would be */
    struct listed listed = { "" };
    assert_int_equal(store_correspondent_find_by_address(db, "bob@example.com", &bob), 1);
    assert_int_equal(store_correspondent_set_alias(db, bob.id, "bob@example.com"), 1);
    store_correspondent_free(&bob);
    assert_int_equal(store_mapping_list_unannounced(db, NOW, list_mapping, &listed), 1);
    assert_string_equal(listed.text, "");
    assert_int_equal(store_mapping_set_state(db, id, STORE_MAPPING_SUSPENDED, "root", "", NOW, &was), 1);
    assert_int_equal(store_mapping_any_inbound(db, alice, NOW), 0);
    assert_int_equal(store_fetch_int(db, "SELECT count(*) FROM open_recipient", NULL, &count), 1);
    assert_int_equal(count, 0);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void count_correspondent(const struct store_correspondent *correspondent, void *ctx)
{
    (void)correspondent;
    ++*(int *)ctx;
}

static void whom_a_pattern_lets_in_gets_an_alias(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    int64_t bob;
    int without = 0;
    add(db, "*@example.com", (struct store_target){ .member_id = add_member(db, "Alice") }, STORE_MAPPING_APPROVED);
    assert_int_equal(store_correspondent_ensure(db, "bob@example.com", NOW, &bob), 1);
    assert_int_equal(store_correspondent_list_without_alias(db, NOW, count_correspondent, &without), 1);
    assert_int_equal(without, 0);
    assert_int_equal(store_correspondent_set_wants_alias(db, bob), 1);
    assert_int_equal(store_correspondent_set_wants_alias(db, bob + 1), 0);
    assert_int_equal(store_correspondent_list_without_alias(db, NOW, count_correspondent, &without), 1);
    assert_int_equal(without, 1);
    add(db, "eve@example.com", (struct store_target){ 0 }, STORE_MAPPING_APPROVED);
    assert_int_equal(store_correspondent_list_without_alias(db, NOW, count_correspondent, &without), 1);
    assert_int_equal(without, 3);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static void what_has_ended_is_found_in_order(void **state)
{
    static const int64_t ends[] = { 500, 0, 300, 2000, 400 };
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    struct store_target alice = { .member_id = add_member(db, "Alice") };
    enum store_mapping_state was;
    struct listed listed = { "" };
    int64_t at, ids[COUNT(ends)];
    assert_int_equal(store_mapping_next_end(db, &at), 0);
    for (size_t i = 0; i < COUNT(ends); i++) {
        char subject[40];
        snprintf(subject, sizeof subject, "%zu@example.com", i);
        ids[i] = add(db, subject, alice, STORE_MAPPING_APPROVED);
        struct store_mapping_new limits = {
            .direction = STORE_DIRECTION_IN, .expires_at = ends[i], .note = "n", .proof = STORE_PROOF_DKIM, .daily = 7
        };
        assert_int_equal(store_mapping_set_limits(db, ids[i], &limits), 1);
    }
    assert_int_equal(store_mapping_next_end(db, &at), 1);
    assert_int_equal(at, 300);
    assert_int_equal(store_mapping_list_ended(db, NOW, 2, list_mapping, &listed), 1);
    assert_string_equal(listed.text, "2@example.com>Alice:approved|4@example.com>Alice:approved|");
    assert_int_equal(store_mapping_set_state(db, ids[2], STORE_MAPPING_SUSPENDED, "root", "", NOW, &was), 1);
    assert_int_equal(store_mapping_set_state(db, ids[4], STORE_MAPPING_EXPIRED, "gateway", "", NOW, &was), 1);
    assert_int_equal(store_mapping_set_state(db, ids[0], STORE_MAPPING_REVOKED, "root", "", NOW, &was), 1);
    listed.text[0] = '\0';
    assert_int_equal(store_mapping_list_ended(db, NOW, 10, list_mapping, &listed), 1);
    assert_string_equal(listed.text, "2@example.com>Alice:suspended|");
    struct store_mapping found;
    assert_int_equal(store_mapping_find(db, ids[3], &found), 1);
    assert_int_equal(found.direction, STORE_DIRECTION_IN);
    assert_int_equal(found.proof, STORE_PROOF_DKIM);
    assert_int_equal(found.daily, 7);
    assert_int_equal(found.expires_at, 2000);
    assert_string_equal(found.note, "n");
    store_mapping_free(&found);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static int note_plan(void *ctx, int count, char **values, char **names)
{
    char *plan = ctx;
    (void)names;
    for (int i = 0; i < count; i++)
        if (values[i])
            snprintf(plan + strlen(plan), 1000 - strlen(plan), "%s ", values[i]);
    return 0;
}

/* With a million mappings a look-up that reads them all would stop the door. */
static void look_ups_go_through_their_indexes(void **state)
{
    static const struct {
        const char *sql, *index;
    } rows[] = {
        { "SELECT * FROM mapping WHERE lower(mapping.subject) IN (?3, ?4) AND coalesce(mapping.member_id, 0) IN (?1, 0)"
          " AND coalesce(mapping.group_id, 0) = ?2 AND mapping.superseded = 0",
          "USING INDEX mapping_candidate (<expr>=? AND <expr>=? AND <expr>=? AND superseded=?)" },
        { "SELECT id FROM mapping WHERE coalesce(member_id, 0) IN (?, 0) AND coalesce(group_id, 0) = ?"
          " AND state = 'approved' AND direction IN ('in', 'both')",
          "USING INDEX mapping_target (<expr>=? AND <expr>=? AND state=?)" },
        { "SELECT expires_at FROM mapping WHERE expires_at <> 0 AND state IN ('approved', 'suspended')"
          " ORDER BY expires_at LIMIT 1",
          "mapping_ending" },
        { "SELECT * FROM mapping WHERE mapping.expires_at <> 0 AND mapping.state IN ('approved', 'suspended')"
          " AND mapping.expires_at <= ? ORDER BY mapping.expires_at LIMIT ?",
          "mapping_ending (expires_at<?)" },
        { "SELECT id FROM mapping WHERE state IN ('requested', 'approved', 'suspended') AND subject = ?"
          " AND coalesce(member_id, 0) = ? AND coalesce(group_id, 0) = ?",
          "mapping_live (subject=? AND <expr>=? AND <expr>=?)" },
        { "SELECT * FROM mapping WHERE '' || mapping.state = ?1 AND mapping.id > ?5 ORDER BY mapping.id LIMIT ?6",
          "mapping_state (<expr>=? AND rowid>?)" },
        { "SELECT id FROM mapping WHERE coalesce(member_id, 0) = ?3 AND coalesce(group_id, 0) = ?4"
          " AND state = 'approved' AND id > ?5 ORDER BY id LIMIT ?6",
          "mapping_target (<expr>=? AND <expr>=? AND state=? AND rowid>?)" },
    };
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    for (size_t i = 0; i < COUNT(rows); i++) {
        char plan[1000] = "", sql[600];
        snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN %s", rows[i].sql);
        assert_int_equal(sqlite3_exec(db->handle, sql, note_plan, plan, NULL), SQLITE_OK);
        if (!strstr(plan, rows[i].index))
            fail_msg("%s: %s", rows[i].sql, plan);
    }
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

/* "lower(subject)" had no index while the subject itself was compared with the same parameter. */
static void the_current_one_is_found_among_thousands(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    const struct store_target alice = { .member_id = add_member(db, "Alice") };
    struct store_mapping mapping;
    char subject[40];
    int steps = 0;
    for (int i = 0; i < 1000; i++) {
        snprintf(subject, sizeof subject, "user%d@example.com", i);
        add(db, subject, alice, STORE_MAPPING_APPROVED);
    }
    for (sqlite3_stmt *stmt = sqlite3_next_stmt(db->handle, NULL); stmt; stmt = sqlite3_next_stmt(db->handle, stmt))
        sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 1);
    assert_int_equal(store_mapping_find_current(db, "user500@example.com", alice, &mapping), 1);
    store_mapping_free(&mapping);
    for (sqlite3_stmt *stmt = sqlite3_next_stmt(db->handle, NULL); stmt; stmt = sqlite3_next_stmt(db->handle, stmt))
        steps += sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_VM_STEP, 0);
    assert_in_range(steps, 1, 200);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(candidates_are_what_may_have_a_say),       WITH_STORE(what_was_decided_last_counts),
        WITH_STORE(for_all_members_is_for_each_of_them),      WITH_STORE(whom_a_pattern_lets_in_gets_an_alias),
        WITH_STORE(what_has_ended_is_found_in_order),         WITH_STORE(look_ups_go_through_their_indexes),
        WITH_STORE(the_current_one_is_found_among_thousands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
