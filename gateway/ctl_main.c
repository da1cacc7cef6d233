/* ctl_main.c - posternctl: sends one command to the daemon's control socket and shows the answer */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include <jansson.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/config.h"

#define DEFAULT_CONFIG "/etc/postern/postern.conf"

enum { ANSWER_MAX = 64 * 1024 * 1024 };

static void print_usage(FILE *to)
{
    fputs("usage: posternctl [-c FILE | -s SOCKET] [--json] VERB ...\n"
          "  -c FILE    configuration that names the control socket (default " DEFAULT_CONFIG ")\n"
          "  -s SOCKET  the control socket itself\n"
          "  --json     one JSON document instead of tables\n"
          "The verbs: status, member, group, mapping, silo, queue, why, reload, stop, version. A verb alone shows how "
          "it is\n"
          "used.\n",
          to);
}

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

static int connect_to(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    size_t len = strlen(path);
    if (len >= sizeof address.sun_path) {
        fprintf(stderr, "posternctl: %s: the path is too long for a socket\n", path);
        return -1;
    }
    memcpy(address.sun_path, path, len + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    fprintf(stderr, "posternctl: can't reach the daemon at %s: %s\n", path, strerror(errno));
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
static char *compose_request(bool json, int argc, char **argv)
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
    char *line = is_valid ? json_dumps(request, JSON_COMPACT) : NULL;
    json_decref(request);
    return line;
}

static json_t *read_answer(int fd)
{
    struct strbuf text;
    char piece[16 * 1024];
    ssize_t n;
    strbuf_init(&text, ANSWER_MAX);
    while ((n = read(fd, piece, sizeof piece)) > 0)
        strbuf_add(&text, piece, (size_t)n);
    json_t *answer = strbuf_ok(&text) ? json_loadb(text.data, text.len, 0, NULL) : NULL;
    strbuf_free(&text);
    return answer;
}

static int run(int fd, const char *request)
{
    if (!send_all(fd, request, strlen(request)) || !send_all(fd, "\n", 1)) {
        fputs("posternctl: the request could not be sent\n", stderr);
        return EX_UNAVAILABLE;
    }
    json_t *answer = read_answer(fd);
    const char *out = json_string_value(json_object_get(answer, "out")),
               *err = json_string_value(json_object_get(answer, "err"));
    int status = (int)json_integer_value(json_object_get(answer, "exit"));
    if (!out || !err) {
        fputs("posternctl: the daemon went away without an answer\n", stderr);
        status = EX_UNAVAILABLE;
    } else {
        fputs(out, stdout);
        fputs(err, stderr);
    }
    json_decref(answer);
    return status;
}

/* Asks the daemon; the exit status. */
static int ask(const char *config_file, const char *socket_path, const char *request)
{
    char *path = socket_path ? xstrdup(socket_path) : socket_from_config(config_file);
    if (!path)
        return EX_CONFIG;
    int fd = connect_to(path);
    free(path);
    if (fd < 0)
        return EX_UNAVAILABLE;
    int status = run(fd, request);
    close(fd);
    return status;
}

int main(int argc, char **argv)
{
    const char *config_file = DEFAULT_CONFIG, *socket_path = NULL;
    bool json = false;
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            json = true;
        } else if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            print_usage(stdout);
            return EX_OK;
        } else if ((strcmp(argv[i], "-c") == 0 || strcmp(argv[i], "-s") == 0) && i + 1 < argc) {
            *(argv[i][1] == 'c' ? &config_file : &socket_path) = argv[i + 1];
            i++;
        } else {
            print_usage(stderr);
            return 2;
        }
    }
    if (i == argc) {
        print_usage(stderr);
        return 2;
    }
    char *request = compose_request(json, argc - i, argv + i);
    if (!request)
        return 2;
    int status = ask(config_file, socket_path, request);
    free(request);
    return status;
}
