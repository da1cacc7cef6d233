/* CMS structures and PGP's armour: what is opened is no longer than what it was in, and its kind agrees with the answer. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "mapping/convert_crypto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct strbuf opened, plain;
    strbuf_init(&opened, size);
    strbuf_init(&plain, size);
    enum convert_crypto kind = convert_crypto_look(data, size);
    if (convert_crypto_open(data, size, &opened) && kind != CONVERT_CRYPTO_OPAQUE_SMIME)
        abort();
    kind = convert_crypto_armour((const char *)data, size);
    convert_crypto_unarmour((const char *)data, size, &plain);
    if (!strbuf_ok(&opened) || !strbuf_ok(&plain) || (kind == CONVERT_CRYPTO_NONE) != (plain.len == size))
        abort();
    strbuf_free(&opened);
    strbuf_free(&plain);
    return 0;
}
