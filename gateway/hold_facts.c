/* hold_facts.c - see hold_facts.h
 *
 * Lines: Message-ID, digest in hexadecimal digits, subject, then the references. What a text has of control characters is a
 * space in it.
 */
#include "gateway/hold_facts.h"

#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"

static void add_line(const char *text, struct strbuf *out)
{
    for (const char *p = text; *p; p++)
        strbuf_add_char(out, (unsigned char)*p < ' ' ? ' ' : *p);
    strbuf_add_char(out, '\n');
}

void hold_facts_add(const struct hold_facts *facts, struct strbuf *out)
{
    add_line(facts->message_id ? facts->message_id : "", out);
    for (size_t i = 0; facts->has_digest && i < STORE_DIGEST_SIZE; i++)
        strbuf_add_fmt(out, "%02x", facts->digest[i]);
    strbuf_add_char(out, '\n');
    add_line(facts->subject, out);
    strbuf_add_str(out, facts->references);
}

static char *take_line(const char **at)
{
    const char *end = strchr(*at, '\n');
    if (!end)
        return NULL;
    char *line = xstrndup(*at, (size_t)(end - *at));
    *at = end + 1;
    return line;
}

static int digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = c ? strchr(digits, c) : NULL;
    return found ? (int)(found - digits) : -1;
}

static bool read_digest(const char *hex, struct hold_facts *facts)
{
    facts->has_digest = hex[0] != 0;
    if (facts->has_digest && strlen(hex) != (size_t)2 * STORE_DIGEST_SIZE)
        return false;
    for (size_t i = 0; facts->has_digest && i < STORE_DIGEST_SIZE; i++) {
        int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        facts->digest[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

int hold_facts_read(const char *text, struct hold_facts *facts_out)
{
    *facts_out = (struct hold_facts){ .message_id = NULL };
    facts_out->message_id = take_line(&text);
    char *hex = facts_out->message_id ? take_line(&text) : NULL;
    facts_out->subject = hex ? take_line(&text) : NULL;
    bool ok = facts_out->subject && read_digest(hex, facts_out);
    free(hex);
    if (!ok) {
        hold_facts_free(facts_out);
        return 0;
    }
    facts_out->references = xstrdup(text);
    if (!facts_out->message_id[0]) {
        free(facts_out->message_id);
        facts_out->message_id = NULL;
    }
    return 1;
}

void hold_facts_free(struct hold_facts *facts)
{
    free(facts->message_id);
    free(facts->subject);
    free(facts->references);
    *facts = (struct hold_facts){ .message_id = NULL };
}
