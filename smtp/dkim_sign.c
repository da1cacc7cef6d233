/* dkim_sign.c - see dkim_sign.h
 *
 * Our own code because what is needed is small and shares nothing with verifying: the library that Debian has
 * (libopendkim, a beta of 2018) does not know Ed25519, and holds a message and its DNS look-ups in one object.
 */
#include "smtp/dkim_sign.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/digest.h"
#include "base/signing_key.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "smtp/dkim_canonical.h"

enum { LINE_WANTED = 76, SIGNED_MAX = DKIM_SIGN_HEADER_MAX + 2 * DKIM_SIGN_FIELD_MAX };

struct dkim_sign {
    struct strbuf header; /* lines with CRLF, up to the empty one */
    bool in_body, after_cr, in_line;
    struct dkim_body body;
};

/* Which fields are signed, in this order, and which also against more of their kind (RFC 6376 section 5.4.1). */
static const struct signed_field {
    const char *name;
    bool is_closed;
} signed_fields[] = {
    { "From", true },
    { "Reply-To", true },
    { "To", true },
    { "Cc", true },
    { "Subject", true },
    { "Date", true },
    { "Message-ID", true },
    { "In-Reply-To", true },
    { "References", true },
    { "MIME-Version", true },
    { "Content-Type", true },
    { "Content-Transfer-Encoding", true },
    { "Auto-Submitted", false },
};

struct dkim_sign *dkim_sign_new(void)
{
    struct dkim_sign *sign = xcalloc(1, sizeof *sign);
    strbuf_init(&sign->header, DKIM_SIGN_HEADER_MAX);
    sign->body.digest = digest_new();
    return sign;
}

void dkim_sign_free(struct dkim_sign **sign)
{
    if (!*sign)
        return;
    strbuf_free(&(*sign)->header);
    digest_free(&(*sign)->body.digest);
    free(*sign);
    *sign = NULL;
}

static void add_text(struct dkim_sign *sign, const char *text, size_t len)
{
    if (len == 0)
        return;
    sign->in_line = true;
    if (sign->in_body)
        dkim_body_add(&sign->body, text, len);
    else
        strbuf_add(&sign->header, text, len);
}

static void end_line(struct dkim_sign *sign)
{
    sign->after_cr = false;
    if (sign->in_body)
        dkim_body_end_line(&sign->body);
    else if (sign->in_line)
        strbuf_add_str(&sign->header, "\r\n");
    else
        sign->in_body = true;
    sign->in_line = false;
}

/* As smtp_client_stuff() takes lines for ended. */
void dkim_sign_add(struct dkim_sign *sign, const void *data, size_t len)
{
    const char *text = data, *end = text + len;
    while (text < end) {
        if (*text == '\n' || sign->after_cr) {
            text += *text == '\n';
            end_line(sign);
            continue;
        }
        if (*text == '\r') {
            sign->after_cr = true;
            text++;
            continue;
        }
        const char *stop = text;
        while (stop < end && *stop != '\r' && *stop != '\n')
            stop++;
        add_text(sign, text, (size_t)(stop - text));
        text = stop;
    }
}

static void add_base64(struct strbuf *out, const uint8_t *data, size_t len)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < len; i += 3) {
        uint32_t bits = (uint32_t)data[i] << 16;
        if (i + 1 < len)
            bits |= (uint32_t)data[i + 1] << 8;
        if (i + 2 < len)
            bits |= data[i + 2];
        strbuf_add_char(out, digits[bits >> 18]);
        strbuf_add_char(out, digits[bits >> 12 & 63]);
        strbuf_add_char(out, i + 1 < len ? digits[bits >> 6 & 63] : '=');
        strbuf_add_char(out, i + 2 < len ? digits[bits & 63] : '=');
    }
}

/* Fields. */

struct field {
    const char *text;
    size_t len; /* without its last CRLF */
};

struct fields {
    struct field *list;
    size_t count;
};

/* Every line of the header ends with CRLF, and none is empty. */
static struct fields split(const struct strbuf *header)
{
    struct fields fields = { 0 };
    const char *at = header->data, *end = at + header->len;
    while (at < end) {
        const char *line_end = memmem(at, (size_t)(end - at), "\r\n", 2);
        size_t len = (size_t)(line_end - at);
        if ((*at == ' ' || *at == '\t') && fields.count > 0) {
            struct field *field = &fields.list[fields.count - 1];
            field->len = (size_t)(line_end - field->text);
        } else {
            fields.list = xreallocarray(fields.list, fields.count + 1, sizeof *fields.list);
            fields.list[fields.count++] = (struct field){ at, len };
        }
        at = line_end + 2;
    }
    return fields;
}

static bool is_named(const struct field *field, const char *name)
{
    size_t len = strlen(name);
    return field->len > len && strncasecmp(field->text, name, len) == 0 &&
           field->text[len + strspn(field->text + len, " \t")] == ':';
}

static void add_name(struct strbuf *names, const char *name)
{
    if (names->len > 0)
        strbuf_add_char(names, ':');
    strbuf_add_str(names, name);
}

/* The relaxed form of what is signed, each with CRLF, and the names for h=. Of several fields of a name the last one comes
 * first (section 5.4.2). */
static void choose(const struct fields *fields, struct strbuf *names, struct strbuf *text)
{
    for (size_t i = 0; i < sizeof signed_fields / sizeof signed_fields[0]; i++) {
        const struct signed_field *wanted = &signed_fields[i];
        for (size_t k = fields->count; k > 0; k--) {
            if (!is_named(&fields->list[k - 1], wanted->name))
                continue;
            add_name(names, wanted->name);
            dkim_canonical_field(text, fields->list[k - 1].text, fields->list[k - 1].len);
            strbuf_add_str(text, "\r\n");
        }
        if (wanted->is_closed)
            add_name(names, wanted->name);
    }
}

/* The signature. */

/* Within a line's width, broken where a colon stands (max 0), or after that many characters. */
static void add_folded(struct strbuf *out, const char *text, size_t max)
{
    while (*text) {
        size_t n = max ? strlen(text) : strcspn(text, ":");
        if (max && n > max)
            n = max;
        if (!max && text[n] == ':')
            n++;
        strbuf_add(out, text, n);
        text += n;
        size_t next = strcspn(text, ":") + 1, start = out->len;
        while (start > 0 && out->data[start - 1] != '\n')
            start--;
        if (*text && (max || out->len - start + next > LINE_WANTED))
            strbuf_add_str(out, "\r\n ");
    }
}

static void add_tags(struct strbuf *out, const struct dkim_identity *identity, const char *names,
                     const uint8_t body_digest[static DIGEST_SIZE], int64_t at)
{
    strbuf_add_fmt(out, "DKIM-Signature: v=1; a=%s; c=relaxed/relaxed;\r\n d=%s;\r\n s=%s; t=%" PRId64 ";\r\n h=",
                   signing_key_kind(identity->key) == SIGNING_KEY_RSA ? "rsa-sha256" : "ed25519-sha256",
                   identity->domain, identity->selector, at / 1000);
    add_folded(out, names, 0);
    strbuf_add_str(out, ";\r\n bh=");
    add_base64(out, body_digest, DIGEST_SIZE);
    strbuf_add_str(out, ";\r\n b=");
}

/* signed_text: the relaxed fields. */
static int add_signature(struct strbuf *out, const struct dkim_identity *identity, const struct strbuf *signed_text,
                         const struct strbuf *field)
{
    uint8_t digest_value[DIGEST_SIZE], signature[SIGNING_KEY_SIGNATURE_MAX];
    size_t len;
    struct strbuf own, encoded;
    struct digest *digest = digest_new();
    strbuf_init(&own, DKIM_SIGN_FIELD_MAX);
    strbuf_init(&encoded, DKIM_SIGN_FIELD_MAX);
    dkim_canonical_field(&own, field->data, field->len);
    digest_add(digest, signed_text->data, signed_text->len);
    digest_add(digest, own.data, own.len);
    digest_finish(&digest, digest_value);
    int result = signing_key_sign(identity->key, digest_value, signature, &len);
    if (result == 1) {
        add_base64(&encoded, signature, len);
        strbuf_add(out, field->data, field->len);
        add_folded(out, encoded.data, LINE_WANTED - 4);
        strbuf_add_str(out, "\r\n");
    }
    strbuf_free(&own);
    strbuf_free(&encoded);
    return result;
}

static int sign_as(struct strbuf *out, const struct dkim_identity *identity, const struct strbuf *names,
                   const struct strbuf *signed_text, const uint8_t body_digest[static DIGEST_SIZE], int64_t at)
{
    struct strbuf field;
    strbuf_init(&field, DKIM_SIGN_FIELD_MAX);
    add_tags(&field, identity, names->data, body_digest, at);
    int result = strbuf_ok(&field) ? add_signature(out, identity, signed_text, &field) : -1;
    strbuf_free(&field);
    return result;
}

int dkim_sign_finish(struct dkim_sign **sign_in, const struct dkim_identity *identities, size_t count, int64_t at,
                     struct strbuf *out)
{
    struct dkim_sign *sign = *sign_in;
    uint8_t body_digest[DIGEST_SIZE];
    struct strbuf names, text;
    if (sign->in_line || sign->after_cr)
        end_line(sign);
    dkim_body_finish(&sign->body, body_digest);
    struct fields fields = { 0 };
    if (strbuf_ok(&sign->header))
        fields = split(&sign->header);
    bool has_from = false;
    for (size_t i = 0; i < fields.count; i++)
        has_from = has_from || is_named(&fields.list[i], "From");
    strbuf_init(&names, DKIM_SIGN_FIELD_MAX);
    strbuf_init(&text, SIGNED_MAX);
    choose(&fields, &names, &text);
    int result = has_from && strbuf_ok(&sign->header) && strbuf_ok(&names) && strbuf_ok(&text) ? 1 : -1;
    for (size_t i = 0; i < count && result == 1; i++)
        result = sign_as(out, &identities[i], &names, &text, body_digest, at);
    if (!strbuf_ok(out))
        result = -1;
    free(fields.list);
    strbuf_free(&names);
    strbuf_free(&text);
    dkim_sign_free(sign_in);
    return result;
}
