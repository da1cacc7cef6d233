#include "smtp/mail_header.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/digest.h"
#include "base/xmalloc.h"

enum { NAME_MAX_SIZE = 32 }; /* longer than every name in trace_fields */

enum digest_state {
    AT_NAME,  /* at the start of a header line, or in a field name that may yet be a trace field's: held back */
    IN_FIELD, /* in the rest of a line that counts */
    IN_TRACE, /* in the rest of a line that does not */
    IN_BODY,  /* everything counts */
};

struct mail_digest {
    struct digest *digest;
    enum digest_state state;
    bool last_field_is_trace; /* whose continuation lines do not count either */
    char name[NAME_MAX_SIZE]; /* what is held back */
    size_t name_len;
};

/* What every relay, and every attempt, writes anew. */
static const char *const trace_fields[] = {
    "Received", "Return-Path", "Delivered-To", "X-Original-To", "Authentication-Results", "Received-SPF",
};

struct mail_digest *mail_digest_new(void)
{
    struct mail_digest *digest = xcalloc(1, sizeof *digest);
    digest->digest = digest_new();
    digest->state = AT_NAME;
    return digest;
}

static void add_held_back(struct mail_digest *digest)
{
    digest_add(digest->digest, digest->name, digest->name_len);
    digest->name_len = 0;
}

static bool is_trace_field(const char *name, size_t len)
{
    while (len > 0 && (name[len - 1] == ' ' || name[len - 1] == '\t'))
        len--;
    for (size_t i = 0; i < sizeof trace_fields / sizeof trace_fields[0]; i++) {
        if (strlen(trace_fields[i]) == len && strncasecmp(trace_fields[i], name, len) == 0)
            return true;
    }
    return false;
}

/* Takes the start of a line octet by octet until it is clear what line it is. */
static void take_name(struct mail_digest *digest, char c)
{
    bool is_continuation = digest->name_len == 0 && (c == ' ' || c == '\t');
    if (c == ':') {
        digest->last_field_is_trace = is_trace_field(digest->name, digest->name_len);
    } else if (!is_continuation) {
        digest->name[digest->name_len++] = c;
        if (c == '\n') {
            bool is_empty = digest->name_len == 1 || (digest->name_len == 2 && digest->name[0] == '\r');
            add_held_back(digest);
            digest->state = is_empty ? IN_BODY : AT_NAME;
            digest->last_field_is_trace = false;
            return;
        }
        if (digest->name_len < NAME_MAX_SIZE)
            return;
        digest->last_field_is_trace = false;
    }
    if (digest->last_field_is_trace) {
        digest->name_len = 0;
        digest->state = IN_TRACE;
        return;
    }
    add_held_back(digest);
    if (c == ':' || is_continuation)
        digest_add(digest->digest, &c, 1);
    digest->state = IN_FIELD;
}

void mail_digest_add(struct mail_digest *digest, const void *data, size_t len)
{
    const char *at = data;
    const char *end = at + len;
    while (at < end) {
        if (digest->state == IN_BODY) {
            digest_add(digest->digest, at, (size_t)(end - at));
            return;
        }
        if (digest->state == AT_NAME) {
            take_name(digest, *at++);
            continue;
        }
        const char *lf = memchr(at, '\n', (size_t)(end - at));
        const char *line_end = lf == NULL ? end : lf + 1;
        if (digest->state == IN_FIELD)
            digest_add(digest->digest, at, (size_t)(line_end - at));
        if (lf != NULL)
            digest->state = AT_NAME;
        at = line_end;
    }
}

void mail_digest_finish(struct mail_digest **digest, uint8_t result_out[static 32])
{
    add_held_back(*digest);
    digest_finish(&(*digest)->digest, result_out);
    free(*digest);
    *digest = NULL;
}

void mail_digest_free(struct mail_digest **digest)
{
    if (*digest == NULL)
        return;
    digest_free(&(*digest)->digest);
    free(*digest);
    *digest = NULL;
}
