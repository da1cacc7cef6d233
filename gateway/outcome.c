/* outcome.c - see outcome.h */
#include "gateway/outcome.h"

int64_t outcome_backoff_ms(int64_t first_ms, int64_t longest_ms, unsigned attempts, uint32_t random)
{
    int64_t delay = first_ms > 0 ? first_ms : 1;
    for (unsigned i = 1; i < attempts && delay < longest_ms; i++)
        delay *= 2;
    if (delay > longest_ms)
        delay = longest_ms;
    return delay - delay / 4 + (int64_t)(random % (uint64_t)(delay / 4 + 1));
}

static struct outcome retry_or_expire(const struct outcome_facts *facts)
{
    if (facts->now - facts->received_at >= facts->give_up_ms)
        return (struct outcome){ .action = OUTCOME_GIVE_UP, .expired = true };
    return (struct outcome){
        .action = OUTCOME_RETRY,
        .next_attempt_at =
            facts->now + outcome_backoff_ms(facts->first_ms, facts->longest_ms, facts->attempts, facts->random),
    };
}

struct outcome outcome_decide(const struct outcome_facts *facts)
{
    switch (facts->outcome) {
    case SMTP_OUTCOME_DELIVERED:
        return (struct outcome){ .action = OUTCOME_DELIVERED };
    case SMTP_OUTCOME_PERMANENT:
        return (struct outcome){ .action = OUTCOME_GIVE_UP };
    case SMTP_OUTCOME_TEMPORARY:
    case SMTP_OUTCOME_UNKNOWN: /* may have arrived: the repetition is byte-identical, with the same Message-ID */
        break;
    }
    return retry_or_expire(facts);
}

struct outcome outcome_decide_post(const struct outcome_facts *facts)
{
    return retry_or_expire(facts);
}
