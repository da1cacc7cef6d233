/* Signs of life: as long as the database writes, or has nothing to write. */
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/loop.h"
#include "gateway/parts.h"
#include "gateway/watchdog.h"
#include "mapping/store.h"

enum { PATIENCE_MS = 4000 };

struct scene {
    char folder[32], path[64];
    int manager;
    struct parts parts;
    struct watchdog *watchdog;
    sem_t go_on; /* a write ends when it is posted */
};

static int set_up(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char *error = NULL, database[64];
    snprintf(scene->folder, sizeof scene->folder, "/tmp/watchdog.XXXXXX");
    assert_non_null(mkdtemp(scene->folder));
    snprintf(scene->path, sizeof scene->path, "%s/notify", scene->folder);
    snprintf(database, sizeof database, "%s/postern.db", scene->folder);
    memcpy(address.sun_path, scene->path, strlen(scene->path));
    scene->manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(scene->manager, (struct sockaddr *)&address, sizeof address), 0);
    setenv("NOTIFY_SOCKET", scene->path, 1);
    setenv("WATCHDOG_USEC", "4000000", 1);
    sem_init(&scene->go_on, 0, 0);
    scene->parts.clock = clock_new_fake(1000, 0);
    scene->parts.loop = loop_new(scene->parts.clock);
    scene->parts.store = store_open(scene->parts.loop, database, &error);
    assert_non_null(scene->parts.store);
    scene->watchdog = watchdog_new(&scene->parts);
    assert_non_null(scene->watchdog);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    char command[64];
    watchdog_free(&scene->watchdog);
    store_close(&scene->parts.store);
    loop_free(&scene->parts.loop);
    clock_free(&scene->parts.clock);
    close(scene->manager);
    static const char *const names[] = { "notify", "postern.db", "postern.db-wal", "postern.db-shm",
                                         "postern.db.lock" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(command, sizeof command, "%s/%s", scene->folder, names[i]);
        unlink(command);
    }
    snprintf(command, sizeof command, "%s/content", scene->folder);
    rmdir(command);
    rmdir(scene->folder);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    free(scene);
    return 0;
}

static unsigned signs_within(struct scene *scene, int64_t ms)
{
    char text[100];
    unsigned count = 0;
    for (int64_t passed = 0; passed < ms; passed += 500) {
        clock_advance(scene->parts.clock, 500);
        loop_turn(scene->parts.loop);
        while (recv(scene->manager, text, sizeof text, 0) > 0)
            count++;
    }
    return count;
}

static int wait_for_disk(struct store_db *db, void *arg)
{
    struct scene *scene = arg;
    (void)db;
    sem_wait(&scene->go_on);
    return 1;
}

static void an_idle_database_lives(void **state)
{
    assert_in_range(signs_within(*state, 10 * PATIENCE_MS), 38, 42);
}

static void a_disk_that_hangs_for_a_while_is_no_death(void **state)
{
    struct scene *scene = *state;
    store_submit(scene->parts.store, wait_for_disk, NULL, scene);
    assert_in_range(signs_within(scene, PATIENCE_MS), 3, 5);
    sem_post(&scene->go_on);
    while (store_pending(scene->parts.store) > 0)
        loop_turn(scene->parts.loop);
    assert_in_range(signs_within(scene, 2 * PATIENCE_MS), 7, 9);
}

static void a_write_that_never_ends_is_one(void **state)
{
    struct scene *scene = *state;
    assert_true(signs_within(scene, PATIENCE_MS) > 0);
    store_submit(scene->parts.store, wait_for_disk, NULL, scene);
    (void)signs_within(scene, 2 * PATIENCE_MS);
    assert_int_equal(signs_within(scene, 10 * PATIENCE_MS), 0);
    sem_post(&scene->go_on);
    while (store_pending(scene->parts.store) > 0)
        loop_turn(scene->parts.loop);
    assert_true(signs_within(scene, PATIENCE_MS) > 0); /* nobody has ended us, so we live again */
}

/* Clients can take all descriptors for a while: that is no reason to be ended. */
static void without_a_free_descriptor_it_lives_on(void **state)
{
    struct scene *scene = *state;
    struct rlimit before, none;
    int free_one = dup(scene->manager);
    close(free_one);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = (rlim_t)free_one;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int more = dup(scene->manager);
    unsigned signs = signs_within(scene, 10 * PATIENCE_MS);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(more, -1);
    assert_in_range(signs, 38, 42);
}

static void nobody_watches(void **state)
{
    struct scene *scene = *state;
    unsetenv("WATCHDOG_USEC");
    assert_null(watchdog_new(&scene->parts));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_idle_database_lives, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_disk_that_hangs_for_a_while_is_no_death, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_write_that_never_ends_is_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_free_descriptor_it_lives_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_watches, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
