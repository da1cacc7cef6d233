/* ctl_client.c - see ctl_client.h */
#include "gateway/ctl_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include <jansson.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/ctl_terminal.h"

enum { ANSWER_MAX = 64 * 1024 * 1024, SHOWN_MAX = 2 * ANSWER_MAX };

/* The socket's path from the configuration; NULL after having said why not. A mistake elsewhere in it does not matter:
 * the daemon that runs was started with an earlier version, and is needed now. */
static char *socket_from_config(const char *file)
{
    struct strbuf problems;
    strbuf_init(&problems, 64 * 1024);
    struct config *config = config_load(file, &problems);
    char *path = NULL;
    if (config)
        path = xstrdup(config->admin.socket);
    else
        path = config_find_socket(file);
    if (!path)
        fprintf(stderr,
                "%sposternctl: can't tell the control socket from this configuration; -s SOCKET names it directly\n",
                problems.data);
    config_free(&config);
    strbuf_free(&problems);
    return path;
}

/* Says that a call has failed; a time that is over has reasons of its own. The exit status. */
static int complain_of(const struct ctl *ctl, const char *what, int error)
{
    if (error != EAGAIN && error != EWOULDBLOCK) {
        fprintf(stderr, "posternctl: %s: %s\n", what, strerror(error));
        return EX_UNAVAILABLE;
    }
    fprintf(
        stderr,
        "posternctl: the daemon has given no sign of life for %u s: it hangs, or the disk of its database does. It is "
        "not known whether the command will be done. Its log may say why; -t SECONDS waits longer.\n",
        ctl->patience_s);
    return EX_TEMPFAIL;
}

/* For as long as every call may wait: for room in the daemon's queue of connections, for it to read, for it to answer. 0: for ever. */
static void limit_waiting(int fd, unsigned patience_s)
{
    const struct timeval patience = { .tv_sec = patience_s };
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

/* -1 after having said why not, with the exit status. */
static int connect_to(const struct ctl *ctl, const char *path, int *exit_out)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t len = strlen(path);
    if (len >= sizeof address.sun_path) {
        fprintf(stderr, "posternctl: %s: the path is too long for a socket\n", path);
        return -1;
    }
    memcpy(address.sun_path, path, len + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        limit_waiting(fd, ctl->patience_s);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    struct strbuf what;
    strbuf_init(&what, 1000);
    strbuf_add_fmt(&what, "can't reach the daemon at %s", path);
    *exit_out = complain_of(ctl, what.data, errno);
    strbuf_free(&what);
    if (fd >= 0)
        close(fd);
    return -1;
}

static bool send_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        data += n;
        len -= (size_t)n;
    }
    return true;
}

/* The request as it is sent, without the newline; NULL after having said why not. --json may stand behind the verb too,
 * but not behind "--". */
static char *compose_request(bool json, int argc, const char *const *argv, const char *input)
{
    json_t *words = json_array();
    bool only_arguments = false, is_valid = true;
    for (int i = 0; i < argc; i++) {
        only_arguments = only_arguments || strcmp(argv[i], "--") == 0;
        if (!only_arguments && strcmp(argv[i], "--json") == 0) {
            json = true;
        } else if (json_array_append_new(words, json_string(argv[i])) < 0) {
            fprintf(stderr, "posternctl: argument %d is not valid UTF-8\n", i + 1);
            is_valid = false;
        }
    }
    json_t *request = json_pack("{s:o, s:b}", "argv", words, "json", (int)json);
    if (input && json_object_set_new(request, "input", json_string(input)) < 0) {
        fputs("posternctl: the input is not valid UTF-8\n", stderr);
        is_valid = false;
    }
    char *line = is_valid ? json_dumps(request, JSON_COMPACT) : NULL;
    json_decref(request);
    return line;
}

/* Signs of life may come first (admin_socket.h). NULL with errno: 0, or why no more could be read. */
static json_t *read_answer(int fd)
{
    struct strbuf text;
    char piece[16 * 1024];
    ssize_t n;
    strbuf_init(&text, ANSWER_MAX);
    while ((n = read(fd, piece, sizeof piece)) > 0)
        strbuf_add(&text, piece, (size_t)n);
    int error = n < 0 ? errno : 0;
    json_t *answer = strbuf_ok(&text) ? json_loadb(text.data, text.len, 0, NULL) : NULL;
    strbuf_free(&text);
    errno = error;
    return answer;
}

/* 1 with the answer; -1 after having said why there is none, with the exit status. */
static int exchange(const struct ctl *ctl, int fd, const char *request, struct ctl_answer *answer_out)
{
    bool is_sent = send_all(fd, request, strlen(request)) && send_all(fd, "\n", 1);
    int send_error = errno;
    if (!is_sent && send_error == EAGAIN) {
        answer_out->exit = complain_of(ctl, "", send_error);
        return -1;
    }
    json_t *answer = read_answer(fd); /* it may say why it takes nothing */
    int read_error = errno;
    const char *out = json_string_value(json_object_get(answer, "out")),
               *err = json_string_value(json_object_get(answer, "err"));
    int result = out && err ? 1 : -1;
    if (result == 1)
        *answer_out = (struct ctl_answer){ .exit = (int)json_integer_value(json_object_get(answer, "exit")),
                                           .out = xstrdup(out),
                                           .err = xstrdup(err) };
    else if (!is_sent)
        answer_out->exit = complain_of(ctl, "the request could not be sent", send_error);
    else if (read_error == EAGAIN)
        answer_out->exit = complain_of(ctl, "", read_error);
    else
        fputs("posternctl: the daemon went away without an answer\n", stderr);
    json_decref(answer);
    return result;
}

int ctl_client_call(const struct ctl *ctl, bool json, int argc, const char *const *argv, const char *input,
                    struct ctl_answer *answer_out)
{
    *answer_out = (struct ctl_answer){ .exit = EX_UNAVAILABLE };
    char *request = compose_request(json, argc, argv, input);
    if (!request) {
        answer_out->exit = 2;
        return -1;
    }
    char *path = ctl->socket_path ? xstrdup(ctl->socket_path) : socket_from_config(ctl->config_file);
    int fd = -1, result = -1;
    if (!path)
        answer_out->exit = EX_CONFIG;
    else if ((fd = connect_to(ctl, path, &answer_out->exit)) >= 0)
        result = exchange(ctl, fd, request, answer_out);
    if (fd >= 0)
        close(fd);
    free(path);
    free(request);
    return result;
}

void ctl_answer_clear(struct ctl_answer *answer)
{
    free(answer->out);
    free(answer->err);
    *answer = (struct ctl_answer){ 0 };
}

static void show(const char *out)
{
    struct strbuf text;
    bool is_json = out[0] == '{';
    strbuf_init(&text, SHOWN_MAX);
    ctl_add_answer(&text, !is_json && ctl_uses_colours(STDOUT_FILENO), out);
    fputs(text.data, stdout);
    strbuf_free(&text);
}

int ctl_client_ask(const struct ctl *ctl, int argc, const char *const *argv, const char *input)
{
    struct ctl_answer answer;
    if (ctl_client_call(ctl, ctl->json, argc, argv, input, &answer) == 1) {
        show(answer.out);
        fputs(answer.err, stderr);
    }
    int exit = answer.exit;
    ctl_answer_clear(&answer);
    return exit;
}
