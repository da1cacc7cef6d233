/* store_checkpointer.h - moving the write-ahead log into the database, beside the committer; for mapping/store*.c only
 *
 * A checkpoint of a thousand pages takes milliseconds to tens of them, in which nothing could be committed. So a thread with
 * a connection of its own does most of it while commits go on; what came meanwhile is little, and the committer's own to move,
 * for the log starts anew only when all of it has been moved and nobody has written since.
 */
#pragma once
#include "mapping/store_internal.h"

struct store_checkpointer;

/* From now on the writer's commits say how long the log is (log_pages). NULL: the database can't be opened again. */
struct store_checkpointer *store_checkpointer_new(struct store_db *writer) __attribute__((warn_unused_result));
/* Waits for a checkpoint that is under way. */
void store_checkpointer_free(struct store_checkpointer **checkpointer);

/* The committer's, after a commit: has a long log moved, or moves the rest of it. Waits when the thread does not keep up. */
void store_checkpointer_look(struct store_checkpointer *checkpointer, struct store_db *writer);
