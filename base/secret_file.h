/* secret_file.h - small files with a secret: a key, a password, a token
 *
 * Only a regular file is taken, which nobody but its owner and group may read, and nobody but its owner may change.
 */
#pragma once
#include <stddef.h>

/* Reads a file of at most max octets. 1: *text_out, with a NUL behind its *len_out octets, is to be given to free(). 0:
 * there is no such file; -1: it is of no use; then *error_out (caller frees) says why and what to do, and begins with the file's name.
 * Blocks as long as the file does. */
int secret_file_read(const char *file, size_t max, char **text_out, size_t *len_out, char **error_out)
    __attribute__((warn_unused_result));

/* For those who go on explaining: the caller frees it. */
char *secret_file_explain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
