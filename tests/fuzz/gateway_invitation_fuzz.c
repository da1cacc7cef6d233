/* Texts of invitations: what passes the check can be filled in, whatever the names are, in one line of subject. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"
#include "gateway/invitation_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fill(const char *text, const char *name)
{
    struct invitation_fields fields = { .member = name,
                                        .address = "alice@silo.example.org",
                                        .guest = "bob@example.com",
                                        .domain = "silo.example.org",
                                        .remove = "bounces+token@silo.example.org" };
    struct strbuf subject, body;
    strbuf_init(&subject, INVITATION_FILLED_SUBJECT_MAX);
    strbuf_init(&body, INVITATION_FILLED_BODY_MAX);
    if (invitation_text_fill(text, &fields, &subject, &body) != 1 || strchr(subject.data, '\n'))
        abort();
    if (!strstr(body.data, "alice\\@silo\\.example\\.org") || !strstr(body.data, "bounces\\+token\\@silo"))
        abort();
    strbuf_free(&subject);
    strbuf_free(&body);
}

/* A name, a NUL, and a text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct strbuf problem;
    const uint8_t *end = size > 0 ? memchr(data, 0, size) : NULL;
    size_t name_len = end ? (size_t)(end - data) : 0, used = end ? name_len + 1 : 0;
    char *name = xstrndup((const char *)data, name_len), *text = xstrndup((const char *)data + used, size - used);
    strbuf_init(&problem, 1000);
    int result = invitation_text_check(text, strlen(text), &problem);
    if ((result == 1) != (problem.len == 0))
        abort();
    if (result == 1)
        fill(text, name);
    strbuf_free(&problem);
    free(name);
    free(text);
    return 0;
}
