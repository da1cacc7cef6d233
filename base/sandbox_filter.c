#include "base/sandbox_filter_internal.h"

#include <errno.h>

int sandbox_filter_add(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t count)
{
    int error = 0;
    for (size_t i = 0; error == 0 && i < count; i++)
        error = seccomp_rule_add_array(filter, action, calls[i], 0, NULL);
    return error;
}

int sandbox_filter_allow(scmp_filter_ctx filter, const struct sandbox_rule *rules, size_t count)
{
    int error = 0;
    for (size_t i = 0; error == 0 && i < count; i++)
        error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, rules[i].syscall, 1, &rules[i].condition);
    return error;
}

int sandbox_filter_load(uint32_t otherwise, int (*fill)(scmp_filter_ctx filter))
{
    scmp_filter_ctx filter = seccomp_init(otherwise);
    if (filter == NULL) {
        errno = ENOMEM;
        return -1;
    }
    int error = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (error == 0)
        error = fill(filter);
    if (error == 0)
        error = seccomp_load(filter);
    seccomp_release(filter);
    errno = -error;
    return error == 0 ? 1 : -1;
}
