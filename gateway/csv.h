/* csv.h - tables as spreadsheets write and read them: RFC 4180
 *
 * Pure. Reading is forgiving where programs differ: lines may end with LF alone, a byte order mark may stand in front, and commas may be
 * semicolons or tabs throughout (as the first line has them). What is ambiguous is an error: a quote inside a
 * field that has none around it, text behind a closing quote, a quote that is never closed, a NUL.
 *
 * Writing: commas, CRLF, quotes where they are needed, and a guard: a spreadsheet takes a cell that begins with = + - @, a tab or a carriage return
 * for a formula, and an address or a note may come from a stranger. Such a cell gets an apostrophe in front, as does one that begins with
 * apostrophes and then such a character; reading takes one away again: so what was written is what is read.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct strbuf;

enum { CSV_FIELDS_MAX = 64, CSV_RECORD_MAX = 64 * 1024 };

struct csv_reader {
    const char *data; /* borrowed */
    size_t len, at;
    unsigned line;  /* where `at` is, from 1 */
    char separator; /* 0: not known yet */
};
void csv_reader_init(struct csv_reader *reader, const char *data, size_t len);

struct csv_record {
    unsigned line; /* where it begins */
    size_t count;
    const char *fields[CSV_FIELDS_MAX]; /* in `text` */
    char *text;                         /* owned */
};
/* The next record; empty lines are passed over. 1; 0 the end; -1 it is wrong: *wrong_out says how (static text), record_out->line where, and the
 * reader goes on with the next line. Clear the record after 1. */
int csv_read(struct csv_reader *reader, struct csv_record *record_out, const char **wrong_out)
    __attribute__((warn_unused_result));
void csv_record_clear(struct csv_record *record);

/* A field, with a separator in front unless it is the first. */
void csv_add_field(struct strbuf *out, const char *text, bool is_first);
void csv_end_record(struct strbuf *out);
