/* web_words.c - see web_words.h */
#include "gateway/web_words.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/xmalloc.h"

enum { REFUSALS_TOLD = 5, ADDRESS_MAX = 4000 };

struct web_words web_words_of(const char *verb, const char *sub)
{
    struct web_words words = { .words = { verb, sub }, .count = sub ? 2 : 1 };
    return words;
}

static void add(struct web_words *words, const char *word)
{
    assert(words->count < WEB_WORDS_MAX);
    words->words[words->count++] = word;
}

void web_words_option(struct web_words *words, const char *name, const char *value)
{
    if (value && value[0])
        web_words_set(words, name, value);
}

void web_words_set(struct web_words *words, const char *name, const char *value)
{
    add(words, name);
    add(words, value);
}

void web_words_add(struct web_words *words, const char *word)
{
    bool is_closed = false;
    for (size_t i = 0; i < words->count; i++)
        is_closed = is_closed || strcmp(words->words[i], "--") == 0;
    if (!is_closed)
        add(words, "--");
    add(words, word);
}

struct web_order web_words_order(const struct web_words *words)
{
    return (struct web_order){ .words = words->words };
}

void web_words_run(struct web_visit *visit, const struct web_words *words, web_done *done, void *ctx)
{
    const struct web_order order = web_words_order(words);
    web_run(visit, &order, 1, done, ctx);
}

void web_words_run_each(struct web_visit *visit, const struct web_words *words, const char *const *names, size_t count,
                        web_done *done, void *ctx)
{
    struct web_words *each = xcalloc(count, sizeof *each);
    struct web_order *orders = xcalloc(count, sizeof *orders);
    for (size_t i = 0; i < count; i++) {
        each[i] = *words;
        web_words_add(&each[i], names[i]);
        orders[i] = web_words_order(&each[i]);
    }
    web_run(visit, orders, count, done, ctx);
    free(orders);
    free(each);
}

void web_words_query(struct strbuf *address, const char *name, const char *value)
{
    if (!value || !value[0])
        return;
    strbuf_add_char(address, strchr(address->data, '?') ? '&' : '?');
    strbuf_add_fmt(address, "%s=", name);
    web_url_add(address, value);
}

char *web_words_page(const char *folder, const char *name)
{
    struct strbuf address;
    strbuf_init(&address, ADDRESS_MAX);
    strbuf_add_str(&address, folder);
    web_url_add(&address, name);
    return strbuf_detach(&address);
}

const char *web_words_given(const struct web_visit *visit, const char *name)
{
    const char *value = web_form(visit, name);
    return value && value[0] ? value : NULL;
}

/* ---- links ---- */

void web_words_entry(struct web_html *html, const char *id)
{
    if (id)
        web_html_add(html, "<a href=\"/message?id=%u\">%s</a>", id, id);
}

void web_words_mapping(struct web_html *html, int64_t id)
{
    web_html_add(html, "<a href=\"/mappings/%u\">%s</a>", WEB_INT(id), WEB_INT(id));
}

void web_words_group(struct web_html *html, const char *gid)
{
    web_html_add(html, "<a href=\"/groups/%u\">%s</a>", gid, gid);
}

static size_t count_digits(const char *text)
{
    return strspn(text, "0123456789");
}

/* The length of "in17" or "out5" at the beginning; 0: it is none. */
static size_t entry_length(const char *text)
{
    size_t lead = strncmp(text, "in", 2) == 0 ? 2 : strncmp(text, "out", 3) == 0 ? 3 : 0;
    size_t digits = lead ? count_digits(text + lead) : 0;
    return digits > 0 && digits < 19 ? lead + digits : 0;
}

void web_words_object(struct web_html *html, const char *object)
{
    static const struct {
        const char *lead, *folder;
    } kinds[] = { { "mapping ", "mappings" }, { "member ", "members" }, { "group ", "groups" } };
    size_t entry = entry_length(object);
    if (entry > 0 && object[entry] == '\0') {
        web_words_entry(html, object);
        return;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t lead = strlen(kinds[i].lead);
        if (strncmp(object, kinds[i].lead, lead) != 0 || !object[lead])
            continue;
        web_html_add(html, "<a href=\"/%u/%u\">%s</a>", kinds[i].folder, object + lead, object);
        return;
    }
    web_html_add(html, "%s", object);
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '@' ||
           c == '.' || c == '-' || (unsigned char)c >= 0x80;
}

/* How much of text at this place is the name of something with a page; 0: nothing. id_out: where its number begins. A request
 * is a mapping. */
static size_t name_length(const char *text, size_t *id_out)
{
    static const char *const leads[] = { "mapping ", "request " };
    size_t len = entry_length(text);
    *id_out = 0;
    for (size_t i = 0; i < sizeof leads / sizeof leads[0]; i++) {
        size_t lead = strlen(leads[i]), digits = strncmp(text, leads[i], lead) == 0 ? count_digits(text + lead) : 0;
        if (digits == 0 || digits >= 19)
            continue;
        len = lead + digits;
        *id_out = lead;
    }
    /* A full stop may end the sentence, or go on as a name. */
    bool ends = !is_word(text[len]) || (text[len] == '.' && !is_word(text[len + 1]));
    return len > 0 && ends ? len : 0;
}

static void add_piece(struct web_html *html, const char *text, size_t len)
{
    char *piece = xstrndup(text, len);
    web_html_add(html, "%s", piece);
    free(piece);
}

static void add_link(struct web_html *html, const char *text, size_t len, size_t id)
{
    char *name = xstrndup(text, len);
    if (id > 0)
        web_html_add(html, "<a href=\"/mappings/%u\">%s</a>", name + id, name);
    else
        web_words_entry(html, name);
    free(name);
}

void web_words_linked(struct web_html *html, const char *text)
{
    const char *plain = text;
    for (const char *at = text; *at;) {
        bool begins = at == text || !is_word(at[-1]);
        size_t id = 0, len = begins ? name_length(at, &id) : 0;
        if (len > 0) {
            add_piece(html, plain, (size_t)(at - plain));
            add_link(html, at, len, id);
            plain = at + len;
        }
        at += len > 0 ? len : 1;
    }
    web_html_add(html, "%s", plain);
}

/* ---- acts ---- */

void web_words_no_default(struct web_html *html)
{
    web_html_add(html, "<button class=\"unseen\" name=\"act\" value=\"none\" tabindex=\"-1\" "
                       "aria-hidden=\"true\">Nothing</button>\n");
}

const char *web_words_unknown_act(const struct web_visit *visit)
{
    const char *act = web_words_given(visit, "act");
    return act && strcmp(act, "none") == 0 ? "Nothing was done: press the button of what is to be done."
                                           : "This button is not known here.";
}

void web_words_go(struct web_visit *visit, const char *folder, const char *name, bool good, const char *flash)
{
    char *page = web_words_page(folder, name);
    web_redirect(visit, page, good, flash);
    free(page);
}

void web_words_tell(struct web_visit *visit, const char *path, const char *done, const struct web_result *results,
                    size_t count)
{
    size_t good = 0, told = 0;
    struct strbuf text;
    strbuf_init(&text, WEB_FLASH_MAX);
    for (size_t i = 0; i < count; i++)
        good += results[i].exit == ADMIN_OK;
    if (good > 0)
        strbuf_add_fmt(&text, "%zu %s.", good, done);
    for (size_t i = 0; i < count; i++) {
        if (results[i].exit == ADMIN_OK)
            continue;
        if (told++ < REFUSALS_TOLD)
            strbuf_add_fmt(&text, "%sNot done: %.300s", text.len ? "\n" : "", results[i].error);
    }
    if (told > REFUSALS_TOLD)
        strbuf_add_fmt(&text, "\nAnd %zu more were refused.", told - REFUSALS_TOLD);
    web_redirect(visit, path, told == 0, text.data);
    strbuf_free(&text);
}
