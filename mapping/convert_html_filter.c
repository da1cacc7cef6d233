#include "mapping/convert_html_filter.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/strbuf.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_utf8.h"

enum { COMMENT_MARK = 4 }; /* "<!--" */

/* Length of the tag at text, which begins with "<" and a letter or slash: up to the ">" outside quoted values.
 * Without an end within the limit: 0. */
static size_t tag_len(const char *text, size_t len)
{
    char quote = '\0';
    for (size_t i = 1; i < len && i < CONVERT_HTML_TAG_MAX; i++) {
        if (quote != '\0')
            quote = text[i] == quote ? '\0' : quote;
        else if (text[i] == '>')
            return i + 1;
        else if ((text[i] == '"' || text[i] == '\'') && text[i - 1] == '=')
            quote = text[i];
    }
    return 0;
}

/* Where a too long tag ends: at its first ">", whatever quotes say. */
static size_t skip_long_tag(const char *text, size_t len)
{
    const char *end = memchr(text, '>', len);
    return end ? (size_t)(end - text) + 1 : len;
}

static bool begins(const char *text, size_t len, const char *prefix)
{
    return len >= strlen(prefix) && memcmp(text, prefix, strlen(prefix)) == 0;
}

/* A comment, with whatever it hides; one that does not end is text after all. */
static size_t comment_len(const char *text, size_t len)
{
    const char *end = len > COMMENT_MARK ? memmem(text + COMMENT_MARK, len - COMMENT_MARK, "-->", 3) : NULL;
    return end ? (size_t)(end - text) + 3 : COMMENT_MARK;
}

/* How much to leave out at text, which begins with "<"; 0: it stays. *tag_out is the length of a tag that stays. */
static size_t left_out(const char *text, size_t len, size_t *tag_out)
{
    *tag_out = 1;
    if (begins(text, len, "<!--"))
        return comment_len(text, len);
    if (begins(text, len, "<![") || begins(text, len, "<?"))
        return skip_long_tag(text, len);
    if (len < 2 || (!isalpha((unsigned char)text[1]) && text[1] != '/'))
        return 0;
    *tag_out = tag_len(text, len);
    return *tag_out == 0 ? skip_long_tag(text, len) : 0;
}

/* The parser drops control characters without a trace. */
static void add_visible(struct strbuf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        bool is_control = (unsigned char)text[i] < ' ' && (text[i] == '\0' || !strchr("\t\n\r\f", text[i]));
        if (is_control)
            strbuf_add_str(out, CONVERT_UTF8_REPLACEMENT);
        else
            strbuf_add_char(out, text[i]);
    }
}

void convert_html_filter(struct strbuf *out, const char *html, size_t len)
{
    bool no_comment_end = false; /* once one is missing, every search for it would run to the end */
    for (size_t i = 0; i < len;) {
        if (html[i] != '<') {
            const char *next = memchr(html + i, '<', len - i);
            size_t n = next ? (size_t)(next - html) - i : len - i;
            add_visible(out, html + i, n);
            i += n;
            continue;
        }
        bool is_comment = begins(html + i, len - i, "<!--");
        size_t tag = 1;
        size_t skip = is_comment && no_comment_end ? COMMENT_MARK : left_out(html + i, len - i, &tag);
        no_comment_end = no_comment_end || (is_comment && skip == COMMENT_MARK);
        if (skip == 0)
            add_visible(out, html + i, tag);
        i += skip > 0 ? skip : tag;
    }
}
