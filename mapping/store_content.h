/* store_content.h - message content, kept only until its fate is settled
 *
 * An id is not given again while the process lives. What is erased from the database is overwritten with zeros (secure_delete); the traces that it
 * leaves in the write-ahead log go when the committer next has nothing to do for a moment. Large content is a file, which
 * is removed when its erasing is committed: see store_draft.h.
 */
#pragma once
#include "mapping/store.h"

struct store_draft;

/* A new content row. A large draft must have been kept. -1 also when the draft can't be read. */
int store_content_add(struct store_db *db, struct store_draft *draft, int64_t *id_out)
    __attribute__((warn_unused_result));
/* Copies size bytes of fd from offset 0 (pread) into the database whatever their size (at most 1,000,000,000): for
 * what is known to be small. -1 also for a read error. */
int store_content_add_fd(struct store_db *db, int fd, int64_t size, int64_t *id_out)
    __attribute__((warn_unused_result));
/* A new descriptor for reading (owned by the caller), offset 0: a memfd with a copy of small content, or the file. 0: no
 * such content, or its file is gone (logged). */
int store_content_open(struct store_db *db, int64_t id, int *fd_out, int64_t *size_out)
    __attribute__((warn_unused_result));
/* 0: no such content. */
int store_content_erase(struct store_db *db, int64_t id) __attribute__((warn_unused_result));
