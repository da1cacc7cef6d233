/* admin_socket.h - the control socket: one command per connection
 *
 * A Unix socket (mode 0660). The client sends one line of JSON, {"argv":["member","list"],"json":false}, and gets one
 * line back, {"exit":0,"out":"...","err":"..."}; then the connection is closed. Who connects is known from the kernel
 * (SO_PEERCRED) and becomes the actor of what is changed. "input", a string, is for what must not be a word of argv, or
 * does not fit there (struct admin_order). Blanks may stand in front of the answer, one every 2 s as long as the loop turns
 * and the database gets on.
 *
 * Limits: a request of 1 MiB that comes within 30 s, 64 words; 64 connections, 32 of one user; 60 s to read the
 * answer, 64 MiB of answers that were not read. Beyond the number of connections the one goes whose request has been coming longest, of the user
 * who has most, else the one who has been answered longest and has not read it; if all are being answered, whoever comes is told to come later. Beyond 64 MiB the one that was answered
 * longest ago is cut.
 */
#pragma once

struct admin_socket;
struct gateway;

/* NULL with the reason in *error_out (caller frees). */
struct admin_socket *admin_socket_new(struct gateway *gateway, const char *path, char **error_out)
    __attribute__((warn_unused_result));
void admin_socket_free(struct admin_socket **socket);
