/* The TMTP client over real TLS (pins, the CA store), with a silo that floods it, and with owners that free it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/stream.h"
#include "base/tls.h"
#include "base/xmalloc.h"
#include "tmtp/tmtp_client.h"
#include "tmtp/tmtp_frame.h"

enum { PATIENCE_MS = 5000, PATH_SIZE = 256 };

struct fixture {
    struct clock *clock;
    struct loop *loop;
    char directory[64], certificate[PATH_SIZE], key[PATH_SIZE], address[PATH_SIZE];
    struct tls_context *tls;
    struct loop_listener *listener;
    struct stream *silo;
    size_t received; /* by the silo */
    struct tmtp_client *client;
    char pin[TLS_PIN_SIZE], detail[400];
    enum tmtp_client_state state, free_in;
    bool reached[TMTP_CLIENT_STOPPED + 1];
};

static void no_log(enum log_level level, const char *line, void *ctx)
{
    (void)level, (void)line, (void)ctx;
}

static void silo_input(struct stream *stream, void *ctx)
{
    struct fixture *f = ctx;
    f->received += stream_input_size(stream);
    stream_consume(stream, stream_input_size(stream));
}

static void silo_end(struct stream *stream, enum stream_end why, const char *detail, void *ctx)
{
    struct fixture *f = ctx;
    (void)stream, (void)why, (void)detail;
    stream_free(&f->silo);
}

static const struct stream_callbacks silo_callbacks = { .on_input = silo_input, .on_end = silo_end };

static void silo_accept(int fd, const char *peer, void *ctx)
{
    struct fixture *f = ctx;
    const struct stream_settings settings = { .callbacks = &silo_callbacks, .ctx = f };
    (void)peer;
    stream_free(&f->silo);
    f->silo = stream_new_accepted(f->loop, &settings, fd, f->tls);
}

static void on_state(struct tmtp_client *client, enum tmtp_client_state state, const char *detail, void *ctx)
{
    struct fixture *f = ctx;
    (void)client;
    f->state = state;
    f->reached[state] = true;
    snprintf(f->detail, sizeof f->detail, "%s", detail);
    if (state == f->free_in && state != TMTP_CLIENT_OFFLINE)
        tmtp_client_free(&f->client);
}

static void on_pin(struct tmtp_client *client, const char *pin, void *ctx)
{
    struct fixture *f = ctx;
    (void)client;
    snprintf(f->pin, sizeof f->pin, "%s", pin);
}

static void on_registered(struct tmtp_client *client, const char *uid, const char *node, const char *alias_error,
                          void *ctx)
{
    (void)client, (void)uid, (void)node, (void)alias_error, (void)ctx;
}

static const struct tmtp_client_callbacks callbacks = {
    .on_state = on_state,
    .on_pin = on_pin,
    .on_registered = on_registered,
};

static int set_up(void **state)
{
    struct fixture *f = xcalloc(1, sizeof *f);
    const char *reason = NULL;
    char *error = NULL;

    log_set_sink(no_log, NULL);
    f->clock = clock_new_system();
    f->loop = loop_new(f->clock);
    snprintf(f->directory, sizeof f->directory, "/tmp/tmtp_client_test.XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    snprintf(f->certificate, sizeof f->certificate, "%s/cert.pem", f->directory);
    snprintf(f->key, sizeof f->key, "%s/key.pem", f->directory);
    assert_int_equal(tls_make_self_signed("127.0.0.1", f->certificate, f->key, &error), 1);
    f->tls = tls_context_new_server(f->certificate, f->key, &error);
    f->listener = loop_listener_new(f->loop, "127.0.0.1:0", silo_accept, f, &reason);
    assert_non_null(f->listener);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    tmtp_client_free(&f->client);
    stream_free(&f->silo);
    loop_listener_free(&f->listener);
    tls_context_free(&f->tls);
    loop_turn(f->loop);
    loop_free(&f->loop);
    clock_free(&f->clock);
    unlink(f->certificate);
    unlink(f->key);
    rmdir(f->directory);
    free(f);
    return 0;
}

static void start(struct fixture *f, char how, const char *pin, const char *ca_file)
{
    snprintf(f->address, sizeof f->address, "%c%s", how, loop_listener_address(f->listener));
    const struct tmtp_client_settings settings = {
        .loop = f->loop,
        .address = f->address,
        .pin = pin,
        .ca_file = ca_file,
        .callbacks = &callbacks,
        .ctx = f,
    };
    f->client = tmtp_client_new(&settings);
}

/* Turns the loop until the state was reached. */
static void wait_for(struct fixture *f, enum tmtp_client_state state)
{
    for (int i = 0; i < PATIENCE_MS && !f->reached[state]; i++) {
        loop_turn(f->loop);
        usleep(1000);
    }
    if (!f->reached[state])
        fail_msg("state %s was not reached: %s: %s", tmtp_client_state_name(state), tmtp_client_state_name(f->state),
                 f->detail);
}

static void test_pin_is_taken_at_first_use(void **state)
{
    struct fixture *f = *state;
    start(f, '=', NULL, NULL);
    wait_for(f, TMTP_CLIENT_GREETING);
    assert_memory_equal(f->pin, "sha256:", 7);
}

static void test_known_pin_is_silent(void **state)
{
    struct fixture *f = *state;
    start(f, '=', NULL, NULL);
    wait_for(f, TMTP_CLIENT_GREETING);
    char *pin = xstrdup(f->pin);
    tmtp_client_free(&f->client);
    f->pin[0] = '\0';
    f->reached[TMTP_CLIENT_GREETING] = false;

    start(f, '=', pin, NULL);
    wait_for(f, TMTP_CLIENT_GREETING);
    assert_string_equal(f->pin, "");
    free(pin);
}

static void test_other_pin_stops(void **state)
{
    struct fixture *f = *state;
    start(f, '=', "sha256:0000000000000000000000000000000000000000000000000000000000000000", NULL);
    wait_for(f, TMTP_CLIENT_STOPPED);
    assert_false(f->reached[TMTP_CLIENT_GREETING]);
    assert_int_equal(f->received, 0);
    assert_string_equal(f->pin, "");
    assert_non_null(strstr(f->detail, "not the one we know"));
    assert_int_equal(tmtp_client_next_attempt_ms(f->client), 0);
}

/* A person says that the change is genuine: no restart is needed. */
static void test_refused_pin_may_be_taken(void **state)
{
    struct fixture *f = *state;
    start(f, '=', "sha256:0000000000000000000000000000000000000000000000000000000000000000", NULL);
    wait_for(f, TMTP_CLIENT_STOPPED);
    assert_int_equal(tmtp_client_stop_cause(f->client), TMTP_CLIENT_STOP_PIN);
    char *met = xstrdup(tmtp_client_refused_pin(f->client));
    tmtp_client_connect(f->client); /* nothing has changed: it stops again */
    f->reached[TMTP_CLIENT_STOPPED] = false;
    wait_for(f, TMTP_CLIENT_STOPPED);
    assert_string_equal(tmtp_client_refused_pin(f->client), met);

    tmtp_client_set_pin(f->client, met);
    assert_string_equal(tmtp_client_pin(f->client), met);
    tmtp_client_connect(f->client);
    wait_for(f, TMTP_CLIENT_GREETING);
    assert_null(tmtp_client_refused_pin(f->client));
    assert_string_equal(f->pin, ""); /* it was not taken unseen */
    free(met);
}

/* The configuration names another certificate while we are connected under the old one. */
static void test_pin_that_is_changed_ends_the_connection(void **state)
{
    struct fixture *f = *state;
    start(f, '=', NULL, NULL);
    wait_for(f, TMTP_CLIENT_GREETING);
    tmtp_client_set_pin(f->client, f->pin);
    for (int i = 0; i < 20; i++)
        loop_turn(f->loop);
    assert_int_equal(f->state, TMTP_CLIENT_GREETING);
    tmtp_client_set_pin(f->client, "sha256:0000000000000000000000000000000000000000000000000000000000000000");
    wait_for(f, TMTP_CLIENT_STOPPED);
    assert_int_equal(tmtp_client_stop_cause(f->client), TMTP_CLIENT_STOP_PIN);
}

static void test_certificate_of_unknown_authority(void **state)
{
    struct fixture *f = *state;
    start(f, '+', NULL, NULL);
    wait_for(f, TMTP_CLIENT_OFFLINE); /* the silo may get a better one: tried again later */
    assert_false(f->reached[TMTP_CLIENT_GREETING]);
    assert_true(tmtp_client_next_attempt_ms(f->client) > 0);
}

static void test_certificate_of_known_authority(void **state)
{
    struct fixture *f = *state;
    start(f, '+', NULL, f->certificate);
    wait_for(f, TMTP_CLIENT_GREETING);
    assert_string_equal(f->pin, "");
}

static void test_ca_file_is_missing(void **state)
{
    struct fixture *f = *state;
    start(f, '+', NULL, "/nonexistent/ca.pem");
    assert_false(f->reached[TMTP_CLIENT_STOPPED]); /* not from inside the call */
    wait_for(f, TMTP_CLIENT_STOPPED);
    assert_non_null(strstr(f->detail, "/nonexistent/ca.pem"));
    assert_int_equal(tmtp_client_stop_cause(f->client), TMTP_CLIENT_STOP_SETUP);
}

/* The file comes later: no restart is needed. */
static void test_ca_file_appears(void **state)
{
    struct fixture *f = *state;
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/ca.pem", f->directory);
    start(f, '+', NULL, path);
    wait_for(f, TMTP_CLIENT_STOPPED);
    assert_int_equal(link(f->certificate, path), 0);
    tmtp_client_connect(f->client);
    wait_for(f, TMTP_CLIENT_GREETING);
    unlink(path);
}

static void send_frame(struct fixture *f, const char *header)
{
    struct strbuf frame;
    strbuf_init(&frame, 1000);
    assert_int_equal(tmtp_frame_compose(&frame, header, strlen(header)), 1);
    stream_write(f->silo, frame.data, frame.len);
    strbuf_free(&frame);
}

static void log_in(struct fixture *f)
{
    start(f, '=', NULL, NULL);
    wait_for(f, TMTP_CLIENT_GREETING);
    send_frame(f, "{\"op\":\"tmtprev\",\"id\":\"1\"}");
    wait_for(f, TMTP_CLIENT_REGISTERING);
    send_frame(f, "{\"op\":\"registered\",\"uid\":\"ME\",\"nodeid\":\"SECRET\"}");
    wait_for(f, TMTP_CLIENT_SAVING);
    loop_turn(f->loop);
    if (!f->client)
        return;
    tmtp_client_account_saved(f->client);
    send_frame(f, "{\"op\":\"info\",\"info\":\"login ok\"}");
    wait_for(f, TMTP_CLIENT_SYNCING);
}

/* A silo that sends and never reads what we acknowledge: at some point we take nothing more, so that our memory is safe;
 * and go on when it reads again. */
static void test_silo_that_never_reads(void **state)
{
    struct fixture *f = *state;
    static const char news[] = "{\"op\":\"news\",\"id\":\"0123456789\"}";
    struct strbuf flood;
    enum { FRAMES = 400 * 1000 };

    log_in(f);
    stream_pause_input(f->silo, true);
    strbuf_init(&flood, 64 * 1024 * 1024);
    for (int i = 0; i < FRAMES; i++)
        assert_int_equal(tmtp_frame_compose(&flood, news, sizeof news - 1), 1);
    stream_write(f->silo, flood.data, flood.len);
    for (int i = 0; i < 300; i++)
        loop_turn(f->loop);
    assert_true(stream_pending_output(f->silo) > flood.len / 4);
    assert_true(f->state == TMTP_CLIENT_SYNCING);

    stream_pause_input(f->silo, false);
    for (int i = 0; i < PATIENCE_MS && stream_pending_output(f->silo) > 0; i++)
        loop_turn(f->loop);
    assert_int_equal(stream_pending_output(f->silo), 0);
    strbuf_free(&flood);
}

/* The owner may free the client in any callback. */
static void test_free_in_callback(void **state)
{
    static const enum tmtp_client_state states[] = { TMTP_CLIENT_CONNECTING, TMTP_CLIENT_GREETING,
                                                     TMTP_CLIENT_REGISTERING, TMTP_CLIENT_SAVING };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
        memset(f->reached, 0, sizeof f->reached);
        f->free_in = states[i];
        start(f, '=', NULL, NULL);
        if (states[i] > TMTP_CLIENT_GREETING)
            wait_for(f, TMTP_CLIENT_GREETING);
        if (states[i] > TMTP_CLIENT_GREETING)
            send_frame(f, "{\"op\":\"tmtprev\",\"id\":\"1\"}");
        if (states[i] > TMTP_CLIENT_REGISTERING)
            send_frame(f, "{\"op\":\"registered\",\"uid\":\"ME\",\"nodeid\":\"SECRET\"}");
        wait_for(f, states[i]);
        assert_null(f->client);
        loop_turn(f->loop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pin_is_taken_at_first_use, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_known_pin_is_silent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_pin_stops, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused_pin_may_be_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pin_that_is_changed_ends_the_connection, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_certificate_of_unknown_authority, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_certificate_of_known_authority, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ca_file_is_missing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_ca_file_appears, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_silo_that_never_reads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_free_in_callback, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
