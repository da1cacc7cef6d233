/* signed_id.h - ids of ours that go out with mail and are believed when they come back: nobody else can make one
 *
 * Two of them, each with a key of its own that is derived from one secret of the database (mapping/store_secret.h):
 *
 *   bounces+TOKEN@domain       the return path of a member's mail (VERP): says which entry of the outbound queue a report is
 *                              about, and for which of its recipients, and until when reports are taken; or, in an
 *                              invitation, where to write to be removed: which mapping it is about
 *   STEM.MAC@hostname          a Message-ID; the same for the same stem, at every attempt and after every restart
 *
 * TOKEN and MAC are letters and digits that survive a change of case (base/base32.h). The code in a token has 120 bits of an
 * HMAC-SHA-256, that in a Message-ID 80. What is compared takes the same time wherever it differs.
 *
 * A database that was restored from a backup gives numbers a second time: so a token also has the time at which its entry
 * was queued, and is about no other entry of that number.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "smtp/smtp_address.h"

enum { SIGNED_ID_STEM_MAX = 200, SIGNED_ID_SIZE = SIGNED_ID_STEM_MAX + 18 + SMTP_DOMAIN_MAX + 1 };

struct signed_id;

/* secret: 32 octets. Names are copied; domain is that of addresses, hostname that of Message-IDs. Any thread may use it. */
struct signed_id *signed_id_new(const uint8_t secret[static 32], const char *domain, const char *hostname);
void signed_id_free(struct signed_id **ids);

struct signed_return {
    int64_t outbound_id; /* below 2^48 */
    int64_t queued_at;   /* the entry's received_at, ms since 1970; compare with signed_id_is_about() */
    unsigned place;      /* which recipient of the entry, from 1; 0: several, or one beyond 65,534 */
    int64_t expires_at;  /* ms since 1970; kept as a day: made, it is the end of that day or later */
};
void signed_id_make_return(const struct signed_id *ids, const struct signed_return *about,
                           struct smtp_address *address_out);
/* For whoever was invited and wants to be removed: good for as long as the mapping is. Read as a return address whose place is
 * SIGNED_ID_REMOVAL, with the mapping's id and when it was made in place of the entry's. */
enum { SIGNED_ID_REMOVAL = 0xFFFF };
void signed_id_make_removal(const struct signed_id *ids, int64_t mapping_id, int64_t created_at,
                            struct smtp_address *address_out);
/* Is it one that only a return address may be (STORE_ADDRESS_BOUNCES), in any case? The domain is not looked at. */
bool signed_id_is_return(const struct smtp_address *address);
/* 1: made here, perhaps long ago (look at expires_at); 0: not. */
int signed_id_read_return(const struct signed_id *ids, const struct smtp_address *address,
                          struct signed_return *about_out) __attribute__((warn_unused_result));
/* Of an entry that was queued at that time? */
bool signed_id_is_about(const struct signed_return *about, int64_t queued_at);

/* stem: of a dot-atom (RFC 5322 section 3.2.3), at most SIGNED_ID_STEM_MAX octets, unique. Without angle brackets. */
void signed_id_make_message_id(const struct signed_id *ids, const char *stem, char out[static SIGNED_ID_SIZE]);
enum signed_id_verdict {
    SIGNED_ID_FOREIGN, /* of another host, or of another form */
    SIGNED_ID_OURS,    /* made here, or with this database elsewhere under the same name */
    SIGNED_ID_FORGED,  /* looks like one of ours, and is not */
};
enum signed_id_verdict signed_id_judge_message_id(const struct signed_id *ids, const char *message_id);
