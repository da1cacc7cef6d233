#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "gateway/mapping_options.h"

static const int64_t now = INT64_C(1795600000000); /* 2026-11-25 */

static void values_are_taken_or_refused(void **state)
{
    static const struct {
        const char *name, *value;
        bool is_good;
    } rows[] = {
        { "direction", "in", true },
        { "direction", "both", true },
        { "direction", "IN", false },
        { "direction", "", false },
        { "expires", "2027-01-31", true },
        { "expires", "2027-01-31T10:00:00Z", true },
        { "expires", "never", true },
        { "expires", "2026-11-01", false },
        { "expires", "2027-02-31", false },
        { "expires", "tomorrow", false },
        { "expires", "", false },
        { "daily", "1", true },
        { "daily", "1000000", true },
        { "daily", "none", true },
        { "daily", "0", false },
        { "daily", "1000001", false },
        { "daily", "-1", false },
        { "daily", " 1", false },
        { "daily", "1x", false },
        { "daily", "", false },
        { "max-size", "10M", true },
        { "max-size", "none", true },
        { "max-size", "1023", false },
        { "max-size", "big", false },
        { "attachments", "yes", true },
        { "attachments", ".pdf,image/*", true },
        { "attachments", "image/", false },
        { "attachments", "", false },
        { "proof", "dkim", true },
        { "proof", "default", true },
        { "proof", "spf", false },
        { "subaddresses", "yes", true },
        { "subaddresses", "no", true },
        { "subaddresses", "maybe", false },
        { "invite", "yes", true },
        { "invite", "no", true },
        { "invite", "please", false },
        { "note", "our printer", true },
        { "note", "", true },
        { "--daily", "1", false },
        { "alias", "x", false },
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct mapping_options options = { .note = NULL };
        struct strbuf wrong;
        strbuf_init(&wrong, 1000);
        int result = mapping_options_set(&options, rows[i].name, rows[i].value, now, &wrong);
        if (result != (rows[i].is_good ? 1 : -1) || (wrong.len > 0) == rows[i].is_good)
            fail_msg("%s %s: %d %s", rows[i].name, rows[i].value, result, wrong.data);
        mapping_options_clear(&options);
        strbuf_free(&wrong);
    }
}

static void what_is_set_is_all_that_changes(void **state)
{
    struct mapping_options options = { .note = NULL };
    struct strbuf wrong;
    char note[MAPPING_NOTE_MAX + 2];
    (void)state;
    strbuf_init(&wrong, 1000);
    memset(note, 'n', sizeof note);
    note[sizeof note - 1] = '\0';
    assert_int_equal(mapping_options_set(&options, "note", note, now, &wrong), -1);
    assert_string_equal(wrong.data, "--note takes at most 1000 bytes");
    strbuf_clear(&wrong);
    mapping_options_clear(&options);
    assert_int_equal(mapping_options_set(&options, "expires", "2027-01-31", now, &wrong), 1);
    assert_int_equal(mapping_options_set(&options, "attachments", "yes", now, &wrong), 1);
    assert_int_equal(mapping_options_set(&options, "attachments", ".PDF", now, &wrong), 1); /* the last one counts */
    assert_true(options.limits.has_expiry && options.limits.has_attachments);
    assert_false(options.limits.has_daily || options.limits.has_direction || options.limits.has_max_size ||
                 options.limits.has_proof || options.limits.has_subaddresses || options.limits.has_note);
    assert_int_equal(options.limits.expires_at, INT64_C(1801439999999));
    assert_string_equal(options.limits.attachments, ".pdf");
    mapping_options_clear(&options);
    strbuf_free(&wrong);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_taken_or_refused),
        cmocka_unit_test(what_is_set_is_all_that_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
