/* Questions and answers of DNS between our processes, and the files of trust anchors. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/dns_wire.h"
#include "base/resolver_anchors.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"

#define LABEL_63 "123456789012345678901234567890123456789012345678901234567890123"

static void test_names(void **state)
{
    static const struct {
        const char *name;
        bool is_valid;
    } rows[] = {
        { "example.com", true },
        { "example.com.", true },
        { "a", true },
        { "_dmarc.example.com", true },
        { "a b\\c\xff.example", true }, /* asked for as it is: nobody has it */
        { LABEL_63 ".example", true },
        { LABEL_63 "." LABEL_63 "." LABEL_63 "."
                   "1234567890123456789012345678901234567890123456789012345678901",
          true }, /* 253 */
        { LABEL_63 "." LABEL_63 "." LABEL_63 "."
                   "1234567890123456789012345678901234567890123456789012345678901.",
          true },
        { LABEL_63 "." LABEL_63 "." LABEL_63 "."
                   "12345678901234567890123456789012345678901234567890123456789012",
          false },
        { LABEL_63 "4.example", false },
        { "", false },
        { ".", false },
        { "..", false },
        { ".example", false },
        { "a..example", false },
        { "example..", false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (dns_name_is_valid(rows[i].name) != rows[i].is_valid)
            fail_msg("%s: expected %d", rows[i].name, rows[i].is_valid);
    }
}

static void test_questions(void **state)
{
    static const enum dns_type types[] = { DNS_A, DNS_AAAA, DNS_MX, DNS_PTR, DNS_TXT };
    char wire[DNS_QUESTION_WIRE_MAX];
    char name[DNS_NAME_MAX + 1];
    enum dns_type type;
    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        size_t len = dns_question_encode("Mail.EXAMPLE.com.", types[i], wire);
        assert_int_equal(dns_question_decode(wire, len, name, &type), 1);
        assert_string_equal(name, "mail.example.com");
        assert_int_equal(type, types[i]);
    }
    size_t len = dns_question_encode("a.b", DNS_A, wire);
    for (size_t cut = 0; cut < 3; cut++)
        assert_int_equal(dns_question_decode(wire, cut, name, &type), -1);
    assert_int_equal(dns_question_decode(wire, len - 1, name, &type), -1); /* "a." would be said as "a" */
    wire[3] = '\0';
    assert_int_equal(dns_question_decode(wire, len, name, &type), -1);
    wire[0] = 33; /* SRV */
    wire[3] = '.';
    assert_int_equal(dns_question_decode(wire, len, name, &type), -1);
    char too_long[2 + DNS_NAME_MAX + 1] = { 1, 0 };
    memset(too_long + 2, 'a', sizeof too_long - 2);
    assert_int_equal(dns_question_decode(too_long, sizeof too_long, name, &type), -1);
}

static void assert_round_trip(const struct dns_answer *answer, enum dns_type type)
{
    char *wire = xmalloc(DNS_ANSWER_WIRE_MAX);
    size_t len = dns_answer_encode(answer, wire);
    struct dns_answer *got = dns_answer_decode(wire, len, type);
    assert_non_null(got);
    assert_int_equal(got->outcome, answer->outcome);
    assert_int_equal(got->is_secure, answer->is_secure);
    assert_int_equal(got->count, answer->count);
    for (size_t i = 0; i < answer->count; i++) {
        const struct dns_record *expected = &answer->records[i], *record = &got->records[i];
        assert_int_equal(record->preference, expected->preference);
        assert_int_equal(record->ttl, expected->ttl);
        assert_int_equal(record->len, expected->len);
        assert_memory_equal(record->data, expected->data, expected->len);
        assert_int_equal(record->data[record->len], '\0');
    }
    dns_answer_free(&got);
    assert_null(got);
    for (size_t cut = 0; cut < len && cut < 200; cut++)
        assert_null(dns_answer_decode(wire, cut, type)); /* no beginning of an answer is one */
    if (len < DNS_ANSWER_WIRE_MAX) {
        wire[len] = 'x';
        assert_null(dns_answer_decode(wire, len + 1, type));
    }
    free(wire);
}

static void test_answers(void **state)
{
    static char large[DNS_ANSWER_MAX];
    static struct dns_record many[DNS_RECORDS_MAX];
    (void)state;
    memset(large, 'x', sizeof large);
    for (size_t i = 0; i < DNS_RECORDS_MAX; i++)
        many[i] = (struct dns_record){ .ttl = (uint32_t)i, .len = 16, .data = large };
    const struct dns_record addresses[] = { { .ttl = UINT32_MAX, .len = 4, .data = "\xc0\0\2\1" },
                                            { .len = 4, .data = "\0\0\0\0" } };
    const struct dns_record exchanges[] = { { .preference = 10, .ttl = 300, .len = 14, .data = "mx.example.com" },
                                            { .preference = UINT16_MAX, .len = 0, .data = "" } };
    const struct dns_record texts[] = { { .len = 0, .data = "" }, { .len = 5, .data = "a\0b\n\xff" } };
    const struct dns_record whole[] = { { .len = sizeof large, .data = large } };
    const struct {
        enum dns_type type;
        struct dns_answer answer;
    } rows[] = {
        { DNS_A, { .outcome = DNS_FOUND, .is_secure = true, .count = 2, .records = addresses } },
        { DNS_AAAA, { .outcome = DNS_FOUND, .count = DNS_RECORDS_MAX, .records = many } },
        { DNS_MX, { .outcome = DNS_FOUND, .count = 2, .records = exchanges } },
        { DNS_TXT, { .outcome = DNS_FOUND, .count = 2, .records = texts } },
        { DNS_TXT, { .outcome = DNS_FOUND, .count = 1, .records = whole } },
        { DNS_PTR, { .outcome = DNS_FOUND, .count = 1, .records = exchanges } },
        { DNS_A, { .outcome = DNS_NO_DATA, .is_secure = true } },
        { DNS_MX, { .outcome = DNS_NO_NAME } },
        { DNS_TXT, { .outcome = DNS_TEMPORARY } },
        { DNS_TXT, { .outcome = DNS_BOGUS } },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_round_trip(&rows[i].answer, rows[i].type);
}

/* What no honest process says. In the machine's order, as the test's machine has it: little-endian. */
static void test_answers_that_are_none(void **state)
{
    static const struct {
        const char *what;
        enum dns_type type;
        size_t len;
        const char *wire;
    } rows[] = {
        { "nothing", DNS_A, 0, "" },
        { "an unknown outcome", DNS_A, 4, "\5\0\0\0" },
        { "neither secure nor not", DNS_A, 4, "\1\2\0\0" },
        { "found nothing", DNS_A, 4, "\0\0\0\0" },
        { "records of no name", DNS_A, 16,
          "\2\0\1\0"
          "\0\0\4\0\0\0\0\0"
          "abcd" },
        { "an address of three octets", DNS_A, 15,
          "\0\0\1\0"
          "\0\0\3\0\0\0\0\0"
          "abc" },
        { "an address of the other kind", DNS_AAAA, 16,
          "\0\0\1\0"
          "\0\0\4\0\0\0\0\0"
          "abcd" },
        { "more than there is", DNS_TXT, 15,
          "\0\0\1\0"
          "\0\0\4\0\0\0\0\0"
          "abc" },
        { "a NUL in a name", DNS_PTR, 15,
          "\0\0\1\0"
          "\0\0\3\0\0\0\0\0"
          "a\0c" },
        { "more records than told", DNS_A, 28,
          "\0\0\1\0"
          "\0\0\4\0\0\0\0\0"
          "abcd"
          "\0\0\4\0\0\0\0\0"
          "abcd" },
        { "fewer records than told", DNS_A, 16,
          "\0\0\2\0"
          "\0\0\4\0\0\0\0\0"
          "abcd" },
        { "more records than allowed", DNS_TXT, 4, "\0\0\x65\0" },
        { "a type that nobody asks for", (enum dns_type)33, 16,
          "\0\0\1\0"
          "\0\0\4\0\0\0\0\0"
          "abcd" },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *exact = xmemdup(rows[i].wire, rows[i].len);
        struct dns_answer *got = dns_answer_decode(exact, rows[i].len, rows[i].type);
        if (got != NULL)
            fail_msg("%s was taken", rows[i].what);
        free(exact);
    }
}

static void test_answers_without_records(void **state)
{
    static const enum dns_outcome outcomes[] = { DNS_NO_DATA, DNS_NO_NAME, DNS_TEMPORARY, DNS_BOGUS };
    (void)state;
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        assert_int_equal(dns_answer_without_records(outcomes[i])->outcome, outcomes[i]);
        assert_int_equal(dns_answer_without_records(outcomes[i])->count, 0);
    }
    assert_int_equal(dns_answer_without_records(DNS_FOUND)->outcome, DNS_TEMPORARY);
}

/* ---- trust anchors ---- */

#define DS_SHA256      "E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D"
#define DNSKEY_ED25519 "l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4="

static void test_trust_anchors(void **state)
{
    static const struct {
        const char *text, *problem; /* NULL: good */
    } rows[] = {
        { ". IN DS 20326 8 2 " DS_SHA256 "\n", NULL },
        { ".\t172800\tIN\tDNSKEY\t257 3 15 " DNSKEY_ED25519 " ;{id = 20326 (ksk), size = 256b}\n", NULL },
        { "; a comment\n\n  \nexample.com. DS 1 8 2 " DS_SHA256 "\r\n", NULL },
        { "example. 3600 ds 1 8 2 E06D44B80B8F1D39A95C0B0D7C65D084 58E880409BBC683457104237C7F8EC8D", NULL },
        { ". IN DS 20326 8 2 " DS_SHA256 "\n. IN DS 38696 8 2 " DS_SHA256 "\n", NULL },
        { "", "there is no DS or DNSKEY record" },
        { "; only words\n", "there is no DS or DNSKEY record" },
        { ". IN DS 20326 8 2 " DS_SHA256 "\nrubbish\n", "line 2 " },
        { ". IN DS 20326 8 " DS_SHA256 "\n", "line 1 " },
        { ". IN DS 20326 8 2\n", "line 1 " },
        { ". IN DS 20326 8 2 E06D44\n", "line 1 " },
        { ". IN DS 20326 8 2 " DS_SHA256 "XX\n", "line 1 " },
        { ". IN DNSKEY 257 3 15 !!!\n", "line 1 " },
        { ". IN TXT \"v=spf1\"\n", "line 1 " },
        { ". IN DNSKEY (\n257 3 15 " DNSKEY_ED25519 ")\n", "line 1 " },
        { "$TTL 300\n", "line 1 " },
        { ".", "line 1 " },
    };
    char path[] = "/tmp/postern-anchors-XXXXXX";
    (void)state;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf problem;
        strbuf_init(&problem, 500);
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, rows[i].text, strlen(rows[i].text), 0), strlen(rows[i].text));
        int result = resolver_anchors_check(path, &problem);
        const char *expected = rows[i].problem != NULL ? rows[i].problem : "";
        if (result != (rows[i].problem == NULL ? 1 : -1) || strncmp(problem.data, expected, strlen(expected)) != 0)
            fail_msg("%s: %d, %s", rows[i].text, result, problem.data);
        strbuf_free(&problem);
    }
    struct strbuf problem;
    strbuf_init(&problem, 500);
    assert_int_equal(ftruncate(fd, RESOLVER_ANCHORS_MAX + 1), 0);
    assert_int_equal(resolver_anchors_check(path, &problem), -1);
    assert_non_null(strstr(problem.data, "it has more than 65536 bytes"));
    unlink(path);
    close(fd);
    assert_int_equal(resolver_anchors_check(path, &problem), -1);
    assert_non_null(strstr(problem.data, strerror(ENOENT)));
    strbuf_free(&problem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_questions),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_answers_that_are_none),
        cmocka_unit_test(test_answers_without_records),
        cmocka_unit_test(test_trust_anchors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
