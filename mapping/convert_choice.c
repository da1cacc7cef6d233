/* What becomes of each part: shown, attached, or both. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "mapping/convert_incoming.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_text.h"
#include "mapping/convert_types.h"

/* ---- texts ---- */

/* Kinds of text that nobody reads as such. */
static bool is_file_of_text(const struct convert_part *part)
{
    static const char *const subtypes[] = { "calendar",      "vcard",      "x-vcard",    "directory",
                                            "css",           "csv",        "rtf",        "xml",
                                            "xsl",           "x-amp-html", "javascript", "rfc822-headers",
                                            "rfc822-header", "x-vcalendar" };
    for (size_t i = 0; i < sizeof subtypes / sizeof subtypes[0]; i++) {
        if (strcmp(part->about.subtype, subtypes[i]) == 0)
            return true;
    }
    return false;
}

/* A text whose charset has no NUL and no control characters in it. */
static bool claims_octets(const struct convert_part *part)
{
    static const char *const wide[] = { "utf-16", "utf-32", "ucs-2", "ucs-4", "iso-10646" };
    for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++) {
        if (strncasecmp(part->about.charset, wide[i], strlen(wide[i])) == 0)
            return false;
    }
    return true;
}

static bool is_binary(const struct convert_part *part, const struct strbuf *start)
{
    return claims_octets(part) && convert_type_is_binary(start->data, start->len);
}

bool convert_choice_is_file(const struct convert_part *part)
{
    struct strbuf start;
    strbuf_init(&start, CONVERT_TYPE_LOOK);
    convert_content_start(part, &start);
    bool is_file = is_binary(part, &start);
    strbuf_free(&start);
    return is_file;
}

enum convert_show convert_choice_text_show(const struct convert_part *part)
{
    struct strbuf start;
    if (!convert_part_is(part, "text", NULL) || is_file_of_text(part))
        return CONVERT_SHOW_NOTHING;
    strbuf_init(&start, CONVERT_TYPE_LOOK);
    convert_content_start(part, &start);
    const char *kind = convert_type_sniff(start.data, start.len);
    bool is_file = is_binary(part, &start);
    strbuf_free(&start);
    if (is_file)
        return CONVERT_SHOW_NOTHING;
    if (convert_part_is(part, "text", "html"))
        return CONVERT_SHOW_HTML;
    return !part->about.has_type && kind && strcmp(kind, "html") == 0 ? CONVERT_SHOW_HTML : CONVERT_SHOW_TEXT;
}

/* "name" in Content-Type alone says little: it is the first text's, if nothing else can be the body. */
static void promote_text(struct convert_incoming *in)
{
    for (size_t i = 0; i < in->count; i++) {
        if (in->items[i]->show == CONVERT_SHOW_TEXT || in->items[i]->show == CONVERT_SHOW_HTML)
            return;
    }
    for (size_t i = 0; i < in->count; i++) {
        const struct convert_part *part = in->items[i]->part;
        bool is_candidate = (convert_part_is(part, "text", "plain") || convert_part_is(part, "text", "html")) &&
                            !part->about.is_attachment && !part->about.is_inline && !part->is_stray;
        if (!is_candidate || convert_choice_text_show(part) == CONVERT_SHOW_NOTHING)
            continue;
        in->items[i]->show = convert_choice_text_show(part);
        in->items[i]->is_attached = false;
        return;
    }
}

bool convert_choice_has_words(const struct convert_incoming *in)
{
    enum { LOOKED_AT = 1000 };
    for (size_t i = 0; i < in->count; i++) {
        const struct convert_item *item = in->items[i];
        const struct convert_part *part = item->part;
        if ((item->show == CONVERT_SHOW_TEXT || item->show == CONVERT_SHOW_HTML) &&
            (part->content_len > LOOKED_AT || !convert_text_is_blank(part->content, part->content_len)))
            return true;
    }
    return false;
}

/* ---- leaves ---- */

static void trim_line_ends(struct strbuf *text)
{
    while (text->len > 0 && (text->data[text->len - 1] == '\n' || text->data[text->len - 1] == '\r'))
        strbuf_truncate(text, text->len - 1);
}

/* Programs send an invitation twice, in the body's alternatives and as a file. */
static bool is_known_calendar(struct convert_incoming *in, const struct convert_part *part)
{
    for (size_t i = 0; i < in->count; i++) {
        struct convert_item *item = in->items[i];
        size_t len = item->part->content_len;
        bool is_similar = part->content_len <= len * 2 && len <= part->content_len * 2; /* in whatever encoding */
        if (item->show != CONVERT_SHOW_CALENDAR || !is_similar || len > CONVERT_TEXT_MAX)
            continue;
        struct strbuf one, two;
        strbuf_init(&one, CONVERT_TEXT_MAX * 2);
        strbuf_init(&two, CONVERT_TEXT_MAX * 2);
        bool is_same = convert_content_bytes(item->part, &one) && convert_content_bytes(part, &two);
        trim_line_ends(&one); /* the last one belongs to the boundary, unless it was encoded */
        trim_line_ends(&two);
        is_same = is_same && one.len == two.len && memcmp(one.data, two.data, one.len) == 0;
        strbuf_free(&one);
        strbuf_free(&two);
        if (is_same && *part->about.filename && !*item->part->about.filename)
            item->part = part; /* the one with a name is kept */
        if (is_same)
            return true;
    }
    return false;
}

static void collect_calendar(struct convert_incoming *in, const struct convert_part *part)
{
    bool is_second = false;
    if (is_known_calendar(in, part))
        return;
    for (size_t i = 0; i < in->count; i++)
        is_second = is_second || in->items[i]->show == CONVERT_SHOW_CALENDAR;
    convert_incoming_add(in, part, is_second ? CONVERT_SHOW_NOTHING : CONVERT_SHOW_CALENDAR, true);
}

static void collect_text(struct convert_incoming *in, const struct convert_part *part)
{
    enum convert_show show = convert_choice_text_show(part);
    bool is_shown = show != CONVERT_SHOW_NOTHING && !part->about.is_attachment && !*part->about.filename;
    convert_incoming_add(in, part, is_shown ? show : CONVERT_SHOW_NOTHING, !is_shown);
}

/* A picture between texts stands in the body, too. What an HTML form refers to has its place there. */
static void collect_file(struct convert_incoming *in, const struct convert_part *part)
{
    bool is_placed = convert_part_is(part, "image", NULL) && part->about.is_inline && !in->related;
    convert_incoming_add(in, part, is_placed ? CONVERT_SHOW_PICTURE : CONVERT_SHOW_NOTHING, true);
}

/* By its type, or by its name where the type says only that it is octets. */
static bool is_kind(const struct convert_part *part, const char *type, const char *subtype)
{
    if (convert_part_is(part, type, subtype))
        return true;
    if (!convert_part_is(part, "application", "octet-stream"))
        return false;
    const char *meant = convert_type_from_name(part->about.filename);
    size_t len = strlen(type);
    return strncmp(meant, type, len) == 0 && meant[len] == '/' && strcmp(meant + len + 1, subtype) == 0;
}

static void collect_leaf(struct convert_incoming *in, const struct convert_part *part)
{
    static const struct {
        const char *type, *subtype;
        enum convert_show show;
    } kinds[] = {
        { "text", "vcard", CONVERT_SHOW_CARD },
        { "text", "x-vcard", CONVERT_SHOW_CARD },
        { "text", "directory", CONVERT_SHOW_CARD },
        { "message", "external-body", CONVERT_SHOW_EXTERNAL },
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (is_kind(part, kinds[i].type, kinds[i].subtype)) {
            convert_incoming_add(in, part, kinds[i].show, true);
            return;
        }
    }
    if (is_kind(part, "text", "calendar") || convert_part_is(part, "application", "ics"))
        collect_calendar(in, part);
    else if (convert_content_is_message(part))
        convert_incoming_add(in, part, CONVERT_SHOW_MESSAGE, true);
    else if (convert_part_is(part, "text", NULL))
        collect_text(in, part);
    else if (!convert_open_leaf(in, part))
        collect_file(in, part);
}

/* ---- multiparts ---- */

static void collect_children(struct convert_incoming *in, const struct convert_part *part)
{
    for (size_t i = 0; i < part->child_count; i++)
        convert_choice_part(in, part->children[i]);
}

/* The root is what "start" names, or the first part; it comes first, whatever its place. */
static void collect_related(struct convert_incoming *in, const struct convert_part *part)
{
    size_t root = 0;
    const struct convert_part *outer = in->related;
    for (size_t i = 0; i < part->child_count && *part->about.start; i++) {
        if (strcmp(part->children[i]->about.id, part->about.start) == 0)
            root = i;
    }
    in->related = part;
    convert_choice_part(in, part->children[root]);
    for (size_t i = 0; i < part->child_count; i++) {
        if (i != root)
            convert_choice_part(in, part->children[i]);
    }
    in->related = outer;
}

static bool is_named_signature(const char *name)
{
    static const char *const endings[] = { ".p7s", ".p7m", ".asc", ".sig", ".sgn", ".pgp", ".gpg" };
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof endings / sizeof endings[0]; i++)
        if (strcasecmp(dot, endings[i]) == 0)
            return true;
    return !dot;
}

/* By name and content: any file can be called a signature, and it would come in with the original, where nobody judges it. */
static bool is_signature(const struct convert_part *part)
{
    static const char armour[] = "-----BEGIN PGP ", der_sequence = 0x30;
    struct strbuf start;
    if (convert_crypto_of(part) != CONVERT_CRYPTO_SIGNATURE || !is_named_signature(part->about.filename))
        return false;
    strbuf_init(&start, CONVERT_TYPE_LOOK);
    convert_content_start(part, &start);
    const char *text = start.data + strspn(start.data, " \t\r\n");
    bool looks_so = start.len == 0 || start.data[0] == der_sequence || strncmp(text, armour, sizeof armour - 1) == 0;
    strbuf_free(&start);
    return looks_so;
}

/* Only the bytes as they came can be verified: the original is attached, and has the signature in it. */
static void collect_signed(struct convert_incoming *in, const struct convert_part *part, enum convert_crypto crypto)
{
    in->needs_original = true;
    in->signature = crypto;
    for (size_t i = 0; i < part->child_count; i++) {
        if (!is_signature(part->children[i]))
            convert_choice_part(in, part->children[i]);
    }
}

/* What is encrypted stands behind a part that says only "Version: 1" (RFC 3156 section 4). */
static void collect_encrypted(struct convert_incoming *in, const struct convert_part *part)
{
    enum { VERSION_MAX = 200 };
    for (size_t i = 0; i < part->child_count; i++) {
        const struct convert_part *child = part->children[i];
        bool is_version = convert_part_is(child, "application", "pgp-encrypted");
        bool is_content = i > 0 && convert_part_is(part->children[i - 1], "application", "pgp-encrypted");
        if (is_content)
            convert_incoming_add(in, child, CONVERT_SHOW_NOTHING, true)->crypto = CONVERT_CRYPTO_ENCRYPTED_PGP;
        else if (!is_version || child->content_len > VERSION_MAX)
            convert_choice_part(in, child);
    }
}

/* Whether a line begins with a Content field, however it is written. */
static bool has_content_field(const char *text, size_t len)
{
    static const char name[] = "Content-";
    size_t n = strlen(name);
    for (size_t i = 0; len - i > n;) {
        size_t end = i + n;
        if (strncasecmp(text + i, name, n) == 0) {
            while (end < len && (isalpha((unsigned char)text[end]) || text[end] == '-'))
                end++;
            if (end < len && text[end] == ':')
                return true;
        }
        const char *lf = memchr(text + i, '\n', len - i);
        if (!lf)
            return false;
        i = (size_t)(lf - text) + 1;
    }
    return false;
}

/* Text, unless there are parts in it that nobody could find: raw MIME is not for people. */
static void collect_broken(struct convert_incoming *in, const struct convert_part *part)
{
    size_t len = part->content_len < CONVERT_TEXT_MAX ? part->content_len : CONVERT_TEXT_MAX;
    if (len == part->content_len && convert_text_is_blank(part->content, len))
        return;
    in->needs_original = true;
    if (has_content_field(part->content, len)) {
        in->is_doubtful = true;
        convert_head_miss(in, "Not shown: the parts of this message could not be told apart.", "",
                          CONVERT_ORIGINAL_ATTACHED);
        return;
    }
    convert_head_note(in, "The parts of this message could not be told apart.", "", CONVERT_ORIGINAL_ATTACHED);
    convert_incoming_add(in, part, CONVERT_SHOW_TEXT, false);
}

void convert_choice_part(struct convert_incoming *in, const struct convert_part *part)
{
    enum convert_crypto crypto = convert_crypto_of(part);
    if (part->is_broken)
        collect_broken(in, part);
    else if (part->is_stray)
        convert_incoming_add(in, part, CONVERT_SHOW_NOTHING, true);
    else if (part->child_count == 0)
        collect_leaf(in, part);
    else if (convert_part_is(part, "multipart", "alternative"))
        convert_alternative_collect(in, part);
    else if (convert_part_is(part, "multipart", "related"))
        collect_related(in, part);
    else if (crypto == CONVERT_CRYPTO_SIGNED_SMIME || crypto == CONVERT_CRYPTO_SIGNED_PGP)
        collect_signed(in, part, crypto);
    else if (crypto == CONVERT_CRYPTO_ENCRYPTED_PGP)
        collect_encrypted(in, part);
    else
        collect_children(in, part);
}

void convert_choice_collect(struct convert_incoming *in, const struct convert_part *root)
{
    bool is_single_text = root->child_count == 0 && convert_part_is(root, "text", NULL) && !root->is_broken &&
                          !root->about.is_attachment && convert_choice_text_show(root) != CONVERT_SHOW_NOTHING;
    if (is_single_text)
        convert_incoming_add(in, root, convert_choice_text_show(root), false); /* whatever its name */
    else
        convert_choice_part(in, root);
    convert_open_texts(in);
    promote_text(in);
}
