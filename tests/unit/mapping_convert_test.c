/* The conversions as the daemon sees them: through real worker processes, and with workers that misbehave.
 *
 * This program is also its own worker: started with CONVERT_WORKER_ARGUMENT it serves jobs. Under the name
 * "...-crash" it dies with every job, after it has tried to change what it was given to read; under "...-liar" it gives
 * answers that no honest worker would, under "...-keeper" it keeps the result open for writing, and under "...-full" it
 * finds no room for it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/worker.h"
#include "base/xmalloc.h"
#include "mapping/convert.h"
#include "mapping/convert_memfile.h"
#include "mapping/convert_wire.h"

/* ---- the other side ---- */

static int32_t handle_by_crashing(const void *request, size_t request_len, const int *fds, size_t fd_count,
                                  void *answer, size_t *answer_len)
{
    (void)request, (void)request_len, (void)answer, (void)answer_len;
    /* If it could, the original would not be attached as it was. */
    if (fd_count > 0 && (pwrite(fds[0], "X", 1, 0) == 1 || ftruncate(fds[0], 0) == 0))
        (void)!write(fds[0], "changed", 7);
    abort();
}

/* A body "text", and an attachment. */
static int32_t answer_text(const int *fds, int64_t attachment_size)
{
    struct convert_in_attachment attachment = { (char[]){ "u:a.txt" }, attachment_size };
    const struct convert_in_message message = { .subject = (char[]){ "s" },
                                                .from_name = (char[]){ "" },
                                                .detail = (char[]){ "" },
                                                .body_size = 4,
                                                .attachments = &attachment,
                                                .attachment_count = attachment_size > 0 };
    struct strbuf description;
    strbuf_init(&description, 4096);
    convert_wire_encode_in(&message, &description);
    bool written = file_write_all(fds[1], "text", 4) == 1 && convert_memfile_end(fds[1]) == 1 &&
                   file_write_all(fds[2], description.data, description.len) == 1 && convert_memfile_end(fds[2]) == 1;
    strbuf_free(&description);
    return written ? CONVERT_WIRE_DONE : CONVERT_WIRE_REFUSED;
}

/* A report that is none. Mail in: an attachment larger than the content. Mail out: a second author behind the header. */
static int32_t handle_by_lying(const void *data, size_t len, const int *fds, size_t fd_count, void *answer,
                               size_t *answer_len)
{
    (void)answer;
    *answer_len = 0;
    struct convert_wire_request request;
    if (convert_wire_decode_request(data, len, &request) != 1 || fd_count != convert_wire_file_count(request.kind))
        abort();
    if (request.kind == CONVERT_WIRE_REPORT_IN) { /* no kind of report */
        static const char forged[] = "\003";
        return file_write_all(fds[1], forged, sizeof forged) == 1 && convert_memfile_end(fds[1]) == 1
                   ? CONVERT_WIRE_DONE
                   : CONVERT_WIRE_REFUSED;
    }
    if (request.kind != CONVERT_WIRE_MAIL_IN) {
        static const char forged[] = "MIME-Version: 1.0\r\nFrom: mallory@example.net\r\n\r\ntext\r\n";
        return file_write_all(fds[2], forged, strlen(forged)) == 1 && convert_memfile_end(fds[2]) == 1
                   ? CONVERT_WIRE_DONE
                   : CONVERT_WIRE_REFUSED;
    }
    return answer_text(fds, 1000000);
}

/* An answer that would do, if it were certain that it stays like this. */
static int32_t handle_by_keeping(const void *data, size_t len, const int *fds, size_t fd_count, void *answer,
                                 size_t *answer_len)
{
    (void)data, (void)len, (void)answer;
    *answer_len = 0;
    if (fd_count != CONVERT_WIRE_FILES || dup(fds[1]) < 0)
        abort();
    return answer_text(fds, 0);
}

static int32_t handle_without_room(const void *data, size_t len, const int *fds, size_t fd_count, void *answer,
                                   size_t *answer_len)
{
    (void)data, (void)len, (void)fds, (void)fd_count, (void)answer;
    *answer_len = 0;
    return CONVERT_WIRE_NO_ROOM;
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text);
    return len >= strlen(end) && strcmp(text + len - strlen(end), end) == 0;
}

static _Noreturn void serve(void)
{
    static const struct worker_program crashing = { .handle = handle_by_crashing };
    static const struct worker_program lying = { .handle = handle_by_lying };
    static const struct worker_program keeping = { .handle = handle_by_keeping };
    static const struct worker_program full = { .handle = handle_without_room };
    char path[4096] = "";
    if (readlink("/proc/self/exe", path, sizeof path - 1) < 0)
        abort();
    if (ends_with(path, "-crash"))
        worker_main(&crashing);
    if (ends_with(path, "-liar"))
        worker_main(&lying);
    if (ends_with(path, "-keeper"))
        worker_main(&keeping);
    if (ends_with(path, "-full"))
        worker_main(&full);
    convert_worker_main();
}

/* ---- this side ---- */

struct fixture {
    struct clock *clock;
    struct loop *loop;
    struct convert *convert;
    char *program;         /* a link to this program; NULL */
    const char *directory; /* NULL: this one */
    uint64_t memory_bytes; /* of a worker; 0: as usual */
    bool done;
    /* what came back */
    bool ok, permanent, fallback;
    struct convert_in_options options; /* of the mail that is converted */
    char *subject, *from_name, *detail, *content;
    size_t content_len, body_len;
    struct tmtp_message message;
    enum convert_report_kind report_kind;
    size_t recipient_count;
};

static void start(struct fixture *fixture, const char *suffix)
{
    fixture->clock = clock_new_system();
    fixture->loop = loop_new(fixture->clock);
    tmtp_message_init(&fixture->message);
    const char *program = "/proc/self/exe";
    if (suffix) {
        char path[4096] = "";
        assert_true(readlink("/proc/self/exe", path, sizeof path - 1) > 0);
        struct strbuf name;
        strbuf_init(&name, sizeof path);
        strbuf_add_fmt(&name, "%s%s", path, suffix);
        fixture->program = strbuf_detach(&name);
        unlink(fixture->program);
        assert_int_equal(link(path, fixture->program), 0);
        program = fixture->program;
    }
    const struct convert_settings settings = { .loop = fixture->loop,
                                               .directory = fixture->directory ? fixture->directory : ".",
                                               .program = program,
                                               .workers = 1,
                                               .memory_bytes = fixture->memory_bytes };
    fixture->convert = convert_new(&settings);
    assert_non_null(fixture->convert);
}

static void forget_results(struct fixture *fixture)
{
    free(fixture->subject);
    free(fixture->from_name);
    free(fixture->detail);
    free(fixture->content);
    tmtp_message_free(&fixture->message);
    tmtp_message_init(&fixture->message);
    fixture->subject = fixture->from_name = fixture->detail = fixture->content = NULL;
    fixture->done = false;
}

static void stop(struct fixture *fixture)
{
    forget_results(fixture);
    tmtp_message_free(&fixture->message);
    convert_free(&fixture->convert);
    assert_null(fixture->convert);
    loop_free(&fixture->loop);
    clock_free(&fixture->clock);
    if (fixture->program)
        unlink(fixture->program);
    free(fixture->program);
}

static int memory_file(const char *data, size_t len)
{
    int fd = convert_memfile_new("test", len);
    assert_true(fd >= 0);
    assert_int_equal(file_write_all(fd, data, len), 1);
    return fd;
}

static void on_in(struct convert_in_result *result, void *ctx)
{
    struct fixture *fixture = ctx;
    fixture->done = true;
    fixture->ok = result->ok;
    fixture->fallback = result->fallback;
    fixture->detail = xstrdup(result->detail);
    if (result->ok) {
        fixture->subject = xstrdup(result->message.subject);
        fixture->from_name = xstrdup(result->from_name);
        for (size_t i = 0; i < result->message.attach_count; i++)
            tmtp_message_add_attachment(&fixture->message, result->message.attach[i].name,
                                        result->message.attach[i].size, NULL);
        fixture->content = convert_memfile_read(result->content_fd, 0, SIZE_MAX, &fixture->content_len);
        assert_int_equal(fixture->content_len, result->content_size);
        fixture->body_len = (size_t)result->body_size;
    }
    loop_stop(fixture->loop);
}

static void mail_in_bytes(struct fixture *fixture, const char *mail, size_t len)
{
    forget_results(fixture);
    int fd = memory_file(mail, len);
    const struct convert_in_request request = { .mail_fd = fd, .mail_size = (int64_t)len, .options = fixture->options };
    assert_int_equal(convert_mail_in(fixture->convert, &request, on_in, fixture), 1);
    close(fd); /* it was duplicated */
    assert_false(fixture->done);
    loop_run(fixture->loop);
    assert_true(fixture->done);
}

static void mail_in(struct fixture *fixture, const char *mail)
{
    mail_in_bytes(fixture, mail, strlen(mail));
}

static void on_out(struct convert_out_result *result, void *ctx)
{
    struct fixture *fixture = ctx;
    fixture->done = true;
    fixture->ok = result->ok;
    fixture->permanent = result->permanent;
    fixture->detail = xstrdup(result->detail);
    if (result->ok) {
        fixture->content = convert_memfile_read(result->mail_fd, 0, SIZE_MAX, &fixture->content_len);
        assert_int_equal(fixture->content_len, result->mail_size);
    }
    loop_stop(fixture->loop);
}

static void mail_out_with(struct fixture *fixture, const char *name, const char *body, const char *attachment)
{
    forget_results(fixture);
    struct tmtp_message message;
    tmtp_message_init(&message);
    tmtp_message_add_attachment(&message, name, (int64_t)strlen(attachment), "a/b");
    struct strbuf content;
    strbuf_init(&content, (size_t)1 << 20);
    strbuf_add_fmt(&content, "%s%s", body, attachment);
    int fd = memory_file(content.data, content.len);
    struct convert_out_request request = { .message = &message,
                                           .content_fd = fd,
                                           .content_size = (int64_t)content.len,
                                           .subject = "Gate",
                                           .to_count = 1,
                                           .message_id = "1.abc@gw.example.org",
                                           .date_ms = 1700000000000 };
    struct convert_mailbox to = { "Bob", { "bob", "example.com" } };
    request.from = (struct convert_mailbox){ "Alice Member", { "alice.member", "silo.example.org" } };
    request.to = &to;
    assert_int_equal(convert_mail_out(fixture->convert, &request, on_out, fixture), 1);
    close(fd);
    strbuf_free(&content);
    tmtp_message_free(&message);
    loop_run(fixture->loop);
    assert_true(fixture->done);
}

static void mail_out(struct fixture *fixture, const char *body, const char *attachment)
{
    mail_out_with(fixture, "u:note.txt", body, attachment);
}

static const char sample[] =
    "From: =?utf-8?B?Qm9iIE3DvG5zdGVy?= <bob@example.com>\r\nSubject: Gate\r\nMIME-Version: 1.0\r\n"
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nThe gate.\r\n--b\r\n"
    "Content-Disposition: attachment; filename=size.txt\r\n\r\n92 cm\r\n--b--\r\n";

static void test_mail_in(void **state)
{
    (void)state;
    struct fixture fixture = { 0 };
    start(&fixture, NULL);
    for (int round = 0; round < 2; round++) { /* the second one meets a worker that has worked before */
        mail_in(&fixture, sample);
        assert_true(fixture.ok);
        assert_false(fixture.fallback);
        assert_string_equal(fixture.subject, "Gate");
        assert_string_equal(fixture.from_name, "Bob Münster");
        assert_string_equal(fixture.detail, "");
        assert_int_equal(fixture.message.attach_count, 1);
        assert_string_equal(fixture.message.attach[0].name, "u:size.txt");
        assert_string_equal(fixture.content, "The gate.\n92 cm");
        assert_int_equal(fixture.body_len, strlen("The gate.\n"));
    }
    assert_int_equal(convert_crashes(fixture.convert), 0);
    stop(&fixture);
}

/* The sandbox allows what every mail needs, down to the charsets' modules. */
static void test_all_mails_pass_the_sandbox(void **state)
{
    (void)state;
    static const char folder[] = POSTERN_SOURCE_DIR "/tests/corpora/in";
    struct fixture fixture = { 0 };
    unsigned count = 0;
    start(&fixture, NULL);
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir));) {
        if (!ends_with(entry->d_name, ".eml"))
            continue;
        struct strbuf path;
        strbuf_init(&path, 4096);
        strbuf_add_fmt(&path, "%s/%s", folder, entry->d_name);
        int fd = open(path.data, O_RDONLY | O_CLOEXEC);
        size_t len;
        char *mail = convert_memfile_read(fd, 0, SIZE_MAX, &len);
        assert_non_null(mail);
        close(fd);
        mail_in_bytes(&fixture, mail, len);
        if (fixture.fallback && convert_crashes(fixture.convert) > 0)
            print_error("%s: %s\n", entry->d_name, fixture.detail);
        assert_int_equal(convert_crashes(fixture.convert), 0);
        free(mail);
        strbuf_free(&path);
        count++;
    }
    closedir(dir);
    assert_true(count > 0);
    stop(&fixture);
}

/* Charsets that nobody has a module for, and parameters in any of those that there are. */
static void test_charsets_pass_the_sandbox(void **state)
{
    (void)state;
    static const char *const names[] = {
        "utf-8",        "us-ascii",         "iso-8859-1",     "iso-8859-2", "iso-8859-15",
        "windows-1252", "windows-1251",     "koi8-r",         "koi8-u",     "iso-2022-jp",
        "shift_jis",    "euc-jp",           "gb2312",         "gbk",        "gb18030",
        "big5",         "euc-kr",           "ks_c_5601-1987", "utf-7",      "utf-16",
        "x-martian",    "../../etc/passwd", "EBCDIC-FI-SE",   "",
    };
    struct fixture fixture = { 0 };
    start(&fixture, NULL);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct strbuf mail;
        strbuf_init(&mail, 4096);
        strbuf_add_fmt(
            &mail,
            "Subject: =?%s?Q?=C4=E3?=\r\nFrom: =?%s?B?xOM=?= <a@example.com>\r\nMIME-Version: 1.0\r\n"
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; charset=\"%s\"\r\n\r\n"
            "\xC4\xE3\r\n--b\r\nContent-Disposition: attachment; filename*=%s''%%C4%%E3\r\n\r\nx\r\n--b--\r\n",
            names[i], names[i], names[i], names[i]);
        mail_in_bytes(&fixture, mail.data, mail.len);
        assert_true(fixture.ok);
        if (convert_crashes(fixture.convert) > 0)
            print_error("%s: %s\n", names[i], fixture.detail);
        assert_int_equal(convert_crashes(fixture.convert), 0);
        strbuf_free(&mail);
    }
    stop(&fixture);
}

static void on_report(struct convert_report_result *result, void *ctx)
{
    struct fixture *fixture = ctx;
    fixture->done = true;
    fixture->ok = result->ok;
    fixture->permanent = result->permanent;
    fixture->detail = xstrdup(result->error ? result->error : "");
    fixture->subject = xstrdup(result->subject);
    fixture->report_kind = result->kind;
    fixture->recipient_count = result->count;
    loop_stop(fixture->loop);
}

static void report_in(struct fixture *fixture, int fd, int64_t size)
{
    forget_results(fixture);
    assert_int_equal(convert_report_in(fixture->convert, 0, fd, size, on_report, fixture), 1);
    close(fd);
    assert_false(fixture->done);
    loop_run(fixture->loop);
    assert_true(fixture->done);
}

static void test_all_bounces_pass_the_sandbox(void **state)
{
    (void)state;
    static const char folder[] = POSTERN_SOURCE_DIR "/tests/corpora/bounce";
    struct fixture fixture = { 0 };
    unsigned kinds[3] = { 0 };
    start(&fixture, NULL);
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir));) {
        if (!ends_with(entry->d_name, ".eml"))
            continue;
        struct strbuf path;
        struct stat status;
        strbuf_init(&path, 4096);
        strbuf_add_fmt(&path, "%s/%s", folder, entry->d_name);
        int fd = open(path.data, O_RDONLY | O_CLOEXEC);
        assert_int_equal(fstat(fd, &status), 0);
        report_in(&fixture, fd, status.st_size);
        if (!fixture.ok || convert_crashes(fixture.convert) > 0)
            fail_msg("%s: %s", entry->d_name, fixture.detail);
        assert_true(strlen(fixture.subject) > 0);
        assert_true((fixture.recipient_count > 0) == (fixture.report_kind != CONVERT_REPORT_OTHER));
        kinds[fixture.report_kind]++;
        strbuf_free(&path);
    }
    closedir(dir);
    assert_true(kinds[CONVERT_REPORT_DSN] > 0 && kinds[CONVERT_REPORT_BOUNCE] > 0 && kinds[CONVERT_REPORT_OTHER] > 0);
    stop(&fixture);
}

/* Nobody is told what could not be read, nor what was not believed; it is said that it is so for good. */
static void test_reports_of_bad_workers(void **state)
{
    (void)state;
    static const char *const workers[] = { "-crash", "-liar" };
    for (size_t i = 0; i < 2; i++) {
        struct fixture fixture = { 0 };
        start(&fixture, workers[i]);
        report_in(&fixture, memory_file(sample, strlen(sample)), (int64_t)strlen(sample));
        assert_false(fixture.ok);
        assert_true(fixture.permanent);
        assert_int_equal(fixture.report_kind, CONVERT_REPORT_OTHER);
        assert_int_equal(fixture.recipient_count, 0);
        assert_int_equal(convert_crashes(fixture.convert), 2); /* tried once more */
        stop(&fixture);
    }
}

static void test_empty_mail(void **state)
{
    (void)state;
    struct fixture fixture = { 0 };
    start(&fixture, NULL);
    mail_in(&fixture, "");
    assert_true(fixture.ok);
    assert_string_equal(fixture.subject, CONVERT_NO_SUBJECT);
    assert_string_equal(fixture.content, CONVERT_NO_TEXT);
    stop(&fixture);
}

static void test_crash_gives_the_original(void **state)
{
    (void)state;
    struct fixture fixture = { 0 };
    start(&fixture, "-crash");
    mail_in(&fixture, sample);
    assert_true(fixture.ok);
    assert_true(fixture.fallback);
    assert_non_null(strstr(fixture.detail, "failed 2 times"));
    assert_true(strlen(fixture.subject) > 0);
    assert_int_equal(fixture.message.attach_count, 1);
    assert_string_equal(fixture.message.attach[0].name, CONVERT_ORIGINAL_NAME);
    assert_int_equal(fixture.message.attach[0].size, strlen(sample));
    assert_string_equal(fixture.content + fixture.body_len, sample);
    assert_int_equal(convert_crashes(fixture.convert), 2);
    stop(&fixture);
}

/* The daemon makes the fallback form, without looking into the mail; and workers are told as well. */
static void test_automatic_mail_says_so(void **state)
{
    (void)state;
    for (int crashes = 0; crashes <= 1; crashes++) {
        struct fixture fixture = { .options = { .is_automatic = true } };
        start(&fixture, crashes ? "-crash" : NULL);
        mail_in(&fixture, sample);
        assert_true(fixture.ok);
        assert_int_equal(fixture.fallback, crashes);
        assert_memory_equal(fixture.content, CONVERT_AUTOMATIC, strlen(CONVERT_AUTOMATIC));
        if (crashes)
            assert_string_equal(fixture.content + fixture.body_len, sample);
        stop(&fixture);
    }
}

static void test_lies_are_not_believed(void **state)
{
    (void)state;
    struct fixture fixture = { 0 };
    start(&fixture, "-liar");
    mail_in(&fixture, sample);
    assert_true(fixture.ok);
    assert_true(fixture.fallback);
    assert_string_equal(fixture.content + fixture.body_len, sample);
    mail_out(&fixture, "text\n", "x");
    assert_false(fixture.ok);
    assert_true(fixture.permanent);
    assert_int_equal(convert_crashes(fixture.convert), 5); /* each time the worker was replaced */
    stop(&fixture);
}

/* Larger than what stays in memory. The caller's. */
static char *large_mail(size_t *len_out)
{
    struct strbuf mail;
    strbuf_init(&mail, (size_t)16 << 20);
    strbuf_add_str(&mail, "Subject: large\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n\r\n");
    while (mail.len < (size_t)9 << 20)
        strbuf_add_str(&mail, "0123456789abcdef\r\n");
    *len_out = mail.len;
    return strbuf_detach(&mail);
}

static void test_large_mail_of_crashing_workers(void **state)
{
    (void)state;
    struct fixture fixture = { 0 };
    size_t len;
    char *mail = large_mail(&len);
    start(&fixture, "-crash");
    mail_in_bytes(&fixture, mail, len);
    assert_true(fixture.ok);
    assert_true(fixture.fallback);
    assert_int_equal(fixture.content_len, fixture.body_len + len);
    assert_memory_equal(fixture.content + fixture.body_len, mail, len);
    free(mail);
    stop(&fixture);
}

/* What a worker can still write to is not looked at. A memory file is sealed, so that it may be kept. */
static void test_results_that_are_kept_open(void **state)
{
    (void)state;
    struct fixture fixture = { 0 };
    size_t len;
    char *mail = large_mail(&len);
    start(&fixture, "-keeper");
    mail_in(&fixture, sample);
    assert_true(fixture.ok);
    assert_false(fixture.fallback);
    assert_string_equal(fixture.content, "text");
    mail_in_bytes(&fixture, mail, len);
    assert_true(fixture.ok);
    assert_true(fixture.fallback);
    assert_non_null(strstr(fixture.detail, "can't be sealed"));
    free(mail);
    stop(&fixture);
}

/* Each short line of uuencoded content stands for 63 octets: no mail becomes many times as large as it was. */
static void test_mail_that_would_grow(void **state)
{
    (void)state;
    struct fixture fixture = { 0 };
    struct strbuf mail;
    strbuf_init(&mail, (size_t)2 << 20);
    strbuf_add_str(&mail,
                   "Content-Type: application/x-a\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\nbegin 644 a\r\n");
    while (mail.len < (size_t)1 << 20)
        strbuf_add_str(&mail, "_\r\n");
    start(&fixture, NULL);
    mail_in_bytes(&fixture, mail.data, mail.len);
    assert_true(fixture.ok);
    assert_true(fixture.fallback);
    assert_non_null(strstr(fixture.detail, "more content than there is in the mail"));
    assert_int_equal(fixture.content_len, fixture.body_len + mail.len);
    strbuf_free(&mail);
    stop(&fixture);
}

/* That the disk is full is no fault of the message. */
static void test_no_room_for_the_result(void **state)
{
    (void)state;
    struct fixture fixture = { 0 };
    start(&fixture, "-full");
    mail_in(&fixture, sample);
    assert_false(fixture.ok);
    mail_out(&fixture, "text\n", "x");
    assert_false(fixture.ok);
    assert_false(fixture.permanent);
    stop(&fixture);
    size_t len;
    char *mail = large_mail(&len);
    struct fixture elsewhere = { .directory = "/nonexistent" };
    start(&elsewhere, NULL);
    mail_in(&elsewhere, sample); /* small ones don't need it */
    assert_true(elsewhere.ok);
    mail_in_bytes(&elsewhere, mail, len);
    assert_false(elsewhere.ok);
    free(mail);
    stop(&elsewhere);
}

/* Its size does not show that a small message becomes a large mail: each of these octets is four in the result, twice. */
static void test_small_content_with_a_large_result(void **state)
{
    (void)state;
    enum { LEN = 200 * 1024 };
    struct fixture fixture = { 0 };
    start(&fixture, NULL);
    char *body = xmalloc(LEN + 1);
    memset(body, 1, LEN);
    body[LEN] = '\0';
    mail_out(&fixture, body, "x");
    assert_true(fixture.ok);
    assert_true(fixture.content_len > (size_t)8 * LEN);
    assert_int_equal(convert_crashes(fixture.convert), 0);
    free(body);
    stop(&fixture);
}

static void test_mail_out(void **state)
{
    (void)state;
    struct fixture fixture = { 0 };
    start(&fixture, NULL);
    mail_out(&fixture, "The *gate*.\n", "92 cm");
    assert_true(fixture.ok);
    assert_non_null(strstr(fixture.content, "From: Alice Member <alice.member@silo.example.org>\r\n"));
    assert_non_null(strstr(fixture.content, "To: Bob <bob@example.com>\r\n"));
    assert_non_null(strstr(fixture.content, "\r\n\r\nThe _gate_.\r\n"));
    assert_non_null(strstr(fixture.content, "<p>The <em>gate</em>.</p>"));
    assert_non_null(strstr(fixture.content, "filename=\"note.txt\""));
    char *first = xmemdup(fixture.content, fixture.content_len + 1);
    mail_out(&fixture, "The *gate*.\n", "92 cm");
    assert_string_equal(fixture.content, first);
    free(first);
    stop(&fixture);
}

/* Reading one takes nothing that a locked worker may not do. */
static void test_form_out(void **state)
{
    (void)state;
    struct fixture fixture = { 0 };
    start(&fixture, NULL);
    mail_out_with(&fixture, "r:Order", "Here.\n", "{\"width\":92.5,\"list\":[1,2]}");
    assert_true(fixture.ok);
    assert_int_equal(convert_crashes(fixture.convert), 0);
    assert_non_null(strstr(fixture.content, "| width | 92.5  |\r\n| list  | 1, 2  |\r\n"));
    assert_non_null(strstr(fixture.content, "(a/b)"));
    stop(&fixture);
}

static void test_mail_out_of_crashing_workers(void **state)
{
    (void)state;
    struct fixture fixture = { 0 };
    start(&fixture, "-crash");
    mail_out(&fixture, "The *gate*.\n", "92 cm");
    assert_false(fixture.ok);
    assert_true(fixture.permanent);
    assert_int_equal(convert_crashes(fixture.convert), 3); /* twice as it should be, once without rendering */
    stop(&fixture);
}

static void test_impossible_request(void **state)
{
    (void)state;
    struct fixture fixture = { 0 };
    start(&fixture, NULL);
    struct tmtp_message message;
    tmtp_message_init(&message);
    tmtp_message_add_attachment(&message, "u:a", 100, NULL); /* more than there is */
    int fd = memory_file("x", 1);
    const struct convert_out_request request = { .message = &message,
                                                 .content_fd = fd,
                                                 .content_size = 1,
                                                 .message_id = "a@b",
                                                 .from = { "", { "a", "example.com" } } };
    assert_int_equal(convert_mail_out(fixture.convert, &request, on_out, &fixture), 1);
    assert_false(fixture.done); /* never from inside the call */
    loop_run(fixture.loop);
    assert_true(fixture.done);
    assert_false(fixture.ok);
    assert_true(fixture.permanent);
    close(fd);
    tmtp_message_free(&message);
    stop(&fixture);
}

static void test_pending_jobs_get_no_callback(void **state)
{
    (void)state;
    struct fixture fixture = { 0 };
    start(&fixture, NULL);
    int fd = memory_file(sample, strlen(sample));
    const struct convert_in_request request = { .mail_fd = fd, .mail_size = (int64_t)strlen(sample) };
    for (int i = 0; i < 5; i++)
        assert_int_equal(convert_mail_in(fixture.convert, &request, on_in, &fixture), 1);
    close(fd);
    convert_free(&fixture.convert);
    loop_turn(fixture.loop);
    assert_false(fixture.done);
    stop(&fixture);
}

static void ignore_log(enum log_level level, const char *line, void *ctx)
{
    (void)level, (void)line, (void)ctx;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], CONVERT_WORKER_ARGUMENT) == 0)
        serve();
    log_set_sink(ignore_log, NULL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mail_in),
        cmocka_unit_test(test_all_mails_pass_the_sandbox),
        cmocka_unit_test(test_charsets_pass_the_sandbox),
        cmocka_unit_test(test_all_bounces_pass_the_sandbox),
        cmocka_unit_test(test_reports_of_bad_workers),
        cmocka_unit_test(test_empty_mail),
        cmocka_unit_test(test_crash_gives_the_original),
        cmocka_unit_test(test_automatic_mail_says_so),
        cmocka_unit_test(test_lies_are_not_believed),
        cmocka_unit_test(test_large_mail_of_crashing_workers),
        cmocka_unit_test(test_results_that_are_kept_open),
        cmocka_unit_test(test_mail_that_would_grow),
        cmocka_unit_test(test_no_room_for_the_result),
        cmocka_unit_test(test_small_content_with_a_large_result),
        cmocka_unit_test(test_mail_out),
        cmocka_unit_test(test_form_out),
        cmocka_unit_test(test_mail_out_of_crashing_workers),
        cmocka_unit_test(test_impossible_request),
        cmocka_unit_test(test_pending_jobs_get_no_callback),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
