#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/base_stream_fixture.h"

static void what_one_writes_the_other_reads(void **state)
{
    struct net *net = *state;
    net_pair(net, 0, 0);
    peer_write(&net->a, "hello ");
    peer_write(&net->a, "world");
    assert_int_equal(stream_pending_output(net->a.stream), 11);
    net_turns(net, 2);
    assert_string_equal(net->b.received.data, "hello world");
    assert_string_equal(net->b.transcript.data, "I"); /* two writes, one packet */
    assert_string_equal(net->a.transcript.data, "D");
    assert_int_equal(stream_pending_output(net->a.stream), 0);
    assert_false(stream_is_tls(net->a.stream));
    assert_null(stream_tls_version(net->a.stream));
    assert_null(stream_tls_cipher(net->a.stream));
    assert_null(stream_peer_pin(net->a.stream));
    peer_write(&net->b, "answer");
    net_turns(net, 2);
    assert_string_equal(net->a.received.data, "answer");
}

static void input_that_is_left_is_announced_once(void **state)
{
    struct net *net = *state;
    net->b.leave_input = true;
    net_pair(net, 0, 0);
    peer_write(&net->a, "abc");
    net_turns(net, 5);
    assert_string_equal(net->b.transcript.data, "I");
    peer_write(&net->a, "def");
    net_turns(net, 5);
    assert_string_equal(net->b.transcript.data, "II");
    assert_int_equal(stream_input_size(net->b.stream), 6);
}

static void input_stops_at_the_limit_and_goes_on_when_taken(void **state)
{
    struct net *net = *state;
    net->b.leave_input = true;
    net_pair(net, 0, 10);
    peer_write(&net->a, "0123456789abcdefghij-");
    net_turns(net, 5);
    assert_int_equal(stream_input_size(net->b.stream), 10);
    assert_string_equal(net->b.transcript.data, "I");
    net->b.inside = true;
    stream_consume(net->b.stream, 4);
    net->b.inside = false;
    assert_int_equal(stream_input_size(net->b.stream), 6);
    net_turns(net, 5);
    assert_int_equal(stream_input_size(net->b.stream), 10);
    const uint8_t *data;
    assert_int_equal(stream_peek(net->b.stream, &data), 10);
    assert_memory_equal(data, "456789abcd", 10);
    assert_string_equal(net->b.transcript.data, "II");
    net->b.leave_input = false;
    peer_take(&net->b);
    net_turns(net, 5);
    assert_string_equal(net->b.received.data, "456789abcdefghij-");
}

/* So that whoever reads next (TLS) finds all that was not asked for. */
static void a_changed_limit_counts_from_now_on(void **state)
{
    struct net *net = *state;
    net_pair(net, 0, 3);
    net->b.leave_input = true;
    peer_write(&net->a, "0123456789abcdefghij-");
    net_turns(net, 5);
    assert_int_equal(stream_input_size(net->b.stream), 3);
    stream_set_input_max(net->b.stream, 5);
    net_turns(net, 5);
    assert_int_equal(stream_input_size(net->b.stream), 5);
    stream_set_input_max(net->b.stream, 2); /* what is there stays */
    net_turns(net, 5);
    assert_int_equal(stream_input_size(net->b.stream), 5);
    stream_consume(net->b.stream, 5);
    net_turns(net, 5);
    assert_int_equal(stream_input_size(net->b.stream), 2);
    assert_string_equal(net->b.transcript.data, "III");
    stream_set_input_max(net->b.stream, 0);
    net->b.leave_input = false;
    net_turns(net, 5);
    assert_string_equal(net->b.received.data, "56789abcdefghij-");
}

static void a_paused_stream_reads_nothing(void **state)
{
    struct net *net = *state;
    net_pair(net, 0, 0);
    stream_pause_input(net->b.stream, true);
    peer_write(&net->a, "abc");
    net_turns(net, 5);
    assert_string_equal(net->b.transcript.data, "");
    assert_int_equal(stream_input_size(net->b.stream), 0);
    net->b.inside = true;
    stream_pause_input(net->b.stream, false);
    net->b.inside = false;
    net_turns(net, 2);
    assert_string_equal(net->b.received.data, "abc");
}

static void resuming_announces_what_is_buffered(void **state)
{
    struct net *net = *state;
    net->b.leave_input = true;
    net_pair(net, 0, 0);
    peer_write(&net->a, "abc");
    net_turns(net, 2);
    stream_pause_input(net->b.stream, true);
    peer_write(&net->a, "def");
    net_turns(net, 5);
    assert_string_equal(net->b.transcript.data, "I");
    net->b.leave_input = false;
    stream_pause_input(net->b.stream, false);
    net_turns(net, 1);
    assert_string_equal(net->b.transcript.data, "II");
    assert_string_equal(net->b.received.data, "abcdef");
    net_turns(net, 5);
    assert_string_equal(net->b.transcript.data, "II");
}

/* --- The end --- */

static void input_comes_before_the_end(void **state)
{
    struct net *net = *state;
    net_pair(net, 0, 0);
    peer_write(&net->a, "last words");
    stream_close_after_output(&net->a.stream);
    assert_null(net->a.stream);
    net_turns(net, 5);
    assert_string_equal(net->b.transcript.data, "IE");
    assert_string_equal(net->b.received.data, "last words");
    assert_string_equal(net->a.transcript.data, ""); /* no owner, no callbacks */
}

/* More than fits into the buffer at once: the end must wait for all of it. */
static void input_beyond_the_limit_comes_before_the_end(void **state)
{
    struct net *net = *state;
    net->b.leave_input = true;
    net_pair(net, 0, 4);
    peer_write(&net->a, "0123456789");
    stream_close_after_output(&net->a.stream);
    net_turns(net, 5);
    assert_string_equal(net->b.transcript.data, "I");
    net->b.leave_input = false;
    peer_take(&net->b);
    net_turns(net, 10);
    assert_string_equal(net->b.received.data, "0123456789");
    assert_int_equal(net->b.transcript.data[net->b.transcript.len - 1], 'E');
    assert_int_equal(count_letters(&net->b.transcript, 'E'), 1);
}

static void the_end_waits_while_the_owner_pauses(void **state)
{
    struct net *net = *state;
    net->b.leave_input = true;
    net_pair(net, 0, 0);
    peer_write(&net->a, "abc");
    net_turns(net, 2);
    stream_pause_input(net->b.stream, true);
    stream_close_after_output(&net->a.stream);
    net_turns(net, 5);
    assert_string_equal(net->b.transcript.data, "I");
    stream_pause_input(net->b.stream, false);
    net_turns(net, 5);
    assert_string_equal(net->b.transcript.data, "IIE");
    assert_int_equal(stream_input_size(net->b.stream), 3); /* and what was left can still be read */
}

static void after_the_peer_closed_output_still_goes(void **state)
{
    struct net *net = *state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    struct stream_settings settings = peer_settings(&net->b, 0);
    net->b.stream = stream_new_accepted(net->loop, &settings, fds[1], NULL);
    assert_int_equal(write(fds[0], "QUIT\r\n", 6), 6);
    shutdown(fds[0], SHUT_WR);
    net_turns(net, 3);
    assert_string_equal(net->b.transcript.data, "IE");
    peer_write(&net->b, "221 bye\r\n");
    stream_close_after_output(&net->b.stream);
    net_turns(net, 3);
    char text[20] = "";
    assert_int_equal(read(fds[0], text, sizeof text), 9);
    assert_string_equal(text, "221 bye\r\n");
    assert_int_equal(read(fds[0], text, sizeof text), 0);
    close(fds[0]);
}

static void a_lost_connection_is_a_reset(void **state)
{
    struct net *net = *state;
    net_pair(net, 0, 0);
    peer_write(&net->b, "unread");
    net_turns(net, 1);
    stream_free(&net->a.stream); /* with input unread: the kernel resets */
    peer_write(&net->b, "more");
    net_turns(net, 5);
    assert_int_equal(net->b.transcript.data[net->b.transcript.len - 1], 'R');
    assert_true(strlen(net->b.detail) > 0);
    assert_int_equal(stream_pending_output(net->b.stream), 0);
    peer_write(&net->b, "into the void");
    assert_int_equal(stream_pending_output(net->b.stream), 0);
    net_turns(net, 5);
    assert_int_equal(net->b.transcript.data[net->b.transcript.len - 1], 'R');
}

static void refuse_and_close(void *arg)
{
    const int *fd = arg;
    assert_int_equal(write(*fd, "421 go away\r\n", 13), 13);
    close(*fd);
}

/* The server refuses with a reply and closes while the client is still writing: the reply must not be lost. */
static void a_reply_is_read_even_when_writing_fails(void **state)
{
    struct net *net = *state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    struct stream_settings settings = peer_settings(&net->a, 0);
    net->a.stream = stream_new_accepted(net->loop, &settings, fds[0], NULL);
    loop_defer(net->loop, refuse_and_close, &fds[1]); /* after the turn's reading, before its writing */
    peer_write(&net->a, "MAIL FROM:<>\r\n");
    net_turns(net, 3);
    assert_string_equal(net->a.received.data, "421 go away\r\n");
    assert_string_equal(net->a.transcript.data, "IR");
}

static void freeing_in_any_callback_is_fine(void **state)
{
    struct net *net = *state;
    static const char letters[] = { 'I', 'D', 'E', 'R' };
    for (size_t i = 0; i < sizeof letters; i++) {
        net->b.free_at = letters[i];
        net_pair(net, 0, 0);
        strbuf_clear(&net->b.transcript);
        peer_write(&net->b, "x");
        peer_write(&net->a, "y");
        net_turns(net, 3);
        if (letters[i] == 'E')
            stream_close_after_output(&net->a.stream);
        if (letters[i] == 'R') {
            peer_write(&net->b, "unread");
            loop_turn(net->loop);
            net->a.leave_input = true;
            stream_free(&net->a.stream);
            peer_write(&net->b, "more");
        }
        net_turns(net, 5);
        assert_null(net->b.stream);
        assert_int_equal(net->b.transcript.data[net->b.transcript.len - 1], letters[i]);
        stream_free(&net->a.stream);
        net_turns(net, 3);
    }
}

static void freeing_right_away_is_silent(void **state)
{
    struct net *net = *state;
    net_pair(net, 0, 0);
    peer_write(&net->a, "never sent");
    stream_free(&net->a.stream);
    net_turns(net, 3);
    assert_string_equal(net->a.transcript.data, "");
    assert_string_equal(net->b.transcript.data, "E");
    stream_free(&net->a.stream); /* again: nothing */
}

/* --- Closing after output --- */

static void closing_delivers_all_of_a_large_output(void **state)
{
    struct net *net = *state;
    enum { SIZE = 8 * 1024 * 1024 };
    char *big = xmalloc(SIZE);
    for (size_t i = 0; i < SIZE; i++)
        big[i] = (char)(i * 31 % 251);
    net_listen(net);
    net_connect(net, &(struct stream_target){ .address = loop_listener_address(net->listener) });
    net_turn_until(net, &net->a, "C");
    stream_write(net->a.stream, big, SIZE);
    stream_close_after_output(&net->a.stream);
    net_turn_until(net, &net->b, "ERSO");
    assert_int_equal(net->b.transcript.data[net->b.transcript.len - 1], 'E');
    assert_int_equal(net->b.received.len, SIZE);
    assert_memory_equal(net->b.received.data, big, SIZE);
    free(big);
}

/* The peer is in the middle of sending when we hang up: it must see our last line, not a reset. */
static void the_last_line_survives_unread_input(void **state)
{
    struct net *net = *state;
    net_listen(net);
    net->b.leave_input = true;
    net_connect(net, &(struct stream_target){ .address = loop_listener_address(net->listener) });
    net_turn_until(net, &net->a, "C");
    while (net->b.stream == NULL)
        loop_turn(net->loop);
    char chunk[4096] = { 0 };
    stream_write(net->a.stream, chunk, sizeof chunk);
    net_turn_until(net, &net->b, "I");
    for (int i = 0; i < 50; i++)
        stream_write(net->a.stream, chunk, sizeof chunk);
    peer_write(&net->b, "554 enough\r\n");
    stream_close_after_output(&net->b.stream);
    net_turn_until(net, &net->a, "ERSO");
    assert_int_equal(net->a.transcript.data[net->a.transcript.len - 1], 'E');
    assert_string_equal(net->a.received.data, "554 enough\r\n");
}

/* A client that is still sending gets two seconds to notice that we have hung up. */
static void input_after_our_close_is_discarded(void **state)
{
    struct net *net = *state;
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    struct stream_settings settings = peer_settings(&net->b, 0);
    net->b.stream = stream_new_accepted(net->loop, &settings, fds[1], NULL);
    peer_write(&net->b, "554 enough\r\n");
    stream_close_after_output(&net->b.stream);
    for (int i = 0; i < 5; i++) {
        net_turns(net, 2);
        assert_int_equal(send(fds[0], "more", 4, MSG_NOSIGNAL), 4);
    }
    char text[20] = "";
    assert_int_equal(read(fds[0], text, sizeof text), 12);
    assert_string_equal(text, "554 enough\r\n");
    assert_int_equal(read(fds[0], text, sizeof text), 0);
    clock_advance(net->clock, 2000);
    net_turns(net, 2);
    assert_int_equal(send(fds[0], "more", 4, MSG_NOSIGNAL), -1);
    close(fds[0]);
}

/* Each wait keeps a descriptor: of a crowd that is turned away only some are waited for. */
static void only_some_are_waited_for(void **state)
{
    struct net *net = *state;
    enum { CROWD = 100, WAITED_FOR = 64 };
    int ends[CROWD];
    int open = 0;
    for (int i = 0; i < CROWD; i++) {
        int fds[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
        struct stream_settings settings = peer_settings(&net->b, 0);
        struct stream *stream = stream_new_accepted(net->loop, &settings, fds[1], NULL);
        stream_write(stream, "554 enough\r\n", 12);
        stream_close_after_output(&stream);
        net_turns(net, 2);
        ends[i] = fds[0];
    }
    for (int i = 0; i < CROWD; i++) {
        char text[20] = "";
        assert_int_equal(read(ends[i], text, sizeof text), 12);
        assert_string_equal(text, "554 enough\r\n");
        assert_int_equal(read(ends[i], text, sizeof text), 0);
        open += send(ends[i], "more", 4, MSG_NOSIGNAL) == 4;
        close(ends[i]);
    }
    assert_int_equal(open, WAITED_FOR);
}

static void closing_gives_up_after_ten_seconds(void **state)
{
    struct net *net = *state;
    enum { SIZE = 4 * 1024 * 1024 };
    char *big = xcalloc(1, SIZE);
    net_pair(net, 0, 0);
    stream_pause_input(net->b.stream, true);
    stream_write(net->a.stream, big, SIZE);
    free(big);
    stream_close_after_output(&net->a.stream);
    net_turns(net, 5);
    clock_advance(net->clock, 9999);
    net_turns(net, 2);
    clock_advance(net->clock, 1);
    net_turns(net, 2);
    stream_pause_input(net->b.stream, false);
    net_turns(net, 100);
    assert_true(net->b.received.len > 0 && net->b.received.len < SIZE);
    assert_true(count_letters(&net->b.transcript, 'E') + count_letters(&net->b.transcript, 'R') == 1);
}

static void freeing_the_loop_ends_farewells(void **state)
{
    struct net *net = *state;
    enum { SIZE = 4 * 1024 * 1024 };
    char *big = xcalloc(1, SIZE);
    net_pair(net, 0, 0);
    stream_pause_input(net->b.stream, true);
    stream_write(net->a.stream, big, SIZE);
    free(big);
    stream_close_after_output(&net->a.stream);
    net_turns(net, 2);
    /* The tear-down frees the loop; leak checking does the rest. */
}

/* --- Idling --- */

static void silence_is_a_timeout(void **state)
{
    struct net *net = *state;
    net_pair(net, 0, 0);
    stream_set_idle_timeout(net->b.stream, 1000);
    net_turns(net, 1);
    clock_advance(net->clock, 900);
    net_turns(net, 1);
    peer_write(&net->a, "x");
    net_turns(net, 3);
    clock_advance(net->clock, 900);
    net_turns(net, 1);
    assert_string_equal(net->b.transcript.data, "I");
    clock_advance(net->clock, 100);
    net_turns(net, 2);
    assert_string_equal(net->b.transcript.data, "IO");
    /* A server can still say why it hangs up. */
    peer_write(&net->b, "421 too slow\r\n");
    stream_close_after_output(&net->b.stream);
    net_turns(net, 3);
    assert_string_equal(net->a.received.data, "421 too slow\r\n");
}

static void a_pause_is_not_silence(void **state)
{
    struct net *net = *state;
    net_pair(net, 0, 0);
    stream_set_idle_timeout(net->b.stream, 1000);
    stream_pause_input(net->b.stream, true);
    clock_advance(net->clock, 5000);
    net_turns(net, 3);
    assert_string_equal(net->b.transcript.data, "");
    stream_pause_input(net->b.stream, false);
    clock_advance(net->clock, 999);
    net_turns(net, 3);
    assert_string_equal(net->b.transcript.data, "");
    clock_advance(net->clock, 1);
    net_turns(net, 3);
    assert_string_equal(net->b.transcript.data, "O");
}

static void output_that_does_not_move_is_a_timeout(void **state)
{
    struct net *net = *state;
    enum { SIZE = 4 * 1024 * 1024 };
    char *big = xcalloc(1, SIZE);
    net_pair(net, 0, 0);
    stream_pause_input(net->b.stream, true);
    stream_set_idle_timeout(net->a.stream, 1000);
    stream_write(net->a.stream, big, SIZE);
    free(big);
    net_turns(net, 2);
    clock_advance(net->clock, 600);
    /* A peer that talks but takes nothing is stuck all the same. */
    peer_write(&net->b, "chatter");
    net_turns(net, 2);
    clock_advance(net->clock, 600);
    net_turns(net, 2);
    assert_int_equal(net->a.transcript.data[net->a.transcript.len - 1], 'O');
}

static void without_a_limit_silence_may_last(void **state)
{
    struct net *net = *state;
    net_pair(net, 0, 0);
    stream_set_idle_timeout(net->b.stream, 1000);
    stream_set_idle_timeout(net->b.stream, 0);
    clock_advance(net->clock, 100000000);
    net_turns(net, 3);
    assert_string_equal(net->b.transcript.data, "");
}

/* --- Connecting --- */

static void a_client_connects(void **state)
{
    struct net *net = *state;
    net_listen(net);
    net_connect(net, &(struct stream_target){ .address = loop_listener_address(net->listener) });
    peer_write(&net->a, "early"); /* before the connection is up */
    net_turn_until(net, &net->a, "C");
    net_turn_until(net, &net->b, "I");
    assert_string_equal(net->b.received.data, "early");
    assert_string_equal(net->a.transcript.data, "CD");
}

static void a_name_is_looked_up(void **state)
{
    struct net *net = *state;
    net_listen(net);
    char address[100];
    snprintf(address, sizeof address, "localhost:%s", strchr(loop_listener_address(net->listener), ':') + 1);
    net_connect(net, &(struct stream_target){ .address = address });
    net_turn_until(net, &net->a, "CERSO");
    assert_string_equal(net->a.transcript.data, "C");
}

static void a_lookup_may_be_abandoned(void **state)
{
    struct net *net = *state;
    net_connect(net, &(struct stream_target){ .address = "localhost:1" });
    net_turns(net, 1);
    stream_free(&net->a.stream);
    net_turns(net, 3);
    assert_string_equal(net->a.transcript.data, "");
}

static void a_unix_socket_is_connected(void **state)
{
    struct net *net = *state;
    char directory[] = "/tmp/stream-test-XXXXXX", address[100];
    assert_non_null(mkdtemp(directory));
    snprintf(address, sizeof address, "unix:%s/s", directory);
    const char *error;
    net->listener = loop_listener_new(net->loop, address, net_accepted, net, &error);
    assert_non_null(net->listener);
    net_connect(net, &(struct stream_target){ .address = address });
    net_turn_until(net, &net->a, "CERSO");
    assert_string_equal(net->a.transcript.data, "C");
    loop_listener_free(&net->listener);
    rmdir(directory);
}

static void what_cannot_be_connected_ends_with_a_reason(void **state)
{
    struct net *net = *state;
    /* A port that was just free: nobody listens there. */
    net_listen(net);
    char closed[100];
    snprintf(closed, sizeof closed, "%s", loop_listener_address(net->listener));
    loop_listener_free(&net->listener);
    const struct {
        const char *address, *detail;
    } rows[] = {
        { closed, "Connection refused" },  { "unix:/nowhere/socket", "unix:/nowhere/socket: No such file" },
        { "127.0.0.1", "not an address" }, { "127.0.0.1:99999", "not an address" },
        { "", "not an address" },          { "no-such-host.invalid:25", "no-such-host.invalid:25: " },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        strbuf_clear(&net->a.transcript);
        net_connect(net, &(struct stream_target){ .address = rows[i].address });
        net_turn_until(net, &net->a, "CERSO");
        assert_string_equal(net->a.transcript.data, "R");
        if (strstr(net->a.detail, rows[i].detail) == NULL)
            fail_msg("%s: %s", rows[i].address, net->a.detail);
        stream_free(&net->a.stream);
    }
}

/* A listener whose backlog is full swallows connections. */
static void no_answer_is_a_timeout(void **state)
{
    struct net *net = *state;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(listen(fd, 0), 0); /* binds to a free port of all addresses */
    struct sockaddr_in bound = { .sin_port = 0 };
    socklen_t len = sizeof bound;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&bound, &len), 0);
    char address[100];
    snprintf(address, sizeof address, "127.0.0.1:%u", ntohs(bound.sin_port));
    struct peer fillers[4] = { 0 };
    struct stream_target target = { .address = address, .connect_timeout_ms = 5000 };
    for (size_t i = 0; i < 4; i++) {
        struct stream_settings settings = peer_settings(&fillers[i], 0);
        strbuf_init(&fillers[i].transcript, 100);
        strbuf_init(&fillers[i].received, 100);
        fillers[i].stream = stream_new_connecting(net->loop, &settings, &target);
    }
    net_turns(net, 20);
    net_connect(net, &target);
    net_turns(net, 20);
    assert_string_equal(net->a.transcript.data, "");
    clock_advance(net->clock, 4999);
    net_turns(net, 2);
    assert_string_equal(net->a.transcript.data, "");
    clock_advance(net->clock, 1);
    net_turns(net, 2);
    assert_string_equal(net->a.transcript.data, "O");
    assert_non_null(strstr(net->a.detail, "no answer"));
    for (size_t i = 0; i < 4; i++) {
        stream_free(&fillers[i].stream);
        strbuf_free(&fillers[i].transcript);
    }
    close(fd);
}

static void a_connecting_stream_can_be_freed(void **state)
{
    struct net *net = *state;
    net_listen(net);
    struct stream_target target = { .address = loop_listener_address(net->listener) };
    for (int turns = 0; turns < 4; turns++) {
        net_connect(net, &target);
        net_turns(net, turns);
        stream_free(&net->a.stream);
        net_turns(net, 3);
        stream_free(&net->b.stream);
    }
    strbuf_clear(&net->a.transcript);
    net->a.free_at = 'C';
    net_connect(net, &target);
    net_turn_until(net, &net->a, "C");
    assert_null(net->a.stream);
    net_connect(net, &target);
    net->a.free_at = '\0';
    stream_close_after_output(&net->a.stream); /* nobody is there yet: gone at once */
    assert_null(net->a.stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NET_TEST(what_one_writes_the_other_reads),
        NET_TEST(input_that_is_left_is_announced_once),
        NET_TEST(input_stops_at_the_limit_and_goes_on_when_taken),
        NET_TEST(a_changed_limit_counts_from_now_on),
        NET_TEST(a_paused_stream_reads_nothing),
        NET_TEST(resuming_announces_what_is_buffered),
        NET_TEST(input_comes_before_the_end),
        NET_TEST(input_beyond_the_limit_comes_before_the_end),
        NET_TEST(the_end_waits_while_the_owner_pauses),
        NET_TEST(after_the_peer_closed_output_still_goes),
        NET_TEST(a_lost_connection_is_a_reset),
        NET_TEST(a_reply_is_read_even_when_writing_fails),
        NET_TEST(freeing_in_any_callback_is_fine),
        NET_TEST(freeing_right_away_is_silent),
        NET_TEST(closing_delivers_all_of_a_large_output),
        NET_TEST(the_last_line_survives_unread_input),
        NET_TEST(input_after_our_close_is_discarded),
        NET_TEST(only_some_are_waited_for),
        NET_TEST(closing_gives_up_after_ten_seconds),
        NET_TEST(freeing_the_loop_ends_farewells),
        NET_TEST(silence_is_a_timeout),
        NET_TEST(a_pause_is_not_silence),
        NET_TEST(output_that_does_not_move_is_a_timeout),
        NET_TEST(without_a_limit_silence_may_last),
        NET_TEST(a_client_connects),
        NET_TEST(a_name_is_looked_up),
        NET_TEST(a_lookup_may_be_abandoned),
        NET_TEST(a_unix_socket_is_connected),
        NET_TEST(what_cannot_be_connected_ends_with_a_reason),
        NET_TEST(no_answer_is_a_timeout),
        NET_TEST(a_connecting_stream_can_be_freed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
