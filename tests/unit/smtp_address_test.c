/* Tests of smtp_address: what is an address, what is not, and which two are one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "smtp/smtp_address.h"

#define A10     "aaaaaaaaaa"
#define A60     A10 A10 A10 A10 A10 A10
#define LABEL63 A60 "aaa"
#define OMEGA10 "\u03c9\u03c9\u03c9\u03c9\u03c9\u03c9\u03c9\u03c9\u03c9\u03c9"
#define LOCAL64 A60 "aaaa"

struct parse_case {
    const char *text;
    const char *local; /* NULL: not an address */
    const char *domain;
};

static const struct parse_case parse_cases[] = {
    { "bob@example.com", "bob", "example.com" },
    { "Bob.Smith+tag=1@Example.COM", "Bob.Smith+tag=1", "Example.COM" },
    { "bob@example.com.", "bob", "example.com" },
    { "!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~", "example.com" },
    { "bob@localhost", "bob", "localhost" },
    { "bob@_dmarc.example.com", "bob", "_dmarc.example.com" },
    { "bob@xn--bcher-kva.example", "bob", "xn--bcher-kva.example" },
    { "b\xc3\xb6"
      "b@b\xc3\xbc"
      "cher.example",
      "b\xc3\xb6"
      "b",
      "b\xc3\xbc"
      "cher.example" },
    { "\xf0\x9f\x90\x90@example.com", "\xf0\x9f\x90\x90", "example.com" },
    /* Quotes go when they change nothing; backslashes that change nothing go too. */
    { "\"bob\"@example.com", "bob", "example.com" },
    { "\"b\\ob\"@example.com", "bob", "example.com" },
    { "\"bob smith\"@example.com", "\"bob smith\"", "example.com" },
    { "\"bob\\ smith\"@example.com", "\"bob smith\"", "example.com" },
    { "\"a@b\"@example.com", "\"a@b\"", "example.com" },
    { "\"a\\\"b\\\\c\"@example.com", "\"a\\\"b\\\\c\"", "example.com" },
    { "\"a..b\"@example.com", "\"a..b\"", "example.com" },
    { "\"\"@example.com", "\"\"", "example.com" },
    { "bob@[192.0.2.1]", "bob", "[192.0.2.1]" },
    { "bob@[IPv6:2001:db8::1]", "bob", "[IPv6:2001:db8::1]" },
    { "bob@[ipv6:::ffff:192.0.2.1]", "bob", "[ipv6:::ffff:192.0.2.1]" },
    { LOCAL64 "@example.com", LOCAL64, "example.com" },
    { "\"" A60 " a\"@example.com", "\"" A60 " a\"", "example.com" }, /* 64 octets with the quotes */
    { A60 "\xc3\xa4\xc3\xa4@example.com", A60 "\xc3\xa4\xc3\xa4", "example.com" },
    { "\"a\\\"b \\\\\"@example.com", "\"a\\\"b \\\\\"", "example.com" },
    { "\"(a),:;<>[]\"@example.com", "\"(a),:;<>[]\"", "example.com" },
    { "\" \"@example.com", "\" \"", "example.com" },
    { "bob@" LABEL63 ".example", "bob", LABEL63 ".example" },
    { "bob@" LABEL63 "." LABEL63 "." LABEL63 "." A10 A10 A10 A10 A10 "aaaaaaaa", "bob",
      LABEL63 "." LABEL63 "." LABEL63 "." A10 A10 A10 A10 A10 "aaaaaaaa" }, /* 254 octets */

    /* A label in UTF-8 may be longer than 63 octets, if its form in the DNS is not. */
    { "bob@" OMEGA10 OMEGA10 OMEGA10 OMEGA10 ".example", "bob", OMEGA10 OMEGA10 OMEGA10 OMEGA10 ".example" },
    { "bob@" LABEL63 "\u03c9.example", NULL, NULL },
    { "bob@" LABEL63 "a.example", NULL, NULL },

    { "", NULL, NULL },
    { "bob", NULL, NULL },
    { "bob@", NULL, NULL },
    { "@example.com", NULL, NULL },
    { "@", NULL, NULL },
    { "bob@.", NULL, NULL },
    { "bob@example.com..", NULL, NULL },
    { "bob@example..com", NULL, NULL },
    { "bob@.example.com", NULL, NULL },
    { "bob@-example.com", NULL, NULL },
    { "bob@example-.com", NULL, NULL },
    { "bob@exam ple.com", NULL, NULL },
    { "bob@example.com,eve@evil.example", NULL, NULL },
    { "bob@example.com@evil.example", NULL, NULL },
    { "<bob@example.com>", NULL, NULL },
    { " bob@example.com", NULL, NULL },
    { "bob@example.com ", NULL, NULL },
    { ".bob@example.com", NULL, NULL },
    { "bob.@example.com", NULL, NULL },
    { "b..ob@example.com", NULL, NULL },
    { "b ob@example.com", NULL, NULL },
    { "b(c)ob@example.com", NULL, NULL },
    { "bob\"@example.com", NULL, NULL },
    { "\"bob@example.com", NULL, NULL },
    { "\"bob\\\"@example.com", NULL, NULL },
    { "\"bob\"x@example.com", NULL, NULL },
    { "\"bob\"", NULL, NULL },
    { "\"b\tob\"@example.com", NULL, NULL },
    { "bob\r\n@example.com", NULL, NULL },
    { "bob@example.com\r\nRCPT TO:<x@y>", NULL, NULL },
    { "b\x7fob@example.com", NULL, NULL },
    { "b\xc2\x85ob@example.com", NULL, NULL },       /* NEL, a control character of two octets */
    { "b\xc3@example.com", NULL, NULL },             /* half a character */
    { "b\xc0\xaf@example.com", NULL, NULL },         /* overlong */
    { "b\xed\xa0\x80@example.com", NULL, NULL },     /* surrogate */
    { "b\xf4\x90\x80\x80@example.com", NULL, NULL }, /* beyond U+10FFFF */
    { "b\xfc@example.com", NULL, NULL },             /* Latin-1 */
    { "\"b\\\xc3\xb6\"@example.com", NULL, NULL },   /* a backslash before half of a character */
    { "bob@[192.0.2]", NULL, NULL },
    { "bob@[192.0.2.256]", NULL, NULL },
    { "bob@[192.0.2.1", NULL, NULL },
    { "bob@[192.0.2.1].", NULL, NULL },
    { "bob@[2001:db8::1]", NULL, NULL },
    { "bob@[IPv6:192.0.2.1]", NULL, NULL },
    { "bob@[]", NULL, NULL },
    { "bob@[tag:content]", NULL, NULL },
    { LOCAL64 "a@example.com", NULL, NULL },
    { "\"" A60 " aa\"@example.com", NULL, NULL },
    { A60 "aaa\xc3\xa4@example.com", NULL, NULL },
    { "\"a\"b\"@example.com", NULL, NULL },
    { "\"a\\\"@example.com", NULL, NULL },
    { "a\\@b@example.com", NULL, NULL },
    { "a\\b@example.com", NULL, NULL },
    { "a,b@example.com", NULL, NULL },
    { "a:b@example.com", NULL, NULL },
    { "a;b@example.com", NULL, NULL },
    { "bob@exam\\ple.com", NULL, NULL },
    { "bob@\"example.com\"", NULL, NULL },
    { "bob@example.com:25", NULL, NULL },
    { "bob@[IPv6:2001:db8::1%lo]", NULL, NULL },
    { "bob@[192.0.2.1]x", NULL, NULL },
    { "bob@[ 192.0.2.1 ]", NULL, NULL },
    { "bob@\xc3\xa4" LABEL63 ".example", NULL, NULL },
    { "bob@" LABEL63 "a.example", NULL, NULL },
    { "bob@" LABEL63 "." LABEL63 "." LABEL63 "." A10 A10 A10 A10 A10 "aaaaaaaaa", NULL, NULL }, /* 255 octets */
};

static void parses_addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof parse_cases / sizeof parse_cases[0]; i++) {
        const struct parse_case *row = &parse_cases[i];
        struct smtp_address address;
        print_message("%s\n", row->text);
        int result = smtp_address_parse(row->text, strlen(row->text), &address);
        if (row->local == NULL) {
            assert_int_equal(result, -1);
            assert_true(smtp_address_is_null(&address));
            continue;
        }
        assert_int_equal(result, 1);
        assert_string_equal(address.local, row->local);
        assert_string_equal(address.domain, row->domain);
    }
}

static void refuses_nul_octets(void **state)
{
    (void)state;
    struct smtp_address address;
    static const char hidden[] = "bob@example.com\0.evil.example";
    assert_int_equal(smtp_address_parse(hidden, sizeof hidden - 1, &address), -1);
    assert_int_equal(smtp_address_parse("bob@example.com", 16, &address), -1);
}

/* What was parsed can be written and read again: the same address comes out. */
static void format_and_parse_are_inverse(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof parse_cases / sizeof parse_cases[0]; i++) {
        struct smtp_address address;
        struct smtp_address again;
        char text[SMTP_ADDRESS_MAX + 2];
        if (smtp_address_parse(parse_cases[i].text, strlen(parse_cases[i].text), &address) != 1)
            continue;
        smtp_address_format(&address, text);
        assert_int_equal(smtp_address_parse(text, strlen(text), &again), 1);
        assert_string_equal(again.local, address.local);
        assert_string_equal(again.domain, address.domain);
    }
}

static void null_path(void **state)
{
    (void)state;
    struct smtp_address null_address = { .local = "" };
    char text[SMTP_ADDRESS_MAX + 2];
    smtp_address_format(&null_address, text);
    assert_string_equal(text, "");
    assert_true(smtp_address_is_null(&null_address));
    struct smtp_address empty_quotes;
    assert_int_equal(smtp_address_parse("\"\"@example.com", 14, &empty_quotes), 1);
    assert_false(smtp_address_is_null(&empty_quotes));
}

static const struct {
    const char *a, *b;
    bool equal;
} equal_cases[] = {
    { "bob@example.com", "bob@example.com", true },
    { "Bob@Example.com", "bOB@eXAMPLE.COM", true },
    { "\"Bob\"@example.com", "bob@example.com.", true },
    { "\"bob smith\"@example.com", "\"BOB\\ Smith\"@example.com", true },
    { "bob@[IPv6:2001:DB8::1]", "bob@[ipv6:2001:db8::1]", true },
    { "bob@example.com", "bob@example.co", false },
    { "bob@example.com", "bo@example.com", false },
    { "bob@example.com", "bob@sub.example.com", false },
    { "\"a.b\"@example.com", "\"a..b\"@example.com", false },
    { "b\xc3\xb6"
      "b@example.com",
      "b\xc3\x96"
      "b@example.com",
      false }, /* only ASCII letters fold */
};

static void compares_addresses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof equal_cases / sizeof equal_cases[0]; i++) {
        struct smtp_address a;
        struct smtp_address b;
        print_message("%s %s\n", equal_cases[i].a, equal_cases[i].b);
        assert_int_equal(smtp_address_parse(equal_cases[i].a, strlen(equal_cases[i].a), &a), 1);
        assert_int_equal(smtp_address_parse(equal_cases[i].b, strlen(equal_cases[i].b), &b), 1);
        assert_int_equal(smtp_address_equal(&a, &b), equal_cases[i].equal);
        smtp_address_normalise(&a);
        smtp_address_normalise(&b);
        bool same_text = strcmp(a.local, b.local) == 0 && strcmp(a.domain, b.domain) == 0;
        assert_int_equal(same_text, equal_cases[i].equal);
    }
}

/* "fran\u212a" passed for "frank"; what can't be seen would pass for it wherever people look. */
static void what_looks_like_another_address_is_none(void **state)
{
    static const char *const locals[] = { "fran\u212a",  "fran\u1fef",  "fran\u037e",  "frank\u200b",
                                          "f\u00adrank", "fr\u200dank", "\u2060frank", "frank\ufe0f" };
    struct smtp_address frank, joined;
    (void)state;
    assert_int_equal(smtp_address_parse("frank@example.com", 17, &frank), 1);
    for (size_t i = 0; i < sizeof locals / sizeof locals[0]; i++) {
        char text[64];
        struct smtp_address address;
        snprintf(text, sizeof text, "%s@example.com", locals[i]);
        assert_int_equal(smtp_address_parse(text, strlen(text), &address), 1);
        assert_false(smtp_address_equal(&address, &frank));
        assert_int_equal(smtp_address_canonicalise(&address, SMTP_CASE_FOLDED), -1);
        assert_string_equal(address.local, locals[i]);
    }
    static const char persian[] =
        "\u0646\u0627\u0645\u0647\u200c\u0627\u06cc@example.com"; /* a joiner that belongs there */
    assert_int_equal(smtp_address_parse(persian, sizeof persian - 1, &joined), 1);
    assert_int_equal(smtp_address_canonicalise(&joined, SMTP_CASE_FOLDED), 1);
}

static void compares_domains(void **state)
{
    (void)state;
    assert_true(smtp_domain_equal("Example.COM.", "example.com"));
    assert_true(smtp_domain_equal("example.com", "example.com."));
    assert_true(smtp_domain_equal("", ""));
    assert_false(smtp_domain_equal("example.com", "example.com.evil"));
    assert_false(smtp_domain_equal("example.com..", "example.com"));
    assert_false(smtp_domain_equal("example.com", ""));
    assert_true(smtp_domain_equal("[IPv6:2001:db8:1:2:3:4::1]", "[ipv6:2001:DB8:1:2:3:4:0:1]"));
    assert_false(smtp_domain_equal("[IPv6:2001:db8:1:2:3:4::1]", "[IPv6:2001:db8:1:2:3:4::2]"));
    assert_false(smtp_domain_equal("example", "example.com"));
    /* U-labels and A-labels are one */
    assert_true(smtp_domain_equal("b\xc3\xbc"
                                  "cher.example",
                                  "xn--bcher-kva.example"));
    assert_true(smtp_domain_equal("xn--bcher-KVA.Example.", "B\xc3\xbc"
                                                            "cher.example"));
    assert_true(smtp_domain_equal("b\xc3\xbc"
                                  "cher.example",
                                  "b\xc3\xbc"
                                  "cher.example"));
    assert_false(smtp_domain_equal("b\xc3\xbc"
                                   "cher.example",
                                   "b\xc3\xb6"
                                   "cher.example"));
    assert_false(smtp_domain_equal("b\xc3\xbc"
                                   "cher.example",
                                   "bucher.example"));
    assert_false(smtp_domain_equal("b\xfc"
                                   "cher.example",
                                   "xn--bcher-kva.example"));
}

static const struct {
    const char *whole, *base; /* NULL: as it is */
} detail_cases[] = {
    { "alice+news@example.com", "alice@example.com" },
    { "alice+@example.com", "alice@example.com" },
    { "alice+a+b@example.com", "alice@example.com" },
    { "a.b-c+d@example.com", "a.b-c@example.com" },
    { "\"alice+news\"@example.com", "alice@example.com" },
    { "\"alice m+a b\"@example.com", "\"alice m\"@example.com" },
    { "\"alice+a b\"@example.com", "alice@example.com" },
    { "\"a\\\\+b c\"@example.com", "\"a\\\\\"@example.com" },
    { "\"a\\+b c\"@example.com", "a@example.com" },
    { "alice@example.com", NULL },
    { "+news@example.com", NULL },
    { "+@example.com", NULL },
    { "++@example.com", NULL },
    { "\"+a b\"@example.com", NULL },
    { "alice.+news@example.com", NULL },
};

static void drops_details(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof detail_cases / sizeof detail_cases[0]; i++) {
        struct smtp_address address;
        char text[SMTP_ADDRESS_MAX + 2];
        print_message("%s\n", detail_cases[i].whole);
        assert_int_equal(smtp_address_parse(detail_cases[i].whole, strlen(detail_cases[i].whole), &address), 1);
        assert_int_equal(smtp_address_drop_detail(&address), detail_cases[i].base != NULL);
        smtp_address_format(&address, text);
        assert_string_equal(text, detail_cases[i].base ? detail_cases[i].base : detail_cases[i].whole);
    }
}

static void tells_utf8(void **state)
{
    (void)state;
    struct smtp_address address;
    assert_int_equal(smtp_address_parse("bob@example.com", 15, &address), 1);
    assert_false(smtp_address_is_utf8(&address));
    assert_int_equal(smtp_address_parse("b\xc3\xb6@example.com", 15, &address), 1);
    assert_true(smtp_address_is_utf8(&address));
    assert_int_equal(smtp_address_parse("bob@\xc3\xb6.example", 14, &address), 1);
    assert_true(smtp_address_is_utf8(&address));
}

static const struct {
    const char *address, *ascii; /* NULL: there is none */
} ascii_cases[] = {
    { "alice@example.com", "alice@example.com" },
    { "alice@[192.0.2.1]", "alice@[192.0.2.1]" },
    { "alice@bücher.example", "alice@xn--bcher-kva.example" },
    { "\"al ice\"@www.Bücher.münchen", "\"al ice\"@www.xn--bcher-kva.xn--mnchen-3ya" },
    { "älice@example.com", NULL },
    { "älice@bücher.example", NULL },
};

static void has_an_ascii_form(void **state)
{
    (void)state;
    char text[SMTP_ADDRESS_MAX + 2];
    for (size_t i = 0; i < sizeof ascii_cases / sizeof ascii_cases[0]; i++) {
        struct smtp_address address;
        assert_int_equal(smtp_address_parse(ascii_cases[i].address, strlen(ascii_cases[i].address), &address), 1);
        int wanted = ascii_cases[i].ascii == NULL ? -1 : 1;
        assert_int_equal(smtp_address_to_ascii(&address, &address), wanted);
        smtp_address_format(&address, text);
        assert_string_equal(text, ascii_cases[i].ascii == NULL ? ascii_cases[i].address : ascii_cases[i].ascii);
    }
    struct smtp_address nobody = { "", "" };
    assert_int_equal(smtp_address_to_ascii(&nobody, &nobody), 1);
}

/* Labels grow: 60 of two octets each, which fit, become too long. */
static void an_ascii_form_may_be_too_long(void **state)
{
    (void)state;
    struct smtp_address address = { "a", "" };
    for (size_t i = 0; i < 60; i++)
        memcpy(address.domain + 3 * i, i < 59 ? "ü." : "ü", i < 59 ? 3 : 2);
    assert_int_equal(smtp_address_to_ascii(&address, &address), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_an_ascii_form),
        cmocka_unit_test(an_ascii_form_may_be_too_long),
        cmocka_unit_test(parses_addresses),
        cmocka_unit_test(refuses_nul_octets),
        cmocka_unit_test(format_and_parse_are_inverse),
        cmocka_unit_test(null_path),
        cmocka_unit_test(compares_addresses),
        cmocka_unit_test(what_looks_like_another_address_is_none),
        cmocka_unit_test(compares_domains),
        cmocka_unit_test(drops_details),
        cmocka_unit_test(tells_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
