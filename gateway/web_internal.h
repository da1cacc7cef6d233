/* web_internal.h - what web.c, web_run.c, web_session.c, web_login.c, web_account.c and web_api.c share; pages have web.h
 */
#pragma once
#include "base/digest.h"
#include "base/http_server.h"
#include "gateway/web.h"
#include "mapping/store_web.h"

struct web_limits;
struct web_strangers;

enum {
    WEB_PARTS_MAX = 2,    /* stars of an address */
    WEB_SECRET_SIZE = 53, /* of a session, with the NUL: base32 of 256 bits */
    WEB_CSRF_SIZE = 53,
    WEB_NETWORK_SIZE = 48,
    WEB_FLASHES_MAX = 64,
};

/* The text that the next page shows. In memory: what it says is in the audit log as well. */
struct web_flash {
    char id[WEB_SECRET_SIZE]; /* "": free */
    int64_t session;          /* whose, 0: nobody's who has signed in */
    int64_t until;            /* monotonic */
    bool good;
    char *text;
};

struct web {
    struct gateway *gateway;
    struct http_server *server;
    struct web_visit *visits; /* that were not answered yet */
    struct web_limits *limits;
    struct web_strangers *strangers; /* what is written down of those who fail to sign in */
    struct web_flash flashes[WEB_FLASHES_MAX];
    struct timer *sweeper;
    bool stranger_noted; /* a form of another site, sent by somebody who has not signed in; monotonic */
    int64_t stranger_noted_at;
};

struct web_visit {
    struct web *web; /* NULL once that was freed */
    struct web_visit *next;
    struct gateway *gateway;
    struct http_request *request;
    const char *parts[WEB_PARTS_MAX];
    bool by_origin; /* it came by the public address */
    bool is_secure; /* and that has TLS */
    char *client;   /* the address that it came from, as far as is known; "local" by a unix socket */
    bool has_session;
    struct store_web_session session;
    char csrf[WEB_CSRF_SIZE];
    char *flash;
    bool flash_is_good;
};

int64_t web_monotonic(const struct web_visit *visit);
/* The /24 or /64 of the client, or "local". */
void web_network(const struct web_visit *visit, char out[static WEB_NETWORK_SIZE]);
/* As web_answer_html(), with more fields of the header, up to one whose name is NULL. */
void web_answer(struct web_visit *visit, int status, const char *type, const char *body, size_t len,
                const struct http_field *more);
/* Values of Set-Cookie fields; NULL: none. */
struct web_cookies {
    char *session, *known;
};
/* As web_redirect(), and sets cookies. */
void web_redirect_with(struct web_visit *visit, const char *path, bool good, const char *flash,
                       const struct web_cookies *cookies);
const struct http_field *web_fields(void); /* of each answer of the server */

/* web_session.c */
/* Looks whether a browser has signed in. false: the database can't be read. */
bool web_session_load(struct web_visit *visit) __attribute__((warn_unused_result));
/* A new secret, and what is stored of it. */
void web_session_secret(char secret_out[static WEB_SECRET_SIZE], uint8_t digest_out[static DIGEST_SIZE]);
/* The value of a Set-Cookie field for it; secret NULL: it is forgotten. Caller frees. */
char *web_session_cookie(const struct web_visit *visit, const char *secret) __attribute__((warn_unused_result));
/* A browser in which somebody has signed in keeps a proof of that, good until the password is another one: it has a count of
 * its own of those who fail, so that strangers who try the name keep nobody out who was in before. For the account as it is stored;
 * caller frees. NULL: the secret can't be read. */
char *web_session_known_cookie(const struct web_visit *visit, const char *account, const char *password)
    __attribute__((warn_unused_result));
/* Has it one of this account? known_out: what its failures are counted under; "": no. */
void web_session_find_known(const struct web_visit *visit, const struct store_web_account *account,
                            char known_out[static WEB_SECRET_SIZE]);
/* What a browser says it is, cut and clean; caller frees. */
char *web_session_agent(const struct web_visit *visit) __attribute__((warn_unused_result));
void web_session_sweep(struct web *web); /* those whose time is over */

/* Signs in: anew, with another secret than before (a session that somebody has planted is worth nothing). web_login.c */
struct web_sign_in {
    const char *name;
    const char *password_was; /* what is stored; another one meanwhile: refused */
    const char *rehash;       /* NULL: the stored one is fine */
    int64_t totp_step;        /* 0: no code was used */
    const char *recovery;     /* NULL: none was used */
};
typedef void web_signed_in(struct web_visit *visit, int result, const struct web_cookies *cookies, void *ctx);
void web_sign_in(struct web_visit *visit, const struct web_sign_in *what, web_signed_in *done, void *ctx);

/* web_api.c: a request whose path begins with "/api/". */
void web_api(struct web_visit *visit);
