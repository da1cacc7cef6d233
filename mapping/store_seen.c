/* store_seen.c - what was already acted on; see store_queue.h */
#include "mapping/store_internal.h"

int store_seen_tmtp(struct store_db *db, const char *msgid, int64_t now)
{
    return store_execute(db, "INSERT INTO seen_tmtp (msgid, seen_at) VALUES (?, ?) ON CONFLICT (msgid) DO NOTHING",
                         STORE_VALUES(bind_text(msgid), bind_int(now)));
}

int store_seen_tmtp_known(struct store_db *db, const char *msgid)
{
    int64_t seen_at;
    return store_fetch_int(db, "SELECT seen_at FROM seen_tmtp WHERE msgid = ?", STORE_VALUES(bind_text(msgid)),
                           &seen_at);
}

/* Who did not get it in the end may get it now: the sender has heard that it failed, and tries again. By the index of
 * Message-IDs: one of digests would be a page more to write for each mail, anywhere in the file. */
int store_inbound_find_same(struct store_db *db, const struct store_inbound_same *same, int64_t *id_out)
{
    *id_out = 0;
    if (same->about_outbound_id)
        return store_fetch_int(db,
                               "SELECT id FROM inbound INDEXED BY inbound_message_id WHERE message_id = ?"
                               " AND digest = ? AND sender = ? AND received_at >= ? AND about_outbound_id = ? LIMIT 1",
                               STORE_VALUES(bind_text(same->message_id), bind_blob(same->digest, STORE_DIGEST_SIZE),
                                            bind_text(same->sender), bind_int(same->since),
                                            bind_int(same->about_outbound_id)),
                               id_out);
    return store_fetch_int(db,
                           "SELECT inbound.id FROM inbound"
                           " JOIN inbound_recipient ON inbound_recipient.inbound_id = inbound.id"
                           " WHERE inbound.message_id = ? AND inbound.digest = ? AND inbound.sender = ?"
                           " AND inbound.received_at >= ? AND inbound_recipient.member_id IS NOT DISTINCT FROM ?"
                           " AND inbound_recipient.group_id IS NOT DISTINCT FROM ?"
                           " AND NOT (inbound_recipient.is_skipped AND inbound.state = 'settled') LIMIT 1",
                           STORE_VALUES(bind_text(same->message_id), bind_blob(same->digest, STORE_DIGEST_SIZE),
                                        bind_text(same->sender), bind_int(same->since), bind_id(same->target.member_id),
                                        bind_id(same->target.group_id)),
                           id_out);
}

int store_inbound_add_refusal(struct store_db *db, int64_t inbound_id, const struct store_inbound_same *same)
{
    int64_t one;
    int found = store_fetch_int(db,
                                "SELECT 1 FROM inbound"
                                " JOIN inbound_refusal ON inbound_refusal.inbound_id = inbound.id"
                                " WHERE inbound.message_id = ? AND inbound.digest = ? AND inbound.sender = ?"
                                " AND inbound.received_at >= ? AND inbound_refusal.member_id IS NOT DISTINCT FROM ?"
                                " AND inbound_refusal.group_id IS NOT DISTINCT FROM ? LIMIT 1",
                                STORE_VALUES(bind_text(same->message_id), bind_blob(same->digest, STORE_DIGEST_SIZE),
                                             bind_text(same->sender), bind_int(same->since),
                                             bind_id(same->target.member_id), bind_id(same->target.group_id)),
                                &one);
    if (found != 0)
        return found == 1 ? 0 : -1;
    return store_execute(
        db, "INSERT INTO inbound_refusal (inbound_id, member_id, group_id) VALUES (?, ?, ?)",
        STORE_VALUES(bind_int(inbound_id), bind_id(same->target.member_id), bind_id(same->target.group_id)));
}

/* The oldest first, and not too many at once: erasing is slow. */
int store_seen_expire(struct store_db *db, int64_t before, unsigned limit)
{
    return store_execute(db,
                         "DELETE FROM seen_tmtp WHERE msgid IN"
                         " (SELECT msgid FROM seen_tmtp WHERE seen_at < ? ORDER BY seen_at LIMIT ?)",
                         STORE_VALUES(bind_int(before), bind_int(limit))) < 0
               ? -1
               : 1;
}
