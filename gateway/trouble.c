/* trouble.c - see trouble.h */
#include "gateway/trouble.h"

#include <stdint.h>

#include "gateway/pair.h"
#include "mapping/store_queue.h"

static const struct trouble_words words[] = {
    [TROUBLE_GONE] = { .failed_status = "5.1.1",
                       .failed = "there is no such recipient any more",
                       .story = "the member was removed" },
    [TROUBLE_REVOKED] = { .failed_status = "5.7.1",
                          .failed = "you are no longer authorised to write to this address",
                          .story = "the mapping was revoked since" },
    [TROUBLE_SUSPENDED] = { .failed_status = "4.7.1",
                            .failed = "you are not authorised to write to this address at present",
                            .delayed_status = "4.7.1",
                            .delayed = "you are not authorised to write to this address at present",
                            .story = "a mapping is suspended" },
    [TROUBLE_NOT_READY] = { .failed_status = "4.2.1",
                            .failed = "the recipient has not agreed to receive mail in time",
                            .delayed_status = "4.2.1",
                            .delayed = "the recipient has not yet agreed to receive mail",
                            .story = "a recipient's uid is not known" },
    [TROUBLE_NO_GROUP] = { .failed_status = "4.2.1",
                           .failed = "the group did not take mail for too long",
                           .delayed_status = "4.2.1",
                           .delayed = "the group does not take mail at present",
                           .story = "the gateway is not in the group (any more)" },
    [TROUBLE_SILO_AWAY] = { .failed_status = "4.4.1",
                            .failed = "the silo behind this gateway could not be reached for too long",
                            .delayed_status = "4.4.1",
                            .delayed = "the silo behind this gateway can't be reached at present",
                            .story = "the silo could not be reached" },
    [TROUBLE_REFUSED] = { .failed_status = "5.0.0",
                          .failed = "the silo behind this gateway did not take it",
                          .delayed_status = "4.0.0",
                          .delayed = "the silo behind this gateway has not taken it yet" },
    [TROUBLE_OURS] = { .failed_status = "4.3.0",
                       .failed = "the gateway could not pass it on for too long",
                       .delayed_status = "4.3.0",
                       .delayed = "the gateway could not pass it on yet" },
    [TROUBLE_HELD] = { .failed_status = "5.0.0",
                       .failed = "it was held at the gateway",
                       .delayed_status = "4.3.0",
                       .delayed = "it is held at the gateway until somebody there decides about it" },
    [TROUBLE_DROPPED] = { .failed_status = "5.0.0", .failed = "an administrator has decided not to deliver it" },
};

const struct trouble_words *trouble_words(enum trouble trouble)
{
    return &words[trouble];
}

bool trouble_is_own(enum trouble trouble)
{
    return trouble <= TROUBLE_NO_GROUP;
}

bool trouble_is_final(enum trouble trouble)
{
    return trouble == TROUBLE_GONE || trouble == TROUBLE_REVOKED;
}

/* Of the mapping that let it in, and of any that has come to decide about the two since. 0: there is none; -1. */
static int find_mapping_trouble(struct store_db *db, const struct store_inbound *row,
                                const struct store_inbound_recipient *recipient, enum smtp_case local_case,
                                enum trouble *trouble_out)
{
    struct store_mapping mapping;
    struct pair pair;
    struct policy_answer answer;
    *trouble_out = TROUBLE_REVOKED;
    int found = store_mapping_find(db, recipient->mapping_id, &mapping);
    if (found != 1)
        return found < 0 ? -1 : 1;
    enum store_mapping_state state = mapping.state;
    store_mapping_free(&mapping);
    if (state == STORE_MAPPING_REVOKED || state == STORE_MAPPING_DENIED)
        return 1;
    pair_find(db, row->from_address, recipient->target, &pair);
    pair.facts.now = row->received_at;
    pair.facts.is_queued = true;
    pair.facts.local_case = local_case;
    bool is_allowed = policy_allows(&pair.facts, STORE_DIRECTION_IN, &answer), has_failed = pair.facts.database_failed;
    pair_free(&pair);
    if (state == STORE_MAPPING_SUSPENDED || answer.may_change)
        *trouble_out = TROUBLE_SUSPENDED;
    return has_failed ? -1 : *trouble_out == TROUBLE_SUSPENDED || !is_allowed;
}

int trouble_find(struct store_db *db, const struct store_inbound *row, const struct store_inbound_recipient *recipient,
                 enum smtp_case local_case, enum trouble otherwise, enum trouble *trouble_out)
{
    int found = 0;
    *trouble_out = TROUBLE_GONE;
    if (recipient->mapping_id) /* what we have to say ourselves needs none, and is for removed members too */
        found = recipient->is_gone ? 1 : find_mapping_trouble(db, row, recipient, local_case, trouble_out);
    if (found != 0)
        return found;
    if (!recipient->uid)
        *trouble_out = recipient->target.group_id ? TROUBLE_NO_GROUP : TROUBLE_NOT_READY;
    else
        *trouble_out = otherwise;
    return 1;
}
