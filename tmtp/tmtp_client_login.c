/* tmtp_client_login.c - from tmtprev to the barrier's return
 *
 * tmtprev, then register (once in an account's life) or login; then a post to ourselves whose return says that the
 * silo's queue holds nothing older (see tmtp_client.h, "Exactly-once posting").
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/stream.h"
#include "base/xmalloc.h"
#include "tmtp/tmtp_alias.h"
#include "tmtp/tmtp_client_internal.h"

enum {
    QUIT_REASON_MAX = 300, /* UTF-16 units of the silo's reason that are kept */
    ACCOUNT_MAX = 255,     /* bytes of a uid, and of a node's password (the reference server's have 32) */
};

static const char *const TMTP_REVISION = "1";
static const char *const NODE_LABEL = "postern";
static const char *const NO_ALIAS = "_"; /* registers without one */

void client_login_start(struct tmtp_client *client)
{
    struct tmtp_request request = { .op = TMTP_OP_TMTPREV, .id = xstrdup(TMTP_REVISION), .id_len = 1 };
    client_outbox_control(client, &request);
    tmtp_request_free(&request);
    client_set_state(client, TMTP_CLIENT_GREETING);
}

/* Takes the token over; it may be NULL. */
static void send_register(struct tmtp_client *client, char *token)
{
    if (client->alias && !tmtp_alias_is_safe(client->alias)) {
        client_break_link(client, CLIENT_AFTER_STOP_SETUP, "a silo can't take such an alias");
        free(token);
        return;
    }
    struct tmtp_request request = {
        .op = TMTP_OP_REGISTER,
        .newnode = xstrdup(NODE_LABEL),
        .newalias = xstrdup(client->alias ? client->alias : NO_ALIAS),
        .oidc = token,
    };
    client_outbox_control(client, &request);
    tmtp_request_free(&request);
    if (client->stream)
        client_set_state(client, TMTP_CLIENT_REGISTERING);
}

/* The silo asks for OpenID Connect. Without a token it may still take us: the reference server can be set up so. */
static void register_with_token(struct tmtp_client *client)
{
    char *token = NULL, *error = NULL;
    int result = client->callbacks->on_token ? client->callbacks->on_token(client, &token, &error, client->ctx) : 0;

    if (result < 0)
        client_break_link(client, CLIENT_AFTER_STOP_TOKEN, "the silo asks for OpenID Connect to register: %.700s",
                          error ? error : "there is no token");
    else
        send_register(client, token); /* takes it over */
    free(error);
}

static void send_login(struct tmtp_client *client)
{
    struct tmtp_request request = {
        .op = TMTP_OP_LOGIN,
        .uid = xstrdup(client->uid),
        .node = xstrdup(client->node ? client->node : ""),
    };
    client_outbox_control(client, &request);
    tmtp_request_free(&request);
    if (client->stream)
        client_set_state(client, TMTP_CLIENT_LOGGING_IN);
}

void client_login_tmtprev(struct tmtp_client *client, const struct tmtp_push *push)
{
    if (client->state != TMTP_CLIENT_GREETING)
        return;
    if (!push->id || strcmp(push->id, TMTP_REVISION) != 0)
        client_break_link(client, CLIENT_AFTER_RETRY, "the silo speaks another revision of TMTP");
    else if (client->uid)
        send_login(client);
    else if (push->auth_required)
        register_with_token(client);
    else
        send_register(client, NULL);
}

static bool is_usable(const char *text)
{
    return text && text[0] != '\0' && strlen(text) <= ACCOUNT_MAX;
}

void client_login_registered(struct tmtp_client *client, const struct tmtp_push *push)
{
    if (client->state != TMTP_CLIENT_REGISTERING)
        return;
    if (!is_usable(push->uid) || !is_usable(push->nodeid)) {
        client_break_link(client, CLIENT_AFTER_RETRY, "the silo registered us without telling a usable uid and node");
        return;
    }
    client->uid = xstrdup(push->uid);
    client->node = xstrdup(push->nodeid);
    client->account_unsaved = true;
    log_info("tmtp.registered", "silo=%s uid=%s alias=%s alias_error=%s", client->address, client->uid, client->alias,
             push->error);

    /* The node's password is told once. Nothing else is done before it is safe. */
    stream_pause_input(client->stream, true);
    client_set_state(client, TMTP_CLIENT_SAVING);
    if (client->dead)
        return;
    if (client->callbacks->on_registered)
        client->callbacks->on_registered(client, client->uid, client->node, push->error, client->ctx);
    else
        tmtp_client_account_saved(client);
}

void client_login_info(struct tmtp_client *client, const struct tmtp_push *push)
{
    if (client->state != TMTP_CLIENT_LOGGING_IN) {
        log_debug("tmtp.info", "silo=%s info=%s", client->address, push->info);
        return;
    }
    client->busy_failures = 0; /* the node is ours now */
    client->statistics.logins++;
    client_outbox_post_barrier(client);
    client_set_state(client, TMTP_CLIENT_SYNCING);
}

void client_login_barrier_returned(struct tmtp_client *client)
{
    if (client->state != TMTP_CLIENT_SYNCING)
        return;
    if (client->inbox.skipped_link == client->link) {
        /* What was skipped may have been an echo: its post would be taken for one that never arrived. */
        client_break_link(client, CLIENT_AFTER_RETRY, "the silo did not wait until we had acknowledged a message");
        return;
    }
    client->online_since_ms = client_now_ms(client);
    client_set_state(client, TMTP_CLIENT_ONLINE);
}

/* Reasons that the reference server gives, and that mean something to us before we are logged in. */
static const struct {
    const char *error;
    enum client_after after;
    const char *advice; /* what a person can do */
} quit_reasons[] = {
    { "node already connected", CLIENT_AFTER_BUSY, "" },
    { "authentication required", CLIENT_AFTER_STOP_TOKEN,
      ": it registers only who brings an OpenID Connect token that is valid now" },
    { "register failure", CLIENT_AFTER_STOP_ACCOUNT, ": ask the silo's operator" },
    { "login failed", CLIENT_AFTER_STOP_ACCOUNT,
      ": the silo does not know this uid and node; was its data or ours replaced?" },
    { "corrupt base32 value", CLIENT_AFTER_STOP_ACCOUNT, ": the stored node is damaged" },
};

void client_login_quit(struct tmtp_client *client, const struct tmtp_push *push)
{
    enum client_after after = CLIENT_AFTER_RETRY;
    const char *advice = "";
    const char *error = push->error ? push->error : "no reason given";

    if (client->state < TMTP_CLIENT_SYNCING) {
        for (size_t i = 0; i < sizeof quit_reasons / sizeof quit_reasons[0]; i++) {
            if (strcmp(error, quit_reasons[i].error) == 0) {
                after = quit_reasons[i].after;
                advice = quit_reasons[i].advice;
            }
        }
    }
    struct strbuf reason;
    strbuf_init(&reason, 4 * QUIT_REASON_MAX);
    client_text_add(&reason, error, strlen(error), QUIT_REASON_MAX);
    client_break_link(client, after, "the silo ended the connection: %s%s", reason.data, advice);
    strbuf_free(&reason);
}
