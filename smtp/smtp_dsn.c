/* smtp_dsn.c - see smtp_dsn.h */
#include "smtp/smtp_dsn.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "smtp/smtp_xtext.h"

enum { QP_LINE_MAX = 76 };

/* What each action is called in the report, in its subject, and to its reader. */
static const struct {
    const char *name, *subject, *sentence;
} actions[] = {
    [SMTP_DSN_FAILED] = { "failed", "not delivered", "was not delivered to:" },
    [SMTP_DSN_DELAYED] = { "delayed", "delayed", "has not been delivered yet (it is still tried) to:" },
    [SMTP_DSN_DELIVERED] = { "delivered", "delivered",
                             "was delivered to the mailbox of (which does not mean that it was read):" },
    [SMTP_DSN_RELAYED] = { "relayed", "passed on",
                           "was passed on to a mail system from which no further report will come, for:" },
    [SMTP_DSN_EXPANDED] = { "expanded", "passed on", "was passed on to all those behind:" },
};
enum { ACTION_COUNT = sizeof actions / sizeof actions[0] };

struct composing {
    const struct smtp_dsn *dsn;
    struct strbuf *out;
    bool to_utf8;     /* whom it goes to reads UTF-8: the media types of RFC 6533 */
    bool returns_all; /* the original as it is */
    bool is_8bit;     /* some part is */
};

const char *smtp_dsn_action_name(enum smtp_dsn_action action)
{
    return actions[action].name;
}

static bool is_ascii(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] > 126)
            return false;
    return true;
}

/* One line of text from anybody: control characters can't end it, and what is not ASCII stays only where UTF-8 may stand
 * (then as "?" unless all of it is valid). */
static void add_text(struct strbuf *out, const char *text, bool utf8)
{
    utf8 = utf8 && smtp_text_is_clean_utf8(text, strlen(text));
    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        strbuf_add_char(out, c < ' ' || c == 127 || (c > 126 && !utf8) ? '?' : *p);
    }
}

static void add_date(struct strbuf *out, const char *name, int64_t at)
{
    char date[CLOCK_RFC5322_SIZE];
    if (at == 0)
        return;
    clock_format_rfc5322(at, date);
    strbuf_add_fmt(out, "%s: %s\r\n", name, date);
}

/* xtext (RFC 3461 section 4). */

/* Decoded; what is no xtext is taken as it stands. */
static void decode_xtext(const char *text, struct strbuf *out)
{
    for (size_t len = strlen(text), used; len > 0; text += used, len -= used) {
        int c = smtp_xtext_octet(text, len, SMTP_XTEXT_CAPITALS, &used);
        if (c <= 0) { /* no NULs in between */
            c = (unsigned char)text[0];
            used = 1;
        }
        strbuf_add_char(out, (char)c);
    }
}

static void add_envelope_id(struct strbuf *out, const char *envid)
{
    struct strbuf decoded;
    strbuf_init(&decoded, 1000);
    decode_xtext(envid, &decoded);
    strbuf_add_str(out, "Original-Envelope-Id: ");
    add_text(out, decoded.data, false);
    strbuf_add_str(out, "\r\n");
    strbuf_free(&decoded);
}

/* Addresses (RFC 3464 section 2.1.2). */

/* The next character of valid UTF-8, and its length. */
static uint32_t next_character(const char *text, size_t *len_out)
{
    unsigned char c = (unsigned char)*text;
    size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    uint32_t value = len == 1 ? c : c & (0xffu >> (len + 1));
    for (size_t i = 1; i < len; i++)
        value = value << 6 | ((unsigned char)text[i] & 0x3f);
    *len_out = len;
    return value;
}

/* utf-8-addr-xtext (RFC 6533 section 3): 7-bit, for whom we don't know to read UTF-8. */
static void add_utf8_as_ascii(struct strbuf *out, const char *address)
{
    size_t len;
    for (const char *p = address; *p; p += len) {
        uint32_t character = next_character(p, &len);
        if (character > 126 || character <= ' ' || character == '+' || character == '=' || character == '\\')
            strbuf_add_fmt(out, "\\x{%X}", (unsigned)character);
        else
            strbuf_add_char(out, (char)character);
    }
}

static void add_final_recipient(const struct composing *composing, const char *address)
{
    struct strbuf *out = composing->out;
    size_t len = strlen(address);
    strbuf_add_str(out, "Final-Recipient: ");
    if (is_ascii(address, len) || !smtp_text_is_clean_utf8(address, len)) {
        strbuf_add_str(out, "rfc822;");
        add_text(out, address, false);
    } else {
        strbuf_add_str(out, "utf-8;");
        if (composing->to_utf8)
            strbuf_add_str(out, address);
        else
            add_utf8_as_ascii(out, address);
    }
    strbuf_add_str(out, "\r\n");
}

/* The ORCPT parameter without its xtext. Of the type utf-8 it may be UTF-8 itself, or be escaped so that it is not (RFC
 * 6533 section 3): either form may stand in a report that may hold it. */
static void add_original_recipient(const struct composing *composing, const char *orcpt)
{
    struct strbuf decoded;
    const char *semicolon = strchr(orcpt, ';');
    if (!semicolon)
        return;
    strbuf_init(&decoded, 2000);
    decode_xtext(semicolon + 1, &decoded);
    strbuf_add_str(composing->out, "Original-Recipient: ");
    for (const char *p = orcpt; p < semicolon; p++)
        strbuf_add_char(composing->out, *p > ' ' && *p < 127 ? *p : '?');
    strbuf_add_char(composing->out, ';');
    if (!composing->to_utf8 && !is_ascii(decoded.data, decoded.len) &&
        smtp_text_is_clean_utf8(decoded.data, decoded.len))
        add_utf8_as_ascii(composing->out, decoded.data);
    else
        add_text(composing->out, decoded.data, composing->to_utf8);
    strbuf_add_str(composing->out, "\r\n");
    strbuf_free(&decoded);
}

/* The report's own header, and the parts. */

static void add_subject(const struct composing *composing)
{
    const struct smtp_dsn *dsn = composing->dsn;
    bool mixed = false;
    for (size_t i = 1; i < dsn->recipient_count; i++)
        mixed = mixed || dsn->recipients[i].action != dsn->recipients[0].action;
    strbuf_add_fmt(composing->out, "Subject: Delivery report: %s\r\n",
                   mixed ? "delivered in part" : actions[dsn->recipients[0].action].subject);
}

static void add_header(const struct composing *composing)
{
    const struct smtp_dsn *dsn = composing->dsn;
    struct strbuf *out = composing->out;
    strbuf_add_str(out, "From: Mail Delivery System <");
    add_text(out, dsn->from, composing->to_utf8);
    strbuf_add_str(out, ">\r\nTo: <");
    add_text(out, dsn->to, composing->to_utf8);
    strbuf_add_str(out, ">\r\n");
    add_subject(composing);
    add_date(out, "Date", dsn->date);
    strbuf_add_fmt(out, "Message-ID: <%s>\r\n", dsn->message_id);
    if (dsn->references && is_ascii(dsn->references, strlen(dsn->references))) {
        strbuf_add_str(out, "References: <");
        add_text(out, dsn->references, false);
        strbuf_add_str(out, ">\r\n");
    }
    if (dsn->loop_mark)
        strbuf_add_fmt(out, "X-Postern-Loop: %s\r\n", dsn->loop_mark);
    strbuf_add_fmt(out,
                   "Auto-Submitted: auto-replied\r\n"
                   "MIME-Version: 1.0\r\n"
                   "Content-Type: multipart/report; report-type=%s;\r\n"
                   "\tboundary=\"%s\"\r\n"
                   "%s\r\n",
                   composing->to_utf8 ? "global-delivery-status" : "delivery-status", dsn->boundary,
                   composing->is_8bit ? "Content-Transfer-Encoding: 8bit\r\n" : "");
}

static void add_part(const struct composing *composing, const char *type, const char *encoding)
{
    strbuf_add_fmt(composing->out, "--%s\r\nContent-Type: %s\r\n%s%s%s\r\n", composing->dsn->boundary, type,
                   encoding ? "Content-Transfer-Encoding: " : "", encoding ? encoding : "", encoding ? "\r\n" : "");
}

/* Those with one action, each with what there is to say. */
static void add_readable_group(const struct composing *composing, enum smtp_dsn_action action)
{
    const struct smtp_dsn *dsn = composing->dsn;
    struct strbuf *out = composing->out;
    bool begun = false;
    for (size_t i = 0; i < dsn->recipient_count; i++) {
        const struct smtp_dsn_recipient *recipient = &dsn->recipients[i];
        const char *words = recipient->explanation ? recipient->explanation : recipient->diagnostic;
        if (recipient->action != action)
            continue;
        if (!begun)
            strbuf_add_fmt(out, "\r\nIt %s\r\n\r\n", actions[action].sentence);
        begun = true;
        strbuf_add_str(out, "  <");
        add_text(out, recipient->address, true);
        strbuf_add_str(out, ">");
        if (words) {
            strbuf_add_str(out, "\r\n    ");
            add_text(out, words, true);
        }
        strbuf_add_str(out, "\r\n");
    }
}

/* Raw text to one line of quoted-printable after the other (RFC 2045 section 6.7); line ends are CRLF, others are encoded. */
static void add_quoted_printable(struct strbuf *out, const char *data, size_t len)
{
    static const char hex[] = "0123456789ABCDEF";
    size_t column = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)data[i];
        bool at_end = i + 1 == len || (i + 2 < len && data[i + 1] == '\r' && data[i + 2] == '\n');
        if (c == '\r' && i + 1 < len && data[i + 1] == '\n') {
            strbuf_add_str(out, "\r\n");
            column = 0;
            i++;
            continue;
        }
        bool plain = (c > ' ' && c < 127 && c != '=') || ((c == ' ' || c == '\t') && !at_end);
        if (column + (plain ? 1 : 3) > QP_LINE_MAX - 1) {
            strbuf_add_str(out, "=\r\n");
            column = 0;
        }
        if (plain) {
            strbuf_add_char(out, (char)c);
        } else {
            strbuf_add_char(out, '=');
            strbuf_add_char(out, hex[c >> 4]);
            strbuf_add_char(out, hex[c & 15]);
        }
        column += plain ? 1 : 3;
    }
}

static void add_readable_part(const struct composing *composing)
{
    const struct smtp_dsn *dsn = composing->dsn;
    char arrived[CLOCK_RFC5322_SIZE];
    struct strbuf text;
    struct composing inner = *composing;
    strbuf_init(&text, composing->out->max);
    inner.out = &text;
    clock_format_rfc5322(dsn->arrived_at, arrived);
    strbuf_add_fmt(&text,
                   "This is a report by the mail system at %s\r\n"
                   "about your message that arrived there on %s.\r\n",
                   dsn->reporting_mta, arrived);
    for (size_t action = 0; action < ACTION_COUNT; action++)
        add_readable_group(&inner, (enum smtp_dsn_action)action);
    if (is_ascii(text.data, text.len)) {
        add_part(composing, "text/plain; charset=us-ascii", NULL);
        strbuf_add(composing->out, text.data, text.len);
    } else {
        add_part(composing, "text/plain; charset=utf-8", "quoted-printable");
        add_quoted_printable(composing->out, text.data, text.len);
    }
    if (!strbuf_ok(&text))
        composing->out->overflowed = true;
    strbuf_free(&text);
}

static void add_status(const struct composing *composing, const struct smtp_dsn_recipient *recipient)
{
    struct strbuf *out = composing->out;
    strbuf_add_str(out, "\r\n");
    if (recipient->original)
        add_original_recipient(composing, recipient->original);
    add_final_recipient(composing, recipient->address);
    strbuf_add_fmt(out, "Action: %s\r\nStatus: %s\r\n", actions[recipient->action].name, recipient->status);
    if (recipient->remote_mta) {
        strbuf_add_str(out, "Remote-MTA: dns; ");
        add_text(out, recipient->remote_mta, false);
        strbuf_add_str(out, "\r\n");
    }
    if (recipient->diagnostic) {
        strbuf_add_str(out, "Diagnostic-Code: smtp; ");
        add_text(out, recipient->diagnostic, composing->to_utf8);
        strbuf_add_str(out, "\r\n");
    }
    add_date(out, "Last-Attempt-Date", recipient->last_attempt_at);
    add_date(out, "Will-Retry-Until", recipient->will_retry_until);
}

static void add_status_part(const struct composing *composing)
{
    const struct smtp_dsn *dsn = composing->dsn;
    add_part(composing, composing->to_utf8 ? "message/global-delivery-status" : "message/delivery-status",
             composing->to_utf8 ? "8bit" : NULL);
    if (dsn->envelope_id)
        add_envelope_id(composing->out, dsn->envelope_id);
    strbuf_add_fmt(composing->out, "Reporting-MTA: dns; %s\r\n", dsn->reporting_mta);
    add_date(composing->out, "Arrival-Date", dsn->arrived_at);
    for (size_t i = 0; i < dsn->recipient_count; i++)
        add_status(composing, &dsn->recipients[i]);
}

/* The original. */

/* What a part without an encoding needs of its content. */
struct shape {
    bool is_8bit;
    bool is_text; /* lines end with CRLF and are short enough; no NUL, bare CR or bare LF */
};

static struct shape look_at(const char *data, size_t len)
{
    struct shape shape = { .is_text = true };
    size_t line = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)data[i];
        bool is_end = c == '\r' && i + 1 < len && data[i + 1] == '\n';
        line = is_end ? 0 : line + 1;
        if (c == 0 || c == '\n' || (c == '\r' && !is_end) || line > SMTP_DSN_LINE_MAX)
            shape.is_text = false;
        shape.is_8bit = shape.is_8bit || c > 127;
        i += is_end;
    }
    return shape;
}

/* The header section without the empty line behind it; of one that is too long (or not all at hand) whole fields. */
static size_t header_size(const struct smtp_dsn *dsn)
{
    size_t max = dsn->original_len < SMTP_DSN_HEADER_MAX ? dsn->original_len : SMTP_DSN_HEADER_MAX;
    size_t field = 0, start = 0;
    while (start < max) {
        const char *end = memchr(dsn->original + start, '\n', max - start);
        size_t next = end ? (size_t)(end - dsn->original) + 1 : max;
        char first = dsn->original[start];
        if (first == '\n' || (first == '\r' && next - start == 2 && end))
            return start;
        if (first != ' ' && first != '\t')
            field = start;
        if (!end)
            break;
        start = next;
    }
    return max == dsn->original_len && dsn->original_is_whole ? max : field;
}

static void add_original_headers(const struct composing *composing)
{
    const char *data = composing->dsn->original;
    size_t len = header_size(composing->dsn);
    struct shape shape = look_at(data, len);
    struct strbuf *out = composing->out;
    if (shape.is_text && !shape.is_8bit) {
        add_part(composing, "text/rfc822-headers", NULL);
        strbuf_add(out, data, len);
    } else if (shape.is_text && composing->to_utf8) {
        add_part(composing, "message/global-headers", "8bit");
        strbuf_add(out, data, len);
    } else {
        add_part(composing, "text/rfc822-headers", "quoted-printable");
        add_quoted_printable(out, data, len);
    }
}

static void add_original(const struct composing *composing)
{
    const struct smtp_dsn *dsn = composing->dsn;
    if (!dsn->original)
        return;
    strbuf_add_str(composing->out, "\r\n");
    if (!composing->returns_all) {
        add_original_headers(composing);
        return;
    }
    bool global = !is_ascii(dsn->original, header_size(dsn)); /* RFC 6532 */
    add_part(composing, global ? "message/global" : "message/rfc822", composing->is_8bit ? "8bit" : NULL);
    strbuf_add(composing->out, dsn->original, dsn->original_len);
}

/* What the header has to say of the parts. */
static void plan(struct composing *composing)
{
    const struct smtp_dsn *dsn = composing->dsn;
    composing->to_utf8 = !is_ascii(dsn->to, strlen(dsn->to));
    composing->is_8bit = composing->to_utf8;
    if (!dsn->original || !dsn->return_all || !dsn->original_is_whole)
        return;
    struct shape shape = look_at(dsn->original, dsn->original_len);
    composing->returns_all = shape.is_text;
    composing->is_8bit = composing->is_8bit || (shape.is_text && shape.is_8bit);
}

int smtp_dsn_compose(const struct smtp_dsn *dsn, struct strbuf *out, struct smtp_dsn_needs *needs_out)
{
    struct composing composing = { .dsn = dsn, .out = out };
    if (dsn->original && memmem(dsn->original, dsn->original_len, dsn->boundary, strlen(dsn->boundary)))
        return -1;
    plan(&composing);
    add_header(&composing);
    add_readable_part(&composing);
    strbuf_add_str(out, "\r\n");
    add_status_part(&composing);
    add_original(&composing);
    strbuf_add_fmt(out, "\r\n--%s--\r\n", dsn->boundary);
    *needs_out = (struct smtp_dsn_needs){ .is_8bit = composing.is_8bit, .is_smtputf8 = composing.to_utf8 };
    return strbuf_ok(out) ? 1 : -1;
}
