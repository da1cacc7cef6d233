/* poster_overdue.h - the inbound queue's clock, which goes on while the silo is away and nothing is tried
 *
 * Each minute, and every retry.warn_after or give_up if those are shorter, it looks, a bounded number at a time, for
 *
 *   delay    what waits longer than retry.warn_after: a report for senders who have asked for one (NOTIFY=DELAY), once
 *   expiry   what waits longer than retry.give_up while the link is down goes back to its sender (poster_return.h). Only
 *            entries that are WAITING: of one that is ROUTED nobody knows before the link is up again whether the silo has
 *            it (poster.h). What nobody can be told of goes on waiting
 *
 * While the link is up the poster itself gives up, after a last attempt. When the link has just changed, or the gateway was
 * started, there is a pause first: what is posted in the next moment should not be complained about.
 */
#pragma once
#include <stdbool.h>

struct parts;
struct poster_overdue;

struct poster_overdue *poster_overdue_new(const struct parts *parts); /* not online */
void poster_overdue_free(struct poster_overdue **overdue);            /* after the store has finished its operations */
void poster_overdue_set_online(struct poster_overdue *overdue, bool online);
