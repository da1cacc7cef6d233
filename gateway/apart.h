/* apart.h - work that reads what strangers say, in a process of its own that may do less (for posternctl, which root runs)
 *
 * A copy of this process, so the work has all that is in memory. Before it begins the copy is the given user for good (when root asks), has no
 * capability and can gain none (but see uid), is behind the daemon's filter of system calls and can execute this program only (service_lock()),
 * has no terminal and no open files but the one by which it says what it has found, can't write to, make or remove any, and ends with us, or with
 * its work, as do those then whom it has started. What it says is a stranger's word: whoever takes it over says what they like, and can do no more
 * than that.
 *
 * Built with sanitizers the filter and the limit of files are left out (base/sandbox.h).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct config;
struct strbuf;

struct apart_settings {
    uid_t
        uid; /* 0: it stays root, as a daemon without a user does, and has the capabilities for files of others only */
    gid_t gid;
    bool works_on_files;             /* it may write to files */
    int64_t ms;                      /* it is killed after so long; 0: it takes as long as it takes */
    int64_t tell_ms;                 /* each time so long has gone by: */
    void (*tell)(int64_t waited_ms); /* NULL: nobody is told */
};

/* Who shall talk to strangers in place of root: the daemon's user by the configuration, else whose state_dir is, else nobody. config may be NULL. */
void apart_choose(const struct config *config, struct apart_settings *settings);

typedef void apart_work(void *ctx, struct strbuf *said);
/* Blocks. 1 and what the work has said, as far as said_out has room for (then strbuf_ok() is false), or -1 and why there is nothing of use.
 * Threads of the caller's are not there in the copy, nor may it have a loop. */
int apart_run(const struct apart_settings *settings, apart_work *work, void *ctx, struct strbuf *said_out)
    __attribute__((warn_unused_result));
