/* sandbox.h - steps by which a process of ours gives up what it does not need (for base/, and gateway/service)
 *
 * Each returns 1, or -1 with errno. There is no way back from any of them. The filters of system calls are in daemon_sandbox.c, worker_sandbox.c
 * and resolver_sandbox.c, since those differ; sandbox_filter_internal.h loads them.
 *
 * Built with sanitizers, sandbox_hide_files(), sandbox_change_no_files(), sandbox_execute_only_self() and sandbox_limit_memory() do nothing: the
 * report of a bug opens files and starts programs, and ASan reserves terabytes of addresses.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

/* Never raises a limit that was set from outside. */
int sandbox_limit(int resource, rlim_t value) __attribute__((warn_unused_result));

struct sandbox_bound {
    int resource; /* RLIMIT_... */
    rlim_t value;
};
/* In their order, up to the first that fails. */
int sandbox_limit_all(const struct sandbox_bound *bounds, size_t count) __attribute__((warn_unused_result));

/* Memory above what the process has now: data (private and writable), and addresses of any kind; 0: no limit. */
int sandbox_limit_memory(uint64_t data_bytes, uint64_t address_bytes) __attribute__((warn_unused_result));
/* A daemon that was started as root may have capabilities left. Without any nothing is asked of the kernel but that. */
int sandbox_drop_capabilities(void) __attribute__((warn_unused_result));
/* Before root becomes somebody else, who may not do it any more: nothing that is executed from here on can get a capability. */
void sandbox_lower_bounds(void);
/* For who stays root: keeps only those by which root gets at files of others. */
int sandbox_keep_for_files(void) __attribute__((warn_unused_result));
/* Forbids every kind of file access that the first version of Landlock knows. The filters of system calls forbid opening files
 * too: this is the second lock on the door, so a kernel without it is no failure. */
int sandbox_hide_files(void) __attribute__((warn_unused_result));
/* Likewise to write to files but /dev/null, where children's output goes, to empty (that only the third version knows), make, move and remove them. */
int sandbox_change_no_files(void) __attribute__((warn_unused_result));
/* Forbids to execute anything but this very program and what lies with the loader of its libraries, and to make devices, FIFOs and symbolic links.
 * 0: the kernel has no Landlock, only its first version, or a service manager forbids it; then nothing has changed. */
int sandbox_execute_only_self(void) __attribute__((warn_unused_result));
/* What comes after limits for who works on what strangers send, in this order, since each step needs what a later one takes away: capabilities,
 * gaining privileges, files, and system calls, which filter() forbids. -1: the step that failed in step_out, else NULL. */
int sandbox_lock_in(int (*filter)(void), const char **step_out) __attribute__((warn_unused_result));
