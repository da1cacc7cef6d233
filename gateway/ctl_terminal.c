/* ctl_terminal.c - see ctl_terminal.h */
#include "gateway/ctl_terminal.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"

enum { WIDTH_DEFAULT = 80, WIDTH_MIN = 20, WIDTH_MAX = 1000, ANSWER_MAX = 1000, QUESTIONS_MAX = 5 };

bool ctl_is_terminal(int fd)
{
    return isatty(fd) == 1;
}

unsigned ctl_terminal_width(int fd)
{
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_col == 0 || size.ws_col > WIDTH_MAX)
        return WIDTH_DEFAULT;
    return size.ws_col < WIDTH_MIN ? WIDTH_MIN : size.ws_col;
}

static bool is_set(const char *name)
{
    const char *value = getenv(name);
    return value && value[0];
}

bool ctl_uses_colours(int fd)
{
    if (is_set("NO_COLOR"))
        return false;
    const char *forced = getenv("CLICOLOR_FORCE");
    if (forced && forced[0] && strcmp(forced, "0") != 0)
        return true;
    const char *terminal = getenv("TERM");
    return ctl_is_terminal(fd) && terminal && strcmp(terminal, "dumb") != 0;
}

/* Questions. */

/* Octet by octet, so that what stands behind the line is left to whoever reads next. 1; 0 it has ended before anything; -1 it is too
 * long: it is read to its end. */
static int read_line(char out[static ANSWER_MAX + 1])
{
    size_t len = 0;
    ssize_t got;
    char c;
    while ((got = read(STDIN_FILENO, &c, 1)) == 1 || (got < 0 && errno == EINTR)) {
        if (got < 0)
            continue;
        if (c == '\n')
            break;
        if (len < ANSWER_MAX)
            out[len] = c;
        len++;
    }
    size_t kept = len < ANSWER_MAX ? len : ANSWER_MAX;
    if (kept > 0 && kept == len && out[kept - 1] == '\r')
        kept--;
    out[kept] = 0;
    if (len > ANSWER_MAX)
        return -1;
    return len == 0 && got != 1 ? 0 : 1;
}

static char *trim(char *text)
{
    text += strspn(text, " \t");
    size_t len = strlen(text);
    while (len > 0 && strchr(" \t", text[len - 1]))
        text[--len] = 0;
    return text;
}

int ctl_ask_yes(const char *question)
{
    char answer[ANSWER_MAX + 1];
    if (!ctl_is_terminal(STDIN_FILENO))
        return -1;
    for (unsigned i = 0; i < QUESTIONS_MAX; i++) {
        fprintf(stderr, "%s [y/N] ", question);
        fflush(stderr);
        int got = read_line(answer);
        if (got == 0) {
            fputc('\n', stderr);
            return -1;
        }
        const char *said = trim(answer);
        if (got == 1 && (strcasecmp(said, "y") == 0 || strcasecmp(said, "yes") == 0))
            return 1;
        if (got == 1 && (!*said || strcasecmp(said, "n") == 0 || strcasecmp(said, "no") == 0))
            return 0;
        fputs("Please answer yes or no.\n", stderr);
    }
    return -1;
}

char *ctl_ask_line(const char *question, const char *preset)
{
    char answer[ANSWER_MAX + 1];
    if (!ctl_is_terminal(STDIN_FILENO))
        return NULL;
    if (preset)
        fprintf(stderr, "%s [%s]: ", question, preset);
    else
        fprintf(stderr, "%s: ", question);
    fflush(stderr);
    if (read_line(answer) != 1) {
        fputc('\n', stderr);
        return NULL;
    }
    const char *said = trim(answer);
    return xstrdup(!*said && preset ? preset : said);
}

/* Secrets. While nothing echoes, signals are held back and waited for together with the input; when one comes, the terminal is
 * put right first, and then it is let through. */

struct quiet {
    sigset_t held, before;
    int signals; /* signalfd */
    struct termios usual;
};

static int become_quiet(struct quiet *quiet)
{
    static const int ending[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP };
    struct termios silent;
    sigemptyset(&quiet->held);
    for (size_t i = 0; i < sizeof ending / sizeof ending[0]; i++)
        sigaddset(&quiet->held, ending[i]);
    if (tcgetattr(STDIN_FILENO, &quiet->usual) < 0)
        return -1;
    quiet->signals = signalfd(-1, &quiet->held, SFD_CLOEXEC);
    if (quiet->signals < 0)
        return -1;
    sigprocmask(SIG_BLOCK, &quiet->held, &quiet->before);
    silent = quiet->usual;
    silent.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
    silent.c_lflag |= ICANON | ISIG;
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0) /* what was typed before the prompt does not count */
        return 1;
    close(quiet->signals);
    sigprocmask(SIG_SETMASK, &quiet->before, NULL);
    return -1;
}

static void become_usual(struct quiet *quiet)
{
    while (tcsetattr(STDIN_FILENO, TCSANOW, &quiet->usual) < 0 && errno == EINTR)
        ;
    close(quiet->signals);
    fputc('\n', stderr); /* the one that was typed did not show */
    fflush(stderr);
    sigprocmask(SIG_SETMASK, &quiet->before, NULL); /* a signal that came is delivered here */
}

/* 1 there is input; 0 a signal. */
static int await_input(const struct quiet *quiet)
{
    struct pollfd ready[] = { { .fd = quiet->signals, .events = POLLIN }, { .fd = STDIN_FILENO, .events = POLLIN } };
    while (poll(ready, 2, -1) < 0 && errno == EINTR)
        ;
    return ready[0].revents ? 0 : 1;
}

static int read_from_terminal(const char *prompt, char line[static ANSWER_MAX + 1])
{
    for (;;) {
        struct quiet quiet;
        if (become_quiet(&quiet) < 0) {
            fprintf(stderr, "posternctl: the terminal can't be kept from showing what is typed: %s\n", strerror(errno));
            return 0;
        }
        fputs(prompt, stderr);
        fflush(stderr);
        int ready = await_input(&quiet);
        int result = ready == 1 ? read_line(line) : 0;
        become_usual(&quiet);
        if (ready == 1)
            return result;
    }
}

int ctl_read_secret(const char *prompt, char **secret_out)
{
    char line[ANSWER_MAX + 1];
    *secret_out = NULL;
    int result = ctl_is_terminal(STDIN_FILENO) ? read_from_terminal(prompt, line) : read_line(line);
    if (result < 0)
        fprintf(stderr, "posternctl: that is longer than %d octets\n", ANSWER_MAX);
    if (result == 1 && line[0])
        *secret_out = xstrdup(line);
    explicit_bzero(line, sizeof line);
    return result != 1 ? -1 : *secret_out ? 1 : 0;
}
