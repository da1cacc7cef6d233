/* admin_token.c - admin token add, list, remove: what programs identify themselves with at the API */
#include <stdlib.h>
#include <string.h>

#include "base/base32.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/admin_command.h"
#include "gateway/admin_output.h"
#include "gateway/admin_web.h"
#include "gateway/api_token.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/mapping_options.h"
#include "gateway/parts.h"
#include "mapping/store_web.h"

struct change {
    struct admin_request *request;
    struct store_web_token token; /* borrows */
    char text[API_TOKEN_SIZE];
    int64_t now;
    bool is_full;
};

static void change_free(struct change *change)
{
    free(change);
}

static int commit_add(struct store_db *db, void *arg)
{
    struct change *change = arg;
    uint8_t digest[DIGEST_SIZE];
    int64_t count;
    if (store_web_token_count(db, &count) < 0)
        return -1;
    change->is_full = count >= STORE_WEB_TOKENS_MAX;
    api_token_make(change->text);
    api_token_digest(change->text, digest);
    int result = change->is_full ? 0 : store_web_token_add(db, &change->token, digest);
    return result == 1 ? admin_web_audit(db, change->request, "token.add", "token", change->token.name,
                                         change->token.only_reads ? "only reads" : "may change", change->now)
                       : result;
}

static void added(int result, void *arg)
{
    struct change *change = arg;
    struct admin_request *request = change->request;
    if (result == 1) {
        log_info("token.added", "token=%s actor=%s", change->token.name, request->actor);
        admin_output_string(request->output, "name", change->token.name);
        admin_output_bool(request->output, "read_only", change->token.only_reads);
        admin_output_time(request->output, "expires", change->token.expires_at);
        admin_output_string(request->output, "token", change->text);
        admin_finish(request);
    } else if (result < 0) {
        admin_database_error(request);
    } else if (change->is_full) {
        admin_refuse(request, "there are %d tokens already, which is the most", STORE_WEB_TOKENS_MAX);
    } else {
        admin_refuse(request, "there is a token \"%s\" already", change->token.name);
    }
    change_free(change);
}

/* "90d", "2027-01-31", a time, or never. 1 or -1. */
static int take_expiry(const char *text, int64_t now, int64_t *at_out)
{
    struct mapping_options options = { 0 };
    struct strbuf wrong;
    int64_t ms;
    *at_out = 0;
    if (!text)
        return 1;
    if (config_parse_duration(text, &ms) == 1 && ms > 0) {
        *at_out = now + ms;
        return 1;
    }
    strbuf_init(&wrong, 1000);
    int result = mapping_options_set(&options, "expires", text, now, &wrong);
    if (result == 1)
        *at_out = options.limits.expires_at;
    mapping_options_clear(&options);
    strbuf_free(&wrong);
    return result;
}

void admin_token_add(struct admin_request *request)
{
    const char *only = admin_option(request, "--read-only"), *expires = admin_option(request, "--expires");
    int64_t expires_at;
    if (!admin_web_is_name(request->argv[0])) {
        admin_refuse(request, "%s", admin_web_name_rule);
    } else if (only && strcmp(only, "yes") != 0 && strcmp(only, "no") != 0) {
        admin_misused(request, "--read-only is yes or no, not \"%s\"", only);
    } else if (take_expiry(expires, admin_now(request), &expires_at) != 1) {
        admin_misused(request, "--expires is a duration such as 90d, a future date such as 2027-01-31, or never");
    } else {
        struct change *change = xcalloc(1, sizeof *change);
        change->request = request;
        change->now = admin_now(request);
        change->token = (struct store_web_token){ .name = request->argv[0],
                                                  .only_reads = only && strcmp(only, "yes") == 0,
                                                  .created_at = change->now,
                                                  .created_by = request->actor,
                                                  .expires_at = expires_at };
        store_submit(gateway_parts(request->gateway)->store, commit_add, added, change);
    }
}

static void add_token(const struct store_web_token *token, void *ctx)
{
    const struct admin_request *request = ctx;
    struct admin_output *out = request->output;
    admin_output_row(out);
    admin_output_string(out, "name", token->name);
    admin_output_bool(out, "read_only", token->only_reads);
    admin_output_time(out, "since", token->created_at);
    admin_output_string(out, "by", token->created_by);
    admin_output_time(out, "expires", token->expires_at);
    admin_output_bool(out, "expired", token->expires_at && token->expires_at <= admin_now(request));
    admin_output_time(out, "used", token->used_at);
    admin_output_end(out);
}

void admin_token_list(struct admin_request *request)
{
    admin_output_list(request->output, "tokens");
    int result = store_web_token_list(admin_reader(request), add_token, request);
    admin_output_end(request->output);
    admin_finish_read(request, result);
}

static int commit_remove(struct store_db *db, void *arg)
{
    struct change *change = arg;
    int result = store_web_token_remove(db, change->request->argv[0]);
    return result == 1 ? admin_web_audit(db, change->request, "token.remove", "token", change->request->argv[0], NULL,
                                         change->now)
                       : result;
}

static void removed(int result, void *arg)
{
    struct change *change = arg;
    struct admin_request *request = change->request;
    if (result == 1) {
        log_info("token.removed", "token=%s actor=%s", request->argv[0], request->actor);
        admin_output_string(request->output, "removed", request->argv[0]);
        admin_finish(request);
    } else if (result == 0) {
        admin_refuse(request, "there is no token \"%s\"", request->argv[0]);
    } else {
        admin_database_error(request);
    }
    change_free(change);
}

void admin_token_remove(struct admin_request *request)
{
    struct change *change = xcalloc(1, sizeof *change);
    change->request = request;
    change->now = admin_now(request);
    store_submit(gateway_parts(request->gateway)->store, commit_remove, removed, change);
}
