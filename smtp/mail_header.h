/* mail_header.h - the few facts of a message's header that decide its fate (RFC 5322)
 *
 * The daemon does not parse content; but whom a message says it is from, its Message-ID, what it replies to, and how
 * often it was relayed must be known before it is answered. This scanner reads the header section only (at most
 * MAIL_HEADER_MAX octets, from memory), decodes nothing, allocates only its results, and fails closed: what is
 * ambiguous (two From fields, two authors, a group) is marked so and proves nothing. Everything a person will see is
 * parsed elsewhere, in a convert worker.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smtp/smtp_address.h"

enum {
    MAIL_HEADER_MAX = 256 * 1024,
    MAIL_HEADER_FIELDS_MAX = 1000,
    MAIL_HEADER_ID_MAX = 998,
    MAIL_HEADER_REFERENCES_MAX = 100,
};

enum mail_header_from {
    MAIL_HEADER_FROM_OK, /* exactly one From field with exactly one mailbox */
    MAIL_HEADER_FROM_MISSING,
    MAIL_HEADER_FROM_AMBIGUOUS, /* several fields, several mailboxes, a group, or unparsable; also any header that programs may
                                 * split into different fields: NULs, bare CRs, mixed line ends, lines that are no
                                 * field, more than the limits */
};

struct mail_header_facts {
    enum mail_header_from from_state;
    struct smtp_address from; /* as written, not normalised; valid when FROM_OK */
    char *message_id;         /* without angle brackets; NULL when absent, repeated or malformed */
    char **references;        /* In-Reply-To first, then References from last to first, no duplicates */
    size_t reference_count;   /* at most MAIL_HEADER_REFERENCES_MAX */
    unsigned received_count;
    /* No program may answer it: it is generated, or came by way of a mailing list (List-*, Precedence: list). */
    bool is_automatic;
    /* A program wrote it: Auto-Submitted other than "no" (RFC 3834), Precedence auto_reply, the fields of well-known
     * autoresponders, a report (RFC 6522); Precedence bulk or junk without a sign of a list, whose mail people write. */
    bool is_generated;
    bool too_long;      /* header section beyond the limits: facts are from what was read */
    size_t header_size; /* octets up to and with the empty line; of what was read when too_long */
    char *
        *auth_results; /* values of Authentication-Results, top first, unfolded; "" where white space stands before the
                                * colon, so that those who remove forged ones may have left it alone */
    size_t auth_results_count; /* at most 50; further ones are dropped */
    char **arc_seals;          /* values of ARC-Seal and ARC-Authentication-Results, likewise; see arc_sets.h */
    size_t arc_seal_count;
    char **arc_results;
    size_t arc_result_count;
    char **loop_marks;      /* values of X-Postern-Loop */
    size_t loop_mark_count; /* at most 50 */
};

/* data: the message from its start, as much of it as is at hand (beyond MAIL_HEADER_MAX octets nothing is looked at).
 * Lines end with CRLF or LF; a mailbox file's "From " line in front is skipped. Without an empty line all of it is
 * header. */
void mail_header_scan(const char *data, size_t len, struct mail_header_facts *facts_out);
void mail_header_facts_free(struct mail_header_facts *facts);

/* Digest of the message that is the same for a repetition after a lost answer: covers the header fields except trace
 * fields (Received, Return-Path, Delivered-To, X-Original-To, Authentication-Results, Received-SPF) and the body.
 * Fed in pieces of any size, from the start. */
struct mail_digest;
struct mail_digest *mail_digest_new(void);
void mail_digest_add(struct mail_digest *digest, const void *data, size_t len);
void mail_digest_finish(struct mail_digest **digest, uint8_t result_out[static 32]); /* frees it */
void mail_digest_free(struct mail_digest **digest);                                  /* without a result */
