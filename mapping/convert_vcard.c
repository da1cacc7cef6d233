#include "mapping/convert_vcard.h"

bool convert_vcard_write(struct convert_charsets *charsets, struct commonmark_writer *writer, const char *charset,
                         const void *data, size_t len)
{
    (void)charsets;
    (void)writer;
    (void)charset;
    (void)data;
    (void)len;
    return false;
}
