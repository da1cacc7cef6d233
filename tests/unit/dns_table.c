#include "tests/unit/dns_table.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/xmalloc.h"

enum { NAME_SIZE = 300, CNAMES_MAX = 8, ANY = -1, CNAME = -2 };

struct row {
    char *name;
    int type; /* enum dns_type, ANY or CNAME */
    enum dns_outcome outcome;
    struct dns_record record; /* with DNS_FOUND; of a CNAME: the name it leads to */
    char *data;               /* the record's; owned */
};

struct given {
    struct dns_answer answer;
    struct dns_record *records; /* the answer's; owned */
};

struct dns_table {
    size_t row_count;
    struct row *rows;
    size_t given_count; /* answers of all questions */
    struct given **given;
    size_t questions;
};

static const struct {
    const char *name;
    int type;
} types[] = { { "A", DNS_A },       { "PTR", DNS_PTR }, { "MX", DNS_MX }, { "TXT", DNS_TXT },
              { "AAAA", DNS_AAAA }, { "CNAME", CNAME }, { "*", ANY } };

static const struct {
    const char *name;
    enum dns_outcome outcome;
} outcomes[] = { { "!TEMPORARY", DNS_TEMPORARY }, { "!BOGUS", DNS_BOGUS }, { "!NO_DATA", DNS_NO_DATA } };

size_t dns_table_unescape(char *text)
{
    size_t len = 0;
    for (const char *at = text; *at != '\0'; len++) {
        unsigned octet;
        bool is_escape = sscanf(at, "\\x%2x", &octet) == 1;
        text[len] = is_escape ? (char)octet : *at;
        at += is_escape ? 4 : 1;
    }
    text[len] = '\0';
    return len;
}

struct dns_table *dns_table_new(void)
{
    return xcalloc(1, sizeof(struct dns_table));
}

void dns_table_clear(struct dns_table *table)
{
    for (size_t i = 0; i < table->row_count; i++) {
        free(table->rows[i].name);
        free(table->rows[i].data);
    }
    for (size_t i = 0; i < table->given_count; i++) {
        free(table->given[i]->records);
        free(table->given[i]);
    }
    free(table->rows);
    free(table->given);
    *table = (struct dns_table){ .row_count = 0 };
}

void dns_table_free(struct dns_table **table)
{
    if (*table == NULL)
        return;
    dns_table_clear(*table);
    free(*table);
    *table = NULL;
}

static void set_data(struct row *row, const void *data, size_t len)
{
    row->data = xcalloc(len + 1, 1);
    memcpy(row->data, data, len);
    row->record.data = row->data;
    row->record.len = len;
}

static void set_name(struct row *row, const char *name)
{
    size_t len = strlen(name);
    set_data(row, name, len > 0 && name[len - 1] == '.' ? len - 1 : len);
}

static void set_text(struct row *row, const char *text)
{
    char *octets = xstrdup(text);
    set_data(row, octets, dns_table_unescape(octets));
    free(octets);
}

static bool set_record(struct row *row, const char *value)
{
    unsigned char address[16];
    int at = 0;
    unsigned preference;
    switch (row->type) {
    case DNS_A:
    case DNS_AAAA:
        if (inet_pton(row->type == DNS_A ? AF_INET : AF_INET6, value, address) != 1)
            return false;
        set_data(row, address, row->type == DNS_A ? 4 : 16);
        return true;
    case DNS_MX:
        if (sscanf(value, "%u %n", &preference, &at) != 1 || at == 0)
            return false;
        row->record.preference = (uint16_t)preference;
        set_name(row, value + at);
        return true;
    case DNS_PTR:
    case CNAME:
        set_name(row, value);
        return true;
    case DNS_TXT:
        set_text(row, value);
        return true;
    default:
        return false;
    }
}

bool dns_table_add(struct dns_table *table, const char *line)
{
    char name[NAME_SIZE], type[8];
    int at = 0;
    struct row row = { .type = 0, .outcome = DNS_FOUND, .record = { .ttl = 300 } };
    if (sscanf(line, "%299s %7s %n", name, type, &at) != 2 || at == 0)
        return false;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(types[i].name, type) == 0)
            row.type = types[i].type;
    }
    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        if (strcmp(outcomes[i].name, line + at) == 0)
            row.outcome = outcomes[i].outcome;
    }
    if (row.type == 0 || (row.outcome == DNS_FOUND && !set_record(&row, line + at)))
        return false;
    size_t len = dns_table_unescape(name);
    row.name = xstrndup(name, len > 0 && name[len - 1] == '.' ? len - 1 : len);
    table->rows = xreallocarray(table->rows, table->row_count + 1, sizeof *table->rows);
    table->rows[table->row_count++] = row;
    return true;
}

/* Fills the answer from the rows of that name; returns the row of a CNAME to follow, or NULL. */
static const struct row *collect(const struct dns_table *table, const char *name, enum dns_type type,
                                 struct dns_answer *answer, struct dns_record *records)
{
    size_t len = strlen(name);
    const struct row *alias = NULL;
    if (len > 0 && name[len - 1] == '.')
        len--;
    answer->outcome = DNS_NO_NAME;
    for (size_t i = 0; i < table->row_count; i++) {
        const struct row *row = &table->rows[i];
        if (strlen(row->name) != len || strncasecmp(row->name, name, len) != 0)
            continue;
        if (answer->outcome == DNS_NO_NAME)
            answer->outcome = DNS_NO_DATA;
        if (row->type == CNAME)
            alias = row;
        else if ((row->type == ANY || row->type == (int)type) && answer->outcome == DNS_NO_DATA)
            answer->outcome = row->outcome;
        if (row->type == (int)type && row->outcome == DNS_FOUND)
            records[answer->count++] = row->record;
    }
    return answer->count == 0 && answer->outcome == DNS_NO_DATA ? alias : NULL;
}

const struct dns_answer *dns_table_ask(const char *name, enum dns_type type, void *ctx)
{
    struct dns_table *table = ctx;
    struct given *given = xcalloc(1, sizeof *given);
    struct dns_answer *answer = &given->answer;
    given->records = xcalloc(table->row_count + 1, sizeof *given->records);
    answer->records = given->records;
    table->questions++;
    table->given = xreallocarray(table->given, table->given_count + 1, sizeof(struct given *));
    table->given[table->given_count++] = given;
    const struct row *alias = collect(table, name, type, answer, given->records);
    for (size_t i = 0; alias != NULL; i++) {
        if (i == CNAMES_MAX) {
            answer->outcome = DNS_TEMPORARY;
            break;
        }
        alias = collect(table, alias->record.data, type, answer, given->records);
    }
    return answer;
}

size_t dns_table_questions(const struct dns_table *table)
{
    return table->questions;
}

void dns_table_forget_questions(struct dns_table *table)
{
    table->questions = 0;
}
