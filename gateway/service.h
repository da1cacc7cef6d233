/* service.h - dropping privileges
 *
 * What a service manager wants to hear is in base/systemd.h.
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

/* Becomes user with its own groups, for good. 1 done (also when user is NULL or who we are), -1 with the reason in
 * *error_out (caller frees). */
int service_become(const char *user, char **error_out) __attribute__((warn_unused_result));

/* For root's programs in a folder of the daemon's user, who may have put links there that lead elsewhere: becomes whoever that is, for good
 * or until service_return(). No change for others than root, and for uid 0. 1, or -1 with the reason in *error_out (caller frees). */
int service_act_as(uid_t uid, gid_t gid, bool for_good, char **error_out) __attribute__((warn_unused_result));
/* Root again. Ends the program if that can't be. */
void service_return(void);

/* After a crash a core would hold mail, keys and passwords; nor may debuggers of the same user look. 1, or -1 with errno. */
int service_forbid_core(void) __attribute__((warn_unused_result));

/* Once everything is open that needs a privilege, and before anything of a peer is read or a thread or child started: no capabilities (a daemon
 * that stays root keeps those for files of others), nothing that is executed gets any, no core dumps and no debuggers of the same user, and the
 * system calls and programs of base/daemon_sandbox.h only. 1, or -1 with the reason in *error_out (caller frees). */
int service_lock(char **error_out) __attribute__((warn_unused_result));
