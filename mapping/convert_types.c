#include "mapping/convert_types.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

/* Of several rows with one type the first gives the extension. */
static const struct media_type {
    const char *type, *extension;
} media_types[] = {
    { "text/plain", "txt" },
    { "text/plain", "log" },
    { "text/html", "html" },
    { "text/html", "htm" },
    { "text/css", "css" },
    { "text/csv", "csv" },
    { "text/calendar", "ics" },
    { "text/markdown", "md" },
    { "text/vcard", "vcf" },
    { "text/x-vcard", "vcf" },
    { "text/rtf", "rtf" },
    { "text/x-amp-html", "html" },
    { "text/xml", "xml" },
    { "text/rfc822-headers", "txt" },
    { "image/png", "png" },
    { "image/jpeg", "jpg" },
    { "image/jpeg", "jpeg" },
    { "image/jpg", "jpg" },
    { "image/gif", "gif" },
    { "image/webp", "webp" },
    { "image/svg+xml", "svg" },
    { "image/bmp", "bmp" },
    { "image/tiff", "tif" },
    { "image/tiff", "tiff" },
    { "image/heic", "heic" },
    { "image/avif", "avif" },
    { "image/x-icon", "ico" },
    { "audio/mpeg", "mp3" },
    { "audio/ogg", "ogg" },
    { "audio/wav", "wav" },
    { "audio/x-wav", "wav" },
    { "audio/mp4", "m4a" },
    { "audio/flac", "flac" },
    { "video/mp4", "mp4" },
    { "video/quicktime", "mov" },
    { "video/webm", "webm" },
    { "video/x-msvideo", "avi" },
    { "message/rfc822", "eml" },
    { "message/global", "eml" },
    { "message/delivery-status", "txt" },
    { "message/disposition-notification", "txt" },
    { "application/pdf", "pdf" },
    { "application/zip", "zip" },
    { "application/x-zip-compressed", "zip" },
    { "application/gzip", "gz" },
    { "application/x-7z-compressed", "7z" },
    { "application/x-tar", "tar" },
    { "application/json", "json" },
    { "application/xml", "xml" },
    { "application/rtf", "rtf" },
    { "application/msword", "doc" },
    { "application/vnd.ms-excel", "xls" },
    { "application/vnd.ms-powerpoint", "ppt" },
    { "application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx" },
    { "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx" },
    { "application/vnd.openxmlformats-officedocument.presentationml.presentation", "pptx" },
    { "application/vnd.oasis.opendocument.text", "odt" },
    { "application/vnd.oasis.opendocument.spreadsheet", "ods" },
    { "application/vnd.oasis.opendocument.presentation", "odp" },
    { "application/epub+zip", "epub" },
    { "application/ics", "ics" },
    { "application/pgp-signature", "asc" },
    { "application/pgp-keys", "asc" },
    { "application/pkcs7-signature", "p7s" },
    { "application/x-pkcs7-signature", "p7s" },
    { "application/pkcs7-mime", "p7m" },
    { "application/x-pkcs7-mime", "p7m" },
    { "application/ms-tnef", "dat" },
    { "application/vnd.ms-tnef", "dat" },
};

enum { MEDIA_TYPE_COUNT = sizeof media_types / sizeof media_types[0] };

static bool is_type(const char *full, const char *type, const char *subtype)
{
    size_t n = strlen(type);
    return strncasecmp(full, type, n) == 0 && full[n] == '/' && strcasecmp(full + n + 1, subtype) == 0;
}

const char *convert_type_extension(const char *type, const char *subtype)
{
    for (size_t i = 0; i < MEDIA_TYPE_COUNT; i++) {
        if (is_type(media_types[i].type, type, subtype))
            return media_types[i].extension;
    }
    return strcasecmp(type, "text") == 0 ? "txt" : "bin";
}

const char *convert_type_from_name(const char *name)
{
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < MEDIA_TYPE_COUNT; i++) {
        if (strcasecmp(media_types[i].extension, dot + 1) == 0)
            return media_types[i].type;
    }
    return "application/octet-stream";
}
