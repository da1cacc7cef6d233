/* store_refusal.c - see store_refusal.h */
#include "mapping/store_refusal.h"

#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/xmalloc.h"
#include "mapping/store_internal.h"

const int64_t store_refusal_kept_ms = INT64_C(30) * 24 * 3600 * 1000;

/* As the columns are: numbers, then texts. */
enum text {
    PLACE,
    SESSION,
    TRANSACTION,
    CLIENT,
    VIA,
    SENDER,
    AUTHOR,
    RECIPIENT,
    MESSAGE_ID,
    REPLY,
    REASON,
    PROOF,
    TEXTS
};
enum { NUMBERS = 7, BATCH = 1000 };
#define COLUMNS                                                                                                        \
    "id, first_at, at, count, size, code, inbound_id,"                                                                 \
    " place, session, transaction_id, client, via, sender, author, recipient, message_id, reply, reason, proof"

/* Not longer than that, and no half character. */
static char *cut(const char *text)
{
    size_t len = text ? strlen(text) : 0;
    if (len > STORE_REFUSAL_TEXT_MAX)
        for (len = STORE_REFUSAL_TEXT_MAX; len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80;)
            len--;
    return text ? xstrndup(text, len) : xstrdup("");
}

/* What two refusals of one owner have in common that are one story: as a number, which is all that the index has to hold. */
static int64_t pair_of(const char *owner, const struct store_refusal *refusal)
{
    const char *const texts[] = { owner,           refusal->place,     refusal->sender,
                                  refusal->author, refusal->recipient, refusal->reply };
    uint8_t hash[DIGEST_SIZE];
    uint64_t number = 0;
    struct digest *digest = digest_new();
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        digest_add(digest, texts[i] ? texts[i] : "", texts[i] ? strlen(texts[i]) + 1 : 1);
    digest_finish(&digest, hash);
    for (size_t i = 0; i < 7; i++)
        number = number << 8 | hash[i];
    return (int64_t)number;
}

/* The one that it repeats: the newest of this pair, if that is of the same session and message, or there are enough. 0: none. */
static int find_alike(struct store_db *db, int64_t pair, const struct store_refusal *refusal, int64_t *id_out)
{
    struct store_query query;
    int64_t rows = 0;
    bool is_same = false;
    int result;
    store_query_begin(&query, db,
                      "SELECT id, session, message_id FROM refusal WHERE pair = ? ORDER BY at DESC, id DESC LIMIT ?",
                      STORE_VALUES(bind_int(pair), bind_int(STORE_REFUSAL_ALIKE_MAX)));
    while ((result = store_query_next(&query)) == 1) {
        if (rows++ > 0)
            continue;
        *id_out = store_query_int(&query, 0);
        is_same = strcmp(store_query_text(&query, 1), refusal->session ? refusal->session : "") == 0 &&
                  strcmp(store_query_text(&query, 2), refusal->message_id ? refusal->message_id : "") == 0;
    }
    store_query_end(&query);
    return result < 0 ? -1 : is_same || rows == STORE_REFUSAL_ALIKE_MAX;
}

/* So that there is room for one more of the owner. */
static int make_room(struct store_db *db, const char *owner)
{
    int64_t count;
    if (store_fetch_int(db, "SELECT count(*) FROM refusal WHERE owner = ?", STORE_VALUES(bind_text(owner)), &count) !=
        1)
        return -1;
    if (count < STORE_REFUSALS_OF_OWNER_MAX)
        return 1;
    return store_execute(db,
                         "DELETE FROM refusal WHERE id = (SELECT id FROM refusal WHERE owner = ? ORDER BY at LIMIT 1)",
                         STORE_VALUES(bind_text(owner))) < 0
               ? -1
               : 1;
}

static int insert(struct store_db *db, const char *owner, int64_t pair, const struct store_refusal *refusal,
                  char *const *texts)
{
    return store_execute(
        db,
        "INSERT INTO refusal (owner, pair, first_at, at, count, size, code, inbound_id, place, session, transaction_id,"
        " client, via, sender, author, recipient, message_id, reply, reason, proof)"
        " VALUES (?, ?, ?3, ?3, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        STORE_VALUES(bind_text(owner), bind_int(pair), bind_int(refusal->at), bind_int(refusal->size),
                     bind_int(refusal->code), bind_int(refusal->inbound_id), bind_text(texts[PLACE]),
                     bind_text(texts[SESSION]), bind_text(texts[TRANSACTION]), bind_text(texts[CLIENT]),
                     bind_text(texts[VIA]), bind_text(texts[SENDER]), bind_text(texts[AUTHOR]),
                     bind_text(texts[RECIPIENT]), bind_text(texts[MESSAGE_ID]), bind_text(texts[REPLY]),
                     bind_text(texts[REASON]), bind_text(texts[PROOF])));
}

/* It is about the newest one from now on. */
static int count_on(struct store_db *db, int64_t id, const struct store_refusal *refusal, char *const *texts)
{
    return store_execute(
        db,
        "UPDATE refusal SET count = count + 1, at = ?, size = ?, code = ?, inbound_id = ?, session = ?,"
        " transaction_id = ?, client = ?, via = ?, message_id = ?, reason = ?, proof = ? WHERE id = ?",
        STORE_VALUES(bind_int(refusal->at), bind_int(refusal->size), bind_int(refusal->code),
                     bind_int(refusal->inbound_id), bind_text(texts[SESSION]), bind_text(texts[TRANSACTION]),
                     bind_text(texts[CLIENT]), bind_text(texts[VIA]), bind_text(texts[MESSAGE_ID]),
                     bind_text(texts[REASON]), bind_text(texts[PROOF]), bind_int(id)));
}

int store_refusal_add(struct store_db *db, const char *owner, const struct store_refusal *refusal)
{
    char *texts[TEXTS];
    int64_t alike = 0, pair = pair_of(owner, refusal);
    const char *const given[TEXTS] = {
        [PLACE] = refusal->place,
        [SESSION] = refusal->session,
        [TRANSACTION] = refusal->transaction,
        [CLIENT] = refusal->client,
        [VIA] = refusal->via,
        [SENDER] = refusal->sender,
        [AUTHOR] = refusal->author,
        [RECIPIENT] = refusal->recipient,
        [MESSAGE_ID] = refusal->message_id,
        [REPLY] = refusal->reply,
        [REASON] = refusal->reason,
        [PROOF] = refusal->proof,
    };
    int found = find_alike(db, pair, refusal, &alike);
    if (found < 0 || (found == 0 && make_room(db, owner) < 0))
        return -1;
    for (size_t i = 0; i < TEXTS; i++)
        texts[i] = cut(given[i]);
    int result = found == 1 ? count_on(db, alike, refusal, texts) : insert(db, owner, pair, refusal, texts);
    for (size_t i = 0; i < TEXTS; i++)
        free(texts[i]);
    return result == 1 ? 1 : -1;
}

int store_refusal_tidy(struct store_db *db, int64_t now)
{
    int64_t count;
    if (store_refusal_count(db, &count) != 1)
        return -1;
    int64_t excess = count > STORE_REFUSALS_MAX ? count - STORE_REFUSALS_MAX : 0;
    static const char oldest[] = "DELETE FROM refusal WHERE id IN (SELECT id FROM refusal ORDER BY at LIMIT ?)";
    static const char old[] =
        "DELETE FROM refusal WHERE id IN (SELECT id FROM refusal WHERE at < ? ORDER BY at LIMIT ?)";
    if (excess > 0 && store_execute(db, oldest, STORE_VALUES(bind_int(excess < BATCH ? excess : BATCH))) < 0)
        return -1;
    return store_execute(db, old, STORE_VALUES(bind_int(now - store_refusal_kept_ms), bind_int(BATCH))) < 0 ? -1 : 1;
}

static int list(struct store_db *db, const char *sql, const struct store_value *values, store_refusal_each *each,
                void *ctx)
{
    struct store_query query;
    int result;
    store_query_begin(&query, db, sql, values);
    while ((result = store_query_next(&query)) == 1) {
        const char *texts[TEXTS];
        for (int i = 0; i < TEXTS; i++)
            texts[i] = store_query_text(&query, NUMBERS + i);
        struct store_refusal refusal = {
            .id = store_query_int(&query, 0),
            .first_at = store_query_int(&query, 1),
            .at = store_query_int(&query, 2),
            .count = store_query_int(&query, 3),
            .size = store_query_int(&query, 4),
            .code = store_query_int(&query, 5),
            .inbound_id = store_query_int(&query, 6),
            .place = texts[PLACE],
            .session = texts[SESSION],
            .transaction = texts[TRANSACTION],
            .client = texts[CLIENT],
            .via = texts[VIA],
            .sender = texts[SENDER],
            .author = texts[AUTHOR],
            .recipient = texts[RECIPIENT],
            .message_id = texts[MESSAGE_ID],
            .reply = texts[REPLY],
            .reason = texts[REASON],
            .proof = texts[PROOF],
        };
        each(&refusal, ctx);
    }
    store_query_end(&query);
    return result < 0 ? -1 : 1;
}

#define NEWEST(condition)                                                                                              \
    "SELECT " COLUMNS " FROM refusal WHERE id IN (SELECT id FROM refusal WHERE " condition                             \
    " ORDER BY at DESC, id DESC LIMIT ?) ORDER BY first_at, id"

int store_refusal_list_of_session(struct store_db *db, const char *session, int64_t limit, store_refusal_each *each,
                                  void *ctx)
{
    return list(db, NEWEST("session = ? AND session <> ''"), STORE_VALUES(bind_text(session), bind_int(limit)), each,
                ctx);
}

int store_refusal_list_of_message(struct store_db *db, const char *message_id, int64_t limit, store_refusal_each *each,
                                  void *ctx)
{
    return list(db, NEWEST("message_id = ? AND message_id <> ''"), STORE_VALUES(bind_text(message_id), bind_int(limit)),
                each, ctx);
}

int store_refusal_list_from(struct store_db *db, const char *address, int64_t limit, store_refusal_each *each,
                            void *ctx)
{
    return list(db, NEWEST("whose = lower(?) AND whose <> ''"), STORE_VALUES(bind_text(address), bind_int(limit)), each,
                ctx);
}

int store_refusal_count(struct store_db *db, int64_t *count_out)
{
    return store_fetch_int(db, "SELECT count(*) FROM refusal", NULL, count_out);
}
