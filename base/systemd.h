/* systemd.h - what a service manager tells a daemon, and wants to hear from it: sd_notify(3), sd_listen_fds(3)
 *
 * The protocols are spoken here and not through libsystemd: they are a few environment variables and datagrams that its manual
 * pages promise not to change, and a library of that size is much to load into a daemon for them. So whatever speaks them
 * is a service manager.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* One datagram to $NOTIFY_SOCKET: lines NAME=value. Nothing when that is not set. Never blocks; a manager that does not
 * read misses it. */
void systemd_notify(const char *state);
/* Likewise by a descriptor that was opened before, the caller's to close: a daemon that has run out of them still lives, and can say so.
 * -1: none could be opened; systemd_notify_by() does nothing then. */
int systemd_notify_open(void);
void systemd_notify_by(int fd, const char *state);
/* "RELOADING=1" with the time that Type=notify-reload wants to see; to be followed by systemd_notify("READY=1"). */
void systemd_notify_reloading(void);
/* How long it may hear nothing before it takes us for dead ($WATCHDOG_USEC); 0: it does not watch this process. */
int64_t systemd_watchdog_ms(void);

/* Listening sockets that were opened for us (socket activation). The variables are removed from the environment, so only
 * the first call of a process finds any; before any other descriptor is opened, and before threads are. */
struct systemd_sockets;
/* Never NULL; without any it is empty. NULL only with the reason in *error_out (caller frees): a descriptor that is no listening
 * stream socket. All are closed then. */
struct systemd_sockets *systemd_sockets_new(char **error_out) __attribute__((warn_unused_result));
void systemd_sockets_free(struct systemd_sockets **sockets); /* closes those that were not taken */
/* The one that is bound to address (as for loop_listener_new()), for the caller to close; -1: there is none. It does not block,
 * and is closed on exec. */
int systemd_sockets_take(struct systemd_sockets *sockets, const char *address);
/* One that was not taken: the name that the manager gives it, and where it listens, as text. False: all were taken. Valid until
 * the next call of any of these. */
bool systemd_sockets_left(const struct systemd_sockets *sockets, const char **name_out, const char **address_out);
