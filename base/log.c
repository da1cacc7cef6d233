#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/log_target.h"
#include "base/strbuf.h"

enum {
    VALUE_MAX = 1000,  /* bytes of one value, before escaping */
    USUAL_VALUE = 100, /* what most have room in */
    USUAL_LINE = 500,
    LINE_MAX_BYTES = 32 * 1024 /* seven values of nothing but control characters */
};

static const char *const level_names[] = { "debug", "info", "warning", "error" };
enum { LEVEL_COUNT = sizeof level_names / sizeof level_names[0] };

/* The process's one log (see log.h). */
static struct {
    _Atomic int least;
    _Atomic uint64_t lines[LEVEL_COUNT];
    log_sink *sink;
    void *ctx;
} the_log = { .least = LOG_LEVEL_INFO };

void log_set_level(enum log_level least)
{
    atomic_store_explicit(&the_log.least, (int)least, memory_order_relaxed);
}

void log_set_sink(log_sink *sink, void *ctx)
{
    the_log.sink = sink;
    the_log.ctx = ctx;
}

enum log_level log_get_level(void)
{
    return (enum log_level)atomic_load_explicit(&the_log.least, memory_order_relaxed);
}

uint64_t log_lines(enum log_level level)
{
    return atomic_load_explicit(&the_log.lines[level], memory_order_relaxed);
}

const char *log_level_name(enum log_level level)
{
    return level_names[level];
}

bool log_enabled(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&the_log.least, memory_order_relaxed);
}

bool log_level_parse(const char *text, enum log_level *level_out)
{
    for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++) {
        if (strcmp(text, level_names[i]) == 0) {
            *level_out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

/* Length of the UTF-8 sequence at text (RFC 3629: shortest form, no surrogates), 0 when there is none. */
static size_t utf8_length(const uint8_t *text, size_t len)
{
    static const struct {
        uint8_t first_least, first_most, second_least, second_most;
        size_t length;
    } forms[] = {
        { 0x00, 0x7F, 0x00, 0x00, 1 }, { 0xC2, 0xDF, 0x80, 0xBF, 2 }, { 0xE0, 0xE0, 0xA0, 0xBF, 3 },
        { 0xE1, 0xEC, 0x80, 0xBF, 3 }, { 0xED, 0xED, 0x80, 0x9F, 3 }, { 0xEE, 0xEF, 0x80, 0xBF, 3 },
        { 0xF0, 0xF0, 0x90, 0xBF, 4 }, { 0xF1, 0xF3, 0x80, 0xBF, 4 }, { 0xF4, 0xF4, 0x80, 0x8F, 4 },
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (text[0] < forms[i].first_least || text[0] > forms[i].first_most)
            continue;
        if (forms[i].length > len)
            return 0;
        if (forms[i].length > 1 && (text[1] < forms[i].second_least || text[1] > forms[i].second_most))
            return 0;
        for (size_t k = 2; k < forms[i].length; k++) {
            if ((text[k] & 0xC0) != 0x80)
                return 0;
        }
        return forms[i].length;
    }
    return 0;
}

/* Control characters of ASCII and of Latin-1 (U+0080 to U+009F): terminals obey both. */
static bool is_control(const uint8_t *text, size_t len)
{
    return (len == 1 && (text[0] < 0x20 || text[0] == 0x7F)) || (len == 2 && text[0] == 0xC2 && text[1] < 0xA0);
}

/* What stands for itself, at the start of text. */
static size_t plain_length(const uint8_t *text, size_t len)
{
    size_t plain = 0;
    while (plain < len && text[plain] >= ' ' && text[plain] < 0x7F && text[plain] != '"' && text[plain] != '\\')
        plain++;
    return plain;
}

static void add_escaped(struct strbuf *line, const uint8_t *text, size_t len, bool quotes_too)
{
    for (size_t i = 0; i < len;) {
        size_t plain = plain_length(text + i, len - i);
        strbuf_add(line, text + i, plain);
        i += plain;
        if (i == len)
            break;
        size_t length = utf8_length(text + i, len - i);
        if (length == 0 || is_control(text + i, length)) {
            size_t end = i + (length == 0 ? 1 : length);
            for (; i < end; i++)
                strbuf_add_fmt(line, "\\x%02x", text[i]);
            continue;
        }
        if ((text[i] == '"' && quotes_too) || text[i] == '\\')
            strbuf_add_char(line, '\\');
        strbuf_add(line, text + i, length);
        i += length;
    }
}

/* A value with a backslash is quoted too, and the backslash doubled: so a \xHH in a line is always ours. */
static bool needs_quotes(const struct strbuf *value)
{
    return value->len == 0 || memchr(value->data, ' ', value->len) != NULL ||
           memchr(value->data, '"', value->len) != NULL || memchr(value->data, '=', value->len) != NULL ||
           memchr(value->data, '\\', value->len) != NULL;
}

/* Cuts to VALUE_MAX bytes without halving a character. True when something was cut. */
static bool cut_value(struct strbuf *value)
{
    if (value->len <= VALUE_MAX)
        return false;
    size_t len = VALUE_MAX;
    for (size_t back = 0; back < 3 && ((uint8_t)value->data[len] & 0xC0) == 0x80; back++)
        len--;
    strbuf_truncate(value, len);
    return true;
}

static void add_value(struct strbuf *line, const struct strbuf *value, bool cut)
{
    bool quoted = needs_quotes(value);
    if (quoted)
        strbuf_add_char(line, '"');
    add_escaped(line, (const uint8_t *)value->data, value->len, true);
    if (cut)
        strbuf_add_str(line, "...");
    if (quoted)
        strbuf_add_char(line, '"');
}

/* A value has no newline once it is escaped, so the simple form of the journal's protocol does. */
static void add_field(struct strbuf *fields, const char *key, size_t key_len, const struct strbuf *value, bool cut)
{
    strbuf_add_str(fields, "POSTERN_");
    for (size_t i = 0; i < key_len; i++)
        strbuf_add_char(fields, key[i] >= 'a' && key[i] <= 'z' ? (char)(key[i] - 'a' + 'A') : key[i]);
    strbuf_add_char(fields, '=');
    add_escaped(fields, (const uint8_t *)value->data, value->len, false);
    strbuf_add_str(fields, cut ? "...\n" : "\n");
}

/* Adds at most one byte more than VALUE_MAX: enough to know that the value must be cut. */
static void add_text(struct strbuf *value, const char *text, size_t len)
{
    size_t room = value->max - value->len;
    strbuf_add(value, text, len < room ? len : room);
}

/* One "%..." of a format, taken apart. */
struct conversion {
    bool bounded; /* ".*": the string's length comes as an argument */
    char size;    /* 0 int, 'l' long, 'L' long long, 'z' size_t, 't' ptrdiff_t, 'j' intmax_t */
    char type;    /* 's', 'c', 'd', 'u', 'x' or '%' */
};

static const char *read_conversion(const char *fmt, struct conversion *conversion_out)
{
    *conversion_out = (struct conversion){ .size = 0 };
    if (fmt[0] == '.' && fmt[1] == '*') {
        conversion_out->bounded = true;
        fmt += 2;
    }
    if (*fmt == 'l' && fmt[1] == 'l') {
        conversion_out->size = 'L';
        fmt += 2;
    } else if (*fmt == 'l' || *fmt == 'z' || *fmt == 't' || *fmt == 'j') {
        conversion_out->size = *fmt++;
    }
    conversion_out->type = *fmt == 'i' ? 'd' : *fmt;
    assert(*fmt != '\0' && strchr("scdiux%", *fmt) != NULL);
    return *fmt == '\0' ? fmt : fmt + 1;
}

/* C lets a va_list be handed down by address only inside a structure. */
struct arguments {
    va_list list;
};

static void add_string(struct strbuf *value, bool bounded, struct arguments *arguments)
{
    int bound = bounded ? va_arg(arguments->list, int) : -1;
    const char *text = va_arg(arguments->list, const char *);
    if (text == NULL)
        add_text(value, "-", 1);
    else
        add_text(value, text, bound >= 0 ? strnlen(text, (size_t)bound) : strnlen(text, VALUE_MAX + 1));
}

static void add_signed(struct strbuf *value, char size, struct arguments *arguments)
{
    intmax_t number = size == 'L'   ? va_arg(arguments->list, long long)
                      : size == 'l' ? va_arg(arguments->list, long)
                      : size == 'z' ? va_arg(arguments->list, ssize_t)
                      : size == 't' ? va_arg(arguments->list, ptrdiff_t)
                      : size == 'j' ? va_arg(arguments->list, intmax_t)
                                    : va_arg(arguments->list, int);
    strbuf_add_fmt(value, "%" PRIdMAX, number);
}

static void add_unsigned(struct strbuf *value, char size, bool hex, struct arguments *arguments)
{
    uintmax_t number = size == 'L'   ? va_arg(arguments->list, unsigned long long)
                       : size == 'l' ? va_arg(arguments->list, unsigned long)
                       : size == 'z' ? va_arg(arguments->list, size_t)
                       : size == 't' ? (uintmax_t)va_arg(arguments->list, ptrdiff_t)
                       : size == 'j' ? va_arg(arguments->list, uintmax_t)
                                     : va_arg(arguments->list, unsigned);
    if (hex)
        strbuf_add_fmt(value, "%" PRIxMAX, number);
    else
        strbuf_add_fmt(value, "%" PRIuMAX, number);
}

/* Adds what follows a '%' to the value; returns where the format goes on. */
static const char *add_conversion(struct strbuf *value, const char *fmt, struct arguments *arguments)
{
    struct conversion conversion;
    fmt = read_conversion(fmt, &conversion);
    switch (conversion.type) {
    case 's':
        add_string(value, conversion.bounded, arguments);
        break;
    case 'c': {
        char c = (char)va_arg(arguments->list, int);
        add_text(value, &c, 1);
        break;
    }
    case 'd':
        add_signed(value, conversion.size, arguments);
        break;
    case 'u':
    case 'x':
        add_unsigned(value, conversion.size, conversion.type == 'x', arguments);
        break;
    default:
        add_text(value, "%", 1);
        break;
    }
    return fmt;
}

/* Text and conversions, up to the space that ends the word; returns where that is. */
static const char *add_parts(struct strbuf *value, const char *fmt, struct arguments *arguments)
{
    while (*fmt != '\0' && *fmt != ' ') {
        if (*fmt == '%') {
            fmt = add_conversion(value, fmt + 1, arguments);
        } else {
            size_t literal = strcspn(fmt, "% ");
            add_text(value, fmt, literal);
            fmt += literal;
        }
    }
    return fmt;
}

/* Each word of fmt is a key, an equals sign and a value made of literal text and conversions. fields: NULL when nobody wants them. */
static void add_words(struct strbuf *line, struct strbuf *fields, const char *fmt, struct arguments *arguments)
{
    struct strbuf value;
    strbuf_init(&value, VALUE_MAX + 64); /* room to see that it is too long, and for a number behind a full string */
    strbuf_reserve(&value, USUAL_VALUE);
    while (*fmt != '\0') {
        size_t key_len = strcspn(fmt, "=");
        if (fmt[key_len] == '\0')
            break; /* no value: not in the form that log.h asks for */
        const char *key = fmt;
        strbuf_add_char(line, ' ');
        strbuf_add(line, key, key_len + 1);
        strbuf_clear(&value);
        fmt = add_parts(&value, fmt + key_len + 1, arguments);
        bool cut = cut_value(&value);
        add_value(line, &value, cut);
        if (fields != NULL)
            add_field(fields, key, key_len, &value, cut);
        if (*fmt == ' ')
            fmt++;
    }
    strbuf_free(&value);
}

void log_event(enum log_level level, const char *event, const char *fmt, ...)
{
    if (!log_enabled(level))
        return;
    atomic_fetch_add_explicit(&the_log.lines[level], 1, memory_order_relaxed);
    int callers_errno = errno; /* logging an error must not change it */
    bool wants_fields = the_log.sink == NULL && log_target_wants_fields();
    struct strbuf line, fields;
    strbuf_init(&line, LINE_MAX_BYTES);
    strbuf_reserve(&line, USUAL_LINE);
    strbuf_init(&fields, LINE_MAX_BYTES);
    strbuf_add_str(&line, "level=");
    strbuf_add_str(&line, level_names[level]);
    strbuf_add_str(&line, " event=");
    strbuf_add_str(&line, event);
    if (wants_fields)
        strbuf_add_fmt(&fields, "POSTERN_EVENT=%s\n", event);
    struct arguments arguments;
    va_start(arguments.list, fmt);
    add_words(&line, wants_fields ? &fields : NULL, fmt, &arguments);
    va_end(arguments.list);
    if (the_log.sink != NULL)
        the_log.sink(level, line.data, the_log.ctx);
    else
        log_target_write(&(struct log_record){
            .level = level, .line = line.data, .line_len = line.len, .fields = fields.data, .fields_len = fields.len });
    strbuf_free(&line);
    strbuf_free(&fields);
    errno = callers_errno;
}
