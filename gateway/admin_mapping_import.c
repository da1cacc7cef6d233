/* admin_mapping_import.c - mapping export and import: mappings as rows of words, in pieces
 *
 * A piece is done as a whole or not at all, by one operation. Who has more rows than fit into one (posternctl does that)
 * asks for all pieces with --dry-run yes first, so that nothing is begun that has a mistake in it. Between pieces mail goes on.
 * A dry run does what it would do, and takes it back.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/log.h"
#include "base/xmalloc.h"
#include "gateway/admin_mapping.h"
#include "gateway/admin_output.h"
#include "gateway/config.h"
#include "gateway/gateway.h"
#include "gateway/mapping_import.h"
#include "gateway/mapping_options.h"
#include "gateway/parts.h"

/* Import. */

struct import {
    struct admin_request *request;
    json_t *document;
    struct mapping_import_line lines[ADMIN_IMPORT_ROWS_MAX];
    struct mapping_import_result results[ADMIN_IMPORT_ROWS_MAX];
    size_t count, done;
    bool is_dry, reopens;
    unsigned wrong;
    struct store_actor actor;
    struct mapping_change change;
};

static void import_free(struct import *import)
{
    for (size_t i = 0; i < import->count; i++)
        mapping_import_result_clear(&import->results[i]);
    json_decref(import->document);
    free(import);
}

/* 1; -1 after having answered. */
static int read_flag(struct admin_request *request, const char *name, bool *flag_out)
{
    const char *value = admin_option(request, name);
    *flag_out = value && strcmp(value, "yes") == 0;
    if (!value || *flag_out || strcmp(value, "no") == 0)
        return 1;
    admin_misused(request, "%s takes yes or no", name);
    return -1;
}

void admin_mapping_column(const char *option, char out[static ADMIN_MAPPING_COLUMN_SIZE])
{
    size_t i = 0;
    for (; option[i] && i + 1 < ADMIN_MAPPING_COLUMN_SIZE; i++)
        out[i] = (char)(option[i] == '-' ? '_' : option[i]);
    out[i] = 0;
}

static struct mapping_import_line read_row(const json_t *row, unsigned number)
{
    struct mapping_import_line line = { .line = (unsigned)json_integer_value(json_object_get(row, "line")),
                                        .address = json_string_value(json_object_get(row, "address")),
                                        .member = json_string_value(json_object_get(row, "member")),
                                        .state = json_string_value(json_object_get(row, "state")),
                                        .reason = json_string_value(json_object_get(row, "reason")) };
    for (size_t i = 0; i < MAPPING_IMPORT_LIMITS; i++) {
        char column[ADMIN_MAPPING_COLUMN_SIZE];
        admin_mapping_column(mapping_option_names[i], column);
        line.limits[i] = json_string_value(json_object_get(row, column));
    }
    if (!line.line)
        line.line = number;
    return line;
}

/* 1; -1 after having answered. */
static int read_rows(struct import *import)
{
    struct admin_request *request = import->request;
    import->document = request->input ? json_loads(request->input, JSON_REJECT_DUPLICATES, NULL) : NULL;
    const json_t *rows =
        json_is_array(import->document) ? import->document : json_object_get(import->document, "mappings");
    if (!json_is_array(rows)) {
        admin_misused(request, "the input has to be JSON: an array of mappings, or an object with one as \"mappings\"");
        return -1;
    }
    if (json_array_size(rows) > ADMIN_IMPORT_ROWS_MAX) {
        admin_refuse(request, "at most %d mappings at once", ADMIN_IMPORT_ROWS_MAX);
        return -1;
    }
    for (size_t i = 0; i < json_array_size(rows); i++)
        import->lines[i] = read_row(json_array_get(rows, i), (unsigned)i + 1);
    import->count = json_array_size(rows);
    return 1;
}

static bool is_same(const struct mapping_import_result *a, const struct mapping_import_result *b)
{
    return a->address && b->address && strcmp(a->address, b->address) == 0 &&
           a->target.member_id == b->target.member_id && a->target.group_id == b->target.group_id;
}

/* The second of two lines about the same is a mistake: nobody could say which counts. */
static void look_for_another(struct import *import, size_t at)
{
    struct mapping_import_result *result = &import->results[at];
    for (size_t i = 0; i < at; i++) {
        if (!is_same(&import->results[i], result))
            continue;
        char text[80];
        snprintf(text, sizeof text, "it is about the same as line %u", import->lines[i].line);
        free(result->problem);
        result->problem = xstrdup(text);
        result->act = "wrong";
        return;
    }
}

static int apply(struct store_db *db, void *arg)
{
    struct import *import = arg;
    for (; import->done < import->count; import->done++) {
        struct mapping_import_result *result = &import->results[import->done];
        if (mapping_import_apply(db, &import->change, &import->lines[import->done], import->reopens, result) < 0)
            return -1;
        look_for_another(import, import->done);
        import->wrong += strcmp(result->act, "wrong") == 0;
    }
    return import->is_dry || import->wrong > 0 ? 0 : 1;
}

static unsigned count_acts(const struct import *import, const char *act)
{
    unsigned count = 0;
    for (size_t i = 0; i < import->count; i++)
        count += strcmp(import->results[i].act, act) == 0;
    return count;
}

static void add_results(const struct import *import, bool is_done)
{
    static const char *const acts[] = { "add",     "approve", "resume", "change", "suspend",
                                        "request", "block",   "none",   "wrong" };
    struct admin_output *out = import->request->output;
    admin_output_bool(out, "dry_run", import->is_dry);
    admin_output_bool(out, "done", is_done);
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++)
        admin_output_int(out, acts[i], count_acts(import, acts[i]));
    admin_output_list(out, "lines");
    for (size_t i = 0; i < import->count; i++) {
        admin_output_row(out);
        admin_output_int(out, "line", import->lines[i].line);
        admin_output_string(out, "address", import->results[i].address);
        admin_output_string(out, "member", import->lines[i].member);
        admin_output_string(out, "act", import->results[i].act);
        admin_output_string(out, "problem", import->results[i].problem);
        admin_output_end(out);
    }
    admin_output_end(out);
}

static void applied(int result, void *arg)
{
    struct import *import = arg;
    struct admin_request *request = import->request;
    if (result == 1) {
        log_info("mapping.imported", "lines=%zu unchanged=%u actor=%s", import->count, count_acts(import, "none"),
                 request->actor);
        gateway_poke_silo(request->gateway);
        gateway_poke_queues(request->gateway);
    }
    if (result >= 0) {
        add_results(import, result == 1);
        admin_finish(request);
    } else {
        admin_database_error(request);
    }
    import_free(import);
}

void admin_mapping_import(struct admin_request *request)
{
    struct import *import = xcalloc(1, sizeof *import);
    const char *reason = admin_option(request, "--reason");
    import->request = request;
    import->actor = admin_actor(request);
    import->change = (struct mapping_change){ .actor = &import->actor,
                                              .reason = reason ? reason : "imported",
                                              .now = admin_now(request),
                                              .local_case = gateway_parts(request->gateway)->config->policy.local_parts,
                                              .hold = gateway_parts(request->gateway)->hold };
    if (read_flag(request, "--dry-run", &import->is_dry) < 0 || read_flag(request, "--reopen", &import->reopens) < 0 ||
        read_rows(import) < 0)
        import_free(import);
    else
        store_submit(gateway_parts(request->gateway)->store, apply, applied, import);
}

/* Export. */

struct exporting {
    struct admin_output *output;
    int64_t count, limit, last_id;
};

static void add_number(struct admin_output *out, const char *key, int64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, number);
    admin_output_string(out, key, number ? text : "none");
}

static void add_time(struct admin_output *out, const char *key, int64_t at, const char *when_none)
{
    if (at)
        admin_output_time(out, key, at);
    else
        admin_output_string(out, key, when_none);
}

/* What was superseded does not count any more, and is history, not a list to be brought elsewhere. */
static void add_mapping(const struct store_mapping *mapping, void *ctx)
{
    struct exporting *exporting = ctx;
    struct admin_output *out = exporting->output;
    if (++exporting->count > exporting->limit)
        return;
    exporting->last_id = mapping->id;
    if (mapping->is_superseded)
        return;
    admin_output_row(out);
    admin_output_int(out, "id", mapping->id);
    admin_output_string(out, "address", mapping->subject);
    admin_output_string(out, "member", mapping->target_name);
    admin_output_string(out, "state", store_mapping_state_name(mapping->state));
    admin_output_string(out, "direction", store_direction_name(mapping->direction));
    add_time(out, "expires", mapping->expires_at, "never");
    add_number(out, "daily", mapping->daily);
    add_number(out, "max_size", mapping->max_size);
    admin_output_string(out, "attachments", mapping->attachments);
    admin_output_string(out, "proof", store_proof_name(mapping->proof));
    admin_output_string(out, "subaddresses", mapping->subaddresses ? "yes" : "no");
    admin_output_string(out, "invite", mapping->invites && !mapping->invitation_id ? "yes" : "no");
    admin_output_string(out, "note", mapping->note);
    admin_output_string(out, "reason", mapping->reason);
    admin_output_string(out, "invited", mapping->invitation_id ? "yes" : "no");
    add_time(out, "created", mapping->created_at, "");
    admin_output_string(out, "created_by", mapping->created_by);
    add_time(out, "decided", mapping->decided_at, "");
    admin_output_string(out, "decided_by", mapping->decided_by);
    admin_output_end(out);
}

void admin_mapping_export(struct admin_request *request)
{
    struct store_mapping_filter filter = { .by_state = false };
    struct subject subject;
    struct exporting exporting = { .output = request->output };
    if (admin_mapping_filter(request, &filter, &subject) < 0)
        return;
    exporting.limit = filter.limit;
    filter.limit++; /* is there more? */
    admin_output_list(request->output, "mappings");
    int result = store_mapping_list(admin_reader(request), &filter, add_mapping, &exporting);
    admin_output_end(request->output);
    if (exporting.count > exporting.limit)
        admin_output_int(request->output, "more_after", exporting.last_id);
    admin_finish_read(request, result);
}
