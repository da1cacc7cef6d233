/* dns_wire.h - questions and answers of base/dns.h as bytes, for messages between our own processes
 *
 * Not the format of DNS messages, and not for other programs: numbers are in the machine's order. Who answers may be in a
 * stranger's hands (the resolver process reads what anybody's name servers say), so what is decoded is a proper answer to its
 * type or is refused.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/dns.h"

enum {
    DNS_QUESTION_WIRE_MAX = 2 + DNS_NAME_MAX,
    DNS_ANSWER_WIRE_MAX = 4 + DNS_RECORDS_MAX * 8 + DNS_ANSWER_MAX, /* below IPC_PAYLOAD_MAX */
};

/* A name that a question may have: labels of 1 to 63 octets, DNS_NAME_MAX octets in all; final dot or not; octets of any kind but
 * NUL. "." is none. Asking for any other name is not worth a packet: nothing can be there. */
bool dns_name_is_valid(const char *name);

/* Writes a question. name must be valid. Returns the length. */
size_t dns_question_encode(const char *name, enum dns_type type, char out[static DNS_QUESTION_WIRE_MAX]);
/* 1, or -1 when it is none: a type that base/dns.h does not know, a name that is not valid. The name comes in lower case (ASCII)
 * without final dot. */
int dns_question_decode(const void *data, size_t len, char name_out[static DNS_NAME_MAX + 1], enum dns_type *type_out)
    __attribute__((warn_unused_result));

/* Writes an answer, whose records are of this type and within the limits (asserted). Returns the length. */
size_t dns_answer_encode(const struct dns_answer *answer, char out[static DNS_ANSWER_WIRE_MAX]);
/* The answer to a question of this type; NULL when it is none. Owned by the caller. */
struct dns_answer *dns_answer_decode(const void *data, size_t len, enum dns_type type)
    __attribute__((warn_unused_result));
void dns_answer_free(struct dns_answer **answer); /* one of dns_answer_decode() */

/* An answer without records, for ever valid. */
const struct dns_answer *dns_answer_without_records(enum dns_outcome outcome);
