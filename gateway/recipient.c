/* recipient.c - see recipient.h */
#include "gateway/recipient.h"

#include "base/clock.h"
#include "gateway/config.h"
#include "gateway/parts.h"
#include "gateway/target.h"
#include "mapping/store_mapping.h"

struct policy_verdict recipient_judge(const struct parts *parts, const char *sender,
                                      const struct smtp_address *recipient, struct store_target *target_out)
{
    struct store_db *db = store_reader(parts->store);
    char address[SMTP_ADDRESS_MAX + 2];
    smtp_address_format(recipient, address);
    *target_out = (struct store_target){ 0 };

    struct policy_recipient_facts facts = {
        .sender = sender,
        .recipient = address,
        .domain = recipient->domain,
        .our_domain = parts->config->domain,
    };
    if (smtp_domain_equal(facts.domain, facts.our_domain)) {
        struct target target;
        store_begin_reading(db);
        int found = target_find_by_address(db, recipient, &target);
        int open = found == 1 ? store_mapping_any_inbound(db, target.id, clock_wall_ms(parts->clock)) : 0;
        store_end_reading(db);
        facts.database_failed = found < 0 || open < 0;
        facts.recipient_exists = found == 1;
        facts.is_group = target.id.group_id;
        facts.is_reachable = target.is_reachable;
        facts.any_inbound_mapping = open == 1;
        if (found == 1)
            *target_out = target.id;
    }
    return policy_judge_recipient(&facts);
}
