#include "mapping/convert_types.h"

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
    { "text/enriched", "txt" },
    { "text/directory", "vcf" },
    { "text/x-patch", "patch" },
    { "text/x-diff", "diff" },
    { "text/javascript", "js" },
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
    { "message/feedback-report", "txt" },
    { "message/external-body", "txt" },
    { "message/partial", "txt" },
    { "message/news", "eml" },
    { "application/pdf", "pdf" },
    { "application/zip", "zip" },
    { "application/x-zip-compressed", "zip" },
    { "application/gzip", "gz" },
    { "application/x-7z-compressed", "7z" },
    { "application/x-tar", "tar" },
    { "application/x-bzip2", "bz2" },
    { "application/x-xz", "xz" },
    { "application/vnd.rar", "rar" },
    { "application/x-rar-compressed", "rar" },
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
    { "application/pgp-encrypted", "txt" },
    { "application/applefile", "rsrc" },
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

const char *convert_type_stem(const char *type, const char *subtype)
{
    static const struct {
        const char *type, *stem;
    } stems[] = {
        { "text/plain", "message" },
        { "text/html", "message" },
        { "text/calendar", "invitation" },
        { "application/ics", "invitation" },
        { "text/vcard", "contact" },
        { "text/x-vcard", "contact" },
        { "text/directory", "contact" },
        { "text/rfc822-headers", "headers" },
        { "message/delivery-status", "delivery-status" },
        { "message/disposition-notification", "receipt" },
        { "message/feedback-report", "feedback-report" },
        { "message/rfc822", "message" },
        { "message/global", "message" },
        { "message/news", "message" },
        { "application/pgp-signature", "signature" },
        { "application/pgp-keys", "key" },
        { "application/pgp-encrypted", "pgp-version" },
        { "application/pkcs7-signature", "smime" },
        { "application/x-pkcs7-signature", "smime" },
        { "application/pkcs7-mime", "smime" },
        { "application/x-pkcs7-mime", "smime" },
        { "application/ms-tnef", "winmail" },
        { "application/vnd.ms-tnef", "winmail" },
    };
    for (size_t i = 0; i < sizeof stems / sizeof stems[0]; i++) {
        if (is_type(stems[i].type, type, subtype))
            return stems[i].stem;
    }
    return NULL;
}

/* What stands at an offset of a file. Of several rows that match the first counts. */
static const struct magic {
    size_t offset, len;
    const char *octets;
    const char *extension;
    bool is_text;
} magics[] = {
    { 0, 5, "%PDF-", "pdf", false },
    { 0, 8, "\x89PNG\r\n\x1A\n", "png", false },
    { 0, 3, "\xFF\xD8\xFF", "jpg", false },
    { 0, 4, "GIF8", "gif", false },
    { 8, 4, "WEBP", "webp", false },
    { 8, 8, "WAVEfmt ", "wav", false },
    { 8, 8, "AVI LIST", "avi", false },
    { 0, 4, "II*\0", "tif", false },
    { 0, 4, "MM\0*", "tif", false },
    { 30, 47, "mimetypeapplication/vnd.oasis.opendocument.text", "odt", false },
    { 30, 54, "mimetypeapplication/vnd.oasis.opendocument.spreadsheet", "ods", false },
    { 30, 55, "mimetypeapplication/vnd.oasis.opendocument.presentation", "odp", false },
    { 30, 28, "mimetypeapplication/epub+zip", "epub", false },
    { 0, 4, "PK\x03\x04", "zip", false },
    { 0, 3, "\x1F\x8B\x08", "gz", false },
    { 0, 6, "7z\xBC\xAF\x27\x1C", "7z", false },
    { 0, 6, "Rar!\x1A\x07", "rar", false },
    { 0, 3, "BZh", "bz2", false },
    { 0, 6, "\xFD\x37zXZ\0", "xz", false },
    { 0, 4, "OggS", "ogg", false },
    { 0, 3, "ID3", "mp3", false },
    { 0, 4, "fLaC", "flac", false },
    { 4, 8, "ftypheic", "heic", false },
    { 4, 8, "ftypavif", "avif", false },
    { 4, 8, "ftypM4A ", "m4a", false },
    { 4, 8, "ftypqt  ", "mov", false },
    { 4, 4, "ftyp", "mp4", false },
    { 0, 4, "\x78\x9F\x3E\x22", "dat", false },
    { 0, 5, "{\\rtf", "rtf", true },
    { 0, 15, "BEGIN:VCALENDAR", "ics", true },
    { 0, 11, "BEGIN:VCARD", "vcf", true },
    { 0, 14, "<!DOCTYPE html", "html", true },
    { 0, 5, "<html", "html", true },
    { 0, 5, "<?xml", "xml", true },
    { 0, 11, "-----BEGIN ", "asc", true },
};

enum { MAGIC_COUNT = sizeof magics / sizeof magics[0] };

static const struct magic *find_magic(const void *data, size_t len)
{
    for (size_t i = 0; i < MAGIC_COUNT; i++) {
        const struct magic *magic = &magics[i];
        if (len < magic->offset + magic->len)
            continue;
        const char *at = (const char *)data + magic->offset;
        bool is_same = magic->is_text ? strncasecmp(at, magic->octets, magic->len) == 0
                                      : memcmp(at, magic->octets, magic->len) == 0;
        if (is_same)
            return magic;
    }
    return NULL;
}

const char *convert_type_sniff(const void *data, size_t len)
{
    const struct magic *magic = find_magic(data, len);
    return magic ? magic->extension : NULL;
}

bool convert_type_is_binary(const void *data, size_t len)
{
    enum { TOLERATED = 10 }; /* one in so many octets */
    const struct magic *magic = find_magic(data, len);
    if (magic && !magic->is_text)
        return true;
    const unsigned char *bytes = data;
    size_t odd = 0; /* ESC, SO and SI are ISO-2022's, and ^Z ended files once */
    for (size_t i = 0; i < len; i++)
        odd += bytes[i] < ' ' && !(bytes[i] >= '\a' && bytes[i] <= 0x0F) && bytes[i] != 0x1A && bytes[i] != 0x1B;
    return odd * TOLERATED > len;
}
