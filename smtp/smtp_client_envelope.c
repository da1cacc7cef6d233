/* What a message needs of a relay, and how its envelope is written for this one: SIZE (RFC 1870), 8BITMIME (RFC 6152),
 * SMTPUTF8 (RFC 6531), DSN (RFC 3461, RFC 6533).
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/smtp_client_internal.h"

/* --- ORCPT --- */

/* The next character of clean UTF-8, and its length. */
static uint32_t next_character(const char *text, size_t *len_out)
{
    unsigned char c = (unsigned char)*text;
    size_t len = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    uint32_t value = len == 1 ? c : c & (0xFFU >> (len + 1));
    for (size_t i = 1; i < len; i++)
        value = value << 6 | ((unsigned char)text[i] & 0x3F);
    *len_out = len;
    return value;
}

bool smtp_client_format_orcpt(const struct smtp_address *address, char out[static SMTP_ORCPT_MAX + 1])
{
    out[0] = '\0';
    if (smtp_address_is_null(address))
        return false;
    char text[SMTP_ADDRESS_MAX + 2];
    smtp_address_format(address, text);
    bool is_utf8 = smtp_address_is_utf8(address);
    struct strbuf value;
    strbuf_init(&value, SMTP_ORCPT_MAX);
    strbuf_add_str(&value, is_utf8 ? "utf-8;" : "rfc822;");
    for (const char *p = text; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        bool is_plain = (c > ' ' && c < 0x7F && c != '+' && c != '=' && (c != '\\' || !is_utf8)) || c >= 0x80;
        if (is_plain)
            strbuf_add_char(&value, *p);
        else
            strbuf_add_fmt(&value, is_utf8 ? "\\x{%02X}" : "+%02X", (unsigned)c);
    }
    bool fits = strbuf_ok(&value);
    if (fits)
        memcpy(out, value.data, value.len + 1);
    strbuf_free(&value);
    return fits;
}

/* utf-8-addr-xtext (RFC 6533 section 3), for a relay that does not take UTF-8. What is ASCII in orcpt is as it has to be. */
static void add_orcpt_as_ascii(const char *orcpt, struct strbuf *out)
{
    size_t len;
    for (const char *p = orcpt; *p != '\0'; p += len) {
        uint32_t character = next_character(p, &len);
        if (character < 0x80)
            strbuf_add_char(out, (char)character);
        else
            strbuf_add_fmt(out, "\\x{%" PRIX32 "}", character);
    }
}

/* --- What is needed --- */

static bool has_ascii_form(const struct smtp_address *address)
{
    struct smtp_address ascii;
    return smtp_address_to_ascii(address, &ascii) == 1;
}

bool smtp_client_needs_smtputf8(const struct smtp_client_message *message)
{
    bool needs = message->is_smtputf8 || !has_ascii_form(&message->sender);
    for (size_t i = 0; i < message->recipient_count && !needs; i++)
        needs = !has_ascii_form(&message->recipients[i].address);
    return needs;
}

static bool has_utf8(const struct smtp_client_transaction *transaction)
{
    bool has = transaction->needs_smtputf8 || smtp_address_is_utf8(&transaction->sender);
    for (size_t i = 0; i < transaction->recipient_count && !has; i++)
        has = smtp_address_is_utf8(&transaction->recipients[i].address);
    return has;
}

int64_t smtp_client_message_size(const struct smtp_client_transaction *transaction)
{
    return transaction->content_size + (int64_t)strlen(transaction->prefix);
}

int smtp_client_check_extensions(struct smtp_client *client)
{
    struct smtp_client_transaction *transaction = client->transaction;
    const struct smtp_client_extensions *extensions = &client->extensions;
    int64_t size = smtp_client_message_size(transaction);
    transaction->says_smtputf8 = extensions->smtputf8 && has_utf8(transaction);
    struct smtp_reply reply;
    if (transaction->is_8bit && !extensions->eight_bit)
        reply = smtp_reply_make(554, "5.6.3", "relay %s does not take 8-bit content", client->address);
    else if (transaction->needs_smtputf8 && !extensions->smtputf8)
        reply = smtp_reply_make(553, "5.6.7", "relay %s does not take internationalised addresses or headers",
                                client->address);
    else if (extensions->size && extensions->size_max > 0 && size > extensions->size_max)
        reply = smtp_reply_make(552, "5.3.4",
                                "message of %" PRId64 " octets is larger than the %" PRId64 " that relay %s takes",
                                size, extensions->size_max, client->address);
    else
        return 1;
    smtp_client_settle_rest(client, SMTP_STAGE_EXTENSIONS, SMTP_OUTCOME_PERMANENT, &reply);
    return -1;
}

/* --- The commands --- */

/* Without SMTPUTF8 a domain in UTF-8 goes in the form of the DNS; smtp_client_check_extensions() has seen to it that there
 * is one. */
static void add_path(const struct smtp_client *client, const struct smtp_address *address, struct strbuf *text)
{
    struct smtp_address written = *address;
    if (!client->transaction->says_smtputf8 && smtp_address_to_ascii(address, &written) != 1)
        abort();
    char path[SMTP_ADDRESS_MAX + 2];
    smtp_address_format(&written, path);
    strbuf_add_fmt(text, "<%s>", path);
}

void smtp_client_compose_mail(const struct smtp_client *client, struct strbuf *text)
{
    static const char *const rets[] = {
        [SMTP_DSN_RET_NONE] = "", [SMTP_DSN_RET_FULL] = " RET=FULL", [SMTP_DSN_RET_HDRS] = " RET=HDRS"
    };
    const struct smtp_client_transaction *transaction = client->transaction;
    strbuf_add_str(text, "MAIL FROM:");
    add_path(client, &transaction->sender, text);
    if (client->extensions.size)
        strbuf_add_fmt(text, " SIZE=%" PRId64, smtp_client_message_size(transaction));
    if (transaction->is_8bit || (transaction->says_smtputf8 && client->extensions.eight_bit))
        strbuf_add_str(text, " BODY=8BITMIME");
    if (transaction->says_smtputf8)
        strbuf_add_str(text, " SMTPUTF8");
    if (client->extensions.dsn) {
        strbuf_add_str(text, rets[transaction->ret]);
        if (transaction->envid[0] != '\0')
            strbuf_add_fmt(text, " ENVID=%s", transaction->envid);
    }
    strbuf_add_str(text, "\r\n");
}

static void add_notify(unsigned notify, struct strbuf *text)
{
    static const struct {
        unsigned bit;
        const char *word;
    } words[] = {
        { SMTP_DSN_NOTIFY_SUCCESS, "SUCCESS" },
        { SMTP_DSN_NOTIFY_FAILURE, "FAILURE" },
        { SMTP_DSN_NOTIFY_DELAY, "DELAY" },
        { SMTP_DSN_NOTIFY_NEVER, "NEVER" },
    };
    const char *before = " NOTIFY=";
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if ((notify & words[i].bit) == 0)
            continue;
        strbuf_add_fmt(text, "%s%s", before, words[i].word);
        before = ",";
    }
}

static void add_orcpt(const struct smtp_client *client, const char *orcpt, struct strbuf *text)
{
    struct strbuf value;
    strbuf_init(&value, SMTP_ORCPT_MAX);
    if (client->transaction->says_smtputf8)
        strbuf_add_str(&value, orcpt);
    else
        add_orcpt_as_ascii(orcpt, &value);
    if (strbuf_ok(&value)) /* too long to be said: nobody is told the original address then */
        strbuf_add_fmt(text, " ORCPT=%s", value.data);
    strbuf_free(&value);
}

void smtp_client_compose_rcpt(const struct smtp_client *client, size_t index, struct strbuf *text)
{
    const struct smtp_client_envelope_recipient *recipient = &client->transaction->recipients[index];
    strbuf_add_str(text, "RCPT TO:");
    add_path(client, &recipient->address, text);
    if (client->extensions.dsn) {
        add_notify(recipient->notify, text);
        if (recipient->orcpt[0] != '\0')
            add_orcpt(client, recipient->orcpt, text);
    }
    strbuf_add_str(text, "\r\n");
}
