/* setup_text.c - what is to be done elsewhere, ready to be pasted; see setup.h */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/signing_key.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/setup.h"
#include "smtp/dmarc.h"

enum {
    TXT_STRING_MAX = 255 /* octets, RFC 1035 section 3.3.14 */,
    RECORD_MAX = 4096,
    ADDED_BY_POSTFIX_PERCENT = 98,
    DECIMAL = 10,
    FREE_PORTS = 1024
};

/* ---- Postfix ---- */

/* "127.0.0.1:2424" becomes "inet:127.0.0.1:2424"; "unix:/path" stays. */
static void add_endpoint(struct strbuf *out, const char *address)
{
    strbuf_add_fmt(out, "%s%s", strncmp(address, "unix:", 5) == 0 ? "" : "inet:", address);
}

static void add_front(struct strbuf *out, const struct setup_answers *answers, int64_t max_message)
{
    strbuf_add_fmt(out, "# /etc/postfix/main.cf: mail for %s goes to Postern\nrelay_domains = %s\n", answers->domain,
                   answers->domain);
    strbuf_add_fmt(out, "transport_maps = inline:{ %s=lmtp:", answers->domain);
    add_endpoint(out, answers->listen);
    strbuf_add_fmt(out, " }\nlmtp_send_xforward_command = yes\nmessage_size_limit = %" PRId64 "\n",
                   max_message / 100 * ADDED_BY_POSTFIX_PERCENT);
    strbuf_add_str(out, "smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination\n");
    if (answers->socketmap && *answers->socketmap) {
        strbuf_add_str(out, "relay_recipient_maps = socketmap:");
        add_endpoint(out, answers->socketmap);
        strbuf_add_str(out, ":recipient\n");
    }
    if (answers->policy && *answers->policy) {
        strbuf_add_str(out, "smtpd_recipient_restrictions = permit_mynetworks, check_policy_service ");
        add_endpoint(out, answers->policy);
        strbuf_add_char(out, '\n');
    }
    strbuf_add_fmt(
        out,
        "# %s must not be in mydestination. Where main.cf has a line of the same name already, make one of both.\n"
        "# Then: postfix check && postfix reload\n",
        answers->domain);
}

void setup_add_postfix(struct strbuf *out, const struct setup_answers *answers, int64_t max_message)
{
    const bool is_front = strcmp(answers->mail, "postfix") == 0;
    const bool is_behind = strstr(answers->relay, "://127.") || strstr(answers->relay, "://localhost");
    if (is_front)
        add_front(out, answers, max_message);
    if (is_behind)
        strbuf_add_str(out, "# What members write leaves through Postfix, which must let this machine send:\n"
                            "# postconf mynetworks shows whether 127.0.0.0/8 is in it, as it is by default.\n");
    if (!is_front && !is_behind)
        strbuf_add_str(out, "# Postfix on this machine has nothing to do with it.\n");
}

/* ---- the DNS ---- */

char *setup_dkim_record(const char *key_file, char **error_out)
{
    struct signing_key *key = signing_key_load(key_file, error_out);
    struct strbuf text;
    if (!key)
        return NULL;
    char *public = signing_key_public(key);
    strbuf_init(&text, RECORD_MAX);
    strbuf_add_fmt(&text, "v=DKIM1; k=%s; p=%s", signing_key_kind(key) == SIGNING_KEY_RSA ? "rsa" : "ed25519", public);
    free(public);
    signing_key_free(&key);
    return strbuf_detach(&text);
}

/* In pieces of 255 octets, which whoever reads them joins again. */
static void add_txt(struct strbuf *out, const char *name, const char *text)
{
    size_t len = strlen(text);
    const bool is_long = len > TXT_STRING_MAX;
    strbuf_add_fmt(out, "%s. IN TXT %s", name, is_long ? "(" : "");
    while (len > 0) {
        size_t piece = len < TXT_STRING_MAX ? len : TXT_STRING_MAX;
        strbuf_add_fmt(out, "%s\"%.*s\"", is_long ? "\n    " : "", (int)piece, text);
        text += piece;
        len -= piece;
    }
    strbuf_add_str(out, is_long ? " )\n" : "\n");
}

static bool leaves_from_here(const char *relay)
{
    return strstr(relay, "://127.") || strstr(relay, "://localhost") || strstr(relay, "unix:") ||
           strncmp(relay, "maildir:", 8) == 0;
}

void setup_add_dns(struct strbuf *out, const struct setup_answers *answers, const char *dkim)
{
    char domain[SMTP_DOMAIN_MAX + 1], hostname[SMTP_DOMAIN_MAX + 1]; /* as zone files have them */
    struct strbuf name;
    strbuf_init(&name, RECORD_MAX);
    dmarc_normalise_domain(answers->domain, domain);
    dmarc_normalise_domain(answers->hostname, hostname);
    strbuf_add_fmt(out, "%s. IN MX 10 %s.\n", domain, hostname);
    strbuf_add_fmt(&name, "v=spf1 mx a:%s -all", hostname);
    if (!leaves_from_here(answers->relay))
        strbuf_add_str(out,
                       "; put what the relay's operator names for SPF, such as include:relay.example, before -all\n");
    add_txt(out, domain, name.data);
    if (dkim) {
        strbuf_clear(&name);
        strbuf_add_fmt(&name, "%s._domainkey.%s", answers->dkim, domain);
        add_txt(out, name.data, dkim);
    }
    strbuf_clear(&name);
    strbuf_add_fmt(&name, "_dmarc.%s", domain);
    add_txt(out, name.data, "v=DMARC1; p=none");
    strbuf_add_fmt(
        out,
        "; Where a form asks for the text alone: without the quotes, its pieces joined.\n"
        "; %s needs an A or AAAA record with this machine's address, and whoever gave you that address sets its\n"
        "; PTR record to %s: many mail servers take nothing from addresses without a name.\n"
        "; When all is well for some days, ask for more: p=quarantine, later p=reject.\n",
        hostname, hostname);
    strbuf_free(&name);
}

/* ---- next steps ---- */

/* Only root, or systemd for others, may listen there. */
static bool is_low_port(const char *address)
{
    const char *port = strrchr(address, ':');
    return port && strncmp(address, "unix:", 5) != 0 && strtol(port + 1, NULL, DECIMAL) < FREE_PORTS;
}

void setup_add_next_steps(struct strbuf *out, const struct setup_answers *answers, const char *config_file,
                          bool is_running)
{
    const bool is_usual = strcmp(config_file, "/etc/postern/postern.conf") == 0;
    struct strbuf ctl;
    strbuf_init(&ctl, RECORD_MAX);
    strbuf_add_fmt(&ctl, "posternctl%s%s", is_usual ? "" : " -c ", is_usual ? "" : config_file);
    if (is_running)
        strbuf_add_fmt(
            out,
            "  %s reload\n      makes what was changed count; what it can't change while it runs takes: systemctl "
            "restart postern\n",
            ctl.data);
    else if (is_usual && is_low_port(answers->listen))
        strbuf_add_str(
            out, "  systemctl enable --now postern-smtp.socket postern\n      starts the gateway, now and at each "
                 "boot; the socket is port 25, which takes root to open (without systemd: posternd)\n");
    else if (is_usual)
        strbuf_add_str(out, "  systemctl enable --now postern\n      starts the gateway, now and at each boot (without "
                            "systemd: posternd)\n");
    else
        strbuf_add_fmt(out, "  posternd -c %s\n      starts the gateway\n", config_file);
    strbuf_add_fmt(out, "  %s doctor\n      looks whether all is well\n", ctl.data);
    strbuf_add_fmt(out,
                   "  %s member add \"Alice Member\"\n      gives a member of the silo an address at %s; they agree by "
                   "answering the "
                   "gateway's ping\n",
                   ctl.data, answers->domain);
    strbuf_add_fmt(out,
                   "  %s mapping add bob@example.com \"Alice Member\"\n      opens the door for somebody outside\n",
                   ctl.data);
    strbuf_free(&ctl);
}
