/* Fuzzing spf: records, and whatever the DNS answers to what they make us ask.
 *
 * Lines. The first is "HELO SENDER"; its first octet's lowest bit says whether the client has IPv6. The others answer the questions, in turn and again from
 * the start: "!" means trouble, "-" nothing; any other is one record for TXT (after "v=spf1 ", but an explanation's after "\""), and for the other types one
 * record for each of its words. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/spf.h"

enum { LINES_MAX = 64, TEXT_SIZE = 4096, GIVEN_MAX = 2 * SPF_QUESTIONS_MAX };

/* An answer lives until the check ends, as dns_ask promises. */
struct given {
    struct dns_answer answer;
    struct dns_record records[DNS_RECORDS_MAX];
    char text[TEXT_SIZE];
};

struct zone {
    size_t line_count;
    struct {
        const char *data;
        size_t len;
    } lines[LINES_MAX];
    size_t questions;
};

static struct given given[GIVEN_MAX];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void require_name(const char *name)
{
    size_t len = strlen(name);
    require(len > 0 && len <= DNS_NAME_MAX);
    size_t label = 0;
    for (size_t i = 0; i <= len; i++) {
        if (i == len || name[i] == '.') {
            require(label > 0 && label <= 63);
            label = 0;
            continue;
        }
        require(name[i] >= 0x20 && name[i] < 0x7F && name[i] != '\\');
        label++;
    }
}

static void add_record(struct given *to, const char *data, size_t len, uint16_t preference)
{
    to->records[to->answer.count++] = (struct dns_record){ .preference = preference, .len = len, .data = data };
}

static void add_words(struct given *to, size_t len, enum dns_type type)
{
    static const char addresses[] = "\xc0\x00\x02\x01\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01";
    char *rest = NULL;
    to->text[len] = '\0';
    for (char *word = strtok_r(to->text, " ", &rest); word != NULL && to->answer.count < DNS_RECORDS_MAX;
         word = strtok_r(NULL, " ", &rest)) {
        if (type == DNS_A)
            add_record(to, word[0] == 'y' ? addresses : "\xc6\x33\x64\x07", 4, 0);
        else if (type == DNS_AAAA)
            add_record(to, word[0] == 'y' ? addresses + 4 : addresses, word[0] == 's' ? 4 : 16, 0);
        else
            add_record(to, word, strlen(word), (uint16_t)word[0]);
    }
}

static const struct dns_answer *ask(const char *name, enum dns_type type, void *ctx)
{
    struct zone *zone = ctx;
    require_name(name);
    require(zone->questions < SPF_QUESTIONS_MAX);
    struct given *to = &given[zone->questions];
    size_t line = zone->questions++ % (zone->line_count + 1);
    memset(&to->answer, 0, sizeof to->answer);
    to->answer.records = to->records;
    to->answer.outcome = DNS_NO_NAME;
    if (line == zone->line_count || zone->lines[line].len == 0 || zone->lines[line].data[0] == '-')
        return &to->answer;
    const char *data = zone->lines[line].data;
    size_t len = zone->lines[line].len;
    to->answer.outcome = data[0] == '!' ? DNS_TEMPORARY : DNS_FOUND;
    if (data[0] == '!')
        return &to->answer;
    bool is_text = data[0] == '"';
    size_t prefix_len = type == DNS_TXT && !is_text ? 7 : 0;
    if (len > TEXT_SIZE - 8)
        len = TEXT_SIZE - 8;
    memcpy(to->text, "v=spf1 ", prefix_len);
    memcpy(to->text + prefix_len, data + is_text, len - is_text);
    if (type == DNS_TXT)
        add_record(to, to->text, prefix_len + len - is_text, 0);
    else
        add_words(to, len - is_text, type);
    if (to->answer.count == 0)
        to->answer.outcome = DNS_NO_DATA;
    return &to->answer;
}

static void require_printable(const char *text)
{
    for (; *text != '\0'; text++)
        require(*text >= 0x20 && *text < 0x7F);
}

static void read_who(const char *line, size_t len, char helo[static SMTP_DOMAIN_MAX + 1], struct spf_request *request)
{
    const char *space = memchr(line, ' ', len);
    size_t helo_len = space == NULL ? len : (size_t)(space - line);
    if (helo_len > SMTP_DOMAIN_MAX)
        helo_len = SMTP_DOMAIN_MAX;
    memcpy(helo, line, helo_len);
    helo[helo_len] = '\0';
    *request = (struct spf_request){ .client = len > 0 && line[0] & 1 ? "2001:db8::1" : "192.0.2.1", .helo = helo };
    if (space != NULL && smtp_address_parse(space + 1, len - (size_t)(space + 1 - line), &request->sender) != 1)
        memset(&request->sender, 0, sizeof request->sender);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct spf_verdict verdict, again;
    struct zone zone = { 0 };
    struct spf_request request;
    char helo[SMTP_DOMAIN_MAX + 1] = "";
    const char *at = (const char *)data, *end = at + size;
    const char *line_end = memchr(at, '\n', size);
    read_who(at, line_end == NULL ? size : (size_t)(line_end - at), helo, &request);
    while (line_end != NULL && zone.line_count < LINES_MAX) {
        at = line_end + 1;
        line_end = memchr(at, '\n', (size_t)(end - at));
        zone.lines[zone.line_count].data = at;
        zone.lines[zone.line_count++].len = (size_t)((line_end == NULL ? end : line_end) - at);
    }
    spf_check(&request, ask, &zone, &verdict);
    require_printable(verdict.domain);
    require_printable(verdict.detail);
    require_printable(verdict.explanation);
    require(verdict.detail[0] != '\0' && spf_result_name(verdict.result) != NULL);
    require(verdict.explanation[0] == '\0' || verdict.result == SPF_FAIL);
    require(verdict.result == SPF_NONE || zone.questions > 0);
    zone.questions = 0;
    spf_check(&request, ask, &zone, &again);
    require(verdict.result == again.result && strcmp(verdict.detail, again.detail) == 0);
    require(strcmp(verdict.explanation, again.explanation) == 0);
    return 0;
}
