/* setup_account.c - the gateway's account in the silo; see setup.h
 *
 * It registers as the daemon would (silo_link.c): without an alias at first, for a crash before the account is on disk would lose
 * the alias for ever.
 */
#include <stdlib.h>
#include <string.h>

#include "base/loop.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/setup.h"
#include "gateway/silo_token.h"
#include "mapping/store_account.h"
#include "tmtp/tmtp_client.h"

enum { REGISTER_MS = 15 * 1000, FIRST_RETRY_MS = 60 * 1000 };

struct registration {
    const struct config *config;
    const char *pin;
    struct loop *loop;
    struct store *store;
    struct tmtp_client *client;
    uint64_t request; /* for the alias */
    char *uid, *node, *met_pin;
    unsigned saving; /* operations under way, which read the texts above on another thread */
    bool is_done;
    enum setup_result result;
    struct strbuf *words;
};

static void finish(struct registration *registration, enum setup_result result, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static void finish(struct registration *registration, enum setup_result result, const char *fmt, ...)
{
    va_list args;
    if (registration->is_done)
        return;
    va_start(args, fmt);
    strbuf_add_vfmt(registration->words, fmt, args);
    va_end(args);
    registration->result = result;
    registration->is_done = true;
    loop_stop(registration->loop);
}

/* ---- what is written down ---- */

static int save_pin(struct store_db *db, void *arg)
{
    struct registration *registration = arg;
    return store_account_set_pin(db, registration->config->silo.address, registration->met_pin);
}

static int save_identity(struct store_db *db, void *arg)
{
    struct registration *registration = arg;
    return store_account_set_identity(db, registration->config->silo.address, registration->uid, registration->node,
                                      NULL);
}

static int save_alias(struct store_db *db, void *arg)
{
    struct registration *registration = arg;
    const struct config *config = registration->config;
    return store_account_set_identity(db, config->silo.address, registration->uid, registration->node,
                                      config->silo.alias);
}

/* An operation is over. */
static void settle(struct registration *registration)
{
    registration->saving--;
    if (registration->is_done)
        loop_stop(registration->loop);
}

static void saved_pin(int result, void *arg)
{
    settle(arg);
    if (result != 1)
        finish(arg, SETUP_FAILED, "the database can't be written");
}

static void saved_identity(int result, void *arg)
{
    struct registration *registration = arg;
    settle(registration);
    if (result == 1 && registration->client)
        tmtp_client_account_saved(registration->client);
    else if (result != 1)
        finish(registration, SETUP_FAILED, "the database can't be written");
}

static void saved_alias(int result, void *arg)
{
    struct registration *registration = arg;
    settle(registration);
    finish(registration, result == 1 ? SETUP_MADE : SETUP_FAILED, "%s",
           result == 1 ? registration->uid : "the database can't be written");
}

/* ---- what the silo says ---- */

static void on_pin(struct tmtp_client *client, const char *pin, void *ctx)
{
    struct registration *registration = ctx;
    (void)client;
    if (registration->met_pin) /* it is being written */
        return;
    registration->met_pin = xstrdup(pin);
    registration->saving++;
    store_submit(registration->store, save_pin, saved_pin, registration);
}

static int on_token(struct tmtp_client *client, char **token_out, char **error_out, void *ctx)
{
    struct registration *registration = ctx;
    const char *file = registration->config->silo.oidc_token_file;
    (void)client;
    return !file ? 0 : silo_token_read(file, token_out, error_out) == 1 ? 1 : -1;
}

static void on_registered(struct tmtp_client *client, const char *uid, const char *node, const char *alias_error,
                          void *ctx)
{
    struct registration *registration = ctx;
    (void)client;
    (void)alias_error; /* none was asked for */
    registration->uid = xstrdup(uid);
    registration->node = xstrdup(node);
    registration->saving++;
    store_submit(registration->store, save_identity, saved_identity, registration);
}

static void on_state(struct tmtp_client *client, enum tmtp_client_state state, const char *detail, void *ctx)
{
    struct registration *registration = ctx;
    if (state == TMTP_CLIENT_ONLINE && registration->request == 0)
        registration->request = tmtp_client_add_alias(client, registration->config->silo.alias);
    else if (state == TMTP_CLIENT_STOPPED)
        finish(registration, SETUP_FAILED, "%s", detail);
    else if (state == TMTP_CLIENT_OFFLINE && !registration->uid)
        finish(registration, SETUP_LATER, "%s", detail);
}

static void on_result(struct tmtp_client *client, const struct tmtp_client_result *result, void *ctx)
{
    struct registration *registration = ctx;
    (void)client;
    if (result->request != registration->request)
        return;
    if (result->error)
        finish(registration, SETUP_FAILED, "it has an account now, but the silo refuses the alias \"%s\": %s",
               registration->config->silo.alias, result->error);
    else if (!result->lost) {
        registration->saving++;
        store_submit(registration->store, save_alias, saved_alias, registration);
    }
}

static void on_time(void *arg)
{
    struct registration *registration = arg;
    finish(registration, SETUP_LATER, "the silo does not answer in time");
}

static const struct tmtp_client_callbacks callbacks = {
    .on_state = on_state, .on_pin = on_pin, .on_token = on_token, .on_registered = on_registered, .on_result = on_result
};

/* ---- all of it ---- */

static void talk(struct registration *registration, const struct store_account *account)
{
    const struct config *config = registration->config;
    const struct tmtp_client_settings settings = {
        .loop = registration->loop,
        .address = config->silo.address,
        .ca_file = config->silo.ca_file,
        .pin = config->silo.pin ? config->silo.pin
               : account->pin   ? account->pin
                                : registration->pin,
        .spool_dir = store_content_directory(registration->store),
        .retry_first_ms = FIRST_RETRY_MS,
        .callbacks = &callbacks,
        .ctx = registration,
    };
    struct timer *timer = timer_new(registration->loop, on_time, registration);
    if (!account->pin && registration->pin) { /* somebody has compared it: only this one will do */
        registration->met_pin = xstrdup(registration->pin);
        registration->saving++;
        store_submit(registration->store, save_pin, saved_pin, registration);
    }
    registration->client = tmtp_client_new(&settings);
    timer_start(timer, REGISTER_MS);
    while (!registration->is_done)
        loop_run(registration->loop);
    tmtp_client_quit(registration->client);
    loop_turn(registration->loop);
    tmtp_client_free(&registration->client);
    while (registration->saving > 0)
        loop_run(registration->loop);
    timer_free(&timer);
}

/* ctx: a registration with config and pin. */
static enum setup_result work(struct loop *loop, struct store *store, void *ctx, struct strbuf *words)
{
    struct registration *registration = ctx;
    struct store_account account = { 0 };
    registration->loop = loop;
    registration->store = store;
    registration->words = words;
    int found = store_account_get(store_reader(store), registration->config->silo.address, &account);
    if (found < 0)
        finish(registration, SETUP_FAILED, "the database can't be read");
    else if (account.uid)
        finish(registration, SETUP_KNOWN, "%s", account.uid);
    else
        talk(registration, &account);
    store_account_free(&account);
    free(registration->uid);
    free(registration->node);
    free(registration->met_pin);
    return registration->result;
}

enum setup_result setup_register(const struct config *config, const char *pin, const struct setup_patience *patience,
                                 struct strbuf *words_out)
{
    struct registration registration = { .config = config, .pin = pin };
    return setup_in_store(config, patience, work, &registration, words_out);
}
