/* Tests of smtp_content: which octets may stand where, told apart from an obvious way to say it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "smtp/smtp_content.h"

#define LF   SMTP_DEFECT_BARE_LF
#define CR   SMTP_DEFECT_BARE_CR
#define ZERO SMTP_DEFECT_NUL

static unsigned check(const char *content, size_t len, size_t cut, bool is_binary)
{
    struct smtp_content_check check;
    smtp_content_check_init(&check, is_binary);
    smtp_content_check_feed(&check, (const uint8_t *)content, cut);
    smtp_content_check_feed(&check, (const uint8_t *)content + cut, len - cut);
    smtp_content_check_finish(&check);
    return check.defects;
}

static const struct content_case {
    const char *content;
    size_t len; /* 0: strlen */
    unsigned as_text, as_binary;
} cases[] = {
    { "", 0, 0, 0 },
    { "a", 0, 0, 0 },
    { "\r\n", 0, 0, 0 },
    { "A: b\r\n\r\na\r\n", 0, 0, 0 },
    { "\x80\xff\x01\x1b\t", 0, 0, 0 },
    { "\n", 0, LF, LF },
    { "\r", 0, CR, CR },
    { "\0", 1, ZERO, ZERO },
    { "A: b\r\n\r\na\n\r\0", 12, LF | CR | ZERO, 0 },
    { "\r\n\n", 0, LF, 0 }, /* no header at all */
    { "\r\n\r", 0, CR, 0 },
    { "A: b\r\na\n\r\n\r\n", 0, LF, LF },
    { "A: b\r\na\0\r\n\r\n", 12, ZERO, ZERO },
    { "A: b\r\na\r\r\n\r\n", 0, CR, CR },
    { "A: b\n\nc\n", 0, LF, LF }, /* not the end of the header section to us, whoever else sees it there */
    { "A: b\r\n\n\0\r\n", 10, LF | ZERO, LF | ZERO },
    { "A: b\n\r\nc\n", 0, LF, LF },
    { "A: b\r\n\r\r\n\0", 10, CR | ZERO, CR | ZERO },
    { "A: b\r\r\n\n", 0, CR | LF, CR | LF },
};

static void tells_defects(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct content_case *c = &cases[i];
        size_t len = c->len ? c->len : strlen(c->content);
        for (size_t cut = 0; cut <= len; cut++) {
            assert_int_equal(check(c->content, len, cut, false), c->as_text);
            assert_int_equal(check(c->content, len, cut, true), c->as_binary);
        }
    }
}

/* The same octet by octet, with the whole content in view. */
static unsigned obvious(const char *content, size_t len, bool is_binary)
{
    const char *empty_line =
        len >= 2 && memcmp(content, "\r\n", 2) == 0 ? content : memmem(content, len, "\r\n\r\n", 4);
    size_t header = is_binary && empty_line ? (size_t)(empty_line - content) + 2 : len;
    unsigned defects = 0;
    for (size_t i = 0; i < header; i++) {
        if (content[i] == '\0')
            defects |= ZERO;
        if (content[i] == '\r' && (i + 1 == len || content[i + 1] != '\n'))
            defects |= CR;
        if (content[i] == '\n' && (i == 0 || content[i - 1] != '\r'))
            defects |= LF;
    }
    return defects;
}

static void agrees_with_the_obvious(void **state)
{
    (void)state;
    static const char alphabet[] = { 'a', '\r', '\n', '\0' };
    enum { LENGTH = 8 };
    for (size_t len = 0; len <= LENGTH; len++) {
        for (unsigned long n = 0; n < 1UL << (2 * len); n++) {
            char content[LENGTH] = { 0 };
            for (size_t i = 0; i < len; i++)
                content[i] = alphabet[(n >> (2 * i)) & 3];
            for (size_t cut = 0; cut <= len; cut += 3) {
                assert_int_equal(check(content, len, cut, false), obvious(content, len, false));
                assert_int_equal(check(content, len, cut, true), obvious(content, len, true));
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_defects),
        cmocka_unit_test(agrees_with_the_obvious),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
