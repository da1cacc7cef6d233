/* Tests of smtp_client that need no conversation: preparing content, settings. The rest is in tests/dialogue/smtp_client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/loop.h"
#include "smtp/smtp_client_internal.h"

static const struct {
    const char *content;
    const char *wire; /* without the final dot */
} stuffing_cases[] = {
    { "", "" },
    { "a\r\n", "a\r\n" },
    { "a", "a\r\n" },
    { ".", "..\r\n" },
    { ".\r\n", "..\r\n" },
    { "..\r\n", "...\r\n" },
    { "a.\r\n.b\r\n", "a.\r\n..b\r\n" },
    { "a\r\n.\r\nb\r\n", "a\r\n..\r\nb\r\n" },
    /* What smuggles a second message past a relay that is not strict about line ends. */
    { "a\n.\nb\n", "a\r\n..\r\nb\r\n" },
    { "a\r.\rb\r", "a\r\n..\r\nb\r\n" },
    { "a\n.\r\nb\r\n", "a\r\n..\r\nb\r\n" },
    { "a\r\n.\nb\r\n", "a\r\n..\r\nb\r\n" },
    { "a\r\r\n.\r\r\nb", "a\r\n\r\n..\r\n\r\nb\r\n" },
    { "a\r\n\r.\r\n", "a\r\n\r\n..\r\n" },
    { "\n\r", "\r\n\r\n" },
    { "\r", "\r\n" },
    { "\r\n", "\r\n" },
};

/* In one piece, in two pieces of all sizes, and octet by octet. */
static void stuffs_content(void **state)
{
    (void)state;
    struct strbuf out;
    struct strbuf wanted;
    strbuf_init(&out, 1000);
    strbuf_init(&wanted, 1000);
    for (size_t i = 0; i < sizeof stuffing_cases / sizeof stuffing_cases[0]; i++) {
        const char *content = stuffing_cases[i].content;
        size_t len = strlen(content);
        strbuf_clear(&wanted);
        strbuf_add_fmt(&wanted, "%s.\r\n", stuffing_cases[i].wire);
        for (size_t split = 0; split <= len; split++) {
            struct smtp_client_stuffing stuffing = { 0 };
            strbuf_clear(&out);
            smtp_client_stuff(&stuffing, content, split, &out);
            smtp_client_stuff(&stuffing, content + split, len - split, &out);
            smtp_client_stuff_end(&stuffing, &out);
            assert_string_equal(out.data, wanted.data);
        }
        struct smtp_client_stuffing stuffing = { 0 };
        strbuf_clear(&out);
        for (size_t k = 0; k < len; k++)
            smtp_client_stuff(&stuffing, content + k, 1, &out);
        smtp_client_stuff_end(&stuffing, &out);
        assert_string_equal(out.data, wanted.data);
    }
    strbuf_free(&out);
    strbuf_free(&wanted);
}

static void reports_unusable_settings(void **state)
{
    (void)state;
    struct clock *clock = clock_new_fake(0, 0);
    struct loop *loop = loop_new(clock);
    struct smtp_client_settings settings = {
        .loop = loop,
        .address = "127.0.0.1:25",
        .helo = "gw.example.org",
        .tls = SMTP_CLIENT_TLS_VERIFY,
        .ca_file = "/nonexistent/ca.pem",
    };
    char *error = NULL;
    assert_null(smtp_client_new(&settings, &error));
    assert_non_null(strstr(error, "/nonexistent/ca.pem"));
    free(error);
    loop_free(&loop);
    clock_free(&clock);
}

static const struct {
    const char *address, *name;
} name_cases[] = {
    { "mail.example.org:25", "mail.example.org" },
    { "192.0.2.1:25", "192.0.2.1" },
    { "[2001:db8::1]:25", "2001:db8::1" },
    { "unix:/run/relay:1", "localhost" },
};

/* The name that the relay's certificate must be for. */
static void takes_the_host_from_the_address(void **state)
{
    (void)state;
    struct clock *clock = clock_new_fake(0, 0);
    struct loop *loop = loop_new(clock);
    for (size_t i = 0; i < sizeof name_cases / sizeof name_cases[0]; i++) {
        struct smtp_client_settings settings = { .loop = loop,
                                                 .address = name_cases[i].address,
                                                 .helo = "gw.example.org" };
        char *error = NULL;
        struct smtp_client *client = smtp_client_new(&settings, &error);
        assert_non_null(client);
        assert_string_equal(client->tls_name, name_cases[i].name);
        assert_true(smtp_client_is_idle(client));
        smtp_client_free(&client);
    }
    smtp_client_free(&(struct smtp_client *){ NULL }); /* harmless */
    loop_free(&loop);
    clock_free(&clock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stuffs_content),
        cmocka_unit_test(reports_unusable_settings),
        cmocka_unit_test(takes_the_host_from_the_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
