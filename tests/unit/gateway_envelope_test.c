/* gateway_envelope_test.c - whose an envelope sender may be */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/envelope.h"

static void test_forms(void **state)
{
    (void)state;
    static const struct {
        const char *sender, *forms;
    } rows[] = {
        { "bob@example.com", "bob@example.com" },
        { "Bob@Example.COM", "bob@example.com" },
        { "bob+news@example.com", "bob+news@example.com bob@example.com" },
        { "bob+a+b@example.com", "bob+a+b@example.com bob@example.com" },
        { "+x@example.com", "+x@example.com" },
        { "\"bob+x y\"@example.com", "\"bob+x y\"@example.com" },
        { "prvs=3702645b0f=bob@example.com", "prvs=3702645b0f=bob@example.com bob@example.com" },
        { "PRVS=3702645B0F=Bob+x@example.com",
          "prvs=3702645b0f=bob+x@example.com prvs=3702645b0f=bob@example.com bob+x@example.com bob@example.com" },
        { "prvs=bob@example.com", "prvs=bob@example.com" },
        { "prvs==@example.com", "prvs==@example.com" },
        { "SRS0=HHH=TT=example.com=bob@forward.example",
          "srs0=hhh=tt=example.com=bob@forward.example bob@example.com" },
        { "SRS0+HHH=TT=example.com=bob@forward.example",
          "srs0+hhh=tt=example.com=bob@forward.example srs0@forward.example bob@example.com" },
        { "SRS0-HHH=TT=example.com=bob=x@forward.example",
          "srs0-hhh=tt=example.com=bob=x@forward.example bob=x@example.com" },
        { "SRS1=HHH=first.example==HHH=TT=example.com=bob@second.example",
          "srs1=hhh=first.example==hhh=tt=example.com=bob@second.example bob@example.com" },
        { "SRS0=HHH=TT=example.com@forward.example", "srs0=hhh=tt=example.com@forward.example" },
        { "SRS0=HHH=TT=-bad-=bob@forward.example", "srs0=hhh=tt=-bad-=bob@forward.example" },
        { "SRS1=HHH@second.example", "srs1=hhh@second.example" },
        { "srs0@example.com", "srs0@example.com" },
        { "b\xc3\xb8"
          "b+x@ex\xc3\xa4mple.com",
          "b\xc3\xb8"
          "b+x@xn--exmple-cua.com b\xc3\xb8"
          "b@xn--exmple-cua.com" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct smtp_address sender, forms[ENVELOPE_FORMS_MAX];
        char text[SMTP_ADDRESS_MAX + 2], all[1000] = "";
        assert_int_equal(smtp_address_parse(rows[i].sender, strlen(rows[i].sender), &sender), 1);
        size_t count = envelope_forms(&sender, forms);
        for (size_t f = 0; f < count; f++) {
            smtp_address_normalise(&forms[f]);
            smtp_address_format(&forms[f], text);
            snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", f ? " " : "", text);
        }
        assert_string_equal(all, rows[i].forms);
    }
}

/* Where case makes a difference it must still be there. */
static void test_forms_keep_their_case(void **state)
{
    static const char *const senders[] = { "Bob@Example.com", "PRVS=1234567890=Bob@example.com",
                                           "SRS0=HHH=TT=example.com=Bob@forward.example" };
    (void)state;
    for (size_t i = 0; i < sizeof senders / sizeof senders[0]; i++) {
        struct smtp_address sender, forms[ENVELOPE_FORMS_MAX];
        char text[SMTP_ADDRESS_MAX + 2];
        assert_int_equal(smtp_address_parse(senders[i], strlen(senders[i]), &sender), 1);
        size_t count = envelope_forms(&sender, forms);
        smtp_address_format(&forms[count - 1], text);
        assert_string_equal(text, "Bob@example.com");
    }
}

static void test_null_path_has_no_form(void **state)
{
    (void)state;
    struct smtp_address null = { .local = "" }, forms[ENVELOPE_FORMS_MAX];
    assert_int_equal(envelope_forms(&null, forms), 0);
}

static void test_related_domains(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool related;
    } rows[] = {
        { "example.com", "example.com", true },
        { "example.com", "EXAMPLE.COM.", true },
        { "mail.example.com", "example.com", true },
        { "a.b.example.com", "example.com", true },
        { "badexample.com", "example.com", false },
        { "example.org", "example.com", false },
        { "example.com", "com", false },
        { "a.example.com", "b.example.com", false },
        { "", "example.com", false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(envelope_domains_are_related(rows[i].a, rows[i].b), rows[i].related);
        assert_int_equal(envelope_domains_are_related(rows[i].b, rows[i].a), rows[i].related);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_forms_keep_their_case),
        cmocka_unit_test(test_null_path_has_no_form),
        cmocka_unit_test(test_related_domains),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
