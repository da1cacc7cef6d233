/* mapping_options.c - see mapping_options.h */
#include "gateway/mapping_options.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/attachment_rule.h"
#include "gateway/config.h"

enum { DAILY_MAX = 1000000, SIZE_MIN = 1024, DAY_LEN = 10 };

static bool take_direction(struct mapping_options *options, const char *value, int64_t now)
{
    (void)now;
    options->limits.has_direction = true;
    return store_direction_parse(value, &options->limits.direction);
}

static bool take_expiry(struct mapping_options *options, const char *value, int64_t now)
{
    struct strbuf full;
    options->limits.has_expiry = true;
    options->limits.expires_at = 0;
    if (strcmp(value, "never") == 0)
        return true;
    strbuf_init(&full, 40);
    strbuf_add_fmt(&full, strlen(value) == DAY_LEN ? "%sT23:59:59.999Z" : "%s", value);
    bool is_good = strbuf_ok(&full) && clock_parse_rfc3339(full.data, &options->limits.expires_at) == 1 &&
                   options->limits.expires_at > now;
    strbuf_free(&full);
    return is_good;
}

static bool take_daily(struct mapping_options *options, const char *value, int64_t now)
{
    char *end;
    (void)now;
    options->limits.has_daily = true;
    options->limits.daily = 0;
    if (strcmp(value, "none") == 0)
        return true;
    options->limits.daily = strtoll(value, &end, 10);
    return value[0] >= '0' && value[0] <= '9' && !*end && options->limits.daily >= 1 &&
           options->limits.daily <= DAILY_MAX;
}

static bool take_max_size(struct mapping_options *options, const char *value, int64_t now)
{
    (void)now;
    options->limits.has_max_size = true;
    options->limits.max_size = 0;
    return strcmp(value, "none") == 0 ||
           (config_parse_size(value, &options->limits.max_size) == 1 && options->limits.max_size >= SIZE_MIN);
}

static bool take_proof(struct mapping_options *options, const char *value, int64_t now)
{
    (void)now;
    options->limits.has_proof = true;
    return store_proof_parse(value, &options->limits.proof);
}

static bool take_subaddresses(struct mapping_options *options, const char *value, int64_t now)
{
    (void)now;
    options->limits.has_subaddresses = true;
    options->limits.subaddresses = strcmp(value, "yes") == 0;
    return options->limits.subaddresses || strcmp(value, "no") == 0;
}

static bool take_invite(struct mapping_options *options, const char *value, int64_t now)
{
    (void)now;
    options->limits.has_invites = true;
    options->limits.invites = strcmp(value, "yes") == 0;
    return options->limits.invites || strcmp(value, "no") == 0;
}

static bool take_note(struct mapping_options *options, const char *value, int64_t now)
{
    (void)now;
    free(options->note);
    options->note = xstrdup(value);
    options->limits.has_note = true;
    options->limits.note = options->note;
    return strlen(value) <= MAPPING_NOTE_MAX;
}

static const struct option {
    const char *name, *expected;
    bool (*take)(struct mapping_options *options, const char *value, int64_t now);
} table[] = {
    { "direction", "in, out or both", take_direction },
    { "expires", "a future date such as 2027-01-31, or never", take_expiry },
    { "daily", "a number from 1 to 1000000, or none", take_daily },
    { "max-size", "a size of at least 1K, such as 512K or 10M, or none", take_max_size },
    { "proof", "dmarc, dkim, none or default", take_proof },
    { "subaddresses", "yes or no", take_subaddresses },
    { "invite", "yes or no", take_invite },
    { "note", "at most 1000 bytes", take_note },
};

const char *const mapping_option_names[] = { "direction", "expires",      "daily",  "max-size", "attachments",
                                             "proof",     "subaddresses", "invite", "note",     NULL };

static int take_attachments(struct mapping_options *options, const char *value, struct strbuf *wrong)
{
    struct strbuf why;
    strbuf_init(&why, 400);
    attachment_rule_free(&options->attachments);
    options->attachments = attachment_rule_new(value, &why);
    if (!options->attachments)
        strbuf_add_fmt(wrong, "--attachments takes yes, no or a list such as .pdf,image/*; %s", why.data);
    strbuf_free(&why);
    if (!options->attachments)
        return -1;
    options->limits.has_attachments = true;
    options->limits.attachments = attachment_rule_text(options->attachments);
    return 1;
}

int mapping_options_set(struct mapping_options *options, const char *name, const char *value, int64_t now,
                        struct strbuf *wrong_out)
{
    if (strcmp(name, "attachments") == 0)
        return take_attachments(options, value, wrong_out);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(name, table[i].name) != 0)
            continue;
        if (table[i].take(options, value, now))
            return 1;
        strbuf_add_fmt(wrong_out, "--%s takes %s", name, table[i].expected);
        return -1;
    }
    strbuf_add_fmt(wrong_out, "a mapping has no \"%s\"", name);
    return -1;
}

void mapping_options_clear(struct mapping_options *options)
{
    attachment_rule_free(&options->attachments);
    free(options->note);
    *options = (struct mapping_options){ .note = NULL };
}
