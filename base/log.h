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
#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

typedef void log_sink(enum log_level level, const char *line, void *ctx); /* line: without time and newline */

enum log_target {
    LOG_TARGET_STDERR, /* with a time stamp (RFC 3339, UTC); where that is the journal's, with its priority instead, "<6>" */
    LOG_TARGET_JOURNAL, /* with fields: POSTERN_EVENT, and of each key POSTERN_KEY */
    LOG_TARGET_SYSLOG,  /* facility mail */
    LOG_TARGET_AUTO, /* the journal where standard error is the journal's (systemd.exec(5), JOURNAL_STREAM); else that */
};

/* The daemon at its start; other programs write to standard error without. socket: of the journal or of syslog; NULL: the usual
 * one. What a socket does not take for another reason than being full goes to standard error.
 * Whoever reads the log may stall, and nothing here waits for that: up to 1 MiB of lines waits in memory, more is dropped, as is
 * what can't be written (a full disk), and event log.dropped says how many lines were. */
void log_open(enum log_target target, const char *socket);
bool log_flush(void); /* what waits goes as far as it is taken, now; false: some still waits. Never blocks */
uint64_t log_dropped(void);
#define LOG_EVENT_DROPPED "log.dropped" /* key count: lines since the last such event */

uint64_t log_lines(enum log_level level); /* that were written, or dropped, since the start */

void log_set_level(enum log_level least);
enum log_level log_get_level(void);
void log_set_sink(log_sink *sink, void *ctx); /* instead of the target; NULL: no more */
bool log_enabled(enum log_level level);
bool log_level_parse(const char *text, enum log_level *level_out);
const char *log_level_name(enum log_level level);

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
