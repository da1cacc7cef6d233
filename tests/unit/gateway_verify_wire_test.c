/* gateway_verify_wire_test.c - a question to a verify worker arrives as it was asked, and no answer is believed that does not hold */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "gateway/verify_wire.h"

static void test_request(void **state)
{
    (void)state;
    static const char *const trusted[] = { "lists.example.org", "xn--bcher-kva.example" };
    const struct sender_auth_request request = {
        .offset = 123,
        .size = INT64_C(5000000000),
        .client = "2001:db8::1",
        .helo = "",
        .sender = { .local = "\"a b\"", .domain = "example.com" },
        .from_domain = "b\xc3\xbc\x63her.example",
        .hostname = "gw.example.org",
        .sealers = trusted,
        .sealer_count = 2,
        .now = 1793600000000,
    };
    struct strbuf wire;
    strbuf_init(&wire, 4000);
    verify_wire_put_request(&request, &wire);
    struct sender_auth_request read;
    const char *sealers[VERIFY_SEALERS_MAX];
    assert_int_equal(verify_wire_read_request(wire.data, wire.len, &read, sealers), 1);
    assert_int_equal(read.offset, request.offset);
    assert_int_equal(read.size, request.size);
    assert_int_equal(read.now, request.now);
    assert_string_equal(read.client, request.client);
    assert_string_equal(read.helo, "");
    assert_string_equal(read.sender.local, request.sender.local);
    assert_string_equal(read.sender.domain, request.sender.domain);
    assert_string_equal(read.from_domain, request.from_domain);
    assert_string_equal(read.hostname, request.hostname);
    assert_int_equal(read.sealer_count, 2);
    assert_string_equal(read.sealers[1], trusted[1]);
    for (size_t len = 0; len < wire.len; len++) /* cut anywhere, or with more behind */
        assert_int_equal(verify_wire_read_request(wire.data, len, &read, sealers), -1);
    strbuf_add_char(&wire, '\0');
    assert_int_equal(verify_wire_read_request(wire.data, wire.len, &read, sealers), -1);
    strbuf_free(&wire);
}

static void test_answer(void **state)
{
    (void)state;
    const struct sender_auth_result result = { .dmarc = AUTH_RESULT_PASS,
                                               .dkim = AUTH_RESULT_OTHER,
                                               .is_sender_spf_pass = true,
                                               .sealer = "lists.example.org",
                                               .outcome = "SPF none",
                                               .story = "DMARC pass",
                                               .text = "gw.example.org; dmarc=pass" };
    struct strbuf wire;
    strbuf_init(&wire, 4000);
    verify_wire_put_answer(&result, &wire);
    struct sender_auth_result read;
    assert_int_equal(verify_wire_read_answer(wire.data, wire.len, &read), 1);
    assert_int_equal(read.dmarc, AUTH_RESULT_PASS);
    assert_int_equal(read.dkim, AUTH_RESULT_OTHER);
    assert_true(read.is_sender_spf_pass);
    assert_string_equal(read.sealer, result.sealer);
    assert_string_equal(read.outcome, result.outcome);
    assert_string_equal(read.story, result.story);
    assert_string_equal(read.text, result.text);

    for (size_t len = 0; len < wire.len; len++) {
        assert_int_equal(verify_wire_read_answer(wire.data, len, &read), -1);
        assert_int_equal(read.dmarc, AUTH_RESULT_NONE);
    }
    for (size_t i = 0; i < 3; i++) { /* a word that is none */
        char kept = wire.data[i];
        wire.data[i] = 77;
        assert_int_equal(verify_wire_read_answer(wire.data, wire.len, &read), -1);
        wire.data[i] = kept;
    }
    wire.data[wire.len - 2] = '\n'; /* would be a line of the log, or of a header */
    assert_int_equal(verify_wire_read_answer(wire.data, wire.len, &read), -1);
    wire.data[wire.len - 2] = 's';
    strbuf_add_char(&wire, '\0');
    assert_int_equal(verify_wire_read_answer(wire.data, wire.len, &read), -1);
    strbuf_free(&wire);
}

static void test_texts_have_their_ends(void **state)
{
    (void)state;
    struct sender_auth_result result, read;
    memset(&result, 0, sizeof result);
    memset(result.story, 'x', sizeof result.story - 1);
    memset(result.text, 'x', sizeof result.text - 1);
    struct strbuf wire;
    strbuf_init(&wire, 8000);
    verify_wire_put_answer(&result, &wire);
    assert_int_equal(verify_wire_read_answer(wire.data, wire.len, &read), 1);
    assert_int_equal(strlen(read.text), sizeof read.text - 1);
    strbuf_truncate(&wire, wire.len - 1);
    strbuf_add(&wire, "x", 2); /* one more than there is room for */
    assert_int_equal(verify_wire_read_answer(wire.data, wire.len, &read), -1);
    strbuf_free(&wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_answer),
        cmocka_unit_test(test_texts_have_their_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
