/* smtp_message.h - a message as its owner gets it, for the scripts and the tables */
#pragma once
#include <stddef.h>

#include "base/strbuf.h"
#include "smtp/smtp_server.h"

/* Reads the content of a transaction that asks about its message: as it came, and the Received field before it, as one line
 * in which "x" stands for what is another in each run. Both are overwritten. Asserts that the field is well-formed. */
void smtp_message_read(const struct smtp_transaction *transaction, struct strbuf *content, struct strbuf *received);
/* Appends what is asked of reports on a recipient: " success delay orcpt=TEXT". */
void smtp_message_describe_wishes(const struct smtp_transaction *transaction, size_t index, struct strbuf *out);
