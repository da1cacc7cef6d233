/* convert_address_list.h - the people in To and Cc (RFC 5322 section 3.4)
 *
 * Reads what mail programs write: names in quotes, in encoded words, behind the address in brackets, groups, routes,
 * commas where semicolons belong. Entries that hold no address are passed over. Linear. Pure functions. Internal to
 * mapping/convert*.
 */
#pragma once
#include <stddef.h>

#include "smtp/smtp_address.h"

struct convert_charsets;
struct convert_field;

/* One after the other; name: decoded, one line, "" when there is none; both are gone after the call. */
typedef void convert_address_list_each(const char *name, const struct smtp_address *address, void *ctx);

void convert_address_list_read(struct convert_charsets *charsets, const struct convert_field *field,
                               convert_address_list_each *each, void *ctx);
