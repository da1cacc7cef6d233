/* ctl_mapping_import.c - posternctl mapping import
 *
 * The daemon does a piece of rows as a whole or not at all. A file of one piece is simply done. Of one that has more, all
 * pieces are tried first: nothing is begun as long as a line is wrong. Then they are done one after the other, with mail between. If that is
 * cut short, the same import again does the rest: what is as the file wants it stays as it is.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <jansson.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/admin_mapping.h"
#include "gateway/admin_output.h"
#include "gateway/ctl_client.h"
#include "gateway/ctl_mapping.h"
#include "gateway/ctl_mapping_table.h"
#include "gateway/ctl_progress.h"
#include "gateway/ctl_state.h"
#include "gateway/ctl_words.h"

enum { FORMAT, DRY_RUN, REOPEN, REASON };
enum { FILE_MAX = 64 * 1024 * 1024, PIECE_MAX = 400 * 1024, WORDS_MAX = 10, SHOWN_MAX = 1000 };

static const char *const acts[] = { "add", "approve", "resume", "change", "suspend", "request", "block", "none" };
enum { ACTS = sizeof acts / sizeof acts[0] };

/* Whom a line is about, as the daemon knows them. */
struct about {
    char *text;
    unsigned line;
    bool is_wrong; /* that was said */
};

struct import {
    const struct ctl *ctl;
    const struct ctl_words *words;
    const char *file;
    bool is_dry, reopens;
    struct ctl_mapping_table table;
    json_int_t counts[ACTS];
    struct about *abouts;
    size_t about_count;
    size_t done; /* rows */
    bool is_done;
};

static char *read_all(const char *file, size_t *len_out)
{
    struct strbuf text;
    char piece[64 * 1024];
    size_t got;
    bool is_ours = strcmp(file, "-") != 0;
    FILE *in = is_ours ? fopen(file, "re") : stdin;
    if (!in) {
        fprintf(stderr, "posternctl: %s: %s\n", file, strerror(errno));
        return NULL;
    }
    strbuf_init(&text, FILE_MAX);
    do { /* at a terminal nobody has to say twice that there is no more */
        got = fread(piece, 1, sizeof piece, in);
        strbuf_add(&text, piece, got);
    } while (got == sizeof piece);
    bool is_read = !ferror(in);
    if (is_ours)
        fclose(in);
    if (is_read && strbuf_ok(&text)) {
        *len_out = text.len;
        return strbuf_detach(&text);
    }
    fprintf(stderr, "posternctl: %s: %s\n", file, is_read ? "it is longer than 64 MiB" : "it can't be read");
    strbuf_free(&text);
    return NULL;
}

/* Pieces. */

/* As many rows from `at` on as go into one request; the rows are in *input_out (caller frees). */
static size_t take_piece(const struct import *import, size_t at, char **input_out)
{
    struct strbuf text;
    size_t count = 0;
    strbuf_init(&text, 2 * PIECE_MAX + 1024 * 1024);
    strbuf_add_char(&text, '[');
    for (; at + count < json_array_size(import->table.rows) && count < ADMIN_IMPORT_ROWS_MAX; count++) {
        char *row = json_dumps(json_array_get(import->table.rows, at + count), JSON_COMPACT);
        size_t len = row ? strlen(row) : 0;
        bool fits = count == 0 || text.len + len < PIECE_MAX;
        if (fits && count > 0)
            strbuf_add_char(&text, ',');
        if (fits)
            strbuf_add_str(&text, row ? row : "{}");
        free(row);
        if (!fits)
            break;
    }
    strbuf_add_char(&text, ']');
    *input_out = strbuf_detach(&text);
    return count;
}

static void note_about(struct import *import, const json_t *line)
{
    const char *address = json_string_value(json_object_get(line, "address")),
               *member = json_string_value(json_object_get(line, "member"));
    struct strbuf text;
    if (!address || !member)
        return;
    strbuf_init(&text, 64 * 1024);
    strbuf_add_fmt(&text, "%s for %s", address, member);
    import->abouts[import->about_count++] =
        (struct about){ .text = strbuf_detach(&text),
                        .line = (unsigned)json_integer_value(json_object_get(line, "line")),
                        .is_wrong = json_is_string(json_object_get(line, "problem")) };
}

/* What the daemon has answered to a piece. */
static void take_answer(struct import *import, const json_t *answer, bool is_trial)
{
    size_t i;
    json_t *line;
    json_array_foreach(json_object_get(answer, "lines"), i, line)
    {
        const char *problem = json_string_value(json_object_get(line, "problem"));
        if (problem)
            ctl_mapping_table_complain(&import->table, (unsigned)json_integer_value(json_object_get(line, "line")),
                                       "%s", problem);
        if (is_trial)
            note_about(import, line);
    }
    for (i = 0; i < ACTS; i++)
        import->counts[i] += json_integer_value(json_object_get(answer, acts[i]));
}

/* The exit status. */
static int send_piece(struct import *import, const char *input, bool is_trial)
{
    const char *words[WORDS_MAX] = { "mapping", "import", "--dry-run", is_trial ? "yes" : "no" };
    struct ctl_answer answer;
    int count = 4;
    if (import->reopens) {
        words[count++] = "--reopen";
        words[count++] = "yes";
    }
    if (import->words->options[REASON]) {
        words[count++] = "--reason";
        words[count++] = import->words->options[REASON];
    }
    int asked = ctl_client_call(import->ctl, true, count, words, input, &answer);
    int status = answer.exit;
    json_t *out = asked == 1 && status == CTL_OK ? json_loads(answer.out, 0, NULL) : NULL;
    if (out)
        take_answer(import, out, is_trial);
    else if (asked == 1)
        fputs(answer.err, stderr);
    json_decref(out);
    ctl_answer_clear(&answer);
    return out || status != CTL_OK ? status : CTL_REFUSED;
}

/* All pieces; when they are done and not only tried, as far as none is wrong. The exit status. */
static int send_all(struct import *import, bool is_trial)
{
    size_t total = json_array_size(import->table.rows);
    struct ctl_progress *progress = ctl_progress_new(is_trial ? "checking" : "importing", CTL_PROGRESS_THINGS, total);
    int status = CTL_OK;
    memset(import->counts, 0, sizeof import->counts);
    for (import->done = 0; import->done < total && status == CTL_OK;) {
        char *input;
        size_t count = take_piece(import, import->done, &input);
        status = send_piece(import, input, is_trial);
        free(input);
        if (!is_trial && import->table.problem_count > 0)
            break;
        import->done += count;
        ctl_progress_set(progress, import->done);
    }
    ctl_progress_free(&progress);
    return status;
}

static int compare_abouts(const void *a, const void *b)
{
    const struct about *first = a, *second = b;
    int order = strcmp(first->text, second->text);
    return order ? order : (first->line > second->line) - (first->line < second->line);
}

/* Within a piece the daemon sees it. */
static void find_doubles(struct import *import)
{
    qsort(import->abouts, import->about_count, sizeof *import->abouts, compare_abouts);
    for (size_t i = 1; i < import->about_count; i++)
        if (strcmp(import->abouts[i - 1].text, import->abouts[i].text) == 0 && !import->abouts[i].is_wrong)
            ctl_mapping_table_complain(&import->table, import->abouts[i].line, "it is about the same as line %u",
                                       import->abouts[i - 1].line);
}

static int run(struct import *import)
{
    size_t total = json_array_size(import->table.rows);
    char *first;
    bool is_one = take_piece(import, 0, &first) == total;
    free(first);
    import->abouts = xcalloc(total + 1, sizeof *import->abouts);
    int status = CTL_OK;
    if (import->is_dry || !is_one || import->table.problem_count > 0) {
        status = send_all(import, true);
        find_doubles(import);
    }
    if (status == CTL_OK && import->table.problem_count == 0 && !import->is_dry) {
        status = send_all(import, false);
        import->is_done = status == CTL_OK && import->table.problem_count == 0;
    }
    return status;
}

/* Answers. */

static void show_problems(const struct import *import)
{
    for (size_t i = 0; i < import->table.problem_count && i < SHOWN_MAX; i++)
        fprintf(stderr, "%s:%u: %s\n", import->file, import->table.problems[i].line, import->table.problems[i].text);
    if (import->table.problem_count > SHOWN_MAX)
        fprintf(stderr, "%s: and %zu more\n", import->file, import->table.problem_count - SHOWN_MAX);
}

static void add_problems(const struct import *import, struct admin_output *output)
{
    admin_output_list(output, "problems");
    for (size_t i = 0; i < import->table.problem_count && i < SHOWN_MAX; i++) {
        admin_output_row(output);
        admin_output_int(output, "line", import->table.problems[i].line);
        admin_output_string(output, "problem", import->table.problems[i].text);
        admin_output_end(output);
    }
    admin_output_end(output);
    admin_output_int(output, "problem_count", (int64_t)import->table.problem_count);
}

static void show(const struct import *import)
{
    struct admin_output *output = admin_output_new();
    bool json = import->words->json;
    admin_output_string(output, "file", import->file);
    admin_output_int(output, "lines", (int64_t)json_array_size(import->table.rows));
    admin_output_bool(output, "dry_run", import->is_dry);
    admin_output_bool(output, "done", import->is_done);
    for (size_t i = 0; i < ACTS; i++)
        admin_output_int(output, acts[i], import->counts[i]);
    if (json)
        add_problems(import, output);
    else
        show_problems(import);
    ctl_state_show(output, json, stdout);
    admin_output_free(&output);
    if (import->is_done || import->is_dry)
        return;
    if (import->done > 0 && import->done < json_array_size(import->table.rows))
        fprintf(stderr,
                "posternctl: %zu of %zu lines were done before one could not be; the same import again does the rest\n",
                import->done, json_array_size(import->table.rows));
    else
        fputs("posternctl: nothing was changed\n", stderr);
}

static int import_file(struct import *import)
{
    size_t len = 0;
    char *text = read_all(import->file, &len);
    if (!text)
        return CTL_REFUSED;
    const char *format = import->words->options[FORMAT];
    const char *suffix = strrchr(import->file, '.');
    bool is_json = format ? strcmp(format, "json") == 0
                          : (suffix && strcmp(suffix, ".json") == 0) || text[strspn(text, " \t\r\n")] == '{';
    int read = is_json ? ctl_mapping_table_read_json(&import->table, text, len)
                       : ctl_mapping_table_read_csv(&import->table, text, len);
    free(text);
    if (read < 0) {
        show_problems(import);
        return CTL_REFUSED;
    }
    int status = run(import);
    if (status == CTL_OK) {
        show(import);
        status = import->table.problem_count > 0 ? CTL_REFUSED : CTL_OK;
    }
    return status;
}

int ctl_mapping_import(const struct ctl *ctl, int argc, char **argv)
{
    static const char *const names[] = {
        [FORMAT] = "--format", [DRY_RUN] = "--dry-run", [REOPEN] = "--reopen", [REASON] = "--reason", NULL
    };
    struct ctl_words words;
    struct import import = { .ctl = ctl, .words = &words };
    if (ctl_words_sort(ctl, argc - 2, argv + 2, names, 1, 1, CTL_IMPORT_USAGE, &words) < 0 ||
        ctl_words_flag(&words, DRY_RUN, names[DRY_RUN], CTL_IMPORT_USAGE, &import.is_dry) < 0 ||
        ctl_words_flag(&words, REOPEN, names[REOPEN], CTL_IMPORT_USAGE, &import.reopens) < 0)
        return CTL_USAGE;
    const char *format = words.options[FORMAT];
    if (format && strcmp(format, "json") != 0 && strcmp(format, "csv") != 0) {
        fputs("posternctl: --format takes csv or json\nusage: posternctl " CTL_IMPORT_USAGE "\n", stderr);
        return CTL_USAGE;
    }
    import.file = words.arguments[0];
    int status = import_file(&import);
    for (size_t i = 0; i < import.about_count; i++)
        free(import.abouts[i].text);
    free(import.abouts);
    ctl_mapping_table_clear(&import.table);
    return status;
}
