/* store_seen.c - what was already acted on; see store_queue.h */
#include "mapping/store_internal.h"

enum { DIGEST_SIZE = 32 };

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

int store_seen_mail(struct store_db *db, const uint8_t digest[static DIGEST_SIZE], int64_t inbound_id, int64_t now)
{
    return store_execute(db,
                         "INSERT INTO seen_mail (digest, inbound_id, seen_at) VALUES (?, ?, ?)"
                         " ON CONFLICT (digest) DO NOTHING",
                         STORE_VALUES(bind_blob(digest, DIGEST_SIZE), bind_int(inbound_id), bind_int(now)));
}

int store_seen_mail_find(struct store_db *db, const uint8_t digest[static DIGEST_SIZE], int64_t *inbound_id_out)
{
    *inbound_id_out = 0;
    return store_fetch_int(db, "SELECT inbound_id FROM seen_mail WHERE digest = ?",
                           STORE_VALUES(bind_blob(digest, DIGEST_SIZE)), inbound_id_out);
}

/* The oldest first, and not too many at once: erasing is slow. */
int store_seen_expire(struct store_db *db, int64_t mail_before, int64_t tmtp_before, unsigned limit)
{
    if (store_execute(db,
                      "DELETE FROM seen_mail WHERE digest IN"
                      " (SELECT digest FROM seen_mail WHERE seen_at < ? ORDER BY seen_at LIMIT ?)",
                      STORE_VALUES(bind_int(mail_before), bind_int(limit))) < 0 ||
        store_execute(db,
                      "DELETE FROM seen_tmtp WHERE msgid IN"
                      " (SELECT msgid FROM seen_tmtp WHERE seen_at < ? ORDER BY seen_at LIMIT ?)",
                      STORE_VALUES(bind_int(tmtp_before), bind_int(limit))) < 0)
        return -1;
    return 1;
}
