/* postfix_socketmap.h - the maps that Postfix may look into (socketmap_table(5))
 *
 * "recipient KEY": OK with the address when RCPT would take mail for it, NOTFOUND when it would refuse it for good,
 * TEMP when it would say later (somebody who has not agreed yet, a database in trouble). Keys that are no whole
 * address ("@silo.example.org", "alice"), as Postfix tries them after the address itself, are never found.
 */
#pragma once
#include <stddef.h>

struct parts;
struct strbuf;

/* request: what stands in one netstring. Appends the answer, a netstring. 1 OK, 0 not found, -1 anything else. */
int postfix_socketmap_answer(const struct parts *parts, const char *request, size_t len, struct strbuf *out);
