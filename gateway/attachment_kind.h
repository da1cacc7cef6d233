/* attachment_kind.h - what a file is: by its name, and by its first octets
 *
 * Pure: no I/O. Two tables of our own, of what people send each other; a library that knows every format (libmagic) would be
 * a parser of strangers' content in the daemon, and has a history of holes. Here nothing is parsed: octets at a fixed
 * place are compared, and text is told from other content. So nothing is known of what is inside archives, documents
 * and attached messages.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ATTACHMENT_START_MAX = 4096, ATTACHMENT_EXTENSION_MAX = 16 };

/* By content. Those that no octets tell from another one (docx from zip) are that one. */
enum attachment_format {
    ATTACHMENT_OTHER, /* none of these */
    ATTACHMENT_EMPTY,
    ATTACHMENT_TEXT, /* no NUL and no control characters but those of text; UTF-16 with its mark, too */
    ATTACHMENT_HTML,
    ATTACHMENT_XML,
    ATTACHMENT_RTF,
    ATTACHMENT_POSTSCRIPT,
    ATTACHMENT_PDF,
    ATTACHMENT_PNG,
    ATTACHMENT_JPEG,
    ATTACHMENT_GIF,
    ATTACHMENT_WEBP,
    ATTACHMENT_HEIC,
    ATTACHMENT_AVIF,
    ATTACHMENT_BMP,
    ATTACHMENT_TIFF,
    ATTACHMENT_ICON,
    ATTACHMENT_MP3,
    ATTACHMENT_OGG,
    ATTACHMENT_FLAC,
    ATTACHMENT_WAV,
    ATTACHMENT_AMR,
    ATTACHMENT_MP4,
    ATTACHMENT_MATROSKA,
    ATTACHMENT_AVI,
    ATTACHMENT_ASF,
    ATTACHMENT_ZIP,
    ATTACHMENT_GZIP,
    ATTACHMENT_BZIP2,
    ATTACHMENT_XZ,
    ATTACHMENT_ZSTD,
    ATTACHMENT_7Z,
    ATTACHMENT_RAR,
    ATTACHMENT_TAR,
    ATTACHMENT_CABINET,
    ATTACHMENT_OLE, /* Office documents before 2007, encrypted ones since, and others of Microsoft's */
    ATTACHMENT_TNEF,
    ATTACHMENT_MZ,
    ATTACHMENT_ELF,
    ATTACHMENT_MACHO,
    ATTACHMENT_JAVA,
    ATTACHMENT_DEX,
    ATTACHMENT_SCRIPT,
    ATTACHMENT_SHORTCUT,
    ATTACHMENT_PACKAGE,
    ATTACHMENT_FORMAT_COUNT
};

struct attachment_format_about {
    const char *name; /* "a PDF file" */
    const char *type; /* media type; NULL: none of its own */
    bool is_program;  /* made to be run: nothing that has a format of its own looks like it by chance */
};
const struct attachment_format_about *attachment_format_about(enum attachment_format format);

/* start: the first octets, ATTACHMENT_START_MAX or all that there are. */
enum attachment_format attachment_format_find(const void *start, size_t len);

/* What an extension means. */
struct attachment_type {
    const char *extension; /* lower case, without dot */
    const char *media;     /* lower case */
    uint64_t formats;      /* bits 1 << enum attachment_format that its content may have */
};
/* NULL: not known. extension: lower case, without dot. */
const struct attachment_type *attachment_type_find(const char *extension);
/* Does any extension have this media type, or one of "image/", when it ends so? */
bool attachment_type_exists(const char *media);
/* The name in the table for a media type that has several ("image/jpg" -> "image/jpeg"). */
const char *attachment_type_usual(const char *media);

/* Of a name, what follows its last dot, in lower case and without blanks and dots at the end, which some systems drop.
 * "": there is none (or it has blanks in it, and is part of a sentence). "?": none that the table could know: longer than
 * ATTACHMENT_EXTENSION_MAX, or with other characters than ASCII letters, digits, '+', '-' and '_'. */
void attachment_extension(const char *name, char out[static ATTACHMENT_EXTENSION_MAX + 1]);
