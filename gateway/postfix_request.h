/* postfix_request.h - reading a request of Postfix's policy delegation (SMTPD_POLICY_README)
 *
 * Lines "name=value" that end with a line feed, and an empty line at the end. A parser without I/O: bytes in, whole
 * requests out, however they are split. What the gateway has no use for is read and forgotten.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum {
    POSTFIX_REQUEST_LINE_MAX = 8192, /* names of certificates can be long */
    POSTFIX_REQUEST_LINES_MAX = 200, /* Postfix 3.7 sends about 30 */
    POSTFIX_REQUEST_WORD_MAX = 63,
    POSTFIX_REQUEST_ADDRESS_MAX = 2100, /* more than the command line that Postfix takes */
};

enum postfix_request_state {
    POSTFIX_REQUEST_READING, /* lines */
    POSTFIX_REQUEST_DONE,    /* the empty line was read; the next byte begins another request */
    POSTFIX_REQUEST_BROKEN,  /* what was read is no request; an end */
};

/* Begins zeroed. After 1 the values are those of the request, "" for what was not in it, until the next call. */
struct postfix_request {
    enum postfix_request_state state;
    char kind[POSTFIX_REQUEST_WORD_MAX + 1];           /* "smtpd_access_policy" */
    char protocol_state[POSTFIX_REQUEST_WORD_MAX + 1]; /* "RCPT" */
    char sender[POSTFIX_REQUEST_ADDRESS_MAX + 1];      /* without quotes around the local part */
    char recipient[POSTFIX_REQUEST_ADDRESS_MAX + 1];
    char client[POSTFIX_REQUEST_WORD_MAX + 1]; /* whose address it has from whoever has connected to Postfix */
    char size[POSTFIX_REQUEST_WORD_MAX + 1];   /* octets, as the client has declared */
    unsigned lines;
    size_t line_len;
    char line[POSTFIX_REQUEST_LINE_MAX + 1];
};

/* Takes bytes up to the end of one request: *used_out of them. 1 a request is whole; 0 all were used and more are
 * needed; -1 this is no request: a line without '=', or with a NUL, a value given twice, or something over its
 * limit. */
int postfix_request_feed(struct postfix_request *request, const uint8_t *data, size_t len, size_t *used_out)
    __attribute__((warn_unused_result));
