#include "mapping/convert_text_link.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "mapping/convert_commonmark.h"
#include "mapping/convert_commonmark_inline.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_text.h"
#include "mapping/convert_utf8.h"

enum { LOCAL_PART_MAX = 64, DOMAIN_MAX = 253 };

static size_t scheme_len(const char *text, size_t len)
{
    static const char *const schemes[] = { "https://", "http://", "ftp://", "mailto:" };
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t n = strlen(schemes[i]);
        if (len > n && strncasecmp(text, schemes[i], n) == 0)
            return n;
    }
    return 0;
}

/* Length of the character at text if an address may have it; 0 otherwise. Blanks, brackets and punctuation of other
 * scripts end an address: nobody leaves a space before "。" or "»". */
static size_t url_char_len(const char *text, size_t len)
{
    if ((unsigned char)*text < 0x80)
        return (unsigned char)*text > ' ' && *text != 0x7F && !strchr("<>\"`{}|\\^", *text) ? 1 : 0;
    uint32_t code;
    size_t n = convert_utf8_char(text, len, &code);
    bool ends = code <= 0xA0 || code == 0xAB || code == 0xBB || (code >= 0x2000 && code <= 0x206F) ||
                (code >= 0x3000 && code <= 0x303F) || code == 0xFEFF || (code >= 0xFF01 && code <= 0xFF0F) ||
                (code >= 0xFF1A && code <= 0xFF20) || (code >= 0xFF3B && code <= 0xFF40) ||
                (code >= 0xFF5B && code <= 0xFF65) || code == 0xFFFD;
    return ends ? 0 : n;
}

static int count_char(const char *text, size_t len, char c)
{
    int count = 0;
    for (size_t i = 0; i < len; i++)
        count += text[i] == c;
    return count;
}

/* Punctuation at the end belongs to the sentence; a bracket only if it was not opened in the url. */
static size_t trim_url(const char *url, size_t len)
{
    int surplus_round = count_char(url, len, ')') - count_char(url, len, '(');
    int surplus_square = count_char(url, len, ']') - count_char(url, len, '[');
    for (; len > 0; len--) {
        char last = url[len - 1];
        if (last == ')' && surplus_round > 0)
            surplus_round--;
        else if (last == ']' && surplus_square > 0)
            surplus_square--;
        else if (!strchr(".,;:!?'*_~", last))
            return len;
    }
    return 0;
}

static size_t url_len(const char *text, size_t len)
{
    size_t n = 0;
    for (size_t step; n < len && n < CONVERT_TEXT_URL_MAX; n += step) {
        step = url_char_len(text + n, len - n);
        if (step == 0)
            break;
    }
    return n;
}

/* Length of the address with a scheme, or with "www.", that begins at text; 0 when there is none. */
static size_t find_url(const char *text, size_t len)
{
    static const char www[] = "www.";
    size_t head = scheme_len(text, len);
    bool is_bare = head == 0 && len > sizeof www && strncasecmp(text, www, sizeof www - 1) == 0;
    if (is_bare)
        head = sizeof www - 1;
    bool is_host = head > 0 && (ispunct((unsigned char)text[head]) == 0 || text[head] == '['); /* IPv6 */
    size_t n = is_host ? trim_url(text, url_len(text, len)) : 0;
    if (n <= head)
        return 0;
    const char *dot = memchr(text + head, '.', n - head);
    bool has_domain = dot && dot > text + head && dot + 1 < text + n && dot[1] != '.';
    return !is_bare || has_domain ? n : 0;
}

static bool is_local_char(char c)
{
    return isalnum((unsigned char)c) || (c && strchr(".!#$%&'*+/=?^_{}~-", c));
}

static size_t local_start(const char *text, size_t at, size_t least)
{
    size_t start = at;
    while (start > least && at - start <= LOCAL_PART_MAX && is_local_char(text[start - 1]))
        start--;
    while (start < at && !isalnum((unsigned char)text[start])) /* "(bob@...", "*bob@...", "'bob@...'" */
        start++;
    return start;
}

/* Length of the domain at text: labels of letters and digits, the last of them no number; 0 when it is none. */
static size_t domain_len(const char *text, size_t len)
{
    size_t n = 0;
    size_t label = 0; /* where the current one begins */
    size_t good = 0;  /* what is complete */
    bool has_dot = false;
    while (n < len && n < DOMAIN_MAX) {
        size_t step = url_char_len(text + n, len - n);
        bool is_letter = step > 1 || isalnum((unsigned char)text[n]);
        if (is_letter)
            good = n + step;
        else if (text[n] == '.' && n > label && good == n)
            has_dot = true, label = n + 1;
        else if (text[n] != '-' || n == label)
            break;
        n += step > 0 ? step : 1;
    }
    bool is_named = good > label && isdigit((unsigned char)text[label]) == 0;
    if (good <= label && label > 0) { /* a full stop behind it */
        good = label - 1;
        is_named = memchr(text, '.', good) != NULL;
        has_dot = is_named;
    }
    return has_dot && is_named ? good : 0;
}

/* Of an alphabet that puts blanks between words: "müller@" is more than "ller@". */
static bool is_letter_before(const char *text, size_t at)
{
    size_t i = at - 1;
    while (i > 0 && ((unsigned char)text[i] & 0xC0) == 0x80)
        i--;
    uint32_t code;
    return convert_utf8_char(text + i, at - i, &code) > 0 && code >= 0xC0 && code < 0x2000;
}

/* The address around the "@" at `at`; not "git@example.com:path". */
static struct convert_text_link find_person(const char *text, size_t len, size_t at, size_t least)
{
    struct convert_text_link link = { 0 };
    size_t start = local_start(text, at, least);
    size_t domain = at + 1 < len ? domain_len(text + at + 1, len - at - 1) : 0;
    size_t end = at + 1 + domain;
    bool is_path = end + 1 < len && text[end] == ':' && (isalnum((unsigned char)text[end + 1]) || text[end + 1] == '/');
    bool is_in_word = start > least && is_letter_before(text, start);
    if (start < at && at - start <= LOCAL_PART_MAX && text[at - 1] != '.' && domain > 0 && !is_path && !is_in_word)
        link = (struct convert_text_link){ start, end - start, "mailto:" };
    return link;
}

struct convert_text_link convert_text_find_link(const char *text, size_t len, size_t from)
{
    struct convert_text_link link = { 0 };
    for (size_t i = from; i < len; i++) {
        char c = (char)(text[i] | 0x20);
        if (text[i] == '@') {
            link = find_person(text, len, i, from);
        } else if ((c == 'h' || c == 'm' || c == 'f' || c == 'w') && (i == 0 || !isalnum((unsigned char)text[i - 1]))) {
            link = (struct convert_text_link){ i, find_url(text + i, len - i), c == 'w' ? "http://" : "" };
        }
        if (link.len > 0)
            return link;
    }
    return (struct convert_text_link){ 0 };
}

/* ---- an address over several lines ---- */

static const char *last_open(const struct convert_text_piece *piece)
{
    const char *open = memrchr(piece->text, '<', piece->len);
    return open && !memchr(open, '>', piece->len - (size_t)(open - piece->text)) ? open : NULL;
}

/* Where an address begins that reaches to the end of the piece; its length if there is none. */
static size_t broken_start(const struct convert_text_piece *piece)
{
    static const char prefix[] = "URL:";
    const char *open = last_open(piece);
    if (!open)
        return piece->len;
    size_t start = (size_t)(open - piece->text) + 1;
    if (piece->len - start > sizeof prefix && strncasecmp(piece->text + start, prefix, sizeof prefix - 1) == 0)
        start += sizeof prefix - 1;
    const char *url = piece->text + start;
    size_t len = piece->len - start;
    while (len > 0 && url[len - 1] == ' ') /* what flowed text, or a careless program, left there */
        len--;
    bool is_broken = scheme_len(url, len) > 0 && strncasecmp(url, "mailto:", 7) != 0 && url_len(url, len) == len;
    return is_broken ? start : piece->len;
}

size_t convert_text_find_broken_link(const struct convert_text_piece *pieces, size_t count, size_t *start_out,
                                     size_t *end_out, struct strbuf *url_out)
{
    *start_out = *end_out = 0;
    size_t start = count > 1 ? broken_start(&pieces[0]) : 0;
    if (count < 2 || start == pieces[0].len)
        return 0;
    *start_out = start;
    for (size_t i = 0; i < count && i < CONVERT_TEXT_BROKEN_LINES_MAX; i++) {
        const char *text = pieces[i].text;
        size_t at = i == 0 ? start : 0;
        while (at < pieces[i].len && text[at] == ' ')
            at++;
        size_t n = url_len(text + at, pieces[i].len - at);
        strbuf_add(url_out, text + at, n);
        *end_out = at + n;
        if (at + n < pieces[i].len && text[at + n] == '>')
            return i > 0 && strbuf_ok(url_out) ? i + 1 : 0;
        size_t rest = at + n;
        while (rest < pieces[i].len && text[rest] == ' ')
            rest++;
        if (rest < pieces[i].len || n == 0)
            return 0;
    }
    return 0;
}

/* ---- writing ---- */

static bool has_entity(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '&' && commonmark_is_entity(text + i, len - i))
            return true;
    }
    return false;
}

/* "<...>" is a link of its own where CommonMark knows it as one: ASCII, and nothing that renderers disagree about. */
static bool is_autolink(const char *text, const struct convert_text_link *link)
{
    const char *at = text + link->start;
    if (*link->scheme == 'h' || has_entity(at, link->len))
        return false;
    for (size_t i = 0; *link->scheme && i < link->len; i++) {
        if ((unsigned char)at[i] >= 0x80)
            return false;
    }
    return true;
}

static void write_link(struct commonmark_writer *writer, const char *text, const struct convert_text_link *link)
{
    if (is_autolink(text, link)) {
        commonmark_add_autolink(writer, text + link->start, link->len);
        return;
    }
    struct strbuf url;
    strbuf_init(&url, link->len + strlen("mailto:"));
    strbuf_add_str(&url, link->scheme);
    strbuf_add(&url, text + link->start, link->len);
    commonmark_open_link(writer, url.data);
    commonmark_add_text(writer, text + link->start, link->len);
    commonmark_close_link(writer);
    strbuf_free(&url);
}

void convert_text_add_linked(struct commonmark_writer *writer, const char *text, size_t len)
{
    size_t start = 0; /* of the text that is not added yet */
    for (;;) {
        struct convert_text_link link = convert_text_find_link(text, len, start);
        if (link.len == 0)
            break;
        commonmark_add_text(writer, text + start, link.start - start);
        write_link(writer, text, &link);
        start = link.start + link.len;
    }
    commonmark_add_text(writer, text + start, len - start);
}
