/* Fuzzing dkim_tags and dkim_key: a text as a list of tags, a key's record, and all that stands in tags. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/verify_key.h"
#include "smtp/dkim_key.h"
#include "smtp/dkim_tags.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void read_value(struct dkim_text value)
{
    uint8_t octets[1000];
    char domain[SMTP_DOMAIN_MAX + 1], again[SMTP_DOMAIN_MAX + 1];
    uint64_t number;
    size_t len = 0, elements = 0;
    struct dkim_text rest = value, element;
    require(value.data != NULL && memchr(value.data, ';', value.len) == NULL);
    if (dkim_text_to_octets(value, octets, sizeof octets, &len) == 1)
        require(len > 0 && len <= value.len);
    if (dkim_text_to_number(value, &number) == 1)
        require(number <= UINT64_C(999999999999));
    if (dkim_text_to_domain(value, 1, domain) == 1) { /* its form is its own form */
        struct dkim_text text = { domain, strlen(domain) };
        require(dkim_text_to_domain(text, 1, again) == 1 && strcmp(domain, again) == 0);
    } else {
        require(domain[0] == '\0');
    }
    while (dkim_text_next(&rest, &element) == 1)
        elements++;
    for (size_t i = 0; i < value.len; i++)
        elements -= value.data[i] == ':';
    require(elements == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1); /* whose end the sanitizer knows */
    require(text != NULL);
    memcpy(text, data, size);
    struct dkim_tags tags;
    bool is_list = dkim_tags_parse(text, size, &tags) == 1;
    require(!is_list || (tags.count > 0 && tags.count <= DKIM_TAGS_MAX));
    for (size_t i = 0; is_list && i < tags.count; i++)
        read_value(tags.list[i].value);
    for (int kind = DKIM_KEY_RSA; kind <= DKIM_KEY_ED25519; kind++) {
        struct dkim_key key;
        const char *why;
        bool is_key = dkim_key_parse(text, size, (enum dkim_key_kind)kind, &key, &why) == 1;
        require(is_key == (key.key != NULL) && is_key == (why == NULL) && (!is_key || is_list));
        if (is_key)
            require(kind == DKIM_KEY_RSA || verify_key_bits(key.key) == 256);
        dkim_key_free(&key);
    }
    free(text);
    return 0;
}
