/* What became of a message, in sentences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/strbuf.h"
#include "gateway/why_words.h"
#include "mapping/store_queue_list.h"
#include "mapping/store_refusal.h"

enum { TEXT_MAX = 10000 };
static const int64_t noon = INT64_C(1764158400000); /* 2025-11-26T12:00:00Z */

static void expect_and_free(struct strbuf *text, const char *expected)
{
    assert_string_equal(text->data, expected);
    strbuf_free(text);
}

/* --- where it stands --- */

static void test_where_it_stands(void **state)
{
    (void)state;
    static char bob[] = "bob@example.com", alice[] = "Alice Member", no_text[] = "", mail[] = "mail",
                message[] = "message", notice[] = "notice", error[] = "the silo is away";
    static const struct {
        enum store_queue queue;
        enum store_queue_state state;
        char *kind, *error;
        int64_t delivered, failed;
        const char *doing, *expected;
    } cases[] = {
        { STORE_QUEUE_IN, STORE_QUEUE_SETTLED, mail, no_text, 1, 0, NULL,
          "Mail from bob@example.com to Alice Member was delivered." },
        { STORE_QUEUE_IN, STORE_QUEUE_SETTLED, notice, no_text, 1, 0, NULL,
          "A notice of the gateway to Alice Member was delivered." },
        { STORE_QUEUE_OUT, STORE_QUEUE_SETTLED, message, no_text, 0, 1, NULL,
          "A message from bob@example.com to Alice Member could not be delivered." },
        { STORE_QUEUE_IN, STORE_QUEUE_DROPPED, mail, no_text, 0, 0, NULL,
          "Mail from bob@example.com to Alice Member was given up: nobody else gets it." },
        { STORE_QUEUE_IN, STORE_QUEUE_WAITING, mail, error, 0, 0, "deferred",
          "Mail from bob@example.com to Alice Member could not be delivered so far, and is tried again at "
          "2025-11-26T12:00:00.000Z; what stood in the way last: the silo is away." },
        { STORE_QUEUE_OUT, STORE_QUEUE_WAITING, message, no_text, 0, 0, "under way",
          "A message from bob@example.com to Alice Member is being delivered at this moment." },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct store_queue_summary summary = { .queue = cases[i].queue,
                                                     .state = cases[i].state,
                                                     .kind = cases[i].kind,
                                                     .from = bob,
                                                     .to = alice,
                                                     .message_id = no_text,
                                                     .last_error = cases[i].error,
                                                     .recipient_count = 1,
                                                     .delivered_count = cases[i].delivered,
                                                     .failed_count = cases[i].failed,
                                                     .next_attempt_at = noon };
        struct strbuf text;
        strbuf_init(&text, TEXT_MAX);
        why_words_add_summary(&summary, cases[i].doing, &text);
        expect_and_free(&text, cases[i].expected);
    }
}

/* What waits for a person says what that person can do. */
static void test_what_waits_names_the_command(void **state)
{
    (void)state;
    static char text_of[] = "x", mail[] = "mail", no_text[] = "";
    const struct store_queue_summary summary = {
        .kind = mail, .from = text_of, .to = text_of, .message_id = no_text, .last_error = no_text, .recipient_count = 1
    };
    static const char *const expected[][2] = { { "held", "queue retry" }, { "awaits approval", "mapping approve" } };
    for (size_t i = 0; i < 2; i++) {
        struct strbuf text;
        strbuf_init(&text, TEXT_MAX);
        why_words_add_summary(&summary, expected[i][0], &text);
        assert_non_null(strstr(text.data, expected[i][1]));
        strbuf_free(&text);
    }
}

/* --- what happened --- */

static void test_events_are_sentences(void **state)
{
    (void)state;
    static const struct {
        enum store_queue queue;
        const char *event, *detail, *expected;
    } cases[] = {
        { STORE_QUEUE_IN, "authorised", "for alice@x.example: mapping 1",
          "It was let in for alice@x.example: mapping 1." },
        { STORE_QUEUE_IN, "held", "for alice@x.example until noon", "It was held for alice@x.example until noon." },
        { STORE_QUEUE_OUT, "held", "by root: look at it", "An administrator has held it, by root: look at it." },
        { STORE_QUEUE_IN, "held", "given up: the silo is away",
          "It was set aside for an administrator: given up: the silo is away." },
        { STORE_QUEUE_OUT, "refused", "Bob was revoked.", "It was refused: Bob was revoked." },
        { STORE_QUEUE_IN, "converted", "1 attachments", "It was made a message for the silo: 1 attachments." },
        { STORE_QUEUE_OUT, "something new", "which nobody has words for",
          "something new: which nobody has words for." },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct strbuf text;
        strbuf_init(&text, TEXT_MAX);
        why_words_add_event(cases[i].queue, noon, cases[i].event, cases[i].detail, &text);
        assert_memory_equal(text.data, "2025-11-26T12:00:00.000Z: ", 26);
        assert_string_equal(text.data + 26, cases[i].expected);
        strbuf_free(&text);
    }
}

/* --- what was refused --- */

static const struct store_refusal nothing = { .at = INT64_C(1764158400000),
                                              .first_at = INT64_C(1764158400000),
                                              .count = 1,
                                              .place = "message",
                                              .session = "a1-2",
                                              .transaction = "",
                                              .client = "",
                                              .via = "",
                                              .sender = "",
                                              .author = "",
                                              .recipient = "",
                                              .message_id = "",
                                              .code = 550,
                                              .reply = "550 5.7.1 no",
                                              .reason = "",
                                              .proof = "" };

static void test_refusals_are_sentences(void **state)
{
    (void)state;
    struct strbuf text;
    struct store_refusal message = nothing, again = nothing, command = nothing, asked = nothing, nobody = nothing;

    message.sender = "bounces@list.example";
    message.author = "bob@example.com";
    message.recipient = "alice@x.example";
    message.message_id = "1@example.com";
    message.size = 77;
    message.reason = "mapping 17 (*@example.com to Alice), suspended by root";
    message.proof = "mx.test says DMARC pass";
    message.via = "from 192.0.2.1:25 (mx) by listener smtp with ESMTP";
    message.inbound_id = 9;
    strbuf_init(&text, TEXT_MAX);
    why_words_add_refusal(&message, &text);
    expect_and_free(
        &text,
        "2025-11-26T12:00:00.000Z: mail from bob@example.com (envelope sender bounces@list.example) to "
        "alice@x.example, Message-ID <1@example.com>, of 77 octets was refused when all of it had come with \"550 "
        "5.7.1 no\". Why: mapping 17 (*@example.com to Alice), suspended by root. What is known of who wrote it: "
        "mx.test says DMARC pass. It came from 192.0.2.1:25 (mx) by listener smtp with ESMTP. For other recipients "
        "it was accepted as in9.");

    again.place = "recipient";
    again.sender = "<>";
    again.recipient = "alice@x.example";
    again.code = 451;
    again.reply = "451 4.3.0 later";
    again.reason = "later"; /* which the reply has said */
    again.first_at -= 1000;
    again.count = 3;
    strbuf_init(&text, TEXT_MAX);
    why_words_add_refusal(&again, &text);
    expect_and_free(
        &text, "2025-11-26T12:00:00.000Z: mail from <> to alice@x.example was put off before its content came with "
               "\"451 4.3.0 later\". Its sender's server is asked to try again. This has happened 3 times since "
               "2025-11-26T11:59:59.000Z.");

    command.place = "command";
    command.reply = "500 5.5.1 Command not recognised";
    strbuf_init(&text, TEXT_MAX);
    why_words_add_refusal(&command, &text);
    expect_and_free(&text,
                    "2025-11-26T12:00:00.000Z: a command was refused, with \"500 5.5.1 Command not recognised\".");

    asked.place = "postfix";
    asked.sender = "eve@example.net";
    asked.recipient = "alice@x.example";
    asked.client = "192.0.2.9";
    strbuf_init(&text, TEXT_MAX);
    why_words_add_refusal(&asked, &text);
    expect_and_free(&text,
                    "2025-11-26T12:00:00.000Z: Postfix has asked about mail from eve@example.net to alice@x.example, "
                    "whose client was 192.0.2.9, and was told to refuse it with \"550 5.7.1 no\".");

    nobody.place = "connection";
    nobody.via = "from 192.0.2.1:25 (-) by listener smtp with SMTP";
    strbuf_init(&text, TEXT_MAX);
    why_words_add_refusal(&nobody, &text);
    expect_and_free(
        &text, "2025-11-26T12:00:00.000Z: a connection from 192.0.2.1:25 (-) by listener smtp with SMTP was turned "
               "away with \"550 5.7.1 no\".");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where_it_stands),
        cmocka_unit_test(test_what_waits_names_the_command),
        cmocka_unit_test(test_events_are_sentences),
        cmocka_unit_test(test_refusals_are_sentences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
