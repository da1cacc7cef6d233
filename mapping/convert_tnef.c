#include "mapping/convert_tnef.h"

#include <stdlib.h>

struct convert_tnef *convert_tnef_read(struct convert_charsets *charsets, const void *data, size_t len, size_t room)
{
    (void)charsets;
    (void)data;
    (void)len;
    (void)room;
    return NULL;
}

void convert_tnef_free(struct convert_tnef **tnef)
{
    free(*tnef);
    *tnef = NULL;
}

bool convert_tnef_write_meeting(struct commonmark_writer *writer, const struct convert_tnef *tnef)
{
    (void)writer;
    (void)tnef;
    return false;
}
