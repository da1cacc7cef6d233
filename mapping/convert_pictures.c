#include "mapping/convert_pictures.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/xmalloc.h"
#include "mapping/convert_incoming.h"
#include "mapping/convert_types.h"

struct entry {
    const char *key;
    const struct convert_part *related;
    size_t place; /* in the mail */
    struct convert_item *item;
};

/* Sorted. */
struct convert_pictures {
    struct entry *entries;
    size_t count;
};

static bool is_picture(const struct convert_item *item)
{
    return convert_part_is(item->part, "image", NULL) ||
           strncmp(convert_type_from_name(item->name), "image/", strlen("image/")) == 0;
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *left = a;
    const struct entry *right = b;
    int order = strcmp(left->key, right->key);
    if (order == 0 && left->related != right->related)
        return (uintptr_t)left->related < (uintptr_t)right->related ? -1 : 1;
    return order != 0 ? order : left->place < right->place ? -1 : left->place > right->place;
}

static void add_entry(struct convert_pictures *pictures, const char *key, struct convert_item *item, size_t place)
{
    if (!*key)
        return;
    /* Under no multipart, too: where the HTML is in another one. */
    pictures->entries[pictures->count++] = (struct entry){ key, NULL, place, item };
    if (item->related)
        pictures->entries[pictures->count++] = (struct entry){ key, item->related, place, item };
}

struct convert_pictures *convert_pictures_new(const struct convert_incoming *in)
{
    struct convert_pictures *pictures = xcalloc(1, sizeof *pictures);
    pictures->entries = xcalloc(in->count * 4 + 1, sizeof *pictures->entries);
    for (size_t i = 0; i < in->count; i++) {
        struct convert_item *item = in->items[i];
        if (!item->name || !is_picture(item))
            continue;
        add_entry(pictures, item->part->about.id, item, i);
        add_entry(pictures, item->part->about.location, item, i);
    }
    qsort(pictures->entries, pictures->count, sizeof *pictures->entries, compare_entries);
    return pictures;
}

void convert_pictures_free(struct convert_pictures **pictures)
{
    if (!*pictures)
        return;
    free((*pictures)->entries);
    free(*pictures);
    *pictures = NULL;
}

/* The first of that key and multipart. */
static struct convert_item *find(const struct convert_pictures *pictures, const char *key,
                                 const struct convert_part *related)
{
    const struct entry wanted = { .key = key, .related = related };
    size_t from = 0;
    size_t to = pictures->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (compare_entries(&pictures->entries[middle], &wanted) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    bool is_found = from < pictures->count && strcmp(pictures->entries[from].key, key) == 0 &&
                    pictures->entries[from].related == related;
    return is_found ? pictures->entries[from].item : NULL;
}

struct convert_item *convert_pictures_find(const struct convert_pictures *pictures, const char *id_or_location,
                                           const struct convert_part *related)
{
    struct convert_item *near = related ? find(pictures, id_or_location, related) : NULL;
    return near ? near : find(pictures, id_or_location, NULL);
}
