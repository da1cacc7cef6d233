/* tmtp_client_inbox.c - what the silo pushes: frames in, callbacks out, acknowledgements
 *
 * When a frame's header is complete it is decided what will become of the frame (its fate) and where its data goes (the
 * sink); a delivery is looked at again when its second header is complete. The rest happens at the frame's end.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/loop.h"
#include "base/spool.h"
#include "base/stream.h"
#include "base/xmalloc.h"
#include "tmtp/tmtp_client_internal.h"
#include "tmtp/tmtp_frame.h"

enum {
    NOTICE_DATA_MAX = 1024 * 1024,
    PING_DATA_MAX = 4096,  /* the reference server allows 420 */
    UNKNOWN_ID_MAX = 8192, /* fits a header even if all of it has to be escaped */
};

/* --- items --- */

static struct client_item *item_new(void)
{
    struct client_item *item = xcalloc(1, sizeof *item);
    tmtp_message_init(&item->message);
    strbuf_init(&item->text, TMTP_MESSAGE_HEAD_MAX);
    item->delivery.push = &item->push;
    return item;
}

static void item_free(void *arg)
{
    struct client_item *item = arg;
    if (!item)
        return;
    spool_free(&item->delivery.content);
    tmtp_push_free(&item->push);
    tmtp_message_free(&item->message);
    strbuf_free(&item->text);
    free(item);
}

struct spool *tmtp_client_take_content(struct tmtp_client_delivery *delivery)
{
    struct spool *content = delivery->content;
    delivery->content = NULL;
    return content;
}

void client_inbox_end_link(struct tmtp_client *client)
{
    item_free(client->inbox.receiving);
    client->inbox.receiving = NULL;
    client->inbox.paused = false;
}

void client_inbox_free(struct tmtp_client *client)
{
    item_free(client->inbox.receiving);
    item_free(client->inbox.unanswered);
}

/* --- acknowledgements --- */

static void send_ack(struct tmtp_client *client, const char *id, size_t id_len)
{
    struct tmtp_request request = {
        .op = TMTP_OP_ACK,
        .id = xmemdup(id, id_len + 1),
        .id_len = id_len,
        .type = xstrdup("ok"), /* required, and of no meaning */
    };
    client_outbox_control(client, &request);
    tmtp_request_free(&request);
}

static void remember_acked(struct client_inbox *inbox, const char *id)
{
    char *slot = inbox->acked[inbox->acked_next];
    memcpy(slot, id, strlen(id) + 1); /* at most CLIENT_ID_MAX: checked on arrival */
    inbox->acked_next = (inbox->acked_next + 1) % CLIENT_ACKED_KEPT;
}

static bool was_acked(const struct client_inbox *inbox, const char *id)
{
    for (size_t i = 0; i < CLIENT_ACKED_KEPT; i++)
        if (strcmp(inbox->acked[i], id) == 0)
            return true;
    return false;
}

static bool is_unanswered(const struct client_inbox *inbox, const char *id)
{
    return inbox->unanswered && strcmp(inbox->unanswered->push.id, id) == 0;
}

void tmtp_client_ack(struct tmtp_client *client, const char *msgid)
{
    struct client_inbox *inbox = &client->inbox;

    if (!is_unanswered(inbox, msgid))
        return;
    struct client_item *item = inbox->unanswered;
    inbox->unanswered = NULL;
    remember_acked(inbox, item->push.id);
    if (client->stream && inbox->unanswered_link == client->link)
        send_ack(client, item->push.id, item->push.id_len);
    loop_defer(client->loop, item_free, item); /* the caller may still be looking at it */
    client_note_progress(client);              /* now it's the silo's turn */
}

void tmtp_client_decline(struct tmtp_client *client, const char *msgid)
{
    struct client_inbox *inbox = &client->inbox;

    if (!is_unanswered(inbox, msgid))
        return;
    log_warning("tmtp.declined", "silo=%s msgid=%s", client->address, msgid);
    loop_defer(client->loop, item_free, inbox->unanswered);
    inbox->unanswered = NULL;
    client_note_progress(client);
}

static void ack_push(struct tmtp_client *client, const struct tmtp_push *push)
{
    if (push->id_len <= CLIENT_ID_MAX && !was_acked(&client->inbox, push->id))
        remember_acked(&client->inbox, push->id);
    send_ack(client, push->id, push->id_len);
}

/* --- what goes to the owner --- */

/* From here on the item is the owner's to acknowledge. */
static struct client_item *hand_over(struct tmtp_client *client)
{
    struct client_inbox *inbox = &client->inbox;
    inbox->unanswered = inbox->receiving;
    inbox->unanswered_link = client->link;
    inbox->receiving = NULL;
    return inbox->unanswered;
}

static bool is_from_us(const struct tmtp_client *client, const struct tmtp_push *push)
{
    return push->from && client->uid && strcmp(push->from, client->uid) == 0;
}

static bool is_echo(const struct tmtp_client *client, const struct client_item *item)
{
    return is_from_us(client, &item->push) && item->message.queue_key && !item->message.nodesync;
}

static bool is_barrier(const struct tmtp_client *client, const struct client_item *item)
{
    return is_from_us(client, &item->push) && item->message.nodesync && item->message.queue_key &&
           strcmp(item->message.queue_key, client->barrier_key) == 0;
}

static void handle_delivery(struct tmtp_client *client)
{
    const struct tmtp_client_callbacks *callbacks = client->callbacks;
    struct client_item *item = client->inbox.receiving;

    if (is_echo(client, item) && callbacks->on_echo) {
        item = hand_over(client);
        client->statistics.echoes++;
        callbacks->on_echo(client, item->message.queue_key, item->push.id, item->push.posted, item->message.threadid,
                           client->ctx);
    } else if (is_barrier(client, item)) {
        ack_push(client, &item->push);
        client_login_barrier_returned(client);
    } else if (client->inbox.sink == CLIENT_SINK_SPOOL || item->delivery.oversize) {
        item = hand_over(client);
        client->statistics.deliveries++;
        callbacks->on_message(client, &item->delivery, client->ctx);
    } else {
        ack_push(client, &item->push);
    }
}

static void handle_ping(struct tmtp_client *client)
{
    struct client_item *item = hand_over(client);
    struct strbuf text;

    client->statistics.pings++;
    strbuf_init(&text, PING_DATA_MAX);
    client_text_add(&text, item->text.data, item->text.len, PING_DATA_MAX);
    client->callbacks->on_ping(client, &item->push, text.data, client->ctx);
    strbuf_free(&text);
}

static void handle_notice(struct tmtp_client *client)
{
    struct client_item *item = hand_over(client);
    client->statistics.notices++;
    client->callbacks->on_notice(client, &item->push, item->text.data, item->text.len, client->ctx);
}

/* --- what the client deals with itself --- */

static void handle_tmtprev(struct tmtp_client *client)
{
    client_login_tmtprev(client, &client->inbox.receiving->push);
}

static void handle_registered(struct tmtp_client *client)
{
    client_login_registered(client, &client->inbox.receiving->push);
}

static void handle_info(struct tmtp_client *client)
{
    client_login_info(client, &client->inbox.receiving->push);
}

static void handle_ack(struct tmtp_client *client)
{
    client_outbox_answer(client, &client->inbox.receiving->push);
}

static void handle_quit(struct tmtp_client *client)
{
    client_login_quit(client, &client->inbox.receiving->push);
}

static void handle_nothing(struct tmtp_client *client)
{
    (void)client;
}

static bool owner_takes_messages(const struct tmtp_client *client)
{
    (void)client; /* echoes and our barrier are deliveries too */
    return true;
}

static bool owner_takes_pings(const struct tmtp_client *client)
{
    return client->callbacks->on_ping;
}

static bool owner_takes_notices(const struct tmtp_client *client)
{
    return client->callbacks->on_notice;
}

/* Operations that the owner may have to acknowledge have `is_taken`; those without are either ours to acknowledge
 * at once (no handler) or need no acknowledgement. */
static const struct {
    void (*handle)(struct tmtp_client *client);
    bool (*is_taken)(const struct tmtp_client *client);
    size_t text_max; /* of the data kept as text */
} operations[] = {
    [TMTP_PUSH_TMTPREV] = { handle_tmtprev, NULL, 0 },
    [TMTP_PUSH_REGISTERED] = { handle_registered, NULL, 0 },
    [TMTP_PUSH_INFO] = { handle_info, NULL, 0 },
    [TMTP_PUSH_ACK] = { handle_ack, NULL, 0 },
    [TMTP_PUSH_QUIT] = { handle_quit, NULL, 0 },
    [TMTP_PUSH_OHI] = { handle_nothing, NULL, 0 },
    [TMTP_PUSH_DELIVERY] = { handle_delivery, owner_takes_messages, 0 },
    [TMTP_PUSH_NOTIFY] = { handle_notice, owner_takes_notices, NOTICE_DATA_MAX },
    [TMTP_PUSH_PING] = { handle_ping, owner_takes_pings, PING_DATA_MAX },
    [TMTP_PUSH_INVITE] = { handle_notice, owner_takes_notices, NOTICE_DATA_MAX },
    [TMTP_PUSH_MEMBER] = { handle_notice, owner_takes_notices, NOTICE_DATA_MAX },
    [TMTP_PUSH_USER] = { NULL, NULL, 0 },
    [TMTP_PUSH_LOGIN] = { NULL, NULL, 0 },
    [TMTP_PUSH_OHIEDIT] = { NULL, NULL, 0 },
    [TMTP_PUSH_UNKNOWN] = { NULL, NULL, 0 },
};

/* --- receiving --- */

static enum client_fate unknown_fate(struct tmtp_client *client, const struct tmtp_push *push)
{
    client->statistics.unknown++;
    if (client_may_complain(client))
        log_warning("tmtp.unknown", "silo=%s op=%s msgid=%s", client->address, push->op_name, push->id);
    /* An ack before the login would end the connection. */
    bool can_ack = client->state >= TMTP_CLIENT_SYNCING && push->id && push->id_len <= UNKNOWN_ID_MAX;
    return can_ack ? CLIENT_FATE_ACK : CLIENT_FATE_IGNORE;
}

/* Decides about a push that has to be acknowledged. Breaks the link if that is impossible. */
static enum client_fate choose_fate(struct tmtp_client *client, const struct tmtp_push *push)
{
    struct client_inbox *inbox = &client->inbox;

    if (push->op == TMTP_PUSH_UNKNOWN)
        return unknown_fate(client, push);
    if (client->state < TMTP_CLIENT_SYNCING) {
        client_break_link(client, CLIENT_AFTER_RETRY, "the silo sent \"%.100s\" before the login was done",
                          push->op_name);
        return CLIENT_FATE_IGNORE;
    }
    if (!push->id || push->id_len == 0 || push->id_len > CLIENT_ID_MAX || strlen(push->id) != push->id_len) {
        client_break_link(client, CLIENT_AFTER_RETRY, "the silo sent \"%.100s\" without a usable id", push->op_name);
        return CLIENT_FATE_IGNORE;
    }
    if (was_acked(inbox, push->id)) {
        client->statistics.redeliveries++;
        return CLIENT_FATE_ACK;
    }
    if (is_unanswered(inbox, push->id)) {
        client->statistics.redeliveries++;
        inbox->unanswered_link = client->link; /* the answer will go to this one */
        return CLIENT_FATE_IGNORE;
    }
    if (!operations[push->op].is_taken || !operations[push->op].is_taken(client))
        return CLIENT_FATE_ACK;
    if (inbox->unanswered) {
        /* Delivery is stop-and-wait. Whoever doesn't wait has to come again. */
        inbox->skipped_link = client->link;
        if (client_may_complain(client))
            log_warning("tmtp.unexpected", "silo=%s op=%s msgid=%s unanswered=%s", client->address, push->op_name,
                        push->id, inbox->unanswered->push.id);
        return CLIENT_FATE_IGNORE;
    }
    return CLIENT_FATE_HANDLE;
}

/* An unusable second header isn't fatal: the owner gets the content with the reason. */
static void decode_head(struct client_item *item, int64_t content_size)
{
    const char *error = "unreadable";

    if (item->delivery.head_error)
        return;
    struct tmtp_message decoded;
    if (tmtp_message_decode(item->text.data, item->text.len, &decoded, &error) < 0) {
        item->delivery.head_error = error;
        return;
    }
    tmtp_message_free(&item->message);
    item->message = decoded;
    int64_t attached = tmtp_message_attachments_size(&item->message);
    if (attached < 0 || attached > content_size)
        item->delivery.head_error = "the attachments are longer than the data";
    else
        item->delivery.message = &item->message;
}

/* Is there anything in it for the owner to read? (Echoes are told, but have no new content.) */
static bool is_mail(const struct tmtp_client *client, const struct client_item *item)
{
    const struct tmtp_message *message = &item->message;
    const char *why_not = NULL;

    if (is_from_us(client, &item->push))
        why_not = "ours";
    else if (message->nodesync)
        why_not = "nodesync";
    if (why_not)
        log_debug("tmtp.skipped", "silo=%s msgid=%s from=%s why=%s", client->address, item->push.id, item->push.from,
                  why_not);
    return !why_not && client->callbacks->on_message;
}

/* The second header is complete: where does the content go? */
static void head_is_complete(struct tmtp_client *client)
{
    struct client_inbox *inbox = &client->inbox;
    struct client_item *item = inbox->receiving;
    uint64_t content_size = item->push.datalen - item->push.datahead;
    int64_t size = content_size > INT64_MAX ? INT64_MAX : (int64_t)content_size;

    decode_head(item, size);
    inbox->sink = CLIENT_SINK_DROP;
    if (!is_mail(client, item))
        return;
    if (size > client->message_max) {
        item->delivery.oversize = true;
        return;
    }
    item->delivery.content = spool_new(client->spool_dir, SPOOL_MEMORY_DEFAULT);
    inbox->sink = CLIENT_SINK_SPOOL;
}

static void begin_delivery(struct tmtp_client *client)
{
    struct client_inbox *inbox = &client->inbox;
    struct client_item *item = inbox->receiving;
    struct tmtp_push *push = &item->push;

    if (push->datahead > push->datalen) {
        item->delivery.head_error = "the second header is longer than the data";
        push->datahead = 0;
    } else if (push->datahead == 0) {
        item->delivery.head_error = "there is no second header";
    } else if (push->datahead > TMTP_MESSAGE_HEAD_MAX) {
        item->delivery.head_error = "the second header is too long";
    }
    inbox->head_left = push->datahead;
    inbox->sink = CLIENT_SINK_HEAD;
    if (inbox->head_left == 0)
        head_is_complete(client);
}

static void begin_frame(struct tmtp_client *client)
{
    struct client_inbox *inbox = &client->inbox;
    struct client_item *item = item_new();
    size_t len;
    const char *json = tmtp_frame_header(client->decoder, &len);
    const char *error = "unreadable";

    client_note_frame(client);
    inbox->receiving = item;
    inbox->sink = CLIENT_SINK_DROP;
    if (tmtp_push_decode(json, len, &item->push, &error) < 0) {
        client_break_link(client, CLIENT_AFTER_RETRY, "a header from the silo is malformed: %.200s", error);
        return;
    }
    if (!tmtp_header_sum_matches(json, len, &item->push)) {
        client->statistics.bad_sums++;
        client_break_link(client, CLIENT_AFTER_RETRY, "a header from the silo doesn't match its checksum");
        return;
    }
    tmtp_frame_expect(client->decoder, item->push.datalen);
    enum tmtp_push_op op = item->push.op;
    inbox->fate = op >= TMTP_PUSH_DELIVERY ? choose_fate(client, &item->push) : CLIENT_FATE_HANDLE;
    if (!client->stream || inbox->fate != CLIENT_FATE_HANDLE)
        return;
    if (op == TMTP_PUSH_DELIVERY) {
        begin_delivery(client);
    } else if (operations[op].text_max > 0) {
        inbox->text_max = operations[op].text_max;
        inbox->sink = CLIENT_SINK_TEXT;
    }
}

static void add_head(struct tmtp_client *client, const uint8_t **data, size_t *len)
{
    struct client_inbox *inbox = &client->inbox;
    size_t part = *len < inbox->head_left ? *len : (size_t)inbox->head_left;

    if (!inbox->receiving->delivery.head_error)
        strbuf_add(&inbox->receiving->text, *data, part);
    *data += part;
    *len -= part;
    inbox->head_left -= part;
    if (inbox->head_left == 0)
        head_is_complete(client);
}

static void add_content(struct tmtp_client *client, const uint8_t *data, size_t len)
{
    /* Not acknowledged, hence not lost: the silo keeps it until we can store it. */
    if (len > 0 && spool_add(client->inbox.receiving->delivery.content, data, len) < 0)
        client_break_link(client, CLIENT_AFTER_RETRY, "a delivery can't be stored in %.200s: %s", client->spool_dir,
                          strerror(errno));
}

static void add_data(struct tmtp_client *client)
{
    struct client_inbox *inbox = &client->inbox;
    size_t len;
    const uint8_t *data = tmtp_frame_data(client->decoder, &len);

    if (inbox->fate != CLIENT_FATE_IGNORE)
        client_note_content(client, len);
    if (inbox->sink == CLIENT_SINK_TEXT) {
        size_t room = inbox->text_max - inbox->receiving->text.len;
        strbuf_add(&inbox->receiving->text, data, len < room ? len : room);
    }
    if (inbox->sink == CLIENT_SINK_HEAD)
        add_head(client, &data, &len);
    if (inbox->sink == CLIENT_SINK_SPOOL)
        add_content(client, data, len);
}

/* Greetings and news of others may come at any time and say nothing about what we wait for. */
static bool is_progress(const struct client_inbox *inbox)
{
    return inbox->fate != CLIENT_FATE_IGNORE && inbox->receiving->push.op >= TMTP_PUSH_DELIVERY &&
           inbox->receiving->push.op != TMTP_PUSH_UNKNOWN;
}

static void end_frame(struct tmtp_client *client)
{
    struct client_inbox *inbox = &client->inbox;

    if (is_progress(inbox))
        client_note_progress(client);
    if (inbox->fate == CLIENT_FATE_HANDLE)
        operations[inbox->receiving->push.op].handle(client);
    else if (inbox->fate == CLIENT_FATE_ACK)
        ack_push(client, &inbox->receiving->push);
    if (inbox->receiving) {
        item_free(inbox->receiving);
        inbox->receiving = NULL;
    }
}

/* False when nothing more can be had from the decoder now. */
static bool handle_event(struct tmtp_client *client, enum tmtp_frame_event event)
{
    switch (event) {
    case TMTP_FRAME_MORE:
        return false;
    case TMTP_FRAME_HEADER:
        begin_frame(client);
        return true;
    case TMTP_FRAME_DATA:
        add_data(client);
        return true;
    case TMTP_FRAME_END:
        end_frame(client);
        return true;
    case TMTP_FRAME_BAD:
        break;
    }
    client_break_link(client, CLIENT_AFTER_RETRY, "the silo doesn't speak TMTP: %.200s",
                      tmtp_frame_error(client->decoder));
    return false;
}

void client_inbox_read(struct tmtp_client *client)
{
    uint64_t link = client->link;

    while (client->stream && client->state != TMTP_CLIENT_SAVING) {
        if (client_outbox_is_clogged(client)) {
            client->inbox.paused = true;
            stream_pause_input(client->stream, true);
            return;
        }
        const uint8_t *data = NULL;
        size_t size = stream_peek(client->stream, &data);
        size_t left = size;
        bool more = handle_event(client, tmtp_frame_feed(client->decoder, &data, &left));
        if (client->dead || !client->stream || client->link != link)
            return;
        stream_consume(client->stream, size - left);
        if (!more && stream_input_size(client->stream) == 0)
            return;
    }
}
