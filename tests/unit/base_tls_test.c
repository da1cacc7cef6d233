#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/base_stream_fixture.h"

/* Certificates made once for all tests: "a" for localhost, "b" for other.example. */
static char directory[40];
static struct {
    char certificate[2][80], key[2][80];
} files;

static struct tls_context *server_context(int which)
{
    char *error = NULL;
    struct tls_context *context = tls_context_new_server(files.certificate[which], files.key[which], &error);
    assert_non_null(context);
    return context;
}

static struct tls_context *client_context(enum tls_verify verify, const char *ca_file)
{
    char *error = NULL;
    struct tls_context *context = tls_context_new_client(verify, ca_file, &error);
    assert_non_null(context);
    return context;
}

/* The pin of a certificate file, by way of its DER form. */
static void pin_of(const char *file, char pin_out[static TLS_PIN_SIZE])
{
    FILE *in = fopen(file, "r");
    assert_non_null(in);
    X509 *certificate = PEM_read_X509(in, NULL, NULL, NULL);
    fclose(in);
    assert_non_null(certificate);
    unsigned char *der = NULL;
    int len = i2d_X509(certificate, &der);
    unsigned char hash[32];
    assert_int_equal(EVP_Digest(der, (size_t)len, hash, NULL, EVP_sha256(), NULL), 1);
    snprintf(pin_out, TLS_PIN_SIZE, "sha256:");
    for (int i = 0; i < 32; i++)
        snprintf(pin_out + 7 + 2 * i, 3, "%02x", hash[i]);
    OPENSSL_free(der);
    X509_free(certificate);
}

/* Connects a client with implicit TLS to a server with certificate `which`; returns the client's transcript. */
static const char *connect_tls(struct net *net, int which, struct tls_context *client, const char *name,
                               const char *pin)
{
    net->accept_tls = server_context(which);
    net_listen(net);
    struct stream_target target = {
        .address = loop_listener_address(net->listener), .tls = client, .tls_name = name, .pin = pin
    };
    net_connect(net, &target);
    net_turn_until(net, &net->a, "TERSO");
    tls_context_free(&net->accept_tls);
    return net->a.transcript.data;
}

static void implicit_tls_carries_data_both_ways(void **state)
{
    struct net *net = *state;
    struct tls_context *client = client_context(TLS_VERIFY_NONE, NULL);
    assert_string_equal(connect_tls(net, 0, client, NULL, NULL), "CT");
    tls_context_free(&client); /* the stream keeps its own reference */
    assert_true(stream_is_tls(net->a.stream));
    assert_string_equal(stream_tls_version(net->a.stream), "TLSv1.3");
    assert_memory_equal(stream_tls_cipher(net->a.stream), "TLS_", 4);
    peer_write(&net->a, "from the client");
    net_turn_until(net, &net->b, "I");
    assert_string_equal(net->b.transcript.data, "TI");
    assert_string_equal(net->b.received.data, "from the client");
    assert_null(stream_peer_pin(net->b.stream)); /* the client showed no certificate */
    peer_write(&net->b, "from the server");
    net_turn_until(net, &net->a, "I");
    assert_string_equal(net->a.received.data, "from the server");
    stream_free(&net->a.stream); /* nothing unsent: says goodbye */
    net_turn_until(net, &net->b, "ERSO");
    assert_string_equal(net->b.transcript.data, "TIDE");
}

static void a_large_output_arrives_before_the_close(void **state)
{
    struct net *net = *state;
    enum { SIZE = 4 * 1024 * 1024 };
    struct tls_context *client = client_context(TLS_VERIFY_NONE, NULL);
    assert_string_equal(connect_tls(net, 0, client, NULL, NULL), "CT");
    tls_context_free(&client);
    char *big = xmalloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        big[i] = (char)(i * 37 % 253);
    for (size_t at = 0; at < SIZE; at += 1000) /* in odd pieces */
        stream_write(net->a.stream, big + at, SIZE - at < 1000 ? SIZE - at : 1000);
    stream_close_after_output(&net->a.stream);
    net_turn_until(net, &net->b, "ERSO");
    assert_int_equal(net->b.transcript.data[net->b.transcript.len - 1], 'E');
    assert_int_equal(net->b.received.len, SIZE);
    assert_memory_equal(net->b.received.data, big, SIZE);
    free(big);
}

/* Records are 16 KiB: with a smaller buffer, decrypted bytes wait in the library, unseen by the kernel. */
static void backpressure_works_within_a_record(void **state)
{
    struct net *net = *state;
    enum { SIZE = 40000 };
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    struct tls_context *server = server_context(0), *client = client_context(TLS_VERIFY_NONE, NULL);
    struct stream_settings a = peer_settings(&net->a, 0), b = peer_settings(&net->b, 1000);
    net->a.stream = stream_new_accepted(net->loop, &a, fds[0], NULL);
    net->b.stream = stream_new_accepted(net->loop, &b, fds[1], server);
    assert_int_equal(stream_start_tls_client(net->a.stream, client, NULL, NULL), 1);
    net_turn_until(net, &net->a, "TERSO");
    char *data = xmalloc(SIZE);
    memset(data, 'x', SIZE);
    net->b.leave_input = true;
    stream_write(net->a.stream, data, SIZE);
    net_turns(net, 20);
    assert_int_equal(stream_input_size(net->b.stream), 1000);
    stream_pause_input(net->b.stream, true);
    peer_take(&net->b);
    net_turns(net, 5);
    assert_int_equal(stream_input_size(net->b.stream), 0);
    net->b.leave_input = false;
    stream_pause_input(net->b.stream, false);
    net_turns(net, 200);
    assert_int_equal(net->b.received.len, SIZE);
    free(data);
    tls_context_free(&server);
    tls_context_free(&client);
}

/* Input and close_notify come together: the owner who pauses at the input must not be told of the end yet. */
static void the_end_waits_behind_paused_input(void **state)
{
    struct net *net = *state;
    for (int resume_at_once = 0; resume_at_once <= 1; resume_at_once++) {
        struct tls_context *client = client_context(TLS_VERIFY_NONE, NULL);
        strbuf_clear(&net->a.transcript);
        assert_string_equal(connect_tls(net, 0, client, NULL, NULL), "CT");
        tls_context_free(&client);
        net_turn_until(net, &net->b, "T");
        strbuf_clear(&net->b.transcript);
        strbuf_clear(&net->b.received);
        net->b.pause_once = true;
        net->b.resume_at_once = resume_at_once == 1;
        peer_write(&net->a, "last words");
        stream_close_after_output(&net->a.stream);
        net_turn_until(net, &net->b, "I");
        net_turns(net, 20);
        if (resume_at_once == 0) {
            assert_string_equal(net->b.transcript.data, "I");
            stream_pause_input(net->b.stream, false);
            net_turns(net, 3);
        }
        assert_string_equal(net->b.transcript.data, "IIE");
        assert_string_equal(net->b.received.data, "last words");
        stream_free(&net->b.stream);
        loop_listener_free(&net->listener);
    }
}

/* --- STARTTLS --- */

static void starttls(struct net *net, struct tls_context *client, const char *pin)
{
    net_pair(net, 0, 0);
    net->b.tls = server_context(0);
    net->a.leave_input = true;
    peer_write(&net->a, "STARTTLS\r\n");
    net_turn_until(net, &net->a, "I");
    const char *line;
    size_t len;
    assert_int_equal(stream_read_line(net->a.stream, 100, false, &line, &len, NULL), 1);
    assert_string_equal(line, "220 ready"); /* in plain, before the handshake */
    net->a.leave_input = false;
    net->a.inside = true;
    assert_int_equal(stream_start_tls_client(net->a.stream, client, "localhost", pin), 1);
    net->a.inside = false;
    peer_write(&net->a, "EHLO again\r\n"); /* waits for the handshake */
    net_turn_until(net, &net->a, "TERSO");
    tls_context_free(&net->b.tls);
}

static void starttls_upgrades_both_sides(void **state)
{
    struct net *net = *state;
    struct tls_context *client = client_context(TLS_VERIFY_CA, files.certificate[0]);
    starttls(net, client, NULL);
    net_turns(net, 10);
    assert_int_equal(net->b.start_tls_result, 1);
    assert_true(stream_is_tls(net->a.stream) && stream_is_tls(net->b.stream));
    assert_string_equal(net->b.received.data, "EHLO again\r\n");
    assert_int_equal(count_letters(&net->b.transcript, 'T'), 1);
    assert_int_equal(stream_start_tls_client(net->a.stream, client, NULL, NULL), -1); /* not twice */
    tls_context_free(&client);
}

static void commands_behind_starttls_are_refused(void **state)
{
    struct net *net = *state;
    net_pair(net, 0, 0);
    net->b.tls = server_context(0);
    peer_write(&net->a, "STARTTLS\r\nRSET\r\n");
    net_turns(net, 3);
    assert_int_equal(net->b.start_tls_result, -1);
    assert_false(stream_is_tls(net->b.stream));
    tls_context_free(&net->b.tls);
}

/* The injected command comes in a packet of its own: it must never be taken for input of the encrypted session. */
static void injected_bytes_after_starttls_are_no_input(void **state)
{
    struct net *net = *state;
    net_pair(net, 0, 0);
    net->b.tls = server_context(0);
    peer_write(&net->a, "STARTTLS\r\n");
    net_turns(net, 2);
    assert_int_equal(net->b.start_tls_result, 1);
    peer_write(&net->a, "RSET\r\nMAIL FROM:<bob@example.com>\r\n");
    net_turn_until(net, &net->b, "TERSO");
    assert_int_equal(net->b.transcript.data[net->b.transcript.len - 1], 'S');
    assert_string_equal(net->b.received.data, "");
    tls_context_free(&net->b.tls);
}

static void injected_replies_are_refused_by_the_client(void **state)
{
    struct net *net = *state;
    struct tls_context *client = client_context(TLS_VERIFY_NONE, NULL);
    net_pair(net, 0, 0);
    net->a.leave_input = true;
    peer_write(&net->b, "220 go\r\n250 injected\r\n");
    net_turns(net, 3);
    const char *line;
    size_t len;
    assert_int_equal(stream_read_line(net->a.stream, 100, false, &line, &len, NULL), 1);
    assert_int_equal(stream_start_tls_client(net->a.stream, client, NULL, NULL), -1);
    tls_context_free(&client);
}

static void a_handshake_does_not_take_for_ever(void **state)
{
    struct net *net = *state;
    net_pair(net, 0, 0);
    net->b.tls = server_context(0);
    peer_write(&net->a, "STARTTLS\r\n");
    net_turns(net, 5);
    clock_advance(net->clock, 29999);
    net_turns(net, 2);
    assert_null(strchr(net->b.transcript.data, 'O'));
    clock_advance(net->clock, 1);
    net_turns(net, 2);
    assert_non_null(strchr(net->b.transcript.data, 'O'));
    tls_context_free(&net->b.tls);
}

static void a_silent_tls_server_is_a_timeout_for_the_client(void **state)
{
    struct net *net = *state;
    struct tls_context *client = client_context(TLS_VERIFY_NONE, NULL);
    net_listen(net); /* plain: it never answers the handshake */
    struct stream_target target = { .address = loop_listener_address(net->listener),
                                    .tls = client,
                                    .connect_timeout_ms = 5000 };
    net->b.leave_input = true;
    net_connect(net, &target);
    net_turn_until(net, &net->b, "I");
    clock_advance(net->clock, 5000);
    net_turns(net, 3);
    assert_string_equal(net->a.transcript.data, "O");
    tls_context_free(&client);
}

static void a_plain_answer_is_a_tls_failure(void **state)
{
    struct net *net = *state;
    struct tls_context *client = client_context(TLS_VERIFY_NONE, NULL);
    net_listen(net);
    struct stream_target target = { .address = loop_listener_address(net->listener), .tls = client };
    net_connect(net, &target);
    while (net->b.stream == NULL)
        loop_turn(net->loop);
    peer_write(&net->b, "220 plain.example.com ESMTP\r\n");
    net_turn_until(net, &net->a, "TERSO");
    assert_string_equal(net->a.transcript.data, "S");
    assert_memory_equal(net->a.detail, "TLS handshake: ", 15);
    tls_context_free(&client);
}

/* TCP closed without close_notify: the rest may have been cut off, so it is no orderly end. */
static void a_truncated_session_is_a_reset(void **state)
{
    struct net *net = *state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    int keep = dup(fds[0]);
    struct tls_context *server = server_context(0), *client = client_context(TLS_VERIFY_NONE, NULL);
    struct stream_settings a = peer_settings(&net->a, 0), b = peer_settings(&net->b, 0);
    net->a.stream = stream_new_accepted(net->loop, &a, fds[0], NULL);
    net->b.stream = stream_new_accepted(net->loop, &b, fds[1], server);
    assert_int_equal(stream_start_tls_client(net->a.stream, client, NULL, NULL), 1);
    net_turn_until(net, &net->b, "TERSO");
    peer_write(&net->a, "half a sent");
    net_turns(net, 5);
    shutdown(keep, SHUT_RDWR); /* behind the back of TLS */
    close(keep);
    net_turn_until(net, &net->b, "ERSO");
    assert_string_equal(net->b.received.data, "half a sent");
    assert_int_equal(net->b.transcript.data[net->b.transcript.len - 1], 'R');
    assert_non_null(strstr(net->b.detail, "close_notify"));
    tls_context_free(&server);
    tls_context_free(&client);
}

static void freeing_in_tls_callbacks_is_fine(void **state)
{
    struct net *net = *state;
    static const char letters[] = { 'C', 'T', 'I', 'D' };
    for (size_t i = 0; i < sizeof letters; i++) {
        struct tls_context *client = client_context(TLS_VERIFY_NONE, NULL);
        net->a.free_at = letters[i];
        net->accept_tls = server_context(0);
        net_listen(net);
        strbuf_clear(&net->a.transcript);
        strbuf_clear(&net->b.transcript);
        net_connect(net, &(struct stream_target){ .address = loop_listener_address(net->listener), .tls = client });
        peer_write(&net->a, "x");
        net_turn_until(net, &net->b, "TERSO");
        if (net->b.stream != NULL)
            peer_write(&net->b, "y");
        for (int k = 0; k < 2000000 && net->a.stream != NULL; k++)
            loop_turn(net->loop);
        assert_null(net->a.stream);
        stream_free(&net->b.stream);
        loop_listener_free(&net->listener);
        tls_context_free(&net->accept_tls);
        tls_context_free(&client);
        net_turns(net, 3);
    }
}

/* --- Whom we talk to --- */

static void certificates_are_verified_by_ca_and_name(void **state)
{
    struct net *net = *state;
    static const struct {
        int server;
        int ca;
        const char *name;
        const char *transcript, *detail;
    } rows[] = {
        { 0, 0, "localhost", "CT", "" },
        { 0, 0, "LOCALHOST", "CT", "" },
        { 0, 0, "other.example", "S", "certificate refused: hostname mismatch" },
        { 0, 0, NULL, "S", "certificate refused: IP address mismatch" }, /* the target is 127.0.0.1 */
        { 0, 0, "127.0.0.1", "S", "certificate refused: IP address mismatch" },
        { 0, 1, "localhost", "S", "certificate refused: self-signed certificate" },
        { 1, 1, "other.example", "CT", "" },
        { 1, 1, "www.other.example", "S", "certificate refused: hostname mismatch" },
        { 1, 1, "", "S", "no usable host name" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tls_context *client = client_context(TLS_VERIFY_CA, files.certificate[rows[i].ca]);
        strbuf_clear(&net->a.transcript);
        assert_string_equal(connect_tls(net, rows[i].server, client, rows[i].name, NULL), rows[i].transcript);
        if (strstr(net->a.detail, rows[i].detail) == NULL)
            fail_msg("row %zu: %s", i, net->a.detail);
        net_turns(net, 3);
        stream_free(&net->a.stream);
        stream_free(&net->b.stream);
        loop_listener_free(&net->listener);
        tls_context_free(&client);
    }
}

static void verification_without_a_name_fails(void **state)
{
    struct net *net = *state;
    struct tls_context *client = client_context(TLS_VERIFY_CA, files.certificate[0]);
    net_pair(net, 0, 0);
    assert_int_equal(stream_start_tls_client(net->a.stream, client, NULL, NULL), 1);
    net_turns(net, 3);
    assert_string_equal(net->a.transcript.data, "S");
    assert_non_null(strstr(net->a.detail, "name"));
    tls_context_free(&client);
}

static void the_system_store_does_not_know_us(void **state)
{
    struct net *net = *state;
    struct tls_context *client = client_context(TLS_VERIFY_CA, NULL);
    assert_string_equal(connect_tls(net, 0, client, "localhost", NULL), "S");
    tls_context_free(&client);
}

static void pins_are_compared(void **state)
{
    struct net *net = *state;
    char pins[2][TLS_PIN_SIZE];
    pin_of(files.certificate[0], pins[0]);
    pin_of(files.certificate[1], pins[1]);
    const struct {
        const char *pin, *transcript;
    } rows[] = {
        { NULL, "CT" }, /* first use: accepted and reported */
        { pins[0], "CT" }, { pins[1], "S" }, { "sha256:", "S" }, { "", "S" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct tls_context *client = client_context(TLS_VERIFY_PIN, NULL);
        strbuf_clear(&net->a.transcript);
        assert_string_equal(connect_tls(net, 0, client, NULL, rows[i].pin), rows[i].transcript);
        assert_string_equal(stream_peer_pin(net->a.stream), pins[0]);
        if (rows[i].transcript[0] == 'C') /* made for ten years a moment ago */
            assert_true(stream_peer_expires(net->a.stream) > time(NULL) + INT64_C(9) * 365 * 24 * 3600);
        if (rows[i].transcript[0] == 'S') {
            assert_non_null(strstr(net->a.detail, rows[i].pin));
            assert_non_null(strstr(net->a.detail, pins[0]));
        }
        net_turns(net, 3);
        stream_free(&net->a.stream);
        stream_free(&net->b.stream);
        loop_listener_free(&net->listener);
        tls_context_free(&client);
    }
}

static void a_wrong_pin_at_starttls_sends_nothing(void **state)
{
    struct net *net = *state;
    char pin[TLS_PIN_SIZE];
    pin_of(files.certificate[1], pin);
    struct tls_context *client = client_context(TLS_VERIFY_PIN, NULL);
    starttls(net, client, pin);
    net_turns(net, 10);
    assert_int_equal(net->a.transcript.data[net->a.transcript.len - 1], 'S');
    assert_string_equal(net->b.received.data, ""); /* not even what was written before */
    tls_context_free(&client);
}

/* --- Files --- */

static void bad_files_are_named(void **state)
{
    (void)state;
    const struct {
        const char *certificate, *key, *error;
    } rows[] = {
        { "/nowhere/c.pem", files.key[0], "/nowhere/c.pem: No such file" },
        { files.certificate[0], "/nowhere/k.pem", "/nowhere/k.pem: No such file" },
        { files.key[0], files.key[0], files.key[0] },         /* no certificate in it */
        { files.certificate[0], files.key[1], files.key[1] }, /* of another certificate */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *error = NULL;
        assert_null(tls_context_new_server(rows[i].certificate, rows[i].key, &error));
        assert_non_null(error);
        assert_memory_equal(error, rows[i].error, strlen(rows[i].error));
        free(error);
    }
    char *error = NULL;
    assert_null(tls_context_new_client(TLS_VERIFY_CA, "/nowhere/ca.pem", &error));
    assert_memory_equal(error, "/nowhere/ca.pem: ", 17);
    free(error);
}

static X509 *read_certificate(const char *file)
{
    FILE *in = fopen(file, "r");
    assert_non_null(in);
    X509 *certificate = PEM_read_X509(in, NULL, NULL, NULL);
    fclose(in);
    assert_non_null(certificate);
    return certificate;
}

static void self_signed_certificates_say_who_they_are(void **state)
{
    (void)state;
    struct stat status;
    assert_int_equal(stat(files.key[0], &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    X509 *certificate = read_certificate(files.certificate[0]);
    assert_int_equal(X509_check_host(certificate, "localhost", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(certificate, "other.example", 0, 0, NULL), 0);
    int days = 0, seconds = 0;
    assert_int_equal(ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate)), 1);
    assert_true(days >= 3650 && days <= 3653);
    char group[40] = "";
    assert_int_equal(EVP_PKEY_get_group_name(X509_get0_pubkey(certificate), group, sizeof group, NULL), 1);
    assert_string_equal(group, "prime256v1");
    X509_free(certificate);
}

static void names_of_certificates_are_data(void **state)
{
    (void)state;
    static const struct {
        const char *name, *host, *ip;
    } rows[] = {
        { "192.0.2.1", NULL, "192.0.2.1" },
        { "2001:db8::1", NULL, "2001:db8::1" },
        { "a.example,DNS:evil.example", NULL, NULL },
        { "a-very-long-label-to-get-beyond-sixty-four-bytes.of-a-common-name.example",
          "a-very-long-label-to-get-beyond-sixty-four-bytes.of-a-common-name.example", NULL },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char certificate_file[100], key_file[100], *error = NULL;
        snprintf(certificate_file, sizeof certificate_file, "%s/named.crt", directory);
        snprintf(key_file, sizeof key_file, "%s/named.key", directory);
        assert_int_equal(tls_make_self_signed(rows[i].name, certificate_file, key_file, &error), 1);
        X509 *certificate = read_certificate(certificate_file);
        assert_int_equal(X509_check_host(certificate, "evil.example", 0, 0, NULL), 0);
        if (rows[i].host != NULL)
            assert_int_equal(X509_check_host(certificate, rows[i].host, 0, 0, NULL), 1);
        if (rows[i].ip != NULL)
            assert_int_equal(X509_check_ip_asc(certificate, rows[i].ip, 0), 1);
        X509_free(certificate);
        unlink(certificate_file);
        unlink(key_file);
    }
}

static void existing_files_are_not_overwritten(void **state)
{
    (void)state;
    char other[100], *error = NULL;
    snprintf(other, sizeof other, "%s/new", directory);
    struct stat before, after; /* of somebody who was killed between the two files */
    assert_int_equal(stat(files.key[0], &before), 0);
    assert_int_equal(tls_make_self_signed("x", other, files.key[0], &error), 1);
    assert_int_equal(stat(files.key[0], &after), 0);
    assert_true(before.st_ino == after.st_ino && before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
    X509 *made = read_certificate(other), *first = read_certificate(files.certificate[0]);
    assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(made), X509_get0_pubkey(first)), 1);
    X509_free(made);
    X509_free(first);
    unlink(other);
    assert_int_equal(tls_make_self_signed("x", other, files.certificate[0], &error), -1); /* no key in it */
    assert_non_null(strstr(error, files.certificate[0]));
    free(error);
    assert_int_equal(access(other, F_OK), -1);
    assert_int_equal(tls_make_self_signed("x", files.certificate[0], other, &error), -1);
    assert_non_null(strstr(error, files.certificate[0]));
    free(error);
    assert_int_equal(access(other, F_OK), -1); /* no key is left behind */
}

static int make_files(void **state)
{
    (void)state;
    static const char *const names[] = { "localhost", "other.example" };
    snprintf(directory, sizeof directory, "/tmp/tls-test-XXXXXX");
    if (mkdtemp(directory) == NULL)
        return -1;
    for (int i = 0; i < 2; i++) {
        char *error = NULL;
        snprintf(files.certificate[i], sizeof files.certificate[i], "%s/%d.crt", directory, i);
        snprintf(files.key[i], sizeof files.key[i], "%s/%d.key", directory, i);
        if (tls_make_self_signed(names[i], files.certificate[i], files.key[i], &error) != 1)
            return -1;
    }
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        unlink(files.certificate[i]);
        unlink(files.key[i]);
    }
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NET_TEST(implicit_tls_carries_data_both_ways),
        NET_TEST(a_large_output_arrives_before_the_close),
        NET_TEST(backpressure_works_within_a_record),
        NET_TEST(the_end_waits_behind_paused_input),
        NET_TEST(starttls_upgrades_both_sides),
        NET_TEST(commands_behind_starttls_are_refused),
        NET_TEST(injected_bytes_after_starttls_are_no_input),
        NET_TEST(injected_replies_are_refused_by_the_client),
        NET_TEST(a_handshake_does_not_take_for_ever),
        NET_TEST(a_silent_tls_server_is_a_timeout_for_the_client),
        NET_TEST(a_plain_answer_is_a_tls_failure),
        NET_TEST(a_truncated_session_is_a_reset),
        NET_TEST(freeing_in_tls_callbacks_is_fine),
        NET_TEST(certificates_are_verified_by_ca_and_name),
        NET_TEST(verification_without_a_name_fails),
        NET_TEST(the_system_store_does_not_know_us),
        NET_TEST(pins_are_compared),
        NET_TEST(a_wrong_pin_at_starttls_sends_nothing),
        NET_TEST(bad_files_are_named),
        NET_TEST(self_signed_certificates_say_who_they_are),
        NET_TEST(names_of_certificates_are_data),
        NET_TEST(existing_files_are_not_overwritten),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
