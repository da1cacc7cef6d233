/* relay_quotes.h - what is said of each message in a mail that carries others' messages
 *
 * A forwarded thread is one mail with all of its messages, oldest first, each under a line that says who wrote it and when;
 * its attachments are named, and follow in mails of their own as their authors send them again. What is quoted is the
 * forwarder's word: none of these names was checked.
 */
#pragma once
#include "mapping/convert.h"
#include "mapping/store_queue.h"

struct relay_quotes;

/* For a row of the kind FORWARD, or FILES; head: its second header, decoded. NULL: the database can't be read. */
struct relay_quotes *relay_quotes_new(struct store_db *db, const struct store_outbound *row,
                                      const struct tmtp_message *head) __attribute__((warn_unused_result));
void relay_quotes_free(struct relay_quotes **quotes);
const struct convert_quote *relay_quotes_list(const struct relay_quotes *quotes, size_t *count_out); /* its own */
