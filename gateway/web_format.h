/* web_format.h - times, sizes and spans as people read them
 *
 * Times of verbs are RFC 3339 in UTC; pages show them in UTC as well, to the minute. Pure functions; the macros' results live to the end
 * of the block where they stand.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { WEB_FORMAT_SIZE = 40 };
#define WEB_BUFFER ((char[WEB_FORMAT_SIZE]){ 0 })

#define WEB_BYTES(bytes) web_format_bytes((bytes), WEB_BUFFER)
const char *web_format_bytes(int64_t bytes, char buf[static WEB_FORMAT_SIZE]); /* "35 MiB", "1.2 KiB", "17 bytes" */
#define WEB_COUNT(number) web_format_count((number), WEB_BUFFER)
const char *web_format_count(int64_t number,
                             char buf[static WEB_FORMAT_SIZE]); /* "1 234 567", by narrow no-break spaces */
#define WEB_SPAN(ms) web_format_span((ms), WEB_BUFFER)
const char *web_format_span(int64_t ms,
                            char buf[static WEB_FORMAT_SIZE]); /* "3 days", "4 h 12 min", "35 s", "120 ms" */
#define WEB_TIME(rfc3339) web_format_time((rfc3339), WEB_BUFFER)
const char *web_format_time(const char *rfc3339, char buf[static WEB_FORMAT_SIZE]); /* "2026-11-26 13:04"; NULL: "" */
/* "5 min ago", "in 3 days", "now". NULL or no time: "". */
#define WEB_AGO(rfc3339, now) web_format_ago((rfc3339), (now), WEB_BUFFER)
const char *web_format_ago(const char *rfc3339, int64_t now, char buf[static WEB_FORMAT_SIZE]);
