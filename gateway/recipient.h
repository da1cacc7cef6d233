/* recipient.h - may mail for an address come in at all? asked at RCPT, and by Postfix before it
 *
 * One function, so that SMTP, Postfix's maps and its policy service never disagree. Reads the database on the loop.
 */
#pragma once
#include "gateway/policy.h"
#include "smtp/smtp_address.h"

struct parts;

/* sender: of the envelope, "" for the null path, NULL when it is not known. *target_out is whom the address belongs
 * to, when there is such a recipient; else both ids are 0. */
struct policy_verdict recipient_judge(const struct parts *parts, const char *sender,
                                      const struct smtp_address *recipient, struct store_target *target_out);
