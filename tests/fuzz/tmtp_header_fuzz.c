/* Whatever a peer sends as a header: it is refused, or what it was taken for can be composed and taken again.
 *
 * Input: 'r', 't' or anything else (a request, a token, a push), then the header.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "tmtp/tmtp_frame.h"
#include "tmtp/tmtp_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { DIGITS = 4 };

static void check(int holds)
{
    if (!holds)
        abort();
}

/* Composing escapes some characters that may have come as they are, so a header near the limit can become too long. */
static int may_be_too_long(size_t len)
{
    return len > TMTP_FRAME_HEADER_MAX / 8;
}

static void try_request(const char *json, size_t len)
{
    struct tmtp_request request;
    const char *error = NULL;
    if (tmtp_request_decode(json, len, &request, &error) != 1) {
        check(error != NULL && error[0] != '\0');
        return;
    }
    struct strbuf first;
    struct strbuf second;
    strbuf_init(&first, TMTP_FRAME_HEADER_MAX + DIGITS);
    strbuf_init(&second, TMTP_FRAME_HEADER_MAX + DIGITS);
    int rc = tmtp_request_compose(&first, &request);
    check(rc == 1 || may_be_too_long(len));
    tmtp_request_free(&request);
    if (rc == 1) {
        check(tmtp_request_decode(first.data + DIGITS, first.len - DIGITS, &request, &error) == 1);
        check(tmtp_request_compose(&second, &request) == 1);
        check(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
        tmtp_request_free(&request);
    }
    strbuf_free(&first);
    strbuf_free(&second);
}

static void try_push(const char *json, size_t len)
{
    struct tmtp_push push;
    const char *error = NULL;
    if (tmtp_push_decode(json, len, &push, &error) != 1) {
        check(error != NULL && error[0] != '\0');
        return;
    }
    (void)tmtp_header_sum_matches(json, len, &push); /* true or false: it must only get to the end */
    struct strbuf first;
    strbuf_init(&first, TMTP_FRAME_HEADER_MAX + DIGITS);
    int rc = tmtp_push_compose(&first, &push, true);
    check(rc == 1 || may_be_too_long(len));
    tmtp_push_free(&push);
    if (rc == 1) {
        check(tmtp_push_decode(first.data + DIGITS, first.len - DIGITS, &push, &error) == 1);
        check(push.has_headsum && tmtp_header_sum_matches(first.data + DIGITS, first.len - DIGITS, &push));
        tmtp_push_free(&push);
    }
    strbuf_free(&first);
}

static void try_token(const char *text, size_t len)
{
    const char *error = NULL;
    char *first = NULL, *second = NULL;
    if (tmtp_token_normalise(text, len, &first, &error) != 1) {
        check(error != NULL && error[0] != '\0');
        return;
    }
    check(tmtp_token_normalise(first, strlen(first), &second, &error) == 1);
    check(strcmp(first, second) == 0);
    free(first);
    free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > TMTP_FRAME_HEADER_MAX)
        return 0;
    (data[0] == 'r' ? try_request : data[0] == 't' ? try_token : try_push)((const char *)data + 1, size - 1);
    return 0;
}
