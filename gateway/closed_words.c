/* closed_words.c - see closed_words.h */
#include "gateway/closed_words.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "mapping/convert_utf8.h"
#include "mapping/store_mapping.h"

enum { DAY_LEN = 10, REASON_MAX = 500 };

static const char *name_decider(const struct store_mapping *mapping, const char *reader)
{
    if (reader[0] && strcmp(mapping->decided_by, reader) == 0)
        return "by you";
    if (strcmp(mapping->decided_by, mapping->subject) == 0)
        return "at their own request";
    return strcmp(mapping->decided_by, "gateway") == 0 ? "by the gateway" : "by an administrator";
}

static void add_day(struct strbuf *out, const char *before, int64_t at)
{
    char text[CLOCK_RFC3339_SIZE];
    clock_format_rfc3339(at, text);
    strbuf_add_fmt(out, "%s%.*s", before, DAY_LEN, text);
}

void closed_words_add(struct strbuf *out, const struct store_mapping *mapping, const char *reason, const char *reader)
{
    strbuf_add_str(out, reason);
    if (!mapping || mapping->state == STORE_MAPPING_REQUESTED)
        return;
    if (mapping->state == STORE_MAPPING_EXPIRED || mapping->state == STORE_MAPPING_APPROVED) {
        if (mapping->expires_at)
            add_day(out, " on ", mapping->expires_at); /* else it is for one direction only, as the reason says */
        return;
    }
    if (mapping->decided_at) {
        add_day(out, mapping->state == STORE_MAPPING_SUSPENDED ? " since " : " on ", mapping->decided_at);
        strbuf_add_fmt(out, " %s", name_decider(mapping, reader));
    }
    char *why = convert_utf8_one_line(mapping->reason, strlen(mapping->reason), REASON_MAX);
    if (why[0])
        strbuf_add_fmt(out, ": %s", why);
    free(why);
}
