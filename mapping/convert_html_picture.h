/* convert_html_picture.h - pictures that stand in a document themselves, in data: urls (RFC 2397)
 *
 * Pure. Internal to mapping/convert_html*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum { HTML_PICTURE_TYPE_SIZE = 40 };

struct html_picture {
    char type[HTML_PICTURE_TYPE_SIZE]; /* "image/png" */
    char *data;                        /* malloc'ed; the caller's */
    size_t len;
};

/* false when the url is no picture, is damaged, or holds more than CONVERT_HTML_PICTURE_MAX octets. */
bool html_picture_decode(const char *url, size_t len, struct html_picture *picture_out);

/* A PNG or GIF whose own header says that it is so small that it shows nothing. */
bool html_picture_is_tiny(const struct html_picture *picture);
