/* smtp_idn.c - see smtp_idn.h */
#include "smtp/smtp_idn.h"

#include <idn2.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

enum { ZWNJ = 0x200C, ZWJ = 0x200D, IDEOGRAPHIC_FULL_STOP = 0x3002 };

/* UTS 46 maps far more than case and width. Where a name stands for another one only by such a mapping, somebody wants it to
 * be taken for that. The two joiners are for RFC 5892 appendix A to judge, which libidn2 does. */
static bool is_plain(ucs4_t c)
{
    ucs4_t parts[UC_DECOMPOSITION_MAX_LENGTH];
    int tag = UC_DECOMP_CANONICAL;
    if (c == ZWNJ || c == ZWJ || c == IDEOGRAPHIC_FULL_STOP)
        return true;
    if (uc_is_property_default_ignorable_code_point(c))
        return false;
    if (uc_decomposition(c, &tag, parts) < 0)
        return true;
    return tag == UC_DECOMP_CANONICAL || tag == UC_DECOMP_WIDE || tag == UC_DECOMP_NARROW;
}

static bool is_all_plain(const char *text)
{
    const uint8_t *at = (const uint8_t *)text, *end = at + strlen(text);
    while (at < end) {
        ucs4_t c;
        int size = u8_mbtoucr(&c, at, (size_t)(end - at));
        if (size <= 0 || !is_plain(c))
            return false;
        at += size;
    }
    return true;
}

/* A label that ends up as another "xn--" than it was, or as ASCII, would be a second name for something. */
static bool keeps_a_labels(const char *domain, const char *result)
{
    const char *a = domain, *b = result;
    for (;;) {
        size_t a_len = strcspn(a, "."), b_len = strcspn(b, ".");
        if (strncasecmp(a, "xn--", 4) == 0 && (a_len != b_len || strncasecmp(a, b, a_len) != 0))
            return false;
        if (!a[a_len] || !b[b_len])
            return true;
        a += a_len + 1;
        b += b_len + 1;
    }
}

int smtp_idn_to_ascii(const char *domain, char out[static SMTP_DOMAIN_MAX + 1])
{
    char text[SMTP_DOMAIN_MAX + 1];
    uint8_t *result = NULL;
    size_t len = strlen(domain);
    if (len > 0 && domain[len - 1] == '.')
        len--;
    if (len == 0 || len >= sizeof text)
        return -1;
    memcpy(text, domain, len);
    text[len] = '\0';
    if (!is_all_plain(text) ||
        idn2_lookup_u8((const uint8_t *)text, &result, IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT) != IDN2_OK)
        return -1;
    len = strlen((const char *)result);
    bool is_good = len > 0 && len <= SMTP_DOMAIN_MAX && keeps_a_labels(text, (const char *)result);
    if (is_good)
        memcpy(out, result, len + 1);
    idn2_free(result);
    return is_good ? 1 : -1;
}

enum script { SCRIPT_ANY, SCRIPT_LATIN, SCRIPT_EAST, SCRIPT_OTHER };

static enum script script_of(ucs4_t c, const char **name_out)
{
    static const struct {
        const char *name;
        enum script script;
    } known[] = { { "Common", SCRIPT_ANY },    { "Inherited", SCRIPT_ANY }, { "Latin", SCRIPT_LATIN },
                  { "Han", SCRIPT_EAST },      { "Hiragana", SCRIPT_EAST }, { "Katakana", SCRIPT_EAST },
                  { "Bopomofo", SCRIPT_EAST }, { "Hangul", SCRIPT_EAST } };
    const uc_script_t *script = uc_script(c);
    *name_out = script ? script->name : "";
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].name, *name_out) == 0)
            return known[i].script;
    return SCRIPT_OTHER;
}

/* A label of several scripts, but for Latin and those of East Asia, which people do mix (UTS 39, "highly restrictive"). */
static bool has_mixed_label(const char *domain)
{
    const uint8_t *at = (const uint8_t *)domain, *end = at + strlen(domain);
    const char *other = NULL, *name; /* the one that goes with no other */
    bool is_free = true;             /* nothing of those that go together */
    while (at < end) {
        ucs4_t c;
        int size = u8_mbtoucr(&c, at, (size_t)(end - at));
        if (size <= 0)
            return true;
        at += size;
        if (c == '.') {
            other = NULL;
            is_free = true;
            continue;
        }
        enum script script = script_of(c, &name);
        if (script == SCRIPT_OTHER && other && strcmp(other, name) != 0)
            return true;
        if (script == SCRIPT_OTHER)
            other = name;
        else if (script != SCRIPT_ANY)
            is_free = false;
        if (other && !is_free)
            return true;
    }
    return false;
}

void smtp_idn_to_unicode(const char *domain, char out[static SMTP_DOMAIN_SHOWN_SIZE])
{
    char *result = NULL, back[SMTP_DOMAIN_MAX + 1];
    const char *shown = domain;
    /* Of what no registry would give out libidn2 makes something as well: it is shown only if it means the same. */
    if (idn2_to_unicode_8z8z(domain, &result, IDN2_NONTRANSITIONAL) == IDN2_OK &&
        strlen(result) < SMTP_DOMAIN_SHOWN_SIZE && !has_mixed_label(result) && smtp_idn_to_ascii(result, back) == 1 &&
        strcasecmp(back, domain) == 0)
        shown = result;
    size_t len = strnlen(shown, SMTP_DOMAIN_SHOWN_SIZE - 1);
    memcpy(out, shown, len);
    out[len] = '\0';
    idn2_free(result);
}

/* KELVIN SIGN is K, and GREEK QUESTION MARK a semicolon, once they are composed; others nobody sees: a second way to write what
 * looks like an address, and perhaps one that its owner does not know. The two joiners change how letters beyond ASCII look. */
static bool is_disguised(ucs4_t c, ucs4_t before)
{
    ucs4_t parts[UC_DECOMPOSITION_MAX_LENGTH];
    if (c < 0x80)
        return false;
    if (c == ZWNJ || c == ZWJ)
        return before < 0x80;
    return uc_is_property_default_ignorable_code_point(c) ||
           (uc_canonical_decomposition(c, parts) == 1 && parts[0] < 0x80);
}

static bool has_disguised(const char *text)
{
    const uint8_t *at = (const uint8_t *)text, *end = at + strlen(text);
    for (ucs4_t c, before = 0; at < end; before = c) {
        int size = u8_mbtoucr(&c, at, (size_t)(end - at));
        if (size <= 0 || is_disguised(c, before))
            return true;
        at += size;
    }
    return false;
}

int smtp_idn_compose(char *text, size_t size)
{
    size_t len = 0;
    if (has_disguised(text))
        return -1;
    uint8_t *composed = u8_normalize(UNINORM_NFC, (const uint8_t *)text, strlen(text), NULL, &len);
    bool fits = composed && len < size;
    if (fits) {
        memcpy(text, composed, len);
        text[len] = '\0';
    }
    free(composed);
    return fits ? 1 : -1;
}
