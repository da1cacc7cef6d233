/* Connections to one of Postfix's services, on a fake clock: who keeps a place, and who makes room. */
#include <arpa/inet.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "gateway/postfix_server.h"

enum { TURNS = 40, LONG_ANSWER = 2000, MANY = 10000, COUNT = POSTFIX_SERVER_CONNECTIONS_MAX };

/* Each octet is a question, '#' one with a long answer. */
static int feed(void *parser, const uint8_t *data, size_t len, size_t *used_out)
{
    (void)len;
    *(uint8_t *)parser = data[0];
    *used_out = 1;
    return 1;
}

static void answer(const void *parser, void *ctx, struct strbuf *out)
{
    (void)ctx;
    for (int i = 0; i < (*(const uint8_t *)parser == '#' ? LONG_ANSWER : 1); i++)
        strbuf_add_str(out, "!");
}

struct scene {
    struct clock *clock;
    struct loop *loop;
    struct postfix_server *server;
    int fds[COUNT + 2];
    size_t count;
};

static int set_up(void **state)
{
    static const struct postfix_protocol protocol = {
        .name = "test", .parser_size = 1, .feed = feed, .answer = answer
    };
    struct rlimit files;
    struct scene *scene = calloc(1, sizeof *scene);
    char *error;
    log_set_level(LOG_LEVEL_ERROR);
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    scene->clock = clock_new_fake(100000, 0);
    scene->loop = loop_new(scene->clock);
    struct postfix_server_settings settings = { .loop = scene->loop, .address = "127.0.0.1:0", .protocol = &protocol };
    scene->server = postfix_server_new(&settings, &error);
    assert_non_null(scene->server);
    *state = scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    for (size_t i = 0; i < scene->count; i++)
        close(scene->fds[i]);
    postfix_server_free(&scene->server);
    loop_free(&scene->loop);
    clock_free(&scene->clock);
    free(scene);
    return 0;
}

static void turns(struct scene *scene, int count)
{
    while (count-- > 0)
        loop_turn(scene->loop);
}

static int join(struct scene *scene)
{
    const char *address = postfix_server_address(scene->server);
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)strtol(strrchr(address, ':') + 1, NULL, 10)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int fd = scene->fds[scene->count++] = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    turns(scene, 3);
    return fd;
}

static bool is_answered(struct scene *scene, int fd)
{
    char octet = '?';
    if (send(fd, "?", 1, MSG_NOSIGNAL) != 1)
        return false;
    for (int i = 0; i < TURNS; i++) {
        struct pollfd pause = { .fd = fd, .events = POLLIN };
        turns(scene, 1);
        if (poll(&pause, 1, 2) == 1)
            break;
    }
    return recv(fd, &octet, 1, MSG_DONTWAIT) == 1 && octet == '!';
}

static void who_only_connects_keeps_nobody_out(void **state)
{
    struct scene *scene = *state;
    int asking = join(scene);
    assert_true(is_answered(scene, asking));
    while (scene->count < COUNT)
        join(scene);
    assert_int_equal(postfix_server_connections(scene->server), COUNT);
    assert_false(is_answered(scene, join(scene))); /* nobody has been silent for long */
    clock_advance(scene->clock, 10 * 1000);
    assert_true(is_answered(scene, join(scene)));
    assert_int_equal(postfix_server_connections(scene->server), COUNT);
    assert_true(is_answered(scene, asking)); /* it keeps its place: it has asked */
    assert_false(is_answered(scene, scene->fds[1]));
}

/* Until nothing more of what it asks is taken. */
static void ask_and_do_not_read(struct scene *scene, int fd)
{
    char questions[1000];
    int refused = 0;
    memset(questions, '#', sizeof questions);
    for (int i = 0; i < MANY && refused < TURNS; i++) {
        refused = send(fd, questions, sizeof questions, MSG_NOSIGNAL | MSG_DONTWAIT) > 0 ? 0 : refused + 1;
        turns(scene, 1);
    }
    assert_int_equal(refused, TURNS);
}

static void who_does_not_read_keeps_nobody_out(void **state)
{
    struct scene *scene = *state;
    ask_and_do_not_read(scene, join(scene));
    while (scene->count < COUNT)
        assert_true(is_answered(scene, join(scene)));
    assert_int_equal(postfix_server_connections(scene->server), COUNT);
    assert_false(is_answered(scene, join(scene)));
    clock_advance(scene->clock, 10 * 1000);
    assert_true(is_answered(scene, join(scene)));
    assert_int_equal(postfix_server_connections(scene->server), COUNT);
    for (size_t i = 1; i < COUNT; i++)
        assert_true(is_answered(scene, scene->fds[i])); /* they keep their places */
}

/* Or does not read what the system has taken for it, which can't be told apart. */
static void who_rests_keeps_nobody_out(void **state)
{
    struct scene *scene = *state;
    while (scene->count < COUNT)
        assert_true(is_answered(scene, join(scene)));
    clock_advance(scene->clock, 10 * 1000);
    assert_false(is_answered(scene, join(scene)));
    clock_advance(scene->clock, 10 * 1000);
    assert_true(is_answered(scene, join(scene)));
    assert_int_equal(postfix_server_connections(scene->server), COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_only_connects_keeps_nobody_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_does_not_read_keeps_nobody_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_rests_keeps_nobody_out, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
