#include "smtp/smtp_received.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "smtp/smtp_address.h"

enum { LINE_MAX = 77, NAME_MAX = 255, WORD_MAX = 1024, LITERAL_SIZE = 80 };

/* The field so far, and how long its last line is. */
struct folding {
    struct strbuf *out;
    size_t column;
};

/* --- words and lines --- */

static void new_line(struct folding *folding)
{
    strbuf_add_str(folding->out, "\r\n\t");
    folding->column = 8;
}

/* Words are not broken. */
static void add_word(struct folding *folding, const char *word)
{
    size_t len = strlen(word);
    bool is_at_start = folding->column <= 8 && folding->out->data[folding->out->len - 1] == '\t';
    if (!is_at_start && folding->column + 1 + len > LINE_MAX) {
        new_line(folding);
        is_at_start = true;
    }
    if (!is_at_start) {
        strbuf_add_char(folding->out, ' ');
        folding->column++;
    }
    strbuf_add(folding->out, word, len);
    folding->column += len;
}

/* At their spaces the line may be folded. */
static void add_words(struct folding *folding, char *words)
{
    char *rest = words;
    for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        add_word(folding, word);
}

static bool is_there(const char *text)
{
    return text && text[0] != '\0';
}

static bool is_ascii(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text >= 0x80)
            return false;
    }
    return true;
}

/* --- who the client is --- */

/* A domain or an address literal as a header may say it. Everything in it is an atom's, a dot's or a literal's. */
static bool is_name(const char *text, bool is_smtputf8)
{
    struct smtp_address address;
    char mailbox[2 + NAME_MAX + 1];
    if (!is_there(text) || strlen(text) > NAME_MAX || (!is_smtputf8 && !is_ascii(text)))
        return false;
    snprintf(mailbox, sizeof mailbox, "x@%s", text);
    return smtp_address_parse(mailbox, strlen(mailbox), &address) == 1;
}

/* "[192.0.2.1]", "[IPv6:2001:db8::1]"; "" for what is no address. */
static void write_literal(const char *address, char out[static LITERAL_SIZE])
{
    char text[LITERAL_SIZE];
    out[0] = '\0';
    if (!is_there(address) || strlen(address) > LITERAL_SIZE - 10)
        return;
    size_t len = strcspn(address, "%"); /* a zone means nothing elsewhere */
    bool is_ipv6 = strchr(address, ':') != NULL;
    snprintf(text, sizeof text, "[%s%.*s]", is_ipv6 ? "IPv6:" : "", (int)len, address);
    if (is_name(text, false))
        memcpy(out, text, sizeof text);
}

/* As the content of a comment (RFC 5322 section 3.2.2), in quotes, so that it is seen where it ends. */
static void write_quoted(const char *text, bool is_smtputf8, struct strbuf *out)
{
    bool keeps_utf8 = is_smtputf8 && smtp_text_is_clean_utf8(text, strlen(text));
    strbuf_add_char(out, '"');
    for (size_t i = 0; i < NAME_MAX && text[i] != '\0'; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '(' || c == ')' || c == '\\' || c == '"')
            strbuf_add_char(out, '\\');
        strbuf_add_char(out, c < ' ' || c == 0x7f || (c >= 0x80 && !keeps_utf8) ? '?' : (char)c);
    }
    strbuf_add_char(out, '"');
}

/* "(NAME [ADDRESS])": what is known besides what the client says. A name that is none of RFC 5321's goes into the comment
 * too, after whatever stands in its place. */
static void write_comment(const struct smtp_received *received, const char *literal, struct strbuf *out)
{
    bool is_local = received->address && strcmp(received->address, "unix") == 0;
    bool has_name = is_name(received->name, received->is_smtputf8);
    bool has_bad_helo = is_there(received->helo) && !is_name(received->helo, received->is_smtputf8);
    const char *space = "";
    strbuf_add_char(out, '(');
    if (has_name && literal[0] != '\0') {
        strbuf_add_fmt(out, "%s %s", received->name, literal);
        space = " ";
    } else if (has_name || literal[0] != '\0' || is_local) {
        strbuf_add_str(out, has_name ? received->name : is_local ? "unix socket" : literal);
        space = " ";
    }
    if (has_bad_helo) {
        strbuf_add_fmt(out, "%shelo=", space);
        write_quoted(received->helo, received->is_smtputf8, out);
    } else if (space[0] == '\0') {
        strbuf_add_str(out, "unknown");
    }
    strbuf_add_char(out, ')');
}

static void add_from(struct folding *folding, const struct smtp_received *received)
{
    char literal[LITERAL_SIZE];
    struct strbuf comment;
    strbuf_init(&comment, WORD_MAX);
    write_literal(received->address, literal);
    write_comment(received, literal, &comment);
    add_word(folding, "from");
    if (is_name(received->helo, received->is_smtputf8))
        add_word(folding, received->helo);
    else
        add_word(folding, literal[0] != '\0' ? literal : "unknown");
    add_words(folding, comment.data);
    strbuf_free(&comment);
}

/* --- the rest --- */

static void add_via(struct folding *folding, const char *via)
{
    char literal[LITERAL_SIZE];
    char comment[LITERAL_SIZE + 16];
    write_literal(via, literal);
    snprintf(comment, sizeof comment, "(told by %s)", literal[0] != '\0' ? literal : "unix socket");
    add_words(folding, comment);
}

static void add_for(struct folding *folding, const struct smtp_received *received)
{
    char path[2 + SMTP_ADDRESS_MAX + 2];
    if (!is_there(received->recipient) || (!received->is_smtputf8 && !is_ascii(received->recipient)))
        return;
    snprintf(path, sizeof path, "<%s>", received->recipient);
    new_line(folding);
    add_word(folding, "for");
    add_word(folding, path);
}

void smtp_received_compose(const struct smtp_received *received, struct strbuf *out)
{
    static const char start[] = "Received:";
    char date[CLOCK_RFC5322_SIZE];
    char tls[40];
    struct folding folding = { .out = out, .column = sizeof start - 1 };
    strbuf_add_str(out, start);
    add_from(&folding, received);
    if (is_there(received->via))
        add_via(&folding, received->via);
    new_line(&folding);
    add_word(&folding, "by");
    add_word(&folding, received->hostname);
    add_word(&folding, "(Postern)");
    add_word(&folding, "with");
    add_word(&folding, received->protocol);
    if (is_there(received->tls_version)) {
        snprintf(tls, sizeof tls, "(%s)", received->tls_version);
        add_word(&folding, tls);
    }
    add_word(&folding, "id");
    add_word(&folding, received->id);
    add_for(&folding, received);
    clock_format_rfc5322(received->now, date);
    strbuf_add_char(out, ';');
    folding.column++;
    if (folding.column + 1 + strlen(date) > LINE_MAX)
        new_line(&folding);
    add_word(&folding, date);
    strbuf_add_str(out, "\r\n");
}
