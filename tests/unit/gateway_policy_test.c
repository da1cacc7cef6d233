/* gateway_policy_test.c - who may pass: the table of verdicts, and that nothing passes without a live mapping and proof */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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
    for (unsigned bits = 0; bits < 1u << 6; bits++) {
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
        };
        struct policy_verdict verdict = policy_judge_recipient(&facts);
        int expected = bits & 16 ? 451 : (bits & 7) != 7 ? 550 : bits & 8 ? 250 : 450;
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
        struct policy_message_facts facts = {
            .hostname = "gw.example.org", .proof_required = CONFIG_PROOF_DMARC, .header = &header, .from_domain = ""
        };
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
    struct policy_message_facts facts = {
        .hostname = "gw.example.org",
        .proof_required = required,
        .proof = &proof,
        .header = &header,
        .from_domain = from_state == MAIL_HEADER_FROM_OK ? "example.com" : "",
    };
    return policy_judge_message(&facts);
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
    struct proof proof = { .is_assumed = true };
    struct policy_message_facts facts = {
        .hostname = "gw.example.org", .proof = &proof, .header = &header, .from_domain = "example.com"
    };
    assert_int_equal(policy_judge_message(&facts).reply.code, 250);
    header.received_count = 101;
    assert_string_equal(policy_judge_message(&facts).reply.enhanced, "5.4.6");
    header.received_count = 0;
    header.loop_marks = &mark;
    header.loop_mark_count = 1;
    assert_string_equal(policy_judge_message(&facts).reply.enhanced, "5.4.6");
    facts.hostname = "other.example.org";
    assert_int_equal(policy_judge_message(&facts).reply.code, 250);
    header.too_long = true;
    assert_int_equal(policy_judge_message(&facts).reply.code, 552);
}

/* Every combination of what a mapping can be: accepted exactly when it is approved, inward, in time and within its limits. */
static void test_every_mapping(void **state)
{
    (void)state;
    const int64_t now = 1000000, expiries[] = { 0, now - 1, now, now + 1 }, sizes[] = { 0, 99, 100 },
                  dailies[] = { 0, 5, 6 };
    unsigned accepted = 0, judged = 0;
    for (int s = STORE_MAPPING_REQUESTED; s <= STORE_MAPPING_REVOKED; s++)
        for (int d = STORE_DIRECTION_IN; d <= STORE_DIRECTION_BOTH; d++)
            for (int e = 0; e < 4; e++)
                for (int z = 0; z < 3; z++)
                    for (int n = 0; n < 3; n++)
                        for (int broken = 0; broken < 2; broken++) {
                            struct store_mapping mapping = { .id = 7,
                                                             .state = (enum store_mapping_state)s,
                                                             .direction = (enum store_direction)d,
                                                             .expires_at = expiries[e],
                                                             .max_size = sizes[z],
                                                             .daily = dailies[n],
                                                             .created_by = (char *)(uintptr_t) "root",
                                                             .decided_by = (char *)(uintptr_t) "" };
                            struct policy_mapping_facts facts = { .from = "bob@example.com",
                                                                  .recipient = "alice@silo.example.org",
                                                                  .mapping = &mapping,
                                                                  .size = 100,
                                                                  .accepted_today = 5,
                                                                  .now = now,
                                                                  .database_failed = broken };
                            bool expected = !broken && s == STORE_MAPPING_APPROVED && d != STORE_DIRECTION_OUT &&
                                            (e == 0 || e == 3) && z != 1 && n != 1;
                            bool got = policy_judge_mapping(&facts).decision == POLICY_ACCEPT;
                            assert_int_equal(got, expected);
                            accepted += got;
                            judged++;
                        }
    assert_int_equal(judged, 5 * 3 * 4 * 3 * 3 * 2);
    assert_int_equal(accepted, 2 * 2 * 2 * 2);
    struct policy_mapping_facts none = { .from = "bob@example.com", .recipient = "alice@silo.example.org", .now = now };
    struct policy_verdict verdict = policy_judge_mapping(&none);
    assert_int_equal(verdict.reply.code, 550);
    assert_string_equal(verdict.reply.text, "<bob@example.com> is not authorised to write to <alice@silo.example.org>");
}

/* Programs that answer each other; what people write is never counted. */
static void test_automatic_mail_is_limited(void **state)
{
    (void)state;
    static const struct {
        bool is_generated;
        unsigned per_hour;
        int64_t so_far;
        bool is_refused;
    } cases[] = {
        { true, 3, 2, false }, { true, 3, 3, true }, { true, 3, 9, true }, { true, 0, 9, false }, { false, 3, 9, false }
    };
    struct store_mapping mapping = { .state = STORE_MAPPING_APPROVED,
                                     .direction = STORE_DIRECTION_IN,
                                     .created_by = (char *)(uintptr_t) "root",
                                     .decided_by = (char *)(uintptr_t) "" };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct policy_mapping_facts facts = { .from = "bob@example.com",
                                              .recipient = "alice@silo.example.org",
                                              .mapping = &mapping,
                                              .is_generated = cases[i].is_generated,
                                              .automatic_per_hour = cases[i].per_hour,
                                              .automatic_this_hour = cases[i].so_far };
        struct policy_verdict verdict = policy_judge_mapping(&facts);
        assert_int_equal(verdict.decision, cases[i].is_refused ? POLICY_REJECT : POLICY_ACCEPT);
        if (cases[i].is_refused)
            assert_string_equal(verdict.reply.enhanced, "5.4.6");
    }
}

static void test_outbound(void **state)
{
    (void)state;
    const char *reason;
    struct store_mapping mapping = { .state = STORE_MAPPING_APPROVED, .direction = STORE_DIRECTION_OUT };
    assert_true(policy_allows_outbound(&mapping, 5, &reason));
    mapping.expires_at = 5;
    assert_false(policy_allows_outbound(&mapping, 5, &reason));
    assert_string_equal(reason, "the mapping has expired");
    mapping.expires_at = 6;
    assert_true(policy_allows_outbound(&mapping, 5, &reason));
    mapping.direction = STORE_DIRECTION_IN;
    assert_false(policy_allows_outbound(&mapping, 5, &reason));
    mapping.direction = STORE_DIRECTION_BOTH;
    mapping.state = STORE_MAPPING_SUSPENDED;
    assert_false(policy_allows_outbound(&mapping, 5, &reason));
    assert_false(policy_allows_outbound(NULL, 5, &reason));
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
        cmocka_unit_test(test_every_mapping),
        cmocka_unit_test(test_automatic_mail_is_limited),
        cmocka_unit_test(test_outbound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
