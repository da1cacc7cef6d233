/* store_draft.h - content that is about to be stored
 *
 * Content of at most STORE_BLOB_MAX bytes becomes a value in the database, written by the operation that adds it.
 * Larger content becomes a file in "content/" beside the database. Before a row may name it, it has to be on disk:
 * store_draft_keep() syncs it, gives it a name and syncs the directory, on a thread that may wait (base/background.h),
 * so that neither the loop nor the committer does. An operation then adds the draft with store_content_add().
 *
 * A file that no row names goes away: with its draft, or, when a crash was faster, at the next store_open(). Files are
 * removed after the commit that erased their row, never before; their blocks are given back, not overwritten.
 *
 * When a commit fails because the disk does, its files are left where they are: the commit may come to life after a crash. A
 * draft that was in it has to be kept again before it can be added again.
 *
 * A draft is used by one thread at a time, and by the committer alone while an operation with it is under way.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct spool;
struct store;
struct store_draft;

enum { STORE_BLOB_MAX = 256 * 1024 };

/* What is added must not change any more. The spool, or descriptor, is borrowed until the draft is freed; of a
 * descriptor the bytes from offset 0 count (pread). A spool or tmpfile_new() in store_content_directory() costs no
 * copy. */
struct store_draft *store_draft_new_spool(const struct store *store, const struct spool *spool);
struct store_draft *store_draft_new_fd(const struct store *store, int fd, int64_t size);
/* May outlive the store. Removes the file unless it was added by an operation that is committed. */
void store_draft_free(struct store_draft **draft);

bool store_draft_is_large(const struct store_draft *draft); /* has to be kept before it can be added */
/* Any thread; waits for the disk. 1 durable (also when it was so before, or is small); -1 disk error or no room
 * (logged): what was not synced may be lost, so the draft is of no use any more and has to come again from where it
 * came from. */
int store_draft_keep(struct store_draft *draft) __attribute__((warn_unused_result));
