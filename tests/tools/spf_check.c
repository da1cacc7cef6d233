/* spf_check: SPF results for questions on standard input, against a DNS that stands there too.
 *
 * Lines: those of tests/unit/dns_table.h; "==" forgets them; and those of tests/unit/spf_question.h, for each of which it writes one: result,
 * domain, detail, explanation, questions to the DNS; tabs between.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/spf.h"
#include "tests/unit/dns_table.h"
#include "tests/unit/spf_question.h"

static bool answer(struct dns_table *table, char *line)
{
    struct spf_request request;
    struct spf_verdict verdict;
    if (!spf_question_parse(line, &request))
        return false;
    dns_table_forget_questions(table);
    spf_check(&request, dns_table_ask, table, &verdict);
    printf("%s\t%s\t%s\t%s\t%zu\n", spf_result_name(verdict.result), verdict.domain, verdict.detail,
           verdict.explanation, dns_table_questions(table));
    return true;
}

int main(void)
{
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
            is_ok = answer(table, line);
        else if (line[0] != '\0' && line[0] != '#')
            is_ok = dns_table_add(table, line);
        if (!is_ok) {
            fprintf(stderr, "spf_check: bad line: %s\n", line);
            status = EXIT_FAILURE;
        }
    }
    free(line);
    dns_table_free(&table);
    return status;
}
