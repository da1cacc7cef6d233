/* convert_wire.h - what the daemon and its convert workers say to each other
 *
 * A job's request is the IPC message; what has no small limit (names, subject) lies in a memory file beside the content. Integers are little-endian, strings have a length before them.
 *
 * A worker may have been taken over by what it parsed: the decoders of its answers believe nothing. They check every
 * count and length against its limit, every size against the content that is really there, and every text for what it
 * may contain. Internal to mapping/convert*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mapping/convert_mime_in.h"
#include "mapping/convert_mime_out.h"

struct convert_report_result;
struct strbuf;

enum convert_wire_kind {
    CONVERT_WIRE_MAIL_IN = 1,   /* files: mail, content out, description out */
    CONVERT_WIRE_MAIL_OUT = 2,  /* files: content, description in, mail out (its header is there already) */
    CONVERT_WIRE_OUT_PLAIN = 3, /* likewise, without rendering the text */
    CONVERT_WIRE_REPORT_IN = 4, /* files: mail, description out */
};

enum { CONVERT_WIRE_FILES = 3 /* at most */ };
size_t convert_wire_file_count(enum convert_wire_kind kind);

/* A handler's code. Anything else is a broken worker. */
enum {
    CONVERT_WIRE_DONE = 0,
    CONVERT_WIRE_REFUSED = 1,
    CONVERT_WIRE_TOO_LARGE = 2, /* the memory file for the result is full */
    CONVERT_WIRE_NO_ROOM = 3,   /* the result can't be written: the disk is full */
};

struct convert_wire_request {
    enum convert_wire_kind kind;
    int64_t input_size;                /* of the mail, or of the content */
    struct convert_in_options options; /* MAIL_IN */
};

/* Those of the known addresses that fit are told. */
void convert_wire_encode_request(const struct convert_wire_request *request, struct strbuf *out);
/* The known addresses point into data. 1, then free it; -1. */
int convert_wire_decode_request(const void *data, size_t len, struct convert_wire_request *request_out)
    __attribute__((warn_unused_result));
void convert_wire_free_request(struct convert_wire_request *request);

/* Description of a thread message made from mail. Decoding: 1 done, -1 not to be believed (short static reason). */
void convert_wire_encode_in(const struct convert_in_message *message, struct strbuf *out);
int convert_wire_decode_in(const void *data, size_t len, int64_t content_size, struct convert_in_message *message_out,
                           const char **error_out) __attribute__((warn_unused_result));

/* What a report says. Decoding: likewise; free the result after 1. */
void convert_wire_encode_report(const struct convert_report_result *report, struct strbuf *out);
int convert_wire_decode_report(const void *data, size_t len, struct convert_report_result *report_out,
                               const char **error_out) __attribute__((warn_unused_result));

/* Description of a thread message that becomes mail. The decoded job's names point into data; content is not set. */
void convert_wire_encode_out(const struct convert_out_job *job, struct strbuf *out);
int convert_wire_decode_out(const void *data, size_t len, int64_t content_size, struct convert_out_job *job_out)
    __attribute__((warn_unused_result));
void convert_wire_free_out(struct convert_out_job *job);

/* Whether text may stand in a trace or a header as it is: valid UTF-8, one line, no control characters. */
bool convert_wire_is_clean(const char *text, size_t len);
