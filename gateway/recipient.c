/* recipient.c - see recipient.h */
#include "gateway/recipient.h"

#include "base/clock.h"
#include "gateway/config.h"
#include "gateway/pair.h"
#include "gateway/parts.h"
#include "gateway/returns.h"
#include "gateway/target.h"
#include "mapping/store_mapping.h"
#include "mapping/store_queue.h"
#include "mapping/store_returned.h"

/* 1: as much has come back about a message as is looked at; 0; -1. */
static int is_full(struct store_db *db, int64_t outbound_id)
{
    int64_t recipients, count;
    if (store_outbound_count_recipients(db, outbound_id, &recipients) != 1)
        return -1;
    int64_t most = returns_most((size_t)recipients);
    return store_returned_count(db, outbound_id, INT64_MAX, most, &count) != 1 ? -1 : count >= most;
}

/* An address to be removed by becomes the return address of the invitation that it was in: what comes to either is about that.
 * 1, 0 there is no such invitation, -1. */
static int find_invitation(struct store_db *db, struct signed_return *about)
{
    struct store_mapping mapping;
    int found = about->place == SIGNED_ID_REMOVAL ? store_mapping_find(db, about->outbound_id, &mapping) : 0;
    if (found != 1)
        return about->place == SIGNED_ID_REMOVAL ? found : 1;
    bool is_it = mapping.invitation_id && signed_id_is_about(about, mapping.created_at);
    about->outbound_id = mapping.invitation_id;
    store_mapping_free(&mapping);
    return is_it ? store_outbound_find_queued_at(db, about->outbound_id, &about->queued_at) : 0;
}

static enum policy_return look_at_return(const struct parts *parts, const struct smtp_address *address,
                                         struct signed_return *about_out, bool *database_failed_out)
{
    struct signed_return about;
    if (!signed_id_is_return(address))
        return POLICY_RETURN_NONE;
    if (signed_id_read_return(parts->ids, address, &about) != 1)
        return POLICY_RETURN_FORGED;
    if (about.expires_at <= clock_wall_ms(parts->clock))
        return POLICY_RETURN_EXPIRED;
    int64_t queued_at;
    struct store_db *db = store_reader(parts->store);
    int found = find_invitation(db, &about);
    if (found == 1)
        found = store_outbound_find_queued_at(db, about.outbound_id, &queued_at);
    int full = found == 1 ? is_full(db, about.outbound_id) : 0;
    *database_failed_out = found < 0 || full < 0;
    if (found != 1 || !signed_id_is_about(&about, queued_at))
        return POLICY_RETURN_UNKNOWN;
    if (full == 1)
        return POLICY_RETURN_FULL;
    *about_out = about;
    return POLICY_RETURN_GOOD;
}

static void look_at_target(const struct parts *parts, const struct smtp_address *address,
                           struct policy_recipient_facts *facts, struct store_target *target_out)
{
    struct store_db *db = store_reader(parts->store);
    struct target target;
    store_begin_reading(db);
    int found = target_find_by_address(db, address, &target);
    int open = found == 1 ? store_mapping_any_inbound(db, target.id, clock_wall_ms(parts->clock)) : 0;
    store_end_reading(db);
    facts->database_failed = found < 0 || open < 0;
    facts->recipient_exists = found == 1;
    facts->is_group = target.id.group_id;
    facts->is_reachable = target.is_reachable;
    facts->any_inbound_mapping = open == 1;
    facts->holds_unknown = found == 1 && pair_holds_unknown(parts->config, target.id);
    if (found == 1)
        *target_out = target.id;
}

struct policy_verdict recipient_judge(const struct parts *parts, const char *sender, const struct smtp_address *address,
                                      struct recipient *recipient_out)
{
    char text[SMTP_ADDRESS_MAX + 2];
    smtp_address_format(address, text);
    *recipient_out = (struct recipient){ .target = { .member_id = 0 } };

    struct policy_recipient_facts facts = {
        .sender = sender,
        .recipient = text,
        .domain = address->domain,
        .our_domain = parts->config->domain,
    };
    if (smtp_domain_equal(facts.domain, facts.our_domain)) {
        facts.return_state = look_at_return(parts, address, &recipient_out->about, &facts.database_failed);
        if (facts.return_state == POLICY_RETURN_NONE)
            look_at_target(parts, address, &facts, &recipient_out->target);
    }
    return policy_judge_recipient(&facts);
}
