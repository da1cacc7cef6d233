/* concierge_line.c - see concierge_line.h */
#include "gateway/concierge_line.h"

#include <stdlib.h>
#include <string.h>

#include "smtp/smtp_address.h"

/* Marks that stand around words: those of CommonMark, and quotes. Not "~~": who strikes something out takes it back. */
static const struct pair {
    const char *open, *close;
} pairs[] = {
    { "`", "`" }, { "*", "*" }, { "_", "_" }, { "\"", "\"" }, { "'", "'" }, { "“", "”" }, { "„", "“" }, { "„", "”" },
    { "”", "”" }, { "‘", "’" }, { "‚", "‘" }, { "’", "’" },   { "«", "»" }, { "»", "«" }, { "‹", "›" },
};
enum { PAIR_COUNT = sizeof pairs / sizeof pairs[0] };

/* Blanks that do not look like another thing. */
static const char *const blanks[] = { " ", "\t", "\r", "\n", "\v", "\f", "\u00a0", "\u2009", "\u202f", "\u3000" };

/* Is it a character that shows nothing, or turns what stands beside it round (U+00AD, U+061C, U+200B to U+200F, U+2028 to
 * U+202E, U+2060 to U+206F, U+FEFF)? An address with one is not what it looks like. Text ends with NUL. */
static bool is_invisible(const char *at)
{
    const unsigned char *p = (const unsigned char *)at;
    if (p[0] == 0xc2)
        return p[1] == 0xad;
    if (p[0] == 0xd8)
        return p[1] == 0x9c;
    if (p[0] == 0xef)
        return p[1] == 0xbb && p[2] == 0xbf;
    if (p[0] != 0xe2 || (p[1] != 0x80 && p[1] != 0x81) || !p[2])
        return false;
    unsigned low = (p[1] & 1U) << 6 | (p[2] & 0x3fU); /* of U+20xx */
    return (low >= 0x0b && low <= 0x0f) || (low >= 0x28 && low <= 0x2e) || (low >= 0x60 && low <= 0x6f);
}

static bool starts_with(const char *at, const char *end, const char *text)
{
    size_t len = strlen(text);
    return (size_t)(end - at) >= len && memcmp(at, text, len) == 0;
}

static bool ends_with(const char *start, const char *end, const char *text)
{
    size_t len = strlen(text);
    return (size_t)(end - start) >= len && memcmp(end - len, text, len) == 0;
}

/* Most characters are none of these, and each is looked at many times. */
static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static size_t blank_at(const char *at, const char *end)
{
    if (is_plain(*at))
        return 0;
    for (size_t i = 0; i < sizeof blanks / sizeof blanks[0]; i++)
        if (starts_with(at, end, blanks[i]))
            return strlen(blanks[i]);
    return 0;
}

static const char *skip_blanks(const char *at, const char *end)
{
    for (size_t len; at < end && (len = blank_at(at, end)) > 0;)
        at += len;
    return at;
}

static const char *drop_blanks(const char *start, const char *end)
{
    for (size_t i = 0; i < sizeof blanks / sizeof blanks[0]; i++)
        if (ends_with(start, end, blanks[i])) {
            end -= strlen(blanks[i]);
            i = (size_t)-1;
        }
    return end;
}

static const char *find_blank(const char *at, const char *end)
{
    while (at < end && blank_at(at, end) == 0)
        at++;
    return at;
}

/* A pair around the whole of it, which does not stand in it as well: "*a* and *b*" has none. */
static bool unwrap(const char **start, const char **end)
{
    for (size_t i = 0; i < PAIR_COUNT; i++) {
        size_t open = strlen(pairs[i].open), close = strlen(pairs[i].close);
        if ((size_t)(*end - *start) < open + close || !starts_with(*start, *end, pairs[i].open) ||
            !ends_with(*start, *end, pairs[i].close))
            continue;
        const char *inner = *start + open, *inner_end = *end - close;
        if (open == 1 && pairs[i].open[0] != '_' && inner < inner_end) {
            const char *p = inner;
            while (p < inner_end && *p == pairs[i].open[0]) /* "**a**" */
                p++;
            const char *q = inner_end;
            while (q > p && q[-1] == pairs[i].open[0])
                q--;
            if (memchr(p, pairs[i].open[0], (size_t)(q - p)))
                continue;
        }
        *start = inner;
        *end = inner_end;
        return true;
    }
    return false;
}

/* One mark at the start or the end of a word, whose partner stands elsewhere in the line. 0: none. */
static size_t mark_at_start(const char *start, const char *end)
{
    if (start == end || is_plain(*start))
        return 0;
    for (size_t i = 0; i < PAIR_COUNT; i++)
        if (starts_with(start, end, pairs[i].open))
            return strlen(pairs[i].open);
    return 0;
}

static size_t mark_at_end(const char *start, const char *end)
{
    if (start == end || is_plain(end[-1]))
        return 0;
    for (size_t i = 0; i < PAIR_COUNT; i++)
        if (ends_with(start, end, pairs[i].close))
            return strlen(pairs[i].close);
    return 0;
}

struct concierge_line concierge_line_open(const char *text, size_t len)
{
    const char *at = skip_blanks(text, text + len), *end = drop_blanks(at, text + len);
    while (at < end && unwrap(&at, &end)) {
        at = skip_blanks(at, end);
        end = drop_blanks(at, end);
    }
    return (struct concierge_line){ .at = at, .end = end };
}

static bool is_punctuation(char c)
{
    return c == '.' || c == ',' || c == ';' || c == ':' || c == '!' || c == '?';
}

/* Drops what may stand behind a word, and notes what of it means something. */
static const char *drop_punctuation(struct concierge_line *line, const char *start, const char *end)
{
    for (; end > start && is_punctuation(end[-1]); end--) {
        line->is_question = line->is_question || end[-1] == '?';
        line->is_colon = line->is_colon || end[-1] == ':';
        line->is_comma = line->is_comma || end[-1] == ',';
    }
    return end;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* What stands between two blanks, without marks and punctuation. */
static bool next_bare(struct concierge_line *line, const char **start_out, const char **end_out)
{
    const char *start = skip_blanks(line->at, line->end);
    if (start == line->end)
        return false;
    const char *end = find_blank(start, line->end);
    line->at = end;
    line->is_colon = line->is_comma = false;
    for (size_t len; start < end && (len = mark_at_start(start, end)) > 0;)
        start += len;
    for (const char *was = NULL; end > start && end != was;) {
        was = end;
        end = drop_punctuation(line, start, end);
        end -= mark_at_end(start, end);
    }
    *start_out = start;
    *end_out = end;
    return true;
}

/* A word that is too long to be one of ours: its beginning, to be shown. */
static void shorten(const char *start, char out[static CONCIERGE_WORD_MAX + 1])
{
    size_t len = CONCIERGE_WORD_MAX - 3;
    while (len > 0 && ((unsigned char)start[len] & 0xc0) == 0x80)
        len--;
    memcpy(out, start, len);
    memcpy(out + len, "...", 4);
}

bool concierge_line_word(struct concierge_line *line, char out[static CONCIERGE_WORD_MAX + 1])
{
    const char *start, *end;
    size_t len = 0;
    out[0] = 0;
    do {
        if (!next_bare(line, &start, &end))
            return false;
    } while (start == end);
    if (end - start > CONCIERGE_WORD_MAX) {
        shorten(start, out);
        return true;
    }
    while (start < end) {
        if (starts_with(start, end, "’")) { /* "who’s" */
            out[len++] = '\'';
            start += strlen("’");
        } else {
            out[len++] = *start ? lower(*start) : '?';
            start++;
        }
    }
    out[len] = 0;
    return true;
}

/* Marks and punctuation that stand alone belong to what was read before them: "17 : no partner". */
static void take_punctuation(struct concierge_line *line)
{
    const char *start, *end;
    for (;;) {
        struct concierge_line rest = *line;
        if (!next_bare(&rest, &start, &end) || start < end)
            return;
        rest.is_colon = rest.is_colon || line->is_colon;
        rest.is_comma = rest.is_comma || line->is_comma;
        *line = rest;
    }
}

bool concierge_line_is_done(const struct concierge_line *line)
{
    struct concierge_line rest = *line;
    const char *start, *end;
    while (next_bare(&rest, &start, &end))
        if (start < end)
            return false;
    return true;
}

bool concierge_line_asks(struct concierge_line line)
{
    take_punctuation(&line);
    return line.is_question;
}

bool concierge_line_take(struct concierge_line *line, const char *phrase)
{
    struct concierge_line rest = *line;
    char word[CONCIERGE_WORD_MAX + 1];
    while (*phrase) {
        size_t len = strcspn(phrase, " ");
        if (!concierge_line_word(&rest, word) || strlen(word) != len || memcmp(word, phrase, len) != 0)
            return false;
        phrase += len + (phrase[len] == ' ');
    }
    *line = rest;
    return true;
}

/* Numbers. */

/* "#17", "no.17", "№17": the digits. */
static const char *skip_number_sign(const char *word)
{
    static const char *const signs[] = { "#", "no.", "nr.", "№" };
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++)
        if (strncmp(word, signs[i], strlen(signs[i])) == 0)
            return word + strlen(signs[i]);
    return word;
}

int concierge_line_number(struct concierge_line *line, int64_t *number_out)
{
    static const char *const names[] = { "request", "requests", "mapping", "mappings", "number", "numbers",
                                         "no",      "nos",      "nr",      "#",        "№" };
    enum { DIGITS_MAX = 15 };
    struct concierge_line rest = *line;
    char word[CONCIERGE_WORD_MAX + 1];
    for (size_t i = 0; i < 2; i++) /* "request no. 17" */
        for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
            if (concierge_line_take(&rest, names[k]))
                break;
    if (!concierge_line_word(&rest, word))
        return 0;
    const char *digits = skip_number_sign(word);
    size_t len = strspn(digits, "0123456789");
    if (len == 0)
        return 0;
    if (digits[len] || len > DIGITS_MAX)
        return -1;
    *number_out = strtoll(digits, NULL, 10);
    if (*number_out == 0)
        return -1;
    take_punctuation(&rest);
    *line = rest;
    return 1;
}

/* Addresses. */

/* Behind the quoted string at start, or NULL: it does not end. */
static const char *skip_quoted(const char *start, const char *end)
{
    for (const char *p = start + 1; p < end; p++) {
        if (*p == '\\' && p + 1 < end)
            p++;
        else if (*p == '"')
            return p + 1;
    }
    return NULL;
}

/* Where the address begins that comes next, and where what belongs to it ends: a local part may be quoted and have blanks, and a
 * name in quotes may stand before angle brackets. */
static void find_piece(const struct concierge_line *line, const char **start_out, const char **end_out)
{
    const char *start = skip_blanks(line->at, line->end);
    const char *behind = start < line->end && *start == '"' ? skip_quoted(start, line->end) : NULL;
    const char *bracket = start < line->end && *start == '<' ? start + 1 : start;
    if (behind) {
        const char *next = skip_blanks(behind, line->end);
        if (next < line->end && *next == '<' && *behind != '@') {
            start = next;
            bracket = start + 1;
        }
    }
    const char *from = bracket < line->end && *bracket == '"' ? skip_quoted(bracket, line->end) : NULL;
    *start_out = start;
    *end_out = find_blank(from && from < line->end && *from == '@' ? from : start, line->end);
}

static bool same_text(const char *a, const char *a_end, const char *b, const char *b_end)
{
    if (a_end - a != b_end - b)
        return false;
    for (; a < a_end; a++, b++)
        if (lower(*a) != lower(*b))
            return false;
    return true;
}

/* "mailto:" is cut off. false: what follows is more than an address, or written in another way than one. */
static bool drop_scheme(const char **start, const char *end)
{
    static const char scheme[] = "mailto:";
    size_t len = strlen(scheme);
    if ((size_t)(end - *start) < len || !same_text(*start, *start + len, scheme, scheme + len))
        return true;
    *start += len;
    return !memchr(*start, '%', (size_t)(end - *start)) && !memchr(*start, '?', (size_t)(end - *start));
}

/* "[bob@example.com](mailto:bob@example.com)": shows what it means. */
static bool open_link(const char **start, const char **end)
{
    const char *text_end = memchr(*start, ']', (size_t)(*end - *start));
    if (!text_end || (*end)[-1] != ')' || text_end + 1 >= *end || text_end[1] != '(')
        return false;
    const char *text = *start + 1, *target = text_end + 2, *target_end = *end - 1;
    if (target < target_end && *target == '<' && target_end[-1] == '>') {
        target++;
        target_end--;
    }
    if (!drop_scheme(&target, target_end) || !drop_scheme(&text, text_end) ||
        !same_text(text, text_end, target, target_end))
        return false;
    *start = target;
    *end = target_end;
    return true;
}

static bool is_escapable(char c)
{
    return strchr("_*`~+-.!#", c) && c;
}

/* As it is meant: "bob\_smith" is "bob_smith". */
static bool copy_address(const char *start, const char *end, bool is_code, char out[static CONCIERGE_ADDRESS_SIZE])
{
    size_t len = 0;
    for (const char *p = start; p < end; p++) {
        if (!is_code && *p == '\\' && *start != '"' && p + 1 < end && is_escapable(p[1]))
            p++;
        if (len == CONCIERGE_ADDRESS_SIZE - 1)
            return false;
        out[len++] = *p;
    }
    out[len] = 0;
    for (const char *p = out; *p; p++)
        if (is_invisible(p))
            return false;
    struct smtp_address address;
    return smtp_address_parse(out, len, &address) == 1;
}

/* Marks around an address belong to it or not: in pairs they do not; one at its end can't be part of a domain; one before it may
 * be part of the local part, so nobody knows. */
static bool is_open(const char *start, const char *end)
{
    return mark_at_start(start, end) > 0 && !(*start == '"' && skip_quoted(start, end));
}

static bool is_quoted_local(const char *start, const char *end)
{
    const char *behind = *start == '"' ? skip_quoted(start, end) : NULL;
    return behind && behind < end && *behind == '@';
}

int concierge_line_address(struct concierge_line *line, char out[static CONCIERGE_ADDRESS_SIZE])
{
    const char *start, *end;
    bool is_code = false;
    struct concierge_line rest = *line;
    out[0] = 0;
    find_piece(line, &start, &end);
    if (!memchr(start, '@', (size_t)(end - start)))
        return 0;
    rest.at = end;
    rest.is_colon = rest.is_comma = false;
    end = drop_punctuation(&rest, start, end);
    while (start < end && !is_quoted_local(start, end)) {
        bool code = *start == '`';
        if (!unwrap(&start, &end))
            break;
        is_code = is_code || code;
        end = drop_punctuation(&rest, start, end);
    }
    while (start < end && end[-1] != '_' && mark_at_end(start, end) > 0) {
        end -= mark_at_end(start, end);
        end = drop_punctuation(&rest, start, end);
    }
    if (start < end && *start == '[' && !open_link(&start, &end))
        return -1;
    if (start < end && *start == '<') {
        if (end[-1] != '>')
            return -1;
        start++;
        end--;
    }
    if (!drop_scheme(&start, end) || start >= end || (!is_code && is_open(start, end)))
        return -1;
    if (!copy_address(start, end, is_code, out))
        return -1;
    take_punctuation(&rest);
    *line = rest;
    return 1;
}

bool concierge_line_rest(const struct concierge_line *line, char *out, size_t size)
{
    struct concierge_line rest = concierge_line_open(line->at, (size_t)(line->end - line->at));
    size_t len = (size_t)(rest.end - rest.at);
    if (len >= size || !smtp_text_is_clean_utf8(rest.at, len))
        return false;
    memcpy(out, rest.at, len);
    out[len] = 0;
    return true;
}
