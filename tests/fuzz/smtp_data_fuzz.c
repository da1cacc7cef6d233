/* Message content: the decoder and the check against slow and obvious ones, and in one packet against two. The first
 * byte says where the packets part, and whether the content is BINARYMIME. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/smtp_content.h"
#include "smtp/smtp_parser.h"

struct result {
    uint8_t *content;
    size_t content_len;
    size_t end; /* offset behind the final dot's line; SIZE_MAX when it did not come */
    unsigned defects;
};

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void decode(const uint8_t *wire, size_t len, size_t cut, struct result *result)
{
    struct smtp_data_decoder decoder;
    struct smtp_content_check check;
    smtp_data_decoder_init(&decoder);
    smtp_content_check_init(&check, false);
    result->content = malloc(len + 1);
    result->content_len = 0;
    result->end = SIZE_MAX;
    const size_t bounds[] = { 0, cut, len };
    for (int i = 0; i < 2 && result->end == SIZE_MAX; i++) {
        const uint8_t *input = wire + bounds[i];
        size_t left = bounds[i + 1] - bounds[i];
        const uint8_t *chunk;
        size_t chunk_len;
        enum smtp_data_event event;
        while ((event = smtp_data_feed(&decoder, &input, &left, &chunk, &chunk_len)) == SMTP_DATA_CHUNK) {
            require(chunk_len > 0 && result->content_len + chunk_len <= len);
            memcpy(result->content + result->content_len, chunk, chunk_len);
            smtp_content_check_feed(&check, chunk, chunk_len);
            result->content_len += chunk_len;
        }
        if (event == SMTP_DATA_END)
            result->end = (size_t)(input - wire);
        else
            require(left == 0);
    }
    result->defects = check.defects;
}

/* A chunk of BDAT: everything is content. */
static unsigned check_chunk(const uint8_t *content, size_t len, size_t cut, bool is_binary)
{
    struct smtp_content_check check;
    smtp_content_check_init(&check, is_binary);
    smtp_content_check_feed(&check, content, cut);
    smtp_content_check_feed(&check, content + cut, len - cut);
    smtp_content_check_finish(&check);
    return check.defects;
}

static unsigned obvious_defects(const uint8_t *content, size_t len, bool is_binary)
{
    const uint8_t *empty_line = memmem(content, len, "\r\n\r\n", 4);
    if (len >= 2 && memcmp(content, "\r\n", 2) == 0)
        empty_line = content;
    size_t strict = is_binary && empty_line ? (size_t)(empty_line - content) + 2 : len;
    unsigned defects = 0;
    for (size_t i = 0; i < strict; i++) {
        if (content[i] == '\0')
            defects |= SMTP_DEFECT_NUL;
        if (content[i] == '\r' && (i + 1 == len || content[i + 1] != '\n'))
            defects |= SMTP_DEFECT_BARE_CR;
        if (content[i] == '\n' && (i == 0 || content[i - 1] != '\r'))
            defects |= SMTP_DEFECT_BARE_LF;
    }
    return defects;
}

/* The end is the first CRLF.CRLF, where the content is preceded by a CRLF that is not there. */
static size_t obvious_end(const uint8_t *wire, size_t len)
{
    if (len >= 3 && memcmp(wire, ".\r\n", 3) == 0)
        return 3;
    const uint8_t *found = memmem(wire, len, "\r\n.\r\n", 5);
    return found ? (size_t)(found - wire) + 5 : SIZE_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const uint8_t *wire = data + 1;
    size_t len = size - 1;
    struct result whole;
    struct result parts;
    decode(wire, len, len, &whole);
    size_t cut = len == 0 ? 0 : data[0] % len;
    decode(wire, len, cut, &parts);
    require(whole.end == obvious_end(wire, len));
    require(whole.end == parts.end && whole.defects == parts.defects);
    if (whole.end != SIZE_MAX && whole.defects == 0) {
        require(whole.content_len == parts.content_len);
        require(memcmp(whole.content, parts.content, whole.content_len) == 0);
        require(!memchr(whole.content, 0, whole.content_len));
        for (size_t i = 0; i < whole.content_len; i++) {
            if (whole.content[i] == '\n')
                require(i > 0 && whole.content[i - 1] == '\r');
            if (whole.content[i] == '\r')
                require(i + 1 < whole.content_len && whole.content[i + 1] == '\n');
        }
    }
    bool is_binary = data[0] & 1;
    require(check_chunk(wire, len, cut, is_binary) == obvious_defects(wire, len, is_binary));
    free(whole.content);
    free(parts.content);
    return 0;
}
