/* web_html.h - writes HTML so that foreign text can't become markup by mistake
 *
 * A page is made of literals with places for text:
 *
 *     web_html_add(html, "<a href=\"/mappings/%u\" title=\"%s\">%s</a>", id, note, address);
 *
 * The first argument must be a string literal (anything else does not compile), the others are texts from anywhere, each
 * escaped for the place where it stands. The writer follows the markup of the literals and knows the place:
 *
 *     %s  text, or part of an attribute's value in double quotes; line ends and tabs become spaces
 *     %t  likewise, but line ends and tabs stay (for <pre>, <textarea>)
 *     %u  a part of a URL (a segment of its path, a value of its query): all but letters, digits and "-._~" is percent-encoded
 *     %l  a whole URL of our own, as "/mappings?after=17"; what does not begin with one "/" becomes "/"
 *     %%  a percent sign
 *
 * NULL is written as nothing. In texts, bytes that are no UTF-8, and characters that could steer the reader's eye without being seen
 * (controls, bidirectional overrides and marks, characters without width, tags) are U+FFFD: a thing that is there is seen.
 *
 * What may not be: a place in a tag outside of double quotes; any in <script>, <style>, style="", srcdoc="" or on...=""; %s or %t in an
 * attribute that holds a URL; %u there before the literal has begun with "/", "?" or "#"; another number of texts than places. These are
 * mistakes of ours in literals, whatever the texts are: nothing more is written, the log has web.template with the literal, and
 * web_html_ok() is false for good, which makes the answer an error. Pure otherwise; any thread.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct strbuf;
struct web_html;

struct web_html *web_html_new(void) __attribute__((warn_unused_result));
void web_html_free(struct web_html **html);

#define web_html_add(html, ...)                                                                                        \
    web_html_fill((html), (const char *const[]){ "" __VA_ARGS__ },                                                     \
                  sizeof((const char *const[]){ "" __VA_ARGS__ }) / sizeof(const char *))
/* Use web_html_add(). parts[0] is the literal. */
void web_html_fill(struct web_html *html, const char *const *parts, size_t count);

/* A number as a text for web_html_add(); lives to the end of the block where it stands. */
#define WEB_INT(number) web_html_int((number), (char[WEB_HTML_INT_SIZE]){ 0 })
enum { WEB_HTML_INT_SIZE = 24 };
const char *web_html_int(int64_t number, char buf[static WEB_HTML_INT_SIZE]);

/* Complete: nothing was wrong, no tag is open, and all of it fitted. */
bool web_html_ok(const struct web_html *html);
/* What was written; borrowed, until the next call. */
const struct strbuf *web_html_written(const struct web_html *html);
