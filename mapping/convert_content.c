/* A part's bytes and text, and what its header says besides. */
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_charset.h"
#include "mapping/convert_html.h"
#include "mapping/convert_incoming.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_mime_field.h"
#include "mapping/convert_mime_parameter.h"
#include "mapping/convert_types.h"
#include "mapping/convert_utf8.h"

static void add_to_strbuf(const void *data, size_t len, void *ctx)
{
    strbuf_add(ctx, data, len);
}

bool convert_content_bytes(const struct convert_part *part, struct strbuf *out)
{
    struct convert_decoded decoded = convert_transfer_decode(part->about.encoding, part->content, part->content_len,
                                                             part->input, add_to_strbuf, out);
    return !decoded.damaged && strbuf_ok(out);
}

void convert_content_start(const struct convert_part *part, struct strbuf *out)
{
    enum { LOOKED_AT = CONVERT_TYPE_LOOK * 4 }; /* in its transfer encoding */
    struct strbuf bytes;
    size_t len = part->content_len < LOOKED_AT ? part->content_len : LOOKED_AT;
    strbuf_init(&bytes, LOOKED_AT);
    convert_transfer_decode(part->about.encoding, part->content, len, NULL, add_to_strbuf, &bytes);
    strbuf_add(out, bytes.data, bytes.len < CONVERT_TYPE_LOOK ? bytes.len : CONVERT_TYPE_LOOK);
    strbuf_free(&bytes);
}

bool convert_content_decode(const struct convert_incoming *in, const struct convert_part *part, const char *bytes,
                            size_t len, struct strbuf *out)
{
    char declared[64];
    const char *charset = part->about.charset;
    if (!*charset && convert_choice_text_show(part) == CONVERT_SHOW_HTML &&
        convert_html_declared_charset(bytes, len, declared))
        charset = declared;
    return convert_charset_decode(in->charsets, charset, bytes, len, out);
}

size_t convert_content_text_max(const struct convert_part *part)
{
    return convert_choice_text_show(part) == CONVERT_SHOW_HTML ? CONVERT_HTML_MAX : CONVERT_TEXT_MAX;
}

enum convert_text_state convert_content_text(const struct convert_incoming *in, const struct convert_part *part,
                                             struct strbuf *out)
{
    size_t max = convert_content_text_max(part);
    if (part->content_len > max * 2)
        return CONVERT_TEXT_TOO_LONG;
    struct strbuf bytes;
    strbuf_init(&bytes, max * 2 + 1);
    bool is_whole = convert_content_bytes(part, &bytes);
    bool is_known = convert_content_decode(in, part, bytes.data, bytes.len, out);
    strbuf_free(&bytes);
    if (!strbuf_ok(out)) {
        strbuf_clear(out);
        return CONVERT_TEXT_TOO_LONG;
    }
    return !is_whole ? CONVERT_TEXT_DAMAGED : is_known ? CONVERT_TEXT_OK : CONVERT_TEXT_UNKNOWN_CHARSET;
}

char *convert_content_parameter(const struct convert_part *part, const char *name)
{
    struct convert_field field;
    struct convert_parameters parameters;
    if (!convert_field_find(part->header, part->header_len, "Content-Type", &field))
        return xstrdup("");
    char *line = convert_utf8_one_line(field.value, field.value_len, CONVERT_CONTENT_FIELD_MAX);
    convert_parameters_parse(line, &parameters);
    char *value = convert_parameters_raw(&parameters, name);
    convert_parameters_free(&parameters);
    free(line);
    return value;
}

bool convert_content_is_message(const struct convert_part *part)
{
    return convert_part_is(part, "message", "rfc822") || convert_part_is(part, "message", "global") ||
           convert_part_is(part, "message", "news");
}

size_t convert_content_message_header(const struct convert_part *part, struct strbuf *out)
{
    size_t content;
    struct strbuf start;
    size_t len = part->content_len < CONVERT_HEADER_MAX ? part->content_len : CONVERT_HEADER_MAX;
    struct convert_part beginning = { .content = part->content, .content_len = len };
    beginning.about.encoding = part->about.encoding;
    strbuf_init(&start, CONVERT_HEADER_MAX);
    (void)convert_content_bytes(&beginning, &start); /* it ends somewhere */
    strbuf_add(out, start.data, start.len);
    strbuf_free(&start);
    return convert_mime_header_len(out->data, out->len, &content);
}
