/* dkim_tags.c - see dkim_tags.h */
#include "smtp/dkim_tags.h"

#include <string.h>
#include <strings.h>

#include "smtp/smtp_idn.h"

enum { DOMAIN_MAX = 253, LABEL_MAX = 63 };

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static struct dkim_text trim(struct dkim_text text)
{
    while (text.len > 0 && is_space(text.data[0])) {
        text.data++;
        text.len--;
    }
    while (text.len > 0 && is_space(text.data[text.len - 1]))
        text.len--;
    return text;
}

static struct dkim_text part(const char *data, size_t len)
{
    return (struct dkim_text){ data, len };
}

/* ALPHA *(ALPHA / DIGIT / "_") */
static bool is_tag_name(struct dkim_text name)
{
    if (name.len == 0 || !is_letter(name.data[0]))
        return false;
    for (size_t i = 1; i < name.len; i++) {
        if (!is_letter(name.data[i]) && !is_digit(name.data[i]) && name.data[i] != '_')
            return false;
    }
    return true;
}

/* Printable characters, white space between them, and since RFC 8616 UTF-8. */
static bool is_tag_value(struct dkim_text value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.data[i];
        if (!is_space((char)c) && (c <= ' ' || c == 0x7F))
            return false;
    }
    return true;
}

static bool is_same(struct dkim_text a, struct dkim_text b)
{
    return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

/* One "name = value". */
static int add_tag(struct dkim_tags *tags, struct dkim_text spec)
{
    const char *equals = memchr(spec.data, '=', spec.len);
    if (!equals || tags->count == DKIM_TAGS_MAX)
        return -1;
    size_t name_len = (size_t)(equals - spec.data);
    struct dkim_text name = trim(part(spec.data, name_len));
    struct dkim_text room = part(equals + 1, spec.len - name_len - 1);
    struct dkim_text value = trim(room);
    if (!is_tag_name(name) || !is_tag_value(value))
        return -1;
    for (size_t i = 0; i < tags->count; i++) {
        if (is_same(tags->list[i].name, name))
            return -1;
    }
    tags->list[tags->count].name = name;
    tags->list[tags->count].value = value;
    tags->list[tags->count++].room = room;
    return 1;
}

int dkim_tags_parse(const char *text, size_t len, struct dkim_tags *tags_out)
{
    const char *end = text + len;
    tags_out->count = 0;
    for (const char *at = text; at < end;) {
        const char *semicolon = memchr(at, ';', (size_t)(end - at));
        size_t spec_len = (size_t)((semicolon ? semicolon : end) - at);
        if (!semicolon && tags_out->count > 0 && trim(part(at, spec_len)).len == 0)
            return 1; /* white space behind the last ";" */
        if (add_tag(tags_out, part(at, spec_len)) != 1)
            return -1;
        at += spec_len + (semicolon != NULL);
    }
    return tags_out->count > 0 ? 1 : -1;
}

struct dkim_text dkim_tags_find(const struct dkim_tags *tags, const char *name)
{
    for (size_t i = 0; i < tags->count; i++) {
        if (is_same(tags->list[i].name, part(name, strlen(name))))
            return tags->list[i].value;
    }
    return part(NULL, 0);
}

bool dkim_text_is(struct dkim_text text, const char *word)
{
    return text.data && text.len == strlen(word) && strncasecmp(text.data, word, text.len) == 0;
}

int dkim_text_next(struct dkim_text *rest, struct dkim_text *element_out)
{
    if (!rest->data)
        return 0;
    const char *colon = memchr(rest->data, ':', rest->len);
    size_t len = colon ? (size_t)(colon - rest->data) : rest->len;
    *element_out = trim(part(rest->data, len));
    *rest = colon ? part(colon + 1, rest->len - len - 1) : part(NULL, 0);
    return 1;
}

bool dkim_text_has(struct dkim_text list, const char *word)
{
    struct dkim_text element;
    while (dkim_text_next(&list, &element) == 1) {
        if (dkim_text_is(element, word))
            return true;
    }
    return false;
}

int dkim_text_to_number(struct dkim_text text, uint64_t *number_out)
{
    static const uint64_t most = UINT64_C(999999999999);
    *number_out = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.data[i]))
            return -1;
        *number_out = 10 * *number_out + (uint64_t)(text.data[i] - '0');
        if (*number_out > most)
            *number_out = most;
    }
    return text.len > 0 ? 1 : -1;
}

/* -1: no digit of base64. */
static int digit_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (is_digit(c))
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

int dkim_text_to_octets(struct dkim_text text, uint8_t *out, size_t max, size_t *len_out)
{
    uint32_t bits = 0;
    size_t digits = 0, padding = 0, len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        int value = digit_value(c);
        if (is_space(c))
            continue;
        if (c == '=') {
            padding++;
            continue;
        }
        if (value < 0 || padding > 0)
            return -1;
        bits = bits << 6 | (uint32_t)value;
        if (++digits % 4 == 1)
            continue;
        if (len == max)
            return -1;
        out[len++] = (uint8_t)(bits >> (8 - digits % 4 * 2) % 8); /* of 12, 18 or 24 bits the last whole octet */
    }
    bool is_whole = digits % 4 != 1 && (padding == 0 || (digits + padding) % 4 == 0) && padding <= 2;
    *len_out = len;
    return is_whole && len > 0 ? 1 : -1;
}

static bool is_label(struct dkim_text label)
{
    if (label.len == 0 || label.len > LABEL_MAX || label.data[0] == '-' || label.data[label.len - 1] == '-')
        return false;
    for (size_t i = 0; i < label.len; i++) {
        char c = label.data[i];
        if (!is_letter(c) && !is_digit(c) && c != '-' && c != '_')
            return false;
    }
    return true;
}

/* How many labels the name has; 0: it is none. */
static unsigned count_labels(const char *name)
{
    unsigned labels = 0;
    for (;; labels++) {
        size_t len = strcspn(name, ".");
        if (!is_label(part(name, len)))
            return 0;
        if (name[len] == '\0')
            return labels + 1;
        name += len + 1;
    }
}

/* Small letters; A-labels where there is UTF-8. A name that is only ASCII is what it says: nothing has to be valid IDNA. */
static int copy_domain(struct dkim_text text, char out[static SMTP_DOMAIN_MAX + 1])
{
    bool is_ascii = true;
    char name[SMTP_DOMAIN_MAX + 1];
    if (!text.data || text.len >= sizeof name || memchr(text.data, '\0', text.len))
        return -1;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        is_ascii = is_ascii && (unsigned char)c < 0x80;
        name[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    name[text.len] = '\0';
    if (!is_ascii)
        return text.data[text.len - 1] == '.' ? -1 : smtp_idn_to_ascii(name, out);
    memcpy(out, name, text.len + 1);
    return 1;
}

int dkim_text_to_domain(struct dkim_text text, unsigned min_labels, char out[static SMTP_DOMAIN_MAX + 1])
{
    out[0] = '\0';
    if (copy_domain(text, out) == 1 && strlen(out) <= DOMAIN_MAX && count_labels(out) >= min_labels)
        return 1;
    out[0] = '\0';
    return -1;
}
