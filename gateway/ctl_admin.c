/* ctl_admin.c - see ctl_admin.h */
#include "gateway/ctl_admin.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/password.h"
#include "gateway/ctl_client.h"

enum { LINE_SIZE = PASSWORD_LENGTH_MAX + 3, INTERRUPT = 3 /* ^C */ };

/* One line without its end, read octet by octet: what is behind it is somebody else's. 1; 0: nothing came, or it is too long, or ^C. */
static int read_line(int fd, char out[static LINE_SIZE])
{
    size_t len = 0;
    char c;
    ssize_t got;
    while ((got = read(fd, &c, 1)) == 1 && c != '\n' && c != '\r') {
        if (c == INTERRUPT || len == LINE_SIZE - 1)
            return 0;
        out[len++] = c;
    }
    out[len] = '\0';
    return (len > 0 || got == 1) && strlen(out) == len ? 1 : 0;
}

static void say(int fd, const char *text)
{
    ssize_t written = write(fd, text, strlen(text));
    (void)written;
}

/* ^C is read as a character, so that the terminal shows again what is typed before we end. */
static int ask(int fd, const char *prompt, char out[static LINE_SIZE])
{
    struct termios was, silent;
    if (tcgetattr(fd, &was) < 0)
        return 0;
    silent = was;
    silent.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
    silent.c_lflag |= ICANON;
    silent.c_cc[VEOL] = INTERRUPT;
    if (tcsetattr(fd, TCSAFLUSH, &silent) < 0)
        return 0;
    say(fd, prompt);
    int result = read_line(fd, out);
    tcsetattr(fd, TCSAFLUSH, &was);
    say(fd, "\n");
    return result;
}

static int ask_twice(int fd, char out[static LINE_SIZE])
{
    char again[LINE_SIZE];
    int result = ask(fd, "New password (12 characters or more): ", out);
    if (result == 1) {
        result = ask(fd, "The same once more: ", again);
        if (result == 1 && strcmp(out, again) != 0) {
            fputs("posternctl: these differ; nothing was done\n", stderr);
            result = -1;
        }
    }
    explicit_bzero(again, sizeof again);
    return result;
}

static int get_password(char out[static LINE_SIZE])
{
    int result;
    if (isatty(STDIN_FILENO)) {
        int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
        result = ask_twice(terminal >= 0 ? terminal : STDIN_FILENO, out);
        if (terminal >= 0)
            close(terminal);
    } else {
        result = read_line(STDIN_FILENO, out);
    }
    if (result == 0)
        fputs("posternctl: no password was given; nothing was done\n", stderr);
    return result;
}

int ctl_admin_password(const struct ctl *ctl, int argc, char **argv)
{
    char password[LINE_SIZE];
    if (argc != 3 || strncmp(argv[2], "--", 2) == 0) /* the daemon says how it is used */
        return ctl_client_ask(ctl, argc, (const char *const *)argv, NULL);
    int status = CTL_REFUSED;
    if (get_password(password) == 1)
        status = ctl_client_ask(ctl, argc, (const char *const *)argv, password);
    explicit_bzero(password, sizeof password);
    return status;
}
