/* The body: what is shown, one after the other, and behind it the older mail that was quoted. */
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_commonmark.h"
#include "mapping/convert_enriched.h"
#include "mapping/convert_history.h"
#include "mapping/convert_html.h"
#include "mapping/convert_incoming.h"
#include "mapping/convert_inline_file.h"
#include "mapping/convert_inline_mail.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_pictures.h"
#include "mapping/convert_text.h"
#include "mapping/convert_utf8.h"

/* Of a body, for what convert_head adds and for rules between texts. */
enum { NOTES_RESERVE = 64 * 1024, SHOWN_MAX = CONVERT_BODY_MAX - NOTES_RESERVE };

struct body {
    struct convert_incoming *in;
    struct convert_pictures *pictures;
    struct strbuf own;     /* what the author wrote, and summaries */
    struct strbuf history; /* quoted mail */
    struct strbuf excerpt;
    size_t read;          /* octets of text that were looked at */
    bool ends_in_line;    /* of ours */
    bool ends_in_picture; /* which belongs to the texts around it */
};

/* One item, written by itself to see whether it fits. */
struct piece {
    struct convert_incoming *in;
    struct convert_item *item;
    const struct convert_pictures *pictures;
    struct strbuf out;
    struct commonmark_writer *writer;
    struct convert_history *history;
};

/* ---- pictures ---- */

static const char *find_picture(const char *id_or_location, void *ctx)
{
    const struct piece *piece = ctx;
    struct convert_item *found = convert_pictures_find(piece->pictures, id_or_location, piece->item->related);
    if (!found)
        return NULL;
    found->is_referenced = true;
    return found->name;
}

static const char *add_picture(const char *type, void *data, size_t len, void *ctx)
{
    const struct piece *piece = ctx;
    if (!convert_incoming_has_room(piece->in, len)) {
        free(data);
        return NULL;
    }
    const struct convert_part *part = convert_incoming_make(piece->in, type, "", "", data, len, data);
    struct convert_item *item = convert_incoming_add(piece->in, part, CONVERT_SHOW_NOTHING, true);
    convert_attach_name(piece->in, item);
    return item->name;
}

/* ---- texts ---- */

/* Fit to stand in a line of ours. */
static bool is_word(const char *charset)
{
    enum { WORD_MAX = 40 };
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.+";
    size_t len = strspn(charset, letters);
    return len <= WORD_MAX && charset[len] == '\0';
}

static void note_state(struct piece *piece, enum convert_text_state state)
{
    struct convert_incoming *in = piece->in;
    const struct convert_part *part = piece->item->part;
    if (state == CONVERT_TEXT_DAMAGED)
        convert_head_note(in, "The text of this message arrived damaged.", "", CONVERT_ORIGINAL_ATTACHED);
    if (state == CONVERT_TEXT_UNKNOWN_CHARSET && is_word(part->about.charset))
        convert_head_note(in, "Characters may be wrong: the text is in a charset that is not known here, \"",
                          part->about.charset, "\"." CONVERT_ORIGINAL_ATTACHED);
    else if (state == CONVERT_TEXT_UNKNOWN_CHARSET)
        convert_head_note(in, "Characters may be wrong: the text is in a charset that is not known here.", "",
                          CONVERT_ORIGINAL_ATTACHED);
    in->needs_original = in->needs_original || state != CONVERT_TEXT_OK;
}

static void write_enriched(struct piece *piece, const char *text, size_t len)
{
    struct strbuf html;
    strbuf_init(&html, CONVERT_HTML_MAX);
    convert_enriched_to_html(text, len, &html);
    if (!convert_html_write(piece->writer, html.data, html.len, NULL, piece->history)) {
        convert_head_note(piece->in, "Not all of the text could be shown.", "", CONVERT_ORIGINAL_ATTACHED);
        piece->in->needs_original = true;
    }
    strbuf_free(&html);
}

static void write_plain(struct piece *piece, const char *text, size_t len)
{
    const struct convert_content *about = &piece->item->part->about;
    if (strcmp(about->subtype, "enriched") == 0 || strcmp(about->subtype, "richtext") == 0) {
        write_enriched(piece, text, len);
        return;
    }
    const struct convert_text_format format = { about->is_flowed, about->is_delsp };
    struct convert_history *history = piece->in->is_report ? NULL : piece->history;
    convert_text_write(piece->writer, text, len, &format, history);
}

/* Text in PGP's armour: what can be read is shown, the whole is attached. */
static void write_armoured(struct piece *piece, const struct strbuf *text)
{
    enum convert_crypto crypto = convert_crypto_armour(text->data, text->len);
    if (crypto == CONVERT_CRYPTO_NONE) {
        write_plain(piece, text->data, text->len);
        return;
    }
    struct strbuf bare;
    strbuf_init(&bare, CONVERT_TEXT_MAX);
    convert_crypto_unarmour(text->data, text->len, &bare);
    piece->item->crypto = crypto;
    if (!piece->item->is_attached)
        convert_attach_name(piece->in, piece->item);
    convert_head_add_crypto(piece->in, crypto, piece->item->name);
    write_plain(piece, bare.data, bare.len);
    strbuf_free(&bare);
}

/* A uuencoded or yEnc block becomes an attachment that is named in its place; false: there is no room for it. */
static bool write_inline_file(struct piece *piece, const char *text, const struct convert_inline_file *file)
{
    struct convert_incoming *in = piece->in;
    struct strbuf bytes, url;
    if (!convert_incoming_has_room(in, file->content_len))
        return false;
    strbuf_init(&bytes, file->content_len + 1);
    bool is_whole = convert_inline_file_decode(text, file, &bytes);
    char *name = convert_utf8_one_line(text + file->name, file->name_len, CONVERT_NAME_MAX);
    size_t len = bytes.len;
    char *data = strbuf_detach(&bytes);
    const struct convert_part *part = convert_incoming_make(in, "application/octet-stream", name, "", data, len, data);
    struct convert_item *item = convert_incoming_add(in, part, CONVERT_SHOW_NOTHING, true);
    convert_attach_name(in, item);
    free(name);
    if (!is_whole) {
        convert_head_note(in, "The attachment \"", item->name + 2, "\" arrived damaged." CONVERT_ORIGINAL_ATTACHED);
        in->needs_original = in->is_doubtful = true;
    }
    if (file->is_partial)
        convert_head_remark(in, "The attachment \"", item->name + 2,
                            "\" is a piece of a file that was sent in several.");
    strbuf_init(&url, CONVERT_NAME_MAX * 4);
    convert_html_attachment_url(&url, item->name);
    commonmark_end_paragraph(piece->writer);
    commonmark_open_link(piece->writer, url.data);
    commonmark_add_text(piece->writer, item->name + 2, strlen(item->name + 2));
    commonmark_close_link(piece->writer);
    commonmark_end_paragraph(piece->writer);
    strbuf_free(&url);
    return true;
}

/* The mail at the end of a report becomes an attachment, with the line that says what it is. */
static void write_inline_mail(struct piece *piece, const char *text, size_t len)
{
    struct convert_incoming *in = piece->in;
    char *data = xmemdup(text, len);
    const struct convert_part *part = convert_incoming_make(in, "message/rfc822", "", "", data, len, data);
    struct convert_item *item = convert_incoming_add(in, part, CONVERT_SHOW_MESSAGE, true);
    convert_attach_name(in, item);
    commonmark_end_paragraph(piece->writer);
    (void)convert_summary_of(item->show)(in, item, piece->writer);
}

/* Where the mail at the end of a report begins; len: there is none, or no room for it. */
static size_t find_inline_mail(const struct piece *piece, const char *text, size_t len)
{
    bool may_return = piece->in->is_report || piece->in->options->is_automatic;
    size_t offset = len;
    if (!may_return || convert_crypto_armour(text, len) != CONVERT_CRYPTO_NONE ||
        !convert_inline_mail_find(text, len, &offset) || !convert_incoming_has_room(piece->in, len - offset))
        return len;
    return offset;
}

/* Text from..to of the bytes; false: too long. */
static bool write_segment(struct piece *piece, const char *bytes, size_t from, size_t to, bool *is_known)
{
    struct strbuf text;
    strbuf_init(&text, CONVERT_TEXT_MAX);
    if (to > from && !convert_content_decode(piece->in, piece->item->part, bytes + from, to - from, &text))
        *is_known = false;
    bool fits = strbuf_ok(&text);
    if (fits && text.len > 0)
        write_armoured(piece, &text);
    strbuf_free(&text);
    return fits;
}

static bool write_text(struct piece *piece)
{
    const struct convert_part *part = piece->item->part;
    struct strbuf bytes;
    struct convert_inline_file file;
    bool is_known = true;
    size_t at = 0;
    strbuf_init(&bytes, CONVERT_TEXT_MAX * 2 + 1);
    bool is_whole = convert_content_bytes(part, &bytes);
    bool fits = strbuf_ok(&bytes);
    size_t end = fits ? find_inline_mail(piece, bytes.data, bytes.len) : 0;
    while (fits && convert_inline_file_find(bytes.data, end, at, &file)) {
        fits = write_segment(piece, bytes.data, at, file.offset, &is_known);
        at = file.offset;
        if (!fits || !write_inline_file(piece, bytes.data, &file))
            break;
        at = file.offset + file.len;
    }
    fits = fits && write_segment(piece, bytes.data, at, end, &is_known);
    if (fits && end < bytes.len)
        write_inline_mail(piece, bytes.data + end, bytes.len - end);
    if (fits)
        note_state(piece, !is_whole   ? CONVERT_TEXT_DAMAGED
                          : !is_known ? CONVERT_TEXT_UNKNOWN_CHARSET
                                      : CONVERT_TEXT_OK);
    strbuf_free(&bytes);
    return fits;
}

static bool write_html(struct piece *piece)
{
    struct strbuf text;
    const struct convert_html_pictures pictures = { .find = find_picture, .add = add_picture, .ctx = piece };
    strbuf_init(&text, convert_content_text_max(piece->item->part));
    enum convert_text_state state = convert_content_text(piece->in, piece->item->part, &text);
    bool fits = state != CONVERT_TEXT_TOO_LONG &&
                convert_html_write(piece->writer, text.data, text.len, &pictures, piece->history);
    if (fits) {
        note_state(piece, state);
        piece->in->shows_html = true;
    }
    strbuf_free(&text);
    return fits;
}

/* ---- the whole ---- */

static void add_rule(struct strbuf *out, const char *rule)
{
    if (out->len > 0)
        strbuf_add_str(out, rule);
}

/* The body keeps what turns the direction of writing, for some scripts need it; what is quoted elsewhere does without. */
static void add_without_controls(struct strbuf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint32_t code;
        size_t n = convert_utf8_char(text + i, len - i, &code);
        if (code == '\t')
            strbuf_add_char(out, ' ');
        else if (code == '\n' || !convert_utf8_is_control(code))
            strbuf_add(out, text + i, n);
        i += n > 0 ? n : 1;
    }
}

/* How the author's words begin: whole lines, or at least whole words. */
static void take_excerpt(struct body *body, const struct strbuf *own)
{
    if (body->excerpt.len > 0)
        return;
    size_t len = convert_utf8_cut(own->data, own->len, CONVERT_EXCERPT_MAX);
    if (len < own->len) {
        const char *end = memrchr(own->data, '\n', len);
        if (!end)
            end = memrchr(own->data, ' ', len);
        len = end ? (size_t)(end - own->data) : 0;
    }
    add_without_controls(&body->excerpt, own->data, len);
}

/* Rules separate texts from each other and from what we say of other parts. */
static bool needs_rule(const struct body *body, const struct piece *piece, const struct strbuf *own)
{
    bool is_picture = piece->item->show == CONVERT_SHOW_PICTURE;
    bool is_line = convert_summary_of(piece->item->show) != NULL;
    bool begins_with_rule = own->len > 4 && memcmp(own->data, "---\n", 4) == 0;
    bool ends_with_rule = body->own.len > 4 && memcmp(body->own.data + body->own.len - 4, "---\n", 4) == 0;
    return !is_picture && !body->ends_in_picture && !begins_with_rule && !ends_with_rule &&
           !(is_line && body->ends_in_line);
}

/* Takes a piece over if there is room. */
static bool take_piece(struct body *body, struct piece *piece, bool is_text)
{
    struct strbuf own, history;
    strbuf_init(&own, SHOWN_MAX);
    strbuf_init(&history, SHOWN_MAX);
    bool folds = body->in->options->history == CONVERT_HISTORY_FOLD;
    if (is_text)
        convert_history_split(piece->history, folds, &own, &history);
    else
        strbuf_add(&own, piece->out.data, piece->out.len);
    bool fits = strbuf_ok(&piece->out) && strbuf_ok(&own) && strbuf_ok(&history) &&
                body->own.len + body->history.len + own.len + history.len <= SHOWN_MAX;
    if (fits && own.len > 0) {
        add_rule(&body->own, needs_rule(body, piece, &own) ? "\n---\n\n" : "\n");
        if (is_text)
            convert_head_add_guarded(&body->own, own.data, own.len);
        else
            strbuf_add(&body->own, own.data, own.len);
        body->ends_in_line = !is_text;
        body->ends_in_picture = piece->item->show == CONVERT_SHOW_PICTURE;
    }
    if (fits && history.len > 0) {
        add_rule(&body->history, "\n");
        convert_head_add_guarded(&body->history, history.data, history.len);
    }
    if (fits && is_text)
        take_excerpt(body, &own);
    strbuf_free(&own);
    strbuf_free(&history);
    return fits;
}

static bool write_item(struct piece *piece)
{
    convert_summary_write *summary = convert_summary_of(piece->item->show);
    if (summary)
        return summary(piece->in, piece->item, piece->writer) || true;
    return piece->item->show == CONVERT_SHOW_HTML ? write_html(piece) : write_text(piece);
}

static void add_item(struct body *body, struct convert_item *item)
{
    struct convert_incoming *in = body->in;
    struct piece piece = { .in = in, .item = item, .pictures = body->pictures };
    bool is_text = !convert_summary_of(item->show);
    bool is_due = !is_text || (item->part->content_len <= convert_content_text_max(item->part) * 2 &&
                               body->read < CONVERT_SHOWN_TEXT_MAX);
    body->read += is_text ? item->part->content_len : 0;
    strbuf_init(&piece.out, SHOWN_MAX);
    piece.writer = commonmark_writer_new(&piece.out);
    piece.history = convert_history_new(piece.writer, &piece.out);
    if (in->is_forward || in->is_report)
        convert_history_mark(piece.history, CONVERT_HISTORY_FORWARD);
    bool fits = is_due && write_item(&piece);
    commonmark_end_paragraph(piece.writer);
    fits = fits && take_piece(body, &piece, is_text);
    if (!fits && is_text) {
        if (!item->is_attached)
            convert_attach_name(in, item);
        convert_head_miss(in, "Not shown: a text that is too long. It is attached as \"", item->name + 2, "\".");
    }
    convert_history_free(&piece.history);
    commonmark_writer_free(&piece.writer);
    strbuf_free(&piece.out);
}

/* Of a body without a word: white on white, or hidden by its styles. */
static void attach_unseen(struct convert_incoming *in, struct convert_item *item)
{
    struct strbuf text;
    if (item->show != CONVERT_SHOW_HTML || item->is_attached)
        return;
    strbuf_init(&text, convert_content_text_max(item->part));
    convert_content_text(in, item->part, &text);
    if (convert_html_has_words(text.data, text.len)) {
        convert_attach_name(in, item);
        convert_head_miss(in, "Not shown: a text of which nothing can be seen. It is attached as \"", item->name + 2,
                          "\".");
    }
    strbuf_free(&text);
}

void convert_compose_body(struct convert_incoming *in, struct strbuf *out, char **excerpt_out)
{
    struct body body = { .in = in, .pictures = convert_pictures_new(in) };
    size_t count = in->count; /* what is found on the way is attached only */
    strbuf_init(&body.own, CONVERT_BODY_MAX);
    strbuf_init(&body.history, CONVERT_BODY_MAX);
    strbuf_init(&body.excerpt, CONVERT_EXCERPT_MAX);
    for (size_t i = 0; i < count; i++) {
        if (in->items[i]->show != CONVERT_SHOW_NOTHING)
            add_item(&body, in->items[i]);
    }
    for (size_t i = 0; i < count && body.own.len == 0 && body.history.len == 0; i++)
        attach_unseen(in, in->items[i]);
    strbuf_add(out, body.own.data, body.own.len);
    if (body.history.len > 0) {
        in->folds_history = true;
        add_rule(out, "\n");
        strbuf_add(out, body.history.data, body.history.len);
    }
    *excerpt_out = strbuf_detach(&body.excerpt);
    convert_pictures_free(&body.pictures);
    strbuf_free(&body.own);
    strbuf_free(&body.history);
}
