/* From connected to known: greeting, EHLO (RFC 5321 section 3.2), STARTTLS (RFC 3207). */
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/stream.h"
#include "smtp/smtp_client_internal.h"
#include "smtp/smtp_sasl.h"

enum { HELLO_MAX = 1024, SIZE_DIGITS_MAX = 18, OFFER_STARTTLS_CODE = 220 };

/* A relay that does not want us now says nothing about the message: whatever its code, it is worth another try. */
static void refused(struct smtp_client *client, enum smtp_stage stage, const char *what, const struct smtp_reply *reply)
{
    struct smtp_reply ours = smtp_reply_make(451, "4.3.2", "relay %s refused %s: %d %s %s", client->address, what,
                                             reply->code, reply->enhanced, reply->text);
    smtp_client_give_up(client, stage, smtp_reply_is_temporary(reply) ? reply : &ours);
}

static void say(struct smtp_client *client, enum smtp_client_state state, const char *verb, const char *argument)
{
    struct strbuf text;
    strbuf_init(&text, HELLO_MAX);
    strbuf_add_fmt(&text, "%s%s%s\r\n", verb, argument[0] == '\0' ? "" : " ", argument);
    smtp_client_set_state(client, state);
    smtp_client_write_command(client, &text);
    strbuf_free(&text);
}

void smtp_client_say_hello(struct smtp_client *client)
{
    memset(&client->extensions, 0, sizeof client->extensions);
    say(client, SMTP_CLIENT_EHLO, client->lmtp ? "LHLO" : "EHLO", client->helo);
}

void smtp_client_on_greeting(struct smtp_client *client, const struct smtp_reply *reply)
{
    if (reply->code / 100 == 2)
        smtp_client_say_hello(client);
    else
        refused(client, SMTP_STAGE_GREETING, "the connection", reply);
}

/* SIZE's number (RFC 1870 section 3); 0, which is also what "no limit" looks like, when it is none or beyond
 * counting. */
static int64_t parse_size(const char *text, size_t len)
{
    int64_t size = 0;
    if (len > SIZE_DIGITS_MAX)
        return 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return 0;
        size = size * 10 + (text[i] - '0');
    }
    return size;
}

void smtp_client_note_extension(struct smtp_client *client, const char *line, size_t len)
{
    enum { CODE_SIZE = 4 }; /* "250-" */
    if (len < CODE_SIZE)
        return;
    const char *keyword = line + CODE_SIZE;
    size_t rest = len - CODE_SIZE;
    const char *space = memchr(keyword, ' ', rest);
    size_t keyword_len = space == NULL ? rest : (size_t)(space - keyword);

    struct smtp_client_extensions *extensions = &client->extensions;
    const struct {
        const char *keyword;
        bool *flag;
    } known[] = {
        { "PIPELINING", &extensions->pipelining },
        { "8BITMIME", &extensions->eight_bit },
        { "SMTPUTF8", &extensions->smtputf8 },
        { "STARTTLS", &extensions->starttls },
        { "SIZE", &extensions->size },
        { "DSN", &extensions->dsn },
        { "CHUNKING", &extensions->chunking },
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strlen(known[i].keyword) == keyword_len && strncasecmp(known[i].keyword, keyword, keyword_len) == 0)
            *known[i].flag = true;
    }
    if (keyword_len == 4 && strncasecmp(keyword, "SIZE", 4) == 0 && space != NULL)
        extensions->size_max = parse_size(space + 1, rest - keyword_len - 1);
    if (keyword_len == 4 && strncasecmp(keyword, "AUTH", 4) == 0 && space != NULL)
        extensions->mechanisms |= smtp_sasl_known(space + 1, rest - keyword_len - 1);
}

/* The relay knows us. TLS first, where it is wanted and not there yet; then the message. */
static void greeted(struct smtp_client *client)
{
    bool wants_tls = client->tls != SMTP_CLIENT_TLS_NONE && !stream_is_tls(client->stream) && !client->avoids_tls;
    if (wants_tls && client->extensions.starttls) {
        say(client, SMTP_CLIENT_STARTTLS, "STARTTLS", "");
        return;
    }
    if (wants_tls && client->tls != SMTP_CLIENT_TLS_MAY) {
        struct smtp_reply reply = smtp_reply_make(451, "4.7.4", "relay %s does not offer STARTTLS", client->address);
        smtp_client_give_up(client, SMTP_STAGE_STARTTLS, &reply);
        return;
    }
    smtp_client_identify(client);
}

void smtp_client_on_ehlo(struct smtp_client *client, const struct smtp_reply *reply)
{
    if (reply->code / 100 == 2)
        greeted(client);
    else if (reply->code / 100 == 5 && !client->lmtp)
        say(client, SMTP_CLIENT_HELO, "HELO", client->helo);
    else
        refused(client, SMTP_STAGE_HELLO, client->lmtp ? "LHLO" : "EHLO", reply);
}

void smtp_client_on_helo(struct smtp_client *client, const struct smtp_reply *reply)
{
    memset(&client->extensions, 0, sizeof client->extensions);
    if (reply->code / 100 == 2)
        greeted(client);
    else
        refused(client, SMTP_STAGE_HELLO, "HELO", reply);
}

void smtp_client_on_starttls(struct smtp_client *client, const struct smtp_reply *reply)
{
    if (reply->code == OFFER_STARTTLS_CODE) {
        if (stream_start_tls_client(client->stream, client->tls_context, client->tls_name, client->pin) == 1)
            smtp_client_set_state(client, SMTP_CLIENT_HANDSHAKE);
        else
            smtp_client_protocol_error(client, "sent something in plain behind its leave to start TLS");
    } else if (client->tls == SMTP_CLIENT_TLS_MAY) {
        log_info("smtp.client.plain", "relay=%s code=%d reason=%s", client->address, reply->code, reply->text);
        smtp_client_identify(client);
    } else {
        refused(client, SMTP_STAGE_STARTTLS, "STARTTLS", reply);
    }
}
