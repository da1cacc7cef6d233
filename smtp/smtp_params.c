#include "smtp/smtp_params.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

struct slice {
    const char *text;
    size_t len;
};

static bool slice_is(struct slice slice, const char *keyword)
{
    return slice.len == strlen(keyword) && strncasecmp(slice.text, keyword, slice.len) == 0;
}

/* RFC 1870 section 3: up to 20 digits. Those that do not fit 63 bits are no size that anybody means. */
static bool read_size(struct slice value, struct smtp_mail_params *params)
{
    int64_t size = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (!isdigit((unsigned char)value.text[i]) || __builtin_mul_overflow(size, 10, &size) ||
            __builtin_add_overflow(size, value.text[i] - '0', &size))
            return false;
    }
    params->size = size;
    return true;
}

static bool read_body(struct slice value, struct smtp_mail_params *params)
{
    params->is_8bit = slice_is(value, "8BITMIME");
    return params->is_8bit || slice_is(value, "7BIT");
}

static bool read_smtputf8(struct slice value, struct smtp_mail_params *params)
{
    (void)value;
    params->is_smtputf8 = true;
    return true;
}

static const struct mail_param {
    const char *keyword;
    bool has_value;
    bool (*read)(struct slice value, struct smtp_mail_params *params);
} mail_params[] = {
    { "SIZE", true, read_size },
    { "BODY", true, read_body },
    { "SMTPUTF8", false, read_smtputf8 },
};
enum { MAIL_PARAM_COUNT = sizeof mail_params / sizeof mail_params[0] };

/* Takes the next "keyword[=value]" from the front; false when there is none. Without "=", value->text is NULL. */
static bool next_param(struct slice *rest, struct slice *keyword_out, struct slice *value_out)
{
    while (rest->len > 0 && rest->text[0] == ' ') {
        rest->text++;
        rest->len--;
    }
    if (rest->len == 0)
        return false;
    const char *space = memchr(rest->text, ' ', rest->len);
    size_t len = space ? (size_t)(space - rest->text) : rest->len;
    const char *equals = memchr(rest->text, '=', len);
    *keyword_out = (struct slice){ rest->text, equals ? (size_t)(equals - rest->text) : len };
    *value_out = (struct slice){ NULL, 0 };
    if (equals)
        *value_out = (struct slice){ equals + 1, len - keyword_out->len - 1 };
    rest->text += len;
    rest->len -= len;
    return true;
}

static int find_mail_param(struct slice keyword)
{
    for (int i = 0; i < MAIL_PARAM_COUNT; i++) {
        if (slice_is(keyword, mail_params[i].keyword))
            return i;
    }
    return -1;
}

static struct smtp_reply unknown_param(struct slice keyword)
{
    for (size_t i = 0; i < keyword.len; i++) {
        if (!isalnum((unsigned char)keyword.text[i]) && keyword.text[i] != '-')
            return smtp_reply_make(501, "5.5.4", "Not a parameter");
    }
    int len = keyword.len > 40 ? 40 : (int)keyword.len;
    return smtp_reply_make(len > 0 ? 555 : 501, "5.5.4", "Unsupported parameter %.*s", len, keyword.text);
}

int smtp_params_parse_mail(const char *text, size_t len, struct smtp_mail_params *params_out,
                           struct smtp_reply *reply_out)
{
    struct smtp_mail_params params = { .size = -1 };
    bool seen[MAIL_PARAM_COUNT] = { false };
    struct slice rest = { text, len };
    struct slice keyword;
    struct slice value;
    while (next_param(&rest, &keyword, &value)) {
        int i = find_mail_param(keyword);
        if (i < 0) {
            *reply_out = unknown_param(keyword);
            return -1;
        }
        const struct mail_param *param = &mail_params[i];
        bool is_well_formed = param->has_value ? value.len > 0 : value.text == NULL;
        if (seen[i] || !is_well_formed || !param->read(value, &params)) {
            *reply_out = smtp_reply_make(501, "5.5.4", "%s parameter %s", seen[i] ? "Repeated" : "Bad", param->keyword);
            return -1;
        }
        seen[i] = true;
    }
    *params_out = params;
    return 1;
}

int smtp_params_parse_rcpt(const char *text, size_t len, struct smtp_reply *reply_out)
{
    struct slice rest = { text, len };
    struct slice keyword;
    struct slice value;
    if (!next_param(&rest, &keyword, &value))
        return 1;
    *reply_out = unknown_param(keyword);
    return -1;
}
