/* returns_match.c - see returns_match.h */
#include "gateway/returns_match.h"

#include <string.h>
#include <strings.h>

#include "smtp/smtp_address.h"

/* A report may name as many addresses as a message has recipients, each of which is compared with each: so what can't be the
 * same is not parsed. Both are as smtp_address_format() writes them, so their local parts differ in case at most. */
static bool is_same(const char *a, const char *b)
{
    struct smtp_address left, right;
    const char *at = strrchr(a, '@');
    size_t len = at ? (size_t)(at - a) + 1 : 0;
    return len > 0 && strncasecmp(a, b, len) == 0 && smtp_address_parse(a, strlen(a), &left) == 1 &&
           smtp_address_parse(b, strlen(b), &right) == 1 && smtp_address_equal(&left, &right);
}

static int find(const struct store_outbound *row, const char *address)
{
    for (size_t i = 0; address[0] && i < row->recipient_count; i++)
        if (is_same(row->recipients[i].address, address))
            return (int)i;
    return -1;
}

int returns_match(const struct store_outbound *row, unsigned place, const struct convert_report_recipient *reported)
{
    if (place > 0)
        return place <= row->recipient_count ? (int)place - 1 : -1;
    int found = find(row, reported->original);
    return found >= 0 ? found : find(row, reported->address);
}

bool returns_match_is_elsewhere(const struct store_outbound_recipient *recipient,
                                const struct convert_report_recipient *reported)
{
    return reported->address[0] && !is_same(recipient->address, reported->address);
}
