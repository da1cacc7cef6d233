/* gateway_text_test.c - subjects of threads, ids of queue entries, lists in notices */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/strbuf.h"
#include "gateway/notice.h"
#include "gateway/queue.h"
#include "gateway/thread_text.h"
#include "mapping/convert_subject.h"

static void test_base_subject(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        { "Offer", "Offer" },
        { "Re: Offer", "Offer" },
        { "RE: re:Offer", "Offer" },
        { "Re[2]: Offer", "Offer" },
        { "AW: Fwd: Offer", "Offer" },
        { "Re Offer", "Re Offer" },
        { "Regarding: x", "Regarding: x" },
        { "Research: x", "Research: x" },
        { "re-entry: y", "re-entry: y" },
        { "Ref: 4711", "Ref: 4711" },
        { "Vsop: z", "Vsop: z" },
        { "  Re :x", "x" },
        { "Re\u00A0: x", "x" }, /* French */
        { "Re\uFF1A x", "x" },
        { "\u56DE\u590D\uFF1Ax", "x" }, /* Chinese */
        { "Re:", "" },
        { "", "" },
        { "Re(3): x", "x" },
        { "Re^2: x", "x" },
        { "Re[x]: y", "Re[x]: y" },
        { "Re[: y", "Re[: y" },
        { "SV: VS: Antw: Antwort: WG: TR: ODP: x", "x" },
        { "RES: ENC: RV: Rif: I: R: x", "x" },
        { "Vá: VÁ: Továbbítás: YNT: İLT: Bls: Trs: Odg: Prosl: x", "x" },
        { "Отв: НА: Пер: Re: x", "x" },
        { "ΑΠ: Σχετ: ΠΡΘ: x", "x" },
        { "回复: 答复：回覆: 答覆：转发：轉寄: x", "x" },
        { "返信: 転送: 회신: 전달: x", "x" },
        { "رد: إعادة توجيه: השב: x", "x" },
        { "Trả lời: Chuyển tiếp: ตอบ: ตอบกลับ: ส่งต่อ: x", "x" },
        { "Re[2]: Re(3): Re^4: RE [5] : x", "x" },
        { "[list] Re: x", "[list] Re: x" },
        { "Re: Was: x", "Was: x" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(thread_text_base_subject(rows[i][0]), rows[i][1]);
}

/* What left with one of these subjects comes back with the other, from some mail program. */
static void test_same_subject(void **state)
{
    (void)state;
    char longest[1100] = "", cut[1000] = "Re: ";
    memset(longest, 'a', sizeof longest - 1);
    memset(cut + 4, 'a', sizeof cut - 5);
    const struct row {
        const char *thread, *mail;
        bool same;
    } rows[] = {
        { "Offer", "Re: Offer  ", true },
        { "Re: Offer", "Offer", true },
        { "Offer", "Re: Offers", false },
        { "Offer", "", true },
        { "Offer", "Re:", true },
        { "[plans] Offer", "(no subject)", true },
        { "(no subject)", "Offer", false },
        { "two  spaces\tand a tab", "Re: two spaces and a tab", true },
        { "turned \u202Eround\u202C", "Re: turned round", true },
        { "(no subject)", "Re:", true },
        { "(no subject)", "", true },
        { "Offer", "[plans] Re: Offer", true },
        { "[plans] Offer", "Re: [plans] Offer", true },
        { "[plans] Offer", "[plans] Re: [plans] Offer", true },
        { "[plans] Offer", "Re: Offer", true },
        { "[plans] Offer", "[EXTERNAL] Re: [plans] Offer", true },
        { "[bug 1] Offer", "Re: [bug 2] Offer", false },
        { "[plans]", "Re: [plans]", true },
        { "[plans]", "Re: [other]", false },
        { "[plans] Offer", "Re: [plans] Demand", false },
        { "Offer", "[Fwd: Offer]", true },
        { "Offer", "Re: [Fwd: Re: Offer]", true },
        { "Offer", "Offer (fwd)", true },
        { "Offer", "Re: Offer (fwd) (fwd)", true },
        { "Offer", "Demand (was: Offer)", false },
        { "Offer", "Re: Demand (was Re: Offer)", false },
        { "Demand (was: Offer)", "Re: Demand (was: Offer)", true },
        { "Offer", "Automatic reply: Offer", false },
        { "[", "Re: [", true },
        { "[]", "Re: []", true },
        { "[Fwd:]", "Fwd", false },
        { "(fwd)", "Re: (fwd)", true },
        { longest, cut, true },
        { longest, "Re: aaaa", false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(thread_text_same_subject(rows[i].thread, rows[i].mail), rows[i].same);
}

static void test_made_subjects(void **state)
{
    (void)state;
    static const struct row {
        const char *subject, *reply, *forward;
    } rows[] = {
        { "x", "Re: x", "Fwd: x" },
        { "Re: x", "Re: x", "Fwd: Re: x" },
        { "Re: AW: Re: x", "Re: x", "Fwd: Re: AW: Re: x" },
        { "SV : Re[4]:x", "Re: x", "Fwd: SV : Re[4]:x" },
        { "Fwd: x", "Re: Fwd: x", "Fwd: x" },
        { "WG: x", "Re: WG: x", "WG: x" },
        { "Re: Fwd: Re: x", "Re: Fwd: Re: x", "Fwd: Re: Fwd: Re: x" },
        { "Research: x", "Re: Research: x", "Fwd: Research: x" },
        { "(no subject)", "Re: ", "Fwd: (no subject)" },
        { "[Re: x] (no subject)", "Re: [Re: x] (no subject)", "Fwd: [Re: x] (no subject)" },
        { "[list] Re: x", "Re: [list] x", "Fwd: [list] Re: x" },
        { "Re: [a] AW: [b] x", "Re: [a] [b] x", "Fwd: Re: [a] AW: [b] x" },
        { "[x]", "Re: [x]", "Fwd: [x]" },
        { "回复：x", "Re: x", "Fwd: 回复：x" },
        { "转发: x", "Re: 转发: x", "转发: x" },
        { "", "Re: ", "Fwd: " },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf text;
        strbuf_init(&text, 1000);
        thread_text_add_reply(&text, rows[i].subject);
        assert_string_equal(text.data, rows[i].reply);
        assert_true(thread_text_same_subject(rows[i].subject, text.data));
        strbuf_clear(&text);
        thread_text_add_reply(&text, rows[i].reply); /* however often it is answered */
        assert_string_equal(text.data, rows[i].reply);
        strbuf_clear(&text);
        thread_text_add_forward(&text, rows[i].subject);
        assert_string_equal(text.data, rows[i].forward);
        strbuf_free(&text);
    }
}

/* By whoever sent it, not before. */
static void test_forwarded_subjects(void **state)
{
    (void)state;
    static const struct row {
        const char *subject;
        bool is_forward;
    } rows[] = {
        { "Fwd: x", true },      { "FW: Re: x", true },
        { " WG: x", true },      { "[list] Fwd: x", true },
        { "[Fwd: x]", true },    { "转发：x", true },
        { "Re: Fwd: x", false }, { "x", false },
        { "[list] x", false },   { "[list] Re: Fwd: x", false },
        { "", false },           { "[", false },
        { "Forward: x", false }, { "I: x", true },
        { "It: x", false },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(convert_subject_is_forward(rows[i].subject), rows[i].is_forward);
}

static void test_queue_ids(void **state)
{
    (void)state;
    enum store_queue which;
    int64_t id;
    char text[24];
    queue_id_format(STORE_QUEUE_IN, 17, text);
    assert_string_equal(text, "in17");
    queue_id_format(STORE_QUEUE_OUT, INT64_C(999999999999999999), text);
    assert_int_equal(queue_id_parse(text, &which, &id), 1);
    assert_int_equal(which, STORE_QUEUE_OUT);
    assert_true(id == INT64_C(999999999999999999));
    static const char *const bad[] = { "",   "in", "out", "17", "in17x", "in-1", "in 1", "on1", "in9999999999999999999",
                                       "IN1" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(queue_id_parse(bad[i], &which, &id), -1);
}

/* What a relay says is shown, and can't act as markup under the gateway's name. */
static void test_notice_lists(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        { "550 no", "- ` 550 no `\n" },
        { "![x](http://t.test/p.png) <b>", "- ` ![x](http://t.test/p.png) <b> `\n" },
        { "a `` b ` c", "- ``` a `` b ` c ```\n" },
        { "`", "- `` ` ``\n" },
        { "a\nb\r# c", "- ` a b # c `\n" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf text;
        strbuf_init(&text, 1000);
        struct notice_list list = { .text = &text };
        notice_list_add(&list, "%s", rows[i][0]);
        notice_list_end(&list);
        assert_string_equal(text.data, rows[i][1]);
        strbuf_free(&text);
    }
    struct strbuf text;
    strbuf_init(&text, 10000);
    struct notice_list list = { .text = &text };
    for (int i = 0; i < NOTICE_LINES_MAX + 7; i++)
        notice_list_add(&list, "line %d", i);
    notice_list_end(&list);
    assert_non_null(strstr(text.data, "line 49 "));
    assert_null(strstr(text.data, "line 50 "));
    assert_non_null(strstr(text.data, "- and 7 more\n"));
    strbuf_clear(&text);
    char subject[999]; /* the longest one that a mail has */
    memset(subject, 's', sizeof subject - 1);
    subject[sizeof subject - 1] = '\0';
    list = (struct notice_list){ .text = &text };
    notice_list_add(&list, "Subject: %s", subject);
    assert_non_null(strstr(text.data, subject));
    strbuf_free(&text);
}

/* What is known of one recipient: our words, and what somebody else said, who is quoted. */
static void test_notice_lists_of_recipients(void **state)
{
    (void)state;
    static const struct {
        struct notice_said said;
        const char *line;
    } rows[] = {
        { { "b@x.test", "there is no such mailbox", "5.1.1", "mx.x.test", "550 5.1.1 <b@x.test>: no" },
          "- ` b@x.test `: there is no such mailbox (5.1.1). mx.x.test said: ` 550 5.1.1 <b@x.test>: no `\n" },
        { { "b@x.test", "it is late", "", NULL, "" }, "- ` b@x.test `: it is late.\n" },
        { { "b@x.test", "it is late", "4.4.1", NULL, "refused" },
          "- ` b@x.test `: it is late (4.4.1). Details: ` refused `\n" },
        { { "`b`@x.test", "no", "5.1.1](http:", "[x](http://t.test)", "``" },
          "- `` `b`@x.test ``: no. ` [x](http://t.test) ` said: ``` `` ```\n" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct strbuf text;
        strbuf_init(&text, 1000);
        struct notice_list list = { .text = &text };
        notice_list_add_said(&list, &rows[i].said);
        notice_list_end(&list);
        assert_string_equal(text.data, rows[i].line);
        strbuf_free(&text);
    }
}

/* A line that was cut would end inside a code span, and what a stranger said would act as markup. */
static void test_lines_that_do_not_fit_are_counted(void **state)
{
    (void)state;
    enum { ROOM = 5000, LINES = 20 };
    char backticks[401];
    memset(backticks, '`', sizeof backticks - 1);
    backticks[sizeof backticks - 1] = '\0';
    for (int is_said = 0; is_said < 2; is_said++) {
        const struct notice_said said = { "b@x.test", "no", "", "mx.x.test", backticks };
        struct strbuf text;
        strbuf_init(&text, ROOM);
        struct notice_list list = { .text = &text };
        for (int i = 0; i < LINES; i++) {
            if (is_said)
                notice_list_add_said(&list, &said);
            else
                notice_list_add(&list, "%s", backticks);
        }
        notice_list_add(&list, "short");
        notice_list_end(&list);
        assert_true(strbuf_ok(&text));
        unsigned lines = 0;
        for (const char *at = text.data; *at; at += strcspn(at, "\n") + 1, lines++) {
            size_t len = strcspn(at, "\n"), fence = sizeof backticks;
            assert_int_equal(at[len], '\n');
            assert_true(len < 50 || (len > fence && strspn(at + len - fence, "`") == fence));
        }
        assert_in_range(lines, 3, 6); /* what fits, and how many more there are */
        assert_non_null(strstr(text.data, "- and 1"));
        strbuf_free(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base_subject),
        cmocka_unit_test(test_same_subject),
        cmocka_unit_test(test_made_subjects),
        cmocka_unit_test(test_forwarded_subjects),
        cmocka_unit_test(test_queue_ids),
        cmocka_unit_test(test_notice_lists),
        cmocka_unit_test(test_notice_lists_of_recipients),
        cmocka_unit_test(test_lines_that_do_not_fit_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
