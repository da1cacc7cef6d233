/* What we say ourselves: in front of the body what matters at once, behind it what went wrong. */
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_address_list.h"
#include "mapping/convert_commonmark.h"
#include "mapping/convert_incoming.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_mime_field.h"
#include "mapping/subject.h"

/* ---- sentences ---- */

static void add_separated(struct strbuf *out, const char *separator, const char *before, const char *name,
                          const char *after)
{
    strbuf_add_fmt(out, "%s%s%s%s", out->len > 0 ? separator : "", before, name, after);
}

void convert_head_say(struct convert_incoming *in, const char *before, const char *name, const char *after)
{
    add_separated(&in->head, " ", before, name, after);
}

void convert_head_miss(struct convert_incoming *in, const char *before, const char *name, const char *after)
{
    convert_head_say(in, before, name, after);
    add_separated(&in->detail, "\n", before, name, after);
}

void convert_head_note(struct convert_incoming *in, const char *before, const char *name, const char *after)
{
    add_separated(&in->detail, "\n", before, name, after);
    add_separated(&in->notes, "\n", before, name, after);
}

void convert_head_remark(struct convert_incoming *in, const char *before, const char *name, const char *after)
{
    add_separated(&in->remarks, "\n", before, name, after);
}

/* Who can't read a message must know it first; that it was signed can wait. */
void convert_head_add_crypto(struct convert_incoming *in, enum convert_crypto crypto, const char *name)
{
    enum { SENTENCE_MAX = 1000 };
    bool is_important = crypto == CONVERT_CRYPTO_ENCRYPTED_SMIME || crypto == CONVERT_CRYPTO_ENCRYPTED_PGP ||
                        crypto == CONVERT_CRYPTO_TEXT_ENCRYPTED || crypto == CONVERT_CRYPTO_COMPRESSED_SMIME;
    struct strbuf sentence;
    strbuf_init(&sentence, SENTENCE_MAX);
    convert_crypto_add_sentence(&sentence, crypto, name ? name + 2 : NULL);
    if (sentence.len > 0 && is_important)
        convert_head_say(in, sentence.data, "", "");
    else if (sentence.len > 0)
        convert_head_remark(in, sentence.data, "", "");
    strbuf_free(&sentence);
}

/* ---- other people ---- */

struct others {
    struct convert_incoming *in;
    struct smtp_address author;
    size_t named, more;
    struct strbuf text;
};

static bool is_listed(const struct others *others, const struct smtp_address *address)
{
    const struct convert_in_options *options = others->in->options;
    char text[SMTP_ADDRESS_MAX + 2];
    if (smtp_address_equal(address, &others->author))
        return true;
    smtp_address_format(address, text);
    for (size_t i = 0; i < options->known_count; i++) {
        if (strcmp(options->known[i], text) == 0)
            return true;
    }
    for (size_t i = 0; i < others->in->other_count; i++) {
        if (strcmp(others->in->others[i], text) == 0)
            return true;
    }
    return false;
}

/* Whoever is written to as bob+lists@ is the same person as bob@. */
static bool is_known(const struct others *others, const struct smtp_address *address)
{
    struct smtp_address plain = *address;
    return is_listed(others, address) || (smtp_address_drop_detail(&plain) && is_listed(others, &plain));
}

/* A name that only repeats the address says nothing more; one with another address in it, or with half a letter, would
 * pass for something that we say. */
static bool says_more(const char *name, const char *address)
{
    enum { NAME_LEN_MAX = 80 };
    return *name && strcmp(name, address) != 0 && strlen(name) <= NAME_LEN_MAX && !strpbrk(name, "@<>:/\\\"");
}

static void add_other(const char *name, const struct smtp_address *address, void *ctx)
{
    struct others *others = ctx;
    struct convert_incoming *in = others->in;
    char text[SMTP_ADDRESS_MAX + 2];
    struct smtp_address normal = *address;
    smtp_address_normalise(&normal);
    if (is_known(others, &normal))
        return;
    if (in->other_count == CONVERT_OTHERS_MAX) {
        others->more++; /* twice, if it is there twice */
        return;
    }
    smtp_address_format(&normal, text);
    in->others = xreallocarray(in->others, in->other_count + 1, sizeof(char *));
    in->others[in->other_count++] = xstrdup(text);
    if (others->named == CONVERT_OTHERS_NAMED_MAX) {
        others->more++;
        return;
    }
    char shown[SUBJECT_SHOWN_SIZE];
    subject_show(text, shown);
    if (strlen(shown) > SMTP_ADDRESS_MAX) /* what there is room for */
        memcpy(shown, text, strlen(text) + 1);
    strbuf_add_str(&others->text, others->named++ > 0 ? ", " : "");
    if (says_more(name, text) && says_more(name, shown))
        strbuf_add_fmt(&others->text, "%s <%s>", name, shown);
    else
        strbuf_add_str(&others->text, shown);
}

static void take_author(const char *name, const struct smtp_address *address, void *ctx)
{
    (void)name;
    ((struct others *)ctx)->author = *address;
}

static void read_fields(struct others *others, const char *header, size_t len, const char *name,
                        convert_address_list_each *each)
{
    const char *at = header;
    struct convert_field field;
    while (convert_field_next(&at, header + len, &field)) {
        if (convert_field_is(&field, name))
            convert_address_list_read(others->in->charsets, &field, each, others);
    }
}

void convert_head_read_others(struct convert_incoming *in, const char *header, size_t len)
{
    struct others others = { .in = in };
    if (!in->options->names_others)
        return;
    strbuf_init(&others.text, CONVERT_OTHERS_NAMED_MAX * (CONVERT_FROM_NAME_MAX + SMTP_ADDRESS_MAX + 8));
    read_fields(&others, header, len, "From", take_author);
    read_fields(&others, header, len, "To", add_other);
    read_fields(&others, header, len, "Cc", add_other);
    if (others.more > 0)
        strbuf_add_fmt(&others.text, " and %zu more", others.more);
    if (others.text.len > 0)
        convert_head_say(in, "Also to: ", others.text.data, ".");
    strbuf_free(&others.text);
}

/* ---- what is written ---- */

static void write_line(struct commonmark_writer *writer, const char *text, size_t len)
{
    commonmark_open_emphasis(writer, COMMONMARK_EM);
    commonmark_add_text(writer, text, len);
    commonmark_close_emphasis(writer, COMMONMARK_EM);
    commonmark_end_paragraph(writer);
}

/* How our lines begin. */
static const char *const beginnings[] = {
    "A PGP key came with this message",
    "A signature came with this message",
    "Also to: ",
    "Certificates (S/MIME) came with this message",
    "Characters may be wrong",
    "Not all of a signed part",
    "Not all of the text could be shown",
    "Not all of winmail.dat",
    "Not shown: ",
    "Text of this message is encrypted",
    "Text outside of the parts of this message",
    "The attachment \"",
    "The parts of this message could not be told apart",
    "The text of this message arrived damaged",
    "This is an automatic message",
    "This message could not be converted",
    "This message has a second text",
    "This message is compressed (",
    "This message is encrypted (",
    "This message is signed (",
    "This message was taken out of a signature",
    "This text was signed (",
};

static bool begins_like_ours(const char *line, size_t len)
{
    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
        size_t n = strlen(beginnings[i]);
        if (len > n && (*line == '_' || *line == '*') && memcmp(line + 1, beginnings[i], n) == 0)
            return true;
    }
    return false;
}

void convert_head_add_guarded(struct strbuf *out, const char *text, size_t len)
{
    for (size_t i = 0, n; i < len; i += n) {
        const char *lf = memchr(text + i, '\n', len - i);
        n = lf ? (size_t)(lf - text) + 1 - i : len - i;
        if (begins_like_ours(text + i, n))
            strbuf_add_char(out, '\\');
        strbuf_add(out, text + i, n);
    }
}

/* In front of everything else, so that nobody answers before they have read it; rules separate only what follows. */
void convert_head_write(const struct convert_incoming *in, struct strbuf *out)
{
    static const char automatic[] = "This is an automatic message.";
    struct strbuf text;
    strbuf_init(&text, in->head.len + sizeof automatic + 1);
    if (in->options->is_automatic)
        strbuf_add_fmt(&text, "%s%s", automatic, in->head.len > 0 ? " " : "");
    strbuf_add(&text, in->head.data, in->head.len);
    if (text.len > 0) {
        struct commonmark_writer *writer = commonmark_writer_new(out);
        write_line(writer, text.data, text.len);
        commonmark_writer_free(&writer);
        strbuf_add_char(out, '\n');
    }
    strbuf_free(&text);
}

static void write_lines(struct commonmark_writer *writer, const struct strbuf *lines)
{
    for (const char *line = lines->data; *line;) {
        size_t n = strcspn(line, "\n");
        write_line(writer, line, n);
        line += n + (line[n] == '\n');
    }
}

void convert_head_add_notes(const struct convert_incoming *in, struct strbuf *body)
{
    if (in->notes.len + in->remarks.len == 0)
        return;
    if (body->len > 0)
        strbuf_add_str(body, "\n---\n\n");
    struct commonmark_writer *writer = commonmark_writer_new(body);
    write_lines(writer, &in->notes);
    write_lines(writer, &in->remarks);
    commonmark_writer_free(&writer);
}
