/* tmpfile.h - files without a name, for content that is too large for memory
 *
 * What such a file holds is gone with its last descriptor, unless it is given a name first. A name makes it
 * permanent, not durable: the caller fsyncs the file before, and the directory after. These functions block as long
 * as the filesystem takes for its metadata.
 */
#pragma once

/* A new, empty file without a name on directory's filesystem: mode 0600, close-on-exec, read and write. It can be
 * given a name where the filesystem knows O_TMPFILE; elsewhere it is a file that was unlinked. -1 on an error
 * (errno). The caller owns the descriptor. */
int tmpfile_new(const char *directory) __attribute__((warn_unused_result));

/* Gives the file of a descriptor of tmpfile_new() (or one that was opened anew from it) the name path, which must not
 * exist, on the same filesystem. 1 done; 0: this file can't have a name (made without O_TMPFILE, or on another
 * filesystem), so its bytes have to be copied; -1 on an error (errno). Neither file nor name is synced. Any
 * thread. */
int tmpfile_name(int fd, const char *path) __attribute__((warn_unused_result));
