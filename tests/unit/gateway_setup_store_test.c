/* gateway_setup_store_test.c - work in the database while no daemon has it: opening may take long, the work may not */
#include "tests/unit/mapping_store_fixture.h"

#include <fcntl.h>
#include <sys/wait.h>

#include "base/strbuf.h"
#include "gateway/config.h"
#include "gateway/setup.h"

enum { WORDS_MAX = 1000, PATIENCE_MS = 30 * 1000, WORK_MS = 3000, TELL_MS = 200, HELD_MS = 4000 };

struct scene {
    char folder[64];
    struct config config;
    unsigned told;
};
static struct scene scene;

static int setup(void **state)
{
    (void)state;
    scene = (struct scene){ .told = 0 };
    snprintf(scene.folder, sizeof scene.folder, "/tmp/postern-setup-XXXXXX");
    assert_non_null(mkdtemp(scene.folder));
    scene.config.state_dir = scene.folder;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    nftw(scene.folder, store_fixture_remove_file, 8, FTW_DEPTH | FTW_PHYS);
    return 0;
}

static void note_telling(int64_t waited_ms)
{
    assert_true(waited_ms >= TELL_MS);
    scene.told++;
}

static enum setup_result do_nothing(struct loop *loop, struct store *store, void *ctx, struct strbuf *words)
{
    (void)loop;
    (void)store;
    (void)ctx;
    strbuf_add_str(words, "done");
    return SETUP_KNOWN;
}

static enum setup_result work_for_ever(struct loop *loop, struct store *store, void *ctx, struct strbuf *words)
{
    (void)loop;
    (void)store;
    (void)ctx;
    (void)words;
    while (true)
        pause();
    return SETUP_FAILED;
}

static enum setup_result run(setup_work *work, int64_t work_ms, struct strbuf *words)
{
    const struct setup_patience patience = { .work_ms = work_ms, .tell_ms = TELL_MS, .tell = note_telling };
    strbuf_init(words, WORDS_MAX);
    return setup_in_store(&scene.config, &patience, work, NULL, words);
}

/* Another process keeps the database to itself for so long. */
static pid_t hold_database(const char *path)
{
    int ends[2];
    char octet;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct store_db db = { .handle = NULL };
        if (store_db_open(&db, path, true) < 0 || store_execute(&db, "BEGIN IMMEDIATE", NULL) < 0 ||
            write(ends[1], "x", 1) != 1)
            _exit(1);
        usleep(HELD_MS * 1000);
        _exit(0);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], &octet, 1), 1);
    close(ends[0]);
    return pid;
}

static void a_database_that_takes_long_to_open_is_waited_for(void **state)
{
    (void)state;
    struct strbuf words;
    char path[100];
    int status;
    assert_int_equal(run(do_nothing, PATIENCE_MS, &words), SETUP_KNOWN);
    assert_string_equal(words.data, "done");
    strbuf_free(&words);
    snprintf(path, sizeof path, "%s/postern.db", scene.folder);
    pid_t holder = hold_database(path);
    scene.told = 0;
    enum setup_result result = run(do_nothing, WORK_MS, &words);
    assert_int_equal(waitpid(holder, &status, 0), holder);
    assert_int_equal(status, 0);
    assert_string_equal(words.data, "done");
    assert_int_equal(result, SETUP_KNOWN);
    assert_true(scene.told >= 2);
    strbuf_free(&words);
}

/* A silo may have a hand in it. */
static void the_work_is_not_waited_for_without_end(void **state)
{
    (void)state;
    struct strbuf words;
    assert_int_equal(run(work_for_ever, WORK_MS, &words), SETUP_FAILED);
    assert_string_equal(words.data, "no answer in time");
    strbuf_free(&words);
}

static void what_can_t_be_opened_is_not_worked_on(void **state)
{
    (void)state;
    struct strbuf words;
    char path[100];
    snprintf(path, sizeof path, "%s/postern.db", scene.folder);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "This is no database.", 20), 20);
    close(fd);
    assert_int_equal(run(do_nothing, PATIENCE_MS, &words), SETUP_FAILED);
    assert_non_null(strstr(words.data, "postern.db"));
    strbuf_free(&words);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_database_that_takes_long_to_open_is_waited_for),
        IN_FOLDER(the_work_is_not_waited_for_without_end),
        IN_FOLDER(what_can_t_be_opened_is_not_worked_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
