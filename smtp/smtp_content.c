#include "smtp/smtp_content.h"

#include <string.h>

void smtp_content_check_init(struct smtp_content_check *check, bool is_binary)
{
    *check = (struct smtp_content_check){ .is_binary = is_binary };
}

/* Octets among which there is no LF. */
static void read_segment(struct smtp_content_check *check, const uint8_t *data, size_t len)
{
    if (len == 0)
        return;
    if (check->after_cr) {
        check->defects |= SMTP_DEFECT_BARE_CR;
        check->line_began = true;
    }
    if (memchr(data, '\0', len))
        check->defects |= SMTP_DEFECT_NUL;
    const uint8_t *cr = memchr(data, '\r', len);
    if (cr && cr < data + len - 1)
        check->defects |= SMTP_DEFECT_BARE_CR;
    check->after_cr = data[len - 1] == '\r';
    check->line_began = check->line_began || len > check->after_cr;
}

static void read_line_feed(struct smtp_content_check *check)
{
    if (!check->after_cr) {
        check->defects |= SMTP_DEFECT_BARE_LF;
        check->line_began = true; /* not an empty line to everybody, so it does not end the header section */
        return;
    }
    if (!check->line_began)
        check->is_free = check->is_binary;
    check->after_cr = false;
    check->line_began = false;
}

void smtp_content_check_feed(struct smtp_content_check *check, const uint8_t *data, size_t len)
{
    const uint8_t *end = data + len;
    while (data < end && !check->is_free) {
        const uint8_t *line_feed = memchr(data, '\n', (size_t)(end - data));
        const uint8_t *stop = line_feed ? line_feed : end;
        read_segment(check, data, (size_t)(stop - data));
        if (line_feed)
            read_line_feed(check);
        data = line_feed ? line_feed + 1 : end;
    }
}

void smtp_content_check_finish(struct smtp_content_check *check)
{
    if (check->after_cr && !check->is_free)
        check->defects |= SMTP_DEFECT_BARE_CR;
}
