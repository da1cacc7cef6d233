/* invitation.h - the mail that tells somebody outside that they may write now: how, and how to be removed
 *
 * One for each mapping that wants one (store_mapping.h), in the name of the member or group it is for, so that the answer
 * goes there. It is an entry of the outbound queue of its own kind, written by a convert worker like any mail; entry and note that
 * there is one are one commit. What comes back to its return address is told to the member.
 */
#pragma once
#include <stdint.h>

struct invitation;
struct parts;
struct store_db;

/* Loop only. NULL: the mapping, or whom it is for, can't be read. */
struct invitation *invitation_new(const struct parts *parts, int64_t mapping_id) __attribute__((warn_unused_result));
void invitation_free(struct invitation **invitation);
/* Writer only. 1 added, 0: it is not wanted (any more); -1 database error. */
int invitation_add(struct store_db *db, const struct invitation *invitation, int64_t now)
    __attribute__((warn_unused_result));
