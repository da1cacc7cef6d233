#include "base/resolver_answer.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unbound.h>

#include "base/resolver_protocol.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"

enum { RCODE_NOERROR = 0, LABEL_MAX = 63 };

/* Each reads one record's data, of len octets, and adds what base/dns.h promises to text. False: malformed. */

static bool read_address(const unsigned char *data, size_t len, size_t expected, struct strbuf *text)
{
    strbuf_add(text, data, len);
    return len == expected;
}

static void add_label(const unsigned char *label, size_t len, struct strbuf *text)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = label[i];
        /* A dot inside a label would look like one between labels. */
        if (c > ' ' && c < 0x7f && c != '.' && c != '\\')
            strbuf_add_char(text, (char)c);
        else
            strbuf_add_fmt(text, "\\%03u", c);
    }
}

/* A name: labels with their lengths, the last one empty. Nothing may follow. One that is too long as text, since it has many octets
 * that are no names' octets, is nobody's. */
static bool read_name(const unsigned char *data, size_t len, struct strbuf *text)
{
    bool is_first = true;
    size_t start = text->len;
    while (len > 0 && data[0] != 0) {
        size_t label = data[0];
        if (label > LABEL_MAX || label + 1 >= len)
            return false;
        if (!is_first)
            strbuf_add_char(text, '.');
        is_first = false;
        add_label(data + 1, label, text);
        data += label + 1;
        len -= label + 1;
    }
    return len == 1 && text->len - start <= DNS_NAME_MAX;
}

static bool read_text(const unsigned char *data, size_t len, struct strbuf *text)
{
    bool is_empty = len == 0;
    while (len > 0 && data[0] < len) {
        strbuf_add(text, data + 1, data[0]);
        len -= data[0] + (size_t)1;
        data += data[0] + (size_t)1;
    }
    return len == 0 && !is_empty;
}

static bool read_record(enum dns_type type, const unsigned char *data, size_t len, struct dns_record *record,
                        struct strbuf *text)
{
    enum { ADDRESS4_LEN = 4, ADDRESS6_LEN = 16 };
    if (type == DNS_A || type == DNS_AAAA)
        return read_address(data, len, type == DNS_A ? ADDRESS4_LEN : ADDRESS6_LEN, text);
    if (type == DNS_TXT)
        return read_text(data, len, text);
    if (type == DNS_PTR)
        return read_name(data, len, text);
    if (len < 2)
        return false;
    record->preference = (uint16_t)(data[0] << 8 | data[1]);
    return read_name(data + 2, len - 2, text);
}

/* The records, with their data one after another in `all`, of which they hold positions until the end. */
static enum resolver_trouble read_records(const struct ub_result *result, enum dns_type type,
                                          struct dns_record records[static DNS_RECORDS_MAX], size_t *count_out,
                                          struct strbuf *all)
{
    size_t count = 0;
    size_t starts[DNS_RECORDS_MAX];
    for (; result->data[count] != NULL; count++) {
        if (count == DNS_RECORDS_MAX)
            return RESOLVER_TOO_LARGE;
        records[count] = (struct dns_record){ .ttl = result->ttl > 0 ? (uint32_t)result->ttl : 0 };
        starts[count] = all->len;
        if (!read_record(type, (const unsigned char *)result->data[count], (size_t)result->len[count], &records[count],
                         all))
            return RESOLVER_MALFORMED;
        if (!strbuf_ok(all))
            return RESOLVER_TOO_LARGE;
        records[count].len = all->len - starts[count];
    }
    for (size_t i = 0; i < count; i++)
        records[i].data = all->data + starts[i];
    *count_out = count;
    return RESOLVER_FINE;
}

/* Forgery is looked at before anything else: the rest of the result is nobody's word then. */
static enum dns_outcome outcome_of(const struct ub_result *result)
{
    if (result->bogus)
        return DNS_BOGUS;
    if (result->nxdomain)
        return DNS_NO_NAME;
    if (result->rcode != RCODE_NOERROR)
        return DNS_TEMPORARY;
    return result->havedata && result->data[0] != NULL ? DNS_FOUND : DNS_NO_DATA;
}

unsigned resolver_answer_encode(const struct ub_result *result, enum dns_type type,
                                char out[static DNS_ANSWER_WIRE_MAX], size_t *len_out)
{
    struct dns_record records[DNS_RECORDS_MAX];
    struct strbuf all;
    struct dns_answer answer = { .outcome = outcome_of(result), .is_secure = result->secure, .records = records };
    enum resolver_trouble trouble = RESOLVER_FINE;
    strbuf_init(&all, DNS_ANSWER_MAX);
    if (answer.outcome == DNS_FOUND)
        trouble = read_records(result, type, records, &answer.count, &all);
    if (trouble == RESOLVER_FINE)
        *len_out = dns_answer_encode(&answer, out);
    else
        *len_out = dns_answer_encode(dns_answer_without_records(DNS_TEMPORARY), out);
    strbuf_free(&all);
    return trouble;
}
