/* The author of a message, from its From field. What the policy believes here a member will see as the sender, so
 * there must be no value that we read one way and a mail program another way: the grammar is that of RFC 5322 without
 * what its section 4 calls obsolete, and everything else is refused rather than guessed.
 */
#include "smtp/mail_header_internal.h"

#include <string.h>

static bool is_word_char(char c)
{
    return mail_header_is_atext(c) || c == '.';
}

static void skip_word(const char **at, const char *end)
{
    while (*at < end && is_word_char(**at))
        (*at)++;
}

/* local-part "@" domain with nothing between them. 1 read; 0 something else stands here, and the cursor stays; -1 it
 * has an "@" but is no address. */
static int read_addr_spec(const char **at, const char *end, struct smtp_address *address_out)
{
    const char *p = *at;
    if (p < end && *p == '"') {
        if (mail_header_skip_quoted(&p, end) != 1)
            return -1;
    } else {
        skip_word(&p, end);
    }
    if (p == *at || p == end || *p != '@')
        return 0;
    p++;
    if (p < end && *p == '[') {
        const char *close = memchr(p, ']', (size_t)(end - p));
        if (close == NULL)
            return -1;
        p = close + 1;
    } else {
        skip_word(&p, end);
    }
    if (smtp_address_parse(*at, (size_t)(p - *at), address_out) != 1)
        return -1;
    *at = p;
    return 1;
}

/* Moves over a display name, which may be empty, to the "<" after it. Dots are allowed (they are everywhere), and so
 * are encoded words, which are made of atext; an "@", a comma, a colon or a bracket is not. */
static int skip_display_name(const char **at, const char *end)
{
    for (;;) {
        if (mail_header_skip_cfws(at, end) != 1 || *at == end)
            return -1;
        if (**at == '<')
            return 1;
        if (**at == '"') {
            if (mail_header_skip_quoted(at, end) != 1)
                return -1;
        } else if (is_word_char(**at)) {
            skip_word(at, end);
        } else {
            return -1;
        }
    }
}

/* "<addr-spec>" and nothing after it. A route ("<@a,@b:c@d>") is refused along with everything else that has no local
 * part. */
static int read_angle_addr(const char *at, const char *end, struct smtp_address *address_out)
{
    at++;
    if (mail_header_skip_cfws(&at, end) != 1 || read_addr_spec(&at, end, address_out) != 1)
        return -1;
    if (mail_header_skip_cfws(&at, end) != 1 || at == end || *at != '>')
        return -1;
    at++;
    return mail_header_skip_cfws(&at, end) == 1 && at == end ? 1 : -1;
}

static bool has_control(const char *value, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (((unsigned char)value[i] < 0x20 && value[i] != '\t') || value[i] == 0x7F)
            return true;
    }
    return false;
}

int mail_header_parse_from(const char *value, size_t len, struct smtp_address *address_out)
{
    const char *at = value;
    const char *end = value + len;
    if (has_control(value, len) || mail_header_skip_cfws(&at, end) != 1)
        return -1;

    struct smtp_address bare;
    int has_bare = read_addr_spec(&at, end, &bare);
    if (has_bare == -1)
        return -1;
    if (has_bare == 0)
        return skip_display_name(&at, end) == 1 ? read_angle_addr(at, end, address_out) : -1;

    if (mail_header_skip_cfws(&at, end) != 1)
        return -1;
    if (at == end) {
        *address_out = bare;
        return 1;
    }
    /* "bob@example.com <bob@example.com>" is not in the grammar but common, and harmless because both are the same. */
    if (*at != '<' || read_angle_addr(at, end, address_out) != 1)
        return -1;
    return smtp_address_equal(&bare, address_out) ? 1 : -1;
}
