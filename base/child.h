/* child.h - starting and ending a child process that runs a program of ours (private to base/)
 *
 * The zygote of a worker pool and the resolver's process are started this way: with a reduced environment (TZ=UTC0,
 * LC_ALL=C.UTF-8), no open files but standard error and one socket, and a life that ends with its parent's.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Where the child finds its end of the socket (base/ipc.h). */
enum { CHILD_SOCKET_FD = 3 };

/* argv as execve() wants it, from argv[1..] of settings (NULL-terminated): argv[0] is this process's own name, for ps(1); the program
 * may be /proc/self/exe. Owned by the caller. */
char **child_arguments_new(const char *const *arguments) __attribute__((warn_unused_result));
void child_arguments_free(char ***arguments);

/* Starts program. Returns its pid and, in socket_out, the caller's end of the socket (non-blocking); or -1 with errno. */
pid_t child_start(const char *program, char *const argv[], int *socket_out) __attribute__((warn_unused_result));

/* Closes the socket, by which the child knows that it shall end, and reaps it. After grace_ms it is killed (its own children
 * die with it, but somebody else reaps them). */
void child_end(pid_t pid, int socket, int grace_ms);

/* ---- in the child ---- */

/* False when a person at a shell has started the program with arguments that are for its own use. */
bool child_has_parent(void);
/* What each child does first: it dies with the thread that started it, gains no privileges, and leaves the signals that go to all
 * processes of a terminal or service to its parent, who alone knows when the last work is done. False with errno. */
bool child_settle(void) __attribute__((warn_unused_result));
