/* resolver_answer.h - what libunbound found, as an answer of ours (private to resolver*.c)
 *
 * The data of records is as name servers sent it (names without compression), so it is read here, with limits, in the resolver's process.
 * RFC 1035 section 3.3.
 */
#pragma once
#include <stddef.h>

#include "base/dns_wire.h"

struct ub_result;

/* Writes the answer as of dns_answer_encode(): DNS_TEMPORARY when it is too large or malformed. Returns an enum
 * resolver_trouble. */
unsigned resolver_answer_encode(const struct ub_result *result, enum dns_type type,
                                char out[static DNS_ANSWER_WIRE_MAX], size_t *len_out);
