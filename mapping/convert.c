#include "mapping/convert.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/ipc.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/strbuf.h"
#include "base/tmpfile.h"
#include "base/worker.h"
#include "base/xmalloc.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_mail_header.h"
#include "mapping/convert_memfile.h"
#include "mapping/convert_mime_in.h"
#include "mapping/convert_text.h"
#include "mapping/convert_utf8.h"
#include "mapping/convert_wire.h"

enum {
    WORKERS_DEFAULT = 2,
    QUEUE_MAX = 64,
    JOBS_PER_WORKER = 200,
    CPU_SECONDS = 30,
    JOB_TIMEOUT_DEFAULT_MS = 60 * 1000,
    ATTEMPTS_MAX = 2, /* with the full conversion; then a simpler form */
    MIME_HEADER_MAX = 8 * 1024,
    SMALL_INPUT_MAX = 256 * 1024,          /* its result is expected to be small too ... */
    MEMORY_RESULT_MAX = 1024 * 1024,       /* ... and gets a file on disk when it turns out to be larger than this */
    COPY_PIECE_SIZE = 4 * 1024 * 1024,     /* in one turn of the loop */
    INPUT_MAPPED_MAX = 1024 * 1024 * 1024, /* content of any size that can be stored */
};

static const uint64_t memory_default = 512ULL * 1024 * 1024;
static const size_t result_max = (size_t)2 << 30; /* in a memory file, where a file on disk can't be made safe */

struct convert {
    struct loop *loop;
    struct worker_pool *pool;
    char *directory;
    bool has_no_leases; /* found out: results stay in memory */
    struct job *jobs;   /* waiting and running, in no order */
};

/* One conversion, over all its attempts. */
struct job {
    struct convert *convert;
    struct job *previous, *next;
    enum convert_wire_kind kind;
    int64_t entry;
    int input_fd;
    int64_t input_size;
    bool is_large;  /* the result goes to a file on disk, */
    bool in_memory; /* unless it must not */
    int content_fd; /* of this attempt: the content, or the mail; -1 */
    bool on_disk;   /* content_fd is such a file */
    int meta_fd;    /* of this attempt; -1 */
    unsigned attempts;
    struct strbuf detail;
    struct strbuf header;      /* mail out: what is ours of the mail */
    struct strbuf description; /* mail out: of the content */
    struct strbuf request;     /* mail in: as the worker gets it */
    bool is_smtputf8;
    struct timer *later; /* tells on the loop what went wrong in the caller's call, or goes on copying; NULL */
    bool is_automatic;   /* mail in: a program wrote it */
    int64_t copied;      /* of the original, for the fallback form */
    convert_in_done *in_done;
    convert_out_done *out_done;
    convert_report_done *report_done;
    void *ctx;
};

struct convert *convert_new(const struct convert_settings *settings)
{
    static const char *const arguments[] = { CONVERT_WORKER_ARGUMENT, NULL };
    const struct worker_pool_settings pool_settings = {
        .program = settings->program,
        .arguments = arguments,
        .workers = settings->workers > 0 ? settings->workers : WORKERS_DEFAULT,
        .queue_max = QUEUE_MAX,
        .limits = {
            .memory_bytes = settings->memory_bytes > 0 ? settings->memory_bytes : memory_default,
            .mapped_bytes = INPUT_MAPPED_MAX,
            .cpu_seconds = CPU_SECONDS,
            .job_timeout_ms = settings->job_timeout_ms > 0 ? settings->job_timeout_ms : JOB_TIMEOUT_DEFAULT_MS,
            .jobs_per_worker = JOBS_PER_WORKER,
        },
    };
    struct convert *convert = xcalloc(1, sizeof *convert);
    convert->loop = settings->loop;
    convert->directory = xstrdup(settings->directory);
    convert->pool = worker_pool_new(settings->loop, &pool_settings);
    if (!convert->pool) {
        int error = errno;
        free(convert->directory);
        free(convert);
        errno = error;
        return NULL;
    }
    return convert;
}

unsigned convert_waiting(const struct convert *convert)
{
    return worker_pool_waiting(convert->pool);
}

uint64_t convert_crashes(const struct convert *convert)
{
    return worker_pool_crashes(convert->pool);
}

/* ---- jobs ---- */

static struct job *job_new(struct convert *convert, enum convert_wire_kind kind, int input_fd, int64_t input_size,
                           void *ctx)
{
    /* A worker must not be able to change what another attempt, or the fallback form, will be made of. */
    int flags = fcntl(input_fd, F_GETFL);
    bool read_only = flags >= 0 && (flags & O_ACCMODE) == O_RDONLY;
    int fd = read_only ? fcntl(input_fd, F_DUPFD_CLOEXEC, 0) : convert_memfile_reopen(input_fd);
    if (fd < 0)
        return NULL;
    struct job *job = xcalloc(1, sizeof *job);
    *job = (struct job){ .convert = convert,
                         .kind = kind,
                         .input_fd = fd,
                         .input_size = input_size,
                         .is_large = input_size > SMALL_INPUT_MAX,
                         .content_fd = -1,
                         .meta_fd = -1,
                         .ctx = ctx };
    strbuf_init(&job->detail, CONVERT_DETAIL_MAX);
    strbuf_init(&job->header, CONVERT_MAIL_HEADER_MAX);
    strbuf_init(&job->description, CONVERT_META_MAX);
    strbuf_init(&job->request, IPC_PAYLOAD_MAX);
    job->next = convert->jobs;
    if (job->next)
        job->next->previous = job;
    convert->jobs = job;
    return job;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void job_free(struct job *job)
{
    if (job->previous)
        job->previous->next = job->next;
    else
        job->convert->jobs = job->next;
    if (job->next)
        job->next->previous = job->previous;
    timer_free(&job->later);
    close_fd(&job->input_fd);
    close_fd(&job->content_fd);
    close_fd(&job->meta_fd);
    strbuf_free(&job->detail);
    strbuf_free(&job->header);
    strbuf_free(&job->description);
    strbuf_free(&job->request);
    free(job);
}

void convert_free(struct convert **convert)
{
    if (!*convert)
        return;
    worker_pool_free(&(*convert)->pool);
    for (struct job *job = (*convert)->jobs, *next; job; job = next) {
        next = job->next;
        job_free(job);
    }
    free((*convert)->directory);
    free(*convert);
    *convert = NULL;
}

/* The end of every job: its result, then nothing more. */
static void finish_in(struct job *job, struct convert_in_result *result)
{
    result->ok = result->error == NULL;
    result->detail = job->detail.data;
    job->in_done(result, job->ctx);
    tmtp_message_free(&result->message);
    job_free(job);
}

static void finish_out(struct job *job, struct convert_out_result *result)
{
    result->ok = result->error == NULL;
    result->detail = job->detail.data;
    job->out_done(result, job->ctx);
    job_free(job);
}

static void finish_report(struct job *job, struct convert_report_result *result)
{
    result->ok = result->error == NULL;
    job->report_done(result, job->ctx);
    convert_report_free(result);
    job_free(job);
}

static void finish_failed(struct job *job, bool is_permanent, const char *error)
{
    if (job->kind == CONVERT_WIRE_REPORT_IN) {
        struct convert_report_result result;
        convert_report_init(&result);
        result.permanent = is_permanent;
        result.error = error;
        finish_report(job, &result);
    } else if (job->kind == CONVERT_WIRE_MAIL_IN) {
        struct convert_in_result result = { .error = error, .from_name = "", .content_fd = -1, .excerpt = "" };
        tmtp_message_init(&result.message);
        finish_in(job, &result);
    } else {
        struct convert_out_result result = { .error = error, .permanent = is_permanent, .mail_fd = -1 };
        finish_out(job, &result);
    }
}

static void go_on_later(struct job *job, void (*next)(void *job))
{
    timer_free(&job->later);
    job->later = timer_new(job->convert->loop, next, job);
    timer_start(job->later, 0);
}

/* ---- one attempt ---- */

static void on_worker_done(const struct worker_result *result, void *ctx);

/* For a result: in memory while it is at most small_max bytes. 1, or -1 with errno. */
static int new_content_file(struct job *job, size_t small_max)
{
    close_fd(&job->content_fd);
    job->on_disk = job->is_large && !job->in_memory && !job->convert->has_no_leases;
    job->content_fd = job->on_disk ? tmpfile_new(job->convert->directory)
                                   : convert_memfile_new("convert-content", job->is_large ? result_max : small_max);
    return job->content_fd >= 0 ? 1 : -1;
}

/* Fresh files for each attempt: a crashed worker leaves rubbish. 1, or -1 with errno. */
static int prepare_files(struct job *job)
{
    bool is_out = job->kind == CONVERT_WIRE_MAIL_OUT || job->kind == CONVERT_WIRE_OUT_PLAIN;
    close_fd(&job->meta_fd);
    job->meta_fd = convert_memfile_new("convert-description", is_out ? job->description.len : CONVERT_META_MAX);
    if (job->meta_fd < 0)
        return -1;
    if (job->kind == CONVERT_WIRE_REPORT_IN)
        return 1;
    if (new_content_file(job, job->header.len + MEMORY_RESULT_MAX) != 1)
        return -1;
    if (!is_out)
        return 1;
    if (file_write_all(job->meta_fd, job->description.data, job->description.len) != 1)
        return -1;
    return file_write_all(job->content_fd, job->header.data, job->header.len);
}

/* Nobody can change the result from here on. 1, or -1. */
static int settle_content(struct job *job, int64_t *size_out)
{
    if (!job->on_disk)
        return convert_memfile_seal(job->content_fd, size_out);
    int result = convert_memfile_freeze(&job->content_fd, size_out);
    if (result != 1 && errno != EAGAIN) {
        log_warning("convert.no_leases", "directory=%s error=%s", job->convert->directory, strerror(errno));
        job->convert->has_no_leases = true;
    }
    return result;
}

/* 1 taken, 0 the queue is full, -1 no files (errno). */
static int submit(struct job *job)
{
    if (prepare_files(job) != 1)
        return -1;
    if (job->kind != CONVERT_WIRE_MAIL_IN) {
        strbuf_clear(&job->request);
        convert_wire_encode_request(&(struct convert_wire_request){ .kind = job->kind, .input_size = job->input_size },
                                    &job->request);
    }
    const int in_files[] = { job->input_fd, job->content_fd, job->meta_fd };
    const int out_files[] = { job->input_fd, job->meta_fd, job->content_fd };
    const int report_files[] = { job->input_fd, job->meta_fd };
    const int *files = job->kind == CONVERT_WIRE_MAIL_IN     ? in_files
                       : job->kind == CONVERT_WIRE_REPORT_IN ? report_files
                                                             : out_files;
    job->attempts++;
    return worker_pool_submit(job->convert->pool, job->request.data, job->request.len, files,
                              convert_wire_file_count(job->kind), on_worker_done, job);
}

static void on_no_files(void *arg)
{
    finish_failed(arg, false, "no file for the result");
}

/* The first attempt, from a caller: what fails here is told on the loop, except a full queue. */
static int submit_first(struct job *job)
{
    int taken = submit(job);
    if (taken == 0)
        job_free(job);
    else if (taken < 0)
        go_on_later(job, on_no_files);
    return taken == 0 ? 0 : 1;
}

/* ---- mail in ---- */

static void finish_in_fallback(struct job *job)
{
    struct convert_in_result result = {
        .fallback = true, .is_doubtful = true, .from_name = "", .content_fd = job->content_fd, .excerpt = ""
    };
    tmtp_message_init(&result.message);
    tmtp_message_set(&result.message.subject, CONVERT_UNREADABLE_SUBJECT);
    tmtp_message_add_attachment(&result.message, CONVERT_ORIGINAL_NAME, job->input_size, NULL);
    result.body_size = (int64_t)strlen(convert_fallback_body(job->is_automatic));
    result.content_size = result.body_size + job->input_size;
    finish_in(job, &result);
}

/* Piece by piece: a large mail would hold up the loop. */
static void copy_original(void *arg)
{
    struct job *job = arg;
    int64_t left = job->input_size - job->copied;
    int64_t piece = left < COPY_PIECE_SIZE ? left : COPY_PIECE_SIZE;
    if (convert_memfile_copy(job->content_fd, job->input_fd, &job->copied, piece) != 1)
        finish_failed(job, false, "no room for the result");
    else if (job->copied < job->input_size)
        go_on_later(job, copy_original);
    else
        finish_in_fallback(job);
}

/* Built without looking into the mail: whatever is in there has ended two workers. */
static void begin_in_fallback(struct job *job)
{
    const char *body = convert_fallback_body(job->is_automatic);
    if (new_content_file(job, strlen(body) + (size_t)job->input_size) != 1 ||
        file_write_all(job->content_fd, body, strlen(body)) != 1)
        finish_failed(job, false, "no file for the result");
    else
        copy_original(job);
}

/* The disk may be in trouble, which is not the worker's fault, nor the mail's. */
static int finish_unreadable(struct job *job)
{
    finish_failed(job, false, "the result can't be read");
    return 1;
}

/* The body is shown to people and goes on as JSON's neighbour: it must be text. 1 it is; 0; -1: it can't be read. */
static int body_is_text(int fd, int64_t size)
{
    char *body = convert_memfile_read_start(fd, (size_t)size);
    if (!body)
        return -1;
    bool valid = convert_utf8_is_valid(body, (size_t)size) && !memchr(body, '\0', (size_t)size);
    free(body);
    return valid;
}

/* 1 when the worker's answer holds; 0: it can't be read; -1 with a reason. */
static int read_in_answer(struct job *job, int64_t *content_size_out, struct convert_in_message *message_out,
                          const char **error_out)
{
    int64_t meta_size;
    size_t len;
    *error_out = "files that can't be sealed";
    if (settle_content(job, content_size_out) != 1 || convert_memfile_seal(job->meta_fd, &meta_size) != 1)
        return -1;
    *error_out = "more content than there is in the mail";
    /* Each part, what is taken out of it, the original; texts that were compressed, and the body. */
    if (*content_size_out > 3 * job->input_size + CONVERT_UNPACKED_MAX + CONVERT_BODY_MAX)
        return -1;
    *error_out = "no description";
    char *description = convert_memfile_read(job->meta_fd, 0, CONVERT_META_MAX, &len);
    if (!description)
        return -1;
    int result = convert_wire_decode_in(description, len, *content_size_out, message_out, error_out);
    free(description);
    if (result != 1)
        return -1;
    int is_text = body_is_text(job->content_fd, message_out->body_size);
    if (is_text == 1)
        return 1;
    convert_in_message_free(message_out);
    *error_out = "a body that is no text";
    return is_text < 0 ? 0 : -1;
}

static int finish_in_converted(struct job *job, const char **error_out)
{
    int64_t content_size;
    struct convert_in_message message;
    int is_read = read_in_answer(job, &content_size, &message, error_out);
    if (is_read != 1)
        return is_read < 0 ? -1 : finish_unreadable(job);
    struct convert_in_result result = { .fallback = message.is_fallback,
                                        .is_doubtful = message.is_doubtful || message.is_fallback,
                                        .from_name = message.from_name,
                                        .content_fd = job->content_fd,
                                        .content_size = content_size,
                                        .body_size = message.body_size,
                                        .others = message.others,
                                        .other_count = message.other_count,
                                        .excerpt = message.excerpt };
    tmtp_message_init(&result.message);
    tmtp_message_set(&result.message.subject, message.subject);
    for (size_t i = 0; i < message.attachment_count; i++)
        tmtp_message_add_attachment(&result.message, message.attachments[i].name, message.attachments[i].size, NULL);
    strbuf_add_str(&job->detail, message.detail);
    finish_in(job, &result);
    convert_in_message_free(&message);
    return 1;
}

int convert_mail_in(struct convert *convert, const struct convert_in_request *request, convert_in_done *done, void *ctx)
{
    struct job *job = job_new(convert, CONVERT_WIRE_MAIL_IN, request->mail_fd, request->mail_size, ctx);
    if (!job)
        return 0; /* out of descriptors: busy, and over some day */
    job->entry = request->entry;
    convert_wire_encode_request(
        &(struct convert_wire_request){ CONVERT_WIRE_MAIL_IN, request->mail_size, request->options }, &job->request);
    job->is_automatic = request->options.is_automatic;
    job->in_memory = request->in_memory;
    job->in_done = done;
    return submit_first(job);
}

/* ---- reports ---- */

static int finish_report_read(struct job *job, const char **error_out)
{
    int64_t size;
    size_t len;
    *error_out = "no description";
    char *description = NULL;
    if (convert_memfile_seal(job->meta_fd, &size) == 1)
        description = convert_memfile_read(job->meta_fd, 0, CONVERT_META_MAX, &len);
    if (!description)
        return -1;
    struct convert_report_result result;
    int decoded = convert_wire_decode_report(description, len, &result, error_out);
    free(description);
    if (decoded == 1)
        finish_report(job, &result);
    return decoded;
}

int convert_report_in(struct convert *convert, int64_t entry, int mail_fd, int64_t mail_size, convert_report_done *done,
                      void *ctx)
{
    struct job *job = job_new(convert, CONVERT_WIRE_REPORT_IN, mail_fd, mail_size, ctx);
    if (!job)
        return 0;
    job->entry = entry;
    job->report_done = done;
    return submit_first(job);
}

/* ---- mail out ---- */

/* Behind the header that is ours a worker may have written nothing but its own Content fields. */
static bool adds_only_content_fields(const char *text, size_t len)
{
    static const char first[] = "MIME-Version: 1.0\r\n";
    if (len < strlen(first) || memcmp(text, first, strlen(first)) != 0)
        return false;
    for (size_t i = strlen(first); i < len;) {
        const char *end = memmem(text + i, len - i, "\r\n", 2);
        if (!end)
            return false;
        size_t n = (size_t)(end - text) - i;
        if (n == 0)
            return true;
        bool continues = text[i] == ' ' || text[i] == '\t';
        if ((!continues && strncmp(text + i, "Content-", 8) != 0) || memchr(text + i, '\n', n) ||
            memchr(text + i, '\r', n))
            return false;
        i += n + 2;
    }
    return false;
}

/* 1 it is; 0; -1: it can't be read. */
static int mail_is_ours(struct job *job, int64_t mail_size)
{
    size_t ours = job->header.len;
    size_t len = mail_size < (int64_t)ours + MIME_HEADER_MAX ? (size_t)mail_size : ours + MIME_HEADER_MAX;
    char *start = convert_memfile_read_start(job->content_fd, len);
    if (!start)
        return -1;
    bool good =
        len > ours && memcmp(start, job->header.data, ours) == 0 && adds_only_content_fields(start + ours, len - ours);
    free(start);
    return good;
}

static int finish_out_converted(struct job *job, const struct worker_result *answer, const char **error_out)
{
    struct convert_out_result result = { 0 };
    *error_out = "a mail with a header that is not ours";
    if (settle_content(job, &result.mail_size) != 1)
        return -1;
    int is_ours = mail_is_ours(job, result.mail_size);
    if (is_ours < 0)
        return finish_unreadable(job);
    if (!is_ours || answer->answer_len > CONVERT_DETAIL_MAX ||
        !convert_wire_is_clean(answer->answer, answer->answer_len))
        return -1;
    result.mail_fd = job->content_fd;
    strbuf_add(&job->detail, answer->answer, answer->answer_len);
    result.is_smtputf8 = job->is_smtputf8;
    result.is_8bit = job->is_smtputf8; /* RFC 6531: one needs the other */
    finish_out(job, &result);
    return 1;
}

static void on_impossible(void *arg)
{
    struct job *job = arg;
    finish_failed(job, true, "the message can't be expressed as mail");
}

static void free_quotes(struct convert_out_quote *quotes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free((char *)(uintptr_t)quotes[i].intro);
        free((char *)(uintptr_t)quotes[i].outro);
    }
    free(quotes);
}

/* One clean line. The caller frees it. */
static char *quote_line(const char *text)
{
    struct strbuf line;
    size_t len = convert_utf8_cut(text, strlen(text), CONVERT_QUOTE_LINE_MAX);
    strbuf_init(&line, CONVERT_QUOTE_LINE_MAX);
    for (size_t i = 0; i < len;) {
        uint32_t code;
        size_t n = convert_utf8_char(text + i, len - i, &code);
        if (n == 0 || convert_utf8_is_control(code))
            strbuf_add_char(&line, ' ');
        else
            strbuf_add(&line, text + i, n);
        i += n > 0 ? n : 1;
    }
    return strbuf_detach(&line);
}

/* Clean lines, as long as may be. The caller frees them. */
static char *answered_text(const char *text)
{
    struct strbuf clean;
    size_t len = convert_utf8_cut(text, strlen(text), CONVERT_ANSWERED_MAX);
    strbuf_init(&clean, CONVERT_ANSWERED_MAX * strlen(CONVERT_UTF8_REPLACEMENT));
    convert_text_clean(&clean, text, len);
    strbuf_truncate(&clean, convert_utf8_cut(clean.data, clean.len, CONVERT_ANSWERED_MAX));
    return strbuf_detach(&clean);
}

/* NULL: they don't lie in the body. */
static struct convert_out_quote *describe_quotes(const struct convert_out_request *request, int64_t body_size)
{
    struct convert_out_quote *quotes = xcalloc(request->quote_count + 1, sizeof *quotes);
    bool ok = request->quote_count <= CONVERT_QUOTES_MAX;
    for (size_t i = 0; ok && i < request->quote_count; i++) {
        const struct convert_quote *quote = &request->quotes[i];
        ok = quote->offset >= 0 && quote->size >= 0 && quote->offset <= body_size &&
             quote->size <= body_size - quote->offset;
        quotes[i] = (struct convert_out_quote){ .intro = quote_line(quote->intro),
                                                .outro = quote_line(quote->outro),
                                                .offset = ok ? (size_t)quote->offset : 0,
                                                .size = ok ? (size_t)quote->size : 0 };
    }
    if (ok)
        return quotes;
    free_quotes(quotes, request->quote_count <= CONVERT_QUOTES_MAX ? request->quote_count : 0);
    return NULL;
}

/* A name that is too long to be one is left out. */
static const char *form_type(const struct tmtp_attachment *attachment)
{
    return attachment->ffn && strlen(attachment->ffn) <= CONVERT_FORM_TYPE_MAX ? attachment->ffn : NULL;
}

/* Header and description are made once: every attempt gives the same mail. 1, or -1. */
static int describe_mail(struct job *job, const struct convert_out_request *request)
{
    const struct tmtp_message *message = request->message;
    const char *error;
    int64_t attached = tmtp_message_attachments_size(message);
    if (attached < 0 || attached > request->content_size || message->attach_count > TMTP_MESSAGE_ATTACH_MAX)
        return -1;
    if (convert_mail_header_write(&job->header, request, &job->detail, &error) != 1) {
        strbuf_add_str(&job->detail, error);
        return -1;
    }
    struct convert_out_quote *quotes = describe_quotes(request, request->content_size - attached);
    if (!quotes) {
        strbuf_add_str(&job->detail, "the texts of the forwarded thread do not lie in it");
        return -1;
    }
    struct convert_out_attachment *attachments = xcalloc(message->attach_count + 1, sizeof *attachments);
    for (size_t i = 0; i < message->attach_count; i++)
        attachments[i] = (struct convert_out_attachment){ .name = message->attach[i].name,
                                                          .size = (size_t)message->attach[i].size,
                                                          .ffn = form_type(&message->attach[i]) };
    char *intro = request->answered_text ? quote_line(request->answered_intro ? request->answered_intro : "") : NULL;
    char *answered = request->answered_text ? answered_text(request->answered_text) : NULL;
    const struct convert_out_job description = { .body_size = (size_t)(request->content_size - attached),
                                                 .attachments = attachments,
                                                 .attachment_count = message->attach_count,
                                                 .quotes = quotes,
                                                 .quote_count = request->quote_count,
                                                 .answered_intro = intro,
                                                 .answered_text = answered,
                                                 .seed = convert_mail_header_seed(request->message_id) };
    convert_wire_encode_out(&description, &job->description);
    free(attachments);
    free(intro);
    free(answered);
    free_quotes(quotes, request->quote_count);
    job->is_smtputf8 = convert_mail_header_needs_utf8(request);
    return strbuf_ok(&job->description) ? 1 : -1;
}

int convert_mail_out(struct convert *convert, const struct convert_out_request *request, convert_out_done *done,
                     void *ctx)
{
    struct job *job = job_new(convert, CONVERT_WIRE_MAIL_OUT, request->content_fd, request->content_size, ctx);
    if (!job)
        return 0;
    job->entry = request->entry;
    job->out_done = done;
    if (describe_mail(job, request) == 1)
        return submit_first(job);
    go_on_later(job, on_impossible);
    return 1;
}

/* ---- outcomes ---- */

/* Again; or in a simpler form; or not at all. */
static void after_failure(struct job *job, const char *why)
{
    bool is_in = job->kind == CONVERT_WIRE_MAIL_IN || job->kind == CONVERT_WIRE_REPORT_IN;
    log_warning("convert.attempt_failed", "message=%s%" PRId64 " attempt=%u reason=%s", is_in ? "in" : "out",
                job->entry, job->attempts, why); /* in0: mail that is still being taken */
    if (job->attempts >= ATTEMPTS_MAX) {
        strbuf_clear(&job->detail);
        strbuf_add_fmt(&job->detail, "conversion failed %u times: %.200s", job->attempts, why);
        if (job->kind == CONVERT_WIRE_MAIL_IN) {
            begin_in_fallback(job);
            return;
        }
        if (job->kind == CONVERT_WIRE_OUT_PLAIN || job->kind == CONVERT_WIRE_REPORT_IN) {
            finish_failed(job, true, "the message can't be converted");
            return;
        }
        job->kind = CONVERT_WIRE_OUT_PLAIN;
    }
    if (submit(job) != 1)
        finish_failed(job, false, "the workers are busy");
}

/* Once more, without counting: it has only turned out to be large. */
static void try_on_disk(struct job *job)
{
    job->is_large = true;
    job->attempts--;
    if (submit(job) != 1)
        finish_failed(job, false, "the workers are busy");
}

/* 1 the job has ended or goes on; -1 the attempt has failed, with a reason. */
static int take_answer(struct job *job, const struct worker_result *answer, const char **error_out)
{
    if (answer->code == CONVERT_WIRE_DONE && job->kind == CONVERT_WIRE_REPORT_IN)
        return finish_report_read(job, error_out);
    if (answer->code == CONVERT_WIRE_DONE)
        return job->kind == CONVERT_WIRE_MAIL_IN ? finish_in_converted(job, error_out)
                                                 : finish_out_converted(job, answer, error_out);
    *error_out = "refused by the worker";
    if (answer->code == CONVERT_WIRE_TOO_LARGE && !job->is_large) {
        try_on_disk(job);
    } else if (answer->code == CONVERT_WIRE_NO_ROOM) {
        log_error("convert.no_room", "directory=%s", job->convert->directory);
        finish_failed(job, false, "no room for the result");
    } else {
        return -1;
    }
    return 1;
}

static void on_worker_done(const struct worker_result *result, void *ctx)
{
    struct job *job = ctx;
    const char *error = result->detail;
    bool had_leases = !job->convert->has_no_leases;
    if (result->outcome == WORKER_DONE && take_answer(job, result, &error) == 1)
        return;
    bool blames_us = had_leases && job->convert->has_no_leases;
    if (result->outcome == WORKER_DONE && result->code == CONVERT_WIRE_DONE && !blames_us)
        worker_pool_refuse_answer(job->convert->pool);
    after_failure(job, error);
}
