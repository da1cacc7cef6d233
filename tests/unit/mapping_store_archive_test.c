/* mapping_store_archive_test.c - the form of backups: heads of tar archives, and what a backup says of itself */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "mapping/store_archive.h"
#include "mapping/store_backup_about.h"

static void what_is_composed_is_parsed_again(void **state)
{
    static const struct store_archive_member members[] = {
        { "a", 0 },
        { "postern-backup/ABOUT", 300 },
        { "postern-backup/postern.db", INT64_C(8589934591) }, /* the last that octal digits can say */
        { "postern-backup/postern.db", INT64_C(8589934592) },
        { "postern-backup/postern.db", INT64_C(1) << 50 },
    };
    uint8_t block[STORE_ARCHIVE_BLOCK];
    (void)state;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        struct store_archive_member parsed;
        store_archive_compose(&members[i], 1795600000, block);
        assert_int_equal(store_archive_parse(block, &parsed), 1);
        assert_string_equal(parsed.name, members[i].name);
        assert_int_equal(parsed.size, members[i].size);
        for (size_t at = 0; at < sizeof block; at++) { /* each octet counts */
            if (at >= 148 && at < 156)
                continue;
            block[at] ^= 1;
            assert_int_equal(store_archive_parse(block, &parsed), -1);
            block[at] ^= 1;
        }
    }
    memset(block, 0, sizeof block);
    struct store_archive_member none;
    assert_int_equal(store_archive_parse(block, &none), 0);
}

static void names_that_lead_elsewhere_are_no_members(void **state)
{
    static const char *const names[] = { "", "/etc/passwd", "../x", "a/../b", "a b", "a\033[2Jb", "\xc3\xab", "a\nb" };
    uint8_t block[STORE_ARCHIVE_BLOCK];
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct store_archive_member member = { .size = 1 }, parsed;
        memcpy(member.name, names[i], strlen(names[i]) + 1);
        store_archive_compose(&member, 0, block);
        assert_int_equal(store_archive_parse(block, &parsed), -1);
    }
}

static void data_fills_whole_blocks(void **state)
{
    (void)state;
    assert_int_equal(store_archive_padded(0), 0);
    assert_int_equal(store_archive_padded(1), 512);
    assert_int_equal(store_archive_padded(512), 512);
    assert_int_equal(store_archive_padded(513), 1024);
}

static int parse(const char *text, struct store_backup_about *about)
{
    return store_backup_about_parse(text, strlen(text), about);
}

static void a_backup_says_what_it_is(void **state)
{
    const struct store_backup_about about = { .version = "0.1.0",
                                              .schema = 1,
                                              .created_at = INT64_C(1795600000123),
                                              .database_size = 4096,
                                              .content_files = 2,
                                              .content_size = 700000,
                                              .missing_files = 1,
                                              .audit_head = "17:00ff" };
    struct store_backup_about parsed;
    struct strbuf text;
    (void)state;
    strbuf_init(&text, STORE_BACKUP_ABOUT_MAX);
    store_backup_about_write(&about, &text);
    assert_string_equal(text.data,
                        "Postern backup\nformat 1\nversion 0.1.0\nschema 1\ncreated 2026-11-25T09:46:40.123Z\n"
                        "database 4096\ncontent-files 2\ncontent-octets 700000\nmissing-files 1\n"
                        "audit-head 17:00ff\n");
    strbuf_add_str(&text, "a-later-word with something behind it\n");
    assert_int_equal(parse(text.data, &parsed), 1);
    assert_string_equal(parsed.version, about.version);
    assert_int_equal(parsed.schema, about.schema);
    assert_int_equal(parsed.created_at, about.created_at);
    assert_int_equal(parsed.database_size, about.database_size);
    assert_int_equal(parsed.content_files, about.content_files);
    assert_int_equal(parsed.content_size, about.content_size);
    assert_int_equal(parsed.missing_files, about.missing_files);
    assert_string_equal(parsed.audit_head, about.audit_head);
    for (size_t len = 0; len + 100 < text.len; len++)
        assert_int_equal(store_backup_about_parse(text.data, len, &parsed), -1);
    strbuf_free(&text);
}

static void what_says_something_else_is_no_backup(void **state)
{
#define REST                                                                                                           \
    "schema 1\ncreated 2026-11-25T09:46:40.123Z\ndatabase 1\ncontent-files 1\ncontent-octets 1\nmissing-files 0\n"
    struct store_backup_about about;
    (void)state;
    assert_int_equal(parse("Postern backup\nformat 1\nversion 1\n" REST, &about), 1);
    assert_string_equal(about.audit_head, "");
    assert_int_equal(parse("Postern backup\nformat 2\n", &about), 0);
    assert_int_equal(parse("Postern backup\nformat 2\nwhatever", &about), 0);
    assert_int_equal(parse("Postern backup\nformat 0\nversion 1\n" REST, &about), -1);
    assert_int_equal(parse("Postern backup\nversion 1\n" REST, &about), -1);
    assert_int_equal(parse("Postern backup\nformat 1\n" REST, &about), -1);
    assert_int_equal(parse("Postern backup\nformat 1\nversion \x01\n" REST, &about), -1);
    assert_int_equal(parse("Postern backup\nformat 1\nversion 1\nschema -1\n" REST, &about), -1);
    assert_int_equal(parse("Postern backup\nformat 1\nversion 1\nschema 9999999999999999999\n" REST, &about), -1);
    assert_int_equal(parse("Postern backup\nformat 1\nversion 1\nnothing\n" REST, &about), -1);
    assert_int_equal(parse("Something else\nformat 1\nversion 1\n" REST, &about), -1);
    assert_int_equal(parse("", &about), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_composed_is_parsed_again),
        cmocka_unit_test(names_that_lead_elsewhere_are_no_members),
        cmocka_unit_test(data_fills_whole_blocks),
        cmocka_unit_test(a_backup_says_what_it_is),
        cmocka_unit_test(what_says_something_else_is_no_backup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
