#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/http_head.h"

#define HOST "Host: x\n"

/* Lines end with LF here. The head when it is taken, else NULL with the status. */
static struct http_head *parse(const char *text, int *refusal_out)
{
    struct http_head *head = http_head_new();
    int result = 1;
    while (result == 1 && *text) {
        size_t len = strcspn(text, "\n");
        result = http_head_add_line(head, text, len);
        text += len + (text[len] == '\n');
    }
    if (result == 1)
        result = http_head_finish(head);
    *refusal_out = result == 1 ? 200 : http_head_refusal(head);
    if (result != 1)
        http_head_free(&head);
    return head;
}

static const struct {
    const char *text;
    int status;
} heads[] = {
    { "GET / HTTP/1.1\n" HOST, 200 },
    { "GET / HTTP/1.0\n", 200 },
    { "HEAD /a HTTP/1.1\n" HOST, 200 },
    { "POST /a HTTP/1.1\n" HOST "Content-Length: 0\n", 200 },
    { "GET http://x/a?b HTTP/1.1\n" HOST, 200 },
    { "GET HTTPS://x/ HTTP/1.1\n" HOST, 200 },
    /* first lines */
    { "", 400 },
    { "GET /\n", 400 },
    { "GET  / HTTP/1.1\n" HOST, 400 },
    { "GET / HTTP/1.1 \n" HOST, 400 },
    { "GET / a HTTP/1.1\n" HOST, 400 },
    { " GET / HTTP/1.1\n" HOST, 400 },
    { "GET\t/ HTTP/1.1\n" HOST, 400 },
    { "GET / http/1.1\n" HOST, 400 },
    { "GET / HTTP/1.10\n" HOST, 400 },
    { "GET / HTTP/2.0\n" HOST, 505 },
    { "GET / HTTP/1.2\n" HOST, 505 },
    { "GET / HTTP/0.9\n" HOST, 505 },
    { "get / HTTP/1.1\n" HOST, 405 },
    { "GETT / HTTP/1.1\n" HOST, 405 },
    { "DELETE / HTTP/1.1\n" HOST, 405 },
    { "OPTIONS * HTTP/1.1\n" HOST, 405 },
    { "CONNECT x:1 HTTP/1.1\n" HOST, 405 },
    { "G@T / HTTP/1.1\n" HOST, 400 },
    /* targets */
    { "GET a HTTP/1.1\n" HOST, 400 },
    { "GET * HTTP/1.1\n" HOST, 400 },
    { "GET /a#b HTTP/1.1\n" HOST, 400 },
    { "GET /\xc3\xa4 HTTP/1.1\n" HOST, 400 },
    { "GET /%c3%a4 HTTP/1.1\n" HOST, 200 },
    { "GET /../a HTTP/1.1\n" HOST, 400 },
    { "GET /a/%2e%2E/b HTTP/1.1\n" HOST, 400 },
    { "GET /./a HTTP/1.1\n" HOST, 400 },
    { "GET /%00 HTTP/1.1\n" HOST, 400 },
    { "GET /%0d%0aSet-Cookie HTTP/1.1\n" HOST, 400 },
    { "GET /a?b=%00 HTTP/1.1\n" HOST, 400 },
    { "GET /a?b=%zz HTTP/1.1\n" HOST, 400 },
    { "GET /1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16 HTTP/1.1\n" HOST, 200 },
    { "GET /1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17 HTTP/1.1\n" HOST, 400 },
    { "GET ftp://x/ HTTP/1.1\n" HOST, 400 },
    { "GET http://x HTTP/1.1\n" HOST, 400 },
    /* fields */
    { "GET / HTTP/1.1\n", 400 }, /* no Host */
    { "GET / HTTP/1.1\n" HOST HOST, 400 },
    { "GET / HTTP/1.1\n" HOST "a : b\n", 400 },
    { "GET / HTTP/1.1\n" HOST ": b\n", 400 },
    { "GET / HTTP/1.1\n" HOST "a\n", 400 },
    { "GET / HTTP/1.1\n" HOST "a: b\n c\n", 400 }, /* folded */
    { "GET / HTTP/1.1\n" HOST "a: b\x01\n", 400 },
    { "GET / HTTP/1.1\n" HOST "a: b\rc: d\n", 400 },
    { "GET / HTTP/1.1\n" HOST "a: \xff\n", 200 }, /* obs-text */
    { "GET / HTTP/1.1\n" HOST "Cookie: a\nCookie: b\n", 400 },
    { "GET / HTTP/1.1\n" HOST "Authorization: a\nauthorization: b\n", 400 },
    /* where the body ends */
    { "POST / HTTP/1.1\n" HOST, 411 },
    { "POST / HTTP/1.1\n" HOST "Content-Length: 5\nContent-Length: 5\n", 400 },
    { "POST / HTTP/1.1\n" HOST "Content-Length: 5, 5\n", 400 },
    { "POST / HTTP/1.1\n" HOST "Content-Length: +5\n", 400 },
    { "POST / HTTP/1.1\n" HOST "Content-Length: -5\n", 400 },
    { "POST / HTTP/1.1\n" HOST "Content-Length: 0x5\n", 400 },
    { "POST / HTTP/1.1\n" HOST "Content-Length:\n", 400 },
    { "POST / HTTP/1.1\n" HOST "Content-Length: 99999999999999999999\n", 413 },
    { "POST / HTTP/1.1\n" HOST "Transfer-Encoding: chunked\n", 411 },
    { "POST / HTTP/1.1\n" HOST "Transfer-Encoding: chunked\nContent-Length: 5\n", 400 },
    { "POST / HTTP/1.1\n" HOST "Content-Length: 5\ntransfer-encoding: identity\n", 400 },
    { "GET / HTTP/1.1\n" HOST "Transfer-Encoding: xchunked\n", 411 },
    { "POST / HTTP/1.0\nTransfer-Encoding: chunked\n", 400 },
    { "POST / HTTP/1.1\n" HOST "Content-Length: 1\nExpect: 100-Continue\n", 200 },
    { "POST / HTTP/1.1\n" HOST "Content-Length: 1\nExpect: 200-ok\n", 417 },
};

static void what_is_taken_and_what_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        int status;
        struct http_head *head = parse(heads[i].text, &status);
        if (status != heads[i].status)
            print_error("%s", heads[i].text);
        assert_int_equal(status, heads[i].status);
        http_head_free(&head);
    }
}

static void what_a_request_says(void **state)
{
    (void)state;
    int status;
    struct http_head *head =
        parse("GET /members/a%2Fb%20c//?x=1&y=%c3%a4&x=2 HTTP/1.1\nhOST:  h:80 \nA: 1\nB: 2\nb: 3\n", &status);
    assert_non_null(head);
    assert_int_equal(http_head_method(head), HTTP_GET);
    assert_string_equal(http_head_path(head), "/members/a/b c//");
    assert_string_equal(http_head_segment(head, 0), "members");
    assert_string_equal(http_head_segment(head, 1), "a/b c");
    assert_string_equal(http_head_segment(head, 2), "");
    assert_string_equal(http_head_segment(head, 3), "");
    assert_null(http_head_segment(head, 4));
    assert_int_equal(http_head_query(head)->count, 3);
    assert_string_equal(http_pairs_find(http_head_query(head), "x"), "1");
    assert_string_equal(http_pairs_find(http_head_query(head), "y"), "\xc3\xa4");
    assert_string_equal(http_head_host(head), "h:80");
    assert_string_equal(http_head_field(head, "a"), "1");
    assert_null(http_head_field(head, "B")); /* two */
    assert_null(http_head_field(head, "c"));
    assert_true(http_head_keeps_alive(head));
    http_head_free(&head);
    head = parse("GET / HTTP/1.1\n" HOST, &status);
    assert_string_equal(http_head_segment(head, 0), "");
    assert_null(http_head_segment(head, 1));
    http_head_free(&head);
}

static void a_whole_url_says_for_whom_it_is(void **state)
{
    (void)state;
    int status;
    struct http_head *head = parse("GET http://evil.example/x HTTP/1.1\nHost: good.example\n", &status);
    assert_string_equal(http_head_host(head), "evil.example");
    assert_string_equal(http_head_path(head), "/x");
    http_head_free(&head);
}

static void which_connections_stay(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool stays;
    } rows[] = {
        { "GET / HTTP/1.1\n" HOST, true },
        { "GET / HTTP/1.1\n" HOST "Connection: keep-alive\n", true },
        { "GET / HTTP/1.1\n" HOST "Connection: Close\n", false },
        { "GET / HTTP/1.1\n" HOST "Connection: upgrade,close\n", false },
        { "GET / HTTP/1.1\n" HOST "Connection: a\nconnection: close\n", false },
        { "GET / HTTP/1.1\n" HOST "Connection: closed\n", true },
        { "GET / HTTP/1.0\n" HOST "Connection: keep-alive\n", false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int status;
        struct http_head *head = parse(rows[i].text, &status);
        assert_int_equal(http_head_keeps_alive(head), rows[i].stays);
        http_head_free(&head);
    }
}

static void too_many_fields(void **state)
{
    (void)state;
    struct http_head *head = http_head_new();
    assert_int_equal(http_head_add_line(head, "GET / HTTP/1.1", 14), 1);
    for (int i = 0; i < HTTP_FIELDS_MAX; i++)
        assert_int_equal(http_head_add_line(head, "a: b", 4), 1);
    assert_int_equal(http_head_add_line(head, "a: b", 4), 0);
    assert_int_equal(http_head_refusal(head), 431);
    http_head_free(&head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_taken_and_what_refused),
        cmocka_unit_test(what_a_request_says),
        cmocka_unit_test(a_whole_url_says_for_whom_it_is),
        cmocka_unit_test(which_connections_stay),
        cmocka_unit_test(too_many_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
