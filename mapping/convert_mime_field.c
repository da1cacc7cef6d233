#include "mapping/convert_mime_field.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_charset.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_mime_parameter.h"
#include "mapping/convert_utf8.h"

enum { FILENAME_MAX_LEN = 4096 };

static const char *line_end(const char *at, const char *end)
{
    const char *lf = memchr(at, '\n', (size_t)(end - at));
    return lf ? lf + 1 : end;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Length of the field name that a line begins with; 0 when it begins with none. */
static size_t field_name_len(const char *at, const char *end)
{
    size_t n = 0;
    while (at + n < end && at[n] > ' ' && at[n] <= '~' && at[n] != ':')
        n++;
    size_t colon = n;
    while (at + colon < end && (at[colon] == ' ' || at[colon] == '\t'))
        colon++; /* obsolete syntax: "Subject : x" */
    return at + colon < end && at[colon] == ':' ? n : 0;
}

bool convert_field_next(const char **at, const char *end, struct convert_field *field_out)
{
    while (*at < end) {
        const char *start = *at;
        size_t name_len = field_name_len(start, end);
        *at = line_end(start, end);
        if (name_len == 0)
            continue;
        while (*at < end && (**at == ' ' || **at == '\t'))
            *at = line_end(*at, end);
        const char *value = (const char *)memchr(start + name_len, ':', (size_t)(*at - start) - name_len) + 1;
        *field_out = (struct convert_field){ start, name_len, value, (size_t)(*at - value) };
        return true;
    }
    return false;
}

bool convert_field_is(const struct convert_field *field, const char *name)
{
    return strlen(name) == field->name_len && strncasecmp(field->name, name, field->name_len) == 0;
}

bool convert_field_find(const char *header, size_t len, const char *name, struct convert_field *field_out)
{
    const char *at = header;
    while (convert_field_next(&at, header + len, field_out)) {
        if (convert_field_is(field_out, name))
            return true;
    }
    return false;
}

/* RFC 2047 allows 75; senders write more. Without a limit a hostile field would be read through again and again. */
enum { ENCODED_WORD_MAX = 2000 };

/* An encoded word: "=?charset*language?B?text?=". */
struct encoded_word {
    char charset[64];
    bool is_base64;
    const char *text;
    size_t text_len;
    size_t len; /* of the whole word */
};

static bool parse_encoded_word(const char *at, size_t len, struct encoded_word *word_out)
{
    if (len < 8 || at[0] != '=' || at[1] != '?')
        return false;
    const char *end = at + (len < ENCODED_WORD_MAX ? len : ENCODED_WORD_MAX);
    const char *charset = at + 2;
    const char *mark = memchr(charset, '?', (size_t)(end - charset));
    if (!mark || end - mark < 4 || mark[2] != '?' || !strchr("BbQq", mark[1]))
        return false;
    size_t charset_len = (size_t)(mark - charset);
    const char *language = memchr(charset, '*', charset_len);
    if (language)
        charset_len = (size_t)(language - charset);
    if (charset_len == 0 || charset_len >= sizeof word_out->charset)
        return false;
    const char *text = mark + 3;
    const char *close = text;
    while (close + 1 < end && !(close[0] == '?' && close[1] == '=')) {
        if (*close == '\n' || *close == '\r')
            return false;
        close++;
    }
    if (close + 1 >= end)
        return false;
    memcpy(word_out->charset, charset, charset_len);
    word_out->charset[charset_len] = '\0';
    word_out->is_base64 = mark[1] == 'B' || mark[1] == 'b';
    word_out->text = text;
    word_out->text_len = (size_t)(close - text);
    word_out->len = (size_t)(close + 2 - at);
    return true;
}

static void add_to_strbuf(const void *data, size_t len, void *ctx)
{
    strbuf_add(ctx, data, len);
}

static void decode_word_bytes(const struct encoded_word *word, struct strbuf *bytes)
{
    if (word->is_base64) {
        convert_transfer_decode(CONVERT_TRANSFER_BASE64, word->text, word->text_len, NULL, add_to_strbuf, bytes);
        return;
    }
    for (size_t i = 0; i < word->text_len; i++) {
        const char *at = word->text + i;
        if (*at == '_') {
            strbuf_add_char(bytes, ' ');
        } else if (*at == '=' && word->text_len - i > 2 && convert_hex_byte(at + 1) >= 0) {
            strbuf_add_char(bytes, (char)convert_hex_byte(at + 1));
            i += 2;
        } else {
            strbuf_add_char(bytes, *at);
        }
    }
}

/* Bytes of one charset that wait to be decoded together: senders split characters between adjacent words. */
struct word_run {
    char charset[64]; /* "" for text outside encoded words */
    struct strbuf bytes;
};

static void run_flush(struct word_run *run, struct convert_charsets *charsets, struct strbuf *out)
{
    convert_charset_decode(charsets, run->charset, run->bytes.data, run->bytes.len, out);
    strbuf_clear(&run->bytes);
    run->charset[0] = '\0';
}

static void run_add_word(struct word_run *run, const struct encoded_word *word, struct convert_charsets *charsets,
                         struct strbuf *out)
{
    if (strcasecmp(run->charset, word->charset) != 0) {
        run_flush(run, charsets, out);
        memcpy(run->charset, word->charset, sizeof run->charset);
    }
    decode_word_bytes(word, &run->bytes);
}

char *convert_field_text(struct convert_charsets *charsets, const char *value, size_t len, size_t max)
{
    struct strbuf out;
    struct word_run run = { "" };
    strbuf_init(&run.bytes, len + 1);
    strbuf_init(&out, len * 4 + 16);
    struct encoded_word word;
    for (size_t i = 0; i < len;) {
        if (parse_encoded_word(value + i, len - i, &word)) {
            run_add_word(&run, &word, charsets, &out);
            i += word.len;
            continue;
        }
        size_t gap = 0;
        while (run.charset[0] && i + gap < len && is_blank(value[i + gap]))
            gap++;
        if (gap > 0 && parse_encoded_word(value + i + gap, len - i - gap, &word)) {
            i += gap; /* blanks between encoded words only separate them */
            continue;
        }
        if (run.charset[0])
            run_flush(&run, charsets, &out);
        if (value[i] != '\r' && value[i] != '\n')
            strbuf_add_char(&run.bytes, value[i]);
        i++;
    }
    run_flush(&run, charsets, &out);
    strbuf_free(&run.bytes);
    char *line = convert_utf8_one_line(out.data, out.len, max);
    strbuf_free(&out);
    return line;
}

/* Copies a phrase without its quotes. */
static void add_unquoted(struct strbuf *out, const char *text, size_t len)
{
    bool quoted = false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '"')
            quoted = !quoted;
        else if (text[i] == '\\' && i + 1 < len)
            strbuf_add_char(out, text[++i]);
        else
            strbuf_add_char(out, text[i]);
    }
}

/* Position of c outside quoted strings; len when it does not occur. */
static size_t find_unquoted(const char *text, size_t len, char c)
{
    bool quoted = false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == c && !quoted)
            return i;
        if (text[i] == '"')
            quoted = !quoted;
        else if (text[i] == '\\')
            i++;
    }
    return len;
}

char *convert_field_display_name(struct convert_charsets *charsets, const char *value, size_t len, size_t max)
{
    struct strbuf name;
    strbuf_init(&name, len + 1);
    size_t angle = find_unquoted(value, len, '<');
    size_t open = find_unquoted(value, len, '(');
    if (angle < len) {
        add_unquoted(&name, value, angle);
    } else if (open < len) { /* the oldest form: bob@example.com (Bob) */
        size_t close = find_unquoted(value + open, len - open, ')');
        add_unquoted(&name, value + open + 1, close - 1);
    }
    char *text = convert_field_text(charsets, name.data, name.len, max);
    strbuf_free(&name);
    return text;
}

/* The value on one line, for parsing. NUL would end it early: it becomes a space. */
static char *unfold(const struct convert_field *field)
{
    struct strbuf text;
    strbuf_init(&text, field->value_len + 1);
    for (size_t i = 0; i < field->value_len; i++) {
        char c = field->value[i];
        strbuf_add_char(&text, is_blank(c) || c == '\0' ? ' ' : c);
    }
    size_t start = strspn(text.data, " ");
    size_t end = text.len;
    while (end > start && text.data[end - 1] == ' ')
        end--;
    char *value = xstrndup(text.data + start, end - start);
    strbuf_free(&text);
    return value;
}

/* A msg-id without its brackets; the start parameter of multipart/related has the same form. */
static void strip_brackets(char *id)
{
    size_t len = strlen(id);
    if (len >= 2 && id[0] == '<' && id[len - 1] == '>') {
        memmove(id, id + 1, len - 2);
        id[len - 2] = '\0';
    }
}

/* "'utf-8'", "charset=utf-8", and the form of RFC 2231, "us-ascii''utf-8". */
static void tidy_charset(char *label)
{
    static const char prefix[] = "charset=";
    const char *start = label;
    if (strncasecmp(start, prefix, sizeof prefix - 1) == 0)
        start += sizeof prefix - 1;
    const char *encoded = strstr(start, "''");
    if (encoded)
        start = encoded + 2;
    start += *start == '\'';
    size_t len = strcspn(start, "'");
    memmove(label, start, len);
    label[len] = '\0';
}

static void take(char **field, char *text)
{
    free(*field);
    *field = text;
}

/* Behind blanks and comments (RFC 5322 section 3.2.2), which may be nested. */
static const char *skip_comments(const char *at)
{
    unsigned depth = 0;
    for (; *at; at++) {
        if (*at == '\\' && depth > 0 && at[1])
            at++;
        else if (*at == '(')
            depth++;
        else if (*at == ')' && depth > 0)
            depth--;
        else if (depth == 0 && *at != ' ')
            break;
    }
    return at;
}

/* The word at *at in lower case, without quotes that do not belong there. *at moves on behind what follows it. */
static char *take_word(const char **at)
{
    const char *start = skip_comments(*at);
    start += strspn(start, "\"");
    size_t len = strcspn(start, " ;,()/=\"");
    char *word = xstrndup(start, len);
    for (char *c = word; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    *at = skip_comments(start + len + strspn(start + len, "\""));
    return word;
}

/* What follows a word are parameters, also where the semicolon before them was forgotten. */
static void parse_parameters(const char *rest, struct convert_parameters *parameters)
{
    struct strbuf text;
    strbuf_init(&text, strlen(rest) + 1);
    strbuf_add_fmt(&text, ";%s", rest + strspn(rest, ";, "));
    convert_parameters_parse(text.data, parameters);
    strbuf_free(&text);
}

static void parse_type(struct convert_content *content, const char *value, struct convert_charsets *charsets)
{
    struct convert_parameters parameters;
    const char *at = value;
    char *type = take_word(&at);
    char *subtype = NULL;
    if (*at == '/') {
        at++;
        subtype = take_word(&at);
    }
    parse_parameters(at, &parameters);
    content->has_type = true;
    take(&content->charset, convert_parameters_raw(&parameters, "charset"));
    tidy_charset(content->charset);
    take(&content->boundary, convert_parameters_raw(&parameters, "boundary"));
    take(&content->start, convert_parameters_raw(&parameters, "start"));
    strip_brackets(content->start);
    for (size_t n = strlen(content->boundary); n > 0 && content->boundary[n - 1] == ' '; n--)
        content->boundary[n - 1] = '\0'; /* RFC 2046 section 5.1.1: it never ends so */
    bool is_multipart = strcmp(type, "multipart") == 0 && *content->boundary;
    bool complete = *type && subtype && *subtype;
    take(&content->type, xstrdup(complete ? type : is_multipart ? "multipart" : "text"));
    take(&content->subtype, xstrdup(complete ? subtype : is_multipart ? "mixed" : "plain"));
    free(type);
    free(subtype);
    if (!*content->filename)
        take(&content->filename, convert_parameters_text(&parameters, "name", charsets, FILENAME_MAX_LEN));
    char *format = convert_parameters_raw(&parameters, "format");
    char *delsp = convert_parameters_raw(&parameters, "delsp");
    content->is_flowed = strcasecmp(format, "flowed") == 0;
    content->is_delsp = strcasecmp(delsp, "yes") == 0;
    free(format);
    free(delsp);
    convert_parameters_free(&parameters);
}

static void parse_disposition(struct convert_content *content, const char *value, struct convert_charsets *charsets)
{
    struct convert_parameters parameters;
    const char *at = value;
    char *kind = take_word(&at);
    if (*at == '=') { /* the kind was forgotten */
        *kind = '\0';
        at = value;
    }
    content->is_inline = strcmp(kind, "inline") == 0;
    content->is_attachment = *kind && !content->is_inline && strcmp(kind, "form-data") != 0;
    free(kind);
    parse_parameters(at, &parameters);
    char *filename = convert_parameters_text(&parameters, "filename", charsets, FILENAME_MAX_LEN);
    if (*filename)
        take(&content->filename, filename);
    else
        free(filename);
    convert_parameters_free(&parameters);
}

/* "8 bit", "text/plain": what programs write that encode nothing. */
static bool is_no_encoding(const char *label)
{
    static const char *const labels[] = { "7",    "8",     "7bits",    "8bits", "plain",    "text",
                                          "none", "utf-8", "us-ascii", "ascii", "unencoded" };
    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++) {
        if (strcmp(label, labels[i]) == 0)
            return true;
    }
    return false;
}

static void parse_encoding(struct convert_content *content, const char *value, struct convert_charsets *charsets)
{
    (void)charsets;
    const char *at = value;
    char *label = take_word(&at);
    content->encoding = is_no_encoding(label) ? CONVERT_TRANSFER_IDENTITY : convert_transfer_from_label(label);
    free(label);
}

static void parse_id(struct convert_content *content, const char *value, struct convert_charsets *charsets)
{
    (void)charsets;
    take(&content->id, xstrdup(skip_comments(value)));
    strip_brackets(content->id);
}

/* Long ones are folded, and mean the same without (RFC 2557 section 4.4.2). */
static void parse_location(struct convert_content *content, const char *value, struct convert_charsets *charsets)
{
    (void)charsets;
    size_t n = 0;
    char *location = xstrdup(value);
    for (const char *c = value; *c; c++) {
        if (*c != ' ')
            location[n++] = *c;
    }
    location[n] = '\0';
    take(&content->location, location);
}

static const struct content_field {
    const char *name;
    void (*parse)(struct convert_content *content, const char *value, struct convert_charsets *charsets);
} content_fields[] = {
    { "Content-Type", parse_type },
    { "Content-Disposition", parse_disposition },
    { "Content-Transfer-Encoding", parse_encoding },
    { "Content-ID", parse_id },
    { "Content-Location", parse_location },
};

enum { CONTENT_FIELD_COUNT = sizeof content_fields / sizeof content_fields[0] };

static void parse_content_field(const struct convert_field *field, struct convert_charsets *charsets, unsigned *seen,
                                struct convert_content *content)
{
    for (unsigned i = 0; i < CONTENT_FIELD_COUNT; i++) {
        /* Of a repeated field the first counts: that is what most readers of mail do. */
        if (!convert_field_is(field, content_fields[i].name) || (*seen & 1U << i))
            continue;
        *seen |= 1U << i;
        char *value = unfold(field);
        content_fields[i].parse(content, value, charsets);
        free(value);
    }
}

int convert_content_parse(struct convert_charsets *charsets, const char *header, size_t len, bool in_digest,
                          struct convert_content *content_out, const char **error_out)
{
    *content_out = (struct convert_content){
        .type = xstrdup(in_digest ? "message" : "text"),
        .subtype = xstrdup(in_digest ? "rfc822" : "plain"),
        .charset = xstrdup(""),
        .boundary = xstrdup(""),
        .filename = xstrdup(""),
        .id = xstrdup(""),
        .location = xstrdup(""),
        .start = xstrdup(""),
    };
    if (len > CONVERT_HEADER_MAX) {
        *error_out = "a header section is too long";
        return -1;
    }
    unsigned count = 0;
    unsigned seen = 0;
    const char *at = header;
    struct convert_field field;
    while (convert_field_next(&at, header + len, &field)) {
        if (++count > CONVERT_FIELDS_MAX) {
            *error_out = "a header section has too many fields";
            return -1;
        }
        if (field.name_len < 8 || strncasecmp(field.name, "Content-", 8) != 0)
            continue;
        if (field.value_len > CONVERT_CONTENT_FIELD_MAX) {
            *error_out = "a Content field is too long";
            return -1;
        }
        parse_content_field(&field, charsets, &seen, content_out);
    }
    return 1;
}

void convert_content_free(struct convert_content *content)
{
    free(content->type);
    free(content->subtype);
    free(content->charset);
    free(content->boundary);
    free(content->filename);
    free(content->id);
    free(content->location);
    free(content->start);
    *content = (struct convert_content){ 0 };
}
