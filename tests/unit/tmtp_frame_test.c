/* Tests of tmtp_frame: any cut of the byte stream gives the same frames; what is no frame is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "tmtp/tmtp_frame.h"

/* Feeds the input in pieces and writes down what comes out: H(header) D(data, joined) E or !(error). The number of data
 * bytes is what follows the '=' in a header. */
static void transcribe(const char *input, size_t len, size_t piece_size, size_t header_max, struct strbuf *out)
{
    struct tmtp_frame_decoder *dec = tmtp_frame_decoder_new(header_max);
    enum tmtp_frame_event event = TMTP_FRAME_MORE;
    for (size_t at = 0; at < len && event != TMTP_FRAME_BAD; at += piece_size) {
        const uint8_t *piece = (const uint8_t *)input + at;
        size_t left = len - at < piece_size ? len - at : piece_size;
        while ((event = tmtp_frame_feed(dec, &piece, &left)) != TMTP_FRAME_MORE && event != TMTP_FRAME_BAD) {
            size_t got;
            if (event == TMTP_FRAME_HEADER) {
                const char *header = tmtp_frame_header(dec, &got);
                const char *equals = strchr(header, '=');
                assert_int_equal(strlen(header), got);
                strbuf_add_fmt(out, "H(%s)", header);
                tmtp_frame_expect(dec, equals != NULL ? strtoull(equals + 1, NULL, 10) : 0);
            } else if (event == TMTP_FRAME_DATA) {
                const uint8_t *data = tmtp_frame_data(dec, &got);
                strbuf_add(out, data, got);
            } else {
                strbuf_add_char(out, 'E');
            }
        }
        assert_int_equal(left == 0 || event == TMTP_FRAME_BAD, 1);
    }
    if (event == TMTP_FRAME_BAD) {
        const uint8_t *more = (const uint8_t *)"0008{\"op\":0}";
        size_t left = 12;
        strbuf_add_fmt(out, "!%s", tmtp_frame_error(dec));
        assert_int_equal(tmtp_frame_feed(dec, &more, &left), TMTP_FRAME_BAD); /* it stays bad */
    }
    tmtp_frame_decoder_free(&dec);
    assert_null(dec);
}

static void frames_come_out_however_the_stream_is_cut(void **state)
{
    (void)state;
    static const struct {
        const char *input, *expected;
    } cases[] = {
        { "0008{\"op\":0}", "H({\"op\":0})E" },
        { "0008{\"op\":0}000B{\"op\":  11}", "H({\"op\":0})EH({\"op\":  11})E" }, /* digits in upper case */
        { "000b{\"len\"  =3}abc0008{\"op\":0}", "H({\"len\"  =3})abcEH({\"op\":0})E" },
        { "000b{\"len\"  =9}abc", "H({\"len\"  =9})abc" }, /* unfinished */
        { "000b{\"len\"", "" },
        { "00", "" },
        { "0007{\"o\":0}", "!invalid header length" },
        { "0000", "!invalid header length" },
        { "00g8{\"op\":0}", "!invalid header length" },
        { "0x08{\"op\":0}", "!invalid header length" },
        { " 008{\"op\":0}", "!invalid header length" },
        { "-008{\"op\":0}", "!invalid header length" },
        { "0065{", "!invalid header length" }, /* 101 bytes, where 100 are the most */
        { "0008{\"op\":0}zzzz", "H({\"op\":0})E!invalid header length" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t piece = 1; piece <= strlen(cases[i].input); piece++) {
            struct strbuf out;
            strbuf_init(&out, 1000);
            transcribe(cases[i].input, strlen(cases[i].input), piece, 100, &out);
            assert_string_equal(out.data, cases[i].expected);
            strbuf_free(&out);
        }
    }
}

static void the_longest_header_is_taken(void **state)
{
    (void)state;
    char *input = xmalloc(TMTP_FRAME_HEADER_MAX + 5);
    snprintf(input, 5, "ffff");
    memset(input + 4, 'x', TMTP_FRAME_HEADER_MAX);
    struct strbuf out;
    strbuf_init(&out, 2 * TMTP_FRAME_HEADER_MAX);
    transcribe(input, TMTP_FRAME_HEADER_MAX + 4, 1000, TMTP_FRAME_HEADER_MAX, &out);
    assert_int_equal(out.len, TMTP_FRAME_HEADER_MAX + 4); /* H()E */
    strbuf_free(&out);
    free(input);
}

static void data_may_be_longer_than_32_bits_count(void **state)
{
    (void)state;
    struct tmtp_frame_decoder *dec = tmtp_frame_decoder_new(TMTP_FRAME_HEADER_MAX);
    const uint8_t *input = (const uint8_t *)"0008{\"op\":0}";
    size_t left = 12;
    assert_int_equal(tmtp_frame_feed(dec, &input, &left), TMTP_FRAME_HEADER);
    uint64_t announced = UINT64_C(5) << 32;
    tmtp_frame_expect(dec, announced);
    static uint8_t block[1 << 20];
    enum tmtp_frame_event event;
    uint64_t seen = 0;
    do {
        const uint8_t *piece = block;
        size_t size = sizeof block;
        while ((event = tmtp_frame_feed(dec, &piece, &size)) == TMTP_FRAME_DATA) {
            size_t got;
            assert_ptr_equal(tmtp_frame_data(dec, &got), block); /* nothing is copied */
            seen += got;
        }
    } while (event == TMTP_FRAME_MORE);
    assert_int_equal(event, TMTP_FRAME_END);
    assert_true(seen == announced);
    tmtp_frame_decoder_free(&dec);
}

static void heads_are_composed_with_their_length(void **state)
{
    (void)state;
    struct strbuf out;
    char *longest = xcalloc(1, TMTP_FRAME_HEADER_MAX + 1);
    strbuf_init(&out, 100 * 1000);
    assert_int_equal(tmtp_frame_compose(&out, "{\"op\":10}", 9), 1);
    assert_string_equal(out.data, "0009{\"op\":10}");
    assert_int_equal(tmtp_frame_compose(&out, "{\"o\":1}", 7), -1);
    assert_int_equal(tmtp_frame_compose(&out, longest, TMTP_FRAME_HEADER_MAX + 1), -1);
    assert_string_equal(out.data, "0009{\"op\":10}"); /* nothing is added when it fails */
    assert_int_equal(tmtp_frame_compose(&out, longest, TMTP_FRAME_HEADER_MAX), 1);
    assert_memory_equal(out.data + 13, "ffff", 4);
    free(longest);
    strbuf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_come_out_however_the_stream_is_cut),
        cmocka_unit_test(the_longest_header_is_taken),
        cmocka_unit_test(data_may_be_longer_than_32_bits_count),
        cmocka_unit_test(heads_are_composed_with_their_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
