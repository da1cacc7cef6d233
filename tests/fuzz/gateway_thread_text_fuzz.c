/* Subjects: an answer's is the thread's, however often it is answered, and what it begins with is said once. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/thread_text.h"
#include "mapping/convert_subject.h"
#include "mapping/convert_utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct strbuf answer, again, forward;
    char *subject = convert_utf8_one_line((const char *)data, size, 998);
    strbuf_init(&answer, 2000);
    strbuf_init(&again, 2000);
    strbuf_init(&forward, 2000);
    thread_text_add_reply(&answer, subject);
    thread_text_add_reply(&again, answer.data);
    thread_text_add_forward(&forward, subject);
    if (strcmp(answer.data, again.data) != 0 || !thread_text_same_subject(subject, answer.data) ||
        !thread_text_same_subject(answer.data, subject) || !thread_text_same_subject(subject, subject))
        abort();
    const char *base = thread_text_base_subject(subject);
    if (base < subject || base > subject + strlen(subject) || thread_text_base_subject(base) != base)
        abort();
    if (convert_subject_is_forward(answer.data))
        abort();
    strbuf_free(&answer);
    strbuf_free(&again);
    strbuf_free(&forward);
    free(subject);
    return 0;
}
