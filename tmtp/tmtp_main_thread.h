/* tmtp_main_thread.h - a thread as the member client stores it, made from what `receive --json` and `post --json` printed
 *
 * The stored form is what travels when a thread is forwarded (TMTP op 8). For each message in order of their ids
 *
 *     hhhh{"Id":,"Size":,"Posted":,"From":,"SubHead":{}}\n body \n
 *
 * (hhhh: length of the JSON in hex; Size: of the body), then the index, a JSON array with offset, size and checksum of
 * each message; the participants, a JSON array; and the lengths of index and participants in eight hex digits each. A
 * message's checksum is CRC-32C of all but its last newline; a participant's is that of its JSON without the checksum.
 * Attachments do not travel: each author posts them again with a confirmation.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

struct spool;
struct thread;
struct tmtp_message;

enum { THREAD_MESSAGES_MAX = 10000 };

struct thread_attachment {
    const char *name, *ffn, *path; /* ffn and path: NULL when there is none */
    int64_t size;
};

struct thread_message {
    const char *id, *from, *posted, *alias, *subject, *body;
    size_t body_len;
    struct thread_attachment *attachments;
    size_t attachment_count;
};

/* Reads the lines of the file that belong to the thread, sorts them, and drops repetitions. NULL (said why) when the
 * thread's first message is not there, or one is damaged or incomplete. */
struct thread *thread_read(const char *path, const char *id);
void thread_free(struct thread **thread);
size_t thread_count(const struct thread *thread);
const struct thread_message *thread_get(const struct thread *thread, size_t number); /* borrowed */
/* Those of the first message and those that came later, as a message's list. */
const struct tmtp_message *thread_participants(const struct thread *thread);
/* Appends the stored form. 1, or -1 (said why). */
int thread_store(const struct thread *thread, struct spool *out) __attribute__((warn_unused_result));
