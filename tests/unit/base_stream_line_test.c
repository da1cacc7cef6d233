#include "tests/unit/base_stream_fixture.h"

/* Reads all lines that are there and writes them as "<line>" (CRLF), "(line)" (bare LF), then "." for incomplete or
 * "!" for too long. NUL is shown as '0', CR as 'r', LF as 'n'. */
static void read_lines(struct stream *stream, size_t max, bool lf_ok, struct strbuf *out)
{
    const char *line;
    size_t len;
    bool crlf;
    int result;
    while ((result = stream_read_line(stream, max, lf_ok, &line, &len, &crlf)) == 1) {
        assert_int_equal(line[len], '\0');
        strbuf_add_char(out, crlf ? '<' : '(');
        for (size_t i = 0; i < len; i++)
            strbuf_add_char(out, line[i] == '\0' ? '0' : line[i] == '\r' ? 'r' : line[i] == '\n' ? 'n' : line[i]);
        strbuf_add_char(out, crlf ? '>' : ')');
    }
    strbuf_add_char(out, result == 0 ? '.' : '!');
}

static void lines_are_bounded_and_end_where_they_should(void **state)
{
    struct net *net = *state;
    static const struct {
        const char *input;
        size_t len;
        bool lf_ok;
        const char *lines; /* max is 5 */
    } rows[] = {
        { "", 0, false, "." },
        { "\r\n", 2, false, "<>." },
        { "abc\r\nde\r\n", 9, false, "<abc><de>." },
        { "abc\r\nde", 7, false, "<abc>." },
        { "abcde\r\n", 7, false, "<abcde>." }, /* exactly the maximum */
        { "abcdef\r\n", 8, false, "!" },       /* one more */
        { "abcde", 5, false, "." },
        { "abcde\r", 6, false, "." }, /* may still be a line of five */
        { "abcde\r\r", 7, false, "!" },
        { "abcdef", 6, false, "!" }, /* cannot become one */
        { "abcdefgh", 8, false, "!" },
        { "ab\ncd\r\n", 7, false, "<abncd>." }, /* a bare LF is no line end, but content */
        { "ab\ncd\r\n", 7, true, "(ab)<cd>." },
        { "\n\n", 2, true, "()()." },
        { "\n\n", 2, false, "." },
        { "ab\rcd\r\n", 7, false, "<abrcd>." },
        { "ab\rcd\r\n", 7, true, "<abrcd>." },
        { "a\r\r\n", 4, false, "<ar>." },
        { "\n\r\n", 3, false, "<n>." },
        { "a\0b\r\n", 5, false, "<a0b>." },
        { "\0\0\0\0\0\r\n", 7, false, "<00000>." },
        { "abcde\n", 6, true, "(abcde)." },
        { "abcdef\n", 7, true, "!" },
        { "abcde\r\n", 7, true, "<abcde>." },
        { "abcdef\n", 7, false, "!" },
        { "a\r\nabcdefgh\r\n", 13, false, "<a>!" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        net->b.leave_input = true;
        struct strbuf seen;
        strbuf_init(&seen, 1000);
        net_pair(net, 0, 0);
        stream_write(net->a.stream, rows[i].input, rows[i].len);
        net_turns(net, 3);
        read_lines(net->b.stream, 5, rows[i].lf_ok, &seen);
        assert_string_equal(seen.data, rows[i].lines);

        /* The same byte by byte gives the same lines. */
        struct strbuf pieces;
        strbuf_init(&pieces, 1000);
        const uint8_t *rest;
        stream_consume(net->b.stream, stream_peek(net->b.stream, &rest));
        for (size_t k = 0; k < rows[i].len; k++) {
            stream_write(net->a.stream, rows[i].input + k, 1);
            net_turns(net, 3);
            if (pieces.len > 0 && pieces.data[pieces.len - 1] == '!')
                break;
            if (pieces.len > 0)
                strbuf_truncate(&pieces, pieces.len - 1);
            read_lines(net->b.stream, 5, rows[i].lf_ok, &pieces);
        }
        if (rows[i].len > 0)
            assert_string_equal(pieces.data, rows[i].lines);
        strbuf_free(&pieces);
        strbuf_free(&seen);
        stream_free(&net->a.stream);
        stream_free(&net->b.stream);
    }
}

static void a_line_that_fills_the_buffer_without_end_is_too_long(void **state)
{
    struct net *net = *state;
    net->b.leave_input = true;
    net_pair(net, 0, 16);
    peer_write(&net->a, "0123456789abcdef0123");
    net_turns(net, 3);
    const char *line;
    size_t len;
    assert_int_equal(stream_input_size(net->b.stream), 16);
    assert_int_equal(stream_read_line(net->b.stream, 1000, false, &line, &len, NULL), -1);
    assert_int_equal(stream_input_size(net->b.stream), 16); /* nothing was taken */
}

static void a_huge_maximum_does_not_overflow(void **state)
{
    struct net *net = *state;
    net->b.leave_input = true;
    net_pair(net, 0, 0);
    peer_write(&net->a, "abc\r\n");
    net_turns(net, 3);
    const char *line;
    size_t len;
    assert_int_equal(stream_read_line(net->b.stream, SIZE_MAX, false, &line, &len, NULL), 1);
    assert_string_equal(line, "abc");
    assert_int_equal(len, 3);
}

static void lines_and_bytes_can_be_read_in_turn(void **state)
{
    struct net *net = *state;
    net->b.leave_input = true;
    net_pair(net, 0, 0);
    peer_write(&net->a, "BDAT 4\r\nab\r\nNOOP\r\n");
    net_turns(net, 3);
    const char *line;
    const uint8_t *data;
    size_t len;
    assert_int_equal(stream_read_line(net->b.stream, 100, false, &line, &len, NULL), 1);
    assert_string_equal(line, "BDAT 4");
    assert_true(stream_peek(net->b.stream, &data) >= 4);
    assert_memory_equal(data, "ab\r\n", 4);
    stream_consume(net->b.stream, 4);
    assert_int_equal(stream_read_line(net->b.stream, 100, false, &line, &len, NULL), 1);
    assert_string_equal(line, "NOOP");
    assert_int_equal(stream_input_size(net->b.stream), 0);
    assert_int_equal(stream_peek(net->b.stream, &data), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        NET_TEST(lines_are_bounded_and_end_where_they_should),
        NET_TEST(a_line_that_fills_the_buffer_without_end_is_too_long),
        NET_TEST(a_huge_maximum_does_not_overflow),
        NET_TEST(lines_and_bytes_can_be_read_in_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
