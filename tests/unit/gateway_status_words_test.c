/* gateway_status_words_test.c - enhanced status codes in plain words */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/status_words.h"

static void test_words(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        { "5.1.1", "there is no such mailbox" },
        { "4.1.1", "the mailbox is not known there at the moment" },
        { "5.1.10", "the domain of the address takes no mail" },
        { "5.2.2", "the mailbox is full" },
        { "4.2.2", "the mailbox is full" },
        { "4.7.1", "the recipient's mail system does not accept it yet, by its rules" },
        { "5.7.1", "the recipient's mail system does not accept it, by its rules" },
        { "5.7.30", "the encryption that the message asks for is not available all the way" },
        { "5.7.99", "the recipient's mail system refuses it for reasons of security" },
        { "5.1.99", "something is wrong with the address" },
        { "5.9.9", "it could not be delivered" },
        { "4.9.9", "it could not be delivered yet" },
        { "5.0.0", "it could not be delivered" },
        { "2.1.1", "it was accepted" },
        { "2.0.0", "it was accepted" },
        { "550", "the recipient's mail system refuses it; perhaps there is no such mailbox" },
        { "521", "it could not be delivered" },
        { "", "the reason was not told in a way that can be put in plain words" },
        { "5", "the reason was not told in a way that can be put in plain words" },
        { "3.1.1", "the reason was not told in a way that can be put in plain words" },
        { "5.1.1 <b>", "the reason was not told in a way that can be put in plain words" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(status_words(rows[i][0]), rows[i][1]);
}

/* Every code of the registry has words of its own subject at least, and they can stand in a notice as they are. */
static void test_registry(void **state)
{
    (void)state;
    static const int details[] = { 0, 10, 4, 6, 7, 6, 10, 30 }; /* the highest of each subject */
    const char *unknown = status_words("");
    for (int class = 4; class <= 5; class ++) {
        for (int subject = 1; subject <= 7; subject++) {
            for (int detail = 0; detail <= details[subject]; detail++) {
                char code[16];
                snprintf(code, sizeof code, "%d.%d.%d", class, subject, detail);
                const char *words = status_words(code);
                assert_string_not_equal(words, unknown);
                assert_null(strpbrk(words, "*_`<>[]#&\\"));
                assert_true(words[0] >= 'a' && words[0] <= 'z');
                assert_true(words[strlen(words) - 1] != '.');
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_words), cmocka_unit_test(test_registry) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
