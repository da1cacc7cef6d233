#include <ctype.h>
#include <string.h>

#include "base/strbuf.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_tnef_internal.h"
#include "mapping/convert_transfer.h"
#include "mapping/convert_utf8.h"

/* ---- decompression: [MS-OXRTFCP] section 2.1 ---- */

enum { DICTIONARY = 4096, PRELOADED = 207, RTF_HEADER = 16, TOKENS = 8, SHORTEST = 2 };

static const char preloaded[PRELOADED + 1] =
    "{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor MS "
    "Sans "
    "SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\"
    "tab\\tx";

struct expansion {
    char window[DICTIONARY];
    size_t at;   /* where the next octet goes */
    size_t left; /* octets to come, as the header says */
    struct strbuf *out;
};

static void put(struct expansion *expansion, char c)
{
    if (expansion->left == 0)
        return;
    expansion->left--;
    strbuf_add_char(expansion->out, c);
    expansion->window[expansion->at] = c;
    expansion->at = (expansion->at + 1) % DICTIONARY;
}

/* False at the end, which is a reference to where the next octet goes. */
static bool copy_reference(struct expansion *expansion, unsigned reference)
{
    size_t from = reference >> 4;
    size_t len = (reference & 0xF) + SHORTEST;
    if (from == expansion->at)
        return false;
    for (size_t i = 0; i < len; i++)
        put(expansion, expansion->window[(from + i) % DICTIONARY]);
    return true;
}

static bool expand(struct tnef_cursor *cursor, struct expansion *expansion)
{
    while (strbuf_ok(expansion->out)) {
        unsigned flags = tnef_take_number(cursor, 1);
        for (int i = 0; i < TOKENS; i++, flags >>= 1) {
            if (expansion->left == 0)
                return true; /* some end without the reference */
            unsigned first = tnef_take_number(cursor, 1);
            unsigned second = flags & 1 ? tnef_take_number(cursor, 1) : 0;
            if (cursor->is_over)
                return false;
            if (!(flags & 1))
                put(expansion, (char)first);
            else if (!copy_reference(expansion, first << 8 | second))
                return expansion->left == 0;
        }
    }
    return false;
}

bool tnef_rtf_expand(const void *data, size_t len, struct strbuf *out)
{
    enum { COMPRESSED = 0x75465A4C, UNCOMPRESSED = 0x414C454D };
    struct tnef_cursor cursor = tnef_cursor_of(data, len);
    struct expansion expansion = { .at = PRELOADED, .out = out };
    (void)tnef_take_number(&cursor, 4); /* the size, which we know */
    expansion.left = tnef_take_number(&cursor, 4);
    uint32_t kind = tnef_take_number(&cursor, 4);
    (void)tnef_take_number(&cursor, 4); /* a checksum */
    memcpy(expansion.window, preloaded, PRELOADED);
    if (cursor.is_over)
        return false;
    if (kind == COMPRESSED)
        return expand(&cursor, &expansion);
    size_t plain = expansion.left < cursor.left ? expansion.left : cursor.left;
    if (kind == UNCOMPRESSED)
        strbuf_add(out, cursor.at, plain);
    return kind == UNCOMPRESSED && plain == expansion.left && strbuf_ok(out);
}

/* ---- reading: RTF, and [MS-OXRTFEX] ---- */

enum { GROUPS_MAX = 100, FONTS_MAX = 256, WORD_MAX = 32 };

/* What is at work in a group. */
struct group {
    bool is_skipped;  /* no text for readers */
    bool is_rtf_only; /* between \htmlrtf and \htmlrtf0 */
    bool in_fonts;    /* in "{\fonttbl" */
    unsigned code_page;
    unsigned fallback; /* characters behind \u that stand for it: \uc */
};

struct reader {
    struct convert_charsets *charsets;
    struct strbuf *out;
    const char *rtf;
    size_t len, at;
    enum tnef_rtf kind;
    struct group groups[GROUPS_MAX];
    size_t depth;              /* may exceed the maximum: the surplus is only counted, and its text left out */
    bool is_too_deep;          /* there was such text */
    bool is_starred;           /* behind "\*": a destination that we don't know is skipped */
    unsigned code_page;        /* \ansicpg */
    unsigned fonts[FONTS_MAX]; /* code page of each; 0: the document's */
    unsigned font;             /* in the font table: the one that is told about */
    unsigned to_skip;          /* characters, behind \u */
    unsigned surrogate;        /* the first half; 0 */
    struct strbuf pending;     /* octets in a code page */
};

static struct group *current(struct reader *reader)
{
    return &reader->groups[reader->depth < GROUPS_MAX ? reader->depth : GROUPS_MAX - 1];
}

static void flush(struct reader *reader)
{
    unsigned code_page = current(reader)->code_page;
    if (reader->pending.len > 0)
        tnef_decode(reader->charsets, code_page != 0 ? code_page : reader->code_page, reader->pending.data,
                    reader->pending.len, reader->out);
    strbuf_clear(&reader->pending);
}

/* Whether text goes to the reader here. */
static bool shows(struct reader *reader)
{
    const struct group *group = current(reader);
    return !group->is_skipped && !group->is_rtf_only && reader->depth < GROUPS_MAX;
}

static void add_octet(struct reader *reader, char c)
{
    if (reader->to_skip > 0) {
        reader->to_skip--;
        return;
    }
    if (shows(reader) && c != '\0')
        strbuf_add_char(&reader->pending, c);
}

static void add_code(struct reader *reader, unsigned code)
{
    if (!shows(reader))
        return;
    flush(reader);
    convert_utf8_add(reader->out, code);
}

static void add_string(struct reader *reader, const char *text)
{
    for (; *text && shows(reader); text++)
        add_octet(reader, *text);
}

/* \u: a UTF-16 unit, as a signed number. */
static void add_unit(struct reader *reader, int number)
{
    unsigned unit = (unsigned)number & 0xFFFF;
    bool is_first = unit >= 0xD800 && unit < 0xDC00;
    bool is_second = unit >= 0xDC00 && unit < 0xE000;
    if (is_second && reader->surrogate != 0)
        add_code(reader, 0x10000 + ((reader->surrogate - 0xD800) << 10) + (unit - 0xDC00));
    else if (!is_first)
        add_code(reader, unit);
    reader->surrogate = is_first ? unit : 0;
    reader->to_skip = current(reader)->fallback;
}

/* ---- control words ---- */

static unsigned page_of_charset(int charset)
{
    static const struct {
        int charset;
        unsigned page;
    } pages[] = {
        { 0, 1252 },   { 77, 10000 }, { 128, 932 },  { 129, 949 },  { 134, 936 },
        { 136, 950 },  { 161, 1253 }, { 162, 1254 }, { 163, 1258 }, { 177, 1255 },
        { 178, 1256 }, { 186, 1257 }, { 204, 1251 }, { 222, 874 },  { 238, 1250 },
    };
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        if (pages[i].charset == charset)
            return pages[i].page;
    }
    return 0;
}

static void set_font(struct reader *reader, int number)
{
    unsigned font = number >= 0 && number < FONTS_MAX ? (unsigned)number : 0;
    if (current(reader)->in_fonts) {
        reader->font = font;
        return;
    }
    if (current(reader)->code_page == reader->fonts[font])
        return;
    flush(reader);
    current(reader)->code_page = reader->fonts[font];
}

enum word {
    SKIP,     /* a destination that readers don't see */
    HTML_TAG, /* HTML as it was */
    FONT_TABLE,
    STARTS_HTML,
    STARTS_TEXT,
    HTML_RTF,
    CODE_PAGE,
    FONT,
    CHARSET,
    UNIT,
    FALLBACK,
    BINARY,
    TEXT, /* stands for some text */
};

static const struct control {
    const char *name;
    enum word word;
    const char *text;
} controls[] = {
    { "ansicpg", CODE_PAGE, "" },
    { "bin", BINARY, "" },
    { "bullet", TEXT, "\xE2\x80\xA2" },
    { "cell", TEXT, "\t" },
    { "colortbl", SKIP, "" },
    { "emdash", TEXT, "\xE2\x80\x94" },
    { "emspace", TEXT, " " },
    { "endash", TEXT, "\xE2\x80\x93" },
    { "enspace", TEXT, " " },
    { "f", FONT, "" },
    { "fcharset", CHARSET, "" },
    { "fonttbl", FONT_TABLE, "" },
    { "footer", SKIP, "" },
    { "fromhtml", STARTS_HTML, "" },
    { "fromtext", STARTS_TEXT, "" },
    { "header", SKIP, "" },
    { "htmlrtf", HTML_RTF, "" },
    { "htmltag", HTML_TAG, "" },
    { "info", SKIP, "" },
    { "ldblquote", TEXT, "\xE2\x80\x9C" },
    { "line", TEXT, "\n" },
    { "lquote", TEXT, "\xE2\x80\x98" },
    { "mhtmltag", SKIP, "" },
    { "objdata", SKIP, "" },
    { "page", TEXT, "\n" },
    { "par", TEXT, "\n" },
    { "pict", SKIP, "" },
    { "rdblquote", TEXT, "\xE2\x80\x9D" },
    { "row", TEXT, "\n" },
    { "rquote", TEXT, "\xE2\x80\x99" },
    { "sect", TEXT, "\n" },
    { "stylesheet", SKIP, "" },
    { "tab", TEXT, "\t" },
    { "u", UNIT, "" },
    { "uc", FALLBACK, "" },
};

static const struct control *find_control(const char *name)
{
    for (size_t i = 0; i < sizeof controls / sizeof controls[0]; i++) {
        if (strcmp(controls[i].name, name) == 0)
            return &controls[i];
    }
    return NULL;
}

static void skip_binary(struct reader *reader, int number)
{
    size_t left = reader->len - reader->at;
    reader->at += number > 0 && (size_t)number < left ? (size_t)number : number > 0 ? left : 0;
}

static void begin_destination(struct reader *reader, enum word word)
{
    struct group *group = current(reader);
    flush(reader);
    group->in_fonts = word == FONT_TABLE;
    group->is_skipped = word != HTML_TAG || reader->kind != TNEF_RTF_HTML;
}

static void set_number(struct reader *reader, enum word word, int number)
{
    struct group *group = current(reader);
    if (word == CODE_PAGE)
        reader->code_page = number > 0 ? (unsigned)number : TNEF_WESTERN;
    else if (word == FONT)
        set_font(reader, number);
    else if (word == CHARSET && group->in_fonts)
        reader->fonts[reader->font] = page_of_charset(number);
    else if (word == UNIT)
        add_unit(reader, number);
    else if (word == FALLBACK)
        group->fallback = number >= 0 && number < 10 ? (unsigned)number : 1;
    else if (word == BINARY)
        skip_binary(reader, number);
}

static void obey(struct reader *reader, const char *name, bool has_number, int number)
{
    const struct control *control = find_control(name);
    if (!control) {
        if (reader->is_starred)
            begin_destination(reader, SKIP);
    } else if (control->word == SKIP || control->word == HTML_TAG || control->word == FONT_TABLE) {
        begin_destination(reader, control->word);
    } else if (control->word == STARTS_HTML || control->word == STARTS_TEXT) {
        if (reader->kind == TNEF_RTF_PLAIN)
            reader->kind = control->word == STARTS_HTML ? TNEF_RTF_HTML : TNEF_RTF_TEXT;
    } else if (control->word == HTML_RTF) {
        flush(reader);
        current(reader)->is_rtf_only = reader->kind != TNEF_RTF_PLAIN && (!has_number || number != 0);
    } else if (control->word == TEXT) {
        if (control->text[0] & 0x80)
            flush(reader);
        if (control->text[0] & 0x80 && shows(reader))
            strbuf_add_str(reader->out, control->text);
        else
            add_string(reader, control->text);
    } else {
        set_number(reader, control->word, number);
    }
    reader->is_starred = false;
}

/* "\par", "\u-10179", with the blank behind it; at is behind the backslash. */
static void read_word(struct reader *reader)
{
    enum { DIGITS_MAX = 10 };
    char name[WORD_MAX + 1];
    size_t len = 0;
    while (reader->at < reader->len && isalpha((unsigned char)reader->rtf[reader->at])) {
        if (len < WORD_MAX)
            name[len++] = reader->rtf[reader->at];
        reader->at++;
    }
    name[len] = '\0';
    bool negative = reader->at < reader->len && reader->rtf[reader->at] == '-';
    size_t digits = reader->at + negative;
    size_t end = digits;
    long long number = 0;
    while (end < reader->len && end - digits < DIGITS_MAX && isdigit((unsigned char)reader->rtf[end]))
        number = number * 10 + (reader->rtf[end++] - '0');
    bool has_number = end > digits;
    if (has_number)
        reader->at = end;
    if (reader->at < reader->len && reader->rtf[reader->at] == ' ')
        reader->at++;
    number = number > INT32_MAX ? INT32_MAX : number;
    obey(reader, name, has_number, (int)(negative ? -number : number));
}

/* "\'e4", "\{", "\~"; at is behind the backslash. */
static void read_symbol(struct reader *reader)
{
    char c = reader->rtf[reader->at++];
    if (c == '\'') {
        int octet = reader->len - reader->at > 1 ? convert_hex_byte(reader->rtf + reader->at) : -1;
        if (octet >= 0) {
            reader->at += 2;
            add_octet(reader, (char)octet);
        }
    } else if (c == '*') {
        reader->is_starred = true;
    } else if (c == '~') {
        add_code(reader, 0xA0);
    } else if (c == '_') {
        add_octet(reader, '-');
    } else if (c == '\r' || c == '\n') {
        add_octet(reader, '\n');
    } else if (c == '\\' || c == '{' || c == '}') {
        add_octet(reader, c);
    }
}

static void open_group(struct reader *reader)
{
    flush(reader);
    struct group outer = *current(reader);
    reader->to_skip = 0;
    if (++reader->depth < GROUPS_MAX)
        *current(reader) = outer;
    else
        reader->is_too_deep = reader->is_too_deep || !outer.is_skipped;
}

static void close_group(struct reader *reader)
{
    flush(reader);
    reader->to_skip = 0;
    reader->is_starred = false;
    if (reader->depth > 0)
        reader->depth--;
}

static void read_token(struct reader *reader)
{
    char c = reader->rtf[reader->at++];
    if (c == '{')
        open_group(reader);
    else if (c == '}')
        close_group(reader);
    else if (c == '\\' && reader->at < reader->len && isalpha((unsigned char)reader->rtf[reader->at]))
        read_word(reader);
    else if (c == '\\' && reader->at < reader->len)
        read_symbol(reader);
    else if (c != '\r' && c != '\n' && c != '\\')
        add_octet(reader, c);
}

enum tnef_rtf tnef_rtf_read(struct convert_charsets *charsets, const char *rtf, size_t len, struct strbuf *out,
                            bool *is_cut_out)
{
    static const char start[] = "{\\rtf";
    *is_cut_out = false;
    if (len < sizeof start - 1 || memcmp(rtf, start, sizeof start - 1) != 0)
        return TNEF_RTF_DAMAGED;
    struct reader reader = {
        .charsets = charsets,
        .out = out,
        .rtf = rtf,
        .len = len,
        .kind = TNEF_RTF_PLAIN,
        .code_page = TNEF_WESTERN,
        .groups = { { .fallback = 1 } },
    };
    strbuf_init(&reader.pending, len + 1);
    while (reader.at < reader.len && strbuf_ok(out))
        read_token(&reader);
    flush(&reader);
    strbuf_free(&reader.pending);
    *is_cut_out = reader.is_too_deep;
    return strbuf_ok(out) ? reader.kind : TNEF_RTF_DAMAGED;
}
