/* Where the log goes: formats of the targets, and that nobody waits for a reader who stalls. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/log_target.h"

struct scene {
    int saved_stderr;
    int reader; /* the other end of standard error */
    char folder[32];
    char path[64];
    int server; /* a socket at path; -1: none */
};

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    scene->saved_stderr = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
    scene->reader = ends[0];
    fcntl(scene->reader, F_SETFL, O_NONBLOCK);
    snprintf(scene->folder, sizeof scene->folder, "/tmp/log_target.XXXXXX");
    assert_non_null(mkdtemp(scene->folder));
    snprintf(scene->path, sizeof scene->path, "%s/socket", scene->folder);
    scene->server = -1;
    unsetenv("JOURNAL_STREAM");
    log_set_sink(NULL, NULL);
    log_set_level(LOG_LEVEL_DEBUG);
    *state = scene;
    return 0;
}

static void serve(struct scene *scene)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    memcpy(address.sun_path, scene->path, strlen(scene->path) + 1);
    scene->server = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(scene->server, (struct sockaddr *)&address, sizeof address), 0);
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    dup2(scene->saved_stderr, STDERR_FILENO);
    close(scene->saved_stderr);
    close(scene->reader);
    if (scene->server >= 0)
        close(scene->server);
    unlink(scene->path);
    rmdir(scene->folder);
    unsetenv("JOURNAL_STREAM");
    log_open(LOG_TARGET_STDERR, NULL);
    (void)log_flush();
    free(scene);
    return 0;
}

/* What is there; "" when there is nothing. */
static const char *take(int fd)
{
    static char text[256 * 1024];
    ssize_t len = read(fd, text, sizeof text - 1);
    text[len > 0 ? len : 0] = '\0';
    return text;
}

static void the_journal_gets_fields(void **state)
{
    struct scene *scene = *state;
    serve(scene);
    log_open(LOG_TARGET_JOURNAL, scene->path);
    log_warning("mail.decided", "message=in%d from=%s text=%s empty=%s", 17, "bob@example.com", "a \"b\"\n\\c", "");
    char expected[1000];
    snprintf(expected, sizeof expected,
             "MESSAGE=level=warning event=mail.decided message=in17 from=bob@example.com "
             "text=\"a \\\"b\\\"\\x0a\\\\c\" empty=\"\"\n"
             "PRIORITY=4\nSYSLOG_IDENTIFIER=%s\nPOSTERN_EVENT=mail.decided\nPOSTERN_MESSAGE=in17\n"
             "POSTERN_FROM=bob@example.com\nPOSTERN_TEXT=a \"b\"\\x0a\\\\c\nPOSTERN_EMPTY=\n",
             program_invocation_short_name);
    assert_string_equal(take(scene->server), expected);
    assert_string_equal(take(scene->reader), "");
}

/* A value that is a field's end, and a field of its own behind it: nobody can say for us what we have not said. */
static void a_field_can_not_be_forged(void **state)
{
    struct scene *scene = *state;
    serve(scene);
    log_open(LOG_TARGET_JOURNAL, scene->path);
    log_info("t", "v=%s", "x\nPRIORITY=0\n_UID=0\r\x1B[2J\xC2\x9B");
    const char *text = take(scene->server);
    assert_non_null(strstr(text, "\nPOSTERN_V=x\\x0aPRIORITY=0\\x0a_UID=0\\x0d\\x1b[2J\\xc2\\x9b\n"));
    assert_null(strstr(text, "\nPRIORITY=0"));
}

static void every_value_is_bounded(void **state)
{
    struct scene *scene = *state;
    char value[2001];
    memset(value, 'a', 2000);
    value[2000] = '\0';
    serve(scene);
    log_open(LOG_TARGET_JOURNAL, scene->path);
    log_info("t", "v=%s", value);
    const char *field = strstr(take(scene->server), "POSTERN_V=");
    assert_non_null(field);
    assert_int_equal(strlen(field), strlen("POSTERN_V=") + 1000 + strlen("...\n"));
}

static void syslog_gets_its_form(void **state)
{
    struct scene *scene = *state;
    int priority = 0, pid = 0;
    char rest[200] = "";
    serve(scene);
    log_open(LOG_TARGET_SYSLOG, scene->path);
    log_error("t", "v=%d", 1);
    const char *text = take(scene->server);
    assert_int_equal(sscanf(text, "<%d>%*3s %*d %*d:%*d:%*d %*[^[][%d]: %199[^\n]", &priority, &pid, rest), 3);
    assert_int_equal(priority, (2 << 3) | 3);
    assert_int_equal(pid, getpid());
    assert_string_equal(rest, "level=error event=t v=1");
}

static void without_a_socket_lines_go_to_standard_error(void **state)
{
    struct scene *scene = *state;
    log_open(LOG_TARGET_JOURNAL, scene->path);
    log_info("t", "v=%d", 1);
    assert_non_null(strstr(take(scene->reader), "Z level=info event=t v=1\n"));
}

static void name_our_stream(void)
{
    struct stat status;
    char text[64];
    assert_int_equal(fstat(STDERR_FILENO, &status), 0);
    snprintf(text, sizeof text, "%llu:%llu", (unsigned long long)status.st_dev, (unsigned long long)status.st_ino);
    setenv("JOURNAL_STREAM", text, 1);
}

static void auto_is_the_journal_where_standard_error_is(void **state)
{
    struct scene *scene = *state;
    serve(scene);
    log_open(LOG_TARGET_AUTO, scene->path);
    log_info("t", "v=%d", 1);
    assert_non_null(strstr(take(scene->reader), "Z level=info event=t v=1\n")); /* it is not */
    setenv("JOURNAL_STREAM", "1:2", 1);                                         /* left from whoever started us */
    log_open(LOG_TARGET_AUTO, scene->path);
    log_info("t", "v=%d", 2);
    assert_non_null(strstr(take(scene->reader), "Z level=info event=t v=2\n"));
    name_our_stream();
    log_open(LOG_TARGET_AUTO, scene->path);
    log_info("t", "v=%d", 3);
    assert_string_equal(take(scene->reader), "");
    assert_non_null(strstr(take(scene->server), "POSTERN_V=3\n"));
}

static void lines_for_the_journals_stream_have_a_priority(void **state)
{
    static const char *const expected[] = { "<7>level=debug event=t\n", "<6>level=info event=t\n",
                                            "<4>level=warning event=t\n", "<3>level=error event=t\n" };
    struct scene *scene = *state;
    name_our_stream();
    log_open(LOG_TARGET_STDERR, NULL);
    for (int level = LOG_LEVEL_DEBUG; level <= LOG_LEVEL_ERROR; level++) {
        log_event((enum log_level)level, "t", "");
        assert_string_equal(take(scene->reader), expected[level]);
    }
}

/* Every line is of 1 KiB or so: far more than pipe and memory hold. None may block, and what was dropped is told once. */
static void check_stalled(int reader, unsigned lines)
{
    char value[1001];
    memset(value, 'a', 1000);
    value[1000] = '\0';
    uint64_t before = log_dropped();
    for (unsigned i = 0; i < lines; i++)
        log_info("t", "number=%u v=%s", i, value);
    uint64_t dropped = log_dropped() - before;
    assert_true(dropped > 0 && dropped < lines);
    assert_false(log_flush());

    unsigned seen = 0, told = 0;
    char wanted[64];
    snprintf(wanted, sizeof wanted, "event=log.dropped count=%llu", (unsigned long long)dropped);
    char *all = calloc(1, 4 * 1024 * 1024), *end = all; /* a line may come in two parts */
    for (int quiet = 0; quiet < 2;) {
        const char *text = take(reader);
        size_t len = strlen(text);
        quiet = len == 0 ? quiet + 1 : 0;
        memcpy(end, text, len);
        end += len;
        (void)log_flush();
    }
    for (const char *at = all; (at = strstr(at, "level=info event=t number=")); at++)
        seen++;
    for (const char *at = all; (at = strstr(at, wanted)); at++)
        told++;
    free(all);
    assert_int_equal(seen, lines - dropped);
    assert_int_equal(told, 1);
    assert_true(log_flush());
    log_info("t", "after=%d", 1);
    assert_non_null(strstr(take(reader), "event=t after=1"));
    assert_int_equal(log_dropped() - before, dropped);
}

static void a_full_pipe_stops_nobody(void **state)
{
    struct scene *scene = *state;
    log_open(LOG_TARGET_STDERR, NULL);
    int flags = fcntl(STDERR_FILENO, F_GETFL);
    check_stalled(scene->reader, 3000);
    assert_int_equal(fcntl(STDERR_FILENO, F_GETFL), flags); /* which others share */
}

static void a_stopped_journal_stops_nobody(void **state)
{
    struct scene *scene = *state;
    serve(scene);
    log_open(LOG_TARGET_JOURNAL, scene->path);
    check_stalled(scene->server, 3000);
}

/* As systemd connects standard error: a stream socket, of which there is no opening again. */
static void a_full_stream_socket_stops_nobody(void **state)
{
    (void)state;
    int ends[2], buffer = 64 * 1024;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    dup2(ends[1], STDERR_FILENO);
    log_open(LOG_TARGET_STDERR, NULL);
    check_stalled(ends[0], 3000);
    close(ends[0]);
    close(ends[1]);
}

/* A disk that is full, behind a redirection: nobody can be told there, so it is told when there is room again. */
static void what_can_not_be_written_is_counted(void **state)
{
    (void)state;
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC), ends[2];
    uint64_t before = log_dropped();
    assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    dup2(full, STDERR_FILENO);
    log_open(LOG_TARGET_STDERR, NULL);
    for (int i = 0; i < 3; i++)
        log_info("t", "v=%d", i);
    assert_int_equal(log_dropped() - before, 3);
    dup2(ends[1], STDERR_FILENO);
    log_open(LOG_TARGET_STDERR, NULL);
    log_info("t", "v=%d", 3);
    const char *text = take(ends[0]);
    assert_non_null(strstr(text, "event=log.dropped count=3\n"));
    assert_non_null(strstr(text, "event=t v=3\n"));
    assert_int_equal(log_dropped() - before, 3);
    close(full);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_journal_gets_fields, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_field_can_not_be_forged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_value_is_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(syslog_gets_its_form, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_socket_lines_go_to_standard_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(auto_is_the_journal_where_standard_error_is, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lines_for_the_journals_stream_have_a_priority, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_pipe_stops_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stopped_journal_stops_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_stream_socket_stops_nobody, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_can_not_be_written_is_counted, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
