/* Tests of the text format of metrics, and of what health and readiness are judged by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/histogram.h"
#include "base/strbuf.h"
#include "gateway/metrics.h"
#include "gateway/metrics_text.h"

static void test_families_and_labels(void **state)
{
    (void)state;
    struct strbuf out;
    strbuf_init(&out, 4000);
    struct metrics_text text = { .out = &out };
    metrics_family(&text, METRICS_COUNTER, "things_total", "Things that were seen.");
    metrics_sample(&text, NULL, 0);
    metrics_sample(&text, &(struct metrics_labels){ "kind", "plain", NULL, NULL }, 7);
    metrics_sample(&text, &(struct metrics_labels){ "kind", "q\"b\\n\n", "of", "y" }, INT64_MAX);
    assert_string_equal(out.data, "# HELP things_total Things that were seen.\n"
                                  "# TYPE things_total counter\n"
                                  "things_total 0\n"
                                  "things_total{kind=\"plain\"} 7\n"
                                  "things_total{kind=\"q\\\"b\\\\n\\n\",of=\"y\"} 9223372036854775807\n");
    strbuf_free(&out);
}

static void test_scaled_numbers(void **state)
{
    (void)state;
    static const struct {
        int64_t value, scale;
        const char *text;
    } cases[] = { { 0, 1000, "0" },           { 1, 1000, "0.001" },     { 250, 1000, "0.25" },
                  { 1000, 1000, "1" },        { 12340, 1000, "12.34" }, { -1500, 1000, "-1.5" },
                  { 100, 1000000, "0.0001" }, { 42, 1, "42" },          { INT64_MAX, 1000, "9223372036854775.807" } };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct strbuf out, expected;
        strbuf_init(&out, 200);
        strbuf_init(&expected, 200);
        struct metrics_text text = { .out = &out, .name = "x" };
        metrics_sample_scaled(&text, NULL, cases[i].value, cases[i].scale);
        strbuf_add_fmt(&expected, "x %s\n", cases[i].text);
        assert_string_equal(out.data, expected.data);
        strbuf_free(&out);
        strbuf_free(&expected);
    }
}

static void test_histograms_are_cumulative(void **state)
{
    (void)state;
    static const int64_t bounds[] = { 10, 2500 };
    struct histogram histogram;
    struct strbuf out;
    strbuf_init(&out, 4000);
    struct metrics_text text = { .out = &out };
    histogram_init(&histogram, bounds, 2);
    histogram_note(&histogram, 4);
    histogram_note(&histogram, 20);
    histogram_note(&histogram, 9000);
    metrics_family(&text, METRICS_HISTOGRAM, "wait_seconds", "Waits.");
    metrics_sample_histogram(&text, &(struct metrics_labels){ "who", "a", NULL, NULL }, &histogram, 1000);
    assert_string_equal(out.data, "# HELP wait_seconds Waits.\n"
                                  "# TYPE wait_seconds histogram\n"
                                  "wait_seconds_bucket{who=\"a\",le=\"0.01\"} 1\n"
                                  "wait_seconds_bucket{who=\"a\",le=\"2.5\"} 2\n"
                                  "wait_seconds_bucket{who=\"a\",le=\"+Inf\"} 3\n"
                                  "wait_seconds_sum{who=\"a\"} 9.024\n"
                                  "wait_seconds_count{who=\"a\"} 3\n");
    strbuf_free(&out);
}

static const struct health_facts all_is_well = { .can_read = true, .silo_state = "online", .relays = 2 };

struct health_case {
    struct health_facts facts;
    enum health life, readiness;
    const char *words; /* in the answer about readiness */
};

static void judge(enum health (*judge_it)(const struct health_facts *facts, struct strbuf *out),
                  const struct health_facts *facts, enum health expected, const char *words)
{
    struct strbuf out;
    strbuf_init(&out, 4000);
    assert_int_equal(judge_it(facts, &out), expected);
    if (words && !strstr(out.data, words))
        fail_msg("\"%s\" is not in %s", words, out.data);
    strbuf_free(&out);
}

#define BUT(...)                                                                                                       \
    (struct health_facts)                                                                                              \
    {                                                                                                                  \
        .can_read = true, .silo_state = "online", .relays = 2, __VA_ARGS__                                             \
    }

static void test_life_and_readiness(void **state)
{
    (void)state;
    char lost[] = "the key is lost";
    const struct health_case cases[] = {
        { all_is_well, HEALTH_GOOD, HEALTH_GOOD, "{\"status\":\"ready\",\"reasons\":[]}\n" },
        { { .can_read = false, .silo_state = "online", .relays = 2 }, HEALTH_BAD, HEALTH_BAD, "can't be read" },
        { BUT(.has_failed = true), HEALTH_GOOD, HEALTH_BAD, "can't be written" },
        { BUT(.stalled_ms = 9000), HEALTH_GOOD, HEALTH_GOOD, NULL },
        { BUT(.stalled_ms = 11000), HEALTH_GOOD, HEALTH_BAD, "is stuck" },
        { BUT(.stalled_ms = 61000), HEALTH_BAD, HEALTH_BAD, "is stuck" },
        { BUT(.is_stopping = true), HEALTH_GOOD, HEALTH_BAD, "stopping" },
        { BUT(.paused = "a \"full\" disk\n"), HEALTH_GOOD, HEALTH_BAD, "no mail is taken: a ?full? disk?" },
        { { .can_read = true, .silo_state = "offline", .relays = 1 }, HEALTH_GOOD, HEALTH_DEGRADED, "\"degraded\"" },
        { BUT(.relays_down = 1), HEALTH_GOOD, HEALTH_DEGRADED, "a relay is down" },
        { BUT(.relays_down = 2), HEALTH_GOOD, HEALTH_DEGRADED, "no relay is up" },
        { BUT(.hold_problem = lost), HEALTH_GOOD, HEALTH_DEGRADED, "awaits an approval" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        judge(health_judge_life, &cases[i].facts, cases[i].life, NULL);
        judge(health_judge_readiness, &cases[i].facts, cases[i].readiness, cases[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_families_and_labels),
        cmocka_unit_test(test_scaled_numbers),
        cmocka_unit_test(test_histograms_are_cumulative),
        cmocka_unit_test(test_life_and_readiness),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
