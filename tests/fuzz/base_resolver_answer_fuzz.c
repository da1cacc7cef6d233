/* Whatever data name servers send: it becomes an answer that the daemon takes, or none.
 *
 * Input: the type (an index), what libunbound says of the result (bits), then records, each as its length (2 octets, big-endian) and data.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unbound.h>

#include "base/resolver_answer.h"
#include "base/xmalloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECORDS_MAX = DNS_RECORDS_MAX + 2 };

static void check(int holds)
{
    if (!holds)
        abort();
}

/* Each in memory of its own, so that reading beyond is seen. */
static size_t cut_records(const uint8_t *data, size_t size, char *records[static RECORDS_MAX + 1], int *lens)
{
    size_t count = 0;
    while (size >= 2 && count < RECORDS_MAX) {
        size_t len = (size_t)data[0] << 8 | data[1];
        data += 2;
        size -= 2;
        len = len < size ? len : size;
        records[count] = len > 0 ? xmemdup(data, len) : xcalloc(1, 1);
        lens[count++] = (int)len;
        data += len;
        size -= len;
    }
    records[count] = NULL;
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum dns_type types[] = { DNS_A, DNS_AAAA, DNS_MX, DNS_PTR, DNS_TXT };
    static char wire[DNS_ANSWER_WIRE_MAX];
    char *records[RECORDS_MAX + 1];
    int lens[RECORDS_MAX];
    if (size < 2)
        return 0;
    enum dns_type type = types[data[0] % (sizeof types / sizeof types[0])];
    size_t count = cut_records(data + 2, size - 2, records, lens);
    const struct ub_result result = { .data = records,
                                      .len = lens,
                                      .havedata = count > 0 && (data[1] & 1) == 0,
                                      .nxdomain = (data[1] & 2) != 0,
                                      .rcode = data[1] & 4 ? 2 : 0,
                                      .secure = (data[1] & 8) != 0,
                                      .bogus = (data[1] & 16) != 0,
                                      .ttl = data[1] & 32 ? -1 : 300 };
    size_t len;
    unsigned trouble = resolver_answer_encode(&result, type, wire, &len);
    check(len <= sizeof wire);
    struct dns_answer *answer = dns_answer_decode(wire, len, type);
    check(answer != NULL);
    check(trouble == 0 || answer->outcome == DNS_TEMPORARY);
    check(!result.bogus || answer->outcome == DNS_BOGUS);
    check(answer->outcome != DNS_FOUND || answer->count == count);
    dns_answer_free(&answer);
    for (size_t i = 0; i < count; i++)
        free(records[i]);
    return 0;
}
