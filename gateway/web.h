/* web.h - the page for administrators: who asks, what may be asked, and how it is answered
 *
 * web.c has the server, one const table of addresses (below), sign-in and its proof, and what is checked before a page is
 * called: the account, and for POST the token of the form (CSRF) and where the form was. Pages
 * (web_overview.c, web_held.c ...) are functions of a visit. They never touch the store: they say verbs of admin_command.h with
 * web_run(), and make HTML of the JSON that these answer. Each visit is answered exactly once, at once or later.
 *
 * A change is a POST to an address of the table, answered by web_redirect() to a GET. GET changes nothing.
 * All text that comes from outside goes through web_html_text() (web_html.h).
 *
 * Loop's thread only. All text of a visit is borrowed from it, valid UTF-8 without controls but for newlines and tabs in forms.
 */
#pragma once
#include "gateway/admin_command.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gateway;
struct json_t; /* of jansson.h, which web_*.c may include */
struct strbuf;
struct web;
struct web_visit;

enum {
    WEB_ORDERS_MAX = 200,           /* verbs of one web_run() */
    WEB_HTML_MAX = 8 * 1024 * 1024, /* octets of a page */
    WEB_FORM_MAX = 256 * 1024,      /* octets of a form, as it is sent */
    WEB_FLASH_MAX = 2000,           /* octets of the text that the next page shows */
    WEB_ACCOUNT_NAME_MAX = 64,
};

/* NULL: no admin.http in the configuration (*error_out NULL), or it can't listen (*error_out, the caller frees). */
struct web *web_new(struct gateway *gateway, char **error_out) __attribute__((warn_unused_result));
void web_drain(struct web *web);         /* nobody is let in any more, who is there is answered; NULL: nothing */
bool web_is_busy(const struct web *web); /* somebody who is there was not answered yet; NULL: nobody */
/* Visits that wait for a verb stay until it has answered, and nobody hears it. */
void web_free(struct web **web);
const char *web_address(const struct web *web); /* with the port that was bound */

/* The visit. */
bool web_is_post(const struct web_visit *visit);
const char *web_path(const struct web_visit *visit); /* decoded: "/held/17" */
/* What stands for the n-th "*" of the address in the table: "17". Never empty. NULL: there is no such star. */
const char *web_part(const struct web_visit *visit, size_t index);
const char *web_query(const struct web_visit *visit, const char *name); /* the first; NULL: none */
bool web_query_at(const struct web_visit *visit, size_t index, const char **name_out, const char **value_out);
const char *web_form(const struct web_visit *visit, const char *name); /* of a POST; the first; NULL: none */
bool web_form_at(const struct web_visit *visit, size_t index, const char **name_out, const char **value_out);
/* The values of all fields of the form that have this name (checkboxes), at most max. */
size_t web_form_all(const struct web_visit *visit, const char *name, const char **values_out, size_t max);
const char *web_account(const struct web_visit *visit); /* who has signed in; NULL: nobody (only at public addresses) */
/* Each form that changes something has it: <input type="hidden" name="csrf" value="...">. Letters, digits, "-" and "_" only.
 * NULL: nobody has signed in. */
const char *web_csrf(const struct web_visit *visit);
/* What web_redirect() has left for this page; NULL: nothing. Plain text, to be escaped. */
const char *web_flash(const struct web_visit *visit, bool *good_out);
int64_t web_now(const struct web_visit *visit); /* wall-clock milliseconds */
struct gateway *web_gateway(const struct web_visit *visit);

/* What is said, and what was answered. */
struct web_order {
    const char *const
        *words;        /* NULL at the end: verb, sub-verb, options with values, and "--" before words that come from
                               * outside and are no option's value */
    const char *input; /* see struct admin_order; NULL: none */
};
struct web_result {
    enum admin_exit exit;
    struct json_t *json; /* the verb's document; NULL unless exit is ADMIN_OK. Borrowed */
    const char *error;   /* for people, without "posternctl: " and the newline; "" when exit is ADMIN_OK */
};
typedef void web_done(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx);
/* Says them one after the other, each when the one before has answered, also when that was refused; then done is called once,
 * with as many results, perhaps before this returns. Everything is copied. A visit may do so again in done. ctx is always
 * handed to done, so that is where it is freed. */
void web_run(struct web_visit *visit, const struct web_order *orders, size_t count, web_done *done, void *ctx);

/* The answer: the visit is gone with it. */
void web_answer_html(struct web_visit *visit, int status, const struct strbuf *html);
/* What could not be done, as a page of its own. text is plain. */
void web_answer_error(struct web_visit *visit, int status, const char *text);
/* 303 to a GET of path (of this server, with a query perhaps), which shows flash (plain text; NULL: nothing) once. */
void web_redirect(struct web_visit *visit, const char *path, bool good, const char *flash);
/* Appends text for use in a path or a query (RFC 3986: all but unreserved characters are escaped). */
void web_url_add(struct strbuf *out, const char *text);

/* The pages, as the table in web.c has them. A POST comes only to one that ends in _post. */
typedef void web_page(struct web_visit *visit);
web_page web_overview, web_overview_post;
web_page web_requests, web_requests_post;
web_page web_mappings, web_mappings_post, web_mapping, web_mapping_post;
web_page web_held_all, web_held_all_post, web_held, web_held_post, web_held_content_post;
web_page web_members, web_members_post, web_member, web_member_post;
web_page web_group, web_group_post; /* the list of groups is on the page of members */
web_page web_queue, web_queue_post;
web_page web_message;
web_page web_audit, web_audit_post;
web_page web_login, web_login_post, web_logout_post;
web_page web_own_account, web_own_account_post;

/* A file that is compiled in (gateway/ui/, by the build); served at "/static/NAME". */
struct web_static {
    const char *name, *type; /* "style.css", "text/css; charset=utf-8" */
    const unsigned char *data;
    size_t len;
    const char *digest; /* 16 hexadecimal digits of its SHA-256: "/static/NAME?v=DIGEST" may be cached for ever */
};
const struct web_static *web_static_find(const char *name); /* NULL: none */
