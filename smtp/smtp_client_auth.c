/* AUTH (RFC 4954): who we are to the relay, said to nobody else than it. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/stream.h"
#include "base/xmalloc.h"
#include "smtp/smtp_client_internal.h"
#include "smtp/smtp_sasl.h"

enum { CHALLENGE_CODE = 334, UNKNOWN_MECHANISM_CODE = 504, WEAK_MECHANISM_CODE = 534 };

/* Whatever the reason is, an operator has to look after it, and the message is worth another try. */
static void fail(struct smtp_client *client, const char *enhanced, const char *what)
{
    struct smtp_reply reply = smtp_reply_make(451, enhanced, "relay %s %s", client->address, what);
    log_warning("smtp.client.auth", "relay=%s error=%s", client->address, what);
    smtp_client_give_up(client, SMTP_STAGE_AUTH, &reply);
}

void smtp_client_forget_said(struct smtp_client *client)
{
    free(client->said);
    client->said = NULL;
}

void smtp_client_hide_said(const struct smtp_client *client, struct smtp_reply *reply)
{
    enum { ENOUGH = 8 }; /* to know it by, where it is cut */
    if (client->said == NULL || client->said[0] == '\0')
        return;
    char start[ENOUGH + 1] = "";
    memcpy(start, client->said, strnlen(client->said, ENOUGH));
    if (strstr(reply->text, start) != NULL)
        *reply = smtp_reply_make(reply->code, reply->enhanced, "(it repeats what it was told)");
}

/* One line that may hold the password. */
static void say(struct smtp_client *client, const char *before, const char *response)
{
    smtp_client_forget_said(client);
    client->said = xstrdup(response);
    struct strbuf text;
    strbuf_init(&text, SMTP_SASL_LINE_MAX + 100);
    strbuf_add_fmt(&text, "%s%s\r\n", before, response);
    smtp_client_set_state(client, SMTP_CLIENT_AUTH);
    smtp_client_write_command(client, &text);
    strbuf_free(&text);
}

static void on_response(const char *response, void *ctx)
{
    struct smtp_client *client = ctx;
    if (response == NULL && !client->is_auth_begun) {
        fail(client, "4.7.8", "cannot be told user and password");
    } else if (response == NULL) {
        client->is_auth_cancelled = true;
        say(client, "*", ""); /* RFC 4954 section 4: the relay answers 501 */
    } else if (client->is_auth_begun) {
        say(client, "", response);
    } else {
        struct strbuf command;
        strbuf_init(&command, 100);
        strbuf_add_fmt(&command, "AUTH %s ", smtp_sasl_name(client->mechanism));
        client->is_auth_begun = true;
        say(client, command.data, response[0] == '\0' ? "=" : response);
        strbuf_free(&command);
    }
}

static void begin_with(struct smtp_client *client, enum smtp_sasl_mechanism mechanism)
{
    smtp_sasl_free(&client->sasl);
    client->mechanism = mechanism;
    client->is_auth_begun = false;
    client->is_auth_cancelled = false;
    client->sasl =
        smtp_sasl_new(client->loop, client->background, mechanism, client->user, client->password, on_response, client);
    if (smtp_sasl_speaks_first(client->sasl)) {
        smtp_client_set_state(client, SMTP_CLIENT_AUTH_WORK);
        smtp_sasl_step(client->sasl, "");
        return;
    }
    client->is_auth_begun = true;
    struct strbuf command;
    strbuf_init(&command, 100);
    strbuf_add_fmt(&command, "AUTH %s", smtp_sasl_name(mechanism));
    say(client, command.data, "");
    strbuf_free(&command);
}

static bool can_use(const struct smtp_client *client, enum smtp_sasl_mechanism mechanism)
{
    return (client->extensions.mechanisms & 1U << mechanism) != 0 &&
           smtp_sasl_suits(mechanism, client->user, client->password);
}

/* With the strongest mechanism that is left. */
static void begin(struct smtp_client *client)
{
    unsigned mechanism = 0;
    while (mechanism < SMTP_SASL_MECHANISMS && !can_use(client, (enum smtp_sasl_mechanism)mechanism))
        mechanism++;
    if (mechanism == SMTP_SASL_MECHANISMS)
        fail(client, "4.7.4", "offers no AUTH with SCRAM-SHA-256, PLAIN or LOGIN: user and password are of no use");
    else
        begin_with(client, (enum smtp_sasl_mechanism)mechanism);
}

void smtp_client_identify(struct smtp_client *client)
{
    bool is_private = stream_is_tls(client->stream) || strncmp(client->address, "unix:", 5) == 0;
    if (client->user == NULL)
        smtp_client_begin_transaction(client);
    else if (!is_private)
        fail(client, "4.7.11", "has no TLS here, and user and password are not sent without");
    else
        begin(client);
}

void smtp_client_note_challenge(struct smtp_client *client, const char *line, size_t len)
{
    enum { CODE_SIZE = 4 }; /* "334 " */
    strbuf_clear(&client->challenge);
    if (len > CODE_SIZE)
        strbuf_add(&client->challenge, line + CODE_SIZE, len - CODE_SIZE);
}

static void succeed(struct smtp_client *client)
{
    bool is_proven = smtp_sasl_is_complete(client->sasl) && !client->is_auth_cancelled;
    smtp_sasl_free(&client->sasl);
    smtp_client_forget_said(client);
    if (!is_proven) {
        fail(client, "4.7.8", "let us in without having shown that it knows the password: it may be another");
        return;
    }
    log_debug("smtp.client.auth", "relay=%s mechanism=%s", client->address, smtp_sasl_name(client->mechanism));
    smtp_client_begin_transaction(client);
}

static void refused(struct smtp_client *client, const struct smtp_reply *reply)
{
    log_warning("smtp.client.auth", "relay=%s user=%s code=%d reason=%s", client->address, client->user, reply->code,
                reply->text);
    struct smtp_reply ours = smtp_reply_make(451, "4.7.8", "relay %s refused AUTH: %d %s %s", client->address,
                                             reply->code, reply->enhanced, reply->text);
    smtp_client_give_up(client, SMTP_STAGE_AUTH, smtp_reply_is_temporary(reply) ? reply : &ours);
}

void smtp_client_on_auth(struct smtp_client *client, const struct smtp_reply *reply)
{
    if (reply->code == CHALLENGE_CODE && !client->is_auth_cancelled) {
        smtp_client_set_state(client, SMTP_CLIENT_AUTH_WORK);
        smtp_sasl_step(client->sasl, client->challenge.data);
    } else if (reply->code / 100 == 3) {
        smtp_client_protocol_error(client, "asked for more in AUTH");
    } else if (reply->code / 100 == 2) {
        succeed(client);
    } else if (client->is_auth_cancelled) {
        fail(client, "4.7.8", "sent a challenge that makes no sense, or does not know the password itself");
    } else if (reply->code == UNKNOWN_MECHANISM_CODE || reply->code == WEAK_MECHANISM_CODE) {
        /* Not the password was wrong: another way to say it may be right. */
        client->extensions.mechanisms &= ~(1U << client->mechanism);
        if (client->extensions.mechanisms == 0)
            refused(client, reply);
        else
            begin(client);
    } else {
        refused(client, reply);
    }
}
