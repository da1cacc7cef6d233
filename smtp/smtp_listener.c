#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/tls.h"
#include "base/xmalloc.h"
#include "smtp/smtp_access.h"
#include "smtp/smtp_admission.h"
#include "smtp/smtp_budget.h"
#include "smtp/smtp_guessing.h"
#include "smtp/smtp_listener_internal.h"
#include "smtp/smtp_session.h"

enum {
    SESSIONS_DEFAULT = 1000,
    RECIPIENTS_DEFAULT = 1000,
    ERRORS_DEFAULT = 20,
    COMMAND_TIMEOUT_MS = 5 * 60 * 1000,
    DATA_TIMEOUT_MS = 3 * 60 * 1000,
    PROXY_TIMEOUT_MS = 5 * 1000,
    CROWD_PATIENCE_MS = 10 * 1000,
    CROWD_LOOK_MS = 1000,
};

static const int64_t lasted_bounds[] = { 10,    50,    100,   250,    500,     1000,   2500,
                                         10000, 30000, 60000, 300000, 1800000, 7200000 };
enum { LASTED_BOUND_COUNT = sizeof lasted_bounds / sizeof lasted_bounds[0] };

static void set_default(unsigned *value, unsigned standard)
{
    if (*value == 0)
        *value = standard;
}

static void fill_defaults(struct smtp_listener_settings *settings)
{
    set_default(&settings->max_sessions, SESSIONS_DEFAULT);
    set_default(&settings->recipients_max, RECIPIENTS_DEFAULT);
    set_default(&settings->errors_max, ERRORS_DEFAULT);
    if (settings->command_timeout_ms == 0)
        settings->command_timeout_ms = COMMAND_TIMEOUT_MS;
    if (settings->data_timeout_ms == 0)
        settings->data_timeout_ms = DATA_TIMEOUT_MS;
    if (settings->proxy_timeout_ms == 0)
        settings->proxy_timeout_ms = PROXY_TIMEOUT_MS;
    settings->address = NULL;
    settings->clients = NULL;
    settings->exempt = NULL;
    settings->proxies = NULL;
    settings->xclients = NULL;
    settings->xforwards = NULL;
    settings->tls = settings->tls ? tls_context_ref(settings->tls) : NULL;
}

static void copy_settings(struct smtp_listener *listener, const struct smtp_listener_settings *settings)
{
    struct smtp_listener_settings *own = &listener->settings;
    *own = *settings;
    own->name = listener->name = xstrdup(settings->name);
    own->hostname = listener->hostname = xstrdup(settings->hostname);
    own->spool_dir = listener->spool_dir = xstrdup(settings->spool_dir);
    fill_defaults(own);
}

static struct smtp_admission_settings admission_settings(const struct smtp_listener_settings *settings)
{
    return (struct smtp_admission_settings){
        .clients = settings->clients,
        .exempt = settings->exempt,
        .max_sessions = settings->max_sessions ? settings->max_sessions : SESSIONS_DEFAULT,
        .max_sessions_per_client = settings->max_sessions_per_client,
        .per_minute = { [SMTP_RATE_CONNECTIONS] = settings->connections_per_minute,
                        [SMTP_RATE_MESSAGES] = settings->messages_per_minute,
                        [SMTP_RATE_RECIPIENTS] = settings->recipients_per_minute },
    };
}

/* --- who may come in --- */

/* As smtp_admission_enter(), but that nobody comes in from a network that is paused for its guesses. is_told: by XCLIENT. */
static struct smtp_reply enter(struct smtp_listener *listener, const char *address, bool is_told,
                               struct smtp_visit *visit_out)
{
    const struct smtp_listener_settings *settings = &listener->settings;
    struct smtp_reply refusal = smtp_admission_enter(listener->admission, address, visit_out);
    bool is_upstream =
        settings->is_upstream || (address && listener->xforwards && smtp_access_allows(listener->xforwards, address));
    bool is_counted = settings->guessing && address && (!is_upstream || is_told);
    if (refusal.code == 0 && is_counted && !visit_out->is_exempt &&
        smtp_guessing_is_paused(settings->guessing, address)) {
        smtp_admission_leave(listener->admission, visit_out);
        refusal = smtp_guessing_refusal();
    }
    return refusal;
}

/* The reply to one who may not come in; code 0 for those who may, and are in. address NULL: a proxy's client, which is
 * judged when it is known. */
static struct smtp_reply admit(struct smtp_listener *listener, const char *address, struct smtp_visit *visit_out)
{
    const struct smtp_budget *budget = listener->settings.budget;
    *visit_out = (struct smtp_visit){ .is_in = false };
    if (listener->state != SMTP_LISTENER_OPEN)
        return smtp_reply_make(421, "4.3.2", "Shutting down, try again later");
    if (budget && !smtp_budget_has_room(budget, SMTP_BUDGET_SESSION))
        return smtp_reply_make(421, "4.3.2", "Too much is coming in at once, try again later");
    return enter(listener, address, false, visit_out);
}

static bool is_listed(const struct smtp_access *access, const char *address)
{
    return access && smtp_access_allows(access, address);
}

struct smtp_reply smtp_listener_readmit(struct smtp_listener *listener, struct smtp_session *session,
                                        const char *client)
{
    char *address = smtp_access_address_of_peer(client);
    struct smtp_reply refusal = smtp_reply_make(421, "4.3.2", "Shutting down, try again later");
    if (listener->state == SMTP_LISTENER_OPEN) {
        smtp_admission_leave(listener->admission, &session->use.visit);
        refusal = enter(listener, address, session->state != SMTP_SESSION_PROXY, &session->use.visit);
    }
    free(address);
    if (refusal.code != 0) {
        listener->statistics.turned_away++;
        log_info("smtp.turned_away", "session=%s peer=%s client=%s code=%d text=%s", session->id, session->peer, client,
                 refusal.code, refusal.text);
    }
    return refusal;
}

static void ignore_stream(struct stream *stream, void *ctx)
{
    (void)stream;
    (void)ctx;
}

static void ignore_end(struct stream *stream, enum stream_end why, const char *detail, void *ctx)
{
    (void)stream;
    (void)why;
    (void)detail;
    (void)ctx;
}

/* For a stream that is let go in the turn in which it was made. */
static const struct stream_callbacks deaf = { .on_input = ignore_stream, .on_end = ignore_end };

/* Who never got as far as a session. */
static void note_refusal(const struct smtp_listener *listener, const char *peer, const struct smtp_reply *reply)
{
    const struct smtp_listener_settings *settings = &listener->settings;
    if (!settings->callbacks->on_refused)
        return;
    char *address = smtp_access_address_of_peer(peer);
    const struct smtp_session_facts facts = { .listener = settings->name,
                                              .session_id = "",
                                              .peer = peer,
                                              .peer_address = address,
                                              .client = peer,
                                              .client_address = address,
                                              .protocol = settings->lmtp ? "LMTP" : "SMTP" };
    const struct smtp_refusal refusal = { .place = SMTP_REFUSED_CONNECTION, .session = &facts, .reply = reply };
    settings->callbacks->on_refused(&refusal, settings->ctx);
    free(address);
}

static void turn_away(struct smtp_listener *listener, struct stream *stream, const char *peer,
                      const struct smtp_reply *reply)
{
    struct strbuf out;
    strbuf_init(&out, 2 * SMTP_REPLY_TEXT_MAX);
    smtp_reply_compose(reply, &out);
    listener->statistics.turned_away++;
    smtp_listener_count_reply(listener, reply->code);
    log_info("smtp.turned_away", "peer=%s code=%d text=%s", peer, reply->code, reply->text);
    note_refusal(listener, peer, reply);
    stream_write(stream, out.data, out.len);
    stream_close_after_output(&stream);
    strbuf_free(&out);
}

/* Somebody has connected. */
struct arrival {
    struct smtp_session *session; /* NULL: is turned away */
    struct smtp_reply refusal;
    bool is_proxied;
    struct stream_settings stream; /* with which the stream is to be made */
};

/* Whoever is silent for long keeps others out only while there are places left: when all are taken, the one that has been silent longest
 * goes. So many clients of different addresses that connect and say nothing keep nobody out for long. */
static void make_room(struct smtp_listener *listener)
{
    int64_t now = clock_monotonic_ms(loop_clock(listener->settings.loop));
    struct smtp_session *longest = NULL;
    if (smtp_admission_sessions(listener->admission) < listener->settings.max_sessions || now < listener->crowded_until)
        return;
    for (struct smtp_session *at = listener->sessions; at; at = at->next)
        if (smtp_session_may_give_up(at) && (!longest || at->waits_since <= longest->waits_since))
            longest = at;
    if (!longest)
        listener->crowded_until = now + CROWD_LOOK_MS;
    else if (now - longest->waits_since < CROWD_PATIENCE_MS)
        listener->crowded_until = longest->waits_since + CROWD_PATIENCE_MS;
    else
        smtp_session_give_up(longest);
}

static struct arrival judge_arrival(struct smtp_listener *listener, const char *peer)
{
    char *peer_address = smtp_access_address_of_peer(peer);
    struct arrival arrival = { .is_proxied = is_listed(listener->proxies, peer_address),
                               .stream = { .callbacks = &deaf } };
    struct smtp_visit visit;
    make_room(listener);
    arrival.refusal = admit(listener, arrival.is_proxied ? NULL : peer_address, &visit);
    if (arrival.refusal.code != 0) {
        free(peer_address);
        return arrival;
    }
    arrival.session = smtp_session_new(listener, peer, peer_address, &visit);
    arrival.stream = (struct stream_settings){ .callbacks = smtp_session_stream_callbacks(), .ctx = arrival.session };
    return arrival;
}

static void begin(struct smtp_listener *listener, const struct arrival *arrival, const char *peer,
                  struct stream *stream, bool is_tls)
{
    if (!arrival->session)
        turn_away(listener, stream, peer, &arrival->refusal);
    else if (arrival->is_proxied)
        smtp_session_begin_proxied(arrival->session, stream);
    else
        smtp_session_begin(arrival->session, stream, is_tls);
}

void smtp_listener_adopt_fd(struct smtp_listener *listener, int fd, const char *peer)
{
    const struct smtp_listener_settings *settings = &listener->settings;
    struct arrival arrival = judge_arrival(listener, peer);
    bool is_header_first = arrival.session && arrival.is_proxied;
    bool is_tls = settings->tls_policy == SMTP_TLS_IMPLICIT && !is_header_first;
    struct tls_context *tls = is_tls ? settings->tls : NULL;
    begin(listener, &arrival, peer, stream_new_accepted(settings->loop, &arrival.stream, fd, tls), tls != NULL);
}

void smtp_listener_adopt_pair(struct smtp_listener *listener, const char *peer, const struct stream_settings *client,
                              struct stream **client_out)
{
    struct arrival arrival = judge_arrival(listener, peer);
    struct stream *server;
    stream_new_pair(listener->settings.loop, &arrival.stream, client, &server, client_out);
    begin(listener, &arrival, peer, server, false);
}

static void on_accept(int fd, const char *peer, void *arg)
{
    smtp_listener_adopt_fd(arg, fd, peer);
}

/* --- draining --- */

static void finish_drain(struct smtp_listener *listener)
{
    listener->state = SMTP_LISTENER_DRAINED;
    timer_stop(listener->drain_deadline);
    if (listener->on_drained)
        listener->on_drained(listener->drained_arg); /* may free the listener */
}

static void cut_all(struct smtp_listener *listener)
{
    for (struct smtp_session *session = listener->sessions; session; session = session->next)
        smtp_session_cut(session);
}

static void on_drain_deadline(void *arg)
{
    struct smtp_listener *listener = arg;
    if (listener->session_count > 0)
        log_warning("smtp.drain_cut", "listener=%s sessions=%u", listener->settings.name, listener->session_count);
    cut_all(listener);
    finish_drain(listener);
}

void smtp_listener_drain(struct smtp_listener *listener, int64_t deadline_ms, void (*on_drained)(void *arg), void *arg)
{
    if (listener->state != SMTP_LISTENER_OPEN)
        return;
    listener->state = SMTP_LISTENER_DRAINING;
    listener->on_drained = on_drained;
    listener->drained_arg = arg;
    if (listener->socket)
        loop_listener_free(&listener->socket);
    timer_start(listener->drain_deadline, listener->session_count > 0 ? deadline_ms : 0);
    for (struct smtp_session *session = listener->sessions; session; session = session->next)
        smtp_session_run_later(session);
}

/* --- sessions --- */

void smtp_listener_add(struct smtp_listener *listener, struct smtp_session *session)
{
    session->next = listener->sessions;
    if (session->next)
        session->next->previous = session;
    listener->sessions = session;
    listener->session_count++;
    listener->statistics.sessions++;
    session->began_at = clock_monotonic_ms(loop_clock(session->loop));
}

void smtp_listener_remove(struct smtp_listener *listener, struct smtp_session *session)
{
    if (session->next)
        session->next->previous = session->previous;
    if (session->previous)
        session->previous->next = session->next;
    else
        listener->sessions = session->next;
    listener->session_count--;
    histogram_note(&listener->statistics.lasted_ms, clock_monotonic_ms(loop_clock(session->loop)) - session->began_at);
    smtp_admission_leave(listener->admission, &session->use.visit);
    if (listener->state == SMTP_LISTENER_DRAINING && listener->session_count == 0)
        finish_drain(listener);
}

/* --- the listener itself --- */

/* Whose word is taken. */
struct trusted {
    struct smtp_access *proxies, *xclients, *xforwards;
};

static void trusted_free(struct trusted *trusted)
{
    smtp_access_free(&trusted->proxies);
    smtp_access_free(&trusted->xclients);
    smtp_access_free(&trusted->xforwards);
}

static int read_trusted(const struct smtp_listener_settings *settings, struct trusted *trusted_out, char **error_out)
{
    *trusted_out = (struct trusted){ .proxies = NULL };
    if ((!settings->proxies || (trusted_out->proxies = smtp_access_new(settings->proxies, error_out))) &&
        (!settings->xclients || (trusted_out->xclients = smtp_access_new(settings->xclients, error_out))) &&
        (!settings->xforwards || (trusted_out->xforwards = smtp_access_new(settings->xforwards, error_out))))
        return 1;
    trusted_free(trusted_out);
    return -1;
}

/* Takes over what is in it. */
static void take_trusted(struct smtp_listener *listener, const struct trusted *trusted)
{
    struct trusted old = { listener->proxies, listener->xclients, listener->xforwards };
    trusted_free(&old);
    listener->proxies = trusted->proxies;
    listener->xclients = trusted->xclients;
    listener->xforwards = trusted->xforwards;
}

struct smtp_listener *smtp_listener_new(const struct smtp_listener_settings *settings, char **error_out)
{
    struct smtp_listener *listener = xcalloc(1, sizeof *listener);
    struct trusted trusted;
    copy_settings(listener, settings);
    uint8_t random[3];
    random_bytes(random, sizeof random);
    snprintf(listener->id_prefix, sizeof listener->id_prefix, "%02x%02x%02x", random[0], random[1], random[2]);
    histogram_init(&listener->statistics.lasted_ms, lasted_bounds, LASTED_BOUND_COUNT);
    listener->drain_deadline = timer_new(settings->loop, on_drain_deadline, listener);
    struct smtp_admission_settings admission = admission_settings(settings);
    listener->admission = smtp_admission_new(settings->loop, &admission, error_out);
    if (!listener->admission)
        goto fail;
    if (read_trusted(settings, &trusted, error_out) < 0)
        goto fail;
    take_trusted(listener, &trusted);
    if (settings->socket > 0) {
        listener->socket =
            loop_listener_adopt(settings->loop, settings->socket, settings->address, on_accept, listener);
    } else if (settings->address) {
        const char *error;
        listener->socket = loop_listener_new(settings->loop, settings->address, on_accept, listener, &error);
        if (!listener->socket) {
            *error_out = xstrdup(error);
            goto fail;
        }
    }
    return listener;

fail:
    smtp_listener_free(&listener);
    return NULL;
}

const char *smtp_listener_address(const struct smtp_listener *listener)
{
    return listener->socket ? loop_listener_address(listener->socket) : "";
}

const char *smtp_listener_name(const struct smtp_listener *listener)
{
    return listener->settings.name;
}

unsigned smtp_listener_sessions(const struct smtp_listener *listener)
{
    return listener->session_count;
}

void smtp_listener_get_statistics(const struct smtp_listener *listener, struct smtp_listener_statistics *out)
{
    *out = listener->statistics;
}

int64_t smtp_listener_certificate_ends(const struct smtp_listener *listener)
{
    return listener->settings.tls ? tls_context_expires(listener->settings.tls) : 0;
}

void smtp_listener_count_reply(struct smtp_listener *listener, int code)
{
    if (code >= 100 && code < 100 * SMTP_REPLY_CLASSES)
        listener->statistics.replies[code / 100]++;
}

void smtp_listener_set_busy(struct smtp_listener *listener, bool busy)
{
    listener->is_busy = busy;
}

/* Whoever has said who the client is must still be believed. */
static bool would_be_let_in(const struct smtp_listener *listener, const struct smtp_session *session)
{
    const char *before = session->teller ? session->teller : session->client_address;
    if (session->state == SMTP_SESSION_PROXY) /* it is not known yet who it is */
        return is_listed(listener->proxies, session->peer_address);
    if (strcmp(before, session->peer_address) != 0 && !is_listed(listener->proxies, session->peer_address))
        return false;
    return (!session->teller || is_listed(listener->xclients, session->teller)) &&
           smtp_admission_welcomes(listener->admission, session->client_address);
}

/* They came in under other settings, and could stay for long. */
static void judge_sessions(const struct smtp_listener *listener)
{
    for (struct smtp_session *session = listener->sessions; session; session = session->next)
        session->facts.is_unwelcome = !would_be_let_in(listener, session);
}

int smtp_listener_reconfigure(struct smtp_listener *listener, const struct smtp_listener_settings *settings,
                              char **error_out)
{
    struct smtp_admission_settings admission = admission_settings(settings);
    struct trusted trusted;
    if (read_trusted(settings, &trusted, error_out) < 0)
        return -1;
    if (smtp_admission_reconfigure(listener->admission, &admission, error_out) < 0) {
        trusted_free(&trusted);
        return -1;
    }
    take_trusted(listener, &trusted);
    struct smtp_listener_settings *own = &listener->settings;
    struct smtp_listener_settings was = *own;
    *own = *settings;
    fill_defaults(own);
    own->loop = was.loop;
    own->name = was.name;
    own->lmtp = was.lmtp;
    own->hostname = was.hostname;
    own->tls_policy = was.tls_policy;
    own->spool_dir = was.spool_dir;
    own->budget = was.budget;
    own->guessing = was.guessing;
    own->callbacks = was.callbacks;
    own->ctx = was.ctx;
    tls_context_free(&was.tls);
    judge_sessions(listener);
    return 1;
}

void smtp_listener_free(struct smtp_listener **listener_ptr)
{
    struct smtp_listener *listener = *listener_ptr;
    if (!listener)
        return;
    *listener_ptr = NULL;
    if (listener->socket)
        loop_listener_free(&listener->socket);
    timer_free(&listener->drain_deadline);
    cut_all(listener);
    for (struct smtp_session *session = listener->sessions; session; session = session->next)
        smtp_session_orphan(session);
    smtp_admission_free(&listener->admission);
    take_trusted(listener, &(struct trusted){ .proxies = NULL });
    tls_context_free(&listener->settings.tls);
    free(listener->name);
    free(listener->hostname);
    free(listener->spool_dir);
    free(listener);
}
