/* store_returned.h - what came back to the return addresses of members' messages: counted, and noted once
 *
 * Entries of kind RETURNED (store_queue.h). Functions that write are for the writer only.
 */
#pragma once
#include "mapping/store_queue.h"

enum store_report_action {
    STORE_REPORT_FAILED,
    STORE_REPORT_DELAYED,
    STORE_REPORT_DELIVERED,
    STORE_REPORT_RELAYED,
    STORE_REPORT_EXPANDED,
};
const char *store_report_action_name(enum store_report_action action);

struct store_report_new {
    int64_t outbound_id;
    unsigned place; /* of the recipient, from 1 */
    enum store_report_action action;
    int64_t inbound_id; /* that said so */
    const char *status; /* "5.1.1"; "" */
    int64_t now;
};
/* 1: noted; 0: this action was noted for this recipient before, or there is no such recipient. */
int store_report_add(struct store_db *db, const struct store_report_new *report) __attribute__((warn_unused_result));

/* 1: it was noted that the message has failed for them, 0: not; -1. */
int store_report_says_failed(struct store_db *db, int64_t outbound_id, int64_t correspondent_id)
    __attribute__((warn_unused_result));

struct store_report {
    const char *address, *action; /* of the recipient; as in the table */
    const char *status;           /* "" */
    int64_t reported_at, inbound_id;
};
typedef void store_report_each(const struct store_report *report, void *ctx);
/* What was noted about the recipients of an outbound entry, in their order; at most five for each. */
int store_report_list(struct store_db *db, int64_t outbound_id, store_report_each *each, void *ctx)
    __attribute__((warn_unused_result));

/* How many came back about an outbound entry, this one included and none after it; counted up to most, for nobody else says
 * how many there are. */
int store_returned_count(struct store_db *db, int64_t outbound_id, int64_t inbound_id, int64_t most, int64_t *count_out)
    __attribute__((warn_unused_result));
/* How many of them were answers, and came at or after a time. */
int store_returned_count_answers(struct store_db *db, int64_t outbound_id, int64_t since, int64_t *count_out)
    __attribute__((warn_unused_result));
/* It is an answer, and counts as one. */
int store_returned_set_answer(struct store_db *db, int64_t inbound_id) __attribute__((warn_unused_result));
/* From now on it is a MAIL of a program's, waiting to be posted, that answers this Message-ID before all else. */
int store_returned_become_mail(struct store_db *db, int64_t inbound_id, const char *answers, int64_t now)
    __attribute__((warn_unused_result));
