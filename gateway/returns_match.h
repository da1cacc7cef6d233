/* returns_match.h - which recipient of a message a report is about; pure
 *
 * Whoever has the message has its return address, and may write anything to it. So a report is believed only about
 * somebody whom the message was sent to.
 */
#pragma once
#include "mapping/convert_report.h"
#include "mapping/store_queue.h"

/* place: what the return address says, from 1; 0: several. When it names one, the report is about that one, whatever
 * address it has: mail may have been forwarded, and others were never told this return address. Else the address as the sender
 * wrote it (Original-Recipient) counts, then the final one. An index into row->recipients; -1: nobody. */
int returns_match(const struct store_outbound *row, unsigned place, const struct convert_report_recipient *reported)
    __attribute__((warn_unused_result));
/* Is it another address than the recipient's own: was the mail forwarded? */
bool returns_match_is_elsewhere(const struct store_outbound_recipient *recipient,
                                const struct convert_report_recipient *reported);
