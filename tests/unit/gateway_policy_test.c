/* gateway_policy_test.c - who may pass: the table of verdicts, and the words; gateway_policy_table_test.c has every combination */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/policy.h"

static void test_recipient(void **state)
{
    (void)state;
    static const struct {
        const char *sender, *domain;
        bool exists, answered, open, database_failed;
        int code;
        const char *enhanced;
    } rows[] = {
        { "bob@example.com", "silo.example.org", true, true, true, false, 250, "2.1.5" },
        { "bob@example.com", "SILO.example.org.", true, true, true, false, 250, "2.1.5" },
        { "bob@example.com", "silo.example.org", false, false, false, false, 550, "5.1.1" },
        { "bob@example.com", "example.net", false, false, false, false, 550, "5.7.1" },
        { "bob@example.com", "silo.example.org", true, true, false, false, 550,
          "5.7.1" }, /* nobody may write to this member */
        { "bob@example.com", "silo.example.org", true, false, true, false, 450, "4.2.1" }, /* no consent yet */
        { "bob@example.com", "silo.example.org", true, false, false, false, 550, "5.7.1" },
        { "", "silo.example.org", true, true, true, false, 550, "5.7.1" }, /* a bounce without our token */
        { "bob@example.com", "silo.example.org", true, true, true, true, 451, "4.3.0" },
        /* a map asks, which knows no sender */
        { NULL, "silo.example.org", true, true, true, false, 250, "2.1.5" },
        { NULL, "silo.example.org", true, true, false, false, 550, "5.7.1" },
        { NULL, "silo.example.org", true, false, true, false, 450, "4.2.1" },
        { NULL, "silo.example.org", false, false, false, false, 550, "5.1.1" },
        { NULL, "silo.example.org", true, true, true, true, 451, "4.3.0" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct policy_recipient_facts facts = {
            .sender = rows[i].sender,
            .recipient = "alice.member@silo.example.org",
            .domain = rows[i].domain,
            .our_domain = "silo.example.org",
            .recipient_exists = rows[i].exists,
            .is_reachable = rows[i].answered,
            .any_inbound_mapping = rows[i].open,
            .database_failed = rows[i].database_failed,
        };
        struct policy_verdict verdict = policy_judge_recipient(&facts);
        assert_int_equal(verdict.reply.code, rows[i].code);
        assert_string_equal(verdict.reply.enhanced, rows[i].enhanced);
        assert_int_equal(verdict.decision, rows[i].code == 250  ? POLICY_ACCEPT
                                           : rows[i].code < 500 ? POLICY_DEFER
                                                                : POLICY_REJECT);
        assert_true(verdict.reason[0]);
    }
}

/* Every combination of what is known of a recipient, for a member and for a group: mail is let in by nothing but all of it. */
static void test_every_kind_of_recipient(void **state)
{
    (void)state;
    for (unsigned bits = 0; bits < 1u << 7; bits++) {
        struct policy_recipient_facts facts = {
            .sender = "bob@example.com",
            .recipient = "sales.team@silo.example.org",
            .domain = bits & 1 ? "silo.example.org" : "example.net",
            .our_domain = "silo.example.org",
            .recipient_exists = bits & 2,
            .any_inbound_mapping = bits & 4,
            .is_reachable = bits & 8,
            .database_failed = bits & 16,
            .is_group = bits & 32,
            .holds_unknown = bits & 64,
        };
        struct policy_verdict verdict = policy_judge_recipient(&facts);
        bool is_open = (bits & 3) == 3 && (bits & 4 || (bits & 64 && !(bits & 32))); /* what groups get is never kept */
        int expected = bits & 16 ? 451 : !is_open ? 550 : bits & 8 ? 250 : 450;
        assert_int_equal(verdict.reply.code, expected);
        if (expected == 450)
            assert_int_equal(strstr(verdict.reply.text, "group") != NULL, facts.is_group);
    }
}

/* A return address takes mail of anybody, known or not; one that is not good takes nobody's. */
static void test_return_addresses(void **state)
{
    (void)state;
    static const char *const senders[] = { NULL, "", "mallory@example.net" };
    for (int return_state = POLICY_RETURN_FORGED; return_state <= POLICY_RETURN_GOOD; return_state++) {
        for (size_t i = 0; i < sizeof senders / sizeof senders[0]; i++) {
            struct policy_recipient_facts facts = { .sender = senders[i],
                                                    .recipient = "bounces+x@silo.example.org",
                                                    .domain = "silo.example.org",
                                                    .our_domain = "silo.example.org",
                                                    .return_state = (enum policy_return)return_state };
            struct policy_verdict verdict = policy_judge_recipient(&facts);
            assert_int_equal(verdict.reply.code, return_state == POLICY_RETURN_GOOD ? 250 : 550);
            facts.domain = "example.net";
            assert_int_equal(policy_judge_recipient(&facts).reply.code, 550);
            facts.database_failed = true;
            assert_int_equal(policy_judge_recipient(&facts).reply.code, 451);
        }
    }
}

/* What has come to one needs no proof and no From, but goes round no more than other mail. */
static void test_what_comes_back(void **state)
{
    (void)state;
    static char ours[] = "GW.example.org", others[] = "gw.example.net", *marks[] = { others, ours };
    static const struct {
        enum mail_header_from from_state;
        unsigned received;
        size_t marks;
        bool too_long;
        int code;
    } rows[] = {
        { MAIL_HEADER_FROM_OK, 0, 0, false, 250 },      { MAIL_HEADER_FROM_MISSING, 0, 0, false, 250 },
        { MAIL_HEADER_FROM_OK, 100, 1, false, 250 },    { MAIL_HEADER_FROM_OK, 101, 0, false, 554 },
        { MAIL_HEADER_FROM_OK, 0, 2, false, 554 },      { MAIL_HEADER_FROM_OK, 0, 0, true, 552 },
        { MAIL_HEADER_FROM_MISSING, 0, 2, false, 554 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct mail_header_facts header = { .from_state = rows[i].from_state,
                                            .received_count = rows[i].received,
                                            .loop_marks = marks,
                                            .loop_mark_count = rows[i].marks,
                                            .too_long = rows[i].too_long };
        struct policy_form_facts facts = { .hostname = "gw.example.org", .header = &header };
        assert_int_equal(policy_judge_returned(&facts).reply.code, rows[i].code);
    }
}

static struct policy_verdict judge(enum config_proof required, bool assume, const char *trust,
                                   enum mail_header_from from_state, char **results, size_t count)
{
    struct mail_header_facts header = { .from_state = from_state,
                                        .auth_results = results,
                                        .auth_results_count = count };
    struct smtp_address sender = { .local = "bob", .domain = "example.com" };
    struct proof_sources sources = {
        .header = &header, .sender = &sender, .assume_authenticated = assume, .trust_authserv_id = trust
    };
    struct proof proof;
    snprintf(header.from.domain, sizeof header.from.domain, "example.com");
    proof_find(&sources, &proof);
    struct policy_form_facts facts = { .hostname = "gw.example.org", .header = &header };
    struct policy_verdict form = policy_judge_form(&facts);
    if (form.decision != POLICY_ACCEPT)
        return form;
    return policy_judge_proof(&proof, required, "example.com");
}

static void test_proof(void **state)
{
    (void)state;
    static const struct {
        const char *results[3]; /* top first */
        enum config_proof required;
        const char *trust;
        int code;
        const char *enhanced;
    } rows[] = {
        { { "mx.test; dmarc=pass header.from=example.com" }, CONFIG_PROOF_DMARC, "mx.test", 250, "2.1.5" },
        { { "mx.test; dmarc=pass header.from=EXAMPLE.com" }, CONFIG_PROOF_DMARC, "mx.test", 250, "2.1.5" },
        { { "mx.test; dmarc=pass header.from=evil.example" }, CONFIG_PROOF_DMARC, "mx.test", 550, "5.7.26" },
        { { "mx.test; dmarc=pass" }, CONFIG_PROOF_DMARC, "mx.test", 550, "5.7.26" },
        { { "mx.test; dmarc=fail header.from=example.com" }, CONFIG_PROOF_DMARC, "mx.test", 550, "5.7.26" },
        { { "mx.test; dmarc=temperror header.from=example.com" }, CONFIG_PROOF_DMARC, "mx.test", 451, "4.7.0" },
        { { "mx.test; spf=pass smtp.mailfrom=example.com" }, CONFIG_PROOF_DMARC, "mx.test", 550, "5.7.26" },
        { { "other.test; dmarc=pass header.from=example.com" }, CONFIG_PROOF_DMARC, "mx.test", 550, "5.7.26" },
        { { "mx.test; dmarc=pass header.from=example.com" },
          CONFIG_PROOF_DMARC,
          NULL,
          550,
          "5.7.26" }, /* nobody is trusted */
        /* a stranger's field below the trusted one's must not help, nor hide it */
        { { "mx.test; dmarc=fail header.from=example.com", "mx.test; dmarc=pass header.from=example.com" },
          CONFIG_PROOF_DMARC,
          "mx.test",
          550,
          "5.7.26" },
        { { "other.test; none", "mx.test; dmarc=pass header.from=example.com" },
          CONFIG_PROOF_DMARC,
          "mx.test",
          250,
          "2.1.5" },
        { { "mx.test; dkim=pass header.d=example.com" }, CONFIG_PROOF_DKIM, "mx.test", 250, "2.1.5" },
        { { "mx.test; dkim=pass header.d=evil.example" }, CONFIG_PROOF_DKIM, "mx.test", 550, "5.7.26" },
        { { "mx.test; dkim=pass header.d=evil.example; dkim=pass header.d=example.com" },
          CONFIG_PROOF_DKIM,
          "mx.test",
          250,
          "2.1.5" },
        { { "mx.test; dkim=pass header.d=example.com" }, CONFIG_PROOF_DMARC, "mx.test", 550, "5.7.26" },
        { { "mx.test; dmarc=fail header.from=example.com" }, CONFIG_PROOF_NONE, "mx.test", 250, "2.1.5" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t count = 0;
        while (count < 3 && rows[i].results[count])
            count++;
        struct policy_verdict verdict = judge(rows[i].required, false, rows[i].trust, MAIL_HEADER_FROM_OK,
                                              (char **)(uintptr_t)rows[i].results, count);
        if (verdict.reply.code != rows[i].code || strcmp(verdict.reply.enhanced, rows[i].enhanced) != 0)
            fail_msg("row %zu: expected %d %s, got %d %s (%s)", i, rows[i].code, rows[i].enhanced, verdict.reply.code,
                     verdict.reply.enhanced, verdict.reason);
    }
}

/* A field that the trusted MTA wrote of what the sender said, and that we can't read: what follows it is the sender's. */
static void test_unusable_results(void **state)
{
    (void)state;
    static const char forged[] = "mx.test; dmarc=pass header.from=example.com";
    char long_local[400], long_domain[400];
    snprintf(long_local, sizeof long_local, "mx.test; spf=none smtp.mailfrom=%0300d@evil.test", 7);
    snprintf(long_domain, sizeof long_domain, "mx.test; dmarc=fail header.from=%0256d", 7);
    const char *const unusable[] = {
        "mx.test; spf=fail (a(b) smtp.mailfrom=a@evil.test; dmarc=fail header.from=example.com",
        "mx.test; spf=none smtp.mailfrom=a\\b@evil.test; dmarc=fail header.from=example.com",
        "mx.test; spf=none smtp.helo=((((; dmarc=fail header.from=example.com",
        "mx.test; spf=none smtp.mailfrom=; dmarc=fail header.from=example.com",
        "mx.test; dkim=fail header.s=x\"y; dmarc=fail header.from=example.com",
        long_local,
        long_domain,
        "MX.TEST; dmarc",
        /* whose it is can't be told */
        "(a mx.test; none",
        "spf=none smtp.mailfrom=a@evil.test",
        /* somebody's who wants it overlooked by those who remove forged ones */
        "\"mx.test\"; dmarc=pass header.from=example.com",
        "(a) mx.test; dmarc=pass header.from=example.com",
    };
    for (size_t i = 0; i < sizeof unusable / sizeof unusable[0]; i++) {
        const char *results[] = { "other.test; none", unusable[i], forged };
        struct policy_verdict verdict =
            judge(CONFIG_PROOF_DMARC, false, "mx.test", MAIL_HEADER_FROM_OK, (char **)(uintptr_t)results, 3);
        print_message("%s\n", unusable[i]);
        assert_int_equal(verdict.reply.code, 550);
        assert_string_equal(verdict.reply.enhanced, "5.7.26");
        assert_string_equal(verdict.reply.text, "the sender is not proven: no usable DMARC result");
    }
    /* Another's malformed field, and an id that is only nearly the trusted one, are nothing to us. */
    const char *const foreign[] = { "other.test; spf=none smtp.helo=((((",
                                    "mx.test.; dmarc=fail header.from=example.com" };
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        const char *results[] = { foreign[i], forged };
        assert_int_equal(
            judge(CONFIG_PROOF_DMARC, false, "mx.test", MAIL_HEADER_FROM_OK, (char **)(uintptr_t)results, 2).reply.code,
            250);
    }
    const char *nearly = "mx.test.; dmarc=pass header.from=example.com";
    assert_int_equal(
        judge(CONFIG_PROOF_DMARC, false, "mx.test", MAIL_HEADER_FROM_OK, (char **)(uintptr_t)&nearly, 1).reply.code,
        550);
}

static void test_author(void **state)
{
    (void)state;
    assert_int_equal(judge(CONFIG_PROOF_DMARC, true, NULL, MAIL_HEADER_FROM_OK, NULL, 0).reply.code, 250);
    /* even where everybody is trusted, a message has exactly one author */
    assert_int_equal(judge(CONFIG_PROOF_NONE, true, NULL, MAIL_HEADER_FROM_MISSING, NULL, 0).reply.code, 550);
    assert_int_equal(judge(CONFIG_PROOF_NONE, true, NULL, MAIL_HEADER_FROM_AMBIGUOUS, NULL, 0).reply.code, 550);
}

static void test_loops(void **state)
{
    (void)state;
    char *mark = (char *)(uintptr_t) "gw.example.org";
    struct mail_header_facts header = { .from_state = MAIL_HEADER_FROM_OK, .received_count = 100 };
    struct policy_form_facts facts = { .hostname = "gw.example.org", .header = &header };
    assert_int_equal(policy_judge_form(&facts).reply.code, 250);
    header.received_count = 101;
    assert_string_equal(policy_judge_form(&facts).reply.enhanced, "5.4.6");
    header.received_count = 0;
    header.loop_marks = &mark;
    header.loop_mark_count = 1;
    assert_string_equal(policy_judge_form(&facts).reply.enhanced, "5.4.6");
    facts.hostname = "other.example.org";
    assert_int_equal(policy_judge_form(&facts).reply.code, 250);
    header.too_long = true;
    assert_int_equal(policy_judge_form(&facts).reply.code, 552);
}

/* ---- words ---- */

/* 2027-01-15T08:00:00Z */
static const int64_t now = INT64_C(1800000000000);

static char *text(const char *constant)
{
    return (char *)(uintptr_t)constant; /* only read */
}

static struct store_mapping make_mapping(void)
{
    return (struct store_mapping){ .id = 7,
                                   .subject = text("*@example.com"),
                                   .target_name = text("all"),
                                   .state = STORE_MAPPING_APPROVED,
                                   .direction = STORE_DIRECTION_IN,
                                   .max_size = 2000,
                                   .daily = 20,
                                   .created_by = text("Alice Admin"),
                                   .created_at = now - 5000,
                                   .decided_by = text("root"),
                                   .decided_at = now - 1000,
                                   .reason = text("") };
}

static struct policy_delivery_facts make_facts(const struct store_mapping *mapping, const struct proof *proof)
{
    return (struct policy_delivery_facts){
        .pair = { .outside = "bob@example.com",
                  .inside = "alice@silo.example.org",
                  .address = "bob@example.com",
                  .target = { .member_id = 3 },
                  .rows = mapping,
                  .count = mapping ? 1 : 0,
                  .now = now },
        .proof = proof,
        .from_domain = "example.com",
        .size = 1000,
        .automatic_per_hour = 60,
    };
}

#define NOBODY  "<bob@example.com> is not authorised to write to <alice@silo.example.org>"
#define BY_ROOT "by root at 2027-01-15T07:59:59.000Z"

/* The sender is told what they can do about it, and nothing of who has decided what; the trace has all of it. */
static void test_words(void **state)
{
    (void)state;
    static const struct proof proven = { .dmarc = AUTH_RESULT_PASS, .source = "says mx.test" };
    static const struct {
        enum store_mapping_state state;
        enum store_direction direction;
        int64_t expires_at, size, today, automatic;
        const char *why, *reply, *reason;
    } rows[] = {
        { STORE_MAPPING_APPROVED, STORE_DIRECTION_IN, 0, 2000, 19, 60, "", "ok",
          "mapping 7 (*@example.com to all), approved " BY_ROOT "; DMARC pass for example.com, says mx.test" },
        { STORE_MAPPING_APPROVED, STORE_DIRECTION_IN, 0, 2001, 0, 0, "",
          "the message is larger than <bob@example.com> may send to <alice@silo.example.org>",
          "the message is larger than <bob@example.com> may send to <alice@silo.example.org>; "
          "mapping 7 (*@example.com to all), approved " BY_ROOT "; 2001 octets, it lets in 2000" },
        { STORE_MAPPING_APPROVED, STORE_DIRECTION_IN, 0, 0, 20, 0, "",
          "<bob@example.com> has reached the daily limit of messages to <alice@silo.example.org>",
          "<bob@example.com> has reached the daily limit of messages to <alice@silo.example.org>; "
          "mapping 7 (*@example.com to all), approved " BY_ROOT "; 20 messages in 24 hours, it lets in 20" },
        { STORE_MAPPING_APPROVED, STORE_DIRECTION_IN, INT64_C(1800000000000), 0, 0, 0, "", NOBODY " (any more)",
          NOBODY " (any more); mapping 7 (*@example.com to all), approved " BY_ROOT "; its time is over" },
        { STORE_MAPPING_EXPIRED, STORE_DIRECTION_IN, INT64_C(1800000000000), 0, 0, 0, "", NOBODY " (any more)",
          NOBODY " (any more); mapping 7 (*@example.com to all), expired " BY_ROOT },
        { STORE_MAPPING_APPROVED, STORE_DIRECTION_OUT, 0, 0, 0, 0, "", NOBODY,
          NOBODY "; mapping 7 (*@example.com to all), approved " BY_ROOT "; it is for outgoing mail only" },
        { STORE_MAPPING_REVOKED, STORE_DIRECTION_BOTH, 0, 0, 0, 0, "contract ended", NOBODY,
          NOBODY "; mapping 7 (*@example.com to all), revoked " BY_ROOT " (contract ended)" },
        { STORE_MAPPING_REQUESTED, STORE_DIRECTION_BOTH, 0, 0, 0, 0, "", NOBODY,
          NOBODY "; nobody has decided about them" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct store_mapping mapping = make_mapping();
        mapping.state = rows[i].state;
        mapping.direction = rows[i].direction;
        mapping.expires_at = rows[i].expires_at;
        mapping.reason = text(rows[i].why);
        struct policy_delivery_facts facts = make_facts(&mapping, &proven);
        facts.size = rows[i].size;
        facts.accepted_today = rows[i].today;
        facts.automatic_this_hour = rows[i].automatic;
        struct policy_verdict verdict = policy_judge_delivery(&facts);
        assert_string_equal(verdict.reply.text, rows[i].reply);
        assert_string_equal(verdict.reason, rows[i].reason);
    }
}

/* However long the names are that people have given, whatever is written has an end, and who has decided is in it. */
static void test_words_of_any_length(void **state)
{
    (void)state;
    static const struct proof proven = { .dmarc = AUTH_RESULT_PASS };
    char longest[SMTP_ADDRESS_MAX + 1], *reason = malloc(100000);
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    memset(reason, 'y', 99999);
    reason[99999] = '\0';
    struct store_mapping mapping = make_mapping();
    mapping.state = STORE_MAPPING_REVOKED;
    mapping.reason = reason;
    mapping.target_name = longest;
    struct policy_delivery_facts facts = make_facts(&mapping, &proven);
    facts.pair.outside = facts.pair.inside = longest;
    struct policy_verdict verdict = policy_judge_delivery(&facts);
    assert_int_equal(verdict.reply.code, 550);
    assert_non_null(strstr(verdict.reason, BY_ROOT));
    free(reason);
}

/* Who is not proven hears the same, be there a mapping or not: nobody learns by asking who may write to whom. */
static void test_nobody_learns_of_mappings(void **state)
{
    (void)state;
    struct proof temporary = { .is_temporary = true }, failed = { .dmarc = AUTH_RESULT_FAIL };
    const struct proof *const unproven[] = { &temporary, &failed, NULL };
    for (size_t p = 0; p < sizeof unproven / sizeof unproven[0]; p++) {
        struct policy_delivery_facts unknown = make_facts(NULL, unproven[p]);
        struct policy_verdict expected = policy_judge_delivery(&unknown);
        for (int s = STORE_MAPPING_REQUESTED; s <= STORE_MAPPING_EXPIRED; s++) {
            for (int proof = STORE_PROOF_DEFAULT; proof <= STORE_PROOF_NONE; proof++) {
                struct store_mapping mapping = make_mapping();
                mapping.subject = text("bob@example.com");
                mapping.state = (enum store_mapping_state)s;
                mapping.proof = (enum store_proof)proof;
                mapping.max_size = mapping.daily = 1;
                struct policy_delivery_facts facts = make_facts(&mapping, unproven[p]);
                struct policy_verdict verdict = policy_judge_delivery(&facts);
                if (s == STORE_MAPPING_APPROVED && (proof == STORE_PROOF_NONE || proof == STORE_PROOF_DKIM))
                    continue; /* it says itself what is to be proven */
                assert_string_equal(verdict.reply.text, expected.reply.text);
                assert_int_equal(verdict.mapping_id, 0);
            }
        }
    }
}

/* Who has no address that a mapping could be about is neither let in nor kept. */
static void test_nobody_is_not_kept(void **state)
{
    (void)state;
    static const struct proof proven = { .dmarc = AUTH_RESULT_PASS };
    static const char *const addresses[] = { NULL, "" };
    struct policy_delivery_facts facts = make_facts(NULL, &proven);
    facts.hold = POLICY_HOLD_ROOM;
    assert_int_equal(policy_judge_delivery(&facts).decision, POLICY_HOLD);
    assert_int_equal(policy_judge_pair(&facts.pair, 0, true).decision, POLICY_ACCEPT);
    for (size_t i = 0; i < 2; i++) {
        facts.pair.address = addresses[i];
        assert_int_equal(policy_judge_delivery(&facts).decision, POLICY_REJECT);
        assert_int_equal(policy_judge_pair(&facts.pair, 0, true).decision, POLICY_REJECT);
    }
}

static void test_outbound(void **state)
{
    (void)state;
    static const struct {
        enum store_mapping_state state;
        enum store_direction direction;
        int64_t expires_at;
        bool is_queued, may_change;
        const char *reason;
        bool was_suspended;
    } rows[] = {
        { STORE_MAPPING_APPROVED, STORE_DIRECTION_OUT, 0, false, false, NULL },
        { STORE_MAPPING_APPROVED, STORE_DIRECTION_BOTH, INT64_C(1800000000001), false, false, NULL },
        { STORE_MAPPING_APPROVED, STORE_DIRECTION_OUT, INT64_C(1800000000000), false, false,
          "the mapping has expired" },
        { STORE_MAPPING_APPROVED, STORE_DIRECTION_IN, 0, false, false, "the mapping is for incoming mail only" },
        { STORE_MAPPING_SUSPENDED, STORE_DIRECTION_OUT, 0, false, true, "the mapping is suspended" },
        { STORE_MAPPING_SUSPENDED, STORE_DIRECTION_OUT, 0, true, true, "the mapping is suspended" },
        { STORE_MAPPING_REVOKED, STORE_DIRECTION_OUT, 0, true, false, "the mapping was revoked" },
        { STORE_MAPPING_DENIED, STORE_DIRECTION_OUT, 0, false, false, "it was denied" },
        { STORE_MAPPING_REQUESTED, STORE_DIRECTION_OUT, 0, false, false, "there is no mapping" },
        /* taken in time: what has expired since does not stop it; what had expired then does */
        { STORE_MAPPING_EXPIRED, STORE_DIRECTION_OUT, INT64_C(1800000000001), true, false, NULL },
        { STORE_MAPPING_EXPIRED, STORE_DIRECTION_OUT, INT64_C(1800000000001), false, false, "the mapping has expired" },
        { STORE_MAPPING_EXPIRED, STORE_DIRECTION_OUT, INT64_C(1800000000000), true, false, "the mapping has expired" },
        { STORE_MAPPING_EXPIRED, STORE_DIRECTION_OUT, INT64_C(1800000000001), true, false, "the mapping has expired",
          true }, /* nor is a suspended one opened by its end */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct store_mapping mapping = make_mapping();
        mapping.state = rows[i].state;
        mapping.direction = rows[i].direction;
        mapping.expires_at = rows[i].expires_at;
        mapping.was_suspended = rows[i].was_suspended;
        struct policy_delivery_facts facts = make_facts(&mapping, NULL);
        facts.pair.is_queued = rows[i].is_queued;
        struct policy_answer answer;
        assert_int_equal(policy_allows(&facts.pair, STORE_DIRECTION_OUT, &answer), rows[i].reason == NULL);
        assert_int_equal(answer.may_change, rows[i].may_change);
        if (rows[i].reason)
            assert_string_equal(answer.reason, rows[i].reason);
    }
}

/* What refuses somebody refuses them with any detail and in any case: they could write it otherwise. */
static void test_nobody_gets_round_a_refusal(void **state)
{
    (void)state;
    static const struct proof proven = { .dmarc = AUTH_RESULT_PASS };
    static const struct {
        const char *author;
        bool is_let_in;
    } rows[] = { { "bob@example.com", false },      { "bob+x@example.com", false },   { "Bob@example.com", false },
                 { "BOB+x+y@example.com", false },  { "bo@example.com", true },       { "bobby@example.com", true },
                 { "bob@mail.example.com", false }, { "carol+bob@example.com", true } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct store_mapping mappings[2] = { make_mapping(), make_mapping() };
        mappings[1].subject = text("bob@example.com");
        mappings[1].state = STORE_MAPPING_DENIED;
        struct policy_delivery_facts facts = make_facts(mappings, &proven);
        facts.pair.count = 2;
        facts.pair.address = rows[i].author;
        facts.pair.local_case = SMTP_CASE_KEPT;
        assert_int_equal(policy_judge_delivery(&facts).decision == POLICY_ACCEPT, rows[i].is_let_in);
        /* and it is over as soon as there is a new one, for those whom that covers */
        struct store_mapping newer[3] = { mappings[0], mappings[1], mappings[1] };
        newer[2].id = 9;
        newer[2].state = STORE_MAPPING_APPROVED;
        facts.pair.rows = newer;
        facts.pair.count = 3;
        assert_int_equal(policy_judge_delivery(&facts).decision == POLICY_ACCEPT,
                         strcmp(rows[i].author, "bob@mail.example.com") != 0);
    }
}

/* The example of docs/APPROVALS.md, "Who may pass". */
static void test_the_example_of_the_manual(void **state)
{
    (void)state;
    enum { ALICE = 3, CAROL, TEAM };
    static const struct proof proven = { .dmarc = AUTH_RESULT_PASS };
    static const struct {
        const char *subject;
        int64_t member_id;
        enum store_mapping_state state;
        bool subaddresses;
    } mappings[] = {
        { "*@partner.example", ALICE, STORE_MAPPING_APPROVED, false },
        { "*@*.partner.example", 0, STORE_MAPPING_APPROVED, false },
        { "eve@partner.example", 0, STORE_MAPPING_DENIED, false },
        { "bob@example.com", ALICE, STORE_MAPPING_APPROVED, true },
        { "bob@example.com", 0, STORE_MAPPING_SUSPENDED, false },
    };
    static const struct {
        const char *from;
        struct store_target to;
        int decides;
        bool may_pass;
    } rows[] = {
        { "zoe@partner.example", { .member_id = ALICE }, 1, true },
        { "zoe@partner.example", { .member_id = CAROL }, 0, false },
        { "zoe@mail.partner.example", { .member_id = CAROL }, 2, true },
        { "zoe@mail.partner.example", { .group_id = TEAM }, 0, false },
        { "eve@partner.example", { .member_id = ALICE }, 3, false },
        { "eve+x@partner.example", { .member_id = ALICE }, 3, false },
        { "Eve@partner.example", { .member_id = ALICE }, 3, false },
        { "bob+news@example.com", { .member_id = ALICE }, 4, true },
        { "bob@example.com", { .member_id = CAROL }, 5, false },
    };
    struct store_mapping list[6];
    for (size_t i = 0; i < 5; i++) {
        list[i] = make_mapping();
        list[i].id = (int64_t)i + 1;
        list[i].subject = text(mappings[i].subject);
        list[i].target.member_id = mappings[i].member_id;
        list[i].state = mappings[i].state;
        list[i].subaddresses = mappings[i].subaddresses;
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct policy_delivery_facts facts = make_facts(list, &proven);
        facts.pair.count = 5;
        facts.pair.address = rows[i].from;
        facts.pair.target = rows[i].to;
        facts.pair.local_case = SMTP_CASE_KEPT;
        struct policy_verdict verdict = policy_judge_delivery(&facts);
        assert_int_equal(verdict.decision == POLICY_ACCEPT, rows[i].may_pass);
        assert_int_equal(verdict.mapping_id, rows[i].decides);
    }
    /* "would not shut out Zoe: mapping 1 names Alice" */
    list[5] = list[2];
    list[5].subject = text("*@partner.example");
    list[5].id = 6;
    struct policy_delivery_facts facts = make_facts(list, &proven);
    facts.pair.count = 6;
    facts.pair.address = "zoe@partner.example";
    facts.pair.target.member_id = ALICE;
    assert_int_equal(policy_judge_delivery(&facts).mapping_id, 1);
    list[0].state = STORE_MAPPING_REVOKED;
    assert_int_equal(policy_judge_delivery(&facts).decision, POLICY_REJECT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recipient),
        cmocka_unit_test(test_every_kind_of_recipient),
        cmocka_unit_test(test_return_addresses),
        cmocka_unit_test(test_what_comes_back),
        cmocka_unit_test(test_proof),
        cmocka_unit_test(test_unusable_results),
        cmocka_unit_test(test_author),
        cmocka_unit_test(test_loops),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_words_of_any_length),
        cmocka_unit_test(test_nobody_learns_of_mappings),
        cmocka_unit_test(test_nobody_gets_round_a_refusal),
        cmocka_unit_test(test_nobody_is_not_kept),
        cmocka_unit_test(test_outbound),
        cmocka_unit_test(test_the_example_of_the_manual),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
