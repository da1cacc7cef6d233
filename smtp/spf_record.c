#include <string.h>
#include <strings.h>

#include "smtp/spf_internal.h"

static const char version[] = "v=spf1";

enum domain_rule { DOMAIN_NEVER, DOMAIN_MAY, DOMAIN_MUST, DOMAIN_IS_ADDRESS };

struct rule {
    const char *name;
    enum spf_kind kind;
    enum domain_rule domain;
    bool has_prefixes; /* dual-cidr-length */
};

static const struct rule mechanisms[] = {
    { "all", SPF_ALL, DOMAIN_NEVER, false },
    { "include", SPF_INCLUDE, DOMAIN_MUST, false },
    { "a", SPF_A, DOMAIN_MAY, true },
    { "mx", SPF_MX, DOMAIN_MAY, true },
    { "ptr", SPF_PTR, DOMAIN_MAY, false },
    { "ip4", SPF_IP4, DOMAIN_IS_ADDRESS, false },
    { "ip6", SPF_IP6, DOMAIN_IS_ADDRESS, false },
    { "exists", SPF_EXISTS, DOMAIN_MUST, false },
};

static const struct rule modifiers[] = {
    { "redirect", SPF_REDIRECT, DOMAIN_MUST, false },
    { "exp", SPF_EXP, DOMAIN_MUST, false },
};

static const struct {
    char c;
    enum spf_result result;
} qualifiers[] = { { '+', SPF_PASS }, { '-', SPF_FAIL }, { '~', SPF_SOFTFAIL }, { '?', SPF_NEUTRAL } };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool spf_record_is_spf(const char *text, size_t len)
{
    size_t version_len = sizeof version - 1;
    return len >= version_len && strncasecmp(text, version, version_len) == 0 &&
           (len == version_len || text[version_len] == ' ');
}

struct spf_cursor spf_record_open(const char *text, size_t len)
{
    return (struct spf_cursor){ text + sizeof version - 1, text + len };
}

static const struct rule *find_rule(const struct rule *rules, size_t count, struct spf_text name)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(rules[i].name) == name.len && strncasecmp(rules[i].name, name.data, name.len) == 0)
            return &rules[i];
    }
    return NULL;
}

static struct spf_text skip(struct spf_text text, size_t len)
{
    return (struct spf_text){ text.data + len, text.len - len };
}

/* toplabel of section 7.1: letters, digits and inner hyphens, and not digits alone. */
static bool is_top_label(struct spf_text label)
{
    bool is_number = true;
    for (size_t i = 0; i < label.len; i++) {
        char c = label.data[i];
        bool is_inner = i > 0 && i + 1 < label.len;
        if (!is_digit(c) && !is_alpha(c) && !(c == '-' && is_inner))
            return false;
        is_number = is_number && is_digit(c);
    }
    return !is_number;
}

/* domain-spec of section 7.1: a macro-string that ends in a macro, or in a dot, a top label, and perhaps a dot. Whether a name comes
 * of it shows after expansion only. */
static bool is_domain_spec(struct spf_text text)
{
    enum spf_macro_end end;
    if (text.len == 0 || spf_macro_check(text.data, text.len, SPF_MACRO_DOMAIN, &end) != 1)
        return false;
    if (end == SPF_MACRO_END_EXPANDED)
        return true;
    if (text.data[text.len - 1] == '.')
        text.len--;
    const char *dot = memrchr(text.data, '.', text.len);
    return dot != NULL && is_top_label(skip(text, (size_t)(dot + 1 - text.data)));
}

/* Takes "/24" off the end of the text, mark being "/" or "//"; without one, *prefix_inout stays. false: too large, or with a zero before it. */
static bool take_prefix(struct spf_text *text, const char *mark, unsigned max, unsigned *prefix_inout)
{
    size_t mark_len = strlen(mark);
    size_t digits = 0;
    while (digits < text->len && is_digit(text->data[text->len - 1 - digits]))
        digits++;
    size_t start = text->len - digits;
    if (digits == 0 || start < mark_len || memcmp(text->data + start - mark_len, mark, mark_len) != 0)
        return true;
    unsigned prefix = 0;
    for (size_t i = start; i < text->len && prefix <= max; i++)
        prefix = prefix * 10 + (unsigned)(text->data[i] - '0');
    if (prefix > max || (text->data[start] == '0' && digits > 1))
        return false;
    *prefix_inout = prefix;
    text->len = start - mark_len;
    return true;
}

/* What follows "ip4:" or "ip6:". */
static bool read_network(struct spf_text text, struct spf_term *term)
{
    bool is_ip4 = term->kind == SPF_IP4;
    bool is_well_formed =
        is_ip4 ? take_prefix(&text, "/", 32, &term->prefix4) : take_prefix(&text, "/", 128, &term->prefix6);
    return is_well_formed && spf_ip_parse(text.data, text.len, &term->network) == 1 &&
           term->network.len == (is_ip4 ? 4 : 16);
}

/* What follows a mechanism's name. */
static bool read_arguments(struct spf_text rest, const struct rule *rule, struct spf_term *term)
{
    if (rule->has_prefixes &&
        (!take_prefix(&rest, "//", 128, &term->prefix6) || !take_prefix(&rest, "/", 32, &term->prefix4)))
        return false;
    if (rest.len == 0)
        return rule->domain == DOMAIN_NEVER || rule->domain == DOMAIN_MAY;
    if (rest.data[0] != ':' || rule->domain == DOMAIN_NEVER)
        return false;
    rest = skip(rest, 1);
    if (rule->domain == DOMAIN_IS_ADDRESS)
        return read_network(rest, term);
    term->domain = rest;
    return is_domain_spec(rest);
}

static bool read_mechanism(struct spf_text text, struct spf_term *term)
{
    term->result = SPF_PASS;
    for (size_t i = 0; i < sizeof qualifiers / sizeof qualifiers[0]; i++) {
        if (text.data[0] == qualifiers[i].c) {
            term->result = qualifiers[i].result;
            text = skip(text, 1);
            break;
        }
    }
    struct spf_text name = { text.data, 0 };
    while (name.len < text.len && (is_alpha(text.data[name.len]) || is_digit(text.data[name.len])))
        name.len++;
    const struct rule *rule = find_rule(mechanisms, sizeof mechanisms / sizeof mechanisms[0], name);
    if (rule == NULL)
        return false;
    term->kind = rule->kind;
    return read_arguments(skip(text, name.len), rule, term);
}

/* name: before the "=". A redirect or exp that is malformed is not an unknown modifier: it is an error. */
static bool read_modifier(struct spf_text name, struct spf_text value, struct spf_term *term)
{
    enum spf_macro_end end;
    const struct rule *rule = find_rule(modifiers, sizeof modifiers / sizeof modifiers[0], name);
    term->domain = value;
    term->kind = rule != NULL ? rule->kind : SPF_UNKNOWN_MODIFIER;
    if (rule != NULL)
        return is_domain_spec(value);
    return spf_macro_check(value.data, value.len, SPF_MACRO_DOMAIN, &end) == 1;
}

/* Length of the modifier's name if the term is one (section 4.6.1: "=" stands before any ":" or "/"); 0: it is none. */
static size_t modifier_name_len(struct spf_text text)
{
    size_t len = 0;
    if (!is_alpha(text.data[0]))
        return 0;
    while (len < text.len && (is_alpha(text.data[len]) || is_digit(text.data[len]) || text.data[len] == '-' ||
                              text.data[len] == '_' || text.data[len] == '.'))
        len++;
    return len < text.len && text.data[len] == '=' ? len : 0;
}

int spf_record_next(struct spf_cursor *cursor, struct spf_term *term_out)
{
    while (cursor->at < cursor->end && *cursor->at == ' ')
        cursor->at++;
    *term_out = (struct spf_term){ .prefix4 = 32, .prefix6 = 128 };
    if (cursor->at == cursor->end)
        return 0;
    struct spf_text text = { cursor->at, (size_t)(cursor->end - cursor->at) };
    const char *space = memchr(text.data, ' ', text.len);
    if (space != NULL)
        text.len = (size_t)(space - text.data);
    cursor->at += text.len;
    term_out->text = text;
    size_t name_len = modifier_name_len(text);
    bool is_well_formed =
        name_len > 0 ? read_modifier((struct spf_text){ text.data, name_len }, skip(text, name_len + 1), term_out)
                     : read_mechanism(text, term_out);
    return is_well_formed ? 1 : -1;
}
