/* smtp_sender_auth_test.c - SPF, DKIM and DMARC together: what proves the author, who is asked for it, and what is said of it
 *
 * The mail is the one of RFC 8463 appendix A.3, signed by football.example.com, here with its Ed25519 signature only.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "smtp/public_suffix.h"
#include "smtp/sender_auth.h"
#include "tests/unit/smtp_dkim_zone.h"

#define SIGNATURE                                                                                                      \
    "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"                                                    \
    " d=football.example.com; i=@football.example.com;\r\n"                                                            \
    " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"                                                          \
    " subject : date : message-id : from : subject : date;\r\n"                                                        \
    " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"                                                            \
    " b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n"                                                  \
    " Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n"
#define MAIL                                                                                                           \
    "From: Joe SixPack <joe@football.example.com>\r\n"                                                                 \
    "To: Suzie Q <suzie@shopping.example.net>\r\n"                                                                     \
    "Subject: Is dinner ready?\r\n"                                                                                    \
    "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"                                                                  \
    "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"                                                 \
    "\r\n"                                                                                                             \
    "Hi.\r\n"                                                                                                          \
    "\r\n"                                                                                                             \
    "We lost the game.  Are you hungry yet?\r\n"                                                                       \
    "\r\n"                                                                                                             \
    "Joe.\r\n"

static const char signed_mail[] = SIGNATURE MAIL, plain_mail[] = MAIL, changed_mail[] = SIGNATURE MAIL "P.S.\r\n";

#define KEY_NAME "brisbane._domainkey.football.example.com"
#define KEY      "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
#define OWN_SPF                                                                                                        \
    {                                                                                                                  \
        "football.example.com", DNS_FOUND,                                                                             \
        {                                                                                                              \
            "v=spf1 ip4:192.0.2.1 -all"                                                                                \
        }                                                                                                              \
    }
#define OWN_KEY                                                                                                        \
    {                                                                                                                  \
        KEY_NAME, DNS_FOUND,                                                                                           \
        {                                                                                                              \
            KEY                                                                                                        \
        }                                                                                                              \
    }

static const struct zone_row all[] = {
    OWN_KEY, OWN_SPF, { "list.example", DNS_FOUND, { "v=spf1 ip4:192.0.2.7 -all" } }, { 0 }
};
static const struct zone_row strict[] = {
    OWN_KEY, OWN_SPF, { "_dmarc.example.com", DNS_FOUND, { "v=DMARC1; p=reject; adkim=s" } }, { 0 }
};
static const struct zone_row no_key[] = { { KEY_NAME, DNS_TEMPORARY, { NULL } }, OWN_SPF, { 0 } };
static const struct zone_row no_spf[] = { OWN_KEY, { "football.example.com", DNS_TEMPORARY, { NULL } }, { 0 } };
static const struct zone_row no_policy[] = {
    OWN_KEY, OWN_SPF, { "_dmarc.football.example.com", DNS_TEMPORARY, { NULL } }, { 0 }
};
static const struct zone_row broken_list[] = { OWN_KEY, OWN_SPF, { "list.example", DNS_TEMPORARY, { NULL } }, { 0 } };

enum {
    PASS = AUTH_RESULT_PASS,
    FAIL = AUTH_RESULT_FAIL,
    TEMP = AUTH_RESULT_TEMPERROR,
    NONE = AUTH_RESULT_NONE,
};

static const struct {
    const char *mail, *from, *client, *sender_local, *sender_domain, *helo;
    const struct zone_row *rows;
    int dmarc, dkim;
    bool is_sender_spf_pass;
    const char *text;
} rows[] = {
    /* by the signature, by the client, by both */
    { signed_mail, "football.example.com", "", "joe", "football.example.com", "", all, PASS, PASS, false,
      "gw.example.org; dmarc=pass reason=\"no DMARC record\" header.from=football.example.com; "
      "dkim=pass header.d=football.example.com header.s=brisbane header.b=\"/gCrinpc\"" },
    { plain_mail, "football.example.com", "192.0.2.1", "joe", "football.example.com", "", all, PASS, NONE, true,
      "spf=pass" },
    { signed_mail, "FOOTBALL.example.com", "192.0.2.1", "joe", "football.example.com", "", all, PASS, PASS, true,
      "smtp.mailfrom=football.example.com" },
    { plain_mail, "football.example.com", "192.0.2.1", "", "", "football.example.com", all, PASS, NONE, false,
      "smtp.helo=football.example.com" },
    /* of one organisation, unless that says no */
    { signed_mail, "example.com", "", "joe", "example.com", "", all, PASS, PASS, false, "dmarc=pass" },
    { signed_mail, "example.com", "", "joe", "example.com", "", strict, FAIL, NONE, false,
      "dmarc=fail reason=\"policy reject, DKIM strict\" header.from=example.com" },
    /* changed on the way, or brought by somebody else */
    { changed_mail, "football.example.com", "192.0.2.9", "joe", "football.example.com", "", all, FAIL, FAIL, false,
      "dkim=fail" },
    { changed_mail, "football.example.com", "192.0.2.1", "joe", "football.example.com", "", all, PASS, FAIL, true,
      "spf=pass" },
    { signed_mail, "football.example.com", "192.0.2.9", "joe", "football.example.com", "", all, PASS, PASS, false,
      "spf=fail" },
    { plain_mail, "football.example.com", "", "joe", "football.example.com", "", all, FAIL, NONE, false, "dkim=none" },
    /* a list's envelope: no proof of the author, but where reports may go once the author is proven */
    { signed_mail, "football.example.com", "192.0.2.7", "bounces", "list.example", "", all, PASS, PASS, true,
      "smtp.mailfrom=list.example" },
    { plain_mail, "football.example.com", "192.0.2.7", "bounces", "list.example", "", all, FAIL, NONE, false,
      "dkim=none" },
    { signed_mail, "football.example.com", "192.0.2.7", "bounces", "list.example", "", broken_list, PASS, PASS, false,
      "spf=temperror" },
    /* somebody else's signature */
    { signed_mail, "example.net", "", "joe", "example.net", "", all, FAIL, NONE, false,
      "dkim=policy reason=\"not of the author's organisation, not looked at\" header.d=football.example.com" },
    { signed_mail, "shop.example", "192.0.2.1", "joe", "football.example.com", "", all, FAIL, NONE, false,
      "header.from=shop.example" },
    /* what can't be asked now: later, if it matters */
    { signed_mail, "football.example.com", "192.0.2.9", "joe", "football.example.com", "", no_key, TEMP, TEMP, false,
      "dkim=temperror" },
    { signed_mail, "football.example.com", "192.0.2.1", "joe", "football.example.com", "", no_key, PASS, TEMP, true,
      "dkim=temperror" },
    { signed_mail, "football.example.com", "192.0.2.1", "joe", "football.example.com", "", no_spf, PASS, PASS, false,
      "spf=temperror" },
    { plain_mail, "football.example.com", "192.0.2.1", "joe", "football.example.com", "", no_spf, TEMP, NONE, false,
      "spf=temperror" },
    { signed_mail, "football.example.com", "192.0.2.1", "joe", "football.example.com", "", no_policy, TEMP, TEMP, true,
      "dmarc=temperror" },
};

/* The mail stands behind something else in its file, as it does behind our Received field. */
static int check(size_t i, struct zone *zone, const struct public_suffixes *suffixes, struct sender_auth_result *result)
{
    static const char before[] = "Received: from somewhere\r\n";
    int fd = memfd_create("mail", MFD_CLOEXEC);
    size_t len = strlen(rows[i].mail);
    assert_int_equal(write(fd, before, strlen(before)), strlen(before));
    assert_int_equal(write(fd, rows[i].mail, len), len);
    struct sender_auth_request request = {
        .fd = fd,
        .offset = (int64_t)strlen(before),
        .size = (int64_t)len,
        .client = rows[i].client,
        .helo = rows[i].helo,
        .from_domain = rows[i].from,
        .hostname = "gw.example.org",
        .now = INT64_C(1793600000000),
    };
    snprintf(request.sender.local, sizeof request.sender.local, "%s", rows[i].sender_local);
    snprintf(request.sender.domain, sizeof request.sender.domain, "%s", rows[i].sender_domain);
    int checked = sender_auth_check(&request, suffixes, zone_ask, zone, result);
    close(fd);
    return checked;
}

static void what_proves_the_author(void **state)
{
    (void)state;
    struct public_suffixes *suffixes = public_suffixes_new();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct zone zone = { .rows = rows[i].rows };
        struct sender_auth_result result;
        struct auth_results parsed;
        assert_int_equal(check(i, &zone, suffixes, &result), 1);
        if ((int)result.dmarc != rows[i].dmarc || (int)result.dkim != rows[i].dkim ||
            result.is_sender_spf_pass != rows[i].is_sender_spf_pass || !strstr(result.text, rows[i].text))
            fail_msg("row %zu: DMARC %s, DKIM %s, sender %d: %s", i, auth_result_name(result.dmarc),
                     auth_result_name(result.dkim), result.is_sender_spf_pass, result.text);
        /* what we write we would believe */
        assert_int_equal(auth_results_parse(result.text, strlen(result.text), &parsed), 1);
        assert_string_equal(parsed.authserv_id, "gw.example.org");
        assert_int_equal(auth_results_dmarc(&parsed, rows[i].from), result.dmarc);
        assert_true(result.story[0]);
    }
    public_suffixes_free(&suffixes);
}

static void strangers_name_servers_are_not_asked(void **state)
{
    (void)state;
    static const struct zone_row nothing[] = { { 0 } };
    struct public_suffixes *suffixes = public_suffixes_new();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].from, "shop.example") != 0)
            continue;
        struct zone zone = { .rows = nothing };
        struct sender_auth_result result;
        assert_int_equal(check(i, &zone, suffixes, &result), 1);
        assert_int_equal(zone.asked, 1); /* _dmarc.shop.example, but no key and no SPF record of another */
    }
    public_suffixes_free(&suffixes);
}

/* As the worker's asker is when its time is over. */
static const struct dns_answer *ask_until_spf(const char *name, enum dns_type type, void *ctx)
{
    static const struct dns_answer too_late = { .outcome = DNS_TEMPORARY };
    struct zone *zone = ctx;
    if (strcmp(name, "football.example.com") == 0)
        zone->rows = NULL;
    return zone->rows ? zone_ask(name, type, zone) : &too_late;
}

static void spf_that_uses_up_the_time_does_not_spoil_a_signature(void **state)
{
    (void)state;
    struct public_suffixes *suffixes = public_suffixes_new();
    struct zone zone = { .rows = all };
    int fd = memfd_create("mail", MFD_CLOEXEC);
    assert_int_equal(write(fd, signed_mail, strlen(signed_mail)), strlen(signed_mail));
    struct sender_auth_request request = { .fd = fd,
                                           .size = sizeof signed_mail - 1,
                                           .client = "192.0.2.1",
                                           .helo = "",
                                           .sender = { .local = "joe", .domain = "football.example.com" },
                                           .from_domain = "football.example.com",
                                           .hostname = "gw.example.org",
                                           .now = INT64_C(1793600000000) };
    struct sender_auth_result result;
    assert_int_equal(sender_auth_check(&request, suffixes, ask_until_spf, &zone, &result), 1);
    assert_null(zone.rows); /* it was asked for, since reports may go there */
    assert_int_equal(result.dmarc, AUTH_RESULT_PASS);
    close(fd);
    public_suffixes_free(&suffixes);
}

#define BODY_DIGEST "bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8="
#define SEALED(DOMAIN)                                                                                                 \
    "ARC-Seal: i=1; a=ed25519-sha256; cv=none; d=" DOMAIN "; s=a; b=AAAA\r\n"                                          \
    "ARC-Message-Signature: i=1; a=ed25519-sha256; c=relaxed/relaxed; d=" DOMAIN                                       \
    "; s=a; h=from:subject:date; " BODY_DIGEST "; b=AAAA\r\n"                                                          \
    "ARC-Authentication-Results: i=1; mx." DOMAIN "; dmarc=pass header.from=football.example.com\r\n" MAIL

static void seals_of_strangers_are_not_looked_at(void **state)
{
    (void)state;
    static const char *const mails[] = { SEALED("evil.example"), SEALED("lists.example") };
    static const char *const sealers[] = { "lists.example" };
    static const struct zone_row nothing[] = { { 0 } };
    struct public_suffixes *suffixes = public_suffixes_new();
    for (size_t i = 0; i < 2; i++) {
        struct zone zone = { .rows = nothing };
        struct sender_auth_result result;
        int fd = memfd_create("mail", MFD_CLOEXEC);
        assert_int_equal(write(fd, mails[i], strlen(mails[i])), strlen(mails[i]));
        struct sender_auth_request request = { .fd = fd,
                                               .size = (int64_t)strlen(mails[i]),
                                               .client = "",
                                               .helo = "",
                                               .from_domain = "football.example.com",
                                               .hostname = "gw.example.org",
                                               .sealers = sealers,
                                               .sealer_count = 1 };
        assert_int_equal(sender_auth_check(&request, suffixes, zone_ask, &zone, &result), 1);
        assert_int_equal(result.dmarc, AUTH_RESULT_FAIL);
        assert_int_equal(zone.asked, 2 + i); /* two for the author's policy; a key */
        assert_non_null(strstr(result.text, i == 0 ? "arc=policy reason=\"sealed by nobody" : "arc=fail"));
        close(fd);
    }
    public_suffixes_free(&suffixes);
}

static void a_file_that_is_too_short_proves_nothing(void **state)
{
    (void)state;
    struct public_suffixes *suffixes = public_suffixes_new();
    struct zone zone = { .rows = all };
    int fd = memfd_create("mail", MFD_CLOEXEC);
    assert_int_equal(write(fd, signed_mail, 500), 500);
    struct sender_auth_request request = { .fd = fd,
                                           .size = sizeof signed_mail - 1,
                                           .client = "192.0.2.1",
                                           .helo = "",
                                           .from_domain = "football.example.com",
                                           .hostname = "gw.example.org" };
    struct sender_auth_result result;
    assert_int_equal(sender_auth_check(&request, suffixes, zone_ask, &zone, &result), -1);
    assert_int_equal(result.dmarc, AUTH_RESULT_NONE);
    close(fd);
    public_suffixes_free(&suffixes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_proves_the_author),
        cmocka_unit_test(strangers_name_servers_are_not_asked),
        cmocka_unit_test(spf_that_uses_up_the_time_does_not_spoil_a_signature),
        cmocka_unit_test(seals_of_strangers_are_not_looked_at),
        cmocka_unit_test(a_file_that_is_too_short_proves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
