/* store_returned.c - see store_returned.h */
#include "mapping/store_returned.h"

#include "mapping/store_internal.h"

/* As in the schema. */
static const char *const action_names[] = { "failed", "delayed", "delivered", "relayed", "expanded" };

const char *store_report_action_name(enum store_report_action action)
{
    return action_names[action];
}

int store_report_add(struct store_db *db, const struct store_report_new *report)
{
    return store_execute(db,
                         "INSERT INTO recipient_report (recipient_id, action, inbound_id, status, reported_at)"
                         " SELECT id, ?, ?, ?, ? FROM"
                         " (SELECT id FROM outbound_recipient WHERE outbound_id = ? ORDER BY id LIMIT 1 OFFSET ?)"
                         " WHERE true ON CONFLICT (recipient_id, action) DO NOTHING",
                         STORE_VALUES(bind_text(action_names[report->action]), bind_int(report->inbound_id),
                                      bind_text(report->status), bind_int(report->now), bind_int(report->outbound_id),
                                      bind_int((int64_t)report->place - 1)));
}

int store_report_says_failed(struct store_db *db, int64_t outbound_id, int64_t correspondent_id)
{
    int64_t one;
    return store_fetch_int(db,
                           "SELECT 1 FROM outbound_recipient AS recipient"
                           " JOIN recipient_report ON recipient_report.recipient_id = recipient.id"
                           " WHERE recipient.outbound_id = ? AND recipient.correspondent_id = ? AND action = 'failed'",
                           STORE_VALUES(bind_int(outbound_id), bind_int(correspondent_id)), &one);
}

int store_report_list(struct store_db *db, int64_t outbound_id, store_report_each *each, void *ctx)
{
    struct store_query query;
    int result;
    store_query_begin(
        &query, db,
        "SELECT coalesce(correspondent.address, recipient.address), action, status, reported_at, inbound_id"
        " FROM outbound_recipient AS recipient"
        " JOIN recipient_report ON recipient_report.recipient_id = recipient.id"
        " LEFT JOIN correspondent ON correspondent.id = recipient.correspondent_id"
        " WHERE recipient.outbound_id = ? ORDER BY recipient.id, reported_at",
        STORE_VALUES(bind_int(outbound_id)));
    while ((result = store_query_next(&query)) == 1) {
        struct store_report report = { .address = store_query_text(&query, 0),
                                       .action = store_query_text(&query, 1),
                                       .status = store_query_text(&query, 2),
                                       .reported_at = store_query_int(&query, 3),
                                       .inbound_id = store_query_int(&query, 4) };
        each(&report, ctx);
    }
    store_query_end(&query);
    return result < 0 ? -1 : 1;
}

int store_returned_count(struct store_db *db, int64_t outbound_id, int64_t inbound_id, int64_t most, int64_t *count_out)
{
    return store_fetch_int(db,
                           "SELECT count(*) FROM (SELECT 1 FROM inbound WHERE about_outbound_id = ? AND id <= ?"
                           " AND kind <> 'notice' LIMIT ?)",
                           STORE_VALUES(bind_int(outbound_id), bind_int(inbound_id), bind_int(most)), count_out);
}

int store_returned_count_answers(struct store_db *db, int64_t outbound_id, int64_t since, int64_t *count_out)
{
    return store_fetch_int(
        db, "SELECT count(*) FROM inbound WHERE about_outbound_id = ? AND is_answer = 1 AND received_at >= ?",
        STORE_VALUES(bind_int(outbound_id), bind_int(since)), count_out);
}

int store_returned_set_answer(struct store_db *db, int64_t inbound_id)
{
    return store_execute(db, "UPDATE inbound SET is_answer = 1 WHERE id = ?", STORE_VALUES(bind_int(inbound_id)));
}

int store_returned_become_mail(struct store_db *db, int64_t inbound_id, const char *answers, int64_t now)
{
    return store_execute(db,
                         "UPDATE inbound SET kind = 'mail', is_answer = 1, is_automatic = 1, is_generated = 1,"
                         " next_attempt_at = ?, last_error = '', attempts = 0,"
                         " reference_ids = CASE reference_ids WHEN '' THEN ? ELSE ? || char(10) || reference_ids END"
                         " WHERE id = ? AND kind = 'returned' AND state = 'waiting'",
                         STORE_VALUES(bind_int(now), bind_text(answers), bind_text(answers), bind_int(inbound_id)));
}
