/* store_checkpointer.h - moving the write-ahead log into the database, beside the committer; for mapping/store*.c only
 *
 * A checkpoint of a thousand pages takes milliseconds to tens of them, in which nothing could be committed. So a thread with
 * a connection of its own does most of it while commits go on; what came meanwhile is little, and the committer's own to move,
 * for the log starts anew only when all of it has been moved and nobody has written since.
 *
 * SQLite syncs the database only when it has moved the log to its end, and goes on where it was even if the sync before has failed. But then
 * the system takes for clean what did not get to the disk, also of the parts that were moved before: nothing would write these pages
 * again, and at a power cut they are lost when the log is. So after any failure the log is moved from its beginning.
 */
#pragma once
#include "mapping/store_internal.h"

struct store_checkpointer;

/* From now on the writer's commits say how long the log is (log_pages). NULL: the database can't be opened again. */
struct store_checkpointer *store_checkpointer_new(struct store_db *writer) __attribute__((warn_unused_result));
/* Waits for a checkpoint that is under way. The writer has to be closed next. */
void store_checkpointer_free(struct store_checkpointer **checkpointer);

/* The committer's, after a commit: has a long log moved, or moves the rest of it. Waits when the thread does not keep up. */
void store_checkpointer_look(struct store_checkpointer *checkpointer, struct store_db *writer);

/* The committer's: moves all of the log and cuts it to nothing, or returns SQLite's code: BUSY when somebody reads it, or the thread moves it (for
 * which it waits if waits is set). */
int store_checkpointer_empty(struct store_checkpointer *checkpointer, struct store_db *writer, bool waits);
