/* gateway_web_words_fuzz.c - foreign text on pages: whatever it is, it brings no markup of its own
 *
 * Links are made of names in it; all else of the markup must be ours.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/web_html.h"
#include "gateway/web_words.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* The length of a tag of ours at this place: <a href="/..."> with nothing in the address that could end it, or </a>. */
static size_t tag_length(const char *at)
{
    static const char begins[] = "<a href=\"/";
    if (strncmp(at, "</a>", 4) == 0)
        return 4;
    require(strncmp(at, begins, sizeof begins - 1) == 0);
    size_t len = strcspn(at + sizeof begins - 1, "\"<> '");
    require(strncmp(at + sizeof begins - 1 + len, "\">", 2) == 0);
    return sizeof begins - 1 + len + 2;
}

/* What stands between our tags: the text, escaped. */
static void check(struct web_html *html, const char *text)
{
    struct strbuf plain;
    struct web_html *alone = web_html_new();
    require(web_html_ok(html));
    strbuf_init(&plain, 16 * 1024 * 1024);
    for (const char *at = web_html_written(html)->data; *at;) {
        size_t len = *at == '<' ? tag_length(at) : 0;
        if (len == 0)
            strbuf_add_char(&plain, *at);
        at += len > 0 ? len : 1;
    }
    web_html_add(alone, "%s", text);
    require(web_html_ok(alone) && !strpbrk(web_html_written(alone)->data, "<>\"'"));
    require(strcmp(plain.data, web_html_written(alone)->data) == 0);
    web_html_free(&alone);
    strbuf_free(&plain);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const writers[])(struct web_html * html, const char *text) = { web_words_linked, web_words_object };
    char *text = xstrndup((const char *)data, size);
    for (size_t i = 0; i < sizeof writers / sizeof writers[0]; i++) {
        struct web_html *html = web_html_new();
        writers[i](html, text);
        check(html, text);
        web_html_free(&html);
    }
    free(text);
    return 0;
}
