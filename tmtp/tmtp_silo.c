/* tmtp_silo.c - the silo as a whole: listening, settling turns, starting and ending */
#include "tmtp/tmtp_silo.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/tls.h"
#include "base/xmalloc.h"
#include "tmtp/tmtp_silo_internal.h"

enum { PATH_LIMIT = 4096 };

static const char default_name[] = "Postern silo";

/* --- finding sessions --- */

struct silo_session_list *silo_bucket(struct tmtp_silo *silo, int64_t node)
{
    return &silo->online[(uint64_t)node % SILO_BUCKETS];
}

struct silo_session *silo_find_online(struct tmtp_silo *silo, int64_t node)
{
    struct silo_session *session = LIST_FIRST(silo_bucket(silo, node));
    while (session != NULL && session->node != node)
        session = LIST_NEXT(session, in_online);
    return session;
}

/* --- settling a turn --- */

static void cut_all(struct tmtp_silo *silo)
{
    while (!LIST_EMPTY(&silo->sessions))
        silo_session_end(LIST_FIRST(&silo->sessions));
}

static void settle(void *arg)
{
    struct tmtp_silo *silo = arg;
    silo->settling = false;
    if (silo->closed)
        return;
    if (silo_store_has_urgent_changes(silo->store) && silo_store_commit(silo->store) != 1) {
        log_error("silo.turn_lost", "sessions=%zu", silo->session_count);
        cut_all(silo);
        return;
    }
    while (!TAILQ_EMPTY(&silo->unsettled)) {
        struct silo_session *session = TAILQ_FIRST(&silo->unsettled);
        TAILQ_REMOVE(&silo->unsettled, session, in_unsettled);
        session->unsettled = false;
        silo_session_settle(session);
    }
    if (silo_store_has_changes(silo->store) && !timer_is_running(silo->lazy_commit))
        timer_start(silo->lazy_commit, SILO_LAZY_COMMIT_MS);
}

void silo_touch(struct silo_session *session)
{
    struct tmtp_silo *silo = session->silo;
    if (!session->unsettled) {
        session->unsettled = true;
        TAILQ_INSERT_TAIL(&silo->unsettled, session, in_unsettled);
    }
    if (!silo->settling) {
        silo->settling = true;
        loop_defer(silo->loop, settle, silo);
    }
}

static void on_lazy_commit(void *arg)
{
    struct tmtp_silo *silo = arg;
    if (silo_store_commit(silo->store) != 1)
        cut_all(silo);
}

/* --- listening --- */

static void on_accept(int fd, const char *peer, void *arg)
{
    struct tmtp_silo *silo = arg;
    if (silo->session_count >= SILO_SESSIONS_MAX) {
        log_warning("silo.full", "peer=%s", peer);
        close(fd);
        return;
    }
    struct silo_session *session = silo_session_new(silo);
    const struct stream_settings settings = silo_session_stream_settings(session);
    session->stream = stream_new_accepted(silo->loop, &settings, fd, silo->tls);
    log_debug("silo.connected", "peer=%s", peer);
}

struct stream *tmtp_silo_attach(struct tmtp_silo *silo, const struct stream_settings *client)
{
    struct stream *client_end = NULL;
    struct silo_session *session = silo_session_new(silo);
    const struct stream_settings settings = silo_session_stream_settings(session);
    stream_new_pair(silo->loop, &settings, client, &session->stream, &client_end);
    return client_end;
}

/* --- starting --- */

static char *compose(const char *first, const char *second)
{
    struct strbuf text;
    strbuf_init(&text, PATH_LIMIT);
    strbuf_add_str(&text, first);
    strbuf_add_str(&text, second);
    return strbuf_detach(&text);
}

/* The certificate is made once and then stays: clients pin it. */
static int load_certificate(struct tmtp_silo *silo, const char *state_dir, char **error_out)
{
    char *certificate = compose(state_dir, "/certificate.pem");
    char *key = compose(state_dir, "/key.pem");
    int rc = 1;
    if (access(certificate, F_OK) != 0) {
        /* A key alone is what a crash between the two leaves behind. */
        if (unlink(key) != 0 && errno != ENOENT)
            log_warning("silo.key_not_removed", "errno=%d", errno);
        rc = tls_make_self_signed("localhost", certificate, key, error_out);
    }
    if (rc == 1) {
        silo->tls = tls_context_new_server(certificate, key, error_out);
        rc = silo->tls != NULL ? 1 : -1;
    }
    free(certificate);
    free(key);
    return rc;
}

static int start_listening(struct tmtp_silo *silo, const struct tmtp_silo_settings *settings, char **error_out)
{
    if (load_certificate(silo, settings->state_dir, error_out) != 1)
        return -1;
    const char *error = NULL;
    silo->listener = loop_listener_new(silo->loop, settings->listen, on_accept, silo, &error);
    if (silo->listener == NULL) {
        *error_out = xstrdup(error);
        return -1;
    }
    silo->address = compose("=", loop_listener_address(silo->listener));
    log_info("silo.listening", "address=%s", silo->address);
    return 1;
}

struct tmtp_silo *tmtp_silo_new(const struct tmtp_silo_settings *settings, char **error_out)
{
    struct tmtp_silo *silo = xcalloc(1, sizeof *silo);
    silo->loop = settings->loop;
    silo->name = xstrdup(settings->name != NULL ? settings->name : default_name);
    silo->lazy_commit = timer_new(silo->loop, on_lazy_commit, silo);
    LIST_INIT(&silo->sessions);
    LIST_INIT(&silo->announcers);
    TAILQ_INIT(&silo->unsettled);
    for (size_t i = 0; i < SILO_BUCKETS; i++)
        LIST_INIT(&silo->online[i]);
    silo->store = silo_store_open(settings->state_dir, clock_wall_ms(loop_clock(silo->loop)), error_out);
    if (silo->store == NULL || (settings->listen != NULL && start_listening(silo, settings, error_out) != 1))
        tmtp_silo_free(&silo);
    return silo;
}

const char *tmtp_silo_address(const struct tmtp_silo *silo)
{
    return silo->address;
}

static void release(void *arg)
{
    free(arg);
}

void tmtp_silo_free(struct tmtp_silo **silo_ptr)
{
    struct tmtp_silo *silo = *silo_ptr;
    if (silo == NULL)
        return;
    *silo_ptr = NULL;
    silo->closed = true;
    loop_listener_free(&silo->listener);
    cut_all(silo);
    timer_free(&silo->lazy_commit);
    if (silo->store != NULL)
        silo_store_close(&silo->store);
    if (silo->tls != NULL)
        tls_context_free(&silo->tls);
    free(silo->name);
    free(silo->address);
    loop_defer(silo->loop, release, silo); /* settle() may be waiting for the end of the turn */
}
