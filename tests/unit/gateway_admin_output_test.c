/* gateway_admin_output_test.c - answers of posternctl: tables for people, JSON for programs */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "gateway/admin_output.h"

static void assert_rendered(const struct admin_output *output, bool json, const char *expected)
{
    struct strbuf text;
    strbuf_init(&text, 100000);
    admin_output_render(output, json, &text);
    assert_true(strbuf_ok(&text));
    assert_string_equal(text.data, expected);
    strbuf_free(&text);
}

static void add_member(struct admin_output *output, const char *alias, const char *address, int64_t mails, bool known)
{
    admin_output_row(output);
    admin_output_string(output, "alias", alias);
    admin_output_string(output, "address", address);
    admin_output_int(output, "mails", mails);
    admin_output_bool(output, "known", known);
    admin_output_end(output);
}

static void a_list_is_a_table(void **state)
{
    (void)state;
    struct admin_output *output = admin_output_new();
    admin_output_list(output, "members");
    add_member(output, "Alice Member", NULL, -3, true);
    add_member(output, "Zo\xc3\xab", "zoe@silo.example.org", 12, false);
    admin_output_end(output);
    assert_rendered(output, false,
                    "alias         address               mails  known\n"
                    "Alice Member  -                     -3     yes\n"
                    "Zo\xc3\xab           zoe@silo.example.org  12     no\n");
    assert_rendered(output, true,
                    "{\"members\":[{\"alias\":\"Alice Member\",\"address\":null,\"mails\":-3,\"known\":true},"
                    "{\"alias\":\"Zo\xc3\xab\",\"address\":\"zoe@silo.example.org\",\"mails\":12,\"known\":false}]}\n");
    admin_output_free(&output);
    assert_null(output);
}

static void values_and_lists_stand_together(void **state)
{
    (void)state;
    struct admin_output *output = admin_output_new();
    admin_output_string(output, "state", "online");
    admin_output_time(output, "since", 1795415305123);
    admin_output_time(output, "never", 0);
    admin_output_list(output, "queues");
    admin_output_row(output);
    admin_output_string(output, "queue", "in");
    admin_output_end(output);
    admin_output_end(output);
    admin_output_list(output, "problems");
    admin_output_end(output);
    assert_rendered(output, false,
                    "state  online\n"
                    "since  2026-11-23T06:28:25.123Z\n"
                    "never  -\n"
                    "\nqueues:\nqueue\nin\n"
                    "\nproblems:\n(none)\n");
    assert_rendered(output, true,
                    "{\"state\":\"online\",\"since\":\"2026-11-23T06:28:25.123Z\",\"never\":null,"
                    "\"queues\":[{\"queue\":\"in\"}],\"problems\":[]}\n");
    admin_output_free(&output);
}

/* A table has no place for a list within a row; JSON has. */
static void a_nested_list_is_for_programs(void **state)
{
    (void)state;
    struct admin_output *output = admin_output_new();
    admin_output_list(output, "entries");
    admin_output_row(output);
    admin_output_int(output, "id", 7);
    admin_output_list(output, "recipients");
    admin_output_row(output);
    admin_output_string(output, "address", "bob@example.com");
    admin_output_end(output);
    admin_output_end(output);
    admin_output_bool(output, "held", false);
    admin_output_end(output);
    admin_output_end(output);
    assert_rendered(output, false, "id  held\n7   no\n");
    assert_rendered(output, true,
                    "{\"entries\":[{\"id\":7,\"recipients\":[{\"address\":\"bob@example.com\"}],\"held\":false}]}\n");
    admin_output_free(&output);
}

static void nothing_steers_the_terminal(void **state)
{
    (void)state;
    static const struct {
        const char *text, *shown;
    } rows[] = {
        { "a\x1b[2Jb\r\n\tc\x7f", "a?[2Jb???c?" },
        { "a\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0z", "a???\xc2\xa0z" },
        { "a\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaf", "a\xe2\x80\xa7??\xe2\x80\xaf" },
        /* NOLINTBEGIN(misc-misleading-bidirectional): the overrides are what is tested */
        { "\xe2\x80\xaa\xe2\x80\xabx\xe2\x80\xac\xe2\x80\xad\xe2\x80\xae", "??x???" },
        { "\xe2\x81\xa5\xe2\x81\xa6\xe2\x81\xa7\xe2\x81\xa8\xe2\x81\xa9\xe2\x81\xaa", "\xe2\x81\xa5????\xe2\x81\xaa" },
        /* NOLINTEND(misc-misleading-bidirectional) */
        { "gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\x90", "gr\xc3\xbc\xc3\x9f \xf0\x9f\x90\x90" },
        { "a\xff\xc3", "a??" },                /* invalid, cut off */
        { "\xc0\x9b\xed\xa0\x80z", "?????z" }, /* overlong, surrogate */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct admin_output *output = admin_output_new();
        struct strbuf expected;
        strbuf_init(&expected, 1000);
        strbuf_add_fmt(&expected, "note  %s\n", rows[i].shown);
        admin_output_string(output, "note", rows[i].text);
        assert_rendered(output, false, expected.data);
        strbuf_free(&expected);
        admin_output_free(&output);
    }
}

static void json_escapes(void **state)
{
    (void)state;
    struct admin_output *output = admin_output_new();
    admin_output_string(output, "note", "say \"hi\"\\\n\x1b");
    admin_output_string(output, "invalid",
                        "a\xff"
                        "b\n");
    assert_rendered(output, true, "{\"note\":\"say \\\"hi\\\"\\\\\\n\\u001B\",\"invalid\":\"a?b\\n\"}\n");
    admin_output_free(&output);
}

/* Below the values, so that no line of a stranger's looks like one of ours. */
static void lines_stand_apart(void **state)
{
    (void)state;
    struct admin_output *output = admin_output_new();
    admin_output_lines(output, "text", "one\nid  in2\n\n\x1b[2Jtwo");
    admin_output_string(output, "id", "in1");
    assert_rendered(output, false, "id    in1\n\ntext:\n  one\n  id  in2\n  \n  ?[2Jtwo\n");
    assert_rendered(output, true, "{\"text\":\"one\\nid  in2\\n\\n\\u001B[2Jtwo\",\"id\":\"in1\"}\n");
    admin_output_free(&output);
}

static void error_texts_keep_their_lines(void **state)
{
    (void)state;
    static const char text[] = "one\x1b\ntwo\xc2\x85\xff\n";
    struct strbuf clean;
    strbuf_init(&clean, 1000);
    assert_int_equal(admin_output_add_clean(&clean, text, strlen(text), true), 11);
    assert_string_equal(clean.data, "one?\ntwo??\n");
    strbuf_free(&clean);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_is_a_table),
        cmocka_unit_test(values_and_lists_stand_together),
        cmocka_unit_test(a_nested_list_is_for_programs),
        cmocka_unit_test(nothing_steers_the_terminal),
        cmocka_unit_test(json_escapes),
        cmocka_unit_test(lines_stand_apart),
        cmocka_unit_test(error_texts_keep_their_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
