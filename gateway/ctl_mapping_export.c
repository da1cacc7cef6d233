/* ctl_mapping_export.c - posternctl mapping export */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <jansson.h>

#include "base/strbuf.h"
#include "gateway/csv.h"
#include "gateway/ctl_client.h"
#include "gateway/ctl_mapping.h"
#include "gateway/ctl_progress.h"
#include "gateway/ctl_terminal.h"
#include "gateway/ctl_words.h"

enum { FORMAT, STATE, MEMBER };
enum { LINE_MAX_OCTETS = 256 * 1024, PAGE_WORDS = 8, ID_SIZE = 24 };

const char *const ctl_mapping_columns[] = { "address", "member",     "state",       "direction",  "expires",
                                            "daily",   "max_size",   "attachments", "proof",      "subaddresses",
                                            "invite",  "note",       "reason",      "id",         "invited",
                                            "created", "created_by", "decided",     "decided_by", NULL };

struct exporting {
    const struct ctl *ctl;
    const struct ctl_words *words;
    bool is_json;
    unsigned long count;
    char after[ID_SIZE]; /* of the page that comes; "": the first */
};

static void write_record(const json_t *row)
{
    struct strbuf line;
    strbuf_init(&line, LINE_MAX_OCTETS);
    for (size_t i = 0; ctl_mapping_columns[i]; i++) {
        const json_t *value = row ? json_object_get(row, ctl_mapping_columns[i]) : NULL;
        char number[ID_SIZE];
        snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        csv_add_field(&line,
                      !row                     ? ctl_mapping_columns[i]
                      : json_is_integer(value) ? number
                      : json_is_string(value)  ? json_string_value(value)
                                               : "",
                      i == 0);
    }
    csv_end_record(&line);
    fputs(line.data, stdout);
    strbuf_free(&line);
}

static void write_object(const json_t *row, bool is_first)
{
    char *text = json_dumps(row, JSON_COMPACT);
    printf("%s%s", is_first ? "" : ",\n", text ? text : "{}");
    free(text);
}

static void write_rows(struct exporting *exporting, const json_t *rows)
{
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        if (exporting->is_json)
            write_object(row, exporting->count == 0);
        else
            write_record(row);
        exporting->count++;
    }
}

/* Asks for one page. The exit status; *more_out: there is another. */
static int write_page(struct exporting *exporting, bool *more_out)
{
    const char *words[PAGE_WORDS] = { "mapping", "export" };
    const struct {
        const char *name, *value;
    } options[] = { { "--state", exporting->words->options[STATE] },
                    { "--member", exporting->words->options[MEMBER] },
                    { "--after", exporting->after[0] ? exporting->after : NULL } };
    struct ctl_answer answer;
    int count = 2;
    *more_out = false;
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (!options[i].value)
            continue;
        words[count++] = options[i].name;
        words[count++] = options[i].value;
    }
    int asked = ctl_client_call(exporting->ctl, true, count, words, NULL, &answer);
    int status = answer.exit;
    json_t *page = asked == 1 && status == CTL_OK ? json_loads(answer.out, 0, NULL) : NULL;
    if (page) {
        write_rows(exporting, json_object_get(page, "mappings"));
        json_int_t after = json_integer_value(json_object_get(page, "more_after"));
        *more_out = after > 0;
        snprintf(exporting->after, sizeof exporting->after, "%" JSON_INTEGER_FORMAT, after);
    } else if (asked == 1) {
        fputs(answer.err, stderr);
    }
    json_decref(page);
    ctl_answer_clear(&answer);
    return status;
}

int ctl_mapping_export(const struct ctl *ctl, int argc, char **argv)
{
    static const char *const names[] = { [FORMAT] = "--format", [STATE] = "--state", [MEMBER] = "--member", NULL };
    struct ctl_words words;
    if (ctl_words_sort(ctl, argc - 2, argv + 2, names, 0, 0, CTL_EXPORT_USAGE, &words) < 0)
        return CTL_USAGE;
    const char *format = words.options[FORMAT];
    struct exporting exporting = { .ctl = ctl, .words = &words };
    exporting.is_json = format ? strcmp(format, "json") == 0 : words.json;
    if (format && !exporting.is_json && strcmp(format, "csv") != 0) {
        fputs("posternctl: --format takes csv or json\nusage: posternctl " CTL_EXPORT_USAGE "\n", stderr);
        return CTL_USAGE;
    }
    struct ctl_progress *progress = ctl_progress_new("exporting", CTL_PROGRESS_THINGS, 0);
    bool more = true, is_begun = false;
    int status = CTL_OK;
    while (status == CTL_OK && more) {
        if (!is_begun && exporting.is_json)
            fputs("{\"mappings\":[\n", stdout);
        else if (!is_begun)
            write_record(NULL);
        is_begun = true;
        status = write_page(&exporting, &more);
        if (!ctl_is_terminal(STDOUT_FILENO))
            ctl_progress_set(progress, exporting.count);
    }
    ctl_progress_free(&progress);
    if (status == CTL_OK && exporting.is_json)
        fputs("\n]}\n", stdout);
    if (status == CTL_OK && (fflush(stdout) != 0 || ferror(stdout))) {
        perror("posternctl: standard output");
        status = CTL_REFUSED;
    }
    return status;
}
