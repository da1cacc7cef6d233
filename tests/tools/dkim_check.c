/* Judges the signatures of mails, for tests/e2e/test_dkim_verify.py and to try files by hand: many in one run.
 *
 *   dkim_check ZONE < MAILS
 *
 * ZONE: lines "NAME HEX", a TXT record whose octets are in hexadecimal, or "NAME !" for a name that can't be looked up now.
 * MAILS: lines "SIZE FROM-DOMAIN SECONDS", each with a mail of SIZE octets behind it that is judged as at SECONDS since 1970.
 * Written for each mail, with tabs: "dkim RESULT DOMAIN SELECTOR IDENTITY DETAIL" for each signature,
 * "arc RESULT DETAIL", "set SEALER SIGNER RESULTS" for each instance, and "end QUESTIONS".
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dns.h"
#include "base/xmalloc.h"
#include "smtp/arc_verify.h"
#include "smtp/dkim_message.h"
#include "smtp/dkim_verify.h"

enum { RECORDS_MAX = 1000, LINE_SIZE = 128 * 1024, STEP_MAX = 5000 };

struct zone {
    size_t count;
    char *names[RECORDS_MAX];
    struct dns_record records[RECORDS_MAX]; /* data NULL: can't be looked up */
    unsigned asked;
    struct dns_record found[DNS_RECORDS_MAX];
    struct dns_answer answer;
};

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "dkim_check: %s\n", what);
    exit(1);
}

static const struct dns_answer *ask(const char *name, enum dns_type type, void *ctx)
{
    struct zone *zone = ctx;
    zone->asked++;
    zone->answer = (struct dns_answer){ .outcome = DNS_NO_NAME, .records = zone->found };
    for (size_t i = 0; i < zone->count && type == DNS_TXT; i++) {
        if (strcmp(zone->names[i], name) != 0)
            continue;
        zone->answer.outcome = zone->records[i].data ? DNS_FOUND : DNS_TEMPORARY;
        if (zone->records[i].data && zone->answer.count < DNS_RECORDS_MAX)
            zone->found[zone->answer.count++] = zone->records[i];
    }
    return &zone->answer;
}

static char *decode_hex(const char *text, size_t *len_out)
{
    *len_out = strlen(text) / 2;
    char *data = xcalloc(*len_out + 1, 1);
    for (size_t i = 0; i < *len_out; i++) {
        const char digits[] = { text[2 * i], text[2 * i + 1], '\0' };
        data[i] = (char)strtoul(digits, NULL, 16);
    }
    return data;
}

static void read_zone(const char *file, struct zone *zone)
{
    static char line[LINE_SIZE];
    FILE *input = fopen(file, "r");
    if (!input)
        fail("no zone");
    while (fgets(line, sizeof line, input)) {
        char *rest, *name = strtok_r(line, " \n", &rest), *text = name ? strtok_r(NULL, " \n", &rest) : NULL;
        if (!text || zone->count == RECORDS_MAX)
            fail("a bad zone");
        struct dns_record *record = &zone->records[zone->count];
        zone->names[zone->count++] = xstrdup(name);
        if (strcmp(text, "!") != 0)
            record->data = decode_hex(text, &record->len);
    }
    fclose(input);
}

static void show(const struct dkim_message *message, struct zone *zone, const char *from_domain, int64_t now)
{
    struct dkim_verdict verdicts[DKIM_VERIFY_SIGNATURES_MAX];
    struct arc_verdict arc;
    size_t count = dkim_verify(message, from_domain, ask, zone, now, verdicts, DKIM_VERIFY_SIGNATURES_MAX);
    for (size_t i = 0; i < count; i++)
        printf("dkim\t%s\t%s\t%s\t%s\t%s\n", verdicts[i].result_text, verdicts[i].domain, verdicts[i].selector,
               verdicts[i].identity, verdicts[i].detail);
    arc_verify(message, ask, zone, now, &arc);
    printf("arc\t%s\t%s\n", auth_result_name(arc.result), arc.detail);
    for (size_t i = 0; i < arc.count; i++)
        printf("set\t%s\t%s\t%s\n", arc.instances[i].sealer, arc.instances[i].signer,
               arc.instances[i].auth_results ? arc.instances[i].auth_results : "");
    arc_verdict_free(&arc);
}

/* Pieces are of another size each time. */
static void judge(const char *mail, size_t len, unsigned number, struct zone *zone, const char *from_domain,
                  int64_t now)
{
    struct dkim_message *message = dkim_message_new();
    size_t step = 1 + (size_t)number * 137 % STEP_MAX;
    for (size_t at = 0; at < len && dkim_message_wants_more(message); at += step)
        dkim_message_add(message, mail + at, len - at < step ? len - at : step);
    dkim_message_end(message);
    zone->asked = 0;
    show(message, zone, from_domain, now);
    printf("end\t%u\n", zone->asked);
    dkim_message_free(&message);
}

int main(int argc, char **argv)
{
    static struct zone zone;
    char line[400];
    if (argc != 2)
        fail("usage: dkim_check ZONE < MAILS");
    read_zone(argv[1], &zone);
    for (unsigned number = 0; fgets(line, sizeof line, stdin); number++) {
        char *rest, *size = strtok_r(line, " \n", &rest), *domain = strtok_r(NULL, " \n", &rest);
        char *now = domain ? strtok_r(NULL, " \n", &rest) : NULL;
        if (!now)
            fail("a bad line");
        size_t len = strtoul(size, NULL, 10);
        char *mail = xmalloc(len + 1);
        if (fread(mail, 1, len, stdin) != len)
            fail("a mail is cut");
        judge(mail, len, number, &zone, domain, strtoll(now, NULL, 10) * 1000);
        free(mail);
    }
    return 0;
}
