/* Fuzzing smtp_dsn: whatever the strangers' values and the original are, the report is a message whose own header and
 * status nobody else has written. The input is the values, one a line, then after an empty line the original. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "smtp/smtp_dsn.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { VALUES = 7, VALUE_MAX = 600, REPORT_MAX = 4 * 1024 * 1024 };

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* The next line as a string, without its end. */
static const uint8_t *take_value(const uint8_t *at, const uint8_t *end, char out[static VALUE_MAX + 1])
{
    const uint8_t *line_end = memchr(at, '\n', (size_t)(end - at));
    size_t len = (size_t)((line_end ? line_end : end) - at);
    size_t used = len < VALUE_MAX ? len : VALUE_MAX;
    memcpy(out, at, used);
    out[used] = 0;
    return line_end ? line_end + 1 : end;
}

/* Every line ends with CRLF, has no NUL, and is 7-bit unless something else was said. Only in what is returned may a line be long. */
static void check(const struct strbuf *report, struct smtp_dsn_needs needs)
{
    for (size_t i = 0; i < report->len; i++) {
        unsigned char c = (unsigned char)report->data[i];
        require(c != 0 && (c < 128 || needs.is_8bit));
        if (c == '\n')
            require(i > 0 && report->data[i - 1] == '\r');
        if (c == '\r')
            require(i + 1 < report->len && report->data[i + 1] == '\n');
    }
    const char *end = strstr(report->data, "\r\n\r\n");
    require(end != NULL);
    size_t fields = 0;
    for (const char *p = report->data; p && p < end; p = strstr(p, "\r\n"), p = p ? p + 2 : NULL)
        fields += *p != '\t';
    require(fields >= 8 && fields <= 11);
    require(strstr(report->data, "\r\n--0123456789abcdefghij--\r\n") == report->data + report->len - 28);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char values[VALUES][VALUE_MAX + 1];
    const uint8_t *at = data, *end = data + size;
    struct smtp_dsn_needs needs;
    struct strbuf out;
    if (size < 2)
        return 0;
    uint8_t flags = *at++;
    for (size_t i = 0; i < VALUES; i++)
        at = take_value(at, end, values[i]);
    struct smtp_dsn_recipient recipient = {
        .address = values[0],
        .original = flags & 1 ? values[1] : NULL,
        .action = flags & 2 ? SMTP_DSN_FAILED : SMTP_DSN_DELIVERED,
        .status = "5.0.0",
        .explanation = values[2],
        .diagnostic = flags & 4 ? values[3] : NULL,
        .remote_mta = flags & 8 ? values[6] : NULL,
    };
    struct smtp_dsn dsn = {
        .reporting_mta = "gw.example.org",
        .from = "MAILER-DAEMON@example.org",
        .to = values[4],
        .message_id = "report@gw.example.org",
        .references = flags & 16 ? values[6] : NULL,
        .boundary = "0123456789abcdefghij",
        .envelope_id = values[5],
        .date = 1795674505123,
        .arrived_at = 1795674505123,
        .recipients = &recipient,
        .recipient_count = 1,
        .original = flags & 32 ? NULL : (const char *)at,
        .original_len = flags & 32 ? 0 : (size_t)(end - at),
        .original_is_whole = flags & 64,
        .return_all = flags & 128,
    };
    strbuf_init(&out, REPORT_MAX);
    if (smtp_dsn_compose(&dsn, &out, &needs) == 1)
        check(&out, needs);
    strbuf_free(&out);
    return 0;
}
