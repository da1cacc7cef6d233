/* store_file.h - large content as files in "content/"; for mapping/store*.c only
 *
 * Names are STORE_FILE_NAME_LENGTH random hexadecimal digits, so that none is ever used twice. Files are 0600, the
 * directory is 0700. No file is changed once it has its name.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum { STORE_FILE_NAME_LENGTH = 32, STORE_FILE_NAME_SIZE = STORE_FILE_NAME_LENGTH + 1 };

/* 1 it is there, for us alone, and will be after a crash; -1 errno. */
int store_file_make_directory(const char *directory) __attribute__((warn_unused_result));
/* Makes the first size bytes of fd a file with a new name, durable with that name: without a copy when fd comes from
 * tmpfile_new() on the same filesystem and has that size, else by one. Waits for the disk. 1; -1 on an error (logged),
 * and nothing is left of it. */
int store_file_keep(const char *directory, int fd, int64_t size, char name_out[static STORE_FILE_NAME_SIZE])
    __attribute__((warn_unused_result));
bool store_file_is_name(const char *name);
/* For reading, from offset 0; the caller closes it. 1; 0 no such file, or not of that size; -1 on an error (logged). */
int store_file_open(const char *directory, const char *name, int64_t size, int *fd_out)
    __attribute__((warn_unused_result));
/* One that is not there is removed already. What can't be removed is logged, and swept later. */
void store_file_remove(const char *directory, const char *name);
/* Removes files that nobody names. is_named: 1 yes, 0 no, -1 error (the sweep ends). 1 or -1; files of other names than ours are left alone. */
int store_file_sweep(const char *directory, int (*is_named)(const char *name, void *ctx), void *ctx)
    __attribute__((warn_unused_result));
