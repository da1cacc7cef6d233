/* acts.h - acts that change nothing in the database are rows of the audit log, too; and its head goes into the log
 *
 * Starting, stopping, reloading, connecting. What does change the database has its row in the same operation (store_audit.h).
 */
#pragma once
#include "mapping/store_audit.h"

struct config;
struct parts;

/* Submitted; everything is copied. before, after: NULL for "". */
void acts_add(const struct parts *parts, const struct store_actor *actor, const char *action, const char *object,
              const char *before, const char *after);
/* By itself: it has started, with this version and these settings of who may pass. */
void acts_add_start(const struct parts *parts);
/* The configuration is another one than it was: what that changes of who may pass. */
void acts_add_reload(const struct parts *parts, const struct store_actor *actor, const struct config *was);
/* As it is behind what was submitted before: event audit.head. Whoever keeps logs elsewhere has an anchor. */
void acts_log_head(const struct parts *parts);
