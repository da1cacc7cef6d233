/* gateway_concierge_test.c - what becomes of what members and admins say to the gateway, and who is answered */
#include "tests/unit/mapping_store_fixture.h"

#include "base/strbuf.h"
#include "gateway/admins.h"
#include "gateway/concierge.h"
#include "gateway/mapping_change.h"
#include "mapping/store_admin.h"
#include "mapping/store_audit.h"
#include "mapping/store_content.h"
#include "mapping/store_group.h"
#include "mapping/store_identity.h"
#include "mapping/store_member.h"
#include "mapping/store_queue.h"

enum { HOUR = 3600 * 1000, ANSWER_SIZE = 140000 };
static const int64_t day = INT64_C(24) * HOUR;
static const int64_t NOW = INT64_C(1800000000000); /* 2027-01-15 */

static char ada[] = "Ada Admin", ole[] = "Ole Outside";
static char *admins[] = { ada, ole, NULL };
static char gateway_alias[] = "Email Gateway";
static const struct concierge_rules rules = { .admins = admins, .gateway_alias = gateway_alias, .requests_per_day = 3 };

static int64_t add_member(struct store_db *db, const char *alias, const char *uid)
{
    const char *reason;
    int64_t id;
    assert_int_equal(store_member_add(db, alias, NULL, NOW, &id, &reason), 1);
    assert_int_equal(store_member_learn_uid(db, alias, uid), 1);
    return id;
}

/* Alice and Carol, members; Ada, a member and admin; Ole, an admin who is no member. */
static struct store_db *begin(void **state)
{
    struct store_db *db = store_fixture_borrow(*state);
    add_member(db, "Alice Member", "UIDALICE");
    add_member(db, "Carol Member", "UIDCAROL");
    add_member(db, ada, "UIDADA");
    assert_int_equal(store_identity_learn(db, ole, "UIDOLE", STORE_IDENTITY_PING, NOW), STORE_IDENTITY_AGREES);
    return db;
}

static void end(void **state)
{
    assert_int_equal(store_fixture_return(*state, 1), 1);
}

static struct concierge_speech speech_of(const char *uid, const char *text)
{
    static unsigned number;
    static char msgid[40];
    snprintf(msgid, sizeof msgid, "m%u", ++number);
    return (struct concierge_speech){ .rules = &rules,
                                      .uid = uid,
                                      .alias = strcmp(uid, "UIDOLE") == 0 ? ole : "Whoever",
                                      .text = text,
                                      .len = strlen(text),
                                      .ping = msgid,
                                      .was_known = true,
                                      .now = NOW };
}

static int say(struct store_db *db, const struct concierge_speech *speech)
{
    struct concierge_effect effect;
    return concierge_answer(db, speech, &effect);
}

static int64_t newest_notice(struct store_db *db)
{
    int64_t id;
    assert_int_equal(store_fetch_int(db, "SELECT max(id) FROM inbound", NULL, &id), 1);
    return id;
}

/* Whom it is to, and its text. */
static void read_notice(struct store_db *db, int64_t id, char alias[static 100], char text[static ANSWER_SIZE])
{
    struct store_inbound row;
    int64_t size;
    int fd;
    assert_int_equal(store_inbound_find(db, id, &row), 1);
    assert_int_equal(row.kind, STORE_INBOUND_NOTICE);
    assert_int_equal(row.recipient_count, 1);
    snprintf(alias, 100, "%s", row.recipients[0].alias);
    assert_int_equal(store_content_open(db, row.content_id, &fd, &size), 1);
    ssize_t len = pread(fd, text, ANSWER_SIZE - 1, 0);
    assert_int_equal(len, size);
    text[len] = 0;
    close(fd);
    store_inbound_free(&row);
}

/* Says it, and is answered with all of these parts (NULL ends the list). */
static void expect(struct store_db *db, const char *uid, const char *text, const char *const *parts)
{
    static char answer[ANSWER_SIZE];
    char alias[100];
    struct concierge_speech speech = speech_of(uid, text);
    assert_int_equal(say(db, &speech), 1);
    read_notice(db, newest_notice(db), alias, answer);
    for (; *parts; parts++)
        if (!strstr(answer, *parts))
            fail_msg("\"%s\" of %s: \"%s\" is not in:\n%s", text, uid, *parts, answer);
}
#define EXPECT(db, uid, text, ...) expect(db, uid, text, (const char *const[]){ __VA_ARGS__, NULL })

static void assert_state(struct store_db *db, int64_t id, enum store_mapping_state state)
{
    struct store_mapping mapping;
    assert_int_equal(store_mapping_find(db, id, &mapping), 1);
    assert_string_equal(store_mapping_state_name(mapping.state), store_mapping_state_name(state));
    store_mapping_free(&mapping);
}

static int64_t count_mappings(struct store_db *db)
{
    int64_t count;
    assert_int_equal(store_fetch_int(db, "SELECT count(*) FROM mapping", NULL, &count), 1);
    return count;
}

static void keep_newest(const struct store_audit *audit, void *ctx)
{
    snprintf(ctx, 500, "%s %s %s %s: %s", audit->channel, audit->actor, audit->action, audit->object, audit->reason);
}

static void assert_audited(struct store_db *db, const char *wanted)
{
    char newest[500] = "";
    assert_int_equal(store_audit_list(db, 0, 0, 1000, keep_newest, newest), 1);
    assert_string_equal(newest, wanted);
}

/* The members' own settings. */

static void members_turn_reports_on_and_off(void **state)
{
    struct store_db *db = begin(state);
    struct store_member member;
    EXPECT(db, "UIDALICE", "Reports on, please.", "Delivery reports are on.", "`reports off`");
    assert_audited(db, "silo Alice Member (UIDALICE) member.reports member Alice Member: ");
    assert_int_equal(store_member_find_by_uid(db, "UIDALICE", &member), 1);
    assert_true(member.wants_reports);
    store_member_free(&member);
    EXPECT(db, "UIDALICE", "reports off", "Delivery reports are off.");
    EXPECT(db, "UIDOLE", "reports on", "no address at this gateway");
    end(state);
}

static void help_shows_what_each_may_say(void **state)
{
    struct store_db *db = begin(state);
    char alias[100];
    static char text[ANSWER_SIZE];
    EXPECT(db, "UIDALICE", "help", "- `invite ADDRESS", "- `list`", "Delivery reports are off.");
    read_notice(db, newest_notice(db), alias, text);
    assert_null(strstr(text, "approve"));
    EXPECT(db, "UIDADA", "help", "- `approve NUMBER", "- `invite ADDRESS");
    EXPECT(db, "UIDOLE", "?", "- `approve NUMBER");
    EXPECT(db, "UIDADA", "help deny", "`deny NUMBER [reason]`");
    end(state);
}

/* Who is answered. */

static void what_is_not_understood_is_answered_some_times_a_day(void **state)
{
    struct store_db *db = begin(state);
    struct concierge_speech speech;
    EXPECT(db, "UIDALICE", "invite bob", "not understood, and nothing was done", "` invite bob `",
           "email address is missing", "`invite ADDRESS [to GROUP]`");
    EXPECT(db, "UIDALICE", "What now?", "` What now? `", "\"what\"", "- `list`");
    for (int i = 2; i < CONCIERGE_UNCLEAR_MAX; i++) {
        speech = speech_of("UIDALICE", "What now?");
        assert_int_equal(say(db, &speech), 1);
    }
    speech = speech_of("UIDALICE", "What now?");
    assert_int_equal(say(db, &speech), 0);
    EXPECT(db, "UIDALICE", "list", "concern you"); /* a word is always answered */
    EXPECT(db, "UIDCAROL", "What now?", "not understood");
    speech = speech_of("UIDALICE", "What now?");
    speech.now += day;
    assert_int_equal(say(db, &speech), 1);
    end(state);
}

static void strangers_gateways_consent_and_courtesies_are_not_answered(void **state)
{
    struct store_db *db = begin(state);
    struct concierge_speech speech = speech_of("UIDNOBODY", "help");
    assert_int_equal(say(db, &speech), 0);
    speech = speech_of("UIDALICE", "Hello, it is me");
    speech.was_known = false;
    assert_int_equal(say(db, &speech), 0);
    speech = speech_of("UIDALICE", CONCIERGE_GREETING);
    assert_int_equal(say(db, &speech), 0);
    speech = speech_of("UIDADA", CONCIERGE_ADMIN_GREETING);
    assert_int_equal(say(db, &speech), 0);
    speech = speech_of("UIDALICE", "Thank you!");
    assert_int_equal(say(db, &speech), 0);
    speech = speech_of("UIDALICE", "help"); /* consent and wish in one */
    speech.was_known = false;
    assert_int_equal(say(db, &speech), 1);
    assert_int_equal(say(db, &speech), 0); /* the silo brings it again: its ack was lost */
    end(state);
}

/* An alias in a message is only a claim: who somebody is, their uid says. */
static void an_admin_s_alias_makes_no_admin(void **state)
{
    struct store_db *db = begin(state);
    struct concierge_speech speech = speech_of("UIDCAROL", "invite bob@example.com");
    assert_int_equal(say(db, &speech), 1);
    speech = speech_of("UIDCAROL", "approve 1");
    speech.alias = ada;
    assert_int_equal(say(db, &speech), 1);
    assert_state(db, 1, STORE_MAPPING_REQUESTED);
    speech = speech_of("UIDNOBODY", "approve 1");
    speech.alias = ole;
    assert_int_equal(say(db, &speech), 0);
    assert_state(db, 1, STORE_MAPPING_REQUESTED);
    assert_int_equal(store_identity_learn(db, "Eve Elsewhere", "UIDEVE", STORE_IDENTITY_MESSAGE, NOW),
                     STORE_IDENTITY_AGREES);
    static char eve[] = "Eve Elsewhere";
    char *claimed[] = { eve, NULL };
    assert_int_equal(admins_include(db, claimed, "UIDEVE"), 0); /* a claim in a header */
    assert_int_equal(store_identity_learn(db, "Eve Elsewhere", "UIDEVE", STORE_IDENTITY_PING, NOW),
                     STORE_IDENTITY_AGREES);
    assert_int_equal(admins_include(db, claimed, "UIDEVE"), 1);
    end(state);
}

/* Inviting and deciding. */

/* As gateway/inbound_hold.c does when their mail is held. */
static void ask_as_stranger(struct store_db *db, const char *address, const char *alias)
{
    const struct store_actor actor = { .channel = "mail", .name = address };
    const struct mapping_change change = { .actor = &actor, .reason = "", .now = NOW };
    struct store_member member;
    struct mapping_result result;
    struct subject subject;
    const char *wrong;
    assert_int_equal(store_member_find_by_alias(db, alias, &member), 1);
    assert_int_equal(subject_parse(address, SMTP_CASE_FOLDED, &subject, &wrong), 1);
    const struct mapping_wish wish = { .subject = &subject, .target = { .member_id = member.id } };
    assert_int_equal(mapping_change_request(db, &change, &wish, &result), 1);
    mapping_result_clear(&result);
    store_member_free(&member);
}

static void whoever_answers_a_first_contact_is_who_asks(void **state)
{
    struct store_db *db = begin(state);
    ask_as_stranger(db, "bob@example.com", "Alice Member");
    ask_as_stranger(db, "eve@example.com", "Ada Admin");
    EXPECT(db, "UIDALICE", "invite bob@example.com", "has been asked already",
           "1: bob@example.com for Alice Member, requested, both ways, asked for by Alice Member");
    assert_audited(db, "silo Alice Member (UIDALICE) mapping.adopt mapping 1: ");
    EXPECT(db, "UIDALICE", "invite bob@example.com", "has been asked already"); /* nothing is left to be done */
    assert_audited(db, "silo Alice Member (UIDALICE) mapping.adopt mapping 1: ");
    EXPECT(db, "UIDADA", "invite eve@example.com", "Done: you are an administrator");
    assert_state(db, 2, STORE_MAPPING_APPROVED);
    int64_t notices = newest_notice(db);
    EXPECT(db, "UIDADA", "deny 1 not a partner", "Denied.");
    char alias[100];
    static char text[ANSWER_SIZE];
    read_notice(db, notices + 1, alias, text);
    assert_string_equal(alias, "Alice Member"); /* hears what became of it */
    assert_non_null(strstr(text, "turned down what you asked for"));
    end(state);
}

static void a_member_invites_and_an_admin_approves(void **state)
{
    struct store_db *db = begin(state);
    struct store_mapping mapping;
    int64_t events;
    EXPECT(db, "UIDALICE", "Please invite <mailto:Bob@Example.com>.", "An administrator has been asked",
           "1: bob@example.com for Alice Member, requested");
    assert_audited(db, "silo Alice Member (UIDALICE) mapping.request mapping 1: ");
    assert_int_equal(store_admin_last_event(db, &events), 1);
    EXPECT(db, "UIDALICE", "invite bob@example.com", "has been asked already", "1: bob@example.com"); /* merged */
    assert_int_equal(count_mappings(db), 1);
    EXPECT(db, "UIDALICE", "list", "1: bob@example.com for Alice Member, requested");
    EXPECT(db, "UIDCAROL", "list", "nobody, so far");
    EXPECT(db, "UIDALICE", "approve 1", "Nothing was done", "Only administrators may say \"approve\"");
    EXPECT(db, "UIDALICE", "list\napprove 1", "Nothing was done");
    EXPECT(db, "UIDALICE", "pending", "Only administrators");
    assert_state(db, 1, STORE_MAPPING_REQUESTED);
    EXPECT(db, "UIDADA", "pending",
           "1: bob@example.com for Alice Member, requested, both ways, asked for by Alice Member");
    EXPECT(db, "UIDOLE", "Approve #1 until 2027-06-30, thanks", "Approved.", "until 2027-06-30");
    assert_audited(db, "silo Ole Outside (UIDOLE) mapping.approve mapping 1: ");
    assert_int_equal(store_mapping_find(db, 1, &mapping), 1);
    assert_int_equal(mapping.state, STORE_MAPPING_APPROVED);
    assert_true(mapping.expires_at > NOW + 160 * day && mapping.expires_at < NOW + 170 * day);
    store_mapping_free(&mapping);
    EXPECT(db, "UIDADA", "deny 1: too late", "Nothing was changed", "approved, by Ole Outside"); /* who was first */
    EXPECT(db, "UIDADA", "approve 1", "Nothing was changed", "Ole Outside");
    assert_state(db, 1, STORE_MAPPING_APPROVED);
    EXPECT(db, "UIDADA", "pending", "- nothing");
    EXPECT(db, "UIDALICE", "invite bob@example.com", "open already");
    end(state);
}

static void an_admin_denies_suspends_and_resumes(void **state)
{
    struct store_db *db = begin(state);
    EXPECT(db, "UIDALICE", "invite bob@example.com and carol@example.net", "1: bob@example.com",
           "2: carol@example.net");
    EXPECT(db, "UIDADA", "deny 1 not a partner\napprove 2", "Denied.", "Approved.", "not a partner");
    assert_state(db, 1, STORE_MAPPING_DENIED);
    assert_state(db, 2, STORE_MAPPING_APPROVED);
    EXPECT(db, "UIDADA", "suspend carol@example.net: on holiday", "Suspended.", "on holiday");
    assert_audited(db, "silo Ada Admin (UIDADA) mapping.suspend mapping 2: on holiday");
    assert_state(db, 2, STORE_MAPPING_SUSPENDED);
    EXPECT(db, "UIDADA", "suspend carol@example.net", "nothing is open");
    EXPECT(db, "UIDALICE", "invite carol@example.net", "only an administrator can open it again");
    EXPECT(db, "UIDADA", "resume 2", "Open again.");
    assert_state(db, 2, STORE_MAPPING_APPROVED);
    EXPECT(db, "UIDADA", "resume 2", "Nothing was changed");
    EXPECT(db, "UIDADA", "approve 17", "There is no number 17");
    EXPECT(db, "UIDADA", "approve 1 until 2020-01-01", "still to come");
    EXPECT(db, "UIDADA", "approve 1 until 2027-02-30", "still to come");
    EXPECT(db, "UIDALICE", "who is bob@example.com", "1: bob@example.com", "denied by Ada Admin", "not a partner");
    EXPECT(db, "UIDCAROL", "who is bob@example.com", "nothing is known");
    EXPECT(db, "UIDADA", "who is bob@example.com?", "1: bob@example.com for Alice Member, denied");
    end(state);
}

static void who_has_asked_hears_that_it_was_turned_down(void **state)
{
    struct store_db *db = begin(state);
    char alias[100];
    static char text[ANSWER_SIZE];
    EXPECT(db, "UIDALICE", "invite bob@example.com, carol@example.net", "1: ", "2: ");
    EXPECT(db, "UIDADA", "deny 1 not a partner", "Denied.");
    read_notice(db, newest_notice(db) - 1, alias, text);
    assert_string_equal(alias, "Alice Member");
    assert_non_null(strstr(text, "turned down"));
    assert_non_null(strstr(text, "denied by Ada Admin on 2027-01-15: not a partner"));
    int64_t before = newest_notice(db);
    EXPECT(db, "UIDALICE", "revoke carol@example.net", "2: carol@example.net"); /* knows what they have done */
    assert_int_equal(newest_notice(db), before + 1);
    EXPECT(db, "UIDALICE", "invite dora@example.org", "3: dora@example.org");
    assert_int_equal(store_member_set_alias(db, 1, "Alice Married"), 1);
    EXPECT(db, "UIDADA", "deny 3", "Denied.");
    read_notice(db, newest_notice(db) - 1, alias, text);
    assert_string_equal(alias, "Alice Married");
    assert_non_null(strstr(text, "turned down"));
    end(state);
}

static void what_an_admin_invites_is_open_at_once(void **state)
{
    struct store_db *db = begin(state);
    EXPECT(db, "UIDADA", "invite bob@example.com", "you are an administrator", "for Ada Admin, approved");
    assert_state(db, 1, STORE_MAPPING_APPROVED);
    assert_audited(db, "silo Ada Admin (UIDADA) mapping.add mapping 1: ");
    EXPECT(db, "UIDOLE", "invite bob@example.com", "Nothing was done", "no address at this gateway");
    assert_int_equal(count_mappings(db), 1);
    end(state);
}

static void one_order_that_can_t_be_done_stops_all(void **state)
{
    struct store_db *db = begin(state);
    EXPECT(db, "UIDALICE", "invite bob@example.com\ninvite bob@xn--a.example", "Nothing was done", "no email address");
    EXPECT(db, "UIDALICE", "invite bob@example.com\ninvite carol@example.com to Sales Team", "Nothing was done",
           "no group \"Sales Team\"");
    EXPECT(db, "UIDALICE", "invite bob@example.com\ninvit carol@example.com", "not understood");
    assert_int_equal(count_mappings(db), 0);
    end(state);
}

static void members_end_their_own_openings_only(void **state)
{
    struct store_db *db = begin(state);
    EXPECT(db, "UIDALICE", "invite bob@example.com", "1: ");
    EXPECT(db, "UIDCAROL", "invite bob@example.com", "2: ");
    EXPECT(db, "UIDADA", "approve 1, 2", "Approved.");
    EXPECT(db, "UIDCAROL", "revoke 1", "There is no number 1 among your openings");
    EXPECT(db, "UIDCAROL", "revoke 17", "There is no number 17 among your openings"); /* nothing is learned */
    assert_state(db, 1, STORE_MAPPING_APPROVED);
    EXPECT(db, "UIDCAROL", "revoke bob@example.com: spam", "can't write to you any more", "2: bob@example.com");
    assert_audited(db, "silo Carol Member (UIDCAROL) mapping.block mapping 2: spam");
    assert_state(db, 1, STORE_MAPPING_APPROVED);
    assert_state(db, 2, STORE_MAPPING_REVOKED);
    EXPECT(db, "UIDCAROL", "revoke bob@example.com", "nobody can write to you from there");
    EXPECT(db, "UIDADA", "revoke 1", "that is over");
    assert_state(db, 1, STORE_MAPPING_REVOKED);
    EXPECT(db, "UIDALICE", "invite bob@example.com", "3: "); /* asks anew */
    EXPECT(db, "UIDALICE", "revoke 3", "that is over");      /* takes it back */
    assert_state(db, 3, STORE_MAPPING_DENIED);
    end(state);
}

static void a_member_shuts_the_door_that_a_pattern_has_opened(void **state)
{
    struct store_db *db = begin(state);
    struct store_actor actor = { .channel = "cli", .name = "root" };
    struct mapping_change change = { .actor = &actor, .reason = "", .now = NOW };
    struct subject subject;
    struct mapping_result result;
    const char *wrong;
    assert_int_equal(subject_parse("*@example.com", SMTP_CASE_FOLDED, &subject, &wrong), 1);
    struct mapping_wish wish = { .subject = &subject };
    assert_int_equal(mapping_change_add(db, &change, &wish, &result), 1);
    mapping_result_clear(&result);
    EXPECT(db, "UIDALICE", "list", "1: *@example.com for all members, approved");
    EXPECT(db, "UIDALICE", "who is bob@example.com", "1: *@example.com for all members");
    EXPECT(db, "UIDOLE", "who is bob@example.com", "1: *@example.com for all members");
    EXPECT(db, "UIDALICE", "revoke bob@example.com", "can't write to you any more",
           "2: bob@example.com for Alice Member, denied");
    assert_state(db, 1, STORE_MAPPING_APPROVED);
    end(state);
}

static void groups_are_for_those_who_are_seen_in_them(void **state)
{
    struct store_db *db = begin(state);
    struct store_group group = { .gid = (char[]){ "Sales Team Inc." },
                                 .own_alias = gateway_alias,
                                 .inviter_alias = ada,
                                 .inviter_uid = (char[]){ "UIDADA" } };
    struct store_group_member alice = { .alias = (char[]){ "Alice Member" },
                                        .uid = (char[]){ "UIDALICE" },
                                        .state = STORE_GROUP_MEMBER_JOINED };
    enum store_group_state was;
    int64_t id;
    assert_int_equal(store_group_invite(db, &group, true, NOW, &id), 1);
    EXPECT(db, "UIDALICE", "invite bob@example.com to Sales Team Inc.", "no group"); /* the gateway is not in it yet */
    assert_int_equal(store_group_set_state(db, id, STORE_GROUP_JOINED, NOW, &was), 1);
    assert_int_equal(store_group_set_member(db, id, &alice), 1);
    EXPECT(db, "UIDCAROL", "invite bob@example.com to Sales Team Inc.", "no group \"Sales Team Inc.\"");
    EXPECT(db, "UIDALICE", "invite bob@example.com to write to Sales Team Inc.!",
           "1: bob@example.com for Sales Team Inc., requested");
    alice.state = STORE_GROUP_MEMBER_DROPPED;
    alice.uid = NULL;
    assert_int_equal(store_group_set_member(db, id, &alice), 1);
    EXPECT(db, "UIDALICE", "invite carol@example.com to Sales Team Inc.", "no group");
    end(state);
}

static void nobody_fills_the_admins_threads(void **state)
{
    struct store_db *db = begin(state);
    struct concierge_speech speech;
    char text[100];
    EXPECT(db, "UIDALICE", "invite a@example.com, b@example.com, c@example.com", "3: c@example.com");
    EXPECT(db, "UIDALICE", "invite d@example.com", "3 people within a day");
    EXPECT(db, "UIDALICE", "invite a@example.com", "has been asked already"); /* costs nothing */
    EXPECT(db, "UIDCAROL", "invite d@example.com", "4: d@example.com");
    for (int i = 1; count_mappings(db) < CONCIERGE_REQUESTS_MAX + 1; i++) { /* and day after day */
        snprintf(text, sizeof text, "invite x%d@example.com", i);
        speech = speech_of("UIDALICE", text);
        speech.now += i * day;
        assert_int_equal(say(db, &speech), 1);
    }
    speech = speech_of("UIDALICE", "invite one.more@example.com");
    speech.now += 1000 * day;
    assert_int_equal(say(db, &speech), 1);
    assert_int_equal(count_mappings(db), CONCIERGE_REQUESTS_MAX + 1);
    EXPECT(db, "UIDADA", "pending", "1: a@example.com", "and 1 more");
    end(state);
}

/* An admin said yes to somebody whose address looked like a partner's. */
static void what_looks_like_another_address_is_spelled_for_admins(void **state)
{
    struct store_db *db = begin(state);
    EXPECT(db, "UIDALICE", "invite bob@p\u0430rtner.example", "has been asked");
    EXPECT(db, "UIDALICE", "invite bob@b\u00fccher.example", "has been asked");
    EXPECT(db, "UIDADA", "pending", "1: bob@xn--prtner-3nf.example for",
           "2: bob@b\u00fccher.example (spelled bob@xn--bcher-kva.example) for");
    end(state);
}

static int64_t open_for(struct store_db *db, const char *address, int64_t member_id)
{
    int64_t correspondent, id;
    assert_int_equal(store_correspondent_ensure(db, address, NOW, &correspondent), 1);
    struct store_mapping_new mapping = { .correspondent_id = correspondent,
                                         .target = { .member_id = member_id },
                                         .state = STORE_MAPPING_APPROVED,
                                         .direction = STORE_DIRECTION_BOTH,
                                         .note = "",
                                         .actor = "root",
                                         .reason = "",
                                         .now = NOW };
    assert_int_equal(store_mapping_add(db, &mapping, &id), 1);
    return id;
}

/* As often as one more order has room behind it. */
static void say_often(struct strbuf *text, const char *line)
{
    strbuf_init(text, 4096);
    for (int i = 0; i < CONCIERGE_ORDERS_MAX - 1; i++)
        strbuf_add_str(text, line);
}

/* What can't be answered can't be taken from the silo, and everything behind it would wait for ever. */
static void many_long_answers_are_cut_and_none_is_missing(void **state)
{
    struct store_db *db = begin(state);
    char address[200];
    struct strbuf text;
    int64_t last = 0;
    for (int i = 0; i < 60; i++) {
        snprintf(address, sizeof address, "somebody.%050d@a.rather.long.name.of.a.domain.example.com", i);
        last = open_for(db, address, 1);
    }
    say_often(&text, "list\n");
    strbuf_add_str(&text, "invite last@example.com");
    EXPECT(db, "UIDALICE", text.data, "more\n", "` invite last@example.com `", "61: last@example.com");
    strbuf_free(&text);
    assert_state(db, last + 1, STORE_MAPPING_REQUESTED);
    end(state);
}

/* By address it is everything that is open for it, however many that are. */
static void an_address_is_suspended_for_everybody(void **state)
{
    struct store_db *db = begin(state);
    char alias[40], uid[40];
    struct strbuf text;
    int64_t last = 0;
    for (int i = 0; i < 150; i++) {
        snprintf(alias, sizeof alias, "Member %d", i);
        snprintf(uid, sizeof uid, "UID%d", i);
        last = open_for(db, "bob@example.com", add_member(db, alias, uid));
    }
    say_often(&text, "pending\n");
    strbuf_add_str(&text, "suspend bob@example.com");
    EXPECT(db, "UIDADA", text.data, "` pending `", "1: bob@example.com for Member 0, suspended",
           "longer than there is room for");
    strbuf_free(&text);
    for (int64_t id = 1; id <= last; id++)
        assert_state(db, id, STORE_MAPPING_SUSPENDED);
    end(state);
}

/* Names and reasons are other people's words: they show as they are. */
static void nothing_in_an_answer_acts_as_markup(void **state)
{
    struct store_db *db = begin(state);
    EXPECT(db, "UIDALICE", "invite `*bob*@example.com`", "` 1: *bob*@example.com for");
    EXPECT(db, "UIDADA", "deny 1: [click](https://example.com) `x` **now**", "`` 1: *bob*@example.com for",
           ": [click](https://example.com) `x` **now** ``");
    EXPECT(db, "UIDALICE", "![x](http://example.com/y.png)", "` ![x](http://example.com/y.png) `");
    end(state);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(members_turn_reports_on_and_off),
        WITH_STORE(help_shows_what_each_may_say),
        WITH_STORE(what_is_not_understood_is_answered_some_times_a_day),
        WITH_STORE(strangers_gateways_consent_and_courtesies_are_not_answered),
        WITH_STORE(an_admin_s_alias_makes_no_admin),
        WITH_STORE(a_member_invites_and_an_admin_approves),
        WITH_STORE(whoever_answers_a_first_contact_is_who_asks),
        WITH_STORE(an_admin_denies_suspends_and_resumes),
        WITH_STORE(who_has_asked_hears_that_it_was_turned_down),
        WITH_STORE(what_an_admin_invites_is_open_at_once),
        WITH_STORE(one_order_that_can_t_be_done_stops_all),
        WITH_STORE(members_end_their_own_openings_only),
        WITH_STORE(a_member_shuts_the_door_that_a_pattern_has_opened),
        WITH_STORE(groups_are_for_those_who_are_seen_in_them),
        WITH_STORE(nobody_fills_the_admins_threads),
        WITH_STORE(what_looks_like_another_address_is_spelled_for_admins),
        WITH_STORE(many_long_answers_are_cut_and_none_is_missing),
        WITH_STORE(an_address_is_suspended_for_everybody),
        WITH_STORE(nothing_in_an_answer_acts_as_markup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
