/* tmtp_main_member.c - the connection underneath the member's verbs */
#include "tmtp/tmtp_main_member.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/xmalloc.h"
#include "tmtp/tmtp_main_account.h"

enum {
    ANSWER_MS = 60 * 1000, /* to connect, log in and be answered */
    BUSY_MS = 4 * 1000,    /* for another program to leave: the silo notices a closed connection at once */
    FAREWELL_TURNS = 20,   /* for the goodbye to reach the kernel */
};
static const int64_t MESSAGE_MAX = INT64_C(4) << 30;
static const char busy_reason[] = "node already connected";

void member_finish(struct member *member, enum main_exit code)
{
    if (member->finished)
        return;
    member->finished = true;
    member->code = code;
    tmtp_client_quit(member->client);
    loop_stop(member->loop);
}

void member_await(struct member *member, uint64_t request)
{
    if (request == 0) {
        main_complain("the request could not be made");
        member_finish(member, MAIN_UNREACHABLE);
    }
}

void member_be_patient(struct member *member)
{
    timer_stop(member->patience);
}

void member_wake_after(struct member *member, int64_t ms)
{
    timer_start(member->wake, ms);
}

static void on_wake(void *arg)
{
    struct member *member = arg;
    if (!member->finished)
        member->task->on_wake(member);
}

static void on_impatience(void *arg)
{
    struct member *member = arg;
    const char *error = tmtp_client_last_error(member->client);
    if (strstr(error, busy_reason) != NULL) {
        main_complain("%s: another program is connected with this account", member->account->silo);
        member_finish(member, MAIN_REFUSED);
    } else {
        main_complain("%s: no answer in time%s%s", member->account->silo, *error != '\0' ? ": " : "", error);
        member_finish(member, MAIN_UNREACHABLE);
    }
}

static void on_offline(struct member *member, const char *detail)
{
    bool busy = strstr(detail, busy_reason) != NULL;
    if (busy && !member->ready) {
        timer_start(member->patience, BUSY_MS);
        return;
    }
    /* Once it has worked, and as long as there is time, the client tries again by itself. */
    if (member->ready && !timer_is_running(member->patience))
        return;
    main_complain("%s: %s", member->account->silo, detail);
    member_finish(member, MAIN_UNREACHABLE);
}

static void on_state(struct tmtp_client *client, enum tmtp_client_state state, const char *detail, void *ctx)
{
    struct member *member = ctx;
    if (member->finished)
        return;
    if (state == TMTP_CLIENT_OFFLINE) {
        on_offline(member, detail);
    } else if (state == TMTP_CLIENT_STOPPED) {
        main_complain("%s: %s", member->account->silo, detail);
        if (tmtp_client_stop_cause(client) == TMTP_CLIENT_STOP_PIN)
            main_complain("ask the silo's operator; if its certificate was changed, correct \"pin\" in %s",
                          member->options->account);
        member_finish(member, MAIN_REFUSED);
    } else if (state == TMTP_CLIENT_SYNCING && !member->ready) {
        member->ready = true;
        member->task->on_ready(member);
    } else if (state == TMTP_CLIENT_ONLINE && member->task->on_drained != NULL) {
        member->task->on_drained(member);
    }
}

static void on_pin(struct tmtp_client *client, const char *pin, void *ctx)
{
    (void)client;
    struct member *member = ctx;
    account_set(member->account, &member->account->pin, pin);
}

/* The file must be on the disk before anything else is done: the node's password is told only once. */
static void on_registered(struct tmtp_client *client, const char *uid, const char *node, const char *alias_error,
                          void *ctx)
{
    struct member *member = ctx;
    struct account *account = member->account;
    account_set(account, &account->uid, uid);
    account_set(account, &account->node, node);
    account_set(account, &account->alias, alias_error == NULL ? member->options->alias : "");
    if (account_save(account) != 1) {
        main_complain("registered as %s, but the account is lost", uid);
        member_finish(member, MAIN_REFUSED);
        return;
    }
    if (alias_error != NULL)
        main_complain("registered as %s, but without an alias (%s): choose another with 'tmtp alias'", uid,
                      alias_error);
    tmtp_client_account_saved(client);
}

static void on_result(struct tmtp_client *client, const struct tmtp_client_result *result, void *ctx)
{
    (void)client;
    struct member *member = ctx;
    if (member->finished)
        return;
    if (result->lost) {
        main_complain("%s: the connection was lost; the silo may or may not have done it", member->account->silo);
        member_finish(member, MAIN_UNREACHABLE);
    } else if (result->error != NULL) {
        main_complain("%s", result->error);
        member_finish(member, MAIN_REFUSED);
    } else {
        member->task->on_result(member, result);
    }
}

static void on_message(struct tmtp_client *client, struct tmtp_client_delivery *delivery, void *ctx)
{
    (void)client;
    struct member *member = ctx;
    if (member->task->on_message != NULL && !member->finished)
        member->task->on_message(member, delivery);
}

static void on_ping(struct tmtp_client *client, const struct tmtp_push *push, const char *text, void *ctx)
{
    (void)client;
    struct member *member = ctx;
    if (member->task->on_ping != NULL && !member->finished)
        member->task->on_ping(member, push, text);
}

static void on_notice(struct tmtp_client *client, const struct tmtp_push *push, const char *data, size_t len, void *ctx)
{
    (void)client;
    struct member *member = ctx;
    if (member->task->on_notice != NULL && !member->finished)
        member->task->on_notice(member, push, data, len);
}

enum main_exit member_run(const struct main_options *options, struct account *account, const struct member_task *task,
                          void *ctx)
{
    static const struct tmtp_client_callbacks callbacks = {
        .on_state = on_state,
        .on_pin = on_pin,
        .on_registered = on_registered,
        .on_result = on_result,
        .on_message = on_message,
        .on_ping = on_ping,
        .on_notice = on_notice,
    };
    if (account->silo[0] != '=' && account->silo[0] != '+') {
        main_complain("'%s' is no silo: write =HOST:PORT (pinned) or +HOST:PORT (verified)", account->silo);
        return MAIN_USAGE;
    }
    struct clock *clock = clock_new_system();
    struct member member = {
        .options = options, .task = task, .ctx = ctx, .account = account, .loop = loop_new(clock)
    };
    member.patience = timer_new(member.loop, on_impatience, &member);
    member.wake = timer_new(member.loop, on_wake, &member);
    timer_start(member.patience, ANSWER_MS);
    const struct tmtp_client_settings settings = {
        .loop = member.loop,
        .address = account->silo,
        .pin = account->pin,
        .uid = account->uid,
        .node = account->node,
        .alias = options->alias,
        .spool_dir = getenv("TMPDIR"),
        .message_max = MESSAGE_MAX,
        .callbacks = &callbacks,
        .ctx = &member,
    };
    member.client = tmtp_client_new(&settings);
    loop_run(member.loop);
    for (int i = 0; i < FAREWELL_TURNS; i++)
        loop_turn(member.loop);
    tmtp_client_free(&member.client);
    timer_free(&member.patience);
    timer_free(&member.wake);
    loop_free(&member.loop);
    clock_free(&clock);
    if (account->uid != NULL && account_save(account) != 1 && member.code == MAIN_DONE)
        member.code = MAIN_REFUSED;
    return member.code;
}
