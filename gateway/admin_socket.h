/* admin_socket.h - the control socket: one command per connection
 *
 * A Unix socket (mode 0660). The client sends one line of JSON, {"argv":["member","list"],"json":false}, and gets one
 * line back, {"exit":0,"out":"...","err":"..."}; then the connection is closed. Who connects is known from the kernel
 * (SO_PEERCRED) and becomes the actor of what is changed. "input", a string, is for what must not be a word of argv, or
 * does not fit there (struct admin_order). Limits: a request of 64 KiB, 64 words, 16 connections, 30 s
 * to send it.
 */
#pragma once

struct admin_socket;
struct gateway;

/* NULL with the reason in *error_out (caller frees). */
struct admin_socket *admin_socket_new(struct gateway *gateway, const char *path, char **error_out)
    __attribute__((warn_unused_result));
void admin_socket_free(struct admin_socket **socket);
