/* silo_token.c - see silo_token.h */
#include "gateway/silo_token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "tmtp/tmtp_header.h"

static char *explain(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static char *explain(const char *fmt, ...)
{
    struct strbuf text;
    va_list args;
    strbuf_init(&text, 1000);
    va_start(args, fmt);
    strbuf_add_vfmt(&text, fmt, args);
    va_end(args);
    return strbuf_detach(&text);
}

/* Bytes read, one more than allowed at most; -1. */
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

static int take(const char *file, int fd, char **oidc_out, char **error_out)
{
    enum { SIZE = TMTP_TOKEN_MAX + 1 };
    struct stat st;
    const char *reason = NULL;

    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        *error_out = explain("%s is not a regular file", file);
        return -1;
    }
    if (st.st_mode & S_IRWXO) {
        *error_out = explain("%s is open to everybody on this machine; chmod o= %s", file, file);
        return -1;
    }
    char *text = xcalloc(1, SIZE);
    ssize_t len = read_all(fd, text, SIZE);
    int result = -1;
    if (len < 0)
        *error_out = explain("%s can't be read: %s", file, strerror(errno));
    else if (len == 0)
        *error_out = explain("%s is empty; put there what the provider's token endpoint answered", file);
    else if (tmtp_token_normalise(text, (size_t)len, oidc_out, &reason) == 1)
        result = 1;
    else
        *error_out = explain("%s does not hold a token: %s; put there what the provider's token endpoint answered",
                             file, reason);
    explicit_bzero(text, SIZE);
    free(text);
    return len == 0 ? 0 : result;
}

int silo_token_read(const char *file, char **oidc_out, char **error_out)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* whatever it is, it must not block */
    if (fd < 0 && errno == ENOENT) {
        *error_out = explain("there is no file %s; put there what the provider's token endpoint answered", file);
        return 0;
    }
    if (fd < 0) {
        *error_out = explain("%s can't be read: %s", file, strerror(errno));
        return -1;
    }
    int result = take(file, fd, oidc_out, error_out);
    close(fd);
    return result;
}
