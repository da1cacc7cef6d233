/* refusals.h - what is turned away is noted, for `posternctl why` (store_refusal.h)
 *
 * Nobody waits for it: notes are collected for a tenth of a second and stored together, beside other operations. When more
 * comes than that takes, some of it is left out and counted: at most 256 notes at a time, 64 of them of one owner. An owner is
 * the network of whoever is behind the connection (/24, /64); of what mail servers of ours pass on without saying from where,
 * the domain of its sender.
 */
#pragma once
#include "mapping/store_refusal.h"

struct parts;
struct refusals;
struct smtp_refusal;
struct smtp_session_facts;

struct refusals *refusals_new(const struct parts *parts);
/* What was noted is submitted at once: before the store is closed. */
void refusals_flush(struct refusals *refusals);
void refusals_free(struct refusals **refusals); /* after the store */

/* Of mail in a session, which gives what is about the session itself; place, addresses, reply and reason are the caller's, time
 * and count are found here. Everything is copied. refusals NULL: nothing is noted. */
void refusals_note(struct refusals *refusals, const struct smtp_session_facts *session, const char *transaction,
                   const struct store_refusal *facts);
/* What the session has refused by itself (smtp_server.h, on_refused). */
void refusals_note_own(struct refusals *refusals, const struct smtp_refusal *refusal);
/* Of what Postfix has asked about; client: an address or "". */
void refusals_note_asked(struct refusals *refusals, const char *client, const struct store_refusal *facts);

uint64_t refusals_left_out(const struct refusals *refusals);

/* "from CLIENT (HELO) by listener NAME with PROTOCOL id TRANSACTION, which says of its client: ..."; transaction NULL: without.
 * The caller frees. */
char *refusals_describe_session(const struct smtp_session_facts *session, const char *transaction)
    __attribute__((warn_unused_result));
