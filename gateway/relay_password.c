/* relay_password.c - see relay_password.h */
#include "gateway/relay_password.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/secret_file.h"
#include "base/xmalloc.h"

enum { PASSWORD_MAX = 1000, LINE_END_MAX = 2 };

static bool has_control(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7F)
            return true;
    return false;
}

/* What is wrong with it; NULL: nothing. */
static const char *take_line(const char *text, size_t len, char **password_out)
{
    if (len > 0 && text[len - 1] == '\n')
        len--;
    if (len > 0 && text[len - 1] == '\r')
        len--;
    if (len == 0)
        return "is empty; put the password there";
    if (len > PASSWORD_MAX)
        return "holds more than 1000 bytes";
    if (has_control(text, len))
        return "holds more than one line, or control characters";
    *password_out = xstrndup(text, len);
    return NULL;
}

int relay_password_read(const char *file, char **password_out, char **error_out)
{
    char *text;
    size_t len;
    if (secret_file_read(file, PASSWORD_MAX + LINE_END_MAX, &text, &len, error_out) != 1)
        return -1;
    const char *reason = take_line(text, len, password_out);
    if (reason)
        *error_out = secret_file_explain("%s %s", file, reason);
    free(text);
    return reason ? -1 : 1;
}
