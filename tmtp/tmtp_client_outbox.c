/* tmtp_client_outbox.c - requests: composing, sending in order, answers
 *
 * Requests are sent as fast as the silo takes them and answered in any order. A frame must not be interrupted, so
 * while the content of a long post is being streamed everything else waits: acknowledgements and the pulse first,
 * then the next requests.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/digest.h"
#include "base/log.h"
#include "base/stream.h"
#include "base/xmalloc.h"
#include "tmtp/tmtp_alias.h"
#include "tmtp/tmtp_client_internal.h"

enum {
    OUTPUT_ENOUGH = 128 * 1024, /* no more is handed to the stream while it holds so much */
    PIECE_SIZE = 32 * 1024,     /* of content read at a time */
    CONTROL_MAX = 1024 * 1024,
    CONTROL_CLOGGED = 256 * 1024,                       /* thousands of acks: an honest silo waits for each */
    FRAME_MAX = 2 * TMTP_MESSAGE_HEAD_MAX + 128 * 1024, /* a forwarded thread has a note before its header */
    PING_UNITS_MAX = 140,
    PING_BYTES_MAX = 4 * PING_UNITS_MAX,
};

/* --- lists of requests --- */

static void requests_init(struct client_requests *list)
{
    *list = (struct client_requests){ .end = &list->first };
}

static void requests_add(struct client_requests *list, struct client_request *request)
{
    *list->end = request;
    list->end = &request->next;
    list->count++;
}

static void requests_remove(struct client_requests *list, struct client_request *request)
{
    struct client_request **link = &list->first;
    while (*link != request)
        link = &(*link)->next;
    *link = request->next;
    if (list->end == &request->next)
        list->end = link;
    request->next = NULL;
    list->count--;
}

static struct client_request *request_new(void)
{
    struct client_request *request = xcalloc(1, sizeof *request);
    strbuf_init(&request->frame, FRAME_MAX);
    request->content_fd = -1;
    return request;
}

static void request_free(struct client_request *request)
{
    if (request->content_fd >= 0)
        close(request->content_fd);
    strbuf_free(&request->frame);
    free(request);
}

static void requests_free(struct client_requests *list)
{
    while (list->first) {
        struct client_request *request = list->first;
        requests_remove(list, request);
        request_free(request);
    }
}

void client_outbox_init(struct tmtp_client *client)
{
    requests_init(&client->outbox.unanswered);
    requests_init(&client->outbox.refused);
    strbuf_init(&client->outbox.control, CONTROL_MAX);
}

/* A request that was answered early is only known as the one being sent. */
static void drop_sending(struct client_outbox *outbox)
{
    if (outbox->sending && outbox->sending->answered)
        request_free(outbox->sending);
    outbox->sending = NULL;
}

void client_outbox_free(struct tmtp_client *client)
{
    drop_sending(&client->outbox);
    requests_free(&client->outbox.unanswered);
    requests_free(&client->outbox.refused);
    strbuf_free(&client->outbox.control);
}

/* --- sending --- */

static void write_out(struct tmtp_client *client, const void *data, size_t len)
{
    stream_write(client->stream, data, len);
    client->output_ms = client_now_ms(client);
}

static void write_control(struct tmtp_client *client)
{
    write_out(client, client->outbox.control.data, client->outbox.control.len);
    strbuf_clear(&client->outbox.control);
}

static void report(struct tmtp_client *client, const struct tmtp_client_result *result)
{
    if (client->callbacks->on_result)
        client->callbacks->on_result(client, result, client->ctx);
}

/* The frame can't be completed, so the silo won't have the message, and the connection is of no use any more. */
static void fail_sending(struct tmtp_client *client, const char *why)
{
    struct client_request *request = client->outbox.sending;

    log_error("tmtp.content", "silo=%s request=%" PRIu64 " error=%s", client->address, request->number, why);
    if (!request->answered) {
        requests_remove(&client->outbox.unanswered, request);
        request->refusal = "the content could not be read from disk";
        requests_add(&client->outbox.refused, request);
    }
    drop_sending(&client->outbox);
    client_break_link(client, CLIENT_AFTER_RETRY, "the content of a post could not be read: %.200s", why);
}

static void send_piece(struct tmtp_client *client)
{
    struct client_request *request = client->outbox.sending;
    uint8_t piece[PIECE_SIZE];
    int64_t left = request->content_size - request->content_sent;
    size_t wanted = left < (int64_t)sizeof piece ? (size_t)left : sizeof piece;

    ssize_t got = pread(request->content_fd, piece, wanted, request->content_sent);
    if (got < 0 && errno == EINTR)
        return;
    if (got <= 0) {
        fail_sending(client, got < 0 ? strerror(errno) : "it has become shorter");
        return;
    }
    write_out(client, piece, (size_t)got);
    explicit_bzero(piece, (size_t)got); /* nobody should find it on the stack */
    request->content_sent += got;
    if (request->content_sent == request->content_size) {
        close(request->content_fd);
        request->content_fd = -1;
        request->sent_ms = client_now_ms(client);
        drop_sending(&client->outbox);
    }
}

static void begin_request(struct tmtp_client *client)
{
    struct client_request *request = client->outbox.unsent;

    client->outbox.unsent = request->next;
    write_out(client, request->frame.data, request->frame.len);
    strbuf_free(&request->frame);
    if (request->content_size > 0)
        client->outbox.sending = request;
    else
        request->sent_ms = client_now_ms(client);
}

void client_outbox_pump(struct tmtp_client *client)
{
    struct client_outbox *outbox = &client->outbox;

    while (client->stream && stream_pending_output(client->stream) < OUTPUT_ENOUGH) {
        if (outbox->sending)
            send_piece(client);
        else if (outbox->control.len > 0)
            write_control(client);
        else if (outbox->unsent)
            begin_request(client);
        else
            break;
    }
    if (client->stream && client->inbox.paused && !client_outbox_is_clogged(client)) {
        client->inbox.paused = false;
        client_note_progress(client); /* in the middle of a frame it is the silo's turn again */
        stream_pause_input(client->stream, false);
    }
}

bool client_outbox_is_clogged(const struct tmtp_client *client)
{
    return client->outbox.control.len >= CONTROL_CLOGGED;
}

void client_outbox_control(struct tmtp_client *client, const struct tmtp_request *request)
{
    if (!client->stream)
        return;
    if (tmtp_request_compose(&client->outbox.control, request) < 0) {
        /* What we introduce ourselves with is configuration; it won't get better by itself. */
        bool introducing = client->state == TMTP_CLIENT_GREETING;
        client_break_link(client, introducing ? CLIENT_AFTER_STOP_SETUP : CLIENT_AFTER_RETRY,
                          "%s can't be put into a TMTP header",
                          introducing ? "our alias, token or account" : "an answer to the silo");
        return;
    }
    client_outbox_pump(client);
}

void client_outbox_quit(struct tmtp_client *client)
{
    if (client->outbox.sending)
        return; /* in the middle of a frame: closing says it all */
    client->outbox.unsent = NULL;
    client_outbox_control(client, &(struct tmtp_request){ .op = TMTP_OP_QUIT });
    if (client->stream && !client->outbox.sending && client->outbox.control.len > 0)
        write_control(client);
}

/* --- answers --- */

static void take_unanswered(struct client_outbox *outbox, struct client_request *request)
{
    requests_remove(&outbox->unanswered, request);
    if (request == outbox->sending)
        request->answered = true; /* the rest of its data has to go out all the same */
}

static struct client_request *find_unanswered(const struct client_outbox *outbox, const char *id)
{
    char *end;
    errno = 0;
    uint64_t number = strtoull(id, &end, 10);
    if (errno != 0 || end == id || *end != '\0')
        return NULL;
    for (struct client_request *request = outbox->unanswered.first; request != outbox->unsent; request = request->next)
        if (request->number == number)
            return request;
    return NULL;
}

static bool is_message_id(const char *id)
{
    return id && id[0] != '\0' && strlen(id) <= CLIENT_ID_MAX;
}

void client_outbox_answer(struct tmtp_client *client, const struct tmtp_push *ack)
{
    struct client_outbox *outbox = &client->outbox;
    struct client_request *request = ack->id ? find_unanswered(outbox, ack->id) : NULL;

    if (!request) {
        if (client_may_complain(client))
            log_warning("tmtp.stray_ack", "silo=%s msgid=%s", client->address, ack->id);
        return;
    }
    if (request->post && !ack->error && !is_message_id(ack->msgid)) {
        /* Its echo has to tell it, after the next login. */
        client_break_link(client, CLIENT_AFTER_RETRY, "the silo took a post without giving it a usable id");
        return;
    }
    take_unanswered(outbox, request);
    client_note_progress(client);
    struct tmtp_client_result result = {
        .request = request->number,
        .error = ack->error,
        .msgid = ack->error ? NULL : ack->msgid,
        .posted = ack->error ? NULL : ack->posted,
    };
    bool barrier = request->barrier;
    if (request != outbox->sending)
        request_free(request);
    if (!barrier)
        report(client, &result);
    else if (ack->error)
        client_break_link(client, CLIENT_AFTER_RETRY, "the silo refused our post to ourselves: %.200s", ack->error);
}

int64_t client_outbox_waits_since_ms(const struct tmtp_client *client)
{
    const struct client_request *oldest = client->outbox.unanswered.first; /* they are sent in order */
    return oldest ? oldest->sent_ms : 0;
}

void client_outbox_end_link(struct tmtp_client *client)
{
    struct client_outbox *outbox = &client->outbox;

    drop_sending(outbox);
    outbox->unsent = NULL;
    strbuf_clear(&outbox->control);
    while (outbox->unanswered.first && !client->dead) {
        struct client_request *request = outbox->unanswered.first;
        requests_remove(&outbox->unanswered, request);
        struct tmtp_client_result result = { .request = request->number, .lost = true };
        bool barrier = request->barrier;
        request_free(request);
        if (!barrier)
            report(client, &result);
    }
}

void client_outbox_report_refused(struct tmtp_client *client)
{
    struct client_requests *refused = &client->outbox.refused;

    while (refused->first && !client->dead) {
        struct client_request *request = refused->first;
        requests_remove(refused, request);
        struct tmtp_client_result result = { .request = request->number, .error = request->refusal };
        request_free(request);
        report(client, &result);
    }
}

/* --- making requests --- */

static bool requests_allowed(const struct tmtp_client *client, bool echo)
{
    const struct client_outbox *outbox = &client->outbox;

    if (!client->stream || outbox->unanswered.count + outbox->refused.count >= CLIENT_REQUESTS_MAX)
        return false;
    return client->state == TMTP_CLIENT_ONLINE || (client->state == TMTP_CLIENT_SYNCING && !echo);
}

/* Takes both over. data: what precedes the content, NULL when there is none. */
static uint64_t submit(struct tmtp_client *client, struct client_request *request, struct tmtp_request *head,
                       const struct strbuf *data)
{
    struct client_outbox *outbox = &client->outbox;
    struct strbuf id;

    strbuf_init(&id, 24);
    request->number = ++outbox->last_number;
    strbuf_add_fmt(&id, "%" PRIu64, request->number);
    head->id_len = id.len;
    head->id = strbuf_detach(&id);
    head->datalen = (data ? data->len : 0) + (uint64_t)request->content_size;
    if (!request->refusal && tmtp_request_compose(&request->frame, head) < 0)
        request->refusal = "the request does not fit a TMTP header, or is not UTF-8";
    if (data)
        strbuf_add(&request->frame, data->data, data->len);
    tmtp_request_free(head);

    uint64_t number = request->number;
    if (request->refusal) {
        requests_add(&outbox->refused, request);
        client_wake(client);
        return number;
    }
    if (outbox->unanswered.count == 0)
        client_note_progress(client); /* the silo had nothing to answer until now */
    requests_add(&outbox->unanswered, request);
    if (!outbox->unsent)
        outbox->unsent = request;
    client_outbox_pump(client);
    return number;
}

static char *copy_or_null(const char *text)
{
    return text ? xstrdup(text) : NULL;
}

static bool is_empty(const char *text)
{
    return !text || text[0] == '\0';
}

static const char unusable[] = "a silo can't take such a name";

static bool is_unusable(const char *name)
{
    return name && !tmtp_alias_is_safe(name);
}

/* What the silo would answer by closing the connection is refused here. */
static void refuse_if(struct client_request *request, bool condition, const char *why)
{
    if (condition && !request->refusal)
        request->refusal = why;
}

uint64_t tmtp_client_add_alias(struct tmtp_client *client, const char *alias)
{
    if (!requests_allowed(client, false))
        return 0;
    struct client_request *request = request_new();
    struct tmtp_request head = { .op = TMTP_OP_USER_EDIT, .newalias = copy_or_null(alias) };
    refuse_if(request, is_empty(alias), "the alias is empty");
    refuse_if(request, is_unusable(alias), unusable);
    return submit(client, request, &head, NULL);
}

/* A ping, or the ping that goes with an invitation. */
static uint64_t submit_ping(struct tmtp_client *client, struct tmtp_request *head, const char *text)
{
    struct client_request *request = request_new();
    struct strbuf data;

    strbuf_init(&data, PING_BYTES_MAX);
    client_text_add(&data, text ? text : "", text ? strlen(text) : 0, PING_UNITS_MAX);
    refuse_if(request, is_empty(head->from) || is_empty(head->to), "an alias is empty");
    refuse_if(request, is_unusable(head->from) || is_unusable(head->to) || is_unusable(head->gid), unusable);
    refuse_if(request, head->op == TMTP_OP_GROUP_INVITE && is_empty(head->gid), "the group's name is empty");
    uint64_t number = submit(client, request, head, &data);
    strbuf_free(&data);
    return number;
}

uint64_t tmtp_client_ping(struct tmtp_client *client, const char *from_alias, const char *to_alias, const char *text)
{
    if (!requests_allowed(client, false))
        return 0;
    struct tmtp_request head = {
        .op = TMTP_OP_PING,
        .from = copy_or_null(from_alias),
        .to = copy_or_null(to_alias),
    };
    return submit_ping(client, &head, text);
}

uint64_t tmtp_client_group_invite(struct tmtp_client *client, const char *gid, const char *from_alias,
                                  const char *to_alias, const char *text)
{
    if (!requests_allowed(client, false))
        return 0;
    struct tmtp_request head = {
        .op = TMTP_OP_GROUP_INVITE,
        .gid = copy_or_null(gid),
        .from = copy_or_null(from_alias),
        .to = copy_or_null(to_alias),
    };
    return submit_ping(client, &head, text);
}

uint64_t tmtp_client_group_edit(struct tmtp_client *client, const char *act, const char *gid, const char *to,
                                const char *newalias)
{
    if (!requests_allowed(client, false))
        return 0;
    struct client_request *request = request_new();
    struct tmtp_request head = {
        .op = TMTP_OP_GROUP_EDIT,
        .act = copy_or_null(act),
        .gid = copy_or_null(gid),
        .to = copy_or_null(to),
        .newalias = copy_or_null(newalias),
    };
    bool drop = act && strcmp(act, "drop") == 0;
    bool alias = act && strcmp(act, "alias") == 0;
    bool join = act && strcmp(act, "join") == 0;
    refuse_if(request, !drop && !alias && !join, "the act must be join, alias or drop");
    refuse_if(request, is_empty(gid), "the group's name is empty");
    refuse_if(request, (drop && is_empty(to)) || (alias && is_empty(newalias)), "an alias is empty");
    refuse_if(request, is_unusable(gid) || is_unusable(to) || is_unusable(newalias), unusable);
    return submit(client, request, &head, NULL);
}

static void add_recipient(struct tmtp_for *list, size_t *count, const char *id, int type)
{
    for (size_t i = 0; i < *count; i++)
        if (list[i].type == type && strcmp(list[i].id, id) == 0)
            return;
    list[(*count)++] = (struct tmtp_for){ .id = xstrdup(id), .type = type };
}

/* There is room for one more. */
static struct tmtp_for *add_recipients(const struct tmtp_client_recipient *recipients, size_t recipient_count,
                                       size_t *count_out)
{
    struct tmtp_for *list = xcalloc(recipient_count + 1, sizeof *list);
    for (size_t i = 0; i < recipient_count; i++)
        add_recipient(list, count_out, recipients[i].id, recipients[i].group ? TMTP_FOR_GROUP_OTHERS : TMTP_FOR_USER);
    return list;
}

/* recipients, and ourselves for the echo. */
static void set_recipients(struct tmtp_client *client, struct tmtp_request *head, const struct tmtp_client_post *post)
{
    head->has_for = true;
    head->for_list = add_recipients(post->recipients, post->recipient_count, &head->for_count);
    if (post->echo)
        add_recipient(head->for_list, &head->for_count, client->uid, TMTP_FOR_USER);
    if (post->note) {
        head->op = TMTP_OP_POST_NOTIFY;
        head->fornotself = true;
        head->notefor_list = add_recipients(post->note_recipients, post->note_recipient_count, &head->notefor_count);
    }
}

static void check_recipients(struct client_request *request, const struct tmtp_client_recipient *recipients,
                             size_t count)
{
    for (size_t i = 0; i < count; i++) {
        refuse_if(request, is_empty(recipients[i].id), "a recipient is empty");
        refuse_if(request, is_unusable(recipients[i].id), unusable);
    }
}

static void check_post(struct client_request *request, const struct tmtp_client_post *post)
{
    refuse_if(request, post->echo && is_empty(post->message->queue_key), "a post to be echoed needs a key");
    check_recipients(request, post->recipients, post->recipient_count);
    check_recipients(request, post->note_recipients, post->note_recipient_count);
    refuse_if(request, post->note && (post->echo || post->recipient_count == 0), "nobody to forward to");
    refuse_if(request, post->content_size < 0, "the content's size is negative");

    struct stat st;
    if (post->content_size <= 0)
        return;
    bool known = fstat(post->content_fd, &st) == 0;
    refuse_if(request, !known || (S_ISREG(st.st_mode) && st.st_size < post->content_size),
              "the content is shorter than it is said to be");
}

/* 1 done, -1 no descriptor is left. */
static int take_content(struct client_request *request, const struct tmtp_client_post *post)
{
    if (post->content_size <= 0)
        return 1;
    request->content_fd = fcntl(post->content_fd, F_DUPFD_CLOEXEC, 0);
    request->content_size = post->content_size;
    return request->content_fd >= 0 ? 1 : -1;
}

static uint64_t submit_post(struct tmtp_client *client, const struct tmtp_client_post *post, bool barrier)
{
    struct client_request *request = request_new();
    request->barrier = barrier;
    request->post = !barrier;
    check_post(request, post);
    if (!request->refusal && take_content(request, post) < 0) {
        log_error("tmtp.content", "silo=%s error=%s", client->address, strerror(errno));
        request_free(request);
        return 0;
    }

    struct strbuf headers; /* the note, if any, and the second header */
    strbuf_init(&headers, 2 * TMTP_MESSAGE_HEAD_MAX);
    if (post->note && tmtp_message_encode(post->note, &headers) < 0)
        refuse_if(request, true, "the note's header is too long or not UTF-8");
    struct tmtp_request head = { .op = TMTP_OP_POST, .notelen = headers.len, .notehead = headers.len };
    if (tmtp_message_encode(post->message, &headers) < 0)
        refuse_if(request, true, "the message's header is too long or not UTF-8");
    head.datahead = headers.len - head.notelen;
    if (!request->refusal)
        set_recipients(client, &head, post);
    uint64_t number = submit(client, request, &head, &headers);
    strbuf_free(&headers);
    return number;
}

uint64_t tmtp_client_post(struct tmtp_client *client, const struct tmtp_client_post *post)
{
    if (!requests_allowed(client, post->echo))
        return 0;
    client->statistics.posts++;
    return submit_post(client, post, false);
}

void client_outbox_post_barrier(struct tmtp_client *client)
{
    uint8_t random[16];
    struct strbuf key;
    random_bytes(random, sizeof random);
    strbuf_init(&key, sizeof client->barrier_key);
    for (size_t i = 0; i < sizeof random; i++)
        strbuf_add_fmt(&key, "%02x", random[i]);

    struct tmtp_message message;
    tmtp_message_init(&message);
    message.nodesync = true;
    tmtp_message_set(&message.queue_key, key.data);
    memcpy(client->barrier_key, key.data, sizeof client->barrier_key);
    submit_post(client, &(struct tmtp_client_post){ .message = &message, .content_fd = -1, .echo = true }, true);
    tmtp_message_free(&message);
    strbuf_free(&key);
}
