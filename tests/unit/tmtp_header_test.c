/* Tests of tmtp_header: requests and pushes, and the checksum. */
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
#include "tmtp/tmtp_header.h"

#define UID "RW+9DDBQ63RVMK67VPHFH1214L%G2JGX"

static struct tmtp_request decode_request(const char *json)
{
    struct tmtp_request request;
    const char *error = NULL;
    if (tmtp_request_decode(json, strlen(json), &request, &error) != 1)
        fail_msg("%s: %s", json, error);
    return request;
}

static struct tmtp_push decode_push(const char *json)
{
    struct tmtp_push push;
    const char *error = NULL;
    if (tmtp_push_decode(json, strlen(json), &push, &error) != 1)
        fail_msg("%s: %s", json, error);
    return push;
}

/* --- requests --- */

static void names_are_matched_without_regard_to_case(void **state)
{
    (void)state;
    static const char *const spellings[] = {
        "{\"op\":2,\"uid\":\"U\",\"node\":\"N\",\"datalen\":3}",
        "{\"Op\":2,\"Uid\":\"U\",\"Node\":\"N\",\"DataLen\":3}",
        "{\"NODE\":\"N\",\"DATALEN\":3,\"UID\":\"U\",\"OP\":2}",
        "{\"node\":\"N\",\"unknown\":[{\"node\":\"M\"}],\"Uid\":\"U\",\"oP\":2,\"dataLEN\":3,\"act\":null}",
    };
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        struct tmtp_request request = decode_request(spellings[i]);
        assert_int_equal(request.op, TMTP_OP_LOGIN);
        assert_string_equal(request.uid, "U");
        assert_string_equal(request.node, "N");
        assert_int_equal(request.datalen, 3);
        assert_null(request.act);
        assert_null(request.id);
        tmtp_request_free(&request);
        assert_null(request.uid);
    }
}

static void malformed_requests_are_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "x",
        "[]",
        "[\"op\",1]",
        "{\"op\":1}x",
        "{\"id\":\"1\"}",
        "{\"op\":null}",
        "{\"op\":\"1\"}",
        "{\"op\":1.0}",
        "{\"op\":-1}",
        "{\"op\":13}",
        "{\"op\":11,\"op\":11}",
        "{\"op\":11,\"Op\":11}", /* which one counts? */
        "{\"op\":7,\"for\":[],\"For\":[]}",
        "{\"op\":7,\"for\":[{\"id\":\"a\",\"ID\":\"b\"}]}",
        "{\"op\":7,\"id\":1}",
        "{\"op\":7,\"datalen\":\"1\"}",
        "{\"op\":7,\"datalen\":-1}",
        "{\"op\":7,\"datalen\":1.5}",
        "{\"op\":7,\"datalen\":9223372036854775808}", /* 2^63 */
        "{\"op\":7,\"datalen\":99999999999999999999999}",
        "{\"op\":7,\"datasum\":-1}",
        "{\"op\":7,\"for\":{}}",
        "{\"op\":7,\"for\":[1]}",
        "{\"op\":7,\"for\":[{\"id\":\"a\",\"type\":128}]}", /* one byte at the reference server */
        "{\"op\":7,\"for\":[{\"id\":\"a\",\"type\":\"1\"}]}",
        "{\"op\":8,\"fornotself\":1}",
        "{\"op\":1,\"oidc\":\"x\"}",
        "{\"op\":1,\"newalias\":\"a\\u0000b\"}", /* NUL is for ids only */
        "{\"op\":1,\"newalias\":\"\xff\xfe\"}",
        "{\"op\":1,\"newalias\":\"\xed\xa0\x80\"}", /* a surrogate */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tmtp_request request;
        const char *error = NULL;
        if (tmtp_request_decode(cases[i], strlen(cases[i]), &request, &error) == 1)
            fail_msg("taken: %s", cases[i]);
        assert_non_null(error);
    }
}

static void an_id_may_hold_anything(void **state)
{
    (void)state;
    struct tmtp_request request = decode_request("{\"op\":11,\"id\":\"pBob\\u0000_01a2 \\\"\xe2\x82\xac\"}");
    assert_int_equal(request.id_len, 15);
    assert_memory_equal(request.id, "pBob\0_01a2 \"\xe2\x82\xac", 15);
    const struct tmtp_push ack = { .op = TMTP_PUSH_ACK, .id = request.id, .id_len = request.id_len };
    struct strbuf out;
    strbuf_init(&out, 1000);
    assert_int_equal(tmtp_push_compose(&out, &ack, false), 1);
    assert_string_equal(out.data, "0029{\"id\":\"pBob\\u0000_01a2 \\\"\xe2\x82\xac\",\"op\":\"ack\"}");
    strbuf_free(&out);
    tmtp_request_free(&request);
}

static void numbers_have_64_bits(void **state)
{
    (void)state;
    struct tmtp_request request = decode_request("{\"op\":7,\"datalen\":9223372036854775807,\"datahead\":4294967296,"
                                                 "\"datasum\":9223372036854775807,\"notesum\":0}");
    assert_true(request.datalen == UINT64_C(9223372036854775807));
    assert_true(request.datahead == UINT64_C(4294967296));
    assert_true(request.has_datasum && request.datasum == UINT64_C(9223372036854775807));
    assert_true(request.has_notesum && request.notesum == 0);
    tmtp_request_free(&request);
    /* A checksum that uses the highest bit can't be told, but is no reason to refuse the rest. */
    request = decode_request("{\"op\":7,\"datasum\":18446744073709551615,\"id\":\"99999999999999999999\"}");
    assert_false(request.has_datasum);
    assert_string_equal(request.id, "99999999999999999999");
    tmtp_request_free(&request);
}

static void an_empty_list_of_recipients_is_not_no_list(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        bool has;
        size_t count;
    } cases[] = {
        { "{\"op\":7}", false, 0 },
        { "{\"op\":7,\"for\":null}", false, 0 },
        { "{\"op\":7,\"for\":[]}", true, 0 },
        { "{\"op\":7,\"for\":[{\"id\":\"a\",\"type\":3},{\"Id\":\"b\"}]}", true, 2 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tmtp_request request = decode_request(cases[i].json);
        assert_int_equal(request.has_for, cases[i].has);
        assert_int_equal(request.for_count, cases[i].count);
        if (cases[i].count == 2) {
            assert_int_equal(request.for_list[0].type, TMTP_FOR_GROUP_OTHERS);
            assert_string_equal(request.for_list[1].id, "b");
            assert_int_equal(request.for_list[1].type, 0);
        }
        tmtp_request_free(&request);
    }
}

static void requests_are_composed(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "{\"op\":0,\"id\":\"1\"}",
        "{\"op\":1,\"newnode\":\"x\",\"newalias\":\"bob@example.com\",\"oidc\":{\"token_type\":\"Bearer\",\"expires_"
        "in\":5}}",
        "{\"op\":2,\"uid\":\"" UID "\",\"node\":\"N\"}",
        "{\"op\":7,\"id\":\"a\\u0000b\",\"datalen\":5,\"datahead\":2,\"datasum\":0,\"for\":[{\"id\":\"" UID
        "\",\"type\":1}]}",
        "{\"op\":7,\"id\":\"1\",\"datalen\":1,\"for\":[]}",
        "{\"op\":8,\"id\":\"1\",\"datalen\":5,\"notelen\":2,\"notehead\":1,\"notesum\":7,\"for\":[],\"notefor\":[{"
        "\"id\":\"g "
        "1\",\"type\":2}],\"fornotself\":true}",
        "{\"op\":9,\"id\":\"1\",\"from\":\"a <&>\",\"to\":\"b\"}",
        "{\"op\":6,\"id\":\"1\",\"to\":\"b\",\"gid\":\"g\",\"act\":\"drop\"}",
        "{\"op\":10,\"id\":\"1\",\"type\":\"ok\"}",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tmtp_request request = decode_request(cases[i]);
        struct strbuf out;
        strbuf_init(&out, 1000);
        assert_int_equal(tmtp_request_compose(&out, &request), 1);
        assert_string_equal(out.data + 4, cases[i]); /* nothing lost, nothing added */
        char digits[5] = { out.data[0], out.data[1], out.data[2], out.data[3], '\0' };
        assert_int_equal(strtoul(digits, NULL, 16), strlen(cases[i]));
        strbuf_free(&out);
        tmtp_request_free(&request);
    }
}

static void what_is_too_long_or_no_utf8_is_not_composed(void **state)
{
    (void)state;
    struct strbuf out;
    strbuf_init(&out, 200 * 1000);
    char *text = xmalloc(TMTP_FRAME_HEADER_MAX);
    memset(text, 'x', TMTP_FRAME_HEADER_MAX);
    text[TMTP_FRAME_HEADER_MAX - 1] = '\0';
    struct tmtp_request request = { .op = TMTP_OP_LOGIN, .uid = text };
    assert_int_equal(tmtp_request_compose(&out, &request), -1);
    snprintf(text, 10, "%s", "\xff");
    assert_int_equal(tmtp_request_compose(&out, &request), -1);
    struct tmtp_push push = { .op = TMTP_PUSH_QUIT, .error = text };
    assert_int_equal(tmtp_push_compose(&out, &push, false), -1);
    assert_int_equal(out.len, 0);
    free(text);
    strbuf_free(&out);
}

/* --- pushes --- */

static void pushes_are_known_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        enum tmtp_push_op op;
        bool needs_ack;
    } cases[] = {
        { "{\"op\":\"tmtprev\",\"id\":\"1\"}", TMTP_PUSH_TMTPREV, false },
        { "{\"op\":\"registered\"}", TMTP_PUSH_REGISTERED, false },
        { "{\"op\":\"info\"}", TMTP_PUSH_INFO, false },
        { "{\"op\":\"ack\",\"id\":\"1\"}", TMTP_PUSH_ACK, false },
        { "{\"op\":\"quit\"}", TMTP_PUSH_QUIT, false },
        { "{\"op\":\"ohi\",\"from\":\"" UID "\",\"status\":2}", TMTP_PUSH_OHI, false },
        { "{\"op\":\"delivery\",\"id\":\"1\"}", TMTP_PUSH_DELIVERY, true },
        { "{\"op\":\"notify\",\"id\":\"1\"}", TMTP_PUSH_NOTIFY, true },
        { "{\"op\":\"ping\",\"id\":\"1\"}", TMTP_PUSH_PING, true },
        { "{\"op\":\"invite\",\"id\":\"1\"}", TMTP_PUSH_INVITE, true },
        { "{\"op\":\"member\",\"id\":\"1\"}", TMTP_PUSH_MEMBER, true },
        { "{\"op\":\"user\",\"id\":\"1\"}", TMTP_PUSH_USER, true },
        { "{\"op\":\"login\",\"id\":\"1\"}", TMTP_PUSH_LOGIN, true },
        { "{\"op\":\"ohiedit\",\"id\":\"1\",\"for\":[{\"Id\":\"a\",\"Type\":0}]}", TMTP_PUSH_OHIEDIT, true },
        { "{\"op\":\"something\",\"id\":\"1\"}", TMTP_PUSH_UNKNOWN, true },
        { "{\"op\":\"something\"}", TMTP_PUSH_UNKNOWN, false },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tmtp_push push = decode_push(cases[i].json);
        assert_int_equal(push.op, cases[i].op);
        assert_int_equal(tmtp_push_needs_ack(&push), cases[i].needs_ack);
        tmtp_push_free(&push);
    }
    struct tmtp_push push;
    const char *error = NULL;
    assert_int_equal(tmtp_push_decode("{\"id\":\"1\"}", 10, &push, &error), -1);
    assert_string_equal(error, "op is missing");
}

static void a_push_has_its_fields(void **state)
{
    (void)state;
    struct tmtp_push push =
        decode_push("{\"op\":\"delivery\",\"id\":\"18ea9c0692e6697c\",\"From\":\"" UID "\",\"posted\":"
                    "\"2026-11-23T07:29:18.716Z\",\"datalen\":5000000000,\"datahead\":2,\"datasum\":0,"
                    "\"notify\":3,\"ohi\":[\"a\",\"b\"],\"status\":1}");
    assert_string_equal(push.id, "18ea9c0692e6697c");
    assert_int_equal(push.id_len, 16);
    assert_string_equal(push.from, UID);
    assert_string_equal(push.posted, "2026-11-23T07:29:18.716Z");
    assert_true(push.datalen == UINT64_C(5000000000));
    assert_int_equal(push.datahead, 2);
    assert_true(push.has_datasum && push.datasum == 0);
    assert_false(push.has_headsum);
    assert_int_equal(push.notify, 3);
    assert_int_equal(push.ohi_count, 2);
    assert_string_equal(push.ohi[1], "b");
    tmtp_push_free(&push);
}

static void authentication_is_required_unless_there_is_a_way_around(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        bool required;
    } cases[] = {
        { "{\"op\":\"tmtprev\"}", false },
        { "{\"op\":\"tmtprev\",\"auth\":0,\"authby\":null}", false },
        { "{\"op\":\"tmtprev\",\"auth\":1,\"authby\":[{\"label\":\"X\",\"login\":[\"https://x\",\"y\"]}]}", true },
        { "{\"op\":\"tmtprev\",\"auth\":2,\"authby\":[{\"Label\":\"X\",\"Login\":[\"https://x\",\"y\"]}]}", true },
        { "{\"op\":\"tmtprev\",\"auth\":1,\"authby\":[{\"label\":\"none\"},{\"label\":\"X\",\"login\":[\"u\"]}]}",
          false },
        { "{\"op\":\"tmtprev\",\"auth\":1}", true },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tmtp_push push = decode_push(cases[i].json);
        assert_int_equal(push.auth_required, cases[i].required);
        tmtp_push_free(&push);
    }
}

/* --- the checksum --- */

/* As the reference server sent them. */
static const char *const summed[] = {
    "{\"alias\":\"Alice Member\",\"datalen\":2,\"from\":\"" UID "\",\"headsum\":3836358251,\"id\":\"18ea9c0692e6697b\","
    "\"op\":\"ping\",\"posted\":\"2026-11-23T07:29:16.708Z\",\"to\":\"Bob \\u0026 \\u003cC\xc3\xb6\\u003e\"}",
    "{\"datahead\":2,\"datalen\":5,\"datasum\":99,\"from\":\"" UID
    "\",\"headsum\":1232824033,\"id\":\"18ea9c0692e6697c\","
    "\"op\":\"delivery\",\"posted\":\"2026-11-23T07:29:18.716Z\"}",
};

static void checksums_of_the_reference_server_match(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof summed / sizeof *summed; i++) {
        struct tmtp_push push = decode_push(summed[i]);
        assert_true(push.has_headsum);
        assert_true(tmtp_header_sum_matches(summed[i], strlen(summed[i]), &push));
        char *damaged = xstrdup(summed[i]);
        damaged[strlen(damaged) - 4] ^= 1;
        assert_false(tmtp_header_sum_matches(damaged, strlen(damaged), &push));
        free(damaged);
        tmtp_push_free(&push);
    }
}

static void pushes_are_composed_as_the_reference_server_does(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof summed / sizeof *summed; i++) {
        struct tmtp_push push = decode_push(summed[i]);
        struct strbuf out;
        strbuf_init(&out, 1000);
        assert_int_equal(tmtp_push_compose(&out, &push, true), 1);
        assert_string_equal(out.data + 4, summed[i]);
        strbuf_free(&out);
        tmtp_push_free(&push);
    }
}

static void the_checksum_may_stand_anywhere(void **state)
{
    (void)state;
    static const struct {
        const char *rest, *whole; /* without and with the checksum N */
    } cases[] = {
        { "{\"op\":\"ping\",\"id\":\"1\"}", "{\"op\":\"ping\",\"id\":\"1\",\"headsum\":N}" },
        { "{\"op\":\"ping\",\"id\":\"1\"}", "{\"headsum\":N,\"op\":\"ping\",\"id\":\"1\"}" },
        { "{\"op\":\"ping\",\"id\":\"1\"}", "{\"op\":\"ping\",\"HeadSum\":N,\"id\":\"1\"}" },
        { "{\"op\":\"ping\",\"to\":\"headsum\"}", "{\"op\":\"ping\",\"to\":\"headsum\",\"headsum\":N}" },
        { "{\"op\":\"ping\",\"to\":\"a\\\"headsum\\\":1,\"}",
          "{\"op\":\"ping\",\"to\":\"a\\\"headsum\\\":1,\",\"headsum\":N}" },
        { "{\"x\":{\"headsum\":5},\"op\":\"ping\"}", "{\"x\":{\"headsum\":5},\"headsum\":N,\"op\":\"ping\"}" },
        { "{\"x\":[\"headsum\"],\"op\":\"ping\"}", "{\"x\":[\"headsum\"],\"op\":\"ping\",\"headsum\":N}" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *n = strstr(cases[i].whole, ":N") + 1;
        struct strbuf head;
        strbuf_init(&head, 1000);
        assert_int_equal(tmtp_frame_compose(&head, cases[i].rest, strlen(cases[i].rest)), 1);
        /* the plainest CRC-32C there is */
        uint32_t sum = UINT32_MAX;
        for (size_t b = 0; b < head.len * 8; b++) {
            uint32_t bit = ((unsigned char)head.data[b / 8] >> b % 8 & 1) ^ (sum & 1);
            sum = sum >> 1 ^ (bit ? UINT32_C(0x82F63B78) : 0);
        }
        char whole[300];
        snprintf(whole, sizeof whole, "%.*s%u%s", (int)(n - cases[i].whole), cases[i].whole, (unsigned)~sum, n + 1);
        struct tmtp_push push = decode_push(whole);
        if (!tmtp_header_sum_matches(whole, strlen(whole), &push))
            fail_msg("%s", whole);
        push.headsum++;
        assert_false(tmtp_header_sum_matches(whole, strlen(whole), &push));
        tmtp_push_free(&push);
        strbuf_free(&head);
    }
    struct tmtp_push none = decode_push("{\"op\":\"ping\"}");
    assert_true(tmtp_header_sum_matches("{\"op\":\"ping\"}", 13, &none));
    tmtp_push_free(&none);
}

static void tokens_are_reduced_to_what_a_silo_needs(void **state)
{
    (void)state;
    static const struct {
        const char *text, *oidc; /* oidc NULL: refused */
        const char *error;
    } rows[] = {
        { "{\"token_type\":\"Bearer\",\"expires_in\":3600,\"id_token\":\"a.b.c\",\"access_token\":\"x\"}",
          "{\"token_type\":\"Bearer\",\"expires_in\":3600,\"id_token\":\"a.b.c\",\"access_token\":\"x\"}", NULL },
        /* what nobody but the provider may have, and what the reference server would choke on */
        { "\n {\"refresh_token\":\"r\",\"ext\":{\"a\":[1]},\"expires_in\":\"3600\",\"Id_Token\":\"a.b.c\"}\r\n",
          "{\"token_type\":\"Bearer\",\"id_token\":\"a.b.c\"}", NULL },
        { "eyJh-_09.e30.c2ln\n", "{\"token_type\":\"Bearer\",\"id_token\":\"eyJh-_09.e30.c2ln\"}", NULL },
        { "", NULL, "it is empty" },
        { " \r\n", NULL, "it is empty" },
        { "{\"id_token\":\"a.b\"}", NULL, "it has no id_token of three parts" },
        { "{\"id_token\":\"a.b.c.d\"}", NULL, "it has no id_token of three parts" },
        { "{\"access_token\":\"a.b.c\"}", NULL, "it has no id_token of three parts" },
        { "{\"id_token\":7}", NULL, "a member of it is of the wrong type" },
        { "{\"id_token\":\"a.b.c\"", NULL, "it is no JSON object" },
        { "[\"a.b.c\"]", NULL, "it is neither a JSON object nor an id token" },
        { "id_token=a.b.c", NULL, "it is neither a JSON object nor an id token" },
        { "{\"error\":\"invalid_grant\"}", NULL, "it has no id_token of three parts" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *oidc = NULL;
        const char *error = NULL;
        int result = tmtp_token_normalise(rows[i].text, strlen(rows[i].text), &oidc, &error);
        assert_int_equal(result, rows[i].oidc ? 1 : -1);
        if (rows[i].oidc)
            assert_string_equal(oidc, rows[i].oidc);
        else
            assert_string_equal(error, rows[i].error);
        free(oidc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_matched_without_regard_to_case),
        cmocka_unit_test(malformed_requests_are_refused),
        cmocka_unit_test(an_id_may_hold_anything),
        cmocka_unit_test(numbers_have_64_bits),
        cmocka_unit_test(an_empty_list_of_recipients_is_not_no_list),
        cmocka_unit_test(requests_are_composed),
        cmocka_unit_test(what_is_too_long_or_no_utf8_is_not_composed),
        cmocka_unit_test(pushes_are_known_by_name),
        cmocka_unit_test(a_push_has_its_fields),
        cmocka_unit_test(authentication_is_required_unless_there_is_a_way_around),
        cmocka_unit_test(checksums_of_the_reference_server_match),
        cmocka_unit_test(pushes_are_composed_as_the_reference_server_does),
        cmocka_unit_test(the_checksum_may_stand_anywhere),
        cmocka_unit_test(tokens_are_reduced_to_what_a_silo_needs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
