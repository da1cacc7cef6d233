/* silo_link.c - account, learning, chores; see silo_link.h */
#include "gateway/silo_link.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/parts.h"
#include "gateway/silo_admins.h"
#include "gateway/silo_chores.h"
#include "gateway/silo_people.h"
#include "gateway/silo_token.h"
#include "mapping/store_account.h"
#include "tmtp/tmtp_header.h"

enum { START_RETRY_MS = 5000, START_RETRY_LONGEST_MS = 30 * 1000, SAVE_RETRY_MS = 2000 };

struct account_op;

struct silo_link {
    const struct parts *parts;
    const struct silo_link_callbacks *callbacks;
    void *ctx;
    struct tmtp_client *client;
    struct silo_chores *chores;
    struct silo_people *people;
    struct silo_admins *admins;
    struct timer *start_timer;
    struct backoff unreadable; /* the account, at the start */
    char *elsewhere;           /* no client is made: the database is that silo's, not the configured one's; NULL */
    bool was_online;
    bool has_configured_pin;     /* the client has that one */
    struct account_op *identity; /* a new account that is not written down yet */
};

/* Account: one store operation for each fact learned. */
struct account_op {
    struct timer *pause;
    struct silo_link *link;
    char *silo, *pin, *uid, *node, *alias;
};

static void account_op_free(struct account_op *op)
{
    timer_free(&op->pause);
    free(op->silo);
    free(op->pin);
    free(op->uid);
    free(op->node);
    free(op->alias);
    free(op);
}

static int save_pin(struct store_db *db, void *arg)
{
    struct account_op *op = arg;
    return store_account_set_pin(db, op->silo, op->pin);
}

static void saved_pin(int result, void *arg)
{
    struct account_op *op = arg;
    if (result != 1)
        log_error("silo.pin_not_saved", "silo=%s hint=%s", op->silo,
                  "the pin will be taken again at the next connection");
    account_op_free(op);
}

static void on_pin(struct tmtp_client *client, const char *pin, void *ctx)
{
    struct silo_link *link = ctx;
    (void)client;
    struct account_op *op = xcalloc(1, sizeof *op);
    op->silo = xstrdup(link->parts->config->silo.address);
    op->pin = xstrdup(pin);
    log_info("silo.pinned", "silo=%s pin=%s", op->silo, pin);
    store_submit(link->parts->store, save_pin, saved_pin, op);
}

/* Read each time: a token lives for minutes, and a person may just have brought a new one. */
static int on_token(struct tmtp_client *client, char **token_out, char **error_out, void *ctx)
{
    struct silo_link *link = ctx;
    const char *file = link->parts->config->silo.oidc_token_file;
    (void)client;
    if (!file)
        return 0;
    int result = silo_token_read(file, token_out, error_out);
    if (result == 1)
        log_info("silo.token_used", "file=%s", file);
    return result == 1 ? 1 : -1;
}

static int save_identity(struct store_db *db, void *arg)
{
    struct account_op *op = arg;
    return store_account_set_identity(db, op->silo, op->uid, op->node, op->alias);
}

static void submit_identity(void *arg);

/* The silo has made the account and tells its password once: it must be written down, whatever it takes. */
static void saved_identity(int result, void *arg)
{
    struct account_op *op = arg;
    if (result != 1) {
        log_error("silo.account_not_saved", "silo=%s hint=%s", op->silo, "trying again; see the database's errors");
        timer_start(op->pause, SAVE_RETRY_MS);
        return;
    }
    log_info("silo.registered", "silo=%s uid=%s", op->silo, op->uid);
    tmtp_client_account_saved(op->link->client);
    op->link->identity = NULL;
    account_op_free(op);
}

static void submit_identity(void *arg)
{
    struct account_op *op = arg;
    store_submit(op->link->parts->store, save_identity, saved_identity, op);
}

/* Registered without an alias: a crash before the account is written down would lose the alias with it, for ever (they
 * are never freed). It is claimed afterwards, as a chore. */
static void on_registered(struct tmtp_client *client, const char *uid, const char *node, const char *alias_error,
                          void *ctx)
{
    struct silo_link *link = ctx;
    const struct config *config = link->parts->config;
    (void)client;
    (void)alias_error; /* none was asked for */
    struct account_op *op = xcalloc(1, sizeof *op);
    op->link = link;
    op->silo = xstrdup(config->silo.address);
    op->uid = xstrdup(uid);
    op->node = xstrdup(node);
    op->pause = timer_new(link->parts->loop, submit_identity, op);
    link->identity = op;
    submit_identity(op);
}

/* What an administrator can do about a stop. */
static const char *stop_hint(const struct silo_link *link)
{
    const struct config *config = link->parts->config;
    switch (link->client ? tmtp_client_stop_cause(link->client) : TMTP_CLIENT_STOP_NONE) {
    case TMTP_CLIENT_STOP_PIN:
        return config->silo.pin
                   ? "ask the silo's operator whether the certificate was changed; if so, correct silo.pin in "
                     "the configuration, then: posternctl reload"
                   : "ask the silo's operator whether the certificate was changed; if so: posternctl silo "
                     "repin";
    case TMTP_CLIENT_STOP_TOKEN:
        return config->silo.oidc_token_file
                   ? "put a fresh token into the file that silo.oidc_token_file names, then: posternctl silo connect"
                   : "put a token into a file and name it in silo.oidc_token_file, then: posternctl reload";
    case TMTP_CLIENT_STOP_ACCOUNT:
        return "settle it with the silo's operator, then: posternctl silo connect";
    case TMTP_CLIENT_STOP_SETUP:
        return "mend what the error names, then: posternctl silo connect";
    case TMTP_CLIENT_STOP_NONE:
        break;
    }
    return NULL;
}

static void on_state(struct tmtp_client *client, enum tmtp_client_state state, const char *detail, void *ctx)
{
    struct silo_link *link = ctx;
    (void)client;
    bool online = state == TMTP_CLIENT_ONLINE;
    if (state == TMTP_CLIENT_STOPPED)
        log_error("silo.stopped", "silo=%s detail=%s hint=%s", link->parts->config->silo.address, detail,
                  stop_hint(link)); /* it takes a person to go on */
    else                            /* what is tried in between, and in vain, has warnings of its own */
        log_event(online != link->was_online ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, "silo.state",
                  "silo=%s state=%s detail=%s", link->parts->config->silo.address, tmtp_client_state_name(state),
                  detail);
    if (online != link->was_online) {
        link->was_online = online;
        silo_chores_set_online(link->chores, online);
        link->callbacks->on_online(online, link->ctx);
    }
}

static void on_result(struct tmtp_client *client, const struct tmtp_client_result *result, void *ctx)
{
    struct silo_link *link = ctx;
    (void)client;
    if (!silo_chores_on_result(link->chores, result))
        link->callbacks->on_post_result(result, link->ctx);
}

static void on_echo(struct tmtp_client *client, const char *queue_key, const char *msgid, const char *posted,
                    const char *threadid, void *ctx)
{
    struct silo_link *link = ctx;
    (void)client;
    link->callbacks->on_echo(queue_key, msgid, posted, threadid, link->ctx);
}

static void on_message(struct tmtp_client *client, struct tmtp_client_delivery *delivery, void *ctx)
{
    struct silo_link *link = ctx;
    (void)client;
    link->callbacks->on_message(delivery, link->ctx);
}

static void on_ping(struct tmtp_client *client, const struct tmtp_push *push, const char *text, void *ctx)
{
    struct silo_link *link = ctx;
    (void)client;
    silo_people_on_push(link->people, push, text);
}

static void on_notice(struct tmtp_client *client, const struct tmtp_push *push, const char *data, size_t len, void *ctx)
{
    struct silo_link *link = ctx;
    (void)client;
    if (push->op == TMTP_PUSH_NOTIFY)
        link->callbacks->on_notify(push, data, len, link->ctx);
    else
        silo_people_on_push(link->people, push, NULL);
}

static void on_learned(void *ctx)
{
    struct silo_link *link = ctx;
    silo_link_poke(link);
}

static void on_stored_notice(void *ctx)
{
    struct silo_link *link = ctx;
    link->callbacks->on_notice(link->ctx);
}

static void on_mappings_changed(void *ctx)
{
    struct silo_link *link = ctx;
    link->callbacks->on_mappings_changed(link->ctx);
}

static const struct silo_people_callbacks people_callbacks = { .on_learned = on_learned,
                                                               .on_notice = on_stored_notice,
                                                               .on_mappings_changed = on_mappings_changed };

static const struct tmtp_client_callbacks client_callbacks = {
    .on_state = on_state,
    .on_pin = on_pin,
    .on_registered = on_registered,
    .on_token = on_token,
    .on_result = on_result,
    .on_echo = on_echo,
    .on_message = on_message,
    .on_ping = on_ping,
    .on_notice = on_notice,
};

static void start_again(void *arg)
{
    silo_link_start(arg);
}

struct silo_link *silo_link_new(const struct parts *parts, const struct silo_link_callbacks *callbacks, void *ctx)
{
    struct silo_link *link = xcalloc(1, sizeof *link);
    link->parts = parts;
    link->callbacks = callbacks;
    link->ctx = ctx;
    link->chores = silo_chores_new(parts, on_stored_notice, link);
    link->people = silo_people_new(parts, &people_callbacks, link);
    link->admins = silo_admins_new(parts, on_stored_notice, link);
    link->unreadable = (struct backoff){ .first_ms = START_RETRY_MS, .longest_ms = START_RETRY_LONGEST_MS };
    link->start_timer = timer_new(parts->loop, start_again, link);
    return link;
}

static void note_account(const struct store_account *account, void *ctx)
{
    struct silo_link *link = ctx;
    if (account->uid && !link->elsewhere)
        link->elsewhere = xstrdup(account->silo);
}

/* The configured silo's account, and whether the database belongs to another one. -1: it can't be read. */
static int find_account(struct silo_link *link, struct store_account *account_out)
{
    struct store_db *db = store_reader(link->parts->store);
    free(link->elsewhere);
    link->elsewhere = NULL;
    if (store_account_get(db, link->parts->config->silo.address, account_out) < 0)
        return -1;
    if (!account_out->uid && store_account_list(db, note_account, link) < 0) {
        store_account_free(account_out);
        return -1;
    }
    return 1;
}

static const char elsewhere_error[] = "the database belongs to the account on a silo of another address";
static const char elsewhere_hint[] = "the same silo under a new address: posternctl silo accounts, then: posternctl "
                                     "silo moved OLD-ADDRESS; another silo: "
                                     "another state_dir; else correct silo.address and restart";

void silo_link_start(struct silo_link *link)
{
    const struct config *config = link->parts->config;
    struct store_account account = { 0 };
    if (link->client)
        return;
    if (find_account(link, &account) < 0) {
        timer_start(link->start_timer, backoff_failed(&link->unreadable, clock_monotonic_ms(link->parts->clock)));
        return;
    }
    (void)backoff_worked(&link->unreadable);
    if (link->elsewhere) {
        log_error("silo.stopped", "silo=%s known=%s detail=%s hint=%s", config->silo.address, link->elsewhere,
                  elsewhere_error, elsewhere_hint);
        store_account_free(&account);
        return;
    }
    struct tmtp_client_settings settings = {
        .loop = link->parts->loop,
        .address = config->silo.address,
        .ca_file = config->silo.ca_file,
        .pin = config->silo.pin ? config->silo.pin : account.pin,
        .uid = account.uid,
        .node = account.node,
        .spool_dir = store_content_directory(link->parts->store),
        .message_max = config->policy.max_message,
        .retry_longest_ms = config->silo.retry_longest_ms,
        .callbacks = &client_callbacks,
        .ctx = link,
    };
    link->client = tmtp_client_new(&settings);
    link->has_configured_pin = config->silo.pin != NULL;
    silo_chores_set_client(link->chores, link->client);
    silo_people_set_client(link->people, link->client);
    link->callbacks->on_client(link->client, link->ctx);
    store_account_free(&account);
}

void silo_link_free(struct silo_link **link_in)
{
    struct silo_link *link = *link_in;
    if (!link)
        return;
    if (link->identity)
        account_op_free(link->identity);
    tmtp_client_free(&link->client);
    silo_chores_free(&link->chores);
    silo_people_free(&link->people);
    silo_admins_free(&link->admins);
    timer_free(&link->start_timer);
    free(link->elsewhere);
    free(link);
    *link_in = NULL;
}

void silo_link_quit(struct silo_link *link)
{
    if (link->client)
        tmtp_client_quit(link->client);
}

void silo_link_get_status(const struct silo_link *link, struct silo_link_status *out)
{
    struct clock *clock = link->parts->clock;
    const struct tmtp_client *client = link->client;
    int64_t now = clock_monotonic_ms(clock);
    *out = (struct silo_link_status){ .state = "starting", .error = "" };
    out->own_alias_error = silo_chores_own_alias_error(link->chores);
    if (link->elsewhere) {
        out->state = tmtp_client_state_name(TMTP_CLIENT_STOPPED);
        out->error = elsewhere_error;
        out->hint = elsewhere_hint;
    }
    if (!client)
        return;
    int64_t next = tmtp_client_next_attempt_ms(client);
    out->state = tmtp_client_state_name(tmtp_client_get_state(client));
    out->since_ms = clock_wall_ms(clock) - (now - tmtp_client_state_since_ms(client));
    out->next_attempt_ms = next > now ? next - now : next ? 1 : 0;
    out->uid = tmtp_client_uid(client);
    out->pin = tmtp_client_pin(client);
    out->refused_pin = tmtp_client_refused_pin(client);
    out->error = tmtp_client_last_error(client);
    if (out->error[0])
        out->error_ms = clock_wall_ms(clock) - (now - tmtp_client_last_error_ms(client));
    out->hint = stop_hint(link);
    tmtp_client_get_statistics(client, &out->counted);
}

void silo_link_repin(struct silo_link *link, const char *pin)
{
    if (!link->client || link->parts->config->silo.pin)
        return;
    tmtp_client_set_pin(link->client, pin);
    tmtp_client_connect(link->client);
}

bool silo_link_connect(struct silo_link *link)
{
    if (link->client)
        tmtp_client_connect(link->client);
    else if (link->elsewhere)
        silo_link_start(link);
    return link->client;
}

void silo_link_reconfigured(struct silo_link *link)
{
    const struct config *config = link->parts->config;
    struct store_account account;
    if (!link->client)
        return; /* it will be made with what counts then */
    int found = store_account_get(store_reader(link->parts->store), config->silo.address, &account);
    if (config->silo.pin)
        tmtp_client_set_pin(link->client, config->silo.pin);
    else if (found == 1 && account.pin)
        tmtp_client_set_pin(link->client, account.pin);
    else if (found >= 0 && link->has_configured_pin)
        tmtp_client_set_pin(link->client, NULL); /* none was met on first use: that is still to come */
    link->has_configured_pin = config->silo.pin != NULL;
    store_account_free(&account);
    if (tmtp_client_get_state(link->client) == TMTP_CLIENT_STOPPED)
        tmtp_client_connect(link->client);
    silo_link_poke(link); /* there may be other admins */
}

void silo_link_poke(struct silo_link *link)
{
    silo_chores_poke(link->chores);
    silo_admins_poke(link->admins);
}

void silo_link_ask_again(struct silo_link *link, const char *alias)
{
    silo_people_ask_again(link->people, alias);
}
