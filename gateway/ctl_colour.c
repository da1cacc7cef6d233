/* ctl_colour.c - colours of what posternctl shows; see ctl_terminal.h
 *
 * The daemon's tables say nothing about colours: what is a state is known by the column it stands in, so that a subject or an
 * alias that is called "failed" is left as it is.
 */
#include <string.h>

#include "base/strbuf.h"
#include "gateway/ctl_terminal.h"

static const char *const codes[] = {
    [CTL_MOOD_NONE] = "", [CTL_MOOD_GOOD] = "\033[32m", [CTL_MOOD_WARNING] = "\033[33m", [CTL_MOOD_BAD] = "\033[31m"
};

static const char *const state_keys[] = { "state", "silo_state", "verdict" };

/* Of mappings, queues, recipients, members, groups, relays and the silo. */
static const struct {
    const char *word;
    enum ctl_mood mood;
} words[] = {
    { "approved", CTL_MOOD_GOOD },
    { "delivered", CTL_MOOD_GOOD },
    { "online", CTL_MOOD_GOOD },
    { "up", CTL_MOOD_GOOD },
    { "joined", CTL_MOOD_GOOD },
    { "ready", CTL_MOOD_GOOD },
    { "posted", CTL_MOOD_GOOD },
    { "settled", CTL_MOOD_GOOD },
    { "ok", CTL_MOOD_GOOD },
    { "requested", CTL_MOOD_WARNING },
    { "awaits approval", CTL_MOOD_WARNING },
    { "deferred", CTL_MOOD_WARNING },
    { "held", CTL_MOOD_WARNING },
    { "suspended", CTL_MOOD_WARNING },
    { "invited", CTL_MOOD_WARNING },
    { "leaving", CTL_MOOD_WARNING },
    { "connecting", CTL_MOOD_WARNING },
    { "left out", CTL_MOOD_WARNING },
    { "warning", CTL_MOOD_WARNING },
    { "denied", CTL_MOOD_BAD },
    { "revoked", CTL_MOOD_BAD },
    { "expired", CTL_MOOD_BAD },
    { "failed", CTL_MOOD_BAD },
    { "dropped", CTL_MOOD_BAD },
    { "down", CTL_MOOD_BAD },
    { "offline", CTL_MOOD_BAD },
    { "left", CTL_MOOD_BAD },
};

enum { STATE_COLUMNS_MAX = 8 };

static bool is_state_key(const char *key, size_t len)
{
    for (size_t i = 0; i < sizeof state_keys / sizeof state_keys[0]; i++)
        if (strlen(state_keys[i]) == len && memcmp(state_keys[i], key, len) == 0)
            return true;
    return false;
}

static enum ctl_mood mood_of(const char *word, size_t len)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strlen(words[i].word) == len && memcmp(words[i].word, word, len) == 0)
            return words[i].mood;
    return CTL_MOOD_NONE;
}

void ctl_add_coloured(struct strbuf *out, bool coloured, enum ctl_mood mood, const char *text)
{
    bool is_plain = !coloured || mood == CTL_MOOD_NONE;
    strbuf_add_fmt(out, "%s%s%s", is_plain ? "" : codes[mood], text, is_plain ? "" : "\033[0m");
}

/* Where a cell begins: octet `at` of the line, in column `column` (characters). */
struct cell {
    size_t at, len, column;
};

/* The next cell behind the given one (begin with { 0 }): cells are apart by two spaces or more. false: there is none. */
static bool next_cell(const char *line, size_t len, struct cell *cell)
{
    size_t at = cell->at + cell->len, column = cell->column;
    for (size_t i = cell->at; i < at; i++)
        column += ((unsigned char)line[i] & 0xc0) != 0x80;
    while (at < len && line[at] == ' ') {
        at++;
        column++;
    }
    size_t end = at;
    while (end < len && !(line[end] == ' ' && (end + 1 == len || line[end + 1] == ' ')))
        end++;
    *cell = (struct cell){ .at = at, .len = end - at, .column = column };
    return end > at;
}

/* The columns of a table. */
struct columns {
    size_t starts[STATE_COLUMNS_MAX], count; /* of states */
};

/* Is it the head of a table? Then its cells are keys. How many: what begins an answer with one or two is no table, but a key and its
 * value. */
static size_t read_head(const char *line, size_t len, struct columns *columns)
{
    struct cell cell = { 0 };
    size_t cells = 0;
    columns->count = 0;
    while (next_cell(line, len, &cell)) {
        if (strspn(line + cell.at, "abcdefghijklmnopqrstuvwxyz0123456789_") < cell.len)
            return 0;
        cells++;
        if (is_state_key(line + cell.at, cell.len) && columns->count < STATE_COLUMNS_MAX)
            columns->starts[columns->count++] = cell.column;
    }
    return cells;
}

static bool is_state_column(const struct columns *columns, size_t column)
{
    for (size_t i = 0; i < columns->count; i++)
        if (columns->starts[i] == column)
            return true;
    return false;
}

static void add_cell(struct strbuf *out, const char *word, size_t len)
{
    enum ctl_mood mood = mood_of(word, len);
    strbuf_add_str(out, codes[mood]);
    strbuf_add(out, word, len);
    strbuf_add_str(out, mood == CTL_MOOD_NONE ? "" : "\033[0m");
}

static void add_row(struct strbuf *out, const char *line, size_t len, const struct columns *columns)
{
    struct cell cell = { 0 };
    size_t shown = 0;
    while (next_cell(line, len, &cell)) {
        if (!is_state_column(columns, cell.column))
            continue;
        strbuf_add(out, line + shown, cell.at - shown);
        add_cell(out, line + cell.at, cell.len);
        shown = cell.at + cell.len;
    }
    strbuf_add(out, line + shown, len - shown);
}

/* "state      approved" */
static void add_pair(struct strbuf *out, const char *line, size_t len)
{
    struct cell key = { 0 };
    if (!next_cell(line, len, &key) || key.at > 0 || !is_state_key(line, key.len)) {
        strbuf_add(out, line, len);
        return;
    }
    size_t value = key.len + strspn(line + key.len, " ");
    strbuf_add(out, line, value);
    add_cell(out, line + value, len - value);
}

/* "recipients:" */
static bool is_title(const char *line, size_t len)
{
    return len > 1 && line[len - 1] == ':' && !memchr(line, ' ', len);
}

void ctl_add_answer(struct strbuf *out, bool coloured, const char *text)
{
    enum { IN_PAIRS, AT_HEAD, IN_TABLE } place = IN_PAIRS;
    struct columns columns = { .count = 0 };
    const char *line = text;
    if (!coloured) {
        strbuf_add_str(out, text);
        return;
    }
    while (*line) {
        size_t len = strcspn(line, "\n");
        if (place == AT_HEAD || (line == text && read_head(line, len, &columns) > 2)) {
            (void)read_head(line, len, &columns);
            place = IN_TABLE;
            strbuf_add(out, line, len);
        } else if (place == IN_TABLE && len > 0) {
            add_row(out, line, len, &columns);
        } else {
            place = is_title(line, len) ? AT_HEAD : IN_PAIRS;
            add_pair(out, line, len);
        }
        line += len;
        if (*line)
            strbuf_add_char(out, *line++);
    }
}
