#include "mapping/convert_html_picture.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/xmalloc.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_transfer.h"

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

/* The octet that a percent-encoded url has at *at, which moves behind it. */
static char next_octet(const char *url, size_t len, size_t *at)
{
    size_t i = *at;
    int octet = url[i] == '%' && len - i > 2 ? convert_hex_byte(url + i + 1) : -1;
    if (octet >= 0) {
        *at += 3;
        return (char)octet;
    }
    *at += 1;
    return url[i];
}

/* Not convert_transfer's decoder: in an address characters may be percent-encoded, and padding missing, without damage. */
static bool decode_base64(const char *url, size_t len, size_t at, struct html_picture *picture)
{
    uint32_t bits = 0;
    unsigned count = 0;
    while (at < len) {
        char c = next_octet(url, len, &at);
        if (isspace((unsigned char)c))
            continue;
        int value = base64_value(c);
        if (value < 0)
            return c == '=';
        bits = bits << 6 | (uint32_t)value;
        if (++count % 4 != 1)
            picture->data[picture->len++] = (char)(bits >> (count % 4 == 2 ? 4 : count % 4 == 3 ? 2 : 0));
    }
    return count % 4 != 1;
}

static bool read_type(const char *url, size_t len, struct html_picture *picture)
{
    size_t n = 0;
    while (n < len && (isalnum((unsigned char)url[n]) || strchr("/+.-", url[n])))
        n++;
    if (n <= strlen("image/") || n >= sizeof picture->type || strncasecmp(url, "image/", strlen("image/")) != 0)
        return false;
    for (size_t i = 0; i < n; i++)
        picture->type[i] = (char)tolower((unsigned char)url[i]);
    picture->type[n] = '\0';
    return true;
}

bool html_picture_decode(const char *url, size_t len, struct html_picture *picture_out)
{
    static const char scheme[] = "data:";
    *picture_out = (struct html_picture){ 0 };
    const char *comma = memchr(url, ',', len);
    if (len < strlen(scheme) || strncasecmp(url, scheme, strlen(scheme)) != 0 || !comma ||
        !read_type(url + strlen(scheme), (size_t)(comma - url) - strlen(scheme), picture_out))
        return false;
    size_t at = (size_t)(comma - url) + 1;
    const char mark[] = ";base64";
    bool is_base64 = at > strlen(mark) && strncasecmp(comma - strlen(mark), mark, strlen(mark)) == 0;
    if (len - at > (size_t)CONVERT_HTML_PICTURE_MAX * (is_base64 ? 2 : 3))
        return false;
    picture_out->data = xmalloc(len - at + 1);
    bool is_whole = true;
    if (is_base64)
        is_whole = decode_base64(url, len, at, picture_out);
    while (!is_base64 && at < len)
        picture_out->data[picture_out->len++] = next_octet(url, len, &at);
    if (is_whole && picture_out->len > 0 && picture_out->len <= CONVERT_HTML_PICTURE_MAX)
        return true;
    free(picture_out->data);
    picture_out->data = NULL;
    return false;
}

bool html_picture_is_tiny(const struct html_picture *picture)
{
    enum { TINY = 3 };
    const uint8_t *data = (const uint8_t *)picture->data;
    if (picture->len >= 10 && memcmp(data, "GIF8", 4) == 0)
        return (data[6] | data[7] << 8) <= TINY || (data[8] | data[9] << 8) <= TINY;
    if (picture->len >= 24 && memcmp(data, "\x89PNG", 4) == 0) {
        bool is_large = data[16] || data[17] || data[18] || data[20] || data[21] || data[22];
        return !is_large && (data[19] <= TINY || data[23] <= TINY);
    }
    return false;
}
