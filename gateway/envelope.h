/* envelope.h - whose an envelope sender is, as far as its form tells
 *
 * The envelope sender is often not the author's address letter by letter: mail servers add a tag so that they recognise
 * their own bounces, and forwarders write the original address into one of their own. Nothing of this is proof of
 * anything: it serves to refuse early what would be refused later, and not to refuse what would be accepted.
 */
#pragma once
#include "smtp/smtp_address.h"

enum { ENVELOPE_FORMS_MAX = 6 };

/* The addresses that may be meant, canonical with the case of their local parts, the one as given first: without "+detail"; without the tag of BATV
 * ("prvs=1234567890=bob@example.com"); what SRS has rewritten ("SRS0=HHH=TT=example.com=bob@forwarder.example",
 * "SRS1=HHH=first.example==HHH=TT=example.com=bob@second.example"). Returns how many; the null path has none. */
size_t envelope_forms(const struct smtp_address *sender, struct smtp_address forms_out[static ENVELOPE_FORMS_MAX]);

/* Is one the other, or above it in the tree? (A rough form of "the same organisation": without a list of public
 * suffixes, "com" would be above everything, so both must have two labels at least.) */
bool envelope_domains_are_related(const char *a, const char *b);
