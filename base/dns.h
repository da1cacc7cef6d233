/* dns.h - questions to the domain name system and their answers, as everybody here exchanges them
 *
 * Who checks senders asks through a function that it is given: a worker's goes to the resolver process (base/resolver.h), a
 * test's looks into a table. Only what such checks need is here.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DNS_NAME_MAX = 253,         /* octets of a name as text, without final dot (RFC 1035 section 2.3.4) */
    DNS_RECORDS_MAX = 100,      /* of an answer; one with more is DNS_TEMPORARY */
    DNS_ANSWER_MAX = 56 * 1024, /* octets of all its data together (it fits into one message of base/ipc.h); likewise */
};

/* Their numbers are those of RFC 1035 section 3.2.2 and RFC 3596. */
enum dns_type { DNS_A = 1, DNS_PTR = 12, DNS_MX = 15, DNS_TXT = 16, DNS_AAAA = 28 };

enum dns_outcome {
    DNS_FOUND,     /* one record or more */
    DNS_NO_DATA,   /* the name has none of that type */
    DNS_NO_NAME,   /* NXDOMAIN */
    DNS_TEMPORARY, /* SERVFAIL, REFUSED, no answer in time, malformed, too large: ask later */
    DNS_BOGUS,     /* DNSSEC says that the answer is forged: nothing may be concluded from it */
};

struct dns_record {
    uint16_t preference; /* MX */
    uint32_t ttl;        /* seconds */
    size_t len;
    const char *
        data; /* A: 4 octets; AAAA: 16; MX, PTR: a name as text without final dot, with a NUL behind it; TXT: its strings
                       * joined, of any octets, with a NUL behind them. len counts no such NUL */
};

struct dns_answer {
    enum dns_outcome outcome;
    bool is_secure; /* validated by DNSSEC */
    size_t count;   /* 0 unless DNS_FOUND */
    const struct dns_record *records;
};

/* Asks and waits. name: text, in ASCII ("xn--" where it needs to be), final dot or not. CNAMEs are followed. Never NULL; the answer
 * lives at least until the check that asked ends. */
typedef const struct dns_answer *dns_ask(const char *name, enum dns_type type, void *ctx);
