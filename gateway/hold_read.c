/* hold_read.c - see hold_read.h */
#include "gateway/hold_read.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/background.h"
#include "base/seal.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/hold_internal.h"
#include "gateway/parts.h"
#include "mapping/convert.h"
#include "mapping/convert_utf8.h"
#include "mapping/store_content.h"

/* One mail. While it is unsealed only the background thread touches it. */
struct look {
    struct hold_reader *reader;
    struct store_held held;
    bool is_automatic;
    int sealed_fd, plain_fd;
    int64_t size;
    int unsealed; /* as of seal_open_file() */
    hold_read_done *done;
    void *ctx;
};

struct hold_reader {
    struct hold *hold;
    struct look *look; /* NULL: none */
};

static void look_free(struct look *look)
{
    look->reader->look = NULL;
    if (look->sealed_fd >= 0)
        close(look->sealed_fd);
    if (look->plain_fd >= 0)
        close(look->plain_fd);
    store_held_free(&look->held);
    free(look);
}

/* Whoever is told may look at the next one. */
static void end(struct look *look, const struct hold_reading *reading)
{
    hold_read_done *done = look->done;
    void *ctx = look->ctx;
    look_free(look);
    done(reading, ctx);
}

static void fail(struct look *look, const char *problem)
{
    end(look, &(const struct hold_reading){ .problem = problem });
}

/* NULL: it can't be read. */
static char *read_text(const struct convert_in_result *result, size_t *len_out)
{
    size_t len = result->body_size <= HOLD_READ_TEXT_MAX ? (size_t)result->body_size : HOLD_READ_TEXT_MAX + 1;
    char *text = xmalloc(len + 1);
    if (pread(result->content_fd, text, len, 0) != (ssize_t)len) {
        free(text);
        return NULL;
    }
    *len_out = convert_utf8_cut(text, len, HOLD_READ_TEXT_MAX);
    text[*len_out] = '\0';
    return text;
}

static void on_converted(struct convert_in_result *result, void *ctx)
{
    struct look *look = ctx;
    size_t len = 0;
    char *text = result->ok ? read_text(result, &len) : NULL;
    if (!text) {
        fail(look, result->ok ? "what the worker wrote can't be read" : result->error);
        return;
    }
    end(look, &(const struct hold_reading){ .subject = result->message.subject,
                                            .from_name = result->from_name,
                                            .text = text,
                                            .text_size = result->body_size,
                                            .is_cut = (int64_t)len < result->body_size,
                                            .is_unreadable = result->fallback,
                                            .attachments = result->message.attach,
                                            .attachment_count = result->message.attach_count });
    free(text);
}

static void begin_converting(struct look *look)
{
    const struct parts *parts = look->reader->hold->parts;
    const struct convert_in_request request = {
        .entry = look->held.inbound_id,
        .mail_fd = look->plain_fd,
        .mail_size = look->size,
        .in_memory = true,
        .options = { .is_automatic = look->is_automatic,
                     .body = (enum convert_body_choice)parts->config->content.body,
                     .history = (enum convert_history_mode)parts->config->content.quote },
    };
    if (convert_mail_in(parts->convert, &request, on_converted, look) != 1)
        fail(look, "the convert workers are busy; try again in a moment");
}

static void unseal(void *arg)
{
    struct look *look = arg;
    look->unsealed =
        seal_open_file(hold_key(look->reader->hold), look->held.author, look->sealed_fd, look->plain_fd, &look->size);
}

static void unsealed(void *arg)
{
    struct look *look = arg;
    if (look->unsealed == 1)
        begin_converting(look);
    else
        fail(look, look->unsealed == 0 ? "it is damaged, or sealed with another key"
                                       : "there is no memory to open it; try again in a moment");
}

static void discarded(void *arg)
{
    (void)arg; /* the reader frees it */
}

/* 1; -1 with the reason. */
static int open_files(struct look *look, int64_t content_id, const char **problem_out)
{
    const struct hold *hold = look->reader->hold;
    char key_id[SEAL_ID_SIZE] = "";
    int64_t sealed_size;
    if (hold_key(hold))
        seal_key_id(hold_key(hold), key_id);
    *problem_out = NULL;
    if (strcmp(look->held.key_id, key_id) != 0)
        *problem_out = "the key that it was sealed with is not there (policy.hold_key)";
    else if (look->held.size > HOLD_READ_MAIL_MAX)
        *problem_out = "it is larger than 128 MiB, which is not opened in memory";
    else if (store_content_open(store_reader(hold->parts->store), content_id, &look->sealed_fd, &sealed_size) != 1)
        *problem_out = "its content is missing from state_dir";
    else if ((look->plain_fd = memfd_create("held-read", MFD_CLOEXEC)) < 0)
        *problem_out = "there is no file descriptor left; try again in a moment";
    return *problem_out ? -1 : 1;
}

static struct look *look_new(struct hold_reader *reader, hold_read_done *done, void *ctx)
{
    struct look *look = xcalloc(1, sizeof *look);
    *look = (struct look){ .reader = reader, .sealed_fd = -1, .plain_fd = -1, .done = done, .ctx = ctx };
    reader->look = look;
    return look;
}

int hold_read(struct hold *hold, int64_t inbound_id, hold_read_done *done, void *ctx, const char **problem_out)
{
    struct store_db *db = store_reader(hold->parts->store);
    struct store_inbound row = { 0 };
    *problem_out = "another held mail is being looked at; try again in a moment";
    if (hold->reader->look)
        return -1;
    struct look *look = look_new(hold->reader, done, ctx);
    *problem_out = "the database could not be used; the daemon's log says why";
    int result = store_held_find(db, inbound_id, &look->held);
    if (result == 1)
        result = store_inbound_find(db, inbound_id, &row);
    if (result == 1) {
        look->is_automatic = row.is_generated;
        result = open_files(look, row.content_id, problem_out);
    }
    store_inbound_free(&row);
    if (result == 1)
        background_submit(hold->parts->background, unseal, unsealed, discarded, look);
    else
        look_free(look);
    return result;
}

struct hold_reader *hold_reader_new(struct hold *hold)
{
    struct hold_reader *reader = xcalloc(1, sizeof *reader);
    reader->hold = hold;
    return reader;
}

void hold_reader_free(struct hold_reader **reader)
{
    if ((*reader)->look)
        fail((*reader)->look, "the gateway is stopping");
    free(*reader);
    *reader = NULL;
}
