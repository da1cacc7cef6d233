/* web_account.c - one's own account: password, one-time codes, sessions
 *
 * What others could use a browser for that was left open asks for the password first: a new password, and turning codes on or off.
 */
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/gateway.h"
#include "gateway/parts.h"
#include "gateway/passwords.h"
#include "gateway/web_html.h"
#include "gateway/web_internal.h"
#include "gateway/web_json.h"
#include "gateway/web_limits.h"
#include "gateway/web_page.h"
#include "gateway/web_strangers.h"

/* ---- what is shown ---- */

static void add_password_field(struct web_html *html, const char *id, const char *name, const char *label,
                               const char *autocomplete, const char *hint)
{
    web_page_field(html, &(struct web_field){ .id = id,
                                              .name = name,
                                              .label = label,
                                              .type = "password",
                                              .autocomplete = autocomplete,
                                              .hint = hint,
                                              .is_required = true });
}

static void add_password_form(struct web_html *html, const char *csrf)
{
    web_page_section(html, "password", "Password");
    web_page_form(html, "change-password", csrf, "/account", NULL);
    add_password_field(html, "current", "current", "Your password now", "current-password", NULL);
    add_password_field(html, "new", "new", "New password", "new-password", "At least 12 characters.");
    add_password_field(html, "again", "again", "New password once more", "new-password", NULL);
    web_page_button(html, WEB_BUTTON_MAIN, "act", "password", "Change password", NULL);
    web_page_form_end(html);
    web_page_section_end(html);
}

static void add_totp(struct web_html *html, const json_t *account, const char *csrf)
{
    bool is_on = web_json_says(account, "totp", "on");
    web_page_section(html, "codes", "One-time codes");
    if (is_on)
        web_html_add(html, "<p>Signing in asks for a code of your authenticator. Recovery codes left: %s.</p>",
                     WEB_INT(web_json_number(account, "recovery_codes")));
    else
        web_html_add(html, "<p>With an authenticator, signing in asks for a code as well as for your password.</p>");
    web_page_form(html, "change-codes", csrf, "/account", is_on ? "Turn one-time codes off?" : NULL);
    add_password_field(html, "codes-current", "current", "Your password", "current-password", NULL);
    web_page_button(html, is_on ? WEB_BUTTON_DANGER : WEB_BUTTON_PLAIN, "act", is_on ? "totp-off" : "totp-begin",
                    is_on ? "Turn off" : "Set up", is_on ? "Turn one-time codes off" : "Set up one-time codes");
    web_page_form_end(html);
    web_page_section_end(html);
}

static const struct web_column session_columns[] = {
    { "From", WEB_COLUMN_HEAD },
    { "Browser", WEB_COLUMN_LONG },
    { "Signed in", WEB_COLUMN_TIGHT },
    { "Last seen", WEB_COLUMN_TIGHT },
};

static void add_sessions(struct web_html *html, const struct web_visit *visit, const json_t *sessions)
{
    size_t i;
    json_t *session;
    web_page_section(html, "sessions", "Where you are signed in");
    web_page_table(html, "session-list", "Sessions", session_columns, 4);
    json_array_foreach(sessions, i, session)
    {
        bool is_this = web_json_number(session, "id") == visit->session.id;
        web_page_row(html);
        web_page_cell(html, &session_columns[0]);
        web_html_add(html, "%s%s", web_json_text(session, "from"), is_this ? " (this one)" : "");
        web_page_cell_end(html, &session_columns[0]);
        web_page_text(html, &session_columns[1], web_json_text(session, "browser"));
        web_page_time(html, &session_columns[2], web_json_text(session, "since"));
        web_page_time(html, &session_columns[3], web_json_text(session, "seen"));
        web_page_row_end(html);
    }
    web_page_table_end(html);
    web_page_form(html, "sign-out-all", visit->csrf, "/account", NULL);
    web_page_button(html, WEB_BUTTON_DANGER, "act", "sign-out", "Sign out everywhere", NULL);
    web_page_form_end(html);
    web_page_section_end(html);
}

static void show(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    (void)ctx;
    const json_t *own = NULL;
    json_t *account;
    size_t i;
    for (size_t k = 0; k < count; k++) {
        if (results[k].exit != ADMIN_OK) {
            web_page_fail(visit, &results[k]);
            return;
        }
    }
    json_array_foreach(json_object_get(results[0].json, "accounts"), i, account)
    {
        if (web_json_says(account, "name", web_account(visit)))
            own = account;
    }
    if (!own) {
        web_answer_error(visit, 404, "Your account is not there any more.");
        return;
    }
    struct web_html *html = web_page_begin(visit, "Your account");
    web_page_facts(html);
    web_page_fact_text(html, "Name", web_json_text(own, "name"));
    web_page_fact_time(html, "Password since", web_json_text(own, "password_since"));
    web_page_facts_end(html);
    add_password_form(html, visit->csrf);
    add_totp(html, own, visit->csrf);
    add_sessions(html, visit, json_object_get(results[1].json, "sessions"));
    web_page_end(visit, &html);
}

void web_own_account(struct web_visit *visit)
{
    const char *const list[] = { "admin", "list", NULL };
    const char *const sessions[] = { "admin", "sessions", "--", web_account(visit), NULL };
    const struct web_order orders[] = { { .words = list }, { .words = sessions } };
    web_run(visit, orders, 2, show, NULL);
}

/* ---- what is done ---- */

static void back(struct web_visit *visit, bool good, const char *text)
{
    web_redirect(visit, "/account", good, text);
}

/* Shown once, so it is the answer itself. */
static void show_secret(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    (void)count;
    (void)ctx;
    if (results[0].exit != ADMIN_OK) {
        back(visit, false, results[0].error);
        return;
    }
    struct web_html *html = web_page_begin(visit, "Set up one-time codes");
    web_html_add(html,
                 "<p>Give this to your authenticator. It is shown only now. Then type the code that it shows: until "
                 "you do, nobody is asked for one.</p>");
    web_page_facts(html);
    web_page_fact(html, "Secret");
    web_html_add(html, "<code id=\"totp-secret\">%s</code>", web_json_text(results[0].json, "secret"));
    web_page_fact_end(html);
    web_page_fact(html, "As an address");
    web_html_add(html, "<code id=\"totp-uri\">%s</code>", web_json_text(results[0].json, "uri"));
    web_page_fact_end(html);
    web_page_facts_end(html);
    web_page_form(html, "confirm-codes", visit->csrf, "/account", NULL);
    web_page_field(html, &(struct web_field){ .id = "code",
                                              .name = "code",
                                              .label = "Code",
                                              .inputmode = "numeric",
                                              .autocomplete = "one-time-code",
                                              .longest = 6,
                                              .is_required = true });
    web_page_button(html, WEB_BUTTON_MAIN, "act", "totp-confirm", "Turn on", NULL);
    web_page_form_end(html);
    web_page_end(visit, &html);
}

static void show_recovery(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    size_t i;
    json_t *code;
    (void)count;
    (void)ctx;
    if (results[0].exit != ADMIN_OK) {
        back(visit, false, results[0].error);
        return;
    }
    struct web_html *html = web_page_begin(visit, "One-time codes are on");
    web_html_add(html,
                 "<p>Should you lose your authenticator, each of these lets you in once, instead of a code. They are "
                 "shown only now: keep them where others can't find them.</p><ul id=\"recovery-codes\">");
    json_array_foreach(json_object_get(results[0].json, "recovery_codes"), i, code)
    {
        web_html_add(html, "<li><code>%s</code></li>", web_json_text(code, "code"));
    }
    web_html_add(html, "</ul>");
    web_page_link(html, "/account", "Back to your account");
    web_page_end(visit, &html);
}

static void turned_off(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    (void)count;
    (void)ctx;
    back(visit, results[0].exit == ADMIN_OK,
         results[0].exit == ADMIN_OK ? "One-time codes are off." : results[0].error);
}

static void signed_out(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    (void)count;
    (void)ctx;
    if (results[0].exit != ADMIN_OK) {
        back(visit, false, results[0].error);
        return;
    }
    struct web_cookies cookies = { .session = web_session_cookie(visit, NULL) };
    visit->has_session = false;
    web_redirect_with(visit, "/login", true, "You have signed out everywhere.", &cookies);
    free(cookies.session);
}

/* All sessions have ended with the password: this browser, which knows the new one, begins another. */
static void signed_in_again(struct web_visit *visit, int result, const struct web_cookies *cookies, void *ctx)
{
    (void)ctx;
    visit->has_session = false; /* what the flash belongs to is gone */
    web_redirect_with(visit, result == 1 ? "/account" : "/login", true,
                      "Your password is changed. All other browsers are signed out.", cookies);
}

static void password_changed(struct web_visit *visit, const struct web_result *results, size_t count, void *ctx)
{
    struct store_web_account account;
    (void)count;
    (void)ctx;
    if (results[0].exit != ADMIN_OK) {
        back(visit, false, results[0].error);
        return;
    }
    int found = visit->web ? store_web_account_find(store_reader(gateway_parts(visit->gateway)->store),
                                                    visit->session.account, &account)
                           : 0;
    if (found == 1 && account.totp != STORE_WEB_TOTP_ON) {
        const struct web_sign_in what = { .name = account.name, .password_was = account.password };
        web_sign_in(visit, &what, signed_in_again, NULL);
    } else { /* a code was used for the session that is over, none for another one */
        signed_in_again(visit, 0, NULL, NULL);
    }
    if (found == 1)
        store_web_account_free(&account);
}

static void change_password(struct web_visit *visit)
{
    const char *password = web_form(visit, "new"), *again = web_form(visit, "again");
    const char *const words[] = { "admin", "passwd", "--", web_account(visit), NULL };
    const struct web_order order = { .words = words, .input = password };
    if (!password || !again || strcmp(password, again) != 0)
        back(visit, false, "The two new passwords differ. Nothing was changed.");
    else
        web_run(visit, &order, 1, password_changed, NULL);
}

static void begin_totp(struct web_visit *visit)
{
    const char *const words[] = { "admin", "totp", "begin", "--", web_account(visit), NULL };
    web_run(visit, &(struct web_order){ .words = words }, 1, show_secret, NULL);
}

static void confirm_totp(struct web_visit *visit)
{
    const char *code = web_form(visit, "code");
    const char *const words[] = { "admin", "totp", "confirm", "--", web_account(visit), code ? code : "", NULL };
    web_run(visit, &(struct web_order){ .words = words }, 1, show_recovery, NULL);
}

static void turn_totp_off(struct web_visit *visit)
{
    const char *const words[] = { "admin", "totp", "off", "--", web_account(visit), NULL };
    web_run(visit, &(struct web_order){ .words = words }, 1, turned_off, NULL);
}

static void sign_out(struct web_visit *visit)
{
    const char *const words[] = { "admin", "sign-out", "--", web_account(visit), NULL };
    web_run(visit, &(struct web_order){ .words = words }, 1, signed_out, NULL);
}

static const struct act {
    const char *name;
    web_page *run;
    bool wants_password;
} acts[] = {
    { "password", change_password, true }, { "totp-begin", begin_totp, true }, { "totp-confirm", confirm_totp, false },
    { "totp-off", turn_totp_off, true },   { "sign-out", sign_out, false },
};

struct asked {
    struct web_visit *visit;
    const struct act *act;
};

/* The password was waited for: somebody may have ended the session meanwhile, or removed the account. */
static bool is_still_in(struct web_visit *visit)
{
    store_web_session_free(&visit->session);
    visit->has_session = false;
    return web_session_load(visit) && visit->has_session;
}

static void checked(int result, const char *rehash, void *ctx)
{
    struct asked *asked = ctx;
    struct web_visit *visit = asked->visit;
    const struct act *act = asked->act;
    (void)rehash;
    free(asked);
    if (result == 0 && visit->web) {
        web_limits_failed(visit->web->limits, visit->csrf, visit->csrf, web_monotonic(visit));
        web_strangers_add(visit->web->strangers, web_account(visit), visit->client);
    }
    if (result == 1 && visit->web && is_still_in(visit))
        act->run(visit);
    else if (result == 1 && visit->web)
        web_answer_error(visit, 401, "Your session is over: nothing was changed. Sign in and try again.");
    else if (result == 0)
        back(visit, false, "That is not your password. Nothing was changed.");
    else
        web_answer_error(visit, 503, "That could not be looked at now. Try again.");
}

/* Whoever sits at a browser that was left open may guess as slowly as everybody else. The session is counted by itself (by what
 * nobody else knows of it): strangers who try the name at the door don't keep its owner from another password. */
static void ask_password(struct web_visit *visit, const struct act *act)
{
    const struct parts *parts = gateway_parts(visit->gateway);
    const char *password = web_form(visit, "current");
    struct store_web_account account;
    if (!password || web_limits_wait(visit->web->limits, visit->csrf, visit->csrf, web_monotonic(visit)) > 0) {
        back(visit, false, password ? "Too many attempts have failed. Try again in a minute." : "Say your password.");
        return;
    }
    if (store_web_account_find(store_reader(parts->store), web_account(visit), &account) != 1) {
        web_answer_error(visit, 503, "The database could not be read. Try again later.");
        return;
    }
    struct asked *asked = xcalloc(1, sizeof *asked);
    *asked = (struct asked){ .visit = visit, .act = act };
    if (passwords_check(parts->passwords, PASSWORDS_OF_KNOWN, account.password, password, checked, asked) != 1) {
        free(asked);
        web_answer_error(visit, 503, "Many passwords are being looked at just now. Try again in some seconds.");
    }
    store_web_account_free(&account);
}

void web_own_account_post(struct web_visit *visit)
{
    const char *name = web_form(visit, "act");
    for (size_t i = 0; name && i < sizeof acts / sizeof acts[0]; i++) {
        if (strcmp(acts[i].name, name) != 0)
            continue;
        if (acts[i].wants_password)
            ask_password(visit, &acts[i]);
        else
            acts[i].run(visit);
        return;
    }
    web_answer_error(visit, 400, "That is nothing that this page does.");
}
