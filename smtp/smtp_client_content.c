/* The content on its way: read piece by piece, made fit for the wire, sent after DATA or in chunks (RFC 3030). */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/stream.h"
#include "base/xmalloc.h"
#include "smtp/smtp_client_internal.h"

enum {
    PIECE_SIZE = 32 * 1024,
    OUTPUT_ENOUGH = 64 * 1024, /* what may wait in the output; more is read when it has gone */
    CHUNK_SIZE = 128 * 1024,   /* of content, or a little more */
    COMMAND_SIZE = 64,         /* "BDAT 131072 LAST" */
};

/* --- Line ends and dots --- */

static void end_line(struct smtp_client_stuffing *stuffing, struct strbuf *out)
{
    strbuf_add(out, "\r\n", 2);
    stuffing->in_line = false;
    stuffing->after_cr = false;
}

void smtp_client_stuff(struct smtp_client_stuffing *stuffing, const char *data, size_t len, struct strbuf *out)
{
    const char *end = data + len;
    while (data < end) {
        if (*data == '\n' || stuffing->after_cr) {
            if (*data == '\n')
                data++;
            end_line(stuffing, out);
            continue;
        }
        if (*data == '\r') {
            stuffing->after_cr = true;
            data++;
            continue;
        }
        if (*data == '.' && !stuffing->in_line && !stuffing->keeps_dots)
            strbuf_add_char(out, '.');
        /* Up to the line's end, looked for twice rather than octet by octet: memchr() is fast, and bare CRs are
         * rare. */
        const char *lf = memchr(data, '\n', (size_t)(end - data));
        const char *stop = lf == NULL ? end : lf;
        const char *cr = memchr(data, '\r', (size_t)(stop - data));
        if (cr != NULL)
            stop = cr;
        strbuf_add(out, data, (size_t)(stop - data));
        stuffing->in_line = true;
        data = stop;
    }
}

void smtp_client_stuff_end(struct smtp_client_stuffing *stuffing, struct strbuf *out)
{
    if (stuffing->in_line || stuffing->after_cr)
        end_line(stuffing, out);
    if (!stuffing->keeps_dots)
        strbuf_add_str(out, ".\r\n");
}

/* --- Reading --- */

static void content_unreadable(struct smtp_client *client, const char *reason)
{
    /* Without its end the relay throws away what it has. */
    struct smtp_reply reply = smtp_reply_make(451, "4.3.0", "the content cannot be read: %s", reason);
    smtp_client_give_up(client, SMTP_STAGE_CONTENT, &reply);
}

/* Adds the next piece, made fit, to text: first the prefix, then what is in the file. 1 more, 0 at the end (nothing was
 * added), -1 there is none (and the connection was given up). */
static int add_piece(struct smtp_client *client, char *piece, struct strbuf *text)
{
    struct smtp_client_transaction *transaction = client->transaction;
    if (!transaction->is_prefix_sent) {
        transaction->is_prefix_sent = true;
        smtp_client_stuff(&transaction->stuffing, transaction->prefix, strlen(transaction->prefix), text);
        return 1;
    }
    int64_t rest = transaction->content_size - transaction->content_offset;
    if (rest <= 0)
        return 0;
    ssize_t got;
    do {
        got = pread(transaction->content_fd, piece, rest < PIECE_SIZE ? (size_t)rest : PIECE_SIZE,
                    transaction->content_offset);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) {
        content_unreadable(client, got == 0 ? "it is shorter than announced" : strerrordesc_np(errno));
        return -1;
    }
    transaction->content_offset += got;
    smtp_client_stuff(&transaction->stuffing, piece, (size_t)got, text);
    return 1;
}

/* What one piece may become, and what stands around it. */
static size_t text_max(const struct smtp_client *client)
{
    return CHUNK_SIZE + 2 * (PIECE_SIZE + strlen(client->transaction->prefix)) + COMMAND_SIZE;
}

/* --- After DATA --- */

void smtp_client_write_end(struct smtp_client *client, const struct strbuf *text)
{
    stream_write(client->stream, text->data, text->len);
    timer_start(client->timer, client->data_timeout_ms); /* until it has left */
    smtp_client_set_state(client, SMTP_CLIENT_FINAL);
}

static void send_lines(struct smtp_client *client, char *piece, struct strbuf *text)
{
    int result = 1;
    while (result == 1 && stream_pending_output(client->stream) < OUTPUT_ENOUGH) {
        strbuf_clear(text);
        result = add_piece(client, piece, text);
        if (result == -1)
            return;
        if (result == 0)
            smtp_client_stuff_end(&client->transaction->stuffing, text);
        assert(strbuf_ok(text));
        if (result == 0)
            smtp_client_write_end(client, text);
        else
            stream_write(client->stream, text->data, text->len);
    }
}

/* --- In chunks --- */

/* Writes one chunk; its size is that of the content once its line ends are right. */
static int send_chunk(struct smtp_client *client, char *piece, struct strbuf *text)
{
    struct smtp_client_transaction *transaction = client->transaction;
    strbuf_clear(text);
    int result = 1;
    while (result == 1 && text->len < CHUNK_SIZE)
        result = add_piece(client, piece, text);
    if (result == -1)
        return -1;
    if (result == 0)
        smtp_client_stuff_end(&transaction->stuffing, text);
    assert(strbuf_ok(text));
    struct strbuf command;
    strbuf_init(&command, COMMAND_SIZE);
    strbuf_add_fmt(&command, "BDAT %zu%s\r\n", text->len, result == 0 ? " LAST" : "");
    stream_write(client->stream, command.data, command.len);
    strbuf_free(&command);
    transaction->chunks_unanswered++;
    if (result == 0)
        smtp_client_write_end(client, text);
    else
        stream_write(client->stream, text->data, text->len);
    return result;
}

static void send_chunks(struct smtp_client *client, char *piece, struct strbuf *text)
{
    bool pipelining = client->extensions.pipelining;
    int result = 1;
    while (result == 1 && stream_pending_output(client->stream) < OUTPUT_ENOUGH &&
           (pipelining || client->transaction->chunks_unanswered == 0))
        result = send_chunk(client, piece, text);
}

void smtp_client_send_content(struct smtp_client *client)
{
    struct smtp_client_transaction *transaction = client->transaction;
    bool waits = transaction->uses_chunks && !client->extensions.pipelining && transaction->chunks_unanswered > 0;
    timer_start(client->timer, waits ? client->command_timeout_ms : client->data_timeout_ms);
    /* What is unread now is no answer to what has not been sent: it is looked at before. */
    bool begins = transaction->uses_chunks ? transaction->chunks_unanswered == 0 : !transaction->is_prefix_sent;
    if (waits || (begins && stream_input_size(client->stream) > 0))
        return;
    char *piece = xmalloc(PIECE_SIZE);
    struct strbuf text;
    strbuf_init(&text, text_max(client));
    if (transaction->uses_chunks)
        send_chunks(client, piece, &text);
    else
        send_lines(client, piece, &text);
    strbuf_free(&text);
    free(piece);
}
