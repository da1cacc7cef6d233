/* convert_enriched.h - text/enriched (RFC 1896) and text/richtext (RFC 1341, section 7.1.3) as HTML
 *
 * What mail programs wrote before HTML. Bold, italic, fixed type, quotes and line ends are kept, other commands left
 * out. Linear; the result is at most six times as long. Pure function. Internal to mapping/convert*.
 */
#pragma once
#include <stddef.h>

struct strbuf;

/* text: UTF-8. Appends. */
void convert_enriched_to_html(const char *text, size_t len, struct strbuf *out);
