/* Replies of others, line by line, and back. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "smtp/smtp_parser.h"
#include "smtp/smtp_reply.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct smtp_reply reply = { .code = 0 };
    const char *line = (const char *)data;
    const char *end = line + size;
    int result = 0;
    while (result == 0 && line < end) {
        const char *line_feed = memchr(line, '\n', (size_t)(end - line));
        size_t len = (size_t)((line_feed ? line_feed : end) - line);
        result = smtp_reply_parse_line(line, len, &reply);
        line += len + 1;
    }
    if (result != 1)
        return 0;
    require(reply.code >= 200 && reply.code <= 599);
    for (size_t i = 0; reply.text[i] != '\0';) {
        size_t length = smtp_utf8_sequence(reply.text + i, strlen(reply.text + i));
        require(length > 0 && (unsigned char)reply.text[i] >= ' ');
        i += length;
    }
    struct strbuf out;
    strbuf_init(&out, 1000);
    smtp_reply_compose(&reply, &out);
    require(strbuf_ok(&out) && out.len <= 512);
    require(memchr(out.data, '\n', out.len) == out.data + out.len - 1);
    struct smtp_reply again = { .code = 0 };
    require(smtp_reply_parse_line(out.data, out.len - 2, &again) == 1);
    require(again.code == reply.code);
    strbuf_free(&out);
    return 0;
}
