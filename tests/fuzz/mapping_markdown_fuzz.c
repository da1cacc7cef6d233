/* CommonMark as mail: the HTML has no tags but ours, no links but the allowed ones and loads nothing; the text is proper
 * format=flowed; the mail is 7-bit with proper lines. A first octet above 127 has the rest attached as forms. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "mapping/convert_markdown.h"
#include "mapping/convert_mime_out.h"
#include "mapping/convert_transfer.h"
#include "mapping/convert_utf8.h"

static bool begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Behind a tag's name: its attributes are ours, and nothing in them ends them early. Returns the end of the tag. */
static const char *check_attributes(const char *at)
{
    static const char *const allowed[] = {
        " align=\"left\"",
        " align=\"center\"",
        " align=\"right\"",
        " dir=\"auto\"",
        " style=\"margin:0 0 0 .8ex;border-left:2px solid #999;padding-left:1ex\"",
        " style=\"background:rgba(128,128,128,.15)\"",
        " style=\"background:rgba(128,128,128,.15);padding:1ex;white-space:pre-wrap\"",
        " style=\"white-space:pre-wrap\"",
        " style=\"font-family:Arial,sans-serif\"",
        " border=\"1\" cellpadding=\"4\" style=\"border-collapse:collapse\"",
        " style=\"max-width:100%;height:auto\"",
        " src=\"cid:1.0000000000001234@postern.invalid\"",
        " type=\"cite\"",
        " charset=\"utf-8\"",
        " name=\"color-scheme\" content=\"light dark\"",
        " name=\"supported-color-schemes\" content=\"light dark\"",
    };
    static const char *const free_text[] = { " alt=\"", " href=\"http://", " href=\"https://",
                                             " href=\"mailto:", " start=\"" };
    while (*at == ' ') {
        size_t n = 0;
        for (size_t i = 0; n == 0 && i < sizeof allowed / sizeof allowed[0]; i++) {
            if (begins(at, allowed[i]))
                n = strlen(allowed[i]);
        }
        for (size_t i = 0; n == 0 && i < sizeof free_text / sizeof free_text[0]; i++) {
            if (strncasecmp(at, free_text[i], strlen(free_text[i])) == 0)
                n = strlen(free_text[i]) + strcspn(at + strlen(free_text[i]), "\"<>") + 1;
        }
        if (n == 0 || at[n - 1] != '"')
            abort();
        at += n;
    }
    if (*at != '>')
        abort();
    return at;
}

static const char *check_tag(const char *tag)
{
    static const char *const names[] = { "html",       "head", "meta", "body",   "p",  "br", "hr",    "ul", "ol", "li",
                                         "pre",        "code", "em",   "strong", "s",  "a",  "table", "tr", "th", "td",
                                         "blockquote", "img",  "h1",   "h2",     "h3", "h4", "h5",    "h6" };
    if (begins(tag, "<!DOCTYPE html>"))
        return tag + strlen("<!DOCTYPE html>") - 1;
    const char *name = tag + 1 + (tag[1] == '/');
    size_t len = strcspn(name, " >");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strlen(names[i]) == len && strncmp(names[i], name, len) == 0)
            return check_attributes(name + len);
    }
    abort();
}

static void check_html(const char *html, size_t len)
{
    if (!convert_utf8_is_valid(html, len))
        abort();
    for (const char *c = html; *c; c++) {
        if (*c == '<')
            c = check_tag(c);
        else if (*c == '>')
            abort();
    }
}

/* Only lines that go on, and the one before a signature, end with a blank; only quotes begin with their mark. */
static void check_flowed(const char *text, size_t len)
{
    if (!convert_utf8_is_valid(text, len))
        abort();
    for (const char *line = text; *line;) {
        size_t n = strcspn(line, "\n");
        if (line[n] != '\n' || begins(line, "From "))
            abort();
        bool goes_on = n > 0 && line[n - 1] == ' ' && !(n == 3 && begins(line, "-- "));
        if (goes_on && (line[n + 1] == '\0' || line[n + 1] == '\n'))
            abort();
        line += n + 1;
    }
}

static void collect(const void *data, size_t len, void *ctx)
{
    strbuf_add(ctx, data, len);
}

static void check_lines(const struct strbuf *mail)
{
    size_t column = 0;
    for (size_t i = 0; i < mail->len; i++) {
        bool is_end = mail->data[i] == '\r' && mail->data[i + 1] == '\n';
        column = is_end ? 0 : column + 1;
        if (mail->data[i] & 0x80 || (!is_end && (mail->data[i] == '\r' || mail->data[i] == '\n')) || column > 998)
            abort();
        i += is_end;
    }
}

/* What the part holds that begins with this type. */
static void check_part(const struct strbuf *mail, const char *type, void (*check)(const char *text, size_t len))
{
    struct strbuf decoded, text;
    const char *header = strstr(mail->data, type);
    if (!header)
        return;
    strbuf_init(&decoded, (size_t)64 << 20);
    strbuf_init(&text, (size_t)64 << 20);
    const char *encoding = strstr(header, "Encoding: ") + strlen("Encoding: ");
    const char *start = strstr(header, "\r\n\r\n") + 4, *end = strstr(start, "\r\n--=_");
    enum convert_transfer transfer = *encoding == '7'   ? CONVERT_TRANSFER_IDENTITY
                                     : *encoding == 'b' ? CONVERT_TRANSFER_BASE64
                                                        : CONVERT_TRANSFER_QP;
    convert_transfer_decode(transfer, start, end ? (size_t)(end - start) : strlen(start), NULL, collect, &decoded);
    for (size_t i = 0; i < decoded.len; i++) {
        if (decoded.data[i] != '\r')
            strbuf_add_char(&text, decoded.data[i]);
    }
    check(text.data, text.len);
    strbuf_free(&decoded);
    strbuf_free(&text);
}

static void check_mail(const char *content, size_t body_len, size_t len)
{
    struct strbuf mail, detail;
    strbuf_init(&mail, (size_t)64 << 20);
    strbuf_init(&detail, 10000);
    const struct convert_out_attachment attachments[] = {
        { .name = "u:a.png" },
        { .name = "u:b" },
        { .name = "f:f", .size = (len - body_len) / 2, .ffn = "a/b" },
        { .name = "r:f", .size = len - body_len - (len - body_len) / 2, .ffn = "a/b" },
    };
    struct convert_out_job job = {
        .content = content, .body_size = body_len, .attachments = attachments, .attachment_count = 4, .seed = 0x1234
    };
    job.answered_intro = "Bob wrote:";
    job.answered_text = "> *a*\n";
    convert_mime_out(&job, collect, &mail, &detail);
    check_lines(&mail);
    check_part(&mail, "\r\n--=_1_0000000000001234\r\nContent-Type: text/plain; charset=utf-8; format=flowed\r\n",
               check_flowed);
    check_part(&mail, "\r\n--=_1_0000000000001234\r\nContent-Type: text/html; charset=utf-8\r\n", check_html);
    check_part(&mail, "\r\n--=_2_0000000000001234\r\nContent-Type: text/html; charset=utf-8\r\n", check_html);
    strbuf_free(&mail);
    strbuf_free(&detail);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct strbuf out;
    size_t body_len = size > 0 && data[0] > 127 ? size * (data[0] - 128U) / 128 : size;
    strbuf_init(&out, (size_t)8 << 20);
    if (convert_markdown_to_text(&out, (const char *)data, size) == 1 && !convert_utf8_is_valid(out.data, out.len))
        abort();
    strbuf_free(&out);
    check_mail((const char *)data, body_len, size);
    return 0;
}
