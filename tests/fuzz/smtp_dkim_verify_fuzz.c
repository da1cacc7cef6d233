/* Fuzzing dkim_message, dkim_verify and arc_verify: a TXT record, which every key look-up gets, then NUL, then a message. In pieces it is
 * judged as it is as a whole; what passes passes no more with other fields or a longer body. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/arc_verify.h"
#include "smtp/dkim_message.h"
#include "smtp/dkim_verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct record {
    struct dns_record record;
    struct dns_answer answer;
    size_t asked;
};

struct judgement {
    struct dkim_verdict verdicts[DKIM_VERIFY_SIGNATURES_MAX];
    size_t count, passed;
    enum auth_result arc;
};

static void require(bool condition)
{
    if (!condition)
        abort();
}

static const struct dns_answer *ask(const char *name, enum dns_type type, void *ctx)
{
    struct record *record = ctx;
    require(strlen(name) <= DNS_NAME_MAX && type == DNS_TXT && strstr(name, "._domainkey."));
    require(++record->asked <= DKIM_VERIFY_SIGNATURES_MAX + ARC_INSTANCES_MAX + 1);
    return &record->answer;
}

static bool is_clean(const char *text)
{
    for (; *text; text++) {
        if (*text < ' ' || *text > '~')
            return false;
    }
    return true;
}

static void check_verdict(const struct dkim_verdict *verdict)
{
    require(is_clean(verdict->domain) && is_clean(verdict->selector) && is_clean(verdict->identity));
    require(is_clean(verdict->algorithm) && is_clean(verdict->signature) && is_clean(verdict->detail));
    require(verdict->result_text != NULL && (verdict->result == AUTH_RESULT_PASS || verdict->detail[0] != '\0'));
    require(verdict->result != AUTH_RESULT_PASS ||
            (verdict->domain[0] && verdict->key_bits >= 256 && !verdict->is_testing));
}

static struct judgement judge(struct dkim_message *message, struct record *record)
{
    struct judgement result = { 0 };
    struct arc_verdict arc;
    record->asked = 0;
    dkim_message_end(message);
    result.count = dkim_verify(message, "example.com", ask, record, INT64_C(1793600000000), result.verdicts,
                               DKIM_VERIFY_SIGNATURES_MAX);
    require(result.count <= dkim_message_count_signatures(message));
    for (size_t i = 0; i < result.count; i++) {
        check_verdict(&result.verdicts[i]);
        result.passed += result.verdicts[i].result == AUTH_RESULT_PASS;
    }
    arc_verify(message, ask, record, INT64_C(1793600000000), &arc);
    result.arc = arc.result;
    require(is_clean(arc.detail) && (arc.result == AUTH_RESULT_NONE) == (arc.count == 0 && arc.detail[0] == '\0'));
    for (size_t i = 0; i < arc.count; i++)
        require(is_clean(arc.instances[i].sealer) && is_clean(arc.instances[i].signer) &&
                (arc.result != AUTH_RESULT_PASS || arc.instances[i].auth_results));
    arc_verdict_free(&arc);
    return result;
}

static struct judgement judge_parts(const char *front, const uint8_t *data, size_t size, size_t step, const char *back,
                                    struct record *record)
{
    struct dkim_message *message = dkim_message_new();
    dkim_message_add(message, front, strlen(front));
    for (size_t at = 0; at < size && dkim_message_wants_more(message); at += step)
        dkim_message_add(message, data + at, size - at < step ? size - at : step);
    dkim_message_add(message, back, strlen(back));
    struct judgement result = judge(message, record);
    dkim_message_free(&message);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size > 0 ? memchr(data, '\0', size) : NULL;
    if (!end)
        return 0;
    struct record record = { .record = { .len = (size_t)(end - data), .data = (const char *)data } };
    record.answer = (struct dns_answer){ .outcome = DNS_FOUND, .count = 1, .records = &record.record };
    const uint8_t *mail = end + 1;
    size_t len = size - record.record.len - 1;
    struct judgement whole = judge_parts("", mail, len, len + 1, "", &record);
    struct judgement pieces = judge_parts("", mail, len, size % 61 + 1, "", &record);
    require(whole.count == pieces.count && whole.arc == pieces.arc);
    for (size_t i = 0; i < whole.count; i++)
        require(strcmp(whole.verdicts[i].detail, pieces.verdicts[i].detail) == 0);
    if (whole.passed == 0 && whole.arc != AUTH_RESULT_PASS)
        return 0;
    struct judgement added =
        judge_parts("Subject: another\r\nSubject: and one more\r\n", mail, len, len + 1, "", &record);
    require(added.passed == 0 && added.arc != AUTH_RESULT_PASS);
    struct judgement longer = judge_parts("", mail, len, len + 1, "\r\nmore", &record);
    require(longer.passed == 0 && longer.arc != AUTH_RESULT_PASS);
    return 0;
}
