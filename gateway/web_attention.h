/* web_attention.h - what an administrator should look at now, in words, with where it is seen to
 *
 * Of what the verbs "status" and "silo status" have answered. Pure.
 */
#pragma once
#include "gateway/web_page.h"
#include <stddef.h>
#include <stdint.h>

struct json_t;

enum {
    WEB_ATTENTION_OLD_MS = 3600 * 1000,  /* what waits for longer is worth a look */
    WEB_ATTENTION_CERTIFICATE_DAYS = 21, /* likewise, a certificate that ends within these */
};

/* url: of ours, and label: what is there; both NULL: nowhere in particular. The worst first. */
typedef void web_attention_each(enum web_tone tone, const char *text, const char *url, const char *label, void *ctx);
/* How many. silo: NULL when it could not be asked. */
size_t web_attention_list(const struct json_t *status, const struct json_t *silo, int64_t now, web_attention_each *each,
                          void *ctx);
