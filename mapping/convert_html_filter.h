/* convert_html_filter.h - what is taken out of HTML before libxml2 sees it
 *
 * Comments, the markers of Microsoft's conditional sections ("<![if ...]>"), and tags longer than CONVERT_HTML_TAG_MAX
 * (pictures in data: urls, mostly): they would cost too much, or what follows would be lost. Control characters become
 * U+FFFD. Internal to mapping/convert_html*.
 */
#pragma once
#include <stddef.h>

struct strbuf;

/* Appends the filtered document; out needs a maximum of three times len. */
void convert_html_filter(struct strbuf *out, const char *html, size_t len);
