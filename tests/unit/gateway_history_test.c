/* Tests of the history on a fake clock, with a database that is opened again. */
#include "tests/unit/mapping_store_fixture.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "gateway/history.h"
#include "gateway/parts.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, SLOT = 10 * MINUTE, HOUR = 60 * MINUTE, STEPS_MAX = 8 * 24 * 6 };
static const int64_t start = INT64_C(1795600800000); /* at the beginning of an hour */

struct scene {
    struct store_fixture *fixture;
    struct parts parts;
    struct measures measures;
    struct history *history;
    int64_t accepted, queue_in;
    struct history_step steps[STEPS_MAX];
    size_t count;
};

static void read_figures(struct history_figures *out, void *ctx)
{
    struct scene *scene = ctx;
    *out = (struct history_figures){ .queue_in = scene->queue_in,
                                     .posted_ms = scene->measures.posted_ms,
                                     .delivered_ms = scene->measures.delivered_ms };
    out->counts[STORE_HISTORY_ACCEPTED] = scene->accepted;
    out->counts[STORE_HISTORY_POSTED] = (int64_t)scene->measures.posted_ms.count;
}

static void prepare(struct scene *scene, void **state)
{
    struct store_fixture *fixture = *state;
    *scene = (struct scene){ .fixture = fixture };
    measures_init(&scene->measures);
    scene->parts = (struct parts){
        .loop = fixture->loop, .clock = fixture->clock, .store = fixture->store, .measures = &scene->measures
    };
    scene->history = history_new(&scene->parts, read_figures, scene);
}

static void finish(struct scene *scene)
{
    history_flush(scene->history);
    store_fixture_wait_for_all(scene->fixture);
    history_free(&scene->history);
    assert_int_equal(scene->fixture->errors, 0);
}

static int setup(void **state)
{
    return store_fixture_setup_at(state, start);
}

static void look(struct scene *scene)
{
    history_look(scene->history);
    store_fixture_wait_for_all(scene->fixture);
}

static void pass(struct scene *scene, int64_t ms)
{
    clock_advance(scene->fixture->clock, ms);
    look(scene);
}

static void take(const struct history_step *step, void *ctx)
{
    struct scene *scene = ctx;
    assert_true(scene->count < STEPS_MAX);
    scene->steps[scene->count++] = *step;
}

static const struct history_step *list(struct scene *scene, unsigned hours, int64_t step_ms)
{
    scene->count = 0;
    assert_int_equal(history_list(scene->history, hours, step_ms, take, scene), 1);
    assert_true(scene->count > 0);
    return &scene->steps[scene->count - 1];
}

static void test_ten_minutes_each(void **state)
{
    struct scene scene;
    prepare(&scene, state);
    look(&scene);
    scene.accepted = 3;
    histogram_note(&scene.measures.posted_ms, 40);
    scene.queue_in = 2;
    pass(&scene, 9 * MINUTE);
    pass(&scene, 1 * MINUTE);
    scene.accepted = 10;
    scene.queue_in = 0;
    const struct history_step *last = list(&scene, 24, SLOT);
    assert_int_equal(scene.count, 24 * 6);
    assert_int_equal(last->at, start + SLOT);
    assert_int_equal(last->counts[STORE_HISTORY_ACCEPTED], 7);
    assert_int_equal(last->posted_median_ms, -1);
    assert_int_equal(last->queue_in, 0);
    assert_int_equal(last[-1].counts[STORE_HISTORY_ACCEPTED], 3);
    assert_int_equal(last[-1].counts[STORE_HISTORY_POSTED], 1);
    assert_int_equal(last[-1].posted_median_ms, 50); /* between 25 and 50 */
    assert_int_equal(last[-1].queue_in, 2);
    assert_true(last[-1].was_there && !last[-2].was_there);
    finish(&scene);
}

static void test_a_restart_within_the_ten_minutes(void **state)
{
    struct scene scene;
    prepare(&scene, state);
    look(&scene);
    scene.accepted = 5;
    histogram_note(&scene.measures.posted_ms, 40);
    histogram_note(&scene.measures.posted_ms, INT64_C(200000000));
    clock_advance(scene.fixture->clock, MINUTE);
    finish(&scene); /* as at a stop */
    prepare(&scene, state);
    look(&scene);
    assert_int_equal(list(&scene, 1, SLOT)->counts[STORE_HISTORY_ACCEPTED], 5);
    scene.accepted = 2;
    histogram_note(&scene.measures.posted_ms, 40);
    const struct history_step *last = list(&scene, 1, SLOT);
    assert_int_equal(last->counts[STORE_HISTORY_ACCEPTED], 7);
    assert_int_equal(last->posted_median_ms, 50);
    assert_int_equal(last->posted_p95_ms, 86400000); /* above all bounds: the highest */
    finish(&scene);
}

static void test_a_crash_loses_a_minute_at_most(void **state)
{
    struct scene scene;
    prepare(&scene, state);
    look(&scene);
    scene.accepted = 5;
    pass(&scene, MINUTE);
    scene.accepted = 6;
    pass(&scene, 10 * SECOND); /* not written yet */
    history_free(&scene.history);
    prepare(&scene, state);
    look(&scene);
    assert_int_equal(list(&scene, 1, SLOT)->counts[STORE_HISTORY_ACCEPTED], 5);
    finish(&scene);
}

static void test_hours_are_sums(void **state)
{
    struct scene scene;
    prepare(&scene, state);
    look(&scene);
    for (int i = 0; i < 12; i++) {
        scene.accepted++;
        histogram_note(&scene.measures.posted_ms, i < 6 ? 8 : 800);
        pass(&scene, SLOT);
    }
    const struct history_step *last = list(&scene, 3, HOUR);
    assert_int_equal(scene.count, 3);
    assert_int_equal(last->at % HOUR, 0);
    int64_t sum = 0;
    for (size_t i = 0; i < scene.count; i++)
        sum += scene.steps[i].counts[STORE_HISTORY_ACCEPTED];
    assert_int_equal(sum, 12);
    assert_true(scene.steps[0].posted_median_ms <= 10);
    /* one step longer than the time that was asked for */
    assert_int_equal(list(&scene, 1, 24 * HOUR)->counts[STORE_HISTORY_ACCEPTED], 12);
    assert_int_equal(scene.count, 1);
    finish(&scene);
}

static void test_what_is_old_goes(void **state)
{
    struct scene scene;
    prepare(&scene, state);
    look(&scene);
    scene.accepted = 1;
    pass(&scene, SLOT);
    list(&scene, HISTORY_KEPT_HOURS, SLOT);
    assert_int_equal(scene.count, HISTORY_KEPT_HOURS * 6);
    pass(&scene, (HISTORY_KEPT_HOURS + 1) * INT64_C(3600000));
    int64_t rows = -1;
    store_fixture_wait_for_all(scene.fixture);
    assert_int_equal(store_fetch_int(store_reader(scene.fixture->store), "SELECT count(*) FROM history", NULL, &rows),
                     1);
    assert_int_equal(rows, 1); /* of now */
    finish(&scene);
}

/* A clock that is set back must neither count twice nor lose what the row of that time has. */
static void test_a_clock_that_is_set_back(void **state)
{
    struct scene scene;
    prepare(&scene, state);
    look(&scene);
    scene.accepted = 4;
    pass(&scene, SLOT);
    scene.accepted = 6;
    pass(&scene, MINUTE);
    struct clock *back = clock_new_fake(1000, start + MINUTE);
    scene.parts.clock = back;
    look(&scene);
    scene.accepted++;
    assert_int_equal(list(&scene, 1, SLOT)->counts[STORE_HISTORY_ACCEPTED], 5);
    clock_free(&back);
    scene.parts.clock = scene.fixture->clock;
    finish(&scene);
}

/* No file can grow: what is committed can't be kept. */
static void fill_disk(const struct store_fixture *fixture, bool is_full)
{
    char log[128];
    struct stat info;
    struct rlimit limit;
    snprintf(log, sizeof log, "%s-wal", fixture->path);
    assert_int_equal(stat(log, &info), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = is_full ? (rlim_t)info.st_size : limit.rlim_max;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static bool has_failed(const struct scene *scene)
{
    struct store_statistics statistics;
    store_get_statistics(scene->fixture->store, &statistics);
    return statistics.has_failed;
}

static int change_nothing(struct store_db *db, void *arg)
{
    (void)db, (void)arg;
    return 1;
}

/* Chores that mostly find nothing to do run every few seconds: that they go well does not say that mail can be kept. And a gateway
 * that is not ready gets no mail, so nobody else would find out that the disk has room again. */
static void test_what_could_not_be_written_is_tried_again(void **state)
{
    struct scene scene;
    prepare(&scene, state);
    look(&scene);
    scene.accepted = 3;
    fill_disk(scene.fixture, true);
    pass(&scene, MINUTE);
    assert_true(has_failed(&scene));
    store_submit(scene.fixture->store, change_nothing, NULL, NULL);
    store_fixture_wait_for_all(scene.fixture);
    assert_true(has_failed(&scene));
    fill_disk(scene.fixture, false);
    scene.fixture->errors = 0;
    pass(&scene, MINUTE); /* in which nothing has happened */
    assert_false(has_failed(&scene));
    history_free(&scene.history);
    prepare(&scene, state);
    look(&scene);
    assert_int_equal(list(&scene, 1, SLOT)->counts[STORE_HISTORY_ACCEPTED], 3);
    finish(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ten_minutes_each, setup, store_fixture_teardown),
        cmocka_unit_test_setup_teardown(test_a_restart_within_the_ten_minutes, setup, store_fixture_teardown),
        cmocka_unit_test_setup_teardown(test_a_crash_loses_a_minute_at_most, setup, store_fixture_teardown),
        cmocka_unit_test_setup_teardown(test_hours_are_sums, setup, store_fixture_teardown),
        cmocka_unit_test_setup_teardown(test_what_is_old_goes, setup, store_fixture_teardown),
        cmocka_unit_test_setup_teardown(test_a_clock_that_is_set_back, setup, store_fixture_teardown),
        cmocka_unit_test_setup_teardown(test_what_could_not_be_written_is_tried_again, setup, store_fixture_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
