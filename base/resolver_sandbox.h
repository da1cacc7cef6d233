/* resolver_sandbox.h - what the resolver's process gives up before it asks anybody (private to resolver*.c)
 *
 * Resource limits, capabilities, the file system (Landlock, where the kernel has it), and all system calls but those that
 * sockets of the Internet and one more thread need. A forbidden call fails with EPERM: libunbound goes on where it can, so that an update of
 * a library costs an optimisation and not all answers.
 *
 * Built with sanitizers, files, memory and system calls stay as they are (base/sandbox.h).
 */
#pragma once

/* 1 locked in; -1 with errno and the step in step_out: the caller must exit. Single-threaded callers only; threads that are made
 * afterwards are locked in too. */
int resolver_sandbox_enter(const char **step_out) __attribute__((warn_unused_result));
