/* gateway_csv_fuzz.c - tables: what was read can be written, and is read again as the same; the reader always comes to the end */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "gateway/csv.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void write_and_read(const struct csv_record *record)
{
    struct strbuf out;
    struct csv_reader reader;
    struct csv_record again;
    const char *wrong;
    strbuf_init(&out, 4 * CSV_RECORD_MAX);
    csv_add_field(&out, "head", true); /* a first line says what separates */
    csv_add_field(&out, "of", false);
    csv_end_record(&out);
    for (size_t i = 0; i < record->count; i++)
        csv_add_field(&out, record->fields[i], i == 0);
    csv_end_record(&out);
    csv_reader_init(&reader, out.data, out.len);
    require(csv_read(&reader, &again, &wrong) == 1);
    csv_record_clear(&again);
    int result = csv_read(&reader, &again, &wrong);
    if (result == 0) { /* one empty field is an empty line */
        require(record->count == 1 && !record->fields[0][0]);
    } else if (result == 1) {
        require(again.count == record->count);
        for (size_t i = 0; i < record->count; i++)
            require(strcmp(again.fields[i], record->fields[i]) == 0);
        csv_record_clear(&again);
    } else {
        require(strcmp(wrong, "it is too long") == 0); /* by guards, which count */
    }
    strbuf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct csv_reader reader;
    struct csv_record record;
    const char *wrong = NULL;
    unsigned line = 0;
    int result;
    csv_reader_init(&reader, (const char *)data, size);
    for (size_t before = reader.at; (result = csv_read(&reader, &record, &wrong)) != 0; before = reader.at) {
        require(reader.at > before && reader.at <= size && record.line > line);
        line = record.line;
        if (result == 1)
            write_and_read(&record);
        else
            require(wrong && !record.text);
        csv_record_clear(&record);
    }
    require(reader.at == size);
    return 0;
}
