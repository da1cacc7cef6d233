/* dns_table.h - a DNS of a few lines, for tests of what asks
 *
 * One record a line: NAME TYPE DATA.
 *
 *   example.com      TXT   v=spf1 mx -all        the rest of the line; \xHH is an octet, in names too
 *   example.com      MX    10 mx.example.com     "10 ." is the null MX
 *   mx.example.com   A     192.0.2.1             AAAA, PTR likewise
 *   www.example.com  CNAME mx.example.com        followed, as a resolver does
 *   slow.example.com TXT   !TEMPORARY            or !BOGUS, !NO_DATA; TYPE may be * for all
 *
 * What has no line is NXDOMAIN if no other line has its name. Names are compared without regard to case, a final dot is ignored.
 */
#pragma once
#include <stdbool.h>

#include "base/dns.h"

struct dns_table;

struct dns_table *dns_table_new(void);
void dns_table_free(struct dns_table **table);
/* false: not such a line. */
bool dns_table_add(struct dns_table *table, const char *line);
void dns_table_clear(struct dns_table *table);
/* A dns_ask; ctx: the table. Answers live until the table is cleared. */
const struct dns_answer *dns_table_ask(const char *name, enum dns_type type, void *ctx);
size_t dns_table_questions(
    const struct dns_table *table); /* asked since the table was empty, or since the last call of */
void dns_table_forget_questions(struct dns_table *table);
/* Replaces each \xHH by its octet; returns the length. */
size_t dns_table_unescape(char *text);
