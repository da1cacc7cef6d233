/* admin_web.c - admin add, passwd, list, remove, sessions, sign-out: the accounts of the web page */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/password.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/admin_command.h"
#include "gateway/admin_output.h"
#include "gateway/admin_web.h"
#include "gateway/gateway.h"
#include "gateway/parts.h"
#include "gateway/passwords.h"
#include "mapping/store_web.h"

const char admin_web_name_rule[] =
    "a name has 1 to 64 lower-case letters, digits, \"-\", \"_\" and \".\", and begins with a letter or digit";

bool admin_web_is_name(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789",
                      all[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
    size_t len = strlen(name);
    return len > 0 && len <= STORE_WEB_NAME_MAX && strchr(letters, name[0]) && strspn(name, all) == len;
}

int admin_web_audit(struct store_db *db, const struct admin_request *request, const char *action, const char *what,
                    const char *name, const char *after, int64_t now)
{
    struct strbuf object;
    strbuf_init(&object, STORE_WEB_NAME_MAX + 40);
    strbuf_add_fmt(&object, "%s %s", what, name);
    int result = admin_audit_add(
        db, request, (struct store_audit_new){ .action = action, .object = object.data, .after = after, .now = now });
    strbuf_free(&object);
    return result;
}

/* ---- changes: an operation with the request as its argument ---- */

struct change {
    struct admin_request *request;
    char hash[PASSWORD_HASH_SIZE];
    int64_t now, session; /* 0: all */
    bool is_full;
};

static void change_free(struct change *change)
{
    free(change);
}

static const char *name_of(const struct change *change)
{
    return change->request->argv[0];
}

static struct change *change_new(struct admin_request *request)
{
    struct change *change = xcalloc(1, sizeof *change);
    change->request = request;
    change->now = admin_now(request);
    return change;
}

static void submit(struct change *change, store_operation *operation, store_done *done)
{
    store_submit(gateway_parts(change->request->gateway)->store, operation, done, change);
}

/* Ends the request, with the reason when nothing was done. */
static void finish(int result, struct change *change)
{
    struct admin_request *request = change->request;
    if (result == 1) {
        admin_output_string(request->output, "name", name_of(change));
        admin_finish(request);
    } else if (result == 0) {
        admin_refuse(request, "there is no account \"%s\"", name_of(change));
    } else {
        admin_database_error(request);
    }
    change_free(change);
}

static int commit_add(struct store_db *db, void *arg)
{
    struct change *change = arg;
    int64_t count;
    if (store_web_account_count(db, &count) < 0)
        return -1;
    change->is_full = count >= STORE_WEB_ACCOUNTS_MAX;
    int result = change->is_full ? 0 : store_web_account_add(db, name_of(change), change->hash, change->now);
    return result == 1
               ? admin_web_audit(db, change->request, "admin.add", "account", name_of(change), NULL, change->now)
               : result;
}

static void added(int result, void *arg)
{
    struct change *change = arg;
    if (result != 0) {
        if (result == 1)
            log_info("account.added", "account=%s actor=%s", name_of(change), change->request->actor);
        finish(result, change);
        return;
    }
    if (change->is_full)
        admin_refuse(change->request, "there are %d accounts already, which is the most", STORE_WEB_ACCOUNTS_MAX);
    else
        admin_refuse(change->request, "there is an account \"%s\" already", name_of(change));
    change_free(change);
}

static int commit_password(struct store_db *db, void *arg)
{
    struct change *change = arg;
    struct store_web_account account;
    int result = store_web_account_find(db, name_of(change), &account);
    if (result == 1 && (store_web_account_set_password(db, account.id, change->hash, change->now) != 1 ||
                        store_web_session_end_all(db, account.id, 0) < 0 ||
                        admin_web_audit(db, change->request, "admin.passwd", "account", name_of(change),
                                        "all sessions ended", change->now) != 1))
        result = -1;
    store_web_account_free(&account);
    return result;
}

static void password_changed(int result, void *arg)
{
    struct change *change = arg;
    if (result == 1)
        log_info("account.password", "account=%s actor=%s", name_of(change), change->request->actor);
    finish(result, change);
}

static bool take_hash(struct change *change, int result, const char *hash)
{
    if (result == 1) {
        memcpy(change->hash, hash, strlen(hash) + 1);
        return true;
    }
    admin_refuse_now(change->request, "the password could not be worked on: no memory, or the daemon stops; try again");
    change_free(change);
    return false;
}

static void hashed_for_add(int result, const char *hash, void *ctx)
{
    if (take_hash(ctx, result, hash))
        submit(ctx, commit_add, added);
}

static void hashed_for_password(int result, const char *hash, void *ctx)
{
    if (take_hash(ctx, result, hash))
        submit(ctx, commit_password, password_changed);
}

static void make_hash(struct admin_request *request, passwords_done *done)
{
    const char *complaint = request->input ? password_complaint(request->input) : NULL;
    if (!request->input) {
        admin_misused(request,
                      "the password is missing; it never stands among the words, but comes from the terminal or "
                      "standard input");
    } else if (complaint) {
        admin_refuse(request, "the password %s", complaint);
    } else if (strstr(request->input, request->argv[0]) && strlen(request->input) < strlen(request->argv[0]) + 8) {
        admin_refuse(request, "the password is little more than the name");
    } else {
        struct change *change = change_new(request);
        if (passwords_make(gateway_parts(request->gateway)->passwords, request->input, done, change) != 1) {
            admin_refuse_now(request, "too many passwords are being worked on; try again");
            change_free(change);
        }
    }
}

void admin_account_add(struct admin_request *request)
{
    if (admin_web_is_name(request->argv[0]))
        make_hash(request, hashed_for_add);
    else
        admin_refuse(request, "%s", admin_web_name_rule);
}

void admin_account_passwd(struct admin_request *request)
{
    struct store_web_account account;
    int found = store_web_account_find(admin_reader(request), request->argv[0], &account);
    store_web_account_free(&account);
    if (found == 1)
        make_hash(request, hashed_for_password);
    else if (found == 0)
        admin_refuse(request, "there is no account \"%s\"", request->argv[0]);
    else
        admin_database_error(request);
}

static int commit_remove(struct store_db *db, void *arg)
{
    struct change *change = arg;
    struct store_web_account account;
    int result = store_web_account_find(db, name_of(change), &account);
    if (result == 1 &&
        (store_web_account_remove(db, account.id) != 1 ||
         admin_web_audit(db, change->request, "admin.remove", "account", name_of(change), NULL, change->now) != 1))
        result = -1;
    store_web_account_free(&account);
    return result;
}

static void removed(int result, void *arg)
{
    struct change *change = arg;
    if (result == 1)
        log_info("account.removed", "account=%s actor=%s", name_of(change), change->request->actor);
    finish(result, change);
}

void admin_account_remove(struct admin_request *request)
{
    submit(change_new(request), commit_remove, removed);
}

static int commit_sign_out(struct store_db *db, void *arg)
{
    struct change *change = arg;
    struct store_web_account account;
    int result = store_web_account_find(db, name_of(change), &account);
    if (result == 1) {
        result = change->session ? store_web_session_end(db, account.id, change->session)
                                 : store_web_session_end_all(db, account.id, 0);
        if (result == 0 && !change->session)
            result = 1; /* nobody had signed in: that is what was wanted */
        if (result == 1 &&
            admin_web_audit(db, change->request, "admin.sign-out", "account", name_of(change),
                            change->session ? "a session ended" : "all sessions ended", change->now) != 1)
            result = -1;
    }
    store_web_account_free(&account);
    return result;
}

static void signed_out(int result, void *arg)
{
    struct change *change = arg;
    if (result == 0 && change->session) {
        admin_refuse(change->request, "\"%s\" has no session %" PRId64, name_of(change), change->session);
        change_free(change);
    } else {
        if (result == 1)
            log_info("account.signed_out", "account=%s actor=%s", name_of(change), change->request->actor);
        finish(result, change);
    }
}

void admin_account_sign_out(struct admin_request *request)
{
    const char *session = admin_option(request, "--session");
    size_t len = session ? strlen(session) : 1;
    if (session && (len == 0 || len > 18 || strspn(session, "0123456789") != len || strtoll(session, NULL, 10) == 0)) {
        admin_misused(request, "\"%s\" is no session; \"admin sessions\" has their numbers", session);
        return;
    }
    struct change *change = change_new(request);
    change->session = session ? strtoll(session, NULL, 10) : 0;
    submit(change, commit_sign_out, signed_out);
}

/* ---- what there is ---- */

static void add_account(const struct store_web_account *account, void *ctx)
{
    struct admin_output *out = ctx;
    static const char *const totp[] = {
        [STORE_WEB_TOTP_NONE] = "off", [STORE_WEB_TOTP_BEGUN] = "begun", [STORE_WEB_TOTP_ON] = "on"
    };
    admin_output_row(out);
    admin_output_string(out, "name", account->name);
    admin_output_time(out, "since", account->created_at);
    admin_output_time(out, "password_since", account->password_at);
    admin_output_time(out, "signed_in", account->signed_in_at);
    admin_output_string(out, "totp", totp[account->totp]);
    admin_output_int(out, "recovery_codes", account->recovery_codes);
    admin_output_int(out, "sessions", account->sessions);
    admin_output_end(out);
}

void admin_account_list(struct admin_request *request)
{
    admin_output_list(request->output, "accounts");
    int result = store_web_account_list(admin_reader(request), add_account, request->output);
    admin_output_end(request->output);
    admin_finish_read(request, result);
}

static void add_session(const struct store_web_session *session, void *ctx)
{
    struct admin_output *out = ctx;
    admin_output_row(out);
    admin_output_int(out, "id", session->id);
    admin_output_time(out, "since", session->created_at);
    admin_output_time(out, "seen", session->seen_at);
    admin_output_string(out, "from", session->peer);
    admin_output_string(out, "browser", session->agent);
    admin_output_end(out);
}

void admin_account_sessions(struct admin_request *request)
{
    struct store_web_account account;
    int result = store_web_account_find(admin_reader(request), request->argv[0], &account);
    if (result == 1) {
        admin_output_list(request->output, "sessions");
        result = store_web_session_list(admin_reader(request), account.id, add_session, request->output);
        admin_output_end(request->output);
    }
    if (result == 1)
        admin_finish(request);
    else if (result == 0)
        admin_refuse(request, "there is no account \"%s\"", request->argv[0]);
    else
        admin_database_error(request);
    store_web_account_free(&account);
}
