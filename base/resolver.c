/* The daemon's side: questions that wait, and the process that answers them. */
#include "base/resolver.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/child.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/resolver_protocol.h"
#include "base/worker.h"
#include "base/xmalloc.h"

enum {
    PAUSE_FIRST_MS = 100,     /* before a process that ended is replaced ... */
    PAUSE_LONGEST_MS = 10000, /* ... doubled each time until one is ready */
    GRACE_MS = 500,           /* to end, which takes it a few milliseconds */
    PROBE_LEAST_MS = 2000,    /* for an answer that the process has ready */
    SILENT_AFTER = 5,         /* questions without an answer one after another: worth a line in the log */
};

/* Somebody who waits. */
struct asker {
    struct asker *next;
    resolver_done *done;
    void *ctx;
    enum dns_outcome outcome; /* while it is in `ready` */
};

/* What the process was asked. */
struct question {
    struct question *next;
    struct resolver *resolver;
    uint32_t number;
    enum dns_type type;
    struct asker *askers; /* one at least */
    struct timer *deadline;
    char wire[DNS_QUESTION_WIRE_MAX]; /* in lower case: the same question has the same octets */
    size_t wire_len;
};

struct resolver {
    struct loop *loop;
    char *program;
    char **argv;
    struct resolver_settings_wire settings;
    int64_t timeout_ms;
    struct stat system_file; /* as it was when the process was started; all zero: not there */

    pid_t pid; /* 0: there is none */
    int socket;
    struct loop_watch *watch;
    struct timer *pause; /* while it runs, none is started */
    int64_t pause_ms;

    struct timer *probe; /* runs while it has to show that it answers at all */

    struct question *questions;
    uint32_t last_number;
    struct asker *ready; /* whose answer is known without asking, the latest first; the timer tells them */
    struct timer *tell;
    unsigned unanswered; /* questions since the last answer */
    struct resolver_counts counts;
    bool closing;
    struct ipc_message message; /* the last one received */
};

/* ---- telling ---- */

/* Frees the list. The askers may ask anew. */
static void tell_all(struct resolver *resolver, struct asker *askers, const struct dns_answer *answer)
{
    while (askers != NULL) {
        struct asker *asker = askers;
        askers = asker->next;
        resolver->counts.waiting--;
        asker->done(answer, asker->ctx);
        free(asker);
    }
}

/* It is off the list already. */
static void conclude(struct question *question, const struct dns_answer *answer)
{
    struct resolver *resolver = question->resolver;
    struct asker *askers = question->askers;
    timer_free(&question->deadline);
    free(question);
    tell_all(resolver, askers, answer);
}

static void settle(struct question *question, const struct dns_answer *answer)
{
    struct question **at = &question->resolver->questions;
    while (*at != question)
        at = &(*at)->next;
    *at = question->next;
    conclude(question, answer);
}

/* Those that are there now: askers may ask anew. */
static void give_up_questions(struct resolver *resolver)
{
    struct question *question = resolver->questions;
    resolver->questions = NULL;
    while (question != NULL) {
        struct question *next = question->next;
        conclude(question, dns_answer_without_records(DNS_TEMPORARY));
        question = next;
    }
}

static void on_tell(void *arg)
{
    struct resolver *resolver = arg;
    struct asker *in_order = NULL;
    while (resolver->ready != NULL) {
        struct asker *asker = resolver->ready;
        resolver->ready = asker->next;
        asker->next = in_order;
        in_order = asker;
    }
    while (in_order != NULL) {
        struct asker *asker = in_order;
        in_order = asker->next;
        asker->next = NULL;
        tell_all(resolver, asker, dns_answer_without_records(asker->outcome));
    }
}

/* ---- the process ---- */

/* Makes it look lost, which is then handled from the loop. For callers that must not call back. */
static void give_up_process(struct resolver *resolver)
{
    shutdown(resolver->socket, SHUT_RDWR);
}

/* 1 sent; 0 not: it reads too slowly, or has ended, which is handled from the loop. */
static int tell_process(struct resolver *resolver, enum resolver_message_type type, const void *payload, size_t len)
{
    int sent = ipc_send(resolver->socket, type, payload, len, NULL, 0);
    if (sent < 0)
        give_up_process(resolver);
    return sent == 1;
}

static void on_pause_over(void *arg)
{
    (void)arg; /* the next question starts a process */
}

static void pause_after_failure(struct resolver *resolver)
{
    timer_start(resolver->pause, resolver->pause_ms);
    resolver->pause_ms = resolver->pause_ms * 2 < PAUSE_LONGEST_MS ? resolver->pause_ms * 2 : PAUSE_LONGEST_MS;
}

static void lose_process(struct resolver *resolver, const char *reason)
{
    timer_stop(resolver->probe);
    log_error("resolver.lost", "pid=%d waiting=%u reason=%s", (int)resolver->pid, resolver->counts.waiting, reason);
    loop_watch_free(&resolver->watch);
    child_end(resolver->pid, resolver->socket, 0);
    resolver->pid = 0;
    resolver->socket = -1;
    resolver->counts.losses++;
    pause_after_failure(resolver);
    give_up_questions(resolver);
}

static struct question *find_number(struct resolver *resolver, uint32_t number)
{
    struct question *question = resolver->questions;
    while (question != NULL && question->number != number)
        question = question->next;
    return question;
}

static void note_answer(struct resolver *resolver, const struct question *question, const struct dns_answer *answer,
                        uint32_t trouble)
{
    if (resolver->unanswered >= SILENT_AFTER)
        log_info("resolver.answers_again", "after=%u", resolver->unanswered);
    resolver->unanswered = 0;
    resolver->counts.temporary += answer->outcome == DNS_TEMPORARY;
    resolver->counts.bogus += answer->outcome == DNS_BOGUS;
    int name_len = (int)(question->wire_len - sizeof(uint16_t));
    const char *name = question->wire + sizeof(uint16_t);
    if (trouble == RESOLVER_TOO_LARGE)
        log_warning("resolver.answer_too_large", "name=%.*s type=%u", name_len, name, (unsigned)question->type);
    else if (trouble == RESOLVER_MALFORMED)
        log_warning("resolver.answer_malformed", "name=%.*s type=%u", name_len, name, (unsigned)question->type);
    if (answer->outcome == DNS_BOGUS)
        log_warning("resolver.answer_bogus", "name=%.*s type=%u", name_len, name, (unsigned)question->type);
}

/* False when no process of ours would say so. */
static bool on_answer(struct resolver *resolver)
{
    const struct ipc_message *message = &resolver->message;
    struct resolver_answer_head head;
    if (message->len < sizeof head)
        return false;
    memcpy(&head, message->payload, sizeof head);
    timer_stop(resolver->probe);
    struct question *question = find_number(resolver, head.number);
    if (question == NULL)
        return head.number <= resolver->last_number; /* a probe; or its time was over before the process heard of it */
    struct dns_answer *answer =
        dns_answer_decode(message->payload + sizeof head, message->len - sizeof head, question->type);
    if (answer == NULL)
        return false;
    note_answer(resolver, question, answer, head.trouble);
    settle(question, answer);
    dns_answer_free(&answer);
    return true;
}

static void on_message(int fd, void *arg)
{
    (void)fd;
    struct resolver *resolver = arg;
    struct ipc_message *message = &resolver->message;
    int got = ipc_receive(resolver->socket, message);
    if (got == 0)
        return;
    bool is_good = got == 1 && message->fd_count == 0;
    if (got == 1)
        ipc_close_fds(message);
    if (is_good && message->type == RESOLVER_READY) {
        resolver->pause_ms = PAUSE_FIRST_MS;
        log_debug("resolver.ready", "pid=%d", (int)resolver->pid);
    } else if (is_good && message->type == RESOLVER_FAILED) {
        log_error("resolver.failed", "reason=%.*s", (int)message->len, (const char *)message->payload);
        lose_process(resolver, "failed");
    } else if (!is_good || message->type != RESOLVER_ANSWER || !on_answer(resolver)) {
        lose_process(resolver, got < 0 ? "ended" : "broke the protocol");
    }
}

static void look_at_system_file(const struct resolver *resolver, struct stat *status_out)
{
    if (resolver->settings.server_count > 0 || stat(resolver->settings.system_file, status_out) < 0)
        memset(status_out, 0, sizeof *status_out);
}

static void start_process(struct resolver *resolver)
{
    look_at_system_file(resolver, &resolver->system_file);
    pid_t pid = child_start(resolver->program, resolver->argv, &resolver->socket);
    if (pid < 0) {
        resolver->socket = -1;
        log_error("resolver.not_started", "error=%s", strerror(errno));
        pause_after_failure(resolver);
        return;
    }
    resolver->pid = pid;
    resolver->watch = loop_watch_new(resolver->loop, resolver->socket, on_message, resolver);
    (void)tell_process(resolver, RESOLVER_SETTINGS, &resolver->settings, sizeof resolver->settings);
}

/* ---- does it answer at all? ---- */

static void on_probe_unanswered(void *arg)
{
    lose_process(arg, "does not answer");
}

/* Name servers may be silent for long, and the process is not to blame. But it knows itself what this name means. */
static void probe_process(struct resolver *resolver)
{
    static const char known[] = "localhost";
    char message[sizeof resolver->last_number + DNS_QUESTION_WIRE_MAX];
    if (resolver->pid == 0 || timer_is_running(resolver->probe))
        return;
    resolver->last_number++;
    memcpy(message, &resolver->last_number, sizeof resolver->last_number);
    size_t len = dns_question_encode(known, DNS_A, message + sizeof resolver->last_number);
    /* Whether it takes the question or not. */
    (void)tell_process(resolver, RESOLVER_ASK, message, sizeof resolver->last_number + len);
    timer_start(resolver->probe, resolver->timeout_ms > PROBE_LEAST_MS ? resolver->timeout_ms : PROBE_LEAST_MS);
}

/* ---- asking ---- */

static void on_deadline(void *arg)
{
    struct question *question = arg;
    struct resolver *resolver = question->resolver;
    resolver->counts.timed_out++;
    if (++resolver->unanswered == SILENT_AFTER)
        log_warning("resolver.silent", "questions=%u hint=%s", resolver->unanswered,
                    "no answers; see verify.resolver in the configuration");
    if (resolver->pid != 0)
        (void)tell_process(resolver, RESOLVER_CANCEL, &question->number, sizeof question->number);
    probe_process(resolver);
    settle(question, dns_answer_without_records(DNS_TEMPORARY));
}

static void answer_soon(struct resolver *resolver, struct asker *asker, enum dns_outcome outcome)
{
    asker->outcome = outcome;
    asker->next = resolver->ready;
    resolver->ready = asker;
    timer_start(resolver->tell, 0);
}

/* The question's octets, or 0 when the name is none. */
static size_t encode_lower(const char *name, enum dns_type type, char wire[static DNS_QUESTION_WIRE_MAX])
{
    if (!dns_name_is_valid(name))
        return 0;
    size_t len = dns_question_encode(name, type, wire);
    for (char *at = wire + sizeof(uint16_t); at < wire + len; at++)
        *at = *at >= 'A' && *at <= 'Z' ? (char)(*at + ('a' - 'A')) : *at;
    return len;
}

static struct question *find_same(struct resolver *resolver, const char *wire, size_t len)
{
    struct question *question = resolver->questions;
    while (question != NULL && (question->wire_len != len || memcmp(question->wire, wire, len) != 0))
        question = question->next;
    return question;
}

static int send_question(const struct question *question)
{
    char message[sizeof question->number + DNS_QUESTION_WIRE_MAX];
    memcpy(message, &question->number, sizeof question->number);
    memcpy(message + sizeof question->number, question->wire, question->wire_len);
    return tell_process(question->resolver, RESOLVER_ASK, message, sizeof question->number + question->wire_len);
}

/* NULL when the process can't take it. */
static struct question *question_new(struct resolver *resolver, enum dns_type type, const char *wire, size_t len)
{
    struct question *question = xcalloc(1, sizeof *question);
    question->resolver = resolver;
    question->type = type;
    question->number = resolver->last_number + 1;
    memcpy(question->wire, wire, len);
    question->wire_len = len;
    if (send_question(question) == 0) {
        free(question);
        return NULL;
    }
    resolver->last_number++;
    question->deadline = timer_new(resolver->loop, on_deadline, question);
    timer_start(question->deadline, resolver->timeout_ms);
    question->next = resolver->questions;
    resolver->questions = question;
    return question;
}

static void end_process(struct resolver *resolver, int grace_ms)
{
    timer_stop(resolver->probe);
    loop_watch_free(&resolver->watch);
    if (resolver->pid != 0)
        child_end(resolver->pid, resolver->socket, grace_ms);
    resolver->pid = 0;
    resolver->socket = -1;
}

static void renew_process(struct resolver *resolver)
{
    end_process(resolver, 0);
    start_process(resolver);
    /* A question that is not taken ends by its own time. */
    for (const struct question *question = resolver->questions; resolver->pid != 0 && question != NULL;
         question = question->next)
        (void)send_question(question);
}

/* Networks come and go, and with them the servers that the system names. */
static bool has_old_servers(const struct resolver *resolver)
{
    struct stat now;
    const struct stat *then = &resolver->system_file;
    look_at_system_file(resolver, &now);
    return now.st_dev != then->st_dev || now.st_ino != then->st_ino || now.st_size != then->st_size ||
           now.st_mtim.tv_sec != then->st_mtim.tv_sec || now.st_mtim.tv_nsec != then->st_mtim.tv_nsec;
}

static bool has_process(struct resolver *resolver)
{
    if (resolver->pid != 0 && has_old_servers(resolver)) {
        log_info("resolver.renewed", "reason=%s is another one", resolver->settings.system_file);
        renew_process(resolver);
    }
    if (resolver->pid == 0 && !timer_is_running(resolver->pause) && !resolver->closing)
        start_process(resolver);
    return resolver->pid != 0;
}

void resolver_ask(struct resolver *resolver, const char *name, enum dns_type type, resolver_done *done, void *ctx)
{
    char wire[DNS_QUESTION_WIRE_MAX];
    size_t len = encode_lower(name, type, wire);
    struct asker *asker = xcalloc(1, sizeof *asker);
    asker->done = done;
    asker->ctx = ctx;
    resolver->counts.asked++;
    bool has_room = resolver->counts.waiting++ < RESOLVER_ASKED_MAX;
    if (len == 0) {
        answer_soon(resolver, asker, DNS_NO_NAME);
        return;
    }
    struct question *question = NULL;
    if (has_room && has_process(resolver)) {
        question = find_same(resolver, wire, len);
        if (question == NULL)
            question = question_new(resolver, type, wire, len);
    }
    if (question == NULL) {
        resolver->counts.refused++;
        answer_soon(resolver, asker, DNS_TEMPORARY);
        return;
    }
    asker->next = question->askers;
    question->askers = asker;
}

static void on_worker_answer(const struct dns_answer *answer, void *ctx)
{
    struct worker_question *question = ctx;
    char wire[DNS_ANSWER_WIRE_MAX];
    worker_question_answer(&question, wire, dns_answer_encode(answer, wire));
}

void resolver_ask_for_worker(struct resolver *resolver, struct worker_question *question, const void *request,
                             size_t len)
{
    char name[DNS_NAME_MAX + 1];
    enum dns_type type;
    if (dns_question_decode(request, len, name, &type) == 1)
        resolver_ask(resolver, name, type, on_worker_answer, question);
    else
        on_worker_answer(dns_answer_without_records(DNS_TEMPORARY), question);
}

struct resolver_counts resolver_counts(const struct resolver *resolver)
{
    return resolver->counts;
}

/* ---- the resolver as its owner sees it ---- */

static void take_settings(struct resolver *resolver, const struct resolver_settings *settings)
{
    struct resolver_settings_wire *wire = &resolver->settings;
    memset(wire, 0, sizeof *wire);
    for (size_t i = 0; settings->servers != NULL && settings->servers[i] != NULL && i < RESOLVER_SERVERS_MAX; i++) {
        size_t len = strlen(settings->servers[i]);
        assert(len < RESOLVER_SERVER_TEXT_MAX);
        memcpy(wire->servers[wire->server_count++], settings->servers[i], len + 1);
    }
    if (settings->trust_anchor != NULL) {
        size_t len = strlen(settings->trust_anchor);
        assert(len < PATH_MAX);
        memcpy(wire->trust_anchor, settings->trust_anchor, len + 1);
    }
    const char *system_file = settings->system_file != NULL ? settings->system_file : "/etc/resolv.conf";
    assert(strlen(system_file) < PATH_MAX);
    memcpy(wire->system_file, system_file, strlen(system_file) + 1);
    resolver->timeout_ms = settings->timeout_ms;
}

struct resolver *resolver_new(struct loop *loop, const struct resolver_settings *settings)
{
    struct resolver *resolver = xcalloc(1, sizeof *resolver);
    resolver->loop = loop;
    resolver->program = xstrdup(settings->program);
    resolver->argv = child_arguments_new((const char *const[]){ RESOLVER_ARGUMENT, NULL });
    resolver->socket = -1;
    resolver->pause_ms = PAUSE_FIRST_MS;
    take_settings(resolver, settings);
    resolver->pause = timer_new(loop, on_pause_over, resolver);
    resolver->probe = timer_new(loop, on_probe_unanswered, resolver);
    resolver->tell = timer_new(loop, on_tell, resolver);
    return resolver;
}

void resolver_reconfigure(struct resolver *resolver, const struct resolver_settings *settings)
{
    take_settings(resolver, settings);
    resolver->pause_ms = PAUSE_FIRST_MS;
    timer_stop(resolver->pause);
    if (resolver->pid != 0)
        renew_process(resolver);
}

void resolver_free(struct resolver **resolver)
{
    struct resolver *r = *resolver;
    if (r == NULL)
        return;
    *resolver = NULL;
    end_process(r, GRACE_MS);
    r->closing = true; /* who asks anew while it is told is refused */
    give_up_questions(r);
    while (r->ready != NULL)
        on_tell(r);
    timer_free(&r->pause);
    timer_free(&r->probe);
    timer_free(&r->tell);
    child_arguments_free(&r->argv);
    free(r->program);
    free(r);
}
