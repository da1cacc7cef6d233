/* convert_report.h - what mail that came back to an envelope sender says: a delivery report, a bounce, or neither
 *
 * Reports of RFC 3464 (and RFC 6533), wherever they stand in the mail's multiparts, and bounces in the words of
 * the common mail servers. What is doubtful is CONVERT_REPORT_OTHER, for a person to read: a bounce is believed only when it
 * comes from a mailer's address, in words that mailers use, and names a recipient. A report that somebody has forwarded, and
 * receipts (RFC 8098) and complaints (RFC 5965), which have the same form, are OTHER.
 *
 * All of this is a stranger's claim: whom it is about, and whether that can be, is for the caller to compare.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct convert_charsets;
struct convert_input;

enum convert_report_kind {
    CONVERT_REPORT_DSN,    /* RFC 3464 */
    CONVERT_REPORT_BOUNCE, /* in words only, for people */
    CONVERT_REPORT_OTHER,  /* no report: an automatic answer, or whatever */
};

enum convert_report_action {
    CONVERT_REPORT_FAILED,
    CONVERT_REPORT_DELAYED,
    CONVERT_REPORT_DELIVERED,
    CONVERT_REPORT_RELAYED,  /* passed on to where nobody reports */
    CONVERT_REPORT_EXPANDED, /* to several others */
};

/* Strings are never NULL, are one line of UTF-8 without control characters, and "" when not said. */
struct convert_report_recipient {
    enum convert_report_action action;
    char *address;            /* final recipient, as smtp_address_format() writes it; "" also when it is no mailbox */
    char *original;           /* as the sender wrote it (RFC 3464 section 2.3.1), likewise */
    char *status;             /* "5.1.1" (RFC 3463): class 2, 4 or 5; from the diagnostic when the report has none */
    char *diagnostic;         /* the far side's words, cut at CONVERT_REPORT_DIAGNOSTIC_MAX octets */
    char *remote_mta;         /* host that gave them: letters, digits, ".:-_" and brackets */
    int64_t will_retry_until; /* ms since 1970; 0: not said */
};

struct convert_report_result {
    bool ok;           /* false: not read, and nothing is said */
    bool permanent;    /* when not ok: trying again does not help; else workers or files are short */
    const char *error; /* NULL when ok; static */
    enum convert_report_kind kind;
    struct convert_report_recipient *recipients;
    size_t count;              /* 1 to CONVERT_REPORT_RECIPIENTS_MAX, further ones are left out; OTHER: 0 */
    char *reporting_mta;       /* as remote_mta */
    char *envelope_id;         /* ENVID of the original, decoded; "" */
    char *original_message_id; /* of the returned header, without brackets; "" */
    char *subject;             /* of the mail itself */
    char *text; /* OTHER: its readable text, LF line ends, cut at CONVERT_REPORT_TEXT_MAX octets; else "" */
};

enum {
    CONVERT_REPORT_RECIPIENTS_MAX = 1000,
    CONVERT_REPORT_DIAGNOSTIC_MAX = 400,
    CONVERT_REPORT_HOST_MAX = 255,
    CONVERT_REPORT_ENVELOPE_ID_MAX = 100, /* RFC 3461 section 5.4 */
    CONVERT_REPORT_TEXT_MAX = 2000,
};

/* Always finds a kind; *result_out is ok. Runs in a worker: everybody else uses convert_report_in(). Free the result. */
void convert_report_read(struct convert_charsets *charsets, struct convert_input *mail,
                         struct convert_report_result *result_out);
void convert_report_init(struct convert_report_result *result_out); /* nothing said, OTHER */
void convert_report_free(struct convert_report_result *result);
