/* tmtp_header_token.c - what a provider's token endpoint answered, as a registration carries it */
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "tmtp/tmtp_frame.h"
#include "tmtp/tmtp_header.h"
#include "tmtp/tmtp_header_internal.h"

struct token {
    char *token_type, *scope, *id_token, *access_token;
    uint64_t expires_in;
};

#define AT(member) offsetof(struct token, member)

static const struct header_field token_fields[] = {
    { "token_type", HEADER_TEXT, AT(token_type) },     { "scope", HEADER_TEXT, AT(scope) },
    { "expires_in", HEADER_UINT64, AT(expires_in) },   { "id_token", HEADER_TEXT, AT(id_token) },
    { "access_token", HEADER_TEXT, AT(access_token) },
};
static const struct header_table token_table = { token_fields, sizeof token_fields / sizeof *token_fields,
                                                 sizeof(struct token) };

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Three parts of base64url, separated by dots (RFC 7519 section 3.1). */
static bool is_id_token(const char *text)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (int part = 0; part < 3; part++) {
        size_t len = strspn(text, alphabet);
        if (len == 0 || text[len] != (part < 2 ? '.' : '\0'))
            return false;
        text += len + 1;
    }
    return true;
}

static int decode(const char *text, size_t len, struct token *token_out, const char **error_out)
{
    const char *error = NULL;
    if (text[0] != '{') { /* somebody saved the id token alone */
        *token_out = (struct token){ .id_token = xstrndup(text, len) };
        return 1;
    }
    json_t *object = header_parse(text, len, &error);
    if (object == NULL) {
        *error_out = "it is no JSON object";
        return -1;
    }
    /* Some providers write the seconds as a string. They serve nobody here. */
    if (!json_is_integer(header_find(object, "expires_in")))
        json_object_del(object, "expires_in");
    int rc = header_decode(object, &token_table, token_out, &error);
    json_decref(object);
    if (rc != 1)
        *error_out = "a member of it is of the wrong type";
    return rc;
}

static int encode(struct token *token, char **oidc_out)
{
    struct strbuf text;
    json_t *object = json_object();
    if (token->token_type == NULL)
        token->token_type = xstrdup("Bearer");
    strbuf_init(&text, TMTP_TOKEN_MAX);
    int rc = header_compose(&token_table, token, object);
    if (rc == 1)
        rc = header_dump(object, false, &text);
    json_decref(object);
    if (rc == 1)
        *oidc_out = strbuf_detach(&text);
    else
        strbuf_free(&text);
    return rc;
}

int tmtp_token_normalise(const char *text, size_t len, char **oidc_out, const char **error_out)
{
    struct token token;

    while (len > 0 && is_blank(text[0])) {
        text++;
        len--;
    }
    while (len > 0 && is_blank(text[len - 1]))
        len--;
    if (len == 0 || len > TMTP_TOKEN_MAX) {
        *error_out = len == 0 ? "it is empty" : "it is longer than 32 KiB";
        return -1;
    }
    if (decode(text, len, &token, error_out) != 1)
        return -1;
    int rc = -1;
    if (token.id_token == NULL || !is_id_token(token.id_token))
        *error_out =
            text[0] == '{' ? "it has no id_token of three parts" : "it is neither a JSON object nor an id token";
    else if (encode(&token, oidc_out) != 1)
        *error_out = "it is too long, or not UTF-8";
    else
        rc = 1;
    header_free(&token_table, &token);
    return rc;
}
