#include "smtp/smtp_params.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "smtp/smtp_parser.h"
#include "smtp/smtp_xtext.h"

struct slice {
    const char *text;
    size_t len;
};

/* Where the values go: one of the two. */
struct target {
    struct smtp_mail_params *mail;
    struct smtp_rcpt_params *rcpt;
    bool is_smtputf8; /* of a RCPT: what its MAIL has said */
};

static bool slice_is(struct slice slice, const char *keyword)
{
    return slice.len == strlen(keyword) && strncasecmp(slice.text, keyword, slice.len) == 0;
}

/* --- values --- */

static int hex_digit(char c)
{
    return smtp_xtext_digit(c, SMTP_XTEXT_CAPITALS);
}

/* RFC 3461 section 4: printable ASCII but "+" and "=", and "+" with two digits. What is encoded must be printable, too
 * (sections 4.2 and 4.4): a report is going to say it in a header. */
static bool is_xtext(struct slice value)
{
    size_t used;
    for (size_t i = 0; i < value.len; i += used) {
        int c = smtp_xtext_octet(value.text + i, value.len - i, SMTP_XTEXT_CAPITALS, &used);
        bool is_encoded = c >= 0 && used > 1;
        if (c < ' ' || c > '~' || (!is_encoded && (c == ' ' || c == '=')))
            return false;
    }
    return value.len > 0;
}

/* "\x{HEX}" (RFC 6533 section 3): its length, 0 if it is none. What it stands for is a character and printable. */
static size_t embedded_character(struct slice value)
{
    static const char start[] = "\\x{";
    enum { START = sizeof start - 1, DIGITS_MAX = 6 };
    if (value.len < START || memcmp(value.text, start, START) != 0)
        return 0;
    unsigned long point = 0;
    size_t i = START;
    for (; i < value.len && i < START + DIGITS_MAX && hex_digit(value.text[i]) >= 0; i++)
        point = 16 * point + (unsigned long)hex_digit(value.text[i]);
    bool is_control = point < 0x20 || (point >= 0x7f && point < 0xa0);
    bool is_surrogate = point >= 0xd800 && point < 0xe000;
    if (i < START + 2 || i == value.len || value.text[i] != '}' || is_control || is_surrogate || point > 0x10ffff)
        return 0;
    return i + 1;
}

/* utf-8-addr-xtext, and with SMTPUTF8 utf-8-addr-unitext (RFC 6533 section 3). */
static bool is_utf8_xtext(struct slice value, bool is_smtputf8)
{
    for (size_t i = 0; i < value.len;) {
        struct slice rest = { value.text + i, value.len - i };
        unsigned char c = (unsigned char)rest.text[0];
        size_t length = smtp_utf8_sequence(rest.text, rest.len);
        bool is_c1 = c == 0xc2 && length == 2 && (unsigned char)rest.text[1] < 0xa0;
        if (c == '\\')
            length = embedded_character(rest);
        else if (c >= 0x80 ? !is_smtputf8 || is_c1 : c <= ' ' || c == 0x7f || c == '+' || c == '=')
            return false;
        if (length == 0)
            return false;
        i += length;
    }
    return value.len > 0;
}

/* --- parameters of MAIL --- */

/* RFC 1870 section 3: up to 20 digits. Those that do not fit 63 bits are no size that anybody means. */
static bool read_size(struct slice value, const struct target *target)
{
    int64_t size = 0;
    for (size_t i = 0; i < value.len; i++) {
        if (!isdigit((unsigned char)value.text[i]) || __builtin_mul_overflow(size, 10, &size) ||
            __builtin_add_overflow(size, value.text[i] - '0', &size))
            return false;
    }
    target->mail->size = size;
    return true;
}

static bool read_body(struct slice value, const struct target *target)
{
    if (slice_is(value, "8BITMIME"))
        target->mail->body = SMTP_BODY_8BITMIME;
    else if (slice_is(value, "BINARYMIME"))
        target->mail->body = SMTP_BODY_BINARYMIME;
    return target->mail->body != SMTP_BODY_7BIT || slice_is(value, "7BIT");
}

static bool read_smtputf8(struct slice value, const struct target *target)
{
    (void)value;
    target->mail->is_smtputf8 = true;
    return true;
}

static bool read_ret(struct slice value, const struct target *target)
{
    if (slice_is(value, "FULL"))
        target->mail->ret = SMTP_DSN_RET_FULL;
    else if (slice_is(value, "HDRS"))
        target->mail->ret = SMTP_DSN_RET_HDRS;
    return target->mail->ret != SMTP_DSN_RET_NONE;
}

static bool read_envid(struct slice value, const struct target *target)
{
    if (value.len > SMTP_ENVID_MAX || !is_xtext(value))
        return false;
    memcpy(target->mail->envid, value.text, value.len);
    return true;
}

/* --- parameters of RCPT --- */

static bool read_notify(struct slice value, const struct target *target)
{
    static const struct {
        const char *keyword;
        unsigned bit;
    } conditions[] = {
        { "SUCCESS", SMTP_DSN_NOTIFY_SUCCESS },
        { "FAILURE", SMTP_DSN_NOTIFY_FAILURE },
        { "DELAY", SMTP_DSN_NOTIFY_DELAY },
        { "NEVER", SMTP_DSN_NOTIFY_NEVER },
    };
    unsigned notify = 0;
    for (size_t at = 0; at <= value.len;) {
        const char *comma = memchr(value.text + at, ',', value.len - at);
        struct slice word = { value.text + at, comma ? (size_t)(comma - value.text) - at : value.len - at };
        unsigned bit = 0;
        for (size_t i = 0; i < sizeof conditions / sizeof conditions[0]; i++) {
            if (slice_is(word, conditions[i].keyword))
                bit = conditions[i].bit;
        }
        if (bit == 0)
            return false;
        notify |= bit;
        at += word.len + 1;
    }
    target->rcpt->notify = notify;
    return !(notify & SMTP_DSN_NOTIFY_NEVER) || notify == SMTP_DSN_NOTIFY_NEVER;
}

/* addr-type ";" xtext. The type is an atom; of those that there are, and that "X-" leaves room for, letters, digits and
 * hyphens are enough. */
static bool read_orcpt(struct slice value, const struct target *target)
{
    const char *semicolon = memchr(value.text, ';', value.len);
    if (!semicolon || semicolon == value.text || value.len > SMTP_ORCPT_MAX)
        return false;
    struct slice type = { value.text, (size_t)(semicolon - value.text) };
    struct slice address = { semicolon + 1, value.len - type.len - 1 };
    for (size_t i = 0; i < type.len; i++) {
        if (!isalnum((unsigned char)type.text[i]) && type.text[i] != '-')
            return false;
    }
    if (slice_is(type, "utf-8") ? !is_utf8_xtext(address, target->is_smtputf8) : !is_xtext(address))
        return false;
    target->rcpt->orcpt = value.text;
    target->rcpt->orcpt_len = value.len;
    return true;
}

/* --- lists of parameters --- */

struct param {
    const char *keyword; /* NULL: the end of the table */
    bool has_value;
    bool (*read)(struct slice value, const struct target *target);
};

static const struct param mail_params[] = {
    { "SIZE", true, read_size }, { "BODY", true, read_body },   { "SMTPUTF8", false, read_smtputf8 },
    { "RET", true, read_ret },   { "ENVID", true, read_envid }, { 0 },
};

static const struct param rcpt_params[] = {
    { "NOTIFY", true, read_notify },
    { "ORCPT", true, read_orcpt },
    { 0 },
};

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

static const struct param *find_param(const struct param *params, struct slice keyword)
{
    for (; params->keyword; params++) {
        if (slice_is(keyword, params->keyword))
            return params;
    }
    return NULL;
}

static struct smtp_reply unknown_param(struct slice keyword)
{
    for (size_t i = 0; i < keyword.len; i++) {
        if (!isalnum((unsigned char)keyword.text[i]) && keyword.text[i] != '-')
            return smtp_reply_make(501, "5.5.4", "Not a parameter");
    }
    /* RFC 8689: who asks for it wants the mail back rather than this. */
    if (slice_is(keyword, "REQUIRETLS"))
        return smtp_reply_make(555, "5.7.30",
                               "REQUIRETLS is not offered: what becomes of mail here is not SMTP any more");
    int len = keyword.len > 40 ? 40 : (int)keyword.len;
    return smtp_reply_make(len > 0 ? 555 : 501, "5.5.4", "Unsupported parameter %.*s", len, keyword.text);
}

static int read_params(const struct param *params, struct slice rest, const struct target *target,
                       struct smtp_reply *reply_out)
{
    unsigned seen = 0; /* a bit for each row */
    struct slice keyword;
    struct slice value;
    while (next_param(&rest, &keyword, &value)) {
        const struct param *param = find_param(params, keyword);
        if (!param) {
            *reply_out = unknown_param(keyword);
            return -1;
        }
        unsigned bit = 1U << (param - params);
        bool is_well_formed = param->has_value ? value.len > 0 : value.text == NULL;
        if ((seen & bit) || !is_well_formed || !param->read(value, target)) {
            *reply_out =
                smtp_reply_make(501, "5.5.4", "%s parameter %s", seen & bit ? "Repeated" : "Bad", param->keyword);
            return -1;
        }
        seen |= bit;
    }
    return 1;
}

int smtp_params_parse_mail(const char *text, size_t len, struct smtp_mail_params *params_out,
                           struct smtp_reply *reply_out)
{
    struct smtp_mail_params params = { .size = -1 };
    struct target target = { .mail = &params };
    int result = read_params(mail_params, (struct slice){ text, len }, &target, reply_out);
    if (result == 1)
        *params_out = params;
    return result;
}

int smtp_params_parse_rcpt(const char *text, size_t len, bool is_smtputf8, struct smtp_rcpt_params *params_out,
                           struct smtp_reply *reply_out)
{
    struct smtp_rcpt_params params = { 0 };
    struct target target = { .rcpt = &params, .is_smtputf8 = is_smtputf8 };
    int result = read_params(rcpt_params, (struct slice){ text, len }, &target, reply_out);
    if (result == 1)
        *params_out = params;
    return result;
}
