/* Files in a text lie in it, one behind the other, and never decode to more than they are; a returned mail stands below
 * something. */
#include <stdint.h>
#include <stdlib.h>

#include "base/strbuf.h"
#include "mapping/convert_inline_file.h"
#include "mapping/convert_inline_mail.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct convert_inline_file file;
    for (size_t at = 0; convert_inline_file_find(text, size, at, &file);) {
        struct strbuf bytes;
        require(file.offset >= at && file.len > 0 && file.len <= size - file.offset);
        require(file.content >= file.offset && file.content + file.content_len <= file.offset + file.len);
        require(file.name >= file.offset && file.name + file.name_len <= file.content);
        strbuf_init(&bytes, file.content_len + 1);
        (void)convert_inline_file_decode(text, &file, &bytes);
        require(bytes.len <= file.content_len + 1);
        strbuf_free(&bytes);
        at = file.offset + file.len;
    }
    size_t mail = 0;
    require(!convert_inline_mail_find(text, size, &mail) || (mail > 0 && mail < size));
    return 0;
}
