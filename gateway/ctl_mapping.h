/* ctl_mapping.h - posternctl: mapping export and import, between files and the daemon's rows
 *
 * Files are CSV (csv.h) or JSON. Columns are those of mapping_import.h, in any order; what only an export has (id, invited, created, created_by,
 * decided, decided_by) is passed over by an import, and what it does not know is an error.
 */
#pragma once
#include "gateway/ctl.h"

#define CTL_EXPORT_USAGE                                                                                               \
    "mapping export [--format csv|json] [--state requested|approved|denied|suspended|revoked|expired] "                \
    "[--member ALIAS|GID|all]"
#define CTL_IMPORT_USAGE "mapping import FILE|- [--format csv|json] [--dry-run yes|no] [--reopen yes|no] [--reason T]"

ctl_verb ctl_mapping_export, ctl_mapping_import;

/* The columns, in the order in which they are written; NULL at the end. The first `CTL_MAPPING_READ` count when they are read. */
extern const char *const ctl_mapping_columns[];
enum { CTL_MAPPING_READ = 13 };
