/* The child's side: one job is one conversion, from mapped input files to output files that come with the job. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/ipc.h"
#include "base/strbuf.h"
#include "base/worker.h"
#include "base/xmalloc.h"
#include "mapping/convert.h"
#include "mapping/convert_charset.h"
#include "mapping/convert_html.h"
#include "mapping/convert_input.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_memfile.h"
#include "mapping/convert_mime_in.h"
#include "mapping/convert_mime_out.h"
#include "mapping/convert_report.h"
#include "mapping/convert_utf8.h"
#include "mapping/convert_wire.h"
#include "tmtp/tmtp_form.h"

/* The one thing that belongs to the process: opened before lock-down, when modules can still be loaded, and
 * handed down to every worker by fork(). Set once. */
static struct convert_charsets *charsets;

/* Collects small writes. After a failure the rest is thrown away. */
struct output {
    int fd;
    int error; /* errno of the failure; 0 */
    size_t len;
    char buffer[64 * 1024];
};

static void output_write(struct output *output, const void *data, size_t len)
{
    if (output->error == 0 && file_write_all(output->fd, data, len) != 1)
        output->error = errno;
}

static void output_flush(struct output *output)
{
    output_write(output, output->buffer, output->len);
    output->len = 0;
}

static void output_sink(const void *data, size_t len, void *ctx)
{
    struct output *output = ctx;
    if (len > sizeof output->buffer - output->len)
        output_flush(output);
    if (len > sizeof output->buffer) {
        output_write(output, data, len);
        return;
    }
    memcpy(output->buffer + output->len, data, len);
    output->len += len;
}

static struct output *output_new(int fd)
{
    struct output *output = xmalloc(sizeof *output);
    output->fd = fd;
    output->error = 0;
    output->len = 0;
    return output;
}

/* How it went, as a handler's code. */
static int32_t output_finish(struct output **output)
{
    output_flush(*output);
    if ((*output)->error == 0 && convert_memfile_end((*output)->fd) != 1)
        (*output)->error = errno;
    int error = (*output)->error;
    free(*output);
    *output = NULL;
    return error == 0 ? CONVERT_WIRE_DONE : error == EPERM ? CONVERT_WIRE_TOO_LARGE : CONVERT_WIRE_NO_ROOM;
}

/* Frees the description. */
static int32_t hand_over(int fd, struct strbuf *description)
{
    bool written = strbuf_ok(description) && file_write_all(fd, description->data, description->len) == 1 &&
                   convert_memfile_end(fd) == 1;
    strbuf_free(description);
    return written ? CONVERT_WIRE_DONE : CONVERT_WIRE_REFUSED;
}

static int32_t handle_report_in(int64_t size, const int *fds)
{
    struct convert_input mail;
    if (convert_input_map(fds[0], size, &mail) != 1)
        return CONVERT_WIRE_REFUSED;
    struct convert_report_result report;
    struct strbuf description;
    strbuf_init(&description, CONVERT_META_MAX);
    convert_report_read(charsets, &mail, &report);
    convert_wire_encode_report(&report, &description);
    convert_report_free(&report);
    convert_input_unmap(&mail);
    return hand_over(fds[1], &description);
}

static int32_t handle_mail_in(const struct convert_wire_request *request, const int *fds)
{
    struct convert_input mail;
    if (convert_input_map(fds[0], request->input_size, &mail) != 1)
        return CONVERT_WIRE_REFUSED;
    struct convert_in_message message;
    struct strbuf description;
    strbuf_init(&description, CONVERT_META_MAX);
    struct output *output = output_new(fds[1]);
    convert_mime_in(charsets, &mail, &request->options, output_sink, output, &message);
    int32_t code = output_finish(&output);
    convert_wire_encode_in(&message, &description);
    convert_in_message_free(&message);
    convert_input_unmap(&mail);
    int32_t described = hand_over(fds[2], &description);
    return described == CONVERT_WIRE_DONE ? code : described;
}

static int32_t handle_mail_out(int64_t size, bool is_plain, const int *fds, struct strbuf *detail)
{
    struct convert_input content;
    struct convert_out_job job;
    size_t len;
    if (convert_input_map(fds[0], size, &content) != 1)
        return CONVERT_WIRE_REFUSED;
    char *description = convert_memfile_read(fds[1], 0, CONVERT_META_MAX, &len);
    if (!description || convert_wire_decode_out(description, len, size, &job) != 1) {
        free(description);
        convert_input_unmap(&content);
        return CONVERT_WIRE_REFUSED;
    }
    job.input = &content;
    job.content = content.data;
    job.is_plain = is_plain;
    struct output *output = output_new(fds[2]);
    convert_mime_out(&job, output_sink, output, detail); /* goes on where the header ends */
    int32_t code = output_finish(&output);
    convert_wire_free_out(&job);
    free(description);
    convert_input_unmap(&content);
    return code;
}

static int32_t handle_request(const struct convert_wire_request *request, const int *fds, void *answer,
                              size_t *answer_len)
{
    if (request->kind == CONVERT_WIRE_REPORT_IN)
        return handle_report_in(request->input_size, fds);
    if (request->kind == CONVERT_WIRE_MAIL_IN)
        return handle_mail_in(request, fds);
    struct strbuf detail;
    strbuf_init(&detail, IPC_PAYLOAD_MAX);
    int32_t code = handle_mail_out(request->input_size, request->kind == CONVERT_WIRE_OUT_PLAIN, fds, &detail);
    size_t cut = convert_utf8_cut(detail.data, detail.len, CONVERT_DETAIL_MAX);
    memcpy(answer, detail.data, cut);
    *answer_len = cut;
    strbuf_free(&detail);
    return code;
}

static int32_t handle(const void *data, size_t len, const int *fds, size_t fd_count, void *answer, size_t *answer_len)
{
    struct convert_wire_request request;
    *answer_len = 0;
    if (convert_wire_decode_request(data, len, &request) != 1)
        return CONVERT_WIRE_REFUSED;
    int32_t code = fd_count == convert_wire_file_count(request.kind) ? handle_request(&request, fds, answer, answer_len)
                                                                     : CONVERT_WIRE_REFUSED;
    convert_wire_free_request(&request);
    return code;
}

static void ignore_sink(const void *data, size_t len, void *ctx)
{
    (void)data;
    (void)len;
    (void)ctx;
}

/* Libraries prepare themselves on first use, some by opening files: one small mail goes through all of them. */
static void prepare(void)
{
    static const char mail[] =
        "From: =?iso-8859-1?Q?a?= <a@example.com>\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html; "
        "charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p>=E4&auml;</p>\r\n"
        "--b\r\nContent-Disposition: attachment; filename*=iso-8859-1''%E4\r\n\r\nx\r\n--b--\r\n";
    charsets = convert_charsets_new();
    tzset(); /* any function that knows the calendar looks for a file of the time zone first, "UTC0" too */
    struct convert_in_message message;
    struct convert_input input = convert_input_of(mail, sizeof mail - 1);
    convert_mime_in(charsets, &input, &(struct convert_in_options){ .is_automatic = false }, ignore_sink, NULL,
                    &message);
    convert_in_message_free(&message);
    struct tmtp_form form; /* its parser wants random numbers, once */
    if (tmtp_form_read_filled("{\"a\":1}", 7, &form) == 1)
        tmtp_form_free(&form);
}

_Noreturn void convert_worker_main(void)
{
    static const struct worker_program program = { .prepare = prepare, .handle = handle };
    worker_main(&program);
}
