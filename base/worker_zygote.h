/* worker_zygote.h - starting and ending the zygote, from the daemon (private to worker_*.c) */
#pragma once
#include <stddef.h>
#include <sys/types.h>

/* Starts program with the given argv (argv[0] included) in a reduced environment. It has no open files but
 * standard error and its socket, and dies with the calling thread. Returns its pid and, in socket_out, the
 * caller's end of the socket (non-blocking); or -1 with errno. */
pid_t zygote_start(const char *program, char *const argv[], int *socket_out) __attribute__((warn_unused_result));

/* Closes the socket, by which the zygote ends and reaps its workers and then exits, and reaps it. After grace_ms
 * it is killed (its workers die with it, but somebody else reaps them). */
void zygote_end(pid_t pid, int socket, int grace_ms);
