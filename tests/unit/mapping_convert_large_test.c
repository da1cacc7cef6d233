/* Large content costs disk, not memory: neither here nor in the workers.
 *
 * Built without sanitizers the workers get a hard limit far below the size of the content, and their memory is watched
 * besides. 24 MiB each way, or 200 MiB with POSTERN_LONG=1. With sanitizers, which need memory of their own and take
 * their time, only the results are looked at, of 6 MiB. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/file.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/tmpfile.h"
#include "mapping/convert.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_memfile.h"
#include "mapping/convert_mime_in.h"

enum { MEMORY_MAX = 10 * 1000 * 1000, LOOK_MS = 2 };

static const int64_t mebibyte = (int64_t)1 << 20;

#ifdef POSTERN_SANITIZE
enum { SIZE_MIB = 6, SIZE_LONG_MIB = 6, IS_SANITIZED = true };
#else
enum { SIZE_MIB = 24, SIZE_LONG_MIB = 200, IS_SANITIZED = false };
#endif

struct fixture {
    struct clock *clock;
    struct loop *loop;
    struct convert *convert;
    struct timer *look;
    int64_t most; /* memory of all our processes, the most that was seen */
    int64_t content_size;
    bool done, ok, fallback;
    char error[1200]; /* what the result says: an error, or what was carried differently */
    int fd;           /* the result */
    int64_t size, body_size;
    size_t attachments;
};

/* ---- memory ---- */

/* What would be gone with the process: private memory and memory files, in bytes. 0: no such process any more. */
static int64_t memory_of(int pid)
{
    char path[64], line[256];
    int64_t sum = 0;
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    while (fgets(line, sizeof line, file))
        if (strncmp(line, "Pss_Anon:", 9) == 0 || strncmp(line, "Pss_Shmem:", 10) == 0)
            sum += strtoll(strchr(line, ':') + 1, NULL, 10) * 1024;
    fclose(file);
    return sum;
}

static int parent_of(int pid)
{
    char path[64], line[512];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    const char *got = fgets(line, sizeof line, file);
    fclose(file);
    const char *behind = got ? strrchr(line, ')') : NULL;
    return behind ? (int)strtol(behind + 4, NULL, 10) : 0;
}

/* This process, and its children and theirs. */
static int64_t memory_of_all(void)
{
    int self = getpid();
    int64_t sum = 0;
    DIR *dir = opendir("/proc");
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir));) {
        int pid = (int)strtol(entry->d_name, NULL, 10);
        if (pid > 0 && (pid == self || parent_of(pid) == self || parent_of(parent_of(pid)) == self))
            sum += memory_of(pid);
    }
    closedir(dir);
    return sum;
}

static void look(void *arg)
{
    struct fixture *fixture = arg;
    int64_t now = memory_of_all();
    fixture->most = now > fixture->most ? now : fixture->most;
    timer_start(fixture->look, LOOK_MS);
}

/* ---- conversions ---- */

static void start(struct fixture *fixture)
{
    const char *is_long = getenv("POSTERN_LONG");
    *fixture =
        (struct fixture){ .fd = -1, .content_size = (is_long && *is_long ? SIZE_LONG_MIB : SIZE_MIB) * mebibyte };
    fixture->clock = clock_new_system();
    fixture->loop = loop_new(fixture->clock);
    fixture->look = timer_new(fixture->loop, look, fixture);
    const struct convert_settings settings = {
        .loop = fixture->loop,
        .directory = ".",
        .program = "/proc/self/exe",
        .workers = 1,
        .memory_bytes = MEMORY_MAX,
        .job_timeout_ms = 600 * 1000 /* sanitized code on a busy machine; processor time has its own limit */
    };
    fixture->convert = convert_new(&settings);
    assert_non_null(fixture->convert);
}

static void stop(struct fixture *fixture)
{
    timer_free(&fixture->look);
    convert_free(&fixture->convert);
    loop_free(&fixture->loop);
    clock_free(&fixture->clock);
    if (fixture->fd >= 0)
        close(fixture->fd);
}

static void run(struct fixture *fixture)
{
    fixture->done = false;
    if (fixture->fd >= 0)
        close(fixture->fd);
    fixture->fd = -1;
    if (!IS_SANITIZED)
        timer_start(fixture->look, 0);
    loop_run(fixture->loop);
    timer_stop(fixture->look);
    assert_true(fixture->done);
}

static void on_in(struct convert_in_result *result, void *ctx)
{
    struct fixture *fixture = ctx;
    fixture->done = true;
    fixture->ok = result->ok;
    fixture->fallback = result->fallback;
    snprintf(fixture->error, sizeof fixture->error, "%s", result->ok ? result->detail : result->error);
    fixture->attachments = result->message.attach_count;
    fixture->size = result->content_size;
    fixture->body_size = result->body_size;
    fixture->fd = result->ok ? fcntl(result->content_fd, F_DUPFD_CLOEXEC, 0) : -1;
    loop_stop(fixture->loop);
}

static void on_out(struct convert_out_result *result, void *ctx)
{
    struct fixture *fixture = ctx;
    fixture->done = true;
    fixture->ok = result->ok;
    snprintf(fixture->error, sizeof fixture->error, "%s", result->ok ? result->detail : result->error);
    fixture->size = result->mail_size;
    fixture->fd = result->ok ? fcntl(result->mail_fd, F_DUPFD_CLOEXEC, 0) : -1;
    loop_stop(fixture->loop);
}

static void convert_in(struct fixture *fixture, int fd)
{
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    const struct convert_in_request request = { .mail_fd = fd, .mail_size = status.st_size };
    assert_int_equal(convert_mail_in(fixture->convert, &request, on_in, fixture), 1);
    run(fixture);
}

static void convert_out(struct fixture *fixture, int fd, int64_t body_size)
{
    struct stat status;
    struct tmtp_message message;
    tmtp_message_init(&message);
    assert_int_equal(fstat(fd, &status), 0);
    if (body_size < status.st_size)
        tmtp_message_add_attachment(&message, "u:large.bin", status.st_size - body_size, NULL);
    const struct convert_mailbox to = { "Bob", { "bob", "example.com" } };
    const struct convert_out_request request = { .message = &message,
                                                 .content_fd = fd,
                                                 .content_size = status.st_size,
                                                 .subject = "Large",
                                                 .from = { "Alice", { "alice", "silo.example.org" } },
                                                 .to = &to,
                                                 .to_count = 1,
                                                 .message_id = "1.abc@gw.example.org",
                                                 .date_ms = 1700000000000 };
    assert_int_equal(convert_mail_out(fixture->convert, &request, on_out, fixture), 1);
    tmtp_message_free(&message);
    run(fixture);
}

/* ---- content ---- */

static void add(int fd, const char *text)
{
    assert_int_equal(file_write_all(fd, text, strlen(text)), 1);
}

static int new_file(const char *start)
{
    int fd = tmpfile_new(".");
    assert_true(fd >= 0);
    add(fd, start);
    return fd;
}

/* The line again and again, up to about size bytes. */
static void add_lines(int fd, const char *line, int64_t size)
{
    struct strbuf block;
    strbuf_init(&block, 64 * 1024);
    while (block.len + strlen(line) <= (size_t)60 * 1024)
        strbuf_add_str(&block, line);
    for (int64_t done = 0; done < size; done += (int64_t)block.len)
        assert_int_equal(file_write_all(fd, block.data, block.len), 1);
    strbuf_free(&block);
}

static uint32_t sum_of(int fd, int64_t offset, int64_t size)
{
    char piece[16 * 1024];
    uint32_t sum = 0;
    while (size > 0) {
        ssize_t n = pread(fd, piece, size < (int64_t)sizeof piece ? (size_t)size : sizeof piece, offset);
        assert_true(n > 0);
        sum = crc32c(sum, piece, (size_t)n);
        offset += n;
        size -= n;
    }
    return sum;
}

static bool is_in_memory(int fd)
{
    char path[64], target[256] = "";
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    assert_true(readlink(path, target, sizeof target - 1) > 0);
    return strncmp(target, "/memfd:", 7) == 0;
}

/* As the first mail of all does it: what is needed once for each process is there afterwards. */
static int64_t warm_up(struct fixture *fixture)
{
    int fd = new_file("Subject: small\r\n\r\nText.\r\n");
    convert_in(fixture, fd);
    assert_true(fixture->ok);
    close(fd);
    fd = new_file("Text.\n");
    convert_out(fixture, fd, 6);
    assert_true(fixture->ok);
    assert_true(is_in_memory(fixture->fd));
    close(fd);
    fixture->most = 0;
    return IS_SANITIZED ? 0 : memory_of_all();
}

static void check(struct fixture *fixture, int64_t before)
{
    assert_string_equal(fixture->error, "");
    assert_true(fixture->ok);
    assert_false(fixture->fallback);
    assert_int_equal(convert_crashes(fixture->convert), 0);
    assert_false(is_in_memory(fixture->fd));
    if (IS_SANITIZED)
        return;
    print_message("%lld MiB in, %lld MiB out, at most %lld KiB more memory\n",
                  (long long)(fixture->content_size / mebibyte), (long long)(fixture->size / mebibyte),
                  (long long)((fixture->most - before) / 1024));
    assert_true(fixture->most > 0);
    assert_true(fixture->most - before < MEMORY_MAX);
}

/* An attachment goes out as mail and comes back as it was. */
static void test_attachment_there_and_back(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    int64_t before = warm_up(&fixture);
    int content = new_file("Body.\n");
    add_lines(content, "0123456789abcdef\x01\xFF\n", fixture.content_size);
    int64_t size = lseek(content, 0, SEEK_END);
    convert_out(&fixture, content, 6);
    check(&fixture, before);
    int mail = fixture.fd;
    fixture.fd = -1;
    fixture.most = 0;
    convert_in(&fixture, mail);
    check(&fixture, before);
    assert_int_equal(fixture.attachments, 1);
    assert_int_equal(fixture.size, size);
    assert_int_equal(fixture.body_size, 6);
    assert_int_equal(sum_of(fixture.fd, 0, size), sum_of(content, 0, size));
    close(mail);
    close(content);
    stop(&fixture);
}

/* A member's text of that size. */
static void test_text_out(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    int64_t before = warm_up(&fixture);
    int content = new_file("# Text\n\n");
    add_lines(content, "> *All* work and \xFF no play.\n", fixture.content_size);
    convert_out(&fixture, content, lseek(content, 0, SEEK_END));
    assert_non_null(strstr(fixture.error, "too long to be shown, and attached"));
    fixture.error[0] = '\0';
    check(&fixture, before);
    close(content);
    stop(&fixture);
}

/* What can't be shown, is damaged or has no end is no reason to need more. */
static void test_mail_that_is_hard_to_carry(void **state)
{
    (void)state;
    static const struct {
        const char *start, *line;
        int64_t least; /* octets: what is shorter is read, and may need memory */
        const char *detail;
        size_t attachments;
    } rows[] = {
        { "Subject: long text\r\n\r\n", "All work and no play.\r\n", 0, "text that is too long", 1 },
        { "Subject: long line\r\nContent-Type: text/html\r\n\r\n", "<b>x</b>", 2 * (int64_t)CONVERT_HTML_MAX + 1,
          "text that is too long", 1 },
        { "Content-Type: application/x-a\r\nContent-Transfer-Encoding: base64\r\n\r\n", "QUJD!\r\n", 0, "damaged", 2 },
        { "Content-Type: multipart/mixed; boundary=b\r\n\r\n", "--c\r\n", 0, "could not be told apart", 2 },
    };
    struct fixture fixture;
    start(&fixture);
    int64_t before = warm_up(&fixture);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int mail = new_file(rows[i].start);
        add_lines(mail, rows[i].line, fixture.content_size > rows[i].least ? fixture.content_size : rows[i].least);
        convert_in(&fixture, mail);
        assert_non_null(strstr(fixture.error, rows[i].detail));
        fixture.error[0] = '\0';
        check(&fixture, before);
        assert_int_equal(fixture.attachments, rows[i].attachments);
        close(mail);
    }
    stop(&fixture);
}

/* Beyond the limits of a header: the fallback form, from a worker. */
static void test_mail_that_can_not_be_converted(void **state)
{
    (void)state;
    struct fixture fixture;
    start(&fixture);
    int64_t before = warm_up(&fixture);
    int mail = new_file("Subject: ");
    add_lines(mail, "endless ", fixture.content_size);
    convert_in(&fixture, mail);
    assert_true(fixture.fallback);
    fixture.fallback = false;
    assert_string_equal(fixture.error, "a header section is too long");
    fixture.error[0] = '\0';
    check(&fixture, before);
    int64_t size = lseek(mail, 0, SEEK_END);
    assert_int_equal(fixture.size, fixture.body_size + size);
    assert_int_equal(sum_of(fixture.fd, fixture.body_size, size), sum_of(mail, 0, size));
    close(mail);
    stop(&fixture);
}

static void ignore_log(enum log_level level, const char *line, void *ctx)
{
    (void)level, (void)line, (void)ctx;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], CONVERT_WORKER_ARGUMENT) == 0)
        convert_worker_main();
    log_set_sink(ignore_log, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attachment_there_and_back),
        cmocka_unit_test(test_text_out),
        cmocka_unit_test(test_mail_that_is_hard_to_carry),
        cmocka_unit_test(test_mail_that_can_not_be_converted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
