/* Fuzzing mapping/subject: a subject, and after a NUL an author. What is accepted is the same when it is read again, and whoever
 * matches would have been looked up. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mapping/subject.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void check_match(const struct subject *subject, const char *author, enum smtp_case local_case)
{
    struct subject_keys keys;
    subject_keys_make(author, &keys);
    require(keys.count <= SUBJECT_KEYS_MAX);
    for (int lets_in = 0; lets_in <= 1; lets_in++) {
        int plain = subject_match(subject->text, false, author, local_case, lets_in);
        int with_details = subject_match(subject->text, true, author, local_case, lets_in);
        bool is_found = false;
        for (size_t i = 0; i < keys.count; i++)
            is_found = is_found || strcasecmp(keys.texts[i], subject->text) == 0;
        require(plain == 0 || plain == with_details);
        require(with_details == 0 || is_found);
    }
    require(subject_match(subject->text, true, author, local_case, true) == 0 ||
            subject_match(subject->text, true, author, local_case, false) != 0); /* who is let in can be kept out */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *wrong, *first = (const char *)data;
    size_t len = size > 0 ? strnlen(first, size) : 0;
    if (len == size || len > 400 || size - len > 400)
        return 0;
    char shown[SUBJECT_SHOWN_SIZE], author_text[SMTP_ADDRESS_MAX + 2];
    struct smtp_address author;
    bool has_author = smtp_address_parse(first + len + 1, size - len - 1, &author) == 1;
    for (int kept = 0; kept <= 1; kept++) {
        enum smtp_case local_case = kept ? SMTP_CASE_KEPT : SMTP_CASE_FOLDED;
        struct subject subject, again;
        if (subject_parse(first, local_case, &subject, &wrong) != 1) {
            require(wrong[0]);
            continue;
        }
        require(subject_parse(subject.text, local_case, &again, &wrong) == 1);
        require(strcmp(subject.text, again.text) == 0 && subject.kind == again.kind);
        require(subject.kind == subject_kind_of(subject.text));
        subject_show(subject.text, shown);
        require(subject_parse(shown, local_case, &again, &wrong) == 1 && strcmp(subject.text, again.text) == 0);
        struct smtp_address canonical = author;
        if (!has_author)
            continue;
        if (smtp_address_canonicalise(&canonical, local_case) != 1)
            canonical = author;
        smtp_address_format(&canonical, author_text);
        check_match(&subject, author_text, local_case);
    }
    return 0;
}
