/* dkim_check.c - see dkim_check.h */
#include "smtp/dkim_check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"

enum { RECORDS_TRIED_MAX = 4, NAME_MAX_SIZE = 254, KEY_BITS_USUAL = 2048 };

int dkim_check_decide(struct dkim_check *check, enum auth_result result, const char *result_text, const char *fmt, ...)
{
    va_list args;
    check->verdict.result = result;
    check->verdict.result_text = result_text;
    va_start(args, fmt);
    vsnprintf(check->verdict.detail, sizeof check->verdict.detail, fmt, args);
    va_end(args);
    return 0;
}

static int say_neutral(struct dkim_check *check, const char *what)
{
    return dkim_check_decide(check, AUTH_RESULT_OTHER, "neutral", "%s", what);
}

static int say_permerror(struct dkim_check *check, const char *what)
{
    return dkim_check_decide(check, AUTH_RESULT_PERMERROR, auth_result_name(AUTH_RESULT_PERMERROR), "%s", what);
}

static int say_fail(struct dkim_check *check, const char *what)
{
    return dkim_check_decide(check, AUTH_RESULT_FAIL, auth_result_name(AUTH_RESULT_FAIL), "%s", what);
}

static struct dkim_text tag(const struct dkim_check *check, const char *name)
{
    return dkim_tags_find(&check->tags, name);
}

/* The field. */

/* Tags that must be there, and may not be empty. */
static const char *const required[][8] = {
    [DKIM_CHECK_SIGNATURE] = { "v", "a", "b", "bh", "d", "h", "s" },
    [DKIM_CHECK_ARC_MESSAGE] = { "i", "a", "b", "bh", "d", "h", "s" },
    [DKIM_CHECK_ARC_SEAL] = { "i", "a", "b", "cv", "d", "s" },
};

static int read_list(struct dkim_check *check)
{
    const struct dkim_field *field = check->field;
    if (dkim_tags_parse(field->text + field->value, field->len - field->value, &check->tags) != 1)
        return say_neutral(check, "its field is no list of tags");
    for (const char *const *name = required[check->kind]; *name; name++) {
        if (tag(check, *name).len == 0)
            return dkim_check_decide(check, AUTH_RESULT_PERMERROR, auth_result_name(AUTH_RESULT_PERMERROR),
                                     "its field has no %s=", *name);
    }
    struct dkim_text version = tag(check, "v");
    if (check->kind == DKIM_CHECK_SIGNATURE && !dkim_text_is(version, "1"))
        return say_neutral(check, "its version is not 1");
    return 1;
}

static void keep_ascii(struct dkim_text text, char *out, size_t size)
{
    size_t len = 0;
    for (; len < text.len && len + 1 < size; len++) {
        char c = text.data[len];
        if (c <= ' ' || c > '~')
            break;
        out[len] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    out[len] = '\0';
}

static int read_names(struct dkim_check *check)
{
    struct dkim_verdict *verdict = &check->verdict;
    struct dkim_text signature = tag(check, "b");
    if (dkim_text_to_domain(tag(check, "d"), 2, verdict->domain) != 1)
        return say_neutral(check, "d= is no domain");
    if (dkim_text_to_domain(tag(check, "s"), 1, verdict->selector) != 1)
        return say_neutral(check, "s= is no selector");
    keep_ascii(tag(check, "a"), verdict->algorithm, sizeof verdict->algorithm);
    for (size_t i = 0, len = 0; i < signature.len && len + 1 < sizeof verdict->signature; i++) {
        if (signature.data[i] > ' ' && signature.data[i] <= '~')
            verdict->signature[len++] = signature.data[i];
    }
    return 1;
}

static int read_algorithm(struct dkim_check *check)
{
    struct dkim_text algorithm = tag(check, "a");
    if (dkim_text_is(algorithm, "rsa-sha256"))
        check->key_kind = DKIM_KEY_RSA;
    else if (dkim_text_is(algorithm, "ed25519-sha256"))
        check->key_kind = DKIM_KEY_ED25519;
    else if (dkim_text_is(algorithm, "rsa-sha1")) /* RFC 8301 section 3.1 */
        return dkim_check_decide(check, AUTH_RESULT_OTHER, "policy", "SHA-1 is not believed");
    else
        return say_neutral(check, "its algorithm is not known");
    if (dkim_text_to_octets(tag(check, "b"), check->signature, sizeof check->signature, &check->signature_len) != 1)
        return say_neutral(check, "b= is no signature");
    return 1;
}

static bool read_form(struct dkim_text text, enum dkim_form *form_out)
{
    *form_out = dkim_text_is(text, "relaxed") ? DKIM_RELAXED : DKIM_SIMPLE;
    return *form_out == DKIM_RELAXED || dkim_text_is(text, "simple");
}

/* What seals have no choice about. */
static int read_forms(struct dkim_check *check)
{
    struct dkim_text header = tag(check, "c"), body = { "simple", 6 }, query = tag(check, "q");
    size_t len;
    check->header_form = check->body_form = DKIM_SIMPLE;
    const char *slash = header.data ? memchr(header.data, '/', header.len) : NULL;
    if (slash) {
        body = (struct dkim_text){ slash + 1, header.len - (size_t)(slash - header.data) - 1 };
        header.len = (size_t)(slash - header.data);
    }
    if (header.data && (!read_form(header, &check->header_form) || !read_form(body, &check->body_form)))
        return say_neutral(check, "c= names no canonical form");
    if (query.data && !dkim_text_has(query, "dns/txt"))
        return say_neutral(check, "q= does not name the DNS");
    if (dkim_text_to_octets(tag(check, "bh"), check->body_digest, sizeof check->body_digest, &len) != 1 ||
        len != sizeof check->body_digest)
        return say_neutral(check, "bh= is no digest");
    check->names = tag(check, "h");
    return 1;
}

/* The value of a hexadecimal digit in upper case, or -1. */
static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* dkim-quoted-printable (RFC 6376 section 2.11). -1 when it is not, or too long. */
static int decode_quoted(struct dkim_text text, char *out, size_t size)
{
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (strchr(" \t\r\n", c) != NULL)
            continue;
        if (c == '=') {
            if (text.len - i < 3 || hex_value(text.data[i + 1]) < 0 || hex_value(text.data[i + 2]) < 0)
                return -1;
            c = (char)(16 * hex_value(text.data[i + 1]) + hex_value(text.data[i + 2]));
            i += 2;
        }
        if (len + 1 == size)
            return -1;
        out[len++] = c;
    }
    out[len] = '\0';
    return memchr(out, '\0', len) ? -1 : 1;
}

static bool is_within(const char *domain, const char *parent)
{
    size_t len = strlen(domain), parent_len = strlen(parent);
    return len >= parent_len && strcmp(domain + len - parent_len, parent) == 0 &&
           (len == parent_len || domain[len - parent_len - 1] == '.');
}

/* i=, which has another meaning in ARC. */
static int read_identity(struct dkim_check *check)
{
    struct dkim_verdict *verdict = &check->verdict;
    struct dkim_text text = tag(check, "i");
    char decoded[2 * SMTP_DOMAIN_MAX] = "@";
    if (text.data && decode_quoted(text, decoded, sizeof decoded) != 1)
        return say_neutral(check, "i= is no identity");
    const char *at = strrchr(decoded, '@');
    if (!at)
        return say_neutral(check, "i= is no identity");
    struct dkim_text domain = { at + 1, strlen(at + 1) };
    if (!text.data)
        domain = (struct dkim_text){ verdict->domain, strlen(verdict->domain) };
    if (dkim_text_to_domain(domain, 1, check->identity_domain) != 1)
        return say_neutral(check, "i= is no identity");
    if (!is_within(check->identity_domain, verdict->domain))
        return say_permerror(check, "i= is not of the domain of d=");
    size_t local_len = (size_t)(at + 1 - decoded), domain_len = strlen(check->identity_domain);
    bool is_clean = local_len + domain_len < sizeof verdict->identity;
    for (size_t i = 0; i < local_len; i++)
        is_clean = is_clean && decoded[i] > ' ' && decoded[i] <= '~';
    if (is_clean) {
        memcpy(verdict->identity, decoded, local_len);
        memcpy(verdict->identity + local_len, check->identity_domain, domain_len + 1);
    }
    return 1;
}

int dkim_check_read(struct dkim_check *check)
{
    if (read_list(check) != 1 || read_names(check) != 1 || read_algorithm(check) != 1)
        return 0;
    if (check->kind == DKIM_CHECK_ARC_SEAL)
        return 1;
    if (check->kind == DKIM_CHECK_SIGNATURE && read_identity(check) != 1)
        return 0;
    return read_forms(check);
}

/* When, and of which body. */

int dkim_check_time(struct dkim_check *check)
{
    struct dkim_text made = tag(check, "t"), ends = tag(check, "x");
    uint64_t made_at = 0, ends_at = 0, now = check->now > 0 ? (uint64_t)check->now / 1000 : 0;
    if ((made.data && dkim_text_to_number(made, &made_at) != 1) ||
        (ends.data && dkim_text_to_number(ends, &ends_at) != 1) || (made.data && ends.data && ends_at <= made_at))
        return say_neutral(check, "t= or x= is no time");
    check->is_of_future = made_at > now + DKIM_VERIFY_SKEW;
    if (ends.data && ends_at + DKIM_VERIFY_SKEW < now)
        return say_fail(check, "it has expired");
    return 1;
}

int dkim_check_body(struct dkim_check *check)
{
    struct dkim_text length = tag(check, "l");
    uint64_t size = 0, whole = check->message->body[check->body_form].size;
    if (length.data && dkim_text_to_number(length, &size) != 1)
        return say_neutral(check, "l= is no length");
    if (length.data && size < whole)
        return dkim_check_decide(check, AUTH_RESULT_OTHER, "policy",
                                 "only the first %" PRIu64 " of %" PRIu64 " octets of the body are signed", size,
                                 whole);
    if (length.data && size > whole)
        return say_fail(check, "the body is shorter than the one that was signed");
    if (memcmp(check->message->body[check->body_form].digest, check->body_digest, DIGEST_SIZE) != 0)
        return say_fail(check, "the body was changed");
    return 1;
}

/* The key. */

static bool judge_key(struct dkim_check *check, const struct dkim_key *key, const uint8_t *digest)
{
    struct dkim_verdict *verdict = &check->verdict;
    verdict->key_bits = verify_key_bits(key->key);
    bool is_rsa = check->key_kind == DKIM_KEY_RSA;
    verdict->is_testing = key->is_testing;
    if (is_rsa && verdict->key_bits < DKIM_VERIFY_KEY_BITS_MIN) {
        dkim_check_decide(check, AUTH_RESULT_FAIL, auth_result_name(AUTH_RESULT_FAIL),
                          "an RSA key of %u bits is too short", verdict->key_bits);
        return false;
    }
    if (is_rsa && verdict->key_bits > VERIFY_KEY_BITS_MAX) {
        dkim_check_decide(check, AUTH_RESULT_OTHER, "policy", "an RSA key of %u bits is too long", verdict->key_bits);
        return false;
    }
    if (key->is_strict && check->kind == DKIM_CHECK_SIGNATURE && strcmp(check->identity_domain, verdict->domain) != 0) {
        say_permerror(check, "the key is not for subdomains, as i= has one");
        return false;
    }
    if (!verify_key_accepts(key->key, digest, check->signature, check->signature_len)) {
        say_fail(check, "the header was changed, or another key has signed");
        return false;
    }
    if (key->is_testing) {
        say_neutral(check, "it is right, but the domain is only testing");
        return true;
    }
    verdict->result = AUTH_RESULT_PASS;
    verdict->result_text = auth_result_name(AUTH_RESULT_PASS);
    return true;
}

/* Names what is not as it should be, though it counts: the detail of a pass so far is what the signature leaves out. */
static void note_short_key(struct dkim_check *check)
{
    struct dkim_verdict *verdict = &check->verdict;
    if (verdict->result != AUTH_RESULT_PASS || check->key_kind != DKIM_KEY_RSA || verdict->key_bits >= KEY_BITS_USUAL)
        return;
    size_t len = strlen(verdict->detail);
    snprintf(verdict->detail + len, sizeof verdict->detail - len, "%sRSA key of %u bits", len > 0 ? "; " : "",
             verdict->key_bits);
}

/* Section 3.6.2.2: a name should have one record; of several, any may fit. */
static void try_records(struct dkim_check *check, const struct dns_answer *answer, const uint8_t *digest)
{
    char leftovers[sizeof check->verdict.detail];
    memcpy(leftovers, check->verdict.detail, sizeof leftovers);
    bool has_key = false;
    for (size_t i = 0; i < answer->count && i < RECORDS_TRIED_MAX; i++) {
        struct dkim_key key;
        const char *why;
        if (dkim_key_parse(answer->records[i].data, answer->records[i].len, check->key_kind, &key, &why) != 1) {
            if (!has_key)
                dkim_check_decide(check, AUTH_RESULT_PERMERROR, auth_result_name(AUTH_RESULT_PERMERROR), "the key %s",
                                  why);
            dkim_key_free(&key);
            continue;
        }
        has_key = true;
        bool fits = judge_key(check, &key, digest);
        dkim_key_free(&key);
        if (!fits)
            continue;
        if (check->verdict.result == AUTH_RESULT_PASS)
            memcpy(check->verdict.detail, leftovers, sizeof leftovers);
        break;
    }
    if (check->verdict.is_testing && check->verdict.result == AUTH_RESULT_FAIL)
        say_neutral(check, "it is wrong, but the domain is only testing");
    note_short_key(check);
}

static void find_signer(struct dkim_check *check, const uint8_t *digest)
{
    struct dkim_verdict *verdict = &check->verdict;
    char name[sizeof verdict->selector + sizeof verdict->domain + 16];
    int len = snprintf(name, sizeof name, "%s._domainkey.%s", verdict->selector, verdict->domain);
    if (len >= NAME_MAX_SIZE) {
        say_permerror(check, "there is no key: its name is too long");
        return;
    }
    const struct dns_answer *answer = check->ask(name, DNS_TXT, check->ask_ctx);
    verdict->is_secure = answer->is_secure;
    if (answer->outcome == DNS_TEMPORARY || answer->outcome == DNS_BOGUS)
        dkim_check_decide(check, AUTH_RESULT_TEMPERROR, auth_result_name(AUTH_RESULT_TEMPERROR),
                          "its key could not be looked up");
    else if (answer->outcome != DNS_FOUND || answer->count == 0)
        say_permerror(check, "there is no key");
    else
        try_records(check, answer, digest);
}

void dkim_check_signature(struct dkim_check *check, const uint8_t digest[static DIGEST_SIZE])
{
    find_signer(check, digest);
    /* One of the clocks is wrong, ours too may be; both will be later. */
    if (check->is_of_future && check->verdict.result == AUTH_RESULT_PASS)
        dkim_check_decide(check, AUTH_RESULT_TEMPERROR, auth_result_name(AUTH_RESULT_TEMPERROR),
                          "it was made in the future");
}
