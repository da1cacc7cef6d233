/* web_mapping_limits.c - see web_mapping_limits.h */
#include "gateway/web_mapping_limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gateway/web.h"
#include "gateway/web_json.h"
#include "gateway/web_page.h"
#include "gateway/web_words.h"

enum { NAME_SIZE = 40, VALUE_SIZE = 40, DATE_LEN = 10 };

static const struct web_choice directions[] = {
    { "both", "both ways" }, { "in", "only to the member" }, { "out", "only from the member" }, { NULL, NULL }
};
static const struct web_choice directions_or_not[] = { { "", "as asked for" },
                                                       { "both", "both ways" },
                                                       { "in", "only to the member" },
                                                       { "out", "only from the member" },
                                                       { NULL, NULL } };
static const struct web_choice proofs[] = { { "default", "as the gateway asks" },
                                            { "dmarc", "aligned DKIM or SPF (DMARC)" },
                                            { "dkim", "aligned DKIM" },
                                            { "none", "none: anybody can write in this name" },
                                            { NULL, NULL } };
static const struct web_choice yes_no[] = { { "no", "no" }, { "yes", "yes" }, { NULL, NULL } };

enum form { PLAIN, NUMBER, DATE, SIZE, YES_NO, TEXT };

static const struct limit {
    const char *name, *option, *key; /* of the form; of the verbs; of their answer */
    const char *label, *hint;
    enum form form;
    const char *nothing; /* what is said when the field was emptied */
    bool at_approval;
    const struct web_choice *choices, *choices_at_approval;
    unsigned longest;
} limits[] = {
    { "direction", "--direction", "direction", "Direction", NULL, PLAIN, "both", true, directions, directions_or_not },
    { "expires", "--expires", "expires", "Until", "The end of that day, UTC. Empty: for ever.", DATE, "never", true },
    { "daily", "--daily", "daily", "Messages a day", "Empty: no limit.", NUMBER, "none", true, NULL, NULL, 7 },
    { "attachments", "--attachments", "attachments", "Files", "yes, no, or a list such as pdf,docx,image/*", PLAIN,
      "yes", true, NULL, NULL, 1000 },
    { "max-size", "--max-size", "max_size", "Largest message", "Such as 512K or 10M. Empty: the gateway's own limit.",
      SIZE, "none", false, NULL, NULL, 12 },
    { "proof", "--proof", "proof", "Proof of the sender", NULL, PLAIN, "default", false, proofs, NULL },
    { "subaddresses", "--subaddresses", "subaddresses", "Subaddresses too (bob+news@)", NULL, YES_NO, "no", false,
      yes_no, NULL },
    { "invite", "--invite", "invites", "Tell them by email that they may write", NULL, YES_NO, "no", false, yes_no,
      NULL },
    { "note", "--note", "note", "Note", "For administrators.", TEXT, "", false, NULL, NULL, 1000 },
};
enum { LIMIT_COUNT = sizeof limits / sizeof limits[0] };
_Static_assert(2 * LIMIT_COUNT + 10 <= WEB_WORDS_MAX, "an option and its value for each, and what else a verb is told");

/* As the field shows it, and as the verb takes it. */
static const char *present_value(const struct limit *limit, const struct json_t *mapping, char buf[static VALUE_SIZE])
{
    static const char units[] = "GMK";
    int64_t number = web_json_number(mapping, limit->key);
    const char *text = web_json_text(mapping, limit->key);
    buf[0] = '\0';
    if (limit->form == YES_NO)
        return web_json_is(mapping, limit->key) ? "yes" : "no";
    if (limit->form == DATE) {
        snprintf(buf, VALUE_SIZE, "%.*s", DATE_LEN, text ? text : "");
    } else if (limit->form == NUMBER && number > 0) {
        snprintf(buf, VALUE_SIZE, "%" PRId64, number);
    } else if (limit->form == SIZE && number > 0) {
        int64_t unit = INT64_C(1) << 30;
        size_t i = 0;
        for (; units[i + 1] && number % unit != 0; i++)
            unit >>= 10;
        snprintf(buf, VALUE_SIZE, "%" PRId64 "%c", number / unit, units[i]);
    } else if (text) {
        return text;
    }
    return buf;
}

static const char *was_name(const struct limit *limit, char buf[static NAME_SIZE])
{
    snprintf(buf, NAME_SIZE, "was-%s", limit->name);
    return buf;
}

static void add_one(struct web_html *html, const struct limit *limit, enum web_mapping_limits_use use,
                    const char *id_prefix, const struct json_t *mapping, const struct web_visit *visit)
{
    static const char *const types[] = {
        [PLAIN] = "text", [NUMBER] = "text", [DATE] = "date", [SIZE] = "text", [YES_NO] = NULL, [TEXT] = "text"
    };
    char id[NAME_SIZE], name[NAME_SIZE], present[VALUE_SIZE];
    const char *value = use == WEB_MAPPING_LIMITS_CHANGE                  ? present_value(limit, mapping, present)
                        : use == WEB_MAPPING_LIMITS_NEW && limit->choices ? limit->nothing
                                                                          : NULL;
    const char *sent = visit ? web_form(visit, limit->name) : NULL;
    snprintf(id, sizeof id, "%s-%s", id_prefix, limit->name);
    if (value)
        web_page_hidden(html, was_name(limit, name), value);
    web_page_field(html,
                   &(struct web_field){ .id = id,
                                        .name = limit->name,
                                        .label = limit->label,
                                        .value = sent ? sent : value,
                                        .hint = limit->hint,
                                        .type = types[limit->form],
                                        .inputmode = limit->form == NUMBER ? "numeric" : NULL,
                                        .longest = limit->longest,
                                        .is_wide = limit->form == TEXT,
                                        .choices = use == WEB_MAPPING_LIMITS_APPROVAL && limit->choices_at_approval
                                                       ? limit->choices_at_approval
                                                       : limit->choices });
}

void web_mapping_limits_add(struct web_html *html, enum web_mapping_limits_use use, const char *id_prefix,
                            const struct json_t *mapping, const struct web_visit *visit)
{
    web_html_add(html, "<div class=\"fields\">\n");
    for (size_t i = 0; i < LIMIT_COUNT; i++)
        if (use != WEB_MAPPING_LIMITS_APPROVAL || limits[i].at_approval)
            add_one(html, &limits[i], use, id_prefix, mapping, visit);
    web_html_add(html, "</div>\n");
}

size_t web_mapping_limits_take(const struct web_visit *visit, struct web_words *words)
{
    size_t count = 0;
    for (size_t i = 0; i < LIMIT_COUNT; i++) {
        char name[NAME_SIZE];
        const char *value = web_form(visit, limits[i].name), *was = web_form(visit, was_name(&limits[i], name));
        if (!value || strcmp(value, was ? was : "") == 0)
            continue;
        web_words_set(words, limits[i].option, value[0] ? value : limits[i].nothing);
        count++;
    }
    return count;
}
