/* CommonMark as mail: the HTML has no tags but ours and no links but the allowed ones, and the mail is 7-bit with
 * proper lines. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "mapping/convert_markdown.h"
#include "mapping/convert_mime_out.h"
#include "mapping/convert_utf8.h"

static const char *find_image(const char *name, void *ctx)
{
    (void)ctx;
    return name[2] == 'a' ? "1@x" : NULL;
}

static bool begins(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static void check_tag(const char *tag)
{
    static const char *const allowed[] = {
        "<!DOCTYPE html>",
        "<html>",
        "</html>",
        "<head>",
        "</head>",
        "<meta charset=\"utf-8\">",
        "<body>",
        "</body>",
        "<p>",
        "</p>",
        "<br>",
        "<hr>",
        "<ul>",
        "</ul>",
        "<ol>",
        "<ol start=\"",
        "</ol>",
        "<li>",
        "</li>",
        "<pre>",
        "</pre>",
        "<code>",
        "</code>",
        "<em>",
        "</em>",
        "<strong>",
        "</strong>",
        "<del>",
        "</del>",
        "<blockquote>",
        "</blockquote>",
        "<table border=\"1\">",
        "</table>",
        "<tr>",
        "</tr>",
        "<th>",
        "</th>",
        "<td>",
        "</td>",
        "</a>",
        "<img src=\"cid:1@x\" alt=\"",
    };
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
        if (begins(tag, allowed[i]))
            return;
    }
    bool is_heading = (begins(tag, "<h") && tag[2] >= '1' && tag[2] <= '6' && tag[3] == '>') ||
                      (begins(tag, "</h") && tag[3] >= '1' && tag[3] <= '6' && tag[4] == '>');
    const char *url = begins(tag, "<a href=\"") ? tag + strlen("<a href=\"") : NULL;
    bool is_link = url && (strncasecmp(url, "http://", 7) == 0 || strncasecmp(url, "https://", 8) == 0 ||
                           strncasecmp(url, "mailto:", 7) == 0);
    if (!is_heading && !is_link)
        abort();
}

static void check_html(const struct strbuf *html)
{
    if (!convert_utf8_is_valid(html->data, html->len))
        abort();
    for (const char *c = html->data; *c; c++) {
        if (*c == '<')
            check_tag(c);
    }
}

static void collect(const void *data, size_t len, void *ctx)
{
    strbuf_add(ctx, data, len);
}

static void check_mail(const char *body, size_t len)
{
    struct strbuf mail, detail;
    strbuf_init(&mail, (size_t)64 << 20);
    strbuf_init(&detail, 10000);
    static const struct convert_out_attachment attachments[] = { { "u:a.png", 0 }, { "u:b", 0 } };
    const struct convert_out_job job = {
        .content = body, .body_size = len, .attachments = attachments, .attachment_count = 2
    };
    convert_mime_out(&job, collect, &mail, &detail);
    for (size_t i = 0; i < mail.len; i++) {
        bool is_end = mail.data[i] == '\r' && mail.data[i + 1] == '\n';
        if (mail.data[i] & 0x80 || (!is_end && (mail.data[i] == '\r' || mail.data[i] == '\n')))
            abort();
        i += is_end;
    }
    strbuf_free(&mail);
    strbuf_free(&detail);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct strbuf out;
    strbuf_init(&out, (size_t)8 << 20);
    if (convert_markdown_to_html(&out, (const char *)data, size, find_image, NULL) == 1)
        check_html(&out);
    strbuf_clear(&out);
    if (convert_markdown_to_text(&out, (const char *)data, size) == 1 && !convert_utf8_is_valid(out.data, out.len))
        abort();
    strbuf_free(&out);
    check_mail((const char *)data, size);
    return 0;
}
