/* target.c - see target.h */
#include "gateway/target.h"

#include "mapping/store_group.h"
#include "mapping/store_member.h"

static int look_at_member(struct store_db *db, struct target *target)
{
    struct store_member member;
    int found = store_member_find(db, target->id.member_id, &member);
    if (found != 1)
        return found;
    bool is_removed = member.removed;
    target->is_reachable = member.uid != NULL;
    store_member_free(&member);
    return !is_removed;
}

static int look_at_group(struct store_db *db, struct target *target)
{
    struct store_group group;
    int found = store_group_find(db, target->id.group_id, &group);
    if (found != 1)
        return found;
    target->is_reachable = group.state == STORE_GROUP_JOINED;
    bool is_ours = target->is_reachable || group.state == STORE_GROUP_ACCEPTED;
    store_group_free(&group);
    return is_ours;
}

int target_find_by_address(struct store_db *db, const struct smtp_address *address, struct target *out)
{
    struct smtp_address copy = *address;
    *out = (struct target){ .is_reachable = false };
    smtp_address_normalise(&copy);
    int found = store_address_find(db, copy.local, &out->id);
    if (found == 0 && smtp_address_drop_detail(&copy))
        found = store_address_find(db, copy.local, &out->id);
    if (found != 1)
        return found;
    return out->id.member_id ? look_at_member(db, out) : look_at_group(db, out);
}

int target_find_by_name(struct store_db *db, const char *name, struct store_target *out)
{
    struct store_member member;
    struct store_group group;
    *out = (struct store_target){ 0 };
    int found = store_member_find_by_alias(db, name, &member);
    if (found == 1) {
        out->member_id = member.id;
        store_member_free(&member);
    }
    if (found != 0)
        return found;
    found = store_group_find_by_gid(db, name, &group);
    if (found == 1) {
        out->group_id = group.id;
        store_group_free(&group);
    }
    return found;
}
