/* smtp_reply.h - replies: code, enhanced status code, text (RFC 5321 section 4.2, RFC 3463) */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct strbuf;

enum { SMTP_REPLY_TEXT_MAX = 400, SMTP_ENHANCED_MAX = 12, SMTP_REPLY_LINES_MAX = 128 };

struct smtp_reply {
    int code;                         /* 200..599 */
    char enhanced[SMTP_ENHANCED_MAX]; /* "5.7.1"; "" when there is none */
    /* Printable, single line; lines of a multi-line reply are joined by " / " when received. */
    char text[SMTP_REPLY_TEXT_MAX + 1];
    unsigned lines; /* read so far; only smtp_reply_parse_line() uses it */
};

struct smtp_reply smtp_reply_make(int code, const char *enhanced, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
bool smtp_reply_is_positive(const struct smtp_reply *reply);  /* 2xx, 3xx */
bool smtp_reply_is_temporary(const struct smtp_reply *reply); /* 4xx */
/* Appends "250 2.1.0 text\r\n" of at most 512 octets; the text is cut if need be. Control characters in it, and what would
 * steer a display, become '?', and what is not ASCII "\x{E4}" as in RFC 6533 section 3. */
void smtp_reply_compose(const struct smtp_reply *reply, struct strbuf *out);
/* The same for a client that has said SMTPUTF8 (RFC 6531 section 3.5): the text stays UTF-8. */
void smtp_reply_compose_utf8(const struct smtp_reply *reply, struct strbuf *out);
/* Appends "250-first\r\n250 last\r\n"; lines are ASCII and short. enhanced as in smtp_reply_make(). */
void smtp_reply_compose_lines(int code, const char *enhanced, const char *const *lines, size_t count,
                              struct strbuf *out);

/* Reading replies line by line (without CRLF). 1 last line of a reply, 0 more lines follow, -1 not a reply or over
 * SMTP_REPLY_LINES_MAX. *reply starts zeroed and accumulates. */
int smtp_reply_parse_line(const char *line, size_t len, struct smtp_reply *reply) __attribute__((warn_unused_result));
