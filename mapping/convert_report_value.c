#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_report_internal.h"
#include "mapping/convert_transfer.h"
#include "mapping/convert_utf8.h"
#include "mapping/convert_wire.h"
#include "smtp/smtp_address.h"

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " \t");
}

bool convert_report_is_address(const char *text)
{
    struct smtp_address address;
    return smtp_address_parse(text, strlen(text), &address) == 1;
}

static size_t status_len(const char *text)
{
    size_t len = 1;
    if (!strchr("245", *text) || *text == '\0')
        return 0;
    for (int i = 0; i < 2; i++) {
        size_t digits = text[len] == '.' ? strspn(text + len + 1, "0123456789") : 0;
        if (digits == 0 || digits > 3)
            return 0;
        len += 1 + digits;
    }
    bool goes_on = text[len] == '.' && isdigit((unsigned char)text[len + 1]); /* an IP address */
    return goes_on ? 0 : len;
}

bool convert_report_is_status(const char *text)
{
    size_t len = status_len(text);
    return len > 0 && text[len] == '\0';
}

bool convert_report_is_host(const char *text)
{
    for (const char *c = text; *c; c++) {
        if (!isalnum((unsigned char)*c) && !strchr(".:-_[]", *c))
            return false;
    }
    return *text != '\0';
}

/* ---- addresses ---- */

char *convert_report_mailbox(const char *text, size_t len)
{
    struct smtp_address address;
    char formatted[SMTP_ADDRESS_MAX + 2];
    if (len > SMTP_ADDRESS_MAX || smtp_address_parse(text, len, &address) != 1)
        return xstrdup("");
    smtp_address_format(&address, formatted);
    bool shows = convert_wire_is_clean(formatted, strlen(formatted)) && strlen(formatted) <= SMTP_ADDRESS_MAX;
    return xstrdup(shows ? formatted : "");
}

/* "\x{E4}" is a character (RFC 6533 section 3). What is none stays as it is. */
static char *decode_unicode(const char *text)
{
    enum { HEX_MAX = 6 };
    struct strbuf out;
    strbuf_init(&out, strlen(text) + 1);
    while (*text) {
        size_t digits = strncmp(text, "\\x{", 3) == 0 ? strspn(text + 3, "0123456789ABCDEFabcdef") : 0;
        if (digits > 0 && digits <= HEX_MAX && text[3 + digits] == '}') {
            convert_utf8_add(&out, (uint32_t)strtoul(text + 3, NULL, 16));
            text += digits + 4;
        } else {
            strbuf_add_char(&out, *text++);
        }
    }
    return strbuf_detach(&out);
}

/* Where the value begins behind its type: "rfc822; ", "dns;", "smtp;". A type is one word. */
static const char *behind_type(const char *text)
{
    enum { TYPE_MAX = 32 };
    size_t len = 0;
    while (len < TYPE_MAX && (isalnum((unsigned char)text[len]) || text[len] == '-' || text[len] == '_'))
        len++;
    const char *mark = skip_blanks(text + len);
    return len > 0 && *mark == ';' ? skip_blanks(mark + 1) : text;
}

char *convert_report_address(const char *text)
{
    text = skip_blanks(text);
    const char *value = behind_type(text);
    char *decoded = strncasecmp(text, "utf-8", 5) == 0 && value != text ? decode_unicode(value) : xstrdup(value);
    size_t len = strlen(decoded);
    const char *start = decoded;
    const char *close = start[0] == '<' ? strrchr(start, '>') : NULL;
    if (close) {
        start++;
        len = (size_t)(close - start);
    }
    char *address = convert_report_mailbox(start, len);
    if (!*address && !close && *start != '"') { /* a comment or a name behind it */
        free(address);
        address = convert_report_mailbox(start, strcspn(start, " \t("));
    }
    free(decoded);
    return address;
}

char *convert_report_host(const char *text)
{
    text = behind_type(skip_blanks(text));
    size_t len = strcspn(text, " \t(;,");
    if (len > 0 && text[len - 1] == '.')
        len--;
    char *host = xstrndup(text, len);
    if (len <= CONVERT_REPORT_HOST_MAX && convert_report_is_host(host))
        return host;
    free(host);
    return xstrdup("");
}

/* ---- codes ---- */

char *convert_report_diagnostic(const char *text)
{
    text = behind_type(skip_blanks(text));
    return convert_utf8_one_line(text, strlen(text), CONVERT_REPORT_DIAGNOSTIC_MAX);
}

char *convert_report_status(const char *text)
{
    text = skip_blanks(text);
    return xstrndup(text, status_len(text));
}

/* Length of "550 " or "550-" at text, a reply that means failure; 0 when there is none. */
static size_t reply_code_len(const char *text)
{
    bool is_code =
        (text[0] == '4' || text[0] == '5') && text[1] >= '0' && text[1] <= '5' && isdigit((unsigned char)text[2]);
    return is_code && (text[3] == ' ' || text[3] == '-' || text[3] == '\0') ? 3 : 0;
}

/* How much speaks for the code at text + at, of the class c: nothing, its place, or a reply before it. */
static unsigned weigh_status(const char *text, size_t at)
{
    if (at == 0 || text[at - 1] == '#')
        return 2;
    if (at >= 4 && reply_code_len(text + at - 4) > 0 && text[at - 4] == text[at] &&
        (at == 4 || !isalnum((unsigned char)text[at - 5])))
        return 3;
    bool is_release = at >= 8 && strncasecmp(text + at - 8, "version ", 8) == 0;
    return strchr(" (<[\"':", text[at - 1]) && !is_release ? 1 : 0;
}

/* A reply is at the start, or behind what introduces it: "said: 550 no", "<<< 550", "'550 no'". */
static bool is_reply_place(const char *text, size_t at)
{
    if (at == 0)
        return true;
    char before = text[at - 1];
    return strchr("#'\"(", before) || (before == ' ' && at >= 2 && strchr(":<;-", text[at - 2]));
}

bool convert_report_is_reply(const char *text, size_t at)
{
    return reply_code_len(text + at) > 0 && is_reply_place(text, at);
}

char *convert_report_status_from(const char *diagnostic)
{
    size_t best_at = 0, best_len = 0;
    unsigned best = 0;
    char reply_class = '\0';
    for (size_t i = 0; diagnostic[i]; i++) {
        size_t len = status_len(diagnostic + i);
        unsigned weight = len > 0 ? weigh_status(diagnostic, i) : 0;
        if (weight > best) {
            best = weight;
            best_at = i;
            best_len = len;
        }
        if (!reply_class && convert_report_is_reply(diagnostic, i))
            reply_class = diagnostic[i];
    }
    if (best > 0)
        return xstrndup(diagnostic + best_at, best_len);
    return xstrdup(reply_class == '5' ? "5.0.0" : reply_class == '4' ? "4.0.0" : "");
}

bool convert_report_action_parse(const char *text, enum convert_report_action *action_out)
{
    static const char *const names[] = {
        [CONVERT_REPORT_FAILED] = "failed",       [CONVERT_REPORT_DELAYED] = "delayed",
        [CONVERT_REPORT_DELIVERED] = "delivered", [CONVERT_REPORT_RELAYED] = "relayed",
        [CONVERT_REPORT_EXPANDED] = "expanded",
    };
    text = skip_blanks(text);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        size_t len = strlen(names[i]);
        if (strncasecmp(text, names[i], len) == 0 && !isalnum((unsigned char)text[len])) {
            *action_out = (enum convert_report_action)i;
            return true;
        }
    }
    return false;
}

/* ---- ids and dates ---- */

char *convert_report_message_id(const char *text)
{
    const char *start = strchr(text, '<');
    size_t len;
    if (start) {
        start++;
        len = strcspn(start, "> \t");
        if (start[len] != '>')
            len = 0;
    } else {
        start = skip_blanks(text);
        len = strcspn(start, " \t");
        if (!memchr(start, '@', len))
            len = 0;
    }
    bool good = len > 0 && len <= CONVERT_REPORT_MESSAGE_ID_MAX && convert_wire_is_clean(start, len);
    return xstrndup(start, good ? len : 0);
}

/* A number of at most `digits` digits; -1 when there is none. */
static int get_number(const char **text, size_t digits)
{
    *text = skip_blanks(*text);
    size_t len = strspn(*text, "0123456789");
    if (len == 0 || len > digits)
        return -1;
    int value = (int)strtol(*text, NULL, 10);
    *text += len;
    return value;
}

static int get_month(const char **text)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    *text = skip_blanks(*text);
    for (int i = 0; i < 12; i++) {
        if (strncasecmp(*text, months + 3 * (size_t)i, 3) == 0) {
            *text += 3;
            return i;
        }
    }
    return -1;
}

/* Seconds east of UTC. A name says nothing that could be relied on, and means UTC mostly (RFC 5322 section 4.3). */
static int get_zone(const char *text)
{
    text = skip_blanks(text);
    if ((*text != '+' && *text != '-') || strspn(text + 1, "0123456789") != 4)
        return 0;
    int value = (int)strtol(text + 1, NULL, 10);
    int seconds = (value / 100 * 60 + value % 100) * 60;
    return *text == '-' ? -seconds : seconds;
}

/* From 1970 to the month (0 to 11). Not timegm(), which looks for files that the sandbox kills for. */
static int64_t days_before(int year, int month)
{
    static const int before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };
    int leaps = year - (month < 2); /* the last year whose 29 February has passed, if it has one */
    return (int64_t)365 * (year - 1970) + before[month] + leaps / 4 - leaps / 100 + leaps / 400 - 477;
}

int64_t convert_report_date(const char *text)
{
    text += strcspn(text, "0123456789"); /* the day of the week */
    int day = get_number(&text, 2);
    int month = day > 0 ? get_month(&text) : -1;
    int year = month >= 0 ? get_number(&text, 4) : -1;
    int hour = year >= 1970 ? get_number(&text, 2) : -1;
    int minute = hour >= 0 && *text == ':' && *++text ? get_number(&text, 2) : -1;
    int second = minute >= 0 && *text == ':' && *++text ? get_number(&text, 2) : 0;
    if (minute < 0 || second < 0 || day > 31 || hour > 23 || minute > 59 || second > 60)
        return 0;
    int64_t at = ((days_before(year, month) + day - 1) * 24 + hour) * 3600 + minute * 60 + second - get_zone(text);
    return at > 0 ? at * 1000 : 0;
}
