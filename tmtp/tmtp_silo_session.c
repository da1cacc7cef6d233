/* tmtp_silo_session.c - one connection: frames in, requests carried out, answers out */
#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/xmalloc.h"
#include "tmtp/tmtp_frame.h"
#include "tmtp/tmtp_silo_content.h"
#include "tmtp/tmtp_silo_internal.h"

enum { ANSWERS_MAX = 1024 * 1024 }; /* input waits long before; see SILO_ANSWERS_HIGH */

static const char *const state_names[] = {
    [SILO_SESSION_FRESH] = "fresh",     [SILO_SESSION_GREETED] = "greeted", [SILO_SESSION_ONLINE] = "online",
    [SILO_SESSION_CLOSING] = "closing", [SILO_SESSION_ENDED] = "ended",
};

void silo_session_set_state(struct silo_session *session, enum silo_session_state state)
{
    static const unsigned from[] = {
        [SILO_SESSION_GREETED] = 1U << SILO_SESSION_FRESH,
        [SILO_SESSION_ONLINE] = 1U << SILO_SESSION_GREETED,
        [SILO_SESSION_CLOSING] = 1U << SILO_SESSION_GREETED | 1U << SILO_SESSION_ONLINE,
        [SILO_SESSION_ENDED] = 1U << SILO_SESSION_FRESH | 1U << SILO_SESSION_GREETED | 1U << SILO_SESSION_ONLINE |
                               1U << SILO_SESSION_CLOSING,
    };
    assert((from[state] & 1U << session->state) != 0);
    log_debug("silo.session", "uid=%s from=%s to=%s", session->uid, state_names[session->state], state_names[state]);
    session->state = state;
}

/* --- the life of a session --- */

static void on_timeout(void *arg)
{
    struct silo_session *session = arg;
    if (session->paused) { /* we are the ones who wait: the peer can't have its say */
        timer_start(session->timer, SILO_PULSE_MS);
        return;
    }
    log_info("silo.timeout", "uid=%s state=%s", session->uid, state_names[session->state]);
    silo_session_end(session);
}

struct silo_session *silo_session_new(struct tmtp_silo *silo)
{
    struct silo_session *session = xcalloc(1, sizeof *session);
    session->silo = silo;
    session->decoder = tmtp_frame_decoder_new(TMTP_FRAME_HEADER_MAX);
    session->timer = timer_new(silo->loop, on_timeout, session);
    strbuf_init(&session->answers, ANSWERS_MAX);
    silo_delivery_init(session);
    LIST_INSERT_HEAD(&silo->sessions, session, in_sessions);
    silo->session_count++;
    timer_start(session->timer, SILO_LOGIN_MS);
    return session;
}

static void forget_request(struct silo_session *session)
{
    tmtp_request_free(&session->request);
    silo_content_free(&session->note);
    silo_content_free(&session->data);
}

static void release(void *arg)
{
    free(arg);
}

void silo_session_end(struct silo_session *session)
{
    struct tmtp_silo *silo = session->silo;
    if (session->state == SILO_SESSION_ENDED)
        return;
    if (session->uid != NULL)
        LIST_REMOVE(session, in_online);
    silo_session_set_state(session, SILO_SESSION_ENDED);
    silo_presence_leave(session);
    if (session->unsettled)
        TAILQ_REMOVE(&silo->unsettled, session, in_unsettled);
    LIST_REMOVE(session, in_sessions);
    silo->session_count--;
    silo_delivery_end(session);
    forget_request(session);
    tmtp_frame_decoder_free(&session->decoder);
    timer_free(&session->timer);
    strbuf_free(&session->answers);
    if (session->stream != NULL)
        stream_free(&session->stream);
    free(session->uid);
    session->uid = NULL;
    loop_defer(silo->loop, release, session);
}

/* --- saying something --- */

void silo_session_say(struct silo_session *session, const struct tmtp_push *push)
{
    if (session->state == SILO_SESSION_ENDED)
        return;
    if (tmtp_push_compose(&session->answers, push, false) != 1) {
        log_warning("silo.answer_too_long", "uid=%s", session->uid);
        silo_session_end(session);
        return;
    }
    silo_touch(session);
}

/* Ends the session in order; before tmtprev without a word. */
static void quit(struct silo_session *session, const char *text)
{
    log_info("silo.quit", "uid=%s error=%s", session->uid, text);
    if (session->state == SILO_SESSION_FRESH) {
        silo_session_end(session);
        return;
    }
    const struct tmtp_push push = { .op = TMTP_PUSH_QUIT, .error = silo_borrow(text) };
    silo_session_set_state(session, SILO_SESSION_CLOSING);
    silo_session_say(session, &push);
}

bool silo_session_is_choked(const struct silo_session *session)
{
    return session->answers.len > SILO_ANSWERS_HIGH || (session->delivery.state != SILO_DELIVERY_SENDING &&
                                                        stream_pending_output(session->stream) > 4 * SILO_OUTPUT_HIGH);
}

static void set_paused(struct silo_session *session, bool paused)
{
    if (session->paused != paused) {
        session->paused = paused;
        stream_pause_input(session->stream, paused);
    }
}

void silo_session_settle(struct silo_session *session)
{
    bool mid_frame = session->delivery.state == SILO_DELIVERY_SENDING;
    if (!mid_frame && session->answers.len > 0) {
        stream_write(session->stream, session->answers.data, session->answers.len);
        strbuf_free(&session->answers);
    }
    if (session->state == SILO_SESSION_CLOSING) {
        if (!mid_frame) /* else the peer can't be told anything any more */
            stream_close_after_output(&session->stream);
        silo_session_end(session);
        return;
    }
    if (session->state == SILO_SESSION_ONLINE && session->delivery.state == SILO_DELIVERY_IDLE)
        silo_delivery_start(session);
    if (session->state != SILO_SESSION_ENDED)
        set_paused(session, silo_session_is_choked(session));
}

/* --- answers to requests --- */

enum silo_verdict silo_refuse(struct silo_answer *answer, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    strbuf_clear(&answer->refusal);
    strbuf_add_vfmt(&answer->refusal, fmt, args);
    va_end(args);
    if (answer->refusal.len == 0)
        strbuf_add_str(&answer->refusal, "refused");
    return SILO_ACK;
}

enum silo_verdict silo_quit(struct silo_answer *answer, const char *text)
{
    answer->quit = text;
    return SILO_QUIT;
}

enum silo_verdict silo_verdict_of(int rc)
{
    return rc < 0 ? SILO_BROKEN : SILO_ACK;
}

static void acknowledge(struct silo_session *session, const struct silo_answer *answer)
{
    const struct tmtp_request *request = &session->request;
    bool refused = answer->refusal.len > 0;
    bool has_message = answer->msgid[0] != '\0' && !refused;
    const struct tmtp_push ack = {
        .op = TMTP_PUSH_ACK,
        .id = request->id,
        .id_len = request->id_len,
        .error = refused ? answer->refusal.data : NULL,
        .msgid = has_message ? silo_borrow(answer->msgid) : NULL,
        .posted = has_message ? silo_borrow(answer->posted) : NULL,
    };
    if (refused)
        log_info("silo.refused", "uid=%s op=%d error=%s", session->uid, (int)request->op, answer->refusal.data);
    silo_session_say(session, &ack);
}

static enum silo_verdict command_pulse(struct silo_session *session, const struct tmtp_request *request,
                                       struct silo_answer *answer)
{
    (void)session, (void)request, (void)answer; /* its arrival is all there is to it */
    return SILO_SILENT;
}

static enum silo_verdict command_quit(struct silo_session *session, const struct tmtp_request *request,
                                      struct silo_answer *answer)
{
    (void)session, (void)request;
    return silo_quit(answer, "logout ok");
}

static silo_command *const commands[] = {
    [TMTP_OP_TMTPREV] = silo_command_tmtprev,
    [TMTP_OP_REGISTER] = silo_command_register,
    [TMTP_OP_LOGIN] = silo_command_login,
    [TMTP_OP_USER_EDIT] = silo_command_user_edit,
    [TMTP_OP_OHI_EDIT] = silo_command_ohi_edit,
    [TMTP_OP_GROUP_INVITE] = silo_command_group_invite,
    [TMTP_OP_GROUP_EDIT] = silo_command_group_edit,
    [TMTP_OP_POST] = silo_command_post,
    [TMTP_OP_POST_NOTIFY] = silo_command_post_notify,
    [TMTP_OP_PING] = silo_command_ping,
    [TMTP_OP_ACK] = silo_command_ack,
    [TMTP_OP_PULSE] = command_pulse,
    [TMTP_OP_QUIT] = command_quit,
};

static void carry_out(struct silo_session *session)
{
    struct silo_answer answer = { 0 };
    strbuf_init(&answer.refusal, 1024);
    switch (commands[session->request.op](session, &session->request, &answer)) {
    case SILO_SILENT:
        break;
    case SILO_ACK:
        acknowledge(session, &answer);
        break;
    case SILO_QUIT:
        quit(session, answer.quit);
        break;
    case SILO_BROKEN:
        silo_touch(session); /* settling finds the turn lost */
        break;
    }
    strbuf_free(&answer.refusal);
    forget_request(session);
}

/* --- frames in --- */

static bool is_open(const struct silo_session *session)
{
    return session->state < SILO_SESSION_CLOSING;
}

/* Makes room for the data that the header announces. */
static bool begin_data(struct silo_session *session)
{
    const char *directory = silo_store_content_directory(session->silo->store);
    const struct tmtp_request *request = &session->request;
    session->note = silo_content_new(directory, request->notelen);
    session->data = silo_content_new(directory, request->datalen - request->notelen);
    return session->note != NULL && session->data != NULL;
}

static void take_header(struct silo_session *session)
{
    size_t len;
    const char *error = NULL;
    const char *json = tmtp_frame_header(session->decoder, &len);
    if (tmtp_request_decode(json, len, &session->request, &error) != 1) {
        log_debug("silo.bad_header", "uid=%s error=%s", session->uid, error);
        quit(session, silo_invalid_header);
        return;
    }
    error = silo_request_check(session, &session->request);
    if (error != NULL) {
        quit(session, error);
        return;
    }
    if (!begin_data(session)) {
        log_error("silo.content_failed", "uid=%s", session->uid);
        silo_session_end(session);
        return;
    }
    tmtp_frame_expect(session->decoder, session->request.datalen);
}

static void take_data(struct silo_session *session)
{
    size_t len;
    const uint8_t *data = tmtp_frame_data(session->decoder, &len);
    uint64_t note_left = session->request.notelen - silo_content_size(session->note);
    size_t to_note = note_left < len ? (size_t)note_left : len;
    if (silo_content_add(session->note, data, to_note) != 1 ||
        silo_content_add(session->data, data + to_note, len - to_note) != 1) {
        log_error("silo.content_failed", "uid=%s", session->uid); /* the disk is full, most likely */
        silo_session_end(session);
    }
}

/* Feeds what is buffered to the decoder until it is used up, or the session ends or must wait. */
static void take_frames(struct silo_session *session, const uint8_t **data, size_t *len)
{
    while (is_open(session)) {
        switch (tmtp_frame_feed(session->decoder, data, len)) {
        case TMTP_FRAME_MORE:
            return;
        case TMTP_FRAME_HEADER:
            take_header(session);
            break;
        case TMTP_FRAME_DATA:
            take_data(session);
            break;
        case TMTP_FRAME_END:
            carry_out(session);
            if (is_open(session) && silo_session_is_choked(session)) {
                set_paused(session, true);
                return;
            }
            break;
        case TMTP_FRAME_BAD:
            quit(session, tmtp_frame_error(session->decoder));
            break;
        }
    }
}

static void on_input(struct stream *stream, void *ctx)
{
    struct silo_session *session = ctx;
    if (session->state == SILO_SESSION_ONLINE)
        timer_start(session->timer, SILO_PULSE_MS);
    const uint8_t *data;
    size_t len;
    while (is_open(session) && !session->paused && (len = stream_peek(stream, &data)) > 0) {
        size_t left = len;
        take_frames(session, &data, &left);
        if (session->state == SILO_SESSION_ENDED)
            return;
        stream_consume(stream, len - left);
    }
    if (session->state == SILO_SESSION_CLOSING)
        stream_consume(stream, stream_input_size(stream));
}

static void on_drained(struct stream *stream, void *ctx)
{
    (void)stream;
    struct silo_session *session = ctx;
    if (session->delivery.state == SILO_DELIVERY_SENDING)
        silo_delivery_pump(session);
    else if (session->paused)
        silo_touch(session); /* settling looks whether input may go on */
}

static void on_end(struct stream *stream, enum stream_end why, const char *detail, void *ctx)
{
    (void)stream;
    struct silo_session *session = ctx;
    log_debug("silo.disconnected", "uid=%s why=%d detail=%s", session->uid, (int)why, detail);
    silo_session_end(session);
}

struct stream_settings silo_session_stream_settings(struct silo_session *session)
{
    static const struct stream_callbacks callbacks = { .on_input = on_input,
                                                       .on_drained = on_drained,
                                                       .on_end = on_end };
    return (struct stream_settings){ .callbacks = &callbacks, .ctx = session };
}
