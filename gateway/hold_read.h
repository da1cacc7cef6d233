/* hold_read.h - what a held mail says, for an administrator who has asked to see it
 *
 * The mail stays held, and sealed as it is. It is unsealed on the background thread, and made text by a convert worker, in
 * memory only: neither a disk nor a log gets any of it. One at a time.
 */
#pragma once
#include "tmtp/tmtp_message.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hold;
struct hold_reader;

enum {
    HOLD_READ_TEXT_MAX = 256 * 1024,        /* octets of its text; what is more is not shown, and that is said */
    HOLD_READ_MAIL_MAX = 128 * 1024 * 1024, /* what is larger is not opened in memory */
};

/* For the callback only. */
struct hold_reading {
    const char *problem;                       /* why there is nothing to be seen, for people; NULL: the rest holds */
    const char *subject, *from_name;           /* decoded; "" */
    const char *text;                          /* CommonMark, UTF-8, as a member would get it */
    int64_t text_size;                         /* of all of it */
    bool is_cut;                               /* text is only the beginning */
    bool is_unreadable;                        /* the workers could not make anything of it: text says so */
    const struct tmtp_attachment *attachments; /* names with their prefix "u:" */
    size_t attachment_count;
};
typedef void hold_read_done(const struct hold_reading *reading, void *ctx);

/* Loop only. 1: done is called later, exactly once (when the hold is freed first: from there). 0: there is no such held mail. -1:
 * not now; *problem_out (static) says why, for people. */
int hold_read(struct hold *hold, int64_t inbound_id, hold_read_done *done, void *ctx, const char **problem_out)
    __attribute__((warn_unused_result));

struct hold_reader *hold_reader_new(struct hold *hold);
void hold_reader_free(struct hold_reader **reader); /* after the background thread and the workers */
