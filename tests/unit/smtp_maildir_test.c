/* Tests of maildir: what is in the file, that a repetition makes no second one, and what failures become. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/background.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "smtp/maildir.h"

enum { PATH_SIZE = 512, LARGE = 300 * 1000 };

struct scene {
    char folder[64];
    char maildir[PATH_SIZE];
    struct clock *clock;
    struct loop *loop;
    struct background *background;
    const char *prefix;
    struct smtp_client_recipient recipients[2];
    size_t recipient_count;
    const char *sender;
    size_t result_count;
    struct smtp_recipient_result results[2];
};

static void path_in(const struct scene *scene, const char *below, char out[static PATH_SIZE])
{
    assert_true(snprintf(out, PATH_SIZE, "%s/%s", scene->maildir, below) < PATH_SIZE);
}

static void no_log(enum log_level level, const char *line, void *ctx)
{
    (void)level, (void)line, (void)ctx;
}

static int setup(void **state)
{
    static struct scene scene;
    memset(&scene, 0, sizeof scene);
    log_set_sink(no_log, NULL);
    snprintf(scene.folder, sizeof scene.folder, "/tmp/postern-maildir-XXXXXX");
    assert_non_null(mkdtemp(scene.folder));
    snprintf(scene.maildir, sizeof scene.maildir, "%s/out", scene.folder);
    scene.clock = clock_new_system();
    scene.loop = loop_new(scene.clock);
    scene.background = background_new(scene.loop);
    scene.sender = "bob@example.com";
    scene.recipient_count = 2;
    assert_int_equal(smtp_address_parse("carol@example.com", 17, &scene.recipients[0].address), 1);
    assert_int_equal(smtp_address_parse("dave@example.com", 16, &scene.recipients[1].address), 1);
    *state = &scene;
    return 0;
}

static void remove_tree(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char below[PATH_SIZE];
        snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (unlink(below) != 0)
            remove_tree(below);
    }
    if (dir != NULL)
        closedir(dir);
    rmdir(path);
}

static int teardown(void **state)
{
    struct scene *scene = *state;
    background_free(&scene->background);
    loop_free(&scene->loop);
    clock_free(&scene->clock);
    remove_tree(scene->folder);
    return 0;
}

static void on_done(const struct smtp_recipient_result *results, size_t count, void *ctx)
{
    struct scene *scene = ctx;
    assert_int_equal(scene->result_count, 0);
    memcpy(scene->results, results, count * sizeof *results);
    scene->result_count = count;
}

static void submit(struct scene *scene, const char *unique, const void *content, size_t len)
{
    int fd = memfd_create("content", MFD_CLOEXEC);
    assert_int_equal(write(fd, content, len), len);
    struct smtp_client_message message = {
        .prefix = scene->prefix,
        .recipients = scene->recipients,
        .recipient_count = scene->recipient_count,
        .content_fd = fd,
        .content_size = (int64_t)len,
    };
    if (*scene->sender != '\0')
        assert_int_equal(smtp_address_parse(scene->sender, strlen(scene->sender), &message.sender), 1);
    scene->result_count = 0;
    maildir_deliver(scene->background, scene->maildir, unique, &message, on_done, scene);
    assert_int_equal(scene->result_count, 0); /* never from inside the call */
    close(fd);
}

static void deliver(struct scene *scene, const char *unique, const void *content, size_t len)
{
    submit(scene, unique, content, len);
    while (scene->result_count == 0)
        loop_turn(scene->loop);
}

/* Number of files in a folder of the maildir; the name of one of them in name_out. */
static unsigned count_files(const struct scene *scene, const char *below, char name_out[static PATH_SIZE])
{
    char path[PATH_SIZE];
    path_in(scene, below, path);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    unsigned count = 0;
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        count++;
        snprintf(name_out, PATH_SIZE, "%s", entry->d_name);
    }
    closedir(dir);
    return count;
}

static void read_file(const struct scene *scene, const char *below, const char *name, struct strbuf *out)
{
    char path[PATH_SIZE];
    char piece[4096];
    struct strbuf relative;
    strbuf_init(&relative, PATH_SIZE);
    strbuf_add_fmt(&relative, "%s/%s", below, name);
    path_in(scene, relative.data, path);
    strbuf_free(&relative);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t got;
    while ((got = read(fd, piece, sizeof piece)) > 0)
        strbuf_add(out, piece, (size_t)got);
    close(fd);
}

static void assert_results(const struct scene *scene, enum smtp_outcome outcome, int code)
{
    assert_int_equal(scene->result_count, scene->recipient_count);
    for (size_t i = 0; i < scene->result_count; i++) {
        assert_int_equal(scene->results[i].outcome, outcome);
        assert_int_equal(scene->results[i].reply.code, code);
    }
}

static void writes_the_message(void **state)
{
    struct scene *scene = *state;
    static const char content[] = "Subject: Lunch\r\n\r\n.At noon?\r\nbare\rCR\r\r\n\r\nno end\r";
    char name[PATH_SIZE];
    struct strbuf file;
    strbuf_init(&file, LARGE);
    deliver(scene, "17", content, sizeof content - 1);
    assert_results(scene, SMTP_OUTCOME_DELIVERED, 250);
    assert_int_equal(count_files(scene, "new", name), 1);
    assert_memory_equal(name, "17.", 3);
    read_file(scene, "new", name, &file);
    assert_string_equal(file.data,
                        "Return-Path: <bob@example.com>\nDelivered-To: carol@example.com\n"
                        "Delivered-To: dave@example.com\nSubject: Lunch\n\n.At noon?\nbare\rCR\r\n\nno end\r");
    assert_int_equal(count_files(scene, "tmp", name), 0);
    assert_int_equal(count_files(scene, "cur", name), 0);

    struct stat info;
    char path[PATH_SIZE];
    path_in(scene, "new", path);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0700); /* nobody else reads the mail */
    strbuf_free(&file);
}

/* Fields in front of the content come after those about the envelope: nothing stands between them and the header. */
static void writes_the_prefix(void **state)
{
    struct scene *scene = *state;
    static const char content[] = "Subject: Lunch\r\n\r\nAt noon?\r\n";
    char name[PATH_SIZE];
    struct strbuf file;
    strbuf_init(&file, LARGE);
    scene->prefix = "DKIM-Signature: v=1;\r\n a=b\r\n";
    deliver(scene, "27", content, sizeof content - 1);
    assert_int_equal(count_files(scene, "new", name), 1);
    read_file(scene, "new", name, &file);
    assert_string_equal(file.data, "Return-Path: <bob@example.com>\nDelivered-To: carol@example.com\n"
                                   "Delivered-To: dave@example.com\nDKIM-Signature: v=1;\n a=b\n"
                                   "Subject: Lunch\n\nAt noon?\n");
    strbuf_free(&file);
}

static void writes_large_messages(void **state)
{
    struct scene *scene = *state;
    struct strbuf content;
    struct strbuf wanted;
    struct strbuf file;
    char name[PATH_SIZE];
    strbuf_init(&content, LARGE);
    strbuf_init(&wanted, LARGE + 100);
    strbuf_init(&file, LARGE + 100);
    scene->sender = "";
    scene->recipient_count = 1;
    strbuf_add_str(&wanted, "Return-Path: <>\nDelivered-To: carol@example.com\n");
    for (unsigned i = 0; content.len < LARGE - 100; i++) {
        strbuf_add_fmt(&content, "line %u\r\n", i);
        strbuf_add_fmt(&wanted, "line %u\n", i);
    }
    deliver(scene, "18", content.data, content.len);
    assert_results(scene, SMTP_OUTCOME_DELIVERED, 250);
    assert_int_equal(count_files(scene, "new", name), 1);
    read_file(scene, "new", name, &file);
    assert_int_equal(file.len, wanted.len);
    assert_memory_equal(file.data, wanted.data, wanted.len);
    strbuf_free(&content);
    strbuf_free(&wanted);
    strbuf_free(&file);
}

static void count_results(const struct smtp_recipient_result *results, size_t count, void *ctx)
{
    size_t *delivered = ctx;
    for (size_t i = 0; i < count; i++)
        *delivered += results[i].outcome == SMTP_OUTCOME_DELIVERED ? 1 : 0;
}

/* An envelope larger than the pieces in which the file is written. */
static void writes_for_many_recipients(void **state)
{
    enum { MANY = 3000 };
    struct scene *scene = *state;
    struct smtp_client_recipient *recipients = xcalloc(MANY, sizeof *recipients);
    struct strbuf content;
    struct strbuf wanted;
    struct strbuf file;
    char name[PATH_SIZE];
    strbuf_init(&content, LARGE);
    strbuf_init(&wanted, 2 * LARGE);
    strbuf_init(&file, 2 * LARGE);
    strbuf_add_str(&wanted, "Return-Path: <>\n");
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(recipients[i].address.local, sizeof recipients[i].address.local, "bob%u", i);
        snprintf(recipients[i].address.domain, sizeof recipients[i].address.domain, "example.com");
        strbuf_add_fmt(&wanted, "Delivered-To: bob%u@example.com\n", i);
    }
    while (content.len < LARGE)
        strbuf_add_char(&content, 'x');
    strbuf_add(&wanted, content.data, content.len);
    int fd = memfd_create("content", MFD_CLOEXEC);
    assert_int_equal(write(fd, content.data, content.len), content.len);
    struct smtp_client_message message = {
        .recipients = recipients, .recipient_count = MANY, .content_fd = fd, .content_size = (int64_t)content.len
    };
    size_t delivered = 0;
    maildir_deliver(scene->background, scene->maildir, "26", &message, count_results, &delivered);
    close(fd);
    free(recipients);
    while (delivered == 0)
        loop_turn(scene->loop);
    assert_int_equal(delivered, MANY);
    assert_int_equal(count_files(scene, "new", name), 1);
    read_file(scene, "new", name, &file);
    assert_string_equal(file.data, wanted.data);
    strbuf_free(&content);
    strbuf_free(&wanted);
    strbuf_free(&file);
}

static void repetition_makes_no_second_file(void **state)
{
    struct scene *scene = *state;
    char name[PATH_SIZE];
    char seen[PATH_SIZE + 8];
    char old_path[PATH_SIZE];
    char new_path[PATH_SIZE];
    deliver(scene, "19", "a\r\n", 3);
    deliver(scene, "19", "a\r\n", 3);
    assert_results(scene, SMTP_OUTCOME_DELIVERED, 250);
    assert_int_equal(count_files(scene, "new", name), 1);

    /* A mail program has taken notice of it. */
    struct strbuf path;
    strbuf_init(&path, PATH_SIZE);
    strbuf_add_fmt(&path, "new/%s", name);
    path_in(scene, path.data, old_path);
    strbuf_clear(&path);
    snprintf(seen, sizeof seen, "%s:2,S", name);
    strbuf_add_fmt(&path, "cur/%s", seen);
    path_in(scene, path.data, new_path);
    assert_int_equal(rename(old_path, new_path), 0);
    deliver(scene, "19", "a\r\n", 3);
    assert_results(scene, SMTP_OUTCOME_DELIVERED, 250);
    assert_int_equal(count_files(scene, "new", name), 0);
    assert_int_equal(count_files(scene, "cur", name), 1);
    assert_int_equal(count_files(scene, "tmp", name), 0);
    strbuf_free(&path);
}

/* An attempt that was cut off between the link and the unlink has left both names of one file. */
static void leftover_of_a_crash_does_no_harm(void **state)
{
    struct scene *scene = *state;
    char name[PATH_SIZE];
    char tmp_path[PATH_SIZE];
    char new_path[PATH_SIZE];
    struct strbuf path;
    struct strbuf file;
    strbuf_init(&path, PATH_SIZE);
    strbuf_init(&file, LARGE);
    deliver(scene, "20", "first\r\n", 7);
    assert_int_equal(count_files(scene, "new", name), 1);
    strbuf_add_fmt(&path, "new/%s", name);
    path_in(scene, path.data, new_path);
    path_in(scene, "tmp/20", tmp_path);
    assert_int_equal(link(new_path, tmp_path), 0);
    deliver(scene, "20", "other\r\n", 7);
    assert_results(scene, SMTP_OUTCOME_DELIVERED, 250);
    read_file(scene, "new", name, &file);
    assert_non_null(strstr(file.data, "first"));
    char other[PATH_SIZE];
    assert_int_equal(count_files(scene, "new", other), 2); /* the same id with other content is another message */
    assert_int_equal(count_files(scene, "tmp", other), 0);
    strbuf_free(&path);
    strbuf_free(&file);
}

static void ids_are_safe_file_names(void **state)
{
    struct scene *scene = *state;
    static const char *const ids[] = { "../../x", ".hidden", "a:2,S", "a b\n" };
    char name[PATH_SIZE];
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        deliver(scene, ids[i], "a\r\n", 3);
        assert_results(scene, SMTP_OUTCOME_DELIVERED, 250);
        assert_int_equal(count_files(scene, "new", name), i + 1);
        assert_null(strchr(name, ':'));
    }
}

static void failures_are_temporary(void **state)
{
    struct scene *scene = *state;
    /* No parent. */
    snprintf(scene->maildir, sizeof scene->maildir, "%s/gone/out", scene->folder);
    deliver(scene, "21", "a\r\n", 3);
    assert_results(scene, SMTP_OUTCOME_TEMPORARY, 451);
    assert_non_null(strstr(scene->results[0].reply.text, "No such file"));
    /* A file where a folder should be. */
    snprintf(scene->maildir, sizeof scene->maildir, "%s/file", scene->folder);
    int fd = open(scene->maildir, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    deliver(scene, "21", "a\r\n", 3);
    assert_results(scene, SMTP_OUTCOME_TEMPORARY, 451);
}

/* RLIMIT_FSIZE makes a file that may not grow; with SIGXFSZ ignored, write() fails with EFBIG as it would with ENOSPC. */
static void full_disk_leaves_nothing_behind(void **state)
{
    struct scene *scene = *state;
    char name[PATH_SIZE];
    char content[20000];
    memset(content, 'x', sizeof content);
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    struct rlimit small = { 10000, limit.rlim_max };
    int fd = memfd_create("content", MFD_CLOEXEC);
    assert_int_equal(write(fd, content, sizeof content), sizeof content);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    struct smtp_client_message message = {
        .recipients = scene->recipients, .recipient_count = 2, .content_fd = fd, .content_size = sizeof content
    };
    maildir_deliver(scene->background, scene->maildir, "25", &message, on_done, scene);
    while (scene->result_count == 0)
        loop_turn(scene->loop);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    close(fd);
    assert_results(scene, SMTP_OUTCOME_TEMPORARY, 451);
    assert_int_equal(count_files(scene, "new", name), 0);
    assert_int_equal(count_files(scene, "tmp", name), 0);
}

static void short_content_is_a_failure(void **state)
{
    struct scene *scene = *state;
    char name[PATH_SIZE];
    int fd = memfd_create("content", MFD_CLOEXEC);
    struct smtp_client_message message = {
        .recipients = scene->recipients, .recipient_count = 2, .content_fd = fd, .content_size = 10
    };
    maildir_deliver(scene->background, scene->maildir, "22", &message, on_done, scene);
    close(fd);
    while (scene->result_count == 0)
        loop_turn(scene->loop);
    assert_results(scene, SMTP_OUTCOME_TEMPORARY, 451);
    assert_int_equal(count_files(scene, "new", name), 0);
    assert_int_equal(count_files(scene, "tmp", name), 0);
}

static void freed_background_does_not_call(void **state)
{
    struct scene *scene = *state;
    submit(scene, "23", "a\r\n", 3);
    submit(scene, "24", "a\r\n", 3);
    background_free(&scene->background);
    loop_turn(scene->loop);
    assert_int_equal(scene->result_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_the_message, setup, teardown),
        cmocka_unit_test_setup_teardown(writes_the_prefix, setup, teardown),
        cmocka_unit_test_setup_teardown(writes_large_messages, setup, teardown),
        cmocka_unit_test_setup_teardown(writes_for_many_recipients, setup, teardown),
        cmocka_unit_test_setup_teardown(repetition_makes_no_second_file, setup, teardown),
        cmocka_unit_test_setup_teardown(leftover_of_a_crash_does_no_harm, setup, teardown),
        cmocka_unit_test_setup_teardown(ids_are_safe_file_names, setup, teardown),
        cmocka_unit_test_setup_teardown(failures_are_temporary, setup, teardown),
        cmocka_unit_test_setup_teardown(full_disk_leaves_nothing_behind, setup, teardown),
        cmocka_unit_test_setup_teardown(short_content_is_a_failure, setup, teardown),
        cmocka_unit_test_setup_teardown(freed_background_does_not_call, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
