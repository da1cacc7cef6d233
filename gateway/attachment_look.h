/* attachment_look.h - what files a worker has found in a mail, and what a mapping's rule says of them
 *
 * For those who have converted a mail to know what it carries: before it is taken (inbound_look.c), and before one that was held is
 * opened (hold_open.c).
 */
#pragma once
#include "gateway/policy.h"
#include <stddef.h>
#include <stdint.h>

struct convert_in_result;

/* Begin with { .look = ... }; names are the result's, which must live as long. */
struct attachment_look {
    enum policy_look look;
    struct attachment_file *files;
    size_t count;
    const struct attachment_file *original; /* of them, the mail itself: the converter's doing; NULL */
};
/* The files of the message that a mail became. The mail itself is attached where it is damaged, or signed: it is known by its size
 * and its first octets (`start`, ATTACHMENT_START_MAX of them, or all). false: they can't be read. */
bool attachment_look_read(const struct convert_in_result *result, int64_t mail_size, const char *start,
                          size_t start_len, struct attachment_look *out) __attribute__((warn_unused_result));
void attachment_look_free(struct attachment_look *look);

/* What a rule says: the same for all recipients who have it. */
struct attachment_ruling {
    const char *allowed; /* the rule, as the database has it; the caller's */
    enum policy_look look;
    struct policy_file refused; /* the first that is not let in; name NULL: none */
    char *story;                /* which file came in by what; NULL: nobody was asked */
};
/* A rule that can't be understood lets nothing in (logged). */
struct attachment_ruling attachment_look_rule(const struct attachment_look *look, const char *allowed);
void attachment_ruling_free(struct attachment_ruling *ruling);
