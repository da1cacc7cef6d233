/* gateway_config_relay_test.c - relay sections, and the file with a relay's password */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "gateway/config.h"
#include "gateway/relay_password.h"

#define GOOD_REST                                                                                                      \
    "domain = \"d.example\"\nhostname = \"gw.example.org\"\nsilo { address = \"=127.0.0.1:4433\" }\n"                  \
    "listen smtp { address = \"127.0.0.1:2525\" }\n"
#define PIN "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

/* text, mode: of a file of its own, whose path goes into path_out. */
static void make_file(const char *text, size_t len, mode_t mode, char path_out[32])
{
    snprintf(path_out, 32, "/tmp/postern-conf-XXXXXX");
    int fd = mkstemp(path_out);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), (ssize_t)len);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static struct config *load(const char *relays, struct strbuf *problems)
{
    char path[32];
    struct strbuf text;
    strbuf_init(&text, 10000);
    strbuf_add_fmt(&text, "%s%s", GOOD_REST, relays);
    make_file(text.data, text.len, 0600, path);
    struct config *config = config_load(path, problems);
    unlink(path);
    strbuf_free(&text);
    return config;
}

static void test_several_relays_in_order(void **state)
{
    (void)state;
    char password[32];
    struct strbuf problems, text;
    strbuf_init(&problems, 10000);
    strbuf_init(&text, 10000);
    make_file("secret\n", 7, 0600, password);
    strbuf_add_fmt(&text,
                   "relay { url = \"smtps://mx1.example:465\" tls = verify fingerprint = \"" PIN "\" user = \"gw\"\n"
                   "  password_file = \"%s\" max_connections = 7 }\n"
                   "relay { url = \"smtp://[::1]:25\" helo = \"other.example\" }\n"
                   "relay { url = \"maildir:/var/out\" }\n"
                   "relay { url = \"lmtp://unix:/l\" tls = none user = \"x\" password_file = \"%s\" }\n",
                   password, password);
    struct config *config = load(text.data, &problems);
    unlink(password);
    assert_string_equal(problems.data, "");
    assert_non_null(config);
    assert_int_equal(config->relay_count, 4);
    assert_int_equal(config->relays[0].kind, CONFIG_RELAY_SMTPS);
    assert_int_equal(config->relays[0].tls, SMTP_CLIENT_TLS_VERIFY);
    assert_string_equal(config->relays[0].target, "mx1.example:465");
    assert_string_equal(config->relays[0].fingerprint, PIN);
    assert_string_equal(config->relays[0].user, "gw");
    assert_string_equal(config->relays[0].password_file, password);
    assert_int_equal(config->relays[0].max_connections, 7);
    assert_string_equal(config->relays[1].target, "[::1]:25");
    assert_string_equal(config->relays[1].helo, "other.example");
    assert_int_equal(config->relays[1].max_connections, 4);
    assert_int_equal(config->relays[1].tls, SMTP_CLIENT_TLS_MAY);
    assert_null(config->relays[1].user);
    assert_int_equal(config->relays[2].kind, CONFIG_RELAY_MAILDIR);
    config_free(&config);
    strbuf_free(&problems);
    strbuf_free(&text);
}

static void test_mistakes(void **state)
{
    (void)state;
    char good[32], open_to_all[32], relays[1000];
    make_file("secret", 6, 0640, good);
    make_file("secret", 6, 0644, open_to_all);
    static const struct {
        const char *relay; /* %s: a good password file */
        const char *says;
    } rows[] = {
        { "", "no relay section" },
        { "relay { }", "relay: url is missing" },
        { "relay { url = \"smtp://a:25\" }\nrelay { url = \"http://x\" }", ":6: url = \"http://x\"" },
        { "relay { url = \"smtp://a:25\" }\nrelay { url = \"smtp://a:25\" }", "smtp://a:25 stands there twice" },
        { "relay { url = \"smtp://a:25\" fingerprint = \"abc\" }", ":5: fingerprint: expected" },
        { "relay { url = \"smtp://a:25\" tls = require fingerprint = \"" PIN "\" }", "goes with tls = verify" },
        { "relay { url = \"smtp://a:25\" tls = verify fingerprint = \"" PIN "\" ca_file = \"/dev/null\" }",
          "exclude each other" },
        { "relay { url = \"smtp://a:25\" tls = verify user = \"x\" }", "user and password_file go together" },
        { "relay { url = \"smtp://a:25\" tls = verify password_file = \"%s\" }", "user and password_file go together" },
        { "relay { url = \"smtp://a:25\" tls = verify user = \"\" password_file = \"%s\" }", ":5: user" },
        { "relay { url = \"smtp://a:25\" tls = require user = \"x\" password_file = \"%s\" }",
          "a relay that proves who it is" },
        { "relay { url = \"smtps://a:465\" user = \"x\" password_file = \"%s\" }", "a relay that proves who it is" },
        { "relay { url = \"smtp://127.0.0.1:25\" user = \"x\" password_file = \"%s\" }", "over TLS only" },
        { "relay { url = \"maildir:/m\" user = \"x\" password_file = \"%s\" }", "a maildir knows no user" },
        { "relay { url = \"smtp://a:25\" tls = verify user = \"x\" password_file = \"secret\" }", "absolute path" },
        { "relay { url = \"smtp://a:25\" tls = verify user = \"x\" password_file = \"/nowhere/p\" }", "can't be read" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf problems;
        strbuf_init(&problems, 10000);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* the rows of the table above */
        snprintf(relays, sizeof relays, rows[i].relay, good);
#pragma GCC diagnostic pop
        assert_null(load(relays, &problems));
        if (!strstr(problems.data, rows[i].says))
            fail_msg("row %zu: expected \"%s\", got \"%s\"", i, rows[i].says, problems.data);
        strbuf_free(&problems);
    }
    struct strbuf problems;
    strbuf_init(&problems, 10000);
    snprintf(relays, sizeof relays, "relay { url = \"smtp://a:25\" tls = verify user = \"x\" password_file = \"%s\" }",
             open_to_all);
    assert_null(load(relays, &problems));
    assert_non_null(strstr(problems.data, "open to more than its owner"));
    assert_null(strstr(problems.data, "secret"));
    strbuf_free(&problems);
    unlink(good);
    unlink(open_to_all);
}

static void test_the_password_file(void **state)
{
    (void)state;
    char most[1002];
    memset(most, 'x', sizeof most);
    const struct {
        const char *text;
        size_t len;
        const char *says; /* NULL: it is taken */
        size_t password_len;
    } rows[] = {
        { "secret", 6, NULL, 6 },
        { "secret\n", 7, NULL, 6 },
        { "secret\r\n", 8, NULL, 6 },
        { " with spaces \n", 14, NULL, 13 },
        { "p\xC3\xA4ss", 5, NULL, 5 },
        { most, 1000, NULL, 1000 },
        { most, 1001, "more than 1000 bytes", 0 },
        { "", 0, "is empty", 0 },
        { "\n", 1, "is empty", 0 },
        { "a\nb\n", 4, "more than one line", 0 },
        { "a\0b", 3, "control characters", 0 },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char path[32], *password = NULL, *error = NULL;
        make_file(rows[i].text, rows[i].len, 0600, path);
        assert_int_equal(relay_password_read(path, &password, &error), rows[i].says ? -1 : 1);
        unlink(path);
        if (rows[i].says) {
            assert_non_null(strstr(error, rows[i].says));
        } else {
            assert_int_equal(strlen(password), rows[i].password_len);
            assert_memory_equal(password, rows[i].text, rows[i].password_len);
        }
        free(password);
        free(error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_several_relays_in_order),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_the_password_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
