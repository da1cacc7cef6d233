/* target.h - whom mail is for: a member or a group, found by address or by name */
#pragma once
#include "mapping/store_address.h"
#include "smtp/smtp_address.h"

struct target {
    struct store_target id;
    bool is_reachable; /* a member who has answered (that is their consent); a group that the gateway is in */
};

/* 1 found; 0: no address of ours, or that of a removed member or of a group that the gateway is not in and is not
 * about to join; -1 database error. The domain is not looked at. Who has exactly this local part is meant; if nobody has
 * it, and nobody ever had, who has what stands before its first "+". */
int target_find_by_address(struct store_db *db, const struct smtp_address *address, struct target *out)
    __attribute__((warn_unused_result));
/* By a member's alias or a group's gid (the silo has one name space for both), whatever the group's state. */
int target_find_by_name(struct store_db *db, const char *name, struct store_target *out)
    __attribute__((warn_unused_result));
