/* recipient.h - may mail for an address come in at all? asked at RCPT, and by Postfix before it
 *
 * One function, so that SMTP, Postfix's maps and its policy service never disagree. Reads the database on the loop.
 */
#pragma once
#include "gateway/policy.h"
#include "gateway/signed_id.h"
#include "smtp/smtp_address.h"

struct parts;

/* Whose an address is: a member's or a group's, or a return address of ours. All is 0 for others. */
struct recipient {
    struct store_target target;
    struct signed_return about; /* only of a good return address */
};

/* sender: of the envelope, "" for the null path, NULL when it is not known. */
struct policy_verdict recipient_judge(const struct parts *parts, const char *sender, const struct smtp_address *address,
                                      struct recipient *recipient_out);
