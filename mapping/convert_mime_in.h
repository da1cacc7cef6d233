/* convert_mime_in.h - mail -> thread message
 *
 * What becomes the body, and where each rule lives, is in docs/CONTENT.md; convert_incoming.h says which room comes when. Whatever
 * is not shown is attached, messages byte for byte. What can't be carried as it should is named in the body, and the mail
 * itself is attached ("u:original.eml"). Mail beyond the limits of structure in convert_limits.h comes in the fallback
 * form: a short text and the original. In front of the body of automatic mail a line says so. Runs in a worker.
 * Internal to mapping/convert*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mapping/convert_options.h"
#include "mapping/convert_transfer.h"

struct convert_charsets;
struct convert_input;

struct convert_in_attachment {
    char *name; /* with prefix */
    int64_t size;
};

struct convert_in_message {
    char *subject;   /* never "" */
    char *from_name; /* "" */
    char *detail;    /* for the trace; "" */
    bool is_fallback;
    bool is_doubtful; /* the original is attached, and other programs may find other files in it than those that are
                       * attached here */
    int64_t body_size;
    struct convert_in_attachment *attachments;
    size_t attachment_count;
    char **others; /* normalised addresses that the body names at the top */
    size_t other_count;
    char *excerpt; /* how the author's own words begin, CommonMark, at most CONVERT_EXCERPT_MAX octets of whole lines;
                    * "" */
};

#define CONVERT_UNREADABLE_SUBJECT "(unreadable message)"
#define CONVERT_NO_TEXT            "(no text)\n"
#define CONVERT_AUTOMATIC          "_This is an automatic message._\n\n"
#define CONVERT_ORIGINAL_NAME      "u:original.eml"

/* Hands body and attachments to the sink, in this order and in pieces. Always finds a form. Free the message. Memory
 * is needed for the texts that are shown, not for attachments. */
void convert_mime_in(struct convert_charsets *charsets, struct convert_input *mail,
                     const struct convert_in_options *options, convert_sink *sink, void *ctx,
                     struct convert_in_message *message_out);
void convert_in_message_free(struct convert_in_message *message);

/* The body of the fallback form. */
const char *convert_fallback_body(bool is_automatic);
