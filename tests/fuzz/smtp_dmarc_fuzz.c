/* Fuzzing dmarc: whatever is published, only what is aligned passes, and nothing passes under several records but what is equal. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/dmarc.h"
#include "smtp/public_suffix.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* One answer to every question: the input's lines. */
static const struct dns_answer *ask_input(const char *name, enum dns_type type, void *ctx)
{
    require(strncmp(name, "_dmarc.", 7) == 0 && strlen(name) <= DNS_NAME_MAX && type == DNS_TXT);
    return ctx;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct public_suffixes *suffixes;
    if (!suffixes)
        suffixes = public_suffixes_new();
    struct dns_record records[4];
    struct dns_answer answer = { .outcome = DNS_FOUND, .records = records };
    const char *at = (const char *)data, *end = at + size;
    while (at < end && answer.count < 4) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop ? stop : end;
        records[answer.count++] = (struct dns_record){ .len = (size_t)(stop - at), .data = at };
        at = stop < end ? stop + 1 : end;
    }
    static const char *const domains[] = { "mail.example.com", "example.com", "example.net" };
    for (size_t i = 0; i < 3; i++) {
        struct dmarc_identifier dkim = { AUTH_RESULT_PASS, domains[i] };
        struct dmarc_request request = { .from_domain = "mail.example.com", .dkim = &dkim, .dkim_count = 1 };
        struct dmarc_verdict verdict;
        dmarc_check(&request, suffixes, ask_input, &answer, &verdict);
        bool may_pass = i == 0 || (i == 1 && !verdict.record.is_dkim_strict);
        require((verdict.result == AUTH_RESULT_PASS) == may_pass);
        require(verdict.published == DMARC_NO_RECORD || verdict.published == DMARC_RECORD ||
                verdict.record.is_dkim_strict);
        require(smtp_text_is_clean_utf8(verdict.detail, strlen(verdict.detail)));
    }
    return 0;
}
