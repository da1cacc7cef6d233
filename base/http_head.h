/* http_head.h - the head of an HTTP request: its first line and its fields (RFC 9112, RFC 9110)
 *
 * Pure: lines in, a head or a status to refuse it with out. It is stricter than the RFC allows a server to be lenient, for a proxy in
 * front must never see another request than we do: lines end with CRLF, nothing is folded, no field that says
 * where the request ends comes twice, and a body has a Content-Length (chunked ones get 411).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/http_text.h"

enum { HTTP_FIELDS_MAX = 64, HTTP_SEGMENTS_MAX = 16 };
enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST };

struct http_head;

struct http_head *http_head_new(void);
void http_head_free(struct http_head **head);
/* One line without its end, the first line first; of the empty line behind the fields only the caller knows. 1; 0: refused, and no more
 * lines are wanted. */
int http_head_add_line(struct http_head *head, const char *line, size_t len) __attribute__((warn_unused_result));
/* After the last field. 1; 0: refused. */
int http_head_finish(struct http_head *head) __attribute__((warn_unused_result));
int http_head_refusal(const struct http_head *head); /* after 0: 400, 405, 411, 414, 417, 431, 501 or 505 */

/* After http_head_finish(). Valid as long as the head. */
enum http_method http_head_method(const struct http_head *head);
const char *http_head_path(const struct http_head *head);                  /* as http_request_path() */
const char *http_head_segment(const struct http_head *head, size_t index); /* as http_request_segment() */
const struct http_pairs *http_head_query(const struct http_head *head);
const char *http_head_host(const struct http_head *head);                         /* "" when there is none (HTTP/1.0) */
const char *http_head_field(const struct http_head *head, const char *name);      /* NULL: none, or more than one */
const char *http_head_last_field(const struct http_head *head, const char *name); /* of several; NULL: none */
int64_t http_head_content_length(const struct http_head *head);                   /* 0: none */
bool http_head_keeps_alive(const struct http_head *head);
bool http_head_expects_continue(const struct http_head *head);
