/* web_format.c - see web_format.h */
#include "gateway/web_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR, MINUTE_LEN = 16, DATE_LEN = 10 };

static const char narrow_space[] = "\xE2\x80\xAF";

const char *web_format_bytes(int64_t bytes, char buf[static WEB_FORMAT_SIZE])
{
    static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
    double value = (double)bytes / 1024;
    size_t unit = 0;
    if (bytes < 1024) {
        snprintf(buf, WEB_FORMAT_SIZE, "%" PRId64 " byte%s", bytes, bytes == 1 ? "" : "s");
        return buf;
    }
    while (value >= 1023.5 && unit + 1 < sizeof units / sizeof units[0]) {
        value /= 1024;
        unit++;
    }
    snprintf(buf, WEB_FORMAT_SIZE, "%.*f %s", value < 9.95 ? 1 : 0, value, units[unit]);
    return buf;
}

const char *web_format_count(int64_t number, char buf[static WEB_FORMAT_SIZE])
{
    char digits[24];
    size_t used = 0, len = (size_t)snprintf(digits, sizeof digits, "%" PRId64, number);
    for (size_t i = 0; i < len && used + sizeof narrow_space < WEB_FORMAT_SIZE; i++) {
        if (i > 0 && (len - i) % 3 == 0 && digits[i - 1] != '-') {
            memcpy(buf + used, narrow_space, sizeof narrow_space - 1);
            used += sizeof narrow_space - 1;
        }
        buf[used++] = digits[i];
    }
    buf[used] = '\0';
    return buf;
}

const char *web_format_span(int64_t ms, char buf[static WEB_FORMAT_SIZE])
{
    if (ms < 0)
        ms = 0;
    if (ms < SECOND)
        snprintf(buf, WEB_FORMAT_SIZE, "%" PRId64 " ms", ms);
    else if (ms < 10 * SECOND && ms % SECOND != 0)
        snprintf(buf, WEB_FORMAT_SIZE, "%.1f s", (double)ms / SECOND);
    else if (ms < MINUTE)
        snprintf(buf, WEB_FORMAT_SIZE, "%" PRId64 " s", ms / SECOND);
    else if (ms < HOUR)
        snprintf(buf, WEB_FORMAT_SIZE, "%" PRId64 " min", ms / MINUTE);
    else if (ms < DAY && ms % HOUR >= MINUTE)
        snprintf(buf, WEB_FORMAT_SIZE, "%" PRId64 " h %" PRId64 " min", ms / HOUR, ms % HOUR / MINUTE);
    else if (ms < 2 * (int64_t)DAY)
        snprintf(buf, WEB_FORMAT_SIZE, "%" PRId64 " h", ms / HOUR);
    else
        snprintf(buf, WEB_FORMAT_SIZE, "%" PRId64 " days", ms / DAY);
    return buf;
}

const char *web_format_time(const char *rfc3339, char buf[static WEB_FORMAT_SIZE])
{
    int64_t at;
    if (!rfc3339 || clock_parse_rfc3339(rfc3339, &at) != 1)
        return "";
    char utc[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(at, utc);
    snprintf(buf, WEB_FORMAT_SIZE, "%.*s", MINUTE_LEN, utc);
    buf[DATE_LEN] = ' ';
    return buf;
}

const char *web_format_ago(const char *rfc3339, int64_t now, char buf[static WEB_FORMAT_SIZE])
{
    char span[WEB_FORMAT_SIZE];
    int64_t at;
    if (!rfc3339 || clock_parse_rfc3339(rfc3339, &at) != 1)
        return "";
    int64_t distance = now > at ? now - at : at - now;
    if (distance < SECOND)
        return "now";
    if (distance >= MINUTE && distance < DAY)
        distance -= distance % (distance < HOUR ? MINUTE : HOUR);
    else
        distance -= distance % SECOND;
    web_format_span(distance, span);
    if (now > at)
        snprintf(buf, WEB_FORMAT_SIZE, "%.30s ago", span);
    else
        snprintf(buf, WEB_FORMAT_SIZE, "in %.30s", span);
    return buf;
}
