/* gateway_netstring_test.c - netstrings and policy requests, in every division; what is neither */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/netstring.h"
#include "gateway/postfix_request.h"

typedef int feeder(void *parser, const uint8_t *data, size_t len, size_t *used_out);
typedef void describer(const void *parser, char *out, size_t size);

/* What came out of an input that was cut into pieces of `piece` bytes: the descriptions, and "!" at a violation. */
static void play(feeder *feed, describer *describe, void *parser, const char *input, size_t len, size_t piece,
                 char *out, size_t size)
{
    out[0] = '\0';
    for (size_t at = 0; at < len;) {
        size_t part = len - at < piece ? len - at : piece, used;
        int result = feed(parser, (const uint8_t *)input + at, part, &used);
        assert_true(used <= part && (result != 0 || used == part));
        at += used;
        if (result == 1)
            describe(parser, out + strlen(out), size - strlen(out));
        if (result < 0) {
            snprintf(out + strlen(out), size - strlen(out), "!");
            assert_int_equal(feed(parser, (const uint8_t *)"0:,\n", 4, &used), -1); /* for good */
            return;
        }
    }
}

static int feed_netstring(void *parser, const uint8_t *data, size_t len, size_t *used_out)
{
    return netstring_feed(parser, data, len, used_out);
}

static void describe_netstring(const void *parser, char *out, size_t size)
{
    const struct netstring *netstring = parser;
    assert_int_equal(netstring->data[netstring->len], 0);
    snprintf(out, size, "[%.*s]", (int)netstring->len, netstring->data);
}

static void test_netstrings(void **state)
{
    (void)state;
    static const struct {
        const char *input, *expected;
    } rows[] = {
        { "5:hello,", "[hello]" },
        { "0:,", "[]" },
        { "0:,0:,3:a,b,1::,", "[][][a,b][:]" },
        { "26:recipient alice@silo.example,", "!" }, /* one too short */
        { "27:recipient alice@silo.example,", "!" },
        { "28:recipient alice@silo.example,", "[recipient alice@silo.example]" },
        { "5:hello", "" },
        { "5:hel", "" },
        { "5", "" },
        { ":,", "!" },
        { "05:hello,", "!" },
        { "00:,", "!" },
        { "-1:x,", "!" },
        { "1;x,", "!" },
        { " 1:x,", "!" },
        { "1:x;", "!" },
        { "1:x,\n1:y,", "[x]!" },
        { "4097:", "!" },
        { "9999", "!" },
        { "12345:", "!" },
        { "99999999999999999999:x,", "!" },
        { "GET / HTTP/1.1\r\n", "!" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t len = strlen(rows[i].input);
        for (size_t piece = 1; piece <= len; piece++) {
            char out[200];
            struct netstring *parser = calloc(1, sizeof *parser);
            play(feed_netstring, describe_netstring, parser, rows[i].input, len, piece, out, sizeof out);
            assert_string_equal(out, rows[i].expected);
            free(parser);
        }
    }
}

static void test_longest_netstring(void **state)
{
    (void)state;
    char input[NETSTRING_MAX + 10];
    size_t used;
    struct netstring *parser = calloc(1, sizeof *parser);
    int head = snprintf(input, sizeof input, "%d:", NETSTRING_MAX);
    memset(input + head, 'x', NETSTRING_MAX);
    input[head + NETSTRING_MAX] = ',';
    assert_int_equal(netstring_feed(parser, (const uint8_t *)input, (size_t)head + NETSTRING_MAX + 1, &used), 1);
    assert_int_equal(parser->len, NETSTRING_MAX);
    free(parser);
}

static int feed_request(void *parser, const uint8_t *data, size_t len, size_t *used_out)
{
    return postfix_request_feed(parser, data, len, used_out);
}

static void describe_request(const void *parser, char *out, size_t size)
{
    const struct postfix_request *request = parser;
    snprintf(out, size, "[%s %s %s>%s %s]", request->kind, request->protocol_state, request->sender, request->recipient,
             request->size);
}

static void test_policy_requests(void **state)
{
    (void)state;
    static const struct {
        const char *input, *expected;
    } rows[] = {
        { "request=smtpd_access_policy\nprotocol_state=RCPT\nsender=bob@example.com\nrecipient=alice@silo.example\n"
          "size=12\nccert_subject=\nclient_name=a=b\n\n",
          "[smtpd_access_policy RCPT bob@example.com>alice@silo.example 12]" },
        { "sender=\nrecipient=a@b\n\nrecipient=c@d\n\n", "[  >a@b ][  >c@d ]" }, /* nothing stays of the one before */
        { "\n", "[  > ]" },
        { "sender=a", "" },
        { "sender=a\n", "" },
        { "sender\n\n", "!" },
        { "=\n\n", "[  > ]" },
        { "sender=a@b\nsender=c@d\n\n", "!" },
        { "sender=\nsender=c@d\n\n", "[  c@d> ]" },
        { "SENDER=a@b\nsender2=c\n\n", "[  > ]" },
        { "sender=b ob\"@x\n\n", "[  b ob\"@x> ]" },
        { "protocol_state=1234567890123456789012345678901234567890123456789012345678901234\n\n", "!" },
        { "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "!" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t len = strlen(rows[i].input);
        for (size_t piece = 1; piece <= len; piece++) {
            char out[300];
            struct postfix_request *parser = calloc(1, sizeof *parser);
            play(feed_request, describe_request, parser, rows[i].input, len, piece, out, sizeof out);
            assert_string_equal(out, rows[i].expected);
            free(parser);
        }
    }
}

/* The result of feeding `count` times the same text, then an empty line. */
static int feed_many(const char *text, size_t len, unsigned count)
{
    size_t used;
    int result = 0;
    struct postfix_request *parser = calloc(1, sizeof *parser);
    for (unsigned i = 0; i < count && result == 0; i++)
        result = postfix_request_feed(parser, (const uint8_t *)text, len, &used);
    if (result == 0)
        result = postfix_request_feed(parser, (const uint8_t *)"\n", 1, &used);
    free(parser);
    return result;
}

static void test_limits_of_policy_requests(void **state)
{
    (void)state;
    static char line[POSTFIX_REQUEST_LINE_MAX + 2];
    memset(line, 'x', sizeof line);
    line[1] = '=';
    line[POSTFIX_REQUEST_LINE_MAX] = '\n';
    assert_int_equal(feed_many(line, POSTFIX_REQUEST_LINE_MAX + 1, 1), 1);
    assert_int_equal(feed_many(line, POSTFIX_REQUEST_LINE_MAX + 1, POSTFIX_REQUEST_LINES_MAX), 1);
    assert_int_equal(feed_many("a=b\n", 4, POSTFIX_REQUEST_LINES_MAX + 1), -1);
    line[POSTFIX_REQUEST_LINE_MAX] = 'x';
    line[POSTFIX_REQUEST_LINE_MAX + 1] = '\n';
    assert_int_equal(feed_many(line, sizeof line, 1), -1);
    assert_int_equal(feed_many("x", 1, POSTFIX_REQUEST_LINE_MAX + 1), -1);
    assert_int_equal(feed_many("sender=a\0b\n", 11, 1), -1);
    memcpy(line, "sender=", 7);
    line[7 + POSTFIX_REQUEST_ADDRESS_MAX] = '\n';
    assert_int_equal(feed_many(line, 7 + POSTFIX_REQUEST_ADDRESS_MAX + 1, 1), 1);
    line[7 + POSTFIX_REQUEST_ADDRESS_MAX] = 'x';
    line[7 + POSTFIX_REQUEST_ADDRESS_MAX + 1] = '\n';
    assert_int_equal(feed_many(line, 7 + POSTFIX_REQUEST_ADDRESS_MAX + 2, 1), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_netstrings),
        cmocka_unit_test(test_longest_netstring),
        cmocka_unit_test(test_policy_requests),
        cmocka_unit_test(test_limits_of_policy_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
