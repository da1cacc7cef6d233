/* The little of CMS (RFC 5652) that is needed to tell what a structure is and to find signed content in it. Not OpenSSL's
 * CMS: that decodes certificates and algorithms on the way, which nobody looks at here, reads its configuration from
 * files on first use, and holds the content once more in memory. This goes down one path of tags (BER, X.690 section 8,
 * because Outlook and Java write indefinite lengths) and copies octets. */
#include <stdint.h>
#include <string.h>

#include "base/strbuf.h"
#include "mapping/convert_crypto.h"

enum {
    TAG_INTEGER = 0x02,
    TAG_OCTETS = 0x04,
    TAG_OID = 0x06,
    TAG_SEQUENCE = 0x30,
    TAG_SET = 0x31,
    TAG_CONSTRUCTED = 0x20,
    TAG_CONTEXT_0 = 0xA0,
    TAG_CONTEXT_1 = 0xA1,
    OCTETS_DEPTH_MAX = 8, /* of octet strings in pieces; one is usual */
};

struct cursor {
    const uint8_t *at, *end;
    bool is_cut; /* something is longer than what is around it */
};

struct element {
    uint8_t tag;
    bool is_indefinite; /* ends with two zeros */
    size_t len;         /* of what can be read of it; for an indefinite one: up to the end of what is around */
};

/* Reads tag and length, and stops where the content begins. Tags of several octets don't occur on our path. */
static bool read_element(struct cursor *cursor, struct element *element_out)
{
    if (cursor->end - cursor->at < 2)
        return false;
    element_out->tag = *cursor->at++;
    uint8_t first = *cursor->at++;
    size_t left = (size_t)(cursor->end - cursor->at);
    element_out->is_indefinite = first == 0x80;
    element_out->len = first < 0x80 ? first : 0;
    size_t octets = first & 0x7F;
    if (first > 0x80) {
        if (octets > sizeof(size_t) || octets > left)
            return false;
        for (; octets > 0; octets--)
            element_out->len = element_out->len << 8 | *cursor->at++;
        left = (size_t)(cursor->end - cursor->at);
    }
    if (element_out->is_indefinite)
        element_out->len = left;
    if (element_out->len > left) {
        element_out->len = left;
        cursor->is_cut = true;
    }
    return true;
}

static bool is_end_mark(const struct element *element)
{
    return element->tag == 0 && element->len == 0 && !element->is_indefinite;
}

/* Passes over one element, however deep: elements of known length are jumped over, others counted. */
static bool skip_element(struct cursor *cursor)
{
    size_t depth = 0;
    do {
        struct element element;
        if (!read_element(cursor, &element))
            return false;
        if (element.is_indefinite)
            depth++;
        else
            cursor->at += element.len;
        if (is_end_mark(&element) && depth > 0)
            depth--;
    } while (depth > 0);
    return true;
}

/* Goes into the element here; false when it has another tag. */
static bool enter(struct cursor *cursor, uint8_t tag)
{
    struct element element;
    if (!read_element(cursor, &element) || element.tag != tag)
        return false;
    cursor->end = cursor->at + element.len;
    return true;
}

static bool is_next(const struct cursor *cursor, uint8_t tag)
{
    return cursor->at < cursor->end && *cursor->at == tag;
}

/* Goes to the content behind the type's OID; the type is NONE when it is not one of those below. */
static enum convert_crypto enter_content(struct cursor *cursor)
{
    static const struct {
        const char *oid;
        size_t len;
        enum convert_crypto crypto;
    } types[] = {
        { "\x2A\x86\x48\x86\xF7\x0D\x01\x07\x02", 9, CONVERT_CRYPTO_OPAQUE_SMIME },
        { "\x2A\x86\x48\x86\xF7\x0D\x01\x07\x03", 9, CONVERT_CRYPTO_ENCRYPTED_SMIME },
        { "\x2A\x86\x48\x86\xF7\x0D\x01\x07\x06", 9, CONVERT_CRYPTO_ENCRYPTED_SMIME },
        { "\x2A\x86\x48\x86\xF7\x0D\x01\x09\x10\x01\x09", 11, CONVERT_CRYPTO_COMPRESSED_SMIME },
        { "\x2A\x86\x48\x86\xF7\x0D\x01\x09\x10\x01\x17", 11, CONVERT_CRYPTO_ENCRYPTED_SMIME },
    };
    struct element oid;
    if (!enter(cursor, TAG_SEQUENCE) || !read_element(cursor, &oid) || oid.tag != TAG_OID)
        return CONVERT_CRYPTO_NONE;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (oid.len == types[i].len && memcmp(cursor->at, types[i].oid, oid.len) == 0) {
            cursor->at += oid.len;
            return enter(cursor, TAG_CONTEXT_0) ? types[i].crypto : CONVERT_CRYPTO_NONE;
        }
    }
    return CONVERT_CRYPTO_NONE;
}

/* From SignedData to its EncapsulatedContentInfo. */
static bool enter_signed(struct cursor *cursor)
{
    return enter(cursor, TAG_SEQUENCE) && is_next(cursor, TAG_INTEGER) && skip_element(cursor) &&
           is_next(cursor, TAG_SET) && skip_element(cursor) && is_next(cursor, TAG_SEQUENCE);
}

/* From there to the octet string; false when the signature is a detached one. */
static bool enter_encapsulated(struct cursor *cursor)
{
    return enter(cursor, TAG_SEQUENCE) && is_next(cursor, TAG_OID) && skip_element(cursor) &&
           is_next(cursor, TAG_CONTEXT_0) && enter(cursor, TAG_CONTEXT_0);
}

/* Without content: a list of certificates has no signers. */
static enum convert_crypto look_behind(struct cursor cursor)
{
    bool found = skip_element(&cursor);
    while (found && (is_next(&cursor, TAG_CONTEXT_0) || is_next(&cursor, TAG_CONTEXT_1)))
        found = skip_element(&cursor);
    struct element signers;
    if (!found || !read_element(&cursor, &signers) || signers.tag != TAG_SET)
        return CONVERT_CRYPTO_CERTIFICATES;
    bool is_empty = signers.len == 0 || (signers.is_indefinite && *cursor.at == 0);
    return is_empty ? CONVERT_CRYPTO_CERTIFICATES : CONVERT_CRYPTO_SIGNATURE;
}

enum convert_crypto convert_crypto_look(const void *data, size_t len)
{
    struct cursor cursor = { .at = data, .end = (const uint8_t *)data + len };
    enum convert_crypto crypto = enter_content(&cursor);
    if (crypto != CONVERT_CRYPTO_OPAQUE_SMIME)
        return crypto;
    if (!enter_signed(&cursor))
        return CONVERT_CRYPTO_NONE;
    struct cursor inside = cursor;
    return enter_encapsulated(&inside) ? crypto : look_behind(cursor);
}

/* An octet string in one piece, or in pieces that may be in pieces themselves. False: damaged. */
static bool add_octets(struct cursor *cursor, struct strbuf *out)
{
    const uint8_t *ends[OCTETS_DEPTH_MAX] = { NULL }; /* NULL: comes with two zeros */
    size_t depth = 0;
    do {
        struct element element;
        if (!read_element(cursor, &element))
            return false;
        if (element.tag == TAG_OCTETS && !element.is_indefinite) {
            strbuf_add(out, cursor->at, element.len);
            cursor->at += element.len;
        } else if (element.tag == (TAG_OCTETS | TAG_CONSTRUCTED) && depth < OCTETS_DEPTH_MAX) {
            ends[depth++] = element.is_indefinite ? NULL : cursor->at + element.len;
        } else if (is_end_mark(&element) && depth > 0 && !ends[depth - 1]) {
            depth--;
        } else {
            return false;
        }
        while (depth > 0 && ends[depth - 1] && cursor->at >= ends[depth - 1])
            depth--;
    } while (depth > 0);
    return !cursor->is_cut;
}

bool convert_crypto_open(const void *data, size_t len, struct strbuf *out)
{
    struct cursor cursor = { .at = data, .end = (const uint8_t *)data + len };
    if (enter_content(&cursor) != CONVERT_CRYPTO_OPAQUE_SMIME || !enter_signed(&cursor) || !enter_encapsulated(&cursor))
        return false;
    return add_octets(&cursor, out);
}
