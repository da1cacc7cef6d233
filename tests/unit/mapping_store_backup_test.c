/* mapping_store_backup_test.c - a backup beside a store that goes on working */
#include "tests/unit/mapping_store_fixture.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "mapping/store_backup_internal.h"
#include "mapping/store_content.h"
#include "mapping/store_draft.h"

enum { LARGE = STORE_BLOB_MAX + 1000, NOW = 1000 };
static const char word[] = "the word that is looked for";

struct scene {
    struct store_fixture *fixture;
    int64_t id; /* of content */
    bool is_erased;
};

/* Large content that begins with the word; a row names it. */
static int64_t add_large(struct store_fixture *fixture)
{
    static char data[LARGE];
    int64_t id;
    int fd = memfd_create("content", MFD_CLOEXEC);
    memcpy(data, word, sizeof word);
    assert_int_equal(write(fd, data, sizeof data), sizeof data);
    struct store_draft *draft = store_draft_new_fd(fixture->store, fd, LARGE);
    assert_int_equal(store_draft_keep(draft), 1);
    struct store_db *db = store_fixture_borrow(fixture);
    assert_int_equal(store_content_add(db, draft, &id), 1);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    store_draft_free(&draft);
    close(fd);
    return id;
}

static void erase(struct store_fixture *fixture, int64_t id)
{
    struct store_db *db = store_fixture_borrow(fixture);
    assert_int_equal(store_content_erase(db, id), 1);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
}

static bool holds_word(int fd)
{
    off_t size = lseek(fd, 0, SEEK_END);
    const char *data = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0);
    assert_true(data != MAP_FAILED);
    bool holds = memmem(data, (size_t)size, word, sizeof word) != NULL;
    munmap((void *)(uintptr_t)data, (size_t)size);
    return holds;
}

static int make(struct store_fixture *fixture, const struct store_backup_watch *watch, struct store_backup_about *about)
{
    char *error = NULL;
    int fd = memfd_create("backup", MFD_CLOEXEC);
    if (store_backup_write(fixture->path, fd, NOW, watch, about, &error) != 1 ||
        store_backup_verify(fd, NULL, about, &error) != 1)
        fail_msg("%s", error);
    return fd;
}

/* While the database is copied: the files are held by then. */
static void erase_meanwhile(const char *what, uint64_t done, uint64_t total, void *ctx)
{
    struct scene *scene = ctx;
    (void)what, (void)done, (void)total;
    if (!scene->is_erased)
        erase(scene->fixture, scene->id);
    scene->is_erased = true;
}

static void what_is_erased_meanwhile_is_in_it(void **state)
{
    struct store_fixture *fixture = *state;
    struct scene scene = { .fixture = fixture, .id = add_large(fixture) };
    const struct store_backup_watch watch = { .show = erase_meanwhile, .ctx = &scene };
    struct store_backup_about about;
    int fd = make(fixture, &watch, &about);
    assert_true(scene.is_erased && holds_word(fd));
    assert_int_equal(about.content_files, 1);
    assert_int_equal(about.content_size, LARGE);
    assert_int_equal(about.missing_files, 0);
    close(fd);

    fd = make(fixture, NULL, &about); /* and in the next one it is not */
    assert_int_equal(about.content_files, 0);
    assert_false(holds_word(fd));
    close(fd);
    assert_int_equal(fixture->errors, 0);
}

static void small_content_that_was_erased_is_not_in_it(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_backup_about about;
    int64_t id;
    int content = memfd_create("content", MFD_CLOEXEC);
    assert_int_equal(write(content, word, sizeof word), sizeof word);
    struct store_db *db = store_fixture_borrow(fixture);
    assert_int_equal(store_content_add_fd(db, content, sizeof word, &id), 1);
    assert_int_equal(store_fixture_return(fixture, 1), 1);
    int fd = make(fixture, NULL, &about);
    assert_true(holds_word(fd));
    close(fd);
    erase(fixture, id);
    fd = make(fixture, NULL, &about);
    assert_false(holds_word(fd));
    close(fd);
    close(content);
}

static void what_has_no_room_fails(void **state)
{
    struct store_fixture *fixture = *state;
    struct store_backup_about about;
    char *error = NULL;
    int fd = memfd_create("backup", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
    assert_int_equal(store_backup_write(fixture->path, fd, NOW, NULL, &about, &error), -1);
    assert_non_null(strstr(error, "can't be written"));
    free(error);
    close(fd);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, store_fixture_setup, store_fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(what_is_erased_meanwhile_is_in_it),
        WITH_STORE(small_content_that_was_erased_is_not_in_it),
        WITH_STORE(what_has_no_room_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
