/* dmarc_check: DMARC results for questions on standard input, against a DNS that stands there too.
 *
 * Lines: those of tests/unit/dns_table.h; "==" forgets them; "? FROM SPF-RESULT SPF-DOMAIN DKIM-RESULT DKIM-DOMAIN" ("-" for no
 * domain), for each of which it writes one: result, what is published, p= or sp=, where the record is, the organisation; tabs between.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/dmarc.h"
#include "smtp/public_suffix.h"
#include "tests/unit/dns_table.h"

static enum auth_result to_result(const char *text)
{
    for (int result = AUTH_RESULT_NONE; result < AUTH_RESULT_OTHER; result++)
        if (strcmp(text, auth_result_name((enum auth_result)result)) == 0)
            return (enum auth_result)result;
    return AUTH_RESULT_OTHER;
}

static bool answer(const struct public_suffixes *suffixes, struct dns_table *table, const char *line)
{
    static const char *const published[] = { "none", "record", "several", "malformed", "unknown" };
    char from[300], spf[32], spf_domain[300], dkim[32], dkim_domain[300];
    if (sscanf(line, "? %299s %31s %299s %31s %299s", from, spf, spf_domain, dkim, dkim_domain) != 5)
        return false;
    const struct dmarc_identifier signature = { to_result(dkim), dkim_domain };
    const struct dmarc_request request = {
        .from_domain = from, .spf = { to_result(spf), spf_domain }, .dkim = &signature, .dkim_count = 1
    };
    struct dmarc_verdict verdict;
    dmarc_check(&request, suffixes, dns_table_ask, table, &verdict);
    printf("%s\t%s\t%s\t%s\t%s\n", auth_result_name(verdict.result), published[verdict.published],
           verdict.published == DMARC_RECORD ? dmarc_policy_name(verdict.policy) : "-", verdict.record_domain,
           public_suffixes_organisation(suffixes, verdict.domain));
    return true;
}

int main(void)
{
    struct public_suffixes *suffixes = public_suffixes_new();
    struct dns_table *table = dns_table_new();
    char *line = NULL;
    size_t size = 0;
    int status = EXIT_SUCCESS;
    for (ssize_t len; (len = getline(&line, &size, stdin)) > 0;) {
        if (line[len - 1] == '\n')
            line[len - 1] = '\0';
        bool is_ok = true;
        if (strncmp(line, "==", 2) == 0)
            dns_table_clear(table);
        else if (line[0] == '?')
            is_ok = answer(suffixes, table, line);
        else if (line[0] != '\0')
            is_ok = dns_table_add(table, line);
        if (!is_ok) {
            fprintf(stderr, "dmarc_check: bad line: %s\n", line);
            status = EXIT_FAILURE;
        }
    }
    free(line);
    dns_table_free(&table);
    public_suffixes_free(&suffixes);
    return status;
}
