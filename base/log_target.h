/* log_target.h - where the lines of the log go, without ever waiting for whoever reads them (private to base/)
 *
 * What a target does not take at once waits in memory, at most LOG_WAITING_MAX bytes, and goes first with the next line or
 * log_flush(); lines that find no room there are dropped and counted, and the first that is taken again is log.dropped with
 * their number. A regular file is written to as files are.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/log.h"

enum { LOG_WAITING_MAX = 1024 * 1024 };

struct log_record {
    enum log_level level;
    const char *line; /* without time and newline */
    size_t line_len;
    const char *fields; /* of the journal: lines NAME=value. Only when log_target_wants_fields() */
    size_t fields_len;
};

/* Any thread, all of these. */
bool log_target_wants_fields(void);
void log_target_write(const struct log_record *record);
