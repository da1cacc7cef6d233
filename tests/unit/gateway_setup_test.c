/* gateway_setup_test.c - a first configuration: what is made of answers, and what is done to one that is there */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/config_edit.h"
#include "gateway/setup.h"

enum { OUT_MAX = 64 * 1024 };

static struct setup_answers make_answers(void)
{
    return (struct setup_answers){
        .domain = xstrdup("silo.example.org"),
        .hostname = xstrdup("gw.example.org"),
        .user = xstrdup(""),
        .state_dir = xstrdup("/var/lib/postern"),
        .socket = xstrdup("/run/postern/control"),
        .silo = xstrdup("=127.0.0.1:4433"),
        .alias = xstrdup("Email \"the\" Gateway"),
        .mail = xstrdup("postfix"),
        .listen = xstrdup("127.0.0.1:2424"),
        .relay = xstrdup("smtp://127.0.0.1:25"),
        .dkim = xstrdup(""),
        .first_admin = xstrdup("Alice Admin"),
        .resolver = xstrdup("system"),
        .certificate = xstrdup(""),
        .key = xstrdup(""),
        .dkim_key = xstrdup(""),
        .socketmap = xstrdup("127.0.0.1:2527"),
        .policy = xstrdup("127.0.0.1:2528"),
    };
}

static void put(char **answer, const char *text)
{
    free(*answer);
    *answer = xstrdup(text);
}

static struct config *read_config(const char *text)
{
    struct config *config;
    char *problems = setup_check_text(text, "x.conf", &config);
    if (problems)
        fail_msg("%s in:\n%s", problems, text);
    return config;
}

/* Whatever is answered, it is what the daemon will read; and it is not changed by the same answers. */
static void answers_survive_being_written(void **state)
{
    (void)state;
    for (unsigned variant = 0; variant < 4; variant++) {
        struct setup_answers answers = make_answers(), again = { NULL };
        struct strbuf text, same;
        strbuf_init(&text, OUT_MAX);
        strbuf_init(&same, OUT_MAX);
        if (variant & 1) {
            put(&answers.mail, "direct");
            put(&answers.listen, "[::]:25");
            put(&answers.socketmap, "");
            put(&answers.policy, "");
        }
        if (variant & 2) {
            put(&answers.first_admin, "");
            put(&answers.resolver, "127.0.0.1:53");
            put(&answers.silo, "+silo.example.org:443");
        }
        setup_write(&answers, &text);
        struct config *config = read_config(text.data);
        setup_answers_take(&again, config);
        assert_string_equal(again.domain, answers.domain);
        assert_string_equal(again.alias, answers.alias);
        assert_string_equal(again.mail, answers.mail);
        assert_string_equal(again.listen, answers.listen);
        assert_string_equal(again.relay, answers.relay);
        assert_string_equal(again.first_admin, answers.first_admin);
        assert_string_equal(again.resolver, answers.resolver);
        assert_string_equal(again.socketmap, answers.socketmap);
        strbuf_add(&same, text.data, text.len);
        setup_change(&again, config, &same);
        assert_string_equal(same.data, text.data);
        config_free(&config);
        setup_answers_clear(&answers);
        setup_answers_clear(&again);
        strbuf_free(&text);
        strbuf_free(&same);
    }
}

static const char by_hand[] = "# by hand\n"
                              "domain = 'silo.example.org' // ours\n"
                              "hostname = gw.example.org\n"
                              "silo { address = \"=127.0.0.1:4433\" }\n"
                              "listen door { address = \"127.0.0.1:2424\" protocol = lmtp tls = none }\n"
                              "relay { url = \"maildir:/tmp/one\" } # first\n"
                              "relay { url = \"maildir:/tmp/two\" }\n"
                              "policy { admins = { \"Zoe Admin\" } hold_for = \"3d\" }\n";

static void what_was_written_by_hand_stays(void **state)
{
    (void)state;
    struct config *config = read_config(by_hand);
    struct setup_answers answers = { NULL };
    struct strbuf text;
    strbuf_init(&text, OUT_MAX);
    setup_answers_take(&answers, config);
    strbuf_add_str(&text, by_hand);
    setup_change(&answers, config, &text);
    assert_string_equal(text.data, by_hand);
    put(&answers.relay, "smtp://127.0.0.1:25");
    put(&answers.first_admin, "Alice Admin");
    put(&answers.resolver, "127.0.0.1:53");
    setup_change(&answers, config, &text);
    assert_string_equal(text.data, "# by hand\n"
                                   "domain = 'silo.example.org' // ours\n"
                                   "hostname = gw.example.org\n"
                                   "silo { address = \"=127.0.0.1:4433\" }\n"
                                   "listen door { address = \"127.0.0.1:2424\" protocol = lmtp tls = none }\n"
                                   "relay { url = \"smtp://127.0.0.1:25\" } # first\n"
                                   "relay { url = \"maildir:/tmp/two\" }\n"
                                   "policy { admins = { \"Zoe Admin\", \"Alice Admin\" } hold_for = \"3d\" }\n"
                                   "\nverify {\n  resolver = \"127.0.0.1:53\"\n}\n");
    struct config *after = read_config(text.data);
    assert_string_equal(after->policy.admins[1], "Alice Admin");
    config_free(&after);
    config_free(&config);
    setup_answers_clear(&answers);
    strbuf_free(&text);
}

/* By the rules of the configuration itself. */
static void values_are_checked(void **state)
{
    (void)state;
    static const struct row {
        struct config_place place;
        const char *value, *problem; /* NULL: none */
    } rows[] = {
        { { NULL, NULL, "domain" }, "\"silo.example.org\"", NULL },
        { { NULL, NULL, "domain" }, "\"not a domain\"", "domain" },
        { { "silo", NULL, "address" }, "\"=localhost:4433\"", NULL },
        { { "silo", NULL, "address" }, "\"localhost:4433\"", "address" },
        { { "relay", NULL, "url" }, "\"smtp://127.0.0.1:25\"", NULL },
        { { "relay", NULL, "url" }, "\"http://127.0.0.1\"", "url" },
        { { "listen", "mx", "address" }, "\"127.0.0.1\"", "address" },
        { { "silo", NULL, "alias" }, "\"\\\" } nonsense = { \\\"\"", NULL }, /* quoted, it is a name like others */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *problem = setup_check_value(&rows[i].place, rows[i].value);
        if (rows[i].problem) {
            assert_non_null(problem);
            assert_non_null(strstr(problem, rows[i].problem));
            assert_null(strstr(problem, "/proc/"));
        } else if (problem) {
            fail_msg("%s: %s", rows[i].value, problem);
        }
        free(problem);
    }
}

static void a_long_record_comes_in_pieces(void **state)
{
    (void)state;
    struct setup_answers answers = make_answers();
    struct strbuf out;
    char key[600];
    strbuf_init(&out, OUT_MAX);
    memset(key, 'k', sizeof key);
    memcpy(key, "v=DKIM1; k=rsa; p=", 18);
    key[sizeof key - 1] = 0;
    put(&answers.dkim, "s1");
    setup_add_dns(&out, &answers, key);
    assert_non_null(strstr(out.data, "silo.example.org. IN MX 10 gw.example.org.\n"));
    assert_non_null(strstr(out.data, "silo.example.org. IN TXT \"v=spf1 mx a:gw.example.org -all\"\n"));
    const char *at = strstr(out.data, "s1._domainkey.silo.example.org. IN TXT (\n    \"v=DKIM1;");
    assert_non_null(at);
    size_t pieces = 0, octets = 0;
    for (at = strchr(at, '"'); at && *at == '"'; pieces++) {
        size_t len = strcspn(at + 1, "\"");
        assert_true(len <= 255);
        octets += len;
        at += len + 2;
        at += strspn(at, "\n ");
    }
    assert_int_equal(pieces, 3);
    assert_int_equal(octets, strlen(key));
    put(&answers.domain, "B\u00fccher.example"); /* zone files take ASCII */
    strbuf_clear(&out);
    setup_add_dns(&out, &answers, NULL);
    assert_non_null(strstr(out.data, "xn--bcher-kva.example. IN MX 10 gw.example.org.\n"));
    assert_non_null(strstr(out.data, "_dmarc.xn--bcher-kva.example. IN TXT"));
    setup_answers_clear(&answers);
    strbuf_free(&out);
}

/* ---- files ---- */

static char *slurp(const char *file)
{
    char *text = xcalloc(1, OUT_MAX);
    FILE *in = fopen(file, "re");
    if (!in) {
        free(text);
        return NULL;
    }
    (void)!fread(text, 1, OUT_MAX - 1, in);
    fclose(in);
    return text;
}

static void expect_content(const char *file, const char *content)
{
    char *text = slurp(file);
    if (content)
        assert_string_equal(text, content);
    else
        assert_null(text);
    free(text);
}

static void the_old_file_or_the_new_one(void **state)
{
    (void)state;
    char folder[] = "/tmp/postern-setup-XXXXXX", file[100], draft[120], backup[120], *error = NULL;
    struct setup_owner owner;
    struct stat st;
    assert_non_null(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/postern.conf", folder);
    snprintf(draft, sizeof draft, "%s.new", file);
    snprintf(backup, sizeof backup, "%s.bak", file);
    assert_int_equal(setup_find_owner("", "/nowhere", &owner), 1);
    assert_int_equal(setup_write_file(file, "one\n", &owner, &error), 1);
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    expect_content(backup, NULL);
    assert_int_equal(setup_write_file(file, "two\n", &owner, &error), 1);
    expect_content(file, "two\n");
    expect_content(backup, "one\n");

    /* The disk is full: here as a limit of file sizes, with the same error for whoever writes. */
    struct rlimit before, little;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    little = (struct rlimit){ .rlim_cur = 1024, .rlim_max = before.rlim_max };
    char *large = xcalloc(1, 5001);
    memset(large, 'x', 5000);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    signal(SIGXFSZ, SIG_IGN);
    int result = setup_write_file(file, large, &owner, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    free(large);
    assert_int_equal(result, -1);
    assert_non_null(strstr(error, draft));
    free(error);
    expect_content(file, "two\n");
    expect_content(backup, "one\n");
    expect_content(draft, NULL);

    /* A link stays one. */
    char link_path[120];
    snprintf(link_path, sizeof link_path, "%s.link", file);
    assert_int_equal(symlink(file, link_path), 0);
    assert_int_equal(setup_write_file(link_path, "by link\n", &owner, &error), 1);
    assert_int_equal(lstat(link_path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    expect_content(file, "by link\n");
    unlink(link_path);
    assert_int_equal(setup_write_file(file, "two\n", &owner, &error), 1);

    /* What an earlier run has left is no obstacle. */
    int fd = open(draft, O_WRONLY | O_CREAT, 0666);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(setup_write_file(file, "three\n", &owner, &error), 1);
    expect_content(file, "three\n");
    expect_content(backup, "two\n");
    unlink(file);
    unlink(backup);
    assert_int_equal(rmdir(folder), 0); /* nothing else is left */
}

static void folders_get_owner_and_mode(void **state)
{
    (void)state;
    char folder[] = "/tmp/postern-setup-XXXXXX", path[100], link_path[100], above[100], *error = NULL;
    struct setup_owner owner;
    struct stat st;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a/b", folder);
    snprintf(link_path, sizeof link_path, "%s/link", folder);
    assert_int_equal(setup_find_owner(NULL, "/nowhere", &owner), 1);
    for (unsigned mode = 0700; mode >= 0500; mode -= 0200) { /* made, and changed */
        assert_int_equal(setup_make_folder(path, &owner, mode, &error), 1);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, mode);
    }
    /* What is full of what others need, such as /var/lib, is not taken from them. */
    const struct setup_owner other = { .is_root = owner.is_root, .uid = owner.uid + 1, .gid = owner.gid };
    snprintf(above, sizeof above, "%s/a", folder);
    assert_int_equal(setup_make_folder(above, &other, 0700, &error), -1);
    assert_non_null(strstr(error, "files of others"));
    free(error);
    error = NULL;
    assert_int_equal(stat(above, &st), 0);
    assert_true(st.st_uid == owner.uid && (st.st_mode & 07777) == 0755);
    /* Nothing is done to what a link leads to. */
    assert_int_equal(symlink(path, link_path), 0);
    assert_int_equal(setup_make_folder(link_path, &owner, 0777, &error), -1);
    free(error);
    error = NULL;
    assert_int_equal(setup_make_folder("/dev/null/x", &owner, 0700, &error), -1);
    assert_non_null(strstr(error, "/dev/null"));
    free(error);
    assert_int_equal(setup_find_owner("nobody-of-that-name", "/nowhere", &owner), -1);
    unlink(link_path);
    rmdir(path);
    snprintf(path, sizeof path, "%s/a", folder);
    rmdir(path);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_survive_being_written),
        cmocka_unit_test(what_was_written_by_hand_stays),
        cmocka_unit_test(values_are_checked),
        cmocka_unit_test(a_long_record_comes_in_pieces),
        cmocka_unit_test(the_old_file_or_the_new_one),
        cmocka_unit_test(folders_get_owner_and_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
