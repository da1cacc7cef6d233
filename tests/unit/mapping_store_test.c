#include "tests/unit/mapping_store_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "mapping/store_content.h"
#include "mapping/store_look.h"
#include "mapping/store_secret.h"
#include "mapping/store_trace.h"

/* --- helpers --- */

struct file {
    size_t size;
    uint8_t *bytes; /* NULL: there is none */
};

static struct file read_file(const struct store_fixture *fixture, const char *suffix)
{
    char path[128];
    struct stat info;
    snprintf(path, sizeof path, "%s%s", fixture->path, suffix);
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return (struct file){ 0, NULL };
    assert_int_equal(fstat(fd, &info), 0);
    struct file file = { (size_t)info.st_size, malloc((size_t)info.st_size + 1) };
    assert_int_equal(read(fd, file.bytes, file.size), file.size);
    close(fd);
    return file;
}

static void assert_same_file(struct file *before, struct file *after)
{
    assert_int_equal(before->size, after->size);
    assert_true((before->bytes == NULL) == (after->bytes == NULL));
    if (before->bytes)
        assert_memory_equal(before->bytes, after->bytes, before->size);
    free(before->bytes);
    free(after->bytes);
}

static void write_at(const struct store_fixture *fixture, off_t offset, const void *bytes, size_t len)
{
    int fd = open(fixture->path, O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, len, offset), len);
    close(fd);
}

/* Opening must fail, with this in its message, and change nothing. */
static void assert_refused(struct store_fixture *fixture, const char *expected)
{
    char *error;
    struct file file = read_file(fixture, ""), log = read_file(fixture, "-wal");
    struct store *store = store_open(fixture->loop, fixture->path, &error);
    assert_null(store);
    assert_non_null(error);
    if (!strstr(error, expected))
        fail_msg("\"%s\" does not say \"%s\"", error, expected);
    free(error);
    struct file file_after = read_file(fixture, ""), log_after = read_file(fixture, "-wal");
    assert_same_file(&file, &file_after);
    assert_same_file(&log, &log_after);
}

static void assert_mode(const struct store_fixture *fixture, const char *suffix, mode_t mode)
{
    char path[128];
    struct stat info;
    snprintf(path, sizeof path, "%s%s", fixture->path, suffix);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, mode);
}

static int64_t pragma(struct store_fixture *fixture, const char *sql)
{
    int64_t value = -1;
    struct store_db *db = store_fixture_borrow(fixture);
    int result = store_fetch_int(db, sql, NULL, &value);
    store_fixture_return(fixture, 1);
    assert_int_equal(result, 1);
    return value;
}

/* An operation that writes one row and notes how it ended. */
struct step {
    int64_t number; /* of its row */
    int returns;    /* what the operation returns after it has written */
    int rows;       /* more of them */
    size_t content; /* bytes of content written besides */
    int result;     /* what done was told; 2: not yet */
    unsigned runs;
    int overlooked[2];  /* errors that it went on after */
    unsigned *sequence; /* counts the done functions */
    unsigned told_as;
};

static int run_step(struct store_db *db, void *arg)
{
    struct step *step = arg;
    int64_t content_id;
    step->runs++;
    for (int i = 0; i <= step->rows; i++)
        if (store_trace_add(db, STORE_QUEUE_IN, step->number, 0, "step", "row %d, as long as most of them are", i) != 1)
            return -1;
    if (step->content > 0) {
        FILE *file = tmpfile();
        int added = ftruncate(fileno(file), (off_t)step->content) == 0
                        ? store_content_add_fd(db, fileno(file), (int64_t)step->content, &content_id)
                        : -1;
        fclose(file);
        if (added != 1)
            return -1;
    }
    return step->returns;
}

static void step_done(int result, void *arg)
{
    struct step *step = arg;
    step->result = result;
    if (step->sequence)
        step->told_as = (*step->sequence)++;
}

static void count_row(int64_t at, const char *event, const char *detail, void *ctx)
{
    (void)at;
    (void)event;
    (void)detail;
    ++*(unsigned *)ctx;
}

static unsigned rows_of(struct store *store, int64_t number)
{
    unsigned rows = 0;
    assert_int_equal(store_trace_list(store_reader(store), STORE_QUEUE_IN, number, count_row, &rows), 1);
    return rows;
}

typedef void submit(struct store *store, store_operation *operation, store_done *done, void *arg);

/* Submits the steps so that they share one transaction. */
static void submit_together_as(struct store_fixture *fixture, struct step *steps, size_t count, submit *how)
{
    store_fixture_borrow(fixture);
    for (size_t i = 0; i < count; i++) {
        steps[i].result = 2;
        how(fixture->store, run_step, step_done, &steps[i]);
    }
    store_fixture_return(fixture, 1);
    store_fixture_wait_for_all(fixture);
}

static void submit_together(struct store_fixture *fixture, struct step *steps, size_t count)
{
    submit_together_as(fixture, steps, count, store_submit);
}

/* --- opening --- */

static void new_database_is_set_up(void **state)
{
    struct store_fixture *fixture = *state;
    assert_mode(fixture, "", 0600);
    assert_int_equal(pragma(fixture, "PRAGMA user_version"), STORE_SCHEMA_VERSION);
    assert_int_equal(pragma(fixture, "PRAGMA application_id"), 0x506f7374);
    assert_int_equal(pragma(fixture, "PRAGMA auto_vacuum"), 2);
    assert_int_equal(pragma(fixture, "PRAGMA synchronous"), 2);
    assert_int_equal(pragma(fixture, "PRAGMA foreign_keys"), 1);
    assert_int_equal(pragma(fixture, "PRAGMA secure_delete"), 1);
    assert_int_equal(
        pragma(fixture, "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND strict = 0"
                        " AND name NOT LIKE 'sqlite_%'"),
        0);
    assert_int_equal(pragma(fixture, "SELECT journal_mode = 'wal' FROM pragma_journal_mode"), 1);
    struct step step = { .number = 1, .returns = 1 };
    submit_together(fixture, &step, 1);
    assert_mode(fixture, "-wal", 0600);
    assert_mode(fixture, "-shm", 0600);
}

static void what_was_committed_is_there_after_reopening(void **state)
{
    struct store_fixture *fixture = *state;
    struct step step = { .number = 17, .returns = 1 };
    submit_together(fixture, &step, 1);
    store_close(&fixture->store);
    assert_null(fixture->store);
    struct file log = read_file(fixture, "-wal");
    assert_null(log.bytes); /* everything is in the file itself */
    assert_int_equal(chmod(fixture->path, 0644), 0);
    store_fixture_open(fixture);
    assert_mode(fixture, "", 0600);
    assert_int_equal(rows_of(fixture->store, 17), 1);
}

static void newer_version_is_refused_untouched(void **state)
{
    static const uint8_t version_7[] = { 0, 0, 0, 7 };
    struct store_fixture *fixture = *state;
    store_close(&fixture->store);
    write_at(fixture, 60, version_7, sizeof version_7);
    assert_refused(fixture, "is from a newer version of Postern (schema 7, this one knows 1)");
}

/* A newer version that was killed has left its number in the log only. */
static void newer_version_in_the_log_is_refused_untouched(void **state)
{
    struct store_fixture *fixture = *state;
    store_close(&fixture->store);
    pid_t child = fork();
    if (child == 0) {
        struct store_fixture other;
        memcpy(&other, fixture, sizeof other);
        other.loop = loop_new(other.clock);
        store_fixture_open(&other);
        struct store_db *db = store_fixture_borrow(&other);
        sqlite3_exec(db->handle, "PRAGMA user_version = 7", NULL, NULL, NULL);
        store_fixture_return(&other, 1);
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    struct file log = read_file(fixture, "-wal");
    assert_true(log.size > 0);
    free(log.bytes);
    assert_refused(fixture, "(schema 7, this one knows 1)");
    assert_refused(fixture, "(schema 7, this one knows 1)");
}

static void other_files_are_refused_untouched(void **state)
{
    static const uint8_t no_application[] = { 0, 0, 0, 0 };
    static const char text[] = "This is not a database but a text, and it is long enough to be mistaken for one, "
                               "if nobody looks at its first bytes.";
    struct store_fixture *fixture = *state;
    store_close(&fixture->store);
    write_at(fixture, 68, no_application, sizeof no_application);
    assert_refused(fixture, "but not one of Postern");
    assert_int_equal(unlink(fixture->path), 0);
    write_at(fixture, 0, text, 10);
    assert_refused(fixture, "is not a database");
    write_at(fixture, 0, text, sizeof text);
    assert_refused(fixture, "is not a database");
}

static void make_database(const struct store_fixture *fixture, const char *sql)
{
    sqlite3 *handle;
    unlink(fixture->path);
    assert_int_equal(sqlite3_open(fixture->path, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(handle);
}

/* A kill in the middle of the very first start leaves a database without version and tables: it is ours to finish. Another
 * program's database may have no version either, but it has tables. */
static void cut_short_at_its_making(void **state)
{
    struct store_fixture *fixture = *state;
    store_close(&fixture->store);
    make_database(fixture, "PRAGMA auto_vacuum = INCREMENTAL; VACUUM");
    struct file left = read_file(fixture, "");
    assert_true(left.size > 0);
    free(left.bytes);
    store_fixture_open(fixture);
    struct store_db *db = store_fixture_borrow(fixture);
    int64_t id;
    assert_int_equal(store_fetch_int(db, "SELECT count(*) FROM member", NULL, &id), 1);
    assert_int_equal(store_fixture_return(fixture, 1), 1);

    store_close(&fixture->store);
    make_database(fixture, "CREATE TABLE somebody_elses (x)");
    assert_refused(fixture, "but not one of Postern");
}

static void missing_directory_and_permission_are_told(void **state)
{
    struct store_fixture *fixture = *state;
    char *error;
    assert_null(store_open(fixture->loop, "/nonexistent/directory/postern.db", &error));
    assert_non_null(strstr(error, "No such file or directory"));
    assert_non_null(strstr(error, "/nonexistent/directory/postern.lock"));
    free(error);
    store_close(&fixture->store);
    if (geteuid() == 0)
        return; /* root may do everything */
    assert_int_equal(chmod(fixture->path, 0), 0);
    assert_null(store_open(fixture->loop, fixture->path, &error));
    assert_non_null(strstr(error, "Permission denied"));
    free(error);
}

static void second_opener_is_refused(void **state)
{
    struct store_fixture *fixture = *state;
    char *error;
    assert_null(store_open(fixture->loop, fixture->path, &error));
    assert_non_null(strstr(error, "in use by another posternd"));
    free(error);
    struct step step = { .number = 1, .returns = 1 }; /* the first one does not mind */
    submit_together(fixture, &step, 1);
    assert_int_equal(step.result, 1);
    assert_true(store_look_is_in_use(fixture->path)); /* who looks from outside takes it for what it is */
    store_close(&fixture->store);
    assert_false(store_look_is_in_use(fixture->path));
    store_fixture_open(fixture);
}

/* --- committing --- */

static void one_commit_serves_many(void **state)
{
    enum { COUNT = 1000 };
    struct store_fixture *fixture = *state;
    static struct step steps[COUNT];
    unsigned sequence = 0;
    struct store_statistics before, after;
    store_get_statistics(fixture->store, &before);
    for (size_t i = 0; i < COUNT; i++)
        steps[i] = (struct step){ .number = (int64_t)i + 1, .returns = 1, .sequence = &sequence };
    submit_together(fixture, steps, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(steps[i].result, 1);
        assert_int_equal(steps[i].told_as, i); /* in the order of submission */
    }
    assert_int_equal(rows_of(fixture->store, COUNT), 1);
    store_get_statistics(fixture->store, &after);
    assert_int_equal(after.operations - before.operations, COUNT + 1); /* and the one that held them up */
    assert_in_range(after.commits - before.commits, 2, 10);
    assert_int_equal(after.failed_commits, 0);
    assert_in_range(after.largest_batch, 100, COUNT);
    assert_true(after.longest_commit_us > 0);
}

static void nothing_is_told_before_it_is_committed(void **state)
{
    struct store_fixture *fixture = *state;
    struct step step = { .number = 1, .returns = 1, .result = 2 };
    store_fixture_borrow(fixture);
    store_submit(fixture->store, run_step, step_done, &step);
    assert_int_equal(store_pending(fixture->store), 2);
    loop_turn(fixture->loop);
    assert_int_equal(step.result, 2);
    assert_int_equal(rows_of(fixture->store, 1), 0);
    store_fixture_return(fixture, 1);
    store_fixture_wait_for_all(fixture);
    assert_int_equal(step.result, 1);
    assert_int_equal(rows_of(fixture->store, 1), 1);
}

static void a_failing_operation_takes_nothing_of_its_neighbours(void **state)
{
    struct store_fixture *fixture = *state;
    struct step steps[] = { { .number = 1, .returns = 1 },
                            { .number = 2, .returns = 0 },
                            { .number = 3, .returns = 1 },
                            { .number = 4, .returns = -1 },
                            { .number = 5, .returns = 1 } };
    submit_together(fixture, steps, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(steps[i].result, steps[i].returns);
        assert_int_equal(rows_of(fixture->store, steps[i].number), steps[i].returns == 1);
    }
    for (size_t i = 0; i < 5; i++) { /* and alone in a transaction */
        submit_together(fixture, &steps[i], 1);
        assert_int_equal(steps[i].result, steps[i].returns);
        assert_int_equal(rows_of(fixture->store, steps[i].number), steps[i].returns == 1 ? 2 : 0);
    }
}

/* A violated constraint is an error of the operation that violated it. */
static int insert_orphan(struct store_db *db, void *arg)
{
    (void)arg;
    return store_execute(db, "INSERT INTO message (thread_id, created_at) VALUES (12345, 0)", NULL);
}

static void constraints_are_enforced_and_logged_once(void **state)
{
    struct store_fixture *fixture = *state;
    struct step steps[] = { { .number = 1, .returns = 1, .result = 2 }, { .number = 2, .returns = 1, .result = 2 } };
    struct step orphan = { .result = 2 };
    store_fixture_borrow(fixture);
    store_submit(fixture->store, run_step, step_done, &steps[0]);
    store_submit(fixture->store, insert_orphan, step_done, &orphan);
    store_submit(fixture->store, run_step, step_done, &steps[1]);
    store_fixture_return(fixture, 1);
    store_fixture_wait_for_all(fixture);
    assert_int_equal(steps[0].result, 1);
    assert_int_equal(orphan.result, -1);
    assert_int_equal(steps[1].result, 1);
    assert_int_equal(fixture->errors, 1);
}

static void set_page_limit(struct store_fixture *fixture, int64_t pages)
{
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA max_page_count = %lld", (long long)pages);
    struct store_db *db = store_fixture_borrow(fixture);
    int result = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    store_fixture_return(fixture, 1);
    assert_int_equal(result, SQLITE_OK);
}

/* What is committed meanwhile shows when the reading has ended. */
static void reading_sees_one_state(void **state)
{
    struct store_fixture *fixture = *state;
    struct step first = { .number = 1, .returns = 1 }, second = { .number = 2, .returns = 1 };
    submit_together(fixture, &first, 1);
    store_begin_reading(store_reader(fixture->store));
    assert_int_equal(rows_of(fixture->store, 1), 1);
    submit_together(fixture, &second, 1);
    assert_int_equal(second.result, 1);
    assert_int_equal(rows_of(fixture->store, 2), 0);
    store_end_reading(store_reader(fixture->store));
    assert_int_equal(rows_of(fixture->store, 2), 1);
}

/* SQLite gives up the whole transaction when a row finds the disk full: all of the batch must hear of it, and can try
 * again. */
static void full_disk_fails_the_batch_and_nothing_else(void **state)
{
    struct store_fixture *fixture = *state;
    struct step steps[] = { { .number = 1, .returns = 1 },
                            { .number = 2, .returns = 1 },
                            { .number = 3, .returns = 1, .rows = 2000 },
                            { .number = 4, .returns = 1 },
                            { .number = 5, .returns = 0 } };
    struct store_statistics statistics;
    set_page_limit(fixture, pragma(fixture, "PRAGMA page_count") + 10);
    for (unsigned attempt = 1; attempt <= 2; attempt++) {
        submit_together(fixture, steps, 5);
        for (size_t i = 0; i < 5; i++) {
            assert_int_equal(steps[i].result, -1);
            assert_int_equal(rows_of(fixture->store, steps[i].number), 0);
        }
        assert_int_equal(fixture->errors, attempt);
        store_get_statistics(fixture->store, &statistics);
        assert_int_equal(statistics.failed_commits, attempt);
        assert_true(statistics.has_failed);
    }
    submit_together(fixture, &steps[2], 1);
    assert_int_equal(steps[2].result, -1);
    submit_together(fixture, steps, 2); /* there is room for these */
    assert_int_equal(steps[0].result, 1);
    assert_int_equal(steps[1].result, 1);

    set_page_limit(fixture, 1000000);
    submit_together(fixture, &steps[2], 3);
    assert_int_equal(steps[2].result, 1);
    assert_int_equal(steps[3].result, 1);
    assert_int_equal(steps[4].result, 0);
    assert_int_equal(rows_of(fixture->store, 1), 1);
    assert_int_equal(rows_of(fixture->store, 3), 2001);
    store_get_statistics(fixture->store, &statistics);
    assert_false(statistics.has_failed);
    assert_int_equal(rows_of(fixture->store, 4), 1);
}

static void what_fails_among_repeatable_operations_is_undone_alone(void **state)
{
    struct store_fixture *fixture = *state;
    struct step steps[] = { { .number = 1, .returns = 1 },
                            { .number = 2, .returns = 0 },
                            { .number = 3, .returns = -1 },
                            { .number = 4, .returns = 1, .rows = 3 } };
    submit_together_as(fixture, steps, 4, store_submit_repeatable);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(steps[i].result, steps[i].returns);
        assert_int_equal(rows_of(fixture->store, steps[i].number), steps[i].returns == 1 ? steps[i].rows + 1 : 0);
        assert_in_range(steps[i].runs, 1, 2);
    }
    submit_together_as(fixture, &steps[3], 1, store_submit_repeatable);
    submit_together_as(fixture, &steps[2], 1, store_submit_repeatable);
    assert_int_equal(steps[2].result, -1);
    assert_int_equal(rows_of(fixture->store, 3), 0);
    assert_int_equal(rows_of(fixture->store, 4), 8);
}

static void repeatable_operations_that_go_well_run_once(void **state)
{
    struct store_fixture *fixture = *state;
    struct step steps[] = { { .number = 1, .returns = 1 },
                            { .number = 2, .returns = 1 },
                            { .number = 3, .returns = 1 } };
    struct store_statistics before, after;
    store_get_statistics(fixture->store, &before);
    submit_together_as(fixture, steps, 3, store_submit_repeatable);
    store_get_statistics(fixture->store, &after);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(steps[i].result, 1);
        assert_int_equal(steps[i].runs, 1);
        assert_int_equal(rows_of(fixture->store, steps[i].number), 1);
    }
    assert_int_equal(after.failed_commits, before.failed_commits);
}

static void full_disk_fails_repeatable_operations_too(void **state)
{
    struct store_fixture *fixture = *state;
    struct step steps[] = { { .number = 1, .returns = 1 }, { .number = 2, .returns = 1, .rows = 2000 } };
    set_page_limit(fixture, pragma(fixture, "PRAGMA page_count") + 10);
    submit_together_as(fixture, steps, 2, store_submit_repeatable);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(steps[i].result, -1);
        assert_int_equal(rows_of(fixture->store, steps[i].number), 0);
    }
    set_page_limit(fixture, 1000000);
    submit_together_as(fixture, steps, 2, store_submit_repeatable);
    assert_int_equal(rows_of(fixture->store, 1), 1);
    assert_int_equal(rows_of(fixture->store, 2), 2001);
}

/* Content that does not fit costs nobody else anything. */
static void content_too_large_for_the_disk_fails_alone(void **state)
{
    struct store_fixture *fixture = *state;
    struct step steps[] = { { .number = 1, .returns = 1 },
                            { .number = 2, .returns = 1, .content = 1024 * 1024 },
                            { .number = 3, .returns = 1 } };
    set_page_limit(fixture, pragma(fixture, "PRAGMA page_count") + 10);
    submit_together(fixture, steps, 3);
    assert_int_equal(steps[0].result, 1);
    assert_int_equal(steps[1].result, -1);
    assert_int_equal(steps[2].result, 1);
    assert_int_equal(rows_of(fixture->store, 1), 1);
    assert_int_equal(rows_of(fixture->store, 2), 0);
    assert_int_equal(rows_of(fixture->store, 3), 1);
}

/* An operation that overlooks the error writes on: still nothing of it may stay. */
static int run_step_without_looking(struct store_db *db, void *arg)
{
    struct step *step = arg;
    step->overlooked[0] = run_step(db, step);
    step->rows = 0;
    step->number += 100;
    step->overlooked[1] = run_step(db, step);
    return 1;
}

static void nothing_is_written_after_the_transaction_is_lost(void **state)
{
    struct store_fixture *fixture = *state;
    struct step step = { .number = 1, .returns = 1, .rows = 2000, .result = 2 };
    set_page_limit(fixture, pragma(fixture, "PRAGMA page_count") + 10);
    store_submit(fixture->store, run_step_without_looking, step_done, &step);
    store_fixture_wait_for_all(fixture);
    assert_int_equal(step.overlooked[0], -1);
    assert_int_equal(step.overlooked[1], -1);
    assert_int_equal(step.result, -1);
    assert_int_equal(rows_of(fixture->store, 1), 0);
    assert_int_equal(rows_of(fixture->store, 101), 0);
}

/* The log can't grow: what fails is the commit itself, after every operation has succeeded. */
static void failed_commit_fails_the_batch(void **state)
{
    struct store_fixture *fixture = *state;
    struct step steps[] = { { .number = 1, .returns = 1 },
                            { .number = 2, .returns = 0 },
                            { .number = 3, .returns = 1 } };
    struct rlimit before, tight;
    submit_together(fixture, steps, 1);
    struct file log = read_file(fixture, "-wal");
    free(log.bytes);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    tight = before;
    tight.rlim_cur = log.size;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    submit_together(fixture, steps, 3);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(steps[i].result, -1);
    assert_int_equal(rows_of(fixture->store, 1), 1);
    assert_int_equal(rows_of(fixture->store, 3), 0);
    assert_true(fixture->errors >= 1);

    submit_together(fixture, steps, 3);
    assert_int_equal(steps[0].result, 1);
    assert_int_equal(steps[1].result, 0);
    assert_int_equal(steps[2].result, 1);
    assert_int_equal(rows_of(fixture->store, 1), 2);
    assert_int_equal(rows_of(fixture->store, 3), 1);
}

static void much_content_is_spread_over_transactions(void **state)
{
    enum { COUNT = 6 };
    struct store_fixture *fixture = *state;
    struct step steps[COUNT];
    unsigned sequence = 0;
    struct store_statistics before, after;
    for (size_t i = 0; i < COUNT; i++)
        steps[i] =
            (struct step){ .number = (int64_t)i + 1, .returns = 1, .content = 25 * 1024 * 1024, .sequence = &sequence };
    store_get_statistics(fixture->store, &before);
    submit_together(fixture, steps, COUNT);
    store_get_statistics(fixture->store, &after);
    assert_int_equal(after.commits - before.commits, 1 + 2); /* the lender's, and two of three contents each */
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(steps[i].result, 1);
        assert_int_equal(steps[i].told_as, i);
    }
}

/* --- done functions and closing --- */

struct chain {
    struct store *store;
    struct step step;
    int left;
};

static int run_link(struct store_db *db, void *arg)
{
    struct chain *chain = arg;
    return run_step(db, &chain->step);
}

static void submit_next_link(int result, void *arg)
{
    struct chain *chain = arg;
    assert_int_equal(result, 1);
    if (--chain->left > 0) {
        chain->step.number++;
        store_submit(chain->store, run_link, submit_next_link, chain);
    }
}

static void done_functions_may_submit(void **state)
{
    struct store_fixture *fixture = *state;
    struct chain chain = { .store = fixture->store, .step = { .number = 1, .returns = 1 }, .left = 20 };
    store_submit(fixture->store, run_link, submit_next_link, &chain);
    store_fixture_wait_for_all(fixture);
    assert_int_equal(chain.left, 0);
    assert_int_equal(rows_of(fixture->store, 20), 1);
}

static void closing_finishes_what_was_submitted(void **state)
{
    enum { COUNT = 500 };
    struct store_fixture *fixture = *state;
    static struct step steps[COUNT];
    struct chain chain = { .store = fixture->store, .step = { .number = 10001, .returns = 1 }, .left = 20 };
    for (size_t i = 0; i < COUNT; i++) {
        steps[i] = (struct step){ .number = (int64_t)i + 1, .returns = 1, .result = 2 };
        store_submit(fixture->store, run_step, i % 2 ? step_done : NULL, &steps[i]);
    }
    store_submit(fixture->store, run_link, submit_next_link, &chain);
    store_close(&fixture->store);
    assert_int_equal(chain.left, 0);
    store_fixture_open(fixture);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(steps[i].result, i % 2 ? 1 : 2);
        assert_int_equal(rows_of(fixture->store, steps[i].number), 1);
    }
    assert_int_equal(rows_of(fixture->store, 10020), 1);
}

/* --- power --- */

enum { AT_ONCE = 8 };

struct writer {
    int pipe;
    struct store_fixture fixture;
    struct numbered {
        struct writer *writer;
        struct step step;
    } under_way[AT_ONCE];
};

static int run_numbered(struct store_db *db, void *arg)
{
    struct numbered *numbered = arg;
    return run_step(db, &numbered->step);
}

static void acknowledge(int result, void *arg)
{
    struct numbered *numbered = arg;
    if (result != 1 || write(numbered->writer->pipe, &numbered->step.number, sizeof numbered->step.number) < 0)
        _exit(1);
    numbered->step.number += AT_ONCE;
    store_submit(numbered->writer->fixture.store, run_numbered, acknowledge, numbered);
}

/* Commits numbered rows and acknowledges each, until killed. */
static void write_until_killed(const struct store_fixture *fixture, int64_t first, int pipe_fd)
{
    static struct writer writer;
    writer.pipe = pipe_fd;
    memcpy(&writer.fixture, fixture, sizeof writer.fixture);
    writer.fixture.loop = loop_new(writer.fixture.clock);
    store_fixture_open(&writer.fixture);
    for (int i = 0; i < AT_ONCE; i++) {
        writer.under_way[i] = (struct numbered){ .writer = &writer, .step = { .number = first + i, .returns = 1 } };
        store_submit(writer.fixture.store, run_numbered, acknowledge, &writer.under_way[i]);
    }
    loop_run(writer.fixture.loop);
    _exit(2);
}

static void what_was_acknowledged_survives_kill(void **state)
{
    enum { ROUNDS = 6 };
    struct store_fixture *fixture = *state;
    static int64_t acknowledged[200000];
    size_t count = 0;
    store_close(&fixture->store);
    for (int round = 0; round < ROUNDS; round++) {
        int fds[2], status;
        assert_int_equal(pipe(fds), 0);
        pid_t child = fork();
        if (child == 0)
            write_until_killed(fixture, 1000000 * (int64_t)(round + 1), fds[1]);
        close(fds[1]);
        size_t before = count;
        ssize_t got = 1;
        while (got > 0 && count < sizeof acknowledged / sizeof acknowledged[0]) {
            got = read(fds[0], &acknowledged[count], sizeof acknowledged[0]);
            count += got > 0;
            if (count - before == 100 + 37 * (size_t)round)
                kill(child, SIGKILL);
        }
        close(fds[0]);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        assert_true(count - before >= 100);
        store_fixture_open(fixture);
        for (size_t i = 0; i < count; i++)
            assert_int_equal(rows_of(fixture->store, acknowledged[i]), 1);
        store_close(&fixture->store);
    }
}

/* Made once, whoever opens the database later; and each database has its own. */
static void the_secret_stays_the_same(void **state)
{
    struct store_fixture *fixture = *state, *other;
    void *other_state;
    uint8_t secret[STORE_SECRET_SIZE], again[STORE_SECRET_SIZE];
    static const uint8_t zeros[STORE_SECRET_SIZE];
    assert_int_equal(store_secret_get(store_reader(fixture->store), secret), 1);
    assert_memory_not_equal(secret, zeros, sizeof secret);
    store_close(&fixture->store);
    store_fixture_open(fixture);
    assert_int_equal(store_secret_get(store_reader(fixture->store), again), 1);
    assert_memory_equal(secret, again, sizeof secret);
    assert_int_equal(store_fixture_setup(&other_state), 0);
    other = other_state;
    assert_int_equal(store_secret_get(store_reader(other->store), again), 1);
    assert_memory_not_equal(secret, again, sizeof secret);
    assert_int_equal(store_fixture_teardown(&other_state), 0);
    log_set_sink(store_fixture_log, fixture);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(new_database_is_set_up),
        WITH_STORE(what_was_committed_is_there_after_reopening),
        WITH_STORE(newer_version_is_refused_untouched),
        WITH_STORE(newer_version_in_the_log_is_refused_untouched),
        WITH_STORE(other_files_are_refused_untouched),
        WITH_STORE(cut_short_at_its_making),
        WITH_STORE(missing_directory_and_permission_are_told),
        WITH_STORE(second_opener_is_refused),
        WITH_STORE(one_commit_serves_many),
        WITH_STORE(nothing_is_told_before_it_is_committed),
        WITH_STORE(a_failing_operation_takes_nothing_of_its_neighbours),
        WITH_STORE(constraints_are_enforced_and_logged_once),
        WITH_STORE(full_disk_fails_the_batch_and_nothing_else),
        WITH_STORE(reading_sees_one_state),
        WITH_STORE(content_too_large_for_the_disk_fails_alone),
        WITH_STORE(what_fails_among_repeatable_operations_is_undone_alone),
        WITH_STORE(repeatable_operations_that_go_well_run_once),
        WITH_STORE(full_disk_fails_repeatable_operations_too),
        WITH_STORE(nothing_is_written_after_the_transaction_is_lost),
        WITH_STORE(failed_commit_fails_the_batch),
        WITH_STORE(much_content_is_spread_over_transactions),
        WITH_STORE(done_functions_may_submit),
        WITH_STORE(closing_finishes_what_was_submitted),
        WITH_STORE(the_secret_stays_the_same),
        WITH_STORE(what_was_acknowledged_survives_kill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
