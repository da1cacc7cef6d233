/* store_overdue.h - incoming mail that waits too long, and what senders were told lately
 *
 * All lists are bounded and read from an index that holds only what they look for.
 */
#pragma once
#include "mapping/store_queue.h"

/* is_tellable: it has a sender to whom it could be reported, as far as can be seen at once. */
typedef void store_overdue_each(int64_t id, int64_t received_at, bool is_tellable, void *ctx);
/* Mail and notices that WAIT, with ids above this one, lowest first: mostly in the order of their arrival. */
int store_overdue_list_waiting(struct store_db *db, int64_t after_id, unsigned limit, store_overdue_each *each,
                               void *ctx) __attribute__((warn_unused_result));
/* Mail that has not ended, was received at or before a time, and whose sender awaits to hear of a delay (NOTIFY=DELAY, RFC
 * 3461 section 4.1); oldest first. */
int store_overdue_list_delayed(struct store_db *db, int64_t received_by, unsigned limit, store_overdue_each *each,
                               void *ctx) __attribute__((warn_unused_result));
/* Nothing is awaited any more. 0: nothing was. */
int store_overdue_take_delay(struct store_db *db, int64_t inbound_id) __attribute__((warn_unused_result));
/* Nobody gets it: all recipients are skipped. Before store_inbound_finish(). */
int store_overdue_skip_all(struct store_db *db, int64_t inbound_id) __attribute__((warn_unused_result));

/* Reports of ours to an address, as it stands in them, made at or after a time; no more than limit are counted. */
int store_overdue_count_reports(struct store_db *db, const char *address, int64_t since, unsigned limit,
                                int64_t *count_out) __attribute__((warn_unused_result));
/* Mail that a program wrote, of a correspondent to a target, accepted at or after a time. */
int store_overdue_count_generated(struct store_db *db, int64_t correspondent_id, struct store_target target,
                                  int64_t since, int64_t *count_out) __attribute__((warn_unused_result));
/* Of mail that was taken for others at or after a time: was this envelope sender told already that it is refused for this
 * target? 1 yes, 0 no. */
int store_overdue_refusal_told(struct store_db *db, int64_t correspondent_id, const char *sender,
                               struct store_target target, int64_t since) __attribute__((warn_unused_result));
