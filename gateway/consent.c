/* consent.c - see consent.h */
#include "gateway/consent.h"

#include "base/strbuf.h"
#include "mapping/store_audit.h"
#include "mapping/store_member.h"

enum { OBJECT_MAX = 1000 };

static int audit(struct store_db *db, const char *alias, const char *uid, int64_t now)
{
    struct strbuf object;
    strbuf_init(&object, OBJECT_MAX);
    strbuf_add_fmt(&object, "member %s", alias);
    struct store_actor actor = { .channel = "silo", .name = alias, .uid = uid };
    int result = store_audit_add(
        db, &(struct store_audit_new){
                .actor = &actor, .action = "member.answer", .object = object.data, .after = uid, .now = now });
    strbuf_free(&object);
    return result;
}

int consent_note(struct store_db *db, const char *alias, const char *uid, int64_t now)
{
    struct store_member before;
    int found = store_member_find_by_alias(db, alias, &before);
    bool is_first = found == 1 && !before.uid;
    store_member_free(&before);
    int result = found < 0 ? -1 : store_member_learn_uid(db, alias, uid);
    return result == 1 && is_first ? audit(db, alias, uid, now) : result;
}
