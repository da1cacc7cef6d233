/* convert.h - content both ways: mail <-> thread message
 *
 * The façade over the convert workers: content is parsed and built in sandboxed child processes only (base/worker.h).
 * Input and output are file descriptors, so that size costs no copies here: memory files while small, files without a
 * name beyond, and neither the daemon nor a worker holds the whole of large content in memory. A job whose worker crashes, hangs
 * or exceeds its limits is tried once more; after the second time mail becomes a thread message in the fallback form
 * (a short text, the original attached as "u:original.eml"), built without looking into it; a thread message is tried
 * a third time as plain text without the CommonMark renderer.
 *
 * Workers are not trusted. The header of outgoing mail is written here (convert_mail_header.h) and compared afterwards,
 * results can't be changed any more when they are checked (convert_memfile.h), and every size, name and text in an answer must hold (convert_wire.h):
 * an answer that does not is a crash. Limits: convert_limits.h. How content is mapped: convert_mime_in.h and
 * convert_mime_out.h.
 *
 * All results arrive on the loop, never from inside a call. Strings are UTF-8.
 */
#pragma once
#include "mapping/convert_options.h"
#include "mapping/convert_report.h"
#include "smtp/smtp_address.h"
#include "tmtp/tmtp_message.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct convert;
struct loop;

struct convert_settings {
    struct loop *loop;
    const char *directory;  /* for results that are too large for memory; on the filesystem where they are kept */
    const char *program;    /* "/proc/self/exe"; given CONVERT_WORKER_ARGUMENT it must call convert_worker_main() */
    unsigned workers;       /* processes; 0: 2 */
    uint64_t memory_bytes;  /* each, besides what it starts with and the files that it reads; 0: 512 MiB */
    int64_t job_timeout_ms; /* 0: 60 s */
};

#define CONVERT_WORKER_ARGUMENT "--worker=convert"

/* Start before any thread of the daemon. Strings are copied. NULL with errno when the zygote can't be started. */
struct convert *convert_new(const struct convert_settings *settings) __attribute__((warn_unused_result));
void convert_free(struct convert **convert); /* pending jobs get no callback */
unsigned convert_waiting(const struct convert *convert);
uint64_t convert_crashes(const struct convert *convert);
_Noreturn void convert_worker_main(void);

#define CONVERT_NO_SUBJECT "(no subject)" /* of a mail without one, which a silo's clients don't take */

/* Mail -> thread message. */
struct convert_in_result {
    bool ok;            /* false: no room for the result, or the queue is full: try again later; error says why */
    const char *error;  /* NULL when ok */
    bool fallback;      /* the original is attached because it could not be converted; detail says why */
    bool is_doubtful;   /* what the mail carries can't be told for sure: other programs may find other files in the
                        * original, which is attached. Always true of the fallback form */
    const char *detail; /* for the trace; "" */
    struct tmtp_message message; /* subject and attachments; the rest is the caller's to fill; freed afterwards */
    const char *from_name;       /* display name of the author, decoded; "" */
    int content_fd;              /* body and attachments back to back; closed after the callback (dup it to keep it);
                                  * the file can be given a name when base/tmpfile.h made it */
    int64_t content_size;
    int64_t body_size;
    char *const *others; /* normalised addresses of people whom the body names, since the request did not know them */
    size_t other_count;
    const char *excerpt; /* how the author's own words begin: CommonMark, whole lines, at most 2,000 octets; "" */
};
struct convert_in_request {
    int64_t entry; /* of the queue, for the log; 0: it is in none */
    int mail_fd;   /* the whole message as received, mapped from offset 0 (its file position is not used) */
    int64_t mail_size;
    bool in_memory;                    /* the result must not touch a disk, however large it is */
    struct convert_in_options options; /* of the known addresses the first 2,000 and 48 KiB count */
};
typedef void convert_in_done(struct convert_in_result *result, void *ctx);
/* The request is copied, and its file duplicated, for reading only; its content must not change until done is called. 1 taken,
 * 0 too busy now. */
int convert_mail_in(struct convert *convert, const struct convert_in_request *request, convert_in_done *done, void *ctx)
    __attribute__((warn_unused_result));

/* Mail that came back to an envelope sender of ours -> what it says (convert_report.h). mail_fd: as in a request of convert_mail_in().
 * After the second crash the result is not ok, with permanent set: nobody can read it. Strings of the result are freed
 * after the callback. 1 taken, 0 too busy now. */
typedef void convert_report_done(struct convert_report_result *result, void *ctx);
int convert_report_in(struct convert *convert, int64_t entry, int mail_fd, int64_t mail_size, convert_report_done *done,
                      void *ctx) __attribute__((warn_unused_result));

/* Thread message -> mail. The mail is complete, 7-bit but for SMTPUTF8 addresses in its header, with CRLF line ends;
 * converting the same request again gives the same bytes. */
struct convert_mailbox {
    const char *name; /* display name; "" */
    struct smtp_address address;
};
enum { CONVERT_QUOTES_MAX = 2000, CONVERT_REFERENCES_MAX = 100 };
/* One of several texts in a mail, under a line of ours: see convert_quotes.h. */
struct convert_quote {
    const char *intro, *outro; /* cut at 1,000 octets; control characters become spaces */
    int64_t offset, size;      /* within the body, the part of the content before the attachments */
};
struct convert_out_request {
    int64_t entry;                      /* of the queue, for the log; 0: it is in none */
    const struct tmtp_message *message; /* attachments */
    int content_fd;                     /* body and attachments; duplicated, for reading only */
    int64_t content_size;
    const struct convert_quote *quotes; /* shown instead of the body */
    size_t quote_count;                 /* 0: the body is one text; at most CONVERT_QUOTES_MAX */
    const char *answered_intro;         /* a line before what is answered, cut like that of a quote; NULL */
    const char *answered_text;          /* CommonMark, quoted under the body; cut at 4,096 octets; NULL: none */
    const char *subject;                /* as it is to be, with "Re:"; NULL: none */
    struct convert_mailbox from;
    struct convert_mailbox reply_to; /* null address: none */
    const struct convert_mailbox *to;
    size_t to_count;
    const struct convert_mailbox *cc;
    size_t cc_count;
    const char *message_id;  /* without angle brackets */
    const char *in_reply_to; /* NULL */
    const char *const *references;
    size_t reference_count; /* oldest first; the first and the newest that fit are written, CONVERT_REFERENCES_MAX at
                             * most */
    int64_t date_ms;        /* wall clock, for the Date field */
    const char *loop_mark;  /* value for X-Postern-Loop; NULL */
    bool is_automatic;      /* adds Auto-Submitted: auto-generated */
};
struct convert_out_result {
    bool ok; /* false: see error; permanent says whether trying again can help */
    bool permanent;
    const char *error;
    const char *detail; /* for the trace: what was carried differently; "" */
    int mail_fd;        /* closed after the callback; as content_fd above */
    int64_t mail_size;
    bool is_8bit, is_smtputf8;
};
typedef void convert_out_done(struct convert_out_result *result, void *ctx);
int convert_mail_out(struct convert *convert, const struct convert_out_request *request, convert_out_done *done,
                     void *ctx) __attribute__((warn_unused_result));
