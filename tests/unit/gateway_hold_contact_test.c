#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "gateway/hold_contact.h"
#include "gateway/hold_facts.h"
#include "mapping/convert_utf8.h"

static unsigned units_of(const char *text)
{
    unsigned units = 0;
    size_t len = strlen(text), n;
    uint32_t code;
    for (size_t i = 0; i < len; i += n) {
        n = convert_utf8_char(text + i, len - i, &code);
        assert_true(n > 0); /* valid */
        units += code >= 0x10000 ? 2 : 1;
    }
    return units;
}

static char *contact(const char *author, const char *subject)
{
    struct strbuf out;
    strbuf_init(&out, 4000);
    hold_contact_write(author, subject, &out);
    assert_true(strbuf_ok(&out));
    assert_in_range(units_of(out.data), 1, HOLD_CONTACT_UNITS);
    return strbuf_detach(&out);
}

#define BOB "bob@example.com"
#define ASK " To ask that they may write to you, answer: invite "

static void tells_who_and_what_and_how_to_answer(void **state)
{
    (void)state;
    static const struct {
        const char *author, *subject, *text;
    } rows[] = {
        { BOB, "Hello", "Held: mail from " BOB ", \"Hello\"." ASK BOB },
        { BOB, "", "Mail from " BOB " is held." ASK BOB },
        { BOB, " \xE2\x80\x8B\t\r\n ", "Mail from " BOB " is held." ASK BOB },
        { BOB, "A subject that is far too long to be shown",
          "Held: mail from " BOB ", \"A subject that is far too long to ...\"." ASK BOB },
        { "somebody.with.a.name@department.example.org", "Hello",
          "Mail from somebody.with.a.name@department.example.org is held. An administrator decides about it." },
        { "b\xC3\xBC"
          "b@example.com",
          "Hello", "Mail from somebody whose address can't be shown here is held. An administrator decides about it." },
        { "\"a b\"@example.com", "Hello",
          "Mail from somebody whose address can't be shown here is held. An administrator decides about it." },
        { "", "", "Mail from somebody whose address can't be shown here is held. An administrator decides about it." },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *text = contact(rows[i].author, rows[i].subject);
        assert_string_equal(text, rows[i].text);
        free(text);
    }
}

static void shows_subjects_that_can_do_no_harm(void **state)
{
    (void)state;
    static const struct {
        const char *subject, *shown;
    } rows[] = {
        { "Re: the plan v1.2 (10:30)", "Re: the plan v1.2 (10:30)" },
        { "one\r\n two\tthree  four ", "one two three four" },
        { "see https://evil.example/x", "see https[:]//evil[.]example/x" },
        { "see www.evil.example.", "see www[.]evil[.]example." },
        { "write to eve@evil.example", "write to eve[at]evil[.]example" },
        { "mailto:eve", "mailto[:]eve" },
        { "abc\xE2\x80\xAE"
          "def\xE2\x81\xA6"
          "ghi\xEF\xBB\xBF\xE2\x81\xA9\xE2\x80\xAC",
          "abcdefghi" },
        { "quo\"ted \xE2\x80\x9Cso\xE2\x80\x9D", "quo'ted 'so'" },
        { "bad \xFF\xFE utf \xC0\x80", "bad ?? utf ??" },
        { "\xE2\x80\xA8line\xE2\x80\xA9paragraph", "line paragraph" },
        { "a\xF3\xA0\x81\x81tag", "atag" },
        { "\x1B[31mred\x07", "[31mred" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf out;
        strbuf_init(&out, 1000);
        hold_contact_add_subject(rows[i].subject, 100, &out);
        assert_string_equal(out.data, rows[i].shown);
        strbuf_free(&out);
    }
}

static void counts_in_the_units_of_the_silo(void **state)
{
    (void)state;
    struct strbuf subject, out;
    strbuf_init(&subject, 4000);
    strbuf_init(&out, 4000);
    for (int i = 0; i < 200; i++)
        strbuf_add_str(&subject, "\xF0\x9F\x98\x80"); /* two units each */
    for (unsigned most = 5; most < 60; most++) {
        strbuf_clear(&out);
        hold_contact_add_subject(subject.data, most, &out);
        assert_in_range(units_of(out.data), most - 1, most);
    }
    free(contact(BOB, subject.data));
    strbuf_free(&subject);
    strbuf_free(&out);
}

static void never_says_more_than_fits_whatever_the_lengths(void **state)
{
    (void)state;
    char author[300], subject[2000];
    for (size_t n = 1; n < sizeof author - 1; n++) {
        memset(author, 'a', n);
        author[n] = 0;
        for (size_t m = 0; m < sizeof subject - 1; m += 37) {
            memset(subject, 's', m);
            subject[m] = 0;
            free(contact(author, subject));
        }
    }
}

static void keeps_what_a_header_says_as_one_text(void **state)
{
    (void)state;
    static const struct {
        const char *message_id, *subject, *references;
        bool has_digest;
    } rows[] = {
        { "1@example.com", "Hello", "2@example.com\n3@example.com", true },
        { NULL, "", "", false },
        { "1@example.com", "", "", false },
        { NULL, "a", "b", true },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct hold_facts facts = { .has_digest = rows[i].has_digest, .digest = { 1, 0xAB, 0xFF } }, read;
        struct strbuf text;
        strbuf_init(&text, 1000);
        facts.message_id = rows[i].message_id ? strdup(rows[i].message_id) : NULL;
        facts.subject = strdup(rows[i].subject);
        facts.references = strdup(rows[i].references);
        hold_facts_add(&facts, &text);
        assert_int_equal(hold_facts_read(text.data, &read), 1);
        if (rows[i].message_id)
            assert_string_equal(read.message_id, rows[i].message_id);
        else
            assert_null(read.message_id);
        assert_string_equal(read.subject, rows[i].subject);
        assert_string_equal(read.references, rows[i].references);
        assert_int_equal(read.has_digest, rows[i].has_digest);
        if (read.has_digest)
            assert_memory_equal(read.digest, facts.digest, sizeof facts.digest);
        hold_facts_free(&read);
        hold_facts_free(&facts);
        strbuf_free(&text);
    }
    struct hold_facts none;
    static const char *const bad[] = { "", "a", "a\n", "a\n\n", "a\nzz\nb\n", "a\n0123\nb\n" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(hold_facts_read(bad[i], &none), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_who_and_what_and_how_to_answer),
        cmocka_unit_test(shows_subjects_that_can_do_no_harm),
        cmocka_unit_test(counts_in_the_units_of_the_silo),
        cmocka_unit_test(never_says_more_than_fits_whatever_the_lengths),
        cmocka_unit_test(keeps_what_a_header_says_as_one_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
