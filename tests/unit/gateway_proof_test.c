/* gateway_proof_test.c - what is known about who wrote a mail */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/proof.h"
#include "smtp/sender_auth.h"

#define PASSED "mx.test; dmarc=pass header.from=example.com"

/* Reports must not hit somebody who has written nothing. */
static void test_envelope_sender(void **state)
{
    (void)state;
    static const struct {
        const char *sender, *results;
        bool assume, is_proven;
    } rows[] = {
        { "bob@example.com", PASSED, false, true },
        { "BOB@EXAMPLE.COM", PASSED, false, true },
        { "bob+list@example.com", PASSED, false, true },
        { "prvs=1234567890=bob@example.com", PASSED, false, true },
        { "", PASSED, false, false },
        { "", NULL, true, false },
        /* somebody else's, of the same domain: a signed mail can be sent again with any envelope */
        { "carol@example.com", PASSED, false, false },
        { "bob@mail.example.com", PASSED, false, false },
        { "bob@example.net", PASSED, false, false },
        /* the author's address as a forwarder has rewritten it: it goes to the forwarder */
        { "SRS0=HHH=TT=example.com=bob@forwarder.example", PASSED, false, false },
        /* SPF is about the envelope, of whatever domain */
        { "carol@example.com", "mx.test; spf=pass smtp.mailfrom=example.com", false, true },
        { "b17@bounces.example.net", "mx.test; spf=pass smtp.mailfrom=b17@bounces.example.net", false, true },
        { "b17@bounces.example.net", "mx.test; spf=pass smtp.mailfrom=b17@example.net", false, false },
        { "b17@bounces.example.net", "mx.test; spf=softfail smtp.mailfrom=bounces.example.net", false, false },
        { "b17@bounces.example.net",
          "mx.test; spf=pass smtp.mailfrom=bounces.example.net; spf=fail smtp.mailfrom=bounces.example.net", false,
          false },
        { "b17@bounces.example.net", "mx.test; spf=pass smtp.helo=bounces.example.net", false, false },
        { "b17@bounces.example.net", "mx.other; spf=pass smtp.mailfrom=bounces.example.net", false, false },
        /* a trusted network; nothing proven at all */
        { "printer@example.com", NULL, true, true },
        { "printer@example.net", NULL, true, false },
        { "bob@example.com", NULL, false, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *results = (char *)(uintptr_t)rows[i].results;
        struct mail_header_facts header = { .from_state = MAIL_HEADER_FROM_OK,
                                            .from = { .local = "bob", .domain = "example.com" },
                                            .auth_results = &results,
                                            .auth_results_count = results ? 1 : 0 };
        struct proof proof;
        struct smtp_address sender = { .local = "" };
        if (rows[i].sender[0])
            assert_int_equal(smtp_address_parse(rows[i].sender, strlen(rows[i].sender), &sender), 1);
        struct proof_sources sources = {
            .header = &header, .sender = &sender, .assume_authenticated = rows[i].assume, .trust_authserv_id = "mx.test"
        };
        proof_find(&sources, &proof);
        if (proof.is_sender_proven != rows[i].is_proven)
            fail_msg("row %zu: <%s>", i, rows[i].sender);
    }
}

/* A reload may turn a listener that was open to everybody into one for a few who are believed; sessions go on. */
static void test_a_client_from_before_a_reload(void **state)
{
    (void)state;
    static char passed[] = PASSED;
    char *results = passed;
    const struct mail_header_facts header = { .from_state = MAIL_HEADER_FROM_OK,
                                              .from = { .local = "bob", .domain = "example.com" },
                                              .auth_results = &results,
                                              .auth_results_count = 1 };
    const struct smtp_address sender = { .local = "bob", .domain = "example.com" };
    const struct sender_auth_result checked = { .dmarc = AUTH_RESULT_PASS, .dkim = AUTH_RESULT_PASS };
    struct proof_sources sources = { .header = &header, .sender = &sender, .is_unwelcome = true, .checked = &checked };
    struct proof proof;
    proof_find(&sources, &proof);
    assert_int_equal(proof.dmarc, AUTH_RESULT_PASS); /* our own check trusts nobody */
    for (int i = 0; i < 2; i++) {
        sources.assume_authenticated = i == 0;
        sources.trust_authserv_id = i == 1 ? "mx.test" : NULL;
        proof_find(&sources, &proof);
        assert_false(proof.is_assumed || proof.is_sender_proven || proof.dmarc == AUTH_RESULT_PASS);
        assert_true(proof.is_temporary);
    }
}

/* A field that those who remove forged ones may not have taken for one: nobody can tell whose it is. */
static void test_a_field_with_space_before_its_colon(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        bool is_proven, is_unusable;
    } rows[] = {
        { "Authentication-Results: " PASSED "\r\nFrom: bob@example.com\r\n", true, false },
        { "Authentication-Results : " PASSED "\r\nFrom: bob@example.com\r\n", false, true },
        { "Authentication-Results\t: " PASSED "\r\nFrom: bob@example.com\r\n", false, true },
        { "Authentication-Results: " PASSED "\r\nAuthentication-Results : x\r\nFrom: bob@example.com\r\n", true,
          false },
        { "Authentication-Results: other.test; none\r\nAuthentication-Results : " PASSED
          "\r\nFrom: bob@example.com\r\n",
          false, true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct mail_header_facts header;
        struct smtp_address sender = { .local = "bob", .domain = "example.com" };
        struct proof proof;
        mail_header_scan(rows[i].header, strlen(rows[i].header), &header);
        struct proof_sources sources = { .header = &header, .sender = &sender, .trust_authserv_id = "mx.test" };
        proof_find(&sources, &proof);
        assert_int_equal(proof.dmarc == AUTH_RESULT_PASS, rows[i].is_proven);
        assert_int_equal(proof.is_unusable, rows[i].is_unusable);
        mail_header_facts_free(&header);
    }
}

/* What a check of ours has found, and that it counts nowhere but where nobody in front is believed. */
static void test_own_check(void **state)
{
    (void)state;
    static const struct {
        enum auth_result dmarc, dkim;
        bool is_sender_spf_pass, is_sender_proven, is_temporary;
        const char *sealer, *source;
    } rows[] = {
        { AUTH_RESULT_PASS, AUTH_RESULT_NONE, false, true, false, "", "checked here" },
        { AUTH_RESULT_FAIL, AUTH_RESULT_PASS, false, true, false, "", "checked here" },
        { AUTH_RESULT_FAIL, AUTH_RESULT_FAIL, false, false, false, "", "checked here" },
        { AUTH_RESULT_FAIL, AUTH_RESULT_NONE, true, true, false, "", "checked here" },
        { AUTH_RESULT_TEMPERROR, AUTH_RESULT_NONE, false, false, true, "", "checked here" },
        { AUTH_RESULT_PASS, AUTH_RESULT_FAIL, false, true, false, "lists.example", "says lists.example" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sender_auth_result checked = { .dmarc = rows[i].dmarc,
                                              .dkim = rows[i].dkim,
                                              .is_sender_spf_pass = rows[i].is_sender_spf_pass,
                                              .outcome = "SPF fail",
                                              .story = "how it went" };
        struct mail_header_facts header = { .from_state = MAIL_HEADER_FROM_OK,
                                            .from = { .local = "bob", .domain = "example.com" } };
        struct smtp_address sender = { .local = "bob", .domain = "example.com" };
        struct proof_sources sources = { .header = &header, .checked = &checked, .sender = &sender };
        struct proof proof;
        snprintf(checked.sealer, sizeof checked.sealer, "%s", rows[i].sealer);
        proof_find(&sources, &proof);
        assert_int_equal(proof.dmarc, rows[i].dmarc);
        assert_int_equal(proof.dkim, rows[i].dkim);
        assert_int_equal(proof.is_sender_proven, rows[i].is_sender_proven);
        assert_int_equal(proof.is_temporary, rows[i].is_temporary);
        assert_string_equal(proof.source, rows[i].source);
        assert_string_equal(proof.outcome, "SPF fail");
        assert_string_equal(proof.story, "how it went");
        assert_false(proof.is_assumed);

        sources.trust_authserv_id = "mx.test";
        proof_find(&sources, &proof);
        assert_int_equal(proof.dmarc, AUTH_RESULT_NONE);
        sources.trust_authserv_id = NULL;
        header.from_state = MAIL_HEADER_FROM_AMBIGUOUS;
        proof_find(&sources, &proof);
        assert_int_equal(proof.dmarc, AUTH_RESULT_NONE);
        assert_false(proof.is_sender_proven);
    }
}

#define ARC_PASS "mx.test; dmarc=fail header.from=example.com; arc=pass (i=2)"
#define SEEN(i)  "i=" #i "; x.example; dmarc=pass header.from=example.com"
static const struct {
    const char *word, *seals[2], *results[2];
    enum auth_result expected;
} arc_rows[] = {
    { ARC_PASS, { "i=1; cv=none; d=lists.example" }, { SEEN(1) }, AUTH_RESULT_PASS },
    { ARC_PASS,
      { "i=2; cv=pass; d=lists.example", "i=1; cv=none; d=evil.example" },
      { SEEN(2), SEEN(1) },
      AUTH_RESULT_PASS },
    { ARC_PASS,
      { "i=2; cv=pass; d=lists.example", "i=1; cv=none; d=hub.example" },
      { "i=2; x; dmarc=fail header.from=example.com", SEEN(1) },
      AUTH_RESULT_PASS },
    { "mx.test; arc=pass header.oldest-pass=0 smtp.remote-ip=192.0.2.7",
      { "i=1; cv=none; d=lists.example" },
      { SEEN(1) },
      AUTH_RESULT_PASS },
    /* whoever is not trusted may have sealed anything */
    { ARC_PASS, { "i=1; cv=none; d=evil.example" }, { SEEN(1) }, AUTH_RESULT_FAIL },
    { ARC_PASS,
      { "i=2; cv=pass; d=evil.example", "i=1; cv=none; d=lists.example" },
      { SEEN(2), SEEN(1) },
      AUTH_RESULT_FAIL },
    { ARC_PASS,
      { "i=2; cv=pass; d=lists.example", "i=1; cv=none; d=evil.example" },
      { "i=2; x; dmarc=fail header.from=example.com", SEEN(1) },
      AUTH_RESULT_FAIL },
    /* seen to pass for somebody else, or not at all */
    { ARC_PASS,
      { "i=1; cv=none; d=lists.example" },
      { "i=1; x; dmarc=pass header.from=evil.example" },
      AUTH_RESULT_FAIL },
    { ARC_PASS,
      { "i=1; cv=none; d=lists.example" },
      { "i=1; x; spf=pass; dkim=pass header.d=example.com" },
      AUTH_RESULT_FAIL },
    { ARC_PASS,
      { "i=1; cv=none; d=lists.example" },
      { "i=1; (x; dmarc=pass header.from=example.com" },
      AUTH_RESULT_FAIL },
    /* the upstream does not say so */
    { "mx.test; dmarc=fail header.from=example.com; arc=fail",
      { "i=1; cv=none; d=lists.example" },
      { SEEN(1) },
      AUTH_RESULT_FAIL },
    { "mx.test; dmarc=fail header.from=example.com; arc=pass; arc=fail",
      { "i=1; cv=none; d=lists.example" },
      { SEEN(1) },
      AUTH_RESULT_FAIL },
    { "mx.test; dmarc=fail header.from=example.com",
      { "i=1; cv=none; d=lists.example" },
      { SEEN(1) },
      AUTH_RESULT_FAIL },
    { "other.test; arc=pass", { "i=1; cv=none; d=lists.example" }, { SEEN(1) }, AUTH_RESULT_NONE },
    { ARC_PASS, { NULL }, { NULL }, AUTH_RESULT_FAIL },
};

/* An upstream says that a chain is good; it counts if the newest sealers are trusted, and by what the oldest of them has seen. */
static void test_arc_by_an_upstreams_word(void **state)
{
    (void)state;
    static const char *const trusted[] = { "lists.example", "hub.example" };
    for (size_t i = 0; i < sizeof arc_rows / sizeof arc_rows[0]; i++) {
        char *word = (char *)(uintptr_t)arc_rows[i].word;
        size_t count = arc_rows[i].seals[0] == NULL ? 0 : arc_rows[i].seals[1] ? 2 : 1;
        struct mail_header_facts header = { .from_state = MAIL_HEADER_FROM_OK,
                                            .from = { .local = "bob", .domain = "example.com" },
                                            .auth_results = &word,
                                            .auth_results_count = 1,
                                            .arc_seals = (char **)(uintptr_t)arc_rows[i].seals,
                                            .arc_seal_count = count,
                                            .arc_results = (char **)(uintptr_t)arc_rows[i].results,
                                            .arc_result_count = count };
        struct smtp_address sender = { .local = "bob", .domain = "example.com" };
        struct proof_sources sources = {
            .header = &header, .sender = &sender, .sealers = trusted, .sealer_count = 2, .trust_authserv_id = "mx.test"
        };
        struct proof proof;
        proof_find(&sources, &proof);
        if (proof.dmarc != arc_rows[i].expected)
            fail_msg("row %zu: %s, %s", i, auth_result_name(proof.dmarc), proof.story);
        sources.sealer_count = 0;
        proof_find(&sources, &proof);
        assert_int_not_equal(proof.dmarc, AUTH_RESULT_PASS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_envelope_sender),
        cmocka_unit_test(test_a_client_from_before_a_reload),
        cmocka_unit_test(test_a_field_with_space_before_its_colon),
        cmocka_unit_test(test_own_check),
        cmocka_unit_test(test_arc_by_an_upstreams_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
