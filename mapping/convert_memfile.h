/* convert_memfile.h - the files that pass between the daemon and a worker
 *
 * A worker writes with plain write() from the place where the daemon stopped, and says with convert_memfile_end() that
 * this is all. Before the daemon looks at a result it makes sure that nobody can change it any more, for what it has
 * checked must be what is used, and the worker may be in a stranger's hands.
 *
 * Small results go to memory files, which are sealed: against growing from the beginning, so that a worker can't fill
 * the memory, and against everything in the end. Large ones go to files without a name (base/tmpfile.h), for which
 * there are no seals. There the daemon gives up its own descriptor for writing and asks the kernel for a read lease,
 * which it does not grant while the file is open for writing anywhere: in another process, on its way through a
 * socket, or as a mapping. Without a name nobody can open it anew but through /proc, and a worker can open nothing;
 * so there are no writers from then on, and the lease itself is given back at once. (Copying from a pipe would do too,
 * at the cost of every byte passing through the daemon.) Internal to mapping/convert*.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* A memory file for at most max bytes (writing more fails with EPERM). -1 with errno. */
int convert_memfile_new(const char *name, size_t max) __attribute__((warn_unused_result));
/* Appends size bytes of another file from *offset on, which moves on; that one's own offset does not. 1, or -1 with
 * errno. */
int convert_memfile_copy(int fd, int from, int64_t *offset, int64_t size) __attribute__((warn_unused_result));
/* The file ends with what was written last. 1, or -1 with errno. */
int convert_memfile_end(int fd) __attribute__((warn_unused_result));
/* No change any more, by anybody. The size in *size_out. 1; -1 when somebody still has it mapped for writing. */
int convert_memfile_seal(int fd, int64_t *size_out) __attribute__((warn_unused_result));
/* The same of a file on disk; *fd is replaced by a descriptor for reading, and may be -1 after a failure. 1; -1 with
 * errno: EAGAIN when it is still open for writing somewhere, else when the filesystem has no leases. */
int convert_memfile_freeze(int *fd, int64_t *size_out) __attribute__((warn_unused_result));
/* The same open file, read-only and with an offset of its own; the caller's to close. -1 with errno. */
int convert_memfile_reopen(int fd) __attribute__((warn_unused_result));
/* Up to max bytes from offset, all that are there. The result is the caller's; NULL when there are more or on an
 * error. */
void *convert_memfile_read(int fd, int64_t offset, size_t max, size_t *len_out) __attribute__((warn_unused_result));
/* Its first len bytes, which must be there; a NUL follows. The result is the caller's; NULL on an error. */
void *convert_memfile_read_start(int fd, size_t len) __attribute__((warn_unused_result));
