#include "mapping/convert_mime_out.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_input.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_mail_header.h"
#include "mapping/convert_markdown.h"
#include "mapping/convert_mime_file.h"
#include "mapping/convert_names.h"
#include "tmtp/tmtp_form.h"

enum { CID_SIZE = 64, FIELD_MAX = 16 * 1024, LINE_PLAIN_MAX = 900 };

/* One attachment on its way out. */
struct outgoing_file {
    const struct convert_out_attachment *given; /* NULL: a text of the message */
    struct convert_mime_file file;
    char cid[CID_SIZE];
    bool is_shown; /* the HTML refers to it */
    struct tmtp_form form;
    bool is_readable; /* it is a form, and here it is */
};

struct outgoing {
    const struct convert_out_job *job;
    convert_sink *sink;
    void *ctx;
    struct outgoing_file *files;
    size_t file_count; /* the attachments, and texts that are too long to be shown */
    struct convert_names names;
    struct convert_markdown_filled *filled; /* forms */
    size_t filled_count;
    const char *body; /* what is shown: the message's, or a line of ours instead */
    size_t body_size; /* of it, or of all quotes that are shown */
    struct strbuf body_note;
    struct convert_out_quote *quotes; /* likewise */
    char **outros;                    /* ours, of those that are attached; else NULL */
    struct strbuf text, html;
};

/* The multiparts, from the outside in; their boundaries differ by this number. */
enum level { MIXED, ALTERNATIVE, RELATED };

static void put(struct outgoing *mail, const char *text)
{
    mail->sink(text, strlen(text), mail->ctx);
}

static void put_buffer(struct outgoing *mail, struct strbuf *buffer)
{
    mail->sink(buffer->data, buffer->len, mail->ctx);
    strbuf_free(buffer);
}

/* "=_" occurs in no quoted-printable or base64 text, and text that is sent as it is gets looked through for it. */
static void put_boundary(struct outgoing *mail, enum level level, const char *before, const char *after)
{
    struct strbuf line;
    strbuf_init(&line, FIELD_MAX);
    strbuf_add_fmt(&line, "%s=_%d_%016" PRIx64 "%s", before, (int)level, mail->job->seed, after);
    put_buffer(mail, &line);
}

static void put_multipart_type(struct outgoing *mail, enum level level)
{
    static const char *const subtypes[] = { "mixed", "alternative", "related; type=\"text/html\"" };
    put(mail, "Content-Type: multipart/");
    put(mail, subtypes[level]);
    put_boundary(mail, level, ";\r\n boundary=\"", "\"\r\n\r\n");
}

static void put_delimiter(struct outgoing *mail, enum level level, bool is_last)
{
    put_boundary(mail, level, "\r\n--", is_last ? "--\r\n" : "\r\n");
}

/* ---- text parts ---- */

/* Whether text may go as it stands: ASCII in which nothing on the way would change anything. A blank at a line's end is
 * part of format=flowed. */
static bool is_plain_7bit(const struct strbuf *text)
{
    size_t column = 0;
    for (size_t i = 0; i < text->len; i++) {
        char c = text->data[i];
        if (c == '\n') {
            column = 0;
            continue;
        }
        if (c < ' ' || c > '~' || ++column > LINE_PLAIN_MAX)
            return false;
        bool is_risky = column == 1 && (c == '.' || strncmp(text->data + i, "From ", 5) == 0 ||
                                        strncmp(text->data + i, "--=_", 4) == 0);
        if (is_risky)
            return false;
    }
    return true;
}

static void add_crlf_text(struct strbuf *out, const struct strbuf *text)
{
    for (size_t i = 0; i < text->len; i++) {
        if (text->data[i] == '\n')
            strbuf_add_char(out, '\r');
        strbuf_add_char(out, text->data[i]);
    }
}

static size_t count_8bit(const struct strbuf *text)
{
    size_t count = 0;
    for (size_t i = 0; i < text->len; i++)
        count += (unsigned char)text->data[i] >= 0x80;
    return count;
}

static void put_base64(struct outgoing *mail, const char *data, size_t len)
{
    struct convert_base64_encoder encoder;
    convert_base64_start(&encoder, mail->sink, mail->ctx);
    convert_base64_add(&encoder, data, len);
    convert_base64_end(&encoder);
}

static void put_text_part(struct outgoing *mail, const char *subtype, const struct strbuf *text)
{
    struct strbuf encoded;
    strbuf_init(&encoded, text->len * 4 + 16); /* quoted-printable: three for one, and line ends */
    put(mail, "Content-Type: text/");
    put(mail, subtype);
    put(mail, "; charset=utf-8");
    put(mail, strcmp(subtype, "plain") == 0 ? "; format=flowed" : "");
    put(mail, "\r\nContent-Transfer-Encoding: ");
    if (is_plain_7bit(text)) {
        put(mail, "7bit\r\n\r\n");
        add_crlf_text(&encoded, text);
        put_buffer(mail, &encoded);
    } else if (count_8bit(text) > text->len / 6) { /* each takes three octets instead of four for three */
        put(mail, "base64\r\n\r\n");
        add_crlf_text(&encoded, text);
        put_base64(mail, encoded.data, encoded.len);
        strbuf_free(&encoded);
    } else {
        put(mail, "quoted-printable\r\n\r\n");
        convert_qp_encode(&encoded, text->data, text->len);
        put_buffer(mail, &encoded);
    }
}

/* ---- attachments ---- */

static bool is_form(const char *name)
{
    return (name[0] == 'r' || name[0] == 'f') && name[1] == ':';
}

/* Forms, blank ("f:") and filled ("r:"), are JSON. */
static void name_file(struct outgoing *mail, struct outgoing_file *outgoing, struct strbuf *detail)
{
    struct convert_mime_file *file = &outgoing->file;
    const char *given = outgoing->given->name;
    const char *base = given[0] && given[1] == ':' ? given + 2 : given;
    struct strbuf wanted;
    strbuf_init(&wanted, strlen(base) + 8);
    strbuf_add_str(&wanted, base);
    size_t len = wanted.len;
    if (is_form(given) && (len < 5 || strcmp(base + len - 5, ".json") != 0))
        strbuf_add_str(&wanted, ".json");
    file->name = convert_names_add(&mail->names, wanted.data, "attachment.bin") + 2;
    file->type = is_form(given) ? "application/json" : NULL;
    if (is_form(given))
        strbuf_add_fmt(detail, "The form \"%s\" is carried as JSON. ", file->name);
    strbuf_free(&wanted);
    convert_mime_file_describe(file);
}

/* What is said of a form in the text; what is beyond the limits, or damaged, is attached only. */
static void read_form(struct outgoing_file *file)
{
    const char *data = file->file.data;
    size_t size = file->file.size;
    file->is_readable = file->given->name[0] == 'f' ? tmtp_form_read_blank(data, size, &file->form) == 1
                                                    : tmtp_form_read_filled(data, size, &file->form) == 1;
}

static void list_files(struct outgoing *mail, struct strbuf *detail)
{
    const struct convert_out_job *job = mail->job;
    const char *data = job->content + job->body_size;
    mail->files = xcalloc(job->attachment_count + job->quote_count + 1, sizeof *mail->files);
    for (size_t i = 0; i < job->attachment_count; i++) {
        struct outgoing_file *file = &mail->files[mail->file_count++];
        file->given = &job->attachments[i];
        file->file.data = data;
        file->file.size = file->given->size;
        data += file->file.size;
        name_file(mail, file, detail);
        struct strbuf cid;
        strbuf_init(&cid, sizeof file->cid - 1);
        strbuf_add_fmt(&cid, "%zu.%016" PRIx64 "@postern.invalid", i + 1, job->seed);
        memcpy(file->cid, cid.data, cid.len + 1);
        strbuf_free(&cid);
    }
}

/* ---- what the text can refer to ---- */

static struct outgoing_file *find(const struct outgoing *mail, const char *name)
{
    for (size_t i = 0; i < mail->job->attachment_count; i++) {
        if (strcmp(mail->files[i].given->name, name) == 0)
            return &mail->files[i];
    }
    return NULL;
}

/* What mail programs show in a text. A drawing (SVG) or a photo that they don't is a file. */
static bool is_picture(const char *type)
{
    static const char *const types[] = { "image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp" };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(type, types[i]) == 0)
            return true;
    }
    return false;
}

static const char *find_image(const char *name, void *ctx)
{
    struct outgoing_file *file = find(ctx, name);
    if (!file || !is_picture(file->file.type))
        return NULL;
    file->is_shown = true;
    file->file.cid = file->cid;
    return file->cid;
}

static const char *find_file(const char *name, void *ctx)
{
    const struct outgoing_file *file = find(ctx, name);
    return file ? file->file.name : NULL;
}

static const struct tmtp_form *find_form(const char *name, void *ctx)
{
    const struct outgoing_file *file = find(ctx, name);
    return file && file->is_readable ? &file->form : NULL;
}

/* The blank form with this name, for what its fields are called. */
static const struct tmtp_form *find_blank(struct outgoing *mail, const char *filled_name)
{
    char *name = xstrdup(filled_name);
    name[0] = 'f';
    const struct tmtp_form *form = find_form(name, mail);
    free(name);
    return form;
}

static void list_forms(struct outgoing *mail)
{
    size_t count = 0;
    mail->filled = xcalloc(mail->job->attachment_count + 1, sizeof *mail->filled);
    for (size_t i = 0; i < mail->job->attachment_count; i++) {
        if (is_form(mail->files[i].given->name) && count++ < CONVERT_FORMS_MAX)
            read_form(&mail->files[i]);
    }
    for (size_t i = 0; i < mail->job->attachment_count; i++) {
        const struct outgoing_file *file = &mail->files[i];
        if (is_form(file->given->name) && file->given->name[0] == 'r')
            mail->filled[mail->filled_count++] =
                (struct convert_markdown_filled){ .name = file->given->name + 2,
                                                  .file = file->file.name,
                                                  .type = file->given->ffn,
                                                  .form = file->is_readable ? &file->form : NULL,
                                                  .blank = find_blank(mail, file->given->name) };
    }
}

static void forget_pictures(struct outgoing *mail)
{
    for (size_t i = 0; i < mail->file_count; i++) {
        mail->files[i].is_shown = false;
        mail->files[i].file.cid = NULL;
    }
}

/* ---- texts that are too long ---- */

/* Returns its name there. */
static const char *attach_text(struct outgoing *mail, const char *text, size_t size)
{
    struct convert_mime_file *file = &mail->files[mail->file_count++].file;
    file->data = text;
    file->size = size;
    file->name = convert_names_add(&mail->names, "message.md", "") + 2;
    file->type = "text/markdown; charset=utf-8";
    convert_mime_file_describe(file);
    return file->name;
}

static void choose_body(struct outgoing *mail, struct strbuf *detail)
{
    const struct convert_out_job *job = mail->job;
    mail->body = job->content;
    mail->body_size = job->body_size;
    if (job->body_size <= CONVERT_SHOWN_MAX)
        return;
    strbuf_add_fmt(&mail->body_note, "The text is too long to be shown here: it is attached as \"%s\".\n",
                   attach_text(mail, job->content, job->body_size));
    strbuf_add_str(detail, "The text is too long to be shown, and attached. ");
    mail->body = mail->body_note.data;
    mail->body_size = mail->body_note.len;
}

/* Those that still fit are shown, the others attached. */
static void choose_quotes(struct outgoing *mail, struct strbuf *detail)
{
    enum { OUTRO_MAX = CONVERT_QUOTE_LINE_MAX + CONVERT_NAME_MAX + 100 };
    const struct convert_out_job *job = mail->job;
    size_t attached = 0;
    mail->quotes = xcalloc(job->quote_count, sizeof *mail->quotes);
    mail->outros = xcalloc(job->quote_count, sizeof *mail->outros);
    for (size_t i = 0; i < job->quote_count; i++) {
        struct convert_out_quote *quote = &mail->quotes[i];
        *quote = job->quotes[i];
        if (quote->size <= CONVERT_SHOWN_MAX - mail->body_size) {
            mail->body_size += quote->size;
            continue;
        }
        struct strbuf outro;
        strbuf_init(&outro, OUTRO_MAX);
        strbuf_add_fmt(&outro, "The text is too long to be shown here: it is attached as \"%s\".%s%s",
                       attach_text(mail, job->content + quote->offset, quote->size), quote->outro[0] ? " " : "",
                       quote->outro);
        quote->size = 0;
        quote->outro = mail->outros[i] = strbuf_detach(&outro);
        attached++;
    }
    if (attached > 0)
        strbuf_add_str(detail, "Some of its texts are too long to be shown, and attached. ");
}

static void free_texts(struct outgoing *mail)
{
    for (size_t i = 0; mail->outros && i < mail->job->quote_count; i++)
        free(mail->outros[i]);
    free(mail->outros);
    free(mail->quotes);
    strbuf_free(&mail->body_note);
    strbuf_free(&mail->text);
    strbuf_free(&mail->html);
}

/* ---- the tree ---- */

/* All renderings together may be too large even if none of them is: then none is rendered. */
static void render_quotes(struct outgoing *mail, struct strbuf *detail)
{
    const struct convert_out_job *job = mail->job;
    size_t in_text = 0, in_html = 0;
    convert_quotes_to_text(&mail->text, job->content, mail->quotes, job->quote_count, job->is_plain, &in_text);
    if (!job->is_plain)
        convert_quotes_to_html(&mail->html, job->content, mail->quotes, job->quote_count, false, &in_html);
    if (!strbuf_ok(&mail->text) || !strbuf_ok(&mail->html)) {
        strbuf_clear(&mail->text);
        strbuf_clear(&mail->html);
        convert_quotes_to_text(&mail->text, job->content, mail->quotes, job->quote_count, true, &in_text);
        convert_quotes_to_html(&mail->html, job->content, mail->quotes, job->quote_count, true, &in_html);
    }
    if (in_text > 0 || in_html > 0)
        strbuf_add_str(detail, "Some of its texts are carried as they were written, without rendering. ");
}

/* What is answered, in the same way as the body. */
static void render_answered(struct outgoing *mail, bool plain, struct strbuf *detail)
{
    const struct convert_out_job *job = mail->job;
    if (!job->answered_text)
        return;
    const struct convert_out_quote quote = {
        .intro = job->answered_intro ? job->answered_intro : "",
        .outro = "",
        .size = strlen(job->answered_text),
    };
    size_t in_text = 0, in_html = 0;
    convert_quotes_add_text(&mail->text, job->answered_text, &quote, plain, &in_text);
    if (!job->is_plain)
        convert_quotes_add_html(&mail->html, job->answered_text, &quote, plain, &in_html);
    if (!plain && (in_text > 0 || in_html > 0))
        strbuf_add_str(detail, "What is answered is quoted as it was written, without rendering. ");
}

static void render_message(struct outgoing *mail, struct strbuf *detail)
{
    const struct convert_markdown_references references = {
        .find_image = find_image,
        .find_file = find_file,
        .find_form = find_form,
        .filled = mail->filled,
        .filled_count = mail->filled_count,
        .ctx = mail,
    };
    convert_markdown_begin_html(&mail->html);
    if (convert_markdown_add_flowed(&mail->text, mail->body, mail->body_size, &references) == 1 &&
        convert_markdown_add_html(&mail->html, mail->body, mail->body_size, &references) == 1) {
        render_answered(mail, false, detail);
        convert_markdown_end_html(&mail->html);
        if (strbuf_ok(&mail->text) && strbuf_ok(&mail->html))
            return;
    }
    strbuf_add_str(detail, "The text is too long or too deep to be rendered. ");
    forget_pictures(mail);
    strbuf_clear(&mail->text);
    strbuf_clear(&mail->html);
    convert_markdown_begin_html(&mail->html);
    convert_markdown_add_preformatted_flowed(&mail->text, mail->body, mail->body_size);
    convert_markdown_add_preformatted_html(&mail->html, mail->body, mail->body_size);
    render_answered(mail, false, detail);
    convert_markdown_end_html(&mail->html);
}

static void render(struct outgoing *mail, struct strbuf *detail)
{
    if (mail->job->quote_count > 0) {
        render_quotes(mail, detail);
    } else if (mail->job->is_plain) {
        convert_markdown_add_preformatted_flowed(&mail->text, mail->body, mail->body_size);
        render_answered(mail, true, detail);
        strbuf_add_str(detail, "The text is carried as it was written, without rendering. ");
    } else {
        render_message(mail, detail);
    }
}

static size_t count_shown(const struct outgoing *mail)
{
    size_t count = 0;
    for (size_t i = 0; i < mail->file_count; i++)
        count += mail->files[i].is_shown;
    return count;
}

static void put_html(struct outgoing *mail)
{
    if (count_shown(mail) == 0) {
        put_text_part(mail, "html", &mail->html);
        return;
    }
    put_multipart_type(mail, RELATED);
    put_delimiter(mail, RELATED, false);
    put_text_part(mail, "html", &mail->html);
    for (size_t i = 0; i < mail->file_count; i++) {
        if (mail->files[i].is_shown) {
            put_delimiter(mail, RELATED, false);
            convert_mime_file_put(&mail->files[i].file, mail->job->input, mail->sink, mail->ctx);
        }
    }
    put_delimiter(mail, RELATED, true);
}

static void put_texts(struct outgoing *mail)
{
    if (mail->job->is_plain || (mail->text.len == 0 && mail->job->quote_count == 0)) {
        put_text_part(mail, "plain", &mail->text);
        return;
    }
    put_multipart_type(mail, ALTERNATIVE);
    put_delimiter(mail, ALTERNATIVE, false);
    put_text_part(mail, "plain", &mail->text);
    put_delimiter(mail, ALTERNATIVE, false);
    put_html(mail);
    put_delimiter(mail, ALTERNATIVE, true);
}

static void put_all(struct outgoing *mail)
{
    put(mail, "MIME-Version: 1.0\r\n");
    if (count_shown(mail) == mail->file_count) {
        put_texts(mail);
        return;
    }
    put_multipart_type(mail, MIXED);
    put_delimiter(mail, MIXED, false);
    put_texts(mail);
    for (size_t i = 0; i < mail->file_count; i++) {
        if (!mail->files[i].is_shown) {
            put_delimiter(mail, MIXED, false);
            convert_mime_file_put(&mail->files[i].file, mail->job->input, mail->sink, mail->ctx);
        }
    }
    put_delimiter(mail, MIXED, true);
}

void convert_mime_out(const struct convert_out_job *job, convert_sink *sink, void *ctx, struct strbuf *detail)
{
    struct outgoing mail = { .job = job, .sink = sink, .ctx = ctx };
    strbuf_init(&mail.body_note, FIELD_MAX);
    list_files(&mail, detail);
    if (!job->is_plain)
        list_forms(&mail);
    if (job->quote_count > 0)
        choose_quotes(&mail, detail);
    else
        choose_body(&mail, detail);
    /* The preformatted forms have no limit of their own; a character takes three octets repaired, six escaped. */
    size_t max = CONVERT_RENDERED_MAX > mail.body_size * 18 ? CONVERT_RENDERED_MAX : mail.body_size * 18 + FIELD_MAX;
    max += (size_t)CONVERT_ANSWERED_MAX * 18 + CONVERT_QUOTE_LINES_MAX;
    for (size_t i = 0; i < job->quote_count; i++) /* our own lines, and at most as much rendering for each text */
        max += mail.quotes[i].size > 0 ? CONVERT_QUOTE_LINES_MAX + CONVERT_RENDERED_MAX / 64 : CONVERT_QUOTE_LINES_MAX;
    strbuf_init(&mail.text, max);
    strbuf_init(&mail.html, max);
    render(&mail, detail);
    put_all(&mail);
    free_texts(&mail);
    convert_names_free(&mail.names);
    for (size_t i = 0; i < mail.file_count; i++)
        tmtp_form_free(&mail.files[i].form);
    free(mail.filled);
    free(mail.files);
}
