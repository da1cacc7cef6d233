/* service.h - being a service: readiness and watchdog messages (sd_notify's protocol), dropping privileges */
#pragma once

void service_notify(const char *state); /* one datagram to $NOTIFY_SOCKET, when systemd set it */

/* Becomes user with its own groups, for good. 1 done (also when user is NULL or who we are), -1 with the reason in
 * *error_out (caller frees). */
int service_become(const char *user, char **error_out) __attribute__((warn_unused_result));
