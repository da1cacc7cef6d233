#include "smtp/mail_header.h"
#include "smtp/mail_header_internal.h"

#include <string.h>

bool mail_header_is_blank(char c)
{
    return c == ' ' || c == '\t';
}

bool mail_header_is_atext(char c)
{
    bool is_alphanumeric = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    return is_alphanumeric || (unsigned char)c >= 0x80 || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

int mail_header_skip_cfws(const char **at, const char *end)
{
    size_t depth = 0;
    for (; *at < end; (*at)++) {
        char c = **at;
        if (c == '(') {
            depth++;
        } else if (depth == 0) {
            if (!mail_header_is_blank(c))
                return 1;
        } else if (c == ')') {
            depth--;
        } else if (c == '\\') {
            (*at)++;
            if (*at == end)
                return -1;
        }
    }
    return depth == 0 ? 1 : -1;
}

int mail_header_skip_quoted(const char **at, const char *end)
{
    for (const char *p = *at + 1; p < end; p++) {
        if (*p == '"') {
            *at = p + 1;
            return 1;
        }
        if (*p == '\\')
            p++;
    }
    return -1;
}

static bool is_id(const char *id, size_t len)
{
    return len > 0 && len <= MAIL_HEADER_ID_MAX && memchr(id, ' ', len) == NULL && memchr(id, '<', len) == NULL &&
           smtp_text_is_clean_utf8(id, len);
}

int mail_header_next_id(const char **at, const char *end, const char **id_out, size_t *len_out)
{
    while (*at < end) {
        if (**at == '(') {
            if (mail_header_skip_cfws(at, end) != 1)
                return 0;
            continue;
        }
        if (**at == '"') {
            if (mail_header_skip_quoted(at, end) != 1)
                return 0;
            continue;
        }
        if (**at != '<') {
            (*at)++;
            continue;
        }
        const char *id = *at + 1;
        const char *close = memchr(id, '>', (size_t)(end - id));
        if (close == NULL)
            return 0;
        *at = close + 1;
        if (is_id(id, (size_t)(close - id))) {
            *id_out = id;
            *len_out = (size_t)(close - id);
            return 1;
        }
    }
    return 0;
}
