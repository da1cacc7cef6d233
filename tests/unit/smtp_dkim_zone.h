/* smtp_dkim_zone.h - DNS records as a table, for the tests of those who check signatures */
#pragma once
#include <string.h>

#include "base/dns.h"

struct zone_row {
    const char *name; /* NULL: the end */
    enum dns_outcome outcome;
    const char *records[3]; /* TXT; NULL: no more */
};

struct zone {
    const struct zone_row *rows;
    unsigned asked;
    struct dns_record records[3];
    struct dns_answer answer;
};

/* A dns_ask(); ctx: struct zone. What is not there is DNS_NO_NAME. */
static inline const struct dns_answer *zone_ask(const char *name, enum dns_type type, void *ctx)
{
    struct zone *zone = ctx;
    zone->asked++;
    zone->answer = (struct dns_answer){ .outcome = DNS_NO_NAME };
    for (const struct zone_row *row = zone->rows; row->name && type == DNS_TXT; row++) {
        if (strcmp(row->name, name) != 0)
            continue;
        zone->answer = (struct dns_answer){ .outcome = row->outcome, .records = zone->records };
        while (zone->answer.count < 3 && row->records[zone->answer.count]) {
            const char *text = row->records[zone->answer.count];
            zone->records[zone->answer.count++] = (struct dns_record){ .len = strlen(text), .data = text };
        }
    }
    return &zone->answer;
}
