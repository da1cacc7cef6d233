/* metrics.h - figures for Prometheus, and whether the daemon lives and is ready, over HTTP (section `metrics`)
 *
 *   /metrics  all figures, as docs/METRICS.md has them
 *   /healthz  200 while the loop turns, the database can be read, and writing to it has not been stuck for a minute; else 503.
 *             For what restarts a daemon that hangs: nothing outside of it (silo, relay, a full disk) makes it unhealthy
 *   /readyz   200 when mail is taken: listeners are open, the database can be written, there is room. Else 503. An absent silo or
 *             relay is said, but mail is queued, so it is ready ("degraded")
 *
 * The body of the last two is JSON: {"status":"ready","reasons":["..."]}, reasons in words. Nobody is named in any of them.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct config;
struct gateway;
struct metrics;
struct strbuf;

/* Binds the address, which may need root's rights; nobody is answered before the loop runs. Without metrics.http a metrics that does
 * nothing. NULL with the reason in *error_out (caller frees). */
struct metrics *metrics_new(struct gateway *gateway, const struct config *config, char **error_out)
    __attribute__((warn_unused_result));
void metrics_free(struct metrics **metrics);
/* After a reload: clients count as they are in the file now. */
void metrics_reconfigure(struct metrics *metrics, const struct config *config);

/* metrics_collect.c: all figures, appended. Reads the database on the loop, no more than every few seconds. */
void metrics_collect(struct gateway *gateway, struct strbuf *out);

/* metrics_health.c. Reads the database on the loop. hold_problem is the caller's to free. */
struct health_facts;
void health_find_facts(struct gateway *gateway, struct health_facts *out);
/* Facts in, words out. */
struct health_facts {
    bool can_read, has_failed; /* the database: it can be read; the last transaction could not be kept */
    int64_t stalled_ms;        /* since something waits to be written and nothing was */
    bool is_stopping;
    const char *paused;     /* why no mail is taken; NULL: it is */
    const char *silo_state; /* "online" is good */
    unsigned relays, relays_down;
    char *hold_problem; /* NULL */
};
enum health { HEALTH_GOOD, HEALTH_DEGRADED, HEALTH_BAD };
/* Appends what is wrong, as JSON. */
enum health health_judge_life(const struct health_facts *facts, struct strbuf *out);
enum health health_judge_readiness(const struct health_facts *facts, struct strbuf *out);
