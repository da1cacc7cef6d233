/* resolve - asks DNS as the gateway does, through base/resolver: "resolve [-s ADDRESS:PORT]... [-f RESOLV.CONF] [-a ANCHORS] [-t MS]"
 *
 * Reads questions from standard input, "NAME TYPE" one a line, asks all that have come together, and writes a line of JSON for each
 * answer as it comes. Ends with the last answer after the end of input. A line "counts" writes the counts so far.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/resolver.h"
#include "base/xmalloc.h"

struct tool {
    struct loop *loop;
    struct resolver *resolver;
    struct loop_watch *input;
    char line[1024];
    size_t line_len;
    unsigned open;
};

struct question {
    struct tool *tool;
    enum dns_type type;
    char name[1024];
};

static const struct {
    const char *name;
    enum dns_type type;
} types[] = { { "A", DNS_A }, { "AAAA", DNS_AAAA }, { "MX", DNS_MX }, { "PTR", DNS_PTR }, { "TXT", DNS_TXT } };

static const char *const outcomes[] = { [DNS_FOUND] = "found",
                                        [DNS_NO_DATA] = "no data",
                                        [DNS_NO_NAME] = "no name",
                                        [DNS_TEMPORARY] = "temporary",
                                        [DNS_BOGUS] = "bogus" };

static void print_text(const char *data, size_t len)
{
    putchar('"');
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)data[i];
        if (c < ' ' || c >= 0x7f || c == '"' || c == '\\')
            printf("\\u%04x", c);
        else
            putchar(c);
    }
    putchar('"');
}

static void print_record(enum dns_type type, const struct dns_record *record)
{
    char address[INET6_ADDRSTRLEN];
    if (type == DNS_A || type == DNS_AAAA)
        printf("\"%s\"", inet_ntop(type == DNS_A ? AF_INET : AF_INET6, record->data, address, sizeof address));
    else if (type == DNS_MX) {
        printf("[%u, ", record->preference);
        print_text(record->data, record->len);
        printf("]");
    } else {
        print_text(record->data, record->len);
    }
}

static void on_answer(const struct dns_answer *answer, void *ctx)
{
    struct question *question = ctx;
    struct tool *tool = question->tool;
    printf("{\"name\": ");
    print_text(question->name, strlen(question->name));
    printf(", \"outcome\": \"%s\", \"secure\": %s, \"ttl\": %u, \"records\": [", outcomes[answer->outcome],
           answer->is_secure ? "true" : "false", answer->count > 0 ? answer->records[0].ttl : 0);
    for (size_t i = 0; i < answer->count; i++) {
        printf("%s", i > 0 ? ", " : "");
        print_record(question->type, &answer->records[i]);
    }
    puts("]}");
    fflush(stdout);
    free(question);
    if (--tool->open == 0 && tool->input == NULL)
        loop_stop(tool->loop);
}

static void print_counts(const struct tool *tool)
{
    struct resolver_counts counts = resolver_counts(tool->resolver);
    printf("{\"asked\": %llu, \"refused\": %llu, \"timed_out\": %llu, \"temporary\": %llu, \"bogus\": %llu, "
           "\"losses\": %llu, \"waiting\": %u}\n",
           (unsigned long long)counts.asked, (unsigned long long)counts.refused, (unsigned long long)counts.timed_out,
           (unsigned long long)counts.temporary, (unsigned long long)counts.bogus, (unsigned long long)counts.losses,
           counts.waiting);
    fflush(stdout);
}

static void on_line(struct tool *tool, char *line)
{
    if (strcmp(line, "counts") == 0) {
        print_counts(tool);
        return;
    }
    char *type = strrchr(line, ' ');
    if (type != NULL)
        *type++ = '\0';
    for (size_t i = 0; type != NULL && i < sizeof types / sizeof types[0]; i++) {
        if (strcasecmp(types[i].name, type) != 0)
            continue;
        struct question *question = xcalloc(1, sizeof *question);
        *question = (struct question){ .tool = tool, .type = types[i].type };
        snprintf(question->name, sizeof question->name, "%s", line);
        tool->open++;
        resolver_ask(tool->resolver, line, types[i].type, on_answer, question);
        return;
    }
    fprintf(stderr, "resolve: expected NAME TYPE, with a type of A, AAAA, MX, PTR or TXT\n");
}

static void on_input(int fd, void *arg)
{
    struct tool *tool = arg;
    char *at = tool->line;
    ssize_t got = read(fd, tool->line + tool->line_len, sizeof tool->line - 1 - tool->line_len);
    if (got <= 0) {
        loop_watch_free(&tool->input);
        if (tool->open == 0)
            loop_stop(tool->loop);
        return;
    }
    tool->line_len += (size_t)got;
    tool->line[tool->line_len] = '\0';
    for (char *end; (end = strchr(at, '\n')) != NULL; at = end + 1) {
        *end = '\0';
        on_line(tool, at);
    }
    tool->line_len -= (size_t)(at - tool->line);
    memmove(tool->line, at, tool->line_len);
}

int main(int argc, char **argv)
{
    const char *servers[RESOLVER_SERVERS_MAX + 1] = { NULL };
    struct resolver_settings settings = { .program = "/proc/self/exe", .timeout_ms = 5000 };
    size_t server_count = 0;
    if (argc == 2 && strcmp(argv[1], RESOLVER_ARGUMENT) == 0)
        resolver_main();
    for (int c; (c = getopt(argc, argv, "s:f:a:t:")) != -1;) {
        if (c == 's' && server_count < RESOLVER_SERVERS_MAX)
            servers[server_count++] = optarg;
        else if (c == 'f')
            settings.system_file = optarg;
        else if (c == 'a')
            settings.trust_anchor = optarg;
        else if (c == 't')
            settings.timeout_ms = strtol(optarg, NULL, 10);
        else
            return 64;
    }
    if (server_count > 0)
        settings.servers = servers;

    struct clock *clock = clock_new_system();
    struct tool tool = { .loop = loop_new(clock) };
    tool.resolver = resolver_new(tool.loop, &settings);
    tool.input = loop_watch_new(tool.loop, STDIN_FILENO, on_input, &tool);
    loop_run(tool.loop);
    loop_watch_free(&tool.input);
    resolver_free(&tool.resolver);
    loop_free(&tool.loop);
    clock_free(&clock);
    return 0;
}
