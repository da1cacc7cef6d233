#include "base/dns_wire.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"

enum { LABEL_MAX = 63 };

/* ---- questions ---- */

bool dns_name_is_valid(const char *name)
{
    size_t len = strnlen(name, DNS_NAME_MAX + 2);
    if (len > 0 && name[len - 1] == '.')
        len--;
    if (len == 0 || len > DNS_NAME_MAX)
        return false;
    for (size_t start = 0; start <= len;) {
        const char *dot = memchr(name + start, '.', len - start);
        size_t label = (dot != NULL ? (size_t)(dot - name) : len) - start;
        if (label == 0 || label > LABEL_MAX)
            return false;
        start += label + 1;
    }
    return true;
}

static bool is_type(unsigned type)
{
    return type == DNS_A || type == DNS_AAAA || type == DNS_MX || type == DNS_PTR || type == DNS_TXT;
}

size_t dns_question_encode(const char *name, enum dns_type type, char out[static DNS_QUESTION_WIRE_MAX])
{
    assert(dns_name_is_valid(name));
    uint16_t number = (uint16_t)type;
    size_t len = strlen(name);
    if (name[len - 1] == '.')
        len--;
    memcpy(out, &number, sizeof number);
    memcpy(out + sizeof number, name, len);
    return sizeof number + len;
}

int dns_question_decode(const void *data, size_t len, char name_out[static DNS_NAME_MAX + 1], enum dns_type *type_out)
{
    uint16_t number;
    if (len <= sizeof number || len - sizeof number > DNS_NAME_MAX)
        return -1;
    memcpy(&number, data, sizeof number);
    len -= sizeof number;
    memcpy(name_out, (const char *)data + sizeof number, len);
    name_out[len] = '\0';
    if (!is_type(number) || strlen(name_out) != len || name_out[len - 1] == '.' || !dns_name_is_valid(name_out))
        return -1;
    for (char *at = name_out; *at != '\0'; at++)
        *at = *at >= 'A' && *at <= 'Z' ? (char)(*at + ('a' - 'A')) : *at;
    *type_out = (enum dns_type)number;
    return 1;
}

/* ---- answers ---- */

/* What goes before each record's data. */
struct record_head {
    uint16_t preference;
    uint16_t len;
    uint32_t ttl;
};
struct answer_head {
    uint8_t outcome;
    uint8_t is_secure;
    uint16_t count;
};
_Static_assert(sizeof(struct answer_head) == 4 && sizeof(struct record_head) == 8, "as DNS_ANSWER_WIRE_MAX has it");
_Static_assert(DNS_ANSWER_MAX <= UINT16_MAX, "the length of a record");

size_t dns_answer_encode(const struct dns_answer *answer, char out[static DNS_ANSWER_WIRE_MAX])
{
    struct answer_head head = { .outcome = (uint8_t)answer->outcome,
                                .is_secure = answer->is_secure,
                                .count = (uint16_t)answer->count };
    size_t total = 0;
    assert(answer->count <= DNS_RECORDS_MAX);
    char *at = out;
    memcpy(at, &head, sizeof head);
    at += sizeof head;
    for (size_t i = 0; i < answer->count; i++) {
        const struct dns_record *record = &answer->records[i];
        total += record->len;
        assert(record->len <= DNS_ANSWER_MAX && total <= DNS_ANSWER_MAX);
        struct record_head each = { .preference = record->preference,
                                    .len = (uint16_t)record->len,
                                    .ttl = record->ttl };
        memcpy(at, &each, sizeof each);
        at += sizeof each;
        memcpy(at, record->data, record->len);
        at += record->len;
    }
    return (size_t)(at - out);
}

/* A name in an answer may be the root: an MX of "." says that there is no mail (RFC 7505). */
static bool is_name(const char *data, size_t len)
{
    return len <= DNS_NAME_MAX && memchr(data, '\0', len) == NULL;
}

static bool is_proper(enum dns_type type, const char *data, size_t len)
{
    static const size_t any = SIZE_MAX;
    static const struct {
        enum dns_type type;
        size_t len;
        bool is_name;
    } kinds[] = {
        { DNS_A, 4, false },    { DNS_AAAA, 16, false }, { DNS_MX, any, true },
        { DNS_PTR, any, true }, { DNS_TXT, any, false },
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i].type == type)
            return kinds[i].is_name ? is_name(data, len) : kinds[i].len == any || kinds[i].len == len;
    }
    return false;
}

/* The answer, its records, and their data with a NUL behind each. */
struct decoded {
    struct dns_answer answer;
    struct dns_record records[DNS_RECORDS_MAX];
    char data[];
};

/* Reads one record at *at, of left octets, to *copy. Moves all three on. */
static bool decode_record(const char **at, size_t *left, enum dns_type type, struct dns_record *record, char **copy)
{
    struct record_head head;
    if (*left < sizeof head)
        return false;
    memcpy(&head, *at, sizeof head);
    *at += sizeof head;
    *left -= sizeof head;
    if (head.len > *left || !is_proper(type, *at, head.len))
        return false;
    memcpy(*copy, *at, head.len);
    (*copy)[head.len] = '\0';
    *record = (struct dns_record){ .preference = head.preference, .ttl = head.ttl, .len = head.len, .data = *copy };
    *copy += head.len + 1;
    *at += head.len;
    *left -= head.len;
    return true;
}

struct dns_answer *dns_answer_decode(const void *data, size_t len, enum dns_type type)
{
    struct answer_head head;
    if (len < sizeof head || len > DNS_ANSWER_WIRE_MAX)
        return NULL;
    memcpy(&head, data, sizeof head);
    bool is_found = head.outcome == DNS_FOUND;
    if (head.outcome > DNS_BOGUS || head.is_secure > 1 || head.count > DNS_RECORDS_MAX || (head.count > 0) != is_found)
        return NULL;
    const char *at = (const char *)data + sizeof head;
    size_t left = len - sizeof head;
    struct decoded *decoded = xmalloc(sizeof *decoded + left + 1);
    decoded->answer = (struct dns_answer){ .outcome = (enum dns_outcome)head.outcome,
                                           .is_secure = head.is_secure,
                                           .count = head.count,
                                           .records = decoded->records };
    char *copy = decoded->data;
    bool good = true;
    for (size_t i = 0; good && i < head.count; i++)
        good = decode_record(&at, &left, type, &decoded->records[i], &copy);
    if (good && left == 0)
        return &decoded->answer;
    free(decoded);
    return NULL;
}

void dns_answer_free(struct dns_answer **answer)
{
    free(*answer); /* the first member of what was allocated */
    *answer = NULL;
}

const struct dns_answer *dns_answer_without_records(enum dns_outcome outcome)
{
    static const struct dns_answer answers[] = {
        [DNS_FOUND] = { .outcome = DNS_TEMPORARY }, /* would be a lie */
        [DNS_NO_DATA] = { .outcome = DNS_NO_DATA },     [DNS_NO_NAME] = { .outcome = DNS_NO_NAME },
        [DNS_TEMPORARY] = { .outcome = DNS_TEMPORARY }, [DNS_BOGUS] = { .outcome = DNS_BOGUS },
    };
    return &answers[outcome];
}
