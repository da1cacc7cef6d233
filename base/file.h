/* file.h - what every writer of files needs */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* Writes all of it at the descriptor's offset, going on after signals and short writes. 1, or -1 with errno: then some
 * of it may have been written. Blocks as long as the file does. */
int file_write_all(int fd, const void *data, size_t len) __attribute__((warn_unused_result));

/* The size of an open file; 1, or -1 with errno. For workers, which may not ask by fstat(): many C libraries make it a call that could
 * be about any path. */
int file_size(int fd, int64_t *size_out) __attribute__((warn_unused_result));

/* Makes names in a directory durable: those that were made, changed or removed before. 1, or -1 with errno. Blocks. */
int file_sync_directory(const char *directory) __attribute__((warn_unused_result));
int file_sync_directory_of(const char *path)
    __attribute__((warn_unused_result)); /* likewise, of the one that this path is in */

/* The first thing that a program does: standard streams that were closed lead to /dev/null. Or what is opened next would get such a
 * number, and have our messages written into it. */
void file_open_standard_streams(void);
