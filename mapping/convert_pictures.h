/* convert_pictures.h - which attached picture an address in HTML means
 *
 * By Content-ID or Content-Location (RFC 2392, RFC 2557). Ids should be unique, and are not: what stands in the same
 * multipart/related counts first, then what stands first in the mail. Each look is logarithmic in the number of
 * attachments, however many have the same id. Internal to convert_mime_in and its rooms.
 */
#pragma once
#include <stddef.h>

struct convert_incoming;
struct convert_item;
struct convert_part;

struct convert_pictures;

/* Of the attachments that have their names. */
struct convert_pictures *convert_pictures_new(const struct convert_incoming *in);
void convert_pictures_free(struct convert_pictures **pictures);
/* related: the multipart that the HTML is in; NULL. NULL: none is meant. */
struct convert_item *convert_pictures_find(const struct convert_pictures *pictures, const char *id_or_location,
                                           const struct convert_part *related);
