#include "smtp/auth_results.h"

#include <string.h>
#include <strings.h>

#include "smtp/mail_header_internal.h"

enum { VALUE_MAX = 1024 }; /* longest property value looked at; longer ones make the field malformed */

/* A cursor over the field's value, and the results it fills. */
struct parser {
    const char *at;
    const char *end;
    struct auth_results *results;
};

struct text {
    const char *data;
    size_t len;
};

static bool skip_cfws(struct parser *parser)
{
    return mail_header_skip_cfws(&parser->at, parser->end) == 1;
}

static bool at_char(const struct parser *parser, char c)
{
    return parser->at < parser->end && *parser->at == c;
}

static bool skip_char(struct parser *parser, char c)
{
    if (!at_char(parser, c))
        return false;
    parser->at++;
    return true;
}

/* [CFWS] c [CFWS] */
static bool skip_spaced_char(struct parser *parser, char c)
{
    return skip_cfws(parser) && skip_char(parser, c) && skip_cfws(parser);
}

/* Copies in lower case. false, and an empty text, when it does not fit. */
static bool copy_lower(char *out, size_t size, struct text text)
{
    out[0] = '\0';
    if (text.len >= size)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        out[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    out[text.len] = '\0';
    return true;
}

static bool text_is(struct text text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.data, word, text.len) == 0;
}

static bool is_keyword_char(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
}

/* Letters, digits, hyphens: the names of methods, results, property types and properties. */
static bool read_keyword(struct parser *parser, struct text *text_out)
{
    text_out->data = parser->at;
    while (parser->at < parser->end && is_keyword_char(*parser->at))
        parser->at++;
    text_out->len = (size_t)(parser->at - text_out->data);
    return text_out->len > 0;
}

/* Wider than RFC 2045's token: writers put addresses, base64 and paths here without quotes. */
static bool is_value_char(char c)
{
    return (unsigned char)c > ' ' && c != 0x7F && strchr(";()\"\\", c) == NULL;
}

/* A value into `out`: quotes removed, except those of a quoted local part ("bob smith"@example.com), which stay. */
static bool read_value(struct parser *parser, char *out, size_t size, struct text *text_out)
{
    const char *start = parser->at;
    size_t len = 0;
    if (at_char(parser, '"')) {
        if (mail_header_skip_quoted(&parser->at, parser->end) != 1 || (size_t)(parser->at - start) > size)
            return false;
        for (const char *p = start + 1; p < parser->at - 1; p++) {
            if (*p == '\\')
                p++;
            out[len++] = *p;
        }
        if (!at_char(parser, '@')) {
            *text_out = (struct text){ out, len };
            return true;
        }
    }
    while (parser->at < parser->end && is_value_char(*parser->at))
        parser->at++;
    len = (size_t)(parser->at - start);
    if (len == 0 || len > size)
        return false;
    memcpy(out, start, len);
    *text_out = (struct text){ out, len };
    return true;
}

/* Keeps a property that somebody will ask for. A second value that differs contradicts the first: malformed. */
static bool keep_property(char *kept, size_t size, struct text value)
{
    char copy[SMTP_ADDRESS_MAX + 2];
    if (!copy_lower(copy, size < sizeof copy ? size : sizeof copy, value) ||
        !smtp_text_is_clean_utf8(value.data, value.len))
        return false;
    if (kept[0] != '\0')
        return strcmp(kept, copy) == 0;
    memcpy(kept, copy, value.len + 1);
    return true;
}

static bool note_property(struct auth_results_method *method, struct text type, struct text property, struct text value)
{
    if (text_is(type, "header") && text_is(property, "from"))
        return keep_property(method->header_from, sizeof method->header_from, value);
    if (text_is(type, "header") && text_is(property, "d"))
        return keep_property(method->header_d, sizeof method->header_d, value);
    if (text_is(type, "smtp") && text_is(property, "mailfrom"))
        return keep_property(method->smtp_mailfrom, sizeof method->smtp_mailfrom, value);
    return true;
}

/* One "type.property=value". "reason=value" has no dot, and neither have the "action=none" and the like that some
 * write: read over. */
static bool read_property(struct parser *parser, struct auth_results_method *method)
{
    struct text type;
    struct text property = { NULL, 0 };
    struct text value;
    char buffer[VALUE_MAX];
    if (!read_keyword(parser, &type) || !skip_cfws(parser))
        return false;
    if (skip_char(parser, '.') && (!skip_cfws(parser) || !read_keyword(parser, &property)))
        return false;
    if (!skip_spaced_char(parser, '=') || !read_value(parser, buffer, sizeof buffer, &value))
        return false;
    return note_property(method, type, property, value);
}

static enum auth_result result_from_text(struct text text)
{
    static const enum auth_result named[] = { AUTH_RESULT_NONE, AUTH_RESULT_PASS, AUTH_RESULT_FAIL,
                                              AUTH_RESULT_TEMPERROR, AUTH_RESULT_PERMERROR };
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        if (text_is(text, auth_result_name(named[i])))
            return named[i];
    }
    return AUTH_RESULT_OTHER;
}

/* method [ "/" version ] "=" result. A version that we do not know may mean anything by "pass", and a name too long to
 * keep is none that anybody will ask for. */
static bool read_method(struct parser *parser, struct auth_results_method *method)
{
    struct text name;
    struct text version = { "1", 1 };
    struct text result;
    if (!read_keyword(parser, &name) || !skip_cfws(parser))
        return false;
    if (skip_char(parser, '/') && (!skip_cfws(parser) || !read_keyword(parser, &version)))
        return false;
    if (!skip_spaced_char(parser, '=') || !read_keyword(parser, &result))
        return false;
    bool is_known = copy_lower(method->method, sizeof method->method, name) &&
                    copy_lower(method->result_text, sizeof method->result_text, result) && text_is(version, "1");
    method->result = is_known ? result_from_text(result) : AUTH_RESULT_OTHER;
    return true;
}

/* One resinfo, from behind its ";" to the next or to the end. */
static bool read_resinfo(struct parser *parser, struct auth_results_method *method)
{
    memset(method, 0, sizeof *method);
    if (!read_method(parser, method))
        return false;
    for (;;) {
        const char *before = parser->at;
        if (!skip_cfws(parser))
            return false;
        if (parser->at == parser->end || *parser->at == ';')
            return true;
        if (parser->at == before || !read_property(parser, method))
            return false;
    }
}

/* The list behind the authserv-id. An empty last element ("...; ") is what several large providers write. */
static bool read_resinfos(struct parser *parser)
{
    struct auth_results_method method;
    struct text word;
    for (unsigned number = 0; skip_char(parser, ';'); number++) {
        if (!skip_cfws(parser))
            return false;
        if (parser->at == parser->end)
            return number > 0;
        const char *start = parser->at;
        if (number == 0 && read_keyword(parser, &word) && text_is(word, "none") && skip_cfws(parser) &&
            parser->at == parser->end)
            return true;
        parser->at = start;
        if (!read_resinfo(parser, &method))
            return false;
        if (parser->results->count < AUTH_RESULTS_METHODS_MAX)
            parser->results->methods[parser->results->count++] = method;
    }
    return parser->results->count > 0 && parser->at == parser->end;
}

static bool read_authserv_id(struct parser *parser)
{
    struct auth_results *results = parser->results;
    char buffer[VALUE_MAX];
    struct text id;
    while (at_char(parser, ' ') || at_char(parser, '\t'))
        parser->at++;
    results->id_is_plain = !at_char(parser, '(') && !at_char(parser, '"');
    return skip_cfws(parser) && read_value(parser, buffer, sizeof buffer, &id) && id.len > 0 &&
           smtp_text_is_clean_utf8(id.data, id.len) && memchr(id.data, '=', id.len) == NULL &&
           copy_lower(results->authserv_id, sizeof results->authserv_id, id);
}

/* [ CFWS version ] */
static bool read_version(struct parser *parser)
{
    struct text version;
    if (!skip_cfws(parser))
        return false;
    if (at_char(parser, ';'))
        return true;
    return read_keyword(parser, &version) && text_is(version, "1") && skip_cfws(parser);
}

int auth_results_parse(const char *value, size_t len, struct auth_results *results_out)
{
    memset(results_out, 0, sizeof *results_out);
    struct parser parser = { value, value + len, results_out };
    if (memchr(value, '\0', len) != NULL || !read_authserv_id(&parser)) {
        results_out->id_is_plain = false;
        return -1;
    }
    if (read_version(&parser) && read_resinfos(&parser))
        return 1;
    results_out->count = 0;
    memset(results_out->methods, 0, sizeof results_out->methods);
    return -1;
}

enum auth_result auth_results_dmarc(const struct auth_results *results, const char *from_domain)
{
    /* How much each result weighs against others: several are unusual, and then the worst of them counts. */
    static const int weight[] = {
        [AUTH_RESULT_PASS] = 1,      [AUTH_RESULT_NONE] = 2,      [AUTH_RESULT_OTHER] = 3,
        [AUTH_RESULT_PERMERROR] = 4, [AUTH_RESULT_TEMPERROR] = 5, [AUTH_RESULT_FAIL] = 6,
    };
    enum auth_result worst = AUTH_RESULT_NONE;
    int worst_weight = 0;
    for (size_t i = 0; i < results->count; i++) {
        const struct auth_results_method *method = &results->methods[i];
        if (strcmp(method->method, "dmarc") != 0)
            continue;
        enum auth_result result = method->result;
        bool is_about_domain = method->header_from[0] != '\0' && smtp_domain_equal(method->header_from, from_domain);
        if (result == AUTH_RESULT_PASS && !is_about_domain)
            result = AUTH_RESULT_OTHER;
        if (weight[result] > worst_weight) {
            worst = result;
            worst_weight = weight[result];
        }
    }
    return worst;
}

enum auth_result auth_results_dkim(const struct auth_results *results, const char *from_domain)
{
    enum auth_result best = AUTH_RESULT_NONE;
    for (size_t i = 0; i < results->count; i++) {
        const struct auth_results_method *method = &results->methods[i];
        if (strcmp(method->method, "dkim") != 0 || !smtp_domain_equal(method->header_d, from_domain))
            continue;
        if (method->result == AUTH_RESULT_PASS)
            return AUTH_RESULT_PASS;
        best = method->result;
    }
    return best;
}

const char *auth_result_name(enum auth_result result)
{
    static const char *const names[] = {
        [AUTH_RESULT_NONE] = "none",           [AUTH_RESULT_PASS] = "pass",           [AUTH_RESULT_FAIL] = "fail",
        [AUTH_RESULT_TEMPERROR] = "temperror", [AUTH_RESULT_PERMERROR] = "permerror", [AUTH_RESULT_OTHER] = "other",
    };
    return names[result];
}
