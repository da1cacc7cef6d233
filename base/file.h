/* file.h - what every writer of files needs */
#pragma once
#include <stddef.h>

/* Writes all of it at the descriptor's offset, going on after signals and short writes. 1, or -1 with errno: then some
 * of it may have been written. Blocks as long as the file does. */
int file_write_all(int fd, const void *data, size_t len) __attribute__((warn_unused_result));
