/* store_group.h - silo groups that the gateway was invited to, and who is seen in them
 *
 * A group is known by its gid, which shares the silo's name space with aliases. To the outside it is an address, given
 * when the invitation is accepted. The silo tells nobody who is in a group; members are known from the notices that the
 * gateway gets while it is in it, so the list is not complete.
 */
#pragma once
#include "mapping/store_address.h"

enum store_group_state {
    STORE_GROUP_INVITED,  /* an administrator may accept */
    STORE_GROUP_ACCEPTED, /* to be joined when the link is up */
    STORE_GROUP_JOINED,   /* the only state in which mail passes */
    STORE_GROUP_LEAVING,  /* to be left when the link is up */
    STORE_GROUP_LEFT,
    STORE_GROUP_DROPPED, /* somebody in the group has dropped the gateway */
};
const char *store_group_state_name(enum store_group_state state);

struct store_group {
    int64_t id;
    char *gid,
        *local_part; /* local_part: "" before the invitation is accepted, unless an administrator has given one */
    enum store_group_state state;
    char *own_alias;                   /* ours in the group: the one that was invited, until the silo says otherwise */
    char *inviter_alias, *inviter_uid; /* the last one */
    int64_t created_at, changed_at;
};
/* An invitation: adds the group, or begins anew with one that was left or dropped. accept: straight to ACCEPTED. In any
 * other state only the inviter is noted. The alias that the invitation names counts only for a new group and for one that
 * dropped the gateway: else the silo keeps to that of the first invitation. */
int store_group_invite(struct store_db *db, const struct store_group *invitation, bool accept, int64_t now,
                       int64_t *id_out) __attribute__((warn_unused_result));
int store_group_find(struct store_db *db, int64_t id, struct store_group *out) __attribute__((warn_unused_result));
int store_group_find_by_gid(struct store_db *db, const char *gid, struct store_group *out)
    __attribute__((warn_unused_result));
/* 0: no such group, or its life does not allow it (*was_out says from where; the wanted state when there is none):
 * invited -> accepted, left, dropped; accepted -> joined, leaving, left, dropped; joined -> leaving, left, dropped;
 * leaving -> left, dropped; left -> dropped; left, dropped -> accepted (only by a new invitation). */
int store_group_set_state(struct store_db *db, int64_t id, enum store_group_state state, int64_t now,
                          enum store_group_state *was_out) __attribute__((warn_unused_result));
/* The alias that the silo knows the gateway by in the group. */
int store_group_set_own_alias(struct store_db *db, int64_t id, const char *alias) __attribute__((warn_unused_result));
/* The new current address; the former ones still deliver. 0: refused, *reason_out is static text. */
int store_group_set_address(struct store_db *db, int64_t id, const char *local_part, const char **reason_out)
    __attribute__((warn_unused_result));
typedef void store_group_each(const struct store_group *group, void *ctx);
int store_group_list(struct store_db *db, store_group_each *each, void *ctx) __attribute__((warn_unused_result));
/* Those in which this account was seen to be. */
int store_group_list_of(struct store_db *db, const char *uid, store_group_each *each, void *ctx)
    __attribute__((warn_unused_result));
/* ACCEPTED and LEAVING ones: something is to be told to the silo. */
int store_group_list_chores(struct store_db *db, store_group_each *each, void *ctx) __attribute__((warn_unused_result));
void store_group_free(struct store_group *group);

enum store_group_member_state { STORE_GROUP_MEMBER_INVITED, STORE_GROUP_MEMBER_JOINED, STORE_GROUP_MEMBER_DROPPED };
const char *store_group_member_state_name(enum store_group_member_state state);

struct store_group_member {
    char *alias;
    char *uid; /* NULL: only invited, or dropped, as far as is known */
    enum store_group_member_state state;
};
/* uid NULL: keeps what is known. */
int store_group_set_member(struct store_db *db, int64_t group_id, const struct store_group_member *member)
    __attribute__((warn_unused_result));
/* A member took another alias in the group. 1 also when the old one is not known. */
int store_group_rename_member(struct store_db *db, int64_t group_id, const char *alias, const char *new_alias,
                              const char *uid) __attribute__((warn_unused_result));
/* Of an account: JOINED if it is that under any alias. 0: never seen in this group. */
int store_group_find_member(struct store_db *db, int64_t group_id, const char *uid,
                            enum store_group_member_state *state_out) __attribute__((warn_unused_result));
/* Is this account one that was dropped? Of somebody who was in the group before the gateway it may be known from elsewhere
 * whose the dropped alias is. 1 yes, 0 not as far as is known. */
int store_group_was_dropped(struct store_db *db, int64_t group_id, const char *uid) __attribute__((warn_unused_result));
typedef void store_group_member_each(const struct store_group_member *member, void *ctx);
int store_group_list_members(struct store_db *db, int64_t group_id, store_group_member_each *each, void *ctx)
    __attribute__((warn_unused_result));
