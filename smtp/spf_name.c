#include <string.h>
#include <strings.h>

#include "smtp/spf_internal.h"

enum { LABEL_MAX = 63 };

static bool are_labels(const char *text, size_t len)
{
    size_t label_len = 0;
    for (size_t i = 0; i <= len; i++) {
        if (i == len || text[i] == '.') {
            if (label_len == 0 || label_len > LABEL_MAX)
                return false;
            label_len = 0;
            continue;
        }
        unsigned char c = (unsigned char)text[i];
        if (c < 0x20 || c >= 0x7F || c == '\\')
            return false;
        label_len++;
    }
    return true;
}

int spf_name_make(const char *text, size_t len, char name_out[static DNS_NAME_MAX + 1])
{
    if (len > 0 && text[len - 1] == '.')
        len--;
    while (len > DNS_NAME_MAX) {
        const char *dot = memchr(text, '.', len);
        if (dot == NULL)
            return -1;
        len -= (size_t)(dot + 1 - text);
        text = dot + 1;
    }
    if (!are_labels(text, len))
        return -1;
    memcpy(name_out, text, len);
    name_out[len] = '\0';
    return 1;
}

bool spf_name_is_host_domain(const char *name)
{
    const char *dot = strchr(name, '.');
    return dot != NULL && dot[1] != '\0';
}

bool spf_name_is_within(const char *name, const char *domain)
{
    size_t name_len = strlen(name);
    size_t domain_len = strlen(domain);
    if (name_len < domain_len || strcasecmp(name + name_len - domain_len, domain) != 0)
        return false;
    return name_len == domain_len || name[name_len - domain_len - 1] == '.';
}

/* Letters, digits, hyphens and underscores only, and the last label is not a number: HELO may be anything. */
static bool is_hostname_like(const char *name)
{
    const char *last = strrchr(name, '.');
    for (const char *at = name; *at != '\0'; at++) {
        bool is_letter = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z');
        if (!is_letter && !(*at >= '0' && *at <= '9') && *at != '-' && *at != '_' && *at != '.')
            return false;
    }
    return last != NULL && last[1 + strspn(last + 1, "0123456789")] != '\0';
}

int spf_name_from_identity(const char *text, char name_out[static DNS_NAME_MAX + 1])
{
    struct smtp_address address = { .local = "x" };
    size_t len = strlen(text);
    name_out[0] = '\0';
    if (len == 0 || len >= sizeof address.domain || !smtp_text_is_clean_utf8(text, len))
        return -1;
    memcpy(address.domain, text, len + 1);
    if (smtp_address_is_utf8(&address) && smtp_address_to_ascii(&address, &address) != 1)
        return -1;
    len = strlen(address.domain);
    if (len > DNS_NAME_MAX + 1 || (len == DNS_NAME_MAX + 1 && address.domain[len - 1] != '.'))
        return -1; /* spf_name_make() would make it fit */
    char name[DNS_NAME_MAX + 1];
    if (spf_name_make(address.domain, len, name) != 1 || !is_hostname_like(name) || !spf_name_is_host_domain(name))
        return -1;
    len = strlen(name);
    for (size_t i = 0; i <= len; i++)
        name_out[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] - 'A' + 'a') : name[i];
    return 1;
}
