/* sandbox_filter_internal.h - how the sandboxes of base/ load their filters of system calls
 *
 * Private to base/: it shows libseccomp. What a filter allows is in worker_sandbox.c, resolver_sandbox.c and daemon_sandbox.c, as lists
 * and rules. Functions that add rules return as libseccomp does: 0, or a negative errno.
 */
#pragma once
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>

/* Allowed when one argument, masked, has a certain value. */
struct sandbox_rule {
    int syscall;
    struct scmp_arg_cmp condition;
};

/* Puts a filter on the calling thread and those that it makes (or on all: `fill` says so). A call that no rule is about, of those that `fill`
 * adds, comes to `otherwise`, an action of libseccomp's; one by the numbers of another architecture, which would walk around the rules, ends
 * the process. The thread must have no-new-privs. 1, or -1 with errno. */
int sandbox_filter_load(uint32_t otherwise, int (*fill)(scmp_filter_ctx filter)) __attribute__((warn_unused_result));

/* One rule for each of these calls, whatever its arguments are. */
int sandbox_filter_add(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t count)
    __attribute__((warn_unused_result));
int sandbox_filter_allow(scmp_filter_ctx filter, const struct sandbox_rule *rules, size_t count)
    __attribute__((warn_unused_result));
