/* ctl_client.h - one command, sent to the daemon's control socket (admin_socket.h)
 *
 * Blocks, for as long as the daemon gives signs of life. Complaints about the way there go to standard error.
 */
#pragma once
#include "gateway/ctl.h"
#include <stdbool.h>

struct ctl_answer {
    int exit; /* enum admin_exit; EX_UNAVAILABLE, EX_CONFIG: it was not asked; EX_TEMPFAIL: it did not answer in time */
    char *out, *err; /* NULL: it has not answered */
};

/* 1: it has answered. -1: it could not be asked, or did not answer in time; answer_out->exit is the status to end with. input: NULL for none. Clear the answer
 * in both cases. */
int ctl_client_call(const struct ctl *ctl, bool json, int argc, const char *const *argv, const char *input,
                    struct ctl_answer *answer_out) __attribute__((warn_unused_result));
void ctl_answer_clear(struct ctl_answer *answer);
/* Shows the answer as well. The exit status. */
int ctl_client_ask(const struct ctl *ctl, int argc, const char *const *argv, const char *input);
