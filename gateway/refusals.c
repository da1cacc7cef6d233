/* refusals.c - see refusals.h */
#include "gateway/refusals.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/parts.h"
#include "smtp/smtp_access.h"
#include "smtp/smtp_origin.h"
#include "smtp/smtp_server.h"

enum {
    NOTES_MAX = 256,
    NOTES_OF_OWNER_MAX = 64,
    COLLECT_MS = 100,
    OWNER_SIZE = SMTP_DOMAIN_MAX + 16,
    STORY_MAX = 3000,
    IPV4_AT = 12, /* in the mapped form */
};

struct note {
    char owner[OWNER_SIZE];
    struct store_refusal refusal; /* its texts are in the one behind them */
    char *texts;
};

/* The committer's, once it was submitted. */
struct batch {
    struct refusals *refusals;
    int64_t now;
    size_t count;
    struct note notes[NOTES_MAX];
};

struct refusals {
    const struct parts *parts;
    struct timer *timer;
    struct batch *batch; /* that is being collected; NULL: nothing is */
    bool is_storing;
    uint64_t left_out, told; /* told: of left_out, in the log */
};

/* --- storing --- */

static void batch_free(struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++)
        free(batch->notes[i].texts);
    free(batch);
}

static int store(struct store_db *db, void *arg)
{
    const struct batch *batch = arg;
    for (size_t i = 0; i < batch->count; i++)
        if (store_refusal_add(db, batch->notes[i].owner, &batch->notes[i].refusal) != 1)
            return -1;
    return store_refusal_tidy(db, batch->now);
}

static void stored(int result, void *arg)
{
    struct batch *batch = arg;
    struct refusals *refusals = batch->refusals;
    refusals->is_storing = false;
    if (result != 1)
        refusals->left_out += batch->count;
    if (refusals->left_out > refusals->told)
        log_warning("refusals.left_out", "count=%" PRIu64, refusals->left_out - refusals->told);
    refusals->told = refusals->left_out;
    batch_free(batch);
    if (refusals->batch)
        timer_start(refusals->timer, COLLECT_MS);
}

static void submit(struct refusals *refusals)
{
    struct batch *batch = refusals->batch;
    refusals->batch = NULL;
    refusals->is_storing = true;
    batch->refusals = refusals;
    batch->now = clock_wall_ms(refusals->parts->clock);
    store_submit_patient(refusals->parts->store, store, stored, batch);
}

static void on_timer(void *arg)
{
    struct refusals *refusals = arg;
    if (refusals->batch && !refusals->is_storing)
        submit(refusals);
}

void refusals_flush(struct refusals *refusals)
{
    if (refusals && refusals->batch && refusals->parts->store)
        submit(refusals);
}

/* --- collecting --- */

static bool has_room(const struct refusals *refusals, const char *owner)
{
    const struct batch *batch = refusals->batch;
    size_t own = 0;
    if (!batch)
        return true;
    for (size_t i = 0; i < batch->count; i++)
        own += strcmp(batch->notes[i].owner, owner) == 0;
    return own < NOTES_OF_OWNER_MAX && batch->count < NOTES_MAX;
}

/* Copies the texts of a note behind each other. */
static void own_texts(struct note *note)
{
    struct store_refusal *refusal = &note->refusal;
    const char **const texts[] = {
        &refusal->place,      &refusal->session, &refusal->transaction, &refusal->client,
        &refusal->via,        &refusal->sender,  &refusal->author,      &refusal->recipient,
        &refusal->message_id, &refusal->reply,   &refusal->reason,      &refusal->proof,
    };
    size_t size = 0;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        size += *texts[i] ? strlen(*texts[i]) + 1 : 1;
    char *at = note->texts = xmalloc(size);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        size_t len = *texts[i] ? strlen(*texts[i]) : 0;
        memcpy(at, *texts[i] ? *texts[i] : "", len + 1);
        *texts[i] = at;
        at += len + 1;
    }
}

static void add(struct refusals *refusals, const char *owner, const struct store_refusal *refusal)
{
    if (!has_room(refusals, owner)) {
        refusals->left_out++;
        return;
    }
    if (!refusals->batch) {
        refusals->batch = xcalloc(1, sizeof *refusals->batch);
        if (!refusals->is_storing)
            timer_start(refusals->timer, COLLECT_MS);
    }
    struct note *note = &refusals->batch->notes[refusals->batch->count++];
    snprintf(note->owner, sizeof note->owner, "%s", owner);
    note->refusal = *refusal;
    note->refusal.at = clock_wall_ms(refusals->parts->clock);
    own_texts(note);
}

/* --- whose it is --- */

/* false: it is no address, or one that says nothing. */
static bool find_network(const char *address, char out[static OWNER_SIZE])
{
    static const uint8_t mapped[IPV4_AT] = { [10] = 0xff, [11] = 0xff },
                         loopback[SMTP_ACCESS_ADDRESS_SIZE] = { [15] = 1 };
    uint8_t octets[SMTP_ACCESS_ADDRESS_SIZE];
    char text[INET6_ADDRSTRLEN] = "";
    if (!smtp_access_read(address, octets))
        return false;
    bool is_ipv4 = memcmp(octets, mapped, sizeof mapped) == 0;
    if (is_ipv4 ? octets[IPV4_AT] == 127 : memcmp(octets, loopback, sizeof loopback) == 0)
        return false;
    if (is_ipv4)
        octets[15] = 0;
    else
        memset(octets + 8, 0, 8);
    inet_ntop(is_ipv4 ? AF_INET : AF_INET6, octets + (is_ipv4 ? IPV4_AT : 0), text, sizeof text);
    snprintf(out, OWNER_SIZE, "%s/%d", text, is_ipv4 ? 24 : 64);
    return true;
}

static void find_domain(const struct store_refusal *refusal, char out[static OWNER_SIZE])
{
    const char *address = refusal->author && refusal->author[0] ? refusal->author : refusal->sender;
    const char *at = address ? strrchr(address, '@') : NULL;
    snprintf(out, OWNER_SIZE, "domain %s", at ? at + 1 : "-");
}

/* One client for everybody. */
static bool is_upstream(const struct refusals *refusals, const char *listener)
{
    const struct config *config = refusals->parts->config;
    for (size_t i = 0; i < config->listener_count; i++)
        if (strcmp(config->listeners[i].name, listener) == 0)
            return config->listeners[i].lmtp || config->listeners[i].trust_authserv_id ||
                   config->listeners[i].assume_authenticated;
    return false;
}

static void find_owner(const struct refusals *refusals, const struct smtp_session_facts *session,
                       const struct store_refusal *refusal, char out[static OWNER_SIZE])
{
    bool is_told = strcmp(session->client, session->peer) != 0;
    const char *address = session->origin && session->origin->address[0]         ? session->origin->address
                          : is_told || !is_upstream(refusals, session->listener) ? session->client_address
                                                                                 : "";
    if (!find_network(address, out))
        find_domain(refusal, out);
}

/* --- notes --- */

void refusals_note(struct refusals *refusals, const struct smtp_session_facts *session, const char *transaction,
                   const struct store_refusal *facts)
{
    char owner[OWNER_SIZE];
    struct store_refusal refusal = *facts;
    if (!refusals)
        return;
    find_owner(refusals, session, facts, owner);
    char *via = refusals_describe_session(session, transaction);
    refusal.via = via;
    refusal.session = session->session_id;
    refusal.transaction = transaction;
    refusal.client = session->client;
    add(refusals, owner, &refusal);
    free(via);
}

void refusals_note_asked(struct refusals *refusals, const char *client, const struct store_refusal *facts)
{
    char owner[OWNER_SIZE];
    struct store_refusal refusal = *facts;
    if (!refusals)
        return;
    if (!find_network(client, owner))
        find_domain(facts, owner);
    refusal.client = client;
    add(refusals, owner, &refusal);
}

/* Of content: whom it was for. */
static void name_recipients(const struct smtp_transaction *transaction, char out[static 2 * SMTP_ADDRESS_MAX])
{
    char first[SMTP_ADDRESS_MAX + 2];
    size_t count = smtp_transaction_recipient_count(transaction);
    out[0] = '\0';
    if (count == 0)
        return;
    smtp_address_format(smtp_transaction_recipient(transaction, 0), first);
    if (count == 1)
        snprintf(out, 2 * SMTP_ADDRESS_MAX, "%s", first);
    else
        snprintf(out, 2 * SMTP_ADDRESS_MAX, "%s and %zu more", first, count - 1);
}

void refusals_note_own(struct refusals *refusals, const struct smtp_refusal *refusal)
{
    static const char *const places[] = {
        [SMTP_REFUSED_CONNECTION] = "connection", [SMTP_REFUSED_COMMAND] = "command", [SMTP_REFUSED_CONTENT] = "content"
    };
    const struct smtp_address *of = refusal->sender;
    char sender[SMTP_ADDRESS_MAX + 2] = "", recipient[2 * SMTP_ADDRESS_MAX] = "", reply[SMTP_REPLY_TEXT_MAX + 32];
    char reason[60] = "";
    if (!of && refusal->transaction)
        of = smtp_transaction_sender(refusal->transaction);
    if (of)
        smtp_address_format(of, sender);
    if (refusal->recipient)
        smtp_address_format(refusal->recipient, recipient);
    else if (refusal->place == SMTP_REFUSED_CONTENT && refusal->transaction)
        name_recipients(refusal->transaction, recipient);
    if (refusal->command)
        snprintf(reason, sizeof reason, "in answer to %s", refusal->command);
    snprintf(reply, sizeof reply, "%d %s %s", refusal->reply->code, refusal->reply->enhanced, refusal->reply->text);
    const struct store_refusal facts = {
        .place = places[refusal->place],
        .sender = of && !sender[0] ? "<>" : sender,
        .recipient = recipient,
        .code = refusal->reply->code,
        .reply = reply,
        .reason = reason,
    };
    refusals_note(refusals, refusal->session, refusal->transaction ? smtp_transaction_id(refusal->transaction) : NULL,
                  &facts);
}

/* --- the session in words --- */

/* From whom the mail server in front has it; NULL: it has not said. */
static void describe_origin(const struct smtp_origin *origin, struct strbuf *out)
{
    if (!origin)
        return;
    const char *const texts[][2] = {
        { "name ", origin->name },     { "address ", origin->address }, { "port ", origin->port },
        { "HELO ", origin->helo },     { "with ", origin->protocol },   { "id there ", origin->ident },
        { "source ", origin->source },
    };
    const char *separator = ", which says of its client: ";
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (texts[i][1][0] == '\0')
            continue;
        strbuf_add_fmt(out, "%s%s%s", separator, texts[i][0], texts[i][1]);
        separator = ", ";
    }
}

char *refusals_describe_session(const struct smtp_session_facts *session, const char *transaction)
{
    bool is_proxied = strcmp(session->client, session->peer) != 0;
    struct strbuf text;
    strbuf_init(&text, STORY_MAX);
    strbuf_add_fmt(&text, "from %s (%s)%s%s by listener %s with %s%s%s", session->client,
                   session->helo ? session->helo : "-", is_proxied ? " through " : "", is_proxied ? session->peer : "",
                   session->listener, session->protocol, session->tls_version ? ", " : "",
                   session->tls_version ? session->tls_version : "");
    if (transaction)
        strbuf_add_fmt(&text, " id %s", transaction);
    describe_origin(session->origin, &text);
    return strbuf_detach(&text);
}

/* --- life --- */

struct refusals *refusals_new(const struct parts *parts)
{
    struct refusals *refusals = xcalloc(1, sizeof *refusals);
    refusals->parts = parts;
    refusals->timer = timer_new(parts->loop, on_timer, refusals);
    return refusals;
}

void refusals_free(struct refusals **refusals)
{
    if (!*refusals)
        return;
    if ((*refusals)->batch)
        batch_free((*refusals)->batch);
    timer_free(&(*refusals)->timer);
    free(*refusals);
    *refusals = NULL;
}

uint64_t refusals_left_out(const struct refusals *refusals)
{
    return refusals->left_out;
}
