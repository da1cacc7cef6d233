/* strbuf.h - growing byte strings with a declared maximum
 *
 * Every composed text in Postern goes through one of these. The maximum is given at the start; an append that would
 * exceed it changes nothing and marks the buffer as overflowed for good: later appends change nothing either, so that
 * a sequence of appends is checked once, at the end, with strbuf_ok(). The content is always NUL-terminated (the NUL
 * does not count), and may contain NULs itself.
 */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct strbuf {
    char *data; /* never NULL after strbuf_init(); owned */
    size_t len; /* bytes in use, without the final NUL */
    size_t capacity;
    size_t max; /* longest len allowed */
    bool overflowed;
};

void strbuf_init(struct strbuf *buf, size_t max); /* allocates nothing yet; data points to "" */
void strbuf_free(struct strbuf *buf);             /* back to empty; may be called twice */
void strbuf_clear(struct strbuf *buf);            /* len 0, overflow forgotten, memory kept */
void strbuf_truncate(struct strbuf *buf, size_t len);
void strbuf_reserve(struct strbuf *buf, size_t more); /* memory for so many bytes at once, as far as the maximum goes */
bool strbuf_ok(const struct strbuf *buf);             /* false once anything did not fit */

void strbuf_add(struct strbuf *buf, const void *data, size_t len);
void strbuf_add_str(struct strbuf *buf, const char *text);
void strbuf_add_char(struct strbuf *buf, char c);
void strbuf_add_fmt(struct strbuf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strbuf_add_vfmt(struct strbuf *buf, const char *fmt, va_list args) __attribute__((format(printf, 2, 0)));

/* Hands the text over to the caller (free() it) and leaves the buffer empty. Never NULL. */
char *strbuf_detach(struct strbuf *buf) __attribute__((warn_unused_result));

/* A text for the caller to free(), composed at once; "" if it would be longer than max. Never NULL. */
char *strbuf_text(size_t max, const char *fmt, ...) __attribute__((format(printf, 2, 3), warn_unused_result));
char *strbuf_vtext(size_t max, const char *fmt, va_list args) __attribute__((format(printf, 2, 0), warn_unused_result));
