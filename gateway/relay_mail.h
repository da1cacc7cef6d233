/* relay_mail.h - from an outbound entry to the request for the mail that it becomes */
#pragma once
#include "mapping/convert.h"
#include "mapping/store_queue.h"

struct parts;
struct relay_mail;

/* Gathers what the mail's header needs: mailboxes of the author, the recipients and those of the thread's other members
 * to whom all of these may write, the thread's Message-IDs. NULL when the database can't be read or the row makes no sense; *error_out is static text. */
struct relay_mail *relay_mail_new(const struct parts *parts, const struct store_outbound *row, const char **error_out)
    __attribute__((warn_unused_result));
void relay_mail_free(struct relay_mail **mail);
const struct convert_out_request *relay_mail_request(const struct relay_mail *mail);
