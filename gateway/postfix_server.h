/* postfix_server.h - a small server for Postfix's questions: request in, answer out, over and over
 *
 * What socketmap and policy delegation have in common: a listening socket, bounded connections, requests that may come
 * many at a time and in any pieces, answers in order. Postfix keeps its connections open between questions.
 *
 * Limits: requests answered in one turn of the loop, so that a client that sends many at once holds nobody up; answers
 * that the client does not read (then none of its requests is read either); silence. What breaks the protocol closes
 * the connection, upon which Postfix tries once more and then tells its client to come back later (451).
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct loop;
struct postfix_server;
struct strbuf;

enum { POSTFIX_SERVER_CONNECTIONS_MAX = 500 }; /* of each server */

struct postfix_protocol {
    const char *name;   /* for the log */
    size_t parser_size; /* of a parser that begins zeroed */
    /* As netstring_feed(). */
    int (*feed)(void *parser, const uint8_t *data, size_t len, size_t *used_out);
    /* After feed has returned 1: appends the answer, at most a few hundred bytes. */
    void (*answer)(const void *parser, void *ctx, struct strbuf *out);
};

struct postfix_server_settings {
    struct loop *loop;
    const char *address;                     /* "127.0.0.1:2527", "unix:/path" */
    const char *const *clients;              /* networks that may connect, NULL-terminated; NULL: everybody */
    const struct postfix_protocol *protocol; /* stays valid */
    void *ctx;                               /* for answer */
};

/* NULL with the reason in *error_out (caller frees). */
struct postfix_server *postfix_server_new(const struct postfix_server_settings *settings, char **error_out)
    __attribute__((warn_unused_result));
void postfix_server_free(struct postfix_server **server); /* cuts its connections; not from answer */
const char *postfix_server_address(const struct postfix_server *server);
unsigned postfix_server_connections(const struct postfix_server *server);
