/* Tests of smtp_origin: XCLIENT's and XFORWARD's attributes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "smtp/smtp_origin.h"

#define X SMTP_ORIGIN_XCLIENT
#define F SMTP_ORIGIN_XFORWARD

static const struct origin_case {
    enum smtp_origin_command command;
    const char *text;
    /* name address port helo protocol ident login source, "-" for what is not known; NULL: refused */
    const char *expected;
} origin_cases[] = {
    { X, "NAME=mail.example.com ADDR=192.0.2.1 PORT=4711", "mail.example.com 192.0.2.1 4711 - - - - -" },
    { X, "name=mail.example.com aDDr=192.0.2.1", "mail.example.com 192.0.2.1 - - - - - -" },
    { X, "ADDR=IPV6:2001:DB8::0:1", "- 2001:db8::1 - - - - - -" },
    { X, "ADDR=ipv6:::ffff:192.0.2.1", "- 192.0.2.1 - - - - - -" },
    { X, "NAME=[UNAVAILABLE] ADDR=[unavailable] PORT=[UNAVAILABLE] HELO=[UNAVAILABLE]", "- - - - - - - -" },
    { X, "NAME=[TEMPUNAVAIL] ADDR=192.0.2.1", "- 192.0.2.1 - - - - - -" },
    { X, "NAME=+5BUNAVAILABLE+5D", "- - - - - - - -" },
    { X, "HELO=[192.0.2.9] PROTO=esmtp", "- - - [192.0.2.9] ESMTP - - -" },
    { X, "PROTO=LMTP", "- - - - LMTP - - -" },
    { X, "LOGIN=bob+40example.com", "- - - - - - bob@example.com -" },
    { X, "HELO=a+20b+2Bc", "- - - a b+c - - - -" },
    { X, "HELO=a+3db", "- - - a=b - - - -" },
    { X, "HELO=a=b", "- - - a=b - - - -" },
    { X, "DESTADDR=192.0.2.2 DESTPORT=25 ADDR=192.0.2.1", "- 192.0.2.1 - - - - - -" },
    { X, "  ADDR=192.0.2.1  PORT=1 ", "- 192.0.2.1 1 - - - - -" },
    { X, "PORT=0 PORT=00025", "- - 25 - - - - -" },
    { F, "NAME=spike.example.com ADDR=168.100.189.2 PROTO=ESMTP HELO=spike.example.com IDENT=4CmkXq1zJz SOURCE=REMOTE",
      "spike.example.com 168.100.189.2 - spike.example.com ESMTP 4CmkXq1zJz - REMOTE" },
    { F, "SOURCE=local PROTO=HTTP-2", "- - - - HTTP-2 - - LOCAL" },
    /* refused */
    { X, "", NULL },
    { X, " ", NULL },
    { X, "ADDR", NULL },
    { X, "ADDR=", NULL },
    { X, "=192.0.2.1", NULL },
    { X, "ADDR=2001:db8::1", NULL }, /* the prefix is needed */
    { X, "ADDR=IPV6:192.0.2.1", NULL },
    { X, "ADDR=[192.0.2.1]", NULL },
    { X, "ADDR=192.0.2", NULL },
    { X, "ADDR=192.0.2.1.", NULL },
    { X, "ADDR=unix", NULL },
    { X, "PORT=65536", NULL },
    { X, "PORT=-1", NULL },
    { X, "PORT=4294967297", NULL },
    { X, "PROTO=HTTP", NULL },
    { X, "NAME=a_b..c", NULL },
    { X, "NAME=a+20b", NULL },
    { X, "HELO=a+0Ab", NULL },
    { X, "HELO=a+00b", NULL },
    { X, "HELO=a+7Fb", NULL },
    { X, "HELO=a+E4b", NULL }, /* not UTF-8 */
    { X, "HELO=a+2", NULL },
    { X, "HELO=a+", NULL },
    { X, "HELO=a+GG", NULL },
    { X, "IDENT=1", NULL },
    { X, "SOURCE=LOCAL", NULL },
    { F, "LOGIN=bob", NULL },
    { F, "DESTADDR=192.0.2.1", NULL },
    { F, "SOURCE=ELSEWHERE", NULL },
    { F, "PROTO=a+20b", NULL },
    { F, "PROTO=ABCDEFGHIJKLMNOP", NULL },
    { F, "REVERSE_NAME=a.example", NULL },
};

static const char *or_dash(const char *text)
{
    return text[0] ? text : "-";
}

static void attributes_are_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof origin_cases / sizeof origin_cases[0]; i++) {
        const struct origin_case *c = &origin_cases[i];
        struct smtp_origin origin = { 0 };
        const char *error = NULL;
        char got[2048];
        int result = smtp_origin_parse(c->text, strlen(c->text), c->command, &origin, &error);
        if ((result == 1) != (c->expected != NULL))
            fail_msg("%s: %d %s", c->text, result, error ? error : "");
        if (result != 1) {
            static const struct smtp_origin nothing;
            assert_non_null(error);
            assert_memory_equal(&origin, &nothing, sizeof origin);
            continue;
        }
        snprintf(got, sizeof got, "%s %s %s %s %s %s %s %s", or_dash(origin.name), or_dash(origin.address),
                 or_dash(origin.port), or_dash(origin.helo), or_dash(origin.protocol), or_dash(origin.ident),
                 or_dash(origin.login), or_dash(origin.source));
        if (!c->expected || strcmp(got, c->expected) != 0)
            fail_msg("%s: %s", c->text, got);
    }
}

static void what_is_not_said_stays(void **state)
{
    (void)state;
    struct smtp_origin origin = { 0 };
    const char *error;
    static const char first[] = "NAME=a.example ADDR=192.0.2.1";
    static const char second[] = "HELO=b.example NAME=[UNAVAILABLE]";
    static const char bad[] = "HELO=c.example ADDR=nonsense";
    assert_int_equal(smtp_origin_parse(first, sizeof first - 1, F, &origin, &error), 1);
    assert_int_equal(smtp_origin_parse(second, sizeof second - 1, F, &origin, &error), 1);
    assert_int_equal(smtp_origin_parse(bad, sizeof bad - 1, F, &origin, &error), -1);
    assert_string_equal(origin.name, "");
    assert_string_equal(origin.address, "192.0.2.1");
    assert_string_equal(origin.helo, "b.example");
}

static void values_have_at_most_255_octets(void **state)
{
    (void)state;
    char text[5 + 3 * 256 + 1] = "HELO=";
    const char *error;
    for (size_t encoded = 0; encoded < 2; encoded++) {
        struct smtp_origin origin = { 0 };
        size_t len = 5;
        for (int i = 0; i < 255; i++)
            len += (size_t)snprintf(text + len, sizeof text - len, "%s", encoded ? "+61" : "a");
        assert_int_equal(smtp_origin_parse(text, len, X, &origin, &error), 1);
        assert_int_equal(strlen(origin.helo), 255);
        text[len++] = 'a';
        assert_int_equal(smtp_origin_parse(text, len, X, &origin, &error), -1);
    }
}

/* EHLO announces what is understood, word by word. */
static void all_that_is_announced_is_understood(void **state)
{
    (void)state;
    static const enum smtp_origin_command commands[] = { X, F };
    for (size_t i = 0; i < 2; i++) {
        enum smtp_origin_command command = commands[i];
        char words[200];
        char *rest;
        snprintf(words, sizeof words, "%s", smtp_origin_attributes(command));
        for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
            struct smtp_origin origin = { 0 };
            const char *error;
            char text[64];
            snprintf(text, sizeof text, "%s=[UNAVAILABLE]", word);
            assert_int_equal(smtp_origin_parse(text, strlen(text), command, &origin, &error), 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attributes_are_read),
        cmocka_unit_test(what_is_not_said_stays),
        cmocka_unit_test(values_have_at_most_255_octets),
        cmocka_unit_test(all_that_is_announced_is_understood),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
