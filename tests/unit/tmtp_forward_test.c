/* tmtp_forward_test.c - stored threads as the member client writes them, and everything that could be wrong with one */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "tmtp/tmtp_forward.h"

struct memory {
    const char *data;
    size_t len;
    bool is_limited;
    unsigned reads_left;
};

static int64_t read_memory(void *ctx, int64_t offset, void *out, size_t len)
{
    struct memory *memory = ctx;
    assert_true(offset >= 0 && (size_t)offset + len <= memory->len); /* never asks for what isn't there */
    if (memory->is_limited && memory->reads_left-- == 0)
        return -1;
    memcpy(out, memory->data + offset, len);
    return (int64_t)len;
}

static void add_message(struct strbuf *out, const char *json, const char *body)
{
    strbuf_add_fmt(out, "%04zx%s\n%s\n", strlen(json), json, body);
}

static void end(struct strbuf *out, const char *index, const char *participants)
{
    strbuf_add_fmt(out, "%s%s%08zx%08zx", index, participants, strlen(index), strlen(participants));
}

static const char FIRST[] =
    "{\"Id\":\"18a0000000000001\",\"Size\":13,\"Posted\":\"2026-01-02T03:04:05.678Z\",\"From\":\"UIDALICE\","
    "\"SubHead\":{\"Alias\":\"Alice Member\",\"ThreadId\":\"\",\"Subject\":\"Plans\","
    "\"Attach\":[{\"Name\":\"u:a/plan.pdf\",\"Size\":12345},{\"Name\":\"r:answers\",\"Size\":7,"
    "\"Ffn\":\"example.org/form\"}]}}";
static const char SECOND[] =
    "{\"id\":\"18a0000000000002\",\"size\":0,\"posted\":\"2026-01-02T04:00:00Z\",\"from\":\"UIDCAROL\","
    "\"subhead\":{\"alias\":\"Carol Member\",\"threadid\":\"18a0000000000001\",\"subject\":\"\"}}";
static const char PEOPLE[] = "[{\"Who\":\"Alice Member\",\"WhoUid\":\"UIDALICE\",\"Note\":\"author\",\"Checksum\":5},"
                             "{\"Who\":\"Carol Member\",\"WhoUid\":\"UIDCAROL\"}]";

static int decode(const struct strbuf *text, struct tmtp_forward *forward, const char **error)
{
    struct memory memory = { .data = text->data, .len = text->len };
    return tmtp_forward_decode(read_memory, &memory, (int64_t)text->len, forward, error);
}

static void test_two_messages(void **state)
{
    (void)state;
    struct strbuf text;
    struct tmtp_forward forward;
    const char *error;
    strbuf_init(&text, 10000);
    add_message(&text, FIRST, "Hello\n\nthere\n"); /* a body may hold anything, line ends too */
    add_message(&text, SECOND, "");
    end(&text, "[{\"Offset\":0}]", PEOPLE);
    assert_int_equal(decode(&text, &forward, &error), 1);
    assert_int_equal(forward.message_count, 2);
    const struct tmtp_forward_message *first = &forward.messages[0], *second = &forward.messages[1];
    assert_string_equal(first->id, "18a0000000000001");
    assert_string_equal(first->from, "UIDALICE");
    assert_string_equal(first->posted, "2026-01-02T03:04:05.678Z");
    assert_string_equal(first->head.subject, "Plans");
    assert_string_equal(first->head.alias, "Alice Member");
    assert_int_equal(first->head.attach_count, 2);
    assert_string_equal(first->head.attach[1].ffn, "example.org/form");
    assert_int_equal(first->body_size, 13);
    assert_memory_equal(text.data + first->body_offset, "Hello\n\nthere\n", 13);
    assert_string_equal(second->from, "UIDCAROL"); /* names without regard to case */
    assert_int_equal(second->body_size, 0);
    assert_int_equal(forward.cc_count, 2);
    assert_string_equal(forward.cc[1].who_uid, "UIDCAROL");
    tmtp_forward_free(&forward);

    /* Cut anywhere, it is malformed, and nothing outside is asked for. */
    for (size_t len = 0; len < text.len; len++) {
        struct memory memory = { .data = text.data, .len = len };
        assert_int_equal(tmtp_forward_decode(read_memory, &memory, (int64_t)len, &forward, &error), 0);
        assert_non_null(error);
    }
    strbuf_free(&text);
}

/* The disk may give it back another time: that is no reason to tell its author that it makes no sense. */
static void a_thread_that_can_not_be_read_is_not_malformed(void **state)
{
    (void)state;
    struct strbuf text;
    struct tmtp_forward forward;
    const char *error;
    bool was_whole = false;
    strbuf_init(&text, 10000);
    add_message(&text, FIRST, "Hello\n\nthere\n");
    add_message(&text, SECOND, "");
    end(&text, "[]", PEOPLE);
    for (unsigned reads = 0; !was_whole; reads++) { /* until all that is read could be */
        struct memory memory = { .data = text.data, .len = text.len, .is_limited = true, .reads_left = reads };
        int result = tmtp_forward_decode(read_memory, &memory, (int64_t)text.len, &forward, &error);
        was_whole = result == 1;
        assert_int_equal(result, was_whole ? 1 : -1);
        if (!was_whole)
            assert_string_equal(error, "it can't be read");
        assert_in_range(reads, 0, 20);
    }
    tmtp_forward_free(&forward);
    strbuf_free(&text);
}

static void test_malformed(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *about; /* part of the reason */
    } cases[] = {
        { "", "add up" },
        { "0000000000000002", "add up" },
        { "[]0000000000000002", "no message" },
        { "[]000000000000000g", "add up" },
        { "[]ffffffffffffffff", "add up" },
        { "[]8000000000000002", "add up" },
        { "0002{}\n\n[]0000000000000002", "second header" },
        { "zzzz{}\n\n[]0000000000000002", "no number" },
        { "0000\n\n[]0000000000000002", "no number" },
        { "00ff{}\n\n[]0000000000000002", "add up" },
        { "000d{\"SubHead\":{}}\n\n[]0000000000000002", "" },
        { "000e{\"SubHead\":{}} \n[]0000000000000002", "line end" },
        { "000e{\"SubHead\":{}}x\n[]0000000000000002", "line end" },
        { "001b{\"Size\":5000,\"SubHead\":{}}\n\n[]0000000000000002", "add up" },
        { "0019{\"Size\":-1,\"SubHead\":{}}\n\n[]0000000000000002", "" },
        { "0020{\"Size\":1,\"size\":1,\"SubHead\":{}}\n\n[]0000000000000002", "" },
        { "000e{\"SubHead\":5}\n\n[]0000000000000002", "" },
        { "000e{\"SubHead\":{}}\n\n{}0000000000000002", "" },
        { "000e{\"SubHead\":{}}\n\n[5]0000000000000003", "" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tmtp_forward forward;
        const char *error = NULL;
        struct memory memory = { .data = cases[i].text, .len = strlen(cases[i].text) };
        int result = tmtp_forward_decode(read_memory, &memory, (int64_t)memory.len, &forward, &error);
        if (result != 0 || !error || !strstr(error, cases[i].about))
            fail_msg("case %zu: %d \"%s\"", i, result, error ? error : "");
    }
}

static void test_too_many_messages(void **state)
{
    (void)state;
    struct tmtp_forward forward;
    const char *error;
    for (size_t count = TMTP_FORWARD_MESSAGES_MAX; count <= TMTP_FORWARD_MESSAGES_MAX + 1; count++) {
        struct strbuf text;
        strbuf_init(&text, 1000000);
        for (size_t i = 0; i < count; i++)
            add_message(&text, "{\"SubHead\":{}}", "");
        end(&text, "", "[]");
        assert_true(strbuf_ok(&text));
        assert_int_equal(decode(&text, &forward, &error), count <= TMTP_FORWARD_MESSAGES_MAX ? 1 : 0);
        tmtp_forward_free(&forward);
        strbuf_free(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_messages),
        cmocka_unit_test(a_thread_that_can_not_be_read_is_not_malformed),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_too_many_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
