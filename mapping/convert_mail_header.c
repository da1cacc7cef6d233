#include "mapping/convert_mail_header.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_transfer.h"
#include "mapping/convert_utf8.h"

enum {
    LINE_WANTED = 78,
    WORD_MAX = 900,     /* a longer one is encoded, which splits it */
    ENCODED_PIECE = 39, /* octets in one encoded word: with the field's name still within LINE_WANTED */
    ID_MAX = 900,
    PARAMETER_PLAIN_MAX = 250, /* not folded: what reads continuations is rarer than what reads long lines */
    PARAMETER_PIECE_MAX = 54,
    NAME_MAX_OUT = 256,
};

/* ---- words ---- */

static bool is_plain_text(const char *text)
{
    size_t word = 0;
    for (const char *c = text; *c; c++) {
        word = *c == ' ' ? 0 : word + 1;
        if (*c < ' ' || *c > '~' || word > WORD_MAX)
            return false;
    }
    return !strstr(text, "=?");
}

/* Column that the next character will have. */
static size_t current_column(const struct strbuf *out)
{
    size_t i = out->len;
    while (i > 0 && out->data[i - 1] != '\n')
        i--;
    return out->len - i;
}

static void fold_before(struct strbuf *out, size_t width)
{
    strbuf_add_str(out, current_column(out) + 1 + width > LINE_WANTED ? "\r\n " : " ");
}

static void add_encoded_words(struct strbuf *out, const char *text)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len;) {
        size_t n = convert_utf8_cut(text + i, len - i, ENCODED_PIECE);
        struct strbuf word;
        strbuf_init(&word, LINE_WANTED);
        strbuf_add_str(&word, "=?utf-8?B?");
        convert_base64_text(&word, text + i, n);
        strbuf_add_str(&word, "?=");
        fold_before(out, word.len);
        strbuf_add(out, word.data, word.len);
        strbuf_free(&word);
        i += n;
    }
}

/* Words of ASCII, folded between them. */
static void add_words(struct strbuf *out, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, " ");
        fold_before(out, n);
        strbuf_add(out, text, n);
        text += n;
        text += strspn(text, " ");
    }
}

static void add_text_field(struct strbuf *out, const char *name, const char *text)
{
    strbuf_add_str(out, name);
    strbuf_add_char(out, ':');
    if (is_plain_text(text))
        add_words(out, text);
    else
        add_encoded_words(out, text);
    strbuf_add_str(out, "\r\n");
}

/* ---- mailboxes ---- */

static bool is_phrase(const char *name)
{
    static const char atoms[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-/=?^_`{|}~ ";
    return name[strspn(name, atoms)] == '\0';
}

static void add_quoted(struct strbuf *out, const char *text)
{
    strbuf_add_char(out, '"');
    for (const char *c = text; *c; c++) {
        if (*c == '"' || *c == '\\')
            strbuf_add_char(out, '\\');
        strbuf_add_char(out, *c);
    }
    strbuf_add_char(out, '"');
}

static void add_mailbox(struct strbuf *out, const struct convert_mailbox *mailbox)
{
    /* In ASCII where that is possible: not every relay takes a header in UTF-8. */
    struct smtp_address written = mailbox->address;
    (void)!smtp_address_to_ascii(&mailbox->address, &written);
    char address[SMTP_ADDRESS_MAX + 2];
    smtp_address_format(&written, address);
    const char *wanted = mailbox->name ? mailbox->name : "";
    char *name = convert_utf8_one_line(wanted, strlen(wanted), NAME_MAX_OUT);
    if (!is_plain_text(name)) {
        add_encoded_words(out, name);
    } else if (*name && is_phrase(name)) {
        add_words(out, name);
    } else if (*name) {
        fold_before(out, strlen(name) + 2);
        add_quoted(out, name);
    }
    fold_before(out, strlen(address) + 3);
    strbuf_add_fmt(out, *name ? "<%s>" : "%s", address);
    free(name);
}

static void add_mailboxes(struct strbuf *out, const char *field, const struct convert_mailbox *mailboxes, size_t count)
{
    if (count == 0)
        return;
    strbuf_add_fmt(out, "%s:", field);
    for (size_t i = 0; i < count; i++) {
        add_mailbox(out, &mailboxes[i]);
        strbuf_add_str(out, i + 1 < count ? "," : "\r\n");
    }
}

static bool is_utf8_only(const struct convert_mailbox *mailbox)
{
    struct smtp_address ascii;
    return smtp_address_to_ascii(&mailbox->address, &ascii) != 1;
}

bool convert_mail_header_needs_utf8(const struct convert_out_request *request)
{
    bool needed = is_utf8_only(&request->from) || is_utf8_only(&request->reply_to);
    for (size_t i = 0; i < request->to_count; i++)
        needed = needed || is_utf8_only(&request->to[i]);
    for (size_t i = 0; i < request->cc_count; i++)
        needed = needed || is_utf8_only(&request->cc[i]);
    return needed;
}

/* ---- message-ids ---- */

static bool is_id(const char *id)
{
    size_t len = 0;
    for (const char *c = id; *c; c++, len++) {
        if (*c <= ' ' || *c > '~' || *c == '<' || *c == '>')
            return false;
    }
    return len > 0 && len <= ID_MAX;
}

static void add_ids(struct strbuf *out, const char *field, const char *const *ids, size_t count)
{
    strbuf_add_fmt(out, "%s:", field);
    for (size_t i = 0; i < count; i++) {
        fold_before(out, strlen(ids[i]) + 2);
        strbuf_add_fmt(out, "<%s>", ids[i]);
    }
    strbuf_add_str(out, "\r\n");
}

/* The first one and the newest that fit: with these any mail program finds the thread (RFC 5322 section 3.6.4 wants all,
 * but a header without a bound is one that servers cut). */
static void add_references(struct strbuf *out, const struct convert_out_request *request, struct strbuf *detail)
{
    const char *kept[CONVERT_REFERENCES_MAX];
    size_t count = 0, size = 0, malformed = 0, first = 0, total = request->reference_count;
    while (first < total && !is_id(request->references[first]))
        first++;
    malformed = first;
    if (first < total)
        size = strlen(request->references[first]);
    for (size_t i = total; i > first + 1 && count < CONVERT_REFERENCES_MAX - 1; i--) {
        const char *id = request->references[i - 1];
        if (!is_id(id)) {
            malformed++;
            continue;
        }
        size += strlen(id) + strlen("<>\r\n ");
        if (size > CONVERT_REFERENCES_SIZE_MAX)
            break;
        kept[count++] = id; /* newest first */
    }
    if (first < total)
        kept[count++] = request->references[first];
    for (size_t i = 0; i < count / 2; i++) {
        const char *id = kept[i];
        kept[i] = kept[count - 1 - i];
        kept[count - 1 - i] = id;
    }
    if (count > 0)
        add_ids(out, "References", kept, count);
    if (malformed > 0)
        strbuf_add_fmt(detail, "%zu malformed references were left out. ", malformed);
}

/* ---- the whole ---- */

static void add_subject(struct strbuf *out, const struct convert_out_request *request)
{
    const char *wanted = request->subject ? request->subject : "";
    char *subject = convert_utf8_one_line(wanted, strlen(wanted), CONVERT_SUBJECT_MAX);
    add_text_field(out, "Subject", subject);
    free(subject);
}

static void add_ours(struct strbuf *out, const struct convert_out_request *request)
{
    if (request->is_automatic)
        strbuf_add_str(out, "Auto-Submitted: auto-generated\r\n");
    if (!request->loop_mark)
        return;
    char *mark = convert_utf8_one_line(request->loop_mark, strlen(request->loop_mark), CONVERT_SUBJECT_MAX);
    add_text_field(out, "X-Postern-Loop", mark);
    free(mark);
}

int convert_mail_header_write(struct strbuf *out, const struct convert_out_request *request, struct strbuf *detail,
                              const char **error_out)
{
    char date[CLOCK_RFC5322_SIZE];
    if (!request->message_id || !is_id(request->message_id) || smtp_address_is_null(&request->from.address)) {
        *error_out = "no usable Message-ID or author";
        return -1;
    }
    clock_format_rfc5322(request->date_ms, date);
    strbuf_add_fmt(out, "Date: %s\r\n", date);
    add_mailboxes(out, "From", &request->from, 1);
    if (!smtp_address_is_null(&request->reply_to.address))
        add_mailboxes(out, "Reply-To", &request->reply_to, 1);
    add_mailboxes(out, "To", request->to, request->to_count);
    add_mailboxes(out, "Cc", request->cc, request->cc_count);
    add_subject(out, request);
    add_ids(out, "Message-ID", &request->message_id, 1);
    if (request->in_reply_to && is_id(request->in_reply_to))
        add_ids(out, "In-Reply-To", &request->in_reply_to, 1);
    add_references(out, request, detail);
    add_ours(out, request);
    if (strbuf_ok(out))
        return 1;
    *error_out = "the header is too long";
    return -1;
}

/* ---- parameters ---- */

static bool is_plain_parameter(const char *value)
{
    for (const char *c = value; *c; c++) {
        if (*c < ' ' || *c > '~' || *c == '"' || *c == '\\')
            return false;
    }
    return strlen(value) <= PARAMETER_PLAIN_MAX && !strstr(value, "=?");
}

/* Appends at most one line's worth of value, percent-encoded; returns how much of it. */
static size_t add_extended_piece(struct strbuf *out, const char *value)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~!+";
    size_t width = 0;
    size_t i = 0;
    while (value[i]) {
        bool is_plain = strchr(plain, value[i]) != NULL;
        size_t step = is_plain ? 1 : 3;
        if (width + step > PARAMETER_PIECE_MAX)
            break;
        if (is_plain)
            strbuf_add_char(out, value[i]);
        else
            strbuf_add_fmt(out, "%%%02X", (unsigned char)value[i]);
        width += step;
        i++;
    }
    return i;
}

void convert_mail_header_add_parameter(struct strbuf *out, const char *name, const char *value)
{
    if (is_plain_parameter(value)) {
        strbuf_add_fmt(out, ";\r\n %s=\"%s\"", name, value);
        return;
    }
    struct strbuf piece;
    strbuf_init(&piece, LINE_WANTED);
    size_t n = add_extended_piece(&piece, value);
    if (!value[n]) { /* in one piece, which more programs read */
        strbuf_add_fmt(out, ";\r\n %s*=utf-8''%s", name, piece.data);
        value += n;
    }
    strbuf_free(&piece);
    for (unsigned section = 0; *value; section++) {
        strbuf_add_fmt(out, ";\r\n %s*%u*=%s", name, section, section == 0 ? "utf-8''" : "");
        value += add_extended_piece(out, value);
    }
}

void convert_mail_header_add_old_parameter(struct strbuf *out, const char *name, const char *value)
{
    if (is_plain_parameter(value)) {
        strbuf_add_fmt(out, ";\r\n %s=\"%s\"", name, value);
        return;
    }
    size_t len = strlen(value);
    strbuf_add_fmt(out, ";\r\n %s=\"", name);
    for (size_t i = 0; i < len;) {
        size_t n = convert_utf8_cut(value + i, len - i, ENCODED_PIECE);
        strbuf_add_str(out, i > 0 ? "\r\n =?utf-8?B?" : "=?utf-8?B?");
        convert_base64_text(out, value + i, n);
        strbuf_add_str(out, "?=");
        i += n;
    }
    strbuf_add_char(out, '"');
}

uint64_t convert_mail_header_seed(const char *message_id)
{
    uint64_t hash = 0xCBF29CE484222325; /* FNV-1a */
    for (const char *c = message_id; *c; c++)
        hash = (hash ^ (uint8_t)*c) * 0x100000001B3;
    return hash;
}
