/* child_output.h - what a child process says, heard until it ends or its time is over (for who may wait: posternctl)
 *
 * The child is a copy of this process, which works or executes a program. Whatever it does, it is killed when its time is over, and is gone and
 * reaped when child_output_run() returns. A process that it has started may stay, and hold its output; see has_own_session.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct strbuf;

#define CHILD_OUTPUT_NO_LIMIT INT64_MAX

struct child_output_settings {
    /* From the call on; both its output and the child have to end within it. Without a limit, who has closed its output has ten seconds to
     * end: somebody else may have taken it over. */
    int64_t ms;
    int64_t tell_ms;                 /* each time so long has gone by, at least 1: */
    void (*tell)(int64_t waited_ms); /* NULL: nobody is told */
    /* What `said` has no room for is read and goes nowhere; else the child is killed for it. */
    bool may_say_more;
    /* It begins a session, so it has no terminal, and with it all those are killed whom it has started and who are still in its process
     * group. Else it is in ours, where keys such as Ctrl-C reach it, and nobody but itself is killed. */
    bool has_own_session;
};

enum child_output {
    CHILD_OUTPUT_FAILED =
        -1,             /* no pipe or process could be made, reading failed, or somebody else has reaped it; errno */
    CHILD_OUTPUT_ENDED, /* its output came to its end, and the child to its own, in time; a signal may have ended it */
    CHILD_OUTPUT_TOO_MUCH, /* it was killed for saying more than there is room for; strbuf_ok(said) is false */
    CHILD_OUTPUT_LATE, /* not in time: killed, unless it had ended, and another process held its output; the status tells */
};

/* In the child. `out`, above the standard streams, is what is read, and is closed by executing a program. Nothing else is closed, and
 * signals are as in the caller, but for SIGCHLD. What it returns is the exit status; atexit() handlers and buffers of stdio are left alone. */
typedef int child_output_work(void *ctx, int out);

/* Blocks. Adds to `said` what the child writes to `out`, as far as there is room. status_out: as of waitpid(); of no meaning with CHILD_OUTPUT_FAILED.
 *
 * Meanwhile SIGCHLD does what it does by default, here and in the child: who is told to ignore it, by whoever has started us too, does not
 * hear how children end. A handler hears of no child meanwhile. Other signals may be handled; they do not make it longer.
 * The standard streams must be open. Threads of the caller's are not there in the child, and none may reap it. */
enum child_output child_output_run(const struct child_output_settings *settings, child_output_work *work, void *ctx,
                                   struct strbuf *said, int *status_out) __attribute__((warn_unused_result));
