#include "smtp/smtp_client.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/stream.h"
#include "base/tls.h"
#include "base/xmalloc.h"
#include "smtp/smtp_client_internal.h"

enum {
    REPLY_LINE_MAX = 2048, /* RFC 5321 section 4.5.3.1.5 says 512; some write more */
    CONNECT_TIMEOUT_MS = 30 * 1000,
    COMMAND_TIMEOUT_MS = 5 * 60 * 1000,
    INITIATION_TIMEOUT_MS = 2 * 60 * 1000,
    DATA_TIMEOUT_MS = 3 * 60 * 1000,
    FINAL_TIMEOUT_MS = 10 * 60 * 1000,
    KEEP_MS = 10 * 1000,
    /* A relay of several machines shares its load among them when we connect. */
    CONNECTION_MESSAGES_MAX = 100,
    CONNECTION_AGE_MAX_MS = 10 * 60 * 1000,
};

static const char unasked[] = "sent a reply before it was asked";

/* --- States --- */

#define BIT(state) (1u << (state))

static const struct {
    const char *name;
    enum smtp_stage stage; /* of what happens in it; in ENVELOPE the command that is to be answered decides */
    unsigned successors;
    void (*on_reply)(struct smtp_client *client, const struct smtp_reply *reply); /* NULL: nothing was asked */
} states[] = {
    [SMTP_CLIENT_CLOSED] = { "closed", SMTP_STAGE_CONNECT, BIT(SMTP_CLIENT_CONNECTING), NULL },
    [SMTP_CLIENT_CONNECTING] = { "connecting", SMTP_STAGE_CONNECT, BIT(SMTP_CLIENT_GREETING) | BIT(SMTP_CLIENT_CLOSED),
                                 NULL },
    [SMTP_CLIENT_GREETING] = { "greeting", SMTP_STAGE_GREETING, BIT(SMTP_CLIENT_EHLO) | BIT(SMTP_CLIENT_CLOSED),
                               smtp_client_on_greeting },
    [SMTP_CLIENT_EHLO] = { "ehlo", SMTP_STAGE_HELLO,
                           BIT(SMTP_CLIENT_HELO) | BIT(SMTP_CLIENT_STARTTLS) | BIT(SMTP_CLIENT_AUTH_WORK) |
                               BIT(SMTP_CLIENT_AUTH) | BIT(SMTP_CLIENT_ENVELOPE) | BIT(SMTP_CLIENT_READY) |
                               BIT(SMTP_CLIENT_CLOSED),
                           smtp_client_on_ehlo },
    [SMTP_CLIENT_HELO] = { "helo", SMTP_STAGE_HELLO,
                           BIT(SMTP_CLIENT_ENVELOPE) | BIT(SMTP_CLIENT_READY) | BIT(SMTP_CLIENT_CLOSED),
                           smtp_client_on_helo },
    [SMTP_CLIENT_STARTTLS] = { "starttls", SMTP_STAGE_STARTTLS,
                               BIT(SMTP_CLIENT_HANDSHAKE) | BIT(SMTP_CLIENT_AUTH_WORK) | BIT(SMTP_CLIENT_AUTH) |
                                   BIT(SMTP_CLIENT_ENVELOPE) | BIT(SMTP_CLIENT_READY) | BIT(SMTP_CLIENT_CLOSED),
                               smtp_client_on_starttls },
    [SMTP_CLIENT_HANDSHAKE] = { "handshake", SMTP_STAGE_TLS, BIT(SMTP_CLIENT_EHLO) | BIT(SMTP_CLIENT_CLOSED), NULL },
    [SMTP_CLIENT_AUTH_WORK] = { "auth", SMTP_STAGE_AUTH, BIT(SMTP_CLIENT_AUTH) | BIT(SMTP_CLIENT_CLOSED), NULL },
    [SMTP_CLIENT_AUTH] = { "auth", SMTP_STAGE_AUTH,
                           BIT(SMTP_CLIENT_AUTH_WORK) | BIT(SMTP_CLIENT_AUTH) | BIT(SMTP_CLIENT_ENVELOPE) |
                               BIT(SMTP_CLIENT_READY) | BIT(SMTP_CLIENT_CLOSED),
                           smtp_client_on_auth },
    [SMTP_CLIENT_READY] = { "ready", SMTP_STAGE_CONNECT, BIT(SMTP_CLIENT_ENVELOPE) | BIT(SMTP_CLIENT_CLOSED), NULL },
    [SMTP_CLIENT_ENVELOPE] = { "envelope", SMTP_STAGE_MAIL,
                               BIT(SMTP_CLIENT_CONTENT) | BIT(SMTP_CLIENT_FINAL) | BIT(SMTP_CLIENT_READY) |
                                   BIT(SMTP_CLIENT_CLOSED),
                               smtp_client_on_envelope },
    [SMTP_CLIENT_CONTENT] = { "content", SMTP_STAGE_CONTENT,
                              BIT(SMTP_CLIENT_FINAL) | BIT(SMTP_CLIENT_READY) | BIT(SMTP_CLIENT_CLOSED),
                              smtp_client_on_premature },
    [SMTP_CLIENT_FINAL] = { "final", SMTP_STAGE_FINAL, BIT(SMTP_CLIENT_READY) | BIT(SMTP_CLIENT_CLOSED),
                            smtp_client_on_final },
};

void smtp_client_set_state(struct smtp_client *client, enum smtp_client_state state)
{
    assert((states[client->state].successors & BIT(state)) != 0);
    log_debug("smtp.client.state", "relay=%s from=%s to=%s", client->address, states[client->state].name,
              states[state].name);
    client->state = state;
}

/* --- The end of a transaction --- */

static void transaction_free(struct smtp_client_transaction *transaction)
{
    if (transaction == NULL)
        return;
    if (transaction->content_fd >= 0)
        close(transaction->content_fd);
    for (size_t i = 0; i < transaction->recipient_count; i++)
        free(transaction->recipients[i].orcpt);
    free(transaction->recipients);
    free(transaction->results);
    free(transaction->envid);
    free(transaction->prefix);
    free(transaction);
}

/* The only place that calls the owner, who may send the next message or free the client there. */
static void complete(void *arg)
{
    struct smtp_client *client = arg;
    struct smtp_client_transaction *transaction = client->transaction;
    client->transaction = NULL;
    transaction->done(transaction->results, transaction->recipient_count, transaction->ctx);
    transaction_free(transaction);
}

void smtp_client_settle_rest(struct smtp_client *client, enum smtp_stage stage, enum smtp_outcome outcome,
                             const struct smtp_reply *reply)
{
    struct smtp_client_transaction *transaction = client->transaction;
    for (size_t i = 0; i < transaction->recipient_count; i++) {
        if (transaction->results[i].reply.code == 0)
            transaction->results[i] = (struct smtp_recipient_result){ outcome, stage, *reply, false };
    }
}

static void quit(struct smtp_client *client);

void smtp_client_finish(struct smtp_client *client)
{
    if (client->stream != NULL) {
        client->is_used = true;
        smtp_client_set_state(client, SMTP_CLIENT_READY);
        int64_t age = clock_monotonic_ms(loop_clock(client->loop)) - client->connected_at_ms;
        if (++client->message_count >= CONNECTION_MESSAGES_MAX || age >= CONNECTION_AGE_MAX_MS)
            quit(client);
        else
            timer_start(client->timer, client->keep_ms);
    }
    timer_start(client->completion, 0);
}

/* --- The connection --- */

static void connect_to_relay(struct smtp_client *client, bool avoid_tls);

void smtp_client_drop(struct smtp_client *client)
{
    timer_stop(client->timer);
    stream_free(&client->stream);
    client->is_used = false;
    client->message_count = 0;
    smtp_sasl_free(&client->sasl);
    smtp_client_forget_said(client);
    memset(&client->reply, 0, sizeof client->reply);
    memset(&client->extensions, 0, sizeof client->extensions);
    smtp_client_set_state(client, SMTP_CLIENT_CLOSED);
}

static void quit(struct smtp_client *client)
{
    assert(client->state == SMTP_CLIENT_READY);
    static const char command[] = "QUIT\r\n";
    stream_write(client->stream, command, sizeof command - 1);
    stream_close_after_output(&client->stream);
    smtp_client_drop(client);
}

void smtp_client_give_up(struct smtp_client *client, enum smtp_stage stage, const struct smtp_reply *why)
{
    enum smtp_client_state state = client->state;
    bool is_doubtful = smtp_client_is_end_sent(client);
    smtp_client_drop(client);
    if (state == SMTP_CLIENT_READY)
        return; /* nobody waits for it */
    if (client->transaction->may_reopen) {
        log_debug("smtp.client.reopen", "relay=%s reason=%s", client->address, why->text);
        client->transaction->may_reopen = false;
        connect_to_relay(client, false);
        return;
    }
    if (state == SMTP_CLIENT_HANDSHAKE && client->tls == SMTP_CLIENT_TLS_MAY) {
        log_warning("smtp.client.plain", "relay=%s reason=%s", client->address, why->text);
        connect_to_relay(client, true);
        return;
    }
    smtp_client_settle_rest(client, stage, is_doubtful ? SMTP_OUTCOME_UNKNOWN : SMTP_OUTCOME_TEMPORARY, why);
    smtp_client_finish(client);
}

bool smtp_client_is_end_sent(const struct smtp_client *client)
{
    return client->state == SMTP_CLIENT_FINAL && stream_pending_output(client->stream) == 0;
}

static enum smtp_stage current_stage(const struct smtp_client *client)
{
    if (client->state == SMTP_CLIENT_FINAL && !smtp_client_is_end_sent(client))
        return SMTP_STAGE_CONTENT;
    return client->state == SMTP_CLIENT_ENVELOPE ? smtp_client_envelope_stage(client) : states[client->state].stage;
}

/* Where a reply was one too many, the ones before it may have been taken for others' as well. */
static void forget_envelope_replies(struct smtp_client *client)
{
    if (client->state != SMTP_CLIENT_ENVELOPE)
        return;
    for (size_t i = 0; i < client->transaction->recipient_count; i++)
        client->transaction->results[i].reply.code = 0;
}

void smtp_client_protocol_error(struct smtp_client *client, const char *what)
{
    forget_envelope_replies(client);
    log_warning("smtp.client.protocol", "relay=%s state=%s error=%s", client->address, states[client->state].name,
                what);
    struct smtp_reply reply = smtp_reply_make(451, "4.5.0", "relay %s: %s", client->address, what);
    smtp_client_give_up(client, current_stage(client), &reply);
}

void smtp_client_write_command(struct smtp_client *client, const struct strbuf *text)
{
    assert(strbuf_ok(text));
    if (stream_input_size(client->stream) > 0) {
        smtp_client_protocol_error(client, unasked);
        return;
    }
    stream_write(client->stream, text->data, text->len);
    smtp_client_await_reply(client);
}

void smtp_client_await_reply(struct smtp_client *client)
{
    bool is_data = current_stage(client) == SMTP_STAGE_DATA;
    timer_start(client->timer, is_data ? client->initiation_timeout_ms : client->command_timeout_ms);
}

static void on_timer(void *arg)
{
    struct smtp_client *client = arg;
    if (client->state == SMTP_CLIENT_READY) {
        quit(client);
        return;
    }
    struct smtp_reply reply =
        smtp_reply_make(451, "4.4.2", "relay %s timed out (%s)", client->address, states[client->state].name);
    smtp_client_give_up(client, current_stage(client), &reply);
}

static void on_connected(struct stream *stream, void *ctx)
{
    (void)stream;
    struct smtp_client *client = ctx;
    client->connected_at_ms = clock_monotonic_ms(loop_clock(client->loop));
    smtp_client_set_state(client, SMTP_CLIENT_GREETING);
    smtp_client_await_reply(client);
}

static void on_tls(struct stream *stream, void *ctx)
{
    struct smtp_client *client = ctx;
    if (client->state != SMTP_CLIENT_HANDSHAKE)
        return; /* implicit TLS: on_connected has been called */
    log_debug("smtp.client.tls", "relay=%s version=%s cipher=%s", client->address, stream_tls_version(stream),
              stream_tls_cipher(stream));
    smtp_client_say_hello(client); /* what was said in plain is forgotten (RFC 3207 section 4.2) */
}

/* 421 means that the relay is about to close, whatever it was asked (RFC 5321 section 3.8). */
static void handle_reply(struct smtp_client *client, const struct smtp_reply *reply)
{
    enum { CLOSING = 421 };
    if (reply->code != CLOSING) {
        states[client->state].on_reply(client, reply);
        return;
    }
    if (client->state == SMTP_CLIENT_FINAL)
        smtp_client_settle_rest(client, SMTP_STAGE_FINAL, SMTP_OUTCOME_TEMPORARY,
                                reply); /* no doubt: it has not taken it */
    smtp_client_give_up(client, current_stage(client), reply);
}

/* Reads one line. 1 go on, 0 nothing more to read for now. */
static int read_reply_line(struct smtp_client *client)
{
    if (stream_input_size(client->stream) == 0)
        return 0;
    if (client->state == SMTP_CLIENT_READY) {
        smtp_client_drop(client); /* "421 closing", most likely: no matter, the next message opens another connection */
        return 0;
    }
    if (states[client->state].on_reply == NULL) {
        smtp_client_protocol_error(client, unasked);
        return 0;
    }
    const char *line;
    size_t len;
    size_t max = client->state == SMTP_CLIENT_AUTH ? SMTP_SASL_LINE_MAX : REPLY_LINE_MAX;
    int result = stream_read_line(client->stream, max, true, &line, &len, NULL);
    if (result == 0)
        return 0;
    if (result == -1) {
        smtp_client_protocol_error(client, "sent a reply line that is too long");
        return 0;
    }
    bool is_first = client->reply.code == 0;
    int last = smtp_reply_parse_line(line, len, &client->reply);
    if (last == -1) {
        smtp_client_protocol_error(client, "sent something that is no reply");
        return 0;
    }
    if (client->state == SMTP_CLIENT_EHLO && !is_first)
        smtp_client_note_extension(client, line, len);
    if (client->state == SMTP_CLIENT_AUTH)
        smtp_client_note_challenge(client, line, len);
    if (last == 1) {
        struct smtp_reply reply = client->reply;
        memset(&client->reply, 0, sizeof client->reply);
        smtp_client_hide_said(client, &reply);
        handle_reply(client, &reply);
    }
    return 1;
}

/* cppcheck-suppress constParameter ; its type is of a callback */
static void on_input(struct stream *stream, void *ctx)
{
    struct smtp_client *client = ctx;
    /* The connection may be given up, and even replaced, while its input is read. */
    while (client->stream == stream && read_reply_line(client) == 1)
        ;
}

static void on_drained(struct stream *stream, void *ctx)
{
    (void)stream;
    struct smtp_client *client = ctx;
    if (client->state == SMTP_CLIENT_CONTENT)
        smtp_client_send_content(client);
    else if (client->state == SMTP_CLIENT_FINAL)
        timer_start(client->timer, client->final_timeout_ms);
}

static void on_end(struct stream *stream, enum stream_end why, const char *detail, void *ctx)
{
    (void)stream;
    struct smtp_client *client = ctx;
    struct smtp_reply reply;
    bool is_handshake = client->state == SMTP_CLIENT_CONNECTING || client->state == SMTP_CLIENT_HANDSHAKE;
    enum smtp_stage stage = why == STREAM_END_TLS && is_handshake ? SMTP_STAGE_TLS : current_stage(client);
    if (why == STREAM_END_TLS)
        reply = smtp_reply_make(451, "4.7.5", "TLS with relay %s failed: %s", client->address, detail);
    else if (client->state == SMTP_CLIENT_CONNECTING)
        reply = smtp_reply_make(451, "4.4.1", "cannot connect to relay %s: %s", client->address, detail);
    else
        reply = smtp_reply_make(451, "4.4.2", "connection with relay %s lost (%s): %s", client->address,
                                states[client->state].name, detail);
    smtp_client_give_up(client, stage, &reply);
}

static const struct stream_callbacks stream_callbacks = {
    .on_connected = on_connected,
    .on_tls = on_tls,
    .on_input = on_input,
    .on_drained = on_drained,
    .on_end = on_end,
};

static void connect_to_relay(struct smtp_client *client, bool avoid_tls)
{
    client->avoids_tls = avoid_tls;
    struct stream_settings settings = { .callbacks = &stream_callbacks, .ctx = client };
    struct stream_target target = {
        .address = client->address,
        .tls = client->implicit_tls ? client->tls_context : NULL,
        .tls_name = client->tls_name,
        .pin = client->pin,
        .connect_timeout_ms = client->connect_timeout_ms,
    };
    smtp_client_set_state(client, SMTP_CLIENT_CONNECTING);
    client->stream = stream_new_connecting(client->loop, &settings, &target);
}

/* --- Life --- */

/* The host of "host:port" or "[v6]:port": the name that a certificate must be for. */
static char *host_of_address(const char *address)
{
    if (strncmp(address, "unix:", 5) == 0)
        return xstrdup("localhost");
    const char *colon = strrchr(address, ':');
    size_t len = colon == NULL ? strlen(address) : (size_t)(colon - address);
    if (len >= 2 && address[0] == '[' && address[len - 1] == ']')
        return xstrndup(address + 1, len - 2);
    return xstrndup(address, len);
}

static char *copy_or_empty(const char *text)
{
    return xstrdup(text == NULL ? "" : text);
}

static int64_t or_default(int64_t value, int64_t otherwise)
{
    return value > 0 ? value : otherwise;
}

struct smtp_client *smtp_client_new(const struct smtp_client_settings *settings, char **error_out)
{
    struct tls_context *tls_context = NULL;
    if (settings->implicit_tls || settings->tls != SMTP_CLIENT_TLS_NONE) {
        enum tls_verify verify = settings->tls != SMTP_CLIENT_TLS_VERIFY ? TLS_VERIFY_NONE
                                 : settings->pin != NULL                 ? TLS_VERIFY_PIN
                                                                         : TLS_VERIFY_CA;
        tls_context = tls_context_new_client(verify, settings->ca_file, error_out);
        if (tls_context == NULL)
            return NULL;
    }
    struct smtp_client *client = xcalloc(1, sizeof *client);
    client->loop = settings->loop;
    client->address = xstrdup(settings->address);
    client->tls_name = host_of_address(settings->address);
    client->helo = xstrdup(settings->helo);
    client->user = settings->user == NULL ? NULL : xstrdup(settings->user);
    client->password = copy_or_empty(settings->password);
    client->background = settings->background;
    strbuf_init(&client->challenge, SMTP_SASL_LINE_MAX);
    client->pin = settings->pin == NULL ? NULL : xstrdup(settings->pin);
    client->lmtp = settings->lmtp;
    client->implicit_tls = settings->implicit_tls;
    client->tls = settings->tls;
    client->tls_context = tls_context;
    client->connect_timeout_ms = or_default(settings->connect_timeout_ms, CONNECT_TIMEOUT_MS);
    client->command_timeout_ms = or_default(settings->command_timeout_ms, COMMAND_TIMEOUT_MS);
    client->initiation_timeout_ms = or_default(settings->initiation_timeout_ms, INITIATION_TIMEOUT_MS);
    client->data_timeout_ms = or_default(settings->data_timeout_ms, DATA_TIMEOUT_MS);
    client->final_timeout_ms = or_default(settings->final_timeout_ms, FINAL_TIMEOUT_MS);
    client->keep_ms = or_default(settings->keep_ms, KEEP_MS);
    client->state = SMTP_CLIENT_CLOSED;
    client->timer = timer_new(client->loop, on_timer, client);
    client->completion = timer_new(client->loop, complete, client);
    return client;
}

static void release(void *arg)
{
    struct smtp_client *client = arg;
    tls_context_free(&client->tls_context);
    free(client->address);
    free(client->tls_name);
    free(client->helo);
    free(client->pin);
    free(client->user);
    free(client->password);
    strbuf_free(&client->challenge);
    free(client);
}

void smtp_client_set_password(struct smtp_client *client, const char *password)
{
    free(client->password);
    client->password = copy_or_empty(password);
}

void smtp_client_free(struct smtp_client **client)
{
    struct smtp_client *c = *client;
    if (c == NULL)
        return;
    *client = NULL;
    if (c->state == SMTP_CLIENT_READY)
        quit(c);
    else if (c->state != SMTP_CLIENT_CLOSED)
        smtp_client_drop(c);
    transaction_free(c->transaction);
    timer_free(&c->timer);
    timer_free(&c->completion);
    loop_defer(c->loop, release, c);
}

bool smtp_client_is_idle(const struct smtp_client *client)
{
    return client->transaction == NULL;
}

static struct smtp_client_transaction *transaction_new(const struct smtp_client_message *message,
                                                       smtp_client_done *done, void *ctx)
{
    struct smtp_client_transaction *transaction = xcalloc(1, sizeof *transaction);
    transaction->sender = message->sender;
    transaction->recipients = xcalloc(message->recipient_count, sizeof *transaction->recipients);
    transaction->results = xcalloc(message->recipient_count, sizeof *transaction->results);
    transaction->recipient_count = message->recipient_count;
    transaction->envid = copy_or_empty(message->envid);
    transaction->ret = message->ret;
    transaction->prefix = copy_or_empty(message->prefix);
    transaction->content_size = message->content_size;
    transaction->is_8bit = message->is_8bit;
    transaction->needs_smtputf8 = smtp_client_needs_smtputf8(message);
    for (size_t i = 0; i < message->recipient_count; i++) {
        const struct smtp_client_recipient *recipient = &message->recipients[i];
        transaction->recipients[i] = (struct smtp_client_envelope_recipient){ recipient->address, recipient->notify,
                                                                              copy_or_empty(recipient->orcpt) };
    }
    transaction->done = done;
    transaction->ctx = ctx;
    transaction->is_probe = message->is_probe;
    transaction->content_fd = message->is_probe ? -1 : fcntl(message->content_fd, F_DUPFD_CLOEXEC, 0);
    return transaction;
}

void smtp_client_send(struct smtp_client *client, const struct smtp_client_message *message, smtp_client_done *done,
                      void *ctx)
{
    assert(smtp_client_is_idle(client) && message->recipient_count > 0);
    struct smtp_client_transaction *transaction = transaction_new(message, done, ctx);
    client->transaction = transaction;
    if (transaction->content_fd < 0 && !transaction->is_probe) {
        struct smtp_reply reply = smtp_reply_make(451, "4.3.0", "no file descriptor left for the content");
        smtp_client_settle_rest(client, SMTP_STAGE_CONTENT, SMTP_OUTCOME_TEMPORARY, &reply);
        timer_start(client->completion, 0);
        return;
    }
    transaction->may_reopen = client->state == SMTP_CLIENT_READY;
    if (client->state == SMTP_CLIENT_READY)
        smtp_client_begin_transaction(client);
    else
        connect_to_relay(client, false);
}

const char *smtp_outcome_name(enum smtp_outcome outcome)
{
    static const char *const names[] = {
        [SMTP_OUTCOME_DELIVERED] = "delivered",
        [SMTP_OUTCOME_TEMPORARY] = "temporary",
        [SMTP_OUTCOME_PERMANENT] = "permanent",
        [SMTP_OUTCOME_UNKNOWN] = "unknown",
    };
    return names[outcome];
}

const char *smtp_stage_name(enum smtp_stage stage)
{
    static const char *const names[] = {
        [SMTP_STAGE_CONNECT] = "connect",
        [SMTP_STAGE_TLS] = "tls",
        [SMTP_STAGE_GREETING] = "greeting",
        [SMTP_STAGE_HELLO] = "hello",
        [SMTP_STAGE_STARTTLS] = "starttls",
        [SMTP_STAGE_AUTH] = "auth",
        [SMTP_STAGE_EXTENSIONS] = "extensions",
        [SMTP_STAGE_MAIL] = "mail",
        [SMTP_STAGE_RCPT] = "rcpt",
        [SMTP_STAGE_DATA] = "data",
        [SMTP_STAGE_CONTENT] = "content",
        [SMTP_STAGE_FINAL] = "final",
    };
    return names[stage];
}
