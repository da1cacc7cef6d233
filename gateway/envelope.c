/* envelope.c - see envelope.h */
#include "gateway/envelope.h"

#include <string.h>
#include <strings.h>

#include "base/strbuf.h"

/* Unless it is there already. */
static void add(struct smtp_address forms[static ENVELOPE_FORMS_MAX], size_t *count, const struct smtp_address *form)
{
    if (*count == ENVELOPE_FORMS_MAX)
        return;
    for (size_t i = 0; i < *count; i++)
        if (strcmp(forms[i].local, form->local) == 0 && strcmp(forms[i].domain, form->domain) == 0)
            return;
    forms[(*count)++] = *form;
}

/* As it is, and without its detail (RFC 5233); nothing if it is no address. */
static void add_both(struct smtp_address forms[static ENVELOPE_FORMS_MAX], size_t *count, const char *local,
                     size_t local_len, const char *domain, size_t domain_len)
{
    struct strbuf text;
    struct smtp_address form;
    strbuf_init(&text, SMTP_ADDRESS_MAX);
    strbuf_add(&text, local, local_len);
    strbuf_add_char(&text, '@');
    strbuf_add(&text, domain, domain_len);
    bool is_address = strbuf_ok(&text) && smtp_address_parse(text.data, text.len, &form) == 1;
    strbuf_free(&text);
    if (!is_address)
        return;
    struct smtp_address canonical = form;
    if (smtp_address_canonicalise(&canonical, SMTP_CASE_KEPT) == 1)
        form = canonical;
    add(forms, count, &form);
    if (form.local[0] != '"' && smtp_address_drop_detail(&form)) /* nobody tags a quoted one */
        add(forms, count, &form);
}

/* Behind the nth '=' from here; NULL when there are fewer. */
static const char *skip_fields(const char *text, unsigned n)
{
    for (; text && n > 0; n--) {
        text = strchr(text, '=');
        text = text ? text + 1 : NULL;
    }
    return text;
}

/* "HHH=TT=example.com=bob", the part of an SRS address that names the original one. */
static void add_rewritten(struct smtp_address forms[static ENVELOPE_FORMS_MAX], size_t *count, const char *fields)
{
    const char *domain = skip_fields(fields, 2);
    const char *local = skip_fields(domain, 1);
    if (local)
        add_both(forms, count, local, strlen(local), domain, (size_t)(local - 1 - domain));
}

static bool begins_with(const char *text, const char *word)
{
    return strncasecmp(text, word, strlen(word)) == 0;
}

size_t envelope_forms(const struct smtp_address *sender, struct smtp_address forms_out[static ENVELOPE_FORMS_MAX])
{
    size_t count = 0;
    if (smtp_address_is_null(sender))
        return 0;
    const struct smtp_address given = *sender;
    const char *local = given.local;
    add_both(forms_out, &count, local, strlen(local), given.domain, strlen(given.domain));
    if (begins_with(local, "prvs=")) {
        const char *rest = skip_fields(local, 2);
        if (rest)
            add_both(forms_out, &count, rest, strlen(rest), given.domain, strlen(given.domain));
    } else if (begins_with(local, "srs0=") || begins_with(local, "srs0-") || begins_with(local, "srs0+")) {
        add_rewritten(forms_out, &count, local + strlen("srs0="));
    } else if (begins_with(local, "srs1=") || begins_with(local, "srs1-") || begins_with(local, "srs1+")) {
        const char *first = strstr(local, "==");
        if (first)
            add_rewritten(forms_out, &count, first + 2);
    }
    return count;
}

/* Does it end with a dot and the other one, which has a dot itself? */
static bool is_below(const char *domain, const char *upper)
{
    size_t len = strlen(domain), upper_len = strlen(upper);
    return strchr(upper, '.') && len > upper_len && domain[len - upper_len - 1] == '.' &&
           smtp_domain_equal(domain + len - upper_len, upper);
}

bool envelope_domains_are_related(const char *a, const char *b)
{
    return smtp_domain_equal(a, b) || is_below(a, b) || is_below(b, a);
}
