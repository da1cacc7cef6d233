/* smtp_dkim_verify_test.c - signatures of mail that comes in: those printed in RFC 6376 and RFC 8463, and ours with every tag
 *
 * Whether others' signatures are judged as others judge them is tests/e2e/test_dkim_verify.py's question.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "smtp/dkim_message.h"
#include "smtp/dkim_verify.h"
#include "tests/unit/smtp_dkim_zone.h"

enum { MAX = DKIM_VERIFY_SIGNATURES_MAX };

static const int64_t now = INT64_C(1793600000000);

#define RSA_1024                                                                                                       \
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/"            \
    "byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/"         \
    "K4w3QIDAQAB"
#define ED25519 "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="

/* RFC 8463 appendix A.2 */
static const struct zone_row football_zone[] = {
    { "brisbane._domainkey.football.example.com", DNS_FOUND, { "v=DKIM1; k=ed25519; p=" ED25519 } },
    { "test._domainkey.football.example.com", DNS_FOUND, { "v=DKIM1; k=rsa; p=" RSA_1024 } },
    { 0 },
};

/* RFC 8463 appendix A.3 */
static const char football[] = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
                               " d=football.example.com; i=@football.example.com;\r\n"
                               " q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n"
                               " subject : date : message-id : from : subject : date;\r\n"
                               " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
                               " b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus\r\n"
                               " Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==\r\n"
                               "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;\r\n"
                               " d=football.example.com; i=@football.example.com;\r\n"
                               " q=dns/txt; s=test; t=1528637909; h=from : to : subject :\r\n"
                               " date : message-id : from : subject : date;\r\n"
                               " bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n"
                               " b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3\r\n"
                               " DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz\r\n"
                               " dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=\r\n"
                               "From: Joe SixPack <joe@football.example.com>\r\n"
                               "To: Suzie Q <suzie@shopping.example.net>\r\n"
                               "Subject: Is dinner ready?\r\n"
                               "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n"
                               "Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n"
                               "\r\n"
                               "Hi.\r\n"
                               "\r\n"
                               "We lost the game.  Are you hungry yet?\r\n"
                               "\r\n"
                               "Joe.\r\n";

static size_t verify_in_pieces(const char *mail, size_t len, size_t step, struct zone *zone,
                               struct dkim_verdict verdicts[static MAX])
{
    struct dkim_message *message = dkim_message_new();
    for (size_t i = 0; i < len; i += step)
        dkim_message_add(message, mail + i, len - i < step ? len - i : step);
    dkim_message_end(message);
    size_t count = dkim_verify(message, "football.example.com", zone_ask, zone, now, verdicts, MAX);
    dkim_message_free(&message);
    assert_null(message);
    return count;
}

static void signatures_of_rfc_8463_pass(void **state)
{
    (void)state;
    static const struct dkim_verdict expected[] = {
        { .domain = "football.example.com",
          .selector = "brisbane",
          .algorithm = "ed25519-sha256",
          .identity = "@football.example.com",
          .signature = "/gCrinpc",
          .key_bits = 256 },
        { .domain = "football.example.com",
          .selector = "test",
          .algorithm = "rsa-sha256",
          .identity = "@football.example.com",
          .signature = "F45dVWDf",
          .key_bits = 1024,
          .detail = "RSA key of 1024 bits" },
    };
    for (size_t step = 1; step < sizeof football; step = step * 2 + 1) {
        struct zone zone = { .rows = football_zone };
        struct dkim_verdict verdicts[MAX];
        assert_int_equal(verify_in_pieces(football, sizeof football - 1, step, &zone, verdicts), 2);
        for (size_t i = 0; i < 2; i++) {
            assert_int_equal(verdicts[i].result, AUTH_RESULT_PASS);
            assert_string_equal(verdicts[i].result_text, "pass");
            assert_string_equal(verdicts[i].domain, expected[i].domain);
            assert_string_equal(verdicts[i].selector, expected[i].selector);
            assert_string_equal(verdicts[i].identity, expected[i].identity);
            assert_string_equal(verdicts[i].algorithm, expected[i].algorithm);
            assert_string_equal(verdicts[i].signature, expected[i].signature);
            assert_string_equal(verdicts[i].detail, expected[i].detail);
            assert_int_equal(verdicts[i].key_bits, expected[i].key_bits);
        }
        assert_int_equal(zone.asked, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signatures_of_rfc_8463_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
