/* Tests of smtp_params: the parameters that we announce, and all others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "smtp/smtp_params.h"

#define A10  "aaaaaaaaaa"
#define A100 A10 A10 A10 A10 A10 A10 A10 A10 A10 A10

/* --- MAIL --- */

static const struct mail_case {
    const char *text;
    int code; /* of the refusal; 0: accepted */
    int64_t size;
    enum smtp_body body;
    bool is_smtputf8;
    enum smtp_dsn_ret ret;
    const char *envid; /* NULL: none */
} mail_cases[] = {
    { "", 0, -1, SMTP_BODY_7BIT, false, SMTP_DSN_RET_NONE, NULL },
    { "SIZE=0", 0, 0, SMTP_BODY_7BIT, false, SMTP_DSN_RET_NONE, NULL },
    { "size=12345", 0, 12345, SMTP_BODY_7BIT, false, SMTP_DSN_RET_NONE, NULL },
    { "SIZE=9223372036854775807", 0, INT64_MAX, SMTP_BODY_7BIT, false, SMTP_DSN_RET_NONE, NULL },
    { "SIZE=00000000000000000017", 0, 17, SMTP_BODY_7BIT, false, SMTP_DSN_RET_NONE, NULL },
    { "BODY=7BIT", 0, -1, SMTP_BODY_7BIT, false, SMTP_DSN_RET_NONE, NULL },
    { "Body=8bitMime", 0, -1, SMTP_BODY_8BITMIME, false, SMTP_DSN_RET_NONE, NULL },
    { "BODY=binarymime", 0, -1, SMTP_BODY_BINARYMIME, false, SMTP_DSN_RET_NONE, NULL },
    { "SMTPUTF8", 0, -1, SMTP_BODY_7BIT, true, SMTP_DSN_RET_NONE, NULL },
    { "  SMTPUTF8   SIZE=1  BODY=8BITMIME ", 0, 1, SMTP_BODY_8BITMIME, true, SMTP_DSN_RET_NONE, NULL },
    { "RET=FULL", 0, -1, SMTP_BODY_7BIT, false, SMTP_DSN_RET_FULL, NULL },
    { "ret=hdrs ENVID=QQ314159", 0, -1, SMTP_BODY_7BIT, false, SMTP_DSN_RET_HDRS, "QQ314159" },
    { "ENVID=a+2Bb+3Dc+20d;<>,", 0, -1, SMTP_BODY_7BIT, false, SMTP_DSN_RET_NONE, "a+2Bb+3Dc+20d;<>," },
    { "ENVID=" A100, 0, -1, SMTP_BODY_7BIT, false, SMTP_DSN_RET_NONE, A100 },
    { .text = "SIZE=9223372036854775808", .code = 501 }, /* overflows 64 bits */
    { .text = "SIZE=99999999999999999999", .code = 501 },
    { .text = "SIZE=-1", .code = 501 },
    { .text = "SIZE=+1", .code = 501 },
    { .text = "SIZE=1K", .code = 501 },
    { .text = "SIZE=", .code = 501 },
    { .text = "SIZE", .code = 501 },
    { .text = "SIZE=1 SIZE=1", .code = 501 },
    { .text = "BODY=", .code = 501 },
    { .text = "BODY=BINARY", .code = 501 },
    { .text = "BODY=8BITMIMES", .code = 501 },
    { .text = "SMTPUTF8=", .code = 501 },
    { .text = "SMTPUTF8 smtputf8", .code = 501 },
    { .text = "RET", .code = 501 },
    { .text = "RET=", .code = 501 },
    { .text = "RET=FULL,HDRS", .code = 501 },
    { .text = "RET=HEADERS", .code = 501 },
    { .text = "RET=FULL RET=FULL", .code = 501 },
    { .text = "ENVID", .code = 501 },
    { .text = "ENVID=", .code = 501 },
    { .text = "ENVID=a ENVID=a", .code = 501 },
    { .text = "ENVID=" A100 "a", .code = 501 },
    { .text = "ENVID=a=b", .code = 501 },
    { .text = "ENVID=a+", .code = 501 },
    { .text = "ENVID=a+2", .code = 501 },
    { .text = "ENVID=a+2b", .code = 501 },          /* digits are capital letters */
    { .text = "ENVID=a+0D+0AX:+20b", .code = 501 }, /* would become a line of its own in a report */
    { .text = "ENVID=a+00", .code = 501 },
    { .text = "ENVID=a+7F", .code = 501 },
    { .text = "ENVID=a+E4", .code = 501 },
    { .text = "ENVID=\xc3\xa4", .code = 501 },
    { .text = "ENVID=a\tb", .code = 501 },
    { .text = "=1", .code = 501 },
    { .text = "<bob@example.com>", .code = 501 },
    { .text = "SIZES=1", .code = 555 },
    { .text = "SIZ=1", .code = 555 },
    { .text = "NOTIFY=NEVER", .code = 555 },
    { .text = "ORCPT=rfc822;a@b", .code = 555 },
    { .text = "SIZE=1 AUTH=<>", .code = 555 },
};

static void mail_params(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof mail_cases / sizeof mail_cases[0]; i++) {
        const struct mail_case *c = &mail_cases[i];
        struct smtp_mail_params params;
        struct smtp_reply reply;
        int result = smtp_params_parse_mail(c->text, strlen(c->text), &params, &reply);
        if (result != (c->code ? -1 : 1))
            fail_msg("%s: %d", c->text, result);
        if (c->code) {
            assert_int_equal(reply.code, c->code);
            assert_string_equal(reply.enhanced, "5.5.4");
        } else {
            assert_int_equal(params.size, c->size);
            assert_int_equal(params.body, c->body);
            assert_int_equal(params.is_smtputf8, c->is_smtputf8);
            assert_int_equal(params.ret, c->ret);
            assert_string_equal(params.envid, c->envid ? c->envid : "");
        }
    }
}

/* --- RCPT --- */

enum {
    SUCCESS = SMTP_DSN_NOTIFY_SUCCESS,
    FAILURE = SMTP_DSN_NOTIFY_FAILURE,
    DELAY = SMTP_DSN_NOTIFY_DELAY,
    NEVER = SMTP_DSN_NOTIFY_NEVER,
};

static const struct rcpt_case {
    const char *text;
    bool is_smtputf8;
    int code; /* of the refusal; 0: accepted */
    unsigned notify;
    const char *orcpt; /* NULL: none */
} rcpt_cases[] = {
    { "", false, 0, 0, NULL },
    { "   ", false, 0, 0, NULL },
    { "NOTIFY=NEVER", false, 0, NEVER, NULL },
    { "notify=success", false, 0, SUCCESS, NULL },
    { "NOTIFY=DELAY,FAILURE,SUCCESS", false, 0, SUCCESS | FAILURE | DELAY, NULL },
    { "NOTIFY=FAILURE,failure", false, 0, FAILURE, NULL }, /* says nothing new, and nothing wrong */
    { "ORCPT=rfc822;bob@example.com NOTIFY=DELAY", false, 0, DELAY, "rfc822;bob@example.com" },
    { "ORCPT=rfc822;Bob+2Bnews@example.com", false, 0, 0, "rfc822;Bob+2Bnews@example.com" },
    { "ORCPT=RFC822;+22bob+20smith+22@example.com", false, 0, 0, "RFC822;+22bob+20smith+22@example.com" },
    { "ORCPT=X-other;+5Cx{41};b", false, 0, 0, "X-other;+5Cx{41};b" },
    { "ORCPT=rfc822;\\x{E4}", false, 0, 0, "rfc822;\\x{E4}" }, /* means nothing in this type, and may stand */
    { "ORCPT=rfc822;" A100 A100 A100 A100 A10 A10 A10 A10 A10 A10 A10 A10 A10 "aaa", false, 0, 0,
      "rfc822;" A100 A100 A100 A100 A10 A10 A10 A10 A10 A10 A10 A10 A10 "aaa" }, /* 500 */
    { "ORCPT=utf-8;bob@example.com", false, 0, 0, "utf-8;bob@example.com" },
    { "ORCPT=UTF-8;\\x{E4}lice\\x{2B}news@\\x{10FFFF}.example", false, 0, 0,
      "UTF-8;\\x{E4}lice\\x{2B}news@\\x{10FFFF}.example" },
    { "ORCPT=utf-8;\xc3\xa4\xf0\x9f\x90\x90\\x{20}@example.com", true, 0, 0,
      "utf-8;\xc3\xa4\xf0\x9f\x90\x90\\x{20}@example.com" },
    { .text = "NOTIFY", .code = 501 },
    { .text = "NOTIFY=", .code = 501 },
    { .text = "NOTIFY=ALWAYS", .code = 501 },
    { .text = "NOTIFY=,", .code = 501 },
    { .text = "NOTIFY=SUCCESS,", .code = 501 },
    { .text = "NOTIFY=,SUCCESS", .code = 501 },
    { .text = "NOTIFY=SUCCESS;DELAY", .code = 501 },
    { .text = "NOTIFY=NEVER,SUCCESS", .code = 501 },
    { .text = "NOTIFY=DELAY,NEVER", .code = 501 },
    { .text = "NOTIFY=NEVER NOTIFY=NEVER", .code = 501 },
    { .text = "ORCPT", .code = 501 },
    { .text = "ORCPT=", .code = 501 },
    { .text = "ORCPT=bob@example.com", .code = 501 },
    { .text = "ORCPT=;bob@example.com", .code = 501 },
    { .text = "ORCPT=rfc822;", .code = 501 },
    { .text = "ORCPT=rfc 822;bob@example.com", .code = 501 },
    { .text = "ORCPT=rfc<822>;bob@example.com", .code = 501 },
    { .text = "ORCPT=rfc822;a=b@example.com", .code = 501 },
    { .text = "ORCPT=rfc822;a+@example.com", .code = 501 },
    { .text = "ORCPT=rfc822;a+0Ab@example.com", .code = 501 },
    { .text = "ORCPT=rfc822;\xc3\xa4@example.com", .is_smtputf8 = true, .code = 501 },
    { .text = "ORCPT=rfc822;" A100 A100 A100 A100 A10 A10 A10 A10 A10 A10 A10 A10 A10 "aaaa", .code = 501 },
    { .text = "ORCPT=utf-8;\xc3\xa4@example.com", .code = 501 }, /* MAIL has not said SMTPUTF8 */
    { .text = "ORCPT=utf-8;\xe4@example.com", .is_smtputf8 = true, .code = 501 },
    { .text = "ORCPT=utf-8;\xc2\x85@example.com", .is_smtputf8 = true, .code = 501 }, /* NEL */
    { .text = "ORCPT=utf-8;a+2Bb@example.com", .code = 501 },
    { .text = "ORCPT=utf-8;a=b@example.com", .code = 501 },
    { .text = "ORCPT=utf-8;a\\b@example.com", .code = 501 },
    { .text = "ORCPT=utf-8;\\x{41", .code = 501 },
    { .text = "ORCPT=utf-8;\\x{}", .code = 501 },
    { .text = "ORCPT=utf-8;\\x{4}", .code = 501 },
    { .text = "ORCPT=utf-8;\\x{e4}", .code = 501 },
    { .text = "ORCPT=utf-8;\\x{0A}", .code = 501 },
    { .text = "ORCPT=utf-8;\\x{00}", .code = 501 },
    { .text = "ORCPT=utf-8;\\x{7F}", .code = 501 },
    { .text = "ORCPT=utf-8;\\x{85}", .code = 501 },
    { .text = "ORCPT=utf-8;\\x{D800}", .code = 501 },
    { .text = "ORCPT=utf-8;\\x{110000}", .code = 501 },
    { .text = "ORCPT=utf-8;\\x{0000041}", .code = 501 },
    { .text = "ORCPT=rfc822;a@b ORCPT=rfc822;a@b", .code = 501 },
    { .text = "ENVID=a", .code = 555 },
    { .text = "RRVS=2014-04-03T23:01:00Z", .code = 555 },
};

static void rcpt_params(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rcpt_cases / sizeof rcpt_cases[0]; i++) {
        const struct rcpt_case *c = &rcpt_cases[i];
        struct smtp_rcpt_params params;
        struct smtp_reply reply;
        int result = smtp_params_parse_rcpt(c->text, strlen(c->text), c->is_smtputf8, &params, &reply);
        if (result != (c->code ? -1 : 1))
            fail_msg("%s: %d", c->text, result);
        if (c->code) {
            assert_int_equal(reply.code, c->code);
            assert_string_equal(reply.enhanced, "5.5.4");
            continue;
        }
        assert_int_equal(params.notify, c->notify);
        if (!c->orcpt) {
            assert_null(params.orcpt);
            continue;
        }
        assert_int_equal(params.orcpt_len, strlen(c->orcpt));
        assert_memory_equal(params.orcpt, c->orcpt, params.orcpt_len);
    }
}

static void unknown_params_are_named(void **state)
{
    (void)state;
    struct smtp_rcpt_params params;
    struct smtp_reply reply;
    assert_int_equal(smtp_params_parse_rcpt("FOO=1", 5, false, &params, &reply), -1);
    assert_string_equal(reply.text, "Unsupported parameter FOO");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mail_params),
        cmocka_unit_test(rcpt_params),
        cmocka_unit_test(unknown_params_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
