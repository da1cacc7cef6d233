/* gateway_attachment_fuzz.c - rules and files: a rule reads the same again, and what is let in is listed by its name or content
 *
 * Input: rule, NUL, name, NUL, content.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "gateway/attachment_rule.h"

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* The text up to the next NUL; the caller's. */
static char *take_text(const uint8_t **data, size_t *size)
{
    size_t len = strnlen((const char *)*data, *size);
    char *text = strndup((const char *)*data, len);
    size_t used = len < *size ? len + 1 : len;
    *data += used;
    *size -= used;
    return text;
}

static struct attachment_rule *read_rule(const char *text)
{
    struct strbuf error;
    strbuf_init(&error, 1000);
    struct attachment_rule *rule = attachment_rule_new(text, &error);
    require(strbuf_ok(&error) && (rule != NULL) == (error.len == 0));
    strbuf_free(&error);
    return rule;
}

static void judge(const struct attachment_rule *rule, const char *name, const uint8_t *data, size_t size)
{
    const char *by;
    size_t len = size < ATTACHMENT_START_MAX ? size : ATTACHMENT_START_MAX;
    struct attachment_file file = attachment_file_make(name, data, len);
    require(strlen(file.extension) <= ATTACHMENT_EXTENSION_MAX && file.format < ATTACHMENT_FORMAT_COUNT);
    bool is_allowed = attachment_rule_judge(rule, &file, &by) == ATTACHMENT_ALLOWED;
    require(is_allowed == (by[0] != '\0'));
    require(!is_allowed || strstr(attachment_rule_text(rule), by));
    require(is_allowed || !attachment_rule_is_open(rule));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = take_text(&data, &size), *name = take_text(&data, &size);
    struct attachment_rule *rule = read_rule(text);
    if (rule) {
        struct attachment_rule *again = read_rule(attachment_rule_text(rule));
        require(again && strcmp(attachment_rule_text(again), attachment_rule_text(rule)) == 0);
        judge(rule, name, data, size);
        attachment_rule_free(&again);
        attachment_rule_free(&rule);
    }
    free(text);
    free(name);
    return 0;
}
