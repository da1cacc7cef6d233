/* admin_totp.c - admin totp begin, confirm, off: one-time codes of an account of the web page
 *
 * A secret that nobody has confirmed by a code of it is not asked for: whoever mistypes it into their authenticator is not locked out.
 */
#include <stdlib.h>
#include <string.h>

#include "base/base32.h"
#include "base/digest.h"
#include "base/http_text.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "base/totp.h"
#include "base/xmalloc.h"
#include "gateway/admin_command.h"
#include "gateway/admin_output.h"
#include "gateway/admin_web.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/parts.h"
#include "gateway/recovery_code.h"
#include "mapping/store_web.h"

_Static_assert(TOTP_SECRET_SIZE == (int)STORE_WEB_TOTP_SIZE, "the store keeps what totp.h wants");
enum { URI_MAX = 1000 };

struct change {
    struct admin_request *request;
    uint8_t secret[TOTP_SECRET_SIZE];
    char codes[RECOVERY_CODES][RECOVERY_CODE_SIZE];
    int64_t now;
    const char *reason; /* static: why it was refused; NULL: there is no such account */
};

static void change_free(struct change *change)
{
    free(change);
}

static const char *name_of(const struct change *change)
{
    return change->request->argv[0];
}

static void refuse(const struct change *change, int result)
{
    if (result < 0)
        admin_database_error(change->request);
    else if (change->reason)
        admin_refuse(change->request, "%s", change->reason);
    else
        admin_refuse(change->request, "there is no account \"%s\"", name_of(change));
}

static void run(struct admin_request *request, store_operation *operation, store_done *done)
{
    struct change *change = xcalloc(1, sizeof *change);
    change->request = request;
    change->now = admin_now(request);
    store_submit(gateway_parts(request->gateway)->store, operation, done, change);
}

static int commit_begin(struct store_db *db, void *arg)
{
    struct change *change = arg;
    struct store_web_account account;
    int result = store_web_account_find(db, name_of(change), &account);
    if (result == 1 && account.totp == STORE_WEB_TOTP_ON) {
        change->reason = "one-time codes are on already; turn them off first";
        result = 0;
    }
    if (result == 1) {
        random_bytes(change->secret, sizeof change->secret);
        result = store_web_totp_set(db, account.id, STORE_WEB_TOTP_BEGUN, change->secret) == 1 ? 1 : -1;
    }
    store_web_account_free(&account);
    return result;
}

/* As authenticators read it from a QR code, or take it by hand. */
static void add_uri(struct strbuf *uri, const struct change *change, const char *secret)
{
    const char *host = gateway_parts(change->request->gateway)->config->hostname;
    strbuf_add_str(uri, "otpauth://totp/");
    http_text_encode(uri, host);
    strbuf_add_char(uri, ':');
    http_text_encode(uri, name_of(change));
    strbuf_add_fmt(uri, "?secret=%s&issuer=", secret);
    http_text_encode(uri, host);
    strbuf_add_fmt(uri, "&algorithm=SHA1&digits=%d&period=%d", TOTP_DIGITS, TOTP_STEP_S);
}

static void begun(int result, void *arg)
{
    struct change *change = arg;
    struct admin_request *request = change->request;
    if (result == 1) {
        char secret[BASE32_SIZE(TOTP_SECRET_SIZE)];
        struct strbuf uri;
        base32_encode(change->secret, sizeof change->secret, secret);
        for (char *at = secret; *at; at++)
            if (*at >= 'a' && *at <= 'z')
                *at = (char)(*at - 'a' + 'A'); /* as authenticators write it */
        strbuf_init(&uri, URI_MAX);
        add_uri(&uri, change, secret);
        admin_output_string(request->output, "name", name_of(change));
        admin_output_string(request->output, "secret", secret);
        admin_output_string(request->output, "uri", uri.data);
        admin_finish(request);
        explicit_bzero(secret, sizeof secret);
        strbuf_free(&uri);
    } else {
        refuse(change, result);
    }
    change_free(change);
}

void admin_totp_begin(struct admin_request *request)
{
    run(request, commit_begin, begun);
}

static int add_codes(struct store_db *db, struct change *change, int64_t account)
{
    for (size_t i = 0; i < RECOVERY_CODES; i++) {
        uint8_t digest[DIGEST_SIZE];
        recovery_code_make(change->codes[i]);
        recovery_code_digest(change->codes[i], digest);
        if (store_web_recovery_add(db, account, digest) != 1)
            return -1;
    }
    return 1;
}

static int confirm(struct store_db *db, struct change *change, const struct store_web_account *account)
{
    int64_t step;
    if (account->totp != STORE_WEB_TOTP_BEGUN) {
        change->reason = account->totp == STORE_WEB_TOTP_ON ? "one-time codes are on already"
                                                            : "nothing was begun: \"admin totp begin\" gives a secret";
        return 0;
    }
    if (totp_check(account->totp_secret, change->request->argv[1], change->now, &step) != 1) {
        change->reason = "that is not the code of now; is the clock right, on both sides?";
        return 0;
    }
    return store_web_totp_use(db, account->id, step) == 1 &&
                   store_web_totp_set(db, account->id, STORE_WEB_TOTP_ON, NULL) == 1 &&
                   add_codes(db, change, account->id) == 1 &&
                   admin_web_audit(db, change->request, "admin.totp", "account", name_of(change), "on", change->now) ==
                       1
               ? 1
               : -1;
}

static int commit_confirm(struct store_db *db, void *arg)
{
    struct change *change = arg;
    struct store_web_account account;
    int result = store_web_account_find(db, name_of(change), &account);
    if (result == 1)
        result = confirm(db, change, &account);
    store_web_account_free(&account);
    return result;
}

static void confirmed(int result, void *arg)
{
    struct change *change = arg;
    struct admin_request *request = change->request;
    if (result == 1) {
        log_info("account.totp", "account=%s totp=on actor=%s", name_of(change), request->actor);
        admin_output_string(request->output, "name", name_of(change));
        admin_output_string(request->output, "totp", "on");
        admin_output_list(request->output, "recovery_codes");
        for (size_t i = 0; i < RECOVERY_CODES; i++) {
            admin_output_row(request->output);
            admin_output_string(request->output, "code", change->codes[i]);
            admin_output_end(request->output);
        }
        admin_output_end(request->output);
        admin_finish(request);
    } else {
        refuse(change, result);
    }
    change_free(change);
}

void admin_totp_confirm(struct admin_request *request)
{
    run(request, commit_confirm, confirmed);
}

static int commit_off(struct store_db *db, void *arg)
{
    struct change *change = arg;
    struct store_web_account account;
    int result = store_web_account_find(db, name_of(change), &account);
    if (result == 1 &&
        (store_web_totp_set(db, account.id, STORE_WEB_TOTP_NONE, NULL) != 1 ||
         admin_web_audit(db, change->request, "admin.totp", "account", name_of(change), "off", change->now) != 1))
        result = -1;
    store_web_account_free(&account);
    return result;
}

static void turned_off(int result, void *arg)
{
    struct change *change = arg;
    struct admin_request *request = change->request;
    if (result == 1) {
        log_info("account.totp", "account=%s totp=off actor=%s", name_of(change), request->actor);
        admin_output_string(request->output, "name", name_of(change));
        admin_output_string(request->output, "totp", "off");
        admin_finish(request);
    } else {
        refuse(change, result);
    }
    change_free(change);
}

void admin_totp_off(struct admin_request *request)
{
    run(request, commit_off, turned_off);
}
