/* gateway_proof_test.c - what is known about who wrote a mail */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/proof.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_envelope_sender),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
