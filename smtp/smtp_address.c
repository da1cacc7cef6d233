#include "smtp/smtp_address.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "smtp/smtp_idn.h"
#include "smtp/smtp_parser.h"
#include "smtp/smtp_punycode.h"

static bool is_letter_or_digit(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* atext of RFC 5322 section 3.2.3, with the UTF-8 that RFC 6532 adds (its validity is checked for the whole text). */
static bool is_atext(unsigned char c)
{
    return c >= 0x80 || is_letter_or_digit(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static void lower_all(char *text)
{
    for (; *text != '\0'; text++)
        *text = lower(*text);
}

bool smtp_text_is_clean_utf8(const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        size_t size = smtp_utf8_sequence(text + at, len - at);
        unsigned char c = (unsigned char)text[at];
        bool is_c1 = size == 2 && c == 0xC2 && (unsigned char)text[at + 1] < 0xA0;
        if (size == 0 || c < 0x20 || c == 0x7F || is_c1)
            return false;
        at += size;
    }
    return true;
}

static bool is_dot_atom(const char *text, size_t len)
{
    bool after_dot = true; /* so that neither the first nor the last word may be empty */
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '.' ? after_dot : !is_atext((unsigned char)text[i]))
            return false;
        after_dot = text[i] == '.';
    }
    return !after_dot;
}

/* Octets of the quoted string at the front with its quotes, 0 when it is not closed or holds what no quoted string
 * may. A backslash may stand before printable ASCII only. */
static size_t quoted_string_size(const char *text, size_t len)
{
    if (len == 0 || text[0] != '"')
        return 0;
    for (size_t i = 1; i < len; i++) {
        if (text[i] == '"')
            return i + 1;
        if (text[i] != '\\')
            continue;
        i++;
        if (i == len || (unsigned char)text[i] >= 0x80)
            return 0;
    }
    return 0;
}

/* Rewrites a quoted local part in its shortest form: without backslashes that change nothing, and without quotes if
 * what is left is a dot-atom. So "bob" and bob are stored and compared as one. Never longer than before. */
static void simplify_quoted(char *local)
{
    char inner[SMTP_LOCAL_MAX + 1] = "";
    size_t inner_len = 0;
    size_t len = strlen(local);
    for (size_t i = 1; i + 1 < len; i++) {
        if (local[i] == '\\')
            i++;
        inner[inner_len++] = local[i];
    }
    if (is_dot_atom(inner, inner_len)) {
        memcpy(local, inner, inner_len);
        local[inner_len] = '\0';
        return;
    }
    char quoted[2 * SMTP_LOCAL_MAX + 3] = "\"";
    size_t at = 1;
    for (size_t i = 0; i < inner_len; i++) {
        if (inner[i] == '"' || inner[i] == '\\')
            quoted[at++] = '\\';
        quoted[at++] = inner[i];
    }
    quoted[at++] = '"';
    quoted[at] = '\0';
    assert(at <= len); /* what needs a backslash had one, as smtp_address_parse() made sure */
    memcpy(local, quoted, at + 1);
}

/* The 63 octets of the DNS count for the form that it has: in UTF-8 a label can be longer (RFC 5890 section 4.2). */
static bool fits_label(const char *label, size_t len)
{
    char encoded[SMTP_LABEL_MAX + 1];
    return len > 0 && (len <= SMTP_LABEL_MAX || smtp_punycode_encode_label(label, len, encoded) == 1);
}

static bool is_domain_name(const char *text, size_t len)
{
    size_t label_len = 0;
    for (size_t i = 0; i <= len; i++) {
        if (i == len || text[i] == '.') {
            if (!fits_label(text + i - label_len, label_len) || text[i - 1] == '-' || text[i - label_len] == '-')
                return false;
            label_len = 0;
            continue;
        }
        unsigned char c = (unsigned char)text[i];
        if (!is_letter_or_digit(c) && c != '-' && c != '_' && c < 0x80)
            return false;
        label_len++;
    }
    return true;
}

/* "[192.0.2.1]" or "[IPv6:2001:db8::1]" (RFC 5321 section 4.1.3). Other tags are reserved and mean nothing to us. */
static bool is_address_literal(const char *text, size_t len)
{
    static const char tag[] = "IPv6:";
    char inner[INET6_ADDRSTRLEN + sizeof tag];
    if (len < 3 || len - 2 >= sizeof inner || text[0] != '[' || text[len - 1] != ']')
        return false;
    memcpy(inner, text + 1, len - 2);
    inner[len - 2] = '\0';
    struct in6_addr address;
    if (strncasecmp(inner, tag, sizeof tag - 1) == 0)
        return inet_pton(AF_INET6, inner + sizeof tag - 1, &address) == 1;
    return inet_pton(AF_INET, inner, &address) == 1;
}

int smtp_address_parse(const char *text, size_t len, struct smtp_address *address_out)
{
    memset(address_out, 0, sizeof *address_out);
    if (len == 0 || len > SMTP_ADDRESS_MAX + 1 || !smtp_text_is_clean_utf8(text, len))
        return -1;
    size_t local_len;
    if (text[0] == '"') {
        local_len = quoted_string_size(text, len);
    } else {
        const char *at = memchr(text, '@', len);
        local_len = at == NULL ? 0 : (size_t)(at - text);
        if (!is_dot_atom(text, local_len))
            return -1;
    }
    if (local_len == 0 || local_len > SMTP_LOCAL_MAX || local_len == len || text[local_len] != '@')
        return -1;
    const char *domain = text + local_len + 1;
    size_t domain_len = len - local_len - 1;
    if (domain_len > 0 && domain[domain_len - 1] == '.')
        domain_len--;
    if (domain_len == 0 || local_len + 1 + domain_len > SMTP_ADDRESS_MAX)
        return -1;
    if (domain[0] == '[' ? !is_address_literal(domain, len - local_len - 1) : !is_domain_name(domain, domain_len))
        return -1;
    memcpy(address_out->local, text, local_len);
    memcpy(address_out->domain, domain, domain_len);
    if (text[0] == '"')
        simplify_quoted(address_out->local);
    return 1;
}

bool smtp_address_is_null(const struct smtp_address *address)
{
    return address->local[0] == '\0';
}

static bool has_octet_beyond_ascii(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text >= 0x80)
            return true;
    }
    return false;
}

bool smtp_address_is_utf8(const struct smtp_address *address)
{
    return has_octet_beyond_ascii(address->local) || has_octet_beyond_ascii(address->domain);
}

int smtp_address_to_ascii(const struct smtp_address *address, struct smtp_address *ascii_out)
{
    struct smtp_address ascii = *address;
    if (has_octet_beyond_ascii(address->local))
        return -1;
    size_t len = 0, limit = SMTP_ADDRESS_MAX - strlen(address->local) - 1;
    for (const char *label = address->domain; has_octet_beyond_ascii(address->domain); label++) {
        char encoded[SMTP_LABEL_MAX + 1];
        size_t label_len = strcspn(label, ".");
        if (smtp_punycode_encode_label(label, label_len, encoded) != 1 || len + strlen(encoded) + 1 > limit)
            return -1;
        memcpy(ascii.domain + len, encoded, strlen(encoded));
        len += strlen(encoded);
        label += label_len;
        ascii.domain[len++] = *label;
        if (*label == '\0')
            break;
    }
    *ascii_out = ascii;
    return 1;
}

void smtp_address_format(const struct smtp_address *address, char out[static SMTP_ADDRESS_MAX + 2])
{
    out[0] = '\0';
    if (smtp_address_is_null(address))
        return;
    size_t local_len = strlen(address->local);
    size_t domain_len = strlen(address->domain);
    assert(local_len + 1 + domain_len <= SMTP_ADDRESS_MAX); /* as smtp_address_parse() leaves it */
    memcpy(out, address->local, local_len);
    out[local_len] = '@';
    memcpy(out + local_len + 1, address->domain, domain_len + 1);
}

/* Needs a library: labels in UTF-8, and those that claim to be the "xn--" form of one. */
static bool is_international(const char *domain)
{
    for (const char *at = domain; *at != '\0'; at++) {
        bool begins = at == domain || at[-1] == '.';
        if ((unsigned char)*at >= 0x80 || (begins && strncasecmp(at, "xn--", 4) == 0))
            return true;
    }
    return false;
}

/* "[ipv6:2001:DB8:0::1]" is "[ipv6:2001:db8::1]". */
static void shorten_literal(char *domain)
{
    static const char tag[] = "[ipv6:";
    char inner[INET6_ADDRSTRLEN];
    struct in6_addr address;
    size_t len = strlen(domain);
    if (strncmp(domain, tag, sizeof tag - 1) != 0 || len - sizeof tag >= sizeof inner)
        return;
    memcpy(inner, domain + sizeof tag - 1, len - sizeof tag);
    inner[len - sizeof tag] = '\0';
    if (inet_pton(AF_INET6, inner, &address) != 1 || !inet_ntop(AF_INET6, &address, inner, sizeof inner))
        return;
    size_t inner_len = strlen(inner);
    memcpy(domain + sizeof tag - 1, inner, inner_len);
    memcpy(domain + sizeof tag - 1 + inner_len, "]", 2);
}

static int ascii_form(const char *domain, char out[static SMTP_DOMAIN_MAX + 1])
{
    size_t len = strlen(domain);
    if (len > SMTP_DOMAIN_MAX)
        return -1;
    if (is_international(domain)) /* a dot of another script may have left a label empty */
        return smtp_idn_to_ascii(domain, out) == 1 && is_domain_name(out, strlen(out)) ? 1 : -1;
    memmove(out, domain, len + 1); /* they may be one */
    lower_all(out);
    if (len > 0 && out[len - 1] == '.')
        out[len - 1] = '\0';
    return 1;
}

static int literal_form(const char *domain, char out[static SMTP_DOMAIN_MAX + 1])
{
    size_t len = strlen(domain);
    if (len > SMTP_DOMAIN_MAX)
        return -1;
    memmove(out, domain, len + 1);
    lower_all(out);
    shorten_literal(out);
    return 1;
}

int smtp_address_canonicalise(struct smtp_address *address, enum smtp_case local_case)
{
    if (address->local[0] == '"')
        simplify_quoted(address->local);
    if (local_case == SMTP_CASE_FOLDED)
        lower_all(address->local);
    lower_all(address->domain);
    struct smtp_address canonical = *address;
    char *domain = canonical.domain;
    if ((domain[0] == '[' ? literal_form(domain, domain) : ascii_form(domain, domain)) != 1 ||
        (has_octet_beyond_ascii(canonical.local) && smtp_idn_compose(canonical.local, sizeof canonical.local) != 1) ||
        strlen(canonical.local) + 1 + strlen(canonical.domain) > SMTP_ADDRESS_MAX)
        return -1;
    *address = canonical;
    return 1;
}

void smtp_address_normalise(struct smtp_address *address)
{
    if (smtp_address_canonicalise(address, SMTP_CASE_FOLDED) != 1)
        return; /* it is as small as it gets */
}

bool smtp_address_drop_detail(struct smtp_address *address)
{
    bool is_quoted = address->local[0] == '"';
    char *plus = strchr(address->local, '+');
    if (!plus || plus == address->local + is_quoted)
        return false;
    if (!is_quoted && !is_dot_atom(address->local, (size_t)(plus - address->local)))
        return false; /* "alice.+news": what is left would be no address */
    plus[0] = is_quoted ? '"' : '\0';
    plus[1] = '\0';
    if (is_quoted)
        simplify_quoted(address->local);
    return true;
}

bool smtp_address_equal(const struct smtp_address *a, const struct smtp_address *b)
{
    struct smtp_address left = *a;
    struct smtp_address right = *b;
    smtp_address_normalise(&left);
    smtp_address_normalise(&right);
    return strcmp(left.local, right.local) == 0 && smtp_domain_equal(left.domain, right.domain);
}

/* As far as the final dot, which may be missing. */
static size_t name_len(const char *domain)
{
    size_t len = strlen(domain);
    return len > 0 && domain[len - 1] == '.' ? len - 1 : len;
}

bool smtp_domain_equal(const char *a, const char *b)
{
    char a_name[SMTP_DOMAIN_MAX + 1], b_name[SMTP_DOMAIN_MAX + 1];
    size_t len = name_len(a);
    if (len == name_len(b) && strncasecmp(a, b, len) == 0)
        return true;
    if (a[0] == '[' && b[0] == '[')
        return literal_form(a, a_name) == 1 && literal_form(b, b_name) == 1 && strcmp(a_name, b_name) == 0;
    if (!is_international(a) && !is_international(b))
        return false;
    /* of two in ASCII neither is the other's form */
    return (has_octet_beyond_ascii(a) || has_octet_beyond_ascii(b)) && ascii_form(a, a_name) == 1 &&
           ascii_form(b, b_name) == 1 && strcmp(a_name, b_name) == 0;
}

void smtp_domain_show(const char *domain, char out[static SMTP_DOMAIN_SHOWN_SIZE])
{
    if (is_international(domain)) {
        smtp_idn_to_unicode(domain, out);
        return;
    }
    size_t len = strnlen(domain, SMTP_DOMAIN_SHOWN_SIZE - 1);
    memcpy(out, domain, len);
    out[len] = '\0';
}
