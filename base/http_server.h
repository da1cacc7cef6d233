/* http_server.h - a small HTTP/1.1 server for pages and figures of our own (RFC 9110, RFC 9112)
 *
 * Everything a client controls has a limit: see struct http_server_settings. A request is given to the handler whole, and is
 * answered by exactly one http_answer(), at once or in a later turn of the loop. Loop's thread only.
 *
 * It stands on base/stream and a parser of its own (http_head.h), not on libevent's evhttp: that one (2.1.12) has no limit for the time
 * that a request takes in all, nor for connections, tells nobody of connections that come and go, accepts lines without CR and both lengths at
 * once, and answers what it refuses by itself, without the fields that our answers have.
 *
 * One request of a connection is worked on at a time; further ones (pipelining) wait with the kernel. While a request is
 * with the handler nothing is read, so that a client that has gone is noticed when it is answered.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/http_head.h"

struct http_server;
struct http_request;
struct loop;

/* request stays valid until http_answer(), also when the client has gone meanwhile. */
typedef void http_handler(struct http_request *request, void *ctx);

struct http_field {
    const char *name, *value;
};

struct http_server_settings {
    struct loop *loop;
    const char *name;    /* in the log */
    const char *address; /* as for loop_listener_new(): TCP or "unix:/path" (mode 0660) */
    /* Values of the Host field that are answered, besides the address itself and "localhost" with its port (of a unix socket: without);
     * others get 421 (DNS rebinding). NULL-terminated; NULL: only those; "*": all. */
    const char *const *hosts;
    size_t header_max, body_max; /* octets */
    size_t answers_max; /* octets of all answers that were not read yet; beyond, who was answered longest ago is cut */
    unsigned
        connections_max; /* the one that is idle longest is closed for another one; if none is, the one whose request has been
                            coming longest (408), else who has been reading an answer longest; if the handler has all,
                            another one waits to be accepted */
    int64_t
        timeout_ms; /* for a request to come whole, between two, and without the client reading anything; ten times as
                                    long for it to read an answer */
    const struct http_field
        *fields; /* of each answer, the server's own refusals too; up to one whose name is NULL; NULL: none.
                                        Static */
    http_handler *handler;
    void *ctx;
};
/* Other methods than enum http_method get 405, what is too large 413, 414 or 431, what does not come in time 408, what is no HTTP
 * 400, and so on: not the handler's business. NULL with the reason in *error_out (caller frees). */
struct http_server *http_server_new(const struct http_server_settings *settings, char **error_out)
    __attribute__((warn_unused_result));
const char *http_server_address(const struct http_server *server); /* with the port that was bound */
unsigned http_server_connections(const struct http_server *server);
/* Accepts nobody any more; connections end with the request that they are at, idle ones at once. */
void http_server_drain(struct http_server *server);
/* Requests that were not answered still must be, and nobody hears it. */
void http_server_free(struct http_server **server);

/* Borrowed, until the answer. Text is valid UTF-8 without controls, where nothing else is said. */
enum http_method http_request_method(
    const struct http_request *request); /* HEAD is answered like GET; the body is left out here */
/* Decoded; begins with "/"; no "." or ".." between two "/". */
const char *http_request_path(const struct http_request *request);
/* What is between two "/" of the path, decoded by itself (it may have a "/" in it): of "/" one that is "". NULL: no more. */
const char *http_request_segment(const struct http_request *request, size_t index);
/* Decoded; the first one; NULL: none. */
const char *http_request_query(const struct http_request *request, const char *name);
/* Each parameter of the query in order. false at the end. */
bool http_request_query_at(const struct http_request *request, size_t index, const char **name_out,
                           const char **value_out);
/* Of an application/x-www-form-urlencoded body, likewise; values may have newlines and tabs. */
const char *http_request_form(const struct http_request *request, const char *name);
bool http_request_form_at(const struct http_request *request, size_t index, const char **name_out,
                          const char **value_out);
/* The body says that it is a form, and is none; then there are no fields. Programs that send something else often say so all the same. */
bool http_request_form_is_malformed(const struct http_request *request);
/* Of the header; NULL: none, or more than one. No control but tabs, but any octet from 0x80 on. */
const char *http_request_field(const struct http_request *request, const char *name);
/* The last of several, which a server in front has added to what clients write; NULL: none. */
const char *http_request_last_field(const struct http_request *request, const char *name);
/* Whom it is for: the Host field, or what a whole URL in the first line says (RFC 9112 section 3.2.2). One of those that are answered. */
const char *http_request_host(const struct http_request *request);
/* A cookie's value; false: none, or more than one. */
bool http_request_cookie(const struct http_request *request, const char *name, const char **value_out, size_t *len_out);
const char *http_request_peer(const struct http_request *request);                  /* "ADDR:PORT" or "unix" */
const char *http_request_body(const struct http_request *request, size_t *len_out); /* any octets */

/* type NULL: no Content-Type. fields: more of the header, up to one whose name is NULL; NULL: none. All is copied. Content-Length,
 * Date, X-Content-Type-Options: nosniff and (unless fields has one) Cache-Control: no-store are added. */
void http_answer(struct http_request *request, int status, const char *type, const char *body, size_t len,
                 const struct http_field *fields);
