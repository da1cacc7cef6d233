/* mapping_convert_wire_test.c - what the daemon and its workers say to each other, and what it does not believe */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/ipc.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_wire.h"

enum { CONTENT = 9 };

static char subject[] = "Gate", from_name[] = "Bob", detail[] = "";

/* 1 or -1, as decoding it says; frees the result. */
static int believed(const struct convert_in_message *message)
{
    struct strbuf wire;
    struct convert_in_message back;
    const char *error = NULL;
    strbuf_init(&wire, CONVERT_META_MAX);
    convert_wire_encode_in(message, &wire);
    int result = convert_wire_decode_in(wire.data, wire.len, CONTENT, &back, &error);
    if (result == 1) {
        assert_int_equal(back.other_count, message->other_count);
        for (size_t i = 0; message->others && i < back.other_count; i++)
            assert_string_equal(back.others[i], message->others[i]);
        assert_string_equal(back.excerpt, message->excerpt ? message->excerpt : "");
        assert_int_equal(back.is_doubtful, message->is_doubtful);
        convert_in_message_free(&back);
    } else {
        assert_non_null(error);
    }
    strbuf_free(&wire);
    return result;
}

static struct convert_in_message message_of(char **others, size_t count, char *excerpt)
{
    return (struct convert_in_message){ .subject = subject,
                                        .from_name = from_name,
                                        .detail = detail,
                                        .body_size = CONTENT,
                                        .others = others,
                                        .other_count = count,
                                        .excerpt = excerpt };
}

/* They go into the database, and are compared with others there. */
static void named_people_are_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        int believed;
    } cases[] = {
        { "carol@example.net", 1 },
        { "jürgen@xn--bcher-kva.example", 1 },
        { "jürgen@bücher.example", -1 },
        { "\"a b\"@example.net", 1 },
        { "Carol@example.net", -1 },
        { "carol@EXAMPLE.net", -1 },
        { "carol", -1 },
        { "", -1 },
        { "carol@example.net\nx", -1 },
        { "<carol@example.net>", -1 },
        { "carol@example.net, dave@example.net", -1 },
        { "\xFF@example.net", -1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char address[100], first[] = "bob@example.com", *others[] = { first, address };
        snprintf(address, sizeof address, "%s", cases[i].address);
        const struct convert_in_message message = message_of(others, 2, NULL);
        if (believed(&message) != cases[i].believed)
            fail_msg("%s", cases[i].address);
    }
}

static void named_people_have_a_limit(void **state)
{
    (void)state;
    char address[] = "carol@example.net", *others[CONVERT_OTHERS_MAX + 1];
    for (size_t i = 0; i <= CONVERT_OTHERS_MAX; i++)
        others[i] = address;
    struct convert_in_message message = message_of(others, CONVERT_OTHERS_MAX, NULL);
    assert_int_equal(believed(&message), 1);
    message.other_count++;
    assert_int_equal(believed(&message), -1);
}

static void doubt_arrives(void **state)
{
    (void)state;
    struct convert_in_message message = message_of(NULL, 0, NULL);
    message.is_doubtful = true;
    assert_int_equal(believed(&message), 1);
}

static void excerpts_are_clean_text(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int believed;
    } cases[] = {
        { "The *gate*.\n\nAnd\tthe door.\n", 1 }, { "größe", 1 }, { "a\rb", -1 }, { "a\033[31mb", -1 }, { "\xC3", -1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[100];
        snprintf(text, sizeof text, "%s", cases[i].text);
        const struct convert_in_message message = message_of(NULL, 0, text);
        assert_int_equal(believed(&message), cases[i].believed);
    }
    char *text = xmalloc(CONVERT_EXCERPT_MAX + 2);
    memset(text, 'x', CONVERT_EXCERPT_MAX + 1);
    text[CONVERT_EXCERPT_MAX + 1] = '\0';
    const struct convert_in_message message = message_of(NULL, 0, text);
    assert_int_equal(believed(&message), -1);
    text[CONVERT_EXCERPT_MAX] = '\0';
    assert_int_equal(believed(&message), 1);
    free(text);
}

/* Every cut of a good answer is a bad one, and so is one with something behind it. */
static void cut_answers(void **state)
{
    (void)state;
    char carol[] = "carol@example.net", *others[] = { carol }, excerpt[] = "The gate.\n";
    const struct convert_in_message message = message_of(others, 1, excerpt);
    struct convert_in_message back;
    struct strbuf wire;
    const char *error;
    strbuf_init(&wire, CONVERT_META_MAX);
    convert_wire_encode_in(&message, &wire);
    for (size_t len = 0; len < wire.len; len++)
        assert_int_equal(convert_wire_decode_in(wire.data, len, CONTENT, &back, &error), -1);
    strbuf_add_char(&wire, '\0');
    assert_int_equal(convert_wire_decode_in(wire.data, wire.len, CONTENT, &back, &error), -1);
    strbuf_free(&wire);
}

static void options_arrive(void **state)
{
    (void)state;
    static const char *const known[] = { "bob@example.com", "alice@silo.example.org" };
    const struct convert_wire_request request = { .kind = CONVERT_WIRE_MAIL_IN,
                                                  .input_size = INT64_C(5000000000),
                                                  .options = { .is_automatic = true,
                                                               .body = CONVERT_BODY_HTML,
                                                               .history = CONVERT_HISTORY_KEEP,
                                                               .known = known,
                                                               .known_count = 2,
                                                               .names_others = true } };
    struct convert_wire_request back;
    struct strbuf wire;
    strbuf_init(&wire, IPC_PAYLOAD_MAX);
    convert_wire_encode_request(&request, &wire);
    assert_int_equal(convert_wire_decode_request(wire.data, wire.len, &back), 1);
    assert_int_equal(back.kind, CONVERT_WIRE_MAIL_IN);
    assert_int_equal(back.input_size, INT64_C(5000000000));
    assert_true(back.options.is_automatic && back.options.names_others);
    assert_int_equal(back.options.body, CONVERT_BODY_HTML);
    assert_int_equal(back.options.history, CONVERT_HISTORY_KEEP);
    assert_int_equal(back.options.known_count, 2);
    assert_string_equal(back.options.known[0], known[0]);
    assert_string_equal(back.options.known[1], known[1]);
    convert_wire_free_request(&back);
    for (size_t len = 0; len < wire.len; len++)
        assert_int_equal(convert_wire_decode_request(wire.data, len, &back), -1);
    strbuf_free(&wire);
}

/* Of a thread with very many people: what fits into one message. */
static void known_people_have_a_limit(void **state)
{
    (void)state;
    enum { MANY = CONVERT_KNOWN_MAX + 1 };
    static const char *const addresses[] = {
        "b@example.com",
        "a-quite-long-local-part-of-fifty-and-more-characters@a-domain-that-is-as-long-as-that.example.net",
    };
    for (size_t i = 0; i < 2; i++) {
        const char **known = xcalloc(MANY, sizeof *known);
        for (size_t k = 0; k < MANY; k++)
            known[k] = addresses[i];
        const struct convert_wire_request request = { .kind = CONVERT_WIRE_MAIL_IN,
                                                      .options = { .known = known, .known_count = MANY } };
        struct convert_wire_request back;
        struct strbuf wire;
        strbuf_init(&wire, IPC_PAYLOAD_MAX);
        convert_wire_encode_request(&request, &wire);
        assert_true(strbuf_ok(&wire));
        assert_int_equal(convert_wire_decode_request(wire.data, wire.len, &back), 1);
        size_t one = strlen(addresses[i]) + 5, room = CONVERT_KNOWN_SIZE_MAX / one;
        assert_int_equal(back.options.known_count, room < CONVERT_KNOWN_MAX ? room : CONVERT_KNOWN_MAX);
        convert_wire_free_request(&back);
        strbuf_free(&wire);
        free(known);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(named_people_are_addresses),
        cmocka_unit_test(named_people_have_a_limit),
        cmocka_unit_test(doubt_arrives),
        cmocka_unit_test(excerpts_are_clean_text),
        cmocka_unit_test(cut_answers),
        cmocka_unit_test(options_arrive),
        cmocka_unit_test(known_people_have_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
