#include "gateway/attachment_rule.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"

enum { ITEM_MAX = 128 };

/* The last two words are whole rules. */
#define RULE_NONE "no"

struct attachment_rule {
    enum { RULE_LIST, RULE_IS_ALL, RULE_IS_NONE } kind;
    char *text;
    struct item {
        char *text;        /* ".pdf", "image/png", "image/" for all of a family */
        char *shown;       /* as the rule's text has it */
        const char *media; /* of an extension; NULL: not known, or it is none */
    } items[ATTACHMENT_RULE_ITEMS_MAX];
    size_t count;
};

/* ---- reading ---- */

static bool is_name(const char *text, size_t len, const char *others)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] >= 0x80 || (!isalnum((unsigned char)text[i]) && !strchr(others, text[i])))
            return false;
    return len > 0;
}

static bool is_family(const char *word)
{
    char family[ITEM_MAX + 1];
    snprintf(family, sizeof family, "%s/", word);
    return attachment_type_exists(family);
}

/* An extension, with or without its dot. NULL, or what is wrong. */
static const char *read_extension(const char *word, char out[static ITEM_MAX + 1])
{
    const char *bare = word[0] == '.' ? word + 1 : word;
    size_t len = strlen(bare);
    if (strcmp(bare, ATTACHMENT_RULE_ALL) == 0 || strcmp(bare, RULE_NONE) == 0)
        return "\"yes\" and \"no\" stand alone";
    if (is_family(word))
        return "that is the first half of a media type: put /* behind it for all of them";
    if (!is_name(bare, len, "+-_") || len > ATTACHMENT_EXTENSION_MAX)
        return "it is neither an extension such as .pdf nor a media type such as image/png or image/*";
    out[0] = '.';
    memcpy(out + 1, bare, len + 1);
    return NULL;
}

/* A media type. One of which no extension is known would let nothing in. */
static const char *read_type(const char *word, char out[static ITEM_MAX + 1])
{
    const char *slash = strchr(word, '/');
    size_t len = (size_t)(slash - word);
    bool is_all = strcmp(slash + 1, "*") == 0;
    if (!is_name(word, len, "!#$&-^_.+") || (!is_all && !is_name(slash + 1, strlen(slash + 1), "!#$&-^_.+")))
        return "it is neither an extension such as .pdf nor a media type such as image/png or image/*";
    const char *media = is_all ? word : attachment_type_usual(word);
    size_t media_len = is_all ? len + 1 : strlen(media);
    memcpy(out, media, media_len);
    out[media_len] = '\0';
    return attachment_type_exists(out) ? NULL : "no extension is known for that type: give the extension itself";
}

static bool has_item(const struct attachment_rule *rule, const char *item)
{
    for (size_t i = 0; i < rule->count; i++)
        if (strcmp(rule->items[i].text, item) == 0)
            return true;
    return false;
}

static void add_item(struct attachment_rule *rule, const char *item)
{
    struct strbuf shown;
    strbuf_init(&shown, ITEM_MAX + 1);
    strbuf_add_fmt(&shown, "%s%s", item, item[strlen(item) - 1] == '/' ? "*" : "");
    const struct attachment_type *type = item[0] == '.' ? attachment_type_find(item + 1) : NULL;
    rule->items[rule->count++] =
        (struct item){ .text = xstrdup(item), .shown = strbuf_detach(&shown), .media = type ? type->media : NULL };
}

/* 1, or -1 with the reason. */
static int read_word(struct attachment_rule *rule, const char *word, struct strbuf *error)
{
    char item[ITEM_MAX + 1];
    const char *wrong = strlen(word) > ITEM_MAX - 2 ? "it is too long"
                        : strcmp(word, "*") == 0    ? "say \"yes\" to let every file in"
                        : strcmp(word, "*/*") == 0  ? "say \"yes\" to let every file in"
                        : strchr(word, '/') != NULL ? read_type(word, item)
                                                    : read_extension(word, item);
    if (!wrong && has_item(rule, item))
        return 1;
    if (!wrong && rule->count == ATTACHMENT_RULE_ITEMS_MAX)
        wrong = "there are more than 50";
    if (wrong) {
        strbuf_add_fmt(error, "\"%.60s\": %s", word, wrong);
        return -1;
    }
    add_item(rule, item);
    return 1;
}

static int read_list(struct attachment_rule *rule, char *text, struct strbuf *error)
{
    char *rest = NULL;
    for (char *word = strtok_r(text, ", \t", &rest); word; word = strtok_r(NULL, ", \t", &rest))
        if (read_word(rule, word, error) < 0)
            return -1;
    if (rule->count > 0)
        return 1;
    strbuf_add_str(error, "it is empty: say \"no\" to let no file in");
    return -1;
}

static char *write_list(const struct attachment_rule *rule)
{
    struct strbuf text;
    strbuf_init(&text, ATTACHMENT_RULE_MAX);
    for (size_t i = 0; i < rule->count; i++)
        strbuf_add_fmt(&text, "%s%s", i ? ", " : "", rule->items[i].shown);
    bool fits = strbuf_ok(&text);
    char *written = strbuf_detach(&text);
    if (fits)
        return written;
    free(written);
    return NULL;
}

static char *lowered(const char *text)
{
    char *copy = xstrdup(text);
    for (char *c = copy; *c; c++)
        if ((unsigned char)*c < 0x80)
            *c = (char)tolower((unsigned char)*c);
    return copy;
}

struct attachment_rule *attachment_rule_new(const char *text, struct strbuf *error_out)
{
    if (strlen(text) > ATTACHMENT_RULE_MAX) {
        strbuf_add_str(error_out, "it is longer than 1000 bytes");
        return NULL;
    }
    struct attachment_rule *rule = xcalloc(1, sizeof *rule);
    char *copy = lowered(text);
    if (strcmp(copy, ATTACHMENT_RULE_ALL) == 0)
        rule->kind = RULE_IS_ALL;
    else if (strcmp(copy, RULE_NONE) == 0)
        rule->kind = RULE_IS_NONE;
    if (rule->kind != RULE_LIST)
        rule->text = xstrdup(copy);
    else if (read_list(rule, copy, error_out) == 1 && !(rule->text = write_list(rule)))
        strbuf_add_str(error_out, "it is longer than 1000 bytes");
    free(copy);
    if (!rule->text)
        attachment_rule_free(&rule);
    return rule;
}

void attachment_rule_free(struct attachment_rule **rule_in)
{
    struct attachment_rule *rule = *rule_in;
    if (!rule)
        return;
    for (size_t i = 0; i < rule->count; i++) {
        free(rule->items[i].text);
        free(rule->items[i].shown);
    }
    free(rule->text);
    free(rule);
    *rule_in = NULL;
}

const char *attachment_rule_text(const struct attachment_rule *rule)
{
    return rule->text;
}

bool attachment_rule_is_open(const struct attachment_rule *rule)
{
    return rule->kind == RULE_IS_ALL;
}

/* ---- judging ---- */

struct attachment_file attachment_file_make(const char *name, const void *start, size_t len)
{
    struct attachment_file file = { .name = name, .format = attachment_format_find(start, len) };
    attachment_extension(name, file.extension);
    file.type = attachment_type_find(file.extension);
    return file;
}

static bool has_extension(const struct item *item, const char *extension)
{
    return item->text[0] == '.' && strcmp(item->text + 1, extension) == 0;
}

static bool has_type(const struct item *item, const char *media)
{
    size_t len = strlen(item->text);
    if (item->text[0] == '.')
        return item->media && strcmp(item->media, media) == 0;
    return item->text[len - 1] == '/' ? strncmp(item->text, media, len) == 0 : strcmp(item->text, media) == 0;
}

/* The item that has this extension ("": none) or type (NULL: not known), as it is shown; NULL: none. */
static const char *find_item(const struct attachment_rule *rule, const char *extension, const char *media)
{
    for (size_t i = 0; i < rule->count; i++)
        if (has_extension(&rule->items[i], extension) || (media && has_type(&rule->items[i], media)))
            return rule->items[i].shown;
    return NULL;
}

/* Is the content what a file of that name may have? */
static bool keeps_its_word(const struct attachment_file *file)
{
    if (file->format == ATTACHMENT_EMPTY)
        return true;
    if (file->type)
        return file->type->formats & UINT64_C(1) << file->format;
    return !attachment_format_about(file->format)->is_program;
}

enum attachment_verdict attachment_rule_judge(const struct attachment_rule *rule, const struct attachment_file *file,
                                              const char **by_out)
{
    *by_out = ATTACHMENT_RULE_ALL;
    if (rule->kind == RULE_IS_ALL)
        return ATTACHMENT_ALLOWED;
    *by_out = "";
    if (rule->kind == RULE_IS_NONE)
        return ATTACHMENT_NO_FILES;
    const char *content = attachment_format_about(file->format)->type;
    const char *by_content = content ? find_item(rule, "", content) : NULL;
    const char *by_name =
        file->extension[0] ? find_item(rule, file->extension, file->type ? file->type->media : NULL) : by_content;
    if (!by_name)
        return ATTACHMENT_NOT_LISTED;
    if (file->extension[0] && !keeps_its_word(file) && !by_content)
        return ATTACHMENT_OTHER_CONTENT;
    *by_out = by_name;
    return ATTACHMENT_ALLOWED;
}
