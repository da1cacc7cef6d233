#include "gateway/attachment_kind.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* ---- by content ---- */

static const struct attachment_format_about formats[ATTACHMENT_FORMAT_COUNT] = {
    [ATTACHMENT_OTHER] = { "something else", NULL, false },
    [ATTACHMENT_EMPTY] = { "empty", NULL, false },
    [ATTACHMENT_TEXT] = { "text", "text/plain", false },
    [ATTACHMENT_HTML] = { "a web page", "text/html", false },
    [ATTACHMENT_XML] = { "XML", "application/xml", false },
    [ATTACHMENT_RTF] = { "an RTF document", "application/rtf", false },
    [ATTACHMENT_POSTSCRIPT] = { "a PostScript file", "application/postscript", false },
    [ATTACHMENT_PDF] = { "a PDF file", "application/pdf", false },
    [ATTACHMENT_PNG] = { "a PNG picture", "image/png", false },
    [ATTACHMENT_JPEG] = { "a JPEG picture", "image/jpeg", false },
    [ATTACHMENT_GIF] = { "a GIF picture", "image/gif", false },
    [ATTACHMENT_WEBP] = { "a WebP picture", "image/webp", false },
    [ATTACHMENT_HEIC] = { "a HEIC picture", "image/heic", false },
    [ATTACHMENT_AVIF] = { "an AVIF picture", "image/avif", false },
    [ATTACHMENT_BMP] = { "a BMP picture", "image/bmp", false },
    [ATTACHMENT_TIFF] = { "a TIFF picture", "image/tiff", false },
    [ATTACHMENT_ICON] = { "an icon", "image/x-icon", false },
    [ATTACHMENT_MP3] = { "an MP3 file", "audio/mpeg", false },
    [ATTACHMENT_OGG] = { "an Ogg file", "audio/ogg", false },
    [ATTACHMENT_FLAC] = { "a FLAC file", "audio/flac", false },
    [ATTACHMENT_WAV] = { "a WAV file", "audio/wav", false },
    [ATTACHMENT_AMR] = { "an AMR file", "audio/amr", false },
    [ATTACHMENT_MP4] = { "an MP4 film", "video/mp4", false },
    [ATTACHMENT_MATROSKA] = { "a Matroska film", "video/x-matroska", false },
    [ATTACHMENT_AVI] = { "an AVI film", "video/x-msvideo", false },
    [ATTACHMENT_ASF] = { "a Windows Media file", "video/x-ms-wmv", false },
    [ATTACHMENT_ZIP] = { "a ZIP archive", "application/zip", false },
    [ATTACHMENT_GZIP] = { "a gzip archive", "application/gzip", false },
    [ATTACHMENT_BZIP2] = { "a bzip2 archive", "application/x-bzip2", false },
    [ATTACHMENT_XZ] = { "an xz archive", "application/x-xz", false },
    [ATTACHMENT_ZSTD] = { "a zstd archive", "application/zstd", false },
    [ATTACHMENT_7Z] = { "a 7z archive", "application/x-7z-compressed", false },
    [ATTACHMENT_RAR] = { "a RAR archive", "application/vnd.rar", false },
    [ATTACHMENT_TAR] = { "a tar archive", "application/x-tar", false },
    [ATTACHMENT_CABINET] = { "a cabinet archive", "application/vnd.ms-cab-compressed", false },
    [ATTACHMENT_OLE] = { "a Microsoft document", NULL, false },
    [ATTACHMENT_TNEF] = { "a winmail.dat", NULL, false },
    [ATTACHMENT_MZ] = { "a program for Windows", "application/vnd.microsoft.portable-executable", true },
    [ATTACHMENT_ELF] = { "a program for Linux", "application/x-executable", true },
    [ATTACHMENT_MACHO] = { "a program for macOS", "application/x-mach-binary", true },
    [ATTACHMENT_JAVA] = { "a Java program", "application/java-vm", true },
    [ATTACHMENT_DEX] = { "a program for Android", NULL, true },
    [ATTACHMENT_SCRIPT] = { "a script", "application/x-sh", true },
    [ATTACHMENT_SHORTCUT] = { "a shortcut", "application/x-ms-shortcut", true },
    [ATTACHMENT_PACKAGE] = { "a software package", NULL, true },
};

const struct attachment_format_about *attachment_format_about(enum attachment_format format)
{
    return &formats[format];
}

/* The first that fits counts. */
static const struct signature {
    enum attachment_format format;
    size_t offset, len;
    const char *octets;
} signatures[] = {
    { ATTACHMENT_PDF, 0, 5, "%PDF-" },
    { ATTACHMENT_PNG, 0, 8, "\x89PNG\r\n\x1a\n" },
    { ATTACHMENT_JPEG, 0, 3, "\xff\xd8\xff" },
    { ATTACHMENT_GIF, 0, 6, "GIF87a" },
    { ATTACHMENT_GIF, 0, 6, "GIF89a" },
    { ATTACHMENT_TIFF, 0, 4, "II*\0" },
    { ATTACHMENT_TIFF, 0, 4, "MM\0*" },
    { ATTACHMENT_ICON, 0, 4, "\0\0\1\0" },
    { ATTACHMENT_MP3, 0, 3, "ID3" },
    { ATTACHMENT_MP3, 0, 2, "\xff\xfb" },
    { ATTACHMENT_MP3, 0, 2, "\xff\xfa" },
    { ATTACHMENT_MP3, 0, 2, "\xff\xf3" },
    { ATTACHMENT_MP3, 0, 2, "\xff\xf2" },
    { ATTACHMENT_OGG, 0, 4, "OggS" },
    { ATTACHMENT_FLAC, 0, 4, "fLaC" },
    { ATTACHMENT_AMR, 0, 5, "#!AMR" }, /* before the scripts */
    { ATTACHMENT_MATROSKA, 0, 4, "\x1a\x45\xdf\xa3" },
    { ATTACHMENT_ASF, 0, 4, "\x30\x26\xb2\x75" },
    { ATTACHMENT_ZIP, 0, 4, "PK\3\4" },
    { ATTACHMENT_ZIP, 0, 4, "PK\5\6" }, /* an empty one */
    { ATTACHMENT_ZIP, 0, 4, "PK\7\10" },
    { ATTACHMENT_GZIP, 0, 2, "\x1f\x8b" },
    { ATTACHMENT_BZIP2, 0, 3, "BZh" },
    { ATTACHMENT_XZ, 0, 6, "\xfd\x37zXZ\0" },
    { ATTACHMENT_ZSTD, 0, 4, "\x28\xb5\x2f\xfd" },
    { ATTACHMENT_7Z, 0, 6, "7z\xbc\xaf\x27\x1c" },
    { ATTACHMENT_RAR, 0, 6, "Rar!\x1a\7" },
    { ATTACHMENT_TAR, 257, 5, "ustar" },
    { ATTACHMENT_CABINET, 0, 4, "MSCF" },
    { ATTACHMENT_OLE, 0, 8, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" },
    { ATTACHMENT_TNEF, 0, 4, "\x78\x9f\x3e\x22" },
    { ATTACHMENT_RTF, 0, 5, "{\\rtf" },
    { ATTACHMENT_POSTSCRIPT, 0, 4, "%!PS" },
    { ATTACHMENT_POSTSCRIPT, 0, 4, "\xc5\xd0\xd3\xc6" },
    { ATTACHMENT_ELF, 0, 4, "\x7f\x45LF" },
    { ATTACHMENT_MACHO, 0, 4, "\xfe\xed\xfa\xce" },
    { ATTACHMENT_MACHO, 0, 4, "\xfe\xed\xfa\xcf" },
    { ATTACHMENT_MACHO, 0, 4, "\xce\xfa\xed\xfe" },
    { ATTACHMENT_MACHO, 0, 4, "\xcf\xfa\xed\xfe" },
    { ATTACHMENT_JAVA, 0, 4, "\xca\xfe\xba\xbe" }, /* macOS programs for several processors begin so too */
    { ATTACHMENT_DEX, 0, 4, "dex\n" },
    { ATTACHMENT_SCRIPT, 0, 2, "#!" },
    { ATTACHMENT_SCRIPT, 0, 5, "\xef\xbb\xbf#!" },
    { ATTACHMENT_SHORTCUT, 0, 8, "\x4c\0\0\0\1\x14\2\0" },
    { ATTACHMENT_PACKAGE, 0, 7, "!<arch>" },
    { ATTACHMENT_PACKAGE, 0, 4, "\xed\xab\xee\xdb" },
};

/* What RIFF (offset 8) and the family of MP4 (behind "ftyp") say that they are. The last of each: any other one. */
static const struct brand {
    const char *brand;
    enum attachment_format format;
} riff_brands[] = { { "WEBP", ATTACHMENT_WEBP }, { "WAVE", ATTACHMENT_WAV }, { "AVI ", ATTACHMENT_AVI } },
  ftyp_brands[] = {
      { "heic", ATTACHMENT_HEIC }, { "heix", ATTACHMENT_HEIC }, { "hevc", ATTACHMENT_HEIC },
      { "heim", ATTACHMENT_HEIC }, { "heis", ATTACHMENT_HEIC }, { "mif1", ATTACHMENT_HEIC },
      { "msf1", ATTACHMENT_HEIC }, { "avif", ATTACHMENT_AVIF }, { "avis", ATTACHMENT_AVIF },
  };

static bool has_at(const char *start, size_t len, size_t offset, const char *octets, size_t count)
{
    return len >= offset + count && memcmp(start + offset, octets, count) == 0;
}

static enum attachment_format find_brand(const char *brand, const struct brand *brands, size_t count,
                                         enum attachment_format otherwise)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(brand, brands[i].brand, 4) == 0)
            return brands[i].format;
    return otherwise;
}

/* "BM" alone could begin a text: the size of the second header, behind two fields that are zero, must be one of those there
 * are. */
static bool is_bmp(const unsigned char *start, size_t len)
{
    static const unsigned char sizes[] = { 12, 40, 52, 56, 64, 108, 124 };
    return len >= 18 && has_at((const char *)start, len, 0, "BM", 2) &&
           has_at((const char *)start, len, 6, "\0\0\0\0", 4) && memchr(sizes, start[14], sizeof sizes) &&
           start[15] == 0 && start[16] == 0 && start[17] == 0;
}

/* Every program for DOS and Windows begins with "MZ"; a text could. Their header holds a NUL, or they are short. */
static bool is_mz(const char *start, size_t len)
{
    return has_at(start, len, 0, "MZ", 2) && (len < 64 || memchr(start, '\0', 64));
}

static bool is_text(const unsigned char *start, size_t len)
{
    if (has_at((const char *)start, len, 0, "\xff\xfe", 2) || has_at((const char *)start, len, 0, "\xfe\xff", 2))
        return true;
    for (size_t i = 0; i < len; i++)
        if (start[i] < ' ' && !memchr("\t\n\r\f\b\v\x1b\x1a", start[i], 8))
            return false;
    return true;
}

/* What a browser would take for a page. */
static bool is_html(const char *text, size_t len)
{
    static const char *const tags[] = { "<!doctype html", "<html",  "<head", "<body",  "<script", "<iframe",
                                        "<meta",          "<title", "<base", "<style", "<object", "<embed" };
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++)
        if (len >= strlen(tags[i]) && strncasecmp(text, tags[i], strlen(tags[i])) == 0)
            return true;
    return false;
}

/* Blanks, a byte order mark and comments may stand in front of a tag. */
static size_t find_tag(const char *start, size_t len)
{
    size_t at = has_at(start, len, 0, "\xef\xbb\xbf", 3) ? 3 : 0;
    for (;;) {
        while (at < len && isspace((unsigned char)start[at]))
            at++;
        const char *end = has_at(start, len, at, "<!--", 4) ? memmem(start + at, len - at, "-->", 3) : NULL;
        if (!end)
            return at;
        at = (size_t)(end - start) + 3;
    }
}

static enum attachment_format find_markup(const char *start, size_t len)
{
    size_t at = find_tag(start, len);
    if (is_html(start + at, len - at))
        return ATTACHMENT_HTML;
    if (has_at(start, len, at, "<?xml", 5) || has_at(start, len, at, "<svg", 4))
        return ATTACHMENT_XML;
    return ATTACHMENT_OTHER;
}

enum attachment_format attachment_format_find(const void *start_in, size_t len)
{
    const char *start = start_in;
    if (len == 0)
        return ATTACHMENT_EMPTY;
    for (size_t i = 0; i < sizeof signatures / sizeof signatures[0]; i++)
        if (has_at(start, len, signatures[i].offset, signatures[i].octets, signatures[i].len))
            return signatures[i].format;
    if (has_at(start, len, 0, "RIFF", 4) && len >= 12)
        return find_brand(start + 8, riff_brands, sizeof riff_brands / sizeof riff_brands[0], ATTACHMENT_OTHER);
    if (has_at(start, len, 4, "ftyp", 4) && len >= 12)
        return find_brand(start + 8, ftyp_brands, sizeof ftyp_brands / sizeof ftyp_brands[0], ATTACHMENT_MP4);
    if (is_bmp(start_in, len))
        return ATTACHMENT_BMP;
    if (is_mz(start, len))
        return ATTACHMENT_MZ;
    enum attachment_format markup = find_markup(start, len);
    if (markup != ATTACHMENT_OTHER)
        return markup;
    return is_text(start_in, len) ? ATTACHMENT_TEXT : ATTACHMENT_OTHER;
}
