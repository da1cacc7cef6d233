/* The process's side: libunbound, between the daemon's socket and the name servers. One thread here, and one that libunbound makes
 * after the lock-down (so nothing is forked). */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unbound.h>
#include <unistd.h>

#include "base/child.h"
#include "base/log.h"
#include "base/resolver.h"
#include "base/resolver_anchors.h"
#include "base/resolver_answer.h"
#include "base/resolver_protocol.h"
#include "base/resolver_sandbox.h"
#include "base/resolver_system.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"

enum { PLACES = RESOLVER_ASKED_MAX + 1 }; /* and a probe */

/* A question that libunbound works on. */
struct asked {
    struct process *process;
    uint32_t number; /* 0: this place is free */
    int handle;      /* libunbound's */
    enum dns_type type;
};

struct process {
    struct ub_ctx *unbound;
    struct asked asked[PLACES];
    struct ipc_message message; /* the last one received */
    char reply[IPC_PAYLOAD_MAX];
};

static void tell_daemon(enum resolver_message_type type, const void *payload, size_t len)
{
    if (ipc_send(CHILD_SOCKET_FD, type, payload, len, NULL, 0) != 1)
        _exit(EX_OK); /* it is gone */
}

static _Noreturn void fail(const char *step, const char *reason)
{
    struct strbuf text;
    strbuf_init(&text, 1000);
    strbuf_add_fmt(&text, "%s: %s", step, reason);
    tell_daemon(RESOLVER_FAILED, text.data, text.len);
    /* The daemon ends us when it has read this. What it asked meanwhile must not be left unread: the kernel would report that to it
     * in place of our message. */
    struct ipc_message *ignored = xmalloc(sizeof *ignored);
    while (ipc_receive(CHILD_SOCKET_FD, ignored) == 1)
        ipc_close_fds(ignored);
    _exit(EX_CONFIG);
}

/* ---- settings ---- */

static const struct {
    const char *name, *value;
} options[] = {
    { "do-not-query-localhost:", "no" }, /* a resolver on this machine is the usual case */
    /* What these names mean is for the configured resolver to say: a site may serve addresses of its own. */
    { "unblock-lan-zones:", "yes" },
    { "insecure-lan-zones:", "yes" },
    { "local-zone:", "test. transparent" },
    /* A library's defaults are for a program that asks now and then. */
    { "outgoing-range:", "256" },
    { "outgoing-num-tcp:", "32" },
    { "num-queries-per-thread:", "512" },
    { "msg-cache-size:", "8m" },
    { "rrset-cache-size:", "16m" },
    { "cache-max-negative-ttl:", "300" }, /* a sender who has just published a record is believed soon */
    /* A server that was down is asked again soon: there may be no other. */
    { "infra-host-ttl:", "30" },
    { "infra-keep-probing:", "yes" },
};

/* "192.0.2.1:53" or "[2001:db8::1]:53" as libunbound writes it, "192.0.2.1@53". */
static int add_server(struct ub_ctx *unbound, const char *server)
{
    struct strbuf text;
    const char *colon = strrchr(server, ':');
    if (colon == NULL)
        return UB_SYNTAX;
    const char *end = colon;
    if (server[0] == '[') {
        server++;
        end--;
    }
    strbuf_init(&text, RESOLVER_SERVER_TEXT_MAX);
    strbuf_add_fmt(&text, "%.*s@%s", (int)(end - server), server, colon + 1);
    int error = strbuf_ok(&text) ? ub_ctx_set_fwd(unbound, text.data) : UB_SYNTAX;
    strbuf_free(&text);
    return error;
}

static void must(const char *step, int error)
{
    if (error != UB_NOERROR)
        fail(step, ub_strerror(error));
}

static void add_system_server(const char *server, void *ctx)
{
    must(server, ub_ctx_set_fwd(ctx, server));
}

/* As the C library does: a system that names no server has one itself. */
static void add_system_servers(struct ub_ctx *unbound, const char *path)
{
    if (resolver_system_read(path, add_system_server, unbound) == 0)
        add_system_server("127.0.0.1", unbound);
}

static void add_anchors(struct ub_ctx *unbound, const char *path)
{
    struct strbuf problem;
    strbuf_init(&problem, 500);
    if (resolver_anchors_check(path, &problem) < 0)
        fail(path, problem.data);
    strbuf_free(&problem);
    must(path, ub_ctx_add_ta_file(unbound, path));
}

static void apply_settings(struct process *process, const struct resolver_settings_wire *settings)
{
    process->unbound = ub_ctx_create();
    if (process->unbound == NULL)
        fail("libunbound", "no memory");
    /* Lines about strangers' servers are of no use to anybody, and could look like ours. */
    (void)ub_ctx_debuglevel(process->unbound, 0);
    (void)ub_ctx_debugout(process->unbound, NULL);
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        must(options[i].name, ub_ctx_set_option(process->unbound, options[i].name, options[i].value));
    for (uint32_t i = 0; i < settings->server_count && i < RESOLVER_SERVERS_MAX; i++)
        must(settings->servers[i], add_server(process->unbound, settings->servers[i]));
    if (settings->server_count == 0)
        add_system_servers(process->unbound, settings->system_file);
    if (settings->trust_anchor[0] != '\0')
        add_anchors(process->unbound, settings->trust_anchor);
    must("threads", ub_ctx_async(process->unbound, 1));
}

static void take_settings(struct process *process)
{
    struct resolver_settings_wire settings;
    if (ipc_receive(CHILD_SOCKET_FD, &process->message) != 1 || process->message.type != RESOLVER_SETTINGS ||
        process->message.len != sizeof settings)
        _exit(EX_OK); /* the daemon is gone */
    memcpy(&settings, process->message.payload, sizeof settings);
    apply_settings(process, &settings);
}

/* ---- questions and answers ---- */

/* The place with this number (0: a free one), or NULL. */
static struct asked *find_asked(struct process *process, uint32_t number)
{
    for (size_t i = 0; i < PLACES; i++) {
        if (process->asked[i].number == number)
            return &process->asked[i];
    }
    return NULL;
}

static void answer(struct process *process, uint32_t number, enum dns_type type, int error,
                   const struct ub_result *result)
{
    struct resolver_answer_head head = { .number = number, .trouble = RESOLVER_FINE };
    size_t len;
    if (error == UB_NOERROR && result != NULL) {
        head.trouble = resolver_answer_encode(result, type, process->reply + sizeof head, &len);
    } else {
        len = dns_answer_encode(dns_answer_without_records(DNS_TEMPORARY), process->reply + sizeof head);
    }
    memcpy(process->reply, &head, sizeof head);
    tell_daemon(RESOLVER_ANSWER, process->reply, sizeof head + len);
}

static void on_result(void *arg, int error, struct ub_result *result)
{
    struct asked *asked = arg;
    uint32_t number = asked->number;
    asked->number = 0;
    answer(asked->process, number, asked->type, error, result);
    ub_resolve_free(result);
}

/* A name as libunbound reads it: octets that could be syntax are written as numbers. */
static char *escape(const char *name)
{
    struct strbuf text;
    strbuf_init(&text, (size_t)DNS_NAME_MAX * 4);
    for (; *name != '\0'; name++) {
        unsigned char c = (unsigned char)*name;
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
        if (is_plain)
            strbuf_add_char(&text, *name);
        else
            strbuf_add_fmt(&text, "\\%03u", c);
    }
    return strbuf_detach(&text);
}

static void ask(struct process *process)
{
    enum { CLASS_IN = 1 };
    const struct ipc_message *message = &process->message;
    char name[DNS_NAME_MAX + 1];
    enum dns_type type;
    uint32_t number;
    if (message->len < sizeof number)
        _exit(EX_PROTOCOL);
    memcpy(&number, message->payload, sizeof number);
    struct asked *asked = find_asked(process, 0);
    if (dns_question_decode(message->payload + sizeof number, message->len - sizeof number, name, &type) < 0 ||
        asked == NULL || number == 0)
        _exit(EX_PROTOCOL);
    *asked = (struct asked){ .process = process, .number = number, .type = type };
    char *escaped = escape(name);
    int error = ub_resolve_async(process->unbound, escaped, (int)type, CLASS_IN, asked, on_result, &asked->handle);
    free(escaped);
    if (error != UB_NOERROR) {
        asked->number = 0;
        answer(process, number, type, error, NULL);
    }
}

static void cancel(struct process *process)
{
    uint32_t number;
    if (process->message.len != sizeof number)
        _exit(EX_PROTOCOL);
    memcpy(&number, process->message.payload, sizeof number);
    struct asked *asked = number != 0 ? find_asked(process, number) : NULL;
    if (asked == NULL)
        return; /* the answer is on its way */
    (void)ub_cancel(process->unbound, asked->handle);
    asked->number = 0;
}

static void on_daemon_message(struct process *process)
{
    if (ipc_receive(CHILD_SOCKET_FD, &process->message) != 1)
        _exit(EX_OK);
    ipc_close_fds(&process->message);
    if (process->message.type == RESOLVER_ASK)
        ask(process);
    else if (process->message.type == RESOLVER_CANCEL)
        cancel(process);
    else
        _exit(EX_PROTOCOL);
}

/* Some mistakes in the settings are only found with the first question; this one is answered without asking anybody. */
static void try_settings(struct process *process, const char *what)
{
    struct ub_result *result = NULL;
    must(what, ub_resolve(process->unbound, "localhost.", DNS_A, 1, &result));
    ub_resolve_free(result);
}

_Noreturn void resolver_main(void)
{
    if (!child_has_parent()) {
        log_error("resolver.no_daemon", "reason=%s", "these arguments are for the program's own use");
        _exit(EX_USAGE);
    }
    struct process *process = xcalloc(1, sizeof *process);
    const char *step = "start";
    if (!child_settle())
        fail(step, strerror(errno));
    take_settings(process);
    try_settings(process, "settings");
#ifndef POSTERN_SANITIZE
    dup2(STDOUT_FILENO, STDERR_FILENO); /* the parent made it /dev/null: no line of the log is a stranger's */
#endif
    if (resolver_sandbox_enter(&step) < 0)
        fail(step, strerror(errno));
    tell_daemon(RESOLVER_READY, NULL, 0);
    for (;;) {
        struct pollfd ready[] = { { CHILD_SOCKET_FD, POLLIN, 0 }, { ub_fd(process->unbound), POLLIN, 0 } };
        if (poll(ready, 2, -1) < 0)
            continue; /* interrupted */
        if (ready[1].revents != 0)
            (void)ub_process(process->unbound);
        if (ready[0].revents != 0)
            on_daemon_message(process);
    }
}
