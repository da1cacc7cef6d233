#include "mapping/convert_crypto.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_mime_field.h"
#include "mapping/convert_mime_parameter.h"
#include "mapping/convert_mime_scan.h"
#include "mapping/convert_utf8.h"

/* ---- parts ---- */

/* A parameter of the part's Content-Type, "" when absent; the caller's. */
static char *type_parameter(const struct convert_part *part, const char *name)
{
    struct convert_field field;
    struct convert_parameters parameters = { 0 };
    size_t len = convert_field_find(part->header, part->header_len, "Content-Type", &field) ? field.value_len : 0;
    char *line = convert_utf8_one_line(len > 0 ? field.value : "", len, CONVERT_CONTENT_FIELD_MAX);
    convert_parameters_parse(line, &parameters);
    char *value = convert_parameters_raw(&parameters, name);
    convert_parameters_free(&parameters);
    free(line);
    return value;
}

static bool is_smime_leaf(const struct convert_part *part)
{
    return convert_part_is(part, "application", "pkcs7-mime") || convert_part_is(part, "application", "x-pkcs7-mime");
}

static bool is_smime_signature(const struct convert_part *part)
{
    return convert_part_is(part, "application", "pkcs7-signature") ||
           convert_part_is(part, "application", "x-pkcs7-signature");
}

static enum convert_crypto signed_multipart(const struct convert_part *part)
{
    char *protocol = type_parameter(part, "protocol");
    const struct convert_part *signature = part->child_count > 1 ? part->children[1] : NULL;
    bool is_pgp =
        strcasestr(protocol, "pgp") || (signature && convert_part_is(signature, "application", "pgp-signature"));
    bool is_smime = strcasestr(protocol, "pkcs7") || (signature && is_smime_signature(signature));
    free(protocol);
    return is_pgp ? CONVERT_CRYPTO_SIGNED_PGP : is_smime ? CONVERT_CRYPTO_SIGNED_SMIME : CONVERT_CRYPTO_NONE;
}

/* Exchange makes a multipart/mixed of a multipart/encrypted, with an empty text in front. */
static bool holds_pgp_encrypted(const struct convert_part *part)
{
    for (size_t i = 0; i + 1 < part->child_count; i++) {
        if (convert_part_is(part->children[i], "application", "pgp-encrypted"))
            return true;
    }
    return false;
}

static bool has_ending(const char *name, const char *ending)
{
    size_t len = strlen(name);
    size_t n = strlen(ending);
    return len > n && strcasecmp(name + len - n, ending) == 0;
}

static enum convert_crypto by_name(const char *name)
{
    static const struct {
        const char *ending;
        enum convert_crypto crypto;
    } endings[] = {
        { ".p7m", CONVERT_CRYPTO_OPAQUE_SMIME },
        { ".p7s", CONVERT_CRYPTO_SIGNATURE },
        { ".p7c", CONVERT_CRYPTO_CERTIFICATES },
        { ".p7z", CONVERT_CRYPTO_COMPRESSED_SMIME },
    };
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        if (has_ending(name, endings[i].ending))
            return endings[i].crypto;
    }
    return CONVERT_CRYPTO_NONE;
}

static enum convert_crypto smime_leaf(const struct convert_part *part)
{
    static const struct {
        const char *type;
        enum convert_crypto crypto;
    } types[] = {
        { "enveloped-data", CONVERT_CRYPTO_ENCRYPTED_SMIME },
        { "authEnveloped-data", CONVERT_CRYPTO_ENCRYPTED_SMIME },
        { "signed-data", CONVERT_CRYPTO_OPAQUE_SMIME },
        { "certs-only", CONVERT_CRYPTO_CERTIFICATES },
        { "compressed-data", CONVERT_CRYPTO_COMPRESSED_SMIME },
    };
    enum convert_crypto crypto = CONVERT_CRYPTO_NONE;
    char *type = type_parameter(part, "smime-type");
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcasecmp(type, types[i].type) == 0)
            crypto = types[i].crypto;
    }
    free(type);
    if (crypto == CONVERT_CRYPTO_NONE)
        crypto = by_name(part->about.filename);
    return crypto == CONVERT_CRYPTO_NONE ? CONVERT_CRYPTO_OPAQUE_SMIME : crypto;
}

enum convert_crypto convert_crypto_of(const struct convert_part *part)
{
    if (part->child_count > 0) {
        if (convert_part_is(part, "multipart", "signed"))
            return signed_multipart(part);
        return holds_pgp_encrypted(part) ? CONVERT_CRYPTO_ENCRYPTED_PGP : CONVERT_CRYPTO_NONE;
    }
    if (is_smime_leaf(part))
        return smime_leaf(part);
    if (is_smime_signature(part) || convert_part_is(part, "application", "pgp-signature"))
        return CONVERT_CRYPTO_SIGNATURE;
    if (convert_part_is(part, "application", "pgp-keys"))
        return CONVERT_CRYPTO_PGP_KEY;
    if (convert_part_is(part, "application", "octet-stream"))
        return by_name(part->about.filename);
    return CONVERT_CRYPTO_NONE;
}

/* ---- armour ---- */

enum { PGP_MESSAGE, PGP_SIGNED, PGP_SIGNATURE, PGP_PUBLIC_KEY, PGP_PRIVATE_KEY, PGP_KINDS };
static const char *const pgp_labels[PGP_KINDS] = {
    "PGP MESSAGE", "PGP SIGNED MESSAGE", "PGP SIGNATURE", "PGP PUBLIC KEY BLOCK", "PGP PRIVATE KEY BLOCK",
};

/* Ends behind the line end. */
static size_t line_len(const char *text, size_t len, size_t at)
{
    const char *lf = memchr(text + at, '\n', len - at);
    return lf ? (size_t)(lf - text) + 1 - at : len - at;
}

static size_t without_blanks(const char *line, size_t len)
{
    while (len > 0 && strchr(" \t\r\n", line[len - 1]))
        len--;
    return len;
}

/* The kind of a "-----BEGIN PGP MESSAGE-----"; -1 when the line is none. */
static int read_mark(const char *line, size_t len, const char *word)
{
    static const char dashes[] = "-----";
    size_t dash_len = strlen(dashes);
    size_t word_len = strlen(word);
    len = without_blanks(line, len);
    if (len < 2 * dash_len + word_len + 1 || memcmp(line, dashes, dash_len) != 0 ||
        memcmp(line + len - dash_len, dashes, dash_len) != 0 || memcmp(line + dash_len, word, word_len) != 0)
        return -1;
    const char *label = line + dash_len + word_len;
    len -= 2 * dash_len + word_len;
    for (int i = 0; i < PGP_KINDS; i++) {
        if (len == strlen(pgp_labels[i]) && memcmp(label, pgp_labels[i], len) == 0)
            return i;
    }
    return -1;
}

/* Where the last end (and beginning of a signature) of each kind is: one look at the text, however many begin. */
struct marks {
    size_t last_end[PGP_KINDS]; /* offset + 1; 0: none */
    size_t last_signature;
};

static void find_marks(const char *text, size_t len, struct marks *marks)
{
    *marks = (struct marks){ 0 };
    for (size_t at = 0; at < len;) {
        size_t n = line_len(text, len, at);
        int end = text[at] == '-' ? read_mark(text + at, n, "END ") : -1;
        if (end >= 0)
            marks->last_end[end] = at + 1;
        else if (text[at] == '-' && read_mark(text + at, n, "BEGIN ") == PGP_SIGNATURE)
            marks->last_signature = at + 1;
        at += n;
    }
}

/* The kind of the block that begins here and has an end; -1 when none does. */
static int block_at(const char *text, size_t at, size_t n, const struct marks *marks)
{
    int kind = text[at] == '-' ? read_mark(text + at, n, "BEGIN ") : -1;
    if (kind == PGP_SIGNED)
        return marks->last_signature > at && marks->last_end[PGP_SIGNATURE] > marks->last_signature ? kind : -1;
    return kind >= 0 && marks->last_end[kind] > at ? kind : -1;
}

enum convert_crypto convert_crypto_armour(const char *text, size_t len)
{
    bool found[PGP_KINDS] = { false };
    struct marks marks;
    find_marks(text, len, &marks);
    for (size_t at = 0; at < len;) {
        size_t n = line_len(text, len, at);
        int kind = block_at(text, at, n, &marks);
        if (kind >= 0)
            found[kind] = true;
        at += n;
    }
    if (found[PGP_MESSAGE])
        return CONVERT_CRYPTO_TEXT_ENCRYPTED;
    if (found[PGP_SIGNED])
        return CONVERT_CRYPTO_TEXT_SIGNED;
    return found[PGP_PUBLIC_KEY] || found[PGP_PRIVATE_KEY] ? CONVERT_CRYPTO_PGP_KEY : CONVERT_CRYPTO_NONE;
}

/* Behind "Hash: SHA256" and the empty line. */
static size_t skip_armour_header(const char *text, size_t len, size_t at)
{
    while (at < len) {
        size_t n = line_len(text, len, at);
        if (without_blanks(text + at, n) == 0)
            return at + n;
        if (!memchr(text + at, ':', n))
            return at;
        at += n;
    }
    return at;
}

static size_t skip_block(const char *text, size_t len, size_t at, int kind)
{
    while (at < len) {
        size_t n = line_len(text, len, at);
        bool is_end = text[at] == '-' && read_mark(text + at, n, "END ") == kind;
        at += n;
        if (is_end)
            break;
    }
    return at;
}

void convert_crypto_unarmour(const char *text, size_t len, struct strbuf *out)
{
    struct marks marks;
    bool is_signed = false; /* inside what was signed: "- " stands before lines with a dash (RFC 9580 section 7.2) */
    find_marks(text, len, &marks);
    for (size_t at = 0; at < len;) {
        size_t n = line_len(text, len, at);
        int kind = block_at(text, at, n, &marks);
        if (is_signed && kind == PGP_SIGNATURE) {
            at = skip_block(text, len, at, kind);
            is_signed = false;
        } else if (!is_signed && kind == PGP_SIGNED) {
            at = skip_armour_header(text, len, at + n);
            is_signed = true;
        } else if (!is_signed && kind >= 0 && kind != PGP_SIGNATURE) {
            at = skip_block(text, len, at, kind);
        } else {
            size_t escape = is_signed && n >= 2 && memcmp(text + at, "- ", 2) == 0 ? 2 : 0;
            strbuf_add(out, text + at + escape, n - escape);
            at += n;
        }
    }
}

/* ---- words ---- */

static const struct words {
    const char *alone;
    const char *before, *after; /* around the attachment's name */
} words[CONVERT_CRYPTO_COUNT] = {
    [CONVERT_CRYPTO_SIGNED_SMIME] = { "This message is signed (S/MIME). The signature was not checked.",
                                      "This message is signed (S/MIME). The signature was not checked: it is in \"",
                                      "\"." },
    [CONVERT_CRYPTO_SIGNED_PGP] = { "This message is signed (PGP). The signature was not checked.",
                                    "This message is signed (PGP). The signature was not checked: it is in \"", "\"." },
    [CONVERT_CRYPTO_ENCRYPTED_SMIME] = { "This message is encrypted (S/MIME).",
                                         "This message is encrypted (S/MIME). It can be read with the recipient's "
                                         "key and a mail program: it is attached as \"",
                                         "\"." },
    [CONVERT_CRYPTO_ENCRYPTED_PGP] = { "This message is encrypted (PGP).",
                                       "This message is encrypted (PGP). It can be read with the recipient's key: it "
                                       "is "
                                       "attached as \"",
                                       "\"." },
    [CONVERT_CRYPTO_COMPRESSED_SMIME] = { "This message is compressed (S/MIME), which is not read here.",
                                          "This message is compressed (S/MIME), which is not read here: it is attached "
                                          "as \"",
                                          "\"." },
    [CONVERT_CRYPTO_OPAQUE_SMIME] = { "This message was taken out of a signature (S/MIME), which was not checked.",
                                      "This message was taken out of a signature (S/MIME), which was not checked: it "
                                      "is "
                                      "in \"",
                                      "\"." },
    [CONVERT_CRYPTO_OPAQUE_DAMAGED] = { "Not all of a signed part (S/MIME) could be read.",
                                        "Not all of a signed part (S/MIME) could be read: it is attached as \"",
                                        "\"." },
    [CONVERT_CRYPTO_CERTIFICATES] = { "Certificates (S/MIME) came with this message.",
                                      "Certificates (S/MIME) came with this message: they are in \"", "\"." },
    [CONVERT_CRYPTO_SIGNATURE] = { "A signature came with this message. It was not checked.",
                                   "A signature came with this message. It was not checked: it is in \"", "\"." },
    [CONVERT_CRYPTO_PGP_KEY] = { "A PGP key came with this message.", "A PGP key came with this message: it is in \"",
                                 "\"." },
    [CONVERT_CRYPTO_TEXT_SIGNED] = { "This text was signed (PGP). The signature was not checked.",
                                     "This text was signed (PGP). The signature was not checked: it is in \"", "\"." },
    [CONVERT_CRYPTO_TEXT_ENCRYPTED] = { "Text of this message is encrypted (PGP).",
                                        "Text of this message is encrypted (PGP). It can be read with the recipient's "
                                        "key: it is attached as \"",
                                        "\"." },
};

void convert_crypto_add_sentence(struct strbuf *out, enum convert_crypto crypto, const char *attachment)
{
    const struct words *row = &words[crypto];
    if (!row->alone)
        return;
    if (!attachment || !*attachment)
        strbuf_add_str(out, row->alone);
    else
        strbuf_add_fmt(out, "%s%s%s", row->before, attachment, row->after);
}
