/* http_server.h - a small HTTP/1.1 server for pages and figures of our own (RFC 9110, RFC 9112)
 *
 * Everything a client controls has a limit: see struct http_server_settings. A request is given to the handler whole, and is
 * answered by exactly one http_answer(), at once or in a later turn of the loop. Loop's thread only.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_server;
struct http_request;
struct loop;

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST };

/* request stays valid until http_answer(), also when the client has gone meanwhile. */
typedef void http_handler(struct http_request *request, void *ctx);

struct http_server_settings {
    struct loop *loop;
    const char *name;    /* in the log */
    const char *address; /* as for loop_listener_new(): TCP or "unix:/path" */
    const char *const
        *hosts; /* names in the Host field that are answered, besides the address itself and, on loopback, "localhost"
                                    * (others get 421: DNS rebinding); NULL-terminated; NULL: only those */
    size_t header_max, body_max; /* octets */
    unsigned connections_max;    /* more wait to be accepted */
    int64_t timeout_ms;          /* for a request to come, for a client to read */
    http_handler *handler;
    void *ctx;
};
/* Other methods than enum http_method get 405, what is too large 413 or 431, what is no HTTP 400: not the handler's business.
 * NULL with the reason in *error_out (caller frees). */
struct http_server *http_server_new(const struct http_server_settings *settings, char **error_out)
    __attribute__((warn_unused_result));
const char *http_server_address(const struct http_server *server); /* with the port that was bound */
void http_server_free(
    struct http_server **server); /* requests that were not answered still must be, and nobody hears it */

/* Borrowed, until the answer. */
enum http_method http_request_method(
    const struct http_request *request); /* HEAD is answered like GET; the body is left out here */
const char *http_request_path(
    const struct http_request
        *request); /* decoded; valid UTF-8 without controls, begins with "/", no "." or ".." in it */
const char *http_request_query(const struct http_request *request,
                               const char *name); /* decoded, valid UTF-8; the first one; NULL: none */
/* Each parameter of the query in order. NULL, NULL at the end. */
bool http_request_query_at(const struct http_request *request, size_t index, const char **name_out,
                           const char **value_out);
const char *http_request_form(const struct http_request *request,
                              const char *name); /* of an application/x-www-form-urlencoded body, likewise */
bool http_request_form_at(const struct http_request *request, size_t index, const char **name_out,
                          const char **value_out);
const char *http_request_field(const struct http_request *request,
                               const char *name); /* of the header; NULL: none, or more than one */
const char *http_request_cookie(const struct http_request *request, const char *name);
const char *http_request_peer(const struct http_request *request); /* "ADDR:PORT" or "unix" */
const char *http_request_body(const struct http_request *request, size_t *len_out);

struct http_field {
    const char *name, *value;
};
/* fields: more of the header, up to one whose name is NULL; NULL: none. All is copied. Content-Length, Date, X-Content-Type-Options: nosniff and
 * (unless fields has one) Cache-Control: no-store are added. */
void http_answer(struct http_request *request, int status, const char *type, const char *body, size_t len,
                 const struct http_field *fields);
