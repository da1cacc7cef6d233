/* web_login.c - signing in and out
 *
 * Whatever is wrong, the answer is the same and takes as long: a name that there is not costs a password check, too.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/password.h"
#include "base/strbuf.h"
#include "base/totp.h"
#include "base/xmalloc.h"
#include "gateway/admin_web.h"
#include "gateway/gateway.h"
#include "gateway/measures.h"
#include "gateway/parts.h"
#include "gateway/passwords.h"
#include "gateway/recovery_code.h"
#include "gateway/web_html.h"
#include "gateway/web_internal.h"
#include "gateway/web_limits.h"
#include "gateway/web_page.h"
#include "gateway/web_strangers.h"

enum { CODE_MAX = 60, TO_MAX = 2000 };

/* ---- the session ---- */

struct sign_in {
    struct web_visit *visit;
    char *name, *password_was, *rehash, *recovery, *client, *agent;
    int64_t totp_step, now;
    int64_t account_was, session_was; /* which the browser had, and forgets; 0: none */
    char secret[WEB_SECRET_SIZE];
    uint8_t digest[DIGEST_SIZE];
    web_signed_in *done;
    void *ctx;
};

static void sign_in_free(struct sign_in *sign_in)
{
    free(sign_in->name);
    free(sign_in->password_was);
    free(sign_in->rehash);
    free(sign_in->recovery);
    free(sign_in->client);
    free(sign_in->agent);
    free(sign_in);
}

/* 1: what the account asks for beside the password is there, and was used now. */
static int use_code(struct store_db *db, const struct sign_in *sign_in, const struct store_web_account *account)
{
    uint8_t digest[DIGEST_SIZE];
    if (account->totp != STORE_WEB_TOTP_ON)
        return 1;
    if (sign_in->totp_step)
        return store_web_totp_use(db, account->id, sign_in->totp_step);
    if (!sign_in->recovery)
        return 0;
    recovery_code_digest(sign_in->recovery, digest);
    return store_web_recovery_use(db, account->id, digest);
}

static int commit_for(struct store_db *db, const struct sign_in *sign_in, const struct store_web_account *account)
{
    const struct store_actor actor = { .channel = "web", .name = sign_in->name };
    const char *how = account->totp != STORE_WEB_TOTP_ON ? "by password"
                      : sign_in->totp_step               ? "by password and one-time code"
                                                         : "by password and recovery code";
    struct strbuf text;
    strbuf_init(&text, 200);
    strbuf_add_fmt(&text, "%s, from %s", how, sign_in->client);
    const struct store_audit_new audit = {
        .actor = &actor, .action = "web.sign-in", .object = "web page", .after = text.data, .now = sign_in->now
    };
    int result = use_code(db, sign_in, account);
    if (result == 1 && sign_in->session_was &&
        store_web_session_end(db, sign_in->account_was, sign_in->session_was) < 0)
        result = -1;
    if (result == 1 && sign_in->rehash &&
        store_web_account_rehash(db, account->id, sign_in->password_was, sign_in->rehash) < 0)
        result = -1;
    if (result == 1 &&
        (store_web_session_add(db, account->id, sign_in->digest, sign_in->client, sign_in->agent, sign_in->now) != 1 ||
         store_web_account_note_sign_in(db, account->id, sign_in->now) != 1 || store_audit_add(db, &audit) != 1))
        result = -1;
    strbuf_free(&text);
    return result;
}

static int commit_sign_in(struct store_db *db, void *arg)
{
    const struct sign_in *sign_in = arg;
    struct store_web_account account;
    int result = store_web_account_find(db, sign_in->name, &account);
    if (result == 1)
        result = strcmp(account.password, sign_in->password_was) == 0 ? commit_for(db, sign_in, &account) : 0;
    store_web_account_free(&account);
    return result;
}

static void committed(int result, void *arg)
{
    struct sign_in *sign_in = arg;
    struct web_cookies cookies = { NULL, NULL };
    if (result == 1) {
        cookies.session = web_session_cookie(sign_in->visit, sign_in->secret);
        cookies.known = web_session_known_cookie(sign_in->visit, sign_in->name,
                                                 sign_in->rehash ? sign_in->rehash : sign_in->password_was);
    }
    sign_in->done(sign_in->visit, result, &cookies, sign_in->ctx);
    free(cookies.session);
    free(cookies.known);
    sign_in_free(sign_in);
}

void web_sign_in(struct web_visit *visit, const struct web_sign_in *what, web_signed_in *done, void *ctx)
{
    struct sign_in *sign_in = xcalloc(1, sizeof *sign_in);
    *sign_in = (struct sign_in){ .visit = visit,
                                 .name = xstrdup(what->name),
                                 .password_was = xstrdup(what->password_was),
                                 .rehash = what->rehash ? xstrdup(what->rehash) : NULL,
                                 .recovery = what->recovery ? xstrdup(what->recovery) : NULL,
                                 .client = xstrdup(visit->client),
                                 .agent = web_session_agent(visit),
                                 .totp_step = what->totp_step,
                                 .now = web_now(visit),
                                 .account_was = visit->session.account_id,
                                 .session_was = visit->has_session ? visit->session.id : 0,
                                 .done = done,
                                 .ctx = ctx };
    web_session_secret(sign_in->secret, sign_in->digest);
    store_submit(gateway_parts(visit->gateway)->store, commit_sign_in, committed, sign_in);
}

/* ---- the page ---- */

/* A place of ours to go to afterwards: no other host, nothing that a browser reads as one. */
static bool is_place(const char *to)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/-._~%@ ";
    return to && to[0] == '/' && to[1] != '/' && strlen(to) < TO_MAX && strspn(to, letters) == strlen(to);
}

static void show_form(struct web_visit *visit, int status, const char *to, const char *wrong)
{
    struct web_html *html = web_page_begin(visit, "Sign in");
    if (wrong)
        web_page_note(html, WEB_BAD, wrong);
    web_page_form(html, "login", "", "/login", NULL);
    if (is_place(to))
        web_page_hidden(html, "to", to);
    web_page_field(html, &(struct web_field){ .id = "name",
                                              .name = "name",
                                              .label = "Name",
                                              .autocomplete = "username",
                                              .longest = STORE_WEB_NAME_MAX,
                                              .is_required = true,
                                              .is_wide = true });
    web_page_field(html, &(struct web_field){ .id = "password",
                                              .name = "password",
                                              .label = "Password",
                                              .type = "password",
                                              .autocomplete = "current-password",
                                              .is_required = true,
                                              .is_wide = true });
    web_page_field(html, &(struct web_field){ .id = "code",
                                              .name = "code",
                                              .label = "One-time code",
                                              .hint = "Only if your account uses them. A recovery code does it, too.",
                                              .autocomplete = "one-time-code",
                                              .longest = CODE_MAX,
                                              .is_wide = true });
    web_page_button(html, WEB_BUTTON_MAIN, NULL, NULL, "Sign in", NULL);
    web_page_form_end(html);
    web_page_end_status(visit, &html, status);
}

void web_login(struct web_visit *visit)
{
    if (visit->has_session)
        web_redirect(visit, "/", true, NULL);
    else
        show_form(visit, 200, web_query(visit, "to"), NULL);
}

struct attempt {
    struct web_visit *visit;
    struct store_web_account account; /* name NULL: there is none */
    char *name;                       /* as it was tried */
    char network[WEB_NETWORK_SIZE];
    char known[WEB_SECRET_SIZE]; /* see web_session_find_known() */
};

/* What failures are counted under. */
static const char *name_of(const struct attempt *attempt)
{
    return attempt->known[0] ? attempt->known : attempt->name;
}

static const char *network_of(const struct attempt *attempt)
{
    return attempt->known[0] ? attempt->known : attempt->network;
}

static void attempt_free(struct attempt *attempt)
{
    store_web_account_free(&attempt->account);
    free(attempt->name);
    free(attempt);
}

static void fail(struct attempt *attempt)
{
    struct web_visit *visit = attempt->visit;
    measures_note_sign_in(gateway_parts(visit->gateway)->measures, MEASURES_NOT_SIGNED_IN);
    if (visit->web) {
        web_limits_failed(visit->web->limits, name_of(attempt), network_of(attempt), web_monotonic(visit));
        web_strangers_add(visit->web->strangers, attempt->account.name, visit->client);
    }
    show_form(visit, 401, web_form(visit, "to"),
              "Name, password or code is wrong. If your account uses one-time codes, each can be used once.");
    attempt_free(attempt);
}

static void signed_in(struct web_visit *visit, int result, const struct web_cookies *cookies, void *ctx)
{
    struct attempt *attempt = ctx;
    const char *to = web_form(visit, "to");
    if (result == 0) {
        fail(attempt);
        return;
    }
    if (result < 0) {
        show_form(visit, 503, to, "The database could not be used. Try again later.");
    } else {
        if (visit->web)
            web_limits_succeeded(visit->web->limits, name_of(attempt), network_of(attempt));
        measures_note_sign_in(gateway_parts(visit->gateway)->measures, MEASURES_SIGNED_IN);
        log_info("web.signed_in", "account=%s client=%s", attempt->account.name, visit->client);
        web_redirect_with(visit, is_place(to) ? to : "/", true, NULL, cookies);
    }
    attempt_free(attempt);
}

static void checked(int result, const char *rehash, void *ctx)
{
    struct attempt *attempt = ctx;
    struct web_visit *visit = attempt->visit;
    const char *code = web_form(visit, "code");
    if (result < 0 || !visit->web) {
        show_form(visit, 503, web_form(visit, "to"), "That could not be looked at now. Try again.");
        attempt_free(attempt);
        return;
    }
    if (result == 0) {
        fail(attempt);
        return;
    }
    struct web_sign_in what = { .name = attempt->account.name,
                                .password_was = attempt->account.password,
                                .rehash = rehash };
    if (attempt->account.totp == STORE_WEB_TOTP_ON && code &&
        totp_check(attempt->account.totp_secret, code, web_now(visit), &what.totp_step) != 1)
        what.recovery = code;
    web_sign_in(visit, &what, signed_in, attempt);
}

/* As people write their own name: with a capital, or a space behind it. */
static char *plain_name(const char *text)
{
    size_t len = strlen(text);
    while (len > 0 && text[len - 1] == ' ')
        len--;
    char *name = xstrndup(text, len);
    for (char *at = name; *at; at++)
        *at = (char)(*at >= 'A' && *at <= 'Z' ? *at - 'A' + 'a' : *at);
    return name;
}

static void show_wait(struct web_visit *visit, const char *to, int64_t wait)
{
    struct strbuf text;
    strbuf_init(&text, 200);
    strbuf_add_fmt(&text, "Too many attempts have failed. Try again in %lld seconds.", (long long)(wait + 999) / 1000);
    measures_note_sign_in(gateway_parts(visit->gateway)->measures, MEASURES_SIGN_IN_LIMITED);
    show_form(visit, 429, to, text.data);
    strbuf_free(&text);
}

void web_login_post(struct web_visit *visit)
{
    const char *name = web_form(visit, "name"), *password = web_form(visit, "password"), *to = web_form(visit, "to");
    const struct parts *parts = gateway_parts(visit->gateway);
    if (!name || !password || strlen(password) > PASSWORD_LENGTH_MAX || strlen(name) > PASSWORD_LENGTH_MAX) {
        show_form(visit, 400, to, "Say your name and your password.");
        return;
    }
    struct attempt *attempt = xcalloc(1, sizeof *attempt);
    attempt->visit = visit;
    attempt->name = plain_name(name);
    web_network(visit, attempt->network);
    int found = store_web_account_find(store_reader(parts->store), attempt->name, &attempt->account);
    web_session_find_known(visit, &attempt->account, attempt->known);
    int64_t wait = web_limits_wait(visit->web->limits, name_of(attempt), network_of(attempt), web_monotonic(visit));
    if (wait > 0)
        show_wait(visit, to, wait);
    else if (found < 0)
        show_form(visit, 503, to, "The database could not be read. Try again later.");
    else if (passwords_check(parts->passwords, attempt->known[0] ? PASSWORDS_OF_KNOWN : PASSWORDS_OF_STRANGER,
                             attempt->account.password, password, checked, attempt) == 1)
        return;
    else
        show_form(visit, 503, to, "Many are signing in just now. Try again in some seconds.");
    attempt_free(attempt);
}

struct leaving {
    struct web_visit *visit;
    int64_t account, session, now;
};

static int commit_leave(struct store_db *db, void *arg)
{
    const struct leaving *leaving = arg;
    const struct store_actor actor = { .channel = "web", .name = web_account(leaving->visit) };
    struct strbuf from;
    strbuf_init(&from, 200);
    strbuf_add_fmt(&from, "from %s", leaving->visit->client);
    const struct store_audit_new audit = {
        .actor = &actor, .action = "web.sign-out", .object = "web page", .after = from.data, .now = leaving->now
    };
    int result = store_web_session_end(db, leaving->account, leaving->session);
    if (result == 1) /* 0: it was over already */
        result = store_audit_add(db, &audit);
    strbuf_free(&from);
    return result < 0 ? -1 : 1;
}

static void left(int result, void *arg)
{
    struct leaving *leaving = arg;
    struct web_visit *visit = leaving->visit;
    free(leaving);
    if (result != 1) {
        web_answer_error(visit, 503, "You are still signed in: the database could not be used. Try again.");
        return;
    }
    log_info("web.signed_out", "account=%s client=%s", web_account(visit), visit->client);
    struct web_cookies cookies = { .session = web_session_cookie(visit, NULL) };
    visit->has_session = false; /* the message is nobody's: there is no session that could have it */
    web_redirect_with(visit, "/login", true, "You have signed out.", &cookies);
    free(cookies.session);
}

void web_logout_post(struct web_visit *visit)
{
    struct leaving *leaving = xcalloc(1, sizeof *leaving);
    *leaving = (struct leaving){
        .visit = visit, .account = visit->session.account_id, .session = visit->session.id, .now = web_now(visit)
    };
    store_submit(gateway_parts(visit->gateway)->store, commit_leave, left, leaving);
}
