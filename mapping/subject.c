/* subject.c - see subject.h */
#include "mapping/subject.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "mapping/convert_utf8.h"

enum { SPELLED_MAX = 12 }; /* "[U+10FFFF]" */

static const char domain_mark[] = "*@", subdomains_mark[] = "*@*.";

enum {
    RANK_PARENT = 1, /* and the number of labels that are alike */
    RANK_DOMAIN = 1000,
    RANK_WITHOUT_DETAIL_OTHER_CASE = 2000, /* where case makes a difference */
    RANK_WITHOUT_DETAIL,
    RANK_OTHER_CASE,
    RANK_ADDRESS,
};

static bool begins_with(const char *text, const char *mark)
{
    return strncmp(text, mark, strlen(mark)) == 0;
}

enum subject_kind subject_kind_of(const char *text)
{
    return begins_with(text, subdomains_mark) ? SUBJECT_SUBDOMAINS
           : begins_with(text, domain_mark)   ? SUBJECT_DOMAIN
                                              : SUBJECT_ADDRESS;
}

static size_t count_labels(const char *domain)
{
    size_t count = 1;
    for (; *domain; domain++)
        count += *domain == '.';
    return count;
}

/* The domain of a pattern. */
static int parse_pattern(const char *domain, const char *mark, struct subject *out)
{
    struct smtp_address address;
    char text[SUBJECT_SIZE] = "x@"; /* an address needs a local part */
    size_t len = strlen(domain);
    if (len + 3 > sizeof text)
        return -1;
    memcpy(text + 2, domain, len + 1);
    if (smtp_address_parse(text, len + 2, &address) != 1 || address.domain[0] == '[' ||
        smtp_address_canonicalise(&address, SMTP_CASE_FOLDED) != 1 || count_labels(address.domain) > SUBJECT_LABELS_MAX)
        return -1;
    size_t mark_len = strlen(mark), domain_len = strlen(address.domain);
    if (mark_len + domain_len >= sizeof out->text)
        return -1;
    memcpy(out->text, mark, mark_len);
    memcpy(out->text + mark_len, address.domain, domain_len + 1);
    return 1;
}

int subject_parse(const char *text, enum smtp_case local_case, struct subject *subject_out, const char **wrong_out)
{
    struct smtp_address address;
    *subject_out = (struct subject){ .kind = subject_kind_of(text) };
    *wrong_out = "it must be an email address such as bob@example.com, *@example.com for a whole domain, or "
                 "*@*.example.com for the domains below it";
    if (subject_out->kind == SUBJECT_SUBDOMAINS)
        return parse_pattern(text + strlen(subdomains_mark), subdomains_mark, subject_out);
    if (subject_out->kind == SUBJECT_DOMAIN)
        return parse_pattern(text + strlen(domain_mark), domain_mark, subject_out);
    if (smtp_address_parse(text, strlen(text), &address) != 1)
        return -1;
    *wrong_out = "its domain is no name (RFC 5891), a sign in it is disguised or can't be seen, or it is too long";
    if (smtp_address_canonicalise(&address, local_case) != 1)
        return -1;
    *wrong_out = "its domain has more than 20 labels";
    if (address.domain[0] != '[' && count_labels(address.domain) > SUBJECT_LABELS_MAX)
        return -1;
    *wrong_out = "the local part \"*\" stands for everybody, so nobody can have it";
    if (strcmp(address.local, "*") == 0)
        return -1;
    smtp_address_format(&address, subject_out->text);
    return 1;
}

bool subject_is_too_wide(const struct subject *subject)
{
    return subject->kind != SUBJECT_ADDRESS &&
           !strchr(subject->text + strlen(subject->kind == SUBJECT_DOMAIN ? domain_mark : subdomains_mark), '.');
}

void subject_show(const char *text, char out[static SUBJECT_SHOWN_SIZE])
{
    const char *domain = strrchr(text, '@');
    size_t kept = domain ? (size_t)(domain + 1 - text) : 0;
    if (domain && begins_with(text, subdomains_mark))
        kept = strlen(subdomains_mark);
    char shown[SMTP_DOMAIN_SHOWN_SIZE];
    if (!domain || kept >= SUBJECT_SIZE) {
        size_t len = strnlen(text, SUBJECT_SHOWN_SIZE - 1);
        memcpy(out, text, len);
        out[len] = '\0';
        return;
    }
    smtp_domain_show(text + kept, shown);
    if (kept + strlen(shown) > SMTP_ADDRESS_MAX) /* what is shown can be typed */
        memcpy(shown, text + kept, strlen(text + kept) + 1);
    memcpy(out, text, kept);
    memcpy(out + kept, shown, strlen(shown) + 1);
}

bool subject_spell(const char *text, char out[static SUBJECT_SHOWN_SIZE])
{
    char shown[SUBJECT_SHOWN_SIZE];
    size_t size = strlen(text), len = 0;
    for (size_t i = 0, n; i < size && len + SPELLED_MAX < SUBJECT_SHOWN_SIZE; i += n) {
        uint32_t code;
        n = convert_utf8_char(text + i, size - i, &code);
        if (n <= 1)
            out[len++] = text[i];
        else
            len += (size_t)snprintf(out + len, SUBJECT_SHOWN_SIZE - len, "[U+%04" PRIX32 "]", code);
        n = n > 0 ? n : 1;
    }
    out[len] = '\0';
    subject_show(text, shown);
    return strcmp(shown, out) != 0;
}

/* Looking up. */

static void lower_all(char *text)
{
    for (; *text; text++)
        if (*text >= 'A' && *text <= 'Z')
            *text = (char)(*text - 'A' + 'a');
}

static void add_key(struct subject_keys *keys, const char *mark, const char *text)
{
    size_t mark_len = strlen(mark), len = strlen(text);
    if (keys->count == SUBJECT_KEYS_MAX || mark_len + len >= SUBJECT_SIZE)
        return; /* can't be: as subject_keys_make() has counted */
    char *key = keys->texts[keys->count++];
    memcpy(key, mark, mark_len);
    memcpy(key + mark_len, text, len + 1);
    lower_all(key);
}

/* Who calls himself "*" is not the pattern that looks like his address. */
static void add_address_key(struct subject_keys *keys, const struct smtp_address *address)
{
    char text[SMTP_ADDRESS_MAX + 2];
    if (strcmp(address->local, "*") == 0)
        return;
    smtp_address_format(address, text);
    add_key(keys, "", text);
}

/* A domain that was not made canonical, since there is no such, is nobody's. */
static bool parse_author(const char *author, struct smtp_address *out)
{
    if (smtp_address_parse(author, strlen(author), out) != 1)
        return false;
    for (const char *at = out->domain; *at; at++)
        if ((unsigned char)*at >= 0x80 || (*at >= 'A' && *at <= 'Z'))
            return false;
    return out->domain[0] == '[' || count_labels(out->domain) <= SUBJECT_LABELS_MAX;
}

void subject_keys_make(const char *author, struct subject_keys *keys_out)
{
    struct smtp_address address;
    keys_out->count = 0;
    if (!parse_author(author, &address))
        return;
    add_address_key(keys_out, &address);
    struct smtp_address base = address;
    if (smtp_address_drop_detail(&base))
        add_address_key(keys_out, &base);
    if (address.domain[0] == '[')
        return;
    add_key(keys_out, domain_mark, address.domain);
    for (const char *dot = strchr(address.domain, '.'); dot; dot = strchr(dot + 1, '.'))
        add_key(keys_out, subdomains_mark, dot + 1);
}

static bool is_below(const char *domain, const char *parent)
{
    size_t len = strlen(domain), parent_len = strlen(parent);
    return len > parent_len && domain[len - parent_len - 1] == '.' && strcmp(domain + len - parent_len, parent) == 0;
}

/* 0: another address; of the domains case is gone already. */
static int match_address(const char *subject, const struct smtp_address *author, int alike, int other_case)
{
    char text[SMTP_ADDRESS_MAX + 2];
    smtp_address_format(author, text);
    return strcmp(subject, text) == 0 ? alike : strcasecmp(subject, text) == 0 ? other_case : 0;
}

int subject_match(const char *subject, bool subaddresses, const char *author, enum smtp_case local_case, bool lets_in)
{
    struct smtp_address address;
    bool is_folded = local_case == SMTP_CASE_FOLDED;
    if (!parse_author(author, &address))
        return 0;
    bool is_name = address.domain[0] != '[';
    if (subject_kind_of(subject) == SUBJECT_SUBDOMAINS) {
        const char *parent = subject + strlen(subdomains_mark);
        return is_name && is_below(address.domain, parent) ? RANK_PARENT + (int)count_labels(parent) : 0;
    }
    if (subject_kind_of(subject) == SUBJECT_DOMAIN)
        return is_name && strcmp(subject + strlen(domain_mark), address.domain) == 0 ? RANK_DOMAIN : 0;
    int rank = match_address(subject, &address, RANK_ADDRESS, is_folded ? RANK_ADDRESS : lets_in ? 0 : RANK_OTHER_CASE);
    if (rank == 0 && subaddresses && smtp_address_drop_detail(&address))
        rank = match_address(subject, &address, RANK_WITHOUT_DETAIL,
                             is_folded ? RANK_WITHOUT_DETAIL
                             : lets_in ? 0
                                       : RANK_WITHOUT_DETAIL_OTHER_CASE);
    return rank;
}
