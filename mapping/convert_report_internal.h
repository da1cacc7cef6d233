/* convert_report_internal.h - the rooms of convert_report.h: a report's fields, its status part, bounces in words
 *
 * Pure functions over memory; strings that are returned are the caller's. Internal to mapping/convert*.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mapping/convert_report.h"

enum {
    CONVERT_REPORT_STATUS_MAX = 9, /* octets: "5.123.123" */
    CONVERT_REPORT_MESSAGE_ID_MAX = 998,
};

/* What an answer of a worker must hold, besides being one clean line. */
bool convert_report_is_address(const char *text); /* as smtp_address_format() writes it */
bool convert_report_is_status(const char *text);
bool convert_report_is_host(const char *text);

/* ---- convert_report_value.c: values of fields, on one line ---- */

/* A mailbox with or without its brackets, an address type before it ("rfc822;", "utf-8;") or a comment behind it; the
 * 7-bit form of RFC 6533 decoded. "" when it is none. */
char *convert_report_address(const char *text) __attribute__((warn_unused_result));
/* A mailbox and nothing else. "" when it is none. */
char *convert_report_mailbox(const char *text, size_t len) __attribute__((warn_unused_result));
/* "dns; mx.example.com (192.0.2.1)" is mx.example.com; "" when it is no host. */
char *convert_report_host(const char *text) __attribute__((warn_unused_result));
/* Without its type, cut. */
char *convert_report_diagnostic(const char *text) __attribute__((warn_unused_result));
/* The enhanced code at the start of the text; "" when there is none. */
char *convert_report_status(const char *text) __attribute__((warn_unused_result));
/* What a diagnostic says the status is: the enhanced code in it, or "5.0.0", "4.0.0" for an SMTP reply without one; "" when
 * there is neither. */
char *convert_report_status_from(const char *diagnostic) __attribute__((warn_unused_result));
/* Whether an SMTP reply that means failure begins at text + at: at its start, or behind what introduces one. */
bool convert_report_is_reply(const char *text, size_t at);
/* RFC 5322 section 3.3. Ms since 1970; 0 when it is no date. */
int64_t convert_report_date(const char *text);
/* A msg-id without its brackets; "" when it is none. */
char *convert_report_message_id(const char *text) __attribute__((warn_unused_result));
/* "failed" and so on, in any case, with a comment. False when it is no action. */
bool convert_report_action_parse(const char *text, enum convert_report_action *action_out);

/* ---- results ---- */

/* An empty recipient at the end; NULL when there are too many. */
struct convert_report_recipient *convert_report_add(struct convert_report_result *result);
void convert_report_set(char **field, char *text); /* takes the text over */
void convert_report_recipient_free(struct convert_report_recipient *recipient);

/* ---- convert_report_status.c ---- */

/* Reads a message/delivery-status part: text is its content, decoded. Adds the recipients that something is said about.
 * is_delay: what an action that is missing means when only a temporary failure is told. */
void convert_report_read_status(const char *text, size_t len, bool is_delay, struct convert_report_result *result);

/* ---- convert_report_bounce.c ---- */

/* Whether a mailer's words for people (clean text with LF, or a subject) speak of a delay rather than of a failure. */
bool convert_report_is_delay(const char *subject, const char *text);
/* Reads a bounce's text. failed: the X-Failed-Recipients field, or "". Adds the recipients that it names. */
void convert_report_read_bounce(const char *subject, const char *text, const char *failed,
                                struct convert_report_result *result);
