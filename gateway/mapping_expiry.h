/* mapping_expiry.h - writes down that the time of mappings is over
 *
 * A mapping lets nobody in from the very instant that its time is past: policy.h looks at the clock. What is done here
 * follows: its state becomes expired, the audit log says so, and what hangs on it is told (mapping_change.h). It looks when the next one
 * ends, every ten seconds at least (the clock may have jumped), and at the start; a bounded number at a time.
 */
#pragma once

struct mapping_expiry;
struct parts;

/* on_expired: after each commit with which some have ended; may be NULL. */
struct mapping_expiry *mapping_expiry_new(const struct parts *parts, void (*on_expired)(void *ctx), void *ctx);
void mapping_expiry_free(struct mapping_expiry **expiry); /* after the store has finished its operations */
void mapping_expiry_poke(struct mapping_expiry *expiry);  /* mappings were changed */
