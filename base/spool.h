/* spool.h - message content on its way: in memory while small, in an unlinked file beyond
 *
 * Content of unknown length (SMTP data, a TMTP delivery) is appended, then read. Up to `memory_max` bytes
 * stay in memory, more goes to an unlinked file in the given directory. The file is not durable: what must
 * survive is committed to the store before anybody is told so.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct spool;

enum { SPOOL_MEMORY_DEFAULT = 256 * 1024 };

struct spool *spool_new(const char *directory, size_t memory_max); /* directory is copied */
void spool_free(struct spool **spool);

/* 1 stored, -1 disk error (errno); after an error the spool is unusable. */
int spool_add(struct spool *spool, const void *data, size_t len) __attribute__((warn_unused_result));
int64_t spool_size(const struct spool *spool);

/* Bytes from offset; fewer only at the end; -1 on a disk error. Any thread, but not while adding. */
int64_t spool_read(const struct spool *spool, int64_t offset, void *out, size_t len)
    __attribute__((warn_unused_result));

/* All of the content while it is in memory, until something is added or the spool freed; NULL once it is in a file, and
 * while there is none. */
const void *spool_memory(const struct spool *spool);

/* A new descriptor (owned by the caller) positioned at 0 that holds the whole content: a memfd copy while in
 * memory, else a reopened read-only handle with its own offset. -1 on error. */
int spool_dup_fd(const struct spool *spool) __attribute__((warn_unused_result));
