/* gateway_postfix_test.c - what Postfix is answered: maps, policy and the published file agree with RCPT
 *
 * One database with somebody in every state that matters; Postfix is simulated by the words of its protocols.
 */
#include "tests/unit/mapping_store_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/strbuf.h"
#include "gateway/config.h"
#include "gateway/parts.h"
#include "gateway/postfix_policy.h"
#include "gateway/postfix_request.h"
#include "gateway/postfix_socketmap.h"
#include "gateway/recipient.h"
#include "gateway/returns.h"
#include "gateway/signed_id.h"
#include "mapping/store_group.h"
#include "mapping/store_mapping.h"
#include "mapping/store_member.h"
#include "mapping/store_recipients.h"

#define DOMAIN "silo.example.org"

struct world {
    struct store_fixture *fixture;
    struct config config;
    struct parts parts;
    int64_t now;
    int64_t suspended; /* a mapping */
};

static int64_t add_member(struct store_db *db, const char *local_part, bool has_answered)
{
    char alias[60], uid[60];
    const char *reason;
    int64_t id;
    snprintf(alias, sizeof alias, "Member %s", local_part);
    snprintf(uid, sizeof uid, "UID-%s", local_part);
    assert_int_equal(store_member_add(db, alias, local_part, 1000, &id, &reason), 1);
    if (has_answered)
        assert_int_equal(store_member_learn_uid(db, alias, uid), 1);
    return id;
}

static int64_t add_group(struct store_db *db, const char *local_part, bool is_joined)
{
    struct store_group invitation = { .gid = (char *)(uintptr_t)local_part,
                                      .own_alias = (char *)(uintptr_t) "Email Gateway",
                                      .inviter_alias = (char *)(uintptr_t) "Alice Member",
                                      .inviter_uid = (char *)(uintptr_t) "UIDALICE" };
    enum store_group_state was;
    int64_t id;
    assert_int_equal(store_group_invite(db, &invitation, true, 1000, &id), 1);
    if (is_joined)
        assert_int_equal(store_group_set_state(db, id, STORE_GROUP_JOINED, 1000, &was), 1);
    return id;
}

static int64_t add_mapping(struct store_db *db, const char *author, struct store_target target,
                           enum store_direction direction, int64_t expires_at, int64_t max_size)
{
    struct store_mapping_new mapping = { .target = target,
                                         .state = STORE_MAPPING_APPROVED,
                                         .direction = direction,
                                         .expires_at = expires_at,
                                         .max_size = max_size,
                                         .note = "",
                                         .actor = "test",
                                         .reason = "",
                                         .now = 1000 };
    int64_t id;
    assert_int_equal(store_correspondent_ensure(db, author, 1000, &mapping.correspondent_id), 1);
    assert_int_equal(store_mapping_add(db, &mapping, &id), 1);
    return id;
}

static void add_people(struct world *world)
{
    struct store_db *db = store_fixture_borrow(world->fixture);
    const int64_t past = world->now - 1000 * 3600, future = world->now + 1000 * 3600;
    enum store_mapping_state was;
    struct store_target member;
    member = (struct store_target){ .member_id = add_member(db, "alice", true) };
    add_mapping(db, "bob@example.com", member, STORE_DIRECTION_BOTH, 0, 0);
    add_mapping(db, "small@example.com", member, STORE_DIRECTION_BOTH, 0, 1000);
    add_mapping(db, "late@former.example", member, STORE_DIRECTION_BOTH, past, 0);
    add_mapping(db, "out@silent.example", member, STORE_DIRECTION_OUT, 0, 0);
    add_mapping(db, "\"john doe\"@quoted.example", member, STORE_DIRECTION_BOTH, 0, 0);
    member = (struct store_target){ .member_id = add_member(db, "not.asked", false) };
    add_mapping(db, "bob@example.com", member, STORE_DIRECTION_BOTH, 0, 0);
    add_member(db, "closed", true);
    member = (struct store_target){ .member_id = add_member(db, "gone", true) };
    add_mapping(db, "bob@example.com", member, STORE_DIRECTION_BOTH, 0, 0);
    assert_int_equal(store_member_remove(db, member.member_id), 1);
    member = (struct store_target){ .member_id = add_member(db, "expired", true) };
    add_mapping(db, "bob@example.com", member, STORE_DIRECTION_BOTH, past, 0);
    member = (struct store_target){ .member_id = add_member(db, "expiring", true) };
    add_mapping(db, "bob@example.com", member, STORE_DIRECTION_BOTH, future, 0);
    add_mapping(db, "carol@example.com", member, STORE_DIRECTION_BOTH, past, 0);
    member = (struct store_target){ .member_id = add_member(db, "outward", true) };
    add_mapping(db, "bob@example.com", member, STORE_DIRECTION_OUT, 0, 0);
    member = (struct store_target){ .member_id = add_member(db, "suspended", true) };
    world->suspended = add_mapping(db, "bob@example.com", member, STORE_DIRECTION_IN, 0, 0);
    assert_int_equal(store_mapping_set_state(db, world->suspended, STORE_MAPPING_SUSPENDED, "test", "", 1000, &was), 1);
    member = (struct store_target){ .group_id = add_group(db, "sales.team", true) };
    add_mapping(db, "bob@example.com", member, STORE_DIRECTION_IN, 0, 0);
    member = (struct store_target){ .group_id = add_group(db, "coming.team", false) };
    add_mapping(db, "bob@example.com", member, STORE_DIRECTION_IN, 0, 0);
    add_group(db, "closed.team", true);
    assert_int_equal(store_fixture_return(world->fixture, 1), 1);
}

static const uint8_t secret[32] = "a secret of thirty-two octets...";

static int open_world(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    store_fixture_setup((void **)&world->fixture);
    world->config.domain = (char *)(uintptr_t)DOMAIN;
    world->parts = (struct parts){ .loop = world->fixture->loop,
                                   .clock = world->fixture->clock,
                                   .config = &world->config,
                                   .store = world->fixture->store };
    world->now = clock_wall_ms(world->fixture->clock);
    world->parts.ids = signed_id_new(secret, DOMAIN, "gw." DOMAIN);
    add_people(world);
    *state = world;
    return 0;
}

static int close_world(void **state)
{
    struct world *world = *state;
    store_fixture_teardown((void **)&world->fixture);
    signed_id_free(&world->parts.ids);
    free(world);
    return 0;
}

/* Everybody, and what RCPT says of them to somebody whom it does not know. */
static const struct {
    const char *address;
    int code;
} people[] = {
    { "alice@" DOMAIN, 250 },      { "ALICE@SILO.example.org", 250 }, { "not.asked@" DOMAIN, 450 },
    { "closed@" DOMAIN, 550 },     { "gone@" DOMAIN, 550 },           { "expired@" DOMAIN, 550 },
    { "expiring@" DOMAIN, 250 },   { "outward@" DOMAIN, 550 },        { "suspended@" DOMAIN, 550 },
    { "sales.team@" DOMAIN, 250 }, { "coming.team@" DOMAIN, 450 },    { "closed.team@" DOMAIN, 550 },
    { "nobody@" DOMAIN, 550 },     { "alice@example.net", 550 },
};
enum { PEOPLE = sizeof people / sizeof people[0] };

static const char *look_up(struct world *world, const char *request)
{
    static char text[1000];
    struct strbuf out;
    strbuf_init(&out, sizeof text - 1);
    int result = postfix_socketmap_answer(&world->parts, request, strlen(request), &out);
    assert_true(strbuf_ok(&out));
    char *colon = strchr(out.data, ':');
    assert_non_null(colon);
    assert_int_equal(strtol(out.data, NULL, 10), (long)strlen(colon + 1) - 1);
    assert_int_equal(out.data[out.len - 1], ',');
    snprintf(text, sizeof text, "%.*s", (int)strlen(colon + 1) - 1, colon + 1);
    assert_int_equal(result, strncmp(text, "OK ", 3) == 0 ? 1 : strcmp(text, "NOTFOUND ") == 0 ? 0 : -1);
    strbuf_free(&out);
    return text;
}

static void test_map_says_what_rcpt_says(void **state)
{
    struct world *world = *state;
    for (size_t i = 0; i < PEOPLE; i++) {
        struct smtp_address address;
        struct recipient found;
        char request[200];
        assert_int_equal(smtp_address_parse(people[i].address, strlen(people[i].address), &address), 1);
        assert_int_equal(recipient_judge(&world->parts, "somebody@example.net", &address, &found).reply.code,
                         people[i].code);
        snprintf(request, sizeof request, "recipient %s", people[i].address);
        const char *answer = look_up(world, request);
        const char *expected = people[i].code == 250 ? "OK " : people[i].code == 450 ? "TEMP " : "NOTFOUND ";
        if (strncmp(answer, expected, strlen(expected)) != 0)
            fail_msg("%s: %s", people[i].address, answer);
    }
}

static void test_other_keys_of_the_map(void **state)
{
    static const struct {
        const char *request, *answer;
    } rows[] = {
        { "recipient alice@" DOMAIN, "OK alice@" DOMAIN },
        { "recipient alice", "NOTFOUND " }, /* Postfix tries these after the address itself */
        { "recipient @" DOMAIN, "NOTFOUND " },
        { "recipient " DOMAIN, "NOTFOUND " },
        { "recipient ", "NOTFOUND " },
        { "recipient alice@" DOMAIN " ", "NOTFOUND " },
        { "recipient  alice@" DOMAIN, "NOTFOUND " },
        { "recipient alice@" DOMAIN "\n", "NOTFOUND " },
        { "recipient alice@[127.0.0.1]", "NOTFOUND " },
        { "recipient \"alice\"@" DOMAIN, "OK alice@" DOMAIN },
        { "sender alice@" DOMAIN, "PERM there is no such map; try recipient" },
        { "recipien alice@" DOMAIN, "PERM there is no such map; try recipient" },
        { "recipient", "PERM there is no such map; try recipient" },
        { "", "PERM there is no such map; try recipient" },
        { " ", "PERM there is no such map; try recipient" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(look_up(*state, rows[i].request), rows[i].answer);
}

static const char *ask(struct world *world, enum config_match match, const char *sender, const char *recipient,
                       const char *size)
{
    static char text[1000];
    struct postfix_request *request = calloc(1, sizeof *request);
    struct strbuf out;
    world->config.postfix.policy_match = match;
    snprintf(request->kind, sizeof request->kind, "smtpd_access_policy");
    snprintf(request->protocol_state, sizeof request->protocol_state, "RCPT");
    snprintf(request->sender, sizeof request->sender, "%s", sender);
    snprintf(request->recipient, sizeof request->recipient, "%s", recipient);
    snprintf(request->size, sizeof request->size, "%s", size);
    strbuf_init(&out, sizeof text - 1);
    enum postfix_policy_result result = postfix_policy_answer(&world->parts, request, &out);
    assert_true(strbuf_ok(&out));
    assert_int_equal(strncmp(out.data, "action=", 7), 0);
    assert_ptr_equal(strstr(out.data, "\n"), out.data + out.len - 2); /* one line and an empty one */
    snprintf(text, sizeof text, "%.*s", (int)out.len - 9, out.data + 7);
    assert_int_equal(result, strcmp(text, "DUNNO") == 0 ? POSTFIX_POLICY_PASSED
                             : text[0] == '5'           ? POSTFIX_POLICY_REFUSED
                                                        : POSTFIX_POLICY_DEFERRED);
    strbuf_free(&out);
    free(request);
    return text;
}

/* Whatever is asked of the sender, the recipient is judged as RCPT does. */
static void test_policy_judges_the_recipient(void **state)
{
    struct world *world = *state;
    for (size_t i = 0; i < PEOPLE; i++) {
        bool is_ours = !strstr(people[i].address, "example.net");
        char expected[20] = "DUNNO";
        if (is_ours && people[i].code != 250)
            snprintf(expected, sizeof expected, "%d ", people[i].code);
        const char *answer = ask(world, CONFIG_MATCH_NONE, "anybody@example.net", people[i].address, "0");
        if (strncmp(answer, expected, strlen(expected)) != 0)
            fail_msg("%s: %s", people[i].address, answer);
    }
    assert_string_equal(ask(world, CONFIG_MATCH_NONE, "x@y.example", "nobody@" DOMAIN, ""),
                        "550 5.1.1 <nobody@" DOMAIN ">: no such recipient");
    assert_string_equal(ask(world, CONFIG_MATCH_NONE, "x@y.example", "no body@" DOMAIN, ""),
                        "550 5.1.1 <\"no body\"@" DOMAIN ">: no such recipient");
}

#define REFUSED(sender) "550 5.7.1 <" sender "> is not authorised to write to <alice@" DOMAIN ">"

static void test_policy_judges_the_pair(void **state)
{
    static const struct {
        const char *sender, *size, *by_address, *by_domain;
    } rows[] = {
        { "bob@example.com", "0", "DUNNO", "DUNNO" },
        { "BOB@Example.com", "", "DUNNO", "DUNNO" },
        { "bob+list@example.com", "0", "DUNNO", "DUNNO" },
        { "prvs=0123456789=bob@example.com", "0", "DUNNO", "DUNNO" },
        { "SRS0=HHH=TT=example.com=bob@forward.example", "0", "DUNNO", "DUNNO" },
        { "mallory@example.com", "0", REFUSED("mallory@example.com"), "DUNNO" },
        { "bounce-1@mail.example.com", "0", REFUSED("bounce-1@mail.example.com"), "DUNNO" },
        { "mallory@example.net", "0", REFUSED("mallory@example.net"), REFUSED("mallory@example.net") },
        { "late@former.example", "0", REFUSED("late@former.example") " (any more)", REFUSED("late@former.example") },
        { "out@silent.example", "0", REFUSED("out@silent.example"), REFUSED("out@silent.example") },
        { "small@example.com", "1000", "DUNNO", "DUNNO" },
        { "small@example.com", "1001",
          "552 5.3.4 the message is larger than <small@example.com> may send to <alice@" DOMAIN ">", "DUNNO" },
        { "bob@example.com", "99999999999999999999", "DUNNO", "DUNNO" },
        { "john doe@quoted.example", "0", "DUNNO", "DUNNO" }, /* Postfix leaves the quotes out */
        { "no address", "0", REFUSED("no address"), REFUSED("no address") },
        { "a\rb@example.com", "0", REFUSED("a?b@example.com"), REFUSED("a?b@example.com") },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_string_equal(ask(*state, CONFIG_MATCH_ADDRESS, rows[i].sender, "alice@" DOMAIN, rows[i].size),
                            rows[i].by_address);
        assert_string_equal(ask(*state, CONFIG_MATCH_DOMAIN, rows[i].sender, "alice@" DOMAIN, rows[i].size),
                            rows[i].by_domain);
        assert_string_equal(ask(*state, CONFIG_MATCH_NONE, rows[i].sender, "alice@" DOMAIN, rows[i].size), "DUNNO");
    }
    assert_string_equal(ask(*state, CONFIG_MATCH_ADDRESS, "bob@example.com", "sales.team@" DOMAIN, ""), "DUNNO");
    assert_non_null(
        strstr(ask(*state, CONFIG_MATCH_ADDRESS, "small@example.com", "sales.team@" DOMAIN, ""), "not authorised"));
}

static void add_subject(struct store_db *db, const char *subject, struct store_target target,
                        enum store_mapping_state state)
{
    const struct store_mapping_new mapping = { .subject = subject,
                                               .target = target,
                                               .state = state,
                                               .direction = STORE_DIRECTION_BOTH,
                                               .note = "",
                                               .actor = "test",
                                               .reason = "",
                                               .now = 1000 };
    int64_t id;
    assert_int_equal(store_mapping_add(db, &mapping, &id), 1);
}

#define SHUT(sender, to) "550 5.7.1 <" sender "> is not authorised to write to <" to "@" DOMAIN ">"

static void test_policy_knows_patterns(void **state)
{
    static const struct {
        const char *sender, *recipient, *by_address, *by_domain;
    } rows[] = {
        { "zoe@partner.example", "partners", "DUNNO", "DUNNO" },
        { "Zoe+list@PARTNER.example", "partners", "DUNNO", "DUNNO" },
        { "SRS0=HHH=TT=partner.example=zoe@forward.example", "partners", "DUNNO", "DUNNO" },
        { "zoe@mail.partner.example", "partners", SHUT("zoe@mail.partner.example", "partners"), "DUNNO" },
        { "zoe@partner.example.test", "partners", SHUT("zoe@partner.example.test", "partners"),
          SHUT("zoe@partner.example.test", "partners") },
        { "zoe@deep.below.other.example", "partners", "DUNNO", "DUNNO" },
        { "zoe@other.example", "partners", SHUT("zoe@other.example", "partners"), "DUNNO" },
        { "zoe@b\303\274cher.example", "partners", "DUNNO", "DUNNO" }, /* as its A-label, too */
        { "zoe@xn--bcher-kva.example", "partners", "DUNNO", "DUNNO" },
        /* shut out, with any detail, though the domain is open */
        { "eve@partner.example", "partners", SHUT("eve@partner.example", "partners"), "DUNNO" },
        { "EVE+x@partner.example", "partners", SHUT("EVE+x@partner.example", "partners"), "DUNNO" },
        /* to all members, but to no group */
        { "everywhere@example.net", "partners", "DUNNO", "DUNNO" },
        { "everywhere@example.net", "closed", "DUNNO", "DUNNO" },
        { "everywhere@example.net", "sales.team", SHUT("everywhere@example.net", "sales.team"),
          SHUT("everywhere@example.net", "sales.team") },
        { "somebody@example.org", "closed", SHUT("somebody@example.org", "closed"),
          SHUT("somebody@example.org", "closed") },
    };
    struct world *world = *state;
    struct store_db *db = store_fixture_borrow(world->fixture);
    const struct store_target partners = { .member_id = add_member(db, "partners", true) }, all = { .member_id = 0 };
    add_subject(db, "*@partner.example", partners, STORE_MAPPING_APPROVED);
    add_subject(db, "*@*.other.example", partners, STORE_MAPPING_APPROVED);
    add_subject(db, "*@xn--bcher-kva.example", partners, STORE_MAPPING_APPROVED);
    add_subject(db, "eve@partner.example", partners, STORE_MAPPING_DENIED);
    add_subject(db, "everywhere@example.net", all, STORE_MAPPING_APPROVED);
    assert_int_equal(store_fixture_return(world->fixture, 1), 1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char recipient[100];
        snprintf(recipient, sizeof recipient, "%s@%s", rows[i].recipient, DOMAIN);
        assert_string_equal(ask(world, CONFIG_MATCH_ADDRESS, rows[i].sender, recipient, "0"), rows[i].by_address);
        assert_string_equal(ask(world, CONFIG_MATCH_DOMAIN, rows[i].sender, recipient, "0"), rows[i].by_domain);
    }
    assert_string_equal(look_up(world, "recipient partners@" DOMAIN), "OK partners@" DOMAIN);
    assert_string_equal(look_up(world, "recipient closed@" DOMAIN), "OK closed@" DOMAIN);
    assert_string_equal(look_up(world, "recipient closed.team@" DOMAIN), "NOTFOUND ");
}

/* Whoever knocks must not make the gateway read a list of any length. */
static void test_policy_by_domain_reads_so_many_only(void **state)
{
    struct world *world = *state;
    struct store_db *db = store_fixture_borrow(world->fixture);
    const struct store_target popular = { .member_id = add_member(db, "popular", true) };
    char subject[60];
    for (int i = 0; i < 1000; i++) {
        snprintf(subject, sizeof subject, "somebody%d@example.net", i);
        add_subject(db, subject, popular, STORE_MAPPING_APPROVED);
    }
    assert_int_equal(store_fixture_return(world->fixture, 1), 1);
    assert_string_equal(ask(world, CONFIG_MATCH_DOMAIN, "x@example.org", "popular@" DOMAIN, "0"),
                        SHUT("x@example.org", "popular"));
    db = store_fixture_borrow(world->fixture);
    add_subject(db, "one.more@example.net", popular, STORE_MAPPING_APPROVED);
    assert_int_equal(store_fixture_return(world->fixture, 1), 1);
    assert_string_equal(ask(world, CONFIG_MATCH_DOMAIN, "x@example.org", "popular@" DOMAIN, "0"), "DUNNO");
    assert_string_equal(ask(world, CONFIG_MATCH_ADDRESS, "x@example.org", "popular@" DOMAIN, "0"),
                        SHUT("x@example.org", "popular"));
}

#define DEEP "x@a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.example"

/* Where mail of unknown authors is kept, members can be written to by anybody but those whom somebody has shut out. */
static void test_unknown_senders_may_be_kept(void **state)
{
    struct world *world = *state;
    world->config.policy.unknown_senders = CONFIG_UNKNOWN_HOLD;
    assert_string_equal(look_up(world, "recipient closed@" DOMAIN), "OK closed@" DOMAIN);
    assert_string_equal(look_up(world, "recipient outward@" DOMAIN), "OK outward@" DOMAIN);
    assert_string_equal(look_up(world, "recipient closed.team@" DOMAIN), "NOTFOUND ");
    assert_string_equal(look_up(world, "recipient nobody@" DOMAIN), "NOTFOUND ");
    assert_non_null(strstr(look_up(world, "recipient not.asked@" DOMAIN), "TEMP "));
    for (int match = CONFIG_MATCH_ADDRESS; match <= CONFIG_MATCH_DOMAIN; match++) {
        assert_string_equal(ask(world, (enum config_match)match, "x@y.example", "closed@" DOMAIN, "0"), "DUNNO");
        assert_string_equal(ask(world, (enum config_match)match, "x@y.example", "alice@" DOMAIN, "0"), "DUNNO");
    }
    /* nobody could ever approve this one: its domain has too many labels */
    assert_string_equal(ask(world, CONFIG_MATCH_ADDRESS, DEEP, "alice@" DOMAIN, "0"), SHUT(DEEP, "alice"));
    assert_string_equal(ask(world, CONFIG_MATCH_ADDRESS, "late@former.example", "alice@" DOMAIN, "0"),
                        SHUT("late@former.example", "alice") " (any more)");
    assert_string_equal(ask(world, CONFIG_MATCH_ADDRESS, "bob@example.com", "suspended@" DOMAIN, "0"),
                        SHUT("bob@example.com", "suspended"));
    assert_string_equal(ask(world, CONFIG_MATCH_ADDRESS, "x@y.example", "sales.team@" DOMAIN, "0"),
                        SHUT("x@y.example", "sales.team"));
    world->config.policy.unknown_senders = CONFIG_UNKNOWN_REJECT;
}

static void test_null_sender_is_answered_as_rcpt_does(void **state)
{
    struct world *world = *state;
    struct smtp_address alice;
    struct recipient found;
    assert_int_equal(smtp_address_parse("alice@" DOMAIN, strlen("alice@" DOMAIN), &alice), 1);
    struct policy_verdict verdict = recipient_judge(&world->parts, "", &alice, &found);
    char expected[600] = "DUNNO";
    if (verdict.decision != POLICY_ACCEPT)
        snprintf(expected, sizeof expected, "%d %s %s", verdict.reply.code, verdict.reply.enhanced, verdict.reply.text);
    assert_string_equal(ask(world, CONFIG_MATCH_ADDRESS, "", "alice@" DOMAIN, ""), expected);
}

static void test_only_rcpt_is_judged(void **state)
{
    static const struct {
        const char *kind, *protocol_state, *recipient;
    } rows[] = {
        { "smtpd_access_policy", "CONNECT", "" },
        { "smtpd_access_policy", "MAIL", "" },
        { "smtpd_access_policy", "DATA", "nobody@" DOMAIN },
        { "smtpd_access_policy", "END-OF-MESSAGE", "nobody@" DOMAIN },
        { "smtpd_access_policy", "VRFY", "nobody@" DOMAIN },
        { "junk", "RCPT", "nobody@" DOMAIN },
        { "", "", "" },
        { "smtpd_access_policy", "RCPT", "" },
        { "smtpd_access_policy", "RCPT", "postmaster" },
        { "smtpd_access_policy", "RCPT", "nobody@example.net" },
    };
    struct world *world = *state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct postfix_request *request = calloc(1, sizeof *request);
        struct strbuf out;
        snprintf(request->kind, sizeof request->kind, "%s", rows[i].kind);
        snprintf(request->protocol_state, sizeof request->protocol_state, "%s", rows[i].protocol_state);
        snprintf(request->recipient, sizeof request->recipient, "%s", rows[i].recipient);
        strbuf_init(&out, 1000);
        assert_int_equal(postfix_policy_answer(&world->parts, request, &out), POSTFIX_POLICY_PASSED);
        assert_string_equal(out.data, "action=DUNNO\n\n");
        strbuf_free(&out);
        free(request);
    }
}

/* Without a table that is needed every question fails: nothing is let in, and nothing refused for good. */
static void test_broken_database_defers(void **state)
{
    struct world *world = *state;
    struct store_db *db = store_fixture_borrow(world->fixture);
    assert_true(store_execute(db, "PRAGMA foreign_keys = OFF", NULL) >= 0);
    assert_true(store_execute(db, "DROP VIEW open_recipient", NULL) >= 0);
    assert_true(store_execute(db, "ALTER TABLE mapping RENAME TO lost", NULL) >= 0);
    assert_int_equal(store_fixture_return(world->fixture, 1), 1);
    assert_string_equal(look_up(world, "recipient alice@" DOMAIN), "TEMP local error, please try again later");
    assert_string_equal(ask(world, CONFIG_MATCH_ADDRESS, "bob@example.com", "alice@" DOMAIN, ""),
                        "451 4.3.0 local error, please try again later");
}

/* Reports come back to addresses that only the gateway can have made, of messages that it knows, for a time. */

static int64_t add_outbound(struct world *world, enum store_outbound_kind kind, int64_t now)
{
    struct store_outbound_new row = { .kind = kind,
                                      .tmtp_msgid = "0011223344556677",
                                      .author_uid = "uid",
                                      .author_alias = "Alice",
                                      .message_id = "x@y",
                                      .now = now };
    int64_t id;
    struct store_db *db = store_fixture_borrow(world->fixture);
    assert_int_equal(store_outbound_add(db, &row, &id), 1);
    assert_int_equal(store_fixture_return(world->fixture, 1), 1);
    return id;
}

/* So many come back, and of what the author was told besides no more than that. */
static void bring(struct world *world, int64_t about, enum store_inbound_kind kind, size_t count)
{
    struct store_inbound_new row = {
        .kind = kind, .sender = "", .from_address = "", .references = "", .about_outbound_id = about, .now = 5000
    };
    struct store_db *db = store_fixture_borrow(world->fixture);
    for (size_t i = 0; i < count; i++) {
        int64_t id;
        assert_int_equal(store_inbound_add(db, &row, &id), 1);
    }
    assert_int_equal(store_fixture_return(world->fixture, 1), 1);
}

/* Somebody who has the address of one message could fill the queue, and the mail of all would be refused. */
static void fill_up(struct world *world, int64_t id, const struct signed_return *about)
{
    size_t most = (size_t)returns_most(1);
    struct smtp_address address;
    struct recipient found;
    signed_id_make_return(world->parts.ids, about, &address);
    bring(world, id, STORE_INBOUND_NOTICE, 3);
    bring(world, id, STORE_INBOUND_RETURNED, most - 1);
    assert_int_equal(recipient_judge(&world->parts, "", &address, &found).reply.code, 250);
    bring(world, id, STORE_INBOUND_RETURNED, 1);
    struct policy_verdict verdict = recipient_judge(&world->parts, "", &address, &found);
    assert_int_equal(verdict.reply.code, 550);
    assert_non_null(strstr(verdict.reply.text, "too much has come back"));
    assert_int_equal(found.about.outbound_id, 0);
}

static void test_return_addresses_are_judged_by_their_token(void **state)
{
    struct world *world = *state;
    int64_t id = add_outbound(world, STORE_OUTBOUND_MESSAGE, 5000);
    int64_t report = add_outbound(world, STORE_OUTBOUND_REPORT, 5000);
    struct signed_id *others = signed_id_new((const uint8_t *)"another one, of as many octets..", DOMAIN, "gw." DOMAIN);
    int64_t later = world->now + 1000 * 3600, day = INT64_C(24) * 3600 * 1000;
    const struct {
        const struct signed_id *ids;
        struct signed_return about;
        const char *reply; /* NULL: it is good */
    } rows[] = {
        { world->parts.ids, { .outbound_id = id, .queued_at = 5000, .expires_at = later }, NULL },
        { world->parts.ids, { .outbound_id = id, .queued_at = 5000, .expires_at = world->now }, NULL },
        { world->parts.ids,
          { .outbound_id = id, .queued_at = 5000, .expires_at = world->now - day },
          "reports about this message are no longer accepted" },
        { world->parts.ids, { .outbound_id = id, .queued_at = 5001, .expires_at = later }, "is not known here" },
        { world->parts.ids, { .outbound_id = id + 9, .queued_at = 5000, .expires_at = later }, "is not known here" },
        { world->parts.ids, { .outbound_id = report, .queued_at = 5000, .expires_at = later }, "is not known here" },
        { others, { .outbound_id = id, .queued_at = 5000, .expires_at = later }, "is not the return address" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct smtp_address address;
        struct recipient found;
        char text[SMTP_ADDRESS_MAX + 2], request[SMTP_ADDRESS_MAX + 20];
        signed_id_make_return(rows[i].ids, &rows[i].about, &address);
        smtp_address_format(&address, text);
        snprintf(request, sizeof request, "recipient %s", text);
        static const char *const senders[] = { "", "anybody@example.net", NULL };
        for (size_t s = 0; s < 3; s++) {
            struct policy_verdict verdict = recipient_judge(&world->parts, senders[s], &address, &found);
            assert_int_equal(verdict.reply.code, rows[i].reply ? 550 : 250);
            assert_int_equal(found.about.outbound_id, rows[i].reply ? 0 : id);
            if (rows[i].reply) {
                assert_string_equal(verdict.reply.enhanced, "5.7.1");
                assert_non_null(strstr(verdict.reply.text, rows[i].reply));
            }
        }
        assert_memory_equal(look_up(world, request), rows[i].reply ? "NOT" : "OK ", 3);
        const char *action = ask(world, CONFIG_MATCH_ADDRESS, "", text, "");
        assert_true(rows[i].reply ? strstr(action, rows[i].reply) != NULL : strcmp(action, "DUNNO") == 0);
    }
    fill_up(world, id, &rows[0].about);
    assert_memory_equal(look_up(world, "recipient bounces@" DOMAIN), "NOTFOUND", 8);
    assert_memory_equal(look_up(world, "recipient bounces+alice@" DOMAIN), "NOTFOUND", 8);
    signed_id_free(&others);
}

/* The published file. */

static struct store_recipients_result publish(struct world *world, const char *path)
{
    struct store_recipients_result result;
    int done = store_recipients_publish(world->fixture->path, DOMAIN, path, &result);
    if (done != 1)
        fail_msg("%s", result.error);
    assert_null(result.error);
    return result;
}

static int in_file(struct store_db *reader, const char *address)
{
    int64_t expires_at;
    return store_fetch_int(reader, "SELECT expires_at FROM postfix_recipient WHERE address = ?",
                           STORE_VALUES(bind_text(address)), &expires_at);
}

static void file_path(const struct world *world, char out[static 120])
{
    snprintf(out, 120, "%s/recipients.db", world->fixture->directory);
}

/* But for those who may be written to soon: a file can't say "later". */
static void test_file_says_what_rcpt_says(void **state)
{
    struct world *world = *state;
    char path[120];
    struct stat info;
    struct store_db reader;
    file_path(world, path);
    mode_t mask = umask(077);
    struct store_recipients_result result = publish(world, path);
    umask(mask);
    assert_true(result.made_anew);
    assert_int_equal(result.count, 5); /* alice, expired, expiring, sales.team; bounces */
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0644);
    assert_int_equal(store_db_open(&reader, path, false), 1);
    for (size_t i = 0; i < PEOPLE; i++)
        if (in_file(&reader, people[i].address) != (people[i].code == 250))
            fail_msg("%s", people[i].address);
    assert_int_equal(in_file(&reader, "bounces@" DOMAIN), 1); /* which of them is right only RCPT can say */
    int64_t columns;
    assert_int_equal(store_fetch_int(&reader,
                                     "SELECT count(*) FROM pragma_table_xinfo('postfix_recipient')"
                                     " WHERE name IN ('address', 'expires_at')",
                                     NULL, &columns),
                     1);
    assert_int_equal(columns, 2);
    store_db_close(&reader);
}

/* Postfix keeps it open: what has changed is seen through the handle that it has. */
static void test_open_handle_sees_what_has_changed(void **state)
{
    struct world *world = *state;
    char path[120];
    struct store_db reader;
    enum store_mapping_state was;
    const char *reason;
    int64_t before, after, same;
    file_path(world, path);
    int64_t first = publish(world, path).change;
    assert_int_equal(store_db_open(&reader, path, false), 1);
    assert_int_equal(in_file(&reader, "alice@" DOMAIN), 1);
    assert_int_equal(in_file(&reader, "suspended@" DOMAIN), 0);

    struct store_member alice;
    assert_int_equal(store_recipients_get_change(store_reader(world->fixture->store), &before), 1);
    assert_int_equal(before, first);
    struct store_db *db = store_fixture_borrow(world->fixture);
    assert_int_equal(store_member_find_by_local_part(db, "alice", &alice), 1);
    assert_int_equal(store_member_remove(db, alice.id), 1);
    assert_int_equal(store_fixture_return(world->fixture, 1), 1);
    assert_int_equal(store_recipients_get_change(store_reader(world->fixture->store), &after), 1);
    assert_true(after > before);
    struct store_recipients_result result = publish(world, path);
    assert_false(result.made_anew);
    assert_int_equal(result.change, after);
    assert_int_equal(in_file(&reader, "alice@" DOMAIN), 0);
    assert_int_equal(in_file(&reader, "expiring@" DOMAIN), 1);

    /* she comes back, under another name too; somebody is resumed */
    db = store_fixture_borrow(world->fixture);
    assert_int_equal(store_member_add(db, alice.alias, "alice2", 2000, &same, &reason), 1);
    assert_int_equal(store_member_learn_uid(db, alice.alias, "UID-NEW"), 1);
    assert_int_equal(store_mapping_set_state(db, world->suspended, STORE_MAPPING_APPROVED, "test", "", 2000, &was), 1);
    assert_int_equal(store_fixture_return(world->fixture, 1), 1);
    assert_false(publish(world, path).made_anew);
    assert_int_equal(in_file(&reader, "alice@" DOMAIN), 1);
    assert_int_equal(in_file(&reader, "alice2@" DOMAIN), 1);
    assert_int_equal(in_file(&reader, "suspended@" DOMAIN), 1);
    store_member_free(&alice);
    store_db_close(&reader);
}

/* Mail must not make Postfix's file be written: only what could change who is open counts. */
static void test_only_what_matters_counts_as_a_change(void **state)
{
    struct world *world = *state;
    int64_t before, after;
    assert_int_equal(store_recipients_get_change(store_reader(world->fixture->store), &before), 1);
    struct store_db *db = store_fixture_borrow(world->fixture);
    assert_int_equal(store_member_set_greeted(db, 1, 5000), 1);
    assert_int_equal(store_mapping_set_announced(db, 1), 1);
    assert_int_equal(store_correspondent_set_alias(db, 1, "bob@example.com"), 1);
    assert_int_equal(store_fixture_return(world->fixture, 1), 1);
    assert_int_equal(store_recipients_get_change(store_reader(world->fixture->store), &after), 1);
    assert_int_equal(after, before);
}

static void damage(const char *path, int64_t offset, const char *bytes)
{
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, strlen(bytes), offset), (ssize_t)strlen(bytes));
    close(fd);
}

static void test_damaged_file_is_made_anew(void **state)
{
    struct world *world = *state;
    char path[120], journal[140];
    struct store_db reader;
    file_path(world, path);
    snprintf(journal, sizeof journal, "%s-journal", path);
    for (int kind = 0; kind < 4; kind++) {
        publish(world, path);
        if (kind == 0)
            damage(path, 0,
                   "this is no database, but it is long enough to be taken for one at the first glance, is it?");
        else if (kind == 1)
            damage(path, 4096, "\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f"); /* a page */
        else if (kind == 2)
            damage(path, 60, "\x7f"); /* of another version */
        else
            assert_int_equal(truncate(path, 0), 0);
        damage(journal, 0, "of the old file");
        assert_true(publish(world, path).made_anew);
        assert_int_equal(store_db_open(&reader, path, false), 1);
        assert_int_equal(in_file(&reader, "alice@" DOMAIN), 1);
        store_db_close(&reader);
        assert_int_equal(access(journal, F_OK), -1);
    }
}

static void test_failure_is_told_and_leaves_the_file(void **state)
{
    struct world *world = *state;
    struct store_recipients_result result;
    char path[120];
    assert_int_equal(store_recipients_publish(world->fixture->path, DOMAIN, "/nowhere/recipients.db", &result), -1);
    assert_non_null(strstr(result.error, "can't make /nowhere/recipients.db: No such file"));
    free(result.error);
    file_path(world, path);
    publish(world, path);
    assert_int_equal(store_recipients_publish("/nowhere/postern.db", DOMAIN, path, &result), -1);
    assert_non_null(strstr(result.error, "/nowhere/postern.db"));
    free(result.error);
    struct store_db reader;
    assert_int_equal(store_db_open(&reader, path, false), 1);
    assert_int_equal(in_file(&reader, "alice@" DOMAIN), 1);
    store_db_close(&reader);
}

static void test_file_is_not_kept_where_others_may_write(void **state)
{
    struct world *world = *state;
    char folder[100], path[120];
    snprintf(folder, sizeof folder, "%s/shared", world->fixture->directory);
    snprintf(path, sizeof path, "%s/recipients.db", folder);
    assert_int_equal(mkdir(folder, 0700), 0);
    static const mode_t modes[] = { 0757, 0775, 01777 };
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        struct store_recipients_result result;
        assert_int_equal(chmod(folder, modes[i]), 0);
        assert_int_equal(store_recipients_publish(world->fixture->path, DOMAIN, path, &result), -1);
        assert_non_null(strstr(result.error, "others may write to its folder"));
        free(result.error);
        assert_int_equal(access(path, F_OK), -1);
    }
    assert_int_equal(chmod(folder, 0755), 0);
    publish(world, path);
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_map_says_what_rcpt_says, open_world, close_world),
        cmocka_unit_test_setup_teardown(test_other_keys_of_the_map, open_world, close_world),
        cmocka_unit_test_setup_teardown(test_policy_judges_the_recipient, open_world, close_world),
        cmocka_unit_test_setup_teardown(test_policy_judges_the_pair, open_world, close_world),
        cmocka_unit_test_setup_teardown(test_policy_knows_patterns, open_world, close_world),
        cmocka_unit_test_setup_teardown(test_policy_by_domain_reads_so_many_only, open_world, close_world),
        cmocka_unit_test_setup_teardown(test_unknown_senders_may_be_kept, open_world, close_world),
        cmocka_unit_test_setup_teardown(test_null_sender_is_answered_as_rcpt_does, open_world, close_world),
        cmocka_unit_test_setup_teardown(test_only_rcpt_is_judged, open_world, close_world),
        cmocka_unit_test_setup_teardown(test_broken_database_defers, open_world, close_world),
        cmocka_unit_test_setup_teardown(test_return_addresses_are_judged_by_their_token, open_world, close_world),
        cmocka_unit_test_setup_teardown(test_file_says_what_rcpt_says, open_world, close_world),
        cmocka_unit_test_setup_teardown(test_open_handle_sees_what_has_changed, open_world, close_world),
        cmocka_unit_test_setup_teardown(test_only_what_matters_counts_as_a_change, open_world, close_world),
        cmocka_unit_test_setup_teardown(test_damaged_file_is_made_anew, open_world, close_world),
        cmocka_unit_test_setup_teardown(test_failure_is_told_and_leaves_the_file, open_world, close_world),
        cmocka_unit_test_setup_teardown(test_file_is_not_kept_where_others_may_write, open_world, close_world),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
