/* returns_internal.h - what the source files of returns share; nobody else includes it
 *
 *   returns.c        an entry from its start to its end
 *   returns_match.c  which recipient a report is about
 *   returns_note.c   the commit: noted, told, settled
 */
#pragma once
#include "gateway/returns.h"
#include "mapping/convert_report.h"
#include <stdint.h>

struct store_db;

struct returned {
    int64_t id; /* the inbound entry */
    int64_t now;
    bool is_unreadable; /* else report is what it says */
    struct convert_report_result report;
    bool has_added; /* result: something for the silo */
};
/* Writer only. 1 also when the entry was held or dropped meanwhile; -1. */
int returns_note(struct store_db *db, struct returned *returned) __attribute__((warn_unused_result));
