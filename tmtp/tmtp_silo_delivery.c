/* tmtp_silo_delivery.c - one node's queue over its connection: stop and wait
 *
 * The next message follows the acknowledgement of the last; without one the message is sent again after
 * SILO_RESEND_MS. Data in a file is read piece by piece as the peer takes it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/loop.h"
#include "tmtp/tmtp_silo_content.h"
#include "tmtp/tmtp_silo_internal.h"

enum { PIECE = 64 * 1024 };

static const char *const state_names[] = {
    [SILO_DELIVERY_IDLE] = "idle", [SILO_DELIVERY_SENDING] = "sending", [SILO_DELIVERY_UNACKED] = "unacked"
};

static void set_state(struct silo_session *session, enum silo_delivery_state state)
{
    log_debug("silo.delivery", "uid=%s msgid=%" PRIx64 " from=%s to=%s", session->uid, session->delivery.id,
              state_names[session->delivery.state], state_names[state]);
    session->delivery.state = state;
}

static void on_resend(void *arg)
{
    struct silo_session *session = arg;
    if (stream_pending_output(session->stream) > 0) { /* it has not even got there yet */
        timer_start(session->delivery.resend, SILO_RESEND_MS);
        return;
    }
    log_info("silo.resend", "uid=%s msgid=%" PRIx64, session->uid, session->delivery.id);
    set_state(session, SILO_DELIVERY_IDLE);
    silo_touch(session);
}

void silo_delivery_init(struct silo_session *session)
{
    session->delivery.fd = -1;
    session->delivery.resend = timer_new(session->silo->loop, on_resend, session);
}

void silo_delivery_end(struct silo_session *session)
{
    if (session->delivery.fd >= 0)
        close(session->delivery.fd);
    session->delivery.fd = -1;
    timer_free(&session->delivery.resend);
}

static void finish_sending(struct silo_session *session)
{
    set_state(session, SILO_DELIVERY_UNACKED);
    timer_start(session->delivery.resend, SILO_RESEND_MS);
}

void silo_delivery_start(struct silo_session *session)
{
    struct silo_delivery *delivery = &session->delivery;
    struct silo_queued first;
    int rc = silo_store_first(session->silo->store, session->node, &first);
    if (rc < 0)
        silo_session_end(session);
    if (rc != 1)
        return;
    delivery->id = first.id;
    delivery->priority = first.priority;
    delivery->offset = 0;
    delivery->size = first.file_size;
    if (first.file_size > 0) {
        delivery->fd = silo_content_open(silo_store_content_directory(session->silo->store), first.id);
        if (delivery->fd < 0) {
            log_error("silo.content_missing", "msgid=%" PRIx64 " errno=%d", first.id, errno);
            silo_queued_free(&first);
            silo_session_end(session);
            return;
        }
    }
    stream_write(session->stream, first.bytes, first.len);
    silo_queued_free(&first);
    if (delivery->fd < 0) {
        finish_sending(session);
    } else {
        set_state(session, SILO_DELIVERY_SENDING);
        silo_delivery_pump(session);
    }
}

void silo_delivery_pump(struct silo_session *session)
{
    struct silo_delivery *delivery = &session->delivery;
    uint8_t piece[PIECE];
    while (delivery->offset < delivery->size && stream_pending_output(session->stream) < SILO_OUTPUT_HIGH) {
        uint64_t left = delivery->size - delivery->offset;
        ssize_t got = pread(delivery->fd, piece, left < PIECE ? (size_t)left : PIECE, (off_t)delivery->offset);
        if (got <= 0) { /* the frame can't be finished, so nothing else can be said */
            log_error("silo.content_short", "msgid=%" PRIx64 " errno=%d", delivery->id, errno);
            silo_session_end(session);
            return;
        }
        stream_write(session->stream, piece, (size_t)got);
        delivery->offset += (uint64_t)got;
    }
    if (delivery->offset < delivery->size)
        return;
    close(delivery->fd);
    delivery->fd = -1;
    finish_sending(session);
    silo_touch(session); /* answers may be waiting for the end of the frame */
}

enum silo_verdict silo_command_ack(struct silo_session *session, const struct tmtp_request *request,
                                   struct silo_answer *answer)
{
    (void)answer;
    struct silo_delivery *delivery = &session->delivery;
    char awaited[SILO_ID_SIZE];
    snprintf(awaited, sizeof awaited, "%016" PRIx64, delivery->id);
    if (delivery->state != SILO_DELIVERY_UNACKED || strcmp(awaited, request->id) != 0) {
        log_debug("silo.stray_ack", "uid=%s msgid=%s", session->uid,
                  request->id); /* of a message sent twice, most likely */
        return SILO_SILENT;
    }
    if (silo_store_acknowledge(session->silo->store, session->node, delivery->priority, delivery->id) != 1)
        return SILO_BROKEN;
    timer_stop(delivery->resend);
    set_state(session, SILO_DELIVERY_IDLE);
    silo_touch(session);
    return SILO_SILENT;
}
