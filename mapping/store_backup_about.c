/* store_backup_about.c - see store_backup_about.h */
#include "mapping/store_backup_about.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "base/strbuf.h"

static const char title[] = "Postern backup\n";

void store_backup_about_write(const struct store_backup_about *about, struct strbuf *out)
{
    char created[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(about->created_at, created);
    strbuf_add_fmt(out, "%sformat %d\nversion %s\nschema %" PRId64 "\ncreated %s\n", title, STORE_BACKUP_FORMAT,
                   about->version, about->schema, created);
    strbuf_add_fmt(out, "database %" PRId64 "\ncontent-files %" PRId64 "\ncontent-octets %" PRId64 "\n",
                   about->database_size, about->content_files, about->content_size);
    strbuf_add_fmt(out, "missing-files %" PRId64 "\n", about->missing_files);
    if (about->audit_head[0])
        strbuf_add_fmt(out, "audit-head %s\n", about->audit_head);
}

/* A word of a line, with a NUL behind it. */
static bool take_text(const char *value, size_t len, char *out, size_t size)
{
    if (len >= size)
        return false;
    for (size_t i = 0; i < len; i++)
        if (value[i] < ' ' || value[i] > '~')
            return false;
    memcpy(out, value, len);
    out[len] = 0;
    return true;
}

static bool take_number(const char *value, size_t len, int64_t *out)
{
    *out = 0;
    if (len == 0 || len > 18) /* nothing has more octets than that */
        return false;
    for (size_t i = 0; i < len; i++) {
        if (value[i] < '0' || value[i] > '9')
            return false;
        *out = *out * 10 + (value[i] - '0');
    }
    return true;
}

static bool take_time(const char *value, size_t len, int64_t *out)
{
    char text[CLOCK_RFC3339_SIZE];
    return take_text(value, len, text, sizeof text) && clock_parse_rfc3339(text, out) == 1;
}

enum { VERSION = 1, SCHEMA = 2, CREATED = 4, DATABASE = 8, FILES = 16, OCTETS = 32, MISSING = 64, ALL = 127 };

struct reading {
    struct store_backup_about *about;
    int64_t format;
    unsigned seen;
};

static bool is_key(const char *line, size_t len, const char *key)
{
    return strlen(key) == len && memcmp(line, key, len) == 0;
}

static bool take_line(struct reading *reading, const char *line, size_t len)
{
    struct store_backup_about *about = reading->about;
    const char *space = memchr(line, ' ', len);
    if (!space)
        return len == 0; /* room between lines is nobody's harm */
    size_t key = (size_t)(space - line), rest = len - key - 1;
    const char *value = space + 1;
    const struct {
        const char *key;
        int64_t *out;
        unsigned bit;
    } numbers[] = {
        { "format", &reading->format, 0 },
        { "schema", &about->schema, SCHEMA },
        { "database", &about->database_size, DATABASE },
        { "content-files", &about->content_files, FILES },
        { "content-octets", &about->content_size, OCTETS },
        { "missing-files", &about->missing_files, MISSING },
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (!is_key(line, key, numbers[i].key))
            continue;
        reading->seen |= numbers[i].bit;
        return take_number(value, rest, numbers[i].out);
    }
    if (is_key(line, key, "version")) {
        reading->seen |= VERSION;
        return take_text(value, rest, about->version, sizeof about->version);
    }
    if (is_key(line, key, "created")) {
        reading->seen |= CREATED;
        return take_time(value, rest, &about->created_at);
    }
    return !is_key(line, key, "audit-head") || take_text(value, rest, about->audit_head, sizeof about->audit_head);
}

int store_backup_about_parse(const char *text, size_t len, struct store_backup_about *about_out)
{
    struct reading reading = { .about = about_out };
    size_t at = sizeof title - 1;
    *about_out = (struct store_backup_about){ .schema = 0 };
    if (len < at || memcmp(text, title, at) != 0)
        return -1;
    while (at < len) {
        const char *end = memchr(text + at, '\n', len - at);
        if (!end || !take_line(&reading, text + at, (size_t)(end - text) - at))
            return -1;
        at = (size_t)(end - text) + 1;
        if (reading.format > STORE_BACKUP_FORMAT)
            return 0; /* what follows may mean something else */
    }
    return reading.format == STORE_BACKUP_FORMAT && reading.seen == ALL ? 1 : -1;
}
