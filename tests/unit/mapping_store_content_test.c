#include "tests/unit/mapping_store_fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/spool.h"
#include "base/tmpfile.h"
#include "mapping/store_content.h"
#include "mapping/store_draft.h"

enum { MIB = 1024 * 1024 };

/* Content that is recognised wherever a piece of it is found: 64-byte lines, each with the mark. */
static const char mark[] = "what nobody may find here afterwards";

static int content_fd(size_t size)
{
    int fd = memfd_create("test", MFD_CLOEXEC);
    char line[80];
    for (size_t at = 0; at < size; at += 64) {
        snprintf(line, sizeof line, "%-48s%016zu", mark, at);
        size_t len = size - at < 64 ? size - at : 64;
        assert_int_equal(write(fd, line, len), len);
    }
    return fd;
}

static void assert_same_content(int fd, int expected_fd, size_t size)
{
    uint8_t *got = malloc(size + 1), *expected = malloc(size + 1);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 0);
    assert_int_equal(read(fd, got, size + 1), size);
    assert_int_equal(pread(expected_fd, expected, size + 1, 0), size);
    assert_memory_equal(got, expected, size);
    free(got);
    free(expected);
}

static int64_t store_content(struct store_fixture *fixture, size_t size)
{
    int64_t id = 0;
    int fd = content_fd(size);
    struct store_db *db = store_fixture_borrow(fixture);
    int result = store_content_add_fd(db, fd, (int64_t)size, &id);
    close(fd);
    assert_int_equal(store_fixture_return(fixture, result), 1);
    return id;
}

static bool is_marked(const struct store_fixture *fixture, const char *suffix)
{
    char path[128];
    struct stat info;
    snprintf(path, sizeof path, "%s%s", fixture->path, suffix);
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return false;
    assert_int_equal(fstat(fd, &info), 0);
    bool found = false;
    if (info.st_size > 0) {
        void *bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        assert_true(bytes != MAP_FAILED);
        found = memmem(bytes, (size_t)info.st_size, mark, sizeof mark - 1) != NULL;
        munmap(bytes, (size_t)info.st_size);
    }
    close(fd);
    return found;
}

static const size_t sizes[] = { 0, 1, 64, 4096, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 5 * MIB };

static void content_comes_back_as_it_was(void **state)
{
    struct store_fixture *fixture = *state;
    int64_t ids[sizeof sizes / sizeof sizes[0]];
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        ids[i] = store_content(fixture, sizes[i]);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        int fd, expected = content_fd(sizes[i]);
        int64_t size;
        assert_int_equal(store_content_open(store_reader(fixture->store), ids[i], &fd, &size), 1);
        assert_int_equal(size, sizes[i]);
        assert_same_content(fd, expected, sizes[i]);
        close(fd);
        close(expected);
    }
}

/* The files in content/: how many, and the path of the last one. */
static unsigned count_files(const struct store_fixture *fixture, char path_out[static 512])
{
    unsigned count = 0;
    DIR *entries = opendir(store_content_directory(fixture->store));
    assert_non_null(entries);
    for (const struct dirent *entry; (entry = readdir(entries));) {
        if (entry->d_name[0] == '.')
            continue;
        count++;
        snprintf(path_out, 512, "%s/%s", store_content_directory(fixture->store), entry->d_name);
    }
    closedir(entries);
    return count;
}

static struct spool *make_spool(const struct store_fixture *fixture, size_t size)
{
    struct spool *spool = spool_new(store_content_directory(fixture->store), 4096);
    int fd = content_fd(size);
    uint8_t *bytes = malloc(size + 1);
    assert_int_equal(pread(fd, bytes, size, 0), size);
    assert_int_equal(spool_add(spool, bytes, size), 1);
    close(fd);
    free(bytes);
    return spool;
}

/* Adds a draft in an operation that returns `result`. */
static int64_t add_draft(struct store_fixture *fixture, struct store_draft *draft, int result)
{
    int64_t id = 0;
    struct store_db *db = store_fixture_borrow(fixture);
    int added = store_content_add(db, draft, &id);
    assert_int_equal(store_fixture_return(fixture, result), result);
    assert_int_equal(added, 1);
    return id;
}

static int64_t store_large(struct store_fixture *fixture, size_t size)
{
    struct spool *spool = make_spool(fixture, size);
    struct store_draft *draft = store_draft_new_spool(fixture->store, spool);
    assert_true(store_draft_is_large(draft));
    assert_int_equal(store_draft_keep(draft), 1);
    int64_t id = add_draft(fixture, draft, 1);
    store_draft_free(&draft);
    spool_free(&spool);
    return id;
}

static void assert_stored(struct store_fixture *fixture, int64_t id, size_t expected_size)
{
    int expected = content_fd(expected_size), fd = -1;
    int64_t size;
    assert_int_equal(store_content_open(store_reader(fixture->store), id, &fd, &size), 1);
    assert_int_equal(size, expected_size);
    assert_same_content(fd, expected, expected_size);
    close(fd);
    close(expected);
}

static void content_comes_from_spools_too(void **state)
{
    struct store_fixture *fixture = *state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct spool *spool = make_spool(fixture, sizes[i]);
        struct store_draft *draft = store_draft_new_spool(fixture->store, spool);
        assert_int_equal(store_draft_is_large(draft), sizes[i] > STORE_BLOB_MAX);
        assert_int_equal(store_draft_keep(draft), 1);
        int64_t id = add_draft(fixture, draft, 1);
        store_draft_free(&draft);
        spool_free(&spool);
        assert_stored(fixture, id, sizes[i]);
    }
}

static void large_content_is_a_file_that_nobody_else_may_read(void **state)
{
    struct store_fixture *fixture = *state;
    struct stat info;
    char path[512];
    int64_t id = store_large(fixture, 5 * MIB);
    assert_int_equal(count_files(fixture, path), 1);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    assert_int_equal(info.st_nlink, 1);
    assert_int_equal(info.st_size, 5 * MIB);
    assert_int_equal(stat(store_content_directory(fixture->store), &info), 0);
    assert_int_equal(info.st_mode & 07777, 0700);
    assert_false(is_marked(fixture, "") || is_marked(fixture, "-wal")); /* it is not in the database */
    store_close(&fixture->store);
    store_fixture_open(fixture);
    assert_stored(fixture, id, 5 * MIB);
}

/* What a worker wrote, wherever it lies. */
static void drafts_come_from_any_descriptor(void **state)
{
    struct store_fixture *fixture = *state;
    char path[512];
    int memory = content_fd(MIB), elsewhere = tmpfile_new("/tmp"), piece = content_fd(2 * MIB);
    int here = tmpfile_new(store_content_directory(fixture->store));
    int longer = tmpfile_new(store_content_directory(fixture->store));
    uint8_t *bytes = malloc(MIB);
    assert_int_equal(pread(memory, bytes, MIB, 0), MIB);
    assert_int_equal(write(elsewhere, bytes, MIB), MIB);
    assert_int_equal(write(here, bytes, MIB), MIB);
    assert_int_equal(write(longer, bytes, MIB), MIB);
    assert_int_equal(write(longer, "more", 4), 4);
    free(bytes);
    const int fds[] = { memory, elsewhere, here, piece, longer /* these are more than is to be stored */ };
    for (unsigned i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        struct store_draft *draft = store_draft_new_fd(fixture->store, fds[i], MIB);
        assert_int_equal(store_draft_keep(draft), 1);
        int64_t id = add_draft(fixture, draft, 1);
        store_draft_free(&draft);
        assert_int_equal(count_files(fixture, path), i + 1);
        assert_stored(fixture, id, MIB);
        assert_true(fcntl(fds[i], F_GETFD) >= 0); /* only borrowed */
    }
    for (unsigned i = 0; i < sizeof fds / sizeof fds[0]; i++)
        close(fds[i]);
}

static void a_draft_that_is_not_committed_leaves_nothing(void **state)
{
    struct store_fixture *fixture = *state;
    char path[512];
    for (int result = -1; result <= 0; result++) {
        struct spool *spool = make_spool(fixture, MIB);
        struct store_draft *draft = store_draft_new_spool(fixture->store, spool);
        assert_int_equal(store_draft_keep(draft), 1);
        add_draft(fixture, draft, result);
        assert_int_equal(count_files(fixture, path), 1); /* it may be added again */
        store_draft_free(&draft);
        assert_int_equal(count_files(fixture, path), 0);
        spool_free(&spool);
    }
    struct spool *spool = make_spool(fixture, MIB);
    struct store_draft *draft = store_draft_new_spool(fixture->store, spool);
    assert_int_equal(store_draft_keep(draft), 1);
    store_draft_free(&draft); /* never added */
    assert_int_equal(count_files(fixture, path), 0);
    spool_free(&spool);
}

static void a_draft_is_added_again_after_a_failure(void **state)
{
    struct store_fixture *fixture = *state;
    struct spool *spool = make_spool(fixture, MIB);
    struct store_draft *draft = store_draft_new_spool(fixture->store, spool);
    assert_int_equal(store_draft_keep(draft), 1);
    add_draft(fixture, draft, -1);
    assert_int_equal(store_draft_keep(draft), 1);
    int64_t id = add_draft(fixture, draft, 1);
    store_draft_free(&draft);
    spool_free(&spool);
    assert_stored(fixture, id, MIB);
    char path[512];
    assert_int_equal(count_files(fixture, path), 1); /* it was kept already */
}

static void what_can_not_be_put_on_disk_is_not_kept(void **state)
{
    struct store_fixture *fixture = *state;
    char path[512];
    int fd = content_fd(MIB);
    struct store_draft *draft = store_draft_new_fd(fixture->store, fd, MIB + 1); /* shorter than was said */
    assert_int_equal(store_draft_keep(draft), -1);
    store_draft_free(&draft);
    assert_int_equal(count_files(fixture, path), 0);
    assert_int_equal(rmdir(store_content_directory(fixture->store)), 0);
    draft = store_draft_new_fd(fixture->store, fd, MIB);
    assert_int_equal(store_draft_keep(draft), -1);
    store_draft_free(&draft);
    close(fd);
}

static void erase(struct store_fixture *fixture, int64_t id);

static void an_erased_file_is_removed_with_the_commit(void **state)
{
    struct store_fixture *fixture = *state;
    char path[512];
    int64_t id = store_large(fixture, MIB);
    struct store_db *db = store_fixture_borrow(fixture);
    int erased = store_content_erase(db, id);
    assert_int_equal(count_files(fixture, path), 1);
    assert_int_equal(store_fixture_return(fixture, -1), -1); /* undone */
    assert_int_equal(erased, 1);
    assert_stored(fixture, id, MIB);
    erase(fixture, id);
    assert_int_equal(count_files(fixture, path), 0);
    int fd;
    int64_t size;
    assert_int_equal(store_content_open(store_reader(fixture->store), id, &fd, &size), 0);
}

struct change {
    int64_t erased; /* content; 0: none */
    struct store_draft *added;
    int result;
};

static int make_change(struct store_db *db, void *arg)
{
    struct change *change = arg;
    int64_t id;
    if (change->erased && store_content_erase(db, change->erased) != 1)
        return -1;
    if (change->added && store_content_add(db, change->added, &id) != 1)
        return -1;
    return change->result;
}

static int break_foreign_key(struct store_db *db, void *arg)
{
    (void)arg; /* found at the commit, which fails as on a full disk */
    return store_execute(db, "PRAGMA defer_foreign_keys = ON", NULL) >= 0 &&
                   store_execute(db,
                                 "INSERT INTO message (thread_id, created_at) "
                                 "VALUES (4711, 0)",
                                 NULL) == 1
               ? 1
               : -1;
}

/* In one transaction with its neighbours: each operation's files follow its own fate. */
static void files_follow_the_operation_that_they_belong_to(void **state)
{
    struct store_fixture *fixture = *state;
    char path[512];
    int64_t kept = store_large(fixture, MIB), erased = store_large(fixture, MIB);
    struct spool *spools[2];
    struct change changes[] = {
        { .erased = kept, .result = -1 }, { .erased = erased, .result = 1 }, { .result = 0 }, { .result = 1 }
    };
    for (int i = 0; i < 2; i++) {
        spools[i] = make_spool(fixture, MIB);
        changes[2 + i].added = store_draft_new_spool(fixture->store, spools[i]);
        assert_int_equal(store_draft_keep(changes[2 + i].added), 1);
    }
    store_fixture_borrow(fixture); /* so that they share a transaction */
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++)
        store_submit(fixture->store, make_change, NULL, &changes[i]);
    store_fixture_return(fixture, 1);
    store_fixture_wait_for_all(fixture);
    for (int i = 0; i < 2; i++) {
        store_draft_free(&changes[2 + i].added);
        spool_free(&spools[i]);
    }
    assert_stored(fixture, kept, MIB);
    assert_int_equal(count_files(fixture, path), 2); /* that one, and the last one added */
}

static void a_failed_commit_changes_no_file(void **state)
{
    struct store_fixture *fixture = *state;
    char path[512];
    int64_t id = store_large(fixture, MIB);
    struct spool *spool = make_spool(fixture, MIB);
    struct change erasing = { .erased = id, .result = 1 }, adding = { .result = 1 };
    adding.added = store_draft_new_spool(fixture->store, spool);
    assert_int_equal(store_draft_keep(adding.added), 1);
    store_fixture_borrow(fixture);
    store_submit(fixture->store, make_change, NULL, &erasing);
    store_submit(fixture->store, make_change, NULL, &adding);
    store_submit(fixture->store, break_foreign_key, NULL, NULL);
    store_fixture_return(fixture, 1);
    store_fixture_wait_for_all(fixture);
    assert_true(fixture->errors > 0);
    assert_stored(fixture, id, MIB);
    store_draft_free(&adding.added);
    spool_free(&spool);
    assert_int_equal(count_files(fixture, path), 1);
}

static atomic_bool syncs_fail;

/* The library's, in the place of libc's: it syncs the log with this. */
int fdatasync(int fildes)
{
    if (!syncs_fail)
        return fsync(fildes);
    errno = EIO;
    return -1;
}

/* A commit that was only not synced comes to life when we crash, and then names its files: which stay until it can't. */
static void files_of_a_commit_that_was_not_synced_stay_until_the_next_one(void **state)
{
    struct store_fixture *fixture = *state;
    char path[512];
    struct spool *spool = make_spool(fixture, MIB);
    struct store_draft *draft = store_draft_new_spool(fixture->store, spool);
    assert_int_equal(store_draft_keep(draft), 1);
    int64_t id;
    struct store_db *db = store_fixture_borrow(fixture);
    assert_int_equal(store_content_add(db, draft, &id), 1);
    syncs_fail = true;
    assert_int_equal(store_fixture_return(fixture, 1), -1);
    assert_int_equal(count_files(fixture, path), 1);
    db = store_fixture_borrow(fixture);
    assert_int_equal(store_content_add(db, draft, &id), -1); /* it has to be kept again */
    store_fixture_return(fixture, -1);
    assert_int_equal(store_draft_keep(draft), 1);
    assert_int_equal(count_files(fixture, path), 2);
    syncs_fail = false;
    id = add_draft(fixture, draft, 1);
    assert_int_equal(count_files(fixture, path), 1);
    assert_stored(fixture, id, MIB);
    store_draft_free(&draft);
    spool_free(&spool);
    assert_int_equal(count_files(fixture, path), 1);
}

static void missing_and_shortened_files_are_not_found(void **state)
{
    struct store_fixture *fixture = *state;
    char path[512];
    int fd = -1;
    int64_t size, id = store_large(fixture, MIB);
    assert_int_equal(count_files(fixture, path), 1);
    assert_int_equal(truncate(path, MIB - 1), 0);
    assert_int_equal(store_content_open(store_reader(fixture->store), id, &fd, &size), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(store_content_open(store_reader(fixture->store), id, &fd, &size), 0);
    assert_int_equal(fd, -1);
    erase(fixture, id); /* and can be ended */
    assert_int_equal(fixture->errors, 0);
}

/* A database that somebody has written into must not have other files read or removed. */
static void names_from_the_database_lead_nowhere_else(void **state)
{
    struct store_fixture *fixture = *state;
    int fd = -1;
    int64_t size;
    struct store_db *db = store_fixture_borrow(fixture);
    int done =
        store_execute(db, "INSERT INTO content (id, size, file) VALUES (99, 0, '../postern.lock')", NULL); /* empty */
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    assert_int_equal(done, 1);
    assert_int_equal(store_content_open(store_reader(fixture->store), 99, &fd, &size), 0);
    erase(fixture, 99);
    char lock[128];
    snprintf(lock, sizeof lock, "%s/postern.lock", fixture->directory);
    assert_int_equal(access(lock, F_OK), 0);
}

static void a_link_among_the_files_is_not_followed(void **state)
{
    struct store_fixture *fixture = *state;
    static const char name[] = "0123456789abcdef0123456789abcdef";
    char path[512];
    int fd = -1;
    int64_t size;
    struct store_db *db = store_fixture_borrow(fixture);
    int done =
        store_execute(db, "INSERT INTO content (id, size, file) VALUES (99, 0, ?)", STORE_VALUES(bind_text(name)));
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    assert_int_equal(done, 1);
    snprintf(path, sizeof path, "%s/content/%s", fixture->directory, name);
    assert_int_equal(symlink("../postern.lock", path), 0);
    assert_int_not_equal(store_content_open(store_reader(fixture->store), 99, &fd, &size), 1);
    assert_int_equal(fd, -1);
}

/* As a careless restoring of a backup leaves it. */
static void the_next_start_closes_the_folder_to_others(void **state)
{
    struct store_fixture *fixture = *state;
    char folder[512];
    struct stat info;
    snprintf(folder, sizeof folder, "%s/content", fixture->directory);
    store_close(&fixture->store);
    assert_int_equal(chmod(folder, 0755), 0);
    store_fixture_open(fixture);
    assert_int_equal(stat(folder, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0700);
}

static void put_file(const struct store_fixture *fixture, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/content/%s", fixture->directory, name);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static void the_next_start_removes_what_a_crash_left(void **state)
{
    struct store_fixture *fixture = *state;
    char path[512];
    int64_t id = store_large(fixture, MIB);
    store_close(&fixture->store);
    put_file(fixture, "0123456789abcdef0123456789abcdef"); /* its row was not committed, or is gone */
    put_file(fixture, "tmp-a1B2c3");
    store_fixture_open(fixture);
    assert_int_equal(count_files(fixture, path), 1);
    assert_stored(fixture, id, MIB);
    static const char *const others[] = { "a-note-of-the-administrator", "tmp-copy-of-it", "tmp-a1" };
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        put_file(fixture, others[i]);
    store_close(&fixture->store);
    store_fixture_open(fixture);
    assert_int_equal(count_files(fixture, path), 4);
}

static void unreadable_content_is_an_error(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_db *db = store_fixture_borrow(fixture);
    int64_t id;
    int fd = content_fd(1000);
    assert_int_equal(store_content_add_fd(db, fd, 1001, &id), -1); /* shorter than was said */
    close(fd);
    assert_int_equal(store_content_add_fd(db, fd, 1000, &id), -1);
    assert_int_equal(store_fixture_return(fixture, -1), -1);
}

static void absent_content_is_not_found(void **state)
{
    struct store_fixture *fixture = *state;
    int fd = -1;
    int64_t size;
    assert_int_equal(store_content_open(store_reader(fixture->store), 1, &fd, &size), 0);
    assert_int_equal(fd, -1);
    struct store_db *db = store_fixture_borrow(fixture);
    assert_int_equal(store_content_erase(db, 1), 0);
    store_fixture_return(fixture, 1);
    assert_int_equal(fixture->errors, 0);
}

static void erase(struct store_fixture *fixture, int64_t id)
{
    struct store_db *db = store_fixture_borrow(fixture);
    int result = store_content_erase(db, id);
    assert_int_equal(store_fixture_return(fixture, result), 1);
}

static void erased_content_is_in_no_file_after_closing(void **state)
{
    struct store_fixture *fixture = *state;
    int64_t large = store_content(fixture, 5 * MIB), small = store_content(fixture, 300);
    int fd;
    int64_t size;
    erase(fixture, small);
    assert_int_equal(store_content_open(store_reader(fixture->store), small, &fd, &size), 0);
    assert_int_equal(store_content_open(store_reader(fixture->store), large, &fd, &size), 1);
    close(fd);
    assert_true(is_marked(fixture, "") || is_marked(fixture, "-wal"));
    erase(fixture, large);
    store_close(&fixture->store);
    assert_false(is_marked(fixture, ""));
    assert_false(is_marked(fixture, "-wal"));
}

/* Without closing: when the committer has nothing to do for a moment. The file gets smaller, too. */
static void erased_content_is_in_no_file_after_a_moment(void **state)
{
    struct store_fixture *fixture = *state;
    struct stat info;
    int64_t id = store_content(fixture, 3 * MIB);
    erase(fixture, id);
    for (int i = 0; i < 100 && (is_marked(fixture, "") || is_marked(fixture, "-wal")); i++)
        usleep(100 * 1000);
    assert_false(is_marked(fixture, ""));
    assert_false(is_marked(fixture, "-wal"));
    assert_int_equal(stat(fixture->path, &info), 0);
    assert_in_range(info.st_size, 1, MIB);
    store_content(fixture, 100); /* and goes on */
}

static void ids_of_erased_content_are_not_used_again(void **state)
{
    struct store_fixture *fixture = *state;
    int64_t first = store_content(fixture, 10);
    erase(fixture, first);
    int64_t second = store_content(fixture, 10);
    assert_true(second > first);
    store_close(&fixture->store);
    store_fixture_open(fixture);
    int64_t third = store_content(fixture, 10);
    assert_true(third > second);
    erase(fixture, third);
    assert_true(store_content(fixture, 10) > third);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(content_comes_back_as_it_was),
        WITH_STORE(content_comes_from_spools_too),
        WITH_STORE(large_content_is_a_file_that_nobody_else_may_read),
        WITH_STORE(drafts_come_from_any_descriptor),
        WITH_STORE(a_draft_that_is_not_committed_leaves_nothing),
        WITH_STORE(a_draft_is_added_again_after_a_failure),
        WITH_STORE(what_can_not_be_put_on_disk_is_not_kept),
        WITH_STORE(an_erased_file_is_removed_with_the_commit),
        WITH_STORE(files_follow_the_operation_that_they_belong_to),
        WITH_STORE(a_failed_commit_changes_no_file),
        WITH_STORE(files_of_a_commit_that_was_not_synced_stay_until_the_next_one),
        WITH_STORE(missing_and_shortened_files_are_not_found),
        WITH_STORE(names_from_the_database_lead_nowhere_else),
        WITH_STORE(a_link_among_the_files_is_not_followed),
        WITH_STORE(the_next_start_closes_the_folder_to_others),
        WITH_STORE(the_next_start_removes_what_a_crash_left),
        WITH_STORE(unreadable_content_is_an_error),
        WITH_STORE(absent_content_is_not_found),
        WITH_STORE(erased_content_is_in_no_file_after_closing),
        WITH_STORE(erased_content_is_in_no_file_after_a_moment),
        WITH_STORE(ids_of_erased_content_are_not_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
