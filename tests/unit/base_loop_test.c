#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/xmalloc.h"

/* A loop on a fake clock, and a transcript of what was called. */
struct fixture {
    struct clock *clock;
    struct loop *loop;
    char transcript[100];
    struct timer *timers[4];
    struct loop_watch *watch;
    struct loop_notifier *notifier;
    struct loop_listener *listener;
    int fds[8];
    size_t fd_count;
    char peer[100];
};

static int set_up(void **state)
{
    log_set_level(LOG_LEVEL_ERROR);
    struct fixture *f = xcalloc(1, sizeof *f);
    f->clock = clock_new_fake(1000, 0);
    f->loop = loop_new(f->clock);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < f->fd_count; i++)
        close(f->fds[i]);
    for (size_t i = 0; i < sizeof f->timers / sizeof f->timers[0]; i++)
        timer_free(&f->timers[i]);
    loop_free(&f->loop);
    clock_free(&f->clock);
    free(f);
    return 0;
}

static void note(struct fixture *f, char what)
{
    size_t len = strlen(f->transcript);
    assert_true(len + 1 < sizeof f->transcript);
    f->transcript[len] = what;
    f->transcript[len + 1] = '\0';
}

static void note_a(void *arg)
{
    note(arg, 'a');
}

static void note_b(void *arg)
{
    note(arg, 'b');
}

static void note_c(void *arg)
{
    note(arg, 'c');
}

static void do_nothing(void *arg)
{
    (void)arg;
}

static void timers_fire_when_their_time_has_come(void **state)
{
    struct fixture *f = *state;
    f->timers[0] = timer_new(f->loop, note_a, f);
    assert_false(timer_is_running(f->timers[0]));
    timer_start(f->timers[0], 100);
    loop_turn(f->loop);
    clock_advance(f->clock, 99);
    loop_turn(f->loop);
    assert_string_equal(f->transcript, "");
    assert_true(timer_is_running(f->timers[0]));
    clock_advance(f->clock, 1);
    loop_turn(f->loop);
    assert_string_equal(f->transcript, "a");
    assert_false(timer_is_running(f->timers[0]));
    clock_advance(f->clock, 1000);
    loop_turn(f->loop);
    assert_string_equal(f->transcript, "a"); /* one shot */
}

static void timers_fire_in_order_of_time_then_of_starting(void **state)
{
    struct fixture *f = *state;
    f->timers[0] = timer_new(f->loop, note_a, f);
    f->timers[1] = timer_new(f->loop, note_b, f);
    f->timers[2] = timer_new(f->loop, note_c, f);
    timer_start(f->timers[2], 50);
    timer_start(f->timers[1], 50);
    timer_start(f->timers[0], 20);
    clock_advance(f->clock, 60);
    loop_turn(f->loop);
    assert_string_equal(f->transcript, "acb");
}

static void a_restarted_timer_forgets_its_first_time(void **state)
{
    struct fixture *f = *state;
    f->timers[0] = timer_new(f->loop, note_a, f);
    timer_start(f->timers[0], 10);
    timer_start(f->timers[0], 100);
    clock_advance(f->clock, 50);
    loop_turn(f->loop);
    assert_string_equal(f->transcript, "");
    timer_start(f->timers[0], -5); /* negative: now */
    loop_turn(f->loop);
    assert_string_equal(f->transcript, "a");
    timer_start(f->timers[0], INT64_MAX); /* never, without overflow */
    clock_advance(f->clock, 1000000);
    loop_turn(f->loop);
    assert_string_equal(f->transcript, "a");
    timer_stop(f->timers[0]);
    timer_stop(f->timers[0]);
}

static void many_timers_keep_their_order(void **state)
{
    struct fixture *f = *state;
    enum { COUNT = 300 };
    struct timer *timers[COUNT];
    static int64_t fired_at[COUNT];
    for (unsigned i = 0; i < COUNT; i++) {
        timers[i] = timer_new(f->loop, do_nothing, f);
        timer_start(timers[i], (i * 7919) % 997 + 1);
    }
    for (unsigned i = 0; i < COUNT; i += 3)
        timer_stop(timers[i]); /* gaps all over the heap */
    for (int64_t t = 1; t <= 1000; t++) {
        clock_advance(f->clock, 1);
        loop_turn(f->loop);
        for (unsigned i = 0; i < COUNT; i++) {
            if (fired_at[i] == 0 && !timer_is_running(timers[i]))
                fired_at[i] = t;
        }
    }
    for (unsigned i = 0; i < COUNT; i++) {
        assert_int_equal(fired_at[i], i % 3 == 0 ? 1 : (i * 7919) % 997 + 1);
        timer_free(&timers[i]);
    }
}

static void stop_others_and_self(void *arg)
{
    struct fixture *f = arg;
    note(f, 'x');
    timer_free(&f->timers[0]); /* its own */
    timer_stop(f->timers[1]);  /* due too, not to be called any more */
}

static void a_callback_may_free_its_timer_and_stop_others(void **state)
{
    struct fixture *f = *state;
    f->timers[0] = timer_new(f->loop, stop_others_and_self, f);
    f->timers[1] = timer_new(f->loop, note_b, f);
    f->timers[2] = timer_new(f->loop, note_c, f);
    for (size_t i = 0; i < 3; i++)
        timer_start(f->timers[i], 10);
    clock_advance(f->clock, 10);
    loop_turn(f->loop);
    assert_string_equal(f->transcript, "xc");
}

static void start_again(void *arg)
{
    struct fixture *f = arg;
    note(f, 'r');
    timer_start(f->timers[0], 0);
}

static void a_timer_of_zero_waits_for_the_next_turn(void **state)
{
    struct fixture *f = *state;
    f->timers[0] = timer_new(f->loop, start_again, f);
    timer_start(f->timers[0], 0);
    loop_turn(f->loop);
    assert_string_equal(f->transcript, "r");
    loop_turn(f->loop);
    assert_string_equal(f->transcript, "rr");
}

static void defer_one_more(void *arg)
{
    struct fixture *f = arg;
    note(f, 'd');
    loop_defer(f->loop, note_b, f);
}

static void deferred_calls_run_in_order_at_the_end_of_the_turn(void **state)
{
    struct fixture *f = *state;
    f->timers[0] = timer_new(f->loop, note_c, f);
    timer_start(f->timers[0], 0);
    loop_defer(f->loop, defer_one_more, f);
    loop_defer(f->loop, note_a, f);
    assert_string_equal(f->transcript, "");
    loop_turn(f->loop);
    assert_string_equal(f->transcript, "cda");
    loop_turn(f->loop);
    assert_string_equal(f->transcript, "cdab");
}

static void freeing_the_loop_runs_what_was_deferred(void **state)
{
    struct fixture *f = *state;
    struct loop *loop = loop_new(f->clock);
    loop_defer(loop, note_a, f);
    loop_defer(loop, note_b, f);
    loop_free(&loop);
    assert_string_equal(f->transcript, "ab");
}

static void watch_fired(int fd, void *arg)
{
    struct fixture *f = arg;
    char c;
    assert_int_equal(read(fd, &c, 1), 1);
    note(f, c);
    if (c == '!')
        loop_watch_free(&f->watch);
}

static void a_watch_tells_of_input_until_freed_in_its_callback(void **state)
{
    struct fixture *f = *state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    f->watch = loop_watch_new(f->loop, ends[0], watch_fired, f);
    loop_turn(f->loop);
    assert_string_equal(f->transcript, "");
    assert_int_equal(write(ends[1], "12!4", 4), 4);
    for (int i = 0; i < 6; i++)
        loop_turn(f->loop);
    assert_string_equal(f->transcript, "12!");
    assert_null(f->watch);
    close(ends[0]);
    close(ends[1]);
}

static void signal_fired(int signo, void *arg)
{
    assert_int_equal(signo, SIGUSR1);
    note(arg, 's');
}

static void count_input(int fd, void *arg)
{
    (void)fd;
    note(arg, 'i');
}

/* What is never read is ready again and again: once in a turn, or nothing else would ever be done. */
static void input_without_end_leaves_others_their_turn(void **state)
{
    struct fixture *f = *state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    f->fds[f->fd_count++] = ends[0];
    f->fds[f->fd_count++] = ends[1];
    assert_int_equal(write(ends[1], "x", 1), 1);
    f->watch = loop_watch_new(f->loop, ends[0], count_input, f);
    f->timers[0] = timer_new(f->loop, note_a, f);
    timer_start(f->timers[0], 0);
    loop_defer(f->loop, note_b, f);
    loop_turn(f->loop);
    assert_string_equal(f->transcript, "iab");
    loop_turn(f->loop);
    assert_string_equal(f->transcript, "iabi");
    loop_watch_free(&f->watch);
}

static void a_signal_becomes_a_callback(void **state)
{
    struct fixture *f = *state;
    struct loop_signal *sig = loop_signal_new(f->loop, SIGUSR1, signal_fired, f);
    raise(SIGUSR1);
    assert_string_equal(f->transcript, ""); /* not inside the handler */
    for (int i = 0; i < 3; i++)
        loop_turn(f->loop);
    assert_string_equal(f->transcript, "s");
    loop_signal_free(&sig);
    assert_null(sig);
}

static void a_closed_pipe_does_not_kill(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    assert_int_equal(write(ends[1], "x", 1), -1);
    close(ends[1]);
}

/* --- With the system clock: real waiting --- */

static void stop_loop(void *arg)
{
    struct fixture *f = arg;
    note(f, 'n');
    loop_stop(f->loop);
}

static void *ring_from_a_thread(void *arg)
{
    struct fixture *f = arg;
    for (int i = 0; i < 1000; i++)
        loop_notify(f->notifier);
    return NULL;
}

static void a_thread_wakes_the_loop(void **state)
{
    (void)state;
    struct fixture real = { .clock = clock_new_system() };
    real.loop = loop_new(real.clock);
    real.notifier = loop_notifier_new(real.loop, stop_loop, &real);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, ring_from_a_thread, &real), 0);
    loop_run(real.loop); /* returns only because the bell rang */
    pthread_join(thread, NULL);
    assert_int_equal(real.transcript[0], 'n');
    loop_turn(real.loop); /* what rang since is one call at most */
    assert_true(strlen(real.transcript) <= 2);
    loop_notifier_free(&real.notifier);
    assert_null(real.notifier);
    loop_free(&real.loop);
    clock_free(&real.clock);
}

static void running_waits_for_timers(void **state)
{
    (void)state;
    struct fixture real = { .clock = clock_new_system() };
    real.loop = loop_new(real.clock);
    real.timers[0] = timer_new(real.loop, stop_loop, &real);
    real.timers[1] = timer_new(real.loop, note_a, &real);
    int64_t before = clock_monotonic_ms(real.clock);
    timer_start(real.timers[0], 30);
    timer_start(real.timers[1], 10);
    loop_run(real.loop);
    assert_true(clock_monotonic_ms(real.clock) - before >= 30);
    assert_string_equal(real.transcript, "an");
    /* And it can run again; a deferred call keeps it from sleeping. */
    loop_defer(real.loop, stop_loop, &real);
    loop_run(real.loop);
    assert_string_equal(real.transcript, "ann");
    timer_free(&real.timers[0]);
    timer_free(&real.timers[1]);
    loop_free(&real.loop);
    clock_free(&real.clock);
}

/* --- Listeners --- */

static void accepted(int fd, const char *peer, void *arg)
{
    struct fixture *f = arg;
    assert_true(f->fd_count < sizeof f->fds / sizeof f->fds[0]);
    f->fds[f->fd_count++] = fd;
    snprintf(f->peer, sizeof f->peer, "%s", peer);
}

/* A connected client socket; address is "127.0.0.1:PORT" or "[::1]:PORT". */
static int connect_to(const char *address)
{
    int port = (int)strtol(strrchr(address, ':') + 1, NULL, 10);
    struct sockaddr_in ip4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    struct sockaddr_in6 ip6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
    ip4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ip6.sin6_addr = in6addr_loopback;
    bool is_ip6 = address[0] == '[';
    int fd = socket(is_ip6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int result =
        is_ip6 ? connect(fd, (struct sockaddr *)&ip6, sizeof ip6) : connect(fd, (struct sockaddr *)&ip4, sizeof ip4);
    assert_int_equal(result, 0);
    return fd;
}

static void a_listener_accepts_on_a_port_of_its_choice(void **state)
{
    struct fixture *f = *state;
    const char *error = NULL;
    f->listener = loop_listener_new(f->loop, "127.0.0.1:0", accepted, f, &error);
    assert_non_null(f->listener);
    assert_int_not_equal(strcmp(loop_listener_address(f->listener), "127.0.0.1:0"), 0);
    int clients[3];
    for (int i = 0; i < 3; i++)
        clients[i] = connect_to(loop_listener_address(f->listener));
    loop_turn(f->loop);
    assert_int_equal(f->fd_count, 3);
    struct sockaddr_in local = { 0 };
    socklen_t len = sizeof local;
    char expected[100];
    assert_int_equal(getsockname(clients[2], (struct sockaddr *)&local, &len), 0);
    snprintf(expected, sizeof expected, "127.0.0.1:%u", ntohs(local.sin_port));
    assert_string_equal(f->peer, expected);
    char byte;
    assert_int_equal(read(f->fds[0], &byte, 1), -1); /* non-blocking */
    for (int i = 0; i < 3; i++)
        close(clients[i]);
    loop_listener_free(&f->listener);
    assert_null(f->listener);
}

static void ip6_and_mapped_ip4_are_told_apart(void **state)
{
    struct fixture *f = *state;
    const char *error = NULL;
    f->listener = loop_listener_new(f->loop, "[::]:0", accepted, f, &error);
    if (f->listener == NULL)
        skip(); /* a machine without IPv6 */
    assert_memory_equal(loop_listener_address(f->listener), "[::]:", 5);
    char address[100];
    snprintf(address, sizeof address, "127.0.0.1:%s", strrchr(loop_listener_address(f->listener), ':') + 1);
    int client = connect_to(address);
    loop_turn(f->loop);
    assert_memory_equal(f->peer, "127.0.0.1:", 10);
    close(client);
    client = connect_to(loop_listener_address(f->listener));
    loop_turn(f->loop);
    assert_memory_equal(f->peer, "[::1]:", 6);
    close(client);
    loop_listener_free(&f->listener);
}

static void a_paused_listener_leaves_connections_waiting(void **state)
{
    struct fixture *f = *state;
    const char *error = NULL;
    f->listener = loop_listener_new(f->loop, "127.0.0.1:0", accepted, f, &error);
    loop_listener_pause(f->listener, true);
    int client = connect_to(loop_listener_address(f->listener));
    loop_turn(f->loop);
    assert_int_equal(f->fd_count, 0);
    loop_listener_pause(f->listener, false);
    loop_turn(f->loop);
    assert_int_equal(f->fd_count, 1);
    close(client);
    loop_listener_free(&f->listener);
}

static void accepted_once(int fd, const char *peer, void *arg)
{
    struct fixture *f = arg;
    accepted(fd, peer, arg);
    loop_listener_free(&f->listener);
}

static void a_listener_may_be_freed_in_its_callback(void **state)
{
    struct fixture *f = *state;
    const char *error = NULL;
    f->listener = loop_listener_new(f->loop, "127.0.0.1:0", accepted_once, f, &error);
    char address[100];
    snprintf(address, sizeof address, "%s", loop_listener_address(f->listener));
    int a = connect_to(address), b = connect_to(address);
    loop_turn(f->loop);
    loop_turn(f->loop);
    assert_int_equal(f->fd_count, 1);
    close(a);
    close(b);
}

static void a_unix_listener_replaces_only_stale_sockets(void **state)
{
    struct fixture *f = *state;
    char directory[] = "/tmp/loop-test-XXXXXX";
    assert_non_null(mkdtemp(directory));
    char address[100], path[80];
    snprintf(path, sizeof path, "%s/socket", directory);
    snprintf(address, sizeof address, "unix:%s", path);

    /* A stale one: bound, and its process gone. */
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
    int old = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(old, (struct sockaddr *)&un, sizeof un), 0);
    close(old);

    const char *error = NULL;
    f->listener = loop_listener_new(f->loop, address, accepted, f, &error);
    assert_non_null(f->listener);
    assert_string_equal(loop_listener_address(f->listener), address);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0660);

    /* One in use is left alone. */
    assert_null(loop_listener_new(f->loop, address, accepted, f, &error));
    assert_non_null(strstr(error, "in use"));
    loop_turn(f->loop); /* the probe's connection */
    assert_int_equal(f->fd_count, 1);
    close(f->fds[--f->fd_count]);

    int client = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&un, sizeof un), 0);
    loop_turn(f->loop);
    assert_int_equal(f->fd_count, 1);
    assert_string_equal(f->peer, "unix");
    close(client);
    loop_listener_free(&f->listener);
    assert_int_equal(stat(path, &status), -1); /* removed */

    /* A file that is no socket is nobody's to replace. */
    FILE *file = fopen(path, "w");
    fclose(file);
    assert_null(loop_listener_new(f->loop, address, accepted, f, &error));
    assert_int_equal(unlink(path), 0);
    rmdir(directory);
}

static void bad_addresses_are_explained(void **state)
{
    struct fixture *f = *state;
    static const char *const rows[] = {
        "",    "127.0.0.1", "127.0.0.1:",     "127.0.0.1:99999", "127.0.0.1:smtp", "mail.example.com:25",
        ":25", "::1:25",    "[127.0.0.1]:25", "[::1:25",         "unix:",          "127.0.0.1:-1",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *error = NULL;
        assert_null(loop_listener_new(f->loop, rows[i], accepted, f, &error));
        assert_non_null(strstr(error, "expected"));
        assert_memory_equal(error, rows[i], strlen(rows[i]));
    }
    const char *error = NULL;
    struct loop_listener *first = loop_listener_new(f->loop, "127.0.0.1:0", accepted, f, &error);
    assert_null(loop_listener_new(f->loop, loop_listener_address(first), accepted, f, &error));
    assert_non_null(strstr(error, "in use"));
    loop_listener_free(&first);
}

/* Without descriptors a connection cannot be accepted: the listener must not spin, and must recover by itself. */
static void running_out_of_descriptors_pauses_for_a_second(void **state)
{
    struct fixture *f = *state;
    const char *error = NULL;
    f->listener = loop_listener_new(f->loop, "127.0.0.1:0", accepted, f, &error);
    int client = connect_to(loop_listener_address(f->listener));
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 3;
    log_set_level((enum log_level)(LOG_LEVEL_ERROR + 1));
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    loop_turn(f->loop);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    log_set_level(LOG_LEVEL_ERROR);
    loop_turn(f->loop);
    assert_int_equal(f->fd_count, 0); /* paused, though there are descriptors again */
    clock_advance(f->clock, 1000);
    loop_turn(f->loop);
    loop_turn(f->loop);
    assert_int_equal(f->fd_count, 1);
    close(client);
    loop_listener_free(&f->listener);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(timers_fire_when_their_time_has_come),
        TEST(timers_fire_in_order_of_time_then_of_starting),
        TEST(a_restarted_timer_forgets_its_first_time),
        TEST(many_timers_keep_their_order),
        TEST(a_callback_may_free_its_timer_and_stop_others),
        TEST(a_timer_of_zero_waits_for_the_next_turn),
        TEST(deferred_calls_run_in_order_at_the_end_of_the_turn),
        TEST(freeing_the_loop_runs_what_was_deferred),
        TEST(a_watch_tells_of_input_until_freed_in_its_callback),
        TEST(input_without_end_leaves_others_their_turn),
        TEST(a_signal_becomes_a_callback),
        TEST(a_closed_pipe_does_not_kill),
        TEST(a_thread_wakes_the_loop),
        TEST(running_waits_for_timers),
        TEST(a_listener_accepts_on_a_port_of_its_choice),
        TEST(ip6_and_mapped_ip4_are_told_apart),
        TEST(a_paused_listener_leaves_connections_waiting),
        TEST(a_listener_may_be_freed_in_its_callback),
        TEST(a_unix_listener_replaces_only_stale_sockets),
        TEST(bad_addresses_are_explained),
        TEST(running_out_of_descriptors_pauses_for_a_second),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
