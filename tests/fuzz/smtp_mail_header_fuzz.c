/* Fuzzing mail_header: the scanner, and the digest in pieces. The first octet says where the pieces end. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/mail_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void check_facts(const char *data, size_t size)
{
    struct mail_header_facts facts;
    mail_header_scan(data, size, &facts);
    require(facts.is_automatic || !facts.is_generated);
    require(facts.header_size <= size && facts.header_size <= MAIL_HEADER_MAX);
    require(facts.reference_count <= MAIL_HEADER_REFERENCES_MAX);
    for (size_t i = 0; i < facts.reference_count; i++)
        require(strlen(facts.references[i]) > 0 && strlen(facts.references[i]) <= MAIL_HEADER_ID_MAX);
    if (facts.from_state == MAIL_HEADER_FROM_OK) {
        char text[SMTP_ADDRESS_MAX + 2];
        struct smtp_address again;
        smtp_address_format(&facts.from, text);
        require(smtp_address_parse(text, strlen(text), &again) == 1);
        require(!facts.too_long);

        /* What follows the header has no say in it. */
        struct mail_header_facts of_header;
        mail_header_scan(data, facts.header_size, &of_header);
        require(of_header.from_state == MAIL_HEADER_FROM_OK && smtp_address_equal(&of_header.from, &facts.from));
        mail_header_facts_free(&of_header);
    }
    mail_header_facts_free(&facts);
}

static void check_digest(const char *data, size_t size, size_t step)
{
    uint8_t whole[32];
    uint8_t pieces[32];
    struct mail_digest *digest = mail_digest_new();
    mail_digest_add(digest, data, size);
    mail_digest_finish(&digest, whole);
    digest = mail_digest_new();
    for (size_t at = 0; at < size; at += step)
        mail_digest_add(digest, data + at, size - at < step ? size - at : step);
    mail_digest_finish(&digest, pieces);
    require(memcmp(whole, pieces, sizeof whole) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    check_facts((const char *)data + 1, size - 1);
    check_digest((const char *)data + 1, size - 1, (size_t)data[0] % 16 + 1);
    return 0;
}
