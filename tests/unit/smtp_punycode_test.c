/* Tests of smtp_punycode: labels as the DNS has them; some are the samples of RFC 3492 section 7.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "smtp/smtp_punycode.h"

#define A60 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct label_case {
    const char *label, *encoded; /* NULL: refused */
} cases[] = {
    { "b\xc3\xbc"
      "cher",
      "xn--bcher-kva" },
    { "m\xc3\xbcnchen", "xn--mnchen-3ya" },
    { "\xe4\xbe\x8b\xe3\x81\x88", "xn--r8jz45g" },
    { "\xf0\x9f\x90\x90", "xn--7n8h" },
    { "\xc3\xbc", "xn--tda" },
    { "\xc3\xb1"
      "and\xc3\xba",
      "xn--and-6ma2c" },
    { "\xe4\xbb\x96\xe4\xbb\xac\xe4\xb8\xba\xe4\xbb\x80\xe4\xb9\x88\xe4\xb8\x8d\xe8\xaf\xb4\xe4\xb8\xad\xe6\x96\x87",
      "xn--ihqwcrb4cv8a8dqg056pqjye" },
    { "\xd0\xbf\xd0\xbe\xd1\x87\xd0\xb5\xd0\xbc\xd1\x83\xd0\xb6\xd0\xb5\xd0\xbe\xd0\xbd\xd0\xb8\xd0\xbd\xd0\xb5\xd0\xb3"
      "\xd0\xbe\xd0\xb2\xd0\xbe\xd1\x80\xd1\x8f\xd1\x82\xd0\xbf\xd0\xbe\xd1\x80\xd1\x83\xd1\x81\xd1\x81\xd0\xba\xd0"
      "\xb8",
      "xn--b1abfaaepdrnnbgefbadotcwatmq2g4l" },
    { "a\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3"
      "\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc",
      "xn--a-ehaaaaaaaaaaaaaaaaaaaa" },
    { "3\xe5\xb9\xb4"
      "b\xe7\xb5\x84\xe9\x87\x91\xe5\x85\xab\xe5\x85\x88\xe7\x94\x9f",
      "xn--3b-ww4c5e180e575a65lsy2b" },
    { "\xe3\x81\x9d\xe3\x81\xae\xe3\x82\xb9\xe3\x83\x94\xe3\x83\xbc\xe3\x83\x89\xe3\x81\xa7", "xn--d9juau41awczczp" },
    { "maji-\xe3\x81\xa7koi\xe3\x81\x99\xe3\x82\x8b"
      "5\xe7\xa7\x92\xe5\x89\x8d",
      "xn--maji-koi5-783h4e2r8737a1v9e" },
    { "B\xc3\xbc"
      "cher",
      "xn--bcher-kva" },
    { "B\xc3\x9c"
      "cher",
      "xn--bcher-2pa" },
    { "example", "example" },
    { "Example", "example" },
    { "a-b", "a-b" },
    { "-", "-" },
    { "xn--bcher-kva", "xn--bcher-kva" },
    { "", "" },
    { A60 "aaa", A60 "aaa" },
    { A60 "aaaa", NULL },
    { A60 "\xc3\xbc", NULL }, /* would be longer than a label */
    { "b\xfc"
      "cher",
      NULL }, /* not UTF-8 */
    { "b\xc3", NULL },
};

static void labels_are_encoded(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char encoded[SMTP_LABEL_MAX + 1];
        print_message("%s\n", cases[i].label);
        int result = smtp_punycode_encode_label(cases[i].label, strlen(cases[i].label), encoded);
        assert_int_equal(result, cases[i].encoded ? 1 : -1);
        if (cases[i].encoded)
            assert_string_equal(encoded, cases[i].encoded);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(labels_are_encoded) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
