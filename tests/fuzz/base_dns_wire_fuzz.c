/* Whatever the resolver's process says: it is taken for an answer only when it is one, whose encoding is again what was said.
 *
 * Input: the type of the question, then the octets.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/dns_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds)
{
    if (!holds)
        abort();
}

static void read_question(const uint8_t *data, size_t size)
{
    char name[DNS_NAME_MAX + 1], again[DNS_NAME_MAX + 1];
    char wire[DNS_QUESTION_WIRE_MAX];
    enum dns_type type, type_again;
    if (dns_question_decode(data, size, name, &type) != 1)
        return;
    check(dns_name_is_valid(name));
    size_t len = dns_question_encode(name, type, wire);
    check(len == size);
    check(dns_question_decode(wire, len, again, &type_again) == 1);
    check(type == type_again && strcmp(name, again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char wire[DNS_ANSWER_WIRE_MAX];
    if (size == 0)
        return 0;
    read_question(data + 1, size - 1);
    struct dns_answer *answer = dns_answer_decode(data + 1, size - 1, (enum dns_type)data[0]);
    if (answer == NULL)
        return 0;
    check((answer->count > 0) == (answer->outcome == DNS_FOUND));
    for (size_t i = 0; i < answer->count; i++) {
        const struct dns_record *record = &answer->records[i];
        check(record->data[record->len] == '\0');
        check(data[0] != DNS_A || record->len == 4);
        check((data[0] != DNS_MX && data[0] != DNS_PTR) || strlen(record->data) == record->len);
    }
    check(dns_answer_encode(answer, wire) == size - 1);
    check(memcmp(wire, data + 1, size - 1) == 0);
    dns_answer_free(&answer);
    return 0;
}
