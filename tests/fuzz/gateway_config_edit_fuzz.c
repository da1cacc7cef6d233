/* gateway_config_edit_fuzz.c - whatever the text: a value is found where it was set, unless the text is open at its end */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "gateway/config_edit.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

static const struct config_place places[] = {
    { NULL, NULL, "a" }, { "silo", NULL, "a" }, { "listen", "mx", "a" }, { "policy", NULL, "admins" }
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct strbuf text;
    const struct config_place *place = &places[size > 0 ? data[0] % 4 : 0];
    strbuf_init(&text, CONFIG_EDIT_MAX);
    strbuf_add(&text, data, size);
    strbuf_truncate(&text, strlen(text.data)); /* a configuration has no NUL */
    bool was_there = config_edit_has(&text, place);
    size_t before = text.len;
    config_edit_set(&text, place, "\"value\"");
    require(strbuf_ok(&text) && strstr(text.data, "\"value\""));
    if (was_there) { /* so it can be found: again, and gone with its line or without */
        require(config_edit_has(&text, place));
        size_t with = text.len;
        config_edit_set(&text, place, "\"value\"");
        require(text.len == with);
        require(config_edit_remove(&text, place) && text.len < with);
    } else {
        require(text.len > before);
        (void)config_edit_remove(&text, place);
    }
    strbuf_free(&text);
    return 0;
}
