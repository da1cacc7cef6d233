/* Tests of smtp_parser: command lines, paths, UTF-8, and the end of data however it comes in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "smtp/smtp_content.h"
#include "smtp/smtp_parser.h"

/* --- commands --- */

static const struct command_case {
    const char *line;
    size_t len;       /* 0: strlen */
    const char *verb; /* NULL: not a command */
    const char *args;
} command_cases[] = {
    { "NOOP", 0, "NOOP", "" },
    { "noop  ", 0, "noop", "" },
    { "MAIL FROM:<a@b>  ", 0, "MAIL", "FROM:<a@b>" },
    { "VRFY   a b ", 0, "VRFY", "a b" },
    { "MAIL   FROM:<a@b>", 0, "MAIL", "FROM:<a@b>" },
    { "BDAT 5  LAST ", 0, "BDAT", "5  LAST" },
    { "MAIL\xc2\xa0X", 0, "MAIL\xc2\xa0X", "" }, /* that is no space to anybody else */
    { "x", 0, "x", "" },
    { "R\xc3\xa4TSEL \xf0\x9f\x90\x90", 0, "R\xc3\xa4TSEL", "\xf0\x9f\x90\x90" },
    { "", 0, NULL, NULL },
    { " NOOP", 0, NULL, NULL },
    { "NOOP\t", 0, NULL, NULL },
    { "\tNOOP", 0, NULL, NULL },
    { "MAIL\tFROM:<a@b>", 0, NULL, NULL },
    { "MAIL FROM:<a@b>\tSIZE=1", 0, NULL, NULL },
    { " ", 0, NULL, NULL },
    { "\0", 1, NULL, NULL },
    { "NO\0OP", 5, NULL, NULL },
    { "RCPT TO:<a\0@b>", 15, NULL, NULL },
    { "RCPT TO:<a\r@b>", 0, NULL, NULL },
    { "RCPT TO:<a\n@b>", 0, NULL, NULL },
    { "RCPT TO:<a\b@b>", 0, NULL, NULL },
    { "NOOP \xff\xfb\x01", 0, NULL, NULL }, /* Telnet */
    { "NOOP\r", 0, NULL, NULL },
    { "NOOP\0x", 6, NULL, NULL },
    { "NOOP \x7f", 0, NULL, NULL },
    { "NOOP \x1b[2J", 0, NULL, NULL },
    { "NOOP \xe4", 0, NULL, NULL },
    { "NOOP \xc3", 0, NULL, NULL },         /* cut off */
    { "NOOP \xc0\x80", 0, NULL, NULL },     /* overlong */
    { "NOOP \xed\xa0\x80", 0, NULL, NULL }, /* surrogate */
};

static void assert_slice(const char *slice, size_t len, const char *expected)
{
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(slice, expected, len);
}

static void commands_are_split(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof command_cases / sizeof command_cases[0]; i++) {
        const struct command_case *c = &command_cases[i];
        struct smtp_command command;
        int result = smtp_parse_command(c->line, c->len ? c->len : strlen(c->line), &command);
        assert_int_equal(result, c->verb ? 1 : -1);
        if (!c->verb)
            continue;
        assert_slice(command.verb, command.verb_len, c->verb);
        assert_slice(command.args, command.args_len, c->args);
    }
}

/* --- paths --- */

static const struct path_case {
    const char *args;
    const char *mailbox; /* NULL: refused */
    const char *params;
} path_cases[] = {
    { "FROM:<bob@example.com>", "bob@example.com", "" },
    { "from: <bob@example.com>", "bob@example.com", "" },
    { "FROM:   bob@example.com", "bob@example.com", "" },
    { "FROM:<>", "", "" },
    { "FROM:<> SIZE=5  BODY=7BIT", "", "SIZE=5  BODY=7BIT" },
    { "FROM:bob@example.com SIZE=5", "bob@example.com", "SIZE=5" },
    { "FROM:<\"a>b c\"@example.com> X", "\"a>b c\"@example.com", "X" },
    { "FROM:<\"a\\\"> b\"@example.com>", "\"a\\\"> b\"@example.com", "" },
    { "FROM:\"a b\"@example.com X", "\"a b\"@example.com", "X" },
    { "FROM:<@a.example:bob@example.com>", "bob@example.com", "" },
    { "FROM:<@a.example,@b.example:bob@example.com> X", "bob@example.com", "X" },
    { "FROM:<@[IPv6:2001:db8::1]:bob@[IPv6:2001:db8::2]>", "bob@[IPv6:2001:db8::2]", "" },
    { "FROM:@a.example:bob@example.com", "bob@example.com", "" },
    { "fRoM:<bob@example.com>", "bob@example.com", "" },
    { "FROM:<bob@example.com>    ", "bob@example.com", "" },
    { "FROM:<bob@example.com>  SIZE=1   BODY=7BIT ", "bob@example.com", "SIZE=1   BODY=7BIT" },
    { "FROM:bob@example.com   ", "bob@example.com", "" },
    { "FROM:<bob@example.com> <eve@evil.example>", "bob@example.com", "<eve@evil.example>" }, /* no parameter either */
    { "FROM:\"Bob Smith\" <bob@example.com>", "\"Bob Smith\"", "<bob@example.com>" },         /* nor an address */
    { "FROM:<bob>", "bob", "" },
    { "FROM:<\"\">", "\"\"", "" },
    { "FROM:<\"\"@example.com>", "\"\"@example.com", "" },
    { "FROM:<\"@a.example:bob\"@example.com>", "\"@a.example:bob\"@example.com", "" }, /* quoted: no route */
    { "FROM:<bob@[IPv6:2001:db8::1]> SIZE=1", "bob@[IPv6:2001:db8::1]", "SIZE=1" },
    { "FROM:<@a.example,bob@example.com:eve@evil.example>", "eve@evil.example", "" },
    { "FROM", NULL, NULL },
    { "FROM:", NULL, NULL },
    { "FROM: ", NULL, NULL },
    { "FROM :<bob@example.com>", NULL, NULL },
    { "FROMBOB:<bob@example.com>", NULL, NULL },
    { "TO:<bob@example.com>", NULL, NULL },
    { "FROM:<", NULL, NULL },
    { "FROM:>", NULL, NULL },
    { "FROM:<<bob@example.com>>", NULL, NULL },
    { "FROM:<bob@example.com>>", NULL, NULL },
    { "FROM:<bob@example.com", NULL, NULL },
    { "FROM:bob@example.com>", NULL, NULL },
    { "FROM:bob<bob@example.com>", NULL, NULL },
    { "FROM:<bob@example.com>X", NULL, NULL },
    { "FROM:<bob@example.com>SIZE=1", NULL, NULL },
    { "FROM:<>SIZE=1", NULL, NULL },
    { "FROM:<@>", NULL, NULL },
    { "FROM:@", NULL, NULL },
    { "FROM:<@a.example,bob@example.com>", NULL, NULL },
    { "FROM:<bob@example.com>,<eve@evil.example>", NULL, NULL },
    { "FROM: < bob@example.com>", NULL, NULL },
    { "FROM:<bob@example.com >", NULL, NULL },
    { "FROM:bob@example.com SIZE=1>", "bob@example.com", "SIZE=1>" }, /* a bad parameter */
    { "FROM:Bob <bob@example.com>", "Bob", "<bob@example.com>" },
    { "FROM=<bob@example.com>", NULL, NULL },
    { "FROM::<bob@example.com>", NULL, NULL },
    { "FROM:<bob @example.com>", NULL, NULL },
    { "FROM:<\"bob@example.com>", NULL, NULL },
    { "FROM:\"bob@example.com", NULL, NULL },
    { "FROM:<\"bob\\", NULL, NULL },
    { "FROM:<@a.example>", NULL, NULL },
    { "FROM:<@a.example:>", NULL, NULL },
    { "FROM:<[bob@example.com>", NULL, NULL },
};

static void paths_are_taken_apart(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof path_cases / sizeof path_cases[0]; i++) {
        const struct path_case *c = &path_cases[i];
        struct smtp_path path;
        int result = smtp_parse_path(c->args, strlen(c->args), "FROM", &path);
        if (result != (c->mailbox ? 1 : -1))
            fail_msg("%s: %d", c->args, result);
        if (!c->mailbox)
            continue;
        assert_slice(path.mailbox, path.mailbox_len, c->mailbox);
        assert_slice(path.params, path.params_len, c->params);
    }
}

/* --- data --- */

#define LF   SMTP_DEFECT_BARE_LF
#define CR   SMTP_DEFECT_BARE_CR
#define ZERO SMTP_DEFECT_NUL

static const struct data_case {
    const char *wire;
    size_t wire_len;     /* 0: strlen */
    const char *content; /* of good content; NULL: not compared */
    unsigned defects;
    const char *rest; /* what remains after the end; NULL: the end was not seen */
} data_cases[] = {
    { ".\r\n", 0, "", 0, "" },
    { "a\r\n.\r\n", 0, "a\r\n", 0, "" },
    { "a\r\n.\r\nQUIT\r\n", 0, "a\r\n", 0, "QUIT\r\n" },
    { "\r\n.\r\n.\r\n", 0, "\r\n", 0, ".\r\n" },
    { "..\r\n.\r\n", 0, ".\r\n", 0, "" },
    { "...\r\n.\r\n", 0, "..\r\n", 0, "" },
    { ".a\r\n.\r\n", 0, "a\r\n", 0, "" },
    { "a.\r\nb..\r\n.\r\n", 0, "a.\r\nb..\r\n", 0, "" },
    { ". \r\n.\r\n", 0, " \r\n", 0, "" },
    { "\x80\xff\x01\t\r\n.\r\n", 0, "\x80\xff\x01\t\r\n", 0, "" },
    { "a\r\n\r\n\r\n.\r\n", 0, "a\r\n\r\n\r\n", 0, "" },
    /* not yet at the end */
    { "a", 0, "a", 0, NULL },
    { "a\r\n", 0, "a\r\n", 0, NULL },
    { "a\r\n.", 0, "a\r\n", 0, NULL },
    { "a\r\n.\r", 0, "a\r\n", 0, NULL },
    { "a.\r\n", 0, "a.\r\n", 0, NULL },
    /* what somebody else may take for the end */
    { "a\n.\r\n", 0, NULL, LF, NULL },
    { "a\n.\n", 0, NULL, LF, NULL },
    { "a\n.\r", 0, NULL, LF, NULL },
    { "a\r.\r", 0, NULL, CR, NULL },
    { "a\r.\r\n", 0, NULL, CR, NULL },
    { "a\r.\n", 0, NULL, CR | LF, NULL },
    { "a\r\n.\n", 0, NULL, LF, NULL },
    { "a\r\n.\rb", 0, NULL, CR, NULL },
    { "a\r\n.\r\r\n", 0, NULL, CR, NULL },
    { "a\r\n\0.\r\n", 7, NULL, ZERO, NULL },
    { "a\r\n.\0\r\n", 7, NULL, ZERO, NULL },
    { "a\n\r.\n\r", 0, NULL, LF | CR, NULL },
    { ".\n", 0, NULL, LF, NULL },
    { ".\rQUIT\r\n", 0, NULL, CR, NULL },
    { "a\r\n.\r.\r\n", 0, NULL, CR, NULL },
    /* the true end is found after each of them */
    { "a\n.\r\nMAIL\r\n.\r\nQUIT\r\n", 0, NULL, LF, "QUIT\r\n" },
    { "a\r\n.\nMAIL\r\n.\r\nQUIT\r\n", 0, NULL, LF, "QUIT\r\n" },
    { "a\r\n.\rMAIL\r\n.\r\nQUIT\r\n", 0, NULL, CR, "QUIT\r\n" },
    { "a\r.\r\nMAIL\r\n.\r\nQUIT\r\n", 0, NULL, CR, "QUIT\r\n" },
    { "a\r\r\n.\r\nQUIT\r\n", 0, NULL, CR, "QUIT\r\n" },
    { "a\r\n.\r\r\n.\r\nQUIT\r\n", 0, NULL, CR, "QUIT\r\n" },
    { "\0\r\n.\r\nQUIT\r\n", 12, NULL, ZERO, "QUIT\r\n" },
};

struct decoding {
    struct smtp_data_decoder decoder;
    struct smtp_content_check check;
    struct strbuf content;
    bool has_ended;
};

/* Feeds a packet; returns how much of it was left over after the end. */
static size_t feed(struct decoding *decoding, const char *packet, size_t len)
{
    const uint8_t *input = (const uint8_t *)packet;
    const uint8_t *chunk;
    size_t chunk_len;
    while (!decoding->has_ended) {
        switch (smtp_data_feed(&decoding->decoder, &input, &len, &chunk, &chunk_len)) {
        case SMTP_DATA_MORE:
            assert_int_equal(len, 0);
            return 0;
        case SMTP_DATA_CHUNK:
            assert_true(chunk_len > 0);
            strbuf_add(&decoding->content, chunk, chunk_len);
            smtp_content_check_feed(&decoding->check, chunk, chunk_len);
            break;
        case SMTP_DATA_END:
            decoding->has_ended = true;
            break;
        }
    }
    return len;
}

static void check_data(const struct data_case *c, const size_t *cuts, size_t cut_count)
{
    size_t wire_len = c->wire_len ? c->wire_len : strlen(c->wire);
    struct decoding decoding = { .has_ended = false };
    smtp_data_decoder_init(&decoding.decoder);
    smtp_content_check_init(&decoding.check, false);
    strbuf_init(&decoding.content, 1000);
    size_t at = 0;
    size_t left = 0;
    for (size_t i = 0; i <= cut_count; i++) {
        size_t end = i < cut_count ? cuts[i] : wire_len;
        left += feed(&decoding, c->wire + at, end - at);
        at = end;
    }
    assert_int_equal(decoding.check.defects, c->defects);
    assert_int_equal(decoding.has_ended, c->rest != NULL);
    if (c->rest)
        assert_slice(c->wire + wire_len - left, left, c->rest);
    if (c->content)
        assert_slice(decoding.content.data, decoding.content.len, c->content);
    strbuf_free(&decoding.content);
}

static void data_ends_where_it_ends(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof data_cases / sizeof data_cases[0]; i++)
        check_data(&data_cases[i], NULL, 0);
}

static void data_does_not_care_about_packets(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof data_cases / sizeof data_cases[0]; i++) {
        const struct data_case *c = &data_cases[i];
        size_t len = c->wire_len ? c->wire_len : strlen(c->wire);
        for (size_t first = 0; first <= len; first++) {
            for (size_t second = first; second <= len; second++)
                check_data(c, (size_t[]){ first, second }, 2);
        }
        size_t everywhere[64];
        for (size_t k = 0; k < len; k++)
            everywhere[k] = k;
        check_data(c, everywhere, len);
    }
}

/* Whatever the content is, dot-stuffing it and reading it again gives it back. */
static void stuffed_content_comes_back(void **state)
{
    (void)state;
    static const char alphabet[] = { '.', 'a', '\n' }; /* '\n' stands for CRLF */
    for (unsigned long n = 0; n < 6561; n++) {         /* 3 to the power of 8 */
        struct strbuf content;
        struct strbuf wire;
        strbuf_init(&content, 100);
        strbuf_init(&wire, 100);
        bool at_start = true;
        unsigned long digits = n;
        for (int i = 0; i < 9; i++, digits /= 3) {
            char c = i < 8 ? alphabet[digits % 3] : '\n';
            const char *text = c == '\n' ? "\r\n" : (char[]){ c, '\0' };
            strbuf_add_str(&content, text);
            strbuf_add_str(&wire, c == '.' && at_start ? ".." : text);
            at_start = c == '\n';
        }
        strbuf_add_str(&wire, ".\r\n");
        const struct data_case c = { wire.data, wire.len, content.data, 0, "" };
        check_data(&c, NULL, 0);
        strbuf_free(&content);
        strbuf_free(&wire);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_split),         cmocka_unit_test(paths_are_taken_apart),
        cmocka_unit_test(data_ends_where_it_ends),    cmocka_unit_test(data_does_not_care_about_packets),
        cmocka_unit_test(stuffed_content_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
