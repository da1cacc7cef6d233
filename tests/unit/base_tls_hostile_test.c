/* A client that speaks TLS with the library itself, and does what ours never would. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/base_stream_fixture.h"

static char directory[] = "/tmp/postern-tls-XXXXXX";
static char certificate[100], key[100];

struct raw {
    SSL_CTX *context;
    SSL *ssl;
    int fd;
};

static void raw_connect(struct net *net, struct raw *raw)
{
    char *error = NULL;
    net->accept_tls = tls_context_new_server(certificate, key, &error);
    assert_non_null(net->accept_tls);
    net_listen(net);
    const char *address = loop_listener_address(net->listener);
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)strtol(strrchr(address, ':') + 1, NULL, 10)),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    raw->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(raw->fd, (const struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(fcntl(raw->fd, F_SETFL, O_NONBLOCK), 0);
    raw->context = SSL_CTX_new(TLS_client_method());
    raw->ssl = SSL_new(raw->context);
    SSL_set_fd(raw->ssl, raw->fd);
    SSL_set_connect_state(raw->ssl);
}

static void raw_free(struct raw *raw)
{
    SSL_free(raw->ssl);
    SSL_CTX_free(raw->context);
    close(raw->fd);
    ERR_clear_error();
}

static void raw_shake_hands(struct net *net, struct raw *raw)
{
    for (int i = 0; i < 100000 && SSL_do_handshake(raw->ssl) != 1; i++)
        loop_turn(net->loop);
    net_turn_until(net, &net->b, "TERSO");
    assert_string_equal(net->b.transcript.data, "T");
    tls_context_free(&net->accept_tls);
}

/* Each is some work for the library, which would go on as long as there are more: whoever sends them faster than they can be read would have
 * the loop for themselves. */
static void key_updates_are_read_one_in_a_turn(void **state)
{
    enum { COUNT = 300 };
    struct net *net = *state;
    struct raw raw;
    raw_connect(net, &raw);
    raw_shake_hands(net, &raw);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(SSL_key_update(raw.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        assert_int_equal(SSL_do_handshake(raw.ssl), 1);
    }
    assert_int_equal(SSL_write(raw.ssl, "x", 1), 1);
    net_turns(net, COUNT / 2);
    assert_int_equal(net->b.received.len, 0);
    net_turn_until(net, &net->b, "IERSO");
    assert_string_equal(net->b.received.data, "x");
    stream_write(net->b.stream, "y", 1); /* with new keys, as it was asked to */
    char octet = 0;
    for (int i = 0; i < 1000 && SSL_read(raw.ssl, &octet, 1) != 1; i++)
        loop_turn(net->loop);
    assert_int_equal(octet, 'y');
    raw_free(&raw);
}

static void sessions_are_not_resumed(void **state)
{
    struct net *net = *state;
    struct raw raw;
    raw_connect(net, &raw);
    raw_shake_hands(net, &raw);
    stream_write(net->b.stream, "y", 1);
    char octet = 0;
    for (int i = 0; i < 1000 && SSL_read(raw.ssl, &octet, 1) != 1; i++)
        loop_turn(net->loop);
    assert_false(SSL_SESSION_is_resumable(SSL_get_session(raw.ssl))); /* so there is no early data either */
    raw_free(&raw);
}

static void renegotiation_is_refused(void **state)
{
    struct net *net = *state;
    struct raw raw;
    raw_connect(net, &raw);
    SSL_set_max_proto_version(raw.ssl, TLS1_2_VERSION);
    raw_shake_hands(net, &raw);
    assert_int_equal(SSL_renegotiate(raw.ssl), 1);
    for (int i = 0; i < 200 && SSL_do_handshake(raw.ssl) != 1; i++)
        loop_turn(net->loop);
    assert_false(SSL_is_init_finished(raw.ssl) && SSL_total_renegotiations(raw.ssl) > 1);
    raw_free(&raw);
    net_turn_until(net, &net->b, "ERSO");
}

/* One octet in each record, and many records without any. */
static void tiny_records_are_read(void **state)
{
    struct net *net = *state;
    struct raw raw;
    raw_connect(net, &raw);
    raw_shake_hands(net, &raw);
    for (int i = 0; i < 3000; i++)
        while (SSL_write(raw.ssl, "x", 1) != 1)
            loop_turn(net->loop);
    /* By the clock: small packets fill the room of the socket long before its octets do, and the system asks whether there is room again
     * only every fifth of a second. */
    for (time_t until = time(NULL) + 30; time(NULL) < until && net->b.received.len < 3000;)
        loop_turn(net->loop);
    assert_int_equal(net->b.received.len, 3000);
    raw_free(&raw);
}

static int make_files(void **state)
{
    (void)state;
    char *error = NULL;
    if (!mkdtemp(directory))
        return -1;
    snprintf(certificate, sizeof certificate, "%s/crt", directory);
    snprintf(key, sizeof key, "%s/key", directory);
    return tls_make_self_signed("gw.example.org", certificate, key, &error) == 1 ? 0 : -1;
}

static int remove_files(void **state)
{
    (void)state;
    unlink(certificate);
    unlink(key);
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NET_TEST(key_updates_are_read_one_in_a_turn),
        NET_TEST(sessions_are_not_resumed),
        NET_TEST(renegotiation_is_refused),
        NET_TEST(tiny_records_are_read),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
