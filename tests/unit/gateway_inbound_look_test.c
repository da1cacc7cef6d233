/* gateway_inbound_look_test.c - looking at the files of mail before it is answered: how much at a time, how long, and that nobody
 * comes in unseen
 *
 * The workers are played by the test: it has what they are asked for, and answers when it likes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/spool.h"
#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/config.h"
#include "gateway/inbound_internal.h"
#include "gateway/parts.h"
#include "mapping/convert.h"
#include "smtp/smtp_server.h"

#define CONTENT "Subject: x\r\n\r\nx\r\n"

enum { MAILS = 100, MINUTE = 60 * 1000 };

/* What the workers have been asked, and what has become of each mail. */
static struct scene {
    struct clock *clock;
    struct config config;
    struct parts parts;
    struct inbound inbound;
    bool is_busy;
    struct job {
        convert_in_done *done;
        void *ctx;
    } jobs[MAILS];
    size_t asked, answered;
    struct mail *decided[MAILS];
    size_t decided_count, discarded_count;
} scene;

int convert_mail_in(struct convert *convert, const struct convert_in_request *request, convert_in_done *done, void *ctx)
{
    (void)convert;
    if (scene.is_busy)
        return 0;
    assert_true(request->mail_size > 0 && lseek(request->mail_fd, 0, SEEK_END) == request->mail_size);
    scene.jobs[scene.asked++] = (struct job){ done, ctx };
    return 1;
}

/* For the log. */
const struct smtp_session_facts *smtp_transaction_session(const struct smtp_transaction *transaction)
{
    static const struct smtp_session_facts facts = { .session_id = "session" };
    (void)transaction;
    return &facts;
}

const char *smtp_transaction_id(const struct smtp_transaction *transaction)
{
    (void)transaction;
    return "transaction";
}

void inbound_decide(struct mail *mail)
{
    scene.decided[scene.decided_count++] = mail;
}

void inbound_discard(struct mail *mail)
{
    (void)mail;
    scene.discarded_count++;
}

static int set_up(void **state)
{
    (void)state;
    scene = (struct scene){ .clock = clock_new_fake(1000, 1000000) };
    scene.parts = (struct parts){ .clock = scene.clock, .loop = loop_new(scene.clock), .config = &scene.config };
    scene.inbound = (struct inbound){ .parts = &scene.parts };
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    inbound_look_drop_all(&scene.inbound);
    loop_free(&scene.parts.loop);
    clock_free(&scene.clock);
    return 0;
}

/* One for that many recipients, each with a copy of this rule. */
static struct mail *new_mail(const char *rule, size_t count, int64_t size)
{
    struct mail *mail = xcalloc(1, sizeof *mail);
    mail->inbound = &scene.inbound;
    mail->content = spool_new("/tmp", 1024);
    assert_int_equal(spool_add(mail->content, CONTENT, strlen(CONTENT)), 1);
    mail->size = size;
    mail->count = count;
    mail->recipients = xcalloc(count, sizeof *mail->recipients);
    memcpy(mail->from, "bob@example.com", sizeof "bob@example.com");
    for (size_t i = 0; i < count; i++) {
        memcpy(mail->recipients[i].address, "alice@silo.example.org", sizeof "alice@silo.example.org");
        mail->recipients[i].attachments = rule ? xstrdup(rule) : NULL;
    }
    return mail;
}

static void free_mail(struct mail *mail)
{
    spool_free(&mail->content);
    free(mail->answer_attachments);
    free(mail->answer_refusal);
    for (size_t i = 0; i < mail->count; i++) {
        free(mail->recipients[i].attachments);
        free(mail->recipients[i].files_story);
    }
    free(mail->recipients);
    free(mail);
}

/* A worker's answer: the names of the files, all with the same content; NULL ends them. */
static void answer_next(struct convert_in_result result, const char *const *names, const char *content)
{
    struct strbuf all;
    strbuf_init(&all, 1 << 20);
    tmtp_message_init(&result.message);
    strbuf_add_str(&all, "Hello");
    result.body_size = 5;
    for (size_t i = 0; names && names[i]; i++) {
        tmtp_message_add_attachment(&result.message, names[i], (int64_t)strlen(content), NULL);
        strbuf_add_str(&all, content);
    }
    result.content_fd = memfd_create("content", MFD_CLOEXEC);
    assert_int_equal(write(result.content_fd, all.data, all.len), all.len);
    result.content_size = (int64_t)all.len;
    struct job *job = &scene.jobs[scene.answered++];
    job->done(&result, job->ctx);
    close(result.content_fd);
    tmtp_message_free(&result.message);
    strbuf_free(&all);
}

static const struct convert_in_result good = { .ok = true, .detail = "", .from_name = "" };

static void test_mail_that_lets_all_in_needs_no_look(void **state)
{
    (void)state;
    struct mail *mail = new_mail(NULL, 2, 100);
    assert_false(inbound_look_is_needed(mail));
    mail->recipients[1].attachments = xstrdup("pdf");
    assert_true(inbound_look_is_needed(mail));
    mail->recipients[1].verdict.decision = POLICY_REJECT; /* for another reason */
    assert_false(inbound_look_is_needed(mail));
    mail->answer_mapping_id = 7;
    assert_false(inbound_look_is_needed(mail));
    mail->answer_attachments = xstrdup("no");
    assert_true(inbound_look_is_needed(mail));
    free_mail(mail);
}

static void test_each_recipient_is_judged_by_a_rule_of_its_own(void **state)
{
    (void)state;
    static const char *const names[] = { "u:a.pdf", "u:b.pdf", NULL };
    static const char *const rules[] = { "pdf", "no", NULL, "image/*", "pdf" };
    struct mail *mail = new_mail(NULL, 6, 100);
    for (size_t i = 0; i < 5; i++)
        mail->recipients[i].attachments = rules[i] ? xstrdup(rules[i]) : NULL;
    mail->recipients[5].attachments = xstrdup("pdf");
    mail->recipients[5].verdict.decision = POLICY_REJECT;
    inbound_look_begin(mail);
    assert_int_equal(scene.decided_count, 0);
    answer_next(good, names, "%PDF-1.7");
    assert_ptr_equal(scene.decided[0], mail);
    static const enum policy_decision decisions[] = { POLICY_ACCEPT, POLICY_REJECT, POLICY_ACCEPT,
                                                      POLICY_REJECT, POLICY_ACCEPT, POLICY_REJECT };
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(mail->recipients[i].verdict.decision, decisions[i]);
        assert_int_equal(mail->recipients[i].is_about_files, i == 1 || i == 3);
    }
    assert_string_equal(mail->recipients[0].files_story, "\"a.pdf\" by .pdf, \"b.pdf\" by .pdf");
    assert_string_equal(mail->recipients[4].files_story, mail->recipients[0].files_story);
    assert_null(mail->recipients[2].files_story);
    assert_string_equal(mail->recipients[3].verdict.reply.text,
                        "\"a.pdf\": <bob@example.com> may send only image/* to <alice@silo.example.org>");
    free_mail(mail);
}

/* Nothing but a look that has seen all files lets a mail in. */
static void test_no_look_is_no_open_door(void **state)
{
    (void)state;
    static const char *const none[] = { NULL };
    const struct convert_in_result bad = { .ok = false, .error = "no room", .detail = "", .from_name = "" };
    struct convert_in_result fallback = good;
    fallback.fallback = fallback.is_doubtful = true;
    struct mail *mails[] = { new_mail("pdf", 1, 1), new_mail("pdf", 1, 1), new_mail("p d f", 1, 1), new_mail(",", 1, 1),
                             new_mail("pdf", 1, 1) };
    for (size_t i = 0; i < 4; i++)
        inbound_look_begin(mails[i]);
    answer_next(bad, none, "");
    answer_next(fallback, none, "");
    answer_next(good, none, ""); /* a list of three extensions that are unknown */
    answer_next(good, none, ""); /* a rule that nobody can read */
    scene.is_busy = true;
    inbound_look_begin(mails[4]);
    static const int codes[] = { 451, 550, 0, 451, 451 };
    assert_int_equal(scene.decided_count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_ptr_equal(scene.decided[i], mails[i]);
        assert_int_equal(mails[i]->recipients[0].verdict.reply.code, codes[i]);
        assert_int_equal(mails[i]->recipients[0].verdict.decision, codes[i] == 451   ? POLICY_DEFER
                                                                   : codes[i] == 550 ? POLICY_REJECT
                                                                                     : POLICY_ACCEPT);
        free_mail(mails[i]);
    }
}

/* The mail itself, beside what was found in it, is nothing new; unless it may hold what was not found. A file of a sender's that
 * looks like it is a file. */
static void test_the_original_is_no_file_of_the_senders(void **state)
{
    (void)state;
    static const char *const names[] = { "u:original.eml", NULL };
    struct convert_in_result doubtful = good;
    doubtful.is_doubtful = true;
    struct mail *mails[] = { new_mail("no", 1, 1), new_mail("no", 1, 1), new_mail("no", 1, 1), new_mail("no", 1, 1) };
    for (size_t i = 0; i < 4; i++)
        inbound_look_begin(mails[i]);
    answer_next(good, names, CONTENT);
    answer_next(doubtful, names, CONTENT);
    answer_next(good, names, CONTENT "x");
    answer_next(good, names, "Subject: y\r\n\r\nx\r\n");
    assert_int_equal(mails[0]->recipients[0].verdict.decision, POLICY_ACCEPT);
    assert_string_equal(mails[0]->recipients[0].files_story, "");
    for (size_t i = 1; i < 4; i++)
        assert_int_equal(mails[i]->recipients[0].verdict.reply.code, 550);
    for (size_t i = 0; i < 4; i++)
        free_mail(mails[i]);
}

/* A file that is shorter than its size says: the worker has lied, or the disk fails. */
static void test_files_that_cannot_be_read_are_no_open_door(void **state)
{
    (void)state;
    struct mail *mail = new_mail("pdf", 1, 1);
    struct convert_in_result result = good;
    inbound_look_begin(mail);
    tmtp_message_init(&result.message);
    tmtp_message_add_attachment(&result.message, "u:a.pdf", 1000, NULL);
    result.content_fd = memfd_create("content", MFD_CLOEXEC);
    assert_int_equal(write(result.content_fd, "%PDF-1.7", 8), 8);
    scene.jobs[0].done(&result, scene.jobs[0].ctx);
    assert_int_equal(mail->recipients[0].verdict.reply.code, 451);
    close(result.content_fd);
    tmtp_message_free(&result.message);
    free_mail(mail);
}

static void test_few_at_a_time_and_in_order(void **state)
{
    (void)state;
    static const char *const none[] = { NULL };
    struct mail *mails[20];
    for (size_t i = 0; i < 20; i++)
        inbound_look_begin(mails[i] = new_mail("pdf", 1, 1));
    assert_int_equal(scene.asked, 8);
    for (size_t i = 0; i < 20; i++) {
        answer_next(good, none, "");
        assert_int_equal(scene.asked, i + 9 < 20 ? i + 9 : 20);
        assert_ptr_equal(scene.decided[i], mails[i]);
        free_mail(mails[i]);
    }
}

static void test_large_ones_one_after_the_other(void **state)
{
    (void)state;
    static const char *const none[] = { NULL };
    struct mail *mails[] = { new_mail("pdf", 1, INT64_C(200) << 20), new_mail("pdf", 1, INT64_C(100) << 20),
                             new_mail("pdf", 1, INT64_C(900) << 20), new_mail("pdf", 1, 1) };
    for (size_t i = 0; i < 4; i++)
        inbound_look_begin(mails[i]);
    assert_int_equal(scene.asked, 1);
    answer_next(good, none, "");
    assert_int_equal(scene.asked, 2);
    answer_next(good, none, "");
    assert_int_equal(scene.asked, 3);
    answer_next(good, none, "");
    assert_int_equal(scene.asked, 4);
    answer_next(good, none, "");
    for (size_t i = 0; i < 4; i++)
        free_mail(mails[i]);
}

/* Who waits too long comes again; what is still with a worker keeps its place until that has answered. */
static void test_nobody_waits_for_ever(void **state)
{
    (void)state;
    static const char *const none[] = { NULL };
    struct mail *mails[10];
    for (size_t i = 0; i < 10; i++)
        inbound_look_begin(mails[i] = new_mail("pdf", 1, 1));
    clock_advance(scene.clock, 4 * MINUTE - 1);
    loop_turn(scene.parts.loop);
    assert_int_equal(scene.decided_count, 0);
    clock_advance(scene.clock, 1);
    loop_turn(scene.parts.loop);
    assert_int_equal(scene.decided_count, 10);
    for (size_t i = 0; i < 10; i++) {
        assert_int_equal(mails[i]->recipients[0].verdict.reply.code, 451);
        free_mail(mails[i]);
    }
    struct mail *late = new_mail("pdf", 1, 1);
    inbound_look_begin(late);
    assert_int_equal(scene.asked, 8);
    answer_next(good, none, ""); /* nobody waits for that one any more */
    assert_int_equal(scene.decided_count, 10);
    assert_int_equal(scene.asked, 9);
    for (size_t i = 0; i < 8; i++)
        answer_next(good, none, "");
    assert_ptr_equal(scene.decided[10], late);
    assert_int_equal(late->recipients[0].verdict.decision, POLICY_ACCEPT);
    free_mail(late);
}

static void test_stopping_answers_each(void **state)
{
    (void)state;
    struct mail *mails[10];
    for (size_t i = 0; i < 10; i++)
        inbound_look_begin(mails[i] = new_mail("pdf", 1, 1));
    inbound_look_drop_all(&scene.inbound);
    assert_int_equal(scene.discarded_count, 10);
    assert_int_equal(scene.decided_count, 0);
    for (size_t i = 0; i < 10; i++)
        free_mail(mails[i]);
}

/* The one that a mail came back with as an answer. */
static void test_an_answer_that_carries_too_much_is_none(void **state)
{
    (void)state;
    static const char *const names[] = { "u:a.exe", NULL };
    struct mail *mail = new_mail(NULL, 1, 1);
    mail->answer_mapping_id = 7;
    mail->answer_attachments = xstrdup("pdf");
    inbound_look_begin(mail);
    answer_next(good, names, "MZ");
    assert_int_equal(mail->recipients[0].verdict.decision, POLICY_ACCEPT); /* it may be a report */
    assert_int_equal(mail->answer_mapping_id, 0);
    assert_non_null(strstr(mail->answer_refusal, "\"a.exe\""));
    free_mail(mail);
}

/* 1,000 recipients with 1,000 different rules and 100 files: bounded work on the loop. The story has an end, too. */
static void test_many_recipients_and_many_files(void **state)
{
    (void)state;
    char names[101][20];
    const char *list[101] = { NULL };
    for (size_t i = 0; i < 100; i++) {
        snprintf(names[i], sizeof names[i], "u:%zu.pdf", i);
        list[i] = names[i];
    }
    struct mail *mail = new_mail(NULL, 1000, 1);
    for (size_t i = 0; i < 1000; i++) {
        char rule[40];
        snprintf(rule, sizeof rule, "pdf,x%zu", i);
        mail->recipients[i].attachments = xstrdup(rule);
    }
    inbound_look_begin(mail);
    answer_next(good, list, "%PDF-1.7");
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(mail->recipients[i].verdict.decision, POLICY_ACCEPT);
        size_t len = strlen(mail->recipients[i].files_story);
        assert_true(len > 600 && len <= 1000);
        assert_string_equal(mail->recipients[i].files_story + len - 5, ", ...");
    }
    free_mail(mail);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_mail_that_lets_all_in_needs_no_look),
        TEST(test_each_recipient_is_judged_by_a_rule_of_its_own),
        TEST(test_no_look_is_no_open_door),
        TEST(test_the_original_is_no_file_of_the_senders),
        TEST(test_files_that_cannot_be_read_are_no_open_door),
        TEST(test_few_at_a_time_and_in_order),
        TEST(test_large_ones_one_after_the_other),
        TEST(test_nobody_waits_for_ever),
        TEST(test_stopping_answers_each),
        TEST(test_an_answer_that_carries_too_much_is_none),
        TEST(test_many_recipients_and_many_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
