/* trouble.h - what keeps a mail from somebody in the silo, and how its sender is told
 *
 * Codes are those of RFC 3463. What has kept a mail waiting until retry.give_up ends as a failure with the code of that
 * cause, which is of class 4: "sending in the future may be successful" (RFC 3463 section 2, and section 3.5, which
 * prefers the cause to 4.4.7, "delivery time expired").
 */
#pragma once
#include <stdbool.h>

#include "smtp/smtp_address.h"

struct store_db;
struct store_inbound;
struct store_inbound_recipient;

enum trouble {
    /* A recipient's own. */
    TROUBLE_GONE,    /* the member was removed */
    TROUBLE_REVOKED, /* the mapping that let it in was revoked or denied since, or one that decides now lets nobody in */
    TROUBLE_SUSPENDED, /* such a mapping is suspended */
    TROUBLE_NOT_READY, /* a member's uid is not known */
    TROUBLE_NO_GROUP,  /* the gateway is not in the group (any more) */
    /* The mail's as a whole. */
    TROUBLE_SILO_AWAY,
    TROUBLE_REFUSED, /* by the silo */
    TROUBLE_OURS,    /* something of ours is short, or in the way */
    TROUBLE_HELD,    /* an administrator holds it, or it waits for one */
    TROUBLE_DROPPED, /* by an administrator */
};

struct trouble_words {
    const char *failed_status, *failed;   /* for the sender; one line */
    const char *delayed_status, *delayed; /* NULL: there is nothing to wait for */
    const char *story;                    /* for the trace; NULL: the mail's own says more */
};
const struct trouble_words *trouble_words(enum trouble trouble);

/* Of one recipient of this mail, by what the database says now (a mapping that has expired since it came, while it was open, is
 * no trouble); local_case: policy.local_parts;
 * `otherwise`: the mail's, for who has none of their own. 1, or -1 database error. */
int trouble_find(struct store_db *db, const struct store_inbound *row, const struct store_inbound_recipient *recipient,
                 enum smtp_case local_case, enum trouble otherwise, enum trouble *trouble_out)
    __attribute__((warn_unused_result));
/* Is it a recipient's own; and will it not pass by itself? */
bool trouble_is_own(enum trouble trouble);
bool trouble_is_final(enum trouble trouble);
