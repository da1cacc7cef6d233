/* convert_mime_out.h - thread message -> the MIME part of a mail
 *
 * multipart/alternative of text/plain and text/html, pictures that the text shows beside the HTML in a
 * multipart/related, all other attachments in a multipart/mixed. Text that is too long to be shown is attached as well. Everything is 7-bit, with CRLF. Deterministic: the
 * same job gives the same bytes. The header before it is the daemon's (convert_mail_header.h). Runs in a worker.
 * Internal to mapping/convert*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mapping/convert_quotes.h"
#include "mapping/convert_transfer.h"

struct convert_input;
struct strbuf;

struct convert_out_attachment {
    const char *name; /* with prefix */
    size_t size;
    const char *ffn; /* of a form: what its type is called; NULL */
};

struct convert_out_job {
    struct convert_input *input; /* what content lies in, for its pages; NULL: memory */
    const char *content;         /* body, then the attachments back to back */
    size_t body_size;
    const struct convert_out_attachment *attachments; /* sizes add up to the content's */
    size_t attachment_count;
    const struct convert_out_quote *quotes; /* texts within the body that are shown instead of it */
    size_t quote_count;                     /* 0: the body is one text */
    const char *answered_intro;             /* a line of ours before what is answered */
    const char *answered_text;              /* CommonMark, quoted under the body; NULL: nothing is quoted */
    uint64_t seed;                          /* of boundaries and Content-IDs */
    bool is_plain;                          /* without looking into the body: its source as text/plain */
};

/* Hands out "MIME-Version: ..." to the last line, in pieces: memory is needed for what is shown. detail gets what was carried differently. */
void convert_mime_out(const struct convert_out_job *job, convert_sink *sink, void *ctx, struct strbuf *detail);
