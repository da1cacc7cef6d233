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

int64_t outcome_put_off_ms(int64_t age_ms)
{
    enum { LEAST_MS = 1000, MOST_MS = 60 * 1000 };
    int64_t delay = age_ms / 8;
    return delay < LEAST_MS ? LEAST_MS : delay > MOST_MS ? MOST_MS : delay;
}

/* Not later than this, if it is still to come. */
static int64_t not_beyond(int64_t next, int64_t now, int64_t deadline)
{
    return deadline > now && next > deadline ? deadline : next;
}

/* The attempt at which the author is to be told something is made when it is time for that, however far off the next one would be. */
static struct outcome retry_or_expire(const struct outcome_facts *facts)
{
    int64_t age = facts->now - facts->received_at;
    if (age >= facts->give_up_ms)
        return (struct outcome){ .action = OUTCOME_GIVE_UP, .expired = true };
    bool warn = age >= facts->warn_after_ms;
    int64_t next = facts->now + outcome_backoff_ms(facts->first_ms, facts->longest_ms, facts->attempts, facts->random);
    next = not_beyond(next, facts->now, facts->received_at + facts->give_up_ms);
    if (!facts->was_warned)
        next = not_beyond(next, facts->now, facts->received_at + facts->warn_after_ms);
    return (struct outcome){
        .action = OUTCOME_RETRY,
        .next_attempt_at = next,
        .warn = warn && !facts->was_warned,
    };
}

enum place {
    PLACE_RELAY,   /* between us and the relay: nothing about the message */
    PLACE_ABILITY, /* the relay lacks what this message needs */
    PLACE_MESSAGE, /* about the message or a recipient: every relay would hear the same */
    PLACE_HERE,
    PLACE_COUNT,
};
enum meaning { DONE, ASK_NEXT, ASK_NEXT_OR_GIVE_UP, TRY_LATER, TRY_LATER_OR_PARK, FINAL, BROKEN };

static const enum place places[] = {
    [SMTP_STAGE_CONNECT] = PLACE_RELAY,      [SMTP_STAGE_TLS] = PLACE_RELAY,       [SMTP_STAGE_GREETING] = PLACE_RELAY,
    [SMTP_STAGE_HELLO] = PLACE_RELAY,        [SMTP_STAGE_STARTTLS] = PLACE_RELAY,  [SMTP_STAGE_AUTH] = PLACE_RELAY,
    [SMTP_STAGE_EXTENSIONS] = PLACE_ABILITY, [SMTP_STAGE_MAIL] = PLACE_MESSAGE,    [SMTP_STAGE_RCPT] = PLACE_MESSAGE,
    [SMTP_STAGE_DATA] = PLACE_MESSAGE,       [SMTP_STAGE_CONTENT] = PLACE_MESSAGE, [SMTP_STAGE_FINAL] = PLACE_MESSAGE,
};

static const enum meaning meanings[PLACE_COUNT][4] = {
    [PLACE_RELAY] = { [SMTP_OUTCOME_DELIVERED] = DONE,
                      [SMTP_OUTCOME_TEMPORARY] = ASK_NEXT,
                      [SMTP_OUTCOME_PERMANENT] = ASK_NEXT,
                      [SMTP_OUTCOME_UNKNOWN] = ASK_NEXT },
    [PLACE_ABILITY] = { [SMTP_OUTCOME_DELIVERED] = DONE,
                        [SMTP_OUTCOME_TEMPORARY] = ASK_NEXT,
                        [SMTP_OUTCOME_PERMANENT] = ASK_NEXT_OR_GIVE_UP,
                        [SMTP_OUTCOME_UNKNOWN] = ASK_NEXT },
    [PLACE_MESSAGE] = { [SMTP_OUTCOME_DELIVERED] = DONE,
                        [SMTP_OUTCOME_TEMPORARY] = TRY_LATER,
                        [SMTP_OUTCOME_PERMANENT] = FINAL,
                        /* It may have arrived: the repetition is byte-identical, with the same Message-ID. */
                        [SMTP_OUTCOME_UNKNOWN] = TRY_LATER },
    [PLACE_HERE] = { [SMTP_OUTCOME_DELIVERED] = DONE,
                     [SMTP_OUTCOME_TEMPORARY] = TRY_LATER_OR_PARK,
                     [SMTP_OUTCOME_PERMANENT] = BROKEN,
                     [SMTP_OUTCOME_UNKNOWN] = TRY_LATER },
};

static struct outcome next_relay_or_wait(const struct outcome_facts *facts)
{
    if (facts->relay_left)
        return (struct outcome){ .action = OUTCOME_NEXT_RELAY };
    struct outcome outcome = retry_or_expire(facts);
    outcome.awaits_relay = outcome.action == OUTCOME_RETRY;
    return outcome;
}

struct outcome outcome_decide(const struct outcome_facts *facts)
{
    if (facts->is_surplus)
        return (struct outcome){ .action = OUTCOME_RETRY, .next_attempt_at = facts->now };
    enum place place = facts->is_ours ? PLACE_HERE : places[facts->stage];
    switch (meanings[place][facts->outcome]) {
    case DONE:
        return (struct outcome){ .action = OUTCOME_DELIVERED };
    case ASK_NEXT:
        return next_relay_or_wait(facts);
    case ASK_NEXT_OR_GIVE_UP:
        if (facts->relay_left || facts->relay_down)
            return next_relay_or_wait(facts);
        return (struct outcome){ .action = OUTCOME_GIVE_UP };
    case TRY_LATER:
        break;
    case TRY_LATER_OR_PARK:
        if (facts->again && facts->attempts >= OUTCOME_PARK_ATTEMPTS)
            return (struct outcome){ .action = OUTCOME_PARK };
        break;
    case FINAL:
        return (struct outcome){ .action = OUTCOME_GIVE_UP };
    case BROKEN:
        return (struct outcome){ .action = OUTCOME_PARK };
    }
    return retry_or_expire(facts);
}

struct outcome outcome_decide_post(const struct outcome_facts *facts)
{
    return retry_or_expire(facts);
}
