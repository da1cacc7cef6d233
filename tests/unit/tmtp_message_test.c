/* Tests of tmtp_message: second headers as members send them, and their limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "tmtp/tmtp_message.h"

static struct tmtp_message decode(const char *json)
{
    struct tmtp_message message;
    const char *error = NULL;
    if (tmtp_message_decode(json, strlen(json), &message, &error) != 1)
        fail_msg("%s: %s", json, error);
    return message;
}

static void a_first_message_names_its_participants(void **state)
{
    (void)state;
    struct tmtp_message message = decode(
        "{\"Alias\":\"Alice Member\",\"ThreadId\":\"\",\"Subject\":\"Gr\xc3\xbc\xc3\x9f"
        "e\",\"Attach\":[{\"Name\":\"u:Gold/File.txt\",\"Size\":26},{\"Name\":\"r:form\",\"Size\":0,\"Ffn\":\"a/b\"}],"
        "\"Cc\":[{\"Who\":\"Alice Member\",\"By\":\"Alice Member\",\"WhoUid\":\"A\",\"ByUid\":\"A\","
        "\"Date\":\"2026-11-23T01:43:43Z\",\"Note\":\"author\",\"Subscribe\":true},"
        "{\"who\":\"Our Group\",\"whouid\":\"Our Group\"}],\"Extra\":{\"x\":1}}");
    assert_string_equal(message.alias, "Alice Member");
    assert_string_equal(message.threadid, "");
    assert_string_equal(message.subject, "Gr\xc3\xbc\xc3\x9f"
                                         "e");
    assert_int_equal(message.attach_count, 2);
    assert_string_equal(message.attach[0].name, "u:Gold/File.txt"); /* a slash is part of a name */
    assert_int_equal(message.attach[0].size, 26);
    assert_null(message.attach[0].ffn);
    assert_string_equal(message.attach[1].ffn, "a/b");
    assert_int_equal(tmtp_message_attachments_size(&message), 26);
    assert_int_equal(message.cc_count, 2);
    assert_string_equal(message.cc[0].note, "author");
    assert_true(message.cc[0].subscribe);
    assert_string_equal(message.cc[1].who_uid, "Our Group");
    assert_string_equal(message.cc[1].by_uid, ""); /* never NULL */
    assert_false(message.cc[1].subscribe);
    assert_null(message.confirm_id);
    assert_null(message.queue_key);
    assert_false(message.nodesync);
    tmtp_message_free(&message);
}

static void housekeeping_is_recognised(void **state)
{
    (void)state;
    struct tmtp_message message = decode("{\"nodesync\":true}");
    assert_true(message.nodesync);
    assert_string_equal(message.alias, "");
    tmtp_message_free(&message);
    message = decode("{\"threadid\":\"18ea\",\"confirmid\":\"18eb\",\"confirmposted\":\"2026-11-23T01:43:46.062Z\","
                     "\"posternkey\":\"k\"}");
    assert_string_equal(message.confirm_id, "18eb");
    assert_string_equal(message.confirm_posted, "2026-11-23T01:43:46.062Z");
    assert_string_equal(message.queue_key, "k");
    tmtp_message_free(&message);
}

static void malformed_second_headers_are_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "Hello",
        "[]",
        "{\"alias\":\"a\",\"Alias\":\"b\"}",
        "{\"alias\":1}",
        "{\"subject\":\"a\\u0000b\"}",
        "{\"subject\":\"\xff\"}",
        "{\"cc\":{}}",
        "{\"cc\":[\"a\"]}",
        "{\"cc\":[{\"who\":\"a\",\"WHO\":\"b\"}]}",
        "{\"nodesync\":\"yes\"}",
        "{\"attach\":[{\"name\":\"u:\",\"size\":1}]}", /* no name after the prefix */
        "{\"attach\":[{\"size\":1}]}",
        "{\"attach\":[{\"name\":\"u:x\",\"size\":-1}]}",
        "{\"attach\":[{\"name\":\"u:x\",\"size\":1.5}]}",
        "{\"attach\":[{\"name\":\"u:x\",\"size\":9223372036854775807},{\"name\":\"u:y\",\"size\":1}]}",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tmtp_message message;
        const char *error = NULL;
        if (tmtp_message_decode(cases[i], strlen(cases[i]), &message, &error) == 1)
            fail_msg("taken: %s", cases[i]);
        assert_non_null(error);
    }
}

/* Decodes {"LIST":[ITEM,...]} with so many items. */
static int decode_list(const char *list, const char *item, size_t count)
{
    struct strbuf json;
    strbuf_init(&json, 8 * 1024 * 1024);
    strbuf_add_fmt(&json, "{\"%s\":[", list);
    for (size_t i = 0; i < count; i++)
        strbuf_add_fmt(&json, "%s%s", i > 0 ? "," : "", item);
    strbuf_add_str(&json, "]}");
    struct tmtp_message message;
    const char *error = NULL;
    int rc = tmtp_message_decode(json.data, json.len, &message, &error);
    if (rc == 1)
        tmtp_message_free(&message);
    strbuf_free(&json);
    return rc;
}

static void limits_hold(void **state)
{
    (void)state;
    assert_int_equal(decode_list("cc", "{\"who\":\"a\"}", TMTP_MESSAGE_CC_MAX), 1);
    assert_int_equal(decode_list("cc", "{\"who\":\"a\"}", TMTP_MESSAGE_CC_MAX + 1), -1);
    assert_int_equal(decode_list("attach", "{\"name\":\"u:x\"}", TMTP_MESSAGE_ATTACH_MAX), 1);
    assert_int_equal(decode_list("attach", "{\"name\":\"u:x\"}", TMTP_MESSAGE_ATTACH_MAX + 1), -1);

    char item[TMTP_MESSAGE_NAME_MAX + 30];
    snprintf(item, sizeof item, "{\"name\":\"u:%0*d\"}", TMTP_MESSAGE_NAME_MAX - 2, 1);
    assert_int_equal(decode_list("attach", item, 1), 1);
    snprintf(item, sizeof item, "{\"name\":\"u:%0*d\"}", TMTP_MESSAGE_NAME_MAX - 1, 1);
    assert_int_equal(decode_list("attach", item, 1), -1);

    /* 1 MiB of an unknown member, and one byte more */
    assert_int_equal(decode_list("x", "[],  ", 1), -1);
    struct strbuf json;
    strbuf_init(&json, TMTP_MESSAGE_HEAD_MAX + 10);
    strbuf_add_str(&json, "{\"x\":\"");
    while (json.len < TMTP_MESSAGE_HEAD_MAX - 2)
        strbuf_add_char(&json, 'y');
    strbuf_add_str(&json, "\"}");
    struct tmtp_message message;
    const char *error = NULL;
    assert_int_equal(tmtp_message_decode(json.data, json.len, &message, &error), 1);
    tmtp_message_free(&message);
    strbuf_add_char(&json, ' ');
    assert_int_equal(tmtp_message_decode(json.data, json.len, &message, &error), -1);
    strbuf_free(&json);
}

/* A megabyte of "{}," was made 80 MiB of objects before anybody looked at their number. */
static void a_header_of_nothing_but_members_is_refused_before_it_is_parsed(void **state)
{
    (void)state;
    static const char *const fillings[] = { "{},", "[],", "1," };
    for (size_t i = 0; i < sizeof fillings / sizeof fillings[0]; i++) {
        struct strbuf json;
        strbuf_init(&json, TMTP_MESSAGE_HEAD_MAX);
        strbuf_add_str(&json, "{\"x\":[");
        while (json.len < TMTP_MESSAGE_HEAD_MAX - 10)
            strbuf_add_str(&json, fillings[i]);
        strbuf_add_str(&json, "1]}");
        struct tmtp_message message;
        const char *error = NULL;
        assert_int_equal(tmtp_message_decode(json.data, json.len, &message, &error), -1);
        assert_string_equal(error, "too many members");
        strbuf_free(&json);
    }
    /* In a string these are text. */
    struct strbuf json;
    strbuf_init(&json, TMTP_MESSAGE_HEAD_MAX);
    strbuf_add_str(&json, "{\"subject\":\"\\\"");
    while (json.len < TMTP_MESSAGE_HEAD_MAX - 10)
        strbuf_add_str(&json, "{},");
    strbuf_add_str(&json, "\"}");
    struct tmtp_message message = decode(json.data);
    assert_int_equal(strncmp(message.subject, "\"{},{},", 7), 0);
    tmtp_message_free(&message);
    strbuf_free(&json);
}

static void messages_are_encoded_as_the_member_client_spells_them(void **state)
{
    (void)state;
    struct tmtp_message message;
    struct strbuf out;
    strbuf_init(&out, 10000);
    tmtp_message_init(&message);
    assert_int_equal(tmtp_message_encode(&message, &out), 1);
    assert_string_equal(out.data, "{\"Alias\":\"\",\"ThreadId\":\"\",\"Subject\":\"\"}"); /* always there, if empty */

    tmtp_message_set(&message.alias, "bob@example.com");
    tmtp_message_set(&message.subject, "a \"b\" <c>");
    tmtp_message_set(&message.queue_key, "17");
    tmtp_message_add_participant(&message, "bob@example.com", "B", "bob@example.com", "B", "2026-11-23T06:28:25Z",
                                 "author");
    tmtp_message_add_attachment(&message, "u:a b.txt", 5, NULL);
    tmtp_message_add_attachment(&message, "f:form", INT64_C(6000000000), "reg/form");
    strbuf_clear(&out);
    assert_int_equal(tmtp_message_encode(&message, &out), 1);
    assert_string_equal(
        out.data,
        "{\"Alias\":\"bob@example.com\",\"ThreadId\":\"\",\"Subject\":\"a \\\"b\\\" <c>\",\"Attach\":[{\"Name\":\"u:a "
        "b.txt\",\"Size\":5},{\"Name\":\"f:form\",\"Size\":6000000000,\"Ffn\":\"reg/form\"}],\"Cc\":[{\"Who\":"
        "\"bob@example.com\",\"By\":\"bob@example.com\",\"WhoUid\":\"B\",\"ByUid\":\"B\",\"Date\":"
        "\"2026-11-23T06:28:25Z\",\"Note\":\"author\",\"Subscribe\":true}],\"PosternKey\":\"17\"}");
    struct tmtp_message again = decode(out.data);
    struct strbuf twice;
    strbuf_init(&twice, 10000);
    assert_int_equal(tmtp_message_encode(&again, &twice), 1);
    assert_string_equal(twice.data, out.data);
    strbuf_free(&twice);
    tmtp_message_free(&again);

    tmtp_message_set(&message.subject, "\xff");
    assert_int_equal(tmtp_message_encode(&message, &out), -1);
    tmtp_message_set(&message.subject, "x");
    message.attach[0].size = -1;
    assert_int_equal(tmtp_message_encode(&message, &out), -1);
    tmtp_message_free(&message);
    strbuf_free(&out);
}

static void a_field_may_be_set_to_part_of_itself(void **state)
{
    (void)state;
    struct tmtp_message message;
    tmtp_message_init(&message);
    tmtp_message_set(&message.subject, "Re: hello");
    tmtp_message_set(&message.subject, message.subject + 4);
    assert_string_equal(message.subject, "hello");
    tmtp_message_set(&message.queue_key, "x");
    tmtp_message_set(&message.queue_key, NULL);
    assert_null(message.queue_key);
    tmtp_message_free(&message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_first_message_names_its_participants),
        cmocka_unit_test(housekeeping_is_recognised),
        cmocka_unit_test(malformed_second_headers_are_refused),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(a_header_of_nothing_but_members_is_refused_before_it_is_parsed),
        cmocka_unit_test(messages_are_encoded_as_the_member_client_spells_them),
        cmocka_unit_test(a_field_may_be_set_to_part_of_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
