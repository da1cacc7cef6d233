/* Tests of smtp_proxy: headers of both versions, good and bad, whole and in pieces. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/crc32c.h"
#include "smtp/smtp_proxy.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4        "\xc0\x00\x02\x01\xc6\x33\x64\x02\x12\x67\x00\x19" /* 192.0.2.1:4711 to 198.51.100.2:25 */
#define V6_A      "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
#define V6_B      "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"
#define V6_MAPPED "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\x00\x02\x01"
#define PORTS     "\x12\x67\x00\x19"
#define UNIX_PATH "/run/x\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
#define UNIX_108  UNIX_PATH UNIX_PATH UNIX_PATH UNIX_PATH

#define TEXT(string) (string), sizeof(string) - 1

static const struct proxy_case {
    const char *header;
    size_t len;
    const char *client; /* NULL: refused, because of: */
    const char *fault;
} cases[] = {
    /* version 1 */
    { TEXT("PROXY TCP4 192.0.2.1 198.51.100.2 4711 25\r\n"), "192.0.2.1:4711", NULL },
    { TEXT("PROXY TCP4 1.1.1.1 1.1.1.1 0 0\r\n"), "1.1.1.1:0", NULL },
    { TEXT("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), "255.255.255.255:65535", NULL },
    { TEXT("PROXY TCP6 2001:db8::1 2001:db8::2 4711 25\r\n"), "[2001:db8::1]:4711", NULL },
    { TEXT("PROXY TCP6 2001:DB8:0:0:0:0:0:1 ::1 4711 25\r\n"), "[2001:db8::1]:4711", NULL },
    { TEXT("PROXY TCP6 ::ffff:192.0.2.1 ::1 4711 25\r\n"), "192.0.2.1:4711", NULL },
    { TEXT("PROXY UNKNOWN\r\n"), "", NULL },
    { TEXT("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n"), "", NULL },
    { TEXT("PROXY UNKNOWN TCP4 192.0.2.1 and whatever\r\n"), "", NULL },
    { TEXT("proxy TCP4 192.0.2.1 198.51.100.2 4711 25\r\n"), NULL, "no header" },
    { TEXT("PROXY  TCP4 192.0.2.1 198.51.100.2 4711 25\r\n"), NULL, "unknown protocol" },
    { TEXT("PROXY TCP5 192.0.2.1 198.51.100.2 4711 25\r\n"), NULL, "unknown protocol" },
    { TEXT("PROXY UDP4 192.0.2.1 198.51.100.2 4711 25\r\n"), NULL, "unknown protocol" },
    { TEXT("PROXY TCP4192.0.2.1 198.51.100.2 4711 25\r\n"), NULL, "unknown protocol" },
    { TEXT("PROXY UNKNOWNED\r\n"), NULL, "unknown protocol" },
    { TEXT("PROXY TCP4 only\r\n"), NULL, "address missing" },
    { TEXT("PROXY TCP4 192.0.2.1  198.51.100.2 4711 25\r\n"), NULL, "address missing" },
    { TEXT("PROXY TCP4 192.0.2 198.51.100.2 4711 25\r\n"), NULL, "bad address" },
    { TEXT("PROXY TCP4 192.0.2.256 198.51.100.2 4711 25\r\n"), NULL, "bad address" },
    { TEXT("PROXY TCP4 192.0.2.01 198.51.100.2 4711 25\r\n"), NULL, "bad address" },
    { TEXT("PROXY TCP4 192.0.2.1 mx.example.org 4711 25\r\n"), NULL, "bad address" },
    { TEXT("PROXY TCP4 2001:db8::1 2001:db8::2 4711 25\r\n"), NULL, "bad address" },
    { TEXT("PROXY TCP6 192.0.2.1 198.51.100.2 4711 25\r\n"), NULL, "bad address" },
    { TEXT("PROXY TCP6 2001:db8::1%eth0 2001:db8::2 4711 25\r\n"), NULL, "bad address" },
    { TEXT("PROXY TCP6 [2001:db8::1] [2001:db8::2] 4711 25\r\n"), NULL, "bad address" },
    { TEXT("PROXY TCP4 192.0.2.1 198.51.100.2 4711\r\n"), NULL, "bad port" },
    { TEXT("PROXY TCP4 192.0.2.1 198.51.100.2 4711 \r\n"), NULL, "bad port" },
    { TEXT("PROXY TCP4 192.0.2.1 198.51.100.2 4711 25 \r\n"), NULL, "bad port" },
    { TEXT("PROXY TCP4 192.0.2.1 198.51.100.2 4711 25 1\r\n"), NULL, "bad port" },
    { TEXT("PROXY TCP4 192.0.2.1 198.51.100.2 65536 25\r\n"), NULL, "bad port" },
    { TEXT("PROXY TCP4 192.0.2.1 198.51.100.2 04711 25\r\n"), NULL, "bad port" },
    { TEXT("PROXY TCP4 192.0.2.1 198.51.100.2 -1 25\r\n"), NULL, "bad port" },
    { TEXT("PROXY TCP4 192.0.2.1 198.51.100.2 +1 25\r\n"), NULL, "bad port" },
    { TEXT("PROXY TCP4 192.0.2.1 198.51.100.2 4711 99999999999999999999\r\n"), NULL, "bad port" },
    { TEXT("PROXY TCP4 192.0.2.1 198.51.100.2 4711 25\n"), NULL, "not a line" },
    { TEXT("PROXY TCP4 192.0.2.1 198.51.100.2 4711 25\r"), "more", NULL },
    { TEXT("PROXY TCP4 192.0.2.1 198.51.100.2 4711 25\r\r\n"), NULL, "not a line" },
    { TEXT("PROXY TCP4 192.0.2.1 198.51.100.2\t4711 25\r\n"), NULL, "not a line" },
    { TEXT("PROXY TCP4 192.0.2.1\0 198.51.100.2 4711 25\r\n"), NULL, "not a line" },
    { TEXT("PROXY UNKNOWN \0\r\n"), NULL, "not a line" },
    { TEXT("PROXY UNKNOWN \x80 \r\n"), NULL, "not a line" },
    { TEXT("PROXY X\r\nEHLO x\r\n"), NULL, "not a line" },
    { TEXT("PROXY \r\nEHLO client.example\r\n"), NULL, "not a line" },
    { TEXT("PROXY UNKNOWN"), "more", NULL },
    { TEXT("P"), "more", NULL },
    /* no header at all */
    { TEXT("EHLO client.example\r\n"), NULL, "no header" },
    { TEXT("PROXIMITY\r\n"), NULL, "no header" },
    { TEXT("\x16\x03\x01\x02\x00\x01\x00\x01\xfc"), NULL, "no header" }, /* a ClientHello */
    { TEXT("\r\n\r\n"), "more", NULL },
    { TEXT("\r\n\r\n\r\n"), NULL, "no header" },
    { TEXT("\0"), NULL, "no header" },
    /* version 2 */
    { TEXT(SIGNATURE "\x21\x11\x00\x0c" V4), "192.0.2.1:4711", NULL },
    { TEXT(SIGNATURE "\x21\x21\x00\x24" V6_A V6_B PORTS), "[2001:db8::1]:4711", NULL },
    { TEXT(SIGNATURE "\x21\x21\x00\x24" V6_MAPPED V6_B PORTS), "192.0.2.1:4711", NULL },
    { TEXT(SIGNATURE "\x21\x31\x00\xd8" UNIX_108 UNIX_108), "", NULL },
    { TEXT(SIGNATURE "\x21\x00\x00\x00"), "", NULL },
    { TEXT(SIGNATURE "\x21\x00\x00\x05\x04\x00\x02xx"), "", NULL },
    { TEXT(SIGNATURE "\x20\x00\x00\x00"), "", NULL },
    { TEXT(SIGNATURE "\x20\x11\x00\x0c" V4), "", NULL },
    { TEXT(SIGNATURE "\x20\xff\x00\x03xyz"), "", NULL }, /* LOCAL: skipped, whatever it is */
    { TEXT(SIGNATURE "\x21\x11\x00\x0f" V4 "\x04\x00\x00"), "192.0.2.1:4711", NULL },
    { TEXT(SIGNATURE "\x21\x11\x00\x15" V4 "\xea\x00\x03vpc\x04\x00\x00"), "192.0.2.1:4711", NULL },
    { TEXT(SIGNATURE "\x21\x11\x00\x0e" V4 "\x04\x00"), NULL, "bad TLV" },
    { TEXT(SIGNATURE "\x21\x11\x00\x10" V4 "\x04\x00\x02x"), NULL, "bad TLV" },
    { TEXT(SIGNATURE "\x21\x11\x00\x10" V4 "\x04\xff\xffx"), NULL, "bad TLV" },
    { TEXT(SIGNATURE "\x21\x11\x00\x13" V4 "\x03\x00\x04\0\0\0\0"), NULL, "wrong checksum" },
    { TEXT(SIGNATURE "\x21\x11\x00\x0f" V4 "\x03\x00\x00"), NULL, "wrong checksum" },
    { TEXT(SIGNATURE "\x21\x11\x00\x0b" V4), NULL, "too short for its addresses" },
    { TEXT(SIGNATURE "\x21\x11\x00\x00"), NULL, "too short for its addresses" },
    { TEXT(SIGNATURE "\x21\x21\x00\x0c" V4), NULL, "too short for its addresses" },
    { TEXT(SIGNATURE "\x21\x31\x00\x0c" V4), NULL, "too short for its addresses" },
    { TEXT(SIGNATURE "\x21\x12\x00\x0c" V4), NULL, "unknown protocol" }, /* UDP */
    { TEXT(SIGNATURE "\x21\x10\x00\x0c" V4), NULL, "unknown protocol" },
    { TEXT(SIGNATURE "\x21\x41\x00\x0c" V4), NULL, "unknown protocol" },
    { TEXT(SIGNATURE "\x22\x11\x00\x0c" V4), NULL, "unknown version or command" },
    { TEXT(SIGNATURE "\x11\x11\x00\x0c" V4), NULL, "unknown version or command" },
    { TEXT(SIGNATURE "\x31\x11\x00\x0c" V4), NULL, "unknown version or command" },
    { TEXT(SIGNATURE "\x21\x11\x0f\xf1"), NULL, "header too long" },
    { TEXT(SIGNATURE "\x20\x00\xff\xff"), NULL, "header too long" },
    { TEXT(SIGNATURE "\x21\x11\x0f\xf0"), "more", NULL },
    { TEXT("\r\n\r\n\0\r\nQUIT\r\x21\x11\x00\x0c" V4), NULL, "no header" },
    { TEXT(SIGNATURE "\x21\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x02\x12\x67\x00"), "more", NULL },
};

/* Feeds step octets at a time; they are copied, so that reading beyond them is noticed. */
static int feed(struct smtp_proxy_parser *parser, const char *header, size_t len, size_t step, size_t *taken_out,
                const char **fault_out)
{
    int result = 0;
    *taken_out = 0;
    for (size_t at = 0; at < len && result == 0; at += step) {
        size_t size = len - at < step ? len - at : step;
        uint8_t *copy = malloc(size);
        const uint8_t *data = copy;
        size_t left = size;
        assert_non_null(copy);
        memcpy(copy, header + at, size);
        result = smtp_proxy_parser_feed(parser, &data, &left, fault_out);
        assert_ptr_equal(data, copy + (size - left));
        if (result == 0)
            assert_int_equal(left, 0);
        *taken_out += size - left;
        free(copy);
    }
    return result;
}

static void headers_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct proxy_case *c = &cases[i];
        for (size_t step = 1; step <= c->len; step++) {
            struct smtp_proxy_parser *parser = smtp_proxy_parser_new();
            const char *fault = NULL;
            size_t taken;
            int result = feed(parser, c->header, c->len, step, &taken, &fault);
            int expected = c->fault ? -1 : strcmp(c->client, "more") == 0 ? 0 : 1;
            if (result != expected)
                fail_msg("case %zu (%s), in steps of %zu: %d, %s", i, c->header, step, result, fault ? fault : "");
            if (result == -1)
                assert_string_equal(fault, c->fault);
            if (result == 0)
                assert_true(smtp_proxy_parser_needs(parser) > 0);
            if (result == 1) {
                assert_string_equal(smtp_proxy_parser_client(parser), c->client);
                assert_int_equal(smtp_proxy_parser_needs(parser), 0);
                assert_int_equal(taken, c->len);
            }
            smtp_proxy_parser_free(&parser);
        }
    }
}

/* Also when it looks like more of the header. */
static void what_follows_is_left_alone(void **state)
{
    (void)state;
    static const char *const followers[] = { "EHLO client.example\r\n", "\n", "\r\n", "PROXY UNKNOWN\r\n" };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct proxy_case *c = &cases[i];
        if (!c->client || strcmp(c->client, "more") == 0)
            continue;
        for (size_t j = 0; j < sizeof followers / sizeof followers[0]; j++) {
            char both[1000];
            size_t len = c->len + strlen(followers[j]);
            memcpy(both, c->header, c->len);
            memcpy(both + c->len, followers[j], strlen(followers[j]));
            struct smtp_proxy_parser *parser = smtp_proxy_parser_new();
            const char *fault;
            size_t taken;
            assert_int_equal(feed(parser, both, len, len, &taken, &fault), 1);
            assert_int_equal(taken, c->len);
            smtp_proxy_parser_free(&parser);
        }
    }
}

/* A reader that takes what is needed, and no more at a time, gets to the end and never beyond it. */
static void needs_lead_to_the_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct proxy_case *c = &cases[i];
        if (!c->client || strcmp(c->client, "more") == 0)
            continue;
        struct smtp_proxy_parser *parser = smtp_proxy_parser_new();
        const char *fault;
        size_t at = 0;
        size_t needs;
        while ((needs = smtp_proxy_parser_needs(parser)) > 0) {
            assert_true(needs <= c->len - at);
            const uint8_t *data = (const uint8_t *)c->header + at;
            assert_int_not_equal(smtp_proxy_parser_feed(parser, &data, &needs, &fault), -1);
            at = (size_t)(data - (const uint8_t *)c->header);
        }
        assert_int_equal(at, c->len);
        smtp_proxy_parser_free(&parser);
    }
}

static void version_1_has_at_most_107_octets(void **state)
{
    (void)state;
    for (size_t len = 100; len <= 120; len++) {
        char line[121];
        snprintf(line, sizeof line, "PROXY UNKNOWN %*s\r\n", (int)(len - 16), "x");
        assert_int_equal(strlen(line), len);
        struct smtp_proxy_parser *parser = smtp_proxy_parser_new();
        const char *fault = "";
        size_t taken;
        assert_int_equal(feed(parser, line, len, len, &taken, &fault), len <= 107 ? 1 : -1);
        assert_string_equal(fault, len <= 107 ? "" : "line too long");
        smtp_proxy_parser_free(&parser);
    }
}

/* A header of the greatest size, whose checksum lies between other TLVs. */
static size_t compose_checked(uint8_t header[static SMTP_PROXY_HEADER_MAX], size_t *field_out)
{
    static const char prefix[] = SIGNATURE "\x21\x11\x0f\xf0" V4 "\x05\x00\x02id\x03\x00\x04\0\0\0\0";
    size_t len = sizeof prefix - 1;
    memset(header, 'x', SMTP_PROXY_HEADER_MAX);
    memcpy(header, prefix, len);
    size_t rest = SMTP_PROXY_HEADER_MAX - len - 3;
    header[len] = 0xe0;
    header[len + 1] = (uint8_t)(rest >> 8);
    header[len + 2] = (uint8_t)rest;
    *field_out = len - 4;
    uint32_t crc = crc32c(0, header, SMTP_PROXY_HEADER_MAX);
    for (size_t i = 0; i < 4; i++)
        header[*field_out + i] = (uint8_t)(crc >> (24 - 8 * i));
    return SMTP_PROXY_HEADER_MAX;
}

static void checksums_are_checked(void **state)
{
    (void)state;
    uint8_t header[SMTP_PROXY_HEADER_MAX];
    size_t field;
    size_t len = compose_checked(header, &field);
    for (size_t at = SMTP_PROXY_HEADER_MAX; at-- > 16;) {
        if (at == field - 3)
            continue; /* the type of the checksum: without, there is none */
        bool is_first = at == SMTP_PROXY_HEADER_MAX - 1;
        bool is_length = (at >= 28 && at < 40) || (at >= field + 4 && at < field + 7); /* other faults */
        struct smtp_proxy_parser *parser = smtp_proxy_parser_new();
        const char *fault = "";
        size_t taken;
        if (!is_first)
            header[at] ^= 1;
        int result = feed(parser, (const char *)header, len, len, &taken, &fault);
        assert_int_equal(result, is_first ? 1 : -1);
        if (!is_first && !is_length)
            assert_string_equal(fault, "wrong checksum");
        if (!is_first)
            header[at] ^= 1;
        smtp_proxy_parser_free(&parser);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_are_read),      cmocka_unit_test(what_follows_is_left_alone),
        cmocka_unit_test(needs_lead_to_the_end), cmocka_unit_test(version_1_has_at_most_107_octets),
        cmocka_unit_test(checksums_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
