/* service.h - dropping privileges
 *
 * What a service manager wants to hear is in base/systemd.h.
 */
#pragma once

/* Becomes user with its own groups, for good. 1 done (also when user is NULL or who we are), -1 with the reason in
 * *error_out (caller frees). */
int service_become(const char *user, char **error_out) __attribute__((warn_unused_result));

/* Once everything is open that needs a privilege: no capabilities (a daemon that stays root keeps them), nothing that is executed gets
 * any, and the memory, which holds people's mail and keys, is not for core dumps or debuggers of the same user.
 * 1, or -1 with the reason in *error_out (caller frees). */
int service_lock(char **error_out) __attribute__((warn_unused_result));
