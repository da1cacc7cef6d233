/* gateway_closed_words_test.c - what a member is told who may not write to somebody any more */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "gateway/closed_words.h"
#include "mapping/store_mapping.h"

static const int64_t then = INT64_C(1764152400000); /* 26 November 2025 */

static void each_end_has_its_words(void **state)
{
    static char subject[] = "bob@example.com", by_admin[] = "root", by_reader[] = "Alice", by_rule[] = "gateway",
                none[] = "", why[] = "no longer\nwith us";
    static const struct {
        struct store_mapping mapping;
        const char *reader, *words;
    } rows[] = {
        { { .state = STORE_MAPPING_REVOKED, .decided_by = by_admin, .reason = why, .decided_at = then },
          "Alice",
          "REASON on 2025-11-26 by an administrator: no longer with us" },
        { { .state = STORE_MAPPING_DENIED, .decided_by = by_admin, .reason = none, .decided_at = then },
          "Alice",
          "REASON on 2025-11-26 by an administrator" },
        { { .state = STORE_MAPPING_REVOKED, .decided_by = by_reader, .reason = none, .decided_at = then },
          "Alice",
          "REASON on 2025-11-26 by you" },
        { { .state = STORE_MAPPING_REVOKED, .decided_by = by_reader, .reason = none, .decided_at = then },
          "",
          "REASON on 2025-11-26 by an administrator" },
        { { .state = STORE_MAPPING_REVOKED, .decided_by = subject, .reason = none, .decided_at = then },
          "Alice",
          "REASON on 2025-11-26 at their own request" },
        { { .state = STORE_MAPPING_SUSPENDED, .decided_by = by_rule, .reason = why, .decided_at = then },
          "Alice",
          "REASON since 2025-11-26 by the gateway: no longer with us" },
        { { .state = STORE_MAPPING_EXPIRED, .decided_by = by_rule, .reason = none, .expires_at = then },
          "Alice",
          "REASON on 2025-11-26" },
        { { .state = STORE_MAPPING_APPROVED, .decided_by = by_admin, .reason = why, .expires_at = then },
          "Alice",
          "REASON on 2025-11-26" },
        { { .state = STORE_MAPPING_APPROVED, .decided_by = by_admin, .reason = why }, "Alice", "REASON" },
        { { .state = STORE_MAPPING_REQUESTED, .decided_by = none, .reason = why }, "Alice", "REASON" },
    };
    struct strbuf out;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct store_mapping mapping = rows[i].mapping;
        mapping.subject = subject;
        strbuf_init(&out, 1000);
        closed_words_add(&out, &mapping, "REASON", rows[i].reader);
        assert_string_equal(out.data, rows[i].words);
        strbuf_free(&out);
    }
    strbuf_init(&out, 1000);
    closed_words_add(&out, NULL, "there is no mapping", "Alice");
    assert_string_equal(out.data, "there is no mapping");
    strbuf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(each_end_has_its_words) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
