/* Fuzzing smtp_address: whatever is accepted can be written, read again and compared, and holds no surprise. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "smtp/smtp_address.h"
#include "smtp/smtp_punycode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static bool has_control(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            return true;
    }
    return false;
}

/* Canonical addresses are that for good; people are shown something that means the same. */
static void check_canonical(const struct smtp_address *given, enum smtp_case local_case)
{
    char text[SMTP_ADDRESS_MAX + 2], shown[SMTP_DOMAIN_SHOWN_SIZE];
    struct smtp_address address = *given, again;
    int result = smtp_address_canonicalise(&address, local_case);
    smtp_address_format(&address, text);
    require(smtp_address_parse(text, strlen(text), &again) == 1);
    require(smtp_address_canonicalise(&again, local_case) == result);
    require(strcmp(address.local, again.local) == 0 && strcmp(address.domain, again.domain) == 0);
    smtp_domain_show(address.domain, shown);
    if (result != 1)
        return;
    for (const char *at = address.domain; *at; at++)
        require((unsigned char)*at < 0x80 && (*at < 'A' || *at > 'Z'));
    require(smtp_domain_equal(given->domain, address.domain) && smtp_domain_equal(shown, address.domain));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct smtp_address address;
    struct smtp_address again;
    char text[SMTP_ADDRESS_MAX + 2];
    if (smtp_address_parse((const char *)data, size, &address) != 1) {
        require(smtp_address_is_null(&address));
        return 0;
    }
    require(!smtp_address_is_null(&address));
    smtp_address_format(&address, text);
    require(!has_control(text) && strlen(text) <= SMTP_ADDRESS_MAX && strlen(text) <= size);
    require(smtp_text_is_clean_utf8(text, strlen(text)));
    require(smtp_address_parse(text, strlen(text), &again) == 1);
    require(strcmp(address.local, again.local) == 0 && strcmp(address.domain, again.domain) == 0);
    require(smtp_domain_equal(address.domain, address.domain));
    char label[SMTP_LABEL_MAX + 1];
    size_t label_len = strcspn(address.domain, ".");
    if (label_len <= SMTP_LABEL_MAX && smtp_punycode_encode_label(address.domain, label_len, label) == 1)
        require(strlen(label) <= SMTP_LABEL_MAX && !strchr(label, '.'));
    struct smtp_address base = address;
    if (smtp_address_drop_detail(&base)) {
        char short_text[SMTP_ADDRESS_MAX + 2];
        smtp_address_format(&base, short_text);
        require(strlen(short_text) < strlen(text) && strchr(text, '+') != NULL);
        require(smtp_address_parse(short_text, strlen(short_text), &base) == 1);
    }
    check_canonical(&address, SMTP_CASE_FOLDED);
    check_canonical(&address, SMTP_CASE_KEPT);
    smtp_address_normalise(&again);
    require(smtp_address_equal(&address, &again));
    smtp_address_format(&again, text);
    require(smtp_address_parse(text, strlen(text), &address) == 1);
    require(smtp_address_equal(&address, &again));
    return 0;
}
