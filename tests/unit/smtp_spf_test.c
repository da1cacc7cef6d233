/* Tests of spf: the files in spf_cases/, each a DNS, questions and the results that RFC 7208 wants; and what needs many records.
 *
 * In a file: "== TITLE" starts a new DNS of lines as in dns_table.h; "? ..." asks (spf_question.h); "= RESULT" with, after it, a part of the
 * detail; "! TEXT" is the explanation, which is otherwise empty; "+ NUMBER" how often the DNS was asked. "#" comments. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "smtp/spf.h"
#include "tests/unit/dns_table.h"
#include "tests/unit/spf_question.h"

#define CASES POSTERN_SOURCE_DIR "/tests/unit/spf_cases"

enum { TEXT_SIZE = 2048 };

struct script {
    const char *file;
    int line;
    struct dns_table *table;
    struct spf_verdict verdict;
    bool has_verdict;
    bool expects_words;
    int failures;
};

/* Says all that is wrong, so that one run shows it. */
static void expect(struct script *script, bool condition, const char *what)
{
    if (condition)
        return;
    script->failures++;
    print_error("%s:%d: %s; got %s, \"%s\", \"%s\", %zu questions\n", script->file, script->line, what,
                spf_result_name(script->verdict.result), script->verdict.detail, script->verdict.explanation,
                dns_table_questions(script->table));
}

static void check_result(struct script *script, const char *text)
{
    char result[16];
    int at = 0;
    expect(script, script->has_verdict && sscanf(text, "%15s %n", result, &at) == 1, "a result after a question");
    expect(script, strcmp(result, spf_result_name(script->verdict.result)) == 0, "wrong result");
    expect(script, strstr(script->verdict.detail, text + at) != NULL, "wrong detail");
}

static void end_question(struct script *script)
{
    if (script->has_verdict && !script->expects_words)
        expect(script, script->verdict.explanation[0] == '\0', "explanation that nobody expected");
    script->has_verdict = script->expects_words = false;
}

static void run_line(struct script *script, char *line)
{
    struct spf_request request;
    if (strchr("=!+#", line[0]) == NULL || strncmp(line, "==", 2) == 0)
        end_question(script);
    if (line[0] == '\0' || line[0] == '#')
        return;
    if (strncmp(line, "==", 2) == 0) {
        dns_table_clear(script->table);
    } else if (line[0] == '?') {
        expect(script, spf_question_parse(line, &request), "bad question");
        dns_table_forget_questions(script->table);
        spf_check(&request, dns_table_ask, script->table, &script->verdict);
        script->has_verdict = true;
    } else if (line[0] == '=') {
        check_result(script, line + 2);
    } else if (line[0] == '!') {
        script->expects_words = true;
        expect(script, strcmp(script->verdict.explanation, line + 2) == 0, "wrong explanation");
    } else if (line[0] == '+') {
        expect(script, dns_table_questions(script->table) == strtoul(line + 2, NULL, 10), "wrong number of questions");
    } else {
        expect(script, dns_table_add(script->table, line), "bad record");
    }
}

/* Returns how much is wrong. */
static int run_file(const char *name)
{
    char path[TEXT_SIZE];
    char *line = NULL;
    size_t size = 0;
    struct script script = { .file = name, .table = dns_table_new() };
    snprintf(path, sizeof path, "%s/%s", CASES, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    for (ssize_t len; (len = getline(&line, &size, file)) > 0;) {
        script.line++;
        if (line[len - 1] == '\n')
            line[len - 1] = '\0';
        run_line(&script, line);
    }
    end_question(&script);
    free(line);
    fclose(file);
    dns_table_free(&script.table);
    return script.failures;
}

static void test_cases(void **state)
{
    (void)state;
    struct dirent **entries;
    int files = 0, failures = 0;
    int count = scandir(CASES, &entries, NULL, alphasort);
    assert_true(count > 0);
    for (int i = 0; i < count; i++) {
        if (entries[i]->d_name[0] != '.') {
            failures += run_file(entries[i]->d_name);
            files++;
        }
        free(entries[i]);
    }
    free(entries);
    assert_int_equal(failures, 0);
    assert_int_equal(files, 6);
}

/* Asks once for bob@example.com, from 192.0.2.1. */
static struct spf_verdict ask_for_bob(struct dns_table *table)
{
    const struct spf_request request = { "192.0.2.1", "mail.example.com", { "bob", "example.com" }, NULL, 0 };
    struct spf_verdict verdict;
    spf_check(&request, dns_table_ask, table, &verdict);
    return verdict;
}

/* A record as long as the DNS can carry is read, and costs no more than one question. */
static void test_longest_record(void **state)
{
    (void)state;
    struct dns_table *table = dns_table_new();
    struct strbuf line;
    strbuf_init(&line, DNS_ANSWER_MAX);
    strbuf_add_str(&line, "example.com TXT v=spf1");
    while (line.len < DNS_ANSWER_MAX - 64)
        strbuf_add_str(&line, " ip4:198.51.100.7");
    strbuf_add_str(&line, " ip4:192.0.2.1 -all");
    assert_true(dns_table_add(table, line.data));
    assert_int_equal(ask_for_bob(table).result, SPF_PASS);
    assert_int_equal(dns_table_questions(table), 1);
    strbuf_free(&line);
    dns_table_free(&table);
}

/* Macros that expand to more than SPF_EXPANSION_MAX make no name: the mechanism does not match. */
static void test_expansion_without_end(void **state)
{
    (void)state;
    struct dns_table *table = dns_table_new();
    struct strbuf line;
    strbuf_init(&line, DNS_ANSWER_MAX);
    strbuf_add_str(&line, "example.com TXT v=spf1 exists:");
    for (size_t i = 0; i < 10000; i++)
        strbuf_add_str(&line, "%{s}");
    strbuf_add_str(&line, ".example.com -all");
    assert_true(dns_table_add(table, line.data));
    assert_int_equal(ask_for_bob(table).result, SPF_FAIL);
    assert_int_equal(dns_table_questions(table), 1);
    strbuf_free(&line);
    dns_table_free(&table);
}

/* What is longer than a verdict's explanation is cut there. */
static void test_long_explanation(void **state)
{
    (void)state;
    struct dns_table *table = dns_table_new();
    struct strbuf line;
    strbuf_init(&line, TEXT_SIZE);
    strbuf_add_str(&line, "why.example.com TXT ");
    for (size_t i = 0; i < 100; i++)
        strbuf_add_str(&line, "%{l} said ");
    assert_true(dns_table_add(table, "example.com TXT v=spf1 -all exp=why.example.com"));
    assert_true(dns_table_add(table, line.data));
    struct spf_verdict verdict = ask_for_bob(table);
    assert_int_equal(verdict.result, SPF_FAIL);
    assert_int_equal(strlen(verdict.explanation), SPF_EXPLANATION_MAX);
    assert_memory_equal(verdict.explanation, "bob said bob said ", 18);
    strbuf_free(&line);
    dns_table_free(&table);
}

/* The costliest record: ten terms with ten exchanges each, a name of the client's in all that can have one. SPF_QUESTIONS_MAX is what the
 * header promises, and it is no more. */
static void test_most_questions(void **state)
{
    (void)state;
    struct dns_table *table = dns_table_new();
    struct strbuf record;
    char line[TEXT_SIZE];
    strbuf_init(&record, DNS_ANSWER_MAX);
    strbuf_add_str(&record, "example.com TXT v=spf1");
    for (int term = 0; term < SPF_TERMS_MAX; term++)
        strbuf_add_fmt(&record, " mx:%%{p}.m%d.example", term);
    strbuf_add_str(&record, " -all exp=why.%{p}.example");
    assert_true(dns_table_add(table, record.data));
    for (int i = 0; i < SPF_PTR_MAX + 3; i++) {
        snprintf(line, sizeof line, "1.2.0.192.in-addr.arpa PTR p%d.example", i);
        assert_true(dns_table_add(table, line));
        snprintf(line, sizeof line, "p%d.example A 192.0.2.1", i);
        assert_true(dns_table_add(table, line));
    }
    for (int term = 0; term < SPF_TERMS_MAX; term++) {
        for (int i = 0; i < SPF_MX_MAX; i++) {
            snprintf(line, sizeof line, "p0.example.m%d.example MX %d h%d.example", term, i, i);
            assert_true(dns_table_add(table, line));
        }
    }
    for (int i = 0; i < SPF_MX_MAX; i++) {
        snprintf(line, sizeof line, "h%d.example A 198.51.100.1", i);
        assert_true(dns_table_add(table, line));
    }
    assert_int_equal(ask_for_bob(table).result, SPF_FAIL);
    assert_int_equal(dns_table_questions(table), SPF_QUESTIONS_MAX);
    strbuf_free(&record);
    dns_table_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),
        cmocka_unit_test(test_longest_record),
        cmocka_unit_test(test_expansion_without_end),
        cmocka_unit_test(test_long_explanation),
        cmocka_unit_test(test_most_questions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
