/* store_content.h - message content, kept only until its fate is settled
 *
 * At most 1,000,000,000 bytes each. Ids are never used again. What is erased is overwritten with zeros (secure_delete);
 * the traces that it leaves in the write-ahead log go when the committer next has nothing to do for a moment.
 */
#pragma once
#include "mapping/store.h"

struct spool;

/* Copies size bytes of fd from offset 0 (pread) into a new content row, in pieces. -1 also for a read error. */
int store_content_add_fd(struct store_db *db, int fd, int64_t size, int64_t *id_out)
    __attribute__((warn_unused_result));
int store_content_add_spool(struct store_db *db, const struct spool *spool, int64_t *id_out)
    __attribute__((warn_unused_result));
/* A new memfd with the whole content (owned by the caller), offset 0. 0: no such content. */
int store_content_open(struct store_db *db, int64_t id, int *fd_out, int64_t *size_out)
    __attribute__((warn_unused_result));
/* 0: no such content. */
int store_content_erase(struct store_db *db, int64_t id) __attribute__((warn_unused_result));
