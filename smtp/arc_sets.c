#include "smtp/arc_sets.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "smtp/dkim_tags.h"
#include "smtp/mail_header.h"

/* 1 to ARC_SETS_MAX; 0: another, or written in another way than everybody writes it. Whoever verified the chain may have passed over what
 * we would count. */
static size_t to_number(struct dkim_text text)
{
    uint64_t number;
    if (!text.data || text.len == 0 || text.data[0] == '0' || dkim_text_to_number(text, &number) != 1 ||
        number > ARC_SETS_MAX)
        return 0;
    return (size_t)number;
}

/* "i=N" in front of the results, and where what follows its ";" begins. 0: it is not there. */
static size_t read_number(const char *value, const char **rest_out)
{
    const char *end = strchr(value, ';');
    struct dkim_tags tags;
    if (!end || dkim_tags_parse(value, (size_t)(end - value), &tags) != 1 || tags.count != 1)
        return 0;
    *rest_out = end + 1;
    return to_number(dkim_tags_find(&tags, "i"));
}

static size_t read_seal(const char *value, char sealer_out[static SMTP_DOMAIN_MAX + 1])
{
    struct dkim_tags tags;
    if (dkim_tags_parse(value, strlen(value), &tags) != 1 ||
        dkim_text_to_domain(dkim_tags_find(&tags, "d"), 1, sealer_out) != 1)
        return 0;
    size_t number = to_number(dkim_tags_find(&tags, "i"));
    return dkim_text_is(dkim_tags_find(&tags, "cv"), number == 1 ? "none" : "pass") ? number : 0;
}

size_t arc_sets_read(const struct mail_header_facts *header, struct arc_set sets_out[static ARC_SETS_MAX])
{
    size_t count = header->arc_seal_count;
    memset(sets_out, 0, ARC_SETS_MAX * sizeof *sets_out);
    if (count == 0 || count > ARC_SETS_MAX || header->arc_result_count != count)
        return 0;
    for (size_t i = 0; i < count; i++) {
        char sealer[SMTP_DOMAIN_MAX + 1];
        const char *rest = NULL;
        size_t number = read_seal(header->arc_seals[i], sealer);
        if (number == 0 || number > count || sets_out[number - 1].sealer[0])
            return 0;
        memcpy(sets_out[number - 1].sealer, sealer, sizeof sealer);
        number = read_number(header->arc_results[i], &rest);
        if (number == 0 || number > count || sets_out[number - 1].results)
            return 0;
        sets_out[number - 1].results = rest;
    }
    return count;
}

static bool is_trusted(const char *sealer, const char *const *sealers, size_t sealer_count)
{
    for (size_t i = 0; i < sealer_count; i++)
        if (strcmp(sealers[i], sealer) == 0)
            return true;
    return false;
}

const struct arc_set *arc_sets_find_trusted(const struct arc_set *sets, size_t count, const char *const *sealers,
                                            size_t sealer_count)
{
    const struct arc_set *oldest = NULL;
    while (count > 0 && is_trusted(sets[count - 1].sealer, sealers, sealer_count))
        oldest = &sets[--count];
    return oldest;
}
