/* Whatever stands in To, only addresses come out of it, with names that are one line of text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "mapping/convert_address_list.h"
#include "mapping/convert_charset.h"
#include "mapping/convert_mime_field.h"
#include "mapping/convert_wire.h"

static void check(const char *name, const struct smtp_address *address, void *ctx)
{
    struct smtp_address again;
    char text[SMTP_ADDRESS_MAX + 2];
    smtp_address_format(address, text);
    if (!convert_wire_is_clean(name, strlen(name)) || smtp_address_parse(text, strlen(text), &again) != 1 ||
        !smtp_address_equal(address, &again))
        abort();
    ++*(size_t *)ctx;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct convert_charsets *charsets; /* opening them takes longer than a run */
    if (!charsets)
        charsets = convert_charsets_new();
    const struct convert_field field = { .value = (const char *)data, .value_len = size };
    size_t count = 0;
    convert_address_list_read(charsets, &field, check, &count);
    if (count > size / 3) /* "a@b" */
        abort();
    return 0;
}
