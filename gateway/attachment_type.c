/* attachment_type.c - by name: what extensions mean; see attachment_kind.h */
#include <ctype.h>
#include <string.h>

#include "gateway/attachment_kind.h"

#define BIT(format) (UINT64_C(1) << ATTACHMENT_##format)

/* Formats of which several files of that name are made. Some have no signature, or not always: OTHER. */
#define PLAIN  (BIT(TEXT))
#define MARKUP (BIT(TEXT) | BIT(XML))
#define OOXML  (BIT(ZIP) | BIT(OLE)) /* with a password: OLE */
#define BINARY (BIT(OTHER) | BIT(TEXT))
#define SHELL  (BIT(TEXT) | BIT(SCRIPT))

/* Of several extensions with one type none is the first. What is sorted apart here is let in apart: documents with macros
 * from those without, scripts from text. */
static const struct attachment_type types[] = {
    { "txt", "text/plain", PLAIN },
    { "text", "text/plain", PLAIN },
    { "log", "text/plain", PLAIN },
    { "ini", "text/plain", PLAIN },
    { "conf", "text/plain", PLAIN },
    { "md", "text/markdown", PLAIN },
    { "markdown", "text/markdown", PLAIN },
    { "csv", "text/csv", PLAIN },
    { "tsv", "text/tab-separated-values", PLAIN },
    { "ics", "text/calendar", PLAIN },
    { "ical", "text/calendar", PLAIN },
    { "ifb", "text/calendar", PLAIN },
    { "vcf", "text/vcard", PLAIN },
    { "vcard", "text/vcard", PLAIN },
    { "diff", "text/x-diff", PLAIN },
    { "patch", "text/x-diff", PLAIN },
    { "tex", "text/x-tex", PLAIN },
    { "css", "text/css", PLAIN },
    { "htm", "text/html", MARKUP | BIT(HTML) },
    { "html", "text/html", MARKUP | BIT(HTML) },
    { "xhtml", "application/xhtml+xml", MARKUP | BIT(HTML) },
    { "mht", "message/rfc822", PLAIN },
    { "mhtml", "message/rfc822", PLAIN },
    { "eml", "message/rfc822", PLAIN },
    { "xml", "application/xml", MARKUP },
    { "json", "application/json", PLAIN },
    { "yaml", "application/yaml", PLAIN },
    { "yml", "application/yaml", PLAIN },
    { "sql", "application/sql", PLAIN },
    { "gpx", "application/gpx+xml", MARKUP },
    { "kml", "application/vnd.google-earth.kml+xml", MARKUP },
    { "kmz", "application/vnd.google-earth.kmz", BIT(ZIP) },
    { "rtf", "application/rtf", BIT(RTF) },
    { "ps", "application/postscript", BIT(POSTSCRIPT) | BIT(TEXT) },
    { "eps", "application/postscript", BIT(POSTSCRIPT) | BIT(TEXT) },
    { "pdf", "application/pdf", BIT(PDF) },
    /* Pictures */
    { "png", "image/png", BIT(PNG) },
    { "jpg", "image/jpeg", BIT(JPEG) },
    { "jpeg", "image/jpeg", BIT(JPEG) },
    { "jpe", "image/jpeg", BIT(JPEG) },
    { "jfif", "image/jpeg", BIT(JPEG) },
    { "gif", "image/gif", BIT(GIF) },
    { "webp", "image/webp", BIT(WEBP) },
    { "heic", "image/heic", BIT(HEIC) },
    { "heif", "image/heic", BIT(HEIC) },
    { "avif", "image/avif", BIT(AVIF) },
    { "bmp", "image/bmp", BIT(BMP) },
    { "tif", "image/tiff", BIT(TIFF) },
    { "tiff", "image/tiff", BIT(TIFF) },
    { "ico", "image/x-icon", BIT(ICON) },
    { "svg", "image/svg+xml", MARKUP },
    { "svgz", "image/svg+xml", BIT(GZIP) },
    { "psd", "image/vnd.adobe.photoshop", BIT(OTHER) },
    /* Sound and films */
    { "mp3", "audio/mpeg", BIT(MP3) | BIT(OTHER) },
    { "m4a", "audio/mp4", BIT(MP4) },
    { "aac", "audio/aac", BIT(OTHER) },
    { "amr", "audio/amr", BIT(AMR) },
    { "ogg", "audio/ogg", BIT(OGG) },
    { "oga", "audio/ogg", BIT(OGG) },
    { "opus", "audio/ogg", BIT(OGG) },
    { "flac", "audio/flac", BIT(FLAC) },
    { "wav", "audio/wav", BIT(WAV) },
    { "wma", "audio/x-ms-wma", BIT(ASF) },
    { "mp4", "video/mp4", BIT(MP4) },
    { "m4v", "video/mp4", BIT(MP4) },
    { "3gp", "video/3gpp", BIT(MP4) },
    { "mov", "video/quicktime", BIT(MP4) | BIT(OTHER) },
    { "webm", "video/webm", BIT(MATROSKA) },
    { "mkv", "video/x-matroska", BIT(MATROSKA) },
    { "avi", "video/x-msvideo", BIT(AVI) },
    { "mpg", "video/mpeg", BIT(OTHER) },
    { "mpeg", "video/mpeg", BIT(OTHER) },
    { "wmv", "video/x-ms-wmv", BIT(ASF) },
    { "ogv", "video/ogg", BIT(OGG) },
    /* Documents */
    { "doc", "application/msword", BIT(OLE) | BIT(RTF) | BIT(XML) },
    { "dot", "application/msword", BIT(OLE) },
    { "xls", "application/vnd.ms-excel", BIT(OLE) | BIT(XML) | BIT(OTHER) },
    { "ppt", "application/vnd.ms-powerpoint", BIT(OLE) },
    { "pps", "application/vnd.ms-powerpoint", BIT(OLE) },
    { "docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", OOXML },
    { "dotx", "application/vnd.openxmlformats-officedocument.wordprocessingml.template", OOXML },
    { "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", OOXML },
    { "xltx", "application/vnd.openxmlformats-officedocument.spreadsheetml.template", OOXML },
    { "pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation", OOXML },
    { "ppsx", "application/vnd.openxmlformats-officedocument.presentationml.slideshow", OOXML },
    { "potx", "application/vnd.openxmlformats-officedocument.presentationml.template", OOXML },
    { "docm", "application/vnd.ms-word.document.macroenabled.12", OOXML },
    { "dotm", "application/vnd.ms-word.template.macroenabled.12", OOXML },
    { "xlsm", "application/vnd.ms-excel.sheet.macroenabled.12", OOXML },
    { "xltm", "application/vnd.ms-excel.template.macroenabled.12", OOXML },
    { "xlsb", "application/vnd.ms-excel.sheet.binary.macroenabled.12", OOXML },
    { "xlam", "application/vnd.ms-excel.addin.macroenabled.12", OOXML },
    { "pptm", "application/vnd.ms-powerpoint.presentation.macroenabled.12", OOXML },
    { "ppsm", "application/vnd.ms-powerpoint.slideshow.macroenabled.12", OOXML },
    { "ppam", "application/vnd.ms-powerpoint.addin.macroenabled.12", OOXML },
    { "odt", "application/vnd.oasis.opendocument.text", BIT(ZIP) },
    { "ott", "application/vnd.oasis.opendocument.text-template", BIT(ZIP) },
    { "ods", "application/vnd.oasis.opendocument.spreadsheet", BIT(ZIP) },
    { "ots", "application/vnd.oasis.opendocument.spreadsheet-template", BIT(ZIP) },
    { "odp", "application/vnd.oasis.opendocument.presentation", BIT(ZIP) },
    { "otp", "application/vnd.oasis.opendocument.presentation-template", BIT(ZIP) },
    { "odg", "application/vnd.oasis.opendocument.graphics", BIT(ZIP) },
    { "pages", "application/vnd.apple.pages", BIT(ZIP) },
    { "numbers", "application/vnd.apple.numbers", BIT(ZIP) },
    { "key", "application/vnd.apple.keynote", BIT(ZIP) },
    { "vsd", "application/vnd.visio", BIT(OLE) },
    { "vsdx", "application/vnd.ms-visio.drawing", BIT(ZIP) },
    { "mpp", "application/vnd.ms-project", BIT(OLE) },
    { "pub", "application/x-mspublisher", BIT(OLE) },
    { "msg", "application/vnd.ms-outlook", BIT(OLE) },
    { "epub", "application/epub+zip", BIT(ZIP) },
    /* Archives: what is in them is not known */
    { "zip", "application/zip", BIT(ZIP) },
    { "gz", "application/gzip", BIT(GZIP) },
    { "tgz", "application/gzip", BIT(GZIP) },
    { "bz2", "application/x-bzip2", BIT(BZIP2) },
    { "xz", "application/x-xz", BIT(XZ) },
    { "zst", "application/zstd", BIT(ZSTD) },
    { "7z", "application/x-7z-compressed", BIT(7Z) },
    { "rar", "application/vnd.rar", BIT(RAR) },
    { "tar", "application/x-tar", BIT(TAR) | BIT(OTHER) },
    { "cab", "application/vnd.ms-cab-compressed", BIT(CABINET) },
    /* Signatures, keys and what is encrypted */
    { "p7s", "application/pkcs7-signature", BINARY },
    { "p7m", "application/pkcs7-mime", BINARY },
    { "asc", "application/pgp-signature", BINARY },
    { "sig", "application/pgp-signature", BINARY },
    { "pgp", "application/pgp-encrypted", BINARY },
    { "gpg", "application/pgp-encrypted", BINARY },
    { "cer", "application/pkix-cert", BINARY },
    { "crt", "application/pkix-cert", BINARY },
    { "pem", "application/x-pem-file", PLAIN },
    /* Programs */
    { "exe", "application/vnd.microsoft.portable-executable", BIT(MZ) },
    { "dll", "application/vnd.microsoft.portable-executable", BIT(MZ) },
    { "scr", "application/vnd.microsoft.portable-executable", BIT(MZ) },
    { "com", "application/vnd.microsoft.portable-executable", BIT(MZ) | BINARY },
    { "cpl", "application/vnd.microsoft.portable-executable", BIT(MZ) },
    { "pif", "application/vnd.microsoft.portable-executable", BIT(MZ) | BINARY },
    { "msi", "application/x-msi", BIT(OLE) },
    { "bat", "application/x-bat", PLAIN },
    { "cmd", "application/x-bat", PLAIN },
    { "ps1", "application/x-powershell", PLAIN },
    { "vbs", "application/x-vbs", PLAIN },
    { "wsf", "application/x-wsf", MARKUP },
    { "hta", "application/hta", MARKUP | BIT(HTML) },
    { "js", "application/javascript", SHELL },
    { "mjs", "application/javascript", SHELL },
    { "jar", "application/java-archive", BIT(ZIP) },
    { "class", "application/java-vm", BIT(JAVA) },
    { "sh", "application/x-sh", SHELL },
    { "py", "application/x-python", SHELL },
    { "pl", "application/x-perl", SHELL },
    { "rb", "application/x-ruby", SHELL },
    { "php", "application/x-php", SHELL | BIT(HTML) },
    { "lnk", "application/x-ms-shortcut", BIT(SHORTCUT) },
    { "url", "application/x-mswinurl", PLAIN },
    { "reg", "application/x-ms-registry", PLAIN },
    { "so", "application/x-executable", BIT(ELF) },
    { "elf", "application/x-executable", BIT(ELF) },
    { "apk", "application/vnd.android.package-archive", BIT(ZIP) },
    { "deb", "application/vnd.debian.binary-package", BIT(PACKAGE) },
    { "rpm", "application/x-rpm", BIT(PACKAGE) },
    { "iso", "application/x-iso9660-image", BIT(OTHER) },
    { "dmg", "application/x-apple-diskimage", BIT(OTHER) | BIT(BZIP2) },
};
enum { TYPE_COUNT = sizeof types / sizeof types[0] };

/* Other names for the same; those in the table above are the usual ones. */
static const char *const other_names[][2] = {
    { "image/jpg", "image/jpeg" },
    { "image/pjpeg", "image/jpeg" },
    { "image/x-png", "image/png" },
    { "image/heif", "image/heic" },
    { "image/x-ms-bmp", "image/bmp" },
    { "image/vnd.microsoft.icon", "image/x-icon" },
    { "audio/mp3", "audio/mpeg" },
    { "audio/x-wav", "audio/wav" },
    { "audio/x-m4a", "audio/mp4" },
    { "text/rtf", "application/rtf" },
    { "text/xml", "application/xml" },
    { "text/javascript", "application/javascript" },
    { "text/x-vcard", "text/vcard" },
    { "text/x-markdown", "text/markdown" },
    { "application/ics", "text/calendar" },
    { "application/x-pdf", "application/pdf" },
    { "application/x-zip", "application/zip" },
    { "application/x-zip-compressed", "application/zip" },
    { "application/x-gzip", "application/gzip" },
    { "application/x-rar-compressed", "application/vnd.rar" },
    { "application/x-pkcs7-signature", "application/pkcs7-signature" },
    { "application/x-pkcs7-mime", "application/pkcs7-mime" },
    { "application/x-msdownload", "application/vnd.microsoft.portable-executable" },
    { "message/global", "message/rfc822" },
};

const struct attachment_type *attachment_type_find(const char *extension)
{
    for (size_t i = 0; i < TYPE_COUNT; i++)
        if (strcmp(types[i].extension, extension) == 0)
            return &types[i];
    return NULL;
}

bool attachment_type_exists(const char *media)
{
    size_t len = strlen(media);
    bool is_family = len > 0 && media[len - 1] == '/';
    for (size_t i = 0; i < TYPE_COUNT; i++)
        if (is_family ? strncmp(types[i].media, media, len) == 0 : strcmp(types[i].media, media) == 0)
            return true;
    return false;
}

const char *attachment_type_usual(const char *media)
{
    for (size_t i = 0; i < sizeof other_names / sizeof other_names[0]; i++)
        if (strcmp(other_names[i][0], media) == 0)
            return other_names[i][1];
    return media;
}

void attachment_extension(const char *name, char out[static ATTACHMENT_EXTENSION_MAX + 1])
{
    size_t end = strlen(name);
    while (end > 0 && (name[end - 1] == '.' || name[end - 1] == ' '))
        end--;
    size_t start = end;
    while (start > 0 && name[start - 1] != '.')
        start--;
    out[0] = '\0';
    if (start == 0 || memchr(name + start, ' ', end - start))
        return;
    bool is_known = end - start <= ATTACHMENT_EXTENSION_MAX;
    for (size_t i = start; is_known && i < end; i++)
        is_known = (unsigned char)name[i] < 0x80 && (isalnum((unsigned char)name[i]) || strchr("+-_", name[i]));
    size_t len = is_known ? end - start : 0;
    for (size_t i = 0; i < len; i++)
        out[i] = (char)tolower((unsigned char)name[start + i]);
    out[len] = '\0';
    if (!is_known)
        memcpy(out, "?", 2);
}
