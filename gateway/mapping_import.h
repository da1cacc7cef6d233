/* mapping_import.h - mappings as lines of a table: what a line asks for, and doing it
 *
 * The columns (posternctl(1) has them) are `address` and `member`, as `mapping add` takes them; `state`; and the limits by the names that the command line's
 * options have, with '_' for '-', and their words. A limit that is empty is not said: as it is, or, of a new mapping, the
 * standard. But an empty `note` is an empty note.
 *
 * A line is done by mapping_change.h, the one place that changes mappings: the audit log has a row for each change.
 *
 *   state says    there is none   requested      approved       suspended     denied, revoked   expired
 *   approved, ""  added           approved       limits         resumed *     added *           added
 *   suspended     added, susp.    -              suspended      limits        added, susp. *    added, susp.
 *   requested     requested       limits         nothing        nothing       requested *       requested
 *   denied        blocked         denied         revoked        revoked       nothing           blocked
 *   revoked       blocked         denied         revoked        revoked       nothing           blocked
 *   expired       nothing, whatever there is: its time is over
 *
 * What is marked with * opens what somebody has shut: it is done only when that was said (`reopens`), else the line is wrong. So is what has
 * "-": a request is decided about before. An approved or suspended line whose time is past does nothing.
 */
#pragma once
#include "gateway/mapping_change.h"

struct mapping_options;

/* In the order of mapping_option_names. */
enum { MAPPING_IMPORT_LIMITS = 9 };

/* One line. Borrowed; NULL: the table has no such column. */
struct mapping_import_line {
    unsigned line;
    const char *address, *member, *state, *reason;
    const char *limits[MAPPING_IMPORT_LIMITS];
};

/* What it came to. */
struct mapping_import_result {
    const char *act; /* "add", "approve", "resume", "change", "suspend", "request", "block", "none"; "wrong" */
    char *problem;   /* of "wrong": why, for people */
    char *address;   /* as it is stored; NULL: it is none */
    struct store_target target;
};
void mapping_import_result_clear(struct mapping_import_result *result);

/* Inside a store operation. change->reason is used where the line has none. 1 done, or nothing to do; 0 the line is wrong: nothing is to be
 * kept of the operation; -1 database error. */
int mapping_import_apply(struct store_db *db, const struct mapping_change *change,
                         const struct mapping_import_line *line, bool reopens, struct mapping_import_result *result_out)
    __attribute__((warn_unused_result));
