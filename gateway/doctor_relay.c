/* doctor_relay.c - would each relay take our mail? It is asked up to RCPT, all of them at once; no mail is sent. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/doctor_internal.h"
#include "gateway/relay_password.h"
#include "smtp/smtp_client.h"

enum { RELAY_MS = 8000, CONNECT_MS = 5000, REPLY_MAX = 1200 };

/* Nobody: RFC 2606 keeps this domain for examples. */
static const char outside[] = "postmaster@example.com";

struct asked {
    struct doctor *doctor;
    const struct config_relay *relay;
    char *password; /* NULL: none */
    struct smtp_client *client;
    unsigned *waiting;
    bool *are_done;
    bool is_done;
    char *failure, *advice; /* NULL: none */
    enum doctor_level level;
};

static const char *advice_about(enum smtp_stage stage)
{
    static const char *const advice[] = {
        [SMTP_STAGE_CONNECT] = "see that relay.url is right, that the relay runs, and that no firewall stops us",
        [SMTP_STAGE_TLS] =
            ("with relay.tls = verify the certificate must be for the relay's name and signed by a known CA: "
             "see relay.ca_file and relay.fingerprint"),
        [SMTP_STAGE_GREETING] = "the relay serves nobody now, or not us: see its log",
        [SMTP_STAGE_HELLO] = "the relay does not like our name: see relay.helo and hostname",
        [SMTP_STAGE_STARTTLS] = "the relay offers no TLS: switch it on there, or set relay.tls = may",
        [SMTP_STAGE_AUTH] = "see relay.user and relay.password_file; a password is said under TLS only",
        [SMTP_STAGE_EXTENSIONS] = "the relay is too simple for what we send",
        [SMTP_STAGE_MAIL] = "the relay refuses our domain as the sender: see its log",
        [SMTP_STAGE_RCPT] =
            "the relay must let this machine send to everybody: Postfix has mynetworks for that; see its log",
    };
    return stage < sizeof advice / sizeof advice[0] ? advice[stage] : "see the relay's log";
}

static void on_done(const struct smtp_recipient_result *results, size_t count, void *ctx)
{
    struct asked *asked = ctx;
    const struct smtp_recipient_result *result = &results[0];
    (void)count;
    asked->is_done = true;
    if (result->outcome != SMTP_OUTCOME_DELIVERED) {
        const bool is_about_us = result->stage < SMTP_STAGE_RCPT || strncmp(result->reply.enhanced, "5.7", 3) == 0;
        /* Somebody else's example may be refused for its own sake. */
        asked->level = is_about_us ? DOCTOR_FAILURE : DOCTOR_WARNING;
        asked->failure =
            strbuf_text(REPLY_MAX, "%s: at %s: %d %s %s", asked->relay->url, smtp_stage_name(result->stage),
                        result->reply.code, result->reply.enhanced, result->reply.text);
        asked->advice = xstrdup(advice_about(result->stage));
    }
    if (--*asked->waiting == 0) {
        *asked->are_done = true;
        loop_stop(asked->doctor->loop);
    }
}

/* By root, who may. Without it the relay can't be asked. */
static void read_password(struct asked *asked)
{
    const struct config_relay *relay = asked->relay;
    char *error = NULL;
    if (!relay->password_file || relay_password_read(relay->password_file, &asked->password, &error) == 1)
        return;
    asked->failure = strbuf_text(REPLY_MAX, "%s: %s", relay->url, error);
    asked->advice =
        xstrdup("put the password into that file, one line; chmod 0640, owned by root and the daemon's group");
    asked->level = asked->doctor->is_root ? DOCTOR_FAILURE : DOCTOR_UNSEEN;
    free(error);
}

static void begin(struct asked *asked)
{
    const struct config_relay *relay = asked->relay;
    struct doctor *doctor = asked->doctor;
    char *error = NULL;
    const struct smtp_client_settings settings = {
        .loop = doctor->loop,
        .address = relay->target,
        .lmtp = relay->kind == CONFIG_RELAY_LMTP,
        .implicit_tls = relay->kind == CONFIG_RELAY_SMTPS,
        .tls = relay->tls,
        .ca_file = relay->ca_file,
        .pin = relay->fingerprint,
        .user = relay->user,
        .password = asked->password,
        .helo = relay->helo ? relay->helo : doctor->config->hostname,
        .connect_timeout_ms = CONNECT_MS,
        .command_timeout_ms = CONNECT_MS,
    };
    asked->client = smtp_client_new(&settings, &error);
    free(asked->password);
    asked->password = NULL;
    struct smtp_client_recipient to = { .notify = 0 };
    struct smtp_client_message message = { .recipients = &to, .recipient_count = 1, .is_probe = true };
    struct strbuf from;
    strbuf_init(&from, SMTP_ADDRESS_MAX);
    strbuf_add_fmt(&from, "bounces@%s", doctor->config->domain);
    if (!asked->client) {
        asked->failure = strbuf_text(REPLY_MAX, "%s: %s", relay->url, error);
        asked->level = DOCTOR_FAILURE;
    } else if (smtp_address_parse(from.data, from.len, &message.sender) == 1 &&
               smtp_address_parse(outside, sizeof outside - 1, &to.address) == 1) {
        ++*asked->waiting;
        smtp_client_send(asked->client, &message, on_done, asked);
    }
    strbuf_free(&from);
    free(error);
}

static void check_maildir(struct doctor *doctor, const struct config_relay *relay)
{
    struct stat st;
    const char *directory = relay->target, *slash = strrchr(directory, '/');
    char *parent = slash && slash > directory ? xstrndup(directory, (size_t)(slash - directory)) : xstrdup("/");
    bool is_there = stat(directory, &st) == 0, can = false;
    int error = errno;
    if (is_there || (error == ENOENT && stat(parent, &st) == 0))
        can = S_ISDIR(st.st_mode) && doctor_user_may(&doctor->user, st.st_mode, st.st_uid, st.st_gid, W_OK | X_OK);
    if (!is_there && error == EACCES) {
        doctor_say(doctor, DOCTOR_UNSEEN, "%s can't be looked at by us", directory);
    } else if (can) {
        doctor_say(doctor, DOCTOR_OK, "mail is put into the folder %s; nothing leaves this machine", directory);
    } else {
        doctor_say(doctor, DOCTOR_FAILURE, "the daemon can't write into %s", is_there ? directory : parent);
        doctor_advise(doctor, "make it, owned by %s: install -d -m 0700 -o %s %s", doctor->user.name, doctor->user.name,
                      directory);
    }
    free(parent);
}

static void say(struct doctor *doctor, const struct asked *asked)
{
    if (!asked->failure && !asked->is_done) {
        doctor_say(doctor, DOCTOR_FAILURE, "%s: no answer in time", asked->relay->url);
        doctor_advise(doctor, "%s", advice_about(SMTP_STAGE_CONNECT));
    } else if (!asked->failure) {
        doctor_say(doctor, DOCTOR_OK, "%s takes mail from %s to others%s", asked->relay->url, doctor->config->domain,
                   asked->relay->user ? ", and knows us" : "");
    } else {
        doctor_say(doctor, asked->level, "%s", asked->failure);
        doctor_advise(doctor, "%s", asked->advice ? asked->advice : "see relay in postern.conf(5)");
    }
}

struct asking {
    struct asked *all;
    size_t count;
};

/* Those whose failure is not known yet, all at once; then all are told of. */
static void ask_all(struct doctor *doctor, void *ctx)
{
    const struct asking *asking = ctx;
    unsigned waiting = 0;
    bool are_done = false;
    for (size_t i = 0; i < asking->count; i++) {
        struct asked *asked = &asking->all[i];
        asked->waiting = &waiting;
        asked->are_done = &are_done;
        if (!asked->failure)
            begin(asked);
    }
    if (waiting > 0)
        doctor_wait(doctor, &are_done, RELAY_MS);
    for (size_t i = 0; i < asking->count; i++) {
        say(doctor, &asking->all[i]);
        smtp_client_free(&asking->all[i].client);
    }
    loop_turn(doctor->loop); /* where clients die, with a QUIT */
    loop_turn(doctor->loop);
}

void doctor_check_relays(struct doctor *doctor)
{
    const struct config *config = doctor->config;
    struct asked asked[CONFIG_RELAYS_MAX] = { 0 };
    struct asking asking = { .all = asked };
    for (size_t i = 0; i < config->relay_count; i++) {
        if (config->relays[i].kind == CONFIG_RELAY_MAILDIR) {
            check_maildir(doctor, &config->relays[i]);
        } else {
            asked[asking.count] = (struct asked){ .doctor = doctor, .relay = &config->relays[i] };
            read_password(&asked[asking.count++]);
        }
    }
    if (asking.count > 0)
        doctor_apart(doctor, RELAY_MS, ask_all, &asking);
    for (size_t i = 0; i < asking.count; i++) {
        free(asked[i].password);
        free(asked[i].failure);
        free(asked[i].advice);
    }
}
