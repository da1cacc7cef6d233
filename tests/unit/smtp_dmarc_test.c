/* smtp_dmarc_test.c - records, where they are found, alignment, and what passes */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "smtp/dmarc.h"
#include "smtp/public_suffix.h"

static int make_suffixes(void **state)
{
    *state = public_suffixes_new();
    return 0;
}

static int free_suffixes(void **state)
{
    struct public_suffixes *suffixes = *state;
    public_suffixes_free(&suffixes);
    return 0;
}

/* ---- a DNS of a few records ---- */

struct zone {
    const char *name, *texts[3]; /* of a TXT answer; none: the name is there, without */
    enum dns_outcome outcome;    /* DNS_FOUND: as the texts say */
};

static const struct dns_answer *ask_zone(const char *name, enum dns_type type, void *ctx)
{
    static struct dns_record records[3];
    static struct dns_answer answer;
    assert_int_equal(type, DNS_TXT);
    answer = (struct dns_answer){ .outcome = DNS_NO_NAME, .records = records };
    for (const struct zone *zone = ctx; zone->name; zone++) {
        if (strcmp(zone->name, name) != 0)
            continue;
        while (answer.count < 3 && zone->texts[answer.count]) {
            const char *text = zone->texts[answer.count];
            records[answer.count++] = (struct dns_record){ .len = strlen(text), .data = text };
        }
        answer.outcome = zone->outcome != DNS_FOUND ? zone->outcome : answer.count ? DNS_FOUND : DNS_NO_DATA;
    }
    return &answer;
}

/* ---- tests ---- */

static void test_organisations(void **state)
{
    static const struct {
        const char *domain, *organisation;
    } rows[] = {
        { "example.com", "example.com" },
        { "a.b.example.com", "example.com" },
        { "mail.example.co.uk", "example.co.uk" },
        { "co.uk", "co.uk" },
        { "com", "com" },
        { "y.x.github.io", "x.github.io" }, /* customers of one who is no registry */
        { "x.y.kawasaki.jp", "x.y.kawasaki.jp" },
        { "x.city.kawasaki.jp", "city.kawasaki.jp" }, /* an exception of the list */
        { "a.b.unheard-of", "b.unheard-of" },
        { "www.xn--85x722f.xn--55qx5d.cn", "xn--85x722f.xn--55qx5d.cn" },
        { "localhost", "localhost" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(public_suffixes_organisation(*state, rows[i].domain), rows[i].organisation);
}

static void test_records(void **state)
{
    (void)state;
    enum { N = DMARC_POLICY_NONE, Q = DMARC_POLICY_QUARANTINE, R = DMARC_POLICY_REJECT };
    static const struct {
        const char *text;
        int parsed;
        int policy, subdomain;
        bool dkim_strict, spf_strict;
    } rows[] = {
        { "v=DMARC1; p=none", 1, N, N, false, false },
        { "v=DMARC1;p=reject;", 1, R, R, false, false },
        { "V = DMARC1 ; P = Quarantine ; SP=none", 1, Q, N, false, false },
        { "v=DMARC1; p=reject; sp=quarantine; adkim=s; aspf=r; pct=0; rua=mailto:a@example.com!10m", 1, R, Q, true,
          false },
        { "v=DMARC1; p=none; aspf=S", 1, N, N, false, true },
        { "v=DMARC1; np=reject; psd=n; t=y; p=none; x1=a=b", 1, N, N, false, false }, /* tags that nobody knew then */
        { "v=DMARC1; p=none; pct=many; ri=; fo=", 1, N, N, false, false },
        { "v=DMARC1; adkim=relaxed; p=none", 1, N, N, true, false }, /* perhaps more is asked for than is understood */
        /* no DMARC record at all */
        { "v=spf1 -all", 0, N, N, false, false },
        { "", 0, N, N, false, false },
        { "v=DMARC10; p=none", 0, N, N, false, false },
        { "v=dmarc1; p=none", 0, N, N, false, false },
        { "p=none; v=DMARC1", 0, N, N, false, false },
        { "v=DMARC1 p=none", 0, N, N, false, false },
        { "DMARC1; p=none", 0, N, N, false, false },
        /* one that nobody can make out */
        { "v=DMARC1", -1, N, N, false, false },
        { "v=DMARC1; sp=none", -1, N, N, false, false },
        { "v=DMARC1; p=", -1, N, N, false, false },
        { "v=DMARC1; p=block", -1, N, N, false, false },
        { "v=DMARC1; p=none; p=reject", -1, N, N, false, false },
        { "v=DMARC1; p=none; v=DMARC1", -1, N, N, false, false },
        { "v=DMARC1; p=none; sp=what", -1, N, N, false, false },
        { "v=DMARC1; p=none; adkim", -1, N, N, false, false },
        { "v=DMARC1; p=none; =s", -1, N, N, false, false },
        { "v=DMARC1;; p=none", -1, N, N, false, false },
        { "v=DMARC1; p=none; adkim=s, aspf=s; \xc3\xa4=1", -1, N, N, false, false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct dmarc_record record;
        int parsed = dmarc_record_parse(rows[i].text, strlen(rows[i].text), &record);
        if (parsed != rows[i].parsed)
            fail_msg("\"%s\" gives %d", rows[i].text, parsed);
        if (parsed == 1 && ((int)record.policy != rows[i].policy || (int)record.subdomain_policy != rows[i].subdomain ||
                            record.is_dkim_strict != rows[i].dkim_strict || record.is_spf_strict != rows[i].spf_strict))
            fail_msg("\"%s\" is read as something else", rows[i].text);
    }
    struct dmarc_record record;
    assert_int_equal(dmarc_record_parse("v=DMARC1; p=none\0; adkim=s", 26, &record),
                     -1); /* the NUL is part of a value */
}

#define RELAXED "v=DMARC1; p=reject; sp=none"
#define STRICT  "v=DMARC1; p=quarantine; adkim=s; aspf=s"

enum {
    NONE = AUTH_RESULT_NONE,
    PASS = AUTH_RESULT_PASS,
    FAIL = AUTH_RESULT_FAIL,
    TEMP = AUTH_RESULT_TEMPERROR,
    PERM = AUTH_RESULT_PERMERROR,
};
static const struct zone all_zones[] = {
    { "_dmarc.example.com", { RELAXED }, DNS_FOUND },
    { "_dmarc.strict.example", { "some other text", STRICT }, DNS_FOUND },
    { "_dmarc.own.example.com", { STRICT }, DNS_FOUND },
    { "_dmarc.example.net", { RELAXED, STRICT }, DNS_FOUND },
    { "_dmarc.broken.example", { "v=DMARC1; p=what" }, DNS_FOUND },
    { "_dmarc.slow.example", { NULL }, DNS_TEMPORARY },
    { "_dmarc.forged.example", { NULL }, DNS_BOGUS },
    { "_dmarc.xn--bcher-kva.example", { STRICT }, DNS_FOUND },
    { "_dmarc.empty.example", { NULL }, DNS_NO_DATA },
    { NULL, { NULL }, DNS_FOUND },
};
static const struct {
    const char *from;
    int spf;
    const char *spf_domain;
    int dkim[2];
    const char *dkim_domains[2];
    int expected, dkim_expected, spf_expected;
    enum dmarc_published published;
} verdicts[] = {
    /* one that is aligned is enough, and what else there is does not count */
    { "example.com", NONE, "", { PASS }, { "example.com" }, PASS, PASS, NONE, DMARC_RECORD },
    { "example.com", PASS, "example.com", { NONE }, { "" }, PASS, NONE, PASS, DMARC_RECORD },
    { "example.com", TEMP, "example.com", { PASS }, { "example.com" }, PASS, PASS, TEMP, DMARC_RECORD },
    { "example.com",
      FAIL,
      "example.com",
      { PERM, PASS },
      { "example.com", "mail.example.com" },
      PASS,
      PASS,
      FAIL,
      DMARC_RECORD },
    { "example.com",
      FAIL,
      "x.example",
      { PASS, FAIL },
      { "example.com", "example.com" },
      PASS,
      PASS,
      NONE,
      DMARC_RECORD },
    { "EXAMPLE.com", NONE, "", { PASS }, { "example.com" }, PASS, PASS, NONE, DMARC_RECORD },
    /* relaxed: of one organisation, above, below or beside */
    { "news.example.com", PASS, "bounces.example.com", { NONE }, { "" }, PASS, NONE, PASS, DMARC_RECORD },
    { "a.b.example.com", NONE, "", { PASS }, { "example.com" }, PASS, PASS, NONE, DMARC_RECORD },
    { "mail.shop.co.uk", NONE, "", { PASS }, { "other.co.uk" }, FAIL, NONE, NONE, DMARC_NO_RECORD },
    { "x.github.io", NONE, "", { PASS }, { "y.github.io" }, FAIL, NONE, NONE, DMARC_NO_RECORD },
    { "x.github.io", NONE, "", { PASS }, { "github.io" }, FAIL, NONE, NONE, DMARC_NO_RECORD },
    /* somebody else's */
    { "example.com", PASS, "evil.example", { PASS }, { "example.com.evil.example" }, FAIL, NONE, NONE, DMARC_RECORD },
    { "example.com", PASS, "example.comm", { PASS }, { "notexample.com" }, FAIL, NONE, NONE, DMARC_RECORD },
    { "example.com", PASS, "", { PASS }, { NULL }, FAIL, NONE, NONE, DMARC_RECORD },
    { "", PASS, "", { PASS }, { "" }, FAIL, NONE, NONE, DMARC_NO_RECORD },
    /* strict, by the record of the domain itself, not of its organisation where it has one */
    { "strict.example", NONE, "", { PASS }, { "strict.example" }, PASS, PASS, NONE, DMARC_RECORD },
    { "strict.example", PASS, "m.strict.example", { PASS }, { "m.strict.example" }, FAIL, NONE, NONE, DMARC_RECORD },
    { "m.strict.example", NONE, "", { PASS }, { "strict.example" }, FAIL, NONE, NONE, DMARC_RECORD },
    { "own.example.com", NONE, "", { PASS }, { "example.com" }, FAIL, NONE, NONE, DMARC_RECORD },
    { "b\xc3\xbc"
      "cher.example",
      NONE,
      "",
      { PASS },
      { "xn--bcher-kva.example" },
      PASS,
      PASS,
      NONE,
      DMARC_RECORD },
    /* nothing is published: relaxed. What can't be made out may have been strict */
    { "plain.example", NONE, "", { PASS }, { "mail.plain.example" }, PASS, PASS, NONE, DMARC_NO_RECORD },
    { "empty.example", PASS, "empty.example", { NONE }, { "" }, PASS, NONE, PASS, DMARC_NO_RECORD },
    { "example.net", PASS, "m.example.net", { NONE }, { "" }, FAIL, NONE, NONE, DMARC_SEVERAL },
    { "example.net", PASS, "example.net", { NONE }, { "" }, PASS, NONE, PASS, DMARC_SEVERAL },
    { "broken.example", NONE, "", { PASS }, { "m.broken.example" }, FAIL, NONE, NONE, DMARC_MALFORMED },
    { "broken.example", NONE, "", { PASS }, { "broken.example" }, PASS, PASS, NONE, DMARC_MALFORMED },
    /* what could not be asked: later, if it can matter */
    { "example.com", TEMP, "example.com", { FAIL }, { "example.com" }, TEMP, FAIL, TEMP, DMARC_RECORD },
    { "example.com", FAIL, "example.com", { TEMP }, { "example.com" }, TEMP, TEMP, FAIL, DMARC_RECORD },
    { "example.com", TEMP, "evil.example", { FAIL }, { "example.com" }, FAIL, FAIL, NONE, DMARC_RECORD },
    { "slow.example", NONE, "", { PASS }, { "slow.example" }, TEMP, TEMP, NONE, DMARC_UNKNOWN },
    { "forged.example", PASS, "forged.example", { NONE }, { "" }, TEMP, NONE, TEMP, DMARC_UNKNOWN },
    { "m.slow.example", PASS, "slow.example", { NONE }, { "" }, TEMP, NONE, TEMP, DMARC_UNKNOWN },
    { "slow.example", FAIL, "slow.example", { PASS }, { "evil.example" }, FAIL, NONE, FAIL, DMARC_UNKNOWN },
    /* nothing at all */
    { "example.com", NONE, "example.com", { NONE }, { "" }, FAIL, NONE, NONE, DMARC_RECORD },
    { "example.com", PERM, "example.com", { PERM }, { "example.com" }, FAIL, PERM, PERM, DMARC_RECORD },
};

static void test_verdicts(void **state)
{
    for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++) {
        struct dmarc_identifier dkim[2];
        struct dmarc_verdict verdict;
        struct dmarc_request request = { .from_domain = verdicts[i].from,
                                         .spf = { (enum auth_result)verdicts[i].spf, verdicts[i].spf_domain },
                                         .dkim = dkim,
                                         .dkim_count = 2 };
        for (size_t k = 0; k < 2; k++)
            dkim[k] = (struct dmarc_identifier){ (enum auth_result)verdicts[i].dkim[k], verdicts[i].dkim_domains[k] };
        dmarc_check(&request, *state, ask_zone, (void *)(uintptr_t)all_zones, &verdict);
        if (verdict.result != (enum auth_result)verdicts[i].expected ||
            verdict.dkim != (enum auth_result)verdicts[i].dkim_expected ||
            verdict.spf != (enum auth_result)verdicts[i].spf_expected || verdict.published != verdicts[i].published)
            fail_msg("row %zu, %s: %s, DKIM %s, SPF %s, %s", i, verdicts[i].from, auth_result_name(verdict.result),
                     auth_result_name(verdict.dkim), auth_result_name(verdict.spf), verdict.detail);
        assert_int_equal(verdict.aligned[0] != '\0', verdict.result == AUTH_RESULT_PASS);
    }
}

static void test_policy_is_told(void **state)
{
    static const struct zone zones[] = {
        { "_dmarc.example.com", { RELAXED }, DNS_FOUND },
        { NULL, { NULL }, DNS_FOUND },
    };
    static const struct {
        const char *from, *detail;
    } rows[] = {
        { "example.com", "policy reject" },
        { "news.example.com", "policy none" }, /* sp= */
        { "example.net", "no DMARC record" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct dmarc_request request = { .from_domain = rows[i].from };
        struct dmarc_verdict verdict;
        dmarc_check(&request, *state, ask_zone, (void *)(uintptr_t)zones, &verdict);
        assert_string_equal(verdict.detail, rows[i].detail);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_organisations),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_policy_is_told),
    };
    return cmocka_run_group_tests(tests, make_suffixes, free_suffixes);
}
