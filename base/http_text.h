/* http_text.h - names and values in queries, forms and cookies
 *
 * Pure: octets in, text out. What comes out is valid UTF-8 without controls (in forms newlines and tabs are text), so that nobody
 * behind it has to ask. What is not is refused whole: browsers never send it.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct strbuf;

enum {
    HTTP_PAIRS_MAX = 2000,         /* in one text */
    HTTP_PAIRS_TEXT_MAX = 1 << 20, /* octets of it */
};

/* UTF-8 (no surrogates, nothing overlong, RFC 3629) without C0, DEL and C1; lines: but with newline and tab. */
bool http_text_is_clean(const char *text, size_t len, bool lines);
/* Percent-decoding (RFC 3986 section 2.1) into out, appended. 1; 0: a "%" without two hexadecimal digits, or a NUL, or not clean
 * when decoded. */
int http_text_decode(const char *text, size_t len, struct strbuf *out) __attribute__((warn_unused_result));
/* The reverse: all but RFC 3986's unreserved characters is encoded. */
void http_text_encode(struct strbuf *out, const char *text);

struct http_pair {
    const char *name, *value;
};
struct http_pairs {
    struct http_pair *list;
    size_t count;
    char *memory;
    size_t size; /* of memory */
};
enum http_pairs_form {
    HTTP_PAIRS_QUERY, /* application/x-www-form-urlencoded; no lines */
    HTTP_PAIRS_FORM,  /* the same with lines, whose ends become "\n" */
};
/* 1; 0: malformed, or more than HTTP_PAIRS_MAX (then *out is empty). Clear it in both cases. */
int http_pairs_parse(enum http_pairs_form form, const char *text, size_t len, struct http_pairs *out)
    __attribute__((warn_unused_result));
const char *http_pairs_find(const struct http_pairs *pairs, const char *name); /* the first; NULL: none */
void http_pairs_clear(struct http_pairs *pairs);

/* The value of a cookie (RFC 6265 section 5.4) in a Cookie field; *len_out its octets, within field. false: none, or two of the
 * name: somebody else has set one of them. */
bool http_cookie_find(const char *field, const char *name, const char **value_out, size_t *len_out);
