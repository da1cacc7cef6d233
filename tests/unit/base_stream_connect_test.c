/* Tests of connecting to a name with several addresses. The addresses are ours: this program has a getaddrinfo() of its
 * own, which takes the place of the C library's. */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/stream.h"
#include "base/xmalloc.h"

enum { TURNS = 200, FILLERS = 8, DETAIL_SIZE = 300 };

/* --- Name service --- */

static const char *const *addresses; /* numeric, NULL at the end */

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): the names of the C library are reserved */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
    const char *const itself[] = { node, NULL };
    struct in_addr unused;
    bool is_numeric = inet_pton(AF_INET, node, &unused) == 1;
    if ((hints->ai_flags & AI_NUMERICHOST) != 0 && !is_numeric)
        return EAI_NONAME;
    const char *const *found = is_numeric ? itself : addresses;
    struct addrinfo **next = result;
    for (size_t i = 0; found[i] != NULL; i++) {
        struct addrinfo *info = xcalloc(1, sizeof *info);
        struct sockaddr_in *address = xcalloc(1, sizeof *address);
        address->sin_family = AF_INET;
        address->sin_port = htons((uint16_t)strtoul(service, NULL, 10));
        assert_int_equal(inet_pton(AF_INET, found[i], &address->sin_addr), 1);
        info->ai_family = AF_INET;
        info->ai_socktype = SOCK_STREAM;
        info->ai_addrlen = sizeof *address;
        info->ai_addr = (struct sockaddr *)address;
        *next = info;
        next = &info->ai_next;
    }
    *next = NULL;
    return 0;
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): likewise */
void freeaddrinfo(struct addrinfo *info)
{
    while (info != NULL) {
        struct addrinfo *next = info->ai_next;
        free(info->ai_addr);
        free(info);
        info = next;
    }
}

/* --- Scene: 127.0.0.2 answers, 127.0.0.1 takes no connection any more, nobody listens on 127.0.0.3 --- */

struct scene {
    struct clock *clock;
    struct loop *loop;
    struct loop_listener *alive;
    int dead, fillers[FILLERS];
    unsigned port;
    struct stream *stream;
    bool is_connected, has_ended;
    enum stream_end why;
    char detail[DETAIL_SIZE];
};

static void on_accept(int fd, const char *peer, void *arg)
{
    (void)peer, (void)arg;
    close(fd);
}

static void on_connected(struct stream *stream, void *ctx)
{
    (void)stream;
    struct scene *scene = ctx;
    scene->is_connected = true;
}

static void on_input(struct stream *stream, void *ctx)
{
    (void)stream, (void)ctx;
}

static void on_end(struct stream *stream, enum stream_end why, const char *detail, void *ctx)
{
    (void)stream;
    struct scene *scene = ctx;
    scene->has_ended = true;
    scene->why = why;
    snprintf(scene->detail, sizeof scene->detail, "%s", detail);
}

static struct sockaddr_in address_of(const char *host, unsigned port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    assert_int_equal(inet_pton(AF_INET, host, &address.sin_addr), 1);
    return address;
}

/* A listener whose queue is full: the kernel drops what else wants to connect. */
static void listen_deaf(struct scene *scene)
{
    struct sockaddr_in address = address_of("127.0.0.1", scene->port);
    scene->dead = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(scene->dead, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(scene->dead, 0), 0);
    for (size_t i = 0; i < FILLERS; i++) {
        scene->fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)!connect(scene->fillers[i], (struct sockaddr *)&address, sizeof address);
    }
}

static int setup(void **state)
{
    static struct scene scene;
    memset(&scene, 0, sizeof scene);
    scene.clock = clock_new_fake(1000000, 1700000000000);
    scene.loop = loop_new(scene.clock);
    const char *error = NULL;
    scene.alive = loop_listener_new(scene.loop, "127.0.0.2:0", on_accept, &scene, &error);
    assert_non_null(scene.alive);
    scene.port = (unsigned)strtoul(strchr(loop_listener_address(scene.alive), ':') + 1, NULL, 10);
    listen_deaf(&scene);
    *state = &scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;
    stream_free(&scene->stream);
    loop_turn(scene->loop);
    loop_listener_free(&scene->alive);
    loop_turn(scene->loop);
    loop_free(&scene->loop);
    clock_free(&scene->clock);
    for (size_t i = 0; i < FILLERS; i++)
        close(scene->fillers[i]);
    close(scene->dead);
    return 0;
}

static void turn(struct scene *scene)
{
    for (int i = 0; i < TURNS && !scene->is_connected && !scene->has_ended; i++) {
        loop_turn(scene->loop);
        usleep(100); /* the look-up has a thread of its own */
    }
}

static void connect_to(struct scene *scene, const char *const *names)
{
    static const struct stream_callbacks callbacks = { .on_connected = on_connected,
                                                       .on_input = on_input,
                                                       .on_end = on_end };
    addresses = names;
    char address[64];
    snprintf(address, sizeof address, "relay.example:%u", scene->port);
    struct stream_settings settings = { .callbacks = &callbacks, .ctx = scene };
    scene->stream = stream_new_connecting(scene->loop, &settings, &(struct stream_target){ .address = address });
    turn(scene);
}

static void goes_on_when_refused(void **state)
{
    struct scene *scene = *state;
    connect_to(scene, (const char *const[]){ "127.0.0.3", "127.0.0.4", "127.0.0.2", NULL });
    assert_true(scene->is_connected);
}

/* An address that swallows packets costs five seconds, however much time there is. */
static void a_dead_address_does_not_take_all_the_time(void **state)
{
    struct scene *scene = *state;
    connect_to(scene, (const char *const[]){ "127.0.0.1", "127.0.0.2", NULL });
    clock_advance(scene->clock, 4999);
    turn(scene);
    assert_false(scene->is_connected);
    clock_advance(scene->clock, 1);
    turn(scene);
    assert_true(scene->is_connected);
}

/* The last one has all the time that is left: it may be slow only. */
static void the_last_address_has_the_rest(void **state)
{
    struct scene *scene = *state;
    connect_to(scene, (const char *const[]){ "127.0.0.3", "127.0.0.1", NULL });
    clock_advance(scene->clock, 29999);
    turn(scene);
    assert_false(scene->has_ended);
    clock_advance(scene->clock, 1);
    turn(scene);
    assert_true(scene->has_ended);
    assert_int_equal(scene->why, STREAM_END_TIMEOUT);
}

static void all_refuse(void **state)
{
    struct scene *scene = *state;
    connect_to(scene, (const char *const[]){ "127.0.0.3", "127.0.0.4", NULL });
    assert_true(scene->has_ended);
    assert_int_equal(scene->why, STREAM_END_RESET);
    assert_non_null(strstr(scene->detail, "127.0.0.4"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(goes_on_when_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dead_address_does_not_take_all_the_time, setup, teardown),
        cmocka_unit_test_setup_teardown(the_last_address_has_the_rest, setup, teardown),
        cmocka_unit_test_setup_teardown(all_refuse, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
