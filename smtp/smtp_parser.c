#include "smtp/smtp_parser.h"

#include <string.h>
#include <strings.h>

size_t smtp_utf8_sequence(const char *text, size_t len)
{
    /* Rows of RFC 3629 section 4: first byte, range of the second byte, length. The second byte's range keeps out
     * overlong forms, surrogates and what lies beyond U+10FFFF. */
    static const struct {
        uint8_t first_low, first_high, second_low, second_high;
        size_t length;
    } forms[] = {
        { 0x00, 0x7f, 0x00, 0x00, 1 }, { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
        { 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
        { 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
    };
    if (len == 0)
        return 0;
    const uint8_t *byte = (const uint8_t *)text;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (byte[0] < forms[i].first_low || byte[0] > forms[i].first_high)
            continue;
        if (len < forms[i].length)
            return 0;
        for (size_t k = 1; k < forms[i].length; k++) {
            uint8_t low = k == 1 ? forms[i].second_low : 0x80;
            uint8_t high = k == 1 ? forms[i].second_high : 0xbf;
            if (byte[k] < low || byte[k] > high)
                return 0;
        }
        return forms[i].length;
    }
    return 0;
}

/* No control characters, and UTF-8 throughout: what passes here may go into logs, headers and JSON. */
static bool is_clean(const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t length = smtp_utf8_sequence(text + i, len - i);
        unsigned char c = (unsigned char)text[i];
        if (length == 0 || c < ' ' || c == 0x7f)
            return false;
        i += length;
    }
    return true;
}

static void trim(const char **text, size_t *len)
{
    while (*len > 0 && (*text)[0] == ' ') {
        ++*text;
        --*len;
    }
    while (*len > 0 && (*text)[*len - 1] == ' ')
        --*len;
}

int smtp_parse_command(const char *line, size_t len, struct smtp_command *command_out)
{
    if (len == 0 || line[0] == ' ' || !is_clean(line, len))
        return -1;
    const char *space = memchr(line, ' ', len);
    size_t verb_len = space ? (size_t)(space - line) : len;
    *command_out = (struct smtp_command){ .verb = line, .verb_len = verb_len };
    command_out->args = line + verb_len;
    command_out->args_len = len - verb_len;
    trim(&command_out->args, &command_out->args_len);
    return 1;
}

/* Where the first of `stops` stands that is outside of quotes and address literals; len if nowhere, and more than
 * len if a quote does not end. */
static size_t find_unquoted(const char *text, size_t len, const char *stops)
{
    bool is_quoted = false;
    bool is_literal = false;
    size_t i;
    for (i = 0; i < len; i++) {
        char c = text[i];
        if (is_quoted) {
            if (c == '\\')
                i++; /* whatever it is, it is quoted */
            else if (c == '"')
                is_quoted = false;
        } else if (is_literal) {
            is_literal = c != ']';
        } else if (strchr(stops, c)) {
            return i;
        } else {
            is_quoted = c == '"';
            is_literal = c == '[';
        }
    }
    return is_quoted || i > len ? len + 1 : len;
}

/* "@one.example,@two.example:bob@example.com" means the mailbox at its end: nobody routes by such paths any more. */
static int drop_source_route(struct smtp_path *path)
{
    if (path->mailbox_len == 0 || path->mailbox[0] != '@')
        return 1;
    size_t colon = find_unquoted(path->mailbox, path->mailbox_len, ":");
    if (colon + 1 >= path->mailbox_len)
        return -1;
    path->mailbox += colon + 1;
    path->mailbox_len -= colon + 1;
    return 1;
}

int smtp_parse_path(const char *args, size_t len, const char *keyword, struct smtp_path *path_out)
{
    size_t keyword_len = strlen(keyword);
    if (len <= keyword_len || strncasecmp(args, keyword, keyword_len) != 0 || args[keyword_len] != ':')
        return -1;
    const char *text = args + keyword_len + 1;
    len -= keyword_len + 1;
    trim(&text, &len);
    if (len == 0)
        return -1;

    struct smtp_path path;
    size_t end; /* of the path with its brackets */
    if (text[0] == '<') {
        size_t close = 1 + find_unquoted(text + 1, len - 1, "<> ");
        if (close >= len || text[close] != '>')
            return -1;
        path = (struct smtp_path){ .mailbox = text + 1, .mailbox_len = close - 1 };
        end = close + 1;
        if (end < len && text[end] != ' ')
            return -1;
    } else {
        end = find_unquoted(text, len, "<> ");
        if (end > len || (end < len && text[end] != ' '))
            return -1;
        path = (struct smtp_path){ .mailbox = text, .mailbox_len = end };
    }
    if (drop_source_route(&path) != 1)
        return -1;
    path.params = text + end;
    path.params_len = len - end;
    trim(&path.params, &path.params_len);
    *path_out = path;
    return 1;
}

void smtp_data_decoder_init(struct smtp_data_decoder *decoder)
{
    /* The CRLF of the command DATA counts as the one before the first line (RFC 5321 section 4.1.1.4). */
    *decoder = (struct smtp_data_decoder){ .state = SMTP_DATA_LINE_START };
}

/* Passes over what is not content: a dot that starts a line, and the CRLF after it. true: that was the end. */
static bool read_framing(struct smtp_data_decoder *decoder, const uint8_t **at, const uint8_t *end)
{
    for (; *at < end; ++*at) {
        uint8_t c = **at;
        if (decoder->state == SMTP_DATA_LINE_START && c == '.') {
            decoder->state = SMTP_DATA_DOT;
        } else if (decoder->state == SMTP_DATA_DOT && c == '\r') {
            decoder->state = SMTP_DATA_DOT_CR;
        } else if (decoder->state == SMTP_DATA_DOT_CR && c == '\n') {
            ++*at;
            decoder->state = SMTP_DATA_LINE_START;
            return true;
        } else {
            if (decoder->state == SMTP_DATA_DOT_CR)
                decoder->state = SMTP_DATA_STRAY_CR;
            else if (decoder->state != SMTP_DATA_CR)
                decoder->state = SMTP_DATA_TEXT;
            return false;
        }
    }
    return false;
}

/* Reads up to a dot that starts a line, or to the end of the input. */
static const uint8_t *read_content(struct smtp_data_decoder *decoder, const uint8_t *at, const uint8_t *end)
{
    while (at < end) {
        if (decoder->state == SMTP_DATA_CR) {
            bool is_line_end = *at == '\n';
            decoder->state = is_line_end ? SMTP_DATA_LINE_START : SMTP_DATA_TEXT;
            at += is_line_end;
        } else if (decoder->state == SMTP_DATA_LINE_START && *at == '.') {
            return at;
        } else {
            const uint8_t *cr = memchr(at, '\r', (size_t)(end - at));
            decoder->state = cr ? SMTP_DATA_CR : SMTP_DATA_TEXT;
            at = cr ? cr + 1 : end;
        }
    }
    return at;
}

enum smtp_data_event smtp_data_feed(struct smtp_data_decoder *decoder, const uint8_t **input, size_t *len,
                                    const uint8_t **chunk_out, size_t *chunk_len_out)
{
    static const uint8_t stray_cr = '\r';
    const uint8_t *at = *input;
    const uint8_t *end = at + *len;
    bool is_end = read_framing(decoder, &at, end);
    bool is_stray = decoder->state == SMTP_DATA_STRAY_CR;
    const uint8_t *chunk = at;
    if (is_stray)
        decoder->state = SMTP_DATA_TEXT;
    else if (!is_end)
        at = read_content(decoder, at, end);
    *input = at;
    *len = (size_t)(end - at);
    *chunk_out = is_stray ? &stray_cr : chunk;
    *chunk_len_out = is_stray ? 1 : (size_t)(at - chunk);
    if (is_end)
        return SMTP_DATA_END;
    return *chunk_len_out > 0 ? SMTP_DATA_CHUNK : SMTP_DATA_MORE;
}
