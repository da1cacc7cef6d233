#include <string.h>

#include "smtp/smtp_client_internal.h"

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
        if (*data == '.' && !stuffing->in_line)
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
    strbuf_add_str(out, ".\r\n");
}
