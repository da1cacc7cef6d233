/* worker_sandbox.h - what a worker gives up before it sees its first byte of input (private to worker_*.c)
 *
 * Resource limits, capabilities, the file system (Landlock, where the kernel has it) and all system calls but
 * a short list that computing on open descriptors needs. A forbidden call kills the process with SIGSYS. The
 * caller must be single-threaded and must have closed what the worker shall not have.
 *
 * Built with sanitizers, the memory limit and the system call filter stay off: ASan reserves terabytes of
 * addresses and opens files to report.
 */
#pragma once

struct worker_limits;

/* 1 locked in; -1 with an error in the log: the caller must exit. There is no way back. */
int worker_sandbox_enter(const struct worker_limits *limits) __attribute__((warn_unused_result));

/* Gives the process so many seconds of processor time from now on (then SIGXCPU); 0: no limit. */
void worker_sandbox_renew_cpu(unsigned seconds);
