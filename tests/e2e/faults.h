/* faults.h - between the rooms of the library that tests load into posternd: hooks (faults.c), numbered steps
 * (faults_steps.c), and what a power cut would take away (faults_journal.c)
 *
 * A step is a call that changes what stays or what others see: of files in the test's folder (POSTERN_FAULT_ROOT), and of
 * the sockets of mail and silo. Any thread. Nothing here may be used in another process than the daemon itself: workers
 * are started without the library, and would be killed by their sandbox for what it asks the system.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { FAULT_PATH_SIZE = 4096 };

/* The numbers are those of tests/e2e/faulty.py. */
enum fault_kind {
    FAULT_WRITE,
    FAULT_SYNC,
    FAULT_RENAME,
    FAULT_LINK,
    FAULT_UNLINK,
    FAULT_TRUNCATE,
    FAULT_MAKE_DIRECTORY,
    FAULT_SEND,
    FAULT_READ, /* changes nothing: counts only for a test that asks for it */
};

enum fault_place {
    FAULT_NOWHERE, /* does not count */
    FAULT_LOG,     /* the database's write-ahead log */
    FAULT_DATABASE,
    FAULT_CONTENT,
    FAULT_MAILDIR,
    FAULT_STATE, /* other files of the state directory */
    FAULT_TMTP,
    FAULT_SMTP_IN,
    FAULT_SMTP_OUT,
};

/* What happens at a step. */
enum fault_action {
    FAULT_NOTHING,
    FAULT_KILL_BEFORE, /* as kill -9 does */
    FAULT_KILL_AFTER,
    FAULT_FAIL,  /* with the errno that is the argument, on sockets as a connection that was reset */
    FAULT_SHORT, /* half of what is to be written is */
    FAULT_DELAY, /* first so many milliseconds pass */
    FAULT_LIE,   /* a sync does nothing, and says that it has */
};

/* What the daemon comes to: begun before it is done, ended with its result, which is returned. */
struct fault_step {
    enum fault_action action;
    enum fault_kind kind;
    enum fault_place place;
};

enum fault_place fault_place_of_path(const char *path);
enum fault_place fault_place_of_fd(int fd, char path_out[static FAULT_PATH_SIZE]);
enum fault_place fault_place_of_socket(int fd);

/* Counts. false: it has to fail, with errno set. */
bool fault_begin(struct fault_step *step, enum fault_kind kind, enum fault_place place);
void fault_end(const struct fault_step *step);

/* The journal (POSTERN_FAULT_JOURNAL) of what a power cut would undo: read by tests/e2e/power.py. */
bool journal_is_kept(void);
void journal_write(int fd, const char *path, int64_t offset, size_t len);
void journal_truncate(int fd, const char *path, int64_t size);
/* Before a sync, and with what that returns, after it. */
int64_t journal_position(void);
void journal_sync(int fd, int64_t position, bool has_worked);
/* Of names: before an unlink, which keeps a second name of the file for the journal; after a link, mkdir or rename. */
void journal_unlink(const char *path);
void journal_name(char type, const char *path, const char *more);
