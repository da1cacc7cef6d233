/* metrics_health.c - does it live, is it ready; see metrics.h */
#include "gateway/metrics.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "base/strbuf.h"
#include "gateway/gateway.h"
#include "gateway/hold.h"
#include "gateway/parts.h"
#include "gateway/relay.h"
#include "mapping/store.h"

enum {
    STUCK_MS = 60 * 1000, /* a disk that hangs for seconds is no reason to kill anybody */
    SLOW_MS = 10 * 1000,
    REASONS_MAX = 8,
    REASON_MAX = 200,
};

struct reasons {
    size_t count;
    char texts[REASONS_MAX][REASON_MAX + 1];
};

/* Words of ours, or of files and systems: what JSON can't have as it is becomes "?". */
static void add_reason(struct reasons *reasons, const char *words, const char *more)
{
    struct strbuf text;
    if (reasons->count == REASONS_MAX)
        return;
    strbuf_init(&text, REASON_MAX);
    strbuf_add_fmt(&text, "%s%s%s", words, *more ? ": " : "", more);
    char *to = reasons->texts[reasons->count++];
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        *to++ = (char)(c < ' ' || c > '~' || c == '"' || c == '\\' ? '?' : c);
    }
    *to = 0;
    strbuf_free(&text);
}

static void write_answer(struct strbuf *out, const char *status, const struct reasons *reasons)
{
    strbuf_add_fmt(out, "{\"status\":\"%s\",\"reasons\":[", status);
    for (size_t i = 0; i < reasons->count; i++)
        strbuf_add_fmt(out, "%s\"%s\"", i ? "," : "", reasons->texts[i]);
    strbuf_add_str(out, "]}\n");
}

void health_find_facts(struct gateway *gateway, struct health_facts *out)
{
    const struct parts *parts = gateway_parts(gateway);
    struct gateway_status status;
    struct store_statistics store;
    gateway_get_status(gateway, &status);
    store_get_statistics(parts->store, &store);
    *out = (struct health_facts){ .can_read = store_ping(store_reader(parts->store)) == 1,
                                  .has_failed = store.has_failed,
                                  .stalled_ms = store_stalled_ms(parts->store),
                                  .is_stopping = gateway_is_stopping(gateway),
                                  .paused = status.busy ? status.busy_reason : NULL,
                                  .silo_state = status.silo_state,
                                  .relays = (unsigned)relay_count(gateway_relay(gateway)) };
    for (unsigned i = 0; i < out->relays; i++) {
        struct relay_status relay;
        relay_get_status(gateway_relay(gateway), i, &relay);
        out->relays_down += strcmp(relay.state, "up") != 0;
    }
    if (out->can_read)
        out->hold_problem = hold_problem(parts->hold);
}

enum health health_judge_life(const struct health_facts *facts, struct strbuf *out)
{
    struct reasons reasons = { .count = 0 };
    if (!facts->can_read)
        add_reason(&reasons, "the database can't be read", "");
    if (facts->stalled_ms > STUCK_MS)
        add_reason(&reasons, "writing to the database has been stuck for more than a minute", "");
    write_answer(out, reasons.count ? "unhealthy" : "healthy", &reasons);
    return reasons.count ? HEALTH_BAD : HEALTH_GOOD;
}

enum health health_judge_readiness(const struct health_facts *facts, struct strbuf *out)
{
    struct reasons reasons = { .count = 0 };
    if (facts->is_stopping)
        add_reason(&reasons, "the daemon is stopping", "");
    if (!facts->can_read)
        add_reason(&reasons, "the database can't be read", "");
    if (facts->has_failed)
        add_reason(&reasons, "the database can't be written; the daemon's log says why", "");
    if (facts->stalled_ms > SLOW_MS)
        add_reason(&reasons, "writing to the database is stuck", "");
    if (facts->paused)
        add_reason(&reasons, "no mail is taken", facts->paused);
    enum health health = reasons.count ? HEALTH_BAD : HEALTH_GOOD;
    if (strcmp(facts->silo_state, "online") != 0)
        add_reason(&reasons, "the silo is not reached, mail waits", facts->silo_state);
    if (facts->relays_down > 0)
        add_reason(&reasons, facts->relays_down == facts->relays ? "no relay is up" : "a relay is down", "");
    if (facts->hold_problem)
        add_reason(&reasons, "mail that awaits an approval can't be opened or held", "");
    if (health == HEALTH_GOOD && reasons.count > 0)
        health = HEALTH_DEGRADED;
    static const char *const status[] = {
        [HEALTH_GOOD] = "ready", [HEALTH_DEGRADED] = "degraded", [HEALTH_BAD] = "unready"
    };
    write_answer(out, status[health], &reasons);
    return health;
}
