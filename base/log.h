/* log.h - one line per event that matters, in logfmt
 *
 *   2026-11-23T06:28:25.123Z level=info event=smtp.accepted id=17 from="bob@example.com" size=4096
 *
 * The log is the one thing that belongs to the process and not to a caller: it has one standard error. It
 * is therefore the only module with state of its own (level and sink), set once at start. May be called
 * from any thread. errno survives it. Never log message content or secrets.
 */
#pragma once
#include <stdbool.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

typedef void log_sink(enum log_level level, const char *line, void *ctx); /* line: without time and newline */

void log_set_level(enum log_level least);
void log_set_sink(log_sink *sink, void *ctx); /* NULL: standard error, with a time stamp (RFC 3339, UTC) */
bool log_enabled(enum log_level level);
bool log_level_parse(const char *text, enum log_level *level_out);

/* event: dotted lower-case name, "smtp.accepted". fmt: words "key=%conversion" separated by single spaces; a value may
 * mix text and conversions ("peer=%s:%u"). Conversions: %s %d %u %ld %lu %lld %llu %zu %zd %td %jd %x %c %.*s %% (and
 * PRId64 etc.), without flags or width. Each value is quoted when it contains a space, quote, '=', backslash or is
 * empty; control characters and invalid UTF-8 become \xHH; in quoted values quote and backslash get a backslash before
 * them; a value is cut at 1,000 bytes (marked with "..."). A NULL string is printed as "-". fmt may be "" for no
 * values. A line ends at 32 KiB. */
void log_event(enum log_level level, const char *event, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#define log_debug(...)   log_event(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...)    log_event(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warning(...) log_event(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_error(...)   log_event(LOG_LEVEL_ERROR, __VA_ARGS__)
