/* metrics_internal.h - the figures in groups; see metrics.h. Nobody else includes it
 *
 * Each appends whole families. Families are always there, with zeros where nothing happened or nothing is configured, so that
 * a rule that names one is never about nothing.
 */
#pragma once

struct gateway;
struct gateway_status;
struct metrics_text;

void metrics_collect_smtp(struct metrics_text *text, const struct gateway *gateway,
                          const struct gateway_status *status);
void metrics_collect_relays(struct metrics_text *text, const struct gateway *gateway);
void metrics_collect_silo(struct metrics_text *text, const struct gateway *gateway);
void metrics_collect_store(struct metrics_text *text, const struct gateway *gateway);
void metrics_collect_workers(struct metrics_text *text, const struct gateway *gateway,
                             const struct gateway_status *status);
void metrics_collect_process(struct metrics_text *text, struct gateway *gateway); /* metrics_process.c */
