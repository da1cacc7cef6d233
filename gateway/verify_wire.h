/* verify_wire.h - what the daemon and its verify workers say to each other; both are the same program
 *
 * A worker may be in a stranger's hands: what it answers must hold before it is used. Pure.
 */
#pragma once
#include <stddef.h>

#include "smtp/sender_auth.h"

struct strbuf;

enum { VERIFY_SEALERS_MAX = 64 };

/* All but the file, which goes beside it. Strings may have no NUL in them. */
void verify_wire_put_request(const struct sender_auth_request *request, struct strbuf *out);
/* Points into data and sealers. 1; -1 not such a request. */
int verify_wire_read_request(const void *data, size_t len, struct sender_auth_request *request_out,
                             const char *sealers[static VERIFY_SEALERS_MAX]) __attribute__((warn_unused_result));

void verify_wire_put_answer(const struct sender_auth_result *result, struct strbuf *out);
/* 1; -1 what no honest worker answers: other sizes, words that are none, texts with anything but printable ASCII in them. */
int verify_wire_read_answer(const void *data, size_t len, struct sender_auth_result *result_out)
    __attribute__((warn_unused_result));
