#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/tls.h"
#include "base/xmalloc.h"
#include "smtp/smtp_access.h"
#include "smtp/smtp_listener_internal.h"
#include "smtp/smtp_session.h"

enum {
    SESSIONS_DEFAULT = 1000,
    RECIPIENTS_DEFAULT = 1000,
    ERRORS_DEFAULT = 20,
    COMMAND_TIMEOUT_MS = 5 * 60 * 1000,
    DATA_TIMEOUT_MS = 3 * 60 * 1000,
    PROXY_TIMEOUT_MS = 5 * 1000,
};

static const char unix_peer[] = "unix";

static void set_default(unsigned *value, unsigned standard)
{
    if (*value == 0)
        *value = standard;
}

static void copy_settings(struct smtp_listener *listener, const struct smtp_listener_settings *settings)
{
    struct smtp_listener_settings *own = &listener->settings;
    *own = *settings;
    own->name = listener->name = xstrdup(settings->name);
    own->hostname = listener->hostname = xstrdup(settings->hostname);
    own->spool_dir = listener->spool_dir = xstrdup(settings->spool_dir);
    own->address = NULL;
    own->clients = NULL;
    own->proxies = NULL;
    own->tls = settings->tls ? tls_context_ref(settings->tls) : NULL;
    set_default(&own->max_sessions, SESSIONS_DEFAULT);
    set_default(&own->recipients_max, RECIPIENTS_DEFAULT);
    set_default(&own->errors_max, ERRORS_DEFAULT);
    if (own->command_timeout_ms == 0)
        own->command_timeout_ms = COMMAND_TIMEOUT_MS;
    if (own->data_timeout_ms == 0)
        own->data_timeout_ms = DATA_TIMEOUT_MS;
    if (own->proxy_timeout_ms == 0)
        own->proxy_timeout_ms = PROXY_TIMEOUT_MS;
}

/* --- who may come in --- */

/* Of this client, besides the session itself. Whose header is awaited is nobody's yet. */
static unsigned sessions_of_client(const struct smtp_listener *listener, const char *address,
                                   const struct smtp_session *itself)
{
    unsigned count = 0;
    for (const struct smtp_session *session = listener->sessions; session; session = session->next)
        count +=
            session != itself && session->state != SMTP_SESSION_PROXY && strcmp(session->client_address, address) == 0;
    return count;
}

/* The reply to a client that may not come in; code 0 for those who may. itself: its session, NULL when it is new. */
static struct smtp_reply admission(const struct smtp_listener *listener, const char *address,
                                   const struct smtp_session *itself)
{
    const struct smtp_listener_settings *settings = &listener->settings;
    bool is_local = strcmp(address, unix_peer) == 0; /* the socket's file mode has let it in */
    if (listener->state != SMTP_LISTENER_OPEN)
        return smtp_reply_make(421, "4.3.2", "Shutting down, try again later");
    if (listener->access && !is_local && !smtp_access_allows(listener->access, address))
        return smtp_reply_make(554, "5.7.1", "Access denied");
    if (!itself && listener->session_count >= settings->max_sessions)
        return smtp_reply_make(421, "4.3.2", "Too many connections, try again later");
    if (settings->max_sessions_per_client > 0 && !is_local &&
        sessions_of_client(listener, address, itself) >= settings->max_sessions_per_client)
        return smtp_reply_make(421, "4.7.0", "Too many connections from you, try again later");
    return (struct smtp_reply){ .code = 0 };
}

static bool is_proxy(const struct smtp_listener *listener, const char *peer_address)
{
    return listener->proxies && smtp_access_allows(listener->proxies, peer_address);
}

/* For a proxy: its client is judged when it is known. */
static struct smtp_reply admission_of_proxy(const struct smtp_listener *listener)
{
    if (listener->state != SMTP_LISTENER_OPEN)
        return smtp_reply_make(421, "4.3.2", "Shutting down, try again later");
    if (listener->session_count >= listener->settings.max_sessions)
        return smtp_reply_make(421, "4.3.2", "Too many connections, try again later");
    return (struct smtp_reply){ .code = 0 };
}

struct smtp_reply smtp_listener_readmit(const struct smtp_listener *listener, const struct smtp_session *session,
                                        const char *client)
{
    char *address = smtp_access_address_of_peer(client);
    struct smtp_reply refusal = admission(listener, address, session);
    free(address);
    if (refusal.code != 0)
        log_info("smtp.turned_away", "session=%s peer=%s client=%s code=%d text=%s", session->id, session->peer, client,
                 refusal.code, refusal.text);
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

static void turn_away(struct stream *stream, const char *peer, const struct smtp_reply *reply)
{
    struct strbuf out;
    strbuf_init(&out, 2 * SMTP_REPLY_TEXT_MAX);
    smtp_reply_compose(reply, &out);
    log_info("smtp.turned_away", "peer=%s code=%d text=%s", peer, reply->code, reply->text);
    stream_write(stream, out.data, out.len);
    stream_close_after_output(&stream);
    strbuf_free(&out);
}

void smtp_listener_adopt_fd(struct smtp_listener *listener, int fd, const char *peer)
{
    const struct smtp_listener_settings *settings = &listener->settings;
    struct tls_context *tls = settings->tls_policy == SMTP_TLS_IMPLICIT ? settings->tls : NULL;
    char *peer_address = smtp_access_address_of_peer(peer);
    bool is_proxied = is_proxy(listener, peer_address);
    struct smtp_reply refusal = is_proxied ? admission_of_proxy(listener) : admission(listener, peer_address, NULL);
    if (refusal.code == 0) {
        struct smtp_session *session = smtp_session_new(listener, peer, peer_address);
        struct stream_settings stream = { .callbacks = smtp_session_stream_callbacks(), .ctx = session };
        if (is_proxied)
            smtp_session_begin_proxied(session, stream_new_accepted(settings->loop, &stream, fd, NULL));
        else
            smtp_session_begin(session, stream_new_accepted(settings->loop, &stream, fd, tls), tls != NULL);
        return;
    }
    free(peer_address);
    struct stream_settings stream = { .callbacks = &deaf };
    turn_away(stream_new_accepted(settings->loop, &stream, fd, tls), peer, &refusal);
}

void smtp_listener_adopt_pair(struct smtp_listener *listener, const char *peer, const struct stream_settings *client,
                              struct stream **client_out)
{
    struct loop *loop = listener->settings.loop;
    char *peer_address = smtp_access_address_of_peer(peer);
    bool is_proxied = is_proxy(listener, peer_address);
    struct smtp_reply refusal = is_proxied ? admission_of_proxy(listener) : admission(listener, peer_address, NULL);
    struct stream *server;
    if (refusal.code == 0) {
        struct smtp_session *session = smtp_session_new(listener, peer, peer_address);
        struct stream_settings stream = { .callbacks = smtp_session_stream_callbacks(), .ctx = session };
        stream_new_pair(loop, &stream, client, &server, client_out);
        if (is_proxied)
            smtp_session_begin_proxied(session, server);
        else
            smtp_session_begin(session, server, false);
        return;
    }
    free(peer_address);
    struct stream_settings stream = { .callbacks = &deaf };
    stream_new_pair(loop, &stream, client, &server, client_out);
    turn_away(server, peer, &refusal);
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
    if (listener->state == SMTP_LISTENER_DRAINING && listener->session_count == 0)
        finish_drain(listener);
}

/* --- the listener itself --- */

struct smtp_listener *smtp_listener_new(const struct smtp_listener_settings *settings, char **error_out)
{
    struct smtp_listener *listener = xcalloc(1, sizeof *listener);
    copy_settings(listener, settings);
    uint8_t random[3];
    random_bytes(random, sizeof random);
    snprintf(listener->id_prefix, sizeof listener->id_prefix, "%02x%02x%02x", random[0], random[1], random[2]);
    listener->drain_deadline = timer_new(settings->loop, on_drain_deadline, listener);
    if (settings->clients) {
        listener->access = smtp_access_new(settings->clients, error_out);
        if (!listener->access)
            goto fail;
    }
    if (settings->proxies) {
        listener->proxies = smtp_access_new(settings->proxies, error_out);
        if (!listener->proxies)
            goto fail;
    }
    if (settings->address) {
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

void smtp_listener_set_busy(struct smtp_listener *listener, bool busy)
{
    listener->is_busy = busy;
}

void smtp_listener_set_tls(struct smtp_listener *listener, struct tls_context *tls)
{
    struct tls_context *old = listener->settings.tls;
    listener->settings.tls = tls ? tls_context_ref(tls) : NULL;
    tls_context_free(&old);
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
        session->listener = NULL;
    smtp_access_free(&listener->access);
    smtp_access_free(&listener->proxies);
    tls_context_free(&listener->settings.tls);
    free(listener->name);
    free(listener->hostname);
    free(listener->spool_dir);
    free(listener);
}
