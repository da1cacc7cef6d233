/* What the rooms of convert_mime_in share: items, and parts that are made while a mail is converted. */
#include "mapping/convert_incoming.h"

#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "mapping/convert_limits.h"
#include "mapping/convert_tnef.h"

struct convert_item *convert_incoming_add(struct convert_incoming *in, const struct convert_part *part,
                                          enum convert_show show, bool is_attached)
{
    struct convert_item *item = xcalloc(1, sizeof *item);
    item->part = part;
    item->related = in->related;
    item->show = show;
    item->is_attached = is_attached;
    in->items = xreallocarray(in->items, in->count + 1, sizeof(struct convert_item *));
    in->items[in->count++] = item;
    return item;
}

bool convert_incoming_has_room(const struct convert_incoming *in, size_t size)
{
    return in->count < CONVERT_ITEMS_MAX && in->made_size < CONVERT_MADE_MAX &&
           size <= CONVERT_MADE_MAX - in->made_size;
}

void convert_incoming_keep(struct convert_incoming *in, struct convert_part *root)
{
    in->made = xreallocarray(in->made, in->made_count + 1, sizeof(struct convert_part *));
    in->made[in->made_count++] = root;
}

const struct convert_part *convert_incoming_make(struct convert_incoming *in, const char *type, const char *name,
                                                 const char *id, const char *data, size_t len, char *owned)
{
    struct convert_part *part = xcalloc(1, sizeof *part);
    const char *slash = strchr(type, '/');
    size_t type_len = slash ? (size_t)(slash - type) : strlen(type);
    *part = (struct convert_part){ .header = "", .content = data, .content_len = len, .memory = owned };
    part->about = (struct convert_content){
        .type = xstrndup(type, type_len),
        .subtype = xstrdup(slash ? slash + 1 : "octet-stream"),
        .charset = xstrdup("utf-8"),
        .boundary = xstrdup(""),
        .filename = xstrdup(name),
        .id = xstrdup(id),
        .location = xstrdup(""),
        .start = xstrdup(""),
        .has_type = true,
    };
    in->made_size += len;
    convert_incoming_keep(in, part);
    return part;
}

void convert_incoming_free(struct convert_incoming *in)
{
    for (size_t i = 0; i < in->count; i++)
        free(in->items[i]);
    for (size_t i = 0; i < in->tnef_count; i++)
        convert_tnef_free(&in->tnefs[i]);
    for (size_t i = 0; i < in->made_count; i++)
        convert_part_free(&in->made[i]);
    for (size_t i = 0; i < in->other_count; i++)
        free(in->others[i]);
    free(in->items);
    free(in->made);
    free(in->tnefs);
    free(in->others);
    strbuf_free(&in->head);
    strbuf_free(&in->notes);
    strbuf_free(&in->remarks);
    strbuf_free(&in->detail);
    convert_names_free(&in->names);
}
