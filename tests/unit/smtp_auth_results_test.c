/* Tests of auth_results: what a trusted upstream's Authentication-Results says, and what it does not prove. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "smtp/auth_results.h"

/* The rows are judged for the From domain example.com. */
static const struct {
    const char *value;
    int parsed;
    enum auth_result dmarc;
} dmarc_cases[] = {
    { "mx.example.org; dmarc=pass header.from=example.com", 1, AUTH_RESULT_PASS },
    { "mx.example.org; dmarc=PASS header.from=Example.COM", 1, AUTH_RESULT_PASS },
    { "mx.example.org;dmarc=pass (p=reject dis=none) header.from=example.com", 1, AUTH_RESULT_PASS },
    { "mx.example.org 1; dmarc=pass header.from=example.com", 1, AUTH_RESULT_PASS },
    { "(a) mx.example.org (b) 1 (c) ; (d) dmarc (e) / (f) 1 (g) = (h) pass (i) reason (j) = (k) \"x;y\" (l) "
      "header (m) . (n) from (o) = (p) example.com (q)",
      1, AUTH_RESULT_PASS },
    { "\"mx.example.org\"; dmarc=pass header.from=\"example.com\"", 1, AUTH_RESULT_PASS },
    { "mx.example.org; dkim=pass header.d=example.com; dmarc=pass header.from=example.com;", 1, AUTH_RESULT_PASS },
    { "mx.example.org; dmarc=pass action=none header.from=example.com; compauth=pass reason=100", 1, AUTH_RESULT_PASS },
    { "mx.example.org; dmarc=pass header.from=example.com header.from=example.com", 1, AUTH_RESULT_PASS },

    { "mx.example.org; dmarc=pass", 1, AUTH_RESULT_OTHER },
    { "mx.example.org; dmarc=pass header.from=evil.example", 1, AUTH_RESULT_OTHER },
    { "mx.example.org; dmarc=pass header.from=sub.example.com", 1, AUTH_RESULT_OTHER },
    { "mx.example.org; dmarc=pass header.d=example.com", 1, AUTH_RESULT_OTHER },
    { "mx.example.org; dmarc/2=pass header.from=example.com", 1, AUTH_RESULT_OTHER },
    { "mx.example.org; dmarc=bestguesspass header.from=example.com", 1, AUTH_RESULT_OTHER },
    { "mx.example.org; dmarc=fail header.from=example.com", 1, AUTH_RESULT_FAIL },
    { "mx.example.org; dmarc=temperror header.from=example.com", 1, AUTH_RESULT_TEMPERROR },
    { "mx.example.org; dmarc=permerror header.from=example.com", 1, AUTH_RESULT_PERMERROR },
    { "mx.example.org; dmarc=none header.from=example.com", 1, AUTH_RESULT_NONE },
    { "mx.example.org; dmarc=pass header.from=example.com; dmarc=fail header.from=example.com", 1, AUTH_RESULT_FAIL },
    { "mx.example.org; dmarc=fail header.from=example.com; dmarc=pass header.from=example.com", 1, AUTH_RESULT_FAIL },
    { "mx.example.org; dmarc=pass header.from=example.com; dmarc=none", 1, AUTH_RESULT_NONE },
    { "mx.example.org; spf=pass smtp.mailfrom=example.com; dkim=pass header.d=example.com", 1, AUTH_RESULT_NONE },
    { "mx.example.org; x-dmarc=pass header.from=example.com", 1, AUTH_RESULT_NONE },
    { "mx.example.org; none", 1, AUTH_RESULT_NONE },
    { "mx.example.org 1 ; none (nothing done)", 1, AUTH_RESULT_NONE },

    /* What a stranger may have smuggled into a value is not a result. */
    { "mx.example.org; spf=none smtp.mailfrom=\"x; dmarc=pass header.from=example.com\"", 1, AUTH_RESULT_NONE },
    { "mx.example.org; spf=none (x; dmarc=pass header.from=example.com) smtp.mailfrom=a", 1, AUTH_RESULT_NONE },
    { "mx.example.org; spf=fail smtp.mailfrom=a@b; dmarc=fail reason=\"\\\"; dmarc=pass header.from=example.com\"", 1,
      AUTH_RESULT_FAIL },

    { "", -1, AUTH_RESULT_NONE },
    { "mx.example.org", -1, AUTH_RESULT_NONE },
    { "mx.example.org;", -1, AUTH_RESULT_NONE },
    { "mx.example.org 2; dmarc=pass header.from=example.com", -1, AUTH_RESULT_NONE },
    { "mx.example.org x; dmarc=pass header.from=example.com", -1, AUTH_RESULT_NONE },
    { "dmarc=pass header.from=example.com", -1, AUTH_RESULT_NONE },
    { "; dmarc=pass header.from=example.com", -1, AUTH_RESULT_NONE },
    { "mx.example.org; dmarc", -1, AUTH_RESULT_NONE },
    { "mx.example.org; dmarc=", -1, AUTH_RESULT_NONE },
    { "mx.example.org; =pass", -1, AUTH_RESULT_NONE },
    { "mx.example.org; dmarc=pass header.from", -1, AUTH_RESULT_NONE },
    { "mx.example.org; dmarc=pass header.=example.com", -1, AUTH_RESULT_NONE },
    { "mx.example.org; dmarc=pass header.from=", -1, AUTH_RESULT_NONE },
    { "mx.example.org; dmarc=pass header.from=\"example.com", -1, AUTH_RESULT_NONE },
    { "mx.example.org; dmarc=pass (header.from=example.com", -1, AUTH_RESULT_NONE },
    { "mx.example.org; dmarc=pass header.from=example.com header.from=evil.example", -1, AUTH_RESULT_NONE },
    { "mx.example.org; dmarc=pass header.from=example.com evil", -1, AUTH_RESULT_NONE },
    { "mx.example.org; dmarc=pass header.from=example.com;; spf=pass", -1, AUTH_RESULT_NONE },
    { "mx.example.org; dmarc=pass; none", -1, AUTH_RESULT_NONE },
    { "mx.example.org; none; dmarc=pass header.from=example.com", -1, AUTH_RESULT_NONE },
    { "mx.example.org, dmarc=pass header.from=example.com", -1, AUTH_RESULT_NONE },
    { "mx.example.org; dmarc=pass header.from=example.com\"x\"", -1, AUTH_RESULT_NONE },
};

static void judges_dmarc(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof dmarc_cases / sizeof dmarc_cases[0]; i++) {
        struct auth_results results;
        print_message("%s\n", dmarc_cases[i].value);
        assert_int_equal(auth_results_parse(dmarc_cases[i].value, strlen(dmarc_cases[i].value), &results),
                         dmarc_cases[i].parsed);
        if (dmarc_cases[i].parsed == 1)
            assert_string_equal(results.authserv_id, "mx.example.org");
        else
            assert_int_equal(results.count, 0);
        assert_int_equal(auth_results_dmarc(&results, "example.com"), dmarc_cases[i].dmarc);
    }
}

/* Whose field it is can be said of malformed ones, too. */
static const struct {
    const char *value;
    int parsed;
    const char *id;
    bool is_plain;
} id_cases[] = {
    { "MX.Test; none", 1, "mx.test", true },
    { " \t mx.test (a) 1; none", 1, "mx.test", true },
    { "\"mx.test\"; none", 1, "mx.test", false },
    { "\"mx\\.test\"; none", 1, "mx.test", false },
    { "(a) mx.test; none", 1, "mx.test", false },
    { "mx.test.; none", 1, "mx.test.", true },

    { "mx.test", -1, "mx.test", true },
    { "mx.test 2; none", -1, "mx.test", true },
    { "mx.test (a; none", -1, "mx.test", true },
    { "mx.test; spf=pass (a(b) smtp.mailfrom=bob@example.com", -1, "mx.test", true },
    { "mx.test; spf=none smtp.mailfrom=a\\b@evil.test", -1, "mx.test", true },
    { "mx.test; spf=none smtp.helo=((((", -1, "mx.test", true },
    { "mx.test; spf=none smtp.mailfrom=; dmarc=pass header.from=example.com", -1, "mx.test", true },
    { "mx.test; dkim=pass header.s=x\"y; dmarc=pass header.from=example.com", -1, "mx.test", true },
    { "\"mx.test\"; dmarc", -1, "mx.test", false },
    { "(a) mx.test; dmarc", -1, "mx.test", false },

    { "", -1, "", false },
    { "(a mx.test; none", -1, "", false },
    { "\"mx.test; none", -1, "", false },
    { "\"\"; none", -1, "", false },
    { "; none", -1, "", false },
    { "spf=pass smtp.mailfrom=example.com; none", -1, "", false },
    { "mx\xff.test; none", -1, "", false },
};

static void tells_whose_field_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof id_cases / sizeof id_cases[0]; i++) {
        struct auth_results results;
        print_message("%s\n", id_cases[i].value);
        assert_int_equal(auth_results_parse(id_cases[i].value, strlen(id_cases[i].value), &results),
                         id_cases[i].parsed);
        assert_string_equal(results.authserv_id, id_cases[i].id);
        assert_int_equal(results.id_is_plain, id_cases[i].is_plain);
        assert_int_equal(results.count, 0);
    }
}

static void keeps_methods_and_properties(void **state)
{
    (void)state;
    static const char value[] =
        "MX.example.org; dkim=pass (2048-bit key) header.d=Example.com header.i=@example.com header.b=AbC/dE+f=;"
        " spf=softfail (mx: domain of transitioning) smtp.mailfrom=\"Bob Smith\"@example.com;"
        " x-a-method-with-a-name-longer-than-any=pass; iprev=pass policy.iprev=192.0.2.1 (bob.example.com)";
    struct auth_results results;
    assert_int_equal(auth_results_parse(value, sizeof value - 1, &results), 1);
    assert_string_equal(results.authserv_id, "mx.example.org");
    assert_int_equal(results.count, 4);
    assert_string_equal(results.methods[0].method, "dkim");
    assert_int_equal(results.methods[0].result, AUTH_RESULT_PASS);
    assert_string_equal(results.methods[0].header_d, "example.com");
    assert_string_equal(results.methods[1].method, "spf");
    assert_int_equal(results.methods[1].result, AUTH_RESULT_OTHER);
    assert_string_equal(results.methods[1].result_text, "softfail");
    assert_string_equal(results.methods[1].smtp_mailfrom, "\"bob smith\"@example.com");
    assert_string_equal(results.methods[2].method, "");
    assert_int_equal(results.methods[2].result, AUTH_RESULT_OTHER);
    assert_string_equal(results.methods[3].method, "iprev");
}

static void refuses_what_does_not_fit(void **state)
{
    (void)state;
    struct strbuf text;
    struct auth_results results;
    strbuf_init(&text, 100000);
    strbuf_add_str(&text, "mx.example.org; dmarc=pass header.from=");
    for (int i = 0; i < SMTP_DOMAIN_MAX + 1; i++)
        strbuf_add_char(&text, 'a');
    assert_int_equal(auth_results_parse(text.data, text.len, &results), -1);
    strbuf_truncate(&text, text.len - 1);
    assert_int_equal(auth_results_parse(text.data, text.len, &results), 1);

    strbuf_clear(&text);
    strbuf_add_str(&text, "mx.example.org");
    for (int i = 0; i < AUTH_RESULTS_METHODS_MAX + 8; i++)
        strbuf_add_str(&text, "; dkim=fail");
    assert_int_equal(auth_results_parse(text.data, text.len, &results), 1);
    assert_int_equal(results.count, AUTH_RESULTS_METHODS_MAX);

    static const char with_nul[] = "mx.example.org; dmarc=pass header.from=example.com\0.evil";
    assert_int_equal(auth_results_parse(with_nul, sizeof with_nul - 1, &results), -1);
    assert_string_equal(results.authserv_id, "");
    strbuf_free(&text);
}

/* As programs and providers write them (names changed), of a mail that was forwarded and sealed. */
static void reads_what_others_write(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        enum auth_result dmarc, dkim, arc;
    } rows[] = {
        /* Google */
        { "mx.google.com; dkim=pass header.i=@lists.example header.s=s1 header.b=QKzYfTXd; dkim=fail "
          "header.i=@example.com "
          "header.s=k1 header.b=abcdefgh; arc=pass (i=2 spf=pass spfdomain=example.com dkim=pass dkdomain=example.com "
          "dmarc=pass fromdomain=example.com); spf=pass (google.com: domain of bounces@lists.example designates "
          "192.0.2.7 as "
          "permitted sender) smtp.mailfrom=bounces@lists.example; dmarc=fail (p=REJECT sp=REJECT dis=NONE arc=pass) "
          "header.from=example.com",
          AUTH_RESULT_FAIL, AUTH_RESULT_NONE, AUTH_RESULT_PASS },
        /* Microsoft */
        { "spf=pass (sender IP is 192.0.2.7) smtp.mailfrom=lists.example; dkim=pass (signature was verified) "
          "header.d=lists.example;"
          "dmarc=fail action=oreject header.from=example.com;compauth=pass reason=130",
          AUTH_RESULT_NONE, AUTH_RESULT_NONE, AUTH_RESULT_NONE }, /* has no id, and says nothing to us */
        { "mx.microsoft.example 1; spf=pass smtp.mailfrom=example.com; dmarc=pass action=none header.from=example.com; "
          "dkim=pass "
          "header.d=example.com; arc=pass (0 oda=1 ltdi=1 spf=[1,1,smtp.mailfrom=example.com] "
          "dkim=[1,1,header.d=example.com] "
          "dmarc=[1,1,header.from=example.com])",
          AUTH_RESULT_PASS, AUTH_RESULT_PASS, AUTH_RESULT_PASS },
        /* rspamd */
        { "mx.example.org; dkim=pass header.d=example.com header.s=s1 header.b=\"dvU/dgZ+\"; arc=pass "
          "(\"lists.example:s=arc-2016:i=2\"); spf=pass (mx.example.org: domain of a@example.com designates 192.0.2.1 "
          "as permitted "
          "sender) smtp.mailfrom=a@example.com; dmarc=pass (policy=none) header.from=example.com",
          AUTH_RESULT_PASS, AUTH_RESULT_PASS, AUTH_RESULT_PASS },
        /* OpenDMARC, OpenARC */
        { "mx.example.org; dmarc=pass (p=none dis=none) header.from=example.com", AUTH_RESULT_PASS, AUTH_RESULT_NONE,
          AUTH_RESULT_NONE },
        { "mx.example.org; arc=pass header.oldest-pass=0 smtp.remote-ip=192.0.2.7", AUTH_RESULT_NONE, AUTH_RESULT_NONE,
          AUTH_RESULT_PASS },
        /* python3-authheaders */
        { "mx.example.org; spf=none smtp.helo=mx.lists.example; arc=pass (as.1.lists.example=pass, "
          "ams.1.lists.example=pass) "
          "header.ams-d=lists.example header.ams-s=s1 header.as-d=lists.example header.as-s=s1 cv=pass",
          AUTH_RESULT_NONE, AUTH_RESULT_NONE, AUTH_RESULT_PASS },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct auth_results results;
        enum auth_result arc = AUTH_RESULT_NONE;
        (void)!auth_results_parse(rows[i].value, strlen(rows[i].value), &results);
        for (size_t k = 0; k < results.count; k++)
            if (strcmp(results.methods[k].method, "arc") == 0)
                arc = results.methods[k].result;
        if (auth_results_dmarc(&results, "example.com") != rows[i].dmarc ||
            auth_results_dkim(&results, "example.com") != rows[i].dkim || arc != rows[i].arc)
            fail_msg("row %zu: DMARC %s, DKIM %s, ARC %s", i,
                     auth_result_name(auth_results_dmarc(&results, "example.com")),
                     auth_result_name(auth_results_dkim(&results, "example.com")), auth_result_name(arc));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_dmarc),
        cmocka_unit_test(tells_whose_field_it_is),
        cmocka_unit_test(keeps_methods_and_properties),
        cmocka_unit_test(refuses_what_does_not_fit),
        cmocka_unit_test(reads_what_others_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
