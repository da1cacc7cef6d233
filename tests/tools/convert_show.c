/* Shows what a mail becomes in the silo and a member's message in a mail, without a gateway: for tests/corpora/render, and
 * to try files by hand. Unlike the gateway it parses in its own process: not for mail from strangers.
 *
 *   convert_show in MAIL FOLDER [ADDRESS ...]     writes body.md, body.html (as a member's client shows it), message.json and
 *                                                 the attachments, named by their number from 1; the addresses are known
 *   convert_show out BODY FOLDER [NAME=FILE ...]  writes mail.eml; attachments have their prefix in NAME ("u:x.png"),
 *                                                 "intro" and "text" are what is quoted under the body
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_charset.h"
#include "mapping/convert_input.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_markdown.h"
#include "mapping/convert_mime_in.h"
#include "mapping/convert_mime_out.h"

static _Noreturn void fail(const char *what, const char *name)
{
    fprintf(stderr, "convert_show: %s: %s\n", what, name);
    exit(1);
}

static void read_file(const char *path, struct strbuf *out)
{
    FILE *file = fopen(path, "rbe");
    char piece[65536];
    size_t n;
    if (!file)
        fail("can't open", path);
    while ((n = fread(piece, 1, sizeof piece, file)) > 0)
        strbuf_add(out, piece, n);
    if (ferror(file) || !strbuf_ok(out))
        fail("can't read", path);
    fclose(file);
}

static void write_file(const char *folder, const char *name, const void *data, size_t len)
{
    struct strbuf path;
    strbuf_init(&path, 4096);
    strbuf_add_fmt(&path, "%s/%s", folder, name);
    FILE *file = fopen(path.data, "wbe");
    if (!file || fwrite(data, 1, len, file) != len || fclose(file) != 0)
        fail("can't write", path.data);
    strbuf_free(&path);
}

static void collect(const void *data, size_t len, void *ctx)
{
    strbuf_add(ctx, data, len);
}

/* ---- mail -> thread message ---- */

struct pictures {
    const struct convert_in_message *message;
    char number[24];
};

/* The picture's file stands where its Content-ID would. */
static const char *find_image(const char *name, void *ctx)
{
    struct pictures *pictures = ctx;
    for (size_t i = 0; i < pictures->message->attachment_count; i++) {
        if (strcmp(pictures->message->attachments[i].name, name) == 0) {
            snprintf(pictures->number, sizeof pictures->number, "%zu", i + 1);
            return pictures->number;
        }
    }
    return NULL;
}

static void write_description(const char *folder, const struct convert_in_message *message)
{
    json_t *names = json_array(), *sizes = json_array();
    for (size_t i = 0; i < message->attachment_count; i++) {
        json_array_append_new(names, json_string(message->attachments[i].name));
        json_array_append_new(sizes, json_integer(message->attachments[i].size));
    }
    json_t *object = json_pack("{s:s, s:s, s:s, s:b, s:o, s:o}", "subject", message->subject, "from_name",
                               message->from_name, "detail", message->detail ? message->detail : "", "fallback",
                               message->is_fallback, "names", names, "sizes", sizes);
    char *text = object ? json_dumps(object, JSON_INDENT(2)) : NULL;
    if (!text)
        fail("can't describe", folder);
    write_file(folder, "message.json", text, strlen(text));
    free(text);
    json_decref(object);
}

static void show_in(const char *path, const char *folder, char **known, size_t known_count)
{
    struct convert_charsets *charsets = convert_charsets_new();
    struct strbuf mail, content, html;
    struct convert_in_message message;
    strbuf_init(&mail, (size_t)1 << 30);
    strbuf_init(&content, (size_t)2 << 30);
    strbuf_init(&html, CONVERT_RENDERED_MAX);
    read_file(path, &mail);
    struct convert_input input = convert_input_of(mail.data, mail.len);
    const struct convert_in_options options = { .names_others = true,
                                                .known = (const char *const *)known,
                                                .known_count = known_count };
    convert_mime_in(charsets, &input, &options, collect, &content, &message);
    struct pictures pictures = { .message = &message };
    if (convert_markdown_to_html(&html, content.data, (size_t)message.body_size, find_image, &pictures) != 1) {
        strbuf_clear(&html);
        convert_markdown_begin_html(&html);
        convert_markdown_add_preformatted_html(&html, content.data, (size_t)message.body_size);
        convert_markdown_end_html(&html);
    }
    write_file(folder, "body.md", content.data, (size_t)message.body_size);
    write_file(folder, "body.html", html.data, html.len);
    write_description(folder, &message);
    const char *data = content.data + message.body_size;
    for (size_t i = 0; i < message.attachment_count; data += message.attachments[i++].size) {
        char number[24];
        snprintf(number, sizeof number, "%zu", i + 1);
        write_file(folder, number, data, (size_t)message.attachments[i].size);
    }
    convert_in_message_free(&message);
    strbuf_free(&mail);
    strbuf_free(&content);
    strbuf_free(&html);
    convert_charsets_free(&charsets);
}

/* ---- thread message -> mail ---- */

static void show_out(const char *path, const char *folder, char **given, size_t count)
{
    struct convert_out_attachment *attachments = xcalloc(count + 1, sizeof *attachments);
    size_t attached = 0;
    struct strbuf content, mail, detail, intro, quoted;
    strbuf_init(&intro, CONVERT_QUOTE_LINE_MAX);
    strbuf_init(&quoted, CONVERT_MARKDOWN_MAX);
    strbuf_init(&content, (size_t)1 << 30);
    strbuf_init(&mail, (size_t)2 << 30);
    strbuf_init(&detail, CONVERT_DETAIL_MAX * 4);
    read_file(path, &content);
    size_t body_size = content.len;
    for (size_t i = 0; i < count; i++) {
        char *equals = strchr(given[i], '=');
        if (!equals)
            fail("expected NAME=FILE", given[i]);
        *equals = '\0';
        if (strcmp(given[i], "intro") == 0 || strcmp(given[i], "text") == 0) {
            read_file(equals + 1, given[i][0] == 'i' ? &intro : &quoted);
            continue;
        }
        size_t before = content.len;
        read_file(equals + 1, &content);
        attachments[attached++] = (struct convert_out_attachment){ .name = given[i], .size = content.len - before };
    }
    const struct convert_out_job job = { .content = content.data,
                                         .body_size = body_size,
                                         .attachments = attachments,
                                         .attachment_count = attached,
                                         .answered_intro = quoted.len > 0 ? intro.data : NULL,
                                         .answered_text = quoted.len > 0 ? quoted.data : NULL,
                                         .seed = 1 };
    convert_mime_out(&job, collect, &mail, &detail);
    write_file(folder, "mail.eml", mail.data, mail.len);
    if (detail.len > 0)
        printf("%s\n", detail.data);
    free(attachments);
    strbuf_free(&intro);
    strbuf_free(&quoted);
    strbuf_free(&content);
    strbuf_free(&mail);
    strbuf_free(&detail);
}

int main(int argc, char **argv)
{
    if (argc >= 4 && strcmp(argv[1], "in") == 0) {
        show_in(argv[2], argv[3], argv + 4, (size_t)argc - 4);
    } else if (argc >= 4 && strcmp(argv[1], "out") == 0) {
        show_out(argv[2], argv[3], argv + 4, (size_t)argc - 4);
    } else {
        fprintf(stderr, "usage: convert_show in MAIL FOLDER [ADDRESS ...] | out BODY FOLDER [NAME=FILE ...]\n");
        return 2;
    }
    return 0;
}
