/* tmtp_main_member.h - one run of the program as a member: connect, do one task, say goodbye
 *
 * A task is a set of callbacks. on_ready comes once, when requests may be made; member_finish() ends the run, also from
 * within a callback. What the silo delivers is left alone (it comes again in the next run) unless the task takes it.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tmtp/tmtp_client.h"
#include "tmtp/tmtp_main.h"

struct account;
struct member;

struct member_task {                           /* those that may be NULL say so */
    void (*on_ready)(struct member *member);   /* logged in */
    void (*on_drained)(struct member *member); /* all that was queued has come; may be NULL */
    /* The answer to the task's request, which was carried out. A refusal ends the run, and is told, before it gets
     * here. */
    void (*on_result)(struct member *member, const struct tmtp_client_result *result);
    /* What is delivered; may be NULL. */
    void (*on_message)(struct member *member, struct tmtp_client_delivery *delivery);
    void (*on_ping)(struct member *member, const struct tmtp_push *push, const char *text);
    void (*on_notice)(struct member *member, const struct tmtp_push *push, const char *data, size_t len);
    void (*on_wake)(struct member *member); /* see member_wake_after(); may be NULL */
};

struct member {
    const struct main_options *options;
    const struct member_task *task;
    void *ctx; /* the task's */
    struct account *account;
    struct loop *loop;
    struct tmtp_client *client;
    struct timer *patience; /* for an answer, or for another program to leave */
    struct timer *wake;
    bool ready; /* on_ready was called */
    bool finished;
    enum main_exit code;
};

/* Saves the account at the end. The account stays the caller's. */
enum main_exit member_run(const struct main_options *options, struct account *account, const struct member_task *task,
                          void *ctx);
void member_finish(struct member *member, enum main_exit code);
/* After a request: its number, or 0 when it could not even be made. Ends the run in that case. */
void member_await(struct member *member, uint64_t request);
/* The silo may take its time from now on. */
void member_be_patient(struct member *member);
void member_wake_after(struct member *member, int64_t ms);
