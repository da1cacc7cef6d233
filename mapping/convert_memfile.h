/* convert_memfile.h - memory files that pass between the daemon and a worker
 *
 * A worker writes with plain write() at its file's end; the daemon seals the file before it looks, so that what it
 * has checked can't be changed any more. Internal to mapping/convert*.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

int convert_memfile_new(const char *name) __attribute__((warn_unused_result)); /* -1 with errno */
/* Appends all of it. 1, or -1 with errno. */
int convert_memfile_write(int fd, const void *data, size_t len) __attribute__((warn_unused_result));
/* Appends size bytes of another file from its beginning, without moving that one's offset. 1, or -1 with errno. */
int convert_memfile_copy(int fd, int from, int64_t size) __attribute__((warn_unused_result));
/* No change any more, by anybody. The size in *size_out. 1; -1 when somebody still has it mapped for writing. */
int convert_memfile_seal(int fd, int64_t *size_out) __attribute__((warn_unused_result));
/* Up to max bytes from offset, all that are there. The result is the caller's; NULL when there are more or on an
 * error. */
void *convert_memfile_read(int fd, int64_t offset, size_t max, size_t *len_out) __attribute__((warn_unused_result));
/* Its first len bytes, which must be there; a NUL follows. The result is the caller's; NULL on an error. */
void *convert_memfile_read_start(int fd, size_t len) __attribute__((warn_unused_result));
