/* gateway_invitation_test.c - who is invited by email, with which words, and how they are removed on request */
#include "tests/unit/mapping_store_fixture.h"

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/invitation.h"
#include "gateway/invitation_text.h"
#include "gateway/mapping_change.h"
#include "gateway/parts.h"
#include "gateway/recipient.h"
#include "gateway/returns_internal.h"
#include "gateway/signed_id.h"
#include "mapping/store_content.h"
#include "mapping/store_group.h"
#include "mapping/store_member.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static const int64_t now = INT64_C(1700000000000);
static const uint8_t secret[32] = "a secret of thirty-two octets...";
static const struct store_actor root = { .channel = "cli", .name = "root" };
static const struct store_actor alice = { .channel = "silo", .name = "Alice Member", .uid = "u7" };
static const struct store_actor bob = { .channel = "mail", .name = "bob@example.com" };

/* ---- words ---- */

#define GOOD "Subject: hello\n\nWrite to {address}, or to {remove} for an end.\n"

static void templates_are_checked(void **state)
{
    static const struct {
        const char *text, *problem; /* part of it; NULL: good */
    } rows[] = {
        { invitation_text_default, NULL },
        { GOOD, NULL },
        { GOOD "{member} {{not a field}} {guest} {domain}\ttab\n", NULL },
        { "Subject: {member} asks\n\n{address}{remove}", NULL },
        { "", "line 1: expected \"Subject: \"" },
        { "Hello {address} {remove}\n", "line 1: expected \"Subject: \"" },
        { "Subject: \n\n{address} {remove}\n", "line 1: expected \"Subject: \"" },
        { "Subject: hello\n{address} {remove}\n", "line 2: expected an empty line" },
        { "Subject: hello", "line 2: expected an empty line" },
        { "Subject: hello\n\n{remove}\n", "no {address}: whoever is invited must learn where to write" },
        { "Subject: {remove}\n\n{address}\n", "no {remove}: whoever is invited must learn how to be removed" },
        { GOOD "{name}\n", "line 4: a brace that begins or ends no field" },
        { GOOD "a {{single} brace\n", "line 4: a brace that begins or ends no field" },
        { "Subject: hello\r\n\r\n{address} {remove}\r\n", "line 1: it has a control character" },
        { GOOD "\xE2\x80\xAE\xE2\x80\xAC", "line 4: it has a control character" },
        { GOOD "\xC3(", "not UTF-8" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct strbuf problem;
        strbuf_init(&problem, 1000);
        int result = invitation_text_check(rows[i].text, strlen(rows[i].text), &problem);
        assert_int_equal(result, rows[i].problem ? -1 : 1);
        if (rows[i].problem && !strstr(problem.data, rows[i].problem))
            fail_msg("row %zu: %s", i, problem.data);
        strbuf_free(&problem);
    }
}

static void templates_have_limits(void **state)
{
    struct strbuf text, problem;
    (void)state;
    strbuf_init(&text, 4 * INVITATION_TEXT_MAX);
    strbuf_init(&problem, 1000);
    strbuf_add_str(&text, GOOD);
    for (int i = 2; i < INVITATION_FIELDS_MAX; i++)
        strbuf_add_str(&text, "{guest}");
    assert_int_equal(invitation_text_check(text.data, text.len, &problem), 1);
    strbuf_add_str(&text, "{guest}");
    assert_int_equal(invitation_text_check(text.data, text.len, &problem), -1);
    assert_non_null(strstr(problem.data, "too many fields"));
    strbuf_clear(&text);
    strbuf_clear(&problem);
    strbuf_add_str(&text, GOOD);
    while (text.len <= INVITATION_TEXT_MAX)
        strbuf_add_char(&text, 'x');
    assert_int_equal(invitation_text_check(text.data, text.len, &problem), -1);
    assert_int_equal(invitation_text_check(text.data, text.len - 1, &problem), 1);
    strbuf_clear(&text);
    strbuf_add_str(&text, "Subject: ");
    for (int i = 0; i <= INVITATION_SUBJECT_MAX; i++)
        strbuf_add_char(&text, 'x');
    strbuf_add_str(&text, "\n\n{address}{remove}");
    assert_int_equal(invitation_text_check(text.data, text.len, &problem), -1);
    assert_non_null(strstr(problem.data, "the subject is too long"));
    strbuf_free(&text);
    strbuf_free(&problem);
}

static void names_are_no_markup(void **state)
{
    static const char text[] = "Subject: {member} {{x}} {guest}\n\n{member}|{{{address}}}|{guest}|{domain}|{remove}\n";
    const struct invitation_fields fields = {
        .member = "**Eve** ceo@bank.example\n# [x](http://evil.example) {remove}",
        .address = "eve_1@silo.example.org",
        .guest = "bob@example.com",
        .domain = "silo.example.org",
        .remove = "bounces+x@silo.example.org",
    };
    struct strbuf subject, body;
    (void)state;
    strbuf_init(&subject, INVITATION_FILLED_SUBJECT_MAX);
    strbuf_init(&body, INVITATION_FILLED_BODY_MAX);
    assert_int_equal(invitation_text_fill(text, &fields, &subject, &body), 1);
    assert_string_equal(subject.data,
                        "**Eve** ceo(at)bank.example # [x](http://evil.example) {remove} {x} bob@example.com");
    assert_string_equal(body.data, "\\*\\*Eve\\*\\* ceo\\(at\\)bank\\.example \\# "
                                   "\\[x\\]\\(http\\:\\/\\/evil\\.example\\) \\{remove\\}"
                                   "|{eve\\_1\\@silo\\.example\\.org}|bob\\@example\\.com|silo\\.example\\.org"
                                   "|bounces\\+x\\@silo\\.example\\.org\n");
    strbuf_free(&subject);
    strbuf_free(&body);
}

/* The longest names in the longest template. */
static void the_longest_fits(void **state)
{
    char name[600], address[SMTP_ADDRESS_MAX + 1];
    struct strbuf text, subject, body;
    (void)state;
    memset(name, '*', sizeof name - 1);
    name[sizeof name - 1] = 0;
    memset(address, '!', sizeof address - 1);
    address[sizeof address - 1] = 0;
    struct invitation_fields fields = { name, address, address, address, address };
    strbuf_init(&text, INVITATION_TEXT_MAX);
    strbuf_init(&subject, INVITATION_FILLED_SUBJECT_MAX);
    strbuf_init(&body, INVITATION_FILLED_BODY_MAX);
    strbuf_add_str(&text, "Subject: ");
    for (int i = 0; i < INVITATION_SUBJECT_MAX / 8; i++)
        strbuf_add_str(&text, "{member}");
    strbuf_add_str(&text, "\n\n{address}{remove}");
    for (int i = 2 + INVITATION_SUBJECT_MAX / 8; i < INVITATION_FIELDS_MAX; i++)
        strbuf_add_str(&text, "{address}");
    while (text.len < INVITATION_TEXT_MAX)
        strbuf_add_char(&text, 'x');
    assert_int_equal(invitation_text_check(text.data, text.len, &body), 1);
    assert_int_equal(invitation_text_fill(text.data, &fields, &subject, &body), 1);
    strbuf_free(&text);
    strbuf_free(&subject);
    strbuf_free(&body);
}

/* ---- who is invited ---- */

struct world {
    struct store_fixture *fixture;
    struct store_db *db;
    struct config config;
    struct parts parts;
    struct store_target alice, group, all;
};

static char domain[] = "silo.example.org", hostname[] = "gw.example.org", template[] = GOOD;

static void begin(struct world *world, void **state)
{
    *world = (struct world){ .fixture = *state };
    const char *reason;
    enum store_group_state was;
    world->config = (struct config){ .domain = domain, .hostname = hostname, .invitation.text = template };
    world->parts = (struct parts){ .config = &world->config,
                                   .clock = world->fixture->clock,
                                   .store = world->fixture->store,
                                   .ids = signed_id_new(secret, domain, hostname) };
    world->db = store_fixture_borrow(world->fixture);
    assert_int_equal(store_member_add(world->db, "Alice Member", "alice", now, &world->alice.member_id, &reason), 1);
    assert_int_equal(store_member_learn_uid(world->db, "Alice Member", "u7"), 1);
    static char gid[] = "Sales Team", own[] = "Email Gateway", inviter[] = "Alice Member", uid[] = "u7";
    struct store_group group = { .gid = gid, .own_alias = own, .inviter_alias = inviter, .inviter_uid = uid };
    assert_int_equal(store_group_invite(world->db, &group, true, now, &world->group.group_id), 1);
    assert_int_equal(store_group_set_state(world->db, world->group.group_id, STORE_GROUP_JOINED, now, &was), 1);
}

/* What was written is committed, so that the loop's connection sees it. */
static void commit(struct world *world)
{
    assert_int_equal(store_fixture_return(world->fixture, 1), 1);
    world->db = store_fixture_borrow(world->fixture);
}

static void end(struct world *world)
{
    assert_int_equal(store_fixture_return(world->fixture, 1), 1);
    assert_int_equal(world->fixture->errors, 0);
    signed_id_free(&world->parts.ids);
}

typedef int wish_function(struct store_db *, const struct mapping_change *, const struct mapping_wish *,
                          struct mapping_result *);

static enum mapping_outcome make(struct world *world, wish_function *function, const struct store_actor *actor,
                                 const char *text, struct store_target target, const struct mapping_limits *limits,
                                 int64_t *id_out)
{
    struct mapping_change change = { .actor = actor, .reason = "", .now = now };
    struct subject subject;
    struct mapping_result result;
    const char *wrong;
    assert_int_equal(subject_parse(text, SMTP_CASE_FOLDED, &subject, &wrong), 1);
    struct mapping_wish wish = { .subject = &subject, .target = target, .limits = limits };
    assert_true(function(world->db, &change, &wish, &result) >= 0);
    *id_out = result.mapping.id;
    enum mapping_outcome outcome = result.outcome;
    mapping_result_clear(&result);
    return outcome;
}

static void act(struct world *world, int64_t id, enum mapping_act act, const struct mapping_limits *limits)
{
    struct mapping_change change = { .actor = &root, .reason = "", .now = now };
    struct mapping_result result;
    assert_int_equal(mapping_change_state(world->db, &change, id, act, limits, &result), 1);
    mapping_result_clear(&result);
}

static void give_alias(struct world *world, int64_t mapping_id)
{
    struct store_mapping mapping;
    char alias[40];
    assert_int_equal(store_mapping_find(world->db, mapping_id, &mapping), 1);
    snprintf(alias, sizeof alias, "alias of %lld", (long long)mapping.correspondent_id);
    if (mapping.correspondent_id)
        (void)!store_correspondent_set_alias(world->db, mapping.correspondent_id, alias);
    store_mapping_free(&mapping);
}

static void count_up(const struct store_mapping *mapping, void *ctx)
{
    (void)mapping;
    ++*(int *)ctx;
}

static int count_uninvited(struct world *world)
{
    int count = 0;
    assert_int_equal(store_mapping_list_uninvited(world->db, now, count_up, &count), 1);
    return count;
}

/* Whoever was asked for in the silo, and whom an administrator wants to invite; nobody whose own mail has asked, and never those
 * behind a pattern. */
static void only_who_is_asked_for_is_invited(void **state)
{
    static const struct mapping_limits yes = { .has_invites = true, .invites = true },
                                       no = { .has_invites = true, .invites = false },
                                       out = { .has_direction = true, .direction = STORE_DIRECTION_OUT },
                                       yes_but_out = { .has_invites = true,
                                                       .invites = true,
                                                       .has_direction = true,
                                                       .direction = STORE_DIRECTION_OUT };
    static const struct {
        wish_function *function;
        const struct store_actor *actor;
        const char *subject;
        enum { ALICE, GROUP, ALL } target;
        const struct mapping_limits *limits;
        enum mapping_outcome outcome;
        bool is_invited; /* once it is approved */
    } rows[] = {
        { mapping_change_request, &alice, "a1@example.com", ALICE, NULL, MAPPING_DONE, true },
        { mapping_change_request, &alice, "a2@example.com", GROUP, NULL, MAPPING_DONE, true },
        { mapping_change_add, &alice, "a3@example.com", ALICE, NULL, MAPPING_DONE, true },
        { mapping_change_add, &root, "a4@example.com", ALICE, NULL, MAPPING_DONE, false },
        { mapping_change_add, &root, "a5@example.com", ALICE, &yes, MAPPING_DONE, true },
        { mapping_change_request, &bob, "a6@example.com", ALICE, NULL, MAPPING_DONE, false },
        { mapping_change_add, &alice, "a7@example.com", ALL, NULL, MAPPING_DONE, false },
        { mapping_change_add, &alice, "*@a8.example.com", ALICE, NULL, MAPPING_DONE, false },
        { mapping_change_request, &alice, "a9@example.com", ALICE, &out, MAPPING_DONE, false },
        { mapping_change_request, &alice, "a10@example.com", ALICE, &no, MAPPING_DONE, false },
        { mapping_change_add, &root, "a11@example.com", ALL, &yes, MAPPING_NO_INVITATION, false },
        { mapping_change_add, &root, "*@a12.example.com", ALICE, &yes, MAPPING_NO_INVITATION, false },
        { mapping_change_add, &root, "a13@example.com", ALICE, &yes_but_out, MAPPING_NO_INVITATION, false },
    };
    struct world world;
    begin(&world, state);
    struct store_target targets[] = { world.alice, world.group, world.all };
    int expected = 0;
    for (size_t i = 0; i < COUNT(rows); i++) {
        int64_t id;
        enum mapping_outcome outcome = make(&world, rows[i].function, rows[i].actor, rows[i].subject,
                                            targets[rows[i].target], rows[i].limits, &id);
        assert_int_equal(outcome, rows[i].outcome);
        if (outcome != MAPPING_DONE)
            continue;
        give_alias(&world, id);
        if (rows[i].function == mapping_change_request) {
            assert_int_equal(count_uninvited(&world), expected); /* not before the approval */
            act(&world, id, MAPPING_APPROVE, NULL);
        }
        expected += rows[i].is_invited;
        if (count_uninvited(&world) != expected)
            fail_msg("row %zu: %d, not %d", i, count_uninvited(&world), expected);
    }
    end(&world);
}

/* An administrator has the last word when approving. */
static void an_approval_decides_about_the_invitation(void **state)
{
    static const struct mapping_limits yes = { .has_invites = true, .invites = true },
                                       no = { .has_invites = true, .invites = false };
    struct world world;
    begin(&world, state);
    int64_t first, second;
    assert_int_equal(make(&world, mapping_change_request, &alice, "a@example.com", world.alice, NULL, &first),
                     MAPPING_DONE);
    assert_int_equal(make(&world, mapping_change_request, &bob, "b@example.com", world.alice, NULL, &second),
                     MAPPING_DONE);
    give_alias(&world, first);
    give_alias(&world, second);
    act(&world, first, MAPPING_APPROVE, &no);
    assert_int_equal(count_uninvited(&world), 0);
    act(&world, second, MAPPING_APPROVE, &yes);
    assert_int_equal(count_uninvited(&world), 1);
    end(&world);
}

/* Whoever can't be answered yet, or does not want to be, is no good reason for mail. */
static void an_invitation_waits_for_alias_and_member(void **state)
{
    struct world world;
    begin(&world, state);
    struct store_target carol = { 0 };
    const char *reason;
    int64_t id;
    assert_int_equal(store_member_add(world.db, "Carol Member", "carol", now, &carol.member_id, &reason), 1);
    assert_int_equal(make(&world, mapping_change_add, &alice, "b@example.com", carol, NULL, &id), MAPPING_DONE);
    assert_int_equal(count_uninvited(&world), 0);
    give_alias(&world, id);
    assert_int_equal(count_uninvited(&world), 0);
    assert_int_equal(store_member_learn_uid(world.db, "Carol Member", "u8"), 1);
    assert_int_equal(count_uninvited(&world), 1);
    act(&world, id, MAPPING_SUSPEND, NULL);
    assert_int_equal(count_uninvited(&world), 0);
    act(&world, id, MAPPING_RESUME, NULL);
    assert_int_equal(count_uninvited(&world), 1);
    act(&world, id, MAPPING_REVOKE, NULL);
    assert_int_equal(count_uninvited(&world), 0);
    end(&world);
}

static int64_t open_bob(struct world *world, struct store_target target)
{
    int64_t id;
    assert_int_equal(make(world, mapping_change_add, &alice, "bob@example.com", target, NULL, &id), MAPPING_DONE);
    give_alias(world, id);
    commit(world);
    return id;
}

/* The entry's id. */
static int64_t invite(struct world *world, int64_t mapping_id)
{
    struct store_mapping mapping;
    struct invitation *invitation = invitation_new(&world->parts, mapping_id);
    assert_non_null(invitation);
    assert_int_equal(invitation_add(world->db, invitation, now), 1);
    assert_int_equal(invitation_add(world->db, invitation, now), 0); /* once */
    invitation_free(&invitation);
    assert_int_equal(store_mapping_find(world->db, mapping_id, &mapping), 1);
    int64_t id = mapping.invitation_id;
    store_mapping_free(&mapping);
    assert_int_equal(count_uninvited(world), 0);
    return id;
}

static void read_text(struct world *world, int64_t content_id, char *out, size_t size)
{
    int fd;
    int64_t len;
    assert_int_equal(store_content_open(world->db, content_id, &fd, &len), 1);
    assert_true((size_t)len < size);
    assert_int_equal(pread(fd, out, (size_t)len, 0), len);
    out[len] = 0;
    close(fd);
}

static void an_invitation_is_added_once(void **state)
{
    struct world world;
    begin(&world, state);
    char text[2000];
    struct store_outbound row;
    int64_t id = invite(&world, open_bob(&world, world.alice));
    assert_int_equal(store_outbound_find(world.db, id, &row), 1);
    assert_int_equal(row.kind, STORE_OUTBOUND_INVITATION);
    assert_int_equal(row.member_id, world.alice.member_id);
    assert_string_equal(row.author_uid, "u7");
    assert_string_equal(row.head, "hello");
    assert_int_equal(row.recipient_count, 1);
    assert_string_equal(row.recipients[0].address, "bob@example.com");
    read_text(&world, row.content_id, text, sizeof text);
    assert_non_null(strstr(text, "Write to alice\\@silo\\.example\\.org, or to bounces\\+"));
    store_outbound_free(&row);
    end(&world);
}

static void a_group_s_invitation_is_nobody_s_own(void **state)
{
    struct world world;
    begin(&world, state);
    struct store_outbound row;
    int64_t id = invite(&world, open_bob(&world, world.group));
    assert_int_equal(store_outbound_find(world.db, id, &row), 1);
    assert_int_equal(row.member_id, 0);
    assert_int_equal(row.group_id, world.group.group_id);
    assert_string_equal(row.author_uid, "");
    store_outbound_free(&row);
    end(&world);
}

/* What is decided between looking and writing counts. */
static void a_revoked_one_is_not_added(void **state)
{
    struct world world;
    begin(&world, state);
    int64_t mapping_id = open_bob(&world, world.alice);
    struct invitation *invitation = invitation_new(&world.parts, mapping_id);
    assert_non_null(invitation);
    act(&world, mapping_id, MAPPING_REVOKE, NULL);
    assert_int_equal(invitation_add(world.db, invitation, now), 0);
    invitation_free(&invitation);
    assert_null(invitation_new(&world.parts, 999));
    end(&world);
}

/* ---- being removed ---- */

static int64_t add_request(struct world *world, int64_t about, const char *sender, bool is_automatic)
{
    struct store_inbound_new row = { .kind = STORE_INBOUND_RETURNED,
                                     .sender = sender,
                                     .from_address = "bob@example.com",
                                     .about_outbound_id = about,
                                     .about_place = SIGNED_ID_REMOVAL,
                                     .is_automatic = is_automatic,
                                     .now = now };
    int64_t id;
    assert_int_equal(store_inbound_add(world->db, &row, &id), 1);
    return id;
}

/* Was the member told something? */
static bool note(struct world *world, int64_t id)
{
    struct returned returned = { .id = id, .now = now };
    struct store_inbound row;
    convert_report_init(&returned.report);
    assert_int_equal(returns_note(world->db, &returned), 1);
    convert_report_free(&returned.report);
    assert_int_equal(store_inbound_find(world->db, id, &row), 1);
    assert_int_equal(row.state, STORE_QUEUE_SETTLED);
    store_inbound_free(&row);
    return returned.has_added;
}

static enum store_mapping_state state_of(struct world *world, int64_t id)
{
    struct store_mapping mapping;
    assert_int_equal(store_mapping_find(world->db, id, &mapping), 1);
    enum store_mapping_state state = mapping.state;
    store_mapping_free(&mapping);
    return state;
}

static void whoever_was_invited_can_be_removed_once(void **state)
{
    struct world world;
    begin(&world, state);
    int64_t mapping_id = open_bob(&world, world.alice), id = invite(&world, mapping_id), count;
    assert_false(note(&world, add_request(&world, id, "", false)));
    assert_false(note(&world, add_request(&world, id, "bob@example.com", true)));
    assert_int_equal(state_of(&world, mapping_id), STORE_MAPPING_APPROVED);
    assert_true(note(&world, add_request(&world, id, "bob@example.com", false)));
    assert_int_equal(state_of(&world, mapping_id), STORE_MAPPING_REVOKED);
    assert_false(note(&world, add_request(&world, id, "bob@example.com", false)));
    assert_int_equal(store_fetch_int(world.db,
                                     "SELECT count(*) FROM audit WHERE action = 'mapping.revoke'"
                                     " AND channel = 'mail' AND actor = 'bob@example.com'",
                                     NULL, &count),
                     1);
    assert_int_equal(count, 1);
    end(&world);
}

/* At RCPT the address in the invitation leads to the invitation; one that was made up, or is of another mapping, to nothing. */
static void the_removal_address_is_known_again(void **state)
{
    struct world world;
    begin(&world, state);
    struct recipient recipient;
    struct smtp_address address;
    int64_t mapping_id = open_bob(&world, world.alice);
    signed_id_make_removal(world.parts.ids, mapping_id, now, &address);
    commit(&world);
    assert_int_equal(recipient_judge(&world.parts, "bob@example.com", &address, &recipient).decision, POLICY_REJECT);
    int64_t id = invite(&world, mapping_id);
    commit(&world);
    assert_int_equal(recipient_judge(&world.parts, "bob@example.com", &address, &recipient).decision, POLICY_ACCEPT);
    assert_int_equal(recipient.about.outbound_id, id);
    assert_int_equal(recipient.about.place, SIGNED_ID_REMOVAL);
    signed_id_make_removal(world.parts.ids, mapping_id, now + 1, &address); /* of another database */
    assert_int_equal(recipient_judge(&world.parts, "bob@example.com", &address, &recipient).decision, POLICY_REJECT);
    signed_id_make_removal(world.parts.ids, mapping_id + 1, now, &address);
    assert_int_equal(recipient_judge(&world.parts, "bob@example.com", &address, &recipient).decision, POLICY_REJECT);
    end(&world);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(templates_are_checked),
        cmocka_unit_test(templates_have_limits),
        cmocka_unit_test(names_are_no_markup),
        cmocka_unit_test(the_longest_fits),
        WITH_STORE(only_who_is_asked_for_is_invited),
        WITH_STORE(an_approval_decides_about_the_invitation),
        WITH_STORE(an_invitation_waits_for_alias_and_member),
        WITH_STORE(an_invitation_is_added_once),
        WITH_STORE(a_group_s_invitation_is_nobody_s_own),
        WITH_STORE(a_revoked_one_is_not_added),
        WITH_STORE(whoever_was_invited_can_be_removed_once),
        WITH_STORE(the_removal_address_is_known_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
