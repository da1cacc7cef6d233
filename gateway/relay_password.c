/* relay_password.c - see relay_password.h */
#include "gateway/relay_password.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"

enum { PASSWORD_MAX = 1000, LINE_END_MAX = 2 };

static int fail(const char *file, const char *reason, char **error_out)
{
    struct strbuf text;
    strbuf_init(&text, 5000);
    strbuf_add_fmt(&text, "%s %s", file, reason);
    *error_out = strbuf_detach(&text);
    return -1;
}

static int cannot_read(const char *file, char **error_out)
{
    struct strbuf reason;
    strbuf_init(&reason, 1000);
    strbuf_add_fmt(&reason, "can't be read: %s", strerror(errno));
    int result = fail(file, reason.data, error_out);
    strbuf_free(&reason);
    return result;
}

static bool has_control(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7F)
            return true;
    return false;
}

/* text: what was read, one octet more than is allowed at most. */
static int take_line(const char *file, const char *text, size_t len, char **password_out, char **error_out)
{
    if (len > 0 && text[len - 1] == '\n')
        len--;
    if (len > 0 && text[len - 1] == '\r')
        len--;
    if (len == 0)
        return fail(file, "is empty; put the password there", error_out);
    if (len > PASSWORD_MAX)
        return fail(file, "holds more than 1000 bytes", error_out);
    if (has_control(text, len))
        return fail(file, "holds more than one line, or control characters", error_out);
    *password_out = xstrndup(text, len);
    return 1;
}

static int take(const char *file, int fd, char **password_out, char **error_out)
{
    struct stat st;
    char text[PASSWORD_MAX + LINE_END_MAX + 1];
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return fail(file, "is not a regular file", error_out);
    if (st.st_mode & S_IRWXO)
        return fail(file, "is open to everybody on this machine; take that away with chmod o=", error_out);
    ssize_t len = read(fd, text, sizeof text); /* of a regular file: all that there is */
    if (len < 0)
        return cannot_read(file, error_out);
    int result = take_line(file, text, (size_t)len, password_out, error_out);
    explicit_bzero(text, sizeof text);
    return result;
}

int relay_password_read(const char *file, char **password_out, char **error_out)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* whatever it is, it must not block */
    if (fd < 0)
        return cannot_read(file, error_out);
    int result = take(file, fd, password_out, error_out);
    close(fd);
    return result;
}

void relay_password_free(char **password)
{
    if (!*password)
        return;
    explicit_bzero(*password, strlen(*password));
    free(*password);
    *password = NULL;
}
