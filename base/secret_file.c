/* secret_file.c - see secret_file.h */
#include "base/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"

enum { EXPLANATION_MAX = 5000 }; /* a path and some words */

char *secret_file_explain(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *text = strbuf_vtext(EXPLANATION_MAX, fmt, args);
    va_end(args);
    return text;
}

/* Octets read, as many as there is room for at most; -1. */
static ssize_t read_all(int fd, char *text, size_t size)
{
    size_t len = 0;
    while (len < size) {
        ssize_t n = read(fd, text + len, size - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    return (ssize_t)len;
}

static int take(const char *file, int fd, size_t max, char **text_out, size_t *len_out, char **error_out)
{
    struct stat st;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        *error_out = secret_file_explain("%s is not a regular file", file);
        return -1;
    }
    if (st.st_mode & (S_IRWXO | S_IWGRP)) {
        *error_out =
            secret_file_explain("%s is open to more than its owner and group; take that away with chmod g-w,o=", file);
        return -1;
    }
    char *text = xcalloc(1, max + 2);
    ssize_t len = read_all(fd, text, max + 1);
    if (len >= 0 && (size_t)len <= max) {
        *text_out = text;
        *len_out = (size_t)len;
        return 1;
    }
    *error_out = len < 0 ? secret_file_explain("%s can't be read: %s", file, strerror(errno))
                         : secret_file_explain("%s holds more than %zu bytes", file, max);
    free(text);
    return -1;
}

int secret_file_read(const char *file, size_t max, char **text_out, size_t *len_out, char **error_out)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* whatever it is, it must not block */
    if (fd < 0) {
        int result = errno == ENOENT ? 0 : -1;
        *error_out = secret_file_explain("%s can't be read: %s", file, strerror(errno));
        return result;
    }
    int result = take(file, fd, max, text_out, len_out, error_out);
    close(fd);
    return result;
}
