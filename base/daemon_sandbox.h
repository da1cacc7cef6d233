/* daemon_sandbox.h - what the daemon, and all that it starts, gives up before it reads the first octet of a peer
 *
 * Three kinds of system calls: those that the daemon, its libraries and the start of its children make are allowed, some only with
 * certain arguments (sockets of the Internet and of this machine; no new namespaces; no memory that is both written to and executed, and
 * none that becomes code later). Those by which a machine is taken over, and that no part of a mail gateway makes (ptrace, mount, bpf,
 * io_uring, setuid ...), end the process by SIGSYS. All others fail with ENOSYS, as on a kernel that does not have them: libraries take another
 * way then, so that an update of one costs at most an optimisation and never mail. The kernel's log names what was refused (type=1326).
 *
 * Files: a configuration that is read again may name any, so reading and writing stay as they are (that is for modes, and for the
 * service manager). But nothing is executed except this very program and the loader of its libraries (Landlock, ABI 2 or newer), which is a
 * hurdle more than a wall: the loader starts what it can read, behind this filter. And there are no new devices, FIFOs or links.
 *
 * Children inherit all of it, and workers and resolver put filters of their own on top, which allow far less.
 *
 * Built with sanitizers it does nothing: their reports start programs, and LeakSanitizer traces.
 */
#pragma once
#include <stdbool.h>

/* 1 locked in: no way back; -1 with errno and the step in step_out: the caller must not go on. For all threads of the process. Nothing may be
 * executed after it but /proc/self/exe. */
int daemon_sandbox_enter(const char **step_out) __attribute__((warn_unused_result));
