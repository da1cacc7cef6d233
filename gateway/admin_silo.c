/* admin_silo.c - silo status, accounts, repin, moved, connect */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "gateway/acts.h"
#include "gateway/admin_command.h"
#include "gateway/admin_output.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/parts.h"
#include "gateway/silo_link.h"
#include "mapping/store_account.h"

static const struct config *config_of(const struct admin_request *request)
{
    return gateway_parts(request->gateway)->config;
}

/* Who says which certificate is expected. */
static const char *pin_source(const struct config *config, const struct silo_link_status *status)
{
    if (config->silo.address[0] == '+')
        return "certificate authority";
    if (config->silo.pin)
        return "configuration";
    return status->pin ? "first use" : NULL;
}

static void add_counters(struct admin_output *out, const struct tmtp_client_statistics *counted)
{
    admin_output_int(out, "reconnects", counted->logins ? (int64_t)counted->logins - 1 : 0);
    admin_output_int(out, "posts", (int64_t)counted->posts);
    admin_output_int(out, "echoes", (int64_t)counted->echoes);
    admin_output_int(out, "deliveries", (int64_t)counted->deliveries);
    admin_output_int(out, "pings", (int64_t)counted->pings);
    admin_output_int(out, "notices", (int64_t)counted->notices);
    admin_output_int(out, "redeliveries", (int64_t)counted->redeliveries);
    admin_output_int(out, "unknown_ops", (int64_t)counted->unknown);
    admin_output_int(out, "headsums_refused", (int64_t)counted->bad_sums);
}

void admin_silo_status(struct admin_request *request)
{
    const struct config *config = config_of(request);
    struct admin_output *out = request->output;
    struct silo_link_status status;
    struct store_account account;
    silo_link_get_status(gateway_silo(request->gateway), &status);
    int found = store_account_get(admin_reader(request), config->silo.address, &account);
    if (found < 0) {
        admin_database_error(request);
        return;
    }
    bool claimed = found == 1 && account.alias && strcmp(account.alias, config->silo.alias) == 0;
    store_account_free(&account);
    admin_output_string(out, "address", config->silo.address);
    admin_output_string(out, "state", status.state);
    admin_output_time(out, "since", status.since_ms);
    admin_output_string(out, "uid", status.uid);
    admin_output_string(out, "alias", config->silo.alias);
    admin_output_bool(out, "alias_claimed", claimed);
    admin_output_string(out, "alias_error", claimed ? NULL : status.own_alias_error);
    admin_output_string(out, "pin", status.pin);
    admin_output_string(out, "pin_from", pin_source(config, &status));
    admin_output_string(out, "pin_refused", status.refused_pin);
    admin_output_bool(out, "echo", config->silo.echo);
    admin_output_string(out, "last_error", status.error[0] ? status.error : NULL);
    admin_output_time(out, "last_error_at", status.error_ms);
    admin_output_string(out, "hint", status.hint);
    /* Rounded up: an attempt that is planned is never shown as none. */
    admin_output_int(out, "next_attempt_s", (status.next_attempt_ms + 999) / 1000);
    add_counters(out, &status.counted);
    admin_finish(request);
}

/* All of it but the node's password. */
static void add_account(const struct store_account *account, void *ctx)
{
    struct admin_output *out = ctx;
    admin_output_row(out);
    admin_output_string(out, "silo", account->silo);
    admin_output_string(out, "uid", account->uid);
    admin_output_string(out, "alias", account->alias);
    admin_output_string(out, "pin", account->pin);
    admin_output_end(out);
}

void admin_silo_accounts(struct admin_request *request)
{
    admin_output_list(request->output, "accounts");
    int result = store_account_list(admin_reader(request), add_account, request->output);
    admin_output_end(request->output);
    admin_finish_read(request, result);
}

/* Exactly the certificate that was refused, and that the administrator was told of, becomes the pinned one: whatever is
 * met next must be that one. */
struct repin {
    struct admin_request *request;
    char *silo, *was, *is;
    int64_t now;
};

static int audit(struct store_db *db, const struct admin_request *request, const char *action, const char *before,
                 const char *after, int64_t now)
{
    return admin_audit_add(
        db, request,
        (struct store_audit_new){ .action = action, .object = "silo", .before = before, .after = after, .now = now });
}

static int commit_pin(struct store_db *db, void *arg)
{
    const struct repin *repin = arg;
    if (store_account_set_pin(db, repin->silo, repin->is) != 1)
        return -1;
    return audit(db, repin->request, "silo.repin", repin->was, repin->is, repin->now);
}

static void pin_committed(int result, void *arg)
{
    struct repin *repin = arg;
    struct admin_request *request = repin->request;
    if (result == 1) {
        log_warning("silo.repinned", "silo=%s was=%s is=%s actor=%s", repin->silo, repin->was, repin->is,
                    request->actor);
        silo_link_repin(gateway_silo(request->gateway), repin->is);
        admin_output_string(request->output, "silo", repin->silo);
        admin_output_string(request->output, "was", repin->was);
        admin_output_string(request->output, "is", repin->is);
        admin_finish(request);
    } else {
        admin_database_error(request);
    }
    free(repin->silo);
    free(repin->was);
    free(repin->is);
    free(repin);
}

void admin_silo_repin(struct admin_request *request)
{
    const struct config *config = config_of(request);
    struct silo_link_status status;
    silo_link_get_status(gateway_silo(request->gateway), &status);
    if (config->silo.address[0] == '+') {
        admin_refuse(request,
                     "nothing is pinned: the address begins with '+', a certificate authority vouches for the silo");
    } else if (config->silo.pin) {
        admin_refuse(request, "silo.pin is in the configuration: change it there, then: posternctl reload%s%s",
                     status.refused_pin ? "; the silo showed " : "", status.refused_pin ? status.refused_pin : "");
    } else if (!status.pin) {
        admin_refuse(request, "nothing is pinned yet: the first certificate that is met will be");
    } else if (!status.refused_pin) {
        admin_refuse(request, "the silo has not shown another certificate than the pinned %s", status.pin);
    } else {
        struct repin *repin = xcalloc(1, sizeof *repin);
        repin->request = request;
        repin->now = admin_now(request);
        repin->silo = xstrdup(config->silo.address);
        repin->was = xstrdup(status.pin);
        repin->is = xstrdup(status.refused_pin);
        store_submit(gateway_parts(request->gateway)->store, commit_pin, pin_committed, repin);
    }
}

struct move {
    struct admin_request *request;
    char *to;
    int64_t now;
};

static int commit_move(struct store_db *db, void *arg)
{
    const struct move *move = arg;
    int result = store_account_move(db, move->request->argv[0], move->to);
    return result == 1 ? audit(db, move->request, "silo.moved", move->request->argv[0], move->to, move->now) : result;
}

static void moved(int result, void *arg)
{
    struct move *move = arg;
    struct admin_request *request = move->request;
    if (result == 1) {
        log_warning("silo.moved", "was=%s is=%s actor=%s", request->argv[0], move->to, request->actor);
        silo_link_connect(gateway_silo(request->gateway));
        admin_output_string(request->output, "was", request->argv[0]);
        admin_output_string(request->output, "is", move->to);
        admin_finish(request);
    } else if (result == 0) {
        admin_refuse(request, "no account is known on %s, or one on %s already; see: posternctl silo accounts",
                     request->argv[0], move->to);
    } else {
        admin_database_error(request);
    }
    free(move->to);
    free(move);
}

/* The account goes with the silo to the address that is configured now. */
void admin_silo_moved(struct admin_request *request)
{
    struct move *move = xcalloc(1, sizeof *move);
    move->request = request;
    move->now = admin_now(request);
    move->to = xstrdup(config_of(request)->silo.address);
    store_submit(gateway_parts(request->gateway)->store, commit_move, moved, move);
}

void admin_silo_connect(struct admin_request *request)
{
    struct silo_link *link = gateway_silo(request->gateway);
    struct silo_link_status status;
    silo_link_get_status(link, &status);
    if (strcmp(status.state, "offline") != 0 && strcmp(status.state, "stopped") != 0) {
        admin_refuse(request, "nothing to do: the link is %s", status.state);
        return;
    }
    log_info("silo.connect", "silo=%s was=%s actor=%s", config_of(request)->silo.address, status.state, request->actor);
    const char *was = status.state;
    if (!silo_link_connect(link)) {
        silo_link_get_status(link, &status);
        admin_refuse(request, "it can't be tried: %s; %s", status.error, status.hint ? status.hint : "see the log");
        return;
    }
    const struct store_actor actor = admin_actor(request);
    acts_add(gateway_parts(request->gateway), &actor, "silo.connect", "silo", was, "connecting");
    admin_output_string(request->output, "silo", config_of(request)->silo.address);
    admin_output_string(request->output, "was", was);
    admin_output_string(request->output, "is", "connecting");
    admin_finish(request);
}
